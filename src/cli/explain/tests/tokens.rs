//! What is told of requests with tokens.

use super::{SHOP, ask, tells};
use crate::jwt::testing::Signer;
use serde_json::json;

/// The shop with a rule for those of the team, and a policy whose keys are here, or elsewhere.
fn shop(keys: &str) -> String {
    let team = "  - match: [{headers: {'@request.auth.claims[team]': {exact: blue}}}]\n    directResponse: {status: 202}\n";
    let shop = SHOP.replacen("  http:\n", &format!("  http:\n{team}"), 1);
    format!(
        "{shop}---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: jwt}}\nspec:\n  \
         jwtRules: [{{issuer: me, {keys}}}]\n"
    )
}

#[test]
fn what_a_token_says_and_what_it_leads_to() {
    let signer = Signer::new("ES256", Some("k"));
    let here = format!("jwks: '{}'", signer.set());
    let told = |keys: &str, token: &str| {
        let field = format!("authorization: Bearer {token}");
        ask(&shop(keys), &[], &["http://shop.example/hello", "-H", &field], false)
    };
    let token = |team: &str| signer.token(&json!({"iss": "me", "sub": "x", "team": team}));
    let good = told(&here, &token("blue"));
    let rule = "RequestAuthentication default/jwt, jwtRules[0]";
    tells(
        &good,
        &[&format!("good by {rule}"), "the request's principal is `me/x`", "claim team exact blue", "202"],
    );
    tells(&told(&here, &token("red")), &["claim `team` is \"red\", must be exactly `blue`", "200"]);
    let bad = told(&here, "x.y.z");
    tells(
        &bad,
        &["refused: Jwt header is an invalid Base64url encoded", "the issuer `me` is known by", "401"],
    );
    let elsewhere = "jwksUri: 'https://keys.example/'";
    tells(
        &told(elsewhere, &token("blue")),
        &["if its issuer has signed it", "fetches its keys from https://keys.example/", "202"],
    );
    tells(
        &told(elsewhere, &signer.token(&json!({"iss": "you"}))),
        &["refused: Jwt issuer is not configured"],
    );
    let none = ask(&shop(&here), &[], &["http://shop.example/hello"], false);
    tells(&none, &["there is none: the request has no claims", "there is no token with a claim `team`"]);
}
