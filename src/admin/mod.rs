//! Status, metrics and what is served: pages for operators and probes, on the control thread.
//!
//! - `server`: HTTP for the pages
//! - `overview`: everything live in one document
//! - `dashboard`: the same for people, in a browser
//! - `guard`: who may ask
//! - `endpoint`: what an endpoint is; the list of them is in `pages`
//! - `request`: what a request asks an endpoint for
//! - `reply`: what an endpoint says
//! - `readable`: JSON as lines for people
//! - `look`: asking the shards what only they know
//! - `redact`: objects as they are written, without their secrets
//! - `pieces`: answers that are too large to be held
//! - `pages`: which pages there are, and what they say
//! - `ask`: a client of the pages, for the command line
//! - `metrics`: numbers for Prometheus, and for people
//! - `health`: which endpoints are good
//! - `breakers`: what is in use of clusters that have limits
//! - `mongo`: what MongoDB's clients ask
//! - `certs`: certificates, and until when they hold
//! - `dump`: the snapshot as JSON
//! - `routes`: a route as JSON
//! - `secure`: filter chains and TLS as JSON

mod ask;
mod breakers;
mod certs;
mod dashboard;
mod dump;
mod endpoint;
mod guard;
mod health;
mod look;
mod metrics;
mod mongo;
mod overview;
mod pages;
mod pieces;
mod readable;
mod redact;
mod reply;
mod request;
mod routes;
mod secure;
mod server;

pub use ask::{Address, AskError, Told, ask, gone};
pub use pages::Pages;
pub use routes::{route as route_json, tcp_route as tcp_route_json};
pub use server::{Server, bind, bind_unix};
