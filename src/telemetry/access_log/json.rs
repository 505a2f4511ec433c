//! A JSON object with operators in its texts. A text that is one operator alone has that operator's type: numbers are
//! numbers, and what is not known is `null`.

use super::{
    escape,
    format::{FormatError, Operation, Program, Tools},
    record::{Facts, Record},
    value::{Found, Operator},
};
use std::fmt;

/// A value of JSON, in the order in which it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonValue {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text with Envoy's operators.
    Text(String),
    /// A list.
    List(Vec<JsonValue>),
    /// An object.
    Map(Vec<(String, JsonValue)>),
}

/// A compiled value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// JSON that is always the same.
    Fixed(Box<[u8]>),
    /// One operator alone.
    Operator(Operator),
    /// A text of several pieces.
    Text(Program),
    List(Vec<Node>),
    Map {
        /// Keys with their quotes and colons, and values.
        members: Vec<(Box<[u8]>, Node)>,
        /// Members that are not known are left out.
        omits: bool,
    },
}

impl Node {
    pub(super) fn new(value: &JsonValue, omits: bool) -> Result<Node, FormatError> {
        Ok(match value {
            JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) => {
                Node::Fixed(value.to_string().into_bytes().into())
            }
            JsonValue::Text(text) => {
                let mut program = Program::new(text, omits)?;
                match program.operations.as_mut_slice() {
                    [] => Node::Fixed(b"\"\""[..].into()),
                    [Operation::Literal(text)] => Node::Fixed(quoted(text).into()),
                    [Operation::Operator(operator)] => Node::Operator(operator.clone()),
                    _ => {
                        for operation in &mut program.operations {
                            if let Operation::Literal(text) = operation {
                                let mut escaped = Vec::new();
                                escape::json(text, &mut escaped);
                                *text = escaped.into();
                            }
                        }
                        Node::Text(program)
                    }
                }
            }
            JsonValue::List(items) => {
                Node::List(items.iter().map(|item| Node::new(item, omits)).collect::<Result<_, _>>()?)
            }
            JsonValue::Map(members) => {
                let member = |(key, value): &(String, JsonValue)| {
                    let mut key = quoted(key.as_bytes());
                    key.push(b':');
                    Ok((key.into(), Node::new(value, omits)?))
                };
                Node::Map { members: members.iter().map(member).collect::<Result<_, _>>()?, omits }
            }
        })
    }

    pub(super) fn bind(&mut self, hostname: &str, environment: &impl Fn(&str) -> Option<String>) {
        match self {
            Node::Fixed(_) => {}
            Node::Operator(operator) => match operator.bind(hostname, environment) {
                Some(Some(text)) => *self = Node::Fixed(quoted(text.as_bytes()).into()),
                Some(None) => *self = Node::Fixed(b"null"[..].into()),
                None => {}
            },
            Node::Text(program) => {
                let nothing = if program.omits { "" } else { "-" };
                for operation in &mut program.operations {
                    let Operation::Operator(operator) = operation else { continue };
                    let Some(text) = operator.bind(hostname, environment) else { continue };
                    let mut escaped = Vec::new();
                    escape::json(text.as_deref().unwrap_or(nothing).as_bytes(), &mut escaped);
                    *operation = Operation::Literal(escaped.into());
                }
            }
            Node::List(items) => items.iter_mut().for_each(|item| item.bind(hostname, environment)),
            Node::Map { members, .. } => {
                members.iter_mut().for_each(|(_, value)| value.bind(hostname, environment));
            }
        }
    }

    /// Appends it. Whether there was anything but `null`.
    pub(super) fn run(
        &self,
        record: &Record<'_>,
        facts: &impl Facts,
        tools: &mut Tools,
        out: &mut Vec<u8>,
    ) -> bool {
        match self {
            Node::Fixed(json) => {
                out.extend_from_slice(json);
                return **json != *b"null";
            }
            Node::Operator(operator) => return alone(operator, record, facts, tools, out),
            Node::Text(program) => {
                out.push(b'"');
                for operation in &program.operations {
                    match operation {
                        Operation::Literal(text) => out.extend_from_slice(text),
                        Operation::Operator(operator) => {
                            within(operator, program.omits, record, facts, tools, out);
                        }
                    }
                }
                out.push(b'"');
            }
            Node::List(items) => {
                out.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    item.run(record, facts, tools, out);
                }
                out.push(b']');
            }
            Node::Map { members, omits } => {
                out.push(b'{');
                let begin = out.len();
                for (key, value) in members {
                    let before = out.len();
                    if before > begin {
                        out.push(b',');
                    }
                    out.extend_from_slice(key);
                    if !value.run(record, facts, tools, out) && *omits {
                        out.truncate(before);
                    }
                }
                out.push(b'}');
            }
        }
        true
    }
}

fn alone(
    operator: &Operator,
    record: &Record<'_>,
    facts: &impl Facts,
    tools: &mut Tools,
    out: &mut Vec<u8>,
) -> bool {
    match operator.find(record, facts, &mut tools.spare) {
        Found::Nothing => {
            out.extend_from_slice(b"null");
            return false;
        }
        Found::Number(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        // Safe in a line of text, which is another thing: the user's own format of a date may have a quote in it.
        Found::Safe(text) | Found::Any(text) => {
            out.push(b'"');
            escape::json(text, out);
            out.push(b'"');
        }
        Found::Time(time) => {
            out.push(b'"');
            tools.timestamps.append(time, out);
            out.push(b'"');
        }
    }
    true
}

fn within(
    operator: &Operator,
    omits: bool,
    record: &Record<'_>,
    facts: &impl Facts,
    tools: &mut Tools,
    out: &mut Vec<u8>,
) {
    match operator.find(record, facts, &mut tools.spare) {
        Found::Nothing if omits => {}
        Found::Nothing => out.push(b'-'),
        Found::Number(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Found::Safe(text) | Found::Any(text) => escape::json(text, out),
        Found::Time(time) => tools.timestamps.append(time, out),
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut json = vec![b'"'];
    escape::json(text, &mut json);
    json.push(b'"');
    json
}

/// As JSON, with operators as they are written.
impl fmt::Display for JsonValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &str| String::from_utf8_lossy(&quoted(text.as_bytes())).into_owned();
        match self {
            JsonValue::Null => f.write_str("null"),
            JsonValue::Bool(value) => write!(f, "{value}"),
            // JSON has no number for what is none.
            JsonValue::Number(number) if !number.is_finite() => f.write_str("null"),
            JsonValue::Number(number) => write!(f, "{number}"),
            JsonValue::Text(value) => f.write_str(&text(value)),
            JsonValue::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            JsonValue::Map(members) => {
                f.write_str("{")?;
                for (position, (key, value)) in members.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", text(key))?;
                }
                f.write_str("}")
            }
        }
    }
}
