//! Status, metrics and what is served: pages for operators and probes, on the control thread.
//!
//! - `server`: HTTP for the pages
//! - `pages`: which pages there are, and what they say
//! - `metrics`: numbers for Prometheus, and for people
//! - `certs`: certificates, and until when they hold
//! - `dump`: the snapshot as JSON
//! - `routes`: a route as JSON

mod certs;
mod dump;
mod metrics;
mod pages;
mod routes;
mod server;

pub use pages::Pages;
pub use routes::route as route_json;
pub use server::{Server, bind};
