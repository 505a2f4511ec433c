//! Numbers for Prometheus, and for people.
//!
//! What there is of each route, cluster and end of requests may be much; it is gathered on the control thread as it is,
//! which takes some microseconds for each thousand, and may be written on another one. How much there can be is limited where
//! it is counted (`telemetry::traffic`).
//!
//! - `page`: the text that Prometheus reads
//! - `gateway`: of the gateway and its process
//! - `workers`: of the workers
//! - `clusters`: of clusters, under Envoy's names
//! - `routes`: of routes
//! - `server`: of all clients and of the process, under Envoy's names
//! - `istio`: Istio's standard metrics

mod clusters;
mod gateway;
mod istio;
mod page;
mod routes;
mod server;
mod workers;

use super::mongo;
use crate::{
    control::{Gateway, MetricsWorkload},
    table::Snapshot,
    telemetry::{CounterKind, Counters, Traffic},
};
use page::Page;
use std::{
    fmt::{self, Display},
    sync::Arc,
};

/// A number with its name.
struct Metric {
    name: &'static str,
    kind: CounterKind,
    help: &'static str,
    values: Values,
}

enum Values {
    /// One number.
    One(Number),
    /// One with this label and value.
    Labelled(&'static str, String, Number),
    /// One for each of these labels.
    Each(Vec<(String, Number)>),
    /// One for every shard, in order.
    PerShard(Vec<Number>),
}

#[derive(Clone, Copy)]
enum Number {
    Whole(u64),
    /// For seconds.
    Fraction(f64),
}

/// What may be much: held, not yet looked at. It can be written by any thread.
struct Big {
    snapshot: Arc<Snapshot>,
    shards: Vec<Arc<Counters>>,
    workload: Arc<MetricsWorkload>,
    /// Endpoints of each cluster of the snapshot: all, and those that are good.
    members: Vec<(u64, u64)>,
}

/// All numbers, as they were when the page was asked for but for what still grows.
pub(super) struct Gathered {
    page: Page,
    big: Big,
}

/// Gathers all numbers.
pub(super) fn gather(gateway: &Gateway) -> Gathered {
    let mut page = Page::default();
    let small = workers::all(gateway).into_iter().chain(gateway::all(gateway)).chain(server::all(gateway));
    small.for_each(|metric| metric.append(&mut page));
    workers::tick_delays(gateway, &mut page);
    let mut of_mongo = String::new();
    mongo::append(gateway, &mut of_mongo);
    page.append(&of_mongo);
    let big = Big {
        snapshot: gateway.snapshot(),
        shards: gateway.shards.iter().map(|shard| Arc::clone(&shard.handle.counters)).collect(),
        workload: Arc::clone(&gateway.workload),
        members: clusters::members(gateway),
    };
    Gathered { page, big }
}

impl Gathered {
    /// In the text format of Prometheus (version 0.0.4).
    pub(super) fn prometheus(self) -> String {
        let Gathered { mut page, big } = self;
        let traffic = Traffic::of(big.shards.iter().map(|counters| &**counters));
        server::append(&big, &mut page);
        clusters::append(&traffic, &big, &mut page);
        routes::append(&traffic, &mut page);
        istio::append(&big, &mut page);
        page.into_text()
    }

    /// One `name: value` a line, by name, without the buckets of histograms.
    pub(super) fn text(self) -> String {
        let text = self.prometheus();
        let is_for_people = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
        let samples = text.lines().filter(is_for_people).filter_map(|line| line.rsplit_once(' '));
        let mut lines: Vec<String> = samples.map(|(name, number)| format!("{name}: {number}\n")).collect();
        lines.sort();
        lines.concat()
    }
}

/// In the text format of Prometheus (version 0.0.4).
pub(super) fn prometheus(gateway: &Gateway) -> String {
    gather(gateway).prometheus()
}

/// One `name: value` a line, by name.
pub(super) fn text(gateway: &Gateway) -> String {
    gather(gateway).text()
}

impl Metric {
    fn append(&self, page: &mut Page) {
        page.of_kind(self.name, self.kind, self.help);
        match &self.values {
            Values::One(number) => page.sample("", number),
            Values::Labelled(name, value, number) => page.sample(&format!("{name}=\"{value}\""), number),
            Values::Each(numbers) => numbers.iter().for_each(|(labels, number)| page.sample(labels, number)),
            Values::PerShard(numbers) => {
                for (shard, number) in numbers.iter().enumerate() {
                    page.sample(&format!("shard=\"{shard}\""), number);
                }
            }
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(number) => number.fmt(f),
            Number::Fraction(number) => number.fmt(f),
        }
    }
}

fn counter(name: &'static str, help: &'static str, number: u64) -> Metric {
    Metric { name, kind: CounterKind::Counter, help, values: Values::One(Number::Whole(number)) }
}

fn gauge(name: &'static str, help: &'static str, number: u64) -> Metric {
    Metric { name, kind: CounterKind::Gauge, help, values: Values::One(Number::Whole(number)) }
}
