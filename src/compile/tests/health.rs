//! Specification section 4.5, and health checks, which Istio has not.

use super::*;
use crate::table::{Cluster, HttpProbe, OutlierDetection, Probe};
use std::time::Duration;

/// The cluster of `p.com`, with a DestinationRule and an annotation on each object.
fn cluster(policy: &str, (of_entry, of_rule): (&str, &str)) -> Cluster {
    let annotated = |name: &str, check: &str| match check {
        "" => format!("name: {name}"),
        check => format!("name: {name}, annotations: {{sluicegate.io/health-check: \"{check}\"}}"),
    };
    let entry = "{hosts: [p.com], ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: grpc, protocol: GRPC}], resolution: STATIC, endpoints: [{address: 10.0.0.1}]}";
    let objects = [
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", "{route: [{destination: {host: p.com, port: {number: 80}}}]}"),
        object("ServiceEntry", &annotated("p", of_entry), entry),
        object("DestinationRule", &annotated("r", of_rule), &format!("{{host: p.com, {policy}}}")),
    ];
    let outcome = compiled(&objects.concat());
    assert_eq!(outcome.warnings(), [""; 0]);
    outcome.cluster("outbound|80||p.com").clone()
}

fn outlier(written: &str) -> Option<OutlierDetection> {
    let cluster = cluster(&format!("trafficPolicy: {{outlierDetection: {written}}}"), ("", ""));
    cluster.outlier.map(|outlier| *outlier)
}

#[test]
fn a_block_that_is_there_switches_it_on() {
    assert_eq!(outlier("{}"), Some(OutlierDetection::default()));
    let none = cluster("trafficPolicy: {loadBalancer: {simple: RANDOM}}", ("", ""));
    assert!(none.outlier.is_none() && !none.has_health());
    assert_eq!(none.balance.panic_percent, 50);
}

#[test]
fn everything_can_be_said() {
    let all = "{consecutive5xxErrors: 0, consecutiveGatewayErrors: 2, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, interval: 1s, baseEjectionTime: 2m, maxEjectionPercent: 100, minHealthPercent: 40, outlierDetectionHttpErrorCodes: [503, 429, 503]}";
    let expected = OutlierDetection {
        consecutive_5xx: 0,
        consecutive_gateway: 2,
        consecutive_local: Some(3),
        statuses: [429, 503].into(),
        interval: Duration::from_secs(1),
        base_ejection_time: Duration::from_secs(120),
        max_ejection_percent: 100,
        min_health_percent: 40,
    };
    assert_eq!(outlier(all), Some(expected));
    assert_eq!(outlier("{splitExternalLocalOriginErrors: true}").unwrap().consecutive_local, Some(5));
    // istiod can't tell 0 from what is not written.
    assert_eq!(outlier("{maxEjectionPercent: 0}").unwrap().max_ejection_percent, 10);
}

#[test]
fn a_port_replaces_and_the_mesh_fills_in() {
    let policy = "trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7}, portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}";
    assert!(cluster(policy, ("", "")).outlier.is_none());
    let mesh = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i, namespace: istio-system}\nspec: {meshConfig: {defaultTrafficPolicy: {outlierDetection: {consecutive5xxErrors: 9}}}}\n---\n";
    let objects = [
        mesh.to_owned(),
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        service("p.com"),
    ];
    let outcome = compiled(&objects.concat());
    let outlier = outcome.cluster("outbound|80||p.com").outlier.clone();
    assert_eq!(outlier.map(|outlier| outlier.consecutive_5xx), Some(9));
}

#[test]
fn case_172_the_old_field_is_ignored() {
    let yaml = object(
        "DestinationRule",
        "name: r",
        "{host: p.com, trafficPolicy: {outlierDetection: {consecutiveErrors: 2}}}",
    );
    let objects = [
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        service("p.com"),
        yaml,
    ];
    let outcome = compiled(&objects.concat());
    assert!(outcome.diagnostic("deprecated-field").message.contains("has no effect"));
    assert_eq!(outcome.cluster("outbound|80||p.com").outlier.as_deref(), Some(&OutlierDetection::default()));
}

const PLAIN: &str = "trafficPolicy: {loadBalancer: {simple: RANDOM}}";

#[test]
fn a_check_has_its_defaults() {
    let check = *cluster(PLAIN, ("http: {path: /healthz}", "")).health_check.unwrap();
    let probe = HttpProbe {
        method: "GET".into(),
        path: "/healthz".into(),
        host: "p.com".into(),
        statuses: [200..=200].into(),
    };
    assert_eq!(check.probe, Probe::Http(probe));
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(5), Duration::from_secs(1)));
    assert_eq!((check.healthy_threshold, check.unhealthy_threshold), (2, 3));
    assert_eq!((check.port, check.waits, check.min_health_percent), (None, false, None));
}

#[test]
fn the_rules_check_is_stronger_than_the_entrys() {
    let of_rule = "{grpc: {service: a.B}, port: 9, initially: unhealthy, interval: 1s}";
    let both = cluster(PLAIN, ("tcp: {}", of_rule));
    let check = both.health_check.as_deref().unwrap();
    assert_eq!(check.probe, Probe::Grpc { service: "a.B".into(), host: "p.com".into() });
    assert_eq!((check.port, check.waits), (Some(9), true));
    assert_eq!(cluster(PLAIN, ("tcp: {}", "")).health_check.unwrap().probe, Probe::Tcp);
}

#[test]
fn how_many_must_be_good() {
    let outlier = "trafficPolicy: {outlierDetection: {minHealthPercent: 30}}";
    assert_eq!(cluster(outlier, ("", "")).balance.panic_percent, 30);
    assert_eq!(cluster(outlier, ("tcp: {}", "")).balance.panic_percent, 30);
    assert_eq!(cluster(outlier, ("{tcp: {}, minHealthPercent: 20}", "")).balance.panic_percent, 20);
    assert_eq!(cluster(PLAIN, ("tcp: {}", "")).balance.panic_percent, 0);
}
