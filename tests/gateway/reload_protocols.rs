//! The same for everything but plain HTTP: TLS, bytes, WebSockets; and all of them at once.

use super::{
    certificates::Authority,
    client::Client,
    h2_frames::*,
    h2_peer::Peer,
    h2_upstream::status,
    harness::{Gateway, routed, service_entry},
    origin::Origin,
    reload_connections::{GET, Site, TO_A, is_ok, next, saying, two_ports},
    tcp::{Raw, dial, policy, rest, take, tcp},
    tls_client::{TlsClient, believing, connection},
    tls_files::secret,
    tls_origin::TlsOrigin,
};
use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// Servers of TLS for names, each with its mode and what it says.
fn tls_site(root: &Authority, servers: &[(&str, &str, &str)]) -> String {
    let mut yaml =
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n"
            .to_owned();
    for (number, (host, mode, _)) in servers.iter().enumerate() {
        yaml.push_str(&format!(
            "  - port: {{number: 443, name: https-{number}, protocol: HTTPS}}\n    bind: 127.0.0.1\n    hosts: ['{host}']\n    \
             tls: {{mode: {mode}, credentialName: c}}\n"
        ));
    }
    for (number, (host, _, text)) in servers.iter().enumerate() {
        yaml.push_str(&format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs{number}}}\nspec:\n  \
             hosts: ['{host}']\n  gateways: [gw]\n  http:\n{}\n",
            saying(text)
        ));
    }
    yaml + &secret("c", &root.leaf(&["a.test", "b.test", "*.w.test"]), Some(root))
}

fn tls_client(site: &Site, root: &Authority, name: &str) -> Client {
    let config = Arc::new(believing(&[root], None));
    site.gateway.connect(443).handshake(connection(&config, name)).unwrap()
}

fn next_of(client: &mut Client, host: &str) -> (u16, String, bool) {
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    let answer = client.answer("GET");
    (answer.status, answer.text().to_owned(), answer.field("connection") == Some("close"))
}

#[test]
fn connections_of_tls_find_their_filter_chain_again() {
    let root = Authority::new("root");
    let any = ("*.w.test", "SIMPLE", "any");
    let yaml = |servers: &[_]| tls_site(&root, servers);
    let site = Site::start(&[443], &yaml(&[("a.test", "SIMPLE", "a"), ("b.test", "SIMPLE", "b"), any]));
    let [mut a, mut b, mut w, mut x] =
        ["a.test", "b.test", "v.w.test", "x.w.test"].map(|name| tls_client(&site, &root, name));
    let ok = |text: &str| (200, text.to_owned(), false);
    assert_eq!(next_of(&mut a, "a.test"), ok("a"));
    assert_eq!(next_of(&mut b, "b.test"), ok("b"));
    assert_eq!(next_of(&mut w, "v.w.test"), ok("any"));
    // In another order, with a server of its own for a name that another one had.
    site.reload(&yaml(&[
        // Before the wildcard, which is for its host, too: the first rule wins.
        ("v.w.test", "SIMPLE", "own"),
        any,
        ("b.test", "SIMPLE", "b2"),
        ("a.test", "SIMPLE", "a2"),
    ]));
    assert_eq!(next_of(&mut a, "a.test"), ok("a2"));
    assert_eq!(next_of(&mut a, "b.test").0, 421, "by the chains as they are now");
    assert_eq!(next_of(&mut b, "b.test"), ok("b2"));
    assert_eq!(next_of(&mut w, "v.w.test"), ok("own"));
    assert_eq!(next_of(&mut x, "x.w.test"), ok("any"));
    // Clients of `a.test` are to show a certificate now, and the other name is nobody's.
    site.reload(&yaml(&[("a.test", "MUTUAL", "a3"), any]));
    assert_eq!(next_of(&mut a, "a.test"), (200, "a2".into(), true), "once more by what it began with");
    assert!(a.is_closed() && b.is_closed());
    assert_eq!(next_of(&mut x, "x.w.test"), ok("any"));
    assert_eq!(next_of(&mut w, "v.w.test"), ok("any"));
}

#[test]
fn a_client_of_http2_is_told_when_its_filter_chain_is_gone() {
    let root = Authority::new("root");
    let servers = |mode| tls_site(&root, &[("a.test", mode, "a"), ("b.test", "SIMPLE", "b")]);
    let site = Site::start(&[443], &servers("SIMPLE"));
    let mut config = believing(&[&root], None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let [mut a, mut b] = ["a.test", "b.test"].map(|name| {
        let client = site.gateway.connect(443).handshake(connection(&config, name)).unwrap();
        let mut peer = Peer::new(client, true, "reload".into());
        peer.handshake(&[]);
        peer
    });
    site.reload(&servers("MUTUAL"));
    a.until(|_| false);
    assert!(a.seen.iter().any(|frame| frame.kind == GOAWAY), "{}", a.tell());
    let fields = b.fields("GET").set(":authority", "b.test");
    b.send(&headers(1, END, &fields.block()));
    assert_eq!(status(&mut b, 1), Some(200));
    assert!(!b.seen.iter().any(|frame| frame.kind == GOAWAY), "{}", b.tell());
}

#[test]
fn connections_of_bytes_go_on_and_new_ones_go_elsewhere() {
    for protocol in ["TCP", "MONGO"] {
        let (one, other) = (Raw::new(), Raw::new());
        let yaml = |to: &Raw| tcp(protocol, "{destination: {host: a.test}}", &[&[to.port()]]);
        let site = Site::start(&[2000], &yaml(&one));
        let client = dial(&site.gateway, 2000);
        let server = one.accept();
        site.reload(&yaml(&other));
        (&client).write_all(b"more").unwrap();
        assert_eq!(take(&server, 4), b"more");
        let late = dial(&site.gateway, 2000);
        let elsewhere = other.accept();
        (&late).write_all(b"new").unwrap();
        assert_eq!(take(&elsewhere, 3), b"new");
        // The port is one of HTTP now; clients speak first there.
        let http = yaml(&other).replace(&format!("protocol: {protocol}}}, bind"), "protocol: HTTP}, bind");
        let http = http
            .replace("  tcp:\n  - route", "  http:\n  - route")
            .replace("name: tcp, protocol: TCP", "name: http, protocol: HTTP")
            .replace("ports: {tcp:", "ports: {http:");
        site.reload(&http);
        let mut asks = site.gateway.connect(2000);
        asks.send(GET);
        assert!(take(&other.accept(), 14).starts_with(b"GET / HTTP/1.1"));
        (&server).write_all(b"back").unwrap();
        drop(server);
        assert_eq!(rest(&client), b"back");
    }
}

#[test]
fn what_passes_unopened_goes_on() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["a.test"]);
    let (go, wait) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let held = (Arc::clone(&go), Arc::clone(&wait));
    let one = TlsOrigin::serve(&leaf, move |_, stream| {
        held.1.store(true, Ordering::SeqCst);
        while !held.0.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none");
        let _ = stream.flush();
    });
    let other = TlsOrigin::echo("other", &leaf);
    let yaml = |port: u16| {
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n  - {port: {number: 443, \
         name: tls, protocol: TLS}, bind: 127.0.0.1, hosts: [a.test], tls: {mode: PASSTHROUGH}}\n---\napiVersion: \
         networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs}\nspec:\n  hosts: [a.test]\n  gateways: [gw]\n  \
         tls:\n  - {match: [{sniHosts: [a.test]}], route: [{destination: {host: in.test}}]}\n"
            .to_owned()
            + &service_entry("in.test", port).replace("name: http, protocol: HTTP", "name: tls, protocol: TLS")
    };
    let site = Site::start(&[443], &yaml(one.port()));
    let mut client = tls_client(&site, &root, "a.test");
    client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    while !wait.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    site.reload(&yaml(other.port()));
    let config = Arc::new(believing(&[&root], None));
    let mut late = TlsClient::connect(site.gateway.port(443), &config, "a.test").unwrap();
    assert!(late.get("a.test", &[]).unwrap().1.contains("origin: other"));
    go.store(true, Ordering::SeqCst);
    assert_eq!(client.answer("GET").text(), "one");
}

#[test]
fn tls_to_an_origin_begins_as_before_when_its_settings_have_another_number() {
    let root = Authority::new("root");
    let origin = TlsOrigin::echo("a", &root.leaf(&["else.test"]));
    let rule = |host: &str, how: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: dr-{}}}\nspec:\n  host: \
             {host}\n  trafficPolicy: {{tls: {{mode: SIMPLE, {how}}}}}\n",
            host.replace('.', "-")
        )
    };
    let to_a = routed(TO_A, &[origin.port()]) + &rule("a.test", "insecureSkipVerify: true");
    let site = Site::start(&[80], &to_a);
    let mut client = site.gateway.connect(80);
    assert_eq!(next(&mut client).0, 200);
    // Before it there is another one now, by which the origin would not be believed.
    let to_both = to_a.replace(
        "  http:\n",
        "  http:\n  - {match: [{uri: {prefix: /0}}], route: [{destination: {host: 0.test}}]}\n",
    );
    let before = service_entry("0.test", origin.port()) + &rule("0.test", "sni: 0.test");
    site.reload(&(to_both.replacen("---\n", &format!("{before}---\n"), 1)));
    client.send(b"GET /0 HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").status, 503);
    assert_eq!(next(&mut client).0, 200);
    site.reload(&to_a);
    assert_eq!(next(&mut client).0, 200);
}

/// An origin of WebSockets, as far as bytes go: what comes goes back.
fn echo_of_bytes() -> Origin {
    Origin::serve(|request, stream| {
        if request.field("upgrade").is_none() {
            return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_ok();
        }
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let mut is_open = stream.write_all(answer).is_ok();
        let mut bytes = [0; 4096];
        while is_open {
            is_open = match stream.read(&mut bytes) {
                Ok(count @ 1..) => stream.write_all(&bytes[..count]).is_ok(),
                _ => false,
            };
        }
        false
    })
}

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn websocket(gateway: &Gateway, declared: u16) -> Client {
    let mut client = gateway.connect(declared);
    client.send(UPGRADE);
    assert_eq!(client.answer("GET").status, 101);
    client
}

fn echoes(client: &mut Client) {
    client.send(b"there and back");
    assert_eq!(client.raw(14), b"there and back");
}

#[test]
fn a_websocket_goes_on_without_its_route_its_cluster_and_for_a_while_without_its_listener() {
    let origin = echo_of_bytes();
    let yaml = |http: &str, second: bool| {
        two_ports(second).replace(&saying("hi"), http) + &service_entry("a.test", origin.port())
    };
    let arguments = ["--workers", "1", "--drain-time", "0s", "--reload-drain-time", "3s"];
    let site = Site::start_with(&[80, 81], &yaml(TO_A, true), &arguments);
    let (mut stays, mut ends) = (websocket(&site.gateway, 80), websocket(&site.gateway, 81));
    site.reload(&yaml(&saying("other"), false));
    echoes(&mut stays);
    echoes(&mut ends);
    assert!(ends.is_closed(), "when its time is over");
    echoes(&mut stays);
}

#[test]
fn fifty_reloads_under_all_kinds_of_clients() {
    const RELOADS: u32 = 50;
    let origin = echo_of_bytes();
    let yaml = |number: u32| {
        // Every time another route; sometimes the cluster, sometimes a listener changes.
        let http = format!(
            "  - match: [{{uri: {{prefix: /{number}}}}}]\n    directResponse: {{status: 204}}\n{TO_A}"
        );
        let time = number % 3 + 1;
        two_ports(number.is_multiple_of(2)).replace(&saying("hi"), &http)
            + &service_entry("a.test", origin.port())
            + &policy(&format!("{{connectionPool: {{tcp: {{connectTimeout: {time}s}}}}}}"))
    };
    let site = Site::start_with(&[80, 81], &yaml(0), &["--workers", "2", "--drain-time", "0s"]);
    let port = site.gateway.port(80);
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    // Also if it panics: the others would go on for ever.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let goes_on = || !over.load(Ordering::Relaxed);
    let count = || served.fetch_add(1, Ordering::Relaxed);
    let mut sockets = [websocket(&site.gateway, 80), websocket(&site.gateway, 80)];
    thread::scope(|scope| {
        let _end = End(&over);
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = Client::connect(port);
                while goes_on() {
                    is_ok(&mut client, "ok");
                    count();
                }
            });
            scope.spawn(|| {
                while goes_on() {
                    let mut peer = Peer::new(Client::connect(port), false, "reload".into());
                    peer.handshake(&[]);
                    // It looks at all it has seen each time.
                    for stream in (1..200).step_by(2).take_while(|_| goes_on()) {
                        peer.get(stream);
                        assert_eq!(status(&mut peer, stream), Some(200));
                        count();
                    }
                }
            });
        }
        scope.spawn(|| {
            while goes_on() {
                assert_eq!(next(&mut Client::connect(port)).0, 200);
                count();
            }
        });
        for number in 1..=RELOADS {
            site.reload(&yaml(number));
            sockets.iter_mut().for_each(echoes);
        }
    });
    assert!(served.into_inner() > 500);
    let failed = site.gateway.metric("sluicegate_downstream_disconnects_total");
    assert_eq!(failed, 0.0);
}
