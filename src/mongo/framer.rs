//! Where messages begin in a stream of bytes.

use super::message::{HEADER_BYTES, Header, Message};

/// Bytes of a message that are looked at when it comes in pieces: a command without its documents, with room for what
/// drivers add to it. What comes in one piece is looked at as far as it goes.
const LOOK_BYTES: usize = 4096;

/// Finds the messages in one direction of a connection.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
}

#[derive(Debug)]
enum State {
    /// A message begins, or the beginning of one is here.
    Begins(Vec<u8>),
    /// So many bytes belong to a message that was looked at.
    Passes(u64),
    /// It is not MongoDB, or no longer.
    Off,
}

/// This is not MongoDB's wire protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMongo;

impl Default for State {
    fn default() -> Self {
        State::Begins(Vec::new())
    }
}

impl Framer {
    /// Looks at the next bytes; calls `with` for every message, once enough of it is there.
    ///
    /// # Errors
    /// They can't be messages. Nothing is looked at from now on.
    pub fn see(&mut self, mut bytes: &[u8], mut with: impl FnMut(&Message<'_>)) -> Result<(), NotMongo> {
        while !bytes.is_empty() {
            let used = match &mut self.state {
                State::Off => return Ok(()),
                State::Passes(left) => {
                    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    self.skip(used as u64);
                    used
                }
                State::Begins(begun) if begun.is_empty() && is_enough(bytes) => {
                    let Some(header) = Header::read(bytes) else { return self.give_up() };
                    let here = bytes.get(..header.len as usize).unwrap_or(bytes);
                    with(&Message { header, body: here.get(HEADER_BYTES..).unwrap_or_default() });
                    let used = here.len();
                    self.passed(header, used);
                    used
                }
                State::Begins(begun) => {
                    let wanted = wanted(begun).saturating_sub(begun.len()).max(1);
                    let piece = bytes.get(..wanted).unwrap_or(bytes);
                    begun.extend_from_slice(piece);
                    let used = piece.len();
                    if begun.len() >= HEADER_BYTES && Header::read(begun).is_none() {
                        return self.give_up();
                    }
                    self.look_at_gathered(&mut with);
                    used
                }
            };
            bytes = bytes.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// So many of the bytes that come next need not be seen.
    pub fn blind(&self) -> u64 {
        match &self.state {
            State::Begins(_) => 0,
            State::Passes(left) => *left,
            State::Off => u64::MAX,
        }
    }

    /// So many bytes have passed unseen.
    pub fn skip(&mut self, count: u64) {
        if let State::Passes(left) = &mut self.state {
            debug_assert!(count <= *left);
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = State::default();
            }
        }
    }

    /// Looks at nothing from now on.
    pub fn turn_off(&mut self) {
        self.state = State::Off;
    }

    fn give_up(&mut self) -> Result<(), NotMongo> {
        self.turn_off();
        Err(NotMongo)
    }

    fn look_at_gathered(&mut self, with: &mut impl FnMut(&Message<'_>)) {
        let State::Begins(begun) = &self.state else { return };
        if !is_enough(begun) {
            return;
        }
        let Some(header) = Header::read(begun) else { return };
        with(&Message { header, body: begun.get(HEADER_BYTES..).unwrap_or_default() });
        self.passed(header, begun.len());
    }

    fn passed(&mut self, header: Header, used: usize) {
        let left = u64::from(header.len).saturating_sub(used as u64);
        self.state = if left > 0 { State::Passes(left) } else { State::default() };
    }
}

/// How many bytes of a message have to be there.
fn wanted(begun: &[u8]) -> usize {
    match Header::read(begun) {
        Some(header) => (header.len as usize).min(LOOK_BYTES),
        None => HEADER_BYTES,
    }
}

fn is_enough(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_BYTES && bytes.len() >= wanted(bytes)
}
