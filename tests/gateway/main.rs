//! Tests of the whole gateway: the real program on real sockets.
//!
//! - `harness`: starts the program with a configuration, and stops it
//! - `client`: a client that sends bytes as they are and reads answers strictly
//! - `origin`: origins that echo what they got, or say what a script says
//! - `basics`: it starts, serves and ends
//! - `cases_http1`: the byte-exact HTTP/1 cases

mod basics;
mod cases_http1;
mod client;
mod harness;
mod origin;
