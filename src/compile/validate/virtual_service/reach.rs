//! Rules and matches that nothing reaches, because an earlier one takes it (specification section 3.3).

use super::{
    super::place::Place,
    coverage::{Conditions, Range},
};
use crate::config::{Diagnostic, Span, Spanned, resources::VirtualService};
use std::collections::{BTreeSet, HashMap};

/// How many earlier matches of the same range are compared with. Only a list of hundreds of rules that differ in header
/// fields alone has more; what is beyond is not looked at, and gives no warnings.
const CANDIDATES_MAX: usize = 100;

pub(super) fn check(spec: &VirtualService, at: &Place<'_>) {
    let everything = Conditions::everything();
    let mut earlier = Earlier::default();
    for (index, (at, route)) in at.items("http", &spec.http).enumerate() {
        // What a delegate's rules leave goes on to the next rule.
        let takes_all = route.delegate.is_none();
        earlier.check_rule(&Rule { index, matches: &route.r#match, takes_all, everything: &everything }, &at);
    }
    let everything = Conditions::everything();
    let mut earlier = Earlier::default();
    for (index, (at, route)) in at.items("tls", &spec.tls).enumerate() {
        earlier.check_rule(
            &Rule { index, matches: &route.r#match, takes_all: true, everything: &everything },
            &at,
        );
    }
    let everything = Conditions::everything();
    let mut earlier = Earlier::default();
    for (index, (at, route)) in at.items("tcp", &spec.tcp).enumerate() {
        earlier.check_rule(
            &Rule { index, matches: &route.r#match, takes_all: true, everything: &everything },
            &at,
        );
    }
}

/// One rule of a list.
struct Rule<'m, M> {
    index: usize,
    /// None: everything.
    matches: &'m [Spanned<M>],
    /// Whether it takes all that it matches.
    takes_all: bool,
    everything: &'m M,
}

/// The matches before the present one, by what they are for.
struct Earlier<'m, M> {
    all: Vec<Entry<'m, M>>,
    exact: HashMap<String, Vec<Entry<'m, M>>>,
    beginning: HashMap<String, Vec<Entry<'m, M>>>,
    /// The lengths of the keys of `beginning`.
    lengths: BTreeSet<usize>,
    patterns: HashMap<String, Vec<Entry<'m, M>>>,
}

struct Entry<'m, M> {
    matcher: &'m M,
    span: Span,
    rule: usize,
}

impl<M> Default for Earlier<'_, M> {
    fn default() -> Self {
        let (all, lengths) = (Vec::new(), BTreeSet::new());
        Earlier { all, exact: HashMap::new(), beginning: HashMap::new(), lengths, patterns: HashMap::new() }
    }
}

impl<M> Clone for Entry<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Entry<'_, M> {}

impl<'m, M: Conditions> Earlier<'m, M> {
    fn check_rule(&mut self, rule: &Rule<'m, M>, at: &Place<'_>) {
        if rule.matches.is_empty() {
            let covered = self.find_cover(rule.everything);
            if let Some(cover) = covered {
                at.report(unreachable(&cover));
            } else if rule.takes_all {
                self.add(Entry { matcher: rule.everything, span: at.span(), rule: rule.index });
            }
            return;
        }
        let mut covers = Vec::with_capacity(rule.matches.len());
        for matcher in rule.matches {
            let cover = self.find_cover(&matcher.value);
            if cover.is_none() && rule.takes_all {
                self.add(Entry { matcher: &matcher.value, span: matcher.span, rule: rule.index });
            }
            covers.push(cover);
        }
        let first = covers.first().copied().flatten();
        let is_unreachable = covers.iter().all(|cover| cover.is_some_and(|cover| cover.rule != rule.index));
        if let Some(cover) = first.filter(|_| is_unreachable) {
            return at.report(unreachable(&cover));
        }
        for ((at, _), cover) in at.items("match", rule.matches).zip(covers) {
            if let Some(cover) = cover {
                at.report(ineffective(&cover, cover.rule == rule.index));
            }
        }
    }

    /// The first earlier match, of those that were filed, that takes all that this one is for.
    fn find_cover(&self, matcher: &M) -> Option<Entry<'m, M>> {
        // What covers a match covers each of its ranges, so one of them is enough to look under.
        let mut lists = vec![&self.all];
        match matcher.ranges().into_iter().next() {
            None | Some(Range::All) => {}
            Some(Range::Pattern(text)) => lists.extend(self.patterns.get(&text)),
            Some(Range::Exact(text)) => {
                lists.extend(self.exact.get(&text));
                lists.extend(self.with_beginnings_of(&text));
            }
            Some(Range::Beginning(text)) => lists.extend(self.with_beginnings_of(&text)),
        }
        lists.into_iter().flatten().find(|entry| entry.matcher.covers(matcher)).copied()
    }

    fn with_beginnings_of(&self, text: &str) -> Vec<&Vec<Entry<'m, M>>> {
        let beginnings = self.lengths.range(..=text.len()).filter_map(|&length| text.get(..length));
        beginnings.filter_map(|beginning| self.beginning.get(beginning)).collect()
    }

    fn add(&mut self, entry: Entry<'m, M>) {
        for range in entry.matcher.ranges() {
            let list = match range {
                Range::All => &mut self.all,
                Range::Exact(text) => self.exact.entry(text).or_default(),
                Range::Pattern(text) => self.patterns.entry(text).or_default(),
                Range::Beginning(text) => {
                    self.lengths.insert(text.len());
                    self.beginning.entry(text).or_default()
                }
            };
            if list.len() < CANDIDATES_MAX {
                list.push(entry);
            }
        }
    }
}

const HELP: &str =
    "the first rule that matches wins: put the narrower one before the wider one, or remove it";

fn unreachable<M>(cover: &Entry<'_, M>) -> Diagnostic {
    let problem = Diagnostic::warning(
        "unreachable-rule",
        "no request reaches this rule: an earlier one takes them all",
    );
    problem.label(cover.span, "this takes them").help(HELP)
}

fn ineffective<M>(cover: &Entry<'_, M>, is_same_rule: bool) -> Diagnostic {
    let message = match is_same_rule {
        true => "this match adds nothing: another one of the same rule takes all its requests",
        false => "no request reaches this match: an earlier rule takes them all",
    };
    let problem = Diagnostic::warning("ineffective-match", message);
    problem.label(cover.span, "this takes them").help(if is_same_rule { "remove it" } else { HELP })
}
