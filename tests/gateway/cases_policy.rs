//! Acceptance cases of sections 9.1 to 9.4 that compiling alone can't show: TCP and TLS listeners that share a port or a name, what
//! a server's `tls` does to its clients.

use super::{
    access_log::fields,
    certificates::{Authority, Leaf},
    client::Client,
    harness::{Gateway, service_entry},
    origin::{Origin, dead_port},
    tcp::{Raw, dial, rest, take},
    tls_client::{Refused, TlsClient, ask, believing},
    tls_files::secret,
    tls_origin::TlsOrigin,
};
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
};

/// An object of networking.istio.io, in YAML's flow style.
pub(crate) fn object(kind: &str, metadata: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {{{spec}}}\n"
    )
}

/// A Gateway with these servers.
fn gateway(metadata: &str, servers: &[String]) -> String {
    object("Gateway", metadata, &format!("servers: [{}]", servers.join(", ")))
}

/// A server at `127.0.0.1`, unless `more` says where.
fn server(protocol: &str, port: u16, hosts: &str, more: &str) -> String {
    let bind = if more.contains("bind:") { "" } else { ", bind: 127.0.0.1" };
    let name = format!("{}-{port}-{}", protocol.to_ascii_lowercase(), hosts.len());
    format!(
        "{{port: {{number: {port}, name: {name}, protocol: {protocol}}}, hosts: [{hosts}]{bind}, {more}}}"
    )
}

/// A VirtualService that answers with a text.
fn saying(metadata: &str, hosts: &str, gateway: &str, text: &str) -> String {
    let http = format!("http: [{{directResponse: {{status: 200, body: {{string: {text}}}}}}}]");
    object("VirtualService", metadata, &format!("hosts: [{hosts}], gateways: [{gateway}], {http}"))
}

/// A ServiceEntry for one origin that does not speak HTTP.
fn raw_entry(host: &str, port: u16) -> String {
    service_entry(host, port).replace("name: http, protocol: HTTP", "name: tcp, protocol: TCP")
}

/// `GET /` at an address that is not the harness's; everything that comes back.
fn get_at(address: &str, port: u16, host: &str) -> String {
    let client = TcpStream::connect((address, port)).unwrap();
    write!(&client, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    String::from_utf8(rest(&client)).unwrap()
}

#[test]
fn case_11_of_two_gateways_for_tcp_on_one_port_the_first_is_routed() {
    let origin = Raw::new();
    let tcp = |namespace: &str| {
        gateway(&format!("name: gateway, namespace: {namespace}"), &[server("TCP", 80, "'*'", "")])
    };
    let rule =
        "hosts: ['*'], gateways: [istio-system/gateway], tcp: [{route: [{destination: {host: a.test}}]}]";
    let yaml = tcp("zeta")
        + &tcp("istio-system")
        + &object("VirtualService", "name: vs, namespace: istio-system", rule)
        + &raw_entry("a.test", origin.port());
    let gateway = Gateway::start(&[80], &yaml);
    let client = dial(&gateway, 80);
    (&client).write_all(b"question").unwrap();
    let at = origin.accept();
    assert_eq!(take(&at, 8), b"question");
    (&at).write_all(b"answer").unwrap();
    assert_eq!(take(&client, 6), b"answer");
    let said = gateway.said_so_far();
    assert!(said.contains("warning[port-conflict]") && said.contains("Gateway zeta/gateway"), "{said}");
    drop((client, at));
    gateway.stop();
}

#[test]
fn case_13_of_two_equal_tls_servers_the_first_serves_and_the_second_is_reported() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["web.test"]);
    let site = |namespace: &str| {
        let named = format!("name: gw, namespace: {namespace}");
        gateway(&named, &[server("HTTPS", 443, "./*", "tls: {mode: SIMPLE, credentialName: web}")])
            + &saying(&named, "'*'", &format!("{namespace}/gw"), namespace)
    };
    // Secrets are those of the program's own namespace, whichever a Gateway is in.
    let gateway = Gateway::start(&[443], &(site("two") + &site("one") + &secret("web", &leaf, None)));
    let client = believing(&[&root], None);
    assert_eq!(ask(gateway.port(443), &client, "web.test"), Ok((leaf.der, 200, "one".into())));
    let said = gateway.said_so_far();
    assert!(said.contains("warning[duplicate-host]") && said.contains("Gateway two/gw"), "{said}");
    gateway.stop();
}

#[test]
fn case_14_of_two_equal_passthrough_rules_the_first_wins_and_it_is_no_error() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["pass.test"]);
    let origins = ["one", "two"].map(|name| TlsOrigin::echo(name, &leaf));
    let rule = |name: &str, year: u16| {
        let tls = format!(
            "tls: [{{match: [{{sniHosts: [pass.test]}}], route: [{{destination: {{host: {name}.test}}}}]}}]"
        );
        object(
            "VirtualService",
            &format!("name: {name}, creationTimestamp: '{year}-01-01T00:00:00Z'"),
            &format!("hosts: [pass.test], gateways: [gw], {tls}"),
        )
    };
    let yaml = gateway("name: gw", &[server("TLS", 443, "'*'", "tls: {mode: PASSTHROUGH}")])
        + &rule("two", 2020)
        + &rule("one", 2010)
        + &raw_entry("one.test", origins[0].port())
        + &raw_entry("two.test", origins[1].port());
    let gateway = Gateway::start(&[443], &yaml);
    for _ in 0..4 {
        let (shown, status, body) = ask(gateway.port(443), &believing(&[&root], None), "pass.test").unwrap();
        assert_eq!((shown.as_slice(), status), (leaf.der.as_slice(), 200));
        assert!(body.starts_with("origin: one\n"), "{body}");
    }
    let said = gateway.said_so_far();
    assert!(said.contains("warning[duplicate-server-name]") && !said.contains("error["), "{said}");
    gateway.stop();
}

#[test]
fn case_19_each_bind_has_a_route_table_of_its_own() {
    let yaml = gateway(
        "name: gw",
        &[server("HTTP", 80, "a.test", ""), server("HTTP", 80, "ab.test", "bind: 127.0.0.2")],
    ) + &saying("name: a", "a.test", "gw", "first")
        + &saying("name: ab", "ab.test", "gw", "second");
    let gateway = Gateway::start(&[80], &yaml);
    let port = gateway.port(80);
    for (address, host, status, body) in [
        ("127.0.0.1", "a.test", 200, "first"),
        ("127.0.0.1", "ab.test", 404, ""),
        ("127.0.0.2", "a.test", 404, ""),
        ("127.0.0.2", "ab.test", 200, "second"),
    ] {
        let answer = get_at(address, port, host);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{address} {host}: {answer}");
        assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, body, "{address} {host}");
    }
    gateway.stop();
}

#[test]
fn case_20_https_and_http_with_one_number_and_two_binds_in_either_order() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["web.test"]);
    let https = gateway(
        "name: foo-https",
        &[server("HTTPS", 443, "'*'", "tls: {mode: SIMPLE, credentialName: web}")],
    );
    let http = gateway("name: foo-http", &[server("HTTP", 443, "'*'", "bind: 127.0.0.2")]);
    for gateways in [format!("{https}{http}"), format!("{http}{https}")] {
        let yaml = gateways
            + &saying("name: a", "'*'", "foo-https", "secure")
            + &saying("name: b", "'*'", "foo-http", "plain")
            + &secret("web", &leaf, None);
        let gateway = Gateway::start(&[443], &yaml);
        let secure = ask(gateway.port(443), &believing(&[&root], None), "web.test");
        assert_eq!(secure, Ok((leaf.der.clone(), 200, "secure".into())));
        assert!(get_at("127.0.0.2", gateway.port(443), "web.test").ends_with("\r\n\r\nplain"));
        let said = gateway.said_so_far();
        assert!(!said.contains("port-conflict"), "{said}");
        gateway.stop();
    }
}

/// A Service of the gateway's own workload.
fn workload(metadata: &str, ports: &[(u16, u16)]) -> String {
    let ports: Vec<String> = ports
        .iter()
        .map(|(port, target)| format!("{{name: p{port}, port: {port}, targetPort: {target}}}"))
        .collect();
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{namespace: istio-system, {metadata}}}\nspec: {{selector: {{istio: \
         ingressgateway}}, ports: [{}]}}\n",
        ports.join(", ")
    )
}

/// What makes it the gateway workload of the acceptance cases.
const INGRESS: [&str; 4] = ["--labels", "istio=ingressgateway", "--namespace", "istio-system"];

/// `GET /path` on a port that the files decide; the status and the body.
fn get_on(port: u16, path: &str) -> (u16, String) {
    let mut client = Client::connect(port);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n").as_bytes());
    let answer = client.answer("GET");
    (answer.status, answer.text().to_owned())
}

#[test]
fn case_22_two_numbers_with_one_target_port_are_one_listener_with_the_rules_of_both() {
    let port = dead_port();
    let rule = |name: &str| {
        let http = format!(
            "http: [{{match: [{{uri: {{prefix: /{name}}}}}], directResponse: {{status: 200, body: {{string: {name}}}}}}}]"
        );
        object(
            "VirtualService",
            &format!("name: {name}"),
            &format!("hosts: [web.test], gateways: [{name}], {http}"),
        )
    };
    let yaml = workload("name: s", &[(80, port), (port, port)])
        + &gateway("name: a", &[server("HTTP", 80, "web.test", "")])
        + &gateway("name: b", &[server("HTTP", port, "web.test", "")])
        + &rule("a")
        + &rule("b");
    let gateway = Gateway::start_with(&[], &yaml, &INGRESS);
    assert_eq!(get_on(port, "/a"), (200, "a".into()));
    assert_eq!(get_on(port, "/b"), (200, "b".into()));
    assert_eq!(get_on(port, "/c"), (404, String::new()));
    gateway.stop();
}

#[test]
fn case_23_the_ports_of_a_service_that_says_so_are_not_translated() {
    let (translated, own) = (dead_port(), dead_port());
    let label = "name: a, labels: {experimental.istio.io/disable-gateway-port-translation: 'true'}";
    let yaml = workload(label, &[(80, own)])
        + &workload("name: b", &[(80, translated)])
        + &gateway("name: a", &[server("HTTP", 80, "'*'", "")])
        + &gateway("name: b", &[server("HTTP", own, "'*'", "")])
        + &saying("name: a", "'*'", "a", "translated")
        + &saying("name: b", "'*'", "b", "own");
    let gateway = Gateway::start_with(&[], &yaml, &INGRESS);
    assert_eq!(get_on(translated, "/"), (200, "translated".into()));
    assert_eq!(get_on(own, "/"), (200, "own".into()));
    gateway.stop();
}

#[test]
fn case_38_each_server_of_a_port_judges_clients_by_its_own_secret() {
    let root = Authority::new("root");
    let names = ["a.test", "b.test", "c.test"];
    let sites = names.map(|name| (name, root.leaf(&[name]), Authority::new(name)));
    let mut servers = Vec::new();
    let mut more = saying("name: vs", "'*'", "gw", "served");
    for (name, leaf, clients) in &sites {
        servers.push(
            server("HTTPS", 443, name, &format!("tls: {{mode: MUTUAL, credentialName: {name}}}"))
                .replace("name: https-443", &format!("name: {}", name.replace('.', "-"))),
        );
        more += &secret(name, leaf, Some(clients));
    }
    let gateway = Gateway::start(&[443], &(gateway("name: gw", &servers) + &more));
    for (of, _, clients) in &sites {
        let client = believing(&[&root], Some(&clients.leaf(&["client"])));
        for (name, leaf, _) in &sites {
            let answer = ask(gateway.port(443), &client, name);
            let expected = match of == name {
                true => Ok((leaf.der.clone(), 200, "served".into())),
                false => Err(Refused::Alert(AlertDescription::UnknownCA)),
            };
            assert_eq!(answer, expected, "a client of {of} at {name}");
        }
    }
    gateway.stop();
}

/// An HTTPS server for `web.test` with this in its `tls`, which answers `served`.
fn secure(tls: &str, leaf: &Leaf) -> Gateway {
    let yaml = gateway(
        "name: gw",
        &[server("HTTPS", 443, "web.test", &format!("tls: {{mode: SIMPLE, credentialName: web, {tls}}}"))],
    ) + &saying("name: vs", "web.test", "gw", "served")
        + &secret("web", leaf, None);
    Gateway::start(&[443], &yaml)
}

#[test]
fn case_29_https_redirect_on_https_redirects_nobody_and_is_warned_of() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["web.test"]);
    let gateway = secure("httpsRedirect: true", &leaf);
    let answer = ask(gateway.port(443), &believing(&[&root], None), "web.test");
    assert_eq!(answer, Ok((leaf.der, 200, "served".into())));
    let said = gateway.said_so_far();
    assert!(said.contains("warning[no-effect]") && said.contains("httpsRedirect"), "{said}");
    gateway.stop();
}

/// Believes everybody, and tells which OCSP response came with the certificate.
#[derive(Debug)]
struct Stapled(Sender<Vec<u8>>);

impl ServerCertVerifier for Stapled {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        response: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.send(response.to_vec()).unwrap();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[test]
fn case_47_the_staple_of_a_secret_is_sent() {
    let leaf = Authority::new("root").leaf(&["web.test"]);
    for (more, expected) in [("  tls.ocsp-staple: a response\n", &b"a response"[..]), ("", b"")] {
        let yaml =
            gateway("name: gw", &[server("HTTPS", 443, "'*'", "tls: {mode: SIMPLE, credentialName: web}")])
                + &saying("name: vs", "'*'", "gw", "served")
                + &secret("web", &leaf, None)
                + more;
        let gateway = Gateway::start(&[443], &yaml);
        for version in rustls::ALL_VERSIONS {
            let (sender, responses) = channel();
            let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
            let builder = builder.with_protocol_versions(&[*version]).unwrap().dangerous();
            let client =
                builder.with_custom_certificate_verifier(Arc::new(Stapled(sender))).with_no_client_auth();
            assert_eq!(ask(gateway.port(443), &client, "web.test").unwrap().1, 200, "{version:?}");
            assert_eq!(responses.recv().unwrap(), expected, "{version:?}");
        }
        gateway.stop();
    }
}

#[test]
fn case_49_a_cipher_suite_that_nobody_knows_is_ignored_and_warned_of() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["web.test"]);
    let gateway =
        secure("cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384, fake, ECDHE-ECDSA-AES128-GCM-SHA256]", &leaf);
    let answer = ask(gateway.port(443), &believing(&[&root], None), "web.test");
    assert_eq!(answer, Ok((leaf.der, 200, "served".into())));
    let said = gateway.said_so_far();
    assert!(said.contains("warning[unknown-tls-name]") && said.contains("`fake`"), "{said}");
    gateway.stop();
}

#[test]
fn case_52_a_client_that_says_nothing_is_closed_after_15_seconds() {
    let leaf = Authority::new("root").leaf(&["web.test"]);
    let gateway = secure("minProtocolVersion: TLSV1_2", &leaf);
    let client = dial(&gateway, 443);
    assert_eq!(rest(&client), b"");
    let line = gateway.log_line();
    let fields = fields(&line);
    assert_eq!((&*fields[4], &*fields[5]), ("tls_handshake_failed", "handshake_timeout"), "{line}");
    // As the log has it, in milliseconds; clocks of the timer and of the log may round differently.
    assert!(fields[9].parse::<u64>().unwrap() >= 14_900, "{line}");
    gateway.stop();
}

#[test]
fn case_53_names_of_servers_that_overlap_leave_the_listener_as_it_should_be() {
    let root = Authority::new("root");
    let names = ["a.test", "x.web.test", "y.web.test"];
    let (wide, narrow) = (root.leaf(&names), root.leaf(&names));
    let with = |name: &str, hosts: &str| {
        server("HTTPS", 443, hosts, &format!("tls: {{mode: SIMPLE, credentialName: {name}}}"))
    };
    // What stands twice in one server is one name; a wildcard and a name below it are two.
    let (one, two) = (with("wide", "a.test, '*.web.test', a.test"), with("narrow", "x.web.test"));
    for gateways in [
        gateway("name: gw", &[one.clone(), two.clone()]),
        gateway("name: gw", &[two.clone(), one.clone()]),
        gateway("name: gw", &[one]) + &gateway("name: other", &[two]),
    ] {
        let yaml = gateways
            + &saying("name: vs", "'*'", "gw, other", "served")
            + &secret("wide", &wide, None)
            + &secret("narrow", &narrow, None);
        let gateway = Gateway::start(&[443], &yaml);
        let client = believing(&[&root], None);
        for (name, leaf) in names.into_iter().zip([&wide, &narrow, &wide]) {
            let answer = ask(gateway.port(443), &client, name);
            assert_eq!(answer, Ok((leaf.der.clone(), 200, "served".into())), "{name}");
        }
        let said = gateway.said_so_far();
        assert!(said.contains("the host `a.test` is listed twice"), "{said}");
        gateway.stop();
    }
}

#[test]
fn case_64_a_rule_for_https_holds_for_clients_with_tls_alone() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["web.test"]);
    let origin = Origin::echo();
    let rule = "match: [{scheme: {exact: https}}], headers: {request: {add: {x-scheme: secure}}}, \
                route: [{destination: {host: a.test}}]";
    let yaml = gateway(
        "name: gw",
        &[
            server("HTTP", 80, "'*'", ""),
            server("HTTPS", 443, "'*'", "tls: {mode: SIMPLE, credentialName: web}"),
        ],
    ) + &object(
        "VirtualService",
        "name: vs",
        &format!("hosts: ['*'], gateways: [gw], http: [{{{rule}}}]"),
    ) + &service_entry("a.test", origin.port())
        + &secret("web", &leaf, None);
    let gateway = Gateway::start(&[80, 443], &yaml);
    let (_, status, body) = ask(gateway.port(443), &believing(&[&root], None), "web.test").unwrap();
    assert!(status == 200 && body.contains("\nx-scheme: secure\n"), "{status} {body}");
    assert_eq!(gateway.get(80, "web.test", "/").status, 404);
    // A client without TLS may not say that it has it, nor one with TLS that it has none.
    let claims = [("x-forwarded-proto", "https")];
    assert_eq!(gateway.request(80, "GET", "web.test", "/", &claims).status, 404);
    let client = Arc::new(believing(&[&root], None));
    let mut client = TlsClient::connect(gateway.port(443), &client, "web.test").unwrap();
    assert_eq!(client.get("web.test", &[("x-forwarded-proto", "http")]).unwrap().0, 200);
    gateway.stop();
}
