//! The certificate that a client has shown, as `x-forwarded-client-cert` and header values tell it.

use super::{CertificateFacts, certificate::hex};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use std::ops::Range;

/// The certificate that a client has shown, and that was accepted. Made once for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// What it says.
    pub facts: CertificateFacts,
    /// SHA-1 of it, by which older systems know certificates.
    pub sha1: [u8; 20],
    /// The element of `x-forwarded-client-cert` that tells of it:
    /// `By=<uri>;Hash=<sha256>;Cert="<pem>";Subject="<subject>";URI=<uri>;DNS=<name>`.
    pub xfcc: Box<str>,
    /// Where in that the PEM is.
    pem: Range<usize>,
}

impl PeerCertificate {
    /// Of the client's certificate (DER) and the URI in our own. Nothing: it can't be read.
    pub fn new(der: &[u8], local_uri: Option<&str>) -> Option<PeerCertificate> {
        let facts = CertificateFacts::parse(der)?;
        let mut sha1 = [0; 20];
        // A digest of SHA-1 has this length.
        let digest = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, der);
        sha1.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        let (xfcc, pem) = element(&facts, &url_encoded_pem(der), local_uri);
        Some(PeerCertificate { facts, sha1, xfcc, pem })
    }

    /// PEM, URL-encoded as Envoy does it.
    pub fn pem(&self) -> &str {
        self.xfcc.get(self.pem.clone()).unwrap_or_default()
    }
}

/// The details that Istio chooses, in Envoy's order: certificate, subject, first URI, all DNS names (specification section
/// 2.6). Subject and URI are there even if they are empty.
///
/// Returns where the PEM is, too.
fn element(facts: &CertificateFacts, pem: &str, local_uri: Option<&str>) -> (Box<str>, Range<usize>) {
    let mut text = String::with_capacity(pem.len() + 256);
    if let Some(uri) = local_uri {
        text.push_str("By=");
        push_value(&mut text, uri);
        text.push(';');
    }
    text.push_str("Hash=");
    text.push_str(&hex(&facts.sha256));
    text.push_str(";Cert=\"");
    let begin = text.len();
    text.push_str(pem);
    let pem = begin..text.len();
    text.push_str("\";Subject=\"");
    // A quotation mark in it is escaped already (RFC 2253).
    text.push_str(&facts.subject);
    text.push_str("\";URI=");
    push_value(&mut text, facts.uris.first().map_or("", |uri| uri));
    for name in &facts.dns_names {
        text.push_str(";DNS=");
        push_value(&mut text, name);
    }
    (text.into(), pem)
}

/// A value that could be taken for more than one stands between quotation marks. What a header can't carry, or a certificate
/// can't mean, becomes `?`.
fn push_value(text: &mut String, value: &str) {
    let is_plain = !value.contains([',', ';', '=', '"']);
    if !is_plain {
        text.push('"');
    }
    for char in value.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' if !is_plain => text.push_str("\\\\"),
            ' '..='~' => text.push(char),
            _ => text.push('?'),
        }
    }
    if !is_plain {
        text.push('"');
    }
}

/// PEM with what is not safe in a header percent-encoded, as Envoy does it: line ends, spaces, `+`, `/` and `=`.
fn url_encoded_pem(der: &[u8]) -> Box<str> {
    /// Characters of a line (RFC 7468 section 2).
    const LINE: usize = 64;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(der.len() * 3 / 2 + 80);
    text.push_str("-----BEGIN%20CERTIFICATE-----%0A");
    let mut column = 0;
    for chunk in der.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (position, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            match ALPHABET[(bits >> shift & 63) as usize] {
                _ if position > chunk.len() => text.push_str("%3D"),
                b'+' => text.push_str("%2B"),
                b'/' => text.push_str("%2F"),
                char => text.push(char::from(char)),
            }
        }
        column += 4;
        if column == LINE {
            text.push_str("%0A");
            column = 0;
        }
    }
    if column > 0 {
        text.push_str("%0A");
    }
    text.push_str("-----END%20CERTIFICATE-----%0A");
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    #[test]
    fn pem_of_all_lengths() {
        let text = |bytes: &[u8]| {
            let text = url_encoded_pem(bytes);
            let begin = text.strip_prefix("-----BEGIN%20CERTIFICATE-----%0A").unwrap().to_owned();
            begin.strip_suffix("-----END%20CERTIFICATE-----%0A").unwrap().to_owned()
        };
        assert_eq!(text(b""), "");
        assert_eq!(text(b"f"), "Zg%3D%3D%0A");
        assert_eq!(text(b"fo"), "Zm8%3D%0A");
        assert_eq!(text(b"foo"), "Zm9v%0A");
        assert_eq!(text(&[0xfb, 0xff, 0xfe]), "%2B%2F%2F%2B%0A");
        let line = "QUFB".repeat(16);
        assert_eq!(text(&[b'A'; 48]), format!("{line}%0A"));
        assert_eq!(text(&[b'A'; 51]), format!("{line}%0AQUFB%0A"));
    }

    #[test]
    fn of_a_certificate() {
        let leaf = Authority::new("root").leaf(&["a", "spiffe://td/a"]);
        let peer = PeerCertificate::new(&leaf.der, None).unwrap();
        let expected = leaf.chain.trim_end().replace("\r\n", "\n").to_owned() + "\n";
        let decoded = peer.pem().replace("%0A", "\n").replace("%20", " ").replace("%2B", "+");
        assert_eq!(decoded.replace("%2F", "/").replace("%3D", "="), expected);
        assert!(peer.xfcc.ends_with(";Subject=\"CN=a\";URI=spiffe://td/a;DNS=a"), "{}", peer.xfcc);
        assert_eq!(PeerCertificate::new(b"x", None), None);
    }

    #[test]
    fn elements() {
        let mut facts = CertificateFacts {
            subject: "CN=a,O=\\\"b\\\"".into(),
            uris: vec!["spiffe://td/ns/a".into(), "spiffe://other".into()],
            dns_names: vec!["a.example.com".into(), "b.example.com".into()],
            sha256: [0xab; 32],
            ..CertificateFacts::default()
        };
        let hash = "ab".repeat(32);
        assert_eq!(
            &*element(&facts, "PEM", Some("spiffe://us")).0,
            format!(
                "By=spiffe://us;Hash={hash};Cert=\"PEM\";Subject=\"CN=a,O=\\\"b\\\"\";URI=spiffe://td/ns/a;\
                 DNS=a.example.com;DNS=b.example.com"
            )
        );
        facts.uris.clear();
        facts.dns_names = vec!["x;URI=spiffe://evil".into(), "a\r\nb\"".into()];
        assert_eq!(
            &*element(&facts, "", None).0,
            format!(
                "Hash={hash};Cert=\"\";Subject=\"CN=a,O=\\\"b\\\"\";URI=;DNS=\"x;URI=spiffe://evil\";DNS=\"a??b\\\"\""
            )
        );
    }
}
