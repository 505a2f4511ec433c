//! Which requests and connections are logged: a part of CEL over Envoy's attributes, compiled once and run without memory
//! of its own (`filter.expression` of a Telemetry).
//!
//! - `attribute`: what an expression can ask about
//! - `lexer`: text to words
//! - `parse`: words to an expression
//! - `evaluate`: whether it is true

mod attribute;
mod evaluate;
mod lexer;
mod parse;

use attribute::{BoolOf, NumberOf, TextOf};
use std::fmt;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Condition {
    text: Box<str>,
    expression: Expression,
}

/// Conditions are the same if they are written the same.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why a text is no condition of this gateway's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// The part that it is about.
    pub part: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part.as_str() {
            "" => f.write_str(&self.message),
            part => write!(f, "`{}`: {}", part.escape_debug(), self.message),
        }
    }
}

impl std::error::Error for ConditionError {}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Constant(bool),
    Not(Box<Expression>),
    And(Box<[Expression; 2]>),
    Or(Box<[Expression; 2]>),
    Bool(BoolOf),
    Number(NumberOf, Comparison, i64),
    NumberIn(NumberOf, Box<[i64]>),
    Text(TextOf, TextTest),
    /// `has(...)`, and `'name' in request.headers`.
    HasText(TextOf),
    HasNumber(NumberOf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum TextTest {
    Compare(Comparison, Box<[u8]>),
    In(Box<[Box<[u8]>]>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Contains(Box<[u8]>),
}

impl Condition {
    /// Compiles an expression.
    ///
    /// # Errors
    /// It is no CEL, or a part of it is not known here.
    pub fn parse(text: &str) -> Result<Condition, ConditionError> {
        Ok(Condition { text: text.into(), expression: parse::parse(text)? })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }
}
