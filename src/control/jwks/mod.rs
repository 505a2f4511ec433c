//! The keys that tokens are verified with, fetched from their issuers and kept fresh.
//!
//! - `fetch`: one key set, by HTTP or HTTPS
//! - `watch`: one source: fetched again and again
//! - `state`: what is known of every source, for metrics

mod fetch;
mod state;
mod watch;

pub use state::KeyState;
pub(super) use watch::{Fetched, KeyWatch};
