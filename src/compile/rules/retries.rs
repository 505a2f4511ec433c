//! `timeout` and `retries` of a rule.

use crate::{config::resources::HttpRoute, table::RetryPolicy};
use std::{sync::Arc, time::Duration};

/// `timeout`: at least a millisecond, which is checked elsewhere.
pub(super) fn timeout(route: &HttpRoute) -> Option<Duration> {
    route.timeout.as_ref().map(|timeout| timeout.value).filter(|timeout| !timeout.is_zero())
}

/// `retries`; nothing where the rule says nothing.
pub(super) fn policy(_route: &HttpRoute) -> Option<Arc<RetryPolicy>> {
    None
}
