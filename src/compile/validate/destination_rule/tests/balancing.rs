//! Tests: how an endpoint is chosen.

use super::policy;

/// Beside outlier detection, which some settings need.
#[track_caller]
fn balancer(settings: &str, expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            let (start, field) = line.rsplit_once(' ').unwrap();
            let separator = if field.is_empty() { "" } else { "." };
            format!("{start} loadBalancer{separator}{field}")
        })
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    policy(&format!("outlierDetection: {{}}, loadBalancer: {{{settings}}}"), &expected);
}

#[track_caller]
fn hash(settings: &str, expected: &[&str]) {
    balancer(&format!("consistentHash: {{{settings}}}"), expected);
}

#[track_caller]
fn locality(settings: &str, expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            let (start, field) = line.rsplit_once(' ').unwrap();
            format!("{start} localityLbSetting.{field}")
        })
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    balancer(&format!("localityLbSetting: {{{settings}}}"), &expected);
}

#[test]
fn methods() {
    for good in ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "UNSPECIFIED"] {
        balancer(&format!("simple: {good}"), &[]);
    }
    balancer("simple: LEAST_CONN", &["warning deprecated-field simple"]);
    balancer("simple: PASSTHROUGH", &["warning no-endpoints simple"]);
}

#[test]
fn hash_keys() {
    hash("httpHeaderName: x-user", &[]);
    hash("httpQueryParameterName: user", &[]);
    hash("useSourceIp: true", &[]);
    hash("httpCookie: {name: user, path: /, ttl: 0s, attributes: [{name: SameSite, value: Lax}]}", &[]);
    hash("", &["warning no-effect consistentHash"]);
    hash("useSourceIp: false", &["warning no-effect consistentHash"]);
    hash("httpHeaderName: 'a b'", &["error bad-header-name consistentHash.httpHeaderName"]);
    hash("httpQueryParameterName: ''", &["error missing-field consistentHash.httpQueryParameterName"]);
}

#[test]
fn cookies() {
    let at = "consistentHash.httpCookie";
    hash("httpCookie: {ttl: 1s}", &[&format!("error missing-field {at}.name")]);
    hash("httpCookie: {name: 'a;b'}", &[&format!("error bad-name {at}.name")]);
    hash("httpCookie: {name: a, path: '/;b'}", &[&format!("error bad-name {at}.path")]);
    hash(
        "httpCookie: {name: a, attributes: [{value: b}]}",
        &[&format!("error missing-field {at}.attributes[0].name")],
    );
    hash(
        "httpCookie: {name: a, attributes: [{name: b, value: 'c;d'}]}",
        &[&format!("error bad-name {at}.attributes[0].value")],
    );
    hash(
        "httpCookie: {name: a, attributes: [{name: b}, {name: B}, {name: 'c d'}]}",
        &[
            &format!("error duplicate-item {at}.attributes[1].name"),
            &format!("error bad-name {at}.attributes[2].name"),
        ],
    );
}

#[test]
fn tables() {
    let key = "useSourceIp: true";
    let size = "consistentHash.maglev.tableSize";
    hash(&format!("{key}, maglev: {{tableSize: 65537}}"), &[]);
    hash(&format!("{key}, maglev: {{tableSize: 2}}"), &[]);
    hash(
        &format!("{key}, maglev: {{tableSize: 5000009}}"),
        &["error bad-table-size consistentHash.maglev.tableSize"],
    );
    hash(&format!("{key}, maglev: {{tableSize: 4999999}}"), &[]);
    for bad in ["1", "4", "65536", "5000011", "18446744073709551615"] {
        hash(&format!("{key}, maglev: {{tableSize: {bad}}}"), &[&format!("error bad-table-size {size}")]);
    }
    hash(&format!("{key}, maglev: {{}}"), &[&format!("error missing-field {size}")]);
    hash(&format!("{key}, maglev: {{tableSize: 0}}"), &[&format!("error missing-field {size}")]);
    hash(&format!("{key}, ringHash: {{minimumRingSize: 8388608}}"), &[]);
    let ring = "consistentHash.ringHash.minimumRingSize";
    hash(
        &format!("{key}, ringHash: {{minimumRingSize: 8388609}}"),
        &[&format!("error bad-table-size {ring}")],
    );
    let old = "consistentHash.minimumRingSize";
    let deprecated = format!("warning deprecated-field {old}");
    hash(&format!("{key}, minimumRingSize: 1024"), &[&deprecated]);
    let conflict = format!("error conflicting-fields {old}");
    hash(&format!("{key}, minimumRingSize: 1024, ringHash: {{}}"), &[&deprecated, &conflict]);
    hash(&format!("{key}, minimumRingSize: 1024, maglev: {{tableSize: 7}}"), &[&deprecated, &conflict]);
}

#[test]
fn warmups() {
    balancer("warmup: {duration: 30s, minimumPercent: 0, aggression: 2.5}", &[]);
    balancer("warmup: {}", &["error missing-field warmup.duration"]);
    balancer("warmup: {duration: 0s}", &["error bad-duration warmup.duration"]);
    balancer("warmup: {duration: 1s, minimumPercent: 101}", &["error bad-percentage warmup.minimumPercent"]);
    balancer("warmup: {duration: 1s, aggression: 0}", &["error bad-number warmup.aggression"]);
    balancer("simple: RANDOM, warmup: {duration: 1s}", &["warning no-effect warmup"]);
    balancer("simple: ROUND_ROBIN, warmup: {duration: 1s}", &[]);
    balancer("warmupDurationSecs: 1s", &["warning deprecated-field warmupDurationSecs"]);
    balancer(
        "warmupDurationSecs: 1s, warmup: {duration: 1s}",
        &["warning deprecated-field warmupDurationSecs", "error conflicting-fields warmupDurationSecs"],
    );
}

#[test]
fn shares_by_place() {
    locality(
        "distribute: [{from: us/a/*, to: {us/a/*: 80, us/b/*: 20}}, {from: us/b/*, to: {us/*: 100}}]",
        &[],
    );
    locality("distribute: [{from: us/a/*, to: {us/*: 80, '*': 20}}, {from: '*', to: {eu: 100}}]", &[]);
    let share = |share: &str| format!("distribute: [{{from: us, to: {{us: {share}}}}}]");
    locality(&share("99"), &["error bad-percentage distribute[0].to"]);
    locality(
        &share("0"),
        &["error bad-percentage distribute[0].to.us", "error bad-percentage distribute[0].to"],
    );
    locality(
        &share("101"),
        &["error bad-percentage distribute[0].to.us", "error bad-percentage distribute[0].to"],
    );
    locality("distribute: [{to: {us: 100}}]", &["error missing-field distribute[0].from"]);
    for bad in ["us//a", "/us", "us/*/a", "'*/a'", "us*"] {
        locality(
            &format!("distribute: [{{from: {bad}, to: {{us: 100}}}}]"),
            &["error bad-locality distribute[0].from"],
        );
    }
}

#[test]
fn places_that_overlap() {
    let two = |one: &str, other: &str| {
        format!("distribute: [{{from: {one}, to: {{a: 100}}}}, {{from: {other}, to: {{a: 100}}}}]")
    };
    for (one, other) in
        [("us", "us/*"), ("us", "us/a"), ("us/a/*", "us"), ("us/a/b", "us/a"), ("'*'", "us"), ("'*'", "'*'")]
    {
        locality(&two(one, other), &["error bad-locality distribute[1].from"]);
    }
    for (one, other) in [("us", "'*'"), ("us/a", "us/b"), ("us/a/b", "us/a/c"), ("us", "us2")] {
        locality(&two(one, other), &[]);
    }
    let to = "distribute: [{from: us, to: {us/a: 50, us/*: 50}}]";
    locality(to, &["error bad-locality distribute[0].to[\"us/*\"]"]);
}

#[test]
fn failover() {
    locality("failover: [{from: us, to: eu}]", &[]);
    locality("failover: [{from: us, to: us}]", &["error bad-locality failover[0].to"]);
    locality(
        "failover: [{from: us/a, to: '*'}]",
        &["error bad-locality failover[0].from", "error bad-locality failover[0].to"],
    );
    locality("failover: [{from: us}]", &["error missing-field failover[0].to"]);
    locality("failoverPriority: [topology.kubernetes.io/region, version=v1]", &[]);
    locality(
        "failover: [{from: us, to: eu}], failoverPriority: [version, topology.istio.io/subzone]",
        &["error conflicting-fields failoverPriority[1]"],
    );
    let both = "distribute: [{from: us, to: {us: 100}}], failover: [{from: us, to: eu}]";
    locality(both, &["error conflicting-fields failover"]);
}

#[test]
fn failover_needs_outlier_detection() {
    let setting = "loadBalancer: {localityLbSetting: {failover: [{from: us, to: eu}]}}";
    policy(setting, &["warning no-effect loadBalancer.localityLbSetting.failover"]);
    let zones = "loadBalancer: {zoneAwareLbSetting: {failoverPriority: [a]}}";
    policy(zones, &["warning no-effect loadBalancer.zoneAwareLbSetting.failoverPriority"]);
    balancer("zoneAwareLbSetting: {enabled: true, failoverPriority: [a]}", &[]);
    balancer(
        "zoneAwareLbSetting: {}, localityLbSetting: {}",
        &["error conflicting-fields zoneAwareLbSetting"],
    );
}
