//! Where a policy comes from, for those who explain.

use super::Source;
use std::fmt;

/// A field of a rule, or of its VirtualService, that says something beside the action. Many routes have some, so a place
/// takes little: object and file are those of the route, or of the rule that delegates to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyPlace {
    /// Which one.
    pub field: PolicyField,
    /// It is written in the VirtualService that delegates, not in the delegate.
    pub of_root: bool,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// The fields that a [`PolicyPlace`] can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyField {
    /// `timeout`
    Timeout,
    /// `retries`
    Retries,
    /// `fault`
    Fault,
    /// `corsPolicy`
    Cors,
    /// `mirror`, and each of `mirrors`.
    Mirror,
    /// `sluicegate.io/networks`
    Networks,
    /// `sluicegate.io/rate-limit`
    RateLimit,
    /// `sluicegate.io/body-limit`
    BodyLimit,
    /// `sluicegate.io/sticky-split`
    StickySplit,
}

impl fmt::Display for PolicyField {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PolicyField::Timeout => "timeout",
            PolicyField::Retries => "retries",
            PolicyField::Fault => "fault",
            PolicyField::Cors => "corsPolicy",
            PolicyField::Mirror => "mirror",
            PolicyField::Networks => "sluicegate.io/networks",
            PolicyField::RateLimit => "sluicegate.io/rate-limit",
            PolicyField::BodyLimit => "sluicegate.io/body-limit",
            PolicyField::StickySplit => "sluicegate.io/sticky-split",
        })
    }
}

/// The DestinationRules that hold for a cluster, and the blocks of `trafficPolicy` that count.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AppliedPolicy {
    /// One, or several of one host that are taken together.
    pub rules: Vec<Source>,
    /// Each block once; what is not here has its default.
    pub blocks: Vec<PolicyBlock>,
}

/// A block of a `trafficPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBlock {
    /// `connectionPool`
    pub name: &'static str,
    /// `spec.subsets[0].trafficPolicy.connectionPool`
    pub path: Box<str>,
    /// Where it is.
    pub source: Source,
}
