//! The way of a request, from files to words.

use crate::program::{Files, run, run_with_input};
use serde_json::Value;

#[test]
fn a_hit() {
    let url = "http://127.0.0.1:8080/api/echo?a=b";
    run(&["explain", "-c", "config/demo", "--url", url, "-X", "POST", "-H", "x-a: 1"]).with(0).tells(&[
        "POST http://127.0.0.1:8080/api/echo?a=b from 127.0.0.1\n",
        "listener          0.0.0.0:8080\n                  Gateway default/demo (config/demo/demo.yaml:",
        " | - port: {number: 8080, name: http, protocol: HTTP}\n",
        "virtual host      `*`, any host\n",
        "route             3 of 14 (api): uri prefix /api/\n",
        "- not 1: uri exact /hello, VirtualService default/demo (config/demo/demo.yaml:",
        "path `/api/echo` is not `/hello`\n",
        "rewrite           `/api/echo?a=b` becomes `/echo?a=b`",
        "destination       outbound|80|v1|origin.demo.internal\n                  ServiceEntry default/demo-origin (",
        "origin gets       POST /echo?a=b HTTP/1.1\n",
        "- x-a: 1\n",
        "answer            forwarded to outbound|80|v1|origin.demo.internal at 127.0.0.1:9001\n",
    ]);
}

#[test]
fn a_miss() {
    run(&["explain", "-c", "config/demo", "--url", "http://127.0.0.1:8080/nowhere"]).with(0).tells(&[
        "route             none of 14 matches\n",
        "11 more routes are farther from it\n",
        "answer            404 with an empty body; in the access log NR, route_not_found\n",
    ]);
    run(&["explain", "-c", "config/canary.yaml", "--url", "http://shop.exmple.com:8080/"]).with(0).tells(&[
        "virtual host      none for `shop.exmple.com:8080`\n",
        "- there is `shop.example.com`: one character differs, Gateway default/shop (config/canary.yaml:",
    ]);
}

#[test]
fn answers_of_the_gateway() {
    run(&["explain", "-c", "config/demo", "--url", "http://127.0.0.1:8080/old?a=b"])
        .with(0)
        .tells(&["answer            301 to http://127.0.0.1:8080/hello?a=b\n"]);
    run(&["explain", "-c", "config/bookinfo", "--url", "http://uk.bookinfo.com/ratings/1"])
        .with(0)
        .tells(&["httpsRedirect", "answer            301 to https://uk.bookinfo.com/ratings/1\n"]);
}

#[test]
fn grpc() {
    let call = ["-X", "POST", "-H", "content-type: application/grpc", "--http2"];
    let asked = |url| [&["explain", "-c", "config/grpc.yaml", "--url", url][..], &call].concat();
    run(&asked("http://chat.example.com:8082/chat.Rooms/Enter")).with(0).tells(&[
        "from 127.0.0.1, in HTTP/2\n",
        "- HTTP/1.1 or HTTP/2, by the client's first bytes\n",
        "- HTTP/2, LEAST_REQUEST",
        "origin gets       POST /chat.Rooms/Enter HTTP/2\n",
    ]);
    run(&asked("http://chat.example.com:8082/chat.Other/Call")).with(0).tells(&[
        "answer            200 with grpc-status 12 (UNIMPLEMENTED); in the access log NR, route_not_found\n",
    ]);
    run(&["explain", "-c", "config/grpc.yaml", "--http2", "--url", "tcp://a:1"]).with(2);
}

#[test]
fn grpc_web() {
    let asked = |url: &str| {
        let call = ["-X", "POST", "-H", "content-type: application/grpc-web+proto", "-H", "x-grpc-web: 1"];
        run(&[&["explain", "-c", "config/grpc.yaml", "--url", url][..], &call].concat()).with(0)
    };
    // By the content type, whichever protocol the port says.
    for port in [8082, 8083] {
        let told = asked(&format!("http://chat.example.com:{port}/chat.Rooms/Enter"));
        let told = told.tells(&[
            "gRPC-Web          by its content-type",
            "- gRPC-Web is translated to gRPC\n",
            "origin gets       POST /chat.Rooms/Enter HTTP/2\n",
            "- content-type: application/grpc+proto\n",
            "- te: trailers\n",
        ]);
        assert!(!told.out.contains("- x-grpc-web"), "{}", told.out);
    }
    asked("http://chat.example.com:8083/").tells(&[
        "- gRPC-Web is not translated to gRPC, which needs HTTP/2, for this destination gets HTTP/1.1;",
        "- content-type: application/grpc-web+proto\n",
    ]);
}

#[test]
fn no_listener() {
    run(&["explain", "-c", "config/hello.yaml", "--url", "https://uk.bookinfo.com/"]).with(0).tells(&[
        "nothing listens on port 443, the port of https:// URLs\n",
        "answer            the connection is refused",
    ]);
    let mapped =
        ["explain", "-c", "config/bookinfo", "--url", "http://uk.bookinfo.com/", "--port-map", "80=8000"];
    run(&mapped).with(0).tells(&["listener          0.0.0.0:8000, which is declared as port 80\n"]);
}

#[test]
fn tls_and_tcp() {
    let explain = |url: &str| run(&["explain", "-c", "config/bookinfo", "--url", url]).with(0);
    explain("https://eu.bookinfo.com/ratings/1").tells(&[
        "server name `eu.bookinfo.com`: TLS ends, HTTP begins, https.443.https-443.my-gateway.some-config-namespace",
        "certificate of config/bookinfo/certs/example-cert.pem",
        "answer            forwarded to outbound|9080||ratings.prod.svc.cluster.local",
    ]);
    explain("https://www.bookinfo.com/")
        .tells(&["none for the server name `www.bookinfo.com`", "the connection is closed"]);
    explain("tcp://any:2379").tells(&[
        "plain TCP; MongoDB's commands are counted\n",
        "answer            connected to outbound|27017||mongo.prod.svc.cluster.local at 127.0.0.1:27017\n",
    ]);
    // Where the Secret is missing there is no certificate, and that is told.
    run(&[
        "explain",
        "-c",
        "config/bookinfo",
        "--namespace",
        "other",
        "--url",
        "https://uk.bookinfo.com:9443/",
    ])
    .with(0)
    .tells(&["bookinfo-secret", "the connection is closed: there is no certificate to show"]);
}

#[test]
fn tools_get_an_object() {
    let arguments = ["--url", "http://127.0.0.1:8080/split", "--format", "json"];
    let ended = run(&[&["explain", "-c", "config/demo"][..], &arguments].concat()).with(0);
    let story: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(story["outcome"]["clusters"][0]["percent"], 80.0);
    let hello = std::fs::read_to_string("config/hello.yaml").unwrap();
    let ended =
        run_with_input(&["explain", "-c", "-", "--url", "http://a:8080/", "--format", "json"], &hello);
    let story: Value = serde_json::from_str(&ended.with(0).out).unwrap();
    assert_eq!(story["steps"][0]["source"]["file"], "<stdin>");
}

#[test]
fn errors_do_not_hide_the_answer() {
    let hello = std::fs::read_to_string("config/hello.yaml").unwrap();
    let files = Files::new(&[("hello.yaml", &hello), ("wrong.yaml", "kind: Gateway\n")]);
    run(&["explain", "-c", files.directory().to_str().unwrap(), "--url", "http://a.example:8080/"])
        .with(1)
        .tells(&["forwarded to outbound|9000||hello.internal at 127.0.0.1:9000\n"])
        .complains(&["wrong.yaml:1:", "`run` does not start with these errors"]);
}

#[test]
fn what_no_client_could_send_is_wrong_usage() {
    for (arguments, complaint) in [
        (["--url", "shop.example.com/x"], "does not begin with http://, https://, tcp:// or tls://"),
        (["--url", "http:///x"], "names no host"),
        (["--url", "http://a/b c"], "blanks"),
        (["--url=http://a/", "-Hx-a"], "`x-a` is not a header"),
        (["--url=http://a/", "-X"], "--request"),
        (["--url=http://a/", "--from=a"], "--from"),
    ] {
        let all = [&["explain", "-c", "config/hello.yaml"][..], &arguments].concat();
        run(&all).with(2).complains(&[complaint]);
    }
}
