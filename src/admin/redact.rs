//! Objects as they are written, without their secrets. Too much is left out rather than too little.

use crate::http::{REDACTED, is_secret_name};
use serde_json::{Map, Value, json};

/// What `kubectl apply` leaves behind: the whole object once more, as text.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object without its secrets.
pub(super) fn object(mut value: Value) -> Value {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(items) =
        value.get_mut("items").and_then(Value::as_array_mut).filter(|_| kind.ends_with("List"))
    {
        let item_kind = kind.strip_suffix("List").unwrap_or_default();
        for item in items {
            // The list may say what its items are.
            if let Some(fields) = item.as_object_mut() {
                fields.entry("kind").or_insert_with(|| json!(item_kind));
            }
            *item = object(item.take());
        }
        return value;
    }
    if kind.contains("Secret") || value.get("stringData").is_some() {
        return secret(&value);
    }
    inside(&mut value);
    value
}

/// Of a Secret only what it is called and what is in it, not the content.
fn secret(value: &Value) -> Value {
    let mut kept = Map::new();
    for name in ["apiVersion", "kind", "type", "immutable"] {
        kept.extend(value.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let metadata = |name: &str| value.get("metadata").and_then(|metadata| metadata.get(name));
    let named = ["name", "namespace", "labels"].into_iter();
    let metadata: Map<String, Value> =
        named.filter_map(|name| Some((name.to_owned(), metadata(name)?.clone()))).collect();
    kept.insert("metadata".into(), metadata.into());
    for name in ["data", "stringData"] {
        if let Some(data) = value.get(name).and_then(Value::as_object) {
            let keys: Map<String, Value> = data.keys().map(|key| (key.clone(), json!(REDACTED))).collect();
            kept.insert(name.into(), keys.into());
        }
    }
    kept.into()
}

fn inside(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // `{name: authorization, value: ...}`, and a condition on a header.
            let about = ["name", "key", "header"].into_iter().find_map(|name| fields.get(name)?.as_str());
            let names_secret = about.is_some_and(|name| is_secret(named(name)));
            for (name, value) in fields.iter_mut() {
                let hides = names_secret && matches!(name.as_str(), "value" | "values" | "notValues")
                    || name == LAST_APPLIED
                    || (name == "jwks" && has_private_part(value))
                    // A switch, or the name of a file or an object, is none.
                    || is_secret(name) && !value.is_boolean();
                match hides {
                    true => hide(value),
                    false => inside(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(inside),
        Value::String(text) => *text = in_text(text),
        _ => {}
    }
}

/// Whether values under this name are secrets, written as header fields are or as members of objects: `clientSecret`. A name,
/// a place or an address of one is none.
fn is_secret(name: &str) -> bool {
    if ["Name", "File", "Path", "Uri", "Url"].iter().any(|end| name.ends_with(end)) {
        return false;
    }
    let mut words = String::with_capacity(name.len() + 4);
    let mut was_small = false;
    for letter in name.chars() {
        if was_small && letter.is_ascii_uppercase() {
            words.push('-');
        }
        was_small = letter.is_ascii_lowercase();
        words.push(letter);
    }
    is_secret_name(words.as_bytes())
}

/// `x-token` of `request.headers[x-token]`
fn named(key: &str) -> &str {
    key.split_once('[').map_or(key, |(_, rest)| rest.strip_suffix(']').unwrap_or(rest))
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Null => {}
        other => *other = json!(REDACTED),
    }
}

/// Whether a set of keys, as text, has more than public ones in it (RFC 7518 section 6).
fn has_private_part(value: &Value) -> bool {
    let Some(Value::Object(set)) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) else {
        return true;
    };
    let keys = set.get("keys").and_then(Value::as_array);
    keys.into_iter().flatten().any(|key| ["k", "d", "p", "q"].iter().any(|part| key.get(part).is_some()))
}

/// A text without what is a secret by its looks: a key, a token, what signs somebody in, and the same in lines of another
/// configuration.
fn in_text(text: &str) -> String {
    if looks_secret(text) {
        return REDACTED.to_owned();
    }
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        let mut shown = value.clone();
        inside(&mut shown);
        // Unchanged, it is looked at line by line nevertheless, if it has several: of two equal names the parser keeps one.
        if shown != value {
            return shown.to_string();
        }
    }
    if !text.contains('\n') {
        return without_user(text);
    }
    let mut name_is_secret = false;
    // How far the name of a hidden block is indented, as long as its lines come.
    let mut hidden: Option<usize> = None;
    let mut line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        if hidden.is_some_and(|block| indent > block || line.trim().is_empty()) {
            return String::new();
        }
        hidden = None;
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let bare = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '"' | '\''));
        let is_value = name_is_secret && bare == "value";
        name_is_secret = bare == "name" && is_secret(value.trim_matches(['"', '\'', ' ']));
        if !value.trim().is_empty() && (is_value || is_secret(bare) || looks_secret(value.trim())) {
            if value.trim().starts_with(['|', '>']) {
                hidden = Some(indent);
            }
            return format!("{name}: {REDACTED}");
        }
        without_user(line)
    };
    text.split('\n').map(&mut line).collect::<Vec<_>>().join("\n")
}

fn looks_secret(text: &str) -> bool {
    let is_token = || text.starts_with("eyJ") && text.split('.').count() == 3;
    let signs_in = || {
        let scheme = text.split(' ').next().unwrap_or_default();
        text.contains(' ') && ["Bearer", "Basic"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    };
    text.contains("PRIVATE KEY-----") || is_token() || signs_in()
}

/// Every `https://user:password@host` without the user and the password.
fn without_user(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut left = text;
    while let Some((before, rest)) = left.split_once("://") {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#', ' ']).unwrap_or(rest.len()));
        shown.push_str(before);
        shown.push_str("://");
        match authority.rsplit_once('@') {
            Some((_, host)) => shown.extend([REDACTED, "@", host]),
            None => shown.push_str(authority),
        }
        left = path;
    }
    shown + left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        let shown = object(json!({
            "kind": "Secret",
            "metadata": {"name": "s", "annotations": {"note": "topsecret"}},
            "type": "tls",
            "data": {"tls.key": "topsecret"},
            "other": "topsecret",
        }));
        assert!(!shown.to_string().contains("topsecret"), "{shown}");
        assert_eq!((&shown["metadata"]["name"], &shown["data"]["tls.key"]), (&json!("s"), &json!(REDACTED)));
        let list = object(json!({"kind": "SecretList", "items": [{"stringData": {"a": "topsecret"}}]}));
        assert!(!list.to_string().contains("topsecret"), "{list}");
    }

    #[test]
    fn values_that_are_secrets_are_left_out() {
        let shown = object(json!({
            "kind": "VirtualService",
            "metadata": {"annotations": {LAST_APPLIED: "{\"a\": \"topsecret\"}"}},
            "set": {"authorization": "topsecret", "x-team": "blue"},
            "headers": {"x-api-key": {"exact": "topsecret"}, "cookie": {"regex": "a=b"}},
            "when": [{"key": "request.headers[x-token]", "values": ["topsecret"]}],
            "http": {"headers": [{"name": "x-token", "value": "topsecret"}]},
            "jwks": "{\"keys\": [{\"kty\": \"oct\", \"k\": \"topsecret\"}]}",
            "jwksUri": "https://me:topsecret@keys.example/x",
            "x": "Bearer topsecret",
            "y": "-----BEGIN PRIVATE KEY-----\ntopsecret",
            "mesh": "a: b\nheaders:\n- name: authorization\n  value: topsecret\npassword: \"topsecret\"\nz: 1",
            "credentialName": "kept",
            "forward-token": true,
            "clientSecret": "topsecret",
            "one-line": "{\"password\":\"topsecret\",\"b\":1}",
            "block": "a:\n  password: |\n    topsecret\n\n    topsecret\n  c: shown\n",
            "two": "http://a.example/ then http://me:topsecret@b.example/",
        }));
        let text = shown.to_string();
        assert!(!text.contains("topsecret"), "{text}");
        assert_eq!((&shown["set"]["x-team"], &shown["credentialName"]), (&json!("blue"), &json!("kept")));
        assert_eq!(
            (&shown["headers"]["cookie"]["regex"], &shown["forward-token"]),
            (&json!("a=b"), &json!(true))
        );
        assert!(text.contains("a: b\\nheaders:") && text.contains("@keys.example/x"), "{text}");
        assert!(text.contains("c: shown") && text.contains("@b.example/"), "{text}");
        let public = json!({"jwks": "{\"keys\": [{\"kty\": \"EC\", \"x\": \"f\"}]}"});
        assert_eq!(object(public.clone()), public);
    }
}
