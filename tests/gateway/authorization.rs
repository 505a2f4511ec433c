//! AuthorizationPolicy through the whole gateway: acceptance cases 128, 130 and 131, ways around a denial, and what is told of
//! it. `authorization_connections` has what is about connections.

use super::{
    access_log::fields,
    client::Answer,
    h2_frames::{END, Fields, headers},
    h2_peer::Peer,
    harness::{Gateway, answering, routed, run},
    origin::Origin,
    tokens::rsa,
};
use serde_json::json;

/// An AuthorizationPolicy with this `spec`, in YAML's flow style.
pub(crate) fn policy(name: &str, spec: &str) -> String {
    policy_of(&format!("name: {name}"), spec)
}

fn policy_of(metadata: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n"
    )
}

/// One that denies what these rules match.
pub(crate) fn deny(rules: &str) -> String {
    policy("deny", &format!("action: DENY, rules: [{rules}]"))
}

/// One that lets in what these rules match.
pub(crate) fn allow(rules: &str) -> String {
    policy("allow", &format!("rules: [{rules}]"))
}

fn mesh(config: &str) -> String {
    format!(
        "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: o}}\nspec: {{meshConfig: {{{config}}}}}\n"
    )
}

/// So many proxies in front are believed.
fn trusting(hops: u32) -> String {
    mesh(&format!("defaultConfig: {{gatewayTopology: {{numTrustedProxies: {hops}}}}}"))
}

#[track_caller]
fn is_denied(answer: &Answer) {
    assert_eq!((answer.status, answer.text()), (403, "RBAC: access denied"), "{answer:?}");
    assert_eq!(answer.field("content-type"), Some("text/plain"));
    assert_eq!(answer.field("content-length"), Some("19"));
}

#[test]
fn case_128_hosts_in_any_case() {
    let yaml =
        answering("in") + &deny("{to: [{operation: {hosts: [deny.x.com, '*.suffix.x.com', 'prefix.x.*']}}]}");
    let gateway = Gateway::start(&[80], &yaml);
    for host in [
        "deny.x.com",
        "DENY.X.COM",
        "Deny.X.Com",
        "deny.suffix.x.com",
        "DENY.SUFFIX.X.COM",
        "Deny.Suffix.X.Com",
        "prefix.x.com",
        "PREFIX.X.COM",
        "Prefix.X.Com",
        "deny.x.com:80",
        "deny.x.com:8080",
        "deny.x.com:",
        "deny.x.com.",
        "DENY.x.com.:80",
    ] {
        is_denied(&gateway.get(80, host, "/"));
    }
    for host in ["www.x.com", "x.com", "deny.x.com.org"] {
        assert_eq!(gateway.get(80, host, "/").text(), "in", "{host}");
    }
    gateway.stop();
}

#[test]
fn case_130_and_131_clients_behind_a_trusted_proxy() {
    let rules = "{from: [{source: {remoteIpBlocks: [172.17.72.46, 192.168.4.0/23]}}], to: [{operation: {hosts: [remoteipblocks.x.com]}}]},
        {from: [{source: {notRemoteIpBlocks: [172.23.240.0/22]}}], to: [{operation: {hosts: [notremoteipblocks.x.com]}}]},
        {to: [{operation: {hosts: [remoteipattr.x.com]}}], when: [{key: remote.ip, values: [10.242.5.7, 10.124.99.0/24]}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &deny(rules) + &trusting(1)));
    for (host, client, status) in [
        ("remoteipblocks.x.com", "172.17.72.46", 403),
        ("remoteipblocks.x.com", "192.168.5.233", 403),
        ("remoteipblocks.x.com", "10.4.5.6", 200),
        ("notremoteipblocks.x.com", "10.2.3.4", 403),
        ("notremoteipblocks.x.com", "172.23.242.188", 200),
        ("remoteipattr.x.com", "10.242.5.7", 403),
        ("remoteipattr.x.com", "10.124.99.10", 403),
        ("remoteipattr.x.com", "10.4.5.6", 200),
        // What the client itself says, in front of what the proxy says, is not believed.
        ("remoteipblocks.x.com", "10.4.5.6, 172.17.72.46", 403),
        ("remoteipblocks.x.com", "172.17.72.46, 10.4.5.6", 200),
        ("remoteipblocks.x.com", "::ffff:172.17.72.46", 403),
    ] {
        let answer = gateway.request(80, "GET", host, "/", &[("X-Forwarded-For", client)]);
        assert_eq!(answer.status, status, "{host} {client}");
    }
    // Two fields are one list.
    let both = [("X-Forwarded-For", "10.4.5.6"), ("X-Forwarded-For", "172.17.72.46")];
    assert_eq!(gateway.request(80, "GET", "remoteipblocks.x.com", "/", &both).status, 403);
    gateway.stop();
}

#[test]
fn nobody_is_believed_who_is_not_trusted() {
    let rules = "{from: [{source: {notRemoteIpBlocks: [127.0.0.1]}}]}, {from: [{source: {notIpBlocks: [127.0.0.1]}}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &deny(rules)));
    for field in ["X-Forwarded-For", "X-Envoy-External-Address", "X-Real-Ip", "Forwarded"] {
        assert_eq!(gateway.request(80, "GET", "a", "/", &[(field, "10.1.1.1")]).text(), "in", "{field}");
    }
    gateway.stop();
    // The peer is the proxy, whoever the client is.
    let rules = "{from: [{source: {ipBlocks: [127.0.0.1], notRemoteIpBlocks: [127.0.0.1]}}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &deny(rules) + &trusting(1)));
    is_denied(&gateway.request(80, "GET", "a", "/", &[("X-Forwarded-For", "10.1.1.1")]));
    // Without what a proxy says it is the peer.
    assert_eq!(gateway.get(80, "a", "/").text(), "in");
    assert_eq!(gateway.request(80, "GET", "a", "/", &[("X-Forwarded-For", "nonsense")]).text(), "in");
    gateway.stop();
}

/// Each of these is the path that is denied, in other words.
#[test]
fn a_path_in_other_words_is_denied_too() {
    let rule = "{to: [{operation: {paths: [/admin, '/admin/*']}}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &deny(rule)));
    for target in [
        "/admin",
        "/admin?a=b",
        "/admin?",
        "/admin#x",
        "/admin/",
        "/admin/x;y=z",
        "/%61dmin",
        "/%61%64%6d%69%6e",
        "/admi%6E/x",
        "/./admin",
        "/%2e/admin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/x/.%2E/admin/",
        "/x\\..\\admin",
        "\\admin",
        "http://other.example/admin",
        "HTTP://other.example/x/../admin",
        "http://other.example/admin?x",
    ] {
        let mut client = gateway.connect(80);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: other.example\r\n\r\n").as_bytes());
        let answer = client.answer("GET");
        // What can't be a target is refused before.
        assert!(answer.status == 403 || answer.status == 400, "{target}: {answer:?}");
        assert!(answer.status == 403 || target.starts_with('\\'), "{target}: {answer:?}");
    }
    for target in ["/", "/adminx", "/ADMIN", "/x?/admin", "/x#/admin", "/admin;x"] {
        let mut client = gateway.connect(80);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes());
        assert_eq!(client.answer("GET").status, 200, "{target}");
    }
    gateway.stop();
}

#[test]
fn slashes_are_as_many_as_the_mesh_says() {
    let rule = "{to: [{operation: {paths: ['/admin/x']}}]}";
    for (mode, target, status) in [
        ("BASE", "//admin/x", 200),
        ("BASE", "/admin%2fx", 200),
        ("MERGE_SLASHES", "//admin///x", 403),
        ("MERGE_SLASHES", "/admin%2fx", 200),
        ("DECODE_AND_MERGE_SLASHES", "//admin%2f%5Cx", 403),
        ("DECODE_AND_MERGE_SLASHES", "/y/..%2fadmin/x", 403),
        ("NONE", "/y/../admin/x", 200),
        ("NONE", "/admin/x#y", 403),
    ] {
        let yaml =
            answering("in") + &deny(rule) + &mesh(&format!("pathNormalization: {{normalization: {mode}}}"));
        let gateway = Gateway::start(&[80], &yaml);
        assert_eq!(gateway.get(80, "a", target).status, status, "{mode} {target}");
        gateway.stop();
    }
}

#[test]
fn a_host_in_other_words_is_denied_too() {
    let gateway =
        Gateway::start(&[80], &(answering("in") + &deny("{to: [{operation: {hosts: [deny.x.com]}}]}")));
    let ask = |request: &str| {
        let mut client = gateway.connect(80);
        client.send(request.as_bytes());
        client.answer("GET").status
    };
    assert_eq!(ask("GET http://DENY.x.com:80/ HTTP/1.1\r\nHost: deny.x.com\r\n\r\n"), 403);
    assert_eq!(ask("GET http://deny.x.com/ HTTP/1.1\r\nHost: DENY.x.com:80\r\n\r\n"), 403);
    assert_eq!(ask("GET / HTTP/1.1\r\nhOsT:   deny.x.com  \r\n\r\n"), 403);
    // What parsers read differently is no request.
    assert_eq!(ask("GET http://good.x.com/ HTTP/1.1\r\nHost: deny.x.com\r\n\r\n"), 400);
    assert_eq!(ask("GET http://deny.x.com/ HTTP/1.1\r\nHost: good.x.com\r\n\r\n"), 400);
    for host in
        ["Host: good.x.com\r\nHost: deny.x.com", "Host: good.x.com, deny.x.com", "Host: u@deny.x.com", "X: y"]
    {
        assert_eq!(ask(&format!("GET / HTTP/1.1\r\n{host}\r\n\r\n")), 400, "{host}");
    }
    gateway.stop();
    // Where HTTP/1.0 is spoken there may be no host: it is none of those that are let in.
    let old = mesh("defaultConfig: {proxyMetadata: {HTTP10: '1'}}");
    let yaml = answering("in") + &allow("{to: [{operation: {hosts: ['*.x.com']}}]}") + &old;
    let gateway = Gateway::start(&[80], &yaml);
    for (request, status) in [
        ("GET / HTTP/1.0\r\n\r\n", 403),
        ("GET / HTTP/1.0\r\nHost: \r\n\r\n", 403),
        ("GET / HTTP/1.0\r\nHost: a.x.com\r\n\r\n", 200),
    ] {
        let mut client = gateway.connect(80);
        client.send(request.as_bytes());
        let answer = client.answer("GET");
        assert!(answer.status == status || answer.status == 400 && status == 403, "{request:?} {answer:?}");
    }
    gateway.stop();
}

#[test]
fn a_header_in_other_words_is_denied_too() {
    let rule = "{when: [{key: 'request.headers[X-Role]', values: [admin]}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &deny(rule)));
    for fields in [
        &[("x-role", "admin")][..],
        &[("X-ROLE", "admin")],
        &[("x-role", "  admin\t ")],
        &[("x-role", "user"), ("x-role", "admin")],
        &[("x-role", "admin"), ("X-Role", "user")],
    ] {
        is_denied(&gateway.request(80, "GET", "a", "/", fields));
    }
    assert_eq!(gateway.request(80, "GET", "a", "/", &[("x-role", "administrator")]).status, 200);
    // Who has the field taken off has it taken off for everybody.
    let taken = [("x-role", "admin"), ("Connection", "x-role")];
    assert_eq!(gateway.request(80, "GET", "a", "/", &taken).status, 200);
    gateway.stop();
}

#[test]
fn http2_is_held_against_the_same_policies() {
    let rules =
        "{to: [{operation: {hosts: [deny.x.com]}}]}, {to: [{operation: {paths: [/admin], methods: [GET]}}]},
        {when: [{key: 'request.headers[x-role]', values: [admin]}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &deny(rules)));
    let mut peer = Peer::new(gateway.connect(80), false, "authorization".to_owned());
    peer.handshake(&[]);
    let good = || peer_fields("good.x.com", "/");
    let cases = [
        (good(), 200),
        (peer_fields("deny.x.com", "/"), 403),
        (peer_fields("DENY.x.com:80", "/"), 403),
        (peer_fields("deny.x.com.", "/"), 403),
        (good().without(":authority").add("host", "deny.x.com"), 403),
        (peer_fields("a", "/x/../admin"), 403),
        (peer_fields("a", "/%61dmin?b"), 403),
        (peer_fields("a", "/admin").set(":method", "PUT"), 200),
        (good().add("x-role", "user").add("x-role", "admin"), 403),
    ];
    for ((fields, status), stream) in cases.iter().zip((1..).step_by(2)) {
        peer.send(&headers(stream, END, &fields.block()));
        peer.until_end_of(stream);
        let answer = peer.answer(stream).and_then(|frame| frame.status());
        assert_eq!(answer, Some(*status), "{fields:?}");
        let body: &[u8] = if *status == 403 { b"RBAC: access denied" } else { b"in" };
        assert_eq!(peer.body(stream), body);
    }
    drop(peer);
    gateway.stop();
}

fn peer_fields(authority: &str, path: &str) -> Fields {
    let all = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", authority)];
    Fields(all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

#[test]
fn a_denial_comes_before_routes_and_redirects() {
    let origin = Origin::echo();
    let http = "  - match: [{uri: {prefix: /old}}]\n    redirect: {uri: /new}\n  - match: [{uri: {prefix: /a}}]\n    \
                route: [{destination: {host: a.test}}]\n";
    let gateway = Gateway::start(
        &[80],
        &(routed(http, &[origin.port()]) + &allow("{to: [{operation: {paths: [/a]}}]}")),
    );
    assert_eq!(gateway.get(80, "x", "/a").status, 200);
    for path in ["/old", "/nowhere", "/ab"] {
        is_denied(&gateway.get(80, "x", path));
    }
    // Nothing of what is denied goes to an origin, and the connection goes on.
    let mut client = gateway.connect(80);
    client.send(
        b"POST /ab HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbodyGET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    is_denied(&client.answer("POST"));
    assert_eq!(client.answer("GET").status, 200);
    assert_eq!(origin.request().target(), "/a");
    assert_eq!(origin.request().target(), "/a");
    assert!(origin.try_request().is_none());
    // A WebSocket is a request like others.
    let upgrade = [
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    is_denied(&gateway.request(80, "GET", "x", "/ab", &upgrade));
    gateway.stop();
}

#[test]
fn a_denial_leaves_its_reason_in_the_log_and_its_numbers() {
    let yaml = answering("in")
        + &policy(
            "no-secrets",
            "action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}, {to: [{operation: {paths: [/secret]}}]}]",
        )
        + &policy("some", "rules: [{to: [{operation: {paths: [/secret, /open]}}]}]")
        + &policy("noted", "action: AUDIT, rules: [{to: [{operation: {methods: [GET]}}]}]")
        + &policy_of(
            "name: tried, annotations: {istio.io/dry-run: 'true'}",
            "action: DENY, rules: [{to: [{operation: {paths: [/open]}}]}]",
        );
    let gateway = Gateway::start(&[80], &yaml);
    for (path, status, details) in [
        ("/open", 200, "direct_response"),
        ("/secret", 403, "rbac_access_denied_matched_policy[ns[default]-policy[no-secrets]-rule[1]]"),
        ("/other", 403, "rbac_access_denied_matched_policy[none]"),
    ] {
        assert_eq!(gateway.get(80, "a", path).status, status);
        let line = gateway.log_line();
        let line = fields(&line);
        // The status, no flag, the details; nothing of a termination, for it is only a request that ended.
        assert_eq!(line[2..6], [&status.to_string(), "-", details, "-"], "{line:?}");
    }
    assert_eq!(gateway.metric("envoy_http_rbac_allowed"), 1.0);
    assert_eq!(gateway.metric("envoy_http_rbac_denied"), 2.0);
    assert_eq!(gateway.metric("envoy_http_rbac_shadow_allowed"), 2.0);
    assert_eq!(gateway.metric("envoy_http_rbac_shadow_denied"), 1.0);
    let page = gateway.admin_page("/stats/prometheus");
    for line in [
        "policy=\"default/no-secrets\",action=\"DENY\",mode=\"enforced\"} 1",
        "policy=\"default/some\",action=\"ALLOW\",mode=\"enforced\"} 1",
        "policy=\"default/noted\",action=\"AUDIT\",mode=\"enforced\"} 3",
        "policy=\"default/tried\",action=\"DENY\",mode=\"dry_run\"} 1",
    ] {
        let line = format!("sluicegate_authorization_policy_matches_total{{{line}\n");
        assert!(page.text().contains(&line), "{line} in {}", page.text());
    }
    gateway.stop();
}

#[test]
fn clients_of_grpc_are_told_in_their_way() {
    let gateway = Gateway::start(
        &[80],
        &(answering("in") + &deny("{to: [{operation: {paths: [/pkg.Service/Method], methods: [POST]}}]}")),
    );
    let mut peer = Peer::new(gateway.connect(80), false, "grpc".to_owned());
    peer.handshake(&[]);
    let call = peer_fields("a", "/pkg.Service/Method")
        .set(":method", "POST")
        .add("content-type", "application/grpc")
        .add("te", "trailers");
    peer.send(&headers(1, END, &call.block()));
    peer.until_end_of(1);
    let answer = format!("{:?}", peer.answer(1));
    assert!(answer.contains("grpc-status") && answer.contains("RBAC"), "{answer}");
    drop(peer);
    gateway.stop();
}

#[test]
fn who_has_a_token_and_what_it_says() {
    let signer = rsa();
    let token = |claims| ("Authorization", format!("Bearer {}", signer.token(&claims)));
    let tokens = format!(
        "---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: jwt}}\nspec: {{jwtRules: [{{issuer: i, jwks: '{}'}}]}}\n",
        signer.set()
    );
    let rules = "{from: [{source: {requestPrincipals: ['i/me']}}], to: [{operation: {paths: [/me]}}]},
        {from: [{source: {requestPrincipals: ['*']}}], to: [{operation: {paths: [/any]}}]},
        {to: [{operation: {paths: [/claims]}}], when: [{key: 'request.auth.claims[groups]', values: [admin]}, {key: 'request.auth.claims[scope]', values: [read]}]},
        {to: [{operation: {paths: [/aud]}}], when: [{key: request.auth.audiences, values: [b]}]},
        {to: [{operation: {paths: [/nobody]}}], from: [{source: {notRequestPrincipals: ['*']}}]}";
    let gateway = Gateway::start(&[80], &(answering("in") + &tokens + &allow(rules)));
    let me = json!({"iss": "i", "sub": "me", "aud": ["a", "b"], "groups": ["dev", "admin"], "scope": "read write"});
    let you = json!({"iss": "i", "sub": "you", "groups": ["dev"], "scope": "write"});
    for (path, who, status) in [
        ("/me", Some(&me), 200),
        ("/me", Some(&you), 403),
        ("/me", None, 403),
        ("/any", Some(&you), 200),
        ("/any", None, 403),
        ("/claims", Some(&me), 200),
        ("/claims", Some(&you), 403),
        ("/claims", None, 403),
        ("/aud", Some(&me), 200),
        ("/aud", Some(&you), 403),
        ("/nobody", None, 200),
        ("/nobody", Some(&you), 403),
        // What is not let in is told so whether there is a route or not.
        ("/nowhere", Some(&me), 403),
    ] {
        let fields: Vec<(&str, String)> = who.map(|claims| token(claims.clone())).into_iter().collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(gateway.request(80, "GET", "a", path, &fields).status, status, "{path} {who:?}");
    }
    // A token that is not good is 401, whatever the policies say.
    let bad = [("Authorization", "Bearer a.b.c")];
    assert_eq!(gateway.request(80, "GET", "a", "/nobody", &bad).status, 401);
    gateway.stop();
}

#[test]
fn what_cannot_be_enforced_is_not_started_with() {
    for (spec, code) in [
        ("action: CUSTOM, provider: {name: opa}, rules: [{}]", "unsupported-action"),
        ("action: DENY, rules: [{to: [{operation: {pathes: [/a]}}]}]", "unknown-field"),
        (
            "action: DENY, rules: [{when: [{key: 'request.headers[te]', values: [a]}]}]",
            "unsupported-attribute",
        ),
        ("action: DENY, rules: [{from: [{source: {ipBlocks: [10.0.0.0/40]}}]}]", "bad-address"),
    ] {
        let yaml = answering("in") + &policy("p", spec);
        let Err(ended) = Gateway::try_start(&[80], &yaml, &[]) else { panic!("it started with {spec}") };
        assert!(
            ended.said.contains(code) && ended.said.contains("nothing is served"),
            "{spec}: {}",
            ended.said
        );
    }
    let (code, ..) = run(&["run", "-c", "/nonexistent/policies"]);
    assert_ne!(code, Some(0));
}
