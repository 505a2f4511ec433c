//! When an endpoint of a destination is left out.

use super::story::Detail;
use crate::table::{Cluster, Endpoints, HealthCheck, HttpProbe, OutlierDetection, Probe};

/// What is said of a cluster's health; nothing where nobody asks.
pub(super) fn details(cluster: &Cluster) -> Vec<Detail> {
    let endpoints = match &cluster.endpoints {
        Endpoints::Static(list) => Some(list.len()),
        Endpoints::Dns { .. } => None,
    };
    let outlier = cluster.outlier.iter().map(|outlier| self::outlier(outlier, endpoints));
    let check = cluster.health_check.iter().map(|check| self::check(check));
    outlier.chain(check).map(Detail::new).collect()
}

fn outlier(outlier: &OutlierDetection, endpoints: Option<usize>) -> String {
    let counted = [
        (outlier.consecutive_5xx, "failures in a row"),
        (outlier.consecutive_gateway, "answers of 502, 503 and 504 in a row"),
        (outlier.consecutive_local.unwrap_or(0), "failures in a row to get an answer"),
    ];
    let after: Vec<String> =
        counted.iter().filter(|(most, _)| *most > 0).map(|(most, what)| format!("{most} {what}")).collect();
    if after.is_empty() {
        return "no endpoint is left out: outlierDetection counts nothing".to_owned();
    }
    let percent = outlier.max_ejection_percent;
    let after = after.join(" or ");
    if let Some(count) = endpoints.filter(|count| *count > 0 && (*count as u64) * u64::from(percent) < 100) {
        return format!(
            "no endpoint is left out after {after}: maxEjectionPercent allows {percent} % of {count}, which is none"
        );
    }
    let seconds = outlier.base_ejection_time.as_secs_f64();
    format!(
        "an endpoint is left out after {after}, for {seconds} s and longer every time, while at most {percent} % are"
    )
}

fn check(check: &HealthCheck) -> String {
    let seconds = check.interval.as_secs_f64();
    let asked = match &check.probe {
        Probe::Http(HttpProbe { method, path, host, .. }) => format!("{method} {path} of {host}"),
        Probe::Tcp => "for a connection".to_owned(),
        Probe::Grpc { service, .. } if service.is_empty() => "whether its gRPC serves".to_owned(),
        Probe::Grpc { service, .. } => format!("whether its gRPC serves {service}"),
    };
    let port = check.port.map_or_else(String::new, |port| format!(" on port {port}"));
    let (bad, good) = (check.unhealthy_threshold, check.healthy_threshold);
    format!(
        "an endpoint is asked every {seconds} s: {asked}{port}; {bad} failures put it out, {good} successes in"
    )
}
