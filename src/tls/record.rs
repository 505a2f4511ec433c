//! Records of TLS 1.2 and 1.3 after the handshake, sealed and opened in place. Pure: bytes in, bytes out.
//!
//! rustls makes the handshake and the keys, and changes the keys when it is time (its `kernel` interface, which is made
//! for who does the records elsewhere). The records themselves are done here, where the bytes are: a request is opened
//! in the buffer that it was received in, a response is sealed in the buffer that it came in, nothing is copied or
//! allocated for it, and a connection that waits holds two keys and no buffer.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};
use std::ops::Range;

/// The most plaintext in a record (RFC 8446 section 5.1).
pub(super) const PLAINTEXT_MAX: usize = 1 << 14;
/// More than any record adds to its plaintext in front: its header and, in TLS 1.2, a nonce.
pub(super) const PREFIX_MAX: usize = HEADER + EXPLICIT_NONCE;
/// More than any record adds behind: the kind of content (TLS 1.3) and the tag.
pub(super) const SUFFIX_MAX: usize = 1 + TAG;

const HEADER: usize = 5;
const EXPLICIT_NONCE: usize = 8;
const TAG: usize = 16;

/// Records that one key may seal: what rustls takes as the limit of AES-GCM (RFC 8446 section 5.5). ChaCha20-Poly1305
/// would allow more; a new key every 256 GiB costs nothing.
const SEALED_MAX: u64 = 1 << 24;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// `alert`
    Alert,
    /// `handshake`
    Handshake,
    /// `application_data`
    Data,
}

impl Content {
    fn code(self) -> u8 {
        match self {
            Content::Alert => 21,
            Content::Handshake => 22,
            Content::Data => 23,
        }
    }

    fn of(code: u8) -> Option<Content> {
        match code {
            21 => Some(Content::Alert),
            22 => Some(Content::Handshake),
            23 => Some(Content::Data),
            _ => None,
        }
    }
}

/// The alerts that are sent (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Alert {
    CloseNotify = 0,
    UnexpectedMessage = 10,
    BadRecordMac = 20,
    RecordOverflow = 22,
    DecodeError = 50,
    InternalError = 80,
    NoRenegotiation = 100,
}

/// How records look on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// TLS 1.3: the kind of content is inside.
    Tls13,
    /// TLS 1.2 with AES-GCM: eight bytes of the nonce are sent.
    Tls12Explicit,
    /// TLS 1.2 with ChaCha20-Poly1305.
    Tls12,
}

impl Layout {
    fn prefix(self) -> usize {
        match self {
            Layout::Tls12Explicit => HEADER + EXPLICIT_NONCE,
            Layout::Tls13 | Layout::Tls12 => HEADER,
        }
    }

    fn suffix(self) -> usize {
        match self {
            Layout::Tls13 => 1 + TAG,
            Layout::Tls12Explicit | Layout::Tls12 => TAG,
        }
    }
}

/// One direction's key.
struct Key {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    layout: Layout,
}

/// The key material is of a kind that is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnknownCipher;

impl Key {
    fn new(
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
        version: ProtocolVersion,
    ) -> Result<Key, UnknownCipher> {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(UnknownCipher),
        };
        let layout = match version {
            ProtocolVersion::TLSv1_3 => Layout::Tls13,
            _ if std::ptr::eq(algorithm, &CHACHA20_POLY1305) => Layout::Tls12,
            _ => Layout::Tls12Explicit,
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| UnknownCipher)?;
        let iv = iv.as_ref().try_into().map_err(|_| UnknownCipher)?;
        Ok(Key { key: LessSafeKey::new(key), iv, sequence, layout })
    }

    /// The vector with the record's number in it (RFC 8446 section 5.3).
    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }

    /// What is authenticated besides: the header (TLS 1.3), or number, kind, version and length of the plaintext
    /// (RFC 5246 section 6.2.3.3). The second value is its length.
    fn associated(&self, header: [u8; HEADER], plaintext: usize) -> ([u8; 13], usize) {
        let mut data = [0; 13];
        if self.layout == Layout::Tls13 {
            data[..HEADER].copy_from_slice(&header);
            return (data, HEADER);
        }
        data[..8].copy_from_slice(&self.sequence.to_be_bytes());
        data[8..11].copy_from_slice(&header[..3]);
        data[11..].copy_from_slice(&(plaintext as u16).to_be_bytes());
        (data, 13)
    }
}

/// Seals what is sent.
pub(super) struct Sealer(Key);

/// No more records may be sealed with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Sealer {
    pub(super) fn new(
        secrets: (u64, ConnectionTrafficSecrets),
        version: ProtocolVersion,
    ) -> Result<Sealer, UnknownCipher> {
        Key::new(secrets, version).map(Sealer)
    }

    /// Bytes in front of the plaintext.
    pub(super) fn prefix(&self) -> usize {
        self.0.layout.prefix()
    }

    /// Bytes behind it.
    pub(super) fn suffix(&self) -> usize {
        self.0.layout.suffix()
    }

    /// Whether the key may change while the connection goes on.
    pub(super) fn can_update(&self) -> bool {
        self.0.layout == Layout::Tls13
    }

    /// Whether it is time for another key; a few records are left for saying so.
    pub(super) fn is_worn(&self) -> bool {
        self.0.sequence >= SEALED_MAX - 8
    }

    /// Makes a record of `record`, in place: `prefix` bytes, at most [`PLAINTEXT_MAX`] of plaintext, `suffix` bytes.
    pub(super) fn seal(&mut self, content: Content, record: &mut [u8]) -> Result<(), Exhausted> {
        let key = &mut self.0;
        let (prefix, suffix) = (key.layout.prefix(), key.layout.suffix());
        let plaintext = record.len().checked_sub(prefix + suffix).ok_or(Exhausted)?;
        if key.sequence >= SEALED_MAX || plaintext > PLAINTEXT_MAX {
            return Err(Exhausted);
        }
        let kind = if key.layout == Layout::Tls13 { Content::Data } else { content };
        let length = ((record.len() - HEADER) as u16).to_be_bytes();
        let header = [kind.code(), 3, 3, length[0], length[1]];
        let nonce = key.nonce();
        let (associated, len) = key.associated(header, plaintext);
        record[..HEADER].copy_from_slice(&header);
        if key.layout == Layout::Tls12Explicit {
            record[HEADER..prefix].copy_from_slice(&nonce[4..]);
        }
        let inner = [content.code()];
        let extra: &[u8] = if key.layout == Layout::Tls13 { &inner } else { &[] };
        let (data, tag) = record[prefix..].split_at_mut(plaintext);
        let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(&associated[..len]));
        key.key.seal_in_place_scatter(nonce, aad, data, extra, tag).map_err(|_| Exhausted)?;
        key.sequence += 1;
        Ok(())
    }
}

/// Opens what is received.
pub(super) struct Opener(Key);

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// The record is not whole: it will have so many bytes; nothing, while its header is not whole.
    Incomplete(Option<usize>),
    /// A whole record of so many bytes.
    Whole(usize),
}

/// A record that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) content: Content,
    /// Where its plaintext is now, in the record.
    pub(super) plaintext: Range<usize>,
}

impl Opener {
    pub(super) fn new(
        secrets: (u64, ConnectionTrafficSecrets),
        version: ProtocolVersion,
    ) -> Result<Opener, UnknownCipher> {
        Key::new(secrets, version).map(Opener)
    }

    /// Whether all of the next record is there.
    ///
    /// # Errors
    /// It is longer than a record may be, or none.
    pub(super) fn frame(&self, bytes: &[u8]) -> Result<Framed, Alert> {
        // What a record may have more than its plaintext: RFC 8446 section 5.2; the 2,048 of RFC 5246 section 6.2.3 are for
        // compression, which nobody does.
        const EXPANSION: usize = 256;
        let [kind, major, _, high, low, ..] = bytes else { return Ok(Framed::Incomplete(None)) };
        // What is no record at all has no length to wait for.
        if Content::of(*kind).is_none() || *major != 3 {
            return Err(Alert::UnexpectedMessage);
        }
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if len > PLAINTEXT_MAX + EXPANSION {
            return Err(Alert::RecordOverflow);
        }
        let whole = HEADER + len;
        Ok(if bytes.len() < whole { Framed::Incomplete(Some(whole)) } else { Framed::Whole(whole) })
    }

    /// Opens one whole record in place.
    ///
    /// # Errors
    /// It was not made by the peer, or must not be here; the connection can't go on.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<Opened, Alert> {
        let key = &mut self.0;
        let prefix = key.layout.prefix();
        let Some((header, _)) = record.split_first_chunk::<HEADER>() else { return Err(Alert::DecodeError) };
        let header = *header;
        let outer = Content::of(header[0]).ok_or(Alert::UnexpectedMessage)?;
        if key.layout == Layout::Tls13 && outer != Content::Data {
            return Err(Alert::UnexpectedMessage);
        }
        let sealed = record.len().checked_sub(prefix + TAG).ok_or(Alert::BadRecordMac)?;
        let mut nonce = key.nonce();
        if key.layout == Layout::Tls12Explicit {
            nonce[4..].copy_from_slice(&record[HEADER..prefix]);
        }
        let (associated, len) = key.associated(header, sealed);
        let (nonce, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(&associated[..len]));
        key.key.open_in_place(nonce, aad, &mut record[prefix..]).map_err(|_| Alert::BadRecordMac)?;
        // The peer would have had to change its key long before.
        key.sequence = key.sequence.checked_add(1).ok_or(Alert::UnexpectedMessage)?;
        let (content, end) = match key.layout {
            Layout::Tls13 => inner(&record[prefix..prefix + sealed])?,
            Layout::Tls12 | Layout::Tls12Explicit => (outer, sealed),
        };
        if end > PLAINTEXT_MAX {
            return Err(Alert::RecordOverflow);
        }
        Ok(Opened { content, plaintext: prefix..prefix + end })
    }
}

/// Kind and length of the content in front of its kind and its padding (RFC 8446 section 5.4).
fn inner(plaintext: &[u8]) -> Result<(Content, usize), Alert> {
    let end = plaintext.iter().rposition(|byte| *byte != 0).ok_or(Alert::UnexpectedMessage)?;
    let content = plaintext.get(end).and_then(|code| Content::of(*code)).ok_or(Alert::UnexpectedMessage)?;
    if end == 0 && content != Content::Data {
        // "Zero-length fragments of Handshake or Alert types MUST NOT be sent" (RFC 8446 section 5.1).
        return Err(Alert::UnexpectedMessage);
    }
    Ok((content, end))
}

#[cfg(test)]
mod tests;
