//! What the origin is told of a verified token, and what it does not get to see.

use super::{Authentication, Location, TokenRule, Verified, find};
use crate::{
    http::RequestHead,
    jwt::{Token, find_claim},
};
use serde_json::Value;

/// A field that tells the origin of a token: name and value.
pub(super) type MadeField = (Box<[u8]>, Box<[u8]>);

/// Removes the client's own fields of the names that rules make.
pub(super) fn remove_made(authentication: &Authentication, request: &mut RequestHead) {
    for name in &authentication.made_fields {
        request.fields.remove_text(name);
    }
}

/// The fields that tell the origin of a token.
pub(super) fn fields(rule: &TokenRule, token: &Token<'_>) -> Vec<MadeField> {
    let payload = rule.payload_field.iter().map(|name| (name.clone(), token.payload_text.into()));
    let claims = rule.claim_fields.iter().filter_map(|claim| {
        let value = find_claim(&token.payload, &claim.path)?;
        Some((claim.field.clone(), text(value)?.into_bytes().into_boxed_slice()))
    });
    payload.chain(claims).collect()
}

/// Text, numbers and booleans; other claims make no field (Istio's `ClaimToHeader`), nor do those that are empty, as in
/// Envoy, nor texts that would end the field and begin another.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(is_true) => is_true.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            // Six digits behind the point, as in Envoy.
            (_, _, Some(fraction)) => format!("{fraction:.6}"),
            _ => return None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let is_value = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let trimmed = text.trim();
    (!trimmed.is_empty() && trimmed.bytes().all(is_value)).then(|| trimmed.to_owned())
}

/// Adds the fields of a verified token, and removes the token unless its rule forwards it. A cookie stays, as in Envoy:
/// what else is in it is the origin's.
pub(super) fn apply(
    authentication: &Authentication,
    location: &Location,
    verified: &Verified,
    request: &mut RequestHead,
) {
    for (name, value) in &verified.fields {
        // A token that is in two places tells the origin once.
        if request.fields.get_all(name).all(|known| *known != **value) {
            request.fields.push(name, value);
        }
    }
    if authentication.rules.get(verified.rule).is_none_or(|rule| rule.forwards) {
        return;
    }
    match location {
        Location::Header { name, .. } => {
            request.fields.remove_text(name);
        }
        Location::Param(name) => remove_param(name, request),
        Location::Cookie(_) => {}
    }
}

/// Removes all pairs with a name from the query, and the `?` where nothing is left.
fn remove_param(name: &[u8], request: &mut RequestHead) {
    let kept = find::pairs(request.query()).filter(|pair| !find::is_named(pair, name));
    let mut query = Vec::with_capacity(request.query().len());
    for pair in kept {
        query.push(if query.is_empty() { b'?' } else { b'&' });
        query.extend_from_slice(pair);
    }
    request.target.truncate(request.path_len);
    request.target.extend_from_slice(&query);
}
