//! Format strings, compiled once to a list of operations and run for each line without memory of their own.

use super::{
    super::{
        TimestampCache,
        operator::{GrammarError, Token, Tokens},
    },
    escape,
    json::{JsonValue, Node},
    record::{Facts, Record},
    value::{Found, Operator, Value},
};
use std::{fmt, sync::Arc};

/// How a line is written.
#[derive(Clone, Debug)]
pub struct Format {
    kind: Kind,
    /// For people: `istio`, or the format string.
    name: Arc<str>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Istio's default text, which is so usual that it has code of its own.
    Istio,
    Text(Program),
    Json(Node),
}

/// A compiled format string.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) operations: Vec<Operation>,
    /// What is not known is left out, in place of `-`.
    pub(super) omits: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Literal(Box<[u8]>),
    Operator(Operator),
}

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// A `%` at the end: a literal percent sign is written `%%`.
    LonePercent,
    /// What follows a `%` is not an operator that ends with `%`.
    Unterminated {
        /// Where its first `%` is, in bytes.
        at: usize,
    },
    /// An operator that is not known.
    UnknownOperator {
        /// Its name.
        name: String,
        /// Why, where Envoy knows it.
        reason: Option<&'static str>,
    },
    /// An operator with an argument that it does not take, or without one that it needs.
    BadArgument {
        /// Its name.
        operator: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// It says nothing.
    Empty,
    /// A line break within a line.
    LineBreak,
    /// No preset has this name.
    UnknownPreset,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::LonePercent => {
                f.write_str("it ends with a single `%`; a literal percent sign is `%%`")
            }
            FormatError::Unterminated { at } => write!(
                f,
                "the `%` at byte {at} does not begin an operator such as `%PROTOCOL%`; a literal percent sign is `%%`"
            ),
            FormatError::UnknownOperator { name, reason: Some(reason) } => {
                write!(f, "`%{name}%` is not supported: {reason}")
            }
            FormatError::UnknownOperator { name, reason: None } => {
                write!(f, "there is no operator `%{name}%`")
            }
            FormatError::BadArgument { operator, reason } => write!(f, "`%{operator}%`: {reason}"),
            FormatError::Empty => f.write_str("it is empty"),
            FormatError::LineBreak => f.write_str("a line has no line break within"),
            FormatError::UnknownPreset => {
                f.write_str("expected istio, json, combined, httplog, or `custom` with a format string")
            }
        }
    }
}

impl std::error::Error for FormatError {}

impl Default for Format {
    fn default() -> Self {
        Format::istio()
    }
}

/// Formats are the same if they write the same.
impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Format {
    /// Istio's default text.
    pub fn istio() -> Format {
        Format { kind: Kind::Istio, name: "istio".into() }
    }

    /// A format string with Envoy's operators. A line break at its end may be missing. `omits`: what is not known is left
    /// out, in place of `-`.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn text(text: &str, omits: bool) -> Result<Format, FormatError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        if line.is_empty() {
            return Err(FormatError::Empty);
        }
        if line.contains(['\n', '\r']) {
            return Err(FormatError::LineBreak);
        }
        let name = if omits { format!("{line} (without empty values)") } else { line.to_owned() };
        Ok(Format { kind: Kind::Text(Program::new(line, omits)?), name: name.into() })
    }

    /// A JSON object with operators in its texts. `omits`: members that are not known are left out, in place of `null`.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn json(object: &JsonValue, omits: bool) -> Result<Format, FormatError> {
        let name = format!("JSON {object}{}", if omits { " (without empty values)" } else { "" });
        Ok(Format { kind: Kind::Json(Node::new(object, omits)?), name: name.into() })
    }

    /// A program that a preset is made of.
    pub(super) fn of_preset(name: &str, program: Program) -> Format {
        Format { kind: Kind::Text(program), name: name.into() }
    }

    pub(super) fn named(self, name: &str) -> Format {
        Format { name: name.into(), ..self }
    }

    /// For people: the name of a preset, or the format string.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the process knows: the name of its host, and the variables of its environment.
    pub fn bound(&self, hostname: &str, environment: &impl Fn(&str) -> Option<String>) -> Format {
        let mut bound = self.clone();
        match &mut bound.kind {
            Kind::Istio => {}
            Kind::Text(program) => program.bind(hostname, environment),
            Kind::Json(node) => node.bind(hostname, environment),
        }
        bound
    }

    /// Appends a line.
    pub(super) fn run(&self, record: &Record<'_>, facts: &impl Facts, tools: &mut Tools, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Istio => istio(record, &mut tools.timestamps, out),
            Kind::Text(program) => {
                program.run(record, facts, tools, out);
                out.push(b'\n');
            }
            Kind::Json(node) => {
                node.run(record, facts, tools, out);
                out.push(b'\n');
            }
        }
    }
}

/// What lines are put together with.
#[derive(Default)]
pub(super) struct Tools {
    pub(super) timestamps: TimestampCache,
    pub(super) spare: Vec<u8>,
}

impl Program {
    pub(super) fn new(text: &str, omits: bool) -> Result<Program, FormatError> {
        let mut operations = Vec::new();
        let mut literal = Vec::new();
        for token in Tokens::new(text) {
            match token {
                Ok(Token::Literal(text)) => literal.extend_from_slice(text.as_bytes()),
                Ok(Token::Call(call)) => {
                    if !literal.is_empty() {
                        operations.push(Operation::Literal(std::mem::take(&mut literal).into()));
                    }
                    operations.push(Operation::Operator(Operator::new(&call)?));
                }
                Err(GrammarError::LonePercent) => return Err(FormatError::LonePercent),
                Err(GrammarError::Unterminated(at)) => return Err(FormatError::Unterminated { at }),
            }
        }
        if !literal.is_empty() {
            operations.push(Operation::Literal(literal.into()));
        }
        Ok(Program { operations, omits })
    }

    pub(super) fn bind(&mut self, hostname: &str, environment: &impl Fn(&str) -> Option<String>) {
        let dash = if self.omits { "" } else { "-" };
        for operation in &mut self.operations {
            let Operation::Operator(operator) = operation else { continue };
            let Some(text) = operator.bind(hostname, environment) else { continue };
            let mut bound = Vec::new();
            escape::text(text.as_deref().unwrap_or(dash).as_bytes(), &mut bound);
            *operation = Operation::Literal(bound.into());
        }
    }

    fn run(&self, record: &Record<'_>, facts: &impl Facts, tools: &mut Tools, out: &mut Vec<u8>) {
        for operation in &self.operations {
            let operator = match operation {
                Operation::Literal(text) => {
                    out.extend_from_slice(text);
                    continue;
                }
                Operation::Operator(operator) => operator,
            };
            match operator.find(record, facts, &mut tools.spare) {
                Found::Nothing if self.omits => {}
                Found::Nothing => out.push(b'-'),
                Found::Number(number) => {
                    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                }
                Found::Safe(text) => out.extend_from_slice(text),
                Found::Any(text) => escape::text(text, out),
                Found::Time(time) => tools.timestamps.append(time, out),
            }
        }
    }
}

impl Operator {
    /// The text of an operator that is the same for the whole process; nothing for others.
    pub(super) fn bind(
        &self,
        hostname: &str,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Option<Option<String>> {
        let mut text = match &self.value {
            Value::Hostname => Some(hostname.to_owned()),
            Value::Environment(name) => environment(name).filter(|value| !value.is_empty()),
            _ => return None,
        };
        if let Some(text) = &mut text {
            let fits = text
                .char_indices()
                .map(|(at, c)| at + c.len_utf8())
                .take_while(|end| *end <= self.length_max);
            text.truncate(fits.last().unwrap_or(0));
        }
        Some(text)
    }
}

fn istio(r: &Record<'_>, timestamps: &mut TimestampCache, out: &mut Vec<u8>) {
    let mut number = itoa::Buffer::new();
    out.push(b'[');
    timestamps.append(r.start_ms, out);
    out.extend_from_slice(b"] \"");
    bare(r.method, out);
    out.push(b' ');
    escaped(r.path, out);
    out.push(b' ');
    bare(r.protocol.as_bytes(), out);
    out.extend_from_slice(b"\" ");
    out.extend_from_slice(number.format(r.status).as_bytes());
    out.push(b' ');
    let begin = out.len();
    for flag in r.flags().into_iter().filter(|flag| !flag.is_empty()) {
        if out.len() > begin {
            out.push(b',');
        }
        out.extend_from_slice(flag.as_bytes());
    }
    if out.len() == begin {
        out.push(b'-');
    }
    out.push(b' ');
    bare(r.details.as_bytes(), out);
    out.push(b' ');
    bare(r.termination.as_bytes(), out);
    out.extend_from_slice(b" \"");
    escaped(r.transport_failure.as_bytes(), out);
    out.extend_from_slice(b"\" ");
    for value in [r.bytes_received, r.bytes_sent, r.duration_ms] {
        out.extend_from_slice(number.format(value).as_bytes());
        out.push(b' ');
    }
    match r.upstream_service_ms {
        Some(value) => out.extend_from_slice(number.format(value).as_bytes()),
        None => out.push(b'-'),
    }
    for value in [r.forwarded_for, r.user_agent, r.request_id, r.authority, r.upstream_host] {
        out.extend_from_slice(b" \"");
        escaped(value, out);
        out.push(b'"');
    }
    for value in [
        r.upstream_cluster,
        r.upstream_local,
        r.downstream_local,
        r.downstream_remote,
        r.server_name,
        r.route_name,
    ] {
        out.push(b' ');
        bare(value, out);
    }
    out.push(b'\n');
}

fn bare(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(if value.is_empty() { b"-" } else { value });
}

fn escaped(value: &[u8], out: &mut Vec<u8>) {
    if value.is_empty() { out.push(b'-') } else { escape::text(value, out) }
}
