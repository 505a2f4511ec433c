//! Many rules together: found by host and path as if looked at one by one.

use super::{condition::Reading, *};
use crate::http::{RequestHead, Scheme};

fn condition(is_negated: bool, test: Test) -> Condition {
    Condition { field: "x".into(), is_negated, test }
}

fn rule(policy: u32, operations: Vec<Vec<Condition>>) -> Rule {
    let name = format!("ns[a]-policy[p{policy:05}]-rule[0]");
    Rule {
        details: name.as_str().into(),
        name: name.into(),
        policy,
        number: 0,
        sources: Box::default(),
        operations: operations.into_iter().map(Vec::into_boxed_slice).collect(),
        when: Box::default(),
    }
}

fn head(path: &str) -> RequestHead {
    RequestHead {
        target: path.into(),
        path_len: path.len(),
        method: b"GET".to_vec(),
        ..RequestHead::default()
    }
}

fn facts<'a>(head: &'a RequestHead, host: &'a str) -> Facts<'a> {
    let request = Request { head, host: host.as_bytes(), scheme: Scheme::Http, claims: None };
    Facts { request: Some(request), ..Facts::default() }
}

#[test]
fn an_index_changes_nothing() {
    let hosts = |list: &[&str]| condition(false, Test::Host(Texts::new(list)));
    let not_hosts = |list: &[&str]| condition(true, Test::Host(Texts::new(list)));
    let paths = |list: &[&str]| condition(false, Test::Path(Texts::new(list), Box::default()));
    let kinds: [Vec<Vec<Condition>>; 9] = [
        vec![vec![hosts(&["a.com"])]],
        vec![vec![hosts(&["a.com", "b.com"]), paths(&["/x"])], vec![hosts(&["b.com:8080"])]],
        vec![vec![hosts(&["*.com"])]],
        vec![vec![paths(&["/x"])]],
        vec![vec![paths(&["/x", "/y"])], vec![hosts(&["a.com"])]],
        vec![vec![paths(&["/y"]), not_hosts(&["a.com"])]],
        vec![vec![not_hosts(&["b.com"]), hosts(&["a.com"])]],
        vec![],
        vec![vec![hosts(&["c.com"])], vec![hosts(&["a.com"]), paths(&["/y*"])]],
    ];
    for effect in [Effect::Permit, Effect::Refuse] {
        let finds = if effect == Effect::Permit { Reading::Exact } else { Reading::Wide };
        // All pairs, in both orders.
        for one in 0..kinds.len() {
            for other in 0..kinds.len() {
                let list = || vec![rule(0, kinds[one].clone()), rule(1, kinds[other].clone())];
                let rules = Rules::new(list(), effect);
                for host in ["a.com", "b.com", "a.com:8080", "b.com:8080", "c.com", "d.org", ""] {
                    for path in ["/x", "/y", "/yy", "/z"] {
                        let head = head(path);
                        let facts = facts(&head, host);
                        let by_hand: Vec<u32> = list()
                            .iter()
                            .filter(|rule| rule_matches(rule, &facts, finds))
                            .map(|rule| rule.policy)
                            .collect();
                        let mut all = Vec::new();
                        rules.each(&facts, |rule| all.push(rule.policy));
                        assert_eq!(all, by_hand, "{one} {other} {host} {path}");
                        let first = rules.first(&facts).map(|rule| rule.policy);
                        assert_eq!(first, by_hand.first().copied(), "{one} {other} {host} {path}");
                    }
                }
            }
        }
    }
}

fn rule_matches(rule: &Rule, facts: &Facts<'_>, finds: Reading) -> bool {
    let all = |list: &[Condition]| list.iter().all(|condition| condition.holds(facts, finds));
    rule.operations.is_empty() || rule.operations.iter().any(|list| all(list))
}

#[test]
fn a_policy_is_told_of_once() {
    let twice = [rule(0, vec![]), Rule { name: "ns[a]-policy[p00000]-rule[1]".into(), ..rule(0, vec![]) }];
    let rules = Rules::new(twice.into(), Effect::Refuse);
    let mut count = 0;
    rules.each(&Facts::default(), |_| count += 1);
    assert_eq!(count, 1);
}
