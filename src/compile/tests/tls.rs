//! Specification sections 9.1 and 9.3, as far as compiling decides: filter chains by SNI, certificates and versions.

use super::*;
use crate::table::Chain;
use crate::tls::{AuthoritySource, CertificateSource, ClientAuthentication, Parameters, SecretName, Suite};

const SIMPLE: &str = ", tls: {mode: SIMPLE, credentialName: c}";
const PASS: &str = ", tls: {mode: PASSTHROUGH}";

/// A server of HTTPS on port 443 for `a.com`, with these TLS settings.
fn with(tls: &str) -> Outcome {
    compiled(&gateway("name: g", &[("HTTPS", 443, "a.com", &format!(", tls: {{{tls}}}"))]))
}

fn pass(name: &str, hosts: &str, sni: &str, to: &str) -> String {
    let rule = format!("tls: [{{match: [{{sniHosts: [{sni}]}}], route: [{{destination: {{host: {to}}}}}]}}]");
    connections(&format!("name: {name}"), hosts, "g", &rule)
}

fn secret(name: &str) -> SecretName {
    SecretName { namespace: "default".into(), name: name.into() }
}

#[test]
fn every_server_is_a_chain_with_a_table_of_its_own() {
    let outcome = compiled(&format!(
        "{}{}{}{}{}",
        gateway(
            "name: g",
            &[("HTTPS", 443, "a.com, www.a.com", SIMPLE), ("HTTPS", 443, "'*.a.com'", SIMPLE)]
        ),
        rules("name: v", "'*.a.com'", "g", &everything_to("p.com")),
        rules("name: w", "a.com", "g", &everything_to("q.com")),
        service("p.com"),
        service("q.com"),
    ));
    assert_eq!(outcome.listeners(), ["0.0.0.0_443"]);
    assert_eq!(outcome.sni("a.com"), "https https.443.https-443-16.g.default");
    assert_eq!(outcome.sni("x.y.a.com"), "https https.443.https-443-9.g.default");
    assert_eq!(outcome.sni("b.com"), "closed");
    assert_eq!(outcome.sni(""), "closed");
    assert_eq!(outcome.https("a.com", "a.com/"), "outbound|80||q.com");
    assert_eq!(outcome.https("a.com", "www.a.com/"), "outbound|80||p.com");
    // Case 50: the host is served by the other server only.
    assert_eq!(outcome.https("www.a.com", "x.a.com/"), "404");
    assert_eq!(outcome.https("x.a.com", "a.com/"), "404");
}

#[test]
fn namespaces_before_hosts_are_no_part_of_server_names() {
    let outcome =
        compiled(&gateway("name: g", &[("HTTPS", 443, "one/A.com., two/a.com, two/b.com", SIMPLE)]));
    assert_eq!(outcome.filter_chain("a.com").unwrap().server_names, ["a.com".into(), "b.com".into()]);
    assert_eq!(outcome.warnings(), ["missing-secret 4"]);
}

#[test]
fn case_14_the_first_of_two_equal_passthroughs_wins() {
    let outcome = compiled(&format!(
        "{}{}{}{}{}",
        gateway("name: g", &[("TLS", 443, "'*'", PASS)]),
        pass("one", "a.com", "a.com, A.com", "p.com"),
        pass("two", "a.com, b.com", "b.com, a.com", "q.com"),
        service("p.com"),
        service("q.com"),
    ));
    assert_eq!(outcome.sni("a.com"), "pass 1*outbound|80||p.com");
    // The whole match is left out, as in istiod.
    assert_eq!(outcome.sni("b.com"), "closed");
    let conflict = outcome.diagnostic("duplicate-server-name");
    assert_eq!(conflict.field, "spec.tls[0].match[0].sniHosts[1]");
    assert!(conflict.message.contains("VirtualService default/one"), "{}", conflict.message);
    assert_eq!(conflict.labels.len(), 1);
}

#[test]
fn passthrough_uses_the_names_of_the_rules_verbatim() {
    let outcome = compiled(&format!(
        "{}{}{}{}",
        gateway("name: g", &[("HTTPS", 443, "x.a.com", PASS)]),
        pass("one", "'*.a.com'", "'*.b.a.com', y.a.com", "p.com"),
        pass("two", "other.com", "other.com", "p.com"),
        service("p.com"),
    ));
    assert_eq!(outcome.sni("y.a.com"), "pass 1*outbound|80||p.com");
    assert_eq!(outcome.sni("z.b.a.com"), "pass 1*outbound|80||p.com");
    assert_eq!(outcome.sni("x.a.com"), "closed");
    // Its VirtualService has no host in common with the server.
    assert_eq!(outcome.sni("other.com"), "closed");
    assert_eq!(outcome.tables(), [""; 0]);
    assert!(outcome.0.snapshot.server_tls.is_empty());
}

#[test]
fn passthrough_matches_by_declared_port_and_gateway() {
    let rules = "tls: [{match: [{port: 8443, sniHosts: [a.com]}, {port: 443, gateways: [h], sniHosts: [b.com]}, {port: 443, sniHosts: [c.com]}], route: [{destination: {host: p.com}}]}]";
    let outcome = compiled(&format!(
        "{}{}{}{}",
        gateway("name: g", &[("TLS", 443, "'*'", PASS)]),
        http_gateway("name: h", "'*'"),
        connections("name: v", "a.com, b.com, c.com", "g, h", rules),
        service("p.com"),
    ));
    assert_eq!(
        ["a.com", "b.com", "c.com"].map(|sni| outcome.sni(sni)),
        ["closed", "closed", "pass 1*outbound|80||p.com"]
    );
    assert_eq!(
        outcome.filter_chain("c.com").unwrap().name.as_ref(),
        "VirtualService default/v tls[0].match[2]"
    );
}

#[test]
fn passthrough_without_a_rule_takes_nobody() {
    let outcome = compiled(&format!(
        "{}{}{}",
        gateway("name: g", &[("TLS", 443, "a.com", PASS), ("HTTPS", 443, "b.com", SIMPLE)]),
        rules("name: v", "a.com", "g", &everything_to("p.com")),
        service("p.com"),
    ));
    assert_eq!(
        (outcome.sni("a.com").as_str(), outcome.sni("b.com").as_str()),
        ("closed", "https https.443.https-443-5.g.default")
    );
    let missing = outcome.diagnostic("no-route-for-server");
    assert!(missing.message.contains("`tls` rule for this TLS server"), "{}", missing.message);
    let states: Vec<_> = outcome.0.inventory.servers.iter().map(|server| server.state).collect();
    assert_eq!(states, [ServerState::NoRoutes, ServerState::Listening(0)]);
}

#[test]
fn case_53_names_that_overlap_belong_to_the_first() {
    let pass_first = [("TLS", 443, "'*.a.com'", PASS), ("HTTPS", 443, "x.a.com, y.a.com", SIMPLE)];
    let end_first = [pass_first[1], pass_first[0]];
    let with = |servers: &[(&str, u16, &str, &str)]| {
        compiled(&format!(
            "{}{}{}",
            gateway("name: g", servers),
            pass("v", "'*.a.com'", "x.a.com", "p.com"),
            service("p.com")
        ))
    };
    let outcome = with(&pass_first);
    assert_eq!(outcome.sni("x.a.com"), "pass 1*outbound|80||p.com");
    assert_eq!(outcome.sni("y.a.com"), "https https.443.https-443-16.g.default");
    assert_eq!(outcome.diagnostic("duplicate-server-name").field, "spec.servers[1].hosts[0]");
    let outcome = with(&end_first);
    assert_eq!(outcome.sni("x.a.com"), "https https.443.https-443-16.g.default");
    assert_eq!(
        outcome.diagnostic("duplicate-server-name").object.as_ref().unwrap().kind.as_ref(),
        "VirtualService"
    );
}

#[test]
fn certificates_of_secrets() {
    let outcome = with("mode: SIMPLE, credentialName: c");
    let spec = outcome.server_tls("a.com");
    assert_eq!(spec.name.as_ref(), "Gateway default/g servers[0]");
    assert_eq!((spec.place.field.as_ref(), spec.place.line), ("spec.servers[0].tls", 4));
    assert_eq!(spec.certificates, [CertificateSource::Secret(secret("c"))]);
    assert_eq!(spec.client, ClientAuthentication::None);
    assert_eq!(spec.parameters, Parameters::default());
    assert_eq!(spec.alpn, [Box::from(&b"h2"[..]), Box::from(&b"http/1.1"[..])]);
    let outcome = with("mode: MUTUAL, credentialNames: ['kubernetes://c', d]");
    let spec = outcome.server_tls("a.com");
    assert_eq!(spec.certificates, ["c", "d"].map(|name| CertificateSource::Secret(secret(name))));
    let ClientAuthentication::Certificate { required: true, authorities, .. } = &spec.client else {
        panic!()
    };
    assert_eq!(*authorities, AuthoritySource::Secret(secret("c")));
}

#[test]
fn certificates_in_files() {
    let outcome = with(
        "mode: OPTIONAL_MUTUAL, serverCertificate: a/cert.pem, privateKey: /key.pem, caCertificates: ca.pem, caCrl: crl.pem, subjectAltNames: [x]",
    );
    let spec = outcome.server_tls("a.com");
    let files = CertificateSource::Files { certificate: "a/cert.pem".into(), key: "/key.pem".into() };
    assert_eq!(spec.certificates, [files]);
    let ClientAuthentication::Certificate {
        required: false,
        authorities,
        names,
        accept_untrusted: false,
        ..
    } = &spec.client
    else {
        panic!()
    };
    let files = AuthoritySource::Files { authorities: "ca.pem".into(), revoked: Some("crl.pem".into()) };
    assert_eq!((authorities, names.as_slice()), (&files, &["x".into()][..]));
    let outcome = with(
        "mode: SIMPLE, tlsCertificates: [{serverCertificate: c1, privateKey: k1}, {serverCertificate: c2, privateKey: k2}]",
    );
    assert_eq!(outcome.server_tls("a.com").certificates.len(), 2);
}

#[test]
fn the_clients_authorities_may_be_in_a_secret_of_their_own() {
    let outcome = with("mode: MUTUAL, credentialName: c, caCertCredentialName: ca, insecureSkipVerify: true");
    let ClientAuthentication::Certificate { authorities, accept_untrusted: true, .. } =
        &outcome.server_tls("a.com").client
    else {
        panic!()
    };
    assert_eq!(*authorities, AuthoritySource::Exactly(secret("ca")));
}

#[test]
fn pins_are_for_secrets() {
    let pins = format!(
        "verifyCertificateSpki: ['{}='], verifyCertificateHash: ['{}']",
        "A".repeat(43),
        "ab:".repeat(32).trim_end_matches(':')
    );
    let pinned = |source: &str| {
        let outcome = with(&format!("mode: MUTUAL, {source}, {pins}"));
        let ClientAuthentication::Certificate { pins, .. } = &outcome.server_tls("a.com").client else {
            panic!()
        };
        (pins.clone(), outcome.0.diagnostics.iter().filter(|d| d.code == "no-effect").count())
    };
    let (of_secret, warnings) = pinned("credentialName: c");
    assert_eq!((of_secret.keys, of_secret.certificates, warnings), (vec![[0; 32]], vec![[0xab; 32]], 0));
    let (of_files, warnings) = pinned("serverCertificate: c, privateKey: k, caCertificates: ca");
    assert_eq!((of_files, warnings), (crate::tls::Pins::default(), 2));
}

#[test]
fn credentials_that_are_not_here() {
    for (credential, word) in
        [("sds://x", "`sds://`"), ("configmap://default/x", "ConfigMaps"), ("a/b/c", "no Secret")]
    {
        let outcome = with(&format!("mode: SIMPLE, credentialName: '{credential}'"));
        let problem = outcome.diagnostic("bad-credential");
        assert!(problem.message.contains(word), "{}", problem.message);
        assert_eq!(problem.field, "spec.servers[0].tls.credentialName");
        assert_eq!(outcome.0.inventory.servers[0].state, ServerState::LeftOut);
    }
    let outcome = with("mode: MUTUAL, credentialName: c, caCertCredentialName: 'configmap://default/ca'");
    assert_eq!(outcome.diagnostic("bad-credential").field, "spec.servers[0].tls.caCertCredentialName");
}

#[test]
fn case_49_unknown_suites_are_left_out() {
    let outcome = with(
        "mode: SIMPLE, credentialName: c, cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384, fake, ECDHE-ECDSA-AES128-GCM-SHA256]",
    );
    assert_eq!(outcome.server_tls("a.com").parameters.suites, [Suite::RsaAes256, Suite::EcdsaAes128]);
    assert!(outcome.diagnostic("unknown-tls-name").message.contains("`fake`"));
    let none = with("mode: SIMPLE, credentialName: c, cipherSuites: [fake]");
    assert_eq!(none.server_tls("a.com").parameters, Parameters::default());
}

#[test]
fn versions() {
    let parameters = |versions: &str| {
        let outcome = with(&format!("mode: SIMPLE, credentialName: c, {versions}"));
        let parameters = &outcome.server_tls("a.com").parameters;
        (parameters.tls12, parameters.tls13)
    };
    assert_eq!(parameters("minProtocolVersion: TLSV1_3"), (false, true));
    assert_eq!(parameters("maxProtocolVersion: TLSV1_2"), (true, false));
    assert_eq!(parameters("minProtocolVersion: TLSV1_0"), (true, true));
    assert_eq!(parameters("minProtocolVersion: TLS_AUTO, maxProtocolVersion: TLS_AUTO"), (true, true));
    let outcome =
        with("mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0, maxProtocolVersion: TLSV1_1");
    let problem = outcome.diagnostic("no-tls-version");
    assert_eq!(
        (problem.severity, problem.field.as_str()),
        (crate::config::Severity::Error, "spec.servers[0].tls.maxProtocolVersion")
    );
    assert_eq!(outcome.sni("a.com"), "refused");
}

#[test]
fn the_mesh_says_what_servers_do_not() {
    let mesh = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: o}\nspec: {meshConfig: {tlsDefaults: {minProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256], ecdhCurves: [P-256]}}}\n---\n";
    let with = |tls: &str| {
        let gateway = gateway(
            "name: g",
            &[("HTTPS", 443, "a.com", &format!(", tls: {{mode: SIMPLE, credentialName: c{tls}}}"))],
        );
        compiled(&format!("{gateway}{mesh}")).server_tls("a.com").parameters.clone()
    };
    let defaults = with("");
    assert_eq!(
        (defaults.tls12, defaults.suites, defaults.groups),
        (false, vec![Suite::RsaAes128], vec![crate::tls::Group::P256])
    );
    let own = with(", minProtocolVersion: TLSV1_2, ecdhCurves: [P-384]");
    assert_eq!(
        (own.tls12, own.suites, own.groups),
        (true, vec![Suite::RsaAes128], vec![crate::tls::Group::P384])
    );
}

#[test]
fn istio_mutual_needs_an_identity() {
    let yaml = gateway(
        "name: g",
        &[("HTTPS", 443, "a.com", ", tls: {mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://x/ns/a/sa/b']}")],
    );
    let without = compiled(&yaml);
    assert_eq!(without.sni("a.com"), "refused");
    let problem = without.diagnostic("no-identity");
    assert_eq!(
        (problem.severity, problem.field.as_str()),
        (crate::config::Severity::Error, "spec.servers[0].tls.mode")
    );
    let identity = Identity { certificate: "c".into(), key: "k".into(), authorities: "ca".into() };
    let options = Options { identity: Some(identity), ..Options::default() };
    let with = compiled_with(&options, &yaml);
    let spec = with.server_tls("a.com");
    assert_eq!(spec.certificates, [CertificateSource::Files { certificate: "c".into(), key: "k".into() }]);
    let ClientAuthentication::Certificate { required: true, authorities, names, .. } = &spec.client else {
        panic!()
    };
    assert_eq!(*authorities, AuthoritySource::Files { authorities: "ca".into(), revoked: None });
    assert_eq!(names.len(), 1);
}

#[test]
fn auto_passthrough_is_for_clients_of_the_mesh() {
    let entry = |name: &str, host: &str, location: &str| {
        object(
            "ServiceEntry",
            &format!("name: {name}"),
            &format!(
                "{{hosts: [{host}], location: {location}, resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{{address: 10.0.0.1}}]}}"
            ),
        )
    };
    let outcome = compiled(
        &[
            gateway("name: g", &[("TLS", 443, "'*.local'", ", tls: {mode: AUTO_PASSTHROUGH}")]),
            entry("a", "a.local", "MESH_INTERNAL"),
            entry("b", "b.local", "MESH_EXTERNAL"),
            entry("c", "c.org", "MESH_INTERNAL"),
            object(
                "DestinationRule",
                "name: r",
                "{host: a.local, trafficPolicy: {tls: {mode: SIMPLE}}, subsets: [{name: v1}]}",
            ),
        ]
        .concat(),
    );
    let Some(Chain::Tls(chains)) = outcome.0.snapshot.listeners.first().map(|listener| &listener.chain)
    else {
        panic!()
    };
    let find = |sni: &str, alpn: &str| chains.find(Some(sni), &[Box::from(alpn.as_bytes())]);
    assert_eq!(find("outbound_.80_._.a.local", "istio"), Some(0));
    assert_eq!(find("outbound_.80_.v1_.a.local", "istio-h2"), Some(1));
    assert_eq!(find("outbound_.80_._.a.local", "h2"), None);
    assert_eq!(chains.chains().len(), 2);
    // The bytes are TLS already.
    assert_eq!(outcome.cluster("outbound_.80_._.a.local").tls, None);
    assert_eq!(outcome.warnings(), [""; 0]);
    let none = compiled(&gateway("name: g", &[("TLS", 443, "'*.local'", ", tls: {mode: AUTO_PASSTHROUGH}")]));
    assert!(none.diagnostic("no-route-for-server").message.contains("covers a service of the mesh"));
}
