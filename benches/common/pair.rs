//! Both ends of an HTTP/2 connection, and what goes from one to the other.

use sluicegate::buffer::Pool;
use sluicegate::http::{BodyLength, RequestHead, ResponseHead, Scheme, Underscores};
use sluicegate::http2::{Config, Connection, Received, Then};
use std::task::{Poll, Waker};

/// A connection in memory: both ends of it.
pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
}

impl Pair {
    pub(crate) fn new() -> Pair {
        let end = |config| Connection::new(config, Underscores::Allow, Pool::new(), 0);
        let mut pair = Pair { client: end(Config::client()), server: end(Config::server()) };
        pair.pass();
        pair
    }

    /// Hands over what either side has to say, until neither has anything.
    pub(crate) fn pass(&mut self) {
        while self.client.has_out() || self.server.has_out() {
            let bytes = self.client.take_out(Vec::new());
            assert_eq!(self.server.receive(&bytes, 0), Ok(bytes.len()));
            let bytes = self.server.take_out(Vec::new());
            assert_eq!(self.client.receive(&bytes, 0), Ok(bytes.len()));
        }
    }
}

/// A request for a page.
pub(crate) fn request() -> RequestHead {
    let mut head = RequestHead { scheme: Scheme::Https, ..RequestHead::default() };
    head.method.extend_from_slice(b"GET");
    head.authority.extend_from_slice(b"www.shop.example.com");
    head.target.extend_from_slice(b"/products/shoes?size=42");
    head.path_len = b"/products/shoes".len();
    for (name, value) in [("user-agent", "h2load"), ("accept", "*/*"), ("accept-language", "en,de;q=0.8")] {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    head
}

/// The head of its answer.
pub(crate) fn response() -> ResponseHead {
    let mut head = ResponseHead { status: 200, ..ResponseHead::default() };
    let fields =
        [("content-type", "text/html"), ("server", "istio-envoy"), ("date", "Thu, 01 Jan 2026 00:00:00 GMT")];
    fields.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
    head
}

/// One request and its answer, from one end to the other and back.
pub(crate) fn exchange(
    pair: &mut Pair,
    request: &RequestHead,
    answer: &ResponseHead,
    got: &mut ResponseHead,
) {
    let here = pair.client.send_request(request, 0);
    pair.pass();
    let Some(arrival) = pair.server.next_arrival() else { return };
    let Some(there) = arrival.stream else { return };
    pair.server.return_head(arrival.head);
    pair.server.send_response(there, answer, BodyLength::Sized(12), Then::More);
    let sent = pair.server.send_data(there, b"twelve bytes", Then::End, Waker::noop());
    assert_eq!(sent, Poll::Ready(Ok(12)));
    pair.pass();
    assert!(pair.client.receive_response(here, got, Waker::noop()).is_ready());
    let body = pair.client.receive_body(here, Waker::noop());
    assert!(matches!(body, Poll::Ready(Ok(Received::Data(_)))));
    pair.client.abandon(here);
    pair.server.abandon(there);
}
