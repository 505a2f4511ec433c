//! `sluicegate check`: every problem in every file.

use super::{
    FAILED, GOOD,
    args::{CheckArgs, CheckFormat},
    load::{Loaded, load},
    output::{color, complain, print},
};
use crate::compile::Http2Options;
use crate::config::{
    Resources,
    render::{Counts, Format, render},
};
use std::io::{self, IsTerminal};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &CheckArgs) -> u8 {
    let port_map = args.workload.port_map.clone().unwrap_or_default();
    let mut loaded = load(&args.paths, &args.workload, &port_map, Http2Options::default());
    if let Err(error) = loaded.credentials() {
        complain(&format!("error: certificates can't be checked: {error}\n"));
        return FAILED;
    }
    // By place; what has none, such as a file that can't be read, comes first.
    loaded.diagnostics.sort_by_key(|diagnostic| diagnostic.span.map(|span| (span.file, span.start)));
    let counts = Counts::of(&loaded.diagnostics);
    let is_good = counts.errors == 0 && !(args.deny_warnings && counts.warnings > 0);
    let summary = format!("{}: {}\n", if is_good { "ok" } else { "failed" }, summary(&loaded, counts));
    let written = match args.format {
        CheckFormat::Human => {
            let format = Format::Human(color(io::stderr().is_terminal()));
            complain(&render(&loaded.diagnostics, &loaded.resources.sources, format));
            match is_good {
                true => print(&summary),
                false => complained(&summary),
            }
        }
        CheckFormat::Json => print_for_tools(&loaded, Format::Json, &summary),
        CheckFormat::Github => print_for_tools(&loaded, Format::Github, &summary),
    };
    if is_good { written } else { FAILED }
}

/// Standard output is for the tool alone.
fn print_for_tools(loaded: &Loaded, format: Format, summary: &str) -> u8 {
    let written = print(&render(&loaded.diagnostics, &loaded.resources.sources, format));
    complained(summary).max(written)
}

fn complained(text: &str) -> u8 {
    complain(text);
    GOOD
}

/// `2 files, 1 Gateway, 3 VirtualServices, 1 warning`
fn summary(loaded: &Loaded, counts: Counts) -> String {
    let resources = &loaded.resources;
    let mut parts = vec![counted(resources.sources.iter().count(), "file")];
    let kinds = kinds(resources).into_iter().filter(|(number, _)| *number > 0);
    parts.extend(kinds.map(|(number, kind)| counted(number, kind)));
    parts.push(counted(counts.errors, "error"));
    parts.push(counted(counts.warnings, "warning"));
    parts.join(", ")
}

fn kinds(resources: &Resources) -> [(usize, &'static str); 14] {
    [
        (resources.gateways.len(), "Gateway"),
        (resources.virtual_services.len(), "VirtualService"),
        (resources.destination_rules.len(), "DestinationRule"),
        (resources.service_entries.len(), "ServiceEntry"),
        (resources.workload_entries.len(), "WorkloadEntry"),
        (resources.request_authentications.len(), "RequestAuthentication"),
        (resources.authorization_policies.len(), "AuthorizationPolicy"),
        (resources.telemetries.len(), "Telemetry"),
        (resources.istio_operators.len(), "IstioOperator"),
        (resources.services.len(), "Service"),
        (resources.endpoints.len(), "Endpoints"),
        (resources.endpoint_slices.len(), "EndpointSlice"),
        (resources.secrets.len(), "Secret"),
        (resources.config_maps.len(), "ConfigMap"),
    ]
}

/// `1 file`, `2 files`, `2 Gateways`, `2 ServiceEntries`
fn counted(number: usize, what: &str) -> String {
    let stem = what.strip_suffix('y').filter(|stem| !stem.ends_with('a'));
    match (number, stem) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) if what.ends_with('s') => format!("{number} {what}"),
        (_, None) => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_the_plural() {
        for (number, what, expected) in [
            (1, "ServiceEntry", "1 ServiceEntry"),
            (2, "ServiceEntry", "2 ServiceEntries"),
            (2, "AuthorizationPolicy", "2 AuthorizationPolicies"),
            (2, "Gateway", "2 Gateways"),
            (2, "Gateway", "2 Gateways"),
            (0, "error", "0 errors"),
            (3, "Endpoints", "3 Endpoints"),
        ] {
            assert_eq!(counted(number, what), expected);
        }
    }
}
