//! Resources as typed structs exactly as written, and the YAML they are read from.
//!
//! - `diagnostic`: what is wrong, where, and what was expected
//! - `span`: places in the user's files

mod diagnostic;
mod span;

pub use diagnostic::{Diagnostic, Label, ObjectRef, Severity};
pub use span::{FileId, SourceFile, Sources, Span, Spanned};
