//! A value of any form, as protobuf's `Struct` has it.

use super::{Decode, Decoder, Node, Resolved, Step, Value};

/// A value of any form, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Structure {
    /// `null`, or nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Structure>),
    /// A mapping. No key occurs twice.
    Map(Vec<(String, Structure)>),
}

/// How deep a value may be nested. Nobody's log format needs more; each level costs stack.
pub const STRUCTURE_DEPTH_MAX: usize = 16;

impl Decode for Structure {
    const EXPECTED: &'static str = "a value";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        read(node, decoder, STRUCTURE_DEPTH_MAX)
    }
}

fn read(node: &Node<'_>, decoder: &mut Decoder<'_>, depth: usize) -> Option<Structure> {
    if depth == 0 {
        decoder.mismatch(node, "a value that is nested less deeply");
        return None;
    }
    match node.value() {
        Value::Scalar(scalar) => Some(match scalar.resolve() {
            Resolved::Null => Structure::Null,
            Resolved::Bool(value) => Structure::Bool(value),
            Resolved::Int(number) => Structure::Number(number as f64),
            Resolved::Float(number) => Structure::Number(number),
            Resolved::Text => Structure::Text(scalar.text().to_owned()),
        }),
        Value::List(items) => {
            let read =
                |(index, item)| decoder.within(Step::Index(index), |decoder| read(item, decoder, depth - 1));
            items.iter().enumerate().map(read).collect::<Option<_>>().map(Structure::List)
        }
        Value::Map(entries) => {
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let value =
                    decoder.within(Step::Key(&key.text), |decoder| read(value, decoder, depth - 1))?;
                map.push((key.text.clone().into_owned(), value));
            }
            Some(Structure::Map(map))
        }
        // `Node::value` looks through it.
        Value::Shared(_) => None,
    }
}
