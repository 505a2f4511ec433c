//! One thing that a rule asks.

use super::{Facts, Namespace, PathTemplate, ServiceAccount, Texts, facts::Header};
use crate::{filter::Networks, http::split_port};
use serde_json::Value;
use std::fmt;

/// What a field of a rule asks, or a condition of `when`: `values`, or, negated, `notValues`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The field as it is written: `hosts`, `notPaths`, `request.headers[x]`.
    pub field: Box<str>,
    /// It holds if the test does not.
    pub is_negated: bool,
    /// What is looked at.
    pub test: Test,
}

/// What is looked at, and what must be found there.
#[derive(Clone, Debug)]
pub enum Test {
    /// `source.ip`, `ipBlocks`
    SourceIp(Networks),
    /// `remote.ip`, `remoteIpBlocks`
    RemoteIp(Networks),
    /// `destination.ip`
    DestinationIp(Networks),
    /// `destination.port`, `ports`; sorted.
    Port(Box<[u16]>),
    /// `connection.sni`; in lower case.
    ServerName(Texts),
    /// `source.principal`, `principals`
    Principal(Texts),
    /// `source.namespace`, `namespaces`
    Namespace(Box<[Namespace]>),
    /// `source.serviceAccount`, `serviceAccounts`
    ServiceAccount(Box<[ServiceAccount]>),
    /// `trustDomains`
    TrustDomain(Texts),
    /// `request.auth.principal`, `requestPrincipals`
    RequestPrincipal(RequestPrincipals),
    /// `request.auth.claims[x][y]`; also `request.auth.audiences` and `request.auth.presenter`, which are the claims `aud` and
    /// `azp`.
    Claim(Box<[Box<str>]>, Texts),
    /// `hosts`; in lower case.
    Host(Texts),
    /// `paths`
    Path(Texts, Box<[PathTemplate]>),
    /// `methods`
    Method(Texts),
    /// `request.headers[host]` and `request.headers[:authority]`: the values as they are written, and those in lower case
    /// without a dot at the end, as routing has hosts.
    Authority(Texts, Texts),
    /// `request.headers[x]` of any other name; the name in lower case.
    Header(Box<[u8]>, Texts),
    /// `request.experimental.inline.headers[x]`: one of the elements of a list with commas.
    InlineHeader(Box<[u8]>, Texts),
}

/// How a value is read that can be read in more than one way: several fields of one name, a host with a port, an odd
/// character in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As Envoy reads it. What lets a request in must be found exactly.
    Exact,
    /// In any way in which somebody behind the gateway may read it. What keeps a request out is not got around by writing it
    /// differently.
    Wide,
}

impl Condition {
    /// Whether it holds. `finds` is how a match is read that makes the rule match.
    pub(super) fn holds(&self, facts: &Facts<'_>, finds: Reading) -> bool {
        let reading = match (finds, self.is_negated) {
            (Reading::Exact, false) | (Reading::Wide, true) => Reading::Exact,
            (Reading::Exact, true) | (Reading::Wide, false) => Reading::Wide,
        };
        self.test.finds(facts, reading) != self.is_negated
    }

    /// Whether it asks something of a request, which a connection that is not HTTP has not.
    pub fn is_about_http(&self) -> bool {
        match self.test {
            Test::SourceIp(_) | Test::RemoteIp(_) | Test::DestinationIp(_) | Test::Port(_) => false,
            Test::ServerName(_) | Test::Principal(_) | Test::Namespace(_) => false,
            Test::ServiceAccount(_) | Test::TrustDomain(_) => false,
            Test::RequestPrincipal(_) | Test::Claim(..) | Test::Host(_) | Test::Path(..) => true,
            Test::Method(_) | Test::Authority(..) | Test::Header(..) | Test::InlineHeader(..) => true,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)
    }
}

impl Test {
    /// Whether only a client's certificate tells it.
    pub fn is_about_certificate(&self) -> bool {
        matches!(
            self,
            Test::Principal(_) | Test::Namespace(_) | Test::ServiceAccount(_) | Test::TrustDomain(_)
        )
    }

    fn finds(&self, facts: &Facts<'_>, reading: Reading) -> bool {
        let identity = facts.identity;
        match self {
            Test::SourceIp(networks) => facts.source_ip.is_some_and(|ip| networks.contains(ip)),
            Test::RemoteIp(networks) => facts.remote_ip.is_some_and(|ip| networks.contains(ip)),
            Test::DestinationIp(networks) => facts.destination_ip.is_some_and(|ip| networks.contains(ip)),
            Test::Port(ports) => facts.port.is_some_and(|port| ports.binary_search(&port).is_ok()),
            Test::ServerName(texts) => texts.has(facts.server_name.as_bytes()),
            Test::Principal(texts) => identity.is_some_and(|who| who.is_principal(texts)),
            Test::Namespace(list) => identity.is_some_and(|who| who.is_in_namespace(list)),
            Test::ServiceAccount(list) => identity.is_some_and(|who| who.is_account(list)),
            Test::TrustDomain(texts) => identity.is_some_and(|who| who.is_in_trust_domain(texts)),
            _ => self.finds_in_request(facts, reading),
        }
    }

    fn finds_in_request(&self, facts: &Facts<'_>, reading: Reading) -> bool {
        let Some(request) = facts.request else { return false };
        let is_wide = reading == Reading::Wide;
        match self {
            Test::RequestPrincipal(principals) => {
                let claim = |name: &str| request.claims?.find(&[name])?.as_str();
                claim("iss")
                    .zip(claim("sub"))
                    .is_some_and(|(issuer, subject)| principals.has(issuer, subject))
            }
            Test::Claim(path, texts) => request
                .claims
                .and_then(|claims| claims.find(path))
                .is_some_and(|claim| is_claim(claim, texts)),
            Test::Host(texts) => texts.has(request.host) || is_wide && texts.has(split_port(request.host).0),
            Test::Path(texts, templates) => {
                let path = request.head.path();
                texts.has(path) || templates.iter().any(|template| template.matches(path, !is_wide))
            }
            Test::Method(texts) => texts.has(&request.head.method),
            // Written in another way it goes to the same place, so a refusal is not got around by that.
            Test::Authority(texts, lower) => {
                let host = request.host;
                !request.head.authority.is_empty() && texts.has(&request.head.authority)
                    || is_wide && (lower.has(host) || lower.has(split_port(host).0))
            }
            Test::Header(name, texts) => request.header(name).is_some_and(|Header { joined, each }| {
                // A field that is there but empty is there.
                texts.has_any() || texts.has(&joined) || is_wide && each.iter().any(|value| texts.has(value))
            }),
            Test::InlineHeader(name, texts) => {
                request.header(name).is_some_and(|Header { joined, .. }| {
                    texts.has_any()
                        || joined.split(|byte| *byte == b',').any(|value| texts.has(value.trim_ascii()))
                })
            }
            _ => false,
        }
    }
}

/// A text, or one of a list of texts; numbers and the like are no texts (Envoy's matcher of metadata).
fn is_claim(claim: &Value, texts: &Texts) -> bool {
    match claim {
        Value::String(text) => texts.has(text.as_bytes()),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(|text| texts.has(text.as_bytes())),
        _ => false,
    }
}

/// Request principals, `<issuer>/<subject>`: what stands behind the last slash is the subject, for an issuer may be a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestPrincipals {
    /// Sorted.
    exact: Box<[(Box<str>, Box<str>)]>,
    others: Box<[(Part, Part)]>,
}

/// What one part of a principal must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Any,
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
}

impl Part {
    fn is(&self, text: &str) -> bool {
        match self {
            Part::Any => !text.is_empty(),
            Part::Exact(exact) => **exact == *text,
            Part::Prefix(prefix) => text.starts_with(&**prefix),
            Part::Suffix(suffix) => text.ends_with(&**suffix),
        }
    }
}

impl RequestPrincipals {
    /// The set of these values as they are written in a policy. Issuer and subject are compared by themselves, as istiod has
    /// it done: an issuer can't make a subject that makes it look like another.
    pub fn new<'v>(values: impl IntoIterator<Item = &'v str>) -> RequestPrincipals {
        let (mut exact, mut others) = (Vec::new(), Vec::new());
        for value in values {
            let parts = value.rsplit_once('/');
            let (issuer, subject) = parts.unwrap_or((value, ""));
            let starts = value.strip_prefix('*').is_some();
            let ends = value.strip_suffix('*');
            match (value, starts, ends, parts) {
                ("*", ..) => others.push((Part::Any, Part::Any)),
                (_, true, _, Some(("*", subject))) => others.push((Part::Any, Part::Exact(subject.into()))),
                (_, true, _, Some((issuer, subject))) => {
                    let suffix = issuer.strip_prefix('*').unwrap_or(issuer);
                    others.push((Part::Suffix(suffix.into()), Part::Exact(subject.into())));
                }
                (_, true, _, None) => {
                    let suffix = value.strip_prefix('*').unwrap_or(value);
                    others.push((Part::Any, Part::Suffix(suffix.into())));
                }
                (_, _, Some(_), Some((issuer, "*"))) => others.push((Part::Exact(issuer.into()), Part::Any)),
                (_, _, Some(_), Some((issuer, subject))) => {
                    let prefix = subject.strip_suffix('*').unwrap_or(subject);
                    others.push((Part::Exact(issuer.into()), Part::Prefix(prefix.into())));
                }
                (_, _, Some(prefix), None) => others.push((Part::Prefix(prefix.into()), Part::Any)),
                _ => exact.push((Box::from(issuer), Box::from(subject))),
            }
        }
        exact.sort_unstable();
        RequestPrincipals { exact: exact.into(), others: others.into() }
    }

    fn has(&self, issuer: &str, subject: &str) -> bool {
        let is_exact = self.exact.binary_search_by(|(i, s)| (&**i, &**s).cmp(&(issuer, subject))).is_ok();
        is_exact || self.others.iter().any(|(i, s)| i.is(issuer) && s.is(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_principals() {
        let has = |pattern: &str, issuer: &str, subject: &str| {
            RequestPrincipals::new([pattern]).has(issuer, subject)
        };
        for (pattern, issuer, subject, expected) in [
            ("*", "i", "s", true),
            ("*", "i", "", false),
            ("i/s", "i", "s", true),
            ("i/s", "i", "t", false),
            ("https://accounts.example.com/me", "https://accounts.example.com", "me", true),
            // An issuer can't speak for another by what subjects it makes up.
            ("https://a/b/me", "https://a", "b/me", false),
            ("i/*", "i", "anybody", true),
            ("i/*", "j", "anybody", false),
            ("i/s*", "i", "s2", true),
            ("*/s", "anything", "s", true),
            ("*/s", "anything", "t", false),
            ("*.com/s", "a.com", "s", true),
            ("*.com/s", "a.org", "s", false),
            ("*2", "i", "s2", true),
            ("i*", "i2", "s", true),
            ("i*", "j", "s", false),
        ] {
            assert_eq!(has(pattern, issuer, subject), expected, "{pattern} {issuer} {subject}");
        }
    }
}
