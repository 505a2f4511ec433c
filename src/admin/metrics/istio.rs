//! Istio's standard metrics, as its proxies report them for what they send (`reporter="source"`).
//!
//! Names, labels and their order are those of Istio's reference. What a gateway can't know of a destination outside of a
//! mesh (its workload, its identity) is `unknown`, as it is in Istio.

use super::{
    Big,
    page::{Page, escaped},
};
use crate::{
    table::{MetricChange, MetricChanges, Snapshot},
    telemetry::{Distributed, Flags, HttpSeries, Spoken, TcpSeries},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    sync::atomic::Ordering,
};

const UNKNOWN: &str = "unknown";

/// What the exchanges with equal labels have together.
#[derive(Clone, Default)]
struct Sum {
    durations: Distributed,
    request_bytes: Distributed,
    response_bytes: Distributed,
}

/// The same of TCP connections.
#[derive(Clone, Copy, Default)]
struct TcpSum {
    opened: u64,
    closed: u64,
    sent: u64,
    received: u64,
}

/// A label of a series, and its value.
type Labels<'a> = Vec<(&'a str, String)>;

/// Writes all of them that no `Telemetry` switches off.
pub(super) fn append(big: &Big, page: &mut Page) {
    let changes = &big.snapshot.telemetry.metrics;
    if changes.is_off {
        return;
    }
    let destinations = Destinations::new(&big.snapshot);
    let ends: Vec<_> = big.shards.iter().flat_map(|shard| shard.traffic.ends.all()).collect();
    let labelled: Vec<_> = ends.iter().map(|end| (big.labels_of(end, &destinations), end)).collect();
    let http = Http { labelled, changes };
    http.counter("istio_requests_total", "REQUEST_COUNT", "Requests that were answered.", page);
    if big.workload.durations.has_milliseconds() {
        let family = ("istio_request_duration_milliseconds", "How long requests took, in milliseconds.");
        http.histogram(family, "REQUEST_DURATION", (|sum| &sum.durations, 1.0), page);
    }
    if big.workload.durations.has_seconds() {
        let family = ("istio_request_duration_seconds", "How long requests took, in seconds.");
        http.histogram(family, "REQUEST_DURATION", (|sum| &sum.durations, 1000.0), page);
    }
    let family = ("istio_request_bytes", "Sizes of the bodies of requests.");
    http.histogram(family, "REQUEST_SIZE", (|sum| &sum.request_bytes, 1.0), page);
    let family = ("istio_response_bytes", "Sizes of the bodies of answers.");
    http.histogram(family, "RESPONSE_SIZE", (|sum| &sum.response_bytes, 1.0), page);
    tcp(big, &destinations, page);
}

/// All exchanges with their labels.
struct Http<'a> {
    labelled: Vec<(Labels<'a>, &'a std::sync::Arc<HttpSeries>)>,
    changes: &'a MetricChanges,
}

impl Http<'_> {
    /// The sums of one metric by its labels; nothing where it is off.
    fn sums(&self, metric: &str) -> Option<BTreeMap<String, Sum>> {
        let change = change_of(self.changes, metric);
        if change.is_some_and(|change| change.is_disabled) {
            return None;
        }
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        for (labels, end) in &self.labelled {
            let sum = sums.entry(text_of(labels, change)).or_default();
            end.durations.add_to(&mut sum.durations);
            end.request_bytes.add_to(&mut sum.request_bytes);
            end.response_bytes.add_to(&mut sum.response_bytes);
        }
        Some(sums)
    }

    fn counter(&self, name: &'static str, metric: &str, help: &str, page: &mut Page) {
        let Some(sums) = self.sums(metric) else { return };
        page.counters(name, help);
        sums.iter().for_each(|(labels, sum)| page.sample(labels, sum.durations.count()));
    }

    fn histogram(
        &self,
        (name, help): (&'static str, &str),
        metric: &str,
        (of, scale): (fn(&Sum) -> &Distributed, f64),
        page: &mut Page,
    ) {
        let Some(sums) = self.sums(metric) else { return };
        page.family(name, "histogram", help);
        sums.iter().for_each(|(labels, sum)| page.distribution(labels, of(sum), scale));
    }
}

fn tcp(big: &Big, destinations: &Destinations<'_>, page: &mut Page) {
    let changes = &big.snapshot.telemetry.metrics;
    let ends: Vec<_> = big.shards.iter().flat_map(|shard| shard.traffic.tcp_ends.all()).collect();
    let labelled: Vec<_> = ends.iter().map(|end| (big.labels_of_tcp(end, destinations), end)).collect();
    let mut family = |name, metric, help, of: fn(&TcpSum) -> u64, is_of_closed: bool| {
        let change = change_of(changes, metric);
        if change.is_some_and(|change| change.is_disabled) {
            return;
        }
        let mut sums: BTreeMap<String, TcpSum> = BTreeMap::new();
        for (labels, end) in &labelled {
            let value = |counter: &crate::telemetry::Counter| counter.load(Ordering::Relaxed);
            // What is open has no flags; what ends with some was counted as opened without.
            if !is_of_closed && end.flags != Flags::default() {
                continue;
            }
            let sum = sums.entry(text_of(labels, change)).or_default();
            sum.opened += value(&end.opened);
            sum.closed += value(&end.closed);
            sum.sent += value(&end.sent);
            sum.received += value(&end.received);
        }
        page.counters(name, help);
        sums.iter().for_each(|(labels, sum)| page.sample(labels, of(sum)));
    };
    family("istio_tcp_sent_bytes_total", "TCP_SENT_BYTES", "Bytes sent to clients.", |sum| sum.sent, false);
    family(
        "istio_tcp_received_bytes_total",
        "TCP_RECEIVED_BYTES",
        "Bytes received from clients.",
        |sum| sum.received,
        false,
    );
    family(
        "istio_tcp_connections_opened_total",
        "TCP_OPENED_CONNECTIONS",
        "TCP connections that have begun.",
        |sum| sum.opened,
        false,
    );
    family(
        "istio_tcp_connections_closed_total",
        "TCP_CLOSED_CONNECTIONS",
        "TCP connections that have ended.",
        |sum| sum.closed,
        true,
    );
}

fn change_of<'c>(changes: &'c MetricChanges, metric: &str) -> Option<&'c MetricChange> {
    changes.changes.iter().find(|change| &*change.metric == metric)
}

/// Labels as they are written, with what a `Telemetry` changes of them.
fn text_of(labels: &[(&str, String)], change: Option<&MetricChange>) -> String {
    let mut text = String::with_capacity(1024);
    let mut write = |name: &str, value: &str| {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to memory can't fail.
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    };
    let Some(change) = change else {
        labels.iter().for_each(|(name, value)| write(name, value));
        return text;
    };
    for (name, value) in labels {
        match change.labels.iter().find(|label| &*label.name == *name) {
            None => write(name, value),
            Some(label) => {
                if let Some(literal) = label.literal() {
                    write(name, &escaped(literal));
                } else if label.value.is_some() {
                    write(name, value);
                }
            }
        }
    }
    for label in change.labels.iter().filter(|label| !labels.iter().any(|(name, _)| *name == &*label.name)) {
        if let Some(literal) = label.literal() {
            write(&label.name, &escaped(literal));
        }
    }
    text
}

impl Big {
    /// The labels of who reports.
    fn source_labels<'a>(&self) -> Labels<'a> {
        let workload = &self.workload;
        let label =
            |names: &[&str]| names.iter().find_map(|name| workload.labels.get(*name)).map(|v| escaped(v));
        let name = escaped(&workload.name);
        let canonical = label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]);
        let revision =
            label(&["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"]);
        let unknown = || UNKNOWN.to_owned();
        vec![
            ("reporter", "source".to_owned()),
            ("source_workload", name.clone()),
            ("source_canonical_service", canonical.unwrap_or(name)),
            ("source_canonical_revision", revision.unwrap_or_else(|| "latest".to_owned())),
            ("source_workload_namespace", escaped(&workload.namespace)),
            ("source_principal", unknown()),
            ("source_app", label(&["app"]).unwrap_or_else(unknown)),
            ("source_version", label(&["version"]).unwrap_or_else(unknown)),
            ("source_cluster", unknown()),
        ]
    }

    /// The labels of an exchange, in Istio's order.
    fn labels_of<'a>(&self, end: &HttpSeries, destinations: &Destinations<'_>) -> Labels<'a> {
        let mut labels = self.source_labels();
        destinations.append(&end.cluster.name, &mut labels);
        let protocol = match end.end.spoken {
            Spoken::Http => "http",
            Spoken::Grpc => "grpc",
        };
        labels.push(("request_protocol", protocol.to_owned()));
        labels.push(("response_code", end.end.code.to_string()));
        let status = end.end.grpc_status.map_or_else(String::new, |status| status.to_string());
        labels.push(("grpc_response_status", status));
        labels.push(("response_flags", end.end.flags.text()));
        // A client's side does not know whether the other one has asked for a certificate: Istio says so, too.
        labels.push(("connection_security_policy", UNKNOWN.to_owned()));
        labels
    }

    /// The same of a TCP connection.
    fn labels_of_tcp<'a>(&self, end: &TcpSeries, destinations: &Destinations<'_>) -> Labels<'a> {
        let mut labels = self.source_labels();
        destinations.append(&end.cluster.name, &mut labels);
        labels.push(("request_protocol", "tcp".to_owned()));
        labels.push(("response_flags", end.flags.text()));
        labels.push(("connection_security_policy", UNKNOWN.to_owned()));
        labels
    }
}

/// What is known of destinations, by the names of their clusters.
struct Destinations<'s>(HashMap<&'s str, &'s str>);

impl<'s> Destinations<'s> {
    fn new(snapshot: &'s Snapshot) -> Destinations<'s> {
        // `ServiceEntry shop/prices`
        let namespace = |object: &'s str| Some(object.split_once(' ')?.1.split_once('/')?.0);
        let known = snapshot.clusters.iter();
        let known = known.filter_map(|c| Some((&*c.name, namespace(&c.source.object)?)));
        Destinations(known.collect())
    }

    fn append(&self, cluster: &str, labels: &mut Labels<'_>) {
        let host = cluster.splitn(4, '|').nth(3).filter(|host| !host.is_empty());
        let (service, name, namespace) = match host {
            None if cluster.is_empty() => (UNKNOWN, UNKNOWN, UNKNOWN),
            None => (cluster, cluster, UNKNOWN),
            Some(host) => {
                let mut parts = host.split('.');
                let of_kubernetes = match (parts.next(), parts.next(), parts.next()) {
                    (Some(name), Some(namespace), Some("svc")) => Some((name, namespace)),
                    _ => None,
                };
                let namespace = self.0.get(cluster).copied().unwrap_or(UNKNOWN);
                let (name, namespace) = of_kubernetes.unwrap_or((host, namespace));
                (host, name, namespace)
            }
        };
        let unknown = || UNKNOWN.to_owned();
        labels.extend([
            ("destination_workload", unknown()),
            ("destination_workload_namespace", unknown()),
            ("destination_principal", unknown()),
            ("destination_app", unknown()),
            ("destination_version", unknown()),
            ("destination_service", escaped(service)),
            ("destination_canonical_service", unknown()),
            ("destination_canonical_revision", "latest".to_owned()),
            ("destination_service_name", escaped(name)),
            ("destination_service_namespace", escaped(namespace)),
            ("destination_cluster", unknown()),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{LabelChange, Source};

    #[test]
    fn destinations_are_named_as_in_istio() {
        let destinations = Destinations(HashMap::from([("outbound|80|v1|api.example.com", "shop")]));
        let of = |cluster: &str| {
            let mut labels = Vec::new();
            destinations.append(cluster, &mut labels);
            let value = |name: &str| labels.iter().find(|(other, _)| *other == name).unwrap().1.clone();
            ["destination_service", "destination_service_name", "destination_service_namespace"].map(value)
        };
        assert_eq!(of("outbound|80|v1|api.example.com"), ["api.example.com", "api.example.com", "shop"]);
        let reviews = "reviews.default.svc.cluster.local";
        assert_eq!(of(&format!("outbound|9080||{reviews}")), [reviews, "reviews", "default"]);
        assert_eq!(of(""), ["unknown"; 3]);
        assert_eq!(of("other"), ["other", "other", "unknown"]);
    }

    #[test]
    fn labels_are_removed_and_set() {
        let label = |name: &str, value: Option<&str>| LabelChange {
            name: name.into(),
            value: value.map(Into::into),
            source: Source::built_in("test"),
        };
        let labels = [("a", "1".to_owned()), ("b", "2".to_owned()), ("c", "3".to_owned())];
        assert_eq!(text_of(&labels, None), "a=\"1\",b=\"2\",c=\"3\"");
        let change = MetricChange {
            metric: "REQUEST_COUNT".into(),
            is_disabled: false,
            labels: vec![
                label("a", None),
                label("b", Some("'x\"y'")),
                label("c", Some("request.host")),
                label("d", Some("\"z\"")),
                label("e", Some("request.host")),
            ],
        };
        assert_eq!(text_of(&labels, Some(&change)), "b=\"x\\\"y\",c=\"3\",d=\"z\"");
    }
}
