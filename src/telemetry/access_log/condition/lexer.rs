//! Text to words.

use super::ConditionError;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// `response`, `true`, `in`
    Name(String),
    /// A text, with its escapes resolved.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `&&`, `(`, `.`
    Sign(&'static str),
}

/// The longest first where one begins like another.
const SIGNS: [&str; 19] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ".", ",", "+", "-", "?", ":"];

/// The words of a text, each with the place behind it.
pub(super) fn words(text: &str) -> Result<Vec<(Word, usize)>, ConditionError> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let (name, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
                (Word::Name(name.to_owned()), after)
            }
            '0'..='9' => number(rest)?,
            '"' | '\'' => quoted(rest, first)?,
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| ConditionError {
                    part: first.to_string(),
                    message: "this character means nothing here".to_owned(),
                })?;
                (Word::Sign(sign), rest.get(sign.len()..).unwrap_or_default())
            }
        };
        words.push((word, text.len() - after.len()));
        rest = after.trim_start();
    }
    Ok(words)
}

fn number(rest: &str) -> Result<(Word, &str), ConditionError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let (digits, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
    let bare = digits.strip_suffix(['u', 'U']).unwrap_or(digits);
    let number = match bare.strip_prefix("0x").or_else(|| bare.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => bare.parse(),
    };
    let wrong =
        |_| ConditionError { part: digits.to_owned(), message: "a whole number is expected".to_owned() };
    Ok((Word::Number(number.map_err(wrong)?), after))
}

fn quoted(rest: &str, quote: char) -> Result<(Word, &str), ConditionError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    let wrong = |message: &str| Err(ConditionError { part: rest.to_owned(), message: message.to_owned() });
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => {
                return Ok((Word::Text(text), rest.get(at + c.len_utf8()..).unwrap_or_default()));
            }
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, c @ ('\\' | '"' | '\'' | '`' | '?'))) => text.push(c),
                _ => return wrong("this escape is not known"),
            },
            _ => text.push(c),
        }
    }
    wrong("the text has no end")
}
