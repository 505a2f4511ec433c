//! What a client says first: read before anything is decided, consumed by nobody. Pure: bytes in, facts out.

use std::{borrow::Cow, fmt, net::IpAddr};

/// The most bytes of a ClientHello, records' headers included. Real ones have 200 to 2,000 bytes, with post-quantum key
/// shares 2,500; clients pad to 16 KiB in tests. It bounds the memory of a client that never comes to an end.
pub const HELLO_MAX: usize = 32 << 10;

/// The most records over which a ClientHello may be spread: what a client needs that sends a byte in each.
const RECORDS_MAX: usize = 2048;

/// What a ClientHello asks for, as far as the choice of a filter chain needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The name of the server (RFC 6066 section 3): lower case, without a trailing dot. An IP address, which may not be
    /// sent as one, counts as none.
    pub server_name: Option<Box<str>>,
    /// What the client offers by ALPN (RFC 7301), strongest first.
    pub alpn: Vec<Box<[u8]>>,
    /// Of the ciphers that we know it names ChaCha20 first, as those do whose processor has no instructions for AES.
    pub prefers_chacha: bool,
}

/// How much of a ClientHello there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// More bytes are needed.
    Incomplete,
    /// All of it.
    Hello(ClientHello),
}

/// Why bytes are no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHello {
    /// It is HTTP in plain text.
    PlainHttp,
    /// It is no TLS: the first bytes are no record of a handshake.
    NotTls,
    /// It is longer than [`HELLO_MAX`], or in too many records.
    TooLarge,
    /// A length is wrong.
    Malformed,
    /// The server's name is none.
    BadName,
}

impl BadHello {
    /// The alert that tells the client (RFC 8446 section 6.2); none for who does not speak TLS.
    pub fn alert(self) -> Option<u8> {
        match self {
            BadHello::PlainHttp | BadHello::NotTls => None,
            BadHello::TooLarge => Some(22),  // record_overflow
            BadHello::Malformed => Some(50), // decode_error
            BadHello::BadName => Some(47),   // illegal_parameter
        }
    }
}

impl fmt::Display for BadHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadHello::PlainHttp => "plain-text HTTP on a TLS port",
            BadHello::NotTls => "not TLS",
            BadHello::TooLarge => "the ClientHello is too large",
            BadHello::Malformed => "the ClientHello is malformed",
            BadHello::BadName => "the server name in the ClientHello is none",
        })
    }
}

/// Reads what there is of a ClientHello (RFC 8446 sections 4.1.2 and 5.1).
///
/// # Errors
/// It is none, and more bytes will not mend it.
pub fn peek(bytes: &[u8]) -> Result<Peeked, BadHello> {
    let Some(message) = gather(bytes)? else { return Ok(Peeked::Incomplete) };
    parse(&message).map(Peeked::Hello)
}

/// The handshake message of the first records, if all of it is there.
fn gather(bytes: &[u8]) -> Result<Option<Cow<'_, [u8]>>, BadHello> {
    let mut message: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    let mut rest = bytes;
    for _ in 0..RECORDS_MAX {
        if let Some(wanted) = message_len(&message)?
            && message.len() >= wanted
        {
            return Ok(Some(message));
        }
        let Some(fragment) = record(&mut rest)? else {
            let is_full = bytes.len() >= HELLO_MAX;
            return if is_full { Err(BadHello::TooLarge) } else { Ok(None) };
        };
        match &mut message {
            Cow::Borrowed(b"") => message = Cow::Borrowed(fragment),
            more => more.to_mut().extend_from_slice(fragment),
        }
    }
    Err(BadHello::TooLarge)
}

/// The content of the next record. Nothing: it is not whole.
fn record<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, BadHello> {
    /// The longest fragment of a record in plain text (RFC 8446 section 5.1).
    const FRAGMENT_MAX: usize = 1 << 14;
    if rest.first().is_some_and(|kind| *kind != 22) || rest.get(1).is_some_and(|major| *major != 3) {
        return Err(if looks_like_http(rest) { BadHello::PlainHttp } else { BadHello::NotTls });
    }
    let [_, _, _, high, low, behind @ ..] = rest else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    match len {
        0 => return Err(BadHello::Malformed),
        1..=FRAGMENT_MAX => {}
        _ => return Err(BadHello::TooLarge),
    }
    let Some((fragment, next)) = behind.split_at_checked(len) else { return Ok(None) };
    *rest = next;
    Ok(Some(fragment))
}

fn looks_like_http(bytes: &[u8]) -> bool {
    let word = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    (3..=7).contains(&word.len()) && word.len() < bytes.len() && word.iter().all(u8::is_ascii_uppercase)
}

/// The length of the handshake message with its header, once that is known.
fn message_len(message: &[u8]) -> Result<Option<usize>, BadHello> {
    const CLIENT_HELLO: u8 = 1;
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(BadHello::NotTls);
    }
    let [_, a, b, c, ..] = message else { return Ok(None) };
    let len = 4 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
    if len > HELLO_MAX { Err(BadHello::TooLarge) } else { Ok(Some(len)) }
}

fn parse(message: &[u8]) -> Result<ClientHello, BadHello> {
    const SERVER_NAME: u16 = 0;
    const ALPN: u16 = 16;
    let body = message.get(4..).unwrap_or_default();
    // legacy_version and random
    let mut reader = Reader(body.get(34..).ok_or(BadHello::Malformed)?);
    reader.vector8()?; // legacy_session_id
    let prefers_chacha = prefers_chacha(reader.vector16()?);
    reader.vector8()?; // legacy_compression_methods
    let mut hello = ClientHello { prefers_chacha, ..ClientHello::default() };
    if reader.0.is_empty() {
        return Ok(hello);
    }
    let mut extensions = Reader(reader.vector16()?);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let content = extensions.vector16()?;
        match kind {
            SERVER_NAME => hello.server_name = server_name(content)?,
            ALPN => hello.alpn = protocols(content)?,
            _ => {}
        }
    }
    Ok(hello)
}

/// Whether the first cipher suite that we know has ChaCha20 (RFC 8446 appendix B.4, RFC 7905, RFC 5289).
fn prefers_chacha(suites: &[u8]) -> bool {
    suites
        .as_chunks()
        .0
        .iter()
        .find_map(|suite| match suite {
            [0x13, 0x03] | [0xcc, 0xa8 | 0xa9] => Some(true),
            [0x13, 0x01 | 0x02] | [0xc0, 0x2b | 0x2c | 0x2f | 0x30] => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

/// The one `host_name` of the list.
fn server_name(content: &[u8]) -> Result<Option<Box<str>>, BadHello> {
    const HOST_NAME: u8 = 0;
    let mut outer = Reader(content);
    let mut list = Reader(outer.vector16()?);
    let mut found = None;
    while !list.0.is_empty() {
        let kind = list.u8()?;
        let name = list.vector16()?;
        // "MUST NOT contain more than one name of the same name_type" (RFC 6066 section 3).
        if kind == HOST_NAME && found.replace(name).is_some() {
            return Err(BadHello::BadName);
        }
    }
    let Some(name) = found else { return Err(BadHello::BadName) };
    let name = std::str::from_utf8(name).map_err(|_| BadHello::BadName)?;
    if name.parse::<IpAddr>().is_ok() {
        return Ok(None);
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if is_host_name(&name) { Ok(Some(name.into())) } else { Err(BadHello::BadName) }
}

/// Letters, digits, `-`, and `_`, which is in use; labels of 1 to 63 bytes, 253 in all.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(known)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn protocols(content: &[u8]) -> Result<Vec<Box<[u8]>>, BadHello> {
    let mut outer = Reader(content);
    let mut list = Reader(outer.vector16()?);
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        protocols.push(list.vector8()?.into());
    }
    Ok(protocols)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BadHello> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadHello::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, BadHello> {
        self.take(1).map(|bytes| bytes.first().copied().unwrap_or_default())
    }

    fn u16(&mut self) -> Result<u16, BadHello> {
        self.take(2).map(|bytes| bytes.iter().fold(0, |value, byte| value << 8 | u16::from(*byte)))
    }

    fn vector8(&mut self) -> Result<&'a [u8], BadHello> {
        let len = self.u8()?;
        self.take(len.into())
    }

    fn vector16(&mut self) -> Result<&'a [u8], BadHello> {
        let len = self.u16()?;
        self.take(len.into())
    }
}

#[cfg(test)]
mod tests;
