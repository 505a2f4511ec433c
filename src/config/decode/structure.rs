//! A value of any form, as protobuf's `Struct` has it.

use super::{Decode, Decoder, Dialect, Node, Resolved, Span, Step, Value};
use crate::config::yaml::{self, Chunk};

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

impl Structure {
    /// Reads an object out of a text in JSON, as `meshConfig.accessLogFormat` has it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(text: &str) -> Result<Structure, String> {
        let mut problems = Vec::new();
        let root = yaml::document(&Chunk { text, span: Span::default() }, &mut problems).root;
        let mut decoder = Decoder::new(&mut problems, None, Dialect::Proto);
        let object = root.and_then(|root| Structure::decode(&root, &mut decoder));
        match (problems.first(), object) {
            (None, Some(object @ Structure::Map(_))) => Ok(object),
            (None, _) => Err("it is no JSON object".to_owned()),
            (Some(problem), _) => Err(format!("it is no JSON: {}", problem.message)),
        }
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
