//! `x-forwarded-client-cert`: what origins are told of the client's certificate (specification section 2.6).

use super::TlsInfo;
use crate::{
    filter::{Peer, Tls},
    http::{Fields, Name},
    table::ForwardClientCert,
    tls::{PeerCertificate, suite_name, version_name},
};

const LOWER: &str = "x-forwarded-client-cert";

/// Removes, keeps, replaces or extends what a client says of certificates. `peer` is the one that it has shown itself.
/// `text` is memory to work with.
pub(super) fn forward(
    fields: &mut Fields,
    mode: ForwardClientCert,
    peer: Option<&PeerCertificate>,
    text: &mut Vec<u8>,
) {
    match (mode, peer) {
        (ForwardClientCert::AlwaysForwardOnly, _) | (ForwardClientCert::ForwardOnly, Some(_)) => {}
        // Who has not shown who he is may not say who others are.
        (ForwardClientCert::Sanitize, _) | (_, None) => {
            fields.remove(Name::XForwardedClientCert);
        }
        (ForwardClientCert::SanitizeSet, Some(peer)) => {
            fields.remove(Name::XForwardedClientCert);
            fields.push_known(Name::XForwardedClientCert, LOWER, peer.xfcc.as_bytes());
        }
        (ForwardClientCert::AppendForward, Some(peer)) => {
            text.clear();
            for value in fields.get_all(LOWER.as_bytes()).filter(|value| !value.is_empty()) {
                text.extend_from_slice(value);
                text.push(b',');
            }
            text.extend_from_slice(peer.xfcc.as_bytes());
            fields.remove(Name::XForwardedClientCert);
            fields.push_known(Name::XForwardedClientCert, LOWER, text);
        }
    }
}

/// What substitutions in header values read of a connection's TLS.
pub(super) fn facts(tls: &TlsInfo) -> Tls<'_> {
    Tls {
        version: version_name(tls.agreed.version),
        cipher: suite_name(tls.agreed.suite),
        peer: tls.peer.as_ref().map(peer),
    }
}

fn peer(peer: &PeerCertificate) -> Peer<'_> {
    let facts = &peer.facts;
    // A certificate from before 1970 is as good as one from then.
    let unix_ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    Peer {
        subject: &facts.subject,
        issuer: &facts.issuer,
        serial: &facts.serial,
        sha256: &facts.sha256,
        sha1: &peer.sha1,
        uris: &facts.uris,
        dns_names: &facts.dns_names,
        emails: &facts.emails,
        addresses: &facts.addresses,
        pem: peer.pem(),
        not_before_ms: unix_ms(facts.not_before),
        not_after_ms: unix_ms(facts.not_after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    #[test]
    fn five_modes_with_and_without_a_certificate() {
        let leaf = Authority::new("root").leaf(&["a"]);
        let peer = PeerCertificate::new(&leaf.der, Some("spiffe://us")).unwrap();
        let ours = peer.xfcc.to_string();
        assert!(ours.starts_with("By=spiffe://us;Hash="));
        let both = format!("Hash=1,Hash=2,{ours}");
        let kept = "Hash=1|Hash=2";
        for (mode, with, without) in [
            (ForwardClientCert::Sanitize, "", ""),
            (ForwardClientCert::ForwardOnly, kept, ""),
            (ForwardClientCert::AppendForward, both.as_str(), ""),
            (ForwardClientCert::SanitizeSet, ours.as_str(), ""),
            (ForwardClientCert::AlwaysForwardOnly, kept, kept),
        ] {
            for (peer, expected) in [(Some(&peer), with), (None, without)] {
                let mut fields = Fields::default();
                fields.push(b"X-Forwarded-Client-Cert", b"Hash=1");
                fields.push(b"other", b"x");
                fields.push(b"x-forwarded-client-cert", b"Hash=2");
                forward(&mut fields, mode, peer, &mut Vec::new());
                let values: Vec<_> = fields.get_all(LOWER.as_bytes()).map(String::from_utf8_lossy).collect();
                assert_eq!(values.join("|"), expected, "{mode:?} {}", peer.is_some());
                assert!(fields.get_text(b"other").is_some());
            }
        }
        let mut fields = Fields::default();
        forward(&mut fields, ForwardClientCert::AppendForward, Some(&peer), &mut Vec::new());
        assert_eq!(fields.get_text(LOWER.as_bytes()), Some(ours.as_bytes()));
    }
}
