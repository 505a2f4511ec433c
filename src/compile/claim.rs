//! The names of claims in matches: `@request.auth.claims.a` and `@request.auth.claims[a][b]`.

/// What the names begin with, in any case (istiod's `ToRoutingClaim`).
const PREFIX: &str = "@request.auth.claims";

/// The path of a claim, if this is the name of one: the claim, and the members within it. Dots and brackets both go down;
/// a name that has dots in it can only be in brackets.
pub(super) fn claim_path(key: &str) -> Option<Box<[Box<str>]>> {
    let (prefix, path) = key.split_at_checked(PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let names: Box<[Box<str>]> = match path.strip_prefix('.') {
        Some(names) => names.split('.').map(Box::from).collect(),
        None => path.strip_prefix('[')?.strip_suffix(']')?.split("][").map(Box::from).collect(),
    };
    names.iter().all(|name| !name.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let path = |key: &str| claim_path(key).map(|names| names.join("/"));
        assert_eq!(path("@request.auth.claims.a"), Some("a".into()));
        assert_eq!(path("@request.auth.claims.a.KEY"), Some("a/KEY".into()));
        assert_eq!(path("@Request.Auth.Claims[https://a.b/c][d]"), Some("https://a.b/c/d".into()));
        for bad in [
            "@request.auth.claims",
            "@request.auth.claims.",
            "@request.auth.claims-a",
            "@request.auth.claims[]",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
        assert_eq!(path("request.auth.claims.a"), None);
    }
}
