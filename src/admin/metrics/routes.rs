//! Numbers of routes. Their labels come from the configuration, never from a request: the virtual host as it is written
//! there, and the route's name. Only routes that were asked for something are there.

use super::page::{Page, escaped};
use crate::telemetry::{Flag, RouteTraffic, Traffic};

/// Bounds of the buckets, as powers of two of microseconds: from half a millisecond to half a minute. The gateway's own
/// buckets have these among their bounds, so that the counts are exact.
const BOUNDS: std::ops::RangeInclusive<u32> = 9..=25;

pub(super) fn append(traffic: &Traffic, page: &mut Page) {
    let labelled: Vec<_> = traffic.routes.iter().map(|route| (labels(route), route)).collect();
    if labelled.is_empty() {
        return;
    }
    let name = "sluicegate_route_requests_total";
    page.counters(name, "Requests of each route, by the class of the status; class 0 got no answer.");
    for (labels, route) in &labelled {
        let classes = route.sums.classes.iter().enumerate().filter(|(_, count)| **count > 0);
        for (class, count) in classes {
            page.sample(&format!("{labels},response_code_class=\"{class}\""), count);
        }
    }
    let name = "sluicegate_route_response_flags_total";
    page.counters(name, "Requests of each route that ended for the reason of this response flag.");
    for (labels, route) in &labelled {
        for (flag, count) in route.sums.flags() {
            page.sample(&format!("{labels},response_flag=\"{}\"", Flag::as_str(flag)), count);
        }
    }
    let name = "sluicegate_route_request_body_bytes_total";
    page.counters(name, "Bytes of the bodies of requests of each route.");
    labelled.iter().for_each(|(labels, route)| page.sample(labels, route.sums.bytes_received));
    let name = "sluicegate_route_response_body_bytes_total";
    page.counters(name, "Bytes of the bodies of answers of each route.");
    labelled.iter().for_each(|(labels, route)| page.sample(labels, route.sums.bytes_sent));
    page.family("sluicegate_route_duration_seconds", "histogram", "How long requests of each route took.");
    for (labels, route) in &labelled {
        let below = |bits: u32| (f64::from(1u32 << bits) / 1e6, route.latencies.below_micros(1 << bits));
        page.buckets(labels, &mut BOUNDS.map(below));
        page.histogram_end(labels, route.latencies.count(), route.latencies.sum_micros as f64 / 1e6);
    }
}

fn labels(route: &RouteTraffic) -> String {
    // Prometheus takes an empty label for none; a request that found no route has a word for it.
    let name = |text: &str| if text.is_empty() { "-".to_owned() } else { escaped(text) };
    format!("virtual_host=\"{}\",route=\"{}\"", name(&route.host), name(&route.route))
}
