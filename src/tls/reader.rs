//! The half of a TLS connection that reads: records are opened where they were received.

use super::{
    record::{Alert, Content, Framed, Opener},
    session::Session,
};
use crate::{
    buffer::{Buffer, Class},
    driver,
};
use std::{io, ops::Range, rc::Rc};

/// Records without data that may follow one another: tickets, new keys, empty records. An endless row would keep the
/// connection busy with nothing.
const BARREN_MAX: u32 = 32;
/// The most bytes of a handshake message after the handshake: a ticket, which may hold certificates.
const MESSAGE_MAX: usize = 32 << 10;

/// The half that reads.
pub struct Reader {
    socket: driver::ReadHalf,
    session: Rc<Session>,
    opener: Opener,
    /// Bytes of records that were not opened yet: the beginning of the next.
    sealed: Option<Buffer>,
    /// Plaintext that nobody has taken yet.
    plain: Option<Buffer>,
    /// The beginning of a handshake message.
    message: Vec<u8>,
    barren: u32,
    ended: Option<Ended>,
}

/// Why there is no more to read.
#[derive(Clone, Copy, Debug)]
enum Ended {
    /// The peer said that it was all.
    Closed,
    /// The peer gave up.
    Refused,
    /// The peer broke the protocol, and will be told so.
    Broken,
}

impl Reader {
    /// Reads with this key; `sealed` is what was received already.
    pub(super) fn new(
        socket: driver::ReadHalf,
        session: Rc<Session>,
        opener: Opener,
        sealed: Buffer,
    ) -> Reader {
        let sealed = (!sealed.is_empty()).then_some(sealed);
        Reader { socket, session, opener, sealed, plain: None, message: Vec::new(), barren: 0, ended: None }
    }

    /// As [`driver::ReadHalf::read`]; what is given back may be another buffer, of the same class or a larger one. 0 means
    /// that the peer ended properly (`close_notify`).
    ///
    /// # Errors
    /// `UnexpectedEof`: the connection ended without `close_notify`, so what came may be cut short. `InvalidData`: the peer
    /// broke the protocol. `ConnectionReset`: the peer gave up with an alert.
    pub(super) async fn read(&mut self, mut buffer: Buffer) -> (io::Result<usize>, Buffer) {
        loop {
            if let Some(plain) = self.plain.take() {
                let before = buffer.len();
                let buffer = self.hand_over(plain, buffer);
                return (Ok(buffer.len() - before), buffer);
            }
            if let Some(ended) = self.ended {
                return (ended.result(), buffer);
            }
            if self.open() {
                continue;
            }
            let place = self.place(&mut buffer);
            let (result, filled) = self.socket.read(place).await;
            self.sealed = (!filled.is_empty()).then_some(filled);
            match result {
                Ok(0) => return (Err(io::ErrorKind::UnexpectedEof.into()), buffer),
                Ok(_) => {}
                Err(error) => return (Err(error), buffer),
            }
        }
    }

    /// Waits until there is something to read, without a buffer.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        let is_whole =
            |sealed: &Buffer| !matches!(self.opener.frame(sealed.bytes()), Ok(Framed::Incomplete(_)));
        if self.plain.is_some() || self.ended.is_some() || self.sealed.as_ref().is_some_and(is_whole) {
            return Ok(());
        }
        self.socket.readable().await
    }

    /// A buffer with room to receive into: behind what is there already, else the caller's own.
    fn place(&mut self, buffer: &mut Buffer) -> Buffer {
        let class = buffer.class();
        match self.sealed.take() {
            Some(sealed) => {
                let whole = match self.opener.frame(sealed.bytes()) {
                    Ok(Framed::Incomplete(Some(whole))) => whole,
                    _ => sealed.len() + 1,
                };
                let missing = whole.saturating_sub(sealed.len());
                if sealed.room() >= missing {
                    sealed
                } else {
                    sealed.grow(Class::for_bytes(whole).max(class))
                }
            }
            None if buffer.is_empty() && buffer.room() > 0 => {
                let nothing = buffer.nothing();
                std::mem::replace(buffer, nothing)
            }
            None => buffer.sibling(class),
        }
    }

    /// Opens all whole records there are. Says whether there is something to look at: plaintext, or an end.
    fn open(&mut self) -> bool {
        let Some(mut sealed) = self.sealed.take() else { return false };
        let was_full = sealed.room() == 0;
        let mut plain = 0..0;
        let mut at = 0;
        while self.ended.is_none() {
            match self.open_one(&mut sealed, at, &mut plain) {
                Ok(0) => break,
                Ok(len) => at += len,
                Err(alert) => {
                    self.session.alert.set(Some(alert));
                    self.ended = Some(Ended::Broken);
                }
            }
        }
        if plain.start == plain.end {
            sealed.consume(at);
            self.sealed = (!sealed.is_empty()).then_some(sealed);
            return self.ended.is_some();
        }
        self.barren = 0;
        let rest = sealed.bytes().get(at..).unwrap_or_default();
        if !rest.is_empty() && self.ended.is_none() {
            // While much comes, the next read is to take much.
            let class = if was_full { sealed.class() } else { Class::for_bytes(rest.len()) };
            let mut next = sealed.sibling(class);
            next.extend(rest);
            self.sealed = Some(next);
        }
        sealed.narrow(plain);
        self.plain = Some(sealed);
        true
    }

    /// Opens the record at `at`, and moves its data behind the other plaintext. Gives its length; 0 if it is not whole.
    fn open_one(&mut self, sealed: &mut Buffer, at: usize, plain: &mut Range<usize>) -> Result<usize, Alert> {
        let bytes = sealed.bytes_mut().get_mut(at..).unwrap_or_default();
        let Framed::Whole(len) = self.opener.frame(bytes)? else { return Ok(0) };
        let record = bytes.get_mut(..len).unwrap_or_default();
        let opened = self.opener.open(record)?;
        let text = opened.plaintext;
        if opened.content != Content::Data || text.is_empty() {
            self.barren += 1;
            if self.barren > BARREN_MAX {
                return Err(Alert::UnexpectedMessage);
            }
        }
        let inside = record.get(text.clone()).unwrap_or_default();
        match opened.content {
            Content::Alert => self.heed(inside)?,
            Content::Handshake => self.hear(inside)?,
            Content::Data if !self.message.is_empty() => return Err(Alert::UnexpectedMessage),
            Content::Data if plain.start == plain.end => *plain = at + text.start..at + text.end,
            Content::Data => {
                let count = text.len();
                sealed.bytes_mut().copy_within(at + text.start..at + text.end, plain.end);
                plain.end += count;
            }
        }
        Ok(len)
    }

    /// An alert (RFC 8446 section 6).
    fn heed(&mut self, alert: &[u8]) -> Result<(), Alert> {
        const WARNING: u8 = 1;
        const USER_CANCELED: u8 = 90;
        let [level, description] = alert else { return Err(Alert::DecodeError) };
        match (*level, *description) {
            (_, 0) => self.ended = Some(Ended::Closed),
            (_, USER_CANCELED) => {}
            (WARNING, _) if !self.session.is_tls13() => {}
            _ => self.ended = Some(Ended::Refused),
        }
        Ok(())
    }

    /// Handshake messages after the handshake (RFC 8446 section 4.6).
    fn hear(&mut self, bytes: &[u8]) -> Result<(), Alert> {
        if self.message.len() + bytes.len() > MESSAGE_MAX {
            return Err(Alert::DecodeError);
        }
        let mut message = std::mem::take(&mut self.message);
        message.extend_from_slice(bytes);
        let mut at = 0;
        while let Some([kind, a, b, c, rest @ ..]) = message.get(at..) {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let Some(body) = rest.get(..len) else { break };
            self.obey(*kind, body, rest.len() == len)?;
            at += 4 + len;
        }
        message.drain(..at);
        // Kept by a connection that may idle for long.
        self.message = if message.is_empty() { Vec::new() } else { message };
        Ok(())
    }

    fn obey(&mut self, kind: u8, body: &[u8], is_last: bool) -> Result<(), Alert> {
        const HELLO_REQUEST: u8 = 0;
        const NEW_SESSION_TICKET: u8 = 4;
        const KEY_UPDATE: u8 = 24;
        if !self.session.is_tls13() {
            // A server may be ignored that asks for another handshake; a client that begins one is refused.
            let may_ignore = kind == HELLO_REQUEST && self.session.is_client();
            return if may_ignore { Ok(()) } else { Err(Alert::NoRenegotiation) };
        }
        match (kind, body) {
            (NEW_SESSION_TICKET, ticket) => self.session.keep_ticket(ticket),
            // The next record has another key, so nothing may follow in this one.
            (KEY_UPDATE, [wanted @ (0 | 1)]) if is_last => {
                self.opener = self.session.next_opener().ok_or(Alert::InternalError)?;
                if *wanted == 1 {
                    self.session.update_wanted.set(true);
                }
                Ok(())
            }
            _ => Err(Alert::UnexpectedMessage),
        }
    }

    /// Gives plaintext to the caller: as it is, or behind what the caller has.
    fn hand_over(&mut self, mut plain: Buffer, mut buffer: Buffer) -> Buffer {
        if buffer.is_empty() {
            return plain;
        }
        if buffer.room() < plain.len() {
            let class = Class::for_bytes(buffer.len() + plain.len());
            buffer = buffer.grow(class);
        }
        let count = buffer.room().min(plain.len());
        buffer.extend(plain.bytes().get(..count).unwrap_or_default());
        plain.consume(count);
        self.plain = (!plain.is_empty()).then_some(plain);
        buffer
    }
}

impl Ended {
    fn result(self) -> io::Result<usize> {
        match self {
            Ended::Closed => Ok(0),
            Ended::Refused => Err(io::ErrorKind::ConnectionReset.into()),
            Ended::Broken => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
