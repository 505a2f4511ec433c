//! AuthorizationPolicies: a few, long lists, and many.

use crate::harness::Harness;
use policies::{Sample, compiled, is_denied, list, policy, sample};
use std::hint::black_box;

#[path = "../../common/policies.rs"]
mod policies;

const REQUESTS: usize = 1000;

pub(crate) fn run(harness: &Harness) {
    judge(harness, "authorization.one", || {
        policy("d", "DENY", "[{to: [{operation: {hosts: [deny.example.com], paths: ['/admin*']}}]}]")
    });
    judge(harness, "authorization.1000_networks", || {
        let blocks = list(1000, |n| format!("10.{}.{}.0/25", n / 250, n % 250));
        policy("d", "DENY", &format!("[{{from: [{{source: {{remoteIpBlocks: [{blocks}]}}}}]}}]"))
    });
    judge(harness, "authorization.1000_prefixes", || {
        let prefixes = list(1000, |n| format!("'/api/v1/resource-{n}/*'"));
        policy("a", "ALLOW", &format!("[{{to: [{{operation: {{paths: [{prefixes}]}}}}]}}]"))
    });
    judge(harness, "authorization.100_policies", || {
        let rule =
            |n: usize| format!("[{{to: [{{operation: {{hosts: [h{n}.example.com], methods: [GET]}}}}]}}]");
        (0..100).map(|n| policy(&format!("p{n}"), "ALLOW", &rule(n))).collect()
    });
}

fn judge(harness: &Harness, name: &str, yaml: impl Fn() -> String) {
    if !harness.has(name) {
        return;
    }
    let Some(authorization) = compiled(&yaml()) else { panic!("{name}: no policy applies") };
    let samples: Vec<Sample> = (0..REQUESTS).map(sample).collect();
    harness.case(name, REQUESTS, |n| {
        black_box(is_denied(&authorization, black_box(&samples[n])));
    });
}
