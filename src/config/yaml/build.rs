//! The events of one document into a tree, with aliases and merge keys resolved.

use super::{
    Diagnostic, Document, Key, Node, Scalar, Span, Style, Value, json, plain,
    position::Positions,
    report,
    split::{Chunk, place_after},
};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// The deepest nesting of lists and mappings. Istio's and Kubernetes' objects are less than 30 deep; the limit bounds the
/// recursion of everything that walks a tree.
pub(super) const DEPTH_MAX: usize = 100;

/// The most nodes that aliases and merge keys of one document may stand for. Each alias costs a few bytes of text and may
/// stand for a whole tree, which itself has aliases ("billion laughs"); real files share a few headers or labels.
const ALIASED_NODES_MAX: usize = 200_000;

/// Reads one document. A problem that ends it early leaves what was read so far, marked as not complete.
pub(in crate::config) fn document<'t>(chunk: &Chunk<'t>, problems: &mut Vec<Diagnostic>) -> Document<'t> {
    let mut found = Vec::new();
    let root = match chunk.text.starts_with(['{', '[']) {
        true => json::tree(chunk, &mut found),
        false => plain::tree(chunk, &mut found),
    };
    match root {
        Some(_) => {
            problems.append(&mut found);
            Document { root, complete: true }
        }
        None => parsed(chunk, problems),
    }
}

/// The same for all that YAML can be, event by event.
pub(super) fn parsed<'t>(chunk: &Chunk<'t>, problems: &mut Vec<Diagnostic>) -> Document<'t> {
    if let Some(problem) = lone_carriage_return(chunk) {
        problems.push(problem);
        return Document { root: None, complete: false };
    }
    let mut builder = Builder {
        positions: Positions::new(chunk),
        frames: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        aliased: 0,
        complete: true,
        problems,
    };
    let mut parser = Parser::new_from_str(chunk.text);
    while let Some(event) = parser.next_event() {
        let outcome = match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, place)) => builder.event(event, place),
            Err(error) => Err(builder.syntax_error(&error)),
        };
        if let Err(stop) = outcome {
            builder.problems.push(*stop);
            builder.complete = false;
            break;
        }
    }
    builder.close_all();
    Document { root: builder.root, complete: builder.complete }
}

/// YAML takes a carriage return alone for the end of a line, and nothing else does, so that nobody would agree on the
/// number of a line. No file of this century has them.
fn lone_carriage_return(chunk: &Chunk<'_>) -> Option<Diagnostic> {
    let is_alone = |offset: &usize| chunk.text.as_bytes().get(offset + 1) != Some(&b'\n');
    let offset = chunk.text.match_indices('\r').map(|(offset, _)| offset).find(is_alone)?;
    let span = place_after(chunk.span, chunk.text, offset);
    let problem = Diagnostic::error("bad-yaml", "a carriage return without a newline");
    Some(problem.at(Span { end: span.start, ..span }).help("lines end with a newline, or with both"))
}

/// A problem after which the rest of the document can't be read.
type Stop = Box<Diagnostic>;

struct Builder<'t, 'p> {
    positions: Positions<'t>,
    frames: Vec<Frame<'t>>,
    root: Option<Node<'t>>,
    /// The nodes with anchors, by the parser's number, with their extents.
    anchors: HashMap<usize, (Rc<Node<'t>>, Extent)>,
    /// How many nodes aliases and merge keys stand for so far.
    aliased: usize,
    complete: bool,
    problems: &'p mut Vec<Diagnostic>,
}

/// A collection that is not finished.
struct Frame<'t> {
    kind: Kind<'t>,
    anchor: usize,
    span: Span,
    extent: Extent,
}

/// How large a tree is, with what its aliases stand for.
#[derive(Clone, Copy)]
struct Extent {
    nodes: usize,
    depth: usize,
}

impl Extent {
    const ONE: Extent = Extent { nodes: 1, depth: 1 };

    fn add(&mut self, child: Extent) {
        self.nodes += child.nodes;
        self.depth = self.depth.max(child.depth + 1);
    }
}

enum Kind<'t> {
    List(Vec<Node<'t>>),
    Map { entries: Vec<(Key<'t>, Node<'t>)>, slot: Slot<'t>, has_merge: bool },
}

/// What the next node of a mapping is.
enum Slot<'t> {
    Key,
    ValueOf(Key<'t>),
    /// The value of a key that is no key.
    Ignored,
}

impl<'t> Builder<'t, '_> {
    fn event(&mut self, event: Event<'t>, place: saphyr_parser::Span) -> Result<(), Stop> {
        let span = self.positions.span(&place);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.positions.of_scalar(span, style);
                let style = self.style(style, tag.as_deref(), span);
                let node = Node { value: Value::Scalar(Scalar { text, style }), span };
                self.finish(node, anchor, Extent::ONE)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Kind::List(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                let map = Kind::Map { entries: Vec::new(), slot: Slot::Key, has_merge: false };
                self.open(map, anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
            Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, kind: Kind<'t>, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Stop> {
        if self.frames.len() >= DEPTH_MAX {
            return Err(too_deep(span));
        }
        let expected = if matches!(kind, Kind::List(_)) { "seq" } else { "map" };
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix == expected)) {
            self.unknown_tag(span);
        }
        self.frames.push(Frame { kind, anchor, span, extent: Extent::ONE });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let Frame { kind, anchor, mut span, mut extent } = frame;
        // The end of a block collection is reported where the next thing begins, and without a length.
        span.end = if end.end > end.start { end.end } else { kind.end().unwrap_or(span.end) }.max(span.end);
        let value = match kind {
            Kind::List(items) => Value::List(items),
            Kind::Map { mut entries, has_merge, .. } => {
                refuse_duplicates(&mut entries, self.problems);
                if has_merge {
                    entries = self.merge(entries, &mut extent)?;
                }
                Value::Map(entries)
            }
        };
        self.finish(Node { value, span }, anchor, extent)
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, mut node: Node<'t>, anchor: usize, extent: Extent) -> Result<(), Stop> {
        if anchor != 0 {
            let span = node.span;
            let shared = Rc::new(node);
            self.anchors.insert(anchor, (Rc::clone(&shared), extent));
            node = Node { value: Value::Shared(shared), span };
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.extent.add(extent);
        match &mut frame.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, slot, has_merge } => match std::mem::replace(slot, Slot::Key) {
                Slot::ValueOf(key) => entries.push((key, node)),
                Slot::Ignored => {}
                Slot::Key => match node.value() {
                    Value::Scalar(scalar) => {
                        *has_merge |= scalar.style == Style::Plain && scalar.text == "<<";
                        *slot = Slot::ValueOf(Key { text: scalar.text.clone(), span: node.span });
                    }
                    _ => {
                        *slot = Slot::Ignored;
                        report(self.problems, bad_key(node.span));
                    }
                },
            },
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let Some((shared, extent)) = self.anchors.get(&anchor) else {
            let message = "the alias stands inside the value that it names";
            return Err(Box::new(Diagnostic::error("bad-alias", message).at(span)));
        };
        let (value, extent) = (Value::Shared(Rc::clone(shared)), *extent);
        // What the alias stands for is at its anchor: that is where a problem in it has to be mended.
        let span = if shared.is_collection() { shared.span } else { span };
        self.count_aliased(extent.nodes, span)?;
        if self.frames.len() + extent.depth > DEPTH_MAX {
            return Err(too_deep(span));
        }
        self.finish(Node { value, span }, 0, extent)
    }

    fn count_aliased(&mut self, size: usize, span: Span) -> Result<(), Stop> {
        self.aliased = self.aliased.saturating_add(size);
        if self.aliased > ALIASED_NODES_MAX {
            let message = format!("aliases in this document stand for more than {ALIASED_NODES_MAX} values");
            return Err(Box::new(Diagnostic::error("too-many-aliases", message).at(span)));
        }
        Ok(())
    }

    /// `<<: *other` takes the entries of another mapping, or of several, that are not written here (YAML 1.1, type
    /// `merge`, which Kubernetes' reader also knows).
    fn merge(
        &mut self,
        entries: Vec<(Key<'t>, Node<'t>)>,
        extent: &mut Extent,
    ) -> Result<Vec<(Key<'t>, Node<'t>)>, Stop> {
        let (merges, mut entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(key, _)| key.text == "<<");
        let mut present: HashSet<Cow<'t, str>> = entries.iter().map(|(key, _)| key.text.clone()).collect();
        for (key, value) in &merges {
            let sources = match value.value() {
                Value::List(items) => items.iter().collect(),
                _ => vec![value],
            };
            for source in sources {
                let Value::Map(others) = source.value() else {
                    let problem = Diagnostic::error(
                        "bad-merge",
                        "a merge key `<<` takes a mapping, or a list of mappings",
                    );
                    report(self.problems, problem.at(key.span));
                    continue;
                };
                for (key, value) in others {
                    let more = value.extent();
                    self.count_aliased(more.nodes, key.span)?;
                    if present.insert(key.text.clone()) {
                        extent.add(more);
                        entries.push((key.clone(), value.clone()));
                    }
                }
            }
        }
        Ok(entries)
    }

    fn style(&mut self, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Style {
        let by_text = if style == ScalarStyle::Plain { Style::Plain } else { Style::Text };
        let Some(tag) = tag else { return by_text };
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, "str" | "binary") => Style::Text,
            (true, "null" | "bool" | "int" | "float") => Style::Plain,
            // `!` alone: not a plain scalar (YAML 1.2, 6.9.1).
            (false, "" | "!") if tag.handle.is_empty() || tag.handle == "!" => Style::Text,
            _ => {
                self.unknown_tag(span);
                by_text
            }
        }
    }

    /// The tag is not in the message: it may be a password that begins with `!`.
    fn unknown_tag(&mut self, span: Span) {
        let problem = Diagnostic::error("unknown-tag", "a tag like this has no meaning here").at(span);
        report(self.problems, problem.help("text that begins with `!` must be in quotes"));
    }

    fn syntax_error(&self, error: &saphyr_parser::ScanError) -> Stop {
        let mut span = self.positions.at(error.marker());
        span.end = self.positions.after(span.start);
        let mut problem = Diagnostic::error("bad-yaml", error.info().to_owned()).at(span);
        problem.help = help_for(error.info()).map(str::to_owned);
        Box::new(problem)
    }

    /// After a problem: what is unfinished is finished as it is.
    fn close_all(&mut self) {
        while let Some(frame) = self.frames.pop() {
            let mut span = frame.span;
            span.end = frame.kind.end().unwrap_or(span.end).max(span.end);
            let value = match frame.kind {
                Kind::List(items) => Value::List(items),
                Kind::Map { entries, .. } => Value::Map(entries),
            };
            let node = Node { value, span };
            match self.frames.last_mut().map(|parent| &mut parent.kind) {
                Some(Kind::List(items)) => items.push(node),
                Some(Kind::Map { entries, slot, .. }) => {
                    if let Slot::ValueOf(key) = std::mem::replace(slot, Slot::Key) {
                        entries.push((key, node));
                    }
                }
                None => self.root = Some(node),
            }
        }
    }
}

impl Kind<'_> {
    /// Where its last part ends.
    fn end(&self) -> Option<u32> {
        match self {
            Kind::List(items) => items.last().map(|item| item.span.end),
            Kind::Map { entries, .. } => entries.last().map(|(key, value)| value.span.end.max(key.span.end)),
        }
    }
}

/// Keeps the first of several equal keys, and reports the others.
pub(super) fn refuse_duplicates<'t>(entries: &mut Vec<(Key<'t>, Node<'t>)>, problems: &mut Vec<Diagnostic>) {
    /// Up to here comparing each with each is the fastest.
    const FEW: usize = 12;
    let is_new = |(i, (key, _)): (usize, &(Key<'t>, Node<'t>))| {
        entries.iter().take(i).all(|(other, _)| other.text != key.text)
    };
    if entries.len() <= FEW && entries.iter().enumerate().all(is_new) {
        return;
    }
    let mut first: HashMap<Cow<'t, str>, Span> = HashMap::with_capacity(entries.len());
    entries.retain(|(key, _)| match first.get(&key.text) {
        Some(&other) => {
            report(
                problems,
                Diagnostic::error("duplicate-key", format!("`{}` is written twice", key.text.escape_debug()))
                    .at(key.span)
                    .label(other, "first written here"),
            );
            false
        }
        None => first.insert(key.text.clone(), key.span).is_none(),
    });
}

fn bad_key(span: Span) -> Diagnostic {
    Diagnostic::error("bad-key", "a key must be a word, not a list or a mapping").at(span).help(
        "text that begins with `{` or `[` must be in quotes; templates with `{{` must be rendered first",
    )
}

impl Node<'_> {
    /// How large it is. The recursion is no deeper than [`DEPTH_MAX`], and the work is bounded because every alias in it
    /// has been counted.
    fn extent(&self) -> Extent {
        let mut extent = Extent::ONE;
        match self.value() {
            Value::Scalar(_) | Value::Shared(_) => {}
            Value::List(items) => items.iter().for_each(|item| extent.add(item.extent())),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| extent.add(value.extent())),
        }
        extent
    }
}

/// What the parser's words usually mean for who wrote the file.
fn help_for(info: &str) -> Option<&'static str> {
    const HELPS: [(&str, &str); 6] = [
        (
            "mapping values are not allowed",
            "text with `: ` in it must be in quotes; or the line is indented wrongly",
        ),
        ("tabs disallowed", "indent with spaces"),
        ("unexpected end of stream", "the quote is not closed in this document"),
        ("unknown anchor", "text that begins with `*` must be in quotes"),
        ("unexpected character", "text that begins with this character must be in quotes"),
        ("block sequence entries are not allowed", "a list begins on a line of its own"),
    ];
    HELPS.iter().find(|(part, _)| info.contains(part)).map(|(_, help)| *help)
}

fn too_deep(span: Span) -> Stop {
    let message = format!("the document is nested more than {DEPTH_MAX} levels deep");
    Box::new(Diagnostic::error("too-deep", message).at(span))
}
