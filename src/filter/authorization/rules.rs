//! Rules, and the first of many that matches.

use super::{Condition, Facts, Test, condition::Reading};
use crate::http::split_port;
use std::{collections::HashMap, sync::Arc};

/// One rule of a policy. It matches where one of the sources, one of the operations and all conditions match.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As Istio names it: `ns[foo]-policy[bar]-rule[0]`.
    pub name: Box<str>,
    /// What the access log says of whom it refuses: `rbac_access_denied_matched_policy[<name>]`.
    pub details: Arc<str>,
    /// The policy that it is of: a position in a list that the caller has.
    pub policy: u32,
    /// Its position in the policy, from 0.
    pub number: u32,
    /// `from`: the conditions of each source; none at all: any source.
    pub sources: Box<[Box<[Condition]>]>,
    /// `to`: the conditions of each operation; none at all: any operation.
    pub operations: Box<[Box<[Condition]>]>,
    /// `when`
    pub when: Box<[Condition]>,
}

/// Which part of a rule does not match.
#[derive(Clone, Copy, Debug)]
pub enum Mismatch<'r> {
    /// None of the sources does; the condition of the first that does not hold.
    From(&'r Condition),
    /// None of the operations does.
    To(&'r Condition),
    /// This condition does not hold.
    When(&'r Condition),
}

impl Rule {
    fn matches(&self, facts: &Facts<'_>, finds: Reading) -> bool {
        let all = |list: &[Condition]| list.iter().all(|condition| condition.holds(facts, finds));
        let any = |lists: &[Box<[Condition]>]| lists.is_empty() || lists.iter().any(|list| all(list));
        any(&self.operations) && all(&self.when) && any(&self.sources)
    }

    /// Whether it asks who a client is by its certificate.
    pub fn asks_certificate(&self) -> bool {
        let lists = self.sources.iter().chain(std::iter::once(&self.when));
        lists.flatten().any(|condition| condition.test.is_about_certificate())
    }

    fn mismatch(&self, facts: &Facts<'_>, finds: Reading) -> Option<Mismatch<'_>> {
        let first = |list: &'_ [Condition]| list.iter().position(|condition| !condition.holds(facts, finds));
        let none = |lists: &'_ [Box<[Condition]>]| -> Option<(usize, usize)> {
            let all_fail = !lists.is_empty() && lists.iter().all(|list| first(list).is_some());
            all_fail.then(|| (0, lists.first().and_then(|list| first(list)).unwrap_or(0)))
        };
        if let Some((list, at)) = none(&self.operations) {
            return self.operations.get(list)?.get(at).map(Mismatch::To);
        }
        if let Some((list, at)) = none(&self.sources) {
            return self.sources.get(list)?.get(at).map(Mismatch::From);
        }
        self.when.get(first(&self.when)?).map(Mismatch::When)
    }
}

/// The rules of all policies with one action, in the order of their names, which is that in which Envoy looks at them.
///
/// Rules that name hosts, or paths, without wildcards are found by them: a thousand of them cost what one costs.
#[derive(Clone, Debug)]
pub struct Rules {
    list: Box<[Rule]>,
    finds: Reading,
    by_host: Places,
    by_path: Places,
    /// The others.
    rest: Box<[u32]>,
}

type Places = HashMap<Box<[u8]>, Vec<u32>, foldhash::fast::FixedState>;

/// Whether rules let in or keep out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What they match is let in: they match as little as their words mean.
    Permit,
    /// What they match is kept out, or noted: they match as much as their words may mean.
    Refuse,
}

impl Rules {
    /// Of these, in any order.
    pub fn new(mut rules: Vec<Rule>, effect: Effect) -> Rules {
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        let finds = match effect {
            Effect::Permit => Reading::Exact,
            Effect::Refuse => Reading::Wide,
        };
        let (mut by_host, mut by_path, mut rest) = (Places::default(), Places::default(), Vec::new());
        for (rule, place) in rules.iter().zip(0..) {
            match (anchors(rule, exact_hosts), anchors(rule, exact_paths)) {
                (Some(hosts), _) => enter(&mut by_host, hosts, place),
                (None, Some(paths)) => enter(&mut by_path, paths, place),
                (None, None) => rest.push(place),
            }
        }
        Rules { list: rules.into(), finds, by_host, by_path, rest: rest.into() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.list.iter()
    }

    /// The first that matches.
    pub(super) fn first(&self, facts: &Facts<'_>) -> Option<&Rule> {
        let first = |places: &[u32]| places.iter().copied().find(|place| self.is_match(*place, facts));
        let found = self.candidates(facts).into_iter().filter_map(first).min();
        found.and_then(|place| self.list.get(place as usize))
    }

    /// Calls `with` for all that match; of one policy only once.
    pub(super) fn each(&self, facts: &Facts<'_>, mut with: impl FnMut(&Rule)) {
        let mut found: Vec<u32> = Vec::new();
        for places in self.candidates(facts) {
            found.extend(places.iter().copied().filter(|place| self.is_match(*place, facts)));
        }
        found.sort_unstable();
        // Rules of one policy stand beside each other.
        let mut rules: Vec<&Rule> = found.iter().filter_map(|place| self.list.get(*place as usize)).collect();
        rules.dedup_by_key(|rule| rule.policy);
        rules.into_iter().for_each(&mut with);
    }

    /// What keeps a rule from matching; nothing: it matches.
    pub fn mismatch<'r>(&self, rule: &'r Rule, facts: &Facts<'_>) -> Option<Mismatch<'r>> {
        rule.mismatch(facts, self.finds)
    }

    fn is_match(&self, place: u32, facts: &Facts<'_>) -> bool {
        self.list.get(place as usize).is_some_and(|rule| rule.matches(facts, self.finds))
    }

    /// The places of the rules that may match, in four lists.
    fn candidates(&self, facts: &Facts<'_>) -> [&[u32]; 4] {
        let mut lists: [&[u32]; 4] = [&self.rest, &[], &[], &[]];
        if let Some(request) = &facts.request {
            if !self.by_host.is_empty() {
                let bare = split_port(request.host).0;
                lists[1] = self.by_host.get(request.host).map_or(&[], Vec::as_slice);
                if bare.len() < request.host.len() {
                    lists[2] = self.by_host.get(bare).map_or(&[], Vec::as_slice);
                }
            }
            if !self.by_path.is_empty() {
                lists[3] = self.by_path.get(request.head.path()).map_or(&[], Vec::as_slice);
            }
        }
        lists
    }
}

fn exact_hosts(test: &Test) -> Option<&[Box<[u8]>]> {
    match test {
        Test::Host(texts) => texts.only_exact(),
        _ => None,
    }
}

fn exact_paths(test: &Test) -> Option<&[Box<[u8]>]> {
    match test {
        Test::Path(texts, templates) if templates.is_empty() => texts.only_exact(),
        _ => None,
    }
}

/// The texts of which a rule needs one, if each of its operations needs one.
fn anchors<'r>(
    rule: &'r Rule,
    exact: impl Fn(&'r Test) -> Option<&'r [Box<[u8]>]>,
) -> Option<Vec<&'r [Box<[u8]>]>> {
    let of_operation = |operation: &'r [Condition]| {
        operation
            .iter()
            .filter(|condition| !condition.is_negated)
            .find_map(|condition| exact(&condition.test))
    };
    let anchors: Option<Vec<_>> = rule.operations.iter().map(|operation| of_operation(operation)).collect();
    anchors.filter(|anchors| !anchors.is_empty())
}

fn enter(places: &mut Places, texts: Vec<&[Box<[u8]>]>, place: u32) {
    for text in texts.into_iter().flatten() {
        let list = places.entry(text.clone()).or_default();
        if list.last() != Some(&place) {
            list.push(place);
        }
    }
}
