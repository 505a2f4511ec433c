//! The text that Prometheus reads (its format of version 0.0.4).

use crate::telemetry::{CounterKind, Distributed};
use hyper::body::Bytes;
use std::fmt::{Display, Write};
use tokio::sync::mpsc;

/// A piece: so much is written before it goes to the client.
const PIECE_BYTES: usize = 128 << 10;

/// The page as far as it is written: one family of metrics after the other.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    name: &'static str,
    to: Option<mpsc::Sender<Bytes>>,
    /// Nobody reads any more.
    is_over: bool,
}

impl Page {
    /// From now on it goes to a client as it is written, by a thread that may block.
    pub(super) fn send_to(&mut self, to: mpsc::Sender<Bytes>) {
        self.to = Some(to);
    }

    /// Sends what is left.
    pub(super) fn end(mut self) {
        self.send();
    }

    fn send(&mut self) {
        let piece = std::mem::take(&mut self.text);
        if let Some(to) = self.to.as_ref().filter(|_| !self.is_over) {
            self.is_over = to.blocking_send(piece.into()).is_err();
        }
    }

    /// After a sample.
    fn pass_on(&mut self) {
        if self.to.is_some() && self.text.len() >= PIECE_BYTES {
            self.send();
        }
    }

    /// Begins a family: all its samples follow. No help has a backslash or a line break.
    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing to memory can't fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", help.trim());
    }

    /// The same for a counter.
    pub(super) fn counters(&mut self, name: &'static str, help: &str) {
        self.family(name, "counter", help);
    }

    /// The same for a gauge.
    pub(super) fn gauges(&mut self, name: &'static str, help: &str) {
        self.family(name, "gauge", help);
    }

    /// The same for either.
    pub(super) fn of_kind(&mut self, name: &'static str, kind: CounterKind, help: &str) {
        match kind {
            CounterKind::Counter => self.counters(name, help),
            CounterKind::Gauge => self.gauges(name, help),
        }
    }

    /// A sample of the family that was begun last; `labels` without braces, and empty for none.
    pub(super) fn sample(&mut self, labels: &str, value: impl Display) {
        self.line("", labels, value);
    }

    /// The samples of a histogram of the family that was begun last, whose numbers are in thousandths. `scale` is by how much
    /// the family's unit is larger than that of the numbers: 1000 for seconds where those are milliseconds.
    pub(super) fn distribution(&mut self, labels: &str, numbers: &Distributed, scale: f64) {
        let mut bounds = numbers.at_most();
        self.buckets(labels, &mut bounds.by_ref().map(|(bound, count)| (bound as f64 / 1e3 / scale, count)));
        drop(bounds);
        self.histogram_end(labels, numbers.count(), numbers.sum_thousandths as f64 / 1e3 / scale);
    }

    /// The buckets of a histogram: bounds and how many numbers are not above them.
    pub(super) fn buckets(&mut self, labels: &str, buckets: &mut dyn Iterator<Item = (f64, u64)>) {
        for (bound, count) in buckets {
            let comma = if labels.is_empty() { "" } else { "," };
            let _ = writeln!(self.text, "{}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}", self.name);
        }
    }

    /// What follows the buckets of a histogram.
    pub(super) fn histogram_end(&mut self, labels: &str, count: u64, sum: f64) {
        let comma = if labels.is_empty() { "" } else { "," };
        let _ = writeln!(self.text, "{}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}", self.name);
        self.line("_sum", labels, sum);
        self.line("_count", labels, count);
    }

    fn line(&mut self, suffix: &str, labels: &str, value: impl Display) {
        let _ = match labels.is_empty() {
            true => writeln!(self.text, "{}{suffix} {value}", self.name),
            false => writeln!(self.text, "{}{suffix}{{{labels}}} {value}", self.name),
        };
        self.pass_on();
    }

    /// Adds what somebody else has written.
    pub(super) fn append(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// The value of a label in the text format of Prometheus.
pub(in crate::admin) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Distribution;

    #[test]
    fn families_are_as_prometheus_reads_them() {
        let mut page = Page::default();
        page.counters("a_total", "How many. ");
        page.sample("", 7);
        page.sample("x=\"1\"", 8);
        page.family("b_milliseconds", "histogram", "How long.");
        let (distribution, mut numbers) = (Distribution::default(), Distributed::default());
        distribution.record_thousandths(700);
        distribution.add_to(&mut numbers);
        page.distribution("", &numbers, 1.0);
        page.distribution("x=\"1\"", &numbers, 1000.0);
        let text = page.into_text();
        for line in [
            "# HELP a_total How many.\n# TYPE a_total counter\na_total 7\na_total{x=\"1\"} 8\n",
            "# TYPE b_milliseconds histogram\nb_milliseconds_bucket{le=\"0.5\"} 0\nb_milliseconds_bucket{le=\"1\"} 1\n",
            "b_milliseconds_bucket{le=\"3600000\"} 1\nb_milliseconds_bucket{le=\"+Inf\"} 1\nb_milliseconds_sum 0.7\n",
            "b_milliseconds_count 1\nb_milliseconds_bucket{x=\"1\",le=\"0.0005\"} 0\n",
            "b_milliseconds_sum{x=\"1\"} 0.0007\nb_milliseconds_count{x=\"1\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}\n is not in\n{text}");
        }
        assert_eq!(escaped("a\\\"\n"), "a\\\\\\\"\\n");
    }
}
