//! What AuthorizationPolicies cost: nanoseconds per request, with few rules and with many.
//!
//! `cargo bench --bench authorization`. Policies go the whole way from YAML; every figure is the best of several rounds over
//! many different requests, which are made before the clock runs.

use sluicegate::{
    compile::{Options, compile},
    config::parse,
    filter::authorization::{Facts, Request, Verdict},
    http::{RequestHead, Scheme},
    table::Authorization,
};
use std::{fmt::Write, hint::black_box, net::IpAddr, time::Instant};

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

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(", ")
}

fn policy(name: &str, action: &str, rules: &str) -> String {
    let mut yaml = String::new();
    let _ = writeln!(
        yaml,
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}}}\nspec: {{action: {action}, rules: {rules}}}\n---"
    );
    yaml
}

fn compiled(yaml: &str) -> Option<Box<Authorization>> {
    let (resources, problems) = parse(vec![("bench.yaml".to_owned(), yaml.as_bytes().to_vec())]);
    assert!(problems.is_empty(), "{problems:?}");
    let compiled = compile(&resources, &Options::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics.first());
    compiled.snapshot.authorization
}

struct Sample {
    head: RequestHead,
    host: String,
    client: IpAddr,
}

fn judge(what: &str, yaml: &str) {
    let Some(authorization) = compiled(yaml) else { return println!("{what:<60} no policy applies") };
    let samples: Vec<Sample> = (0..REQUESTS).map(sample).collect();
    let (mut best, mut denied) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        denied = 0;
        let begin = Instant::now();
        for sample in &samples {
            let request = Request {
                head: &sample.head,
                host: sample.host.as_bytes(),
                scheme: Scheme::Http,
                claims: None,
            };
            let facts = Facts { remote_ip: Some(sample.client), request: Some(request), ..Facts::default() };
            let judgement = authorization.http.judge(black_box(&facts), |_| {});
            denied += usize::from(matches!(black_box(judgement).verdict, Verdict::Denied(_)));
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / REQUESTS as f64);
    }
    println!("{what:<60} {best:>10.1} {:>7.0}%", denied as f64 * 100.0 / REQUESTS as f64);
}

fn sample(n: usize) -> Sample {
    let number = n.wrapping_mul(2_654_435_761) >> 7;
    let target = format!("/api/v1/resource-{}/items", number % 12_000).into_bytes();
    Sample {
        head: RequestHead {
            method: b"GET".to_vec(),
            path_len: target.len(),
            target,
            ..RequestHead::default()
        },
        host: format!("h{}.example.com:8080", number % 1200),
        client: [10, (number % 50) as u8, (number % 256) as u8, (number % 251) as u8].into(),
    }
}
