//! Specification section 4.6 and cases of 9.6: TLS and the PROXY protocol to destinations.

use super::*;
use crate::{
    table::{ProxyVersion, ServerName},
    tls::{AuthoritySource, CertificateSource, ClientSpec, NameRule, SecretName, ServerVerification},
};
use std::time::Duration;

const ENTRY: &str = "hosts: [p.com], resolution: DNS, ports: [{number: 443, name: https, protocol: HTTPS}]";

/// A Gateway, a rule to `p.com`, and a DestinationRule with this policy.
fn with(policy: &str, more: &str) -> Outcome {
    with_options(&Options::default(), ENTRY, policy, more)
}

fn with_options(options: &Options, entry: &str, policy: &str, more: &str) -> Outcome {
    let yaml = [
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        object("ServiceEntry", "name: p", &format!("{{{entry}}}")),
        object("DestinationRule", "name: r", &format!("{{host: p.com, trafficPolicy: {{{policy}}}}}")),
        more.to_owned(),
    ];
    compiled_with(options, &yaml.concat())
}

/// How TLS is spoken to `p.com`, and the SNI.
fn tls(outcome: &Outcome) -> (&ClientSpec, &ServerName) {
    let cluster = outcome.cluster("outbound|443||p.com");
    let tls = cluster.tls.as_ref().unwrap_or_else(|| panic!("{:#?}", outcome.0.diagnostics));
    (&outcome.0.snapshot.client_tls[tls.context.0 as usize], &tls.server_name)
}

fn chain(authorities: Option<AuthoritySource>, names: NameRule) -> ServerVerification {
    ServerVerification::Chain { authorities, names }
}

fn secret(name: &str) -> SecretName {
    SecretName { namespace: "default".into(), name: name.into() }
}

#[test]
fn simple_trusts_the_operating_system_and_compares_the_host() {
    let outcome = with("tls: {mode: SIMPLE}", "");
    let (spec, server_name) = tls(&outcome);
    assert_eq!(spec.verify, chain(None, NameRule::ServerName));
    assert_eq!((spec.certificate.as_ref(), spec.alpn.len()), (None, 0));
    assert_eq!(*server_name, ServerName::FromAuthority);
    assert_eq!(spec.name.as_ref(), "DestinationRule default/r");
    assert_eq!((spec.place.field.as_ref(), spec.place.line), ("spec.trafficPolicy.tls", 19));
    assert_eq!(outcome.endpoints("outbound|443||p.com"), ["dns p.com:443"]);
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn disable_is_plain_text() {
    let outcome = with("tls: {mode: DISABLE}", "");
    assert_eq!(outcome.cluster("outbound|443||p.com").tls, None);
    assert!(outcome.diagnostic("plain-text-to-tls-port").message.contains("`p.com`, port 443"));
}

#[test]
fn names_are_those_of_the_rule_then_of_the_service_entry() {
    let entry = format!("{ENTRY}, subjectAltNames: [of.entry]");
    let names = |entry: &str, tls: &str| {
        let outcome = with_options(&Options::default(), entry, &format!("tls: {{mode: SIMPLE{tls}}}"), "");
        let (spec, _) = self::tls(&outcome);
        let ServerVerification::Chain { names, .. } = &spec.verify else { panic!() };
        (names.clone(), outcome.warnings())
    };
    let listed = |name: &str| (NameRule::Listed(vec![name.into()]), Vec::new());
    assert_eq!(names(&entry, ", subjectAltNames: [of.rule], sni: x.com"), listed("of.rule"));
    assert_eq!(names(&entry, ", sni: x.com"), listed("of.entry"));
    assert_eq!(names(ENTRY, ", sni: X.com"), (NameRule::Any, vec!["name-not-checked 19".to_owned()]));
    let outcome = with("tls: {mode: SIMPLE, sni: X.com}", "");
    assert_eq!(*tls(&outcome).1, ServerName::Fixed("x.com".into()));
}

#[test]
fn files_of_authorities_and_certificates() {
    let files = "clientCertificate: c.pem, privateKey: k.pem, caCertificates: ca.pem, caCrl: crl.pem";
    let outcome = with(&format!("tls: {{mode: MUTUAL, {files}}}"), "");
    let (spec, _) = tls(&outcome);
    let certificate = CertificateSource::Files { certificate: "c.pem".into(), key: "k.pem".into() };
    assert_eq!(spec.certificate, Some(certificate));
    let authorities =
        AuthoritySource::Files { authorities: "ca.pem".into(), revoked: Some("crl.pem".into()) };
    assert_eq!(spec.verify, chain(Some(authorities), NameRule::ServerName));
    // Lists of revoked certificates are for authorities that are named.
    let outcome = with("tls: {mode: SIMPLE, caCrl: crl.pem}", "");
    assert_eq!(outcome.endpoints("outbound|443||p.com"), [""; 0]);
    assert!(outcome.diagnostic("no-endpoints").message.contains("`caCrl` without `caCertificates`"));
}

#[test]
fn cases_106_and_107_secrets() {
    let outcome = with("tls: {mode: SIMPLE, credentialName: c}", &secret_with("c-cacert", "cacert: YQ=="));
    let (spec, _) = tls(&outcome);
    assert_eq!(spec.certificate, None);
    assert_eq!(spec.verify, chain(Some(AuthoritySource::Secret(secret("c"))), NameRule::ServerName));
    assert_eq!(outcome.warnings(), [""; 0]);
    let outcome = with("tls: {mode: MUTUAL, credentialName: c}", &secret_with("c", "cert: YQ==, key: YQ=="));
    let (spec, _) = tls(&outcome);
    assert_eq!(spec.certificate, Some(CertificateSource::Secret(secret("c"))));
    let problem = outcome.diagnostic("incomplete-secret");
    assert_eq!(problem.field, "spec.trafficPolicy.tls.credentialName");
    assert!(problem.message.contains("does not have authorities"), "{}", problem.message);
    assert!(problem.help.as_ref().unwrap().ends_with("found cert, key"));
    let outcome = with("tls: {mode: SIMPLE, credentialName: c}", "");
    assert!(outcome.diagnostic("missing-secret").message.contains("`default/c`"));
    let outcome = with("tls: {mode: SIMPLE, credentialName: 'configmap://default/c'}", "");
    assert!(outcome.diagnostic("no-endpoints").message.contains("ConfigMaps are not read"));
}

fn secret_with(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{{data}}}\n---\n")
}

#[test]
fn skipped_verification() {
    let outcome = with("tls: {mode: SIMPLE, insecureSkipVerify: true}", "");
    assert_eq!(tls(&outcome).0.verify, ServerVerification::None);
    let outcome = with(
        "tls: {mode: MUTUAL, insecureSkipVerify: true, credentialName: c}",
        &secret_with("c", "cert: YQ==, key: YQ=="),
    );
    assert_eq!(tls(&outcome).0.verify, ServerVerification::None);
    assert!(!outcome.has("incomplete-secret"));
}

#[test]
fn istio_mutual_uses_the_identity() {
    let outcome = with("tls: {mode: ISTIO_MUTUAL}", "");
    assert_eq!(outcome.endpoints("outbound|443||p.com"), [""; 0]);
    assert!(outcome.diagnostic("no-endpoints").message.contains("--identity-cert"));
    let identity = Identity { certificate: "c".into(), key: "k".into(), authorities: "ca".into() };
    let options = Options { identity: Some(identity), ..Options::default() };
    let entry = ENTRY.replace("HTTPS", "HTTP");
    let outcome = with_options(&options, &entry, "tls: {mode: ISTIO_MUTUAL}", "");
    let (spec, server_name) = tls(&outcome);
    assert_eq!(*server_name, ServerName::Fixed("outbound_.443_._.p.com".into()));
    let authorities = AuthoritySource::Files { authorities: "ca".into(), revoked: None };
    assert_eq!(spec.verify, chain(Some(authorities), NameRule::Any));
    assert_eq!(spec.alpn[0].as_ref(), b"istio-http/1.1");
    let entry = ENTRY.replace("HTTPS", "TCP");
    let outcome = with_options(&options, &entry, "tls: {mode: ISTIO_MUTUAL}", "");
    assert_eq!(tls(&outcome).0.alpn, [Box::from(&b"istio"[..])]);
}

#[test]
fn case_112_a_port_without_tls_is_plain_text() {
    let outcome = with(
        "tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 443}, loadBalancer: {simple: RANDOM}}]",
        "",
    );
    assert_eq!(outcome.cluster("outbound|443||p.com").tls, None);
    let outcome = with("portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]", "");
    assert_eq!(tls(&outcome).0.place.field.as_ref(), "spec.trafficPolicy.portLevelSettings[0].tls");
}

#[test]
fn equal_settings_are_shared() {
    let rule = "{host: p.com, trafficPolicy: {tls: {mode: SIMPLE}}, subsets: [{name: v1}, {name: v2}, {name: v3, trafficPolicy: {tls: {mode: SIMPLE, sni: x.com}}}]}";
    let destination = |subset: &str| format!("{{destination: {{host: p.com, subset: {subset}}}, weight: 1}}");
    let routes = ["v1", "v2", "v3"].map(destination).join(", ");
    let outcome = compiled(&format!(
        "{}{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &format!("{{route: [{routes}]}}")),
        object("ServiceEntry", "name: p", &format!("{{{ENTRY}}}")),
        object("DestinationRule", "name: r", rule),
    ));
    assert_eq!(outcome.0.snapshot.client_tls.len(), 2);
    let context =
        |subset: &str| outcome.cluster(&format!("outbound|443|{subset}|p.com")).tls.clone().unwrap().context;
    assert_eq!(context("v1"), context("v2"));
    assert_ne!(context("v1"), context("v3"));
    assert_eq!(outcome.0.snapshot.client_tls[1].place.field.as_ref(), "spec.subsets[2].trafficPolicy.tls");
}

#[test]
fn tcp_names_no_host() {
    let to_tls = |tls: &str| {
        compiled(&format!(
            "{}{}{}{}",
            gateway("name: g", &[("TCP", 9000, "'*'", "")]),
            connections("name: v", "a.com", "g", &format!("tcp: [{}]", everything_to("p.com"))),
            object("ServiceEntry", "name: p", &format!("{{{ENTRY}}}")),
            object(
                "DestinationRule",
                "name: r",
                &format!("{{host: p.com, trafficPolicy: {{tls: {{mode: SIMPLE{tls}}}}}}}")
            ),
        ))
    };
    assert_eq!(to_tls("").diagnostic("no-server-name").field, "spec.tcp[0].route[0].destination");
    assert_eq!(to_tls(", sni: p.com, subjectAltNames: [p.com]").warnings(), [""; 0]);
    assert_eq!(to_tls(", insecureSkipVerify: true").warnings(), [""; 0]);
}

#[test]
fn bytes_to_a_port_that_speaks_tls_are_what_passthrough_is_for() {
    let outcome = compiled(&format!(
        "{}{}{}",
        gateway("name: g", &[("TLS", 443, "p.com", ", tls: {mode: PASSTHROUGH}")]),
        connections(
            "name: v",
            "p.com",
            "g",
            "tls: [{match: [{sniHosts: [p.com]}], route: [{destination: {host: p.com}}]}]"
        ),
        object("ServiceEntry", "name: p", &format!("{{{ENTRY}}}")),
    ));
    assert_eq!(outcome.sni("p.com"), "pass 1*outbound|443||p.com");
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn tls_around_tls_is_hardly_meant() {
    let with = |tls: &str| {
        compiled(&format!(
            "{}{}{}{}",
            gateway("name: g", &[("TLS", 443, "p.com", ", tls: {mode: PASSTHROUGH}")]),
            connections(
                "name: v",
                "p.com",
                "g",
                "tls: [{match: [{sniHosts: [p.com]}], route: [{destination: {host: p.com, subset: a}}]}]"
            ),
            object("ServiceEntry", "name: p", &format!("{{{ENTRY}}}")),
            object(
                "DestinationRule",
                "name: r",
                &format!(
                    "{{host: p.com, trafficPolicy: {{tls: {{mode: SIMPLE}}}}, subsets: [{{name: a{tls}}}]}}"
                )
            ),
        ))
    };
    assert_eq!(with("").warnings(), ["tls-in-tls 9"]);
    assert_eq!(with(", trafficPolicy: {tls: {mode: DISABLE}}").warnings(), [""; 0]);
}

#[test]
fn case_118_proxy_protocol_and_idle_time() {
    let of = |policy: &str| {
        let outcome = with(&format!("tls: {{mode: SIMPLE}}, {policy}"), "");
        let cluster = outcome.cluster("outbound|443||p.com");
        (cluster.proxy_protocol, cluster.tcp_idle_timeout, outcome.warnings())
    };
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(of("proxyProtocol: {version: V2}"), (Some(ProxyVersion::V2), hour, Vec::new()));
    assert_eq!(of("proxyProtocol: {}"), (Some(ProxyVersion::V1), hour, Vec::new()));
    let pool = |time| format!("connectionPool: {{tcp: {{idleTimeout: {time}}}}}");
    assert_eq!(of(&pool("5s")), (None, Some(Duration::from_secs(5)), Vec::new()));
    assert_eq!(of(&pool("0s")), (None, None, Vec::new()));
}
