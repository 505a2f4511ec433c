//! AuthorizationPolicies, the whole way from YAML, and requests for them to judge.

use sluicegate::{
    compile::{Options, compile},
    config::parse,
    filter::authorization::{Facts, Request, Verdict},
    http::{RequestHead, Scheme},
    table::Authorization,
};
use std::{fmt::Write, net::IpAddr};

/// `item` of 0, 1, and so on, with commas between.
pub(crate) fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(", ")
}

/// An AuthorizationPolicy.
pub(crate) fn policy(name: &str, action: &str, rules: &str) -> String {
    let mut yaml = String::new();
    let _ = writeln!(
        yaml,
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}}}\nspec: {{action: {action}, rules: {rules}}}\n---"
    );
    yaml
}

/// What comes of policies; `None`: none applies.
pub(crate) fn compiled(yaml: &str) -> Option<Box<Authorization>> {
    let (resources, problems) = parse(vec![("bench.yaml".to_owned(), yaml.as_bytes().to_vec())]);
    assert!(problems.is_empty(), "{problems:?}");
    let compiled = compile(&resources, &Options::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics.first());
    compiled.snapshot.authorization
}

/// A request and who it is from.
pub(crate) struct Sample {
    pub(crate) head: RequestHead,
    pub(crate) host: String,
    pub(crate) client: IpAddr,
}

/// Requests that differ.
pub(crate) fn sample(n: usize) -> Sample {
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

/// Whether the policies deny the request.
pub(crate) fn is_denied(authorization: &Authorization, sample: &Sample) -> bool {
    let request =
        Request { head: &sample.head, host: sample.host.as_bytes(), scheme: Scheme::Http, claims: None };
    let facts = Facts { remote_ip: Some(sample.client), request: Some(request), ..Facts::default() };
    matches!(authorization.http.judge(&facts, |_| {}).verdict, Verdict::Denied(_))
}
