//! Regular expressions of matches and rewrites: RE2's syntax, compiled once.

use super::re2;
use regex::bytes::{Regex, RegexBuilder};
use regex_automata::{
    Anchored, Input,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson::{self, WhichCaptures},
    util::syntax,
};
use std::{fmt, sync::Arc};

#[cfg(test)]
mod tests;

/// The longest expression, in characters (istiod's limit).
pub const PATTERN_LENGTH_MAX: usize = 1024;

/// The largest compiled program, in bytes. Istio lets RE2 programs have 32,768 instructions; one instruction takes
/// up to 48 bytes here.
const PROGRAM_BYTES_MAX: usize = 32_768 * 48;

/// The largest table of states that an expression is unfolded into ahead of time. Usual paths take 2 to 20 KiB; an
/// expression that needs more than this keeps to the lazy engine, which builds the states that it meets.
const TABLE_BYTES_MAX: usize = 256 << 10;

/// An expression that must match a whole value (`regex` of a StringMatch).
///
/// The syntax is RE2's. What RE2 and this engine read differently is translated, and what cannot be is refused with
/// its position. Matching is on bytes: `.` and `[^x]` are one byte, where RE2 takes one UTF-8 character; so `.{3}`
/// counts the bytes of what is not ASCII, and a value that is not UTF-8 can match, which in RE2 it never does.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    text: Box<str>,
    literal_prefix: Box<[u8]>,
    engine: Engine,
}

enum Engine {
    /// All states, made ahead of time: one table look-up per byte, no memory while it searches. For what follows the
    /// literal prefix only: every byte of that would be a state, and so a line of cache.
    Table(Box<dense::DFA<Vec<u32>>>),
    /// States made as they are met, in memory that is lent out for each search.
    Lazy(Regex),
}

impl Pattern {
    /// Compiles an expression, to be matched against whole values.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let translation = re2::translate(text)?;
        let re2::Translation { source, literal_prefix, rest_at } = translation;
        let rest = source.get(rest_at..).unwrap_or_default();
        let engine = match table(&format!(r"(?:{rest})\z")) {
            Some(table) => Engine::Table(Box::new(table)),
            None => Engine::Lazy(compile(&format!(r"\A(?:{source})\z"))?),
        };
        let literal_prefix = literal_prefix.into();
        Ok(Pattern(Arc::new(Compiled { text: text.into(), literal_prefix, engine })))
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Every value that matches begins with this; often empty.
    pub fn literal_prefix(&self) -> &[u8] {
        &self.0.literal_prefix
    }

    /// Whether the whole value matches. Takes time linear in its length.
    pub fn is_match(&self, value: &[u8]) -> bool {
        match &self.0.engine {
            Engine::Lazy(regex) => regex.is_match(value),
            Engine::Table(table) => {
                let prefix = &self.0.literal_prefix;
                if !value.starts_with(prefix) {
                    return false;
                }
                // A range and not a part of the value, so that assertions such as `^` see what is before it.
                let input = Input::new(value).range(prefix.len()..).anchored(Anchored::Yes).earliest(true);
                // Errors are for automata that give up at some bytes or were not built for anchored searches.
                let found = table.try_search_fwd(&input);
                debug_assert!(found.is_ok());
                matches!(found, Ok(Some(_)))
            }
        }
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Compiles an expression that may match anywhere, for `uriRegexRewrite`. Returns how many groups it has.
pub(super) fn search_regex(text: &str) -> Result<(Regex, usize), PatternError> {
    let regex = compile(&re2::translate(text)?.source)?;
    let groups = regex.captures_len() - 1;
    Ok((regex, groups))
}

/// `None` where the table would be too large, or where the source is refused: [`compile`] says why.
fn table(source: &str) -> Option<dense::DFA<Vec<u32>>> {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(TABLE_BYTES_MAX))
        .determinize_size_limit(Some(4 * TABLE_BYTES_MAX));
    let nfa = thompson::Config::new()
        .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
        .which_captures(WhichCaptures::None)
        .utf8(false);
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    dense::Builder::new().configure(config).thompson(nfa).syntax(syntax).build(source).ok()
}

fn compile(source: &str) -> Result<Regex, PatternError> {
    let built = RegexBuilder::new(source).unicode(false).size_limit(PROGRAM_BYTES_MAX).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        // The message is a drawing of the translated expression; its last line says what is wrong.
        other => {
            let message = other.to_string();
            let reason = message.lines().last().unwrap_or("");
            PatternError::Refused(reason.trim_start_matches("error: ").to_owned())
        }
    })
}

/// Why a text is not an expression. Positions are in characters, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// More than [`PATTERN_LENGTH_MAX`] characters.
    TooLong {
        /// In characters.
        length: usize,
    },
    /// The compiled program is too large: too many or too high repetition counts.
    TooLarge,
    /// Not RE2's syntax.
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The engine refuses it.
    Refused(String),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternError::TooLong { length } => {
                write!(f, "the expression has {length} characters; at most {PATTERN_LENGTH_MAX} are allowed")
            }
            PatternError::TooLarge => {
                f.write_str("the compiled expression is too large: lower its repetition counts")
            }
            PatternError::Malformed { at, reason } => {
                write!(f, "{reason} (character {} of the expression)", at + 1)
            }
            PatternError::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for PatternError {}
