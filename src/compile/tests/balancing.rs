//! What `loadBalancer` becomes (specification section 4.3), and which endpoints are near.

use super::*;
use crate::{
    filter::{HashCookie, HashKey},
    table::{Balance, Endpoints, HashAlgorithm, LoadBalancing, Placement},
};
use std::{collections::BTreeMap, time::Duration};

const CLUSTER: &str = "outbound|80||p.com";

/// A route to `p.com` with these endpoints and this traffic policy.
fn to(endpoints: &str, policy: &str, more: &str) -> String {
    let entry = format!(
        "{{hosts: [p.com], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{endpoints}]}}"
    );
    format!(
        "{}{}{}{}{more}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        object("ServiceEntry", "name: p", &entry),
        object("DestinationRule", "name: r", &format!("{{host: p.com, trafficPolicy: {policy}}}")),
    )
}

fn balance(policy: &str) -> Balance {
    let outcome = compiled(&to("{address: 10.0.0.1}", policy, ""));
    outcome.cluster(CLUSTER).balance.clone()
}

fn hash(settings: &str) -> (HashKey, HashAlgorithm) {
    let balance = balance(&format!("{{loadBalancer: {{consistentHash: {settings}}}}}"));
    let hash = balance.hash.unwrap();
    (hash.key.clone(), hash.algorithm)
}

#[test]
fn methods() {
    let method = |simple: &str| balance(&format!("{{loadBalancer: {{simple: {simple}}}}}")).method;
    assert_eq!(method("UNSPECIFIED"), LoadBalancing::LeastRequest);
    assert_eq!(method("LEAST_CONN"), LoadBalancing::LeastRequest);
    assert_eq!(method("LEAST_REQUEST"), LoadBalancing::LeastRequest);
    assert_eq!(method("ROUND_ROBIN"), LoadBalancing::RoundRobin);
    assert_eq!(method("RANDOM"), LoadBalancing::Random);
}

#[test]
fn keys_and_algorithms() {
    let header = || HashKey::Header("x-user".into());
    assert_eq!(hash("{httpHeaderName: X-User}"), (header(), HashAlgorithm::Ring(1024)));
    assert_eq!(hash("{httpHeaderName: x-user, ringHash: {}}").1, HashAlgorithm::Ring(1024));
    assert_eq!(
        hash("{httpHeaderName: x-user, ringHash: {minimumRingSize: 4096}}").1,
        HashAlgorithm::Ring(4096)
    );
    assert_eq!(hash("{httpHeaderName: x-user, minimumRingSize: 2048}").1, HashAlgorithm::Ring(2048));
    assert_eq!(
        hash("{httpHeaderName: x-user, maglev: {tableSize: 251}}"),
        (header(), HashAlgorithm::Maglev(251))
    );
    assert_eq!(hash("{useSourceIp: true}").0, HashKey::SourceIp);
    assert_eq!(hash("{httpQueryParameterName: Q}").0, HashKey::QueryParameter("Q".into()));
    let by_nothing = balance("{loadBalancer: {consistentHash: {useSourceIp: false}}}");
    assert!(by_nothing.hash.is_none());
    assert_eq!(by_nothing.method, LoadBalancing::Random);
}

#[test]
fn cookies_with_attributes() {
    let written = "{httpCookie: {name: sid, path: /p, ttl: 1m30s, attributes: [{name: SameSite, value: Lax}, {name: Secure}]}}";
    let expected = HashCookie {
        name: "sid".into(),
        ttl: Some(90),
        path: "/p".into(),
        attributes: [("SameSite", "Lax"), ("Secure", "")].map(|(n, v)| (n.into(), v.into())).into(),
    };
    assert_eq!(hash(written).0, HashKey::Cookie(Box::new(expected)));
    let HashKey::Cookie(cookie) = hash("{httpCookie: {name: sid, ttl: 0s}}").0 else { panic!() };
    assert_eq!(cookie.ttl, Some(0));
    let HashKey::Cookie(cookie) = hash("{httpCookie: {name: sid}}").0 else { panic!() };
    assert_eq!(cookie.ttl, None);
}

#[test]
fn warm_ups() {
    let warmup =
        |settings: &str| balance(&format!("{{loadBalancer: {settings}}}")).warmup.map(|warmup| *warmup);
    let whole =
        warmup("{simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 20, aggression: 2}}").unwrap();
    assert_eq!((whole.duration, whole.minimum, whole.aggression), (Duration::from_secs(30), 0.2, 2.0));
    let deprecated = warmup("{warmupDurationSecs: 1m}").unwrap();
    assert_eq!(
        (deprecated.duration, deprecated.minimum, deprecated.aggression),
        (Duration::from_secs(60), 0.1, 1.0)
    );
    assert_eq!(warmup("{simple: RANDOM, warmup: {duration: 30s}}"), None);
}

#[test]
fn panic_is_off_where_endpoints_are_left_out() {
    assert_eq!(balance("{loadBalancer: {simple: RANDOM}}").panic_percent, 50);
    assert_eq!(balance("{outlierDetection: {}}").panic_percent, 0);
    assert_eq!(balance("{outlierDetection: {minHealthPercent: 30}}").panic_percent, 30);
}

/// Hash precedence: subset-port > subset > DR-port > DR.
#[test]
fn the_nearest_policy_decides() {
    let by = |name: &str| format!("{{loadBalancer: {{consistentHash: {{httpHeaderName: {name}}}}}}}");
    let port = |inner: &str| {
        let settings = inner.strip_prefix('{').unwrap();
        format!("portLevelSettings: [{{port: {{number: 80}}, {settings}]")
    };
    let with = |a: &str, b: &str| format!("{}, {b}}}", a.strip_suffix('}').unwrap());
    let key = |whole: &str, subset: &str| {
        let rule = format!(
            "{{host: p.com, trafficPolicy: {whole}, subsets: [{{name: s, trafficPolicy: {subset}}}]}}"
        );
        let yaml = format!(
            "{}{}{}{}",
            http_gateway("name: g", "'*'"),
            rules("name: v", "'*'", "g", "{route: [{destination: {host: p.com, subset: s}}]}"),
            service("p.com"),
            object("DestinationRule", "name: r", &rule),
        );
        let outcome = compiled(&yaml);
        let hash = outcome.cluster("outbound|80|s|p.com").balance.hash.clone().unwrap();
        let HashKey::Header(name) = &hash.key else { panic!() };
        name.to_string()
    };
    let other = "{connectionPool: {tcp: {connectTimeout: 1s}}}";
    assert_eq!(key(&by("dr"), other), "dr");
    assert_eq!(key(&with(&by("dr"), &port(&by("dr-port"))), other), "dr-port");
    assert_eq!(key(&with(&by("dr"), &port(&by("dr-port"))), &by("subset")), "subset");
    assert_eq!(key(&by("dr"), &with(&by("subset"), &port(&by("subset-port")))), "subset-port");
}

const SPREAD: &str = "{address: 10.0.0.1, locality: r/z/s, labels: {tier: a}}, {address: 10.0.0.2, locality: r/z/t}, {address: 10.0.0.3, locality: r/y/s}, {address: 10.0.0.4, locality: q/x/s, labels: {tier: a}}, {address: 10.0.0.5, locality: o/x/s}";

fn here(locality: &str) -> Options {
    let labels = BTreeMap::from([("tier".to_owned(), "a".to_owned())]);
    Options { labels: Some(labels), locality: Some(locality.parse().unwrap()), ..Options::default() }
}

fn placements(
    options: &Options,
    endpoints: &str,
    policy: &str,
    more: &str,
) -> (Vec<(String, Placement)>, Vec<u32>) {
    let outcome = compiled_with(options, &to(endpoints, policy, more));
    let cluster = outcome.cluster(CLUSTER);
    let Endpoints::Static(list) = &cluster.endpoints else { panic!() };
    let list =
        list.iter().map(|e| (e.address.to_string().replace("10.0.0.", "").replace(":80", ""), e.placement));
    (list.collect(), cluster.balance.place_weights.to_vec())
}

fn priorities(options: &Options, policy: &str) -> Vec<u8> {
    placements(options, SPREAD, policy, "").0.iter().map(|(_, placement)| placement.priority).collect()
}

#[test]
fn failover_is_by_distance() {
    let near = "{outlierDetection: {}, loadBalancer: {localityLbSetting: {enabled: true}}}";
    assert_eq!(priorities(&here("r/z/s"), near), [0, 1, 2, 3, 3]);
    // Priorities count from 0 without gaps.
    assert_eq!(priorities(&here("o/x/s"), near), [1, 1, 1, 1, 0]);
    assert_eq!(priorities(&here("elsewhere"), near), [0, 0, 0, 0, 0]);
    // It is the mesh's default, but needs outlierDetection.
    assert_eq!(priorities(&here("r/z/s"), "{outlierDetection: {}}"), [0, 1, 2, 3, 3]);
    assert_eq!(priorities(&here("r/z/s"), "{loadBalancer: {simple: RANDOM}}"), [0; 5]);
    let off = "{outlierDetection: {}, loadBalancer: {localityLbSetting: {enabled: false}}}";
    assert_eq!(priorities(&here("r/z/s"), off), [0; 5]);
}

#[test]
fn failover_to_a_region() {
    let policy = "{outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: r, to: o}]}}}";
    assert_eq!(priorities(&here("r/z/s"), policy), [0, 1, 2, 4, 3]);
    assert_eq!(placements(&here("r/z/s"), SPREAD, policy, "").1.len(), 5);
}

#[test]
fn failover_by_labels() {
    let by = |labels: &str| {
        format!(
            "{{outlierDetection: {{}}, loadBalancer: {{localityLbSetting: {{failoverPriority: [{labels}]}}}}}}"
        )
    };
    assert_eq!(priorities(&here("r/z/s"), &by("tier")), [0, 1, 1, 0, 1]);
    assert_eq!(priorities(&here("r/z/s"), &by("tier=b")), [0; 5]);
    let region = "topology.kubernetes.io/region";
    let zone = "topology.kubernetes.io/zone";
    assert_eq!(priorities(&here("r/z/s"), &by(&format!("{region}, {zone}"))), [0, 0, 1, 2, 2]);
    assert_eq!(priorities(&here("r/z/s"), &by(&format!("tier, {region}"))), [0, 2, 2, 1, 2]);
}

#[test]
fn shares_of_places() {
    let policy = "{loadBalancer: {localityLbSetting: {distribute: [{from: r/z/*, to: {r/z/s: 70, r/y: 20, q/*: 10}}, {from: '*', to: {r/z: 100}}]}}}";
    let (list, weights) = placements(&here("r/z/s"), SPREAD, policy, "");
    let shares: Vec<_> =
        list.iter().map(|(name, at)| (name.as_str(), weights[usize::from(at.place)])).collect();
    assert_eq!(shares, [("1", 70), ("3", 20), ("4", 10)]);
    let (list, weights) = placements(&here("o/x/s"), SPREAD, policy, "");
    let shares: Vec<_> =
        list.iter().map(|(name, at)| (name.as_str(), weights[usize::from(at.place)])).collect();
    assert_eq!(shares, [("1", 50), ("2", 50)]);
}

#[test]
fn shares_for_places_without_endpoints() {
    let policy = "{loadBalancer: {localityLbSetting: {distribute: [{from: '*', to: {nowhere: 100}}]}}}";
    let outcome = compiled_with(&here("r"), &to(SPREAD, policy, ""));
    assert_eq!(outcome.endpoints(CLUSTER), [""; 0]);
    assert!(outcome.diagnostic("no-endpoints").message.contains("localityLbSetting.distribute"));
}

#[test]
fn a_place_that_is_not_known_is_reported() {
    let setting = |setting: &str| {
        let policy = format!("{{outlierDetection: {{}}, loadBalancer: {{localityLbSetting: {setting}}}}}");
        compiled(&to(SPREAD, &policy, "")).has("unknown-place")
    };
    assert!(setting("{enabled: true}"));
    assert!(setting("{failover: [{from: a, to: b}]}"));
    assert!(setting("{distribute: [{from: r, to: {r: 100}}]}"));
    assert!(!setting("{distribute: [{from: '*', to: {r: 100}}]}"));
    assert!(!setting("{enabled: false}"));
    let outcome = compiled(&to(SPREAD, "{outlierDetection: {}}", ""));
    assert!(!outcome.has("unknown-place"));
}

#[test]
fn labels_say_where_the_gateway_is() {
    let of = |pairs: &[(&str, &str)]| {
        let labels = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = Options { labels: Some(labels), ..Options::default() };
        compiled_with(&options, "").0.workload.locality.to_string()
    };
    assert_eq!(of(&[("istio-locality", "r.z.s")]), "r/z/s");
    assert_eq!(of(&[("topology.kubernetes.io/region", "r"), ("topology.kubernetes.io/zone", "z")]), "r/z");
    assert_eq!(of(&[]), "");
}

#[test]
fn a_service_may_ask_for_near_endpoints() {
    let service = |more: &str| {
        let slice = |address: &str, zone: &str, node: &str| {
            format!("{{addresses: [{address}], zone: {zone}, nodeName: {node}}}")
        };
        let yaml = format!(
            "{}{}\
             apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: default}}\nspec: {{{more}ports: [{{name: http, port: 80}}]}}\n---\n\
             apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s1, namespace: default, labels: {{kubernetes.io/service-name: s}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: 80}}]\nendpoints: [{}, {}, {}]\n---\n",
            http_gateway("name: g", "'*'"),
            rules("name: v", "'*'", "g", &everything_to("s")),
            slice("10.0.0.1", "z", "n1"),
            slice("10.0.0.2", "z", "n2"),
            slice("10.0.0.3", "y", "n3"),
        );
        let labels = BTreeMap::from([("kubernetes.io/hostname".to_owned(), "n2".to_owned())]);
        let locality = Some("r/z".parse().unwrap());
        let outcome = compiled_with(&Options { labels: Some(labels), locality, ..Options::default() }, &yaml);
        let cluster = outcome.cluster("outbound|80||s.default.svc.cluster.local");
        let Endpoints::Static(list) = &cluster.endpoints else { panic!() };
        let priorities: Vec<_> = list.iter().map(|endpoint| endpoint.placement.priority).collect();
        (priorities, outcome.has("not-supported-yet"))
    };
    assert_eq!(service(""), (vec![0, 0, 0], false));
    assert_eq!(service("trafficDistribution: PreferClose, "), (vec![0, 0, 1], false));
    assert_eq!(service("trafficDistribution: PreferSameZone, "), (vec![0, 0, 1], false));
    assert_eq!(service("trafficDistribution: PreferSameNode, "), (vec![1, 0, 2], false));
    assert_eq!(service("trafficDistribution: Far, "), (vec![0, 0, 0], true));
}
