//! What is tried again (specification sections 2.7 and 3.4).

use std::time::Duration;

/// `retries` of a rule, `meshConfig.defaultHttpRetryPolicy`, or Istio's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries after the first; 0: none.
    pub attempts: u32,
    /// `perTryTimeout`; `None`: no limit of its own.
    pub per_try_timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { attempts: 2, per_try_timeout: None }
    }
}
