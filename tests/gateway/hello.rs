//! ClientHellos made byte by byte (RFC 8446 section 4.1.2), as clients make them and as none should, and what a server says
//! to them. A server answers one with its own hello before it knows whether the client has the key it speaks of, so
//! nothing here needs any.

use super::client::Client;

/// A value that means nothing and must be passed over (RFC 8701).
pub(crate) const GREASE: u16 = 0x3a3a;

const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const PADDING: u16 = 21;
const VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;
const ENCRYPTED_HELLO: u16 = 0xfe0d;
const X25519: u16 = 29;

/// A ClientHello.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A ServerHello.
    Hello,
    /// A fatal alert with this description.
    Alert(u8),
    /// Something that is not TLS.
    Other(String),
    /// Nothing.
    Closed,
}

impl Hello {
    /// What a client of TLS 1.3 offers that sends no name.
    pub(crate) fn nameless() -> Hello {
        // The base point, which is as good a key as any.
        let mut point = vec![0; 32];
        point[0] = 9;
        let share = vector16(&[u16s(&[X25519]), vector16(&point)].concat());
        let extensions = vec![
            (VERSIONS, vector8(&u16s(&[0x0304, 0x0303]))),
            (GROUPS, vector16(&u16s(&[X25519, 0x0017]))),
            (SIGNATURES, vector16(&u16s(&[0x0403, 0x0804, 0x0401]))),
            (KEY_SHARE, share),
        ];
        Hello { suites: vec![0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f], extensions }
    }

    /// As `nameless`, with a name, whatever is in it.
    pub(crate) fn named(name: &[u8]) -> Hello {
        Hello::nameless().names(&[(0, name)])
    }

    /// With these names in its list, each with its kind.
    pub(crate) fn names(mut self, names: &[(u8, &[u8])]) -> Hello {
        let list: Vec<u8> =
            names.iter().flat_map(|(kind, name)| [vec![*kind], vector16(name)].concat()).collect();
        self.extensions.insert(0, (SERVER_NAME, vector16(&list)));
        self
    }

    /// With one more extension.
    pub(crate) fn with(mut self, kind: u16, content: Vec<u8>) -> Hello {
        self.extensions.push((kind, content));
        self
    }

    /// With values that mean nothing wherever a list may have them.
    pub(crate) fn greased(mut self) -> Hello {
        let grease = u16s(&[GREASE]);
        self.suites.insert(0, GREASE);
        for (kind, content) in &mut self.extensions {
            match *kind {
                VERSIONS => *content = vector8(&[&grease[..], &content[1..]].concat()),
                GROUPS | SIGNATURES => *content = vector16(&[&grease[..], &content[2..]].concat()),
                KEY_SHARE => *content = vector16(&[&grease[..], &vector16(&[0]), &content[2..]].concat()),
                _ => {}
            }
        }
        self.extensions.insert(0, (GREASE, Vec::new()));
        let protocols = [vector8(&[0x3a, 0x3a]), vector8(b"http/1.1")].concat();
        self.with(ALPN, vector16(&protocols)).with(0x4a4a, vec![0])
    }

    /// With an encrypted hello that nobody can open, as clients send it that know no key (RFC 9849 section 6.2).
    pub(crate) fn with_encrypted_noise(self) -> Hello {
        let suite = u16s(&[1, 1]);
        let content = [&[0][..], &suite, &[7], &vector16(&[5; 32]), &vector16(&[8; 208])].concat();
        self.with(ENCRYPTED_HELLO, content)
    }

    /// Padded until its message is this long (RFC 7685).
    pub(crate) fn padded_to(self, length: usize) -> Hello {
        let missing = length - self.message().len() - 4;
        self.with(PADDING, vec![0; missing])
    }

    /// The handshake message with its header.
    pub(crate) fn message(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, content)| [u16s(&[*kind]), vector16(content)].concat())
            .collect();
        let parts = [
            &[3, 3][..],
            &[0x5e; 32],
            &vector8(&[0x1d; 32]),
            &vector16(&u16s(&self.suites)),
            &vector8(&[0]),
            &vector16(&extensions),
        ];
        let body = parts.concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1][..], &length[1..], &body].concat()
    }

    /// The message in records of at most so many bytes each.
    pub(crate) fn in_records_of(&self, length: usize) -> Vec<u8> {
        records(&self.message(), length)
    }

    /// As clients send it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.in_records_of(1 << 14)
    }
}

/// A message in handshake records of at most so many bytes each.
pub(crate) fn records(message: &[u8], length: usize) -> Vec<u8> {
    message.chunks(length).flat_map(|piece| [&[22, 3, 1][..], &vector16(piece)].concat()).collect()
}

/// Sends bytes to a port of this host and reads what comes first.
pub(crate) fn reply(port: u16, bytes: &[u8]) -> Reply {
    let mut client = Client::connect(port);
    client.try_send(bytes);
    read_reply(&mut client)
}

/// Reads what the server says first.
pub(crate) fn read_reply(client: &mut Client) -> Reply {
    let head = client.raw(7);
    match head[..] {
        [] => Reply::Closed,
        [22, 3, _, _, _, 2, _] => Reply::Hello,
        [21, 3, _, 0, 2, 2, description] => Reply::Alert(description),
        _ => Reply::Other(String::from_utf8_lossy(&[head, client.raw(1 << 16)].concat()).into_owned()),
    }
}

fn u16s(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn vector8(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()][..], content].concat()
}

fn vector16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
}
