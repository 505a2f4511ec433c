//! Tests: the policies that a request meets, and where they are written.

use super::{ask, tells};

const POLICIES: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: v
  annotations:
    sluicegate.io/rate-limit: \"{requests: 10, per: 1s, key: {header: x-user}}\"
    sluicegate.io/networks: \"{deny: [10.0.0.0/8]}\"
    sluicegate.io/body-limit: \"{max: 10MiB}\"
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - match: [{uri: {prefix: /x}}]
    timeout: 2s
    retries: {attempts: 3, retryOn: \"5xx,reset,418\", perTryTimeout: 0.5s}
    fault: {delay: {fixedDelay: 1s, percentage: {value: 5}}}
    corsPolicy: {allowOrigins: [{exact: https://a.com}]}
    mirrors: [{destination: {host: b.test}, percentage: {value: 10}}, {destination: {host: nobody}}]
    route: [{destination: {host: a.test, subset: v1}}]
  - match: [{uri: {prefix: /y}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: b.test}}]
  - route: [{destination: {host: b.test}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ab}
spec:
  hosts: [a.test, b.test]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: d}
spec:
  host: a.test
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 5}}
    loadBalancer: {simple: RANDOM}
  subsets:
  - name: v1
    trafficPolicy:
      outlierDetection: {interval: 5s}
";

fn told(arguments: &[&str]) -> String {
    ask(POLICIES, &[], arguments, false)
}

#[test]
fn what_holds_on_the_way() {
    tells(
        &told(&["http://h/x", "-H", "content-length: 10"]),
        &[
            "networks          127.0.0.1 may come\n                  VirtualService default/v (shop.yaml:14:30)\n",
            "fault             5% of the requests wait for 1 s\n                  VirtualService default/v (shop.yaml:23:5)\n",
            "CORS              no Origin is named, so nothing is added\n",
            "rate limit        counted by header `x-user`; more than it allows are answered 429 (RL)\n                  VirtualService default/v (shop.yaml:13:32)\n",
            "body limit        at most 10485760 bytes, else 413\n                  VirtualService default/v (shop.yaml:15:32)\n",
            "- by spec.trafficPolicy.loadBalancer, DestinationRule default/d (shop.yaml:48:5)\n",
            "- by spec.trafficPolicy.connectionPool, DestinationRule default/d (shop.yaml:47:5)\n",
            "- by spec.subsets[0].trafficPolicy.outlierDetection, DestinationRule default/d (shop.yaml:52:7)\n",
            "timeout           2 s for the whole exchange with all its tries, then 504\n                  VirtualService default/v (shop.yaml:21:14)\n",
            "retries           up to 3 more tries on 5xx, reset, 418, each within 0.5 s, with pauses from 25 ms\n                  VirtualService default/v (shop.yaml:22:5)\n",
            "mirror            copies of 10% of the requests go to outbound|80||b.test; its answers are dropped\n                  VirtualService default/v (shop.yaml:25:15)\n",
            "mirror            a copy of each request goes to outbound|80||nobody.default.svc.cluster.local, which does not exist: none is sent\n                  VirtualService default/v (shop.yaml:25:71)\n",
            "- x-envoy-expected-rq-timeout-ms: 500\n",
            "answer            forwarded to outbound|80|v1|a.test at 10.0.0.1:80\n",
        ],
    );
    tells(
        &told(&["http://h/z"]),
        &[
            "retries           up to 2 more tries on connect-failure, refused-stream, cancelled, unavailable, with pauses from 25 ms (Istio's default)\n",
        ],
    );
}

#[test]
fn what_ends_it_before_the_action() {
    tells(
        &told(&["http://h/z", "--from", "10.0.0.1"]),
        &["networks          10.0.0.1 may not come\n", "answer            403 `network denied`\n"],
    );
    tells(
        &told(&["http://h/y"]),
        &[
            "fault             100% of the requests are answered 418\n",
            "answer            418 `fault filter abort`; in the access log FI, fault_filter_abort\n",
        ],
    );
    let preflight =
        ["-X", "OPTIONS", "-H", "Origin: https://a.com", "-H", "Access-Control-Request-Method: GET"];
    tells(
        &told(&[&["http://h/x"][..], &preflight].concat()),
        &[
            "CORS              `https://a.com` is allowed\n",
            "- a preflight: answered here, and the destination does not hear of it\n",
            "answer            200 with an empty body\n",
        ],
    );
    let other = ["http://h/x", "-H", "Origin: https://b.com"];
    tells(&told(&other), &["`https://b.com` is not allowed, so nothing is added\n", "forwarded to"]);
    tells(
        &told(&["http://h/z", "-X", "POST", "-H", "content-length: 10485761"]),
        &["answer            413 `Payload Too Large`; in the access log DPE, request_payload_too_large\n"],
    );
}
