//! Acceptance cases of sections 9.1 to 9.7 that compiling alone can't show: TCP and TLS listeners that share a port or a name, what
//! a server's `tls` does to its clients, and credentials towards upstreams.

use super::{
    access_log::fields,
    certificates::{Authority, Leaf, LeafParams},
    harness::{Gateway, routed, service_entry},
    origin::Origin,
    tcp::{Raw, dial, rest, take},
    tls_client::{TlsClient, ask, believing},
    tls_files::secret,
    tls_origin::TlsOrigin,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
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
fn object(kind: &str, metadata: &str, spec: &str) -> String {
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
