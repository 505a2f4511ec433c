//! What is told of requests of HTTP/2, gRPC and gRPC-Web.

use super::{SECURE, SHOP, ask, tells};

const GRPC: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  servers:
  - {port: {number: 80, name: grpc-web, protocol: GRPC-WEB}, hosts: ['*']}
  - {port: {number: 81, name: grpc, protocol: GRPC}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: ['*']
  gateways: [g]
  http:
  - match: [{uri: {prefix: /shop.Cart/}}]
    route: [{destination: {host: cart.example}}]
  - match: [{uri: {prefix: /shop.Old/}}]
    route: [{destination: {host: old.example}}]
  - match: [{uri: {prefix: /shop.Any/}}]
    route: [{destination: {host: any.example}}]
  - match: [{uri: {prefix: /shop.Nobody/}}]
    route: [{destination: {host: nobody.example}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: cart}
spec:
  hosts: [cart.example]
  ports: [{number: 80, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: others}
spec:
  hosts: [old.example, any.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.2}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart}
spec:
  host: cart.example
  trafficPolicy:
    connectionPool: {http: {maxConcurrentStreams: 10, http2KeepAlive: {interval: 30s, timeout: 500ms}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: any}
spec: {host: any.example, trafficPolicy: {connectionPool: {http: {useClientProtocol: true}}}}
";

const DECODING: &str = "\
---
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: o}
spec: {meshConfig: {pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}}}
";

const CALL: [&str; 4] = ["-X", "POST", "-H", "content-type: application/grpc"];

const WEB: [&str; 2] = ["-H", "content-type: application/grpc-web-text+proto"];

fn told(url: &str, options: &[&str]) -> String {
    ask(GRPC, &[], &[&[url], options].concat(), false)
}

#[test]
fn listeners_tell_what_they_speak() {
    let text = told("http://a:81/shop.Cart/Add", &[]);
    tells(
        &text,
        &["plain HTTP, route table http.81\n", "- HTTP/1.1 or HTTP/2, by the client's first bytes\n"],
    );
    for url in ["http://a:81/shop.Cart/Add", "http://a/shop.Cart/Add"] {
        let text = told(url, &[]);
        assert!(!text.contains("gRPC-Web"), "{text}");
    }
    let text = ask(SECURE, &[], &["https://a.example/", "--http2"], false);
    tells(
        &text,
        &[
            "GET https://a.example/ from 127.0.0.1, in HTTP/2\n",
            "- HTTP/2 or HTTP/1.1, as agreed by ALPN, else by the client's first bytes\n",
        ],
    );
}

#[test]
fn destinations_of_http2() {
    let text = told("http://a/shop.Cart/Add", &[&CALL[..], &["--http2"]].concat());
    tells(
        &text,
        &[
            "gRPC              by its content-type; what the gateway answers itself is 200 with `grpc-status`",
            "- HTTP/2, LEAST_REQUEST, connect timeout 10 s\n",
            "- at most 10 requests at a time on a connection\n",
            "- a ping every 30 s, to be answered within 0.5 s\n",
            "origin gets       POST /shop.Cart/Add HTTP/2\n",
            "- :authority: a\n",
        ],
    );
    assert!(!text.contains("gRPC needs HTTP/2"), "{text}");
    let text = told("http://a/shop.Old/Add", &CALL);
    tells(&text, &["- HTTP/1.1, LEAST_REQUEST", "- gRPC needs HTTP/2, which this destination does not get"]);
}

#[test]
fn case_104_a_destination_that_speaks_as_its_client() {
    let url = "http://a/shop.Any/Add";
    tells(
        &told(url, &["--http2"]),
        &["- what the client speaks, which is HTTP/2, LEAST_REQUEST", "GET /shop.Any/Add HTTP/2\n"],
    );
    tells(
        &told(url, &[]),
        &["- what the client speaks, which is HTTP/1.1, LEAST_REQUEST", "GET /shop.Any/Add HTTP/1.1\n"],
    );
}

#[test]
fn answers_to_grpc_have_a_status_of_grpc() {
    let missing =
        "answer            200 with grpc-status 12 (UNIMPLEMENTED); in the access log NR, route_not_found\n";
    tells(&told("http://a/shop.Other/Add", &CALL), &[missing]);
    let nobody =
        "answer            200 with grpc-status 14 (UNAVAILABLE); in the access log NC, cluster_not_found\n";
    tells(&told("http://a/shop.Nobody/Add", &CALL), &[nobody]);
    tells(&told("http://a/shop.Other/Add", &WEB), &[missing]);
    tells(&told("http://a:81/shop.Other/Add", &WEB), &[missing]);
    let json = ["-H", "content-type: application/grpcurl"];
    tells(&told("http://a/shop.Other/Add", &json), &["404 with an empty body"]);
    let text = ask(SHOP, &[], &[&["http://shop.example/empty"][..], &CALL[2..]].concat(), false);
    tells(&text, &["200 with grpc-status 14 (UNAVAILABLE) `no healthy upstream`; in the access log UH"]);
    let asked = [&["http://a/%00"], &CALL[..]].concat();
    tells(
        &ask(&format!("{GRPC}{DECODING}"), &[], &asked, false),
        &[
            "gRPC              by its content-type",
            "200 with grpc-status 13 (INTERNAL) `Bad Request`; in the access log DPE, path_normalization_failed",
        ],
    );
}

#[test]
fn answers_that_the_configuration_asks_for_stay_as_they_are() {
    let asked = |url| ask(SHOP, &[], &[&[url][..], &CALL[2..]].concat(), false);
    tells(
        &asked("http://shop.example/hello"),
        &["- redirects and direct responses stay as", "answer            200 `hello\\n`\n"],
    );
    tells(&asked("http://shop.example/old"), &["answer            308 to http://shop.example/new\n"]);
    tells(&asked("http://old.example:8080/a"), &["answer            301 to https://old.example:8080/a\n"]);
}

#[test]
fn grpc_web_becomes_grpc_where_the_destination_gets_http2() {
    let translated = "- gRPC-Web is translated to gRPC\n";
    let untranslated =
        "- gRPC-Web is not translated to gRPC, which needs HTTP/2, for this destination gets HTTP/1.1;";
    // Whichever protocol the port says.
    for host in ["http://a", "http://a:81"] {
        let told = |path, version: &[&str]| told(&format!("{host}{path}"), &[&WEB[..], version].concat());
        for (path, version) in [("/shop.Cart/Add", &[][..]), ("/shop.Any/Add", &["--http2"])] {
            let text = told(path, version);
            tells(
                &text,
                &["gRPC-Web          by its", translated, "- content-type: application/grpc+proto\n"],
            );
            assert!(!text.contains(untranslated), "{text}");
        }
        for (path, version) in [("/shop.Old/Add", &["--http2"][..]), ("/shop.Any/Add", &[])] {
            let text = told(path, version);
            tells(&text, &[untranslated, "- content-type: application/grpc-web-text+proto\n"]);
            assert!(!text.contains(translated), "{text}");
        }
    }
    let text = told("http://a/shop.Cart/Add", &CALL);
    assert!(!text.contains("gRPC-Web"), "{text}");
}

#[test]
fn tools_get_the_version_and_the_status() {
    let asked = [&["http://a/shop.Other/Add", "--http2"], &CALL[..]].concat();
    let story: serde_json::Value = serde_json::from_str(&ask(GRPC, &[], &asked, true)).unwrap();
    assert_eq!(story["request"]["version"], "HTTP/2");
    assert_eq!((&story["outcome"]["status"], &story["outcome"]["grpc_status"]), (&200.into(), &12.into()));
    let asked = ["http://a/shop.Other/Add"];
    let story: serde_json::Value = serde_json::from_str(&ask(GRPC, &[], &asked, true)).unwrap();
    assert_eq!(story["request"]["version"], "HTTP/1.1");
    assert_eq!((&story["outcome"]["status"], &story["outcome"]["grpc_status"]), (&404.into(), &().into()));
}
