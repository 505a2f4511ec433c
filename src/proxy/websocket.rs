//! WebSockets between the two ways of asking for them: an upgrade of HTTP/1.1 (RFC 6455 section 4) and an extended CONNECT
//! of HTTP/2 (RFC 8441 section 5), which has no key and no proof that it was read.

use crate::{
    http::{Fields, ResponseHead},
    upstream::Random,
};
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

const KEY: &[u8] = b"sec-websocket-key";
const ACCEPT: &[u8] = b"sec-websocket-accept";

/// What is appended to a key before it is hashed (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A Close frame with the status 1001, "going away" (RFC 6455 sections 5.5.1 and 7.4.1), as a server sends it. The bytes of
/// WebSockets are not looked at: it is sent where nothing has moved for a while, which is between two frames unless one side
/// has stopped in the middle of one, and then sees the end of the connection there, as it would without.
pub(super) const GOING_AWAY: &[u8] = &[0x88, 2, 0x03, 0xe9];
/// The same as a client sends it: masked, with a key of zeros.
pub(super) const GOING_AWAY_MASKED: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// Makes a request of HTTP/2 one that an origin of HTTP/1.1 reads as an upgrade: it needs a key. Returns it.
pub(super) fn add_key(fields: &mut Fields, random: &Random) -> Vec<u8> {
    let mut nonce = [0; 16];
    let (first, second) = nonce.split_at_mut(8);
    first.copy_from_slice(&random.next().to_ne_bytes());
    second.copy_from_slice(&random.next().to_ne_bytes());
    let key = STANDARD.encode(nonce).into_bytes();
    fields.set(KEY, &key);
    key
}

/// Takes the key out of a request that goes on as an extended CONNECT.
pub(super) fn take_key(fields: &mut Fields) -> Option<Vec<u8>> {
    let key = fields.get_text(KEY).map(<[u8]>::to_vec);
    fields.remove_text(KEY);
    key
}

/// Makes the head that agrees to a WebSocket what the client is to see. `key` is the client's own where it asked by an
/// upgrade and the origin was asked otherwise.
pub(super) fn for_client(head: &mut ResponseHead, key: Option<&[u8]>, is_http2: bool) {
    if is_http2 {
        head.status = 200;
        head.fields.remove_text(ACCEPT);
    } else if let Some(key) = key {
        head.fields.set(ACCEPT, &accept(key));
    }
}

/// The proof that a key was read (RFC 6455 section 4.2.2).
fn accept(key: &[u8]) -> Vec<u8> {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.finish()).into_bytes()
}

/// Whether an origin's proof is that of the key that it was sent.
pub(super) fn is_accepted(head: &ResponseHead, key: &[u8]) -> bool {
    head.fields.get_text(ACCEPT).is_some_and(|proof| proof == accept(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        let mut fields = Fields::default();
        let key = add_key(&mut fields, &Random::default());
        assert_eq!((key.len(), key.ends_with(b"==")), (24, true));
        assert_eq!(take_key(&mut fields), Some(key));
        assert!(fields.is_empty());
    }
}
