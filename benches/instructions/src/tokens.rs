//! RequestAuthentication: nothing to find, a token that is verified, and one that is remembered.
//!
//! Keys and tokens are in `tokens.json`, since what a signature costs to verify depends on it. They were made once, like those
//! of `benches/tokens.rs`, and the private keys were thrown away.

use crate::harness::{Harness, counted};
use sluicegate::{
    filter::{Authentication, Keys},
    http::RequestHead,
};
use std::hint::black_box;
use token_rule::{NOW, authentication, bare, request};

#[path = "../../common/tokens.rs"]
mod token_rule;

const ROUNDS: usize = 200;
/// Tokens of each kind.
const TOKENS: usize = 4;

pub(crate) fn run(harness: &Harness) {
    let made: serde_json::Value = serde_json::from_str(include_str!("../tokens.json")).unwrap_or_default();
    for (kind, name) in [("ES256", "es256"), ("RS256", "rs256")] {
        let made = &made[kind];
        let authentication = authentication(&serde_json::json!({"keys": made["keys"]}).to_string());
        let text = |n: usize| made["tokens"][n].as_str().unwrap_or_default();
        let requests: Vec<RequestHead> = (0..TOKENS).map(|n| request(text(n))).collect();
        if kind == "ES256" {
            apply(harness, "tokens.none", ROUNDS, &authentication, &[bare()], true);
        }
        apply(harness, &format!("tokens.{name}.verified"), TOKENS, &authentication, &requests, false);
        apply(harness, &format!("tokens.{name}.remembered"), ROUNDS, &authentication, &requests, true);
    }
}

fn apply(
    harness: &Harness,
    name: &str,
    rounds: usize,
    authentication: &Authentication,
    requests: &[RequestHead],
    is_remembered: bool,
) {
    let mut keys = Keys::new(authentication);
    harness.prepared(name, rounds, |n| {
        if !is_remembered {
            keys = Keys::new(authentication);
        }
        let mut request = requests[n % requests.len()].clone();
        counted(&mut || assert!(authentication.apply(black_box(&mut request), &keys, NOW).is_ok()));
    });
}
