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

    /// The claim at this path: `["realm_access", "roles"]` is the member `roles` of the claim `realm_access`.
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let claim = self.payload.get(first.as_ref())?;
        rest.iter().try_fold(claim, |value, key| value.get(key.as_ref()))
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
