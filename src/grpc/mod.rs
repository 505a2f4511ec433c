//! What a gateway knows of gRPC: how its answers tell what went wrong, how long its clients wait, and the form of it
//! that browsers speak.
//!
//! - `base64`: the text form of gRPC-Web bodies
//! - `kind`: gRPC and the two forms of gRPC-Web, told apart by the content type
//! - `status`: local replies that gRPC clients understand
//! - `timeout`: how long a client waits
//! - `web`: gRPC-Web to gRPC and back

mod base64;
mod kind;
mod status;
#[cfg(test)]
mod tests;
mod timeout;
mod web;

pub use base64::BadBase64;
pub use kind::{Kind, kind};
pub use status::{
    MESSAGE_BYTES_MAX, STATUS_NAMES, encode_message, http_of_status, local_reply, status_of_http,
};
pub use timeout::{TIMEOUT_DIGITS_MAX, parse_timeout};
pub use web::Translation;
