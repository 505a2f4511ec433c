//! Specification section 9.6: destinations, and which DestinationRule says how they are reached.

use super::*;
use crate::table::{LoadBalancing, UpstreamProtocol};
use std::time::Duration;

/// A Gateway in `default`, a rule to this destination, and these objects.
fn to(destination: &str, objects: &str) -> Outcome {
    compiled(&bound(destination, objects))
}

fn bound(destination: &str, objects: &str) -> String {
    format!(
        "{}{}{objects}",
        http_gateway("name: g, namespace: default", "'*'"),
        rules(
            "name: v, namespace: app",
            "'*'",
            "default/g",
            &format!("{{route: [{{destination: {destination}}}]}}")
        ),
    )
}

/// A ServiceEntry with ports and more.
fn entry(metadata: &str, hosts: &str, ports: &str, more: &str) -> String {
    object("ServiceEntry", metadata, &format!("{{hosts: [{hosts}], ports: [{ports}], {more}}}"))
}

const HTTP: &str = "{number: 80, name: http, protocol: HTTP}";
const STATIC: &str = "resolution: STATIC, endpoints: [{address: 10.0.0.1}]";

fn destination_rule(metadata: &str, host: &str, more: &str) -> String {
    object("DestinationRule", metadata, &format!("{{host: {host}, {more}}}"))
}

fn timeout(seconds: u32) -> String {
    format!("trafficPolicy: {{connectionPool: {{tcp: {{connectTimeout: {seconds}s}}}}}}")
}

#[test]
fn a_destination_without_anything_around_it() {
    let outcome = to("{host: p.com}", &entry("name: p", "p.com", HTTP, STATIC));
    let cluster = outcome.cluster("outbound|80||p.com");
    assert_eq!(cluster.balance.method, LoadBalancing::LeastRequest);
    assert_eq!(cluster.protocol, UpstreamProtocol::Http1);
    assert_eq!(cluster.connect_timeout, Duration::from_secs(10));
    assert_eq!(cluster.source.to_string(), "ServiceEntry default/p (test.yaml:13:18)");
    assert_eq!(outcome.endpoints("outbound|80||p.com"), ["10.0.0.1:80"]);
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn only_what_is_named_becomes_a_cluster() {
    let objects =
        format!("{}{}", entry("name: p", "p.com", HTTP, STATIC), entry("name: q", "q.com", HTTP, STATIC));
    assert_eq!(to("{host: p.com}", &objects).0.snapshot.clusters.len(), 1);
}

#[test]
fn unknown_hosts_ports_and_subsets_are_503_nc() {
    let p = entry("name: p", "p.com", HTTP, STATIC);
    let host = to("{host: other.com}", &p);
    assert_eq!(host.get("x/"), "outbound|80||other.com (NC)");
    assert_eq!(host.diagnostic("unknown-destination").field, "spec.http[0].route[0].destination.host");
    let port = to("{host: p.com, port: {number: 81}}", &p);
    assert_eq!(port.get("x/"), "outbound|81||p.com (NC)");
    assert_eq!(port.diagnostic("unknown-port").help.as_deref(), Some("it has 80 (http)"));
    let rule = destination_rule("name: r", "p.com", "subsets: [{name: v1}]");
    let subset = to("{host: p.com, subset: v2}", &format!("{p}{rule}"));
    assert_eq!(subset.get("x/"), "outbound|80|v2|p.com (NC)");
    assert_eq!(subset.diagnostic("unknown-subset").help.as_deref(), Some("it has v1"));
    assert_eq!(subset.diagnostic("unknown-subset").labels.len(), 1);
}

#[test]
fn a_short_name_is_of_the_virtual_services_namespace() {
    let outcome = to("{host: api}", "");
    assert_eq!(outcome.get("x/"), "outbound|80||api.app.svc.cluster.local (NC)");
}

#[test]
fn the_port_may_be_missing_if_there_is_only_one() {
    let one = to("{host: p.com}", &entry("name: p", "p.com", "{number: 8080, name: http}", STATIC));
    assert_eq!(one.get("x/"), "outbound|8080||p.com");
    let two = "{number: 8080, name: a}, {number: 8081, name: b}";
    let many = to("{host: p.com}", &entry("name: p", "p.com", two, STATIC));
    assert_eq!(many.get("x/"), "outbound|80||p.com (NC)");
    let diagnostic = many.diagnostic("destination-without-port");
    assert!(diagnostic.help.as_ref().unwrap().contains("8080 (a), 8081 (b)"));
    // The server's port is one of them: it is taken, and that is said.
    let two = "{number: 80, name: a}, {number: 8081, name: b}";
    let assumed = to("{host: p.com}", &entry("name: p", "p.com", two, STATIC));
    assert_eq!(assumed.get("x/"), "outbound|80||p.com");
    assert!(assumed.has("destination-without-port"));
}

#[test]
fn services_that_are_not_exported_are_not_there() {
    let entry =
        |export| entry("name: p, namespace: app", "p.com", HTTP, &format!("{STATIC}, exportTo: [{export}]"));
    assert_eq!(to("{host: p.com}", &entry(".")).get("x/"), "outbound|80||p.com (NC)");
    assert!(to("{host: p.com}", &entry(".")).has("destination-not-exported"));
    assert_eq!(to("{host: p.com}", &entry("default")).get("x/"), "outbound|80||p.com");
    assert_eq!(to("{host: p.com}", &entry("'~'")).get("x/"), "outbound|80||p.com (NC)");
}

#[test]
fn the_virtual_services_own_namespace_comes_first() {
    let at = |namespace, address| {
        let more = format!("resolution: STATIC, endpoints: [{{address: {address}}}]");
        entry(&format!("name: p, namespace: {namespace}"), "p.com", HTTP, &more)
    };
    let both = format!("{}{}", at("aaa", "10.0.0.1"), at("app", "10.0.0.2"));
    let outcome = to("{host: p.com}", &both);
    assert_eq!(outcome.endpoints("outbound|80||p.com"), ["10.0.0.2:80"]);
    let only = to("{host: p.com}", &at("aaa", "10.0.0.1"));
    assert_eq!(only.endpoints("outbound|80||p.com"), ["10.0.0.1:80"]);
}

#[test]
fn case_110_a_rule_beside_the_virtual_service_does_not_apply() {
    let p = entry("name: p, namespace: store", "p.com", HTTP, STATIC);
    let at = |namespace, seconds| {
        destination_rule(&format!("name: r, namespace: {namespace}"), "p.com", &timeout(seconds))
    };
    let outcome = to("{host: p.com}", &format!("{p}{}{}", at("store", 3), at("app", 4)));
    assert_eq!(outcome.cluster("outbound|80||p.com").connect_timeout, Duration::from_secs(3));
    let unused = outcome.diagnostic("rule-not-used");
    assert_eq!(unused.object.as_ref().unwrap().namespace.as_ref(), "app");
    assert!(unused.message.contains("`default` (the gateway), `store` (the service)"), "{}", unused.message);
}

#[test]
fn the_gateways_namespace_comes_first_and_the_root_last() {
    let p = entry("name: p, namespace: store", "p.com", HTTP, STATIC);
    let at = |namespace, seconds| {
        destination_rule(&format!("name: r, namespace: {namespace}"), "p.com", &timeout(seconds))
    };
    let seconds = |rules: &str| {
        let outcome = to("{host: p.com}", &format!("{p}{rules}"));
        outcome.cluster("outbound|80||p.com").connect_timeout.as_secs()
    };
    let (own, of_service, root) = (at("default", 1), at("store", 2), at("istio-system", 3));
    assert_eq!(seconds(&format!("{root}{of_service}{own}")), 1);
    assert_eq!(seconds(&format!("{root}{of_service}")), 2);
    assert_eq!(seconds(&root), 3);
}

#[test]
fn in_the_root_namespace_its_private_rules_count_first() {
    let yaml = |rules: &str| {
        format!(
            "{}{}{}{rules}",
            gateway("name: g, namespace: istio-system", &[("HTTP", 80, "'*'", "")]),
            super::rules("name: v, namespace: app", "'*'", "istio-system/g", &everything_to("p.com")),
            entry("name: p, namespace: store", "p.com", HTTP, STATIC),
        )
    };
    let options = Options { namespace: Some("istio-system".to_owned()), ..Options::default() };
    let of_service = destination_rule("name: r, namespace: store", "p.com", &timeout(2));
    let seconds = |rules: &str| {
        let outcome = compiled_with(&options, &yaml(rules));
        outcome.cluster("outbound|80||p.com").connect_timeout.as_secs()
    };
    let public = destination_rule("name: r, namespace: istio-system", "'*.com'", &timeout(3));
    assert_eq!(seconds(&format!("{public}{of_service}")), 2);
    let private = destination_rule(
        "name: r, namespace: istio-system",
        "'*.com'",
        &format!("exportTo: ['.'], {}", timeout(4)),
    );
    assert_eq!(seconds(&format!("{private}{of_service}")), 4);
}

#[test]
fn the_most_specific_host_wins_within_a_namespace() {
    let p = entry("name: p", "a.p.com", HTTP, STATIC);
    let seconds = |rules: &[(&str, u32)]| {
        let list: String = rules
            .iter()
            .map(|(host, seconds)| {
                destination_rule(&format!("name: r{seconds}"), &format!("'{host}'"), &timeout(*seconds))
            })
            .collect();
        to("{host: a.p.com}", &format!("{p}{list}")).cluster("outbound|80||a.p.com").connect_timeout.as_secs()
    };
    assert_eq!(seconds(&[("*", 1), ("*.com", 2), ("*.p.com", 3), ("a.p.com", 4)]), 4);
    assert_eq!(seconds(&[("*", 1), ("*.com", 2), ("*.p.com", 3)]), 3);
    assert_eq!(seconds(&[("*.com", 2), ("*", 1)]), 2);
}

#[test]
fn rules_of_one_host_are_taken_together() {
    let p = entry("name: p", "p.com", HTTP, STATIC);
    let first = destination_rule("name: a", "p.com", "subsets: [{name: v1}]");
    let second = destination_rule(
        "name: b",
        "p.com",
        &format!("{}, subsets: [{{name: v2}}, {{name: v1, labels: {{x: y}}}}]", timeout(5)),
    );
    let third = destination_rule("name: c", "p.com", &timeout(6));
    let outcome = to("{host: p.com, subset: v2}", &format!("{p}{third}{second}{first}"));
    assert_eq!(outcome.cluster("outbound|80|v2|p.com").connect_timeout, Duration::from_secs(5));
    // The first `v1` counts: it has no labels, so it has all endpoints.
    let outcome = to("{host: p.com, subset: v1}", &format!("{p}{second}{first}"));
    assert_eq!(outcome.endpoints("outbound|80|v1|p.com"), ["10.0.0.1:80"]);
}

#[test]
fn rules_of_one_host_for_others_are_not_taken_together() {
    let p = entry("name: p", "p.com", HTTP, STATIC);
    let subsets = |name: &str, more: &str| {
        destination_rule(&format!("name: {name}"), "p.com", &format!("subsets: [{{name: {name}}}]{more}"))
    };
    let knows = |first: &str, second: &str| {
        let rules = format!("{p}{}{}", subsets("a", first), subsets("b", second));
        let has = |subset| !to(&format!("{{host: p.com, subset: {subset}}}"), &rules).has("unknown-subset");
        (has("a"), has("b"))
    };
    assert_eq!(knows("", ""), (true, true));
    // The default, written; and one order and another.
    assert_eq!(knows("", ", exportTo: ['*']"), (true, true));
    assert_eq!(knows(", exportTo: [default, x]", ", exportTo: [x, .]"), (true, true));
    assert_eq!(knows("", ", exportTo: [.]"), (true, false));
    assert_eq!(knows(", exportTo: [.]", ""), (true, false));
}

#[test]
fn case_112_a_port_replaces_and_a_subset_merges() {
    let p =
        entry("name: p", "p.com", &format!("{HTTP}, {{number: 81, name: other, protocol: HTTP}}"), STATIC);
    let rule = destination_rule(
        "name: r",
        "p.com",
        "trafficPolicy: {tls: {mode: SIMPLE}, loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {connectTimeout: 1s}}, portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}]}, subsets: [{name: v1, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 2s}}}}]",
    );
    let on = |port: u16, subset: &str| {
        to(&format!("{{host: p.com, port: {{number: {port}}}{subset}}}"), &format!("{p}{rule}"))
    };
    // Neither the TLS nor the timeout of the whole rule is left for port 80.
    let replaced = on(80, "");
    let cluster = replaced.cluster("outbound|80||p.com");
    assert_eq!((cluster.balance.method, cluster.connect_timeout.as_secs()), (LoadBalancing::RoundRobin, 10));
    assert_eq!(replaced.endpoints("outbound|80||p.com"), ["10.0.0.1:80"]);
    // The subset adds its own block.
    let of_subset = on(80, ", subset: v1");
    let cluster = of_subset.cluster("outbound|80|v1|p.com");
    assert_eq!((cluster.balance.method, cluster.connect_timeout.as_secs()), (LoadBalancing::RoundRobin, 2));
    // On the other port there is TLS.
    let secure = on(81, "");
    assert_eq!(secure.cluster("outbound|81||p.com").balance.method, LoadBalancing::Random);
    assert!(secure.cluster("outbound|81||p.com").tls.is_some());
    assert_eq!(replaced.cluster("outbound|80||p.com").tls, None);
}

#[test]
fn rules_with_a_workload_selector() {
    let p = entry("name: p", "p.com", HTTP, STATIC);
    let select = |labels: &str, seconds| {
        destination_rule(
            &format!("name: s{seconds}"),
            "p.com",
            &format!(
                "workloadSelector: {{matchLabels: {{{labels}}}}}, exportTo: ['.'], {}",
                timeout(seconds)
            ),
        )
    };
    let plain = destination_rule("name: a", "p.com", &timeout(1));
    let yaml = bound(
        "{host: p.com}",
        &format!("{p}{plain}{}{}", select("istio: other", 2), select("istio: ingressgateway", 3)),
    );
    let known = compiled_with(&Options { labels: ingress().labels, ..Options::default() }, &yaml);
    assert_eq!(known.cluster("outbound|80||p.com").connect_timeout.as_secs(), 3);
    let unknown = compiled(&yaml);
    assert_eq!(unknown.cluster("outbound|80||p.com").connect_timeout.as_secs(), 1);
}
