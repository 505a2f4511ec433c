//! What becomes of one request, and why: for `sluicegate explain` with files, and for `/explain` with what a gateway serves.
//!
//! The request is put on the wire, decoded and routed by the data path's own functions.
//!
//! - `authentication`: whether its tokens are good
//! - `authorization`: which AuthorizationPolicy decides, and why
//! - `request`: a question to the bytes that a client would send
//! - `listen`: which listener a port means
//! - `walk`: from the listener to the route
//! - `secure`: which filter chain of a TLS port a client finds
//! - `action`: what the route does with the request
//! - `connection`: where a connection goes that is not HTTP
//! - `cluster`: how a destination is reached
//! - `policy`: the policies that it meets, and where they are written
//! - `health`: when an endpoint of a destination is left out
//! - `grpc`: what clients of gRPC get where the gateway answers itself
//! - `near`: what comes nearest where nothing fits
//! - `refusal`: why a request head is refused, in words
//! - `story`: what is told: steps, and the outcome
//! - `render`: a story for people and for tools
//! - `place`: what stands at a place in the user's files

mod action;
mod authentication;
mod authorization;
mod cluster;
mod connection;
mod grpc;
mod health;
mod listen;
mod near;
mod place;
mod policy;
mod refusal;
mod render;
mod request;
mod secure;
mod story;
mod walk;

pub use action::Percent;
pub use listen::silence_of;
pub use render::source_value;
pub use request::Question;
pub use secure::Health;

use crate::{compile::Inventory, config::Sources, table::Snapshot};
use request::Asked;
use story::Story;

/// What is asked about: a configuration, compiled.
#[derive(Clone, Copy, Debug)]
pub struct Configuration<'a> {
    /// What is served, or would be.
    pub snapshot: &'a Snapshot,
    /// What is attached to what.
    pub inventory: &'a Inventory,
}

/// What becomes of a request.
pub struct Explained {
    asked: Asked,
    story: Story,
}

/// Follows a request through a configuration; `health` says which certificates are missing.
///
/// # Errors
/// What no client could send, in words.
pub fn explain(
    question: &Question,
    configuration: Configuration<'_>,
    health: &Health,
) -> Result<Explained, String> {
    let asked = Asked::new(question)?;
    let story = walk::walk(&asked, configuration, health);
    Ok(Explained { asked, story })
}

impl Explained {
    /// For people, with the lines of the files that decided.
    pub fn text(&self, sources: &Sources) -> String {
        render::text(&self.asked, &self.story, sources)
    }

    /// For tools: one object.
    pub fn json(&self) -> String {
        render::json(&self.asked, &self.story)
    }
}
