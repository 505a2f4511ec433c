//! What a field may be: optional, a list, a map.

use super::{Decode, Decoder, Diagnostic, Node, Span, Step, Value};
use crate::config::Spanned;
use std::ops::Deref;

/// A field of a struct: absent, or read from a value.
pub(in crate::config) trait Field: Default {
    /// Reads the field; `key` is where its name is written.
    fn read(&mut self, key: Span, node: &Node<'_>, decoder: &mut Decoder<'_>);
}

/// A mapping with any keys, in the order of the file. No key occurs twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Map<T> {
    entries: Vec<(Spanned<String>, Spanned<T>)>,
}

impl<T> Map<T> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Spanned<T>> {
        self.entries.iter().find(|(k, _)| k.value == key).map(|(_, value)| value)
    }
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Map { entries: Vec::new() }
    }
}

impl<T> Deref for Map<T> {
    type Target = [(Spanned<String>, Spanned<T>)];
    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl<T> FromIterator<(Spanned<String>, Spanned<T>)> for Map<T> {
    fn from_iter<I: IntoIterator<Item = (Spanned<String>, Spanned<T>)>>(entries: I) -> Self {
        Map { entries: entries.into_iter().collect() }
    }
}

/// The place of a message is from its key on, because the key is what a reader looks for; that of a scalar is the value.
impl<T: Decode> Field for Option<Spanned<T>> {
    fn read(&mut self, key: Span, node: &Node<'_>, decoder: &mut Decoder<'_>) {
        if node.is_null() {
            return;
        }
        let is_behind_key = node.is_collection() && node.span.start > key.start;
        let span = if is_behind_key { Span { end: node.span.end, ..key } } else { node.span };
        *self = T::decode(node, decoder).map(|value| Spanned::new(value, span));
    }
}

/// As without the box, for large messages that are mostly absent.
impl<T: Decode> Field for Option<Box<Spanned<T>>> {
    fn read(&mut self, key: Span, node: &Node<'_>, decoder: &mut Decoder<'_>) {
        let mut unboxed: Option<Spanned<T>> = None;
        unboxed.read(key, node, decoder);
        *self = unboxed.map(Box::new);
    }
}

impl<T: Decode> Field for Vec<Spanned<T>> {
    fn read(&mut self, _: Span, node: &Node<'_>, decoder: &mut Decoder<'_>) {
        let Value::List(items) = node.value() else {
            if !node.is_null() {
                decoder.mismatch(node, "a list");
            }
            return;
        };
        self.reserve_exact(items.len());
        for (index, item) in items.iter().enumerate() {
            let value = decoder.within(Step::Index(index), |decoder| element(item, decoder));
            self.extend(value.map(|value| Spanned::new(value, item.span)));
        }
    }
}

/// Where a list that is there but empty is something else than none.
impl<T: Decode> Decode for Vec<Spanned<T>> {
    const EXPECTED: &'static str = "a list";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let mut list = Vec::new();
        list.read(node.span, node, decoder);
        Some(list)
    }
}

impl<T: Decode> Field for Map<T> {
    fn read(&mut self, _: Span, node: &Node<'_>, decoder: &mut Decoder<'_>) {
        if node.is_null() {
            return;
        }
        let Some(entries) = decoder.entries(node, "a mapping") else { return };
        self.entries.reserve_exact(entries.len());
        for (key, item) in entries {
            let value = decoder.within(Step::Key(&key.text), |decoder| element(item, decoder));
            let key = Spanned::new(key.text.clone().into_owned(), key.span);
            self.entries.extend(value.map(|value| (key, Spanned::new(value, item.span))));
        }
    }
}

/// An element of a list or map, which can't be absent.
fn element<T: Decode>(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<T> {
    if node.is_null() {
        let message = format!("expected {}, found nothing (null)", T::EXPECTED);
        decoder.report(Diagnostic::error("null-value", message).at(node.span));
        return None;
    }
    T::decode(node, decoder)
}
