//! What is wrong, where, and what was expected.

use super::Span;
use std::{fmt, sync::Arc};

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

impl Diagnostic {
    /// An [`Severity::Error`] without a place so far.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    /// A [`Severity::Warning`] without a place so far.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    /// A [`Severity::Note`] without a place so far.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        let (field, labels) = (String::new(), Vec::new());
        Diagnostic { severity, code, span: None, object: None, field, message, help: None, labels }
    }

    /// With the place it is about.
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// With the object it is about.
    pub fn about(mut self, object: &ObjectRef) -> Self {
        self.object = Some(object.clone());
        self
    }

    /// With the path to the field.
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.field = path.into();
        self
    }

    /// With what was expected, or how to mend it.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// With one more place and what is there.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }
}

/// The most problems that are reported. A file that has more is not what it was taken for, and the problems of one that is
/// nothing but problems would take more memory than the file.
pub(super) const DIAGNOSTICS_MAX: usize = 2_000;

/// Keeps a problem, unless there are already so many that there is no use in it: one more than [`DIAGNOSTICS_MAX`] shows
/// that some are missing.
pub(super) fn report(diagnostics: &mut Vec<Diagnostic>, diagnostic: Diagnostic) {
    if diagnostics.len() <= DIAGNOSTICS_MAX {
        diagnostics.push(diagnostic);
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

impl fmt::Display for ObjectRef {
    /// `Gateway infra/public`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            return write!(f, "{} without a name", self.kind);
        }
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
