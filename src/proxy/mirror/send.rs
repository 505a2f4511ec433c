//! One copy of a request on its way to one destination: nobody waits for it, and nobody hears of it.

use super::{super::failure::is_idempotent, Copy, Ticket};
use crate::{
    driver::{self, Phase},
    http::{BodyLength, ResponseHead, Upgrade, split_port},
    http1::{
        body::{BodyDecoder, Next},
        decode::{self, Decoded},
        encode,
    },
    http2::{ErrorCode, Received, StreamEnd, Then},
    table::ClusterId,
    telemetry::bump,
    upstream::{Cluster, Connection, Dial, Endpoint, Http2Terms, NoConnection, Outcome, Pick},
};
use std::{io, rc::Rc, time::Instant};

/// The most of an answer that is read so that its connection can be used again. A longer one ends it: a new connection costs
/// less than reading what nobody wants.
const ANSWER_BYTES_MAX: u64 = 256 << 10;

/// It did not get there, or there was no answer; what that shows of the endpoint, if it shows anything.
struct Lost(Option<Outcome>);

/// Nothing is known of the endpoint: there is none, or a limit was reached.
const UNSENT: Lost = Lost(None);

/// Sends a copy, in a task of its own.
pub(super) fn begin(copy: Rc<Copy>, cluster: ClusterId, ticket: Ticket) {
    driver::spawn(async move {
        let counters = &copy.env.counters;
        bump(&counters.mirrors, 1);
        if send(&copy, cluster).await.is_err() {
            bump(&counters.mirrors_failed, 1);
        }
        drop(ticket);
    });
}

async fn send(copy: &Copy, cluster: ClusterId) -> Result<(), Lost> {
    let cluster = copy.routing.clusters.get(cluster).ok_or(UNSENT)?;
    cluster.count_in(&copy.env.traffic);
    let now = Instant::now();
    let endpoint = cluster.choose(&Pick::first(&copy.env.random, now)).ok_or(UNSENT)?;
    let authority = split_port(&copy.head.authority).0;
    let host = cluster.tls.as_ref().and_then(|_| std::str::from_utf8(authority).ok());
    let dial = copy.env.dial(&copy.info, host);
    let answered = match cluster.speaks_http2(copy.head.version) {
        true => to_stream(copy, cluster, &endpoint, &dial).await,
        false => by_connection(copy, cluster, &endpoint, &dial).await,
    };
    let outcome = match &answered {
        Ok(status) => Some(Outcome::Answered(*status)),
        Err(Lost(outcome)) => *outcome,
    };
    if cluster.keeps_health()
        && let Some(outcome) = outcome
    {
        cluster.learn(&endpoint, outcome, Instant::now());
    }
    answered.map(|_| ())
}

/// Sends it on a connection of HTTP/1.1, an idle one if there is one. Says with which status it was answered.
async fn by_connection(
    copy: &Copy,
    cluster: &Cluster,
    endpoint: &Rc<Endpoint>,
    dial: &Dial<'_>,
) -> Result<u16, Lost> {
    // An idle connection may have been closed by its other end just now; that is not the destination's fault.
    let idle = match &cluster.limits {
        None => endpoint.reuse(dial, || closed(copy)),
        Some(limits) => endpoint.reuse_within(limits, dial, || closed(copy)).map_err(|_| UNSENT)?,
    };
    if let Some(connection) = idle {
        match to_connection(copy, connection).await {
            Err(Answerless::Untouched) => {}
            Err(Answerless::Broken(outcome)) => return Err(Lost(Some(outcome))),
            Ok(status) => return Ok(status),
        }
    }
    let opened = Box::pin(Connection::open(cluster, endpoint, dial)).await;
    let counters = &copy.env.counters;
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => return Err(UNSENT),
        Err(_) => {
            bump(&counters.upstream_connect_failures, 1);
            return Err(Lost(Some(Outcome::ConnectFailed)));
        }
    };
    bump(&counters.upstream_connections, 1);
    bump(&counters.upstream_connections_active, 1);
    to_connection(copy, connection).await.map_err(|lost| match lost {
        Answerless::Untouched => Lost(Some(Outcome::Reset)),
        Answerless::Broken(outcome) => Lost(Some(outcome)),
    })
}

/// A connection ended without a whole answer.
enum Answerless {
    /// It had not even begun, and the copy can be sent again.
    Untouched,
    /// Part of it had come, or time was up.
    Broken(Outcome),
}

/// Sends it on a connection of HTTP/1.1, and reads the answer away.
async fn to_connection(copy: &Copy, mut connection: Box<Connection>) -> Result<u16, Answerless> {
    connection.deadline.arm(Phase::Both, Some(copy.timeout));
    let mut out = Vec::with_capacity(copy.body.len() + 512);
    encode::request(&copy.head, copy.head.body, &mut out);
    out.extend_from_slice(&copy.body);
    // Who does not take all of it may have answered all the same.
    let sent = connection.write.send_all(out).await.0;
    let read = read_away(copy, &mut connection).await;
    let may_be_sent_again =
        is_idempotent(&copy.head.method) || sent.as_ref().is_err_and(|error| error.sent == 0);
    let read = match read {
        Err(Answerless::Untouched) if !may_be_sent_again => Err(Answerless::Broken(Outcome::Reset)),
        read => read,
    };
    let may_be_used = sent.is_ok() && read.as_ref().is_ok_and(|read| read.may_be_used);
    if !may_be_used || !connection.give_back() {
        bump(&copy.env.counters.upstream_connections_active, 1u64.wrapping_neg());
    }
    read.map(|read| read.status)
}

/// An answer that was read away.
struct Read {
    status: u16,
    /// The connection can be used again.
    may_be_used: bool,
}

/// The connection ended too early, or what came is no answer.
const BROKEN: Answerless = Answerless::Broken(Outcome::Reset);

/// Reads an answer of HTTP/1.1 to its end.
async fn read_away(copy: &Copy, connection: &mut Connection) -> Result<Read, Answerless> {
    let mut head = ResponseHead::default();
    let limits = &copy.env.limits.response_head;
    let mut body: Option<BodyDecoder> = None;
    let mut read = 0;
    loop {
        let mut buffer = match connection.reader.receive().await {
            Ok(buffer) if !buffer.is_empty() => buffer,
            _ if connection.deadline.fired() => return Err(Answerless::Broken(Outcome::TimedOut)),
            Ok(_) if head.body == BodyLength::UntilClose && body.is_some() => {
                return Ok(Read { status: head.status, may_be_used: false });
            }
            _ if read == 0 => return Err(Answerless::Untouched),
            _ => return Err(BROKEN),
        };
        while body.is_none() {
            let decoded =
                decode::response(buffer.bytes(), limits, &copy.head.method, Upgrade::None, &mut head);
            let Decoded::Head { len } = decoded.map_err(|_| BROKEN)? else { break };
            buffer.consume(len);
            if head.status >= 200 {
                body = Some(BodyDecoder::new(head.body));
            }
        }
        read += buffer.len() as u64 + 1;
        if read > ANSWER_BYTES_MAX {
            return Ok(Read { status: head.status, may_be_used: false });
        }
        if let Some(decoder) = &mut body {
            while !decoder.is_over() {
                let piece = decoder.next(buffer.bytes()).map_err(|_| BROKEN)?;
                buffer.consume(piece.consumed);
                if piece.next == Next::Read {
                    break;
                }
            }
            if decoder.is_over() {
                let is_clean = buffer.is_empty() && head.keep_alive;
                connection.reader.put_back(buffer);
                return Ok(Read { status: head.status, may_be_used: is_clean });
            }
        }
        if buffer.room() == 0 || buffer.is_empty() {
            let class = buffer.class().larger();
            buffer = buffer.grow(class);
        }
        connection.reader.put_back(buffer);
    }
}

/// Sends it on a stream of HTTP/2, and reads the answer away.
async fn to_stream(
    copy: &Copy,
    cluster: &Cluster,
    endpoint: &Rc<Endpoint>,
    dial: &Dial<'_>,
) -> Result<u16, Lost> {
    let until = Instant::now().checked_add(copy.timeout);
    let left = || until.map_or(copy.timeout, |until| until.saturating_duration_since(Instant::now()));
    let terms = Http2Terms { terms: &copy.env.upstream_terms, counters: &copy.env.counters };
    let origin = match endpoint.stream_at_once(cluster, dial, &copy.head).map_err(|_| UNSENT)? {
        Some(origin) => origin,
        None => {
            let begun = Box::pin(endpoint.stream(cluster, dial, &copy.head, terms, |_| true)).await;
            begun.map_err(|none| match none {
                NoConnection::Full | NoConnection::Left => UNSENT,
                NoConnection::Failed(_) => {
                    bump(&copy.env.counters.upstream_connect_failures, 1);
                    Lost(Some(Outcome::ConnectFailed))
                }
            })?
        }
    };
    let stream = &origin.stream;
    if copy.head.body != BodyLength::None {
        // Who wants no more of it may have answered all the same.
        let _ = stream.send(&copy.body, Then::End, left()).await;
    }
    let mut head = ResponseHead::default();
    while head.status < 200 {
        stream.response(&mut head, left()).await.map_err(lost)?;
    }
    let mut read = 0;
    loop {
        match stream.receive(left()).await.map_err(lost)? {
            Received::Data(buffer) => {
                read += buffer.len() as u64;
                stream.release(buffer.len());
                if read > ANSWER_BYTES_MAX {
                    stream.reset(ErrorCode::Cancel);
                    return Ok(head.status);
                }
            }
            Received::Trailers(_) | Received::End => return Ok(head.status),
        }
    }
}

fn lost(end: StreamEnd) -> Lost {
    Lost(Some(if end == StreamEnd::TimedOut { Outcome::TimedOut } else { Outcome::Reset }))
}

fn closed(copy: &Copy) {
    bump(&copy.env.counters.upstream_idle_closed, 1);
    bump(&copy.env.counters.upstream_connections_active, 1u64.wrapping_neg());
}
