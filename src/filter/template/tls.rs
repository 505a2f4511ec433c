//! What the commands about the client's TLS read: `%DOWNSTREAM_TLS_VERSION%`, `%DOWNSTREAM_PEER_SUBJECT%` and the like.

use crate::telemetry::{TlsFact, ValidityEnd};
use std::{fmt::Display, io::Write, net::IpAddr};

/// The client's TLS, if it ended here.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// `DOWNSTREAM_TLS_VERSION`: `TLSv1.3`
    pub version: &'a str,
    /// `DOWNSTREAM_TLS_CIPHER`: as OpenSSL calls it.
    pub cipher: &'a str,
    /// The certificate that the client has shown.
    pub peer: Option<Peer<'a>>,
}

/// The certificate that the client has shown.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// `DOWNSTREAM_PEER_SUBJECT`
    pub subject: &'a str,
    /// `DOWNSTREAM_PEER_ISSUER`
    pub issuer: &'a str,
    /// `DOWNSTREAM_PEER_SERIAL`
    pub serial: &'a str,
    /// `DOWNSTREAM_PEER_FINGERPRINT_256`
    pub sha256: &'a [u8],
    /// `DOWNSTREAM_PEER_FINGERPRINT_1`
    pub sha1: &'a [u8],
    /// `DOWNSTREAM_PEER_URI_SAN`
    pub uris: &'a [Box<str>],
    /// `DOWNSTREAM_PEER_DNS_SAN`
    pub dns_names: &'a [Box<str>],
    /// `DOWNSTREAM_PEER_EMAIL_SAN`
    pub emails: &'a [Box<str>],
    /// `DOWNSTREAM_PEER_IP_SAN`
    pub addresses: &'a [IpAddr],
    /// `DOWNSTREAM_PEER_CERT`: PEM, URL-encoded.
    pub pem: &'a str,
    /// `DOWNSTREAM_PEER_CERT_V_START`: Unix time in milliseconds.
    pub not_before_ms: u64,
    /// `DOWNSTREAM_PEER_CERT_V_END`: Unix time in milliseconds.
    pub not_after_ms: u64,
}

impl TlsFact {
    /// Appends it; nothing where it is not known. Several names are separated by commas.
    pub fn render(self, tls: &Tls<'_>, out: &mut Vec<u8>) {
        match self {
            TlsFact::Version => return out.extend_from_slice(tls.version.as_bytes()),
            TlsFact::Cipher => return out.extend_from_slice(tls.cipher.as_bytes()),
            _ => {}
        }
        let Some(peer) = &tls.peer else { return };
        match self {
            TlsFact::Version | TlsFact::Cipher => {}
            TlsFact::Subject => out.extend_from_slice(peer.subject.as_bytes()),
            TlsFact::Issuer => out.extend_from_slice(peer.issuer.as_bytes()),
            TlsFact::Serial => out.extend_from_slice(peer.serial.as_bytes()),
            TlsFact::Pem => out.extend_from_slice(peer.pem.as_bytes()),
            TlsFact::Sha256 => push_hex(peer.sha256, out),
            TlsFact::Sha1 => push_hex(peer.sha1, out),
            TlsFact::Uris => push_list(peer.uris, out),
            TlsFact::DnsNames => push_list(peer.dns_names, out),
            TlsFact::Emails => push_list(peer.emails, out),
            TlsFact::Addresses => push_list(peer.addresses, out),
        }
    }
}

impl ValidityEnd {
    /// Unix time in milliseconds.
    pub fn of(self, peer: &Peer<'_>) -> u64 {
        match self {
            ValidityEnd::NotBefore => peer.not_before_ms,
            ValidityEnd::NotAfter => peer.not_after_ms,
        }
    }
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    // Writing to memory can't fail, here and below.
    bytes.iter().for_each(|byte| drop(write!(out, "{byte:02x}")));
}

fn push_list(names: &[impl Display], out: &mut Vec<u8>) {
    for (position, name) in names.iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let _ = write!(out, "{comma}{name}");
    }
}
