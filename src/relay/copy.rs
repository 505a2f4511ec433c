//! One direction by buffers.

use super::direction::{Broken, Direction, Tap};
use crate::buffer::Class;

impl<T: Tap> Direction<'_, T> {
    /// Reads into a buffer of this class, waiting for the first byte, and sends what came. 0 at the end.
    pub(super) async fn copy(&mut self, class: Class) -> Result<usize, Broken> {
        let (result, buffer) = self.read.read(self.buffers.lease(class)).await;
        let count = result.map_err(|_| Broken::Reading)?;
        if count == 0 {
            return Ok(0);
        }
        self.tap.see(buffer.bytes());
        let (result, _) = self.write.send(buffer).await;
        result.map_err(|_| Broken::Sending)?;
        self.moved(count);
        Ok(count)
    }
}
