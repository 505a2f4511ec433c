//! What a route asks of the claims of a verified token (`@request.auth.claims` in `headers` and `withoutHeaders`).

use super::ValueMatch;
use crate::jwt::Claims;
use serde_json::Value;

/// One condition on a claim.
#[derive(Clone, Debug)]
pub struct ClaimMatch {
    /// The claim, and the members within it: `["realm_access", "roles"]`.
    pub path: Box<[Box<str>]>,
    /// What it must be. Of a list one text must be so; numbers, booleans and objects are nothing that can be compared.
    pub value: ValueMatch,
    /// From `withoutHeaders`: the condition must not hold. It does not where there is no such claim, or no token.
    pub negate: bool,
}

impl ClaimMatch {
    /// Whether the claims of a request's token are as they are wanted. `None`: it has no token.
    pub fn matches(&self, claims: Option<&Claims>) -> bool {
        let claim = claims.and_then(|claims| claims.find(&self.path));
        claim.is_some_and(|claim| self.holds(claim)) != self.negate
    }

    /// The path as it is written: `realm_access[roles]`.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for (position, part) in self.path.iter().enumerate() {
            name.push_str(&if position == 0 { part.to_string() } else { format!("[{part}]") });
        }
        name
    }

    fn holds(&self, claim: &Value) -> bool {
        let wanted = match &self.value {
            ValueMatch::Present => return !claim.is_null(),
            ValueMatch::Is(wanted) => wanted,
        };
        let is_wanted = |value: &Value| value.as_str().is_some_and(|text| wanted.matches(text.as_bytes()));
        match claim {
            Value::Array(items) => items.iter().any(is_wanted),
            other => is_wanted(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::StringMatch;
    use serde_json::json;

    fn claims() -> Claims {
        let json = json!({
            "sub": "sub-1", "groups": ["a", "b", 3], "nested": {"key1": "valueA", "list": ["x"]}, "n": 5, "none": null
        });
        Claims::new(json.as_object().unwrap().clone())
    }

    fn holds(path: &[&str], value: ValueMatch, negate: bool) -> (bool, bool) {
        let path = path.iter().map(|name| Box::from(*name)).collect();
        let matcher = ClaimMatch { path, value, negate };
        (matcher.matches(Some(&claims())), matcher.matches(None))
    }

    #[test]
    fn texts_and_lists_of_texts() {
        let exact = |text| ValueMatch::Is(StringMatch::exact(text));
        assert_eq!(holds(&["sub"], exact("sub-1"), false), (true, false));
        assert_eq!(holds(&["sub"], ValueMatch::Is(StringMatch::prefix("sub")), false), (true, false));
        assert_eq!(holds(&["sub"], exact("sub"), false), (false, false));
        assert_eq!(holds(&["groups"], exact("b"), false), (true, false));
        assert_eq!(holds(&["groups"], exact("3"), false), (false, false));
        assert_eq!(holds(&["nested", "key1"], exact("valueA"), false), (true, false));
        assert_eq!(holds(&["nested", "list"], exact("x"), false), (true, false));
        assert_eq!(holds(&["nested"], exact("valueA"), false), (false, false));
        assert_eq!(holds(&["n"], exact("5"), false), (false, false));
        assert_eq!(holds(&["n"], ValueMatch::Present, false), (true, false));
        assert_eq!(holds(&["none"], ValueMatch::Present, false), (false, false));
    }

    #[test]
    fn what_must_not_be_is_not_where_there_is_no_claim() {
        let exact = |text| ValueMatch::Is(StringMatch::exact(text));
        assert_eq!(holds(&["sub"], exact("sub-1"), true), (false, true));
        assert_eq!(holds(&["sub"], exact("other"), true), (true, true));
        assert_eq!(holds(&["absent"], ValueMatch::Present, true), (true, true));
    }
}
