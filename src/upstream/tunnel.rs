//! Asking an HTTP proxy for a tunnel (`tunnel` of a DestinationRule; specification section 4.6).

use super::Stream;
use crate::{
    buffer::{Buffer, Class, Pool},
    driver::Phase,
    http::{ResponseHead, Upgrade},
    http1::{
        body::BodyDecoder,
        decode::{self, Decoded},
    },
    table::{Tunnel, TunnelMethod},
    tls::{ReadHalf, WriteHalf},
};
use std::{io, time::Duration};

/// What the proxy has said.
pub struct Tunneled {
    /// Bytes of the tunnel that came with its answer.
    pub early: Buffer,
    /// Where the bytes of the tunnel are those of a body (`POST`): how they are found.
    pub body: Option<BodyDecoder>,
}

/// Asks for the tunnel on a connection to the proxy, within this time.
///
/// # Errors
/// `tunnel: ...` where the proxy does not agree, with what it said; `TimedOut`.
pub(super) async fn begin(
    stream: &mut Stream,
    tunnel: &Tunnel,
    pool: &Pool,
    limit: Duration,
) -> io::Result<()> {
    stream.deadline.arm(Phase::Both, Some(limit));
    let asked = ask(&mut stream.read, &mut stream.write, tunnel, pool).await;
    if stream.deadline.fired() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.deadline.disarm();
    stream.tunneled = Some(Box::new(asked?));
    Ok(())
}

async fn ask(
    read: &mut ReadHalf,
    write: &mut WriteHalf,
    tunnel: &Tunnel,
    pool: &Pool,
) -> io::Result<Tunneled> {
    write.send_all(request(tunnel)).await.0.map_err(|failed| failed.error)?;
    let limits = decode::Limits::default();
    let mut head = ResponseHead::default();
    let mut buffer = pool.lease(Class::Medium);
    loop {
        let decoded = decode::response(buffer.bytes(), &limits, method(tunnel), Upgrade::None, &mut head);
        match decoded.map_err(|bad| failed(format_args!("the proxy's answer is broken: {}", bad.detail())))? {
            Decoded::Head { len } => {
                buffer.consume(len);
                match head.status {
                    // Something in between: the answer comes yet.
                    100..200 => continue,
                    200 => break,
                    status => return Err(failed(format_args!("the proxy answered {status}"))),
                }
            }
            Decoded::Incomplete if buffer.room() == 0 => buffer = enlarged(buffer)?,
            Decoded::Incomplete => {}
        }
        let (result, filled) = read.read(buffer).await;
        buffer = filled;
        if result? == 0 {
            return Err(failed("the proxy closed the connection"));
        }
    }
    let body = (tunnel.method == TunnelMethod::Post).then(|| BodyDecoder::new(head.body));
    Ok(Tunneled { early: buffer, body })
}

/// Room for the rest of a long head.
fn enlarged(mut buffer: Buffer) -> io::Result<Buffer> {
    buffer.compact();
    let class = buffer.class().larger();
    if buffer.room() == 0 && class == buffer.class() {
        return Err(failed("the proxy's answer is too long"));
    }
    Ok(if buffer.room() == 0 { buffer.grow(class) } else { buffer })
}

fn method(tunnel: &Tunnel) -> &'static [u8] {
    match tunnel.method {
        TunnelMethod::Connect => b"CONNECT",
        TunnelMethod::Post => b"POST",
    }
}

fn request(tunnel: &Tunnel) -> Vec<u8> {
    let target = &tunnel.target;
    match tunnel.method {
        TunnelMethod::Connect => format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n"),
        TunnelMethod::Post => {
            format!("POST / HTTP/1.1\r\nhost: {target}\r\ntransfer-encoding: chunked\r\n\r\n")
        }
    }
    .into_bytes()
}

fn failed(reason: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("tunnel: {reason}"))
}
