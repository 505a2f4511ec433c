//! Routes, flags and latencies.

use super::rows;
use crate::control::Gateway;
use serde_json::{Value, json};

/// What all workers have counted.
pub(super) struct Traffic;

impl Traffic {
    pub(super) fn of(_: &Gateway) -> Traffic {
        Traffic
    }

    pub(super) fn flags(&self) -> Vec<Value> {
        Vec::new()
    }

    pub(super) fn latency(&self) -> Value {
        json!([])
    }

    pub(super) fn routes(&self, _: Option<&str>) -> Value {
        rows(0, 0, Vec::new())
    }

    /// Requests of a cluster.
    pub(super) fn requests(&self, _: &str) -> u64 {
        0
    }

    /// What a row of a cluster says of its traffic.
    pub(super) fn of_cluster(&self, _: &str) -> Value {
        json!({"requests": 0, "client_errors": 0, "server_errors": 0, "latency": []})
    }
}
