//! Values that many kinds have: ports, durations, shares, hosts, labels.

use super::{names, place::Place, wording::shown};
use crate::config::{Diagnostic, Spanned, resources::Map};
use std::{collections::HashMap, fmt, time::Duration};

/// A port number, 1 to 65535.
pub(super) fn check_port(number: impl Into<i64>, at: &Place<'_>) {
    let number = number.into();
    if !(1..=65535).contains(&number) {
        let problem = Diagnostic::error("bad-port", format!("{number} is not a port number"));
        let omit = if number == 0 { "; leave the field out if no port is meant" } else { "" };
        at.report(problem.help(format!("expected 1 to 65535{omit}")));
    }
}

/// A duration of at least a millisecond, and of whole milliseconds: what istiod accepts.
pub(super) fn check_duration(duration: Duration, at: &Place<'_>, help_for_zero: &str) {
    let problem = match duration {
        Duration::ZERO => {
            Diagnostic::error("bad-duration", "the duration is 0; the least is 1ms").help(help_for_zero)
        }
        _ if duration < Duration::from_millis(1) => {
            Diagnostic::error("bad-duration", format!("{duration:?} is too short")).help("the least is 1ms")
        }
        _ if !duration.subsec_nanos().is_multiple_of(1_000_000) => {
            Diagnostic::error("bad-duration", format!("{duration:?} has a fraction of a millisecond"))
                .help("write whole milliseconds")
        }
        _ => return,
    };
    at.report(problem);
}

/// What [`check_duration`] says of zero where nothing better is known.
pub(super) const OMIT_FOR_DEFAULT: &str = "leave the field out to have the default";

/// A whole number that must not be negative.
pub(super) fn check_not_negative(number: i32, at: &Place<'_>) {
    if number < 0 {
        let problem = Diagnostic::error("negative-number", format!("{number} is negative"));
        at.report(problem.help("expected 0 or more"));
    }
}

/// A share in percent.
pub(super) fn check_percent<N: PartialOrd + From<u8> + fmt::Display>(share: N, at: &Place<'_>) {
    if share < N::from(0) || share > N::from(100) {
        let problem = Diagnostic::error("bad-percentage", format!("{share} is not a percentage"));
        at.report(problem.help("expected 0 to 100"));
    }
}

/// One label of a domain: a namespace, a subset, the name of a port.
pub(super) fn check_dns_label(text: &str, what: &str, code: &'static str, at: &Place<'_>) {
    if !names::is_dns_label(text) {
        let message = format!("`{}` can't be {what}", shown(text));
        let help = "expected letters, digits and inner dashes, at most 63 of them";
        at.report(Diagnostic::error(code, message).help(help));
    }
}

/// Labels that something has or must have: names and values as Kubernetes has them.
pub(super) fn check_labels(name: &'static str, labels: &Map<String>, at: &Place<'_>) {
    for (at, key, value) in at.entries(name, labels) {
        if !names::is_label_value(value) {
            let message = format!("`{}` can't be the value of a label", shown(value));
            let help =
                "expected at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at each end";
            at.report(Diagnostic::error("bad-label", message).help(help));
        }
        if !names::is_label_key(key) {
            let message = format!("`{}` can't be the name of a label", shown(key));
            let help = "expected at most 63 letters, digits, `-`, `_` and `.`, before which a domain and `/` may stand";
            at.pointing_at(key.span).report(Diagnostic::error("bad-label", message).help(help));
        }
    }
}

/// The labels by which workloads are selected: no wildcards, and a selection without labels is not what it seems.
pub(super) fn check_selector(name: &'static str, labels: &Map<String>, at: &Place<'_>) {
    if labels.is_empty() {
        let problem =
            Diagnostic::warning("empty-selector", "the selector has no labels, so it selects every workload");
        at.absent(name).report(problem.help("name the labels, or leave the selector out"));
    }
    for (at, key, value) in at.entries(name, labels) {
        if key.is_empty() {
            let problem = Diagnostic::error("bad-label", "a label without a name can't be selected");
            at.pointing_at(key.span).report(problem);
        } else if key.contains('*') || value.contains('*') {
            let problem = Diagnostic::error("bad-label", "wildcards are not supported in a selector");
            at.report(problem.help("write the label as the workload has it"));
        }
    }
}

/// The namespaces that an object is exported to. `allows_nobody`: `~` may stand alone, as on a ServiceEntry.
pub(super) fn check_export_to(
    name: &'static str,
    list: &[Spanned<String>],
    namespace: &str,
    allows_nobody: bool,
    at: &Place<'_>,
) {
    let mut seen: HashMap<&str, &Spanned<String>> = HashMap::new();
    for (at, entry) in at.items(name, list) {
        let meant = if **entry == "." { namespace } else { entry };
        if let Some(first) = seen.insert(meant, entry) {
            let message = match **first == **entry {
                true => format!("`{}` is listed twice", shown(entry)),
                false => format!("`.` and `{namespace}` are the same namespace"),
            };
            let problem = Diagnostic::error("bad-export-to", message).help("remove one of the two");
            at.report(problem.label(first.span, "the first one"));
            continue;
        }
        check_export_entry(entry, list.len(), allows_nobody, &at);
    }
}

fn check_export_entry(entry: &str, entries: usize, allows_nobody: bool, at: &Place<'_>) {
    let problem = match entry {
        "*" if entries > 1 => {
            Diagnostic::error("bad-export-to", "`*` is every namespace, so nothing can stand beside it")
                .help("leave `*` alone, or remove it")
        }
        "~" if allows_nobody && entries > 1 => {
            Diagnostic::error("bad-export-to", "`~` is nobody, so nothing can stand beside it")
                .help("leave `~` alone, or remove it")
        }
        "*" | "." => return,
        "~" if allows_nobody => return,
        "~" => Diagnostic::error("bad-export-to", "only a ServiceEntry can be exported to nobody")
            .help("expected `*`, `.` or names of namespaces"),
        name if names::is_dns_label(name) => return,
        name => {
            let message = format!("`{}` is not a namespace", shown(name));
            Diagnostic::error("bad-export-to", message).help("expected `*`, `.` or names of namespaces")
        }
    };
    at.report(problem);
}
