//! What the gateway has said, and what follows from it: rates and percentiles.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Rates and percentiles are of at most so long.
pub(super) const MINUTE_MS: u64 = 60_000;
/// Rates of rows are those of so long: one second of a quiet route says nothing.
pub(super) const RATE_MS: u64 = 5_000;
/// Samples of requests a second that are kept: those of five minutes.
const SAMPLES_MAX: usize = 301;
/// Loads that are kept; the gateway keeps as many.
const LOADS_MAX: usize = 20;

/// What was counted of a route, a cluster, or everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted {
    pub(super) requests: u64,
    pub(super) client_errors: u64,
    pub(super) server_errors: u64,
    /// Microseconds, and how many requests took about so long.
    pub(super) latency: Vec<(u64, u64)>,
}

/// The sums of one answer.
#[derive(Debug, Default)]
pub(super) struct Sums {
    uptime_ms: u64,
    totals: BTreeMap<String, u64>,
    all: Counted,
    routes: HashMap<(String, String), Counted>,
    clusters: HashMap<String, Counted>,
    flags: HashMap<String, u64>,
    /// Requests and CPU time in milliseconds.
    workers: Vec<(u64, Option<u64>)>,
}

/// Everything of one process, as far back as a minute. Another process begins anew.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The last answer; `null` before the first.
    pub(super) last: Value,
    /// The loads of the configuration, the latest one at the end.
    pub(super) loads: Vec<Value>,
    /// Answers, the latest one at the end.
    sums: VecDeque<Sums>,
    /// Milliseconds since the start, and requests until then.
    samples: VecDeque<(u64, u64)>,
    process: (u64, u64),
}

/// Percentiles, and whether they are of now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Percentiles {
    /// Nothing has come in the last minute: they are those since the start.
    pub(super) is_old: bool,
    /// In microseconds: 50, 90 and 99 of 100 requests did not take longer.
    pub(super) micros: [Option<u64>; 3],
}

/// A number at a place of a document; 0 if there is none.
pub(super) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

/// The text at a place of a document; empty if there is none.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("")
}

/// The list at a place of a document; empty if there is none.
pub(super) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

impl Counted {
    fn of(row: &Value) -> Counted {
        Counted {
            requests: number(row, "requests"),
            client_errors: number(row, "client_errors"),
            server_errors: number(row, "server_errors"),
            latency: latency(row),
        }
    }
}

fn latency(row: &Value) -> Vec<(u64, u64)> {
    let pair = |pair: &Value| Some((pair[0].as_u64()?, pair[1].as_u64()?));
    list(row, "latency").iter().filter_map(pair).collect()
}

impl Sums {
    fn of(answer: &Value) -> Sums {
        let rows = |name: &str| list(&answer[name], "rows").iter();
        let key = |row: &Value| (text(row, "name").to_owned(), text(row, "host").to_owned());
        let totals = answer["totals"].as_object().into_iter().flatten();
        let totals: BTreeMap<_, _> =
            totals.filter_map(|(name, value)| Some((name.clone(), value.as_u64()?))).collect();
        let total = |name: &str| totals.get(name).copied().unwrap_or(0);
        Sums {
            uptime_ms: number(&answer["process"], "uptime_ms"),
            all: Counted {
                requests: total("requests"),
                client_errors: total("responses_4xx"),
                server_errors: total("responses_5xx"),
                latency: latency(answer),
            },
            totals,
            routes: rows("routes").map(|row| (key(row), Counted::of(row))).collect(),
            clusters: rows("clusters").map(|row| (text(row, "name").to_owned(), Counted::of(row))).collect(),
            flags: list(answer, "flags")
                .iter()
                .map(|row| (text(row, "flag").to_owned(), number(row, "requests")))
                .collect(),
            workers: list(answer, "workers")
                .iter()
                .map(|row| (number(row, "requests"), row["cpu_ms"].as_u64()))
                .collect(),
        }
    }

    /// A sum over everything.
    pub(super) fn total(&self, name: &str) -> Option<u64> {
        self.totals.get(name).copied()
    }

    /// Everything together.
    pub(super) fn all(&self) -> Option<&Counted> {
        Some(&self.all)
    }

    /// A route, if it was among the rows.
    pub(super) fn route(&self, name: &str, host: &str) -> Option<&Counted> {
        self.routes.get(&(name.to_owned(), host.to_owned()))
    }

    /// A cluster, if it was among the rows.
    pub(super) fn cluster(&self, name: &str) -> Option<&Counted> {
        self.clusters.get(name)
    }

    /// Requests that ended with a flag.
    pub(super) fn flag(&self, name: &str) -> Option<u64> {
        self.flags.get(name).copied()
    }

    /// A worker's requests, and its CPU time in milliseconds.
    pub(super) fn worker(&self, position: usize) -> Option<(u64, Option<u64>)> {
        self.workers.get(position).copied()
    }
}

impl Model {
    /// Takes an answer; returns whether it is the first one of its process.
    pub(super) fn take(&mut self, answer: Value) -> bool {
        let process = (number(&answer["process"], "id"), number(&answer["process"], "started_ms"));
        let is_new = process != self.process || self.sums.is_empty();
        if is_new {
            *self = Model { process, ..Model::default() };
        }
        let sums = Sums::of(&answer);
        self.sample(&answer, sums.uptime_ms, sums.all.requests);
        let is_old = |sums: &Sums, now: u64| now.saturating_sub(sums.uptime_ms) > MINUTE_MS;
        while self.sums.len() > 2 && self.sums.get(1).is_some_and(|second| is_old(second, sums.uptime_ms)) {
            self.sums.pop_front();
        }
        self.sums.push_back(sums);
        for load in list(&answer["configuration"], "loads") {
            let at = number(load, "at_ms");
            if !self.loads.iter().any(|known| number(known, "at_ms") == at) {
                self.loads.push(load.clone());
            }
        }
        let more = self.loads.len().saturating_sub(LOADS_MAX);
        self.loads.drain(..more);
        self.last = answer;
        is_new
    }

    fn sample(&mut self, answer: &Value, uptime_ms: u64, requests: u64) {
        if let Some(history) = answer.get("history") {
            let column =
                |name: &str| list(history, name).iter().filter_map(Value::as_u64).collect::<Vec<_>>();
            self.samples = column("at").into_iter().zip(column("requests")).collect();
        }
        // The gateway may have sampled just now: the rate of a moment says nothing.
        if self.samples.len() > 1
            && self.samples.back().is_some_and(|(at, _)| uptime_ms.saturating_sub(*at) < 700)
        {
            self.samples.pop_back();
        }
        self.samples.push_back((uptime_ms, requests));
        while self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// Whether there was an answer.
    pub(super) fn has_answer(&self) -> bool {
        !self.sums.is_empty()
    }

    /// When the latest load that is known began; Unix time in milliseconds.
    pub(super) fn latest_load(&self) -> u64 {
        self.loads.last().map_or(0, |load| number(load, "at_ms"))
    }

    /// Something a second, lately. `of` says the sum of an answer, where it has one.
    pub(super) fn rate(&self, of: impl Fn(&Sums) -> Option<u64>) -> Option<f64> {
        self.rate_of(RATE_MS, of)
    }

    /// Something a second, over at most this time.
    pub(super) fn rate_of(&self, span_ms: u64, of: impl Fn(&Sums) -> Option<u64>) -> Option<f64> {
        let last = self.sums.back()?;
        let to = of(last)?;
        // Half a second late is not too old.
        let is_within = |sums: &&Sums| last.uptime_ms.saturating_sub(sums.uptime_ms) <= span_ms + 500;
        let earlier = self.sums.iter().take(self.sums.len() - 1).filter(is_within);
        let (from_ms, from) = earlier.filter_map(|sums| Some((sums.uptime_ms, of(sums)?))).next()?;
        let passed = last.uptime_ms.checked_sub(from_ms).filter(|passed| *passed > 0)?;
        Some(to.saturating_sub(from) as f64 * 1000.0 / passed as f64)
    }

    /// Of the last minute, or since the start where nothing came in it.
    pub(super) fn percentiles(&self, of: impl for<'s> Fn(&'s Sums) -> Option<&'s Counted>) -> Percentiles {
        let Some(now) = self.sums.back().and_then(&of) else { return Percentiles::default() };
        let earlier = self.sums.iter().take(self.sums.len() - 1).find_map(&of);
        let recent = earlier.map(|earlier| difference(&now.latency, &earlier.latency)).unwrap_or_default();
        let (is_old, buckets) = if recent.is_empty() { (true, &now.latency) } else { (false, &recent) };
        Percentiles { is_old, micros: [50, 90, 99].map(|percent| percentile(buckets, percent)) }
    }

    /// Requests a second between samples, the latest at the end; those that the gateway has kept, too.
    pub(super) fn history(&self) -> Vec<f64> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        let rate = |((from, before), (to, after)): (&(u64, u64), &(u64, u64))| {
            after.saturating_sub(*before) as f64 * 1000.0 / to.saturating_sub(*from).max(1) as f64
        };
        pairs.map(rate).collect()
    }
}

/// What came between two answers.
fn difference(now: &[(u64, u64)], before: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let before: HashMap<u64, u64> = before.iter().copied().collect();
    let since = |(micros, count): &(u64, u64)| {
        (*micros, count.saturating_sub(before.get(micros).copied().unwrap_or(0)))
    };
    now.iter().map(since).filter(|(_, count)| *count > 0).collect()
}

fn percentile(buckets: &[(u64, u64)], percent: u64) -> Option<u64> {
    let count: u64 = buckets.iter().map(|(_, count)| count).sum();
    let rank = count.saturating_mul(percent).div_ceil(100);
    let mut below = 0;
    let found = buckets.iter().find(|(_, count)| {
        below += count;
        below >= rank
    });
    found.map(|(micros, _)| *micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(uptime_ms: u64, requests: u64, latency: &Value) -> Value {
        json!({
            "process": {"id": 1, "started_ms": 7, "uptime_ms": uptime_ms},
            "totals": {"requests": requests, "responses_4xx": 0, "responses_5xx": 2},
            "latency": latency,
            "routes": {"rows": [{"name": "a", "host": "h", "requests": requests, "latency": latency}]},
            "configuration": {"loads": [{"at_ms": 5}]},
        })
    }

    #[test]
    fn rates_are_differences() {
        let mut model = Model::default();
        assert_eq!((model.has_answer(), model.rate(|sums| sums.total("requests"))), (false, None));
        for second in 0..100 {
            model.take(answer(second * 1000, second * second, &json!([])));
        }
        // Of the last five seconds: from 94 squared to 99 squared.
        assert_eq!(model.rate(|sums| sums.total("requests")), Some((99.0 * 99.0 - 94.0 * 94.0) / 5.0));
        let of_route = model.rate_of(1000, |sums| Some(sums.route("a", "h")?.requests));
        assert_eq!(of_route, Some(99.0 * 99.0 - 98.0 * 98.0));
        assert_eq!(model.rate(|sums| Some(sums.route("b", "h")?.requests)), None);
        assert!(model.sums.len() <= 62, "{}", model.sums.len());
        assert_eq!((model.loads.len(), model.latest_load()), (1, 5));
        assert_eq!(model.history().last(), Some(&(99.0 * 99.0 - 98.0 * 98.0)));
    }

    #[test]
    fn percentiles_are_those_of_the_last_minute() {
        let mut model = Model::default();
        model.take(answer(1000, 100, &json!([[10, 99], [1000, 1]])));
        let old = model.percentiles(Sums::all);
        assert_eq!(old, Percentiles { is_old: true, micros: [Some(10), Some(10), Some(10)] });
        model.take(answer(2000, 104, &json!([[10, 99], [500, 2], [1000, 3]])));
        let recent = model.percentiles(|sums| sums.route("a", "h"));
        assert_eq!(recent, Percentiles { is_old: false, micros: [Some(500), Some(1000), Some(1000)] });
    }

    #[test]
    fn another_process_begins_anew() {
        let mut model = Model::default();
        model.take(answer(50_000, 1000, &json!([])));
        let mut other = answer(10, 3, &json!([]));
        other["process"]["id"] = json!(2);
        other["history"] = json!({"at": [1, 1001], "requests": [0, 2]});
        model.take(other);
        assert_eq!(model.rate(|sums| sums.total("requests")), None);
        assert_eq!(model.history().len(), 1);
    }
}
