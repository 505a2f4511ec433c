//! `timeout` and `retries` of a rule, and the retries of the whole gateway.

use crate::{
    config::resources::{HttpRetry, HttpRoute},
    table::{RetryOn, RetryPolicy},
};
use std::{sync::Arc, time::Duration};

/// `timeout`: at least a millisecond, which is checked elsewhere.
pub(super) fn timeout(route: &HttpRoute) -> Option<Duration> {
    route.timeout.as_ref().map(|timeout| timeout.value).filter(|timeout| !timeout.is_zero())
}

/// `retries`; nothing where the rule says nothing.
pub(super) fn policy(route: &HttpRoute) -> Option<Arc<RetryPolicy>> {
    route.retries.as_ref().map(|retries| Arc::new(compile(&retries.value)))
}

/// `retries` of a rule or `defaultHttpRetryPolicy`. Without `attempts` there are none.
pub(in super::super) fn compile(retries: &HttpRetry) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let reasons = retries.retry_on.as_ref().map_or("", |reasons| reasons.value.as_str());
    let (on, statuses) = match reasons {
        "" => (usual.on, Box::default()),
        reasons => conditions(reasons),
    };
    RetryPolicy {
        attempts: retries.attempts.as_ref().map_or(0, |attempts| u32::try_from(attempts.value).unwrap_or(0)),
        per_try_timeout: retries
            .per_try_timeout
            .as_ref()
            .map(|limit| limit.value)
            .filter(|limit| !limit.is_zero()),
        on,
        statuses,
        backoff: retries
            .backoff
            .as_ref()
            .map(|base| base.value)
            .filter(|base| !base.is_zero())
            .unwrap_or(usual.backoff),
        remote_localities: retries.retry_remote_localities.as_ref().is_some_and(|remote| remote.value),
        ignore_previous_hosts: retries.retry_ignore_previous_hosts.as_ref().map(|ignore| ignore.value),
    }
}

/// The conditions and the statuses of `retryOn`. A status brings its condition along, as in Istio.
fn conditions(reasons: &str) -> (RetryOn, Box<[u16]>) {
    let mut on = RetryOn::NEVER;
    let mut statuses = Vec::new();
    for reason in reasons.split(',') {
        match (RetryOn::of(reason), reason.parse()) {
            (Some(condition), _) => on |= condition,
            (None, Ok(status)) => {
                on |= RetryOn::STATUS_CODES;
                statuses.push(status);
            }
            // It was refused before.
            (None, Err(_)) => {}
        }
    }
    (on, statuses.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_bring_their_condition_along() {
        let (on, statuses) = conditions("gateway-error,retriable-status-codes,503,418");
        assert_eq!(on, RetryOn::GATEWAY_ERROR | RetryOn::STATUS_CODES);
        assert_eq!(*statuses, [503, 418]);
        assert_eq!(conditions("503"), (RetryOn::STATUS_CODES, [503].into()));
        assert_eq!(conditions("retriable-headers").0, RetryOn::NEVER);
    }

    #[test]
    fn without_attempts_nothing_is_tried_again() {
        assert_eq!(compile(&HttpRetry::default()).attempts, 0);
    }
}
