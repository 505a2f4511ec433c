//! What is wrong, where, and what was expected.

use super::Span;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is wrong; the user may want to know.
    Note,
    /// Accepted, but part of it has no effect or another one than it seems.
    Warning,
    /// The object is refused.
    Error,
}

/// The object a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// `Gateway`
    pub kind: Arc<str>,
    /// `default`
    pub namespace: Arc<str>,
    /// `public`
    pub name: Arc<str>,
}

/// A second place that a diagnostic points at, such as the winner of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One problem: file, line, column, object, field, what is wrong, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable short name in kebab case, such as `unknown-field` or `port-conflict`.
    pub code: &'static str,
    /// The place it is about; nothing for a problem of a whole file, such as one that can't be read.
    pub span: Option<Span>,
    /// The object it is about.
    pub object: Option<ObjectRef>,
    /// The path to the field, such as `spec.servers[0].port.number`; empty for a whole object.
    pub field: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What was expected, or how to mend it.
    pub help: Option<String>,
    /// Other places it is about.
    pub labels: Vec<Label>,
}
