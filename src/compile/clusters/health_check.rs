//! `sluicegate.io/health-check` to what the table has. That of the DestinationRule is stronger than that of the ServiceEntry.

use super::{Purpose, policy::ServicePolicy};
use crate::{
    compile::services::ServicePort,
    config::{Spanned, resources},
    table::{Balance, HealthCheck, HttpProbe, Probe},
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
    purpose: Purpose,
) -> Option<Box<HealthCheck>> {
    let of_rule = policy.rules.iter().find_map(|rule| rule.meta.own.as_ref()?.health_check.as_ref());
    let written = &of_rule.or_else(|| port.health_check())?.value;
    let time = |written: &Option<Spanned<Duration>>, default| written.as_ref().map_or(default, |t| t.value);
    let threshold = |written: &Option<Spanned<u32>>, default| written.as_ref().map_or(default, |n| n.value);
    Some(Box::new(HealthCheck {
        probe: match purpose {
            Purpose::Rules => probe(written, host),
            // TLS passes through, and what its clients speak in it is not known here: a connection is all that can be asked for.
            Purpose::AutoPassthrough => Probe::Tcp,
        },
        interval: time(&written.interval, INTERVAL),
        timeout: time(&written.timeout, TIMEOUT),
        healthy_threshold: threshold(&written.healthy_threshold, HEALTHY_THRESHOLD),
        unhealthy_threshold: threshold(&written.unhealthy_threshold, UNHEALTHY_THRESHOLD),
        port: written.port.as_ref().and_then(|port| u16::try_from(port.value).ok()),
        waits: written.initially.as_ref().is_some_and(|i| i.value == resources::Initially::Unhealthy),
        min_health_percent: written.min_health_percent.as_ref().map(|percent| percent.value),
    }))
}

/// With the share of good endpoints, in percent, below which all are used: that of the check; else what `outlierDetection`
/// says. Where there is neither, Envoy's 50 % would send most requests where the check has just failed, so a check switches
/// that off.
pub(super) fn with_panic(balance: Balance, check: Option<&HealthCheck>, has_outlier: bool) -> Balance {
    let Some(check) = check else { return balance };
    let panic_percent = match check.min_health_percent {
        Some(percent) => u8::try_from(percent).map_or(100, |percent| percent.min(100)),
        None if has_outlier => balance.panic_percent,
        None => 0,
    };
    Balance { panic_percent, ..balance }
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
