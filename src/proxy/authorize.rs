//! Who may do what: requests and connections are held against the AuthorizationPolicies that apply.

use super::{ConnectionInfo, Environment, standard};
use crate::{
    filter::authorization::{DryRun, Facts, Identity, Judgement, Policies, Request, Verdict},
    http::{RequestHead, Scheme, split_port},
    jwt::Claims,
    table::{Authorization, Settings},
    telemetry::{Counter, bump},
};
use std::sync::Arc;

/// What the access log says where no rule allows what is asked for.
pub const NOT_ALLOWED: &str = "rbac_access_denied_matched_policy[none]";

/// A request as it has arrived, with what is known of its sender.
pub struct AuthorizationRequest<'a> {
    /// As routing sees it.
    pub head: &'a RequestHead,
    /// The scheme that routing goes by.
    pub scheme: Scheme,
    /// What its token says, if one was verified.
    pub claims: Option<&'a Claims>,
}

/// Judges a request. `Some`: it is denied; for the access log. `text` is memory to work with.
pub(super) fn request(
    authorization: &Authorization,
    asked: &AuthorizationRequest<'_>,
    info: &ConnectionInfo,
    settings: &Settings,
    env: &Environment,
    text: &mut Vec<u8>,
) -> Option<Arc<str>> {
    let counters = &env.counters;
    let totals = Totals {
        allowed: &counters.rbac_allowed,
        denied: &counters.rbac_denied,
        dry_allowed: &counters.rbac_shadow_allowed,
        dry_denied: &counters.rbac_shadow_denied,
    };
    with_facts(asked, info, settings, text, |facts| {
        judge(authorization, &authorization.http, facts, env, &totals)
    })
}

/// Judges a connection that is not HTTP. `Some`: it is denied; for the access log.
pub(super) fn connection(
    authorization: &Authorization,
    info: &ConnectionInfo,
    env: &Environment,
) -> Option<Arc<str>> {
    let counters = &env.counters;
    let totals = Totals {
        allowed: &counters.tcp_rbac_allowed,
        denied: &counters.tcp_rbac_denied,
        dry_allowed: &counters.tcp_rbac_shadow_allowed,
        dry_denied: &counters.tcp_rbac_shadow_denied,
    };
    judge(authorization, &authorization.tcp, &facts_of_connection(info), env, &totals)
}

/// Where the totals are counted.
struct Totals<'c> {
    allowed: &'c Counter,
    denied: &'c Counter,
    dry_allowed: &'c Counter,
    dry_denied: &'c Counter,
}

fn judge(
    authorization: &Authorization,
    policies: &Policies,
    facts: &Facts<'_>,
    env: &Environment,
    totals: &Totals<'_>,
) -> Option<Arc<str>> {
    let Judgement { verdict, dry_run } = policies.judge(facts, |rule| {
        if let Some(policy) = authorization.policy(rule) {
            env.policies.matched(&policy.labels);
        }
    });
    match dry_run {
        DryRun::None => {}
        DryRun::Allowed => bump(totals.dry_allowed, 1),
        DryRun::Denied => bump(totals.dry_denied, 1),
    }
    match verdict {
        Verdict::Allowed(_) => {
            bump(totals.allowed, 1);
            None
        }
        Verdict::Denied(rule) => {
            bump(totals.denied, 1);
            Some(rule.map_or_else(|| NOT_ALLOWED.into(), |rule| Arc::clone(&rule.details)))
        }
    }
}

/// Calls `with` with everything that is known of a request. `text` is memory to work with.
pub fn with_facts<R>(
    asked: &AuthorizationRequest<'_>,
    info: &ConnectionInfo,
    settings: &Settings,
    text: &mut Vec<u8>,
    with: impl FnOnce(&Facts<'_>) -> R,
) -> R {
    host(&asked.head.authority, text);
    let AuthorizationRequest { head, scheme, claims } = *asked;
    with(&Facts {
        remote_ip: standard::client_address(head, settings, info),
        request: Some(Request { head, host: text, scheme, claims }),
        ..facts_of_connection(info)
    })
}

/// Everything that is known of a connection.
pub fn facts_of_connection(info: &ConnectionInfo) -> Facts<'_> {
    Facts {
        source_ip: info.direct_peer.map(|peer| peer.ip()),
        remote_ip: info.peer_ip(),
        destination_ip: info.local.map(|local| local.ip()),
        port: info.port,
        server_name: info.server_name.as_deref().unwrap_or_default(),
        identity: identity(info),
        request: None,
    }
}

/// Who a client is by a certificate that somebody vouches for. Where any is accepted (`insecureSkipVerify`) it may say what
/// it likes, and is nobody's.
fn identity(info: &ConnectionInfo) -> Option<Identity<'_>> {
    let tls = info.tls.as_deref().filter(|tls| tls.is_peer_verified)?;
    let facts = &tls.peer.as_ref()?.facts;
    let is_named = !facts.uris.is_empty() || !facts.dns_names.is_empty() || !facts.subject.is_empty();
    Some(Identity { uris: &facts.uris, is_named })
}

/// An authority as policies see it: in lower case, and without the dot that a host may end with, for neither counts when a
/// route is looked for.
fn host(authority: &[u8], text: &mut Vec<u8>) {
    text.clear();
    let (host, port) = split_port(authority);
    text.extend_from_slice(host.strip_suffix(b".").unwrap_or(host));
    if let Some(port) = port {
        text.push(b':');
        text.extend_from_slice(port);
    }
    text.make_ascii_lowercase();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (authority, expected) in [
            ("A.Example", "a.example"),
            ("a.example.", "a.example"),
            ("a.example.:80", "a.example:80"),
            ("a.example:", "a.example:"),
            ("[::1]:80", "[::1]:80"),
            ("", ""),
        ] {
            let mut text = b"before".to_vec();
            host(authority.as_bytes(), &mut text);
            assert_eq!(text, expected.as_bytes(), "{authority}");
        }
    }
}
