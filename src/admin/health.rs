//! Which endpoints are good: numbers, flags and JSON.

use super::{metrics::escaped, pages::present_endpoints};
use crate::{
    control::Gateway,
    table::{
        Cluster, ClusterHealth, ClusterId, Endpoint, HealthCheck, HttpProbe, OutlierDetection, Probe, Reason,
    },
};
use serde_json::{Value, json};

/// Labels and value.
type Sample = (String, u64);

/// One number of all clusters that keep health.
pub(super) struct Numbers {
    /// As Envoy names it, where Envoy has it.
    pub(super) name: &'static str,
    pub(super) is_counter: bool,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// A cluster that keeps health.
struct Kept<'g> {
    cluster: &'g Cluster,
    health: &'g ClusterHealth,
    endpoints: Vec<Endpoint>,
}

/// All numbers; none where no cluster keeps health.
pub(super) fn numbers(gateway: &Gateway) -> Vec<Numbers> {
    let snapshot = gateway.snapshot();
    let with_ids = (0..).map(ClusterId).zip(&snapshot.clusters);
    let kept: Vec<Kept<'_>> = with_ids
        .filter_map(|(id, cluster)| {
            let health = cluster.health.as_deref()?;
            Some(Kept { cluster, health, endpoints: present_endpoints(gateway, id, &cluster.endpoints) })
        })
        .collect();
    if kept.is_empty() {
        return Vec::new();
    }
    let ejected = kept.iter().filter(|kept| kept.cluster.outlier.is_some());
    let ejected: Vec<&Kept<'_>> = ejected.collect();
    let checked = kept.iter().filter(|kept| kept.cluster.health_check.is_some());
    let checked: Vec<&Kept<'_>> = checked.collect();
    let mut all = vec![members(&kept)];
    if !ejected.is_empty() {
        all.extend(ejections(&ejected));
    }
    if !checked.is_empty() {
        all.extend(checks(&checked));
    }
    all
}

fn members(kept: &[Kept<'_>]) -> Numbers {
    let each = kept.iter().flat_map(|kept| {
        let labels = kept.labels();
        kept.endpoints.iter().map(move |e| {
            (format!("{labels},endpoint=\"{}\"", escaped(&e.address.to_string())), is_good(e).into())
        })
    });
    Numbers {
        name: "sluicegate_endpoint_healthy",
        is_counter: false,
        help: "1 for an endpoint that is good, 0 for one that is not; of clusters that keep health.",
        samples: each.collect(),
    }
}

fn ejections(kept: &[&Kept<'_>]) -> Vec<Numbers> {
    let samples =
        |of: &dyn Fn(&ClusterHealth) -> u64| kept.iter().map(|kept| kept.sample(of(kept.health))).collect();
    let counter = |name, help, samples| Numbers { name, is_counter: true, help, samples };
    let total = |health: &ClusterHealth| Reason::ALL.iter().map(|reason| health.ejections(*reason)).sum();
    let mut all = vec![
        Numbers {
            name: "envoy_cluster_outlier_detection_ejections_active",
            is_counter: false,
            help: "Endpoints that outlier detection has put out.",
            samples: samples(&|health| u64::from(health.ejected())),
        },
        counter(
            "envoy_cluster_outlier_detection_ejections_enforced_total",
            "Ejections of endpoints.",
            samples(&total),
        ),
        counter(
            "envoy_cluster_outlier_detection_ejections_overflow",
            "Ejections that maxEjectionPercent has prevented.",
            samples(&ClusterHealth::overflow),
        ),
    ];
    let by_reason = [
        "envoy_cluster_outlier_detection_ejections_enforced_consecutive_5xx",
        "envoy_cluster_outlier_detection_ejections_enforced_consecutive_gateway_failure",
        "envoy_cluster_outlier_detection_ejections_enforced_consecutive_local_origin_failure",
    ];
    all.extend(by_reason.into_iter().zip(Reason::ALL).map(|(name, reason)| {
        counter(name, "Ejections of endpoints for one reason.", samples(&|health| health.ejections(reason)))
    }));
    all
}

fn checks(kept: &[&Kept<'_>]) -> [Numbers; 3] {
    let samples =
        |of: fn([u64; 2]) -> u64| kept.iter().map(|kept| kept.sample(of(kept.health.checks()))).collect();
    let counter = |name, help, samples| Numbers { name, is_counter: true, help, samples };
    [
        counter(
            "envoy_cluster_health_check_attempt",
            "Health checks of endpoints.",
            samples(|[good, bad]| good + bad),
        ),
        counter(
            "envoy_cluster_health_check_success",
            "Health checks that succeeded.",
            samples(|[good, _]| good),
        ),
        counter("envoy_cluster_health_check_failure", "Health checks that failed.", samples(|[_, bad]| bad)),
    ]
}

impl Kept<'_> {
    fn labels(&self) -> String {
        format!("cluster_name=\"{}\"", escaped(&self.cluster.name))
    }

    fn sample(&self, value: u64) -> Sample {
        (self.labels(), value)
    }
}

pub(super) fn is_good(endpoint: &Endpoint) -> bool {
    endpoint.health().is_none_or(|health| health.is_good())
}

/// As `/clusters` of Envoy writes it; nothing where nobody asks.
pub(super) fn flags(endpoint: &Endpoint) -> Option<String> {
    let health = endpoint.health()?;
    let flags =
        [(health.is_failing_checks(), "/failed_active_hc"), (health.is_ejected(), "/failed_outlier_check")];
    let flags: String = flags.into_iter().filter(|(is_on, _)| *is_on).map(|(_, flag)| flag).collect();
    Some(if flags.is_empty() { "healthy".to_owned() } else { flags })
}

/// What is known of an endpoint; `null` where nobody asks.
pub(super) fn endpoint(endpoint: &Endpoint) -> Value {
    let Some(health) = endpoint.health() else { return Value::Null };
    json!({
        "is_good": health.is_good(),
        "is_failing_checks": health.is_failing_checks(),
        "ejected_seconds": health.ejection().map(|(_, time)| time.as_secs_f64()),
        "ejected_because": health.ejection().map(|(reason, _)| reason.name()),
        "ejections": health.ejections(),
    })
}

/// `outlierDetection`
pub(super) fn outlier(outlier: &OutlierDetection) -> Value {
    json!({
        "consecutive_5xx_errors": outlier.consecutive_5xx,
        "consecutive_gateway_errors": outlier.consecutive_gateway,
        "consecutive_local_origin_failures": outlier.consecutive_local,
        "http_error_codes": outlier.statuses,
        "interval_seconds": outlier.interval.as_secs_f64(),
        "base_ejection_seconds": outlier.base_ejection_time.as_secs_f64(),
        "max_ejection_percent": outlier.max_ejection_percent,
        "min_health_percent": outlier.min_health_percent,
    })
}

/// `sluicegate.io/health-check`
pub(super) fn check(check: &HealthCheck) -> Value {
    let probe = match &check.probe {
        Probe::Http(HttpProbe { method, path, host, statuses }) => json!({"http": {
            "method": method,
            "path": path,
            "host": host,
            "expected_statuses":
                statuses.iter().map(|range| [*range.start(), *range.end()]).collect::<Vec<_>>(),
        }}),
        Probe::Tcp => json!({"tcp": {}}),
        Probe::Grpc { service, host } => json!({"grpc": {"service": service, "host": host}}),
    };
    json!({
        "probe": probe,
        "interval_seconds": check.interval.as_secs_f64(),
        "timeout_seconds": check.timeout.as_secs_f64(),
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
        "port": check.port,
        "initially": if check.waits { "unhealthy" } else { "healthy" },
        "min_health_percent": check.min_health_percent,
    })
}
