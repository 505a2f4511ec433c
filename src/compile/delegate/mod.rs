//! Rules that belong to another VirtualService's rules: `delegate` (specification section 3.4).
//!
//! - `find`: the delegate of a rule, or why it has none
//! - `merge`: a rule and one of its delegate's rules made one
//! - `compatible`: whether a match is within another one
//! - `unused`: delegates that no rule delegates to
//!
//! A VirtualService without hosts is a delegate. A rule of another one (the root) that names it stands for its rules, each
//! with what the root's rule asks and says besides. That is done once, before anything looks at single rules; each of them
//! remembers where it is written, so that messages and sources point there.

mod compatible;
mod find;
mod merge;
mod unused;

use super::{
    origin::Title,
    report::Report,
    select::{BoundService, RuleSetId, Selection},
};
use crate::config::{
    Diagnostic, ObjectRef, Resource, Resources, Span, Spanned,
    resources::{HttpRoute, VirtualService},
};
use compatible::Conflict;
use find::Delegates;
use merge::Merged;
use std::{collections::HashMap, ops::Deref};

pub(super) use unused::report_unused;

/// The most matches that all delegated rules may have together, and the most pairs of matches that are compared for them. A
/// rule with many matches that delegates to rules with many makes the product of both, so a small file can ask for very
/// many; this is ten times what the largest gateways have in all.
const MATCHES_MAX: usize = 1_000_000;

/// The rules for HTTP of the VirtualServices that apply; where a rule delegates, the delegate's rules are in its place.
pub(super) struct HttpRules<'r> {
    /// By [`RuleSetId`].
    of_services: Vec<Vec<HttpRule<'r>>>,
}

/// A rule for HTTP, and where it is written.
pub(super) struct HttpRule<'r> {
    pub(super) route: Written<'r>,
    /// Where the rule itself is: in the VirtualService that is bound, or in its delegate.
    pub(super) home: Home<'r>,
    /// Its position in the `http` of its home.
    pub(super) position: usize,
    /// The rule that it was delegated by; nothing for nearly every rule.
    pub(super) root: Option<Box<Root<'r>>>,
}

/// A rule as written, or as made of two: that one is boxed, because there are many rules and hardly any of them is delegated.
pub(super) enum Written<'r> {
    AsItIs(&'r Spanned<HttpRoute>),
    Merged(Box<Spanned<HttpRoute>>),
}

impl Deref for Written<'_> {
    type Target = Spanned<HttpRoute>;
    fn deref(&self) -> &Spanned<HttpRoute> {
        match self {
            Written::AsItIs(route) => route,
            Written::Merged(route) => route,
        }
    }
}

/// The VirtualService that a rule is written in.
#[derive(Clone)]
pub(super) struct Home<'r> {
    pub(super) resource: &'r Resource<VirtualService>,
    pub(super) title: Title,
}

/// A rule that delegates.
#[derive(Clone)]
pub(super) struct Root<'r> {
    pub(super) home: Home<'r>,
    /// Its position in the `http` of its home.
    pub(super) position: usize,
    /// For each match of the delegated rule where it comes from.
    matches: Vec<MatchOrigin>,
    span: Span,
}

/// Where a match of a delegated rule comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct MatchOrigin {
    /// The match of the delegate's rule, if that has any.
    own: Option<usize>,
    /// The match of the root's rule, or the rule if that has none.
    root: Span,
}

impl<'r> HttpRules<'r> {
    pub(super) fn new(
        selection: &Selection<'r>,
        resources: &'r Resources,
        default_export_to: &[Spanned<String>],
        report: &mut Report,
    ) -> HttpRules<'r> {
        let delegates = Delegates::new(resources, default_export_to);
        let mut merger = Merger { delegates, report, matches: 0, conflicts: Conflicts::default() };
        let of_services = selection.virtual_services.iter().map(|service| merger.rules(service)).collect();
        let Merger { conflicts, report, .. } = merger;
        conflicts.report(report);
        HttpRules { of_services }
    }

    /// The rules of a VirtualService, in order.
    pub(super) fn of(&self, id: RuleSetId) -> &[HttpRule<'r>] {
        self.of_services.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// One of them.
    pub(super) fn get(&self, id: RuleSetId, rule: u32) -> Option<&HttpRule<'r>> {
        self.of(id).get(rule as usize)
    }
}

impl<'r> HttpRule<'r> {
    /// Whose words these are: a delegated rule has some of its root.
    pub(super) fn home_of(&self, span: Span) -> &Home<'r> {
        self.root.as_ref().filter(|root| root.home.contains(span)).map_or(&self.home, |root| &root.home)
    }

    /// The VirtualService that has written what is at this place.
    pub(super) fn object_of(&self, span: Span) -> &'r ObjectRef {
        &self.home_of(span).resource.object
    }

    /// The path to something in the rule; `below` begins with a dot. `span` tells whether it is the rule's own or its
    /// root's.
    pub(super) fn field_of(&self, span: Span, below: &str) -> String {
        let root = self.root.as_ref().filter(|root| root.home.contains(span));
        format!("spec.http[{}]{below}", root.map_or(self.position, |root| root.position))
    }

    /// The path to the rule, or to one of its matches.
    pub(super) fn field(&self, matched: Option<u32>) -> String {
        let position = matched.map(|matched| matched as usize);
        let own = match &self.root {
            Some(root) => position.and_then(|position| root.matches.get(position)?.own),
            None => position,
        };
        let of_match = own.map_or(String::new(), |own| format!(".match[{own}]"));
        format!("spec.http[{}]{of_match}", self.position)
    }

    /// Where the rule is, or one of its matches.
    pub(super) fn place(&self, matched: Option<u32>) -> Span {
        let matched = matched.and_then(|position| self.route.r#match.get(position as usize));
        matched.map_or(self.route.span, |matched| matched.span)
    }

    /// Where the root has what this match is within.
    pub(super) fn root_place(&self, matched: Option<u32>) -> Option<(&Home<'r>, Span)> {
        let root = self.root.as_ref()?;
        let origin = matched.and_then(|position| root.matches.get(position as usize));
        Some((&root.home, origin.map_or(root.span, |origin| origin.root)))
    }
}

impl<'r> Home<'r> {
    fn of(service: &BoundService<'r>) -> Home<'r> {
        Home { resource: service.resource, title: service.title.clone() }
    }

    pub(super) fn namespace(&self) -> &'r str {
        &self.resource.meta.namespace
    }

    fn contains(&self, span: Span) -> bool {
        let own = self.resource.span;
        own.file == span.file && own.start <= span.start && span.end <= own.end
    }
}

/// Makes the rules of VirtualServices.
struct Merger<'r, 'w> {
    delegates: Delegates<'r, 'w>,
    report: &'w mut Report,
    /// The matches of all delegated rules so far.
    matches: usize,
    conflicts: Conflicts<'r>,
}

impl<'r> Merger<'r, '_> {
    fn rules(&mut self, service: &BoundService<'r>) -> Vec<HttpRule<'r>> {
        let home = Home::of(service);
        let http: &'r [Spanned<HttpRoute>] = &service.resource.spec.http;
        let mut rules = Vec::with_capacity(http.len());
        for (position, route) in http.iter().enumerate() {
            if route.delegate.is_some() {
                self.delegate(&home, position, route, &mut rules);
            } else {
                let route = Written::AsItIs(route);
                rules.push(HttpRule { route, home: home.clone(), position, root: None });
            }
        }
        rules
    }

    fn delegate(
        &mut self,
        home: &Home<'r>,
        position: usize,
        route: &'r Spanned<HttpRoute>,
        rules: &mut Vec<HttpRule<'r>>,
    ) {
        let Some(delegate) = self.delegates.of(home, position, route, self.report) else { return };
        for (own_position, own) in delegate.resource.spec.http.iter().enumerate() {
            let pairs = route.r#match.len().max(1).saturating_mul(own.r#match.len().max(1));
            self.matches = self.matches.saturating_add(pairs);
            if self.matches > MATCHES_MAX {
                return report_limit(home, route, position, self.report);
            }
            match merge::merge((home, route), (&delegate, own)) {
                Ok(Merged { route: merged, matches }) => {
                    let root = Root { home: home.clone(), position, matches, span: route.span };
                    rules.push(HttpRule {
                        route: Written::Merged(Box::new(merged)),
                        home: delegate.clone(),
                        position: own_position,
                        root: Some(Box::new(root)),
                    });
                }
                Err(conflict) => {
                    let root = Root { home: home.clone(), position, matches: Vec::new(), span: route.span };
                    self.conflicts.add(&delegate, own_position, own, (conflict, root));
                }
            }
        }
    }
}

fn report_limit(home: &Home<'_>, route: &Spanned<HttpRoute>, position: usize, report: &mut Report) {
    report.add("too-many-delegated", route.span, || {
        let message = format!(
            "delegated rules have more than {MATCHES_MAX} matches; what this rule delegates is left out from there on"
        );
        Diagnostic::error("too-many-routes", message)
            .about(&home.resource.object)
            .field(format!("spec.http[{position}]"))
            .help("every match of the rule is taken with every match of the delegate: use fewer, or a prefix")
    });
}

/// Rules of delegates that are not within a rule that delegates to them; a delegate can have many roots.
#[derive(Default)]
struct Conflicts<'r> {
    /// In the order in which they were found.
    list: Vec<Refused<'r>>,
    by_rule: HashMap<Span, usize>,
}

struct Refused<'r> {
    home: Home<'r>,
    position: usize,
    conflict: Box<Conflict>,
    /// The first root, which the conflict is with.
    root: Root<'r>,
    /// How many others refuse the rule as well.
    others: usize,
}

impl<'r> Conflicts<'r> {
    fn add(
        &mut self,
        home: &Home<'r>,
        position: usize,
        route: &Spanned<HttpRoute>,
        (conflict, root): (Box<Conflict>, Root<'r>),
    ) {
        if let Some(known) = self.by_rule.get(&route.span).and_then(|known| self.list.get_mut(*known)) {
            known.others += 1;
            return;
        }
        self.by_rule.insert(route.span, self.list.len());
        self.list.push(Refused { home: home.clone(), position, conflict, root, others: 0 });
    }

    fn report(self, report: &mut Report) {
        for Refused { home, position, conflict, root, others } in self.list {
            report.add("delegate-conflict", conflict.own, || {
                let and_others = match others {
                    0 => String::new(),
                    1 => " (and of one more)".to_owned(),
                    others => format!(" (and of {others} more)"),
                };
                let message = format!(
                    "the rule is left out: it is not within the rule of {}{and_others} that delegates to it: {}",
                    root.home.title, conflict.why
                );
                Diagnostic::warning("delegate-conflict", message)
                    .about(&home.resource.object)
                    .field(format!("spec.http[{position}]{}", conflict.field))
                    .label(conflict.root, "what the root asks")
                    .help("a delegate's match may only narrow what the root's match takes; regular expressions can't be compared")
            });
        }
    }
}
