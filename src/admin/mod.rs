//! Status, metrics and what is served: pages for operators and probes, on the control thread.
//!
//! - `server`: HTTP for the pages
//! - `overview`: everything live in one document
//! - `dashboard`: the same for people, in a browser
//! - `pages`: which pages there are, and what they say
//! - `metrics`: numbers for Prometheus, and for people
//! - `health`: which endpoints are good
//! - `breakers`: what is in use of clusters that have limits
//! - `mongo`: what MongoDB's clients ask
//! - `certs`: certificates, and until when they hold
//! - `dump`: the snapshot as JSON
//! - `routes`: a route as JSON
//! - `secure`: filter chains and TLS as JSON

mod breakers;
mod certs;
mod dump;
mod health;
mod metrics;
mod mongo;
mod overview;
mod pages;
mod routes;
mod secure;
mod server;

pub use pages::Pages;
pub use routes::{route as route_json, tcp_route as tcp_route_json};
pub use server::{Server, bind};
