use crate::compile::validate::testing::{diagnostics, expect, object};

#[track_caller]
fn gateway(spec: &str, expected: &[&str]) {
    expect(&object("Gateway", spec), expected);
}

/// One HTTP server; the host is on line 7.
#[track_caller]
fn host(host: &str, expected: &[&str]) {
    gateway(
        &format!("servers:\n- port: {{number: 80, name: http, protocol: HTTP}}\n  hosts: ['{host}']"),
        expected,
    );
}

/// The port is on line 6.
#[track_caller]
fn port(port: &str, expected: &[&str]) {
    gateway(&format!("servers:\n- port: {port}\n  hosts: ['*']"), expected);
}

#[track_caller]
fn bind(bind: &str, number: &str, expected: &[&str]) {
    let port = format!("{{number: {number}, name: a, protocol: HTTP}}");
    gateway(&format!("servers:\n- port: {port}\n  bind: '{bind}'\n  hosts: ['*']"), expected);
}

#[test]
fn case_143_duplicate_port_names() {
    let spec = "
servers:
- {port: {number: 80, name: web, protocol: HTTP}, hosts: ['*']}
- {port: {number: 81, name: web, protocol: HTTP}, hosts: ['*']}";
    gateway(spec, &["error duplicate-port-name 7 spec.servers[1].port.name"]);
    let problem = &diagnostics(&object("Gateway", spec))[0];
    assert_eq!(problem.labels[0].span.line, 6);
    assert_eq!(problem.object.as_ref().unwrap().to_string(), "Gateway app/x");
}

#[test]
fn case_145_gateway_hosts() {
    let bad: &[&str] = &["error bad-host 7 spec.servers[0].hosts[0]"];
    host("foo", bad);
    host("ns1/foo.*.bar.com", bad);
    host("*/a.com", &[]);
    host("./a.com", &[]);
    host("~/a.com", bad);
}

#[test]
fn hosts() {
    let bad: &[&str] = &["error bad-host 7 spec.servers[0].hosts[0]"];
    for good in ["*", "*.example.com", "ns1/*", "*/*", "10.0.0.1", "::1", "a.example.com.", "A.example.COM"] {
        host(good, &[]);
    }
    for other in ["*bar.com", "*-foo.com", "/a.com", "ns1/", "n.s/a.com", "a_b.com", "a.1", "a/b/c.com", ""] {
        host(other, bad);
    }
    let both = "servers:\n- port: {number: 80, name: http, protocol: HTTP}\n  hosts: [a.com, b.com, A.com]";
    gateway(both, &["warning duplicate-host 7 spec.servers[0].hosts[2]"]);
}

#[test]
fn servers() {
    gateway("selector: {a: b}", &["error missing-field 1 spec.servers"]);
    gateway(
        "servers:\n- hosts: []\n",
        &["error missing-field 6 spec.servers[0].hosts", "error missing-field 6 spec.servers[0].port"],
    );
    let names = "
servers:
- {name: a, port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}
- {name: a, port: {number: 81, name: b, protocol: HTTP}, hosts: ['*']}";
    gateway(names, &["warning duplicate-server-name 7 spec.servers[1].name"]);
}

#[test]
fn ports() {
    for protocol in
        ["HTTP", "http", "HTTP2", "GRPC", "grpc-web", "HTTP_PROXY", "TCP", "MONGO", "MYSQL", "REDIS"]
    {
        port(&format!("{{number: 1, name: a, protocol: {protocol}}}"), &[]);
    }
    let number: &[&str] = &["error bad-port 6 spec.servers[0].port.number"];
    port("{number: 0, name: a, protocol: HTTP}", number);
    port("{number: 65536, name: a, protocol: HTTP}", number);
    port("{number: 65535, name: a, protocol: HTTP}", &[]);
    port("{name: a, protocol: HTTP}", &["error missing-field 6 spec.servers[0].port.number"]);
    port("{number: 1, protocol: HTTP}", &["error missing-field 6 spec.servers[0].port.name"]);
    port("{number: 1, name: '', protocol: HTTP}", &["error missing-field 6 spec.servers[0].port.name"]);
    port("{number: 1, name: a}", &["error missing-field 6 spec.servers[0].port.protocol"]);
    let protocol: &[&str] = &["error bad-protocol 6 spec.servers[0].port.protocol"];
    port("{number: 1, name: a, protocol: UDP}", protocol);
    port("{number: 1, name: a, protocol: QUIC}", protocol);
    let target = "{number: 1, name: a, protocol: HTTP, targetPort: 8080}";
    port(target, &["error bad-target-port 6 spec.servers[0].port.targetPort"]);
    port("{number: 1, name: a, protocol: HTTP, targetPort: 0}", &[]);
}

#[test]
fn binds() {
    for good in ["0.0.0.0", "::", "127.0.0.1", ""] {
        bind(good, "80", &[]);
    }
    bind("unix:///run/a.sock", "0", &[]);
    bind("unix://@a", "0", &[]);
    let bad: &[&str] = &["error bad-bind 7 spec.servers[0].bind"];
    for other in ["foo.bar", "uds:///tmp", "10.0.0.1:80"] {
        bind(other, "80", bad);
    }
    for other in ["unix://run/a.sock", "unix:///run/", "unix://"] {
        bind(other, "0", bad);
    }
    bind("unix:///run/a.sock", "80", bad);
}

#[test]
fn metadata() {
    let with = |metadata: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {metadata}\nspec:\n  servers:\n  \
             - {{port: {{number: 80, name: a, protocol: HTTP}}, hosts: ['*']}}\n"
        )
    };
    expect(&with("{name: My-gateway}"), &[]);
    expect(&with("{name: a.b}"), &["error bad-name 3 metadata.name"]);
    expect(&with("{name: a_b}"), &["error bad-name 3 metadata.name"]);
    expect(&with("{name: a, namespace: b.c}"), &["error bad-name 3 metadata.namespace"]);
    expect(
        &with("{name: a, annotations: {istio.io/dry-run: 'true', internal.istio.io/parents: x, a: b}}"),
        &[
            "error refused-annotation 3 metadata.annotations[\"istio.io/dry-run\"]",
            "error refused-annotation 3 metadata.annotations[\"internal.istio.io/parents\"]",
        ],
    );
}
