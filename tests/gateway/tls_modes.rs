//! The TLS modes of a Gateway, with clients that are not ours: `openssl s_client`, curl and Python have to agree on each.

use super::{
    certificates::{Authority, KeyKind, Leaf, LeafParams},
    harness::{Folder, Gateway, service_entry},
    origin::Origin,
    tls_files::{files, secret},
    tls_origin::TlsOrigin,
    tools::{Ask, Tool, has, tools},
};
use std::path::PathBuf;

/// A gateway with a server of each mode on port 443 and one for every name on port 8443, and what its clients need.
struct Site {
    gateway: Gateway,
    folder: Folder,
    /// The file of the authority of all servers.
    authority: PathBuf,
    /// Who vouches for clients.
    clients: Authority,
}

const SERVERS: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 443, name: simple, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [simple.test, '*.wild.test']
    tls: {mode: SIMPLE, credentialName: simple}
  - port: {number: 443, name: mutual, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [mutual.test]
    tls: {mode: MUTUAL, credentialName: mutual}
  - port: {number: 443, name: optional, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [optional.test]
    tls: {mode: OPTIONAL_MUTUAL, credentialName: optional}
  - port: {number: 443, name: pass, protocol: TLS}
    bind: 127.0.0.1
    hosts: [pass.test]
    tls: {mode: PASSTHROUGH}
  - port: {number: 8443, name: any, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: ['*']
    tls: {mode: SIMPLE, credentialName: any}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - route: [{destination: {host: web.internal}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pass}
spec:
  hosts: [pass.test]
  gateways: [gw]
  tls:
  - match: [{port: 443, sniHosts: [pass.test]}]
    route: [{destination: {host: tls.internal, port: {number: 80}}}]
";

impl Site {
    fn new() -> Site {
        Site::with(&[])
    }

    fn with(arguments: &[&str]) -> Site {
        let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
        let origin = TlsOrigin::echo("passed", &authority.leaf(&["pass.test"]));
        let mut yaml = SERVERS.to_owned();
        yaml.push_str(&service_entry("web.internal", Origin::named("web").port()));
        yaml.push_str(
            &service_entry("tls.internal", origin.port()).replace("protocol: HTTP,", "protocol: TLS,"),
        );
        let simple = authority.leaf(&["simple.test", "*.wild.test", "simple.wild.test"]);
        yaml.push_str(&secret("simple", &simple, None));
        yaml.push_str(&secret("mutual", &authority.leaf(&["mutual.test"]), Some(&clients)));
        yaml.push_str(&secret("optional", &authority.leaf(&["optional.test"]), Some(&clients)));
        yaml.push_str(&secret("any", &authority.leaf(&["any.test"]), None));
        let folder = Folder::new();
        let authority = folder.put("authority.crt", &authority.pem());
        Site { gateway: Gateway::start_with(&[443, 8443], &yaml, arguments), folder, authority, clients }
    }

    /// A request to a server of port 443.
    fn ask<'a>(&'a self, name: &'a str) -> Ask<'a> {
        let port = self.gateway.port(443);
        Ask { port, name: Some(name), authority: Some(&self.authority), ..Ask::default() }
    }

    /// The files of a client's certificate and key.
    fn files(&self, name: &str, leaf: &Leaf) -> (PathBuf, PathBuf) {
        files(self.folder.path(), name, leaf)
    }
}

#[test]
fn every_tool_tells_what_a_server_that_is_not_ours_says() {
    let authority = Authority::new("authority");
    let origin = TlsOrigin::echo("own", &authority.leaf(&["web.test"]));
    let folder = Folder::new();
    let trusted = folder.put("authority.crt", &authority.pem());
    let other = folder.put("other.crt", &Authority::new("other").pem());
    for tool in tools() {
        let ask =
            Ask { port: origin.port(), name: Some("web.test"), authority: Some(&trusted), ..Ask::default() };
        let served = tool.get(ask).served();
        assert_eq!(served.status, 200, "{tool:?}");
        assert!(served.body.contains("origin: own\nsni: web.test\n"), "{tool:?}: {served:?}");
        let told = ("TLSv1.3", "web.test");
        assert!(tool == Tool::Curl || (&*served.version, &*served.subject) == told, "{tool:?}: {served:?}");
        let ask = Ask { authority: Some(&other), ..ask };
        assert!(tool.get(ask).is_refused(), "{tool:?} believes somebody it does not know");
    }
}

#[test]
fn clients_certificates_are_judged_as_the_mode_says() {
    let site = Site::new();
    let cases = [
        ("none", None),
        ("good", Some(site.clients.leaf(&["good.client"]))),
        ("of another authority", Some(Authority::new("clients").leaf(&["other.client"]))),
        ("expired", Some(site.clients.make(LeafParams::new(&["expired.client"]).years(1999, 2001)))),
        ("for servers only", Some(site.clients.make(LeafParams::new(&["server.client"]).for_servers()))),
    ];
    for (case, identity) in &cases {
        let files = identity.as_ref().map(|identity| site.files(case, identity));
        let identity = files.as_ref().map(|(certificate, key)| (&**certificate, &**key));
        for (server, is_served) in [
            ("simple.test", true),
            ("mutual.test", *case == "good"),
            ("optional.test", *case == "none" || *case == "good"),
            ("pass.test", true),
        ] {
            for (tool, version) in each(&tools(), &["1.2", "1.3"]) {
                let ask = Ask { identity, version: Some(version), ..site.ask(server) };
                let outcome = tool.get(ask);
                let what = format!("{tool:?}, TLS {version}, {server}, certificate: {case}");
                if !is_served {
                    assert!(outcome.is_refused(), "{what}: {outcome:?}");
                    continue;
                }
                let served = outcome.served();
                assert_eq!(served.status, 200, "{what}: {served:?}");
                let origin = if server == "pass.test" { "origin: passed" } else { "origin: web" };
                assert!(served.body.starts_with(origin), "{what}: {served:?}");
                let is_told = served.body.contains("x-forwarded-client-cert: ");
                let is_checked = *case == "good" && server != "simple.test" && server != "pass.test";
                assert_eq!(is_told, is_checked, "{what}: {served:?}");
                if tool != Tool::Curl {
                    assert_eq!((&*served.version, &*served.subject), (&*format!("TLSv{version}"), server));
                }
            }
        }
    }
    site.gateway.stop();
}

#[test]
fn the_name_of_the_server_chooses_the_certificate() {
    let site = Site::new();
    for tool in tools().into_iter().filter(|tool| *tool != Tool::Curl) {
        for (sent, subject) in [
            ("simple.test", Some("simple.test")),
            ("SIMPLE.Test", Some("simple.test")),
            ("simple.test.", Some("simple.test")),
            ("a.wild.test", Some("simple.test")),
            ("a.b.WILD.test.", Some("simple.test")),
            ("wild.test", None),
            ("mutual.test", Some("mutual.test")),
            ("unknown.test", None),
        ] {
            let identity = site.files("client", &site.clients.leaf(&["a.client"]));
            // A Host that the server knows: what is looked at here is the choice by SNI.
            let host = Some(sent.trim_end_matches('.'));
            let ask = Ask { host, identity: Some((&identity.0, &identity.1)), ..site.ask(sent) };
            let outcome = tool.get(ask);
            let Some(subject) = subject else {
                assert!(outcome.is_refused(), "{tool:?}, {sent}: {outcome:?}");
                continue;
            };
            let served = outcome.served();
            assert_eq!((served.status, &*served.subject), (200, subject), "{tool:?}, {sent}");
        }
        // Only a server for every name serves who sends none.
        let ask = Ask { name: None, ..site.ask("") };
        assert!(tool.get(ask).is_refused(), "{tool:?}, no name");
        let served = tool.get(Ask { port: site.gateway.port(8443), ..ask }).served();
        assert_eq!((served.status, &*served.subject), (200, "any.test"), "{tool:?}, no name");
    }
    assert!(site.gateway.metric("envoy_listener_no_filter_chain_match") > 0.0);
    site.gateway.stop();
}

#[test]
fn a_protocol_is_agreed_by_alpn_where_there_is_a_common_one() {
    let site = Site::new();
    for (tool, version) in each(&tools(), &["1.2", "1.3"]) {
        if tool == Tool::Curl {
            continue;
        }
        for (offered, agreed) in [
            (&["http/1.1"][..], "http/1.1"),
            (&["unknown", "http/1.1"], "http/1.1"),
            (&["unknown"], ""),
            (&[], ""),
        ] {
            let served =
                tool.get(Ask { alpn: offered, version: Some(version), ..site.ask("simple.test") }).served();
            assert_eq!((served.status, &*served.alpn), (200, agreed), "{tool:?}, TLS {version}: {offered:?}");
        }
        // Passthrough touches nothing: the origin offers none.
        let served = tool.get(Ask { alpn: &["http/1.1"], ..site.ask("pass.test") }).served();
        assert_eq!((served.status, &*served.alpn), (200, ""), "{tool:?}");
    }
    site.gateway.stop();
}

#[test]
fn a_host_of_another_server_of_the_port_is_misdirected() {
    let site = Site::new();
    for tool in tools() {
        let status = |sni, host| tool.get(Ask { host: Some(host), ..site.ask(sni) }).served().status;
        assert_eq!(status("simple.test", "simple.test"), 200, "{tool:?}");
        // The same server has both names.
        assert_eq!(status("a.wild.test", "simple.test"), 200, "{tool:?}");
        assert_eq!(status("simple.test", "b.wild.test"), 200, "{tool:?}");
        assert_eq!(status("simple.test", "optional.test"), 421, "{tool:?}");
        assert_eq!(status("optional.test", "mutual.test"), 421, "{tool:?}");
        assert_eq!(status("simple.test", "unknown.test"), 404, "{tool:?}");
    }
    site.gateway.stop();
}

#[test]
fn sessions_are_resumed_by_whichever_worker_gets_the_client() {
    if !has("openssl") {
        return;
    }
    let site = Site::new();
    for version in ["1.2", "1.3"] {
        let session = site.folder.path().join(format!("session-{version}"));
        let session = session.to_str().unwrap();
        let ask = Ask { version: Some(version), ..site.ask("simple.test") };
        assert!(!Tool::OpenSsl.get(Ask { more: &["-sess_out", session], ..ask }).served().resumed);
        // With a ticket that can be used again, each of these is as likely to come to one worker as to the other.
        for _ in 0..16 {
            let served = Tool::OpenSsl.get(Ask { more: &["-sess_in", session], ..ask }).served();
            assert!(served.resumed && served.status == 200, "TLS {version}: {served:?}");
        }
    }
    assert!(site.gateway.metric("envoy_listener_ssl_session_reused") >= 32.0);
    site.gateway.stop();
}

#[test]
fn nothing_is_resumed_where_there_are_no_tickets() {
    if !has("openssl") {
        return;
    }
    let site = Site::with(&["--session-tickets", "off"]);
    for version in ["1.2", "1.3"] {
        let session = site.folder.path().join(format!("session-{version}"));
        let session = session.to_str().unwrap();
        let ask = Ask { version: Some(version), ..site.ask("simple.test") };
        Tool::OpenSsl.get(Ask { more: &["-sess_out", session], ..ask }).served();
        // Without a ticket there may be nothing that was kept, or nothing that is of use.
        if std::fs::exists(session).unwrap() {
            assert!(!Tool::OpenSsl.get(Ask { more: &["-sess_in", session], ..ask }).served().resumed);
        }
    }
    assert_eq!(site.gateway.metric("envoy_listener_ssl_session_reused"), 0.0);
    site.gateway.stop();
}

#[test]
fn a_session_does_not_get_past_the_check_of_a_clients_certificate() {
    if !has("openssl") {
        return;
    }
    let site = Site::new();
    let (certificate, key) = site.files("good", &site.clients.leaf(&["good.client"]));
    for version in ["1.2", "1.3"] {
        let path =
            |name: &str| site.folder.path().join(format!("{name}-{version}")).to_str().unwrap().to_owned();
        let (simple, mutual) = (path("simple"), path("mutual"));
        let ask = |name| Ask { version: Some(version), ..site.ask(name) };
        Tool::OpenSsl.get(Ask { more: &["-sess_out", &simple], ..ask("simple.test") }).served();
        let outcome = Tool::OpenSsl.get(Ask { more: &["-sess_in", &simple], ..ask("mutual.test") });
        assert!(outcome.is_refused(), "TLS {version}: {outcome:?}");
        // One that began with a certificate is of no use to other servers, whoever has it.
        let identity = Some((&*certificate, &*key));
        Tool::OpenSsl.get(Ask { more: &["-sess_out", &mutual], identity, ..ask("mutual.test") }).served();
        for server in ["simple.test", "optional.test"] {
            let served = Tool::OpenSsl.get(Ask { more: &["-sess_in", &mutual], ..ask(server) }).served();
            assert!(!served.resumed, "TLS {version}, {server}");
            assert!(!served.body.contains("x-forwarded-client-cert"), "TLS {version}, {server}: {served:?}");
        }
        // With its own server it goes on, and still says who the client is.
        let served = Tool::OpenSsl.get(Ask { more: &["-sess_in", &mutual], ..ask("mutual.test") }).served();
        assert!(served.body.contains("x-forwarded-client-cert: "), "TLS {version}: {served:?}");
    }
    site.gateway.stop();
}

#[test]
fn of_two_certificates_a_client_gets_the_one_whose_key_it_knows() {
    if !has("openssl") {
        return;
    }
    let authority = Authority::new("servers");
    let yaml = [
        &SERVERS.replace("credentialName: any", "credentialNames: [first, second]"),
        &service_entry("web.internal", Origin::named("web").port()),
        &secret("first", &authority.leaf(&["ecdsa.test"]), None),
        &secret("second", &authority.make(LeafParams::new(&["rsa.test"]).key(KeyKind::Rsa)), None),
    ];
    let gateway = Gateway::start(&[443, 8443], &yaml.map(String::as_str).concat());
    for (version, known, subject) in [
        ("1.3", "ecdsa_secp256r1_sha256", "ecdsa.test"),
        ("1.3", "rsa_pss_rsae_sha256", "rsa.test"),
        ("1.3", "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "ecdsa.test"),
        ("1.2", "ECDSA+SHA256", "ecdsa.test"),
        ("1.2", "RSA+SHA256", "rsa.test"),
    ] {
        let ask =
            Ask { port: gateway.port(8443), name: Some("a.test"), version: Some(version), ..Ask::default() };
        let served = Tool::OpenSsl.get(Ask { more: &["-sigalgs", known], ..ask }).served();
        assert_eq!((served.status, &*served.subject), (200, subject), "TLS {version}, {known}");
    }
    gateway.stop();
}

/// Every pair.
fn each(tools: &[Tool], versions: &[&'static str]) -> Vec<(Tool, &'static str)> {
    tools.iter().flat_map(|tool| versions.iter().map(|version| (*tool, *version))).collect()
}
