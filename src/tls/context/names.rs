//! Whether a certificate has a name.

use crate::tls::CertificateFacts;
use std::net::IpAddr;

/// Whether a certificate has one of these names (`subjectAltNames`), as Envoy compares them: a URI, an email address or an
/// IP address exactly; a DNS name without regard to case, where a `*` of the certificate stands for one label.
pub(super) fn has_one_of(facts: &CertificateFacts, names: &[Box<str>]) -> bool {
    names.iter().any(|name| has(facts, name))
}

fn has(facts: &CertificateFacts, name: &str) -> bool {
    let is = |of: &[Box<str>]| of.iter().any(|other| **other == *name);
    let has_address = || name.parse::<IpAddr>().is_ok_and(|address| facts.addresses.contains(&address));
    is(&facts.uris)
        || is(&facts.emails)
        || facts.dns_names.iter().any(|pattern| covers(pattern, name))
        || has_address()
}

/// Whether a DNS name of a certificate is, or stands for, this name (RFC 9525 section 6.3).
fn covers(pattern: &str, name: &str) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let Some(behind) = pattern.strip_prefix("*.") else { return false };
    name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds() {
        let facts = CertificateFacts {
            dns_names: vec!["a.example.com".into(), "*.Example.org".into()],
            uris: vec!["spiffe://td/ns/a/sa/b".into()],
            addresses: vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            emails: vec!["a@example.com".into()],
            ..CertificateFacts::default()
        };
        for (name, expected) in [
            ("a.example.com", true),
            ("A.EXAMPLE.com", true),
            ("b.example.com", false),
            ("x.example.org", true),
            ("x.y.example.org", false),
            (".example.org", false),
            ("example.org", false),
            ("*.example.org", true),
            ("spiffe://td/ns/a/sa/b", true),
            ("spiffe://td/ns/a/sa/B", false),
            ("10.0.0.1", true),
            ("0:0::1", true),
            ("10.0.0.2", false),
            ("a@example.com", true),
            ("", false),
        ] {
            assert_eq!(has(&facts, name), expected, "{name}");
        }
    }
}
