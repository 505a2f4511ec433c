//! RequestAuthentications to the rules for tokens (specification section 5).

use super::{
    policy_selection::{PolicySelection, Targeted, named_targets},
    report::Report,
};
use crate::{
    config::{
        Resource, Resources, Spanned,
        resources::{ClaimToHeader, JwtRule, PolicySelector, PolicyTargetReference, RequestAuthentication},
    },
    filter::{Authentication, ClaimField, KeySource, KeySourceId, Location, TokenRule},
    jwt::{KeySet, SharedSecrets, Terms},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long a fetch of keys may take where a rule says nothing (`timeout` of `JWTRule`).
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The claims that are lists of words in every token (istiod's `SpaceDelimitedClaims`).
const LIST_CLAIMS: [&str; 2] = ["scope", "permission"];

impl Targeted for RequestAuthentication {
    fn selector(&self) -> Option<&Spanned<PolicySelector>> {
        self.selector.as_ref()
    }

    fn target_refs(&self) -> Vec<&Spanned<PolicyTargetReference>> {
        named_targets(&self.target_refs, &self.target_ref)
    }
}

/// The rules of all policies that apply. `None`: there is none, and nobody looks for tokens.
///
/// A policy that has an error is left out; who serves with an error would serve without it, so nobody does.
pub(super) fn authentication(
    resources: &Resources,
    selection: &PolicySelection<'_>,
    report: &mut Report,
) -> Option<Box<Authentication>> {
    let policies = selection.applying(&resources.request_authentications, report);
    let mut made = Authentication::default();
    let mut known = HashMap::new();
    for policy in policies.into_iter().filter(|policy| !report.is_broken(&policy.object)) {
        for (position, rule) in policy.spec.jwt_rules.iter().enumerate() {
            let keys = key_source(rule, &mut made.sources, &mut known);
            let rule_of_tokens = token_rule(policy, position, rule, keys);
            made.add(rule_of_tokens, locations(rule));
        }
    }
    (!made.rules.is_empty()).then(|| Box::new(made))
}

fn token_rule(
    policy: &Resource<RequestAuthentication>,
    position: usize,
    rule: &JwtRule,
    keys: KeySourceId,
) -> TokenRule {
    let claim_field = |claim: &ClaimToHeader| ClaimField {
        field: lower(text(&claim.header)),
        path: text(&claim.claim).split('.').map(Box::from).collect(),
    };
    let lists = rule.space_delimited_claims.iter().map(|name| name.value.as_str());
    TokenRule {
        name: format!("{}, jwtRules[{position}]", policy.object).into(),
        terms: Terms::new(text(&rule.issuer), rule.audiences.iter().map(|audience| audience.value.as_str())),
        keys,
        forwards: rule.forward_original_token.as_ref().is_some_and(|forwards| forwards.value),
        payload_field: Some(text(&rule.output_payload_to_header)).filter(|name| !name.is_empty()).map(lower),
        claim_fields: rule.output_claim_to_headers.iter().map(|claim| claim_field(claim)).collect(),
        lists: LIST_CLAIMS.into_iter().chain(lists).map(Box::from).collect(),
    }
}

/// Where a rule's tokens are. A rule that names no place at all has the usual two.
fn locations(rule: &JwtRule) -> Vec<Location> {
    let header =
        |name: &str, prefix: &str| Location::Header { name: lower(name), prefix: prefix.as_bytes().into() };
    let headers = rule.from_headers.iter().map(|from| header(text(&from.name), text(&from.prefix)));
    let params = rule.from_params.iter().map(|name| Location::Param(name.as_bytes().into()));
    let cookies = rule.from_cookies.iter().map(|name| Location::Cookie(name.as_bytes().into()));
    let mut locations: Vec<Location> = headers.chain(params).chain(cookies).collect();
    if locations.is_empty() {
        locations = vec![header("authorization", "Bearer "), Location::Param(b"access_token"[..].into())];
    }
    locations
}

/// What tells key sources apart.
type Source<'r> = (&'static str, &'r str, Duration);

fn key_source<'r>(
    rule: &'r JwtRule,
    sources: &mut Vec<KeySource>,
    known: &mut HashMap<Source<'r>, KeySourceId>,
) -> KeySourceId {
    let timeout = rule.timeout.as_ref().map_or(FETCH_TIMEOUT, |timeout| timeout.value);
    let (jwks, url, issuer) = (text(&rule.jwks), text(&rule.jwks_uri), text(&rule.issuer));
    let (identity, source) = if !jwks.is_empty() {
        // A set that can't be used is an error of the policy; it would verify nothing.
        let keys = || KeySet::parse(jwks.as_bytes(), SharedSecrets::Used).unwrap_or_default();
        (("jwks", jwks, Duration::ZERO), KeySource::Local(Arc::new(keys())))
    } else if !url.is_empty() {
        (("jwksUri", url, timeout), KeySource::Remote { url: url.into(), timeout })
    } else {
        (("issuer", issuer, timeout), KeySource::Discovered { issuer: issuer.into(), timeout })
    };
    *known.entry(identity).or_insert_with(|| {
        sources.push(source);
        KeySourceId(sources.len() as u32 - 1)
    })
}

fn text(field: &Option<Spanned<String>>) -> &str {
    field.as_ref().map_or("", |text| text.value.as_str())
}

fn lower(name: &str) -> Box<[u8]> {
    name.to_ascii_lowercase().into_bytes().into()
}
