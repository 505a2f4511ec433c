//! One direction through a pipe: bytes move between two sockets without being copied.

use super::direction::{Broken, Direction, Meter, Tap};
use crate::driver::{PIPE_BYTES, Pipe, ReadHalf, WriteHalf};
use std::io;

/// Pipes filled before other connections get their turn.
pub(super) const FILLS_MAX: usize = 4;

/// Where a tap has to see what comes before so many bytes are through, a pipe is not worth it.
const UNSEEN_MIN: u64 = 32 << 10;

impl<T: Tap> Direction<'_, T> {
    /// Moves what there is, as fast as the receiver takes it. The sender's socket is ready.
    ///
    /// Gives 0 if it can't be done: an end is not plain, the tap has to see what comes, there is no pipe to be had. Or
    /// nothing came out of the socket although it is ready: the sender has ended, or there is something that does not go
    /// through a pipe, such as TCP's urgent data. Reading tells.
    pub(super) async fn burst(&mut self) -> Result<u64, Broken> {
        if self.tap.blind() < UNSEEN_MIN {
            return Ok(0);
        }
        let (Some(from), Some(to)) = (self.read.plain(), self.write.plain()) else { return Ok(0) };
        let Some(mut pipe) = self.pipes.lend() else { return Ok(0) };
        let result = pump(&mut pipe, from, to, &mut self.tap, &self.meter).await;
        self.pipes.give_back(pipe);
        result
    }
}

async fn pump<T: Tap>(
    pipe: &mut Pipe,
    from: &mut ReadHalf,
    to: &mut WriteHalf,
    tap: &mut T,
    meter: &Meter<'_>,
) -> Result<u64, Broken> {
    let mut total = 0;
    for _ in 0..FILLS_MAX {
        let limit = PIPE_BYTES.min(usize::try_from(tap.blind()).unwrap_or(PIPE_BYTES));
        let count = match pipe.fill(from, limit) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => return Err(Broken::Reading),
        };
        tap.skip(count as u64);
        total += count as u64;
        empty(pipe, to, |count| meter.moved(count)).await.map_err(|_| Broken::Sending)?;
        if count < limit {
            break;
        }
    }
    Ok(total)
}

/// Sends all that is in a pipe, and calls `moved` for every part that the socket has taken.
pub(super) async fn empty(pipe: &mut Pipe, to: &mut WriteHalf, moved: impl Fn(usize)) -> io::Result<()> {
    while pipe.held() > 0 {
        match pipe.drain(to) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => moved(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
