//! What is served, and the last loads.

use super::{milliseconds, query::Query, unix_ms};
use crate::control::{Gateway, Load};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The part `configuration`.
pub(super) fn of(gateway: &Gateway, query: &Query) -> Value {
    let snapshot = gateway.snapshot();
    let loads = gateway.loads.borrow();
    let recent = loads.iter().filter(|load| unix_ms(load.at) > query.loads_since);
    let hosts = snapshot.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    json!({
        "generation": snapshot.generation,
        "inputs": gateway.inputs,
        "listeners": gateway.listeners().len(),
        "routes": hosts.map(|host| host.routes.len()).sum::<usize>(),
        "clusters": snapshot.clusters.len(),
        "serving_since_ms": serving(&loads, snapshot.generation).map(|load| unix_ms(load.at)),
        "failing_since_ms": failing(&loads).map(|load| unix_ms(load.at)),
        "loads": recent.map(load).collect::<Vec<_>>(),
    })
}

fn load(load: &Load) -> Value {
    json!({
        "at_ms": unix_ms(load.at),
        "why": load.why,
        "generation": load.generation,
        "took_ms": milliseconds(load.took),
        "errors": load.errors,
        "warnings": load.warnings,
        "diagnostics": load.without_pieces(),
    })
}

/// The load that made what is served.
fn serving(loads: &VecDeque<Load>, generation: u64) -> Option<&Load> {
    loads.iter().rev().find(|load| load.generation == Some(generation))
}

/// The first of the failed loads at the end.
fn failing(loads: &VecDeque<Load>) -> Option<&Load> {
    loads.iter().rev().take_while(|load| load.generation.is_none()).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn loads(generations: &[Option<u64>]) -> VecDeque<Load> {
        let load = |(second, generation): (u64, &Option<u64>)| Load {
            at: UNIX_EPOCH + Duration::from_secs(second),
            why: "SIGHUP",
            generation: *generation,
            took: Duration::ZERO,
            diagnostics: Vec::new(),
            errors: 0,
            warnings: 0,
        };
        (0..).zip(generations).map(load).collect()
    }

    #[test]
    fn a_failure_begins_with_the_first_load_that_failed() {
        let at = |load: Option<&Load>| load.map(|load| unix_ms(load.at));
        let good_again = loads(&[Some(1), None, Some(2)]);
        assert_eq!((at(serving(&good_again, 2)), at(failing(&good_again))), (Some(2000), None));
        let bad = loads(&[Some(1), None, Some(2), None, None]);
        assert_eq!((at(serving(&bad, 2)), at(failing(&bad))), (Some(2000), Some(3000)));
        assert_eq!((at(serving(&loads(&[]), 1)), at(failing(&loads(&[])))), (None, None));
    }
}
