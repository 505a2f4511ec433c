//! Policies in files, and what they decide.

use crate::{
    compile::{Options, testing::*},
    filter::authorization::{DryRun, Facts, Identity, Request, Verdict},
    http::{RequestHead, Scheme, Upgrade},
    jwt::Claims,
    table::Authorization,
};
use serde_json::json;
use std::net::IpAddr;

mod about_connections;
mod about_requests;
mod surprises;

/// The policy of a test: `policy("deny", "action: DENY, rules: [...]")`, in the gateway's namespace.
fn policy(name: &str, spec: &str) -> String {
    policy_of(&format!("name: {name}, namespace: istio-system"), spec)
}

fn policy_of(metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n---\n"
    )
}

fn deny(rules: &str) -> String {
    policy("deny", &format!("action: DENY, rules: [{rules}]"))
}

fn allow(rules: &str) -> String {
    policy("allow", &format!("rules: [{rules}]"))
}

/// The policies of a gateway in `istio-system`.
struct Gate(Option<Box<Authorization>>);

impl Gate {
    #[track_caller]
    fn new(yaml: &str) -> Gate {
        let outcome = compiled_with(&ingress(), yaml);
        assert!(!outcome.0.has_errors(), "{:#?}", outcome.0.diagnostics);
        Gate(outcome.0.snapshot.authorization)
    }

    /// `allowed`, or the rule that denies: `none`, `deny 0`.
    fn asks(&self, request: &Asking) -> String {
        let Some(authorization) = &self.0 else { return "allowed".to_owned() };
        request.with(|facts| verdict(authorization.http.judge(facts, |_| {}).verdict))
    }

    /// The same for a connection that is not HTTP.
    fn connects(&self, request: &Asking) -> String {
        let Some(authorization) = &self.0 else { return "allowed".to_owned() };
        request.with(|facts| {
            let facts = Facts { request: None, ..*facts };
            verdict(authorization.tcp.judge(&facts, |_| {}).verdict)
        })
    }

    #[track_caller]
    fn lets(&self, request: &Asking, expected: bool) {
        assert_eq!(self.asks(request) == "allowed", expected, "{} {request:?}", self.asks(request));
    }
}

fn verdict(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Allowed(_) => "allowed".to_owned(),
        Verdict::Denied(None) => "none".to_owned(),
        Verdict::Denied(Some(rule)) => rule.name.to_string(),
    }
}

/// Who asks for what.
#[derive(Clone, Debug)]
struct Asking {
    host: String,
    head: RequestHead,
    source: IpAddr,
    remote: IpAddr,
    port: u16,
    server_name: &'static str,
    uris: Vec<Box<str>>,
    has_certificate: bool,
    claims: Option<Claims>,
}

impl Asking {
    fn with<R>(&self, judge: impl FnOnce(&Facts<'_>) -> R) -> R {
        let host = self.host.to_ascii_lowercase().into_bytes();
        let request =
            Request { head: &self.head, host: &host, scheme: Scheme::Http, claims: self.claims.as_ref() };
        judge(&Facts {
            source_ip: Some(self.source),
            remote_ip: Some(self.remote),
            destination_ip: Some([10, 0, 0, 1].into()),
            port: Some(self.port),
            server_name: self.server_name,
            identity: self.has_certificate.then_some(Identity { uris: &self.uris, is_named: true }),
            request: Some(request),
        })
    }

    fn from(mut self, source: &str, remote: &str) -> Asking {
        (self.source, self.remote) = (source.parse().unwrap(), remote.parse().unwrap());
        self
    }

    fn method(mut self, method: &str) -> Asking {
        self.head.method = method.into();
        self
    }

    fn header(mut self, name: &str, value: &str) -> Asking {
        self.head.fields.push(name.as_bytes(), value.as_bytes());
        self
    }

    fn certificate(mut self, uri: &str) -> Asking {
        self.uris.push(uri.into());
        self.has_certificate = true;
        self
    }

    fn token(mut self, claims: serde_json::Value) -> Asking {
        self.claims = claims.as_object().cloned().map(Claims::new);
        self
    }
}

/// A GET: `get("a.com", "/x")`.
fn get(host: &str, target: &str) -> Asking {
    let path_len = target.find('?').unwrap_or(target.len());
    Asking {
        host: host.to_owned(),
        head: RequestHead {
            method: b"GET".to_vec(),
            target: target.into(),
            path_len,
            authority: host.into(),
            ..RequestHead::default()
        },
        source: [10, 9, 9, 9].into(),
        remote: [10, 9, 9, 9].into(),
        port: 80,
        server_name: "",
        uris: Vec::new(),
        has_certificate: false,
        claims: None,
    }
}

#[test]
fn without_a_policy_there_is_nothing() {
    assert!(Gate::new(&http_gateway("name: g", "'*'")).0.is_none());
    let elsewhere = policy_of("name: p, namespace: web", "rules: [{}]");
    assert!(Gate::new(&elsewhere).0.is_none());
}

#[test]
fn denial_is_stronger_than_permission() {
    let paths = |path: &str| format!("{{to: [{{operation: {{paths: ['{path}']}}}}]}}");
    let gate = Gate::new(&(deny(&paths("/a/secret")) + &allow(&paths("/a/*"))));
    assert_eq!(gate.asks(&get("x", "/a/b")), "allowed");
    assert_eq!(gate.asks(&get("x", "/a/secret")), "ns[istio-system]-policy[deny]-rule[0]");
    assert_eq!(gate.asks(&get("x", "/b")), "none");
    assert_eq!(Gate::new(&deny(&paths("/a"))).asks(&get("x", "/b")), "allowed");
}

#[test]
fn nothing_and_everything() {
    assert_eq!(Gate::new(&policy("none", "")).asks(&get("x", "/")), "none");
    assert_eq!(Gate::new(&policy("none", "rules: []")).asks(&get("x", "/")), "none");
    assert_eq!(Gate::new(&policy("none", "")).connects(&get("x", "/")), "none");
    assert_eq!(Gate::new(&allow("{}")).asks(&get("x", "/")), "allowed");
    assert_eq!(Gate::new(&allow("{}")).connects(&get("x", "/")), "allowed");
    assert_eq!(Gate::new(&deny("{}")).asks(&get("x", "/")), "ns[istio-system]-policy[deny]-rule[0]");
    let both = policy("none", "") + &allow("{to: [{operation: {methods: [GET]}}]}");
    assert_eq!(Gate::new(&both).asks(&get("x", "/")), "allowed");
}

#[test]
fn what_is_noted_or_tried_out_changes_nothing() {
    let dry = |name: &str, spec: &str| {
        let annotation = "annotations: {istio.io/dry-run: 'true'}";
        policy_of(&format!("name: {name}, namespace: istio-system, {annotation}"), spec)
    };
    let audit = policy("audit", "action: AUDIT, rules: [{to: [{operation: {paths: [/a]}}]}]");
    for (yaml, path, dry_run, noted) in [
        (audit.clone(), "/a", DryRun::None, 1),
        (audit, "/b", DryRun::None, 0),
        (dry("d", "action: DENY, rules: [{}]"), "/", DryRun::Denied, 1),
        (dry("d", "action: DENY, rules: [{to: [{operation: {paths: [/a]}}]}]"), "/", DryRun::Allowed, 0),
        (dry("a", "rules: [{to: [{operation: {paths: [/a]}}]}]"), "/", DryRun::Denied, 0),
        (dry("a", "rules: [{to: [{operation: {paths: [/a]}}]}]"), "/a", DryRun::Allowed, 1),
        (dry("a", ""), "/a", DryRun::Denied, 0),
    ] {
        let gate = Gate::new(&yaml);
        let authorization = gate.0.as_ref().unwrap();
        let mut count = 0;
        get("x", path).with(|facts| {
            let judgement = authorization.http.judge(facts, |_| count += 1);
            assert!(matches!(judgement.verdict, Verdict::Allowed(_)), "{yaml}");
            assert_eq!(judgement.dry_run, dry_run, "{yaml}");
        });
        assert_eq!(count, noted, "{yaml}");
    }
    let off = policy_of(
        "name: d, namespace: istio-system, annotations: {istio.io/dry-run: 'false'}",
        "action: DENY, rules: [{}]",
    );
    assert_ne!(Gate::new(&off).asks(&get("x", "/")), "allowed");
}

/// Nobody can be asked, so what would be asked about is denied; and nothing is served at all.
#[test]
fn what_cannot_be_enforced_does_not_open() {
    let custom = policy(
        "ext",
        "action: CUSTOM, provider: {name: opa}, rules: [{to: [{operation: {paths: ['/a*']}}]}]",
    );
    let outcome = compiled_with(&ingress(), &custom);
    assert!(outcome.0.has_errors());
    assert!(outcome.0.diagnostics.iter().any(|d| d.code == "unsupported-action"));
    let gate = Gate(outcome.0.snapshot.authorization);
    assert_eq!(gate.asks(&get("x", "/a")), "ns[istio-system]-policy[ext]-rule[0]");
    assert_eq!(gate.asks(&get("x", "/b")), "allowed");
    // For another workload it is nobody's business here.
    let other = custom.replace("spec: {", "spec: {selector: {matchLabels: {app: other}}, ");
    assert!(!compiled_with(&ingress(), &other).0.has_errors());
}

#[test]
fn what_is_broken_denies_everything() {
    for yaml in [
        policy("p", "rules: [{to: [{operation: {pathz: [/a]}}]}]"),
        policy("p", "rules: [{to: [{operation: {paths: ['']}}]}]"),
        policy("p", "action: DENIE, rules: [{}]"),
        policy("p", "rules: [{}]").replace("/v1\n", "/v9\n"),
        policy("p", "action: DENY, rules: [{when: [{key: experimental.envoy.filters.a, values: [b]}]}]"),
    ] {
        let (resources, problems) =
            crate::config::parse(vec![("a.yaml".to_owned(), yaml.clone().into_bytes())]);
        let compiled = crate::compile::compile(&resources, &ingress());
        let has_error = problems.iter().any(|p| p.severity == crate::config::Severity::Error);
        assert!(has_error || compiled.has_errors(), "{yaml}");
        let gate = Gate(compiled.snapshot.authorization);
        assert_ne!(gate.asks(&get("x", "/")), "allowed", "{yaml}");
        assert_ne!(gate.connects(&get("x", "/")), "allowed", "{yaml}");
    }
}

#[test]
fn the_first_rule_by_name_is_told() {
    let rule = "{to: [{operation: {methods: [GET]}}]}";
    let many = [rule; 12].join(", ");
    let yaml = policy("b", &format!("action: DENY, rules: [{rule}]"))
        + &policy(
            "a",
            &format!("action: DENY, rules: [{{to: [{{operation: {{methods: [PUT]}}}}]}}, {many}]"),
        );
    // As Envoy's map has them: `rule[10]` before `rule[2]`.
    assert_eq!(Gate::new(&yaml).asks(&get("x", "/")), "ns[istio-system]-policy[a]-rule[10]");
}

#[test]
fn the_root_namespace_is_for_all() {
    let options = Options { namespace: Some("edge".to_owned()), ..ingress() };
    for (namespace, expected) in [("edge", true), ("istio-system", true), ("web", false)] {
        let yaml = policy_of(&format!("name: p, namespace: {namespace}"), "action: DENY, rules: [{}]");
        let outcome = compiled_with(&options, &yaml);
        assert_eq!(outcome.0.snapshot.authorization.is_some(), expected, "{namespace}");
    }
}
