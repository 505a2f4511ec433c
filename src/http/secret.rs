//! Names of fields whose values are not for everybody who may read a configuration.

/// What stands in the place of such a value where a configuration is shown.
pub const REDACTED: &str = "[redacted]";

const WORDS: [&str; 8] =
    ["authorization", "token", "secret", "password", "passwd", "credential", "credentials", "apikey"];

/// Whether values under this name are secrets, by its words: `authorization`, `x-api-key`, `X-Auth-Token`.
pub fn is_secret_name(name: &[u8]) -> bool {
    let mut before: &[u8] = b"";
    name.split(|byte| matches!(byte, b'-' | b'_' | b'.' | b' ')).any(|word| {
        let is_key = word.eq_ignore_ascii_case(b"key")
            && [&b"api"[..], b"access", b"auth", b"private"]
                .iter()
                .any(|kind| before.eq_ignore_ascii_case(kind));
        before = word;
        is_key || WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in
            ["authorization", "Proxy-Authorization", "x-api-key", "X-Auth-Token", "api_key", "client_secret"]
        {
            assert!(is_secret_name(name.as_bytes()), "{name}");
        }
        for name in ["x-key", "key", "cookie", "tokens", "x-request-id", "credentialName", "", "x-tokenize"] {
            assert!(!is_secret_name(name.as_bytes()), "{name}");
        }
    }
}
