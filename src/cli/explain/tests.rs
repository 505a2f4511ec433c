use super::question;
use crate::{
    cli::args::{Arguments, Subcommand},
    compile::{self, Options},
    config,
    explain::{Configuration, Health, explain},
};
use clap::Parser;

mod balance;
mod authorization;
mod http2;
mod policy;
mod tokens;

const SHOP: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [shop.example]
    tls: {mode: SIMPLE, credentialName: c}
  - port: {number: 8080, name: redirect, protocol: HTTP}
    hosts: [old.example]
    tls: {httpsRedirect: true}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  gateways: [g]
  http:
  - name: api
    match: [{uri: {prefix: /api/}, method: {exact: POST}}]
    rewrite: {uri: /v2/, authority: inner.example}
    headers:
      request: {set: {x-team: blue}, remove: [x-gone]}
      response: {set: {x-out: '1'}}
    route:
    - {destination: {host: origin.example, subset: v1}, weight: 80}
    - {destination: {host: origin.example, subset: v2}, weight: 20, headers: {request: {add: {x-version: '2'}}}}
  - match: [{uri: {exact: /old}}]
    redirect: {uri: /new, redirectCode: 308}
  - match: [{uri: {exact: /hello}}]
    directResponse: {status: 200, body: {string: \"hello\\n\"}}
  - match: [{uri: {exact: /unknown}}]
    route: [{destination: {host: nobody.example}}]
  - match: [{uri: {exact: /empty}}]
    route: [{destination: {host: empty.example}}]
  - match: [{uri: {exact: /names}}]
    route: [{destination: {host: names.example}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: everything}
spec:
  hosts: ['*']
  gateways: [g]
  http:
  - match: [{headers: {x-open: {exact: sesame}}}]
    directResponse: {status: 204}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: origin}
spec:
  hosts: [origin.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.0.0.1, labels: {version: v1}}
  - {address: 10.0.0.2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: origin}
spec:
  host: origin.example
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: empty}
spec:
  hosts: [empty.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: names}
spec:
  hosts: [names.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
";

const TRUSTING: &str = "\
---
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: mesh}
spec: {meshConfig: {defaultConfig: {gatewayTopology: {numTrustedProxies: 1}}}}
";

fn ask(yaml: &str, port_map: &[(u16, u16)], options: &[&str], json: bool) -> String {
    let line = ["sluicegate", "explain", "-c", "shop.yaml", "--url"].iter().chain(options);
    let Subcommand::Explain(args) = Arguments::try_parse_from(line).unwrap().subcommand else { panic!() };
    let (resources, mut diagnostics) = config::parse(vec![("shop.yaml".to_owned(), yaml.into())]);
    let options = Options { port_map: port_map.iter().copied().collect(), ..Options::default() };
    let compiled = compile::compile(&resources, &options);
    diagnostics.extend(compiled.diagnostics.iter().cloned());
    let errors: Vec<_> = diagnostics.iter().filter(|d| d.severity == config::Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let configuration = Configuration { snapshot: &compiled.snapshot, inventory: &compiled.inventory };
    let explained = explain(&question(&args), configuration, &Health::default()).unwrap();
    if json { explained.json() } else { explained.text(&resources.sources) }
}

fn told(options: &[&str]) -> String {
    ask(SHOP, &[], options, false)
}

#[track_caller]
fn tells(text: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in:\n{text}");
    }
}

#[test]
fn a_hit_tells_the_whole_way() {
    let text = told(&["http://shop.example/x/../api/items?a=1", "-X", "POST", "-H", "x-gone: 1"]);
    tells(
        &text,
        &[
            "listener          0.0.0.0:80\n",
            "Gateway default/g (shop.yaml:6:5)\n                  6 | - port: {number: 80,",
            "plain HTTP, route table http.80",
            "`/x/../api/items` is normalized to `/api/items`",
            "`shop.example`, the exact name",
            "- hides `*` completely",
            "1 of 6 (api): uri prefix /api/, method exact POST\n",
            "VirtualService default/shop (shop.yaml:23:13)",
            "`/api/items?a=1` becomes `/v2/items?a=1` (first 5 bytes -> /v2/)",
            "request headers   remove x-gone, set x-team: blue",
            "80% outbound|80|v1|origin.example\n",
            "ServiceEntry default/origin (shop.yaml:",
            "- endpoint 10.0.0.1:80\n",
            "- HTTP/1.1, LEAST_REQUEST, connect timeout 10 s",
            "20% outbound|80|v2|origin.example\n",
            "- request headers: add x-version: 2",
            "response headers  set x-out: 1",
            "POST /v2/items?a=1 HTTP/1.1 (the first destination that exists)",
            "- host: inner.example\n",
            "- x-forwarded-for: 127.0.0.1\n",
            "- x-team: blue\n",
            "- x-envoy-original-path: /api/items?a=1\n",
            "- x-request-id: (a new one each time)\n",
            "answer            80% forwarded to outbound|80|v1|origin.example at 10.0.0.1:80, or 20% forwarded to",
        ],
    );
    assert!(!text.contains("- x-gone"), "{text}");
}

#[test]
fn a_miss_tells_why() {
    tells(
        &told(&["http://shop.example/api/items"]),
        &[
            "route             none of 6 matches",
            "- not 1: uri prefix /api/, method exact POST, VirtualService default/shop (shop.yaml:23:13)",
            "method is `GET`, must be exactly `POST`",
            "answer            404 with an empty body; in the access log NR, route_not_found",
        ],
    );
    let any = told(&["http://elsewhere.example/", "-H", "X-Open: barley"]);
    tells(&any, &["`*`, any host", "header `x-open` is `barley`, must be exactly `sesame`", "404"]);
    let other_table = told(&["http://odd.example:8080/"]);
    tells(&other_table, &["none for `odd.example:8080`", "there is `old.example`: one character differs"]);
}

#[test]
fn answers_made_here() {
    tells(
        &told(&["http://shop.example/old?a=1"]),
        &["redirect          308 *://*/new", "answer            308 to http://shop.example/new?a=1"],
    );
    tells(&told(&["http://shop.example/hello"]), &["answered here with 200, 6 bytes", "200 `hello\\n`"]);
    tells(
        &told(&["http://old.example:8080/a?b=c"]),
        &["httpsRedirect", "(shop.yaml:12:13)", "answer            301 to https://old.example:8080/a?b=c"],
    );
    tells(
        &told(&["http://shop.example/unknown"]),
        &["outbound|80||nobody.example", "503 with an empty body; in the access log NC, cluster_not_found"],
    );
    tells(
        &told(&["http://shop.example/empty"]),
        &["- no endpoints", "503 `no healthy upstream`; in the access log UH, no_healthy_upstream"],
    );
    tells(
        &told(&["http://shop.example/names"]),
        &["- endpoint names.example:80, all addresses of these names", "at names.example:80\n"],
    );
}

const NO_ROUTES: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  servers:
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [shop.example], tls: {mode: PASSTHROUGH}}
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}
";

#[test]
fn no_listener_tells_which_there_are() {
    tells(
        &ask(NO_ROUTES, &[], &["https://shop.example/"], false),
        &[
            "nothing listens on port 443, the port of https:// URLs",
            "- the TLS server on port 443 for shop.example has no connections: no VirtualService has a rule for them; `check` says which it needs, Gateway default/g (shop.yaml:6:5)",
            "- there is 0.0.0.0:80, Gateway",
            "answer            the connection is refused",
        ],
    );
    tells(&told(&["http://shop.example:81/"]), &["nothing listens on port 81\n"]);
    tells(&ask("", &[], &["http://a/"], false), &["there are no listeners at all"]);
}

#[test]
fn ports_are_found_by_either_number() {
    let map = [(80, 8000), (8080, 8001)];
    let ask = |url| ask(SHOP, &map, &[url], false);
    tells(
        &ask("http://shop.example/hello"),
        &["0.0.0.0:8000, which is declared as port 80\n", "200 `hello\\n`"],
    );
    tells(&ask("http://shop.example:8000/hello"), &["listener          0.0.0.0:8000\n", "200 `hello\\n`"]);
    tells(&ask("http://shop.example:81/"), &["- there is 0.0.0.0:8000, declared as port 80, Gateway"]);
}

#[test]
fn what_the_gateway_refuses_is_not_routed() {
    tells(
        &told(&["http://shop.example/", "-H", "Content-Length: x"]),
        &[
            "refused before it is routed: `content-length` is not a number",
            "400 `Bad Request`; in the access log DPE, http1.invalid_content_length",
        ],
    );
    tells(&told(&["https://shop.example:80/"]), &["TLS handshake, which is no HTTP", "400"]);
    tells(&told(&["http://shop.example/hello", "--sni", "a"]), &["`a` has no part in it"]);
}

#[test]
fn a_trusted_proxy_tells_the_scheme() {
    let forwarded = ["http://old.example:8080/", "-H", "x-forwarded-proto: https"];
    tells(&told(&forwarded), &["301 to https://"]);
    let text = ask(&format!("{SHOP}{TRUSTING}"), &[], &forwarded, false);
    tells(&text, &["https, as a trusted proxy says in x-forwarded-proto", "404"]);
}

#[test]
fn a_host_header_takes_the_place_of_the_urls() {
    let text = told(&["http://127.0.0.1/hello", "-H", "Host: shop.example", "--from", "2001:db8::1"]);
    tells(&text, &["from 2001:db8::1", "200 `hello\\n`"]);
}

#[test]
fn tools_get_the_same_story() {
    let text = ask(SHOP, &[], &["http://shop.example/api/x", "-X", "POST"], true);
    let story: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(story["request"]["method"], "POST");
    assert_eq!(story["outcome"]["kind"], "forward");
    assert_eq!(story["outcome"]["clusters"][0]["cluster"], "outbound|80|v1|origin.example");
    assert_eq!(story["outcome"]["clusters"][1]["percent"], 20.0);
    let steps = story["steps"].as_array().unwrap();
    let route = steps.iter().find(|step| step["step"] == "route").unwrap();
    assert_eq!((&route["source"]["file"], &route["source"]["line"]), (&"shop.yaml".into(), &23.into()));
    let miss: serde_json::Value =
        serde_json::from_str(&ask(SHOP, &[], &["http://shop.example/"], true)).unwrap();
    assert_eq!((&miss["outcome"]["status"], &miss["outcome"]["flag"]), (&404.into(), &"NR".into()));
    let reasons = &miss["steps"].as_array().unwrap().last().unwrap()["details"][0]["reasons"];
    assert!(reasons[0].as_str().unwrap().starts_with("path `/`"), "{reasons}");
}

#[test]
fn a_unix_socket_is_a_listener_too() {
    let yaml = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  servers: [{port: {number: 0, name: http, protocol: HTTP}, bind: 'unix:///run/g.sock', hosts: ['*']}]
";
    let at = |path| ask(yaml, &[], &["http://a.example/", "--unix-socket", path], false);
    tells(&at("/run/g.sock"), &["listener          unix:///run/g.sock\n", "404"]);
    tells(
        &at("/run/h.sock"),
        &["nothing listens on /run/h.sock\n", "- there is unix:///run/g.sock, Gateway"],
    );
}

const SECURE: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: s}
spec:
  servers:
  - {port: {number: 443, name: a, protocol: HTTPS}, hosts: [a.example], tls: {mode: SIMPLE, credentialName: c}}
  - {port: {number: 443, name: b, protocol: HTTPS}, hosts: ['*.example'], tls: {mode: MUTUAL, credentialName: d}}
  - {port: {number: 443, name: p, protocol: TLS}, hosts: ['*.pass'], tls: {mode: PASSTHROUGH}}
  - {port: {number: 443, name: t, protocol: TLS}, hosts: [t.tcp], tls: {mode: SIMPLE, credentialName: c}}
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: s}
spec:
  hosts: ['*.example', x.pass, t.tcp]
  gateways: [s]
  http: [{route: [{destination: {host: secure.example}}]}]
  tls: [{match: [{sniHosts: [x.pass]}], route: [{destination: {host: secure.example}}]}]
  tcp:
  - match: [{port: 443}]
    route: [{destination: {host: secure.example}}]
  - match: [{port: 9000}]
    route: [{destination: {host: secure.example}, weight: 1}, {destination: {host: nobody.example}, weight: 3}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: secure}
spec:
  hosts: [secure.example]
  ports: [{number: 443, name: https, protocol: HTTPS}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: secure}
spec: {host: secure.example, trafficPolicy: {tls: {mode: MUTUAL, credentialName: e}, proxyProtocol: {version: V2}}}
";

fn secure(options: &[&str]) -> String {
    ask(SECURE, &[], options, false)
}

#[test]
fn https_finds_a_chain_by_its_server_name() {
    tells(
        &secure(&["https://a.example/"]),
        &[
            "filter chain      server name `a.example`: TLS ends, HTTP begins, https.443.a.s.default, for a.example\n",
            "Gateway default/s (shop.yaml:6:5)",
            "- TLS 1.2 and 1.3, certificate of Secret default/c, ALPN h2, http/1.1\n",
            "- TLS by DestinationRule default/secure spec.trafficPolicy.tls, server name: the request's host, with the certificate of Secret default/e\n",
            "- its certificate must be for the server name, by an authority in Secret default/e-cacert or default/e\n",
            "- a PROXY header, version 2, comes first, with the client's address\n",
            "- x-forwarded-proto: https\n",
            "answer            forwarded to outbound|443||secure.example at 10.0.0.1:443\n",
        ],
    );
    tells(
        &secure(&["https://b.example/", "--sni", "C.example."]),
        &[
            "server name `c.example`",
            "- clients must show a certificate, by an authority in Secret default/d-cacert",
        ],
    );
    tells(
        &secure(&["https://other.org/"]),
        &[
            "filter chain      none for the server name `other.org`\n",
            "- there is one for x.pass, VirtualService default/s",
            "answer            the connection is closed: no filter chain is for its ClientHello",
        ],
    );
    tells(&secure(&["https://10.0.0.1/"]), &["none for a client that sends no server name\n"]);
}

#[test]
fn a_host_of_another_server_is_misdirected() {
    let asked = ["https://b.example/", "--sni", "a.example"];
    tells(
        &secure(&asked),
        &[
            "host              `b.example` belongs to another server of the port, https.443.b.s.default\n",
            "answer            421 `Misdirected Request`; in the access log NR, misdirected_request\n",
        ],
    );
    let text = secure(&["https://a.example/", "-H", "Host: b.example:443"]);
    tells(&text, &["answer            421"]);
}

#[test]
fn connections_that_are_not_http() {
    tells(
        &secure(&["tls://x.pass"]),
        &[
            "connection to tls://x.pass from",
            "TLS passes through, VirtualService default/s tls[0].match[0], for x.pass\n",
            "answer            connected to outbound|443||secure.example at 10.0.0.1:443\n",
        ],
    );
    tells(
        &secure(&["https://x.pass/"]),
        &["TLS passes through", "server name: none", "answer            connected to"],
    );
    tells(&secure(&["tls://t.tcp"]), &["TLS ends, bytes go on, Gateway default/s servers[3], for t.tcp\n"]);
    tells(
        &secure(&["tcp://any:9000"]),
        &[
            "filter chain      plain TCP\n",
            "destination       75% outbound|9000||nobody.example\n",
            "- closed after 3600 s without a byte\n",
            "answer            25% connected to outbound|443||secure.example at 10.0.0.1:443, or 75% the connection is closed: there is no such destination; in the access log NC\n",
        ],
    );
    tells(&secure(&["http://a.example:443/"]), &["400 `The client sent plain-text HTTP to a port for TLS`"]);
    tells(&secure(&["tcp://a.example:443"]), &["closed: its first bytes are no ClientHello"]);
    tells(&told(&["tcp://shop.example:80"]), &["must be an HTTP request", "400"]);
    let story: serde_json::Value =
        serde_json::from_str(&ask(SECURE, &[], &["tcp://any:9000"], true)).unwrap();
    assert_eq!((&story["outcome"]["kind"], &story["request"]["method"]), (&"connect".into(), &().into()));
    assert_eq!(story["outcome"]["clusters"][1]["failure"]["flag"], "NC");
}
