//! Numbers for Prometheus, and for people.
//!
//! What there is of each route, cluster and end of requests may be much. The control thread only takes hold of it; another
//! thread adds it up and writes it, piece by piece as the client takes them. How much there can be is limited where it is
//! counted (`telemetry::traffic`).
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

use super::{
    endpoint::Format,
    mongo,
    reply::{Content, Reply},
};
use crate::{
    control::{Gateway, MetricsWorkload},
    table::Snapshot,
    telemetry::{CounterKind, Counters, Traffic},
};
pub(super) use gateway::{open_files, resident_bytes};
use page::Page;
pub(super) use page::escaped;
use std::{
    fmt::{self, Display},
    sync::Arc,
};
use tokio::{sync::mpsc, task::spawn_blocking};

/// Pieces that may wait for the client.
const PIECES_MAX: usize = 2;

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
struct Gathered {
    page: Page,
    big: Big,
}

/// Gathers all numbers.
fn gather(gateway: &Gateway) -> Gathered {
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
    /// Writes all of it; returns what nobody has taken yet.
    fn write(self) -> Page {
        let Gathered { mut page, big } = self;
        let traffic = Traffic::of(big.shards.iter().map(|counters| &**counters));
        server::append(&big, &mut page);
        clusters::append(&traffic, &big, &mut page);
        routes::append(&traffic, &mut page);
        istio::append(&big, &mut page);
        page
    }

    /// One `name: value` a line, by name, without the buckets of histograms.
    fn text(self) -> String {
        let text = self.write().into_text();
        let is_for_people = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
        let samples = text.lines().filter(is_for_people).filter_map(|line| line.rsplit_once(' '));
        let mut lines: Vec<String> = samples.map(|(name, number)| format!("{name}: {number}\n")).collect();
        lines.sort();
        lines.concat()
    }
}

/// In the text format of Prometheus (version 0.0.4), in pieces.
pub(super) fn prometheus(gateway: &Gateway) -> Reply {
    let (to, pieces) = mpsc::channel(PIECES_MAX);
    let mut gathered = gather(gateway);
    gathered.page.send_to(to);
    // It ends with its client at the latest.
    drop(spawn_blocking(move || gathered.write().end()));
    let content_type = Format::Prometheus.content_type();
    Reply { status: 200, content_type, content: Content::Pieces(pieces), allow: None, policy: None }
}

/// One `name: value` a line, by name.
pub(super) async fn text(gateway: &Gateway) -> String {
    let gathered = gather(gateway);
    // It does not panic.
    spawn_blocking(move || gathered.text()).await.unwrap_or_default()
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
