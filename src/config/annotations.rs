//! Annotations of this gateway's own, `sluicegate.io/<name>`: YAML inside a string, read like every other field.
//!
//! What there is, and on which kinds, is listed in [`resources::Annotations`](super::resources::Annotations).

use super::{
    Diagnostic, Span, Spanned,
    decode::{Decoder, Map, Step, suggestion},
    resources::Annotations,
    yaml::{self, Chunk, Node},
};

/// What the names of the gateway's own annotations begin with.
const PREFIX: &str = "sluicegate.io/";

/// Reads the gateway's own annotations of an object; nothing if it has none. Problems have paths from `metadata` on.
/// `file` is the text of the file that the object is in.
pub(super) fn read(
    annotations: &Map<String>,
    kind: &str,
    file: &str,
    decoder: &mut Decoder<'_>,
) -> Option<Box<Annotations>> {
    let mut own = annotations.iter().filter(|(name, _)| name.starts_with(PREFIX)).peekable();
    own.peek()?;
    let mut read = Box::new(Annotations::default());
    decoder.within(Step::Field("metadata"), |decoder| {
        decoder.within(Step::Field("annotations"), |decoder| {
            for (name, value) in own {
                one(name, value, kind, file, &mut read, decoder);
            }
        });
    });
    Some(read)
}

fn one(
    name: &Spanned<String>,
    value: &Spanned<String>,
    kind: &str,
    file: &str,
    read: &mut Annotations,
    decoder: &mut Decoder<'_>,
) {
    decoder.within(Step::Key(name), |decoder| {
        let Some((name_known, kinds)) = Annotations::NAMES.iter().find(|(known, _)| *known == **name) else {
            return decoder.report(unknown(name, kind));
        };
        if !kinds.contains(&kind) {
            let message = format!("`{name_known}` has no meaning on a {kind}");
            let help = match kinds_with_article(kinds) {
                kinds if names_on(kind).is_empty() => format!("it belongs on {kinds}"),
                kinds => {
                    format!("it belongs on {kinds}; a {kind} may have {}", names_on(kind).join(", "))
                }
            };
            return decoder
                .report(Diagnostic::error("misplaced-annotation", message).at(name.span).help(help));
        }
        let mut problems = Vec::new();
        let document = Embedded::new(value, file).document(&mut problems);
        let is_readable = problems.is_empty();
        problems.into_iter().for_each(|problem| decoder.report(problem));
        match document.filter(|node| !node.is_null()) {
            Some(node) if is_readable => {
                read.read(name_known, value.span, &node, decoder);
            }
            _ if !is_readable => {}
            _ => {
                let problem = Diagnostic::error("null-value", "the annotation is empty").at(value.span);
                decoder.report(problem.help("write its value, as YAML in a string, or remove it"));
            }
        }
    });
}

fn unknown(name: &Spanned<String>, kind: &str) -> Diagnostic {
    let message = format!("unknown annotation `{}`", name.escape_debug());
    let all: Vec<&str> = Annotations::NAMES.iter().map(|(name, _)| *name).collect();
    let known = match names_on(kind) {
        names if names.is_empty() => format!("a {kind} has none of the gateway's own"),
        names => format!("a {kind} may have {}", names.join(", ")),
    };
    let help = match suggestion(name, &all) {
        Some(meant) => format!(
            "did you mean `{meant}`? {}{}",
            known.get(..1).unwrap_or("").to_uppercase(),
            known.get(1..).unwrap_or("")
        ),
        None => known,
    };
    Diagnostic::error("unknown-annotation", message).at(name.span).help(help)
}

/// The names that a kind may have.
fn names_on(kind: &str) -> Vec<&'static str> {
    Annotations::NAMES.iter().filter(|(_, kinds)| kinds.contains(&kind)).map(|(name, _)| *name).collect()
}

fn kinds_with_article(kinds: &[&str]) -> String {
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("a {kind}")).collect();
    kinds.join(" or ")
}

/// The text of an annotation on its way to a tree whose places are those of the file.
struct Embedded<'f> {
    text: &'f str,
    /// Where the string is written.
    place: Span,
    /// The same text as it stands in the file, if every character of it is there as it is: a literal block, with its
    /// indentation, or one line without escapes.
    verbatim: Option<Chunk<'f>>,
}

impl<'f> Embedded<'f> {
    fn new(value: &'f Spanned<String>, file: &'f str) -> Embedded<'f> {
        let (text, place) = (value.value.as_str(), value.span);
        let verbatim = line(text, place, file).or_else(|| block(text, place, file));
        Embedded { text, place, verbatim }
    }

    fn document(&self, problems: &mut Vec<Diagnostic>) -> Option<Node<'f>> {
        if let Some(chunk) = &self.verbatim {
            return yaml::document(chunk, problems).root;
        }
        if self.text.lines().any(|line| line.starts_with("---") || line.starts_with("...")) {
            let message = "an annotation is one value, without markers of documents";
            problems.push(Diagnostic::error("bad-yaml", message).at(self.place));
            return None;
        }
        let chunk = Chunk { text: self.text, span: Span { start: 0, ..self.place } };
        let mut root = yaml::document(&chunk, problems).root;
        // Where in the string something is does not say where in the file it is.
        for problem in problems.iter_mut() {
            problem.span = Some(self.place);
            problem.labels.clear();
        }
        if let Some(root) = &mut root {
            root.put_at(self.place);
        }
        root
    }
}

/// A string on one line, with or without quotes.
fn line<'f>(text: &str, place: Span, file: &'f str) -> Option<Chunk<'f>> {
    let written = file.get(place.start as usize..place.end as usize)?;
    let quotes = ["'", "\""].into_iter().find(|quote| written.starts_with(quote)).map_or(0, str::len);
    let inner = written.get(quotes..written.len().checked_sub(quotes)?)?;
    if inner != text || text.contains('\n') {
        return None;
    }
    let (start, column) = (place.start + quotes as u32, place.column + quotes as u32);
    Some(Chunk { text: inner, span: Span { start, column, end: start + inner.len() as u32, ..place } })
}

/// A literal block (`|`). A document may be indented as a whole, so its lines are read as they stand.
fn block<'f>(text: &str, place: Span, file: &'f str) -> Option<Chunk<'f>> {
    // The parser's place of a block is its first line that is not empty.
    let before = file.get(..place.start as usize)?;
    let start = before.rfind('\n')? + 1;
    let content = file.get(start..)?;
    let text = text.trim_start_matches('\n').trim_end();
    let indent = content.lines().next()?.trim_end().strip_suffix(text.lines().next()?.trim_end())?;
    if !indent.bytes().all(|byte| byte == b' ') {
        return None;
    }
    let mut bytes = 0;
    let mut lines = content.split_inclusive('\n');
    for wanted in text.lines() {
        let line = lines.next()?;
        let written = line.trim_end();
        let is_same = written.strip_prefix(indent).unwrap_or(written) == wanted.trim_end();
        if !is_same {
            return None;
        }
        bytes += line.len();
    }
    let (start, end) = (start as u32, (start + bytes) as u32);
    let span = Span { start, end, column: 1, ..place };
    Some(Chunk { text: content.get(..bytes)?, span })
}
