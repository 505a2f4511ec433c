//! The acceptance cases of specification section 9 that compiling decides, each named after its number, and what is
//! said about configurations that do not do what they seem to.

mod actions;
mod authentication;
mod balancing;
mod checks;
mod delegates;
mod endpoints;
mod health;
mod hosts;
mod http2;
mod matching;
mod origination;
mod pool;
mod redirects;
mod surprises;
mod tcp;
mod tls;
mod unsupported;
mod upstream;
mod workloads;

use super::testing::*;
use super::*;
