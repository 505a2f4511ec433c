//! The half of a TLS connection that sends: records are sealed where their bytes are, if there is room around them.

use super::{
    record::{Alert, Content, PLAINTEXT_MAX, PREFIX_MAX, SUFFIX_MAX, Sealer},
    session::Session,
};
use crate::{
    buffer::{Buffer, Class, Pool},
    driver::{self, SendError},
};
use std::{io, rc::Rc};

/// The half that sends. Dropping it says `close_notify`, if that can be done at once.
pub struct Writer {
    socket: driver::WriteHalf,
    session: Rc<Session>,
    sealer: Sealer,
    pool: Pool,
    has_ended: bool,
}

impl Writer {
    pub(super) fn new(socket: driver::WriteHalf, session: Rc<Session>, sealer: Sealer, pool: Pool) -> Writer {
        Writer { socket, session, sealer, pool, has_ended: false }
    }

    /// As [`driver::WriteHalf::is_peer_gone`].
    pub(super) fn is_peer_gone(&self) -> bool {
        self.socket.is_peer_gone()
    }

    /// As [`driver::WriteHalf::end_with_next`].
    pub(super) fn end_with_next(&mut self) {
        self.socket.end_with_next();
    }

    /// As [`driver::WriteHalf::send`].
    pub(super) async fn send(&mut self, mut buffer: Buffer) -> (io::Result<()>, Buffer) {
        if self.fits_in_place(&buffer) {
            return match self.seal_in_place(&mut buffer) {
                Ok(()) => self.socket.send(buffer).await,
                Err(error) => (Err(error), buffer),
            };
        }
        while !buffer.is_empty() {
            let mut out = self.pool.lease(Class::for_bytes(sealed_len(buffer.len())));
            let sealed = self.seal(piece(buffer.bytes()), &mut out);
            match sealed {
                Ok(count) => buffer.consume(count),
                Err(error) => return (Err(error), buffer),
            }
            if let (Err(error), _) = self.socket.send(out).await {
                return (Err(error), buffer);
            }
        }
        (Ok(()), buffer)
    }

    /// As [`driver::WriteHalf::send_all`]; what has been sent when it fails counts in records.
    pub(super) async fn send_all(&mut self, mut bytes: Vec<u8>) -> (Result<(), SendError>, Vec<u8>) {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            let mut out = self.pool.lease(Class::for_bytes(sealed_len(rest.len())));
            let count = match self.seal(piece(rest), &mut out) {
                Ok(count) => count,
                Err(error) => return (Err(SendError { sent, error }), bytes),
            };
            let sealed = out.len();
            match self.socket.send(out).await {
                (Ok(()), _) => sent += count,
                // Part of a record is enough for the peer to have seen something.
                (Err(error), left) => {
                    let sent = if left.len() == sealed { sent } else { sent + 1 };
                    return (Err(SendError { sent, error }), bytes);
                }
            }
        }
        bytes.clear();
        (Ok(()), bytes)
    }

    /// Says that no more will be sent, or why reading ended. The other direction stays open.
    pub(super) async fn shutdown(&mut self) {
        if !self.has_ended {
            let mut out = self.pool.lease(Class::Wait);
            if self.seal_end(&mut out) {
                // Whether the peer gets it or not, this is the end.
                let _ = self.socket.send(out).await;
            }
        }
        self.socket.shutdown().await;
    }

    /// Whether the plaintext can be made a record without being moved.
    fn fits_in_place(&self, buffer: &Buffer) -> bool {
        (1..=PLAINTEXT_MAX).contains(&buffer.len())
            && buffer.headroom() >= self.sealer.prefix()
            && buffer.room() >= self.sealer.suffix()
            && !self.wants_key()
    }

    fn wants_key(&self) -> bool {
        self.session.update_wanted.get() || self.sealer.is_worn()
    }

    fn seal_in_place(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        let (prefix, suffix) = (self.sealer.prefix(), self.sealer.suffix());
        buffer.place_before([0; PREFIX_MAX].get(..prefix).unwrap_or_default());
        buffer.extend([0; SUFFIX_MAX].get(..suffix).unwrap_or_default());
        self.sealer.seal(Content::Data, buffer.bytes_mut()).map_err(|_| worn_out())
    }

    /// Seals as much of the plaintext as there is room for; gives how much that was.
    fn seal(&mut self, plaintext: &[u8], out: &mut Buffer) -> io::Result<usize> {
        if self.wants_key() {
            self.change_key(out)?;
        }
        let around = self.sealer.prefix() + self.sealer.suffix();
        let mut rest = plaintext;
        while !rest.is_empty() && out.room() > around {
            let len = rest.len().min(PLAINTEXT_MAX).min(out.room() - around);
            let (now, later) = rest.split_at(len);
            self.seal_one(Content::Data, now, out)?;
            rest = later;
        }
        Ok(plaintext.len() - rest.len())
    }

    fn seal_one(&mut self, content: Content, plaintext: &[u8], out: &mut Buffer) -> io::Result<()> {
        let at = out.len();
        let (prefix, suffix) = (self.sealer.prefix(), self.sealer.suffix());
        let has_room = out.extend([0; PREFIX_MAX].get(..prefix).unwrap_or_default())
            && out.extend(plaintext)
            && out.extend([0; SUFFIX_MAX].get(..suffix).unwrap_or_default());
        let record = out.bytes_mut().get_mut(at..).filter(|_| has_room);
        let sealed = record.map(|record| self.sealer.seal(content, record));
        if sealed == Some(Ok(())) { Ok(()) } else { Err(worn_out()) }
    }

    /// Tells the peer that another key comes, and takes it (RFC 8446 section 4.6.3). TLS 1.2 has no such thing: its
    /// connection ends when the key is worn out.
    fn change_key(&mut self, out: &mut Buffer) -> io::Result<()> {
        const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
        if !self.sealer.can_update() {
            return Ok(());
        }
        self.seal_one(Content::Handshake, &KEY_UPDATE, out)?;
        self.sealer = self.session.next_sealer().ok_or_else(worn_out)?;
        self.session.update_wanted.set(false);
        Ok(())
    }

    /// The last record. False if it can't be made.
    fn seal_end(&mut self, out: &mut Buffer) -> bool {
        const WARNING: u8 = 1;
        const FATAL: u8 = 2;
        self.has_ended = true;
        let alert = self.session.alert.take().unwrap_or(Alert::CloseNotify);
        let level = if alert == Alert::CloseNotify { WARNING } else { FATAL };
        self.seal_one(Content::Alert, &[level, alert as u8], out).is_ok()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut out = self.pool.lease(Class::Wait);
            if self.seal_end(&mut out) {
                self.socket.send_now(out.bytes());
            }
        }
    }
}

/// As much of the bytes as is sealed and sent at a time: all of them, if they fit into the largest buffer, else half of
/// what does, in whole records.
fn piece(bytes: &[u8]) -> &[u8] {
    const HALF: usize = Class::Large.bytes() / 2;
    let len = if sealed_len(bytes.len()) <= Class::Large.bytes() { bytes.len() } else { HALF };
    bytes.get(..len).unwrap_or(bytes)
}

/// How long so many bytes are in records, at most; with a change of key in front.
fn sealed_len(plaintext: usize) -> usize {
    const KEY_UPDATE: usize = PREFIX_MAX + 5 + SUFFIX_MAX;
    plaintext + plaintext.div_ceil(PLAINTEXT_MAX) * (PREFIX_MAX + SUFFIX_MAX) + KEY_UPDATE
}

fn worn_out() -> io::Error {
    io::Error::other("the key of this connection is worn out")
}
