//! One direction by buffers.

use super::direction::{Broken, Direction, Tap};
use crate::buffer::{Buffer, Class};
use std::{future::poll_fn, io, pin::pin, task::Poll};

impl<T: Tap> Direction<'_, T> {
    /// Reads into a buffer of this class, waiting for the first byte. An empty one at the end.
    pub(super) async fn receive(&mut self, class: Class) -> Result<Buffer, Broken> {
        let (result, buffer) = self.read.read(self.buffers.lease(class)).await;
        self.received(result, buffer)
    }

    /// Sends what was received.
    pub(super) async fn send(&mut self, buffer: Buffer) -> Result<(), Broken> {
        let count = buffer.len();
        let (result, _) = self.write.send(buffer).await;
        result.map_err(|_| Broken::Sending)?;
        self.meter.moved(count);
        Ok(())
    }

    /// Sends what was received, and reads more into a buffer of this class. Both are begun at once: one turn of the ring
    /// less for each message.
    pub(super) async fn send_and_receive(&mut self, buffer: Buffer, class: Class) -> Result<Buffer, Broken> {
        let count = buffer.len();
        let (sent, came) = {
            let mut sending = pin!(self.write.send(buffer));
            let mut reading = pin!(self.read.read(self.buffers.lease(class)));
            let (mut sent, mut came) = (None, None);
            poll_fn(|context| {
                if sent.is_none()
                    && let Poll::Ready((result, _)) = sending.as_mut().poll(context)
                {
                    match &result {
                        Ok(()) => self.meter.moved(count),
                        // Nobody may come to say more; the read ends by this.
                        Err(_) => self.meter.activity.end(),
                    }
                    sent = Some(result);
                }
                if came.is_none()
                    && let Poll::Ready(read) = reading.as_mut().poll(context)
                {
                    came = Some(read);
                }
                match (sent.take(), came.take()) {
                    (Some(result), Some(read)) => Poll::Ready((result, read)),
                    (one, other) => {
                        (sent, came) = (one, other);
                        Poll::Pending
                    }
                }
            })
            .await
        };
        sent.map_err(|_| Broken::Sending)?;
        self.received(came.0, came.1)
    }

    fn received(&mut self, result: io::Result<usize>, buffer: Buffer) -> Result<Buffer, Broken> {
        match result {
            Ok(_) => {}
            // Many peers end TLS by ending the connection, and mean nothing by it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(self.buffers.empty()),
            Err(_) => return Err(Broken::Reading),
        }
        self.tap.see(buffer.bytes());
        Ok(buffer)
    }
}
