//! One direction through a pipe: bytes move between two sockets without being copied.

use super::direction::{Broken, Direction, Tap};
use crate::driver::{PIPE_BYTES, Pipe};
use std::io;

/// What a burst came to.
pub(super) enum Burst {
    /// So many bytes were moved, and no more is there now.
    Moved(u64),
    /// There is no pipe to be had; or nothing came out of the socket although it is ready: the sender has ended, or there
    /// is something that does not go through a pipe, such as TCP's urgent data. Reading tells.
    Nothing,
}

/// Pipes filled before other connections get their turn.
const FILLS_MAX: usize = 4;

impl<T: Tap> Direction<'_, T> {
    /// Moves what there is, as fast as the receiver takes it. The sender's socket is ready.
    pub(super) async fn burst(&mut self) -> Result<Burst, Broken> {
        let Some(mut pipe) = self.pipes.lend() else { return Ok(Burst::Nothing) };
        let result = self.pump(&mut pipe).await;
        self.pipes.give_back(pipe);
        result
    }

    async fn pump(&mut self, pipe: &mut Pipe) -> Result<Burst, Broken> {
        let mut total = 0;
        for _ in 0..FILLS_MAX {
            let limit = PIPE_BYTES.min(usize::try_from(self.tap.blind()).unwrap_or(PIPE_BYTES));
            let count = match pipe.fill(self.read, limit) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(Broken::Reading),
            };
            self.tap.skip(count as u64);
            total += count as u64;
            self.empty(pipe).await?;
            if count < limit {
                break;
            }
        }
        Ok(Burst::Moved(total))
    }

    async fn empty(&mut self, pipe: &mut Pipe) -> Result<(), Broken> {
        while pipe.held() > 0 {
            match pipe.drain(self.write) {
                Ok(count @ 1..) => self.moved(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.write.writable().await.map_err(|_| Broken::Sending)?;
                }
                _ => return Err(Broken::Sending),
            }
        }
        Ok(())
    }
}
