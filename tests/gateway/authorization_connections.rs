//! AuthorizationPolicy on connections: raw TCP, MongoDB, TLS that passes through, certificates of clients, PROXY headers, ports.

use super::{
    access_log::fields,
    authorization::{allow, deny},
    certificates::{Authority, Leaf},
    client::Client,
    harness::{Gateway, service_entry},
    origin::dead_port,
    tcp::{Raw, dial, rest, take, tcp},
    tls_client::{Refused, TlsClient, ask, believing, connection},
    tls_files::secret,
    tls_origin::TlsOrigin,
};
use std::{io::Write, sync::Arc};

const TO_A: &str = "{destination: {host: a.test}}";

/// A port 2000 for this protocol, in front of an origin.
fn relaying(protocol: &str, policies: &str) -> (Gateway, Raw) {
    let origin = Raw::new();
    let yaml = tcp(protocol, TO_A, &[&[origin.port()]]) + policies;
    (Gateway::start(&[2000], &yaml), origin)
}

/// A connection that is let in, to an origin that speaks first.
fn is_let_in(gateway: &Gateway, origin: &Raw) {
    let client = dial(gateway, 2000);
    let server = origin.accept();
    (&server).write_all(b"welcome").unwrap();
    assert_eq!(take(&client, 7), b"welcome");
    drop((client, server));
    gateway.log_line();
}

/// A connection that is closed, and what the log says of it: its flag and why it was ended.
fn is_kept_out(gateway: &Gateway) -> [String; 2] {
    let client = dial(gateway, 2000);
    assert_eq!(rest(&client), b"");
    let line = gateway.log_line();
    let line = fields(&line);
    [line[3].clone(), line[5].clone()]
}

#[test]
fn raw_connections_are_let_in_or_closed() {
    for protocol in ["TCP", "MONGO"] {
        let here = "{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}";
        let (gateway, _origin) = relaying(protocol, &deny(here));
        let denied = "rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]";
        assert_eq!(is_kept_out(&gateway), ["-", denied]);
        assert_eq!(gateway.metric("envoy_tcp_rbac_denied"), 1.0);
        gateway.stop();
        let (gateway, origin) = relaying(protocol, &allow(here));
        is_let_in(&gateway, &origin);
        assert_eq!(gateway.metric("envoy_tcp_rbac_allowed"), 1.0);
        gateway.stop();
        let (gateway, _origin) = relaying(protocol, &allow("{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}"));
        assert_eq!(is_kept_out(&gateway), ["-", "rbac_access_denied_matched_policy[none]"]);
        gateway.stop();
    }
}

/// What only requests have is not asked of a connection: a denial is wider without it, a permission is none.
#[test]
fn connections_have_no_path() {
    let (gateway, _origin) = relaying("TCP", &deny("{to: [{operation: {paths: [/admin]}}]}"));
    is_kept_out(&gateway);
    gateway.stop();
    let (gateway, _origin) = relaying("TCP", &allow("{to: [{operation: {methods: [GET]}}]}"));
    assert_eq!(is_kept_out(&gateway)[1], "rbac_access_denied_matched_policy[none]");
    gateway.stop();
}

#[test]
fn ports_are_those_that_are_listened_on() {
    let (port, origin) = (dead_port(), Raw::new());
    let map = format!("2000={port}");
    let yaml = |policy: &str| tcp("TCP", TO_A, &[&[origin.port()]]) + policy;
    let start = |ports: &str| {
        let policy = deny(&format!("{{to: [{{operation: {{ports: ['{ports}']}}}}]}}"));
        Gateway::start_with(&[], &yaml(&policy), &["--port-map", &map])
    };
    let gateway = start(&port.to_string());
    let mut client = Client::connect(port);
    client.drain();
    assert!(gateway.log_line().contains("rbac_access_denied"));
    gateway.stop();
    // The port of the Gateway is the one that clients see, and is no port of the listener.
    let gateway = start("2000");
    let said = gateway.said_so_far();
    assert!(said.contains("the gateway does not listen on this port"), "{said}");
    let client = Client::connect(port);
    drop((origin.accept(), client));
    assert!(!gateway.log_line().contains("rbac_access_denied"));
    gateway.stop();
}

/// A PROXY header says whom a connection is from and where it was to go; that changes nothing about its peer and our port.
#[test]
fn a_proxy_header_tells_of_the_client_only() {
    const TOPOLOGY: &str = "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: o}\nspec:\n  \
                            meshConfig: {defaultConfig: {gatewayTopology: {proxyProtocol: {}}}}\n";
    for (rule, is_in) in [
        ("{from: [{source: {remoteIpBlocks: [192.0.2.7]}}]}", true),
        ("{from: [{source: {remoteIpBlocks: [127.0.0.1]}}]}", false),
        ("{from: [{source: {ipBlocks: [127.0.0.1]}}]}", true),
        ("{from: [{source: {ipBlocks: [192.0.2.7]}}]}", false),
        ("{when: [{key: destination.ip, values: [198.51.100.9]}]}", true),
        ("{to: [{operation: {notPorts: ['2222']}}]}", true),
        ("{to: [{operation: {ports: ['2222']}}]}", false),
    ] {
        let (gateway, origin) = relaying("TCP", &(allow(rule) + TOPOLOGY));
        let client = dial(&gateway, 2000);
        (&client).write_all(b"PROXY TCP4 192.0.2.7 198.51.100.9 4444 2222\r\n").unwrap();
        if is_in {
            drop((origin.accept(), client));
        } else {
            assert_eq!(rest(&client), b"");
        }
        assert_eq!(gateway.log_line().contains("rbac_access_denied"), !is_in, "{rule}");
        gateway.stop();
    }
}

/// Servers of TLS: one that ends it and asks for certificates, one that does not verify them, one that lets it pass.
struct Site {
    gateway: Gateway,
    servers: Authority,
    clients: Authority,
}

const SERVERS: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 443, name: mutual, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [mutual.test]
    tls: {mode: OPTIONAL_MUTUAL, credentialName: mutual}
  - port: {number: 443, name: careless, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [careless.test]
    tls: {mode: MUTUAL, credentialName: careless, insecureSkipVerify: true}
  - port: {number: 443, name: pass, protocol: TLS}
    bind: 127.0.0.1
    hosts: ['*.pass.test']
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - directResponse: {status: 200, body: {string: in}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pass}
spec:
  hosts: ['*.pass.test']
  gateways: [gw]
  tls:
  - match: [{port: 443, sniHosts: ['*.pass.test']}]
    route: [{destination: {host: tls.internal, port: {number: 80}}}]
";

impl Site {
    fn new(policies: &str) -> Site {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let origin = TlsOrigin::echo("passed", &servers.leaf(&["a.pass.test", "b.pass.test"]));
        let yaml = SERVERS.to_owned()
            + &service_entry("tls.internal", origin.port()).replace("protocol: HTTP,", "protocol: TLS,")
            + &secret("mutual", &servers.leaf(&["mutual.test"]), Some(&clients))
            + &secret("careless", &servers.leaf(&["careless.test"]), Some(&clients))
            + policies;
        Site { gateway: Gateway::start(&[443], &yaml), servers, clients }
    }

    /// The status that a client with this certificate gets.
    fn status(&self, name: &str, leaf: Option<&Leaf>) -> u16 {
        let config = Arc::new(believing(&[&self.servers], leaf));
        let mut client = TlsClient::connect(self.gateway.port(443), &config, name).unwrap();
        client.get(name, &[]).unwrap().0
    }
}

const WEB: &str = "spiffe://cluster.local/ns/default/sa/web";

#[test]
fn certificates_tell_who_a_client_is() {
    let rules = "{from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]},
        {from: [{source: {namespaces: [ops]}}]}, {from: [{source: {serviceAccounts: [edge/probe]}}]}";
    let site = Site::new(&allow(rules));
    let of = |uri: &str| site.clients.leaf(&[uri]);
    for (uri, status) in [
        (WEB, 200),
        ("spiffe://cluster.local/ns/default/sa/other", 403),
        ("spiffe://cluster.local/ns/ops/sa/anybody", 200),
        ("spiffe://cluster.local/ns/edge/sa/probe", 200),
        ("spiffe://cluster.local/ns/edge/sa/probe-2", 403),
        ("https://cluster.local/ns/ops/sa/anybody", 403),
    ] {
        assert_eq!(site.status("mutual.test", Some(&of(uri))), status, "{uri}");
    }
    // Nobody is who he does not show to be; what a header says of it counts for nothing.
    assert_eq!(site.status("mutual.test", None), 403);
    let config = Arc::new(believing(&[&site.servers], None));
    let mut client = TlsClient::connect(site.gateway.port(443), &config, "mutual.test").unwrap();
    let forged = [("x-forwarded-client-cert", "By=a;URI=spiffe://cluster.local/ns/default/sa/web")];
    assert_eq!(client.get("mutual.test", &forged).unwrap().0, 403);
    // A certificate that nobody vouches for says what its owner likes.
    let own = Authority::new("own").leaf(&[WEB]);
    assert_eq!(site.status("careless.test", Some(&own)), 403);
    site.gateway.stop();
}

#[test]
fn who_is_not_known_is_kept_out() {
    let site = Site::new(&deny(
        "{from: [{source: {notPrincipals: ['*']}}], to: [{operation: {hosts: ['*.test']}}]}",
    ));
    let leaf = site.clients.leaf(&["somebody.else"]);
    assert_eq!(site.status("mutual.test", Some(&leaf)), 200);
    assert_eq!(site.status("mutual.test", None), 403);
    site.gateway.stop();
}

#[test]
fn tls_that_passes_is_judged_by_its_server_name() {
    let site = Site::new(&deny("{when: [{key: connection.sni, values: [B.pass.test]}]}"));
    let config = believing(&[&site.servers], None);
    let port = site.gateway.port(443);
    let (_, status, body) = ask(port, &config, "a.pass.test").unwrap();
    assert_eq!(status, 200);
    assert!(body.contains("origin: passed"), "{body}");
    site.gateway.log_line();
    let refused = ask(port, &config, "b.pass.test").unwrap_err();
    assert_eq!(refused, Refused::Closed);
    let line = site.gateway.log_line();
    assert!(line.contains(" rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]] "), "{line}");
    assert!(line.contains(" b.pass.test "), "{line}");
    // A server name is known of requests too.
    assert_eq!(site.status("mutual.test", None), 200);
    site.gateway.stop();
    let site = Site::new(&allow("{when: [{key: connection.sni, values: [mutual.test]}]}"));
    assert_eq!(site.status("mutual.test", None), 200);
    let client = Client::connect(site.gateway.port(443));
    let config = Arc::new(believing(&[&site.servers], None));
    assert!(client.handshake(connection(&config, "a.pass.test")).is_err());
    site.gateway.stop();
}
