//! Bodies that take their time.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// The bytes of one piece of [`Page::Filler`].
const FILLER_BYTES: usize = 16 << 10;

/// The body of an answer.
pub(super) enum Page {
    /// All at once.
    Text(Option<Bytes>),
    /// So many bytes; what they are does not matter.
    Filler(u64),
    /// Lines, with a pause before each.
    Lines(Lines),
}

/// Lines that come one after another.
pub(super) struct Lines {
    sent: u32,
    count: u32,
    pause: Duration,
    waiting: Pin<Box<Sleep>>,
}

impl Page {
    /// All at once.
    pub(super) fn text(text: impl Into<String>) -> Page {
        Page::Text(Some(text.into().into()))
    }

    /// `count` lines, with a pause before each.
    pub(super) fn lines(count: u32, pause: Duration) -> Page {
        Page::Lines(Lines { sent: 0, count, pause, waiting: Box::pin(sleep(pause)) })
    }
}

impl Body for Page {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Page::Text(text) => text.take(),
            Page::Filler(0) => None,
            Page::Filler(left) => {
                let length = usize::try_from(*left).map_or(FILLER_BYTES, |left| left.min(FILLER_BYTES));
                *left -= length as u64;
                Some(Bytes::from_static(&[b'.'; FILLER_BYTES]).slice(..length))
            }
            Page::Lines(lines) => std::task::ready!(lines.next(context)),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Page::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Page::Filler(left) => SizeHint::with_exact(*left),
            Page::Lines(_) => SizeHint::default(),
        }
    }
}

impl Lines {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.sent == self.count {
            return Poll::Ready(None);
        }
        std::task::ready!(self.waiting.as_mut().poll(context));
        self.waiting = Box::pin(sleep(self.pause));
        self.sent += 1;
        Poll::Ready(Some(format!("{} of {}\n", self.sent, self.count).into()))
    }
}
