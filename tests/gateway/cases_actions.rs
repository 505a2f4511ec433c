//! Acceptance cases 76 to 127 of the specification, as far as they concern HTTP: actions, upstreams, headers.

use super::{
    client::Answer,
    harness::{GATEWAY, Gateway, routed, virtual_service},
    origin::{Origin, dead_port},
};

const TO_A: &str = "route: [{destination: {host: a.test}}]";

fn with_rule(rule: &str, more: &str) -> (Origin, Gateway) {
    let origin = Origin::echo();
    let yaml = routed(&format!("  - {{{rule}}}\n"), &[origin.port()]) + more;
    (origin, Gateway::start(&[80], &yaml))
}

fn location(gateway: &Gateway, port: u16, host: &str, path: &str) -> String {
    let answer = gateway.get(port, host, path);
    assert_eq!(answer.status, 301);
    answer.field("location").unwrap().to_owned()
}

/// Settings of the mesh, in YAML's flow style.
fn mesh(config: &str) -> String {
    format!(
        "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: op}}\n\
         spec: {{meshConfig: {{{config}}}}}\n"
    )
}

#[test]
fn cases_76_and_77_a_redirect_derives_its_port_from_the_declared_one() {
    let server = |port: u16| {
        format!(
            "  - {{port: {{number: {port}, name: p{port}, protocol: HTTP}}, bind: 127.0.0.1, hosts: ['*']}}\n"
        )
    };
    let head = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n";
    let rules = "  - {match: [{uri: {prefix: /tls}}], redirect: {derivePort: FROM_REQUEST_PORT, scheme: https}}\n  \
                 - {redirect: {derivePort: FROM_REQUEST_PORT}}\n";
    let yaml = format!("{head}{}{}---\n{}", server(80), server(85), virtual_service(rules));
    let gateway = Gateway::start(&[80, 85], &yaml);
    assert_eq!(location(&gateway, 80, "b", "/tls"), "https://b:80/tls");
    assert_eq!(location(&gateway, 80, "b", "/foo"), "http://b/foo");
    assert_eq!(location(&gateway, 80, "b:80", "/foo"), "http://b:80/foo");
    assert_eq!(location(&gateway, 85, "b", "/foo"), "http://b:85/foo");
    assert_eq!(location(&gateway, 85, "b:85", "/foo"), "http://b:85/foo");
    gateway.stop();
}

#[test]
fn case_79_a_redirect_has_its_code_and_the_routes_response_headers() {
    let (_origin, gateway) =
        with_rule("redirect: {uri: /new, redirectCode: 308}, headers: {response: {set: {x-why: moved}}}", "");
    let answer = gateway.get(80, "a", "/old?q=1");
    assert_eq!((answer.status, answer.field("x-why")), (308, Some("moved")));
    assert_eq!(answer.field("location"), Some("http://a/new?q=1"));
    gateway.stop();
}

#[test]
fn case_80_a_redirect_code_that_is_none_is_refused_at_load() {
    let yaml = routed("  - {redirect: {uri: /x, redirectCode: 317}}\n", &[]);
    let ended = Gateway::try_start(&[80], &yaml, &[]).err().unwrap();
    assert_eq!(ended.code, Some(1));
    let said = ended.said;
    assert!(said.contains("317") && said.contains("config.yaml:"), "{said}");
}

#[test]
fn case_82_a_prefix_is_rewritten() {
    let (_origin, gateway) = with_rule(
        &format!("match: [{{uri: {{prefix: /p}}}}], rewrite: {{uri: /replace-prefix}}, {TO_A}"),
        "",
    );
    let answer = gateway.get(80, "a", "/p/x?q");
    assert!(answer.text().starts_with("GET /replace-prefix/x?q "), "{}", answer.text());
    assert_eq!(answer.echoed("x-envoy-original-path"), Some("/p/x?q"));
    assert!(gateway.log_line().contains("\"GET /p/x?q HTTP/1.1\" 200"));
    gateway.stop();
}

#[test]
fn case_83_a_regex_rewrites_with_its_groups() {
    let rewrite =
        r"rewrite: {uriRegexRewrite: {match: '^/service/([^/]+)(/.*)$', rewrite: '\2/instance/\1'}}";
    let (_origin, gateway) = with_rule(&format!("{rewrite}, {TO_A}"), "");
    assert!(gateway.get(80, "a", "/service/foo/v1").text().starts_with("GET /v1/instance/foo "));
    gateway.stop();
}

#[test]
fn case_85_the_original_host_is_told_where_that_is_switched_on() {
    let rule = format!("rewrite: {{authority: new.example}}, {TO_A}");
    let (_origin, gateway) =
        with_rule(&rule, &mesh("defaultConfig: {proxyHeaders: {xForwardedHost: {enabled: true}}}"));
    let answer = gateway.get(80, "old.example:80", "/");
    assert_eq!(answer.echoed("host"), Some("new.example"));
    assert_eq!(answer.echoed("x-forwarded-host"), Some("old.example:80"));
    gateway.stop();
    let (_origin, gateway) = with_rule(&rule, "");
    let answer = gateway.get(80, "old.example", "/");
    assert_eq!((answer.echoed("host"), answer.echoed("x-forwarded-host")), (Some("new.example"), None));
    gateway.stop();
}

#[test]
fn case_86_request_headers_are_added_and_set() {
    let ops = "headers: {request: {add: {x-a: '2', x-addr: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%'}, set: {x-b: new}, remove: [x-c]}}";
    let (origin, gateway) = with_rule(&format!("{ops}, {TO_A}"), "");
    gateway.request(80, "GET", "a", "/", &[("x-a", "1"), ("x-b", "old"), ("x-c", "gone")]);
    let got = origin.request();
    let all = |name: &str| {
        got.fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((all("x-a"), all("x-b"), all("x-c")), (vec!["1", "2"], vec!["new"], vec![]));
    assert_eq!(all("x-addr"), ["127.0.0.1"]);
    gateway.stop();
}

#[test]
fn case_88_header_operations_of_the_destination_come_last() {
    let destination = |weight: u8| {
        format!(
            "{{destination: {{host: a.test}}, weight: {weight}, \
             headers: {{request: {{set: {{x: destination}}}}, response: {{set: {{y: destination}}}}}}}}"
        )
    };
    let route = "headers: {request: {set: {x: route}, remove: [z]}, response: {set: {y: route, w: route}}}";
    for destinations in [destination(0), format!("{}, {}", destination(50), destination(50))] {
        let (_origin, gateway) = with_rule(&format!("{route}, route: [{destinations}]"), "");
        let answer = gateway.request(80, "GET", "a", "/", &[("z", "1")]);
        assert_eq!((answer.echoed("x"), answer.echoed("z")), (Some("destination"), None));
        assert_eq!((answer.field("y"), answer.field("w")), (Some("destination"), Some("route")));
        gateway.stop();
    }
}

#[test]
fn case_89_a_direct_response_is_as_written() {
    let (_origin, gateway) = with_rule(
        "directResponse: {status: 404, body: {string: nothing here}}, headers: {response: {set: {x-h: v}}}",
        "",
    );
    let answer = gateway.get(80, "a", "/");
    assert_eq!((answer.status, answer.text(), answer.field("x-h")), (404, "nothing here", Some("v")));
    assert_eq!(answer.field("content-type"), Some("text/plain"));
    gateway.stop();
}

#[test]
fn case_95_a_refused_connect_goes_to_the_next_endpoint() {
    let origin = Origin::echo();
    let entry = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: two}}\nspec:\n  hosts: [two.test]\n  \
         ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: STATIC\n  \
         endpoints: [{{address: 127.0.0.1, ports: {{http: {}}}}}, {{address: 127.0.0.1, ports: {{http: {}}}}}]\n",
        dead_port(),
        origin.port()
    );
    let yaml = format!(
        "{GATEWAY}---\n{}{entry}",
        virtual_service("  - {route: [{destination: {host: two.test}}]}\n")
    );
    let gateway = Gateway::start(&[80], &yaml);
    for _ in 0..20 {
        assert_eq!(gateway.request(80, "POST", "a", "/", &[]).status, 200);
    }
    gateway.stop();
}

fn service_entry_answer(spec: &str) -> (Answer, String) {
    let entry = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: e}}\n\
         spec: {{hosts: [e.test], ports: [{{number: 80, name: http, protocol: HTTP}}], {spec}}}\n"
    );
    let yaml =
        format!("{GATEWAY}---\n{}{entry}", virtual_service("  - {route: [{destination: {host: e.test}}]}\n"));
    let gateway = Gateway::start(&[80], &yaml);
    let answer = gateway.get(80, "a", "/");
    let line = gateway.log_line();
    gateway.stop();
    (answer, line)
}

#[test]
fn cases_115_and_116_a_service_entry_without_endpoints_is_503_uh() {
    for spec in ["resolution: NONE", "resolution: STATIC"] {
        let (answer, line) = service_entry_answer(spec);
        assert_eq!((answer.status, answer.text()), (503, "no healthy upstream"), "{spec}");
        assert!(line.contains(" 503 UH no_healthy_upstream "), "{line}");
    }
}

#[test]
fn an_unknown_destination_is_503_nc_and_other_routes_work() {
    let rules = format!(
        "match: [{{uri: {{prefix: /ok}}}}], {TO_A}}}\n  - {{route: [{{destination: {{host: nobody.test}}}}]"
    );
    let (_origin, gateway) = with_rule(&rules, "");
    assert_eq!(gateway.get(80, "a", "/ok").status, 200);
    assert_eq!(gateway.get(80, "a", "/").status, 503);
    // Two workers write in no particular order.
    let lines = [gateway.log_line(), gateway.log_line()];
    assert!(lines.iter().any(|line| line.contains(" 503 NC cluster_not_found ")), "{lines:?}");
    gateway.stop();
}

#[test]
fn case_124_the_default_headers_are_istios() {
    let (_origin, gateway) = with_rule(TO_A, "");
    let answer =
        gateway.request(80, "GET", "a", "/", &[("x-request-id", "mine"), ("x-envoy-retry-on", "5xx")]);
    assert_eq!(answer.field("server"), Some("istio-envoy"));
    assert!(answer.field("x-envoy-upstream-service-time").is_some() && answer.field("date").is_some());
    assert_eq!(answer.echoed("x-forwarded-proto"), Some("http"));
    assert_eq!(answer.echoed("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(answer.echoed("x-envoy-attempt-count"), Some("1"));
    assert_eq!(answer.echoed("x-envoy-retry-on"), None);
    assert!(answer.echoed("x-request-id").is_some_and(|id| id.len() == 36));
    gateway.stop();
}

#[test]
fn case_125_proxy_headers_can_all_be_switched_off() {
    let off = "defaultConfig: {proxyHeaders: {server: {disabled: true}, requestId: {disabled: true}, \
               attemptCount: {disabled: true}, envoyDebugHeaders: {disabled: true}}}";
    let (origin, gateway) = with_rule(TO_A, &mesh(off));
    let answer = gateway.get(80, "a", "/");
    assert_eq!((answer.field("server"), answer.field("x-envoy-upstream-service-time")), (None, None));
    let names: Vec<String> = origin.request().fields.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["host", "x-forwarded-for", "x-forwarded-proto"]);
    gateway.stop();
}

#[test]
fn case_127_paths_are_normalized_as_the_mesh_says() {
    for (mode, expected) in [
        ("NONE", ["/app//..%2f/x", "/app/%2E./admin", "/a\\b"]),
        ("BASE", ["/app//..%2f/x", "/admin", "/a/b"]),
        ("MERGE_SLASHES", ["/app/..%2f/x", "/admin", "/a/b"]),
        ("DECODE_AND_MERGE_SLASHES", ["/app/x", "/admin", "/a/b"]),
    ] {
        let (origin, gateway) =
            with_rule(TO_A, &mesh(&format!("pathNormalization: {{normalization: {mode}}}")));
        for (path, expected) in ["/app//..%2f/x", "/app/%2E./admin", "/a\\b"].iter().zip(expected) {
            let answer = gateway.get(80, "a", path);
            if answer.status == 200 {
                assert_eq!(origin.request().target(), expected, "{mode} {path}");
            } else {
                // A backslash is no character of a path; where it is not normalized the codec refuses it.
                assert!(path.contains('\\') && answer.status == 400, "{mode} {path} {}", answer.status);
            }
        }
        gateway.stop();
    }
}

#[test]
fn weights_split_the_requests() {
    let origins = [Origin::named("a"), Origin::named("b")];
    let route = "  - {route: [{destination: {host: a.test}, weight: 75}, {destination: {host: b.test}, weight: 25}]}\n";
    let gateway = Gateway::start(&[80], &routed(route, &[origins[0].port(), origins[1].port()]));
    let mut client = gateway.connect(80);
    let mut to_a = 0;
    for _ in 0..1000 {
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        to_a += usize::from(client.answer("GET").echoed("origin") == Some("a"));
    }
    // Five standard deviations.
    assert!((680..820).contains(&to_a), "{to_a}");
    gateway.stop();
}
