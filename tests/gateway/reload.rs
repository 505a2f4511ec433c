//! Another configuration in the place of the one that is served: what changes, what stays, and what is refused.

use super::{
    certificates::{Authority, Leaf},
    client::Client,
    dns::DnsServer,
    harness::{GATEWAY, Gateway, answering, routed, service_entry, virtual_service},
    origin::Origin,
    tls_client::{TlsClient, believing},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::Path,
    sync::Arc,
};

/// Files are loaded when a test says so.
const BY_HAND: [&str; 2] = ["--watch", "off"];

fn start(declared: &[u16], yaml: &str) -> Gateway {
    Gateway::start_with(declared, yaml, &BY_HAND)
}

/// Replaces the file of a gateway's configuration in one step.
pub(crate) fn put(gateway: &Gateway, yaml: &str) {
    put_at(&gateway.directory().join("config.yaml"), yaml);
}

/// Replaces a file in one step.
pub(crate) fn put_at(path: &Path, text: &str) {
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

/// Has it loaded; what was said last of it.
fn load(gateway: &Gateway, yaml: &str) -> String {
    put(gateway, yaml);
    gateway.signal("HUP");
    let said = gateway.said("SIGHUP: ");
    said.lines().last().unwrap().to_owned()
}

fn ask(client: &mut Client) -> String {
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    let answer = client.answer("GET");
    format!("{} {}", answer.status, answer.text())
}

fn says(text: &'static str) -> Origin {
    Origin::serve(move |_, stream| {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).is_ok()
    })
}

fn to(host: &str) -> String {
    format!("  - route: [{{destination: {{host: {host}, port: {{number: 80}}}}}}]")
}

#[test]
fn the_next_request_of_a_connection_finds_what_is_new() {
    let (first, second) = (says("first"), says("second"));
    let gateway = start(&[80], &routed(&to("a.test"), &[first.port(), second.port()]));
    let mut client = gateway.connect(80);
    assert_eq!(ask(&mut client), "200 first");
    // A route to a cluster that there was not.
    let said = load(&gateway, &routed(&to("b.test"), &[first.port(), second.port()]));
    assert!(said.contains("SIGHUP: generation 2: clusters +1 -1, in "), "{said}");
    assert_eq!(ask(&mut client), "200 second");
    // A cluster that is another one now.
    let said = load(&gateway, &routed(&to("b.test"), &[first.port(), first.port()]));
    assert!(said.contains("generation 3: clusters ~1, in "), "{said}");
    assert_eq!(ask(&mut client), "200 first");
    // No cluster at all.
    let said = load(&gateway, &answering("nobody"));
    assert!(said.contains("generation 4: clusters -1, in "), "{said}");
    assert_eq!(ask(&mut client), "200 nobody");
    assert_eq!(gateway.metric("sluicegate_configuration_generation"), 4.0);
    assert_eq!(gateway.metric("sluicegate_configuration_loads_total"), 4.0);
    assert_eq!(gateway.metric("sluicegate_configuration_last_load_successful"), 1.0);
    gateway.stop();
}

/// Servers of HTTP on these ports, each bound to an address, and an answer to everything.
fn on(servers: &[(u16, &str)], text: &str) -> String {
    let mut yaml =
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n"
            .to_owned();
    for (number, bind) in servers {
        yaml += &format!(
            "  - {{port: {{number: {number}, name: h{number}, protocol: HTTP}}, bind: \"{bind}\", hosts: [\"*\"]}}\n"
        );
    }
    yaml + "---\n"
        + &virtual_service(&format!("  - directResponse: {{status: 200, body: {{string: {text:?}}}}}"))
}

#[test]
fn listeners_come_and_go_and_come_back_at_once() {
    let gateway = start(&[80, 81], &on(&[(80, "127.0.0.1")], "one"));
    let mut client = gateway.connect(80);
    assert_eq!(ask(&mut client), "200 one");
    let said = load(&gateway, &on(&[(80, "127.0.0.1"), (81, "127.0.0.1")], "two"));
    assert!(said.contains("generation 2: listeners +1, hosts 1 -> 2, routes 1 -> 2, in "), "{said}");
    assert_eq!(gateway.get(81, "web.test", "/").text(), "two");
    assert_eq!(ask(&mut client), "200 two");
    let said = load(&gateway, &on(&[(80, "127.0.0.1")], "three"));
    assert!(said.contains("generation 3: listeners -1, "), "{said}");
    let said = load(&gateway, &on(&[(80, "127.0.0.1"), (81, "127.0.0.1")], "four"));
    assert!(said.contains("generation 4: listeners +1, "), "{said}");
    assert_eq!(gateway.get(81, "web.test", "/").text(), "four");
    // It ends for good.
    load(&gateway, &on(&[(80, "127.0.0.1")], "five"));
    gateway
        .until("nobody listens on the port that is gone", || Client::try_connect(gateway.port(81)).is_err());
    // From an address to all, while the old socket is still there.
    let said = load(&gateway, &on(&[(80, "0.0.0.0")], "six"));
    assert!(said.contains("generation 6: listeners +1 -1, in "), "{said}");
    assert_eq!(gateway.get(80, "web.test", "/").text(), "six");
    assert_eq!(gateway.metric("sluicegate_listeners"), 1.0);
    gateway.stop();
}

#[test]
fn the_file_of_a_unix_socket_comes_and_goes() {
    let gateway = start(&[80], &answering("tcp"));
    let path = gateway.directory().join("socket");
    let unix = format!("unix://{}", path.display());
    let ask = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for text in ["one", "two"] {
        let said = load(&gateway, &on(&[(80, "127.0.0.1"), (0, &unix)], text));
        assert!(said.contains("listeners +1"), "{said}\n{}", gateway.said_so_far());
        assert!(ask().ends_with(text), "{}", ask());
        assert!(load(&gateway, &answering("tcp")).contains("listeners -1"));
        assert!(!path.exists());
    }
    gateway.stop();
}

#[test]
fn what_is_broken_changes_nothing_and_is_told() {
    let gateway = start(&[80, 81], &answering("good"));
    let mut client = gateway.connect(80);
    assert_eq!(ask(&mut client), "200 good");
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let broken = [
        (answering("x") + "---\nkind: [\n", "config.yaml:"),
        (answering("x").replace("string:", "sting:"), "sting"),
        (String::new(), "had something in it and is empty now"),
        (on(&[(80, "127.0.0.1"), (port, "127.0.0.1")], "x"), "Address already in use"),
    ];
    for (number, (yaml, what)) in (1..).zip(&broken) {
        put(&gateway, yaml);
        gateway.signal("HUP");
        let said = gateway.said("generation 1 stays in use");
        assert!(said.contains(" error ") && said.contains(what), "{what}: {said}");
        assert_eq!(ask(&mut client), "200 good");
        assert_eq!(gateway.metric("sluicegate_configuration_generation"), 1.0);
        assert_eq!(gateway.metric("sluicegate_configuration_last_load_successful"), 0.0);
        assert!(gateway.metric("sluicegate_configuration_errors") >= 1.0);
        assert_eq!(gateway.metric("sluicegate_configuration_loads_total"), f64::from(number + 1));
    }
    assert!(load(&gateway, &answering("mended")).contains("generation 2: "));
    assert_eq!(ask(&mut client), "200 mended");
    assert_eq!(gateway.metric("sluicegate_configuration_last_load_successful"), 1.0);
    gateway.stop();
}

fn with_certificate(leaf: &Leaf, more: &str) -> String {
    let indented = |text: &str| text.trim_end().replace('\n', "\n    ");
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  - port: {{number: \
         443, name: https, protocol: HTTPS}}\n    bind: 127.0.0.1\n    hosts: [a.test]\n    tls: {{mode: SIMPLE, \
         credentialName: a}}\n{more}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: \
         vs}}\nspec:\n  hosts: [a.test]\n  gateways: [gw]\n  http:\n  - directResponse: {{status: 200, body: {{string: \
         hi}}}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData:\n  tls.crt: |\n    {}\n  tls.key: |\n    \
         {}\n",
        indented(&leaf.chain),
        indented(&leaf.key)
    )
}

#[test]
fn a_certificate_changes_for_handshakes_to_come() {
    let root = Authority::new("root");
    let (old, new) = (root.leaf(&["a.test"]), root.leaf(&["a.test"]));
    let gateway = start(&[443], &with_certificate(&old, ""));
    let config = Arc::new(believing(&[&root], None));
    let connect = || TlsClient::connect(gateway.port(443), &config, "a.test").unwrap();
    let mut stays = connect();
    assert_eq!(stays.shown(), old.der);
    let said = load(&gateway, &with_certificate(&new, ""));
    assert!(said.contains("generation 2: certificates ~1, in "), "{said}");
    assert_eq!(connect().shown(), new.der);
    assert_eq!(stays.get("a.test", &[]), Ok((200, "hi".into())));
    // A Secret that is gone takes nothing away, and neither does a server before it.
    let server = "  - {port: {number: 443, name: more, protocol: HTTPS}, bind: 127.0.0.1, hosts: [b.test], tls: {mode: \
                  SIMPLE, credentialName: b}}\n";
    let yaml = with_certificate(&new, server);
    let (without, _) = yaml.split_once("---\napiVersion: v1\nkind: Secret").unwrap();
    let said = load(&gateway, without);
    assert!(said.contains("generation 3: listeners ~1, ") && said.contains("warning"), "{said}");
    assert_eq!(connect().shown(), new.der);
    assert_eq!(stays.get("a.test", &[]), Ok((200, "hi".into())));
    assert!(gateway.admin_page("/certs").text().contains("kept"));
    gateway.stop();
}

fn dns_entry(host: &str, port: u16) -> String {
    service_entry(host, port)
        .replace("resolution: STATIC", "resolution: DNS")
        .replace("[{address: 127.0.0.1}]", &format!("[{{address: name-of-{host}}}]"))
}

#[test]
fn names_are_known_before_they_are_needed_and_stay_known() {
    let origin = says("found");
    let dns = DnsServer::start();
    for host in ["a", "b"] {
        dns.set(&format!("name-of-{host}.test"), &["127.0.0.1"], 60);
    }
    let resolver = dns.address().to_string();
    let rules = |hosts: &[&str]| {
        let mut yaml = format!("{GATEWAY}---\n{}", virtual_service(&to(hosts[0])));
        hosts.iter().for_each(|host| yaml += &dns_entry(host, origin.port()));
        yaml
    };
    let arguments = [&BY_HAND[..], &["--resolver", &resolver]].concat();
    let gateway = Gateway::start_with(&[80], &rules(&["a.test"]), &arguments);
    let mut client = gateway.connect(80);
    assert_eq!(ask(&mut client), "200 found");
    // The first request that needs the new name finds it resolved.
    load(&gateway, &rules(&["b.test"]));
    assert_eq!(ask(&mut client), "200 found");
    // A cluster that has changed keeps what is known of its name; nobody is asked again.
    let before = dns.questions();
    let policy = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: dr}\nspec: {host: b.test, \
                  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}}\n";
    let said = load(&gateway, &(rules(&["b.test"]) + policy));
    assert!(said.contains("clusters ~1"), "{said}");
    dns.fail("name-of-b.test");
    assert_eq!(ask(&mut client), "200 found");
    assert_eq!(dns.questions(), before);
    assert_eq!(gateway.metric("sluicegate_resolved_endpoints"), 1.0);
    load(&gateway, &answering("none"));
    assert_eq!(ask(&mut client), "200 none");
    assert_eq!(gateway.metric("sluicegate_resolved_endpoints"), 0.0);
    gateway.stop();
}

#[test]
fn what_was_taken_of_a_rate_limit_stays_taken() {
    let limited = |rate: &str, text: &str| {
        answering(text).replace(
            "metadata: {name: vs}",
            &format!("metadata: {{name: vs, annotations: {{sluicegate.io/rate-limit: '{rate}'}}}}"),
        )
    };
    let gateway = start(&[80], &limited("{requests: 2, per: 1h}", "one"));
    let mut client = gateway.connect(80);
    assert_eq!([ask(&mut client), ask(&mut client)], ["200 one", "200 one"]);
    assert!(ask(&mut client).starts_with("429"));
    load(&gateway, &limited("{requests: 2, per: 1h}", "two"));
    assert!(ask(&mut client).starts_with("429"));
    // Another limit begins anew.
    load(&gateway, &limited("{requests: 3, per: 1h}", "three"));
    assert_eq!(ask(&mut client), "200 three");
    gateway.stop();
}

#[test]
fn who_is_left_out_stays_left_out() {
    let origin = Origin::serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let policy = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: dr}\nspec: {host: a.test, \
                  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: \
                  1h}}}\n";
    let with = |more: &str, policy: &str| routed(&(to("a.test") + more), &[origin.port()]) + policy;
    let gateway = start(&[80], &with("", policy));
    let mut client = gateway.connect(80);
    assert_eq!(ask(&mut client), "500 ");
    assert_eq!(ask(&mut client), "503 no healthy upstream");
    // Nothing of the cluster has changed; then something of it that has nothing to do with that.
    load(&gateway, &with("\n    timeout: 5s", policy));
    assert_eq!(ask(&mut client), "503 no healthy upstream");
    let other =
        policy.replace("trafficPolicy: {", "trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}, ");
    assert!(load(&gateway, &with("", &other)).contains("clusters ~1"));
    assert_eq!(ask(&mut client), "503 no healthy upstream");
    assert_eq!(origin.connections(), 1);
    // Another policy judges anew.
    load(&gateway, &with("", &policy.replace("1h", "2h")));
    assert_eq!(ask(&mut client), "500 ");
    gateway.stop();
}

#[test]
fn what_is_asked_for_meanwhile_is_done_once_more() {
    let gateway = start(&[80], &answering("0"));
    for number in 1..=8 {
        put(&gateway, &answering(&number.to_string()));
        gateway.signal("HUP");
    }
    gateway.until("the last one is served", || gateway.get(80, "web.test", "/").text() == "8");
    let generation = gateway.metric("sluicegate_configuration_generation");
    assert!((2.0..=9.0).contains(&generation), "{generation}");
    gateway.stop();
}

#[test]
fn a_gateway_that_drains_takes_no_other_configuration() {
    let gateway = start(&[80], &answering("old"));
    let mut client = gateway.connect(80);
    assert_eq!(ask(&mut client), "200 old");
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n");
    gateway.signal("TERM");
    gateway.said("draining for at most");
    put(&gateway, &answering("new"));
    gateway.signal("HUP");
    gateway.said("the gateway drains and takes no other configuration");
    client.send(b"\r\n");
    assert_eq!(client.answer("GET").text(), "old");
    assert_eq!(gateway.end().code, Some(0));
}

/// The second field of a line of proc(5)'s `status`, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Many hosts with a cluster each, and a listener more for odd numbers.
fn large(number: usize, origin: u16) -> String {
    let ports: &[(u16, &str)] = &[(80, "127.0.0.1"), (81, "127.0.0.1")];
    let mut yaml = on(&ports[..1 + number % 2], &number.to_string());
    for host in 0..50 {
        yaml += &format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs{host}}}\nspec:\n  hosts: \
             [h{host}.test]\n  gateways: [gw]\n  http:\n  - name: n{number}\n    route: [{{destination: {{host: \
             s{}.test}}}}]\n",
            (host + number) % 60
        );
    }
    (0..60).for_each(|host| yaml += &service_entry(&format!("s{host}.test"), origin));
    yaml
}

#[test]
fn a_hundred_reloads_leave_nothing_behind() {
    let origin = says("s");
    let gateway = start(&[80, 81], &large(0, origin.port()));
    let open = || fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count();
    let mut client = gateway.connect(80);
    let mut round = |number: usize| {
        let said = load(&gateway, &large(number, origin.port()));
        assert!(said.contains(&format!("generation {}: ", number + 1)), "{said}");
        assert_eq!(ask(&mut client), format!("200 {number}"));
    };
    (1..=20).for_each(&mut round);
    let (before, files) = (resident_kib(gateway.pid()), open());
    (21..=100).for_each(&mut round);
    gateway.until("descriptors are back", || open() <= files);
    let after = resident_kib(gateway.pid());
    assert!(after < before + 24 * 1024, "{before} KiB after 20 reloads, {after} KiB after 100");
    gateway.stop();
}
