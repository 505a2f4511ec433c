//! Names, times and digests of a certificate.

use super::distinguished_name;
use aws_lc_rs::digest::{self, SHA256};
use rustls::{CertificateError, Error, pki_types::UnixTime};
use std::net::IpAddr;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

/// Names of one kind that are kept. A certificate with more is one of a content delivery network; what it says further is
/// not needed by anybody here, but a client's would be told to origins.
const NAMES_MAX: usize = 1000;

/// What a certificate says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose it is, as in RFC 2253: `CN=a,O=b`; empty if it does not say.
    pub subject: Box<str>,
    /// Who has made it.
    pub issuer: Box<str>,
    /// Its number, in lower-case hexadecimal digits.
    pub serial: Box<str>,
    /// Unix time in seconds from which on it holds.
    pub not_before: i64,
    /// Unix time in seconds until which it holds.
    pub not_after: i64,
    /// Alternative names: DNS.
    pub dns_names: Vec<Box<str>>,
    /// Alternative names: URI.
    pub uris: Vec<Box<str>>,
    /// Alternative names: IP addresses.
    pub addresses: Vec<IpAddr>,
    /// Alternative names: email addresses.
    pub emails: Vec<Box<str>>,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// SHA-256 of its public key (SubjectPublicKeyInfo).
    pub key_sha256: [u8; 32],
}

impl CertificateFacts {
    /// Reads a certificate (DER). Nothing: it is malformed. It says nothing about whether it is to be believed.
    pub fn parse(der: &[u8]) -> Option<CertificateFacts> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut facts = CertificateFacts {
            subject: distinguished_name::text(certificate.subject()),
            issuer: distinguished_name::text(certificate.issuer()),
            serial: serial(certificate.raw_serial()),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            sha256: sha256(der),
            key_sha256: sha256(certificate.public_key().raw),
            ..CertificateFacts::default()
        };
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            for name in names.value.general_names.iter().take(NAMES_MAX) {
                facts.add(name);
            }
        }
        Some(facts)
    }

    fn add(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => self.dns_names.push((*name).into()),
            GeneralName::URI(name) => self.uris.push((*name).into()),
            GeneralName::RFC822Name(name) => self.emails.push((*name).into()),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                self.addresses.extend(v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)));
            }
            _ => {}
        }
    }

    /// Whether it holds at this time.
    ///
    /// # Errors
    /// It has ended, or not begun.
    pub(in crate::tls) fn check_time(&self, now: UnixTime) -> Result<(), Error> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match () {
            () if now < self.not_before => Err(CertificateError::NotValidYet.into()),
            () if now > self.not_after => Err(CertificateError::Expired.into()),
            () => Ok(()),
        }
    }
}

/// Without the zero bytes in front, which only say that it is positive.
fn serial(bytes: &[u8]) -> Box<str> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros..) {
        None | Some([]) => "0".into(),
        Some(short) => hex(short).into(),
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    // A digest of SHA-256 has this length.
    digest.iter_mut().zip(digest::digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}
