//! What an endpoint says.

use super::{
    endpoint::{Format, Method},
    readable::readable,
};
use hyper::body::{Body, Bytes, Frame};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// What an endpoint says.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) content: Content,
    /// For a page of a browser: what it may do (`content-security-policy`).
    pub(super) policy: Option<&'static str>,
    /// With 405: the methods that there are.
    pub(super) allow: Option<String>,
}

/// The content of an answer.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it.
    Whole(Bytes),
    /// It comes in pieces as the client takes them, so that nobody holds all of a large one.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Reply {
    /// Text for people.
    pub(super) fn text(status: u16, text: impl Into<String>) -> Reply {
        Reply::whole(status, Format::Text, text.into().into_bytes())
    }

    /// In a format.
    pub(super) fn whole(status: u16, format: Format, content: Vec<u8>) -> Reply {
        let content = Content::Whole(content.into());
        Reply { status, content_type: format.content_type(), content, policy: None, allow: None }
    }

    /// As JSON, or as the text that `text` makes.
    pub(super) fn either(
        status: u16,
        format: Format,
        value: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Reply {
        match format {
            Format::Json => Reply::whole(status, format, format!("{:#}\n", value()).into_bytes()),
            _ => Reply::whole(status, format, text().into_bytes()),
        }
    }

    /// As JSON, or as the same in lines.
    pub(super) fn value(format: Format, value: Value) -> Reply {
        match format {
            Format::Json => Reply::whole(200, format, format!("{value:#}\n").into_bytes()),
            _ => Reply::whole(200, format, readable(&value).into_bytes()),
        }
    }

    /// A refusal, in words.
    pub(super) fn refusal(status: u16, format: Format, words: &str) -> Reply {
        let format = if format == Format::Json { format } else { Format::Text };
        Reply::either(status, format, || json!({ "error": words }), || format!("{words}\n"))
    }

    /// No such method, but these.
    pub(super) fn not_allowed(methods: impl Iterator<Item = Method>, format: Format) -> Reply {
        let named = methods.map(|method| match method {
            Method::Get => "GET, HEAD",
            Method::Post => "POST",
        });
        let allow = named.collect::<Vec<_>>().join(", ");
        let reply = Reply::refusal(405, format, &format!("only {allow}"));
        Reply { allow: Some(allow), ..reply }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Content::Whole(all) if all.is_empty() => None,
            Content::Whole(all) => Some(std::mem::take(all)),
            Content::Pieces(pieces) => std::task::ready!(pieces.poll_recv(context)),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Content::Whole(all) if all.is_empty())
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Content::Whole(all) => hyper::body::SizeHint::with_exact(all.len() as u64),
            Content::Pieces(_) => hyper::body::SizeHint::default(),
        }
    }
}
