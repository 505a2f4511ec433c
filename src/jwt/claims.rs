//! The payload of a verified token.

use serde_json::{Map, Value};

/// The claims of a token whose signature, issuer, audiences and times were found good.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    payload: Map<String, Value>,
}

impl Claims {
    /// The claims of a payload. That the token was verified is for the caller to see to.
    pub fn new(payload: Map<String, Value>) -> Claims {
        Claims { payload }
    }

    /// The same, where the texts of these claims are lists of words: `"a b"` becomes `["a", "b"]`, as Envoy does it with
    /// `scope` (RFC 8693 section 4.2).
    pub fn with_lists<S: AsRef<str>>(mut payload: Map<String, Value>, lists: &[S]) -> Claims {
        for name in lists {
            let Some(value @ Value::String(_)) = payload.get_mut(name.as_ref()) else { continue };
            let words = value.as_str().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
            *value = words.collect::<Vec<&str>>().into();
        }
        Claims { payload }
    }

    /// The claim at this path: `["realm_access", "roles"]` is the member `roles` of the claim `realm_access`.
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Option<&Value> {
        find(&self.payload, path)
    }

    /// Istio's request principal: `<iss>/<sub>`; nothing where either is missing or not text.
    pub fn principal(&self) -> Option<String> {
        let text = |name: &str| self.payload.get(name).and_then(Value::as_str);
        Some(format!("{}/{}", text("iss")?, text("sub")?))
    }

    /// All claims.
    pub fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }
}

/// The claim at a path in a payload.
pub(crate) fn find<'p, S: AsRef<str>>(payload: &'p Map<String, Value>, path: &[S]) -> Option<&'p Value> {
    let (first, rest) = path.split_first()?;
    let claim = payload.get(first.as_ref())?;
    rest.iter().try_fold(claim, |value, key| value.get(key.as_ref()))
}
