//! A tree into typed structs: every problem is reported, with its place and the path to its field, and none ends the work.
//!
//! - `macros`: `object!` and `choice!`, which define a struct or an enum together with how it is read
//! - `fields`: what a field may be: optional, a list, a map
//! - `scalars`: strings, numbers, durations, bytes
//! - `structure`: values of any form
//! - `suggest`: did you mean ...?

mod fields;
#[macro_use]
mod macros;
mod scalars;
mod structure;
mod suggest;
#[cfg(test)]
mod tests;

use super::{DIAGNOSTICS_MAX, Diagnostic, ObjectRef, Span, report, yaml};
use std::borrow::Cow;
use yaml::{Key, Node, Resolved, Value};

pub(super) use fields::Field;
pub use fields::Map;
pub(super) use macros::{choice, object};
pub use scalars::{ByteSize, Bytes, IntOrString, Opaque, Timestamp};
pub use structure::{STRUCTURE_DEPTH_MAX, Structure};
pub use suggest::suggestion;

/// A type that is read from a value of a file.
pub(super) trait Decode: Sized {
    /// What a file should have there, as in "expected a string".
    const EXPECTED: &'static str;

    /// Reads it. What is wrong is in the decoder's diagnostics; nothing is returned if there is no sensible value.
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self>;
}

/// How names and numbers of an object may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// proto3-JSON, as for Istio's kinds: `snake_case` names and numbers in quotes are understood too.
    Proto,
    /// Kubernetes' JSON: exactly as documented.
    Kubernetes,
}

/// Where the problems of one object go.
pub(super) struct Decoder<'d> {
    pub(super) diagnostics: &'d mut Vec<Diagnostic>,
    object: Option<&'d ObjectRef>,
    dialect: Dialect,
    /// Values must not appear in messages: the object is a Secret.
    is_secret: bool,
}

/// One step of the path to a field.
#[derive(Clone, Copy)]
pub(super) enum Step<'s> {
    Field(&'s str),
    Index(usize),
    Key(&'s str),
}

impl<'d> Decoder<'d> {
    pub(super) fn new(
        diagnostics: &'d mut Vec<Diagnostic>,
        object: Option<&'d ObjectRef>,
        dialect: Dialect,
    ) -> Self {
        let is_secret = object.is_some_and(|object| &*object.kind == "Secret");
        Decoder { diagnostics, object, dialect, is_secret }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reports a problem; its field is the path from the value that is being read.
    pub(super) fn report(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.object = self.object.cloned();
        report(self.diagnostics, diagnostic);
    }

    /// Reads something below the present value: problems found there get `step` before their paths.
    pub(super) fn within<T>(&mut self, step: Step<'_>, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.diagnostics.len();
        let result = read(self);
        for diagnostic in self.diagnostics.iter_mut().skip(before) {
            step.prepend(&mut diagnostic.field);
        }
        result
    }

    /// The value is not what it should be.
    pub(super) fn mismatch(&mut self, node: &Node<'_>, expected: &str) {
        let found = self.describe(node);
        let mut diagnostic =
            Diagnostic::error("wrong-type", format!("expected {expected}, found {found}")).at(node.span);
        diagnostic.help = help_for_mismatch(node, expected).filter(|_| !self.is_secret);
        self.report(diagnostic);
    }

    /// What a value is, with the value itself unless it is secret.
    pub(super) fn describe(&self, node: &Node<'_>) -> String {
        const SHOWN_MAX: usize = 60;
        let scalar = match node.value() {
            Value::List(items) if items.is_empty() => return "an empty list".to_owned(),
            Value::List(_) => return "a list".to_owned(),
            Value::Map(entries) if entries.is_empty() => return "an empty mapping".to_owned(),
            Value::Map(_) => return "a mapping".to_owned(),
            Value::Scalar(scalar) => scalar,
            Value::Shared(_) => return "an alias".to_owned(),
        };
        let kind = match scalar.resolve() {
            Resolved::Null => return "nothing (null)".to_owned(),
            Resolved::Bool(_) => "the boolean",
            Resolved::Int(_) | Resolved::Float(_) => "the number",
            Resolved::Text => "the string",
        };
        if self.is_secret {
            return kind.replacen("the", "a", 1);
        }
        let text: Cow<'_, str> = match scalar.text().char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => format!("{}...", scalar.text().get(..end).unwrap_or("")).into(),
            None => scalar.text().into(),
        };
        if kind == "the string" { format!("{kind} {text:?}") } else { format!("{kind} {text}") }
    }

    /// The entries of a mapping; reports anything else.
    pub(super) fn entries<'n, 't>(
        &mut self,
        node: &'n Node<'t>,
        expected: &str,
    ) -> Option<&'n [(Key<'t>, Node<'t>)]> {
        match node.value() {
            Value::Map(entries) => Some(entries),
            _ => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// The name of a field as documented, if this is one of `fields` in another spelling; reports an unknown one.
    pub(super) fn other_spelling(
        &mut self,
        key: &Key<'_>,
        fields: &'static [&'static str],
        entries: &[(Key<'_>, Node<'_>)],
    ) -> Option<&'static str> {
        let camel = camel_case(&key.text);
        let name = fields.iter().find(|name| self.dialect == Dialect::Proto && **name == camel).copied();
        let Some(name) = name else {
            self.unknown_field(key, fields);
            return None;
        };
        if let Some((other, _)) = entries.iter().find(|(other, _)| other.text == name) {
            let message = format!("`{name}` is written twice, once as `{}`", key.text);
            let problem = Diagnostic::error("duplicate-key", message).at(key.span).field(name);
            self.report(problem.label(other.span, "first written here"));
            return None;
        }
        Some(name)
    }

    /// Reports a field that does not exist.
    pub(super) fn unknown_field(&mut self, key: &Key<'_>, fields: &[&str]) {
        if self.diagnostics.len() > DIAGNOSTICS_MAX {
            return; // Not even to be compared with the names that exist.
        }
        let shown = key.text.escape_debug();
        let mut path = String::new();
        Step::Key(&key.text).prepend(&mut path);
        let mut diagnostic =
            Diagnostic::error("unknown-field", format!("unknown field `{shown}`")).at(key.span).field(path);
        let known = fields.join(", ");
        diagnostic.help = Some(match suggestion(&key.text, fields) {
            Some(name) => format!("did you mean `{name}`? The fields here are: {known}"),
            None if fields.is_empty() => "there are no fields here".to_owned(),
            None => format!("the fields here are: {known}"),
        });
        self.report(diagnostic);
    }

    /// Reports if more than one of `names`, of which only one may be set, is set.
    pub(super) fn at_most_one(&mut self, entries: &[(Key<'_>, Node<'_>)], names: &[&str]) {
        let mut set = entries.iter().filter(|(key, value)| {
            (names.contains(&&*key.text) || names.contains(&&*camel_case(&key.text))) && !value.is_null()
        });
        let Some((first, _)) = set.next() else { return };
        for (other, _) in set {
            let message = format!("`{}` and `{}` exclude each other", first.text, other.text);
            let problem =
                Diagnostic::error("conflicting-fields", message).at(other.span).field(other.text.as_ref());
            let problem = problem.label(first.span, "the other one");
            self.report(problem.help(format!("set only one of: {}", names.join(", "))));
        }
    }
}

impl Step<'_> {
    /// Puts the step before a path.
    pub(super) fn prepend(self, path: &mut String) {
        let begin = match self {
            Step::Field(name) => name.to_owned(),
            Step::Index(index) => format!("[{index}]"),
            Step::Key(key) if is_word(key) => key.to_owned(),
            Step::Key(key) => format!("[{key:?}]"),
        };
        let separator = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        *path = format!("{begin}{separator}{path}");
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The proto3-JSON name of a proto field: underscores go, and the letter after each is upper case.
fn camel_case(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut camel = String::with_capacity(name.len());
    let mut is_after_underscore = false;
    for c in name.chars() {
        match (c, is_after_underscore) {
            ('_', _) => {}
            (c, true) => camel.push(c.to_ascii_uppercase()),
            (c, false) => camel.push(c),
        }
        is_after_underscore = c == '_';
    }
    Cow::Owned(camel)
}

/// Advice for the mistakes that people make.
fn help_for_mismatch(node: &Node<'_>, expected: &str) -> Option<String> {
    let Value::Scalar(scalar) = node.value() else { return None };
    let is_text = scalar.resolve() == Resolved::Text;
    if !is_text && !node.is_null() && expected == "a string" {
        return Some(format!("put it in quotes: \"{}\"", scalar.text()));
    }
    let word = scalar.text().to_ascii_lowercase();
    match (expected, word.as_str()) {
        ("true or false", "yes" | "on" | "y" | "true") if is_text => {
            Some("write true, without quotes".to_owned())
        }
        ("true or false", "no" | "off" | "n" | "false") if is_text => {
            Some("write false, without quotes".to_owned())
        }
        _ if expected.starts_with("a list") && !node.is_null() => {
            Some("write each item as `- item`".to_owned())
        }
        _ => None,
    }
}

/// Reads a struct out of the entries of a mapping: a help for [`object!`].
pub(super) fn field<F: Field>(
    target: &mut F,
    name: &'static str,
    key: Span,
    node: &Node<'_>,
    decoder: &mut Decoder<'_>,
) {
    decoder.within(Step::Field(name), |decoder| target.read(key, node, decoder));
}
