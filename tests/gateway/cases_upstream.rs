//! Acceptance cases of sections 9.6 and 9.7 that compiling alone can't show: which credentials and which settings hold towards
//! upstreams, and how each path of appendix A comes there.

use super::{
    cases_policy::object,
    certificates::{Authority, Leaf, LeafParams},
    harness::{GATEWAY, Gateway, routed, service_entry},
    origin::Origin,
    tls_origin::TlsOrigin,
};

/// A gateway that sends everything to an origin as `up.test`, with this `tls`, and with a Secret.
fn originating(port: u16, tls: &str, credentials: &str) -> Gateway {
    let route = "  - {route: [{destination: {host: a.test}}], rewrite: {authority: up.test}, retries: {attempts: 0}}\n";
    let rule = format!("host: a.test, trafficPolicy: {{tls: {{{tls}}}}}");
    Gateway::start(
        &[80],
        &(routed(route, &[port]) + &object("DestinationRule", "name: a", &rule) + credentials),
    )
}

/// A Secret with these values as text.
fn values(name: &str, values: &[(&str, &str)]) -> String {
    let lines: String = values.iter().map(|(key, value)| format!("  {key}: {value:?}\n")).collect();
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{lines}")
}

#[test]
fn case_106_an_upstream_is_believed_by_the_authorities_of_a_secret() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let origin = TlsOrigin::echo("o", &root.leaf(&["up.test"]));
    for (credentials, status) in [
        (values("c-cacert", &[("cacert", &root.pem())]), 200),
        (values("c-cacert", &[("ca.crt", &root.pem())]), 200),
        (values("c-cacert", &[("cacert", &other.pem())]), 503),
        (String::new(), 503),
    ] {
        let gateway = originating(origin.port(), "mode: SIMPLE, credentialName: c", &credentials);
        let answer = gateway.get(80, "web.test", "/");
        assert_eq!(answer.status, status, "{credentials}: {}", answer.text());
        assert_eq!(answer.text().contains("origin: o\nsni: up.test\n"), status == 200, "{}", answer.text());
        gateway.stop();
    }
}

#[test]
fn case_107_a_certificate_of_a_secret_is_shown_to_an_upstream() {
    let (root, clients, strangers) =
        (Authority::new("root"), Authority::new("clients"), Authority::new("strangers"));
    let made =
        |authority: &Authority, name: &str, serial| authority.make(LeafParams::new(&[name]).serial(serial));
    let origin = TlsOrigin::asking(&made(&root, "up.test", 7), &clients);
    let (own, wrong) = (made(&clients, "gateway", 5), made(&strangers, "gateway", 6));
    let ca = root.pem();
    let generic = |leaf: &Leaf, more: &[(&str, &str)]| {
        let own = [("cert", leaf.chain.as_str()), ("key", &leaf.key), ("cacert", &ca)];
        values("c", &[&own[..], more].concat())
    };
    let kubernetes = [("tls.crt", own.chain.as_str()), ("tls.key", &own.key), ("ca.crt", &ca)];
    let (harmless, revoking) = (root.revoked(&[8]), root.revoked(&[7]));
    for (case, credentials, status) in [
        ("generic", generic(&own, &[]), 200),
        ("not generic", values("c", &kubernetes), 200),
        ("a wrong certificate", generic(&wrong, &[]), 503),
        ("nothing", String::new(), 503),
        ("another is revoked", generic(&own, &[("crl", &harmless)]), 200),
        ("the origin is revoked", generic(&own, &[("crl", &revoking)]), 503),
    ] {
        let gateway = originating(origin.port(), "mode: MUTUAL, credentialName: c", &credentials);
        let answer = gateway.get(80, "web.test", "/");
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
        // The origin tells which certificate it has seen.
        assert_eq!(answer.text() == "05", status == 200, "{case}: {}", answer.text());
        gateway.stop();
    }
}

#[test]
fn case_110_a_rule_in_the_namespace_of_the_virtual_service_does_not_apply() {
    let tls = "host: a.test, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}";
    let plain = "host: a.test, trafficPolicy: {loadBalancer: {simple: RANDOM}}";
    // The origin has no TLS: who gets the other rule gets no answer.
    for (of_service, of_rules, status) in [(plain, tls, 200), (tls, plain, 503)] {
        let origin = Origin::echo();
        let entry = service_entry("a.test", origin.port())
            .replace("{name: a-test}", "{name: a-test, namespace: store}");
        let http = "hosts: ['*'], gateways: [default/gw], http: [{route: [{destination: {host: a.test}}]}]";
        let yaml = GATEWAY.to_owned()
            + &object("VirtualService", "name: vs, namespace: app", http)
            + &object("DestinationRule", "name: r, namespace: store", of_service)
            + &object("DestinationRule", "name: r, namespace: app", of_rules)
            + &entry;
        let gateway = Gateway::start(&[80], &yaml);
        assert_eq!(gateway.get(80, "web.test", "/").status, status, "{of_service}");
        let said = gateway.said_so_far();
        assert!(said.contains("warning[rule-not-used]") && said.contains("DestinationRule app/r"), "{said}");
        gateway.stop();
    }
}

#[test]
fn case_112_a_port_with_settings_of_its_own_has_no_tls_of_the_rule() {
    let origin = Origin::echo();
    let rule = "host: a.test, trafficPolicy: {tls: {mode: SIMPLE}, \
                portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}";
    let yaml = routed("  - {route: [{destination: {host: a.test}}]}\n", &[origin.port()])
        + &object("DestinationRule", "name: a", rule);
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(gateway.get(80, "web.test", "/").status, 200);
    assert_eq!(origin.request().line, "GET / HTTP/1.1");
    let said = gateway.said_so_far();
    assert!(said.contains("warning[lost-setting]"), "{said}");
    gateway.stop();
}

/// What appendix A says of a path with BASE, MERGE_SLASHES and DECODE_AND_MERGE_SLASHES.
const PATHS: [(&str, [&str; 3]); 16] = [
    ("/app/", ["/app/"; 3]),
    ("/app#foo", ["/app"; 3]),
    ("/app/../admin", ["/admin"; 3]),
    ("/app//", ["/app//", "/app/", "/app/"]),
    ("/app//../admin", ["/app/admin"; 3]),
    ("/app//../../admin", ["/admin"; 3]),
    ("/app/%2f", ["/app/%2f", "/app/%2f", "/app/"]),
    ("/app%2f/", ["/app%2f/", "/app%2f/", "/app/"]),
    ("/xyz%30..//abc", ["/xyz0..//abc", "/xyz0../abc", "/xyz0../abc"]),
    ("/app\\admin", ["/app/admin"; 3]),
    ("/app/\\/\\/\\admin", ["/app//////admin", "/app/admin", "/app/admin"]),
    ("/%2Fapp%5cadmin%5Cabc", ["/%2Fapp%5cadmin%5Cabc", "/%2Fapp%5cadmin%5Cabc", "/app/admin/abc"]),
    (
        "/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc",
        ["/%5Capp%2f%5c%2F..%2fadmin%5c/abc", "/%5Capp%2f%5c%2F..%2fadmin%5c/abc", "/app/admin/abc"],
    ),
    ("/%252e%252e/admin", ["/%252e%252e/admin"; 3]),
    ("/..;/admin", ["/..;/admin"; 3]),
    ("/ADMIN", ["/ADMIN"; 3]),
];

#[test]
fn case_127_every_path_of_appendix_a_is_routed_and_sent_as_its_mode_says() {
    for (at, mode) in ["BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"].into_iter().enumerate() {
        let origin = Origin::echo();
        // Each path has a rule of its own, so that the answer tells how it was routed.
        let rules: String = (0..)
            .zip(PATHS)
            .map(|(number, (_, expected))| {
                format!(
                    "  - {{match: [{{uri: {{exact: '{}'}}, headers: {{number: {{exact: '{number}'}}}}}}], \
                     route: [{{destination: {{host: a.test}}}}]}}\n",
                    expected[at]
                )
            })
            .collect();
        let mesh = format!(
            "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: o}}\nspec: \
             {{meshConfig: {{pathNormalization: {{normalization: {mode}}}}}}}\n"
        );
        let gateway = Gateway::start(&[80], &(routed(&rules, &[origin.port()]) + &mesh));
        for (number, (path, expected)) in PATHS.iter().enumerate() {
            let number = number.to_string();
            let answer = gateway.request(80, "GET", "web.test", path, &[("number", &number)]);
            assert_eq!(answer.status, 200, "{mode} {path}");
            assert_eq!(origin.request().target(), expected[at], "{mode} {path}");
        }
        let refused = gateway.get(80, "web.test", "/admin%00").status;
        assert_eq!(refused, if mode == "DECODE_AND_MERGE_SLASHES" { 400 } else { 404 }, "{mode}");
        gateway.stop();
    }
}
