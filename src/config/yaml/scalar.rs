//! What a plain word means. `serde_yaml` decides; words that can only be text, and small decimal numbers, do not ask it.

use super::{Scalar, Style};

/// What a scalar means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) enum Resolved {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; all of `i64` and `u64` fit.
    Int(i128),
    /// A number with a point or an exponent, infinity, or no number.
    Float(f64),
    /// Text: see [`Scalar::text`].
    Text,
}

impl Scalar<'_> {
    /// What it means.
    pub(in crate::config) fn resolve(&self) -> Resolved {
        match self.style {
            Style::Text => Resolved::Text,
            Style::Plain => resolve(&self.text),
        }
    }
}

pub(super) fn resolve(text: &str) -> Resolved {
    if text.is_empty() || text == "~" {
        return Resolved::Null;
    }
    if is_certainly_text(text) {
        return Resolved::Text;
    }
    if let Some(number) = small_decimal(text) {
        return Resolved::Int(number);
    }
    match serde_yaml::from_str::<serde_yaml::Value>(text) {
        Ok(serde_yaml::Value::Null) => Resolved::Null,
        Ok(serde_yaml::Value::Bool(value)) => Resolved::Bool(value),
        Ok(serde_yaml::Value::Number(number)) => number_of(&number),
        // Anything else can't be a scalar of another type, whatever it would be by itself.
        Ok(_) | Err(_) => Resolved::Text,
    }
}

fn number_of(number: &serde_yaml::Number) -> Resolved {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole, number.as_f64()) {
        (Some(whole), _) => Resolved::Int(whole),
        (None, Some(float)) => Resolved::Float(float),
        (None, None) => Resolved::Text,
    }
}

/// Numbers, booleans and null are short, and made of few characters: digits, signs, point, underscore, and the letters
/// of `null true false inf nan 0x 0o 0b e` and of hexadecimal digits. At least one is a letter or digit: `---` by itself
/// would be a document marker.
fn is_certainly_text(text: &str) -> bool {
    const LONGEST: usize = 64;
    let Some(first) = text.bytes().next() else { return false };
    let in_number = |byte: u8| byte.is_ascii_hexdigit() || b"+-._xXoO".contains(&byte);
    let in_word = |byte: u8| in_number(byte) || b"nulNULtrsTRSiI".contains(&byte);
    let has_right_characters = match first {
        b'0'..=b'9' => text.bytes().all(in_number),
        b'+' | b'-' | b'.' | b'n' | b't' | b'f' | b'N' | b'T' | b'F' => text.bytes().all(in_word),
        _ => false,
    };
    text.len() > LONGEST || !has_right_characters || !text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// A decimal number without sign or leading zero that fits easily.
fn small_decimal(text: &str) -> Option<i128> {
    const DIGITS_MAX: usize = 18;
    let plain = text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if plain && canonical { text.parse().ok() } else { None }
}
