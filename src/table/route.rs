//! Routes, and what they do.

use super::{Checks, ClusterId, Mirror, PathRewrite, PolicyPlace, Redirect, RetryPolicy, RouteMatch, Source};
use crate::{filter::HeaderOps, telemetry::LogChoice};
use std::{sync::Arc, time::Duration};

/// One rule: what it asks and what it does.
#[derive(Debug)]
pub struct Route {
    /// For the access log: `<route name>.<match name>`, or empty.
    pub name: Box<str>,
    /// What it asks of a request.
    pub matcher: RouteMatch,
    /// What it does with the request.
    pub action: Action,
    /// `headers.request` of the route. Route level first, then that of the destination.
    pub request_headers: HeaderOps,
    /// `headers.response` of the route; also applies to local replies.
    pub response_headers: HeaderOps,
    /// What is decided before the action; nothing for most routes.
    pub checks: Option<Box<Checks>>,
    /// Which of its requests have a line in the access log (`sluicegate.io/access-log`).
    pub log: LogChoice,
    /// The rule (VirtualService, file, line).
    pub source: Source,
    /// The rule that delegates to it, if it is a delegate's.
    pub root: Option<Box<Source>>,
    /// Where its policies are written; nothing for most routes.
    pub places: Box<[PolicyPlace]>,
}

/// What a route does with a request.
#[derive(Debug)]
pub enum Action {
    /// Sends it to an upstream.
    Forward(Forward),
    /// Answers with `location`.
    Redirect(Redirect),
    /// Answers with a fixed response.
    Direct(DirectResponse),
}

/// `route[]` with `rewrite`.
#[derive(Debug)]
pub struct Forward {
    /// At least one; weights sum to more than zero, and one with weight 0 is not in the list.
    pub destinations: Vec<Destination>,
    /// Sum of the weights.
    pub total_weight: u64,
    /// `rewrite.uri` or `rewrite.uriRegexRewrite`
    pub path_rewrite: Option<PathRewrite>,
    /// `rewrite.authority`, or `Host` in `headers.request.set`; beats that of the destination.
    pub authority: Option<Box<[u8]>>,
    /// `timeout`: of the whole exchange with all its attempts; `None`: no limit.
    pub timeout: Option<Duration>,
    /// `retries`; `None`: [that of the whole gateway](super::Settings::retry).
    pub retry: Option<Arc<RetryPolicy>>,
    /// Copies that are sent elsewhere.
    pub mirrors: Box<[Mirror]>,
}

/// One entry of `route[]`.
#[derive(Debug)]
pub struct Destination {
    /// The cluster, or nothing where host, port or subset is unknown: 503 `NC`.
    pub cluster: Option<ClusterId>,
    /// The cluster's name, also where it does not exist.
    pub cluster_name: Arc<str>,
    /// Never 0.
    pub weight: u32,
    /// `headers.request` of the destination.
    pub request_headers: HeaderOps,
    /// `headers.response` of the destination.
    pub response_headers: HeaderOps,
    /// `Host` in `headers.request.set` of the destination.
    pub authority: Option<Box<[u8]>>,
}

/// `directResponse`
#[derive(Clone, Debug)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// The body; at most 1 MiB.
    pub body: Box<[u8]>,
}
