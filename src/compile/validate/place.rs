//! Where in an object a rule looks, and where what it finds goes.

use crate::config::{Diagnostic, ObjectRef, Severity, Span, Spanned, resources::Map};
use std::{cell::RefCell, fmt};

/// What was found in one object.
pub(super) struct Findings<'o> {
    object: &'o ObjectRef,
    /// Every [`Place`] of the object adds to it.
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    diagnostics: Vec<Diagnostic>,
    /// How many more there were than are listed.
    more: usize,
    has_error: bool,
}

/// The most diagnostics of one object. Who has that many made one mistake, in every rule of a large object.
const LISTED_MAX: usize = 100;

/// A value in an object: the path to it and where it is written. Made on the way down, on the stack: a path becomes
/// text only when something is wrong there.
pub(super) struct Place<'a> {
    findings: &'a Findings<'a>,
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
    span: Span,
}

enum Step<'a> {
    /// The object: the path to a field of it begins with the field.
    Object,
    Field(&'static str),
    Item(&'static str, usize),
    Entry(&'static str, &'a str),
    /// An element of what the parent names.
    Index(usize),
}

impl<'o> Findings<'o> {
    pub(super) fn new(object: &'o ObjectRef) -> Self {
        Findings { object, found: RefCell::default() }
    }

    /// A field of the object itself, such as `spec`.
    pub(super) fn root(&'o self, field: &'static str, span: Span) -> Place<'o> {
        Place { findings: self, parent: None, step: Step::Field(field), span }
    }

    /// The object as a whole, for kinds whose fields are beside `metadata`.
    pub(super) fn object(&'o self, span: Span) -> Place<'o> {
        Place { findings: self, parent: None, step: Step::Object, span }
    }

    /// What was reported, in the order of the reports. An object with an error has one in here.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let Found { mut diagnostics, more, .. } = self.found.into_inner();
        if more > 0 {
            let note = format!("{more} more problems of {} are not listed", self.object);
            diagnostics.push(Diagnostic::note("more-of-the-same", note).about(self.object));
        }
        diagnostics
    }

    fn add(&self, problem: impl FnOnce() -> Diagnostic, severity: Severity) {
        let mut found = self.found.borrow_mut();
        let is_first_error = severity == Severity::Error && !found.has_error;
        found.has_error |= severity == Severity::Error;
        if found.diagnostics.len() < LISTED_MAX || is_first_error {
            found.diagnostics.push(problem());
        } else {
            found.more += 1;
        }
    }
}

impl<'a> Place<'a> {
    /// A field.
    pub(super) fn field<T>(&'a self, name: &'static str, value: &Spanned<T>) -> Place<'a> {
        self.step(Step::Field(name), value.span)
    }

    /// A field that is not there. What is reported about it points at what it should be in.
    pub(super) fn absent(&'a self, name: &'static str) -> Place<'a> {
        self.step(Step::Field(name), self.span)
    }

    /// The elements of a list, each with its place.
    pub(super) fn items<'v, T>(
        &'a self,
        name: &'static str,
        list: &'v [Spanned<T>],
    ) -> impl Iterator<Item = (Place<'a>, &'v Spanned<T>)> + use<'a, 'v, T> {
        list.iter()
            .enumerate()
            .map(move |(index, item)| (self.step(Step::Item(name, index), item.span), item))
    }

    /// The entries of a mapping, each with the place of its value.
    pub(super) fn entries<T>(
        &'a self,
        name: &'static str,
        map: &'a Map<T>,
    ) -> impl Iterator<Item = (Place<'a>, &'a Spanned<String>, &'a Spanned<T>)> + use<'a, T> {
        map.iter().map(move |(key, value)| (self.step(Step::Entry(name, key), value.span), key, value))
    }

    /// One entry of a mapping.
    pub(super) fn entry(&'a self, name: &'static str, key: &'a str, span: Span) -> Place<'a> {
        self.step(Step::Entry(name, key), span)
    }

    /// What is written here is a list: one of its elements.
    pub(super) fn element<T>(&'a self, index: usize, item: &Spanned<T>) -> Place<'a> {
        self.step(Step::Index(index), item.span)
    }

    /// The same field, pointing at another place in the text: at the key instead of the value.
    pub(super) fn pointing_at(self, span: Span) -> Place<'a> {
        Place { span, ..self }
    }

    /// Where it is written.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// Adds a problem with this value, unless it has a place of its own already.
    pub(super) fn report(&self, problem: Diagnostic) {
        let severity = problem.severity;
        let span = problem.span.unwrap_or(self.span);
        self.findings.add(|| problem.at(span).about(self.findings.object).field(self.to_string()), severity);
    }

    /// The value of a field that must be set; reports it if it is not.
    pub(super) fn require<'v, T>(
        &self,
        name: &'static str,
        value: &'v Option<Spanned<T>>,
        help: &str,
    ) -> Option<&'v Spanned<T>> {
        if value.is_none() {
            self.absent(name).report(missing(name).help(help));
        }
        value.as_ref()
    }

    /// As [`Place::require`], for text that must not be empty either: proto3 has no difference between the two.
    pub(super) fn require_text<'v>(
        &self,
        name: &'static str,
        value: &'v Option<Spanned<String>>,
        help: &str,
    ) -> Option<&'v Spanned<String>> {
        match value {
            Some(text) if text.is_empty() => {
                let problem = Diagnostic::error("missing-field", format!("`{name}` is empty"));
                self.field(name, text).report(problem.help(help));
                None
            }
            _ => self.require(name, value, help),
        }
    }

    fn step(&'a self, step: Step<'a>, span: Span) -> Place<'a> {
        Place { findings: self.findings, parent: Some(self), step, span }
    }
}

/// The path, such as `spec.servers[0].port.number`.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent.filter(|parent| !matches!(parent.step, Step::Object)) {
            let dot = if matches!(self.step, Step::Index(_)) { "" } else { "." };
            write!(f, "{parent}{dot}")?;
        }
        match self.step {
            Step::Object => Ok(()),
            Step::Field(name) => f.write_str(name),
            Step::Item(name, index) => write!(f, "{name}[{index}]"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Entry(name, key) if is_word(key) => write!(f, "{name}.{key}"),
            Step::Entry(name, key) => write!(f, "{name}[{key:?}]"),
        }
    }
}

/// The value of a text that is set: empty is the same as absent in proto3.
pub(super) fn text(value: &Option<Spanned<String>>) -> Option<&Spanned<String>> {
    value.as_ref().filter(|text| !text.is_empty())
}

/// A field that must be there is not.
pub(super) fn missing(name: &str) -> Diagnostic {
    Diagnostic::error("missing-field", format!("`{name}` is missing"))
}

/// Two fields are set of which at most one may be.
pub(super) fn conflicting(one: &str, other: &str) -> Diagnostic {
    Diagnostic::error("conflicting-fields", format!("`{one}` and `{other}` exclude each other"))
}

/// A field is set that does nothing where it is.
pub(super) fn without_effect(name: &str, why: &str) -> Diagnostic {
    Diagnostic::warning("no-effect", format!("`{name}` has no effect: {why}"))
}

/// A field is deprecated.
pub(super) fn deprecated(name: &str, instead: &str) -> Diagnostic {
    Diagnostic::warning("deprecated-field", format!("`{name}` is deprecated")).help(instead)
}

/// Keys that are written behind a dot; others are in brackets.
fn is_word(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
