//! What is told of policies that decide.

use super::{ask, tells};

const POLICIES: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: ['*']
  gateways: [g]
  http: [{directResponse: {status: 200}}]
  tcp: [{route: [{destination: {host: a.example}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: keep-out}
spec:
  action: DENY
  rules:
  - to: [{operation: {paths: [/secret], ports: ['80']}}]
  - from: [{source: {remoteIpBlocks: [203.0.113.0/24]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: let-in}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/a/sa/b]}}]
  - to: [{operation: {paths: [/open]}}]
    when: [{key: 'request.headers[x-key]', values: ['1']}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tried, annotations: {istio.io/dry-run: 'true'}}
spec: {action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}]}
";

fn told(options: &[&str]) -> String {
    ask(POLICIES, &[], options, false)
}

#[test]
fn a_denial_tells_its_rule() {
    tells(
        &told(&["http://a/secret?x"]),
        &[
            "authorization     denied by rule 0 of default/keep-out",
            "- to: [{operation: {paths: [/secret], ports: ['80']}}]",
            "answer            403 `RBAC: access denied`",
        ],
    );
    let text = told(&["http://a/open", "--from", "203.0.113.9"]);
    tells(&text, &["denied by rule 1 of default/keep-out"]);
    assert!(!text.contains("virtual host"), "{text}");
    let json = ask(POLICIES, &[], &["http://a/secret"], true);
    assert!(
        json.contains("rbac_access_denied_matched_policy[ns[default]-policy[keep-out]-rule[0]]"),
        "{json}"
    );
}

#[test]
fn a_permission_tells_what_did_not_deny() {
    tells(
        &told(&["http://a/open", "-H", "X-Key: 1"]),
        &[
            "authorization     allowed by rule 1 of default/let-in",
            "DENY rule 0 of default/keep-out does not match: no operation fits, the first one not for its `paths`",
            "DENY rule 1 of default/keep-out does not match: no source fits, the first one not for its `remoteIpBlocks`",
            "the policies that are only tried out would allow it",
            "virtual host",
        ],
    );
}

#[test]
fn who_is_not_let_in_is_told_what_is_missing() {
    tells(
        &told(&["http://a/open", "-X", "PUT"]),
        &[
            "denied: some policy allows something, and no rule allows this",
            "ALLOW rule 0 of default/let-in does not match: no source fits, the first one not for its `principals`",
            "ALLOW rule 1 of default/let-in does not match: the condition `request.headers[x-key]` does not hold",
            "the policies that are only tried out would deny it",
            "asked as a client without a certificate",
        ],
    );
}

#[test]
fn connections_are_told_of_too() {
    tells(
        &told(&["tcp://a:9000"]),
        &[
            "authorization     denied: some policy allows something",
            "the connection is closed: an AuthorizationPolicy denies it; in the access log rbac_access_denied_matched_policy[none]",
        ],
    );
}
