//! `timeout` and `retries` of a rule.

use crate::{config::resources::HttpRoute, table::RetryPolicy};
use std::{sync::Arc, time::Duration};

/// `timeout`
pub(super) fn timeout(_route: &HttpRoute) -> Option<Duration> {
    None
}

/// `retries`; nothing where the rule says nothing.
pub(super) fn policy(_route: &HttpRoute) -> Option<Arc<RetryPolicy>> {
    None
}
