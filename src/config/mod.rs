//! Resources as typed structs exactly as written, and the YAML they are read from.
//!
//! - `diagnostic`: what is wrong, where, and what was expected
//! - `span`: places in the user's files
//! - `written`: files as they are written, object by object
//! - `load`: files to resources; the only place that reads them
//! - `parse`: files' contents to resources
//! - `annotations`: those of this gateway's own
//! - `kinds`: which objects are read
//! - `resources`: every kind with every field
//! - `decode`: a tree of values into a struct
//! - `render`: diagnostics as text
//! - `yaml`: text into a tree of values

mod annotations;
mod decode;
mod diagnostic;
mod kinds;
mod load;
mod parse;
pub mod render;
pub mod resources;
mod span;
mod written;
mod yaml;
#[cfg(test)]
mod tests;

use diagnostic::{DIAGNOSTICS_MAX, report};

pub use decode::suggestion;
pub use diagnostic::{Diagnostic, Label, ObjectRef, Severity};
pub use load::{Contents, Input, load};
pub use parse::parse;
pub use resources::{Incomplete, Resource, Resources};
pub use span::{FileId, SourceFile, Sources, Span, Spanned};
pub use written::{Written, written};
