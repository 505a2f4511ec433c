//! `sluicegate.io/health-check` to what the table has. That of the DestinationRule is stronger than that of the ServiceEntry.

use super::policy::ServicePolicy;
use crate::{
    compile::services::ServicePort,
    config::{Spanned, resources},
    table::{HealthCheck, HttpProbe, Probe},
};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);
const HEALTHY_THRESHOLD: u32 = 2;
const UNHEALTHY_THRESHOLD: u32 = 3;

/// How the endpoints of a port are asked. `host` is that of the service.
pub(super) fn health_check(
    policy: &ServicePolicy<'_>,
    port: &ServicePort<'_>,
    host: &str,
) -> Option<Box<HealthCheck>> {
    let of_rule = policy.rules.iter().find_map(|rule| rule.meta.own.as_ref()?.health_check.as_ref());
    let written = &of_rule.or_else(|| port.health_check())?.value;
    let time = |written: &Option<Spanned<Duration>>, default| written.as_ref().map_or(default, |t| t.value);
    let threshold = |written: &Option<Spanned<u32>>, default| written.as_ref().map_or(default, |n| n.value);
    Some(Box::new(HealthCheck {
        probe: probe(written, host),
        interval: time(&written.interval, INTERVAL),
        timeout: time(&written.timeout, TIMEOUT),
        healthy_threshold: threshold(&written.healthy_threshold, HEALTHY_THRESHOLD),
        unhealthy_threshold: threshold(&written.unhealthy_threshold, UNHEALTHY_THRESHOLD),
        port: written.port.as_ref().and_then(|port| u16::try_from(port.value).ok()),
        waits: written.initially.as_ref().is_some_and(|i| i.value == resources::Initially::Unhealthy),
        min_health_percent: written.min_health_percent.as_ref().map(|percent| percent.value),
    }))
}

/// How endpoints are asked to which TLS passes that is not ended here: by a connection, whatever else is written.
pub(super) fn by_connection(
    policy: &ServicePolicy<'_>,
    port: &ServicePort<'_>,
    host: &str,
) -> Option<Box<HealthCheck>> {
    health_check(policy, port, host).map(|check| Box::new(HealthCheck { probe: Probe::Tcp, ..*check }))
}

/// The share of good endpoints, in percent, below which all are used: that of the check; else `outlier`, which is what
/// `outlierDetection` says. Where there is none, Envoy's 50 % would send half of the requests where the check has just
/// failed, so a check of its own switches that off.
pub(super) fn panic_percent(check: Option<&HealthCheck>, has_outlier: bool, of_outlier: u8) -> u8 {
    match check {
        None => of_outlier,
        Some(check) => match check.min_health_percent {
            Some(percent) => u8::try_from(percent).unwrap_or(100),
            None if has_outlier => of_outlier,
            None => 0,
        },
    }
}

fn probe(written: &resources::HealthCheck, host: &str) -> Probe {
    let or = |written: &Option<Spanned<String>>, default: &str| -> Box<str> {
        written.as_ref().map_or(default, |text| text.as_str()).into()
    };
    match (&written.http, &written.grpc) {
        (Some(http), _) => {
            let statuses: Vec<_> = http.expected_statuses.iter().map(|range| range.value.0.clone()).collect();
            Probe::Http(HttpProbe {
                method: or(&http.method, "GET"),
                path: or(&http.path, "/"),
                host: or(&http.host, host),
                statuses: if statuses.is_empty() { [200..=200].into() } else { statuses.into() },
            })
        }
        (None, Some(grpc)) => Probe::Grpc { service: or(&grpc.service, ""), host: or(&grpc.host, host) },
        // `validate` asks for one of the three.
        (None, None) => Probe::Tcp,
    }
}
