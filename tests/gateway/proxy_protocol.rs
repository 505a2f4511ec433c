//! PROXY headers from clients and to upstreams (cases 118, 121 and 122 of the specification).

use super::{
    access_log::fields,
    harness::{Gateway, routed},
    origin::Origin,
    tcp::{Raw, dial, policy, rest, take, tcp},
};
use std::{
    io::Write,
    net::{Shutdown, TcpStream},
};

/// Every TCP listener asks for a PROXY header.
const TOPOLOGY: &str = "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: o}\nspec:\n  \
                        meshConfig: {defaultConfig: {gatewayTopology: {proxyProtocol: {}}}}\n";

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.9 4444 2000\r\n";

/// The same in the binary form, with a TLV behind the addresses.
const V2: &[u8] = &[
    b'\r', b'\n', b'\r', b'\n', 0, b'\r', b'\n', b'Q', b'U', b'I', b'T', b'\n', 0x21, 0x11, 0, 17, 192, 0, 2,
    7, 198, 51, 100, 9, 0x11, 0x5c, 0x07, 0xd0, 4, 0, 2, 1, 2,
];

fn raw() -> (Gateway, Raw) {
    let origin = Raw::new();
    let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]]) + TOPOLOGY;
    (Gateway::start(&[2000], &yaml), origin)
}

#[test]
fn case_121_the_header_is_consumed_and_the_rest_goes_on() {
    let (gateway, origin) = raw();
    for header in [V1, V2] {
        let client = dial(&gateway, 2000);
        (&client).write_all(&[header, b"payload"].concat()).unwrap();
        let server = origin.accept();
        assert_eq!(take(&server, 7), b"payload");
        (&server).write_all(b"echo").unwrap();
        assert_eq!(take(&client, 4), b"echo");
        drop((client, server));
        let line = gateway.log_line();
        assert!(line.contains(" 198.51.100.9:2000 192.0.2.7:4444 "), "{line}");
    }
    // Byte by byte, and with nothing behind it: the server may speak first.
    let client = dial(&gateway, 2000);
    V2.iter().for_each(|byte| (&client).write_all(&[*byte]).unwrap());
    let server = origin.accept();
    (&server).write_all(b"welcome").unwrap();
    assert_eq!(take(&client, 7), b"welcome");
    drop((client, server));
    gateway.stop();
}

#[test]
fn a_proxy_may_speak_for_itself() {
    let (gateway, origin) = raw();
    let mut local = V2[..12].to_vec();
    local.extend([0x20, 0, 0, 0]);
    for header in [&b"PROXY UNKNOWN\r\n"[..], &local] {
        let client = dial(&gateway, 2000);
        (&client).write_all(header).unwrap();
        let from = client.local_addr().unwrap();
        drop((origin.accept(), client));
        assert!(gateway.log_line().contains(&format!(" {from} ")));
    }
    gateway.stop();
}

#[test]
fn case_122_a_connection_without_a_header_is_closed() {
    let (gateway, _origin) = raw();
    let too_long = [&V2[..14], &[2, 1]].concat();
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "no_proxy_header"),
        (b"PROXY TCP4 192.0.2.7 here 1 2\r\n", "no_proxy_header"),
        (&too_long, "no_proxy_header"),
        (b"PROXY TCP4 192", "proxy_header_incomplete"),
        (b"", "proxy_header_incomplete"),
    ];
    for (bytes, why) in cases {
        let client = dial(&gateway, 2000);
        (&client).write_all(bytes).unwrap();
        if why == "proxy_header_incomplete" {
            client.shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(rest(&client), b"");
        let line = gateway.log_line();
        let fields = fields(&line);
        assert_eq!((&*fields[3], &*fields[4], &*fields[5]), ("DPE", "proxy_protocol", why), "{line}");
    }
    assert_eq!(gateway.metric("envoy_listener_downstream_cx_proxy_proto_error"), 5.0);
    gateway.stop();
}

#[test]
fn a_client_that_says_nothing_is_closed_after_a_while() {
    let (gateway, _origin) = raw();
    let client = dial(&gateway, 2000);
    (&client).write_all(b"PROXY ").unwrap();
    assert_eq!(rest(&client), b"");
    gateway.stop();
}

#[test]
fn headers_from_networks_that_are_not_trusted_are_not_read() {
    let origin = Raw::new();
    let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]]) + TOPOLOGY;
    let gateway = Gateway::start_with(&[2000], &yaml, &["--proxy-protocol-from", "10.0.0.0/8,::1/128"]);
    assert_eq!(rest(&dial(&gateway, 2000)), b"");
    assert_eq!(fields(&gateway.log_line())[5], "untrusted_proxy");
    assert_eq!(gateway.metric("sluicegate_proxy_protocol_untrusted_total"), 1.0);
    gateway.stop();
    let gateway = Gateway::start_with(&[2000], &yaml, &["--proxy-protocol-from", "127.0.0.0/8"]);
    let client = dial(&gateway, 2000);
    (&client).write_all(&[V1, b"in"].concat()).unwrap();
    assert_eq!(take(&origin.accept(), 2), b"in");
    drop(client);
    gateway.stop();
}

#[test]
fn http_behind_a_header_knows_both_addresses() {
    let origin = Origin::echo();
    let route = "  - route: [{destination: {host: a.test}}]\n    headers: {request: {set: {remote: \
                 \"%DOWNSTREAM_REMOTE_ADDRESS%\", direct: \"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%\"}}}";
    let gateway = Gateway::start(&[80], &(routed(route, &[origin.port()]) + TOPOLOGY));
    let mut client = gateway.connect(80);
    client.send(&[V1, b"GET /one HTTP/1.1\r\nHost: web.test\r\n\r\n"].concat());
    let answer = client.answer("GET");
    assert_eq!(answer.echoed("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(answer.echoed("x-envoy-external-address"), Some("192.0.2.7"));
    assert_eq!(answer.echoed("remote"), Some("192.0.2.7:4444"));
    assert_eq!(answer.echoed("direct"), Some(&*client.local_address().to_string()));
    // The header is there once a connection.
    client.send(b"GET /two HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").echoed("x-forwarded-for"), Some("192.0.2.7"));
    assert!(gateway.log_line().contains("192.0.2.7:4444"));
    gateway.stop();
}

#[test]
fn case_118_the_upstream_is_told_who_the_client_is() {
    for version in ["V1", "V2"] {
        let origin = Raw::new();
        let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]])
            + &policy(&format!("{{proxyProtocol: {{version: {version}}}}}"));
        let gateway = Gateway::start(&[2000], &yaml);
        let client = dial(&gateway, 2000);
        (&client).write_all(b"hello").unwrap();
        let server = origin.accept();
        let (source, destination) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let wanted = match version {
            "V1" => format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n", source.port(), destination.port())
                .into_bytes(),
            _ => {
                let mut wanted = V2[..14].to_vec();
                wanted.extend([0, 12, 127, 0, 0, 1, 127, 0, 0, 1]);
                wanted.extend(source.port().to_be_bytes());
                wanted.extend(destination.port().to_be_bytes());
                wanted
            }
        };
        assert_eq!(take(&server, wanted.len()), wanted, "{version}");
        assert_eq!(take(&server, 5), b"hello");
        drop((client, server));
        gateway.stop();
    }
}

/// Reads a request head with what stands before it, and answers it.
fn answer_one(server: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(take(server, 1));
    }
    let mut server = server;
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
    String::from_utf8(head).unwrap()
}

#[test]
fn case_118_for_http_each_client_has_connections_of_its_own() {
    let origin = Raw::new();
    let yaml = routed("  - route: [{destination: {host: a.test}}]", &[origin.port()])
        + &policy("{proxyProtocol: {version: V1}}");
    // One worker: its idle connections are there for both clients.
    let gateway = Gateway::start_with(&[80], &yaml, &["--workers", "1"]);
    let request = b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n";
    let (mut first, mut second) = (gateway.connect(80), gateway.connect(80));
    first.send(request);
    let server = origin.accept();
    let head = answer_one(&server);
    let line = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nGET / ",
        first.local_address().port(),
        gateway.port(80)
    );
    assert!(head.starts_with(&line), "{head}");
    assert_eq!(first.answer("GET").status, 200);
    second.send(request);
    let other = origin.accept();
    let head = answer_one(&other);
    assert!(
        head.starts_with(&format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} ", second.local_address().port())),
        "{head}"
    );
    assert_eq!(second.answer("GET").status, 200);
    // The first client again, on its own connection, which has had its header.
    first.send(request);
    assert!(answer_one(&server).starts_with("GET / "));
    assert_eq!(first.answer("GET").status, 200);
    gateway.stop();
}
