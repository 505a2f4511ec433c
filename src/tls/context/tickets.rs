//! Session tickets that any shard can open, and no server but the one that made them.
//!
//! A ticket is `name (4) | salt (16) | sealed`. The key that seals it comes from a secret of the process, which is younger
//! than [`TicketSecret::LIFETIME`], from everything that decides whom the server believes, and from the salt. So a ticket
//! opens on every shard and after a reload, but not at a server that asks other clients for certificates, nor after the
//! authorities have changed: who resumes is not asked for a certificate again.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest::{SHA256, SHA256_OUTPUT_LEN},
    error::Unspecified,
    hkdf, rand,
};
use rustls::server::ProducesTickets;
use std::{fmt, sync::Arc, time::Duration};

const NAME_LEN: usize = 4;
const SALT_LEN: usize = 16;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// The longest ticket that is looked at: a client's whole chain is in it, and the whole handshake message that brings it
/// has 64 KiB.
const TICKET_MAX: usize = 64 << 10;

/// The secrets of the process that tickets are sealed with: the present one, and the one before it, whose tickets are
/// still opened.
#[derive(Clone)]
pub struct TicketSecret {
    /// Without one there are no tickets.
    current: Option<Secret>,
    previous: Option<Secret>,
}

/// No randomness to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketError;

#[derive(Clone)]
struct Secret {
    /// Says which secret a ticket is of.
    name: [u8; NAME_LEN],
    secret: hkdf::Prk,
}

impl TicketSecret {
    /// How long a secret is used. What is sealed with it can be opened for twice as long, and by nobody after that: the
    /// secret is gone.
    pub const LIFETIME: Duration = Duration::from_secs(6 * 3600);

    /// A first secret.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn new() -> Result<TicketSecret, TicketError> {
        Ok(TicketSecret { current: Some(Secret::new()?), previous: None })
    }

    /// None: clients get no tickets, and every handshake is a full one.
    pub fn none() -> TicketSecret {
        TicketSecret { current: None, previous: None }
    }

    /// A new secret, with this one before it; none if this is none.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn next(&self) -> Result<TicketSecret, TicketError> {
        let current = self.current.as_ref().map(|_| Secret::new()).transpose()?;
        Ok(TicketSecret { current, previous: self.current.clone() })
    }
}

impl Secret {
    fn new() -> Result<Secret, TicketError> {
        let mut secret = [0; KEY_LEN];
        rand::fill(&mut secret)?;
        let made = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
        secret.fill(0);
        let mut name = [0; NAME_LEN];
        rand::fill(&mut name)?;
        Ok(Secret { name, secret: made })
    }

    /// The key and the nonce of one ticket. The salt makes both new for every ticket, so that no nonce is used twice.
    fn key(&self, context: &[u8], salt: &[u8]) -> Result<(LessSafeKey, Nonce), Unspecified> {
        let mut bytes = [0; KEY_LEN + NONCE_LEN];
        self.secret.expand(&[b"ticket", context, salt], Length)?.fill(&mut bytes)?;
        let (key, nonce) = bytes.split_at(KEY_LEN);
        let made = UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new);
        let nonce = Nonce::try_assume_unique_for_key(nonce);
        bytes.fill(0);
        Ok((made?, nonce?))
    }
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        KEY_LEN + NONCE_LEN
    }
}

impl From<Unspecified> for TicketError {
    fn from(_: Unspecified) -> Self {
        TicketError
    }
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system has no randomness to give")
    }
}

impl std::error::Error for TicketError {}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

/// What decides whom a server believes, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TicketScope(pub(super) [u8; SHA256_OUTPUT_LEN]);

impl TicketScope {
    /// The scope of these parts; each counts with its length, so that no two lists of parts are one.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> TicketScope {
        let mut digest = aws_lc_rs::digest::Context::new(&SHA256);
        for part in parts {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut scope = [0; SHA256_OUTPUT_LEN];
        // A digest of SHA-256 has this length.
        scope.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
        TicketScope(scope)
    }
}

/// Seals and opens the tickets of one server. It has no lock and no state: all shards use one.
pub(super) struct Tickets {
    secret: TicketSecret,
    scope: TicketScope,
}

impl Tickets {
    pub(super) fn new(secret: &TicketSecret, scope: TicketScope) -> Arc<Tickets> {
        Arc::new(Tickets { secret: secret.clone(), scope })
    }

    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let secret = self.secret.current.as_ref().ok_or(Unspecified)?;
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt)?;
        let (key, nonce) = secret.key(&self.scope.0, &salt)?;
        let mut ticket = Vec::with_capacity(NAME_LEN + SALT_LEN + plain.len() + TAG_LEN);
        ticket.extend_from_slice(&secret.name);
        ticket.extend_from_slice(&salt);
        let begin = ticket.len();
        ticket.extend_from_slice(plain);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(secret.name), &mut ticket[begin..])?;
        ticket.extend_from_slice(tag.as_ref());
        Ok(ticket)
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > TICKET_MAX {
            return None;
        }
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (salt, sealed) = rest.split_first_chunk::<SALT_LEN>()?;
        let mut secrets = [&self.secret.current, &self.secret.previous].into_iter().flatten();
        let secret = secrets.find(|secret| secret.name == *name)?;
        let (key, nonce) = secret.key(&self.scope.0, salt).ok()?;
        let mut plain = sealed.to_vec();
        let len = key.open_in_place(nonce, Aad::from(*name), &mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.secret.current.is_some()
    }

    /// A ticket that was sealed just before the secret changed.
    fn lifetime(&self) -> u32 {
        TicketSecret::LIFETIME.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain).ok()
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(secret: &TicketSecret, scope: &str) -> Arc<Tickets> {
        Tickets::new(secret, TicketScope::of([scope.as_bytes()]))
    }

    #[test]
    fn opened_by_the_same_scope_alone() {
        let secret = TicketSecret::new().unwrap();
        let ticket = tickets(&secret, "a").encrypt(b"state").unwrap();
        assert_eq!(tickets(&secret, "a").decrypt(&ticket).as_deref(), Some(&b"state"[..]));
        assert_eq!(tickets(&secret, "b").decrypt(&ticket), None);
        assert_eq!(tickets(&TicketSecret::new().unwrap(), "a").decrypt(&ticket), None);
    }

    #[test]
    fn opened_until_the_secret_after_the_next() {
        let first = TicketSecret::new().unwrap();
        let second = first.next().unwrap();
        let third = second.next().unwrap();
        let ticket = tickets(&first, "a").encrypt(b"state").unwrap();
        assert!(tickets(&second, "a").decrypt(&ticket).is_some());
        assert!(tickets(&third, "a").decrypt(&ticket).is_none());
        let newer = tickets(&second, "a").encrypt(b"state").unwrap();
        assert!(tickets(&first, "a").decrypt(&newer).is_none());
    }

    #[test]
    fn without_a_secret_there_are_none() {
        let secret = TicketSecret::new().unwrap();
        let ticket = tickets(&secret, "a").encrypt(b"state").unwrap();
        for none in [TicketSecret::none(), TicketSecret::none().next().unwrap()] {
            let tickets = tickets(&none, "a");
            assert!(!tickets.enabled() && tickets.encrypt(b"state").is_none());
            assert_eq!(tickets.decrypt(&ticket), None);
        }
        assert!(tickets(&secret, "a").enabled());
    }

    #[test]
    fn nothing_that_was_changed_or_cut_is_opened() {
        let tickets = tickets(&TicketSecret::new().unwrap(), "a");
        let ticket = tickets.encrypt(b"the state of a session").unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None, "{at}");
            assert_eq!(tickets.decrypt(&ticket[..at]), None, "{at}");
        }
        assert_eq!(tickets.decrypt(&vec![0; TICKET_MAX + 1]), None);
        assert_ne!(tickets.encrypt(b"x"), tickets.encrypt(b"x"));
    }

    #[test]
    fn parts_of_a_scope_do_not_run_into_each_other() {
        assert_ne!(TicketScope::of([&b"ab"[..], b"c"]), TicketScope::of([&b"a"[..], b"bc"]));
    }
}
