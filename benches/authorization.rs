//! What AuthorizationPolicies cost: nanoseconds per request, with few rules and with many.
//!
//! `cargo bench --bench authorization`. Policies go the whole way from YAML; every figure is the best of several rounds over
//! many different requests, which are made before the clock runs.

#[path = "common/policies.rs"]
mod policies;

use policies::{Sample, compiled, is_denied, list, policy, sample};
use std::{hint::black_box, time::Instant};

const REQUESTS: usize = 4096;
const ROUNDS: usize = 15;

fn main() {
    println!("{:<60} {:>10} {:>8}", "policies", "ns", "denied");
    let few = policy("d", "DENY", "[{to: [{operation: {hosts: [deny.example.com], paths: ['/admin*']}}]}]");
    judge("one that denies a host's paths", &few);
    let blocks = list(10_000, |n| format!("10.{}.{}.0/25", n / 250, n % 250));
    judge(
        "10,000 networks",
        &policy("d", "DENY", &format!("[{{from: [{{source: {{remoteIpBlocks: [{blocks}]}}}}]}}]")),
    );
    let paths = list(10_000, |n| format!("/api/v1/resource-{n}/items"));
    judge("10,000 paths", &policy("a", "ALLOW", &format!("[{{to: [{{operation: {{paths: [{paths}]}}}}]}}]")));
    let prefixes = list(10_000, |n| format!("'/api/v1/resource-{n}/*'"));
    judge(
        "10,000 prefixes",
        &policy("a", "ALLOW", &format!("[{{to: [{{operation: {{paths: [{prefixes}]}}}}]}}]")),
    );
    let many = |rule: &dyn Fn(usize) -> String| -> String {
        (0..1000).map(|n| policy(&format!("p{n}"), "ALLOW", &rule(n))).collect()
    };
    judge(
        "1,000 policies, each for its host",
        &many(&|n| {
            format!(
                "[{{to: [{{operation: {{hosts: [h{n}.example.com, 'h{n}.example.com:8080'], methods: [GET]}}}}]}}]"
            )
        }),
    );
    judge(
        "1,000 policies, each for its path",
        &many(&|n| format!("[{{to: [{{operation: {{paths: [/api/v1/resource-{n}/items]}}}}]}}]")),
    );
    judge(
        "1,000 policies, each for its prefix",
        &many(&|n| format!("[{{to: [{{operation: {{paths: ['/api/v1/resource-{n}/*']}}}}]}}]")),
    );
}

fn judge(what: &str, yaml: &str) {
    let Some(authorization) = compiled(yaml) else { return println!("{what:<60} no policy applies") };
    let samples: Vec<Sample> = (0..REQUESTS).map(sample).collect();
    let (mut best, mut denied) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        denied = 0;
        let begin = Instant::now();
        for sample in &samples {
            denied += usize::from(black_box(is_denied(&authorization, black_box(sample))));
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / REQUESTS as f64);
    }
    println!("{what:<60} {best:>10.1} {:>7.0}%", denied as f64 * 100.0 / REQUESTS as f64);
}
