//! Files that change: those of the configuration, and the certificates, keys and authorities that it names.
//!
//! - `links`: what has to be watched for a path, through links
//! - `files`: what is heard of changes, and when it is quiet again
//! - `signature`: whether files are others than before, without reading them
//! - `keeper`: when to look again, and at what

mod files;
mod keeper;
mod links;
mod signature;

pub(super) use keeper::{Due, Keeper};
pub(super) use links::Interest;
pub(super) use signature::Signature;
