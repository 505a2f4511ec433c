//! The body of a request that came on a stream of HTTP/2, on its way up.

use super::{
    failure::{Failure, Kind, Phase},
    stream_body::{Chunk, NoChunk, StreamBody},
    upload::{Progress, Sink, Unsent, UploadEnd, not_grpc_web},
};
use crate::{http1::encode, http2::Then};
use std::time::Duration;

/// How the data are framed for the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// They go as they are.
    Bare,
    /// In chunks, and trailers are dropped (specification section 2.6).
    Chunked,
}

/// Moves what is left of the body, as fast as the origin takes it.
pub(super) async fn pump(
    body: &mut StreamBody<'_>,
    mut sink: Sink<'_>,
    coding: Coding,
    progress: &Progress,
    limit: Duration,
) -> UploadEnd {
    let mut out = Vec::new();
    loop {
        let mut owed = 0;
        let mut then = Then::More;
        let next = match body.next(progress, limit).await {
            Ok(next) => next,
            Err(NoChunk::Unwanted) => return UploadEnd::OriginStopped,
            Err(NoChunk::TooLarge) => {
                return UploadEnd::ClientFailed(Failure::downstream(Phase::RequestBody, Kind::TooLarge));
            }
            Err(NoChunk::Client(end)) => {
                return UploadEnd::ClientFailed(Failure::downstream(Phase::RequestBody, end.into()));
            }
        };
        match next {
            Chunk::Kept(bytes) => append(bytes, coding, &mut out),
            Chunk::Own(buffer) => {
                owed = buffer.len();
                append(buffer.bytes(), coding, &mut out);
            }
            Chunk::End(trailers) => {
                then = Then::End;
                if let (Sink::Http2(stream, _, None), Some(trailers)) = (&sink, trailers)
                    && !trailers.is_empty()
                {
                    stream.send_trailers(trailers);
                    return UploadEnd::Done;
                }
            }
        }
        if then == Then::More && body.is_done() {
            then = Then::End;
        }
        if then == Then::End && coding == Coding::Chunked {
            out.extend_from_slice(encode::LAST_CHUNK);
        }
        let (sent, memory) = sink.send_all(out, then).await;
        out = memory;
        match sent {
            Err(Unsent::Stopped) => return UploadEnd::OriginStopped,
            Err(Unsent::Broken) => return UploadEnd::ClientFailed(not_grpc_web()),
            Ok(()) => {}
        }
        if owed > 0 {
            body.release(owed);
        }
        if then == Then::End {
            return UploadEnd::Done;
        }
    }
}

fn append(data: &[u8], coding: Coding, out: &mut Vec<u8>) {
    if coding == Coding::Chunked && !data.is_empty() {
        encode::chunk_head(data.len(), out);
        out.extend_from_slice(data);
        out.extend_from_slice(encode::CHUNK_END);
    } else {
        out.extend_from_slice(data);
    }
}

impl From<crate::http2::StreamEnd> for Kind {
    fn from(end: crate::http2::StreamEnd) -> Kind {
        use crate::http2::StreamEnd;
        match end {
            StreamEnd::Reset(code) => Kind::StreamReset(code),
            StreamEnd::Broken(detail) => Kind::Protocol(detail),
            StreamEnd::Closed => Kind::Closed,
            StreamEnd::Unprocessed => Kind::Unprocessed,
            StreamEnd::TimedOut => Kind::Timeout,
        }
    }
}
