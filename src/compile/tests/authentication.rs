//! RequestAuthentications (specification section 5).

use super::*;
use crate::filter::{Authentication, KeySource, Location};

fn policy(metadata: &str, rules: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{{metadata}}}\nspec: {{jwtRules: [{rules}]}}\n---\n"
    )
}

fn authentication(policies: &str) -> Option<Box<Authentication>> {
    let yaml = format!("{}{policies}", http_gateway("name: g", "'*'"));
    compiled_with(&ingress(), &yaml).0.snapshot.authentication
}

fn names(list: &[Box<[u8]>]) -> Vec<String> {
    list.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[test]
fn without_a_policy_nobody_looks_for_tokens() {
    assert!(authentication("").is_none());
    assert!(authentication(&policy("name: p, namespace: other", "{issuer: 'https://a'}")).is_none());
    assert!(authentication(&policy("name: p, namespace: istio-system", "")).is_none());
}

#[test]
fn all_rules_of_all_policies_are_together() {
    let url = "jwksUri: 'https://keys/'";
    let yaml =
        policy("name: z, namespace: istio-system", &format!("{{issuer: a, {url}}}, {{issuer: b, {url}}}"))
            + &policy("name: a, namespace: istio-system", &format!("{{issuer: c, {url}, timeout: 1s}}"))
            + &policy("name: x, namespace: other", &format!("{{issuer: d, {url}}}"));
    let made = authentication(&yaml).unwrap();
    let rules: Vec<_> = made.rules.iter().map(|rule| (&*rule.name, rule.terms.issuer())).collect();
    let object = "RequestAuthentication istio-system";
    let expected = [("a, jwtRules[0]", "c"), ("z, jwtRules[0]", "a"), ("z, jwtRules[1]", "b")];
    let expected = expected.map(|(name, issuer)| (format!("{object}/{name}"), issuer));
    assert_eq!(rules, expected.each_ref().map(|(name, issuer)| (name.as_str(), *issuer)));
    // Keys are fetched once for all that have them from the same place in the same time.
    assert_eq!(made.sources.len(), 2, "{:?}", made.sources);
    // All look in the same two places.
    let all: Vec<_> = made.locations.iter().map(|(_, rules)| rules.as_slice()).collect();
    assert_eq!(all, [[0, 1, 2], [0, 1, 2]]);
}

#[test]
fn where_tokens_are_and_what_is_made_of_them() {
    let rule = "{issuer: 'https://a/', fromHeaders: [{name: X-A, prefix: 'T '}, {name: x-b}], fromParams: [t], \
                fromCookies: [c], outputPayloadToHeader: X-Payload, outputClaimToHeaders: [{header: X-Sub, claim: \
                a.b}], spaceDelimitedClaims: [words], forwardOriginalToken: true}";
    let made = authentication(&policy("name: p, namespace: istio-system", rule)).unwrap();
    let header = |name: &str, prefix: &str| Location::Header {
        name: name.as_bytes().into(),
        prefix: prefix.as_bytes().into(),
    };
    let places: Vec<_> = made.locations.iter().map(|(place, _)| place.clone()).collect();
    let (param, cookie) = (Location::Param(b"t"[..].into()), Location::Cookie(b"c"[..].into()));
    assert_eq!(places, [header("x-a", "T "), header("x-b", ""), param, cookie]);
    assert_eq!(names(&made.made_fields), ["x-payload", "x-sub"]);
    let rule = &made.rules[0];
    assert!(rule.forwards);
    assert_eq!(rule.lists.join(","), "scope,permission,words");
    assert_eq!(rule.claim_fields[0].path.join("/"), "a/b");
    assert!(matches!(&made.sources[0], KeySource::Discovered { issuer, .. } if &**issuer == "https://a/"));
    let usual = authentication(&policy("name: p, namespace: istio-system", "{issuer: 'https://a'}")).unwrap();
    let places: Vec<_> = usual.locations.iter().map(|(place, _)| place.clone()).collect();
    let param = Location::Param(b"access_token"[..].into());
    assert_eq!(places, [header("authorization", "Bearer "), param]);
    assert!(!usual.rules[0].forwards);
}

#[test]
fn a_policy_with_an_error_is_left_out_and_reported() {
    let yaml = policy("name: p, namespace: istio-system", "{issuer: a, jwks: '{}'}");
    let outcome = compiled_with(&ingress(), &format!("{}{yaml}", http_gateway("name: g", "'*'")));
    assert!(outcome.0.has_errors() && outcome.has("bad-jwks"));
    assert!(outcome.0.snapshot.authentication.is_none());
}
