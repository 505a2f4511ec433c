//! What is decided about a request between its route and the route's action.

use super::StringMatch;
use crate::filter::{Cors, Fault, NetworkPolicy, RateLimit, RequestKey};
use std::sync::Arc;

/// The checks of one route, in the order in which they are made. Most routes have none.
#[derive(Debug, Default)]
pub struct Checks {
    /// From which addresses requests may come (`sluicegate.io/networks`); all of them hold. A delegated rule has two.
    pub networks: Vec<Arc<NetworkPolicy>>,
    /// `fault`
    pub fault: Option<Fault>,
    /// `corsPolicy`
    pub cors: Option<CorsPolicy>,
    /// How many requests may pass (`sluicegate.io/rate-limit`); all of them hold. At most 32 of a VirtualService.
    pub rate_limits: Vec<RateLimited>,
    /// The most bytes that a request's body may have (`sluicegate.io/body-limit`); `None`: no limit.
    pub body_max: Option<u64>,
    /// What chooses among the destinations instead of chance (`sluicegate.io/sticky-split`).
    pub split: Option<StickySplit>,
}

impl Checks {
    /// Whether there is nothing to check.
    pub fn is_empty(&self) -> bool {
        let Checks { networks, fault, cors, rate_limits, body_max, split } = self;
        networks.is_empty()
            && fault.is_none()
            && cors.is_none()
            && rate_limits.is_empty()
            && body_max.is_none()
            && split.is_none()
    }
}

/// `corsPolicy`: which origins are allowed, and what they are told.
#[derive(Clone, Debug)]
pub struct CorsPolicy {
    /// `allowOrigins`; `None`: every one.
    pub origins: Option<Vec<StringMatch>>,
    /// What they are told.
    pub cors: Cors,
}

impl CorsPolicy {
    /// Whether an origin is allowed. The comparison is one of bytes, as browsers write origins in one way only.
    pub fn allows(&self, origin: &[u8]) -> bool {
        self.origins.as_ref().is_none_or(|origins| origins.iter().any(|allowed| allowed.matches(origin)))
    }
}

/// One entry of `sluicegate.io/rate-limit`. All routes that it is for share it, and all shards.
#[derive(Clone, Debug)]
pub struct RateLimited {
    /// The limit with its counts.
    pub limit: Arc<RateLimit>,
    /// What is counted by itself. Requests without it are counted together, so that to leave it out wins nothing.
    pub key: Option<RequestKey>,
}

/// `sluicegate.io/sticky-split`
#[derive(Clone, Debug)]
pub struct StickySplit {
    /// What decides. Where a request has no such thing, chance does.
    pub key: RequestKey,
    /// The hash of each destination's name, in the order of the route's destinations.
    pub sides: Box<[u64]>,
    /// A cookie for clients that have none: its value will decide from then on.
    pub issue: Option<IssuedCookie>,
}

/// A cookie that is given to clients without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCookie {
    /// Its name.
    pub name: Box<[u8]>,
    /// What stands behind the value: `; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax`.
    pub attributes: Box<[u8]>,
}
