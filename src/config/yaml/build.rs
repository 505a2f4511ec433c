//! The events of one document into a tree, with aliases and merge keys resolved.

use super::{Diagnostic, Document, Key, Node, Scalar, Span, Style, Value, split::Chunk};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// The deepest nesting of lists and mappings. Istio's and Kubernetes' objects are less than 30 deep; the limit bounds the
/// recursion of everything that walks a tree.
const DEPTH_MAX: usize = 100;

/// The most nodes that aliases and merge keys of one document may stand for. Each alias costs a few bytes of text and may
/// stand for a whole tree, which itself has aliases ("billion laughs"); real files share a few headers or labels.
const ALIASED_NODES_MAX: usize = 200_000;

/// Reads one document. A problem that ends it early leaves what was read so far, marked as not complete.
pub(in crate::config) fn document<'t>(chunk: &Chunk<'t>, problems: &mut Vec<Diagnostic>) -> Document<'t> {
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
    Map { entries: Vec<(Key<'t>, Node<'t>)>, key: Option<Key<'t>>, has_merge: bool },
}

impl<'t> Builder<'t, '_> {
    fn event(&mut self, event: Event<'t>, place: saphyr_parser::Span) -> Result<(), Stop> {
        let span = self.positions.span(&place);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = self.style(style, tag.as_deref(), span);
                let node = Node { value: Value::Scalar(Scalar { text, style }), span };
                self.finish(node, anchor, Extent::ONE)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Kind::List(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                let map = Kind::Map { entries: Vec::new(), key: None, has_merge: false };
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
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == expected)) {
            self.unknown_tag(tag, span);
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
                self.refuse_duplicates(&mut entries);
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
            Kind::Map { entries, key: key @ Some(_), .. } => {
                entries.extend(key.take().map(|key| (key, node)));
            }
            Kind::Map { key, has_merge, .. } => {
                let (text, is_plain) = match node.value() {
                    Value::Scalar(scalar) => (scalar.text.clone(), scalar.style == Style::Plain),
                    _ => {
                        let message = "a key must be a word, not a list or a mapping";
                        self.problems.push(Diagnostic::error("bad-key", message).at(node.span).help(
                            "text with `{{` in it must be in quotes; templates must be rendered first",
                        ));
                        (Cow::Borrowed(""), false)
                    }
                };
                *has_merge |= is_plain && text == "<<";
                *key = Some(Key { text, span: node.span });
            }
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
                    self.problems.push(problem.at(key.span));
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

    /// Keeps the first of several equal keys, and reports the others.
    fn refuse_duplicates(&mut self, entries: &mut Vec<(Key<'t>, Node<'t>)>) {
        const FEW: usize = 12;
        let unique = |entries: &[(Key<'t>, Node<'t>)]| {
            entries
                .iter()
                .enumerate()
                .all(|(i, (key, _))| entries.iter().take(i).all(|(other, _)| other.text != key.text))
        };
        if entries.len() <= FEW && unique(entries) {
            return;
        }
        let mut first: HashMap<Cow<'t, str>, Span> = HashMap::with_capacity(entries.len());
        entries.retain(|(key, _)| match first.get(&key.text) {
            Some(&other) => {
                self.problems.push(
                    Diagnostic::error(
                        "duplicate-key",
                        format!("`{}` is written twice", key.text.escape_debug()),
                    )
                    .at(key.span)
                    .label(other, "first written here"),
                );
                false
            }
            None => first.insert(key.text.clone(), key.span).is_none(),
        });
    }

    fn style(&mut self, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Style {
        let by_text = if style == ScalarStyle::Plain { Style::Plain } else { Style::Text };
        let Some(tag) = tag else { return by_text };
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, "str" | "binary") => Style::Text,
            (true, "null" | "bool" | "int" | "float") => Style::Plain,
            (false, "") => Style::Text,
            _ => {
                self.unknown_tag(tag, span);
                by_text
            }
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        let message = format!("the tag `{}` has no meaning here", tag.to_string().escape_debug());
        self.problems.push(Diagnostic::error("unknown-tag", message).at(span));
    }

    fn syntax_error(&self, error: &saphyr_parser::ScanError) -> Stop {
        let mut span = self.positions.at(error.marker());
        span.end = self.positions.after(span.start);
        Box::new(Diagnostic::error("bad-yaml", error.info().to_owned()).at(span))
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
                Some(Kind::Map { entries, key, .. }) => entries.extend(key.take().map(|key| (key, node))),
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

fn too_deep(span: Span) -> Stop {
    let message = format!("the document is nested more than {DEPTH_MAX} levels deep");
    Box::new(Diagnostic::error("too-deep", message).at(span))
}

/// Turns the parser's positions, which count characters of one document, into places of the file.
struct Positions<'t> {
    text: &'t str,
    origin: Span,
    /// The byte offset of every [`STRIDE`]th character; empty if every character is one byte.
    marks: Vec<u32>,
}

/// A compromise between the size of the table and the characters to walk for each position.
const STRIDE: usize = 64;

impl<'t> Positions<'t> {
    fn new(chunk: &Chunk<'t>) -> Self {
        let marks = match chunk.text.is_ascii() {
            true => Vec::new(),
            false => chunk.text.char_indices().step_by(STRIDE).map(|(offset, _)| offset as u32).collect(),
        };
        Positions { text: chunk.text, origin: chunk.span, marks }
    }

    fn span(&self, place: &saphyr_parser::Span) -> Span {
        let start = self.at(&place.start);
        Span { end: (self.origin.start + self.offset(place.end.index())).max(start.start), ..start }
    }

    fn at(&self, marker: &Marker) -> Span {
        let start = self.origin.start + self.offset(marker.index());
        let line = self.origin.line + (marker.line().max(1) - 1) as u32;
        Span { file: self.origin.file, start, end: start, line, column: marker.col() as u32 + 1 }
    }

    /// The byte offset of a character of the document.
    fn offset(&self, index: usize) -> u32 {
        let length = self.text.len();
        if self.marks.is_empty() {
            return index.min(length) as u32;
        }
        let Some(&mark) = self.marks.get(index / STRIDE) else { return length as u32 };
        let rest = self.text.get(mark as usize..).unwrap_or("");
        mark + rest.char_indices().nth(index % STRIDE).map_or(rest.len(), |(offset, _)| offset) as u32
    }

    /// Where the character at a place of the file ends.
    fn after(&self, start: u32) -> u32 {
        let rest = self.text.get((start - self.origin.start) as usize..).unwrap_or("");
        start + rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8) as u32
    }
}
