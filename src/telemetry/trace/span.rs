//! A span in OTLP's form: `opentelemetry.proto.trace.v1.Span`, as an entry of the `spans` of a `ScopeSpans`, so that bytes of
//! several spans one after the other are the spans of one batch.

use super::{context::TraceContext, proto::Message};

/// Bytes of any text in a span beside paths, which have a limit of the user's own. A client can make header fields long, and
/// what spans are for needs no more of them.
pub const TEXT_MAX: usize = 1024;

/// Field numbers of `ScopeSpans` and `Span`.
mod field {
    pub(super) const SPANS: u32 = 2;
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const TRACE_STATE: u32 = 3;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const ATTRIBUTES: u32 = 9;
    pub(super) const EVENTS: u32 = 11;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
    pub(super) const EVENT_TIME: u32 = 1;
    pub(super) const EVENT_NAME: u32 = 2;
    pub(super) const EVENT_ATTRIBUTES: u32 = 3;
    pub(super) const STATUS_MESSAGE: u32 = 2;
    pub(super) const STATUS_CODE: u32 = 3;
}

/// `STATUS_CODE_ERROR`
const ERROR: u64 = 2;
/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK`: it is said whether the parent is another process's.
const KNOWS_PARENT: u32 = 0x100;
/// `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`: it is.
const REMOTE_PARENT: u32 = 0x200;

/// Which side of a request a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// `SPAN_KIND_SERVER`: a request that came; its parent is another process's.
    Server,
    /// `SPAN_KIND_CLIENT`: a request that was sent; its parent is a span of this process.
    Client,
}

/// A span that is being written.
pub struct Span<'m, 'o>(&'m mut Message<'o>);

/// A list of attributes that is being written.
pub struct Attributes<'o> {
    message: Message<'o>,
    field: u32,
}

impl Span<'_, '_> {
    /// Appends a span to `out`: its place in its trace, its parent's id if it has one, its name, and from when to when it
    /// lasted, in nanoseconds of Unix time. `write` says the rest.
    pub fn write(
        out: &mut Vec<u8>,
        context: TraceContext,
        parent: Option<u64>,
        (kind, name): (SpanKind, &[u8]),
        (start_ns, end_ns): (u64, u64),
        write: impl FnOnce(&mut Span<'_, '_>),
    ) {
        Message::new(out).message(field::SPANS, |message| {
            message.bytes(field::TRACE_ID, &context.trace_id.to_be_bytes());
            message.bytes(field::SPAN_ID, &context.span_id.to_be_bytes());
            if let Some(parent) = parent {
                message.bytes(field::PARENT_SPAN_ID, &parent.to_be_bytes());
            }
            message.text(field::NAME, name, TEXT_MAX);
            let (kind, origin) = match kind {
                SpanKind::Server if parent.is_some() => (2, KNOWS_PARENT | REMOTE_PARENT),
                SpanKind::Server => (2, KNOWS_PARENT),
                SpanKind::Client => (3, KNOWS_PARENT),
            };
            message.number(field::KIND, kind);
            message.fixed32(field::FLAGS, u32::from(context.flags()) | origin);
            message.fixed64(field::START, start_ns);
            message.fixed64(field::END, end_ns);
            write(&mut Span(message));
        });
    }

    /// `tracestate`, as it came.
    pub fn trace_state(&mut self, state: &[u8]) {
        self.0.text(field::TRACE_STATE, state, usize::MAX);
    }

    /// Its attributes, each of which may be written once.
    pub fn attributes(&mut self) -> Attributes<'_> {
        Attributes { message: self.0.again(), field: field::ATTRIBUTES }
    }

    /// Something that happened in it, at this Unix time in nanoseconds.
    pub fn event(&mut self, name: &str, at_ns: u64, write: impl FnOnce(&mut Attributes<'_>)) {
        self.0.message(field::EVENTS, |event| {
            event.fixed64(field::EVENT_TIME, at_ns);
            event.text(field::EVENT_NAME, name.as_bytes(), TEXT_MAX);
            write(&mut Attributes { message: event.again(), field: field::EVENT_ATTRIBUTES });
        });
    }

    /// It failed.
    pub fn failed(&mut self, why: &[u8]) {
        self.0.message(field::STATUS, |status| {
            status.text(field::STATUS_MESSAGE, why, TEXT_MAX);
            status.number(field::STATUS_CODE, ERROR);
        });
    }
}

impl Attributes<'_> {
    /// A text, of which [`TEXT_MAX`] bytes are kept; nothing is written where it is empty.
    pub fn text(&mut self, key: &str, value: &[u8]) {
        self.text_to(key, value, TEXT_MAX);
    }

    /// A text, of which at most so many bytes are kept; nothing is written where it is empty.
    pub fn text_to(&mut self, key: &str, value: &[u8], max: usize) {
        if !value.is_empty() {
            self.pair(key, |any| any.text(1, value, max));
        }
    }

    /// A number.
    pub fn number(&mut self, key: &str, value: u64) {
        self.pair(key, |any| any.number(3, value));
    }

    fn pair(&mut self, key: &str, write: impl FnOnce(&mut Message<'_>)) {
        self.message.message(self.field, |pair| {
            pair.text(1, key.as_bytes(), TEXT_MAX);
            pair.message(2, write);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(field number, wire type, content)` of every field of a message.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let mut number = 0;
            for shift in (0..).step_by(7) {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                number |= u64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            number
        }
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let len = match tag & 7 {
                0 => {
                    let number = varint(&mut bytes);
                    all.push((tag >> 3, 0, number.to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                5 => 4,
                _ => varint(&mut bytes) as usize,
            };
            let (content, rest) = bytes.split_at(len);
            all.push((tag >> 3, tag & 7, content.to_vec()));
            bytes = rest;
        }
        all
    }

    #[test]
    fn spans_one_after_the_other_are_entries_of_a_batch() {
        let mut out = Vec::new();
        let context = TraceContext::new(1, 2, true);
        for kind in [SpanKind::Server, SpanKind::Client] {
            Span::write(&mut out, context, Some(3), (kind, b"name"), (10, 20), |span| {
                let mut attributes = span.attributes();
                attributes.text("empty", b"");
                attributes.text("a", b"b");
                attributes.number("n", 300);
                span.event("happened", 15, |attributes| attributes.text("c", b"d"));
                span.failed(b"why");
            });
        }
        let spans = fields(&out);
        assert_eq!(spans.iter().map(|span| (span.0, span.1)).collect::<Vec<_>>(), [(2, 2), (2, 2)]);
        let server = fields(&spans[0].2);
        let numbers: Vec<_> = server.iter().map(|field| field.0).collect();
        assert_eq!(numbers, [1, 2, 4, 5, 6, 16, 7, 8, 9, 9, 11, 15]);
        assert_eq!(server[0].2, 1u128.to_be_bytes());
        assert_eq!(server[2].2, 3u64.to_be_bytes());
        assert_eq!((server[4].2[0], &server[5].2[..]), (2, &0x301u32.to_le_bytes()[..]));
        let client = fields(&spans[1].2);
        assert_eq!((client[4].2[0], &client[5].2[..]), (3, &0x101u32.to_le_bytes()[..]));
        let attribute = fields(&server[9].2);
        assert_eq!(attribute[0].2, b"n");
        assert_eq!(fields(&attribute[1].2)[0].2, 300u64.to_le_bytes());
    }
}
