//! Rules that no request can reach, because another VirtualService on the same host comes first; and wildcards that
//! hide behind narrower hosts. Within one VirtualService that is `validate`'s.
//!
//! A route is shadowed if an earlier one asks for no more: its path covers the later one's, and it has no other
//! conditions, or exactly the same. For every route that is a look at a few neighbours in a sorted map
//! ([`STEPS_MAX`] at most), so a host with many routes costs little more than sorting them.

use super::{
    delegate::{HttpRule, HttpRules},
    report::{Report, one_of},
    rules::{RouteOfRule, RuleId},
    select::Selection,
};
use crate::{
    config::{Diagnostic, Span},
    table::{HeaderMatch, PathMatch, Route, StringMatch, ValueMatch},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
    ops::Bound,
};

/// How many neighbours are looked at for one route. Each step shortens the path that is looked for to what it has in
/// common with the neighbour; where paths are nested deeper than this, a shadowed rule may go unreported.
const STEPS_MAX: usize = 32;

/// The most virtual hosts that a wildcard is compared with. More are counted but not looked at.
const NARROWER_MAX: usize = 100_000;

/// Finds rules that can't be reached.
pub(super) struct Shadows<'s, 'r> {
    selection: &'s Selection<'r>,
    http: &'s HttpRules<'r>,
    /// What was reported: the same two rules meet on every host that their VirtualServices share.
    known: HashSet<(RuleId, RuleId)>,
}

/// The routes so far that have the same conditions besides the path.
#[derive(Default)]
struct Group {
    /// By path; these ignore no case.
    prefixes: BTreeMap<Vec<u8>, RuleId>,
    /// In lower case; these ignore case.
    prefixes_any_case: BTreeMap<Vec<u8>, RuleId>,
    exacts: HashMap<Vec<u8>, RuleId>,
    exacts_any_case: HashMap<Vec<u8>, RuleId>,
    regexes: HashMap<String, RuleId>,
}

impl<'s, 'r> Shadows<'s, 'r> {
    pub(super) fn new(selection: &'s Selection<'r>, http: &'s HttpRules<'r>) -> Shadows<'s, 'r> {
        Shadows { selection, http, known: HashSet::new() }
    }

    /// Looks at the routes of a virtual host, in their final order.
    pub(super) fn look_at(&mut self, host: &str, routes: &[RouteOfRule], report: &mut Report) {
        let mut groups: HashMap<String, Group> = HashMap::new();
        for route in routes {
            let conditions = conditions(&route.route);
            let unconditional = groups.get("").and_then(|group| group.covering(&route.route));
            let winner = match unconditional {
                Some(winner) => Some(winner),
                None => groups.get(&conditions).and_then(|group| group.covering(&route.route)),
            };
            match winner {
                Some(winner) => self.report_shadowed(host, winner, route.rule, report),
                None => groups.entry(conditions).or_default().add(route),
            }
        }
    }

    fn report_shadowed(&mut self, host: &str, winner: RuleId, loser: RuleId, report: &mut Report) {
        if !self.known.insert((winner, loser)) {
            return;
        }
        let (Some((theirs, their_span)), Some((own, own_span))) = (self.place(winner), self.place(loser))
        else {
            return;
        };
        let is_same_service = winner.virtual_service == loser.virtual_service;
        let is_delegated = theirs.root.is_some() || own.root.is_some();
        // Rules that are written in one list are compared by `validate`.
        if is_same_service && !is_delegated {
            return;
        }
        report.add("shadowed-rule", own_span, || {
            let message = format!(
                "no request for `{host}` reaches this rule: {} comes first and takes all that it matches",
                theirs.home.title
            );
            let help = match is_same_service {
                true => "the rules of a delegate stand where the rule is that delegates to it: put the narrower ones first",
                false => "VirtualServices on one host are tried by age, then by name, not by how specific they are; rename one, or put both rules into one VirtualService",
            };
            Diagnostic::warning("shadowed-rule", message)
                .about(&own.home.resource.object)
                .field(own.field(loser.matched))
                .label(their_span, "this rule wins")
                .help(help)
        });
    }

    fn place(&self, rule: RuleId) -> Option<(&'s HttpRule<'r>, Span)> {
        let written = self.http.get(rule.virtual_service, rule.rule)?;
        Some((written, written.place(rule.matched)))
    }

    /// Whether the routes of one VirtualService need to be compared with each other: some are a delegate's.
    pub(super) fn has_delegated(routes: &[RouteOfRule]) -> bool {
        routes.iter().any(|route| route.route.root.is_some())
    }

    /// Reports wildcard hosts of which a narrower virtual host without a catch-all takes requests away: what none of
    /// the narrower one's rules match is answered 404, and does not fall back to the wildcard (specification
    /// section 2.4).
    pub(super) fn look_at_wildcards<'h>(
        &self,
        hosts: impl Iterator<Item = (&'h str, &'h [RouteOfRule])> + Clone,
        report: &mut Report,
    ) {
        let wildcards: HashMap<&str, &[RouteOfRule]> = hosts
            .clone()
            .filter_map(|(host, routes)| Some((host.strip_prefix('*')?, routes)))
            .filter(|(_, routes)| !routes.is_empty())
            .collect();
        let mut lengths: Vec<usize> = wildcards.keys().map(|suffix| suffix.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let mut hidden_by: BTreeMap<&str, Vec<(&str, RuleId)>> = BTreeMap::new();
        for (host, routes) in hosts.take(NARROWER_MAX) {
            let Some(last) = routes.last().filter(|last| !last.is_catch_all) else { continue };
            let literal = host.strip_prefix('*').unwrap_or(host);
            let suffix = lengths.iter().find_map(|length| {
                let at = literal.len().checked_sub(*length).filter(|at| *at > 0)?;
                literal.get(at..).filter(|suffix| wildcards.contains_key(suffix))
            });
            if let Some(suffix) = suffix {
                hidden_by.entry(suffix).or_default().push((host, last.rule));
            }
        }
        for (suffix, narrower) in hidden_by {
            let Some(first) = wildcards.get(suffix).and_then(|routes| routes.first()) else { continue };
            self.report_hidden(suffix, first.rule, &narrower, report);
        }
    }

    fn report_hidden(&self, suffix: &str, rule: RuleId, narrower: &[(&str, RuleId)], report: &mut Report) {
        let others = || narrower.iter().filter(|(_, other)| other.virtual_service != rule.virtual_service);
        let (Some(service), Some((_, first))) =
            (self.selection.virtual_service(rule.virtual_service), others().next())
        else {
            return;
        };
        let written = service.hosts.iter().zip(&service.resource.spec.hosts);
        let own = written.into_iter().find(|(host, _)| host.strip_prefix('*') == Some(suffix));
        let place = own.map_or(service.resource.meta.name.span, |(_, written)| written.span);
        report.add("hidden-wildcard", place, || {
            let names = one_of(others().map(|(host, _)| format!("`{host}`")));
            let message = format!(
                "requests for {names} never fall back to `*{suffix}`: a narrower host hides a wildcard, also for paths that it has no rule for, which are answered 404"
            );
            let diagnostic = Diagnostic::warning("hidden-wildcard", message)
                .about(&service.resource.object)
                .field("spec.hosts")
                .help("give the narrower host a last rule without a match, or repeat these rules there");
            match self.place(*first) {
                Some((_, span)) => diagnostic.label(span, "the last rule of the narrower host"),
                None => diagnostic,
            }
        });
    }
}

impl Group {
    fn add(&mut self, route: &RouteOfRule) {
        let rule = route.rule;
        match &route.route.matcher.path {
            PathMatch::Prefix { path, ignore_case } => {
                let map = if *ignore_case { &mut self.prefixes_any_case } else { &mut self.prefixes };
                map.entry(path.to_vec()).or_insert(rule);
            }
            PathMatch::Exact { path, ignore_case } => {
                let map = if *ignore_case { &mut self.exacts_any_case } else { &mut self.exacts };
                map.entry(path.to_vec()).or_insert(rule);
            }
            PathMatch::Regex(pattern) => {
                self.regexes.entry(pattern.text().to_owned()).or_insert(rule);
            }
        }
    }

    /// A route of the group whose path covers that of another one.
    fn covering(&self, route: &Route) -> Option<RuleId> {
        let (path, ignore_case, is_exact) = match &route.matcher.path {
            PathMatch::Prefix { path, ignore_case } => (path, *ignore_case, false),
            PathMatch::Exact { path, ignore_case } => (path, *ignore_case, true),
            PathMatch::Regex(pattern) => {
                let same = self.regexes.get(pattern.text()).copied();
                // Every path begins with a slash.
                return same
                    .or_else(|| self.prefixes.get(&b"/"[..]).or(self.prefixes.get(&b""[..])).copied());
            }
        };
        let lower = path.to_ascii_lowercase();
        let any_case = beginning(&self.prefixes_any_case, &lower)
            .or_else(|| if is_exact { self.exacts_any_case.get(&lower).copied() } else { None });
        if any_case.is_some() {
            return any_case;
        }
        if ignore_case {
            // It matches other spellings too, which only a path without letters covers.
            let covers_all = |path: &[u8]| !path.iter().any(u8::is_ascii_alphabetic);
            return beginning(&self.prefixes, path).filter(|_| covers_all(path));
        }
        let exact = || if is_exact { self.exacts.get(path.as_ref()).copied() } else { None };
        beginning(&self.prefixes, path).or_else(exact)
    }
}

/// A prefix in the map that a path begins with.
fn beginning(prefixes: &BTreeMap<Vec<u8>, RuleId>, path: &[u8]) -> Option<RuleId> {
    let mut wanted = path;
    for _ in 0..STEPS_MAX {
        let (neighbour, rule) =
            prefixes.range::<[u8], _>((Bound::Unbounded, Bound::Included(wanted))).next_back()?;
        if wanted.starts_with(neighbour) {
            return Some(*rule);
        }
        let shared = wanted.iter().zip(neighbour).take_while(|(a, b)| a == b).count();
        wanted = wanted.get(..shared)?;
    }
    None
}

/// Everything that a route asks besides the path, in one text; two routes that ask the same have the same.
fn conditions(route: &Route) -> String {
    let matcher = &route.matcher;
    let mut text = String::new();
    for (name, wanted) in
        [("scheme", &matcher.scheme), ("method", &matcher.method), ("authority", &matcher.authority)]
    {
        if let Some(wanted) = wanted {
            push(&mut text, name.as_bytes(), wanted);
        }
    }
    let mut others: Vec<String> = matcher.headers.iter().map(header).collect();
    others.extend(matcher.query.iter().map(|query| value("query", &query.name, &query.value)));
    others.extend(matcher.claims.iter().flatten().map(|claim| format!("{claim};")));
    others.sort();
    text.extend(others);
    text
}

fn header(header: &HeaderMatch) -> String {
    value(if header.negate { "without" } else { "header" }, header.name.as_bytes(), &header.value)
}

fn value(kind: &str, name: &[u8], wanted: &ValueMatch) -> String {
    let mut text = format!("{kind} ");
    match wanted {
        ValueMatch::Present => {
            let _ = write!(text, "{};", name.escape_ascii());
        }
        ValueMatch::Is(wanted) => push(&mut text, name, wanted),
    }
    text
}

fn push(text: &mut String, name: &[u8], wanted: &StringMatch) {
    // Writing to a String does not fail.
    let _ = match wanted {
        StringMatch::Exact(exact) => write!(text, "{}={:?};", name.escape_ascii(), exact),
        StringMatch::Prefix(prefix) => write!(text, "{}^{:?};", name.escape_ascii(), prefix),
        StringMatch::Regex(pattern) => write!(text, "{}~{:?};", name.escape_ascii(), pattern.text()),
    };
}
