//! So many bytes one way, between two sockets, through a pipe: the body of an HTTP message.

use super::{Pipes, splice};
use crate::{
    driver::{self, PIPE_BYTES, Pipe},
    tls::{ReadHalf, WriteHalf},
};
use std::io;

/// Why fewer bytes were moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It can't be done: an end is not plain, or there is no pipe to be had. Nothing was moved.
    Unable,
    /// The sender has ended.
    Ended,
    /// The sender's connection is broken.
    Reading,
    /// The receiver's is.
    Sending {
        /// Bytes that were taken from the sender and can't be delivered.
        lost: u64,
    },
}

/// Moves `left` bytes, and calls `moved` for every part of them that the receiver's socket has taken.
///
/// # Errors
/// Why not all of them were moved.
pub async fn sized(
    read: &mut ReadHalf,
    write: &mut WriteHalf,
    left: u64,
    pipes: &Pipes,
    moved: impl Fn(u64),
) -> Result<(), Stopped> {
    let (Some(from), Some(to)) = (read.plain(), write.plain()) else { return Err(Stopped::Unable) };
    let mut pipe = pipes.lend().ok_or(Stopped::Unable)?;
    let result = run(&mut pipe, from, to, left, moved).await;
    pipes.give_back(pipe);
    from.rest();
    to.rest();
    result
}

async fn run(
    pipe: &mut Pipe,
    from: &mut driver::ReadHalf,
    to: &mut driver::WriteHalf,
    mut left: u64,
    moved: impl Fn(u64),
) -> Result<(), Stopped> {
    let mut fills = 0;
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(PIPE_BYTES).min(PIPE_BYTES);
        let wants_more = match pipe.fill(from, limit) {
            Ok(0) => return Err(Stopped::Ended),
            Ok(count) => {
                left = left.saturating_sub(count as u64);
                let sent = splice::empty(pipe, to, |count| moved(count as u64)).await;
                sent.map_err(|_| Stopped::Sending { lost: pipe.held() as u64 })?;
                fills += 1;
                count < limit || fills % splice::FILLS_MAX == 0
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => return Err(Stopped::Reading),
        };
        if wants_more && left > 0 {
            from.readable().await.map_err(|_| Stopped::Reading)?;
        }
    }
    Ok(())
}
