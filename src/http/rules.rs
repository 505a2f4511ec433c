//! Rules about single fields that hold in every version of HTTP.

use super::has_underscore;

/// Digits of 2^63 - 1, and one: leading zeros are digits too (RFC 9110 section 8.6), but a hundred of them only help
/// to get past somebody's limit.
const LENGTH_DIGITS_MAX: usize = 20;

/// The value of `content-length`: `1*DIGIT` below 2^63, for origins that keep a length in a signed word would read a
/// greater one as negative.
pub fn parse_content_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > LENGTH_DIGITS_MAX {
        return None;
    }
    let mut length = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        length = length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    i64::try_from(length).is_ok().then_some(length)
}

/// What becomes of fields whose name has an underscore (`httpHeadersWithUnderscoresAction`). Many origins read `_` as
/// `-`, so such a field can stand for one that was checked or removed here.
///
/// Whatever is chosen, `content_length` and `transfer_encoding` are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underscores {
    /// They pass.
    #[default]
    Allow,
    /// The field is dropped.
    Drop,
    /// The request is refused with 400.
    Reject,
}

/// What becomes of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderscoreVerdict {
    /// It passes.
    Keep,
    /// It leaves the head.
    Drop,
    /// The request is refused.
    Refuse,
}

impl Underscores {
    /// Judges a field by its name.
    pub fn judge(self, name: &[u8]) -> UnderscoreVerdict {
        if !has_underscore(name) {
            return UnderscoreVerdict::Keep;
        }
        if reads_as(name, b"content-length") || reads_as(name, b"transfer-encoding") {
            return UnderscoreVerdict::Refuse;
        }
        match self {
            Underscores::Allow => UnderscoreVerdict::Keep,
            Underscores::Drop => UnderscoreVerdict::Drop,
            Underscores::Reject => UnderscoreVerdict::Refuse,
        }
    }
}

/// Whether somebody who takes `_` for `-` reads `name` as `wanted`.
fn reads_as(name: &[u8], wanted: &[u8]) -> bool {
    name.len() == wanted.len()
        && name
            .iter()
            .zip(wanted)
            .all(|(byte, wanted)| byte.to_ascii_lowercase() == *wanted || (*byte == b'_' && *wanted == b'-'))
}
