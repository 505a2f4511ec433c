//! One direction by buffers.

use super::direction::{Broken, Direction, Tap};
use crate::buffer::Class;
use std::io;

impl<T: Tap> Direction<'_, T> {
    /// Reads into a buffer of this class, waiting for the first byte, and sends what came. 0 at the end.
    pub(super) async fn copy(&mut self, class: Class) -> Result<usize, Broken> {
        let (result, buffer) = self.read.read(self.buffers.lease(class)).await;
        match result {
            Ok(0) => return Ok(0),
            Ok(_) => {}
            // Many peers end TLS by ending the connection, and mean nothing by it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(_) => return Err(Broken::Reading),
        }
        self.tap.see(buffer.bytes());
        let count = buffer.len();
        let (result, _) = self.write.send(buffer).await;
        result.map_err(|_| Broken::Sending)?;
        self.meter.moved(count);
        Ok(count)
    }
}
