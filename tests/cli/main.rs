//! Tests of the command line: the real program, what it writes and how it ends.
//!
//! - `program`: runs it
//! - `admin`: asking a running gateway
//! - `check`: every problem in one run
//! - `delegates`: rules of other VirtualServices
//! - `explain`: the way of a request, from files to words
//! - `doctor`: whether this host is fit
//! - `routes`: the table
//! - `shell`: completions, the manual page, versions, wrong usage
//! - `top`: live, in a terminal
//! - `demo`: every line that the demo prints works

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod check;
mod delegates;
mod demo;
mod doctor;
mod explain;
mod program;
mod routes;
mod shell;
mod top;
