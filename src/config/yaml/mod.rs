//! Text to a tree in which every value and every key knows its place; nothing outside knows the YAML crates.
//!
//! - `split`: one file into its documents, so that a broken one does not hide the others
//! - `build`: the events of one document into a tree, with aliases and merge keys resolved
//! - `plain`: simple documents into the same tree, fast
//! - `json`: JSON into the same tree
//! - `position`: the parser's positions to places of the file
//! - `scalar`: what a plain word means: null, a boolean, a number or text

mod build;
mod json;
mod plain;
mod position;
mod scalar;
mod split;

#[cfg(test)]
mod tests;

use super::{Diagnostic, FileId, Span, report};
use std::{borrow::Cow, rc::Rc};

pub(super) use build::document;
pub(super) use scalar::Resolved;
pub(super) use split::{Chunk, chunks};

/// The most documents in one file. More is a mistake or an attack: a cluster's whole configuration has fewer, and every
/// document costs a parser.
pub(super) const DOCUMENTS_MAX: usize = 200_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    value: Value<'t>,
    /// From the first to after the last character of the value, without its key.
    pub(super) span: Span,
}

/// What a node is. `'t` is the text that it was read from.
#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    /// A single word or string.
    Scalar(Scalar<'t>),
    /// A sequence.
    List(Vec<Node<'t>>),
    /// A mapping, in the order of the text; no key occurs twice.
    Map(Vec<(Key<'t>, Node<'t>)>),
    /// A node with an anchor: every alias of it shares one tree. [`Node::value`] looks through it.
    Shared(Rc<Node<'t>>),
}

/// A key of a mapping: its text, whatever its type, as Kubernetes has it.
#[derive(Clone, Debug)]
pub(super) struct Key<'t> {
    /// The key.
    pub(super) text: Cow<'t, str>,
    /// Where it is written.
    pub(super) span: Span,
}

/// A scalar as written; what it means is found when somebody asks.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'t> {
    text: Cow<'t, str>,
    style: Style,
}

/// What decides the type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Without quotes or tag: the text decides.
    Plain,
    /// Quoted, a block, or tagged `!!str`: always text.
    Text,
}

/// One document of a file.
#[derive(Debug)]
pub(super) struct Document<'t> {
    /// Its value; nothing if the document is empty. If the document is broken: what was read before the problem.
    pub(super) root: Option<Node<'t>>,
    /// Whether all of the document is in `root`.
    pub(super) complete: bool,
}

impl<'t> Node<'t> {
    /// What it is; never [`Value::Shared`].
    pub(super) fn value(&self) -> &Value<'t> {
        let mut node = self;
        // An anchor on an alias is not YAML, so this is at most one step; the loop needs no proof of it.
        while let Value::Shared(shared) = &node.value {
            node = shared;
        }
        &node.value
    }

    /// A mapping.
    pub(super) fn map(entries: Vec<(Key<'t>, Node<'t>)>, span: Span) -> Self {
        Node { value: Value::Map(entries), span }
    }

    /// The value of a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'t>> {
        match self.value() {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a scalar, whatever it means.
    pub(super) fn text(&self) -> Option<&str> {
        match self.value() {
            Value::Scalar(scalar) => Some(scalar.text()),
            _ => None,
        }
    }

    /// Gives it, and everything in it, one place: for text that does not stand in the file as it is.
    pub(super) fn put_at(&mut self, place: Span) {
        self.span = place;
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.put_at(place)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    key.span = place;
                    value.put_at(place);
                }
            }
            Value::Shared(shared) => {
                let mut own = shared.as_ref().clone();
                own.put_at(place);
                *shared = Rc::new(own);
            }
        }
    }

    /// Whether it is `null`, `~` or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.value(), Value::Scalar(scalar) if matches!(scalar.resolve(), Resolved::Null))
    }

    /// Whether it is a list or a mapping.
    pub(super) fn is_collection(&self) -> bool {
        matches!(self.value(), Value::List(_) | Value::Map(_))
    }
}

impl<'t> Scalar<'t> {
    /// The text without quotes and escapes.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
