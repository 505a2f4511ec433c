//! `connectionPool` and `retryBudget` of a DestinationRule to what the table has (specification section 4.4).

use super::policy::Policy;
use crate::{config::resources::ConnectionPoolSettings, table::PoolLimits};

/// Limits of connections, requests and retries.
pub(super) fn limits(
    _policy: Policy<'_>,
    _settings: Option<&ConnectionPoolSettings>,
) -> Option<Box<PoolLimits>> {
    None
}
