//! Cipher suites and curves, on a Gateway's server and for the whole mesh.

use super::{place::Place, wording::shown};
use crate::config::{Diagnostic, Spanned};
use std::collections::HashMap;

/// OpenSSL's names of the suites up to TLS 1.2 that Istio knows (specification section 1.6).
const CIPHER_SUITES: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

const CURVES: &[&str] =
    &["P-224", "P-256", "P-384", "P-521", "X25519", "X25519Kyber768Draft00", "X25519MLKEM768"];

/// `ALL`, the empty text and OpenSSL's operators are let through unchecked, as istiod does.
pub(super) fn check_cipher_suites(list: &[Spanned<String>], at: &Place<'_>) {
    let is_known = |suite: &str| {
        let is_operator = suite.bytes().next().is_none_or(|first| !first.is_ascii_alphanumeric());
        is_operator || suite == "ALL" || CIPHER_SUITES.contains(&suite)
    };
    check_list("cipherSuites", list, "cipher suite", is_known, CIPHER_SUITES, at);
}

pub(super) fn check_curves(list: &[Spanned<String>], at: &Place<'_>) {
    check_list("ecdhCurves", list, "curve", |curve| CURVES.contains(&curve), CURVES, at);
}

/// What is not known, or listed twice, is left out.
fn check_list(
    field: &'static str,
    list: &[Spanned<String>],
    what: &str,
    is_known: impl Fn(&str) -> bool,
    known: &[&str],
    at: &Place<'_>,
) {
    let mut seen: HashMap<&str, &Spanned<String>> = HashMap::new();
    for (at, name) in at.items(field, list) {
        let shown = shown(name);
        if !is_known(name) {
            let problem = Diagnostic::warning(
                "unknown-tls-name",
                format!("the {what} `{shown}` is not known, and is left out"),
            );
            at.report(problem.help(format!("known are {}", known.join(", "))));
        } else if let Some(first) = seen.insert(name, name) {
            let problem =
                Diagnostic::warning("duplicate-item", format!("the {what} `{shown}` is listed twice"));
            at.report(problem.label(first.span, "the first one"));
        }
    }
}
