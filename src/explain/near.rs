//! What comes nearest where nothing fits.

use super::story::Detail;
use crate::{
    http::{RequestHead, Scheme},
    jwt::Claims,
    table::{self, Nearness, RouteReport, RouteTable, VirtualHost},
};

/// Hosts that are named at most.
const HOSTS_MAX: usize = 5;
/// Routes whose reasons are given at most.
const ROUTES_MAX: usize = 3;

/// The virtual hosts that an authority does not reach: those that are near, or else some that there are.
pub(super) fn hosts(table: &RouteTable, authority: &[u8]) -> Vec<Detail> {
    let near = table::nearest_hosts(table, authority, HOSTS_MAX);
    if !near.is_empty() {
        return near.iter().map(|near| host(near.host, &nearness(near.nearness))).collect();
    }
    if table.virtual_hosts.iter().all(|host| host.routes.is_empty() && !host.require_tls) {
        return vec![Detail::new("no VirtualService is bound to a server of this listener")];
    }
    let mut details: Vec<Detail> =
        table.virtual_hosts.iter().take(HOSTS_MAX).map(|known| host(known, "")).collect();
    let more = table.virtual_hosts.len().saturating_sub(HOSTS_MAX);
    if more > 0 {
        details.push(Detail::new(format!("and {more} more; `routes` lists them")));
    }
    details
}

/// The wildcards that would have been reached without the virtual host that was.
pub(super) fn hidden(table: &RouteTable, authority: &[u8]) -> Vec<Detail> {
    // Those that are hidden come first.
    let near = table::nearest_hosts(table, authority, HOSTS_MAX).into_iter();
    let hidden = near.filter(|near| near.nearness == Nearness::Hidden);
    hidden
        .map(|near| Detail::new(format!("hides `{}` completely", near.host.host)).from(&near.host.source))
        .collect()
}

/// The routes that come nearest, of those before `end`, and why each does not match.
pub(super) fn routes(
    host: &VirtualHost,
    (request, scheme, claims): (&RequestHead, Scheme, Option<&Claims>),
    end: usize,
) -> Vec<Detail> {
    let near = table::nearest_routes(host, request, scheme, claims, usize::MAX);
    let near: Vec<&RouteReport<'_>> = near.iter().filter(|report| report.position < end).collect();
    let count = near.len();
    let mut near: Vec<_> = near.into_iter().take(ROUTES_MAX).collect();
    near.sort_by_key(|report| report.position);
    let mut details: Vec<Detail> = near.into_iter().map(|report| miss(report)).collect();
    if count > ROUTES_MAX {
        details.push(Detail::new(format!("{} more routes are farther from it", count - ROUTES_MAX)));
    }
    details
}

fn host(host: &VirtualHost, nearness: &str) -> Detail {
    Detail::new(format!("there is `{}`{nearness}", host.host)).from(&host.source)
}

fn nearness(nearness: Nearness) -> String {
    match nearness {
        Nearness::Hidden => ", which a narrower one hides".to_owned(),
        Nearness::OwnDomain => ": it covers names in its domain, not the domain itself".to_owned(),
        Nearness::Misspelled(1) => ": one character differs".to_owned(),
        Nearness::Misspelled(number) => format!(": {number} characters differ"),
        Nearness::SameDomain(_) => " in the same domain".to_owned(),
    }
}

fn miss(report: &RouteReport<'_>) -> Detail {
    let (number, route) = (report.position + 1, report.route);
    Detail::new(format!("not {number}: {}", route.matcher))
        .from(&route.source)
        .lines(report.failures().map(str::to_owned))
}
