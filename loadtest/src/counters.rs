//! Reads what sluicegate counts of itself, in the text format of Prometheus.

use std::collections::BTreeMap;

use crate::client::Connection;

/// Where Prometheus looks for an Istio gateway's numbers.
const PAGE: &str = "/stats/prometheus";

/// It answers to no other name: else a web page could make a browser ask it.
const HOST: &str = "Host: localhost";

/// Counters by name, those that differ in labels alone (by shard, for one) added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counters(BTreeMap<String, f64>);

impl Counters {
    /// Asks the admin port; none if it does not tell any.
    pub(crate) fn scrape(admin_port: u16) -> Option<Counters> {
        let open = Connection::open(admin_port);
        let answer = open.and_then(|connection| connection.get_last(PAGE, &[HOST])).ok()?;
        (answer.status == 200).then(|| Counters::parse(&String::from_utf8_lossy(&answer.body)))
    }

    /// Lines of `name{labels} value`; what is not of this form is passed over.
    pub(crate) fn parse(text: &str) -> Counters {
        let mut counters = Counters::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.trim().rsplit_once([' ', '\t']) else {
                continue;
            };
            let name = series.split(['{', ' ', ':']).next().unwrap_or_default();
            if let (Ok(value), false) = (value.parse::<f64>(), name.is_empty()) {
                *counters.0.entry(name.to_owned()).or_default() += value;
            }
        }
        counters
    }

    /// What all counters of this name have grown by, if there are any.
    pub(crate) fn growth(&self, earlier: &Counters, name: &str) -> Option<f64> {
        Some(self.0.get(name)? - earlier.0.get(name).unwrap_or(&0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_labels_and_passes_over_the_rest() {
        let text = "# HELP a_total things\n# TYPE a_total counter\na_total{shard=\"0\"} 2\na_total{shard=\"1\"} 3\n\nb 1.5\nwords\nc: 7\n";
        let counters = Counters::parse(text);
        let expected = [("a_total", 5.0), ("b", 1.5), ("c", 7.0)];
        assert_eq!(counters.0, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn growth_is_that_of_a_counter_that_is_told() {
        let (earlier, later) = (Counters::parse("opened 10\n"), Counters::parse("opened 30\nnew 4\n"));
        assert_eq!(later.growth(&earlier, "opened"), Some(20.0));
        assert_eq!(later.growth(&earlier, "new"), Some(4.0));
        assert_eq!(later.growth(&earlier, "absent"), None);
    }
}
