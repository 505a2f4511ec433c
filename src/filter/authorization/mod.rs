//! `AuthorizationPolicy`: who may do what. Facts in, a decision out.
//!
//! - `facts`: what is known of a request or a connection
//! - `identity`: who the client is by its certificate
//! - `condition`: one thing that a rule asks
//! - `texts`, `template`: sets of texts, and paths with operators
//! - `rules`: rules, and the first of many that matches
//! - `policies`: all policies of a gateway, and what they decide together

mod condition;
mod facts;
mod identity;
mod policies;
mod rules;
mod template;
#[cfg(test)]
mod tests;
mod texts;

pub use condition::{Condition, RequestPrincipals, Test};
pub use facts::{Facts, Request};
pub use identity::{Identity, Namespace, ServiceAccount};
pub use policies::{Action, DryRun, Judgement, Policies, Verdict};
pub use rules::{Effect, Mismatch, Rule, Rules};
pub use template::{BadTemplate, PathTemplate, is_template};
pub use texts::Texts;
