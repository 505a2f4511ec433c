//! Cipher suites and curves, on a Gateway's server and for the whole mesh.

use super::{place::Place, wording::shown};
use crate::{
    config::{Diagnostic, Spanned},
    tls::{Group, Suite},
};
use std::collections::HashMap;

/// OpenSSL's names of the suites up to TLS 1.2 that Istio knows (specification section 1.6).
const CIPHER_SUITES: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

const CURVES: &[&str] =
    &["P-224", "P-256", "P-384", "P-521", "X25519", "X25519Kyber768Draft00", "X25519MLKEM768"];

/// `ALL`, the empty text and OpenSSL's operators are let through, as istiod does.
pub(super) fn check_cipher_suites(list: &[Spanned<String>], at: &Place<'_>) {
    let is_operator = |suite: &str| suite.bytes().next().is_none_or(|first| !first.is_ascii_alphanumeric());
    let is_known = |suite: &str| is_operator(suite) || suite == "ALL" || CIPHER_SUITES.contains(&suite);
    check_list("cipherSuites", list, "cipher suite", is_known, CIPHER_SUITES, at);
    let understood = |suite: &str| match suite.strip_prefix(['!', '-', '+']) {
        Some(name) => CIPHER_SUITES.contains(&name),
        None => suite.is_empty() || suite == "ALL" || Suite::parse(suite).is_some(),
    };
    let missing = Missing {
        field: "cipherSuites",
        what: |suite: &str| match is_operator(suite) {
            true => format!("`{}` is not understood", shown(suite)),
            false => format!(
                "the cipher suite `{}` is not spoken: it has no forward secrecy, or CBC",
                shown(suite)
            ),
        },
        available: Suite::ALL.map(Suite::name).join(", "),
    };
    check_available(list, |suite| !is_known(suite) || understood(suite), &missing, at);
    warn_of_none(
        list,
        "cipherSuites",
        |suite| suite.is_empty() || (understood(suite) && is_known(suite)),
        at,
    );
}

pub(super) fn check_curves(list: &[Spanned<String>], at: &Place<'_>) {
    let is_known = |curve: &str| CURVES.contains(&curve);
    check_list("ecdhCurves", list, "curve", is_known, CURVES, at);
    let missing = Missing {
        field: "ecdhCurves",
        what: |curve: &str| format!("key exchange with `{}` is not spoken", shown(curve)),
        available: Group::ALL.map(Group::name).join(", "),
    };
    check_available(list, |curve| !is_known(curve) || Group::parse(curve).is_some(), &missing, at);
    warn_of_none(list, "ecdhCurves", |curve| Group::parse(curve).is_some(), at);
}

/// What Istio knows and this gateway does not do.
struct Missing<W> {
    field: &'static str,
    what: W,
    available: String,
}

fn check_available(
    list: &[Spanned<String>],
    is_available: impl Fn(&str) -> bool,
    missing: &Missing<impl Fn(&str) -> String>,
    at: &Place<'_>,
) {
    for (at, name) in at.items(missing.field, list).filter(|(_, name)| !is_available(name)) {
        let message = format!("{}, and is left out", (missing.what)(name));
        let problem = Diagnostic::warning("unsupported-tls-name", message);
        at.report(problem.help(format!("there are {}", missing.available)));
    }
}

/// Envoy, too, takes its defaults where a list names nothing that it has.
fn warn_of_none(
    list: &[Spanned<String>],
    field: &'static str,
    counts: impl Fn(&str) -> bool,
    at: &Place<'_>,
) {
    let Some(first) = list.first().filter(|_| !list.iter().any(|name| counts(name))) else { return };
    let problem = Diagnostic::warning(
        "unsupported-tls-name",
        format!("nothing of `{field}` is left: the default holds"),
    );
    at.absent(field).pointing_at(first.span).report(problem.help("the default is all that is spoken here"));
}

/// What is not known, or listed twice, is left out.
fn check_list(
    field: &'static str,
    list: &[Spanned<String>],
    what: &str,
    is_known: impl Fn(&str) -> bool,
    known: &[&str],
    at: &Place<'_>,
) {
    let mut seen: HashMap<&str, &Spanned<String>> = HashMap::new();
    for (at, name) in at.items(field, list) {
        let shown = shown(name);
        if !is_known(name) {
            let problem = Diagnostic::warning(
                "unknown-tls-name",
                format!("the {what} `{shown}` is not known, and is left out"),
            );
            at.report(problem.help(format!("known are {}", known.join(", "))));
        } else if let Some(first) = seen.insert(name, name) {
            let problem =
                Diagnostic::warning("duplicate-item", format!("the {what} `{shown}` is listed twice"));
            at.report(problem.label(first.span, "the first one"));
        }
    }
}
