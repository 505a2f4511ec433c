//! `sluicegate explain`: what becomes of one request, and why.
//!
//! The request is put on the wire, decoded and routed by the data path's own functions.
//!
//! - `authentication`: whether its tokens are good
//! - `authorization`: which AuthorizationPolicy decides, and why
//! - `request`: the command line to the bytes that a client would send
//! - `listen`: which listener a port means
//! - `walk`: from the listener to the route
//! - `secure`: which filter chain of a TLS port a client finds
//! - `action`: what the route does with the request
//! - `connection`: where a connection goes that is not HTTP
//! - `cluster`: how a destination is reached
//! - `policy`: the policies that it meets, and where they are written
//! - `health`: when an endpoint of a destination is left out
//! - `grpc`: what clients of gRPC get where the gateway answers itself
//! - `log`: which access logs have a line of it
//! - `near`: what comes nearest where nothing fits
//! - `refusal`: why a request head is refused, in words
//! - `story`: what is told: steps, and the outcome
//! - `render`: a story for people and for tools

mod action;
mod authentication;
mod authorization;
mod cluster;
mod connection;
mod grpc;
mod health;
mod listen;
mod log;
mod near;
mod policy;
mod refusal;
mod render;
mod request;
mod secure;
mod story;
#[cfg(test)]
mod tests;
mod walk;

pub(super) use action::Percent;
pub(super) use listen::silence_of;
pub(super) use render::source_value;

use super::{
    args::{AnswerFormat, ExplainArgs},
    load::load,
    output::{print, report_errors},
    usage_error,
};
use crate::compile::Http2Options;
use request::Asked;
use secure::Health;

/// Runs the subcommand; returns the exit code. That the answer is a 404 is no failure.
pub(super) fn run(args: &ExplainArgs) -> u8 {
    let asked = match Asked::new(args) {
        Ok(asked) => asked,
        Err(message) => return usage_error(message),
    };
    let port_map = args.workload.port_map.clone().unwrap_or_default();
    let mut loaded = load(&args.config.config, &args.workload, &port_map, Http2Options::default());
    // Without randomness there is nothing to know of certificates; what is told is the rest.
    let health = loaded.credentials().map(|found| Health::new(&found, &loaded.compiled)).unwrap_or_default();
    let code = report_errors(&loaded);
    let story = walk::walk(&asked, &loaded.compiled, &health);
    let sources = &loaded.resources.sources;
    let written = print(&match args.format {
        AnswerFormat::Text => render::text(&asked, &story, sources),
        AnswerFormat::Json => render::json(&asked, &story),
    });
    code.max(written)
}
