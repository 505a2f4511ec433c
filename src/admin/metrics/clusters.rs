//! Numbers of clusters, under Envoy's names.
//!
//! Of each cluster of the configuration there is how many endpoints it has; all else is there of those that were asked for
//! something since the gateway started.

use super::{
    Big,
    page::{Page, escaped},
};
use crate::{
    admin::{health, pages::present_endpoints},
    control::Gateway,
    table::{ClusterId, Endpoints},
    telemetry::{ClusterTraffic, Distributed, Traffic},
};
use std::collections::BTreeMap;

/// How many endpoints each cluster has, and how many of them are good.
pub(super) fn members(gateway: &Gateway) -> Vec<(u64, u64)> {
    let count = |endpoints: &[crate::table::Endpoint]| {
        let good = endpoints.iter().filter(|endpoint| health::is_good(endpoint)).count();
        (endpoints.len() as u64, good as u64)
    };
    let snapshot = gateway.snapshot();
    let clusters = (0..).map(ClusterId).zip(&snapshot.clusters);
    let each = clusters.map(|(id, cluster)| match &cluster.endpoints {
        Endpoints::Static(list) => count(list),
        found => count(&present_endpoints(gateway, id, found)),
    });
    each.collect()
}

/// Name, help, and which number.
type About = (&'static str, &'static str, fn(&ClusterTraffic) -> u64);

const COUNTERS: [About; 11] = [
    ("envoy_cluster_upstream_rq_total", "Attempts at an endpoint of a cluster.", |c| c.attempts),
    (
        "envoy_cluster_upstream_rq_retry",
        "Requests tried again because the policy of their route says so.",
        |c| c.retries,
    ),
    (
        "envoy_cluster_upstream_rq_retry_success",
        "Requests that were answered after they had been tried again.",
        |c| c.retry_successes,
    ),
    (
        "envoy_cluster_upstream_rq_retry_limit_exceeded",
        "Requests that failed, or got an answer that is a reason for another try, when all tries had been made.",
        |c| c.retry_limit_exceeded,
    ),
    ("envoy_cluster_upstream_rq_timeout", "Attempts that ended because their time was over.", |c| c.timeouts),
    (
        "envoy_cluster_upstream_rq_rx_reset",
        "Attempts whose connection or stream an endpoint ended before its answer was whole.",
        |c| c.resets,
    ),
    ("envoy_cluster_upstream_cx_total", "Connections opened to endpoints of a cluster.", |c| c.connections),
    ("envoy_cluster_upstream_cx_connect_fail", "Connections to endpoints that could not be opened.", |c| {
        c.connect_failures
    }),
    (
        "envoy_cluster_upstream_cx_destroy_remote_with_active_rq",
        "Connections that an endpoint ended while a request was under way on them.",
        |c| c.ended_with_requests,
    ),
    ("sluicegate_cluster_request_body_bytes_total", "Bytes of the bodies of requests to a cluster.", |c| {
        c.sums.bytes_received
    }),
    ("sluicegate_cluster_response_body_bytes_total", "Bytes of the bodies of answers of a cluster.", |c| {
        c.sums.bytes_sent
    }),
];

const GAUGES: [About; 2] = [
    ("envoy_cluster_upstream_cx_active", "Connections to endpoints of a cluster that are open.", |c| {
        c.connections_active
    }),
    ("envoy_cluster_upstream_rq_active", "Attempts at an endpoint that are under way.", |c| {
        c.attempts_active
    }),
];

pub(super) fn append(traffic: &Traffic, big: &Big, page: &mut Page) {
    membership(big, page);
    let label = |name: &str| format!("cluster_name=\"{}\"", escaped(name));
    let labelled: Vec<_> = traffic.clusters.iter().map(|cluster| (label(&cluster.name), cluster)).collect();
    if labelled.is_empty() {
        return;
    }
    for (name, help, of) in COUNTERS {
        page.counters(name, help);
        labelled.iter().for_each(|(labels, cluster)| page.sample(labels, of(cluster)));
    }
    for (name, help, of) in GAUGES {
        page.gauges(name, help);
        labelled.iter().for_each(|(labels, cluster)| page.sample(labels, of(cluster)));
    }
    page.counters(
        "envoy_cluster_upstream_rq_xx",
        "Requests to a cluster by the class of the status of their answer.",
    );
    for (labels, cluster) in &labelled {
        for (class, count) in cluster.sums.classes.iter().enumerate().skip(1).filter(|(_, count)| **count > 0)
        {
            page.sample(&format!("{labels},envoy_response_code_class=\"{class}\""), count);
        }
    }
    ends(big, page);
}

fn membership(big: &Big, page: &mut Page) {
    let each = || big.snapshot.clusters.iter().zip(&big.members);
    page.gauges("envoy_cluster_membership_total", "Endpoints of a cluster.");
    each().for_each(|(c, (all, _))| page.sample(&format!("cluster_name=\"{}\"", escaped(&c.name)), all));
    page.gauges("envoy_cluster_membership_healthy", "Those of them that are good.");
    each().for_each(|(c, (_, good))| page.sample(&format!("cluster_name=\"{}\"", escaped(&c.name)), good));
}

/// By the status, and how long they took.
fn ends(big: &Big, page: &mut Page) {
    let ends: Vec<_> = big.shards.iter().flat_map(|shard| shard.traffic.ends.all()).collect();
    let mut codes: BTreeMap<(&str, u16), u64> = BTreeMap::new();
    let mut durations: BTreeMap<&str, Distributed> = BTreeMap::new();
    for end in ends.iter().filter(|end| !end.cluster.name.is_empty()) {
        *codes.entry((&end.cluster.name, end.end.code)).or_default() += end.durations.count();
        end.durations.add_to(durations.entry(&end.cluster.name).or_default());
    }
    page.counters("envoy_cluster_upstream_rq", "Requests to a cluster by the status of their answer.");
    for ((name, code), count) in codes {
        let labels = format!("cluster_name=\"{}\",envoy_response_code=\"{code}\"", escaped(name));
        page.sample(&labels, count);
    }
    let help =
        "How long requests to a cluster took, in milliseconds, from their head to the end of their answer.";
    page.family("envoy_cluster_upstream_rq_time", "histogram", help);
    for (name, durations) in &durations {
        page.distribution(&format!("cluster_name=\"{}\"", escaped(name)), durations, 1.0);
    }
}
