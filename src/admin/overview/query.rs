//! What a request asks for.

/// The parameters of the document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// What rows of routes must have in them, in small letters.
    pub(super) routes: Option<String>,
    /// What rows of clusters must have in them, in small letters.
    pub(super) clusters: Option<String>,
    /// Whether the last minutes are wanted.
    pub(super) history: bool,
    /// Loads that began later than this are wanted; Unix time in milliseconds.
    pub(super) loads_since: u64,
}

impl Query {
    /// Out of what stands behind the `?`. What it does not know it leaves alone, as a page with more parameters may be newer
    /// than the program.
    pub(super) fn parse(query: &str) -> Query {
        let mut parsed = Query::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let text = || Some(decode(value).trim().to_lowercase()).filter(|text| !text.is_empty());
            match name {
                "routes" => parsed.routes = text(),
                "clusters" => parsed.clusters = text(),
                "history" => parsed.history = value == "1",
                "loads_since" => parsed.loads_since = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        parsed
    }
}

/// Whether one of these has the wanted text in it.
pub(super) fn has(wanted: Option<&str>, texts: &[&str]) -> bool {
    wanted.is_none_or(|wanted| texts.iter().any(|text| text.to_lowercase().contains(wanted)))
}

/// As forms are written: `+` is a blank, and `%41` a byte. What is no UTF-8 then finds nothing.
fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let escaped = behind.split_at_checked(2).and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        match (first, escaped) {
            (b'%', Some((byte, after))) => {
                bytes.push(byte);
                rest = after;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        let query = Query::parse("routes=Shop+%C3%84%2f&clusters=&history=1&loads_since=17&new=1&odd");
        let expected =
            Query { routes: Some("shop ä/".into()), history: true, loads_since: 17, ..Query::default() };
        assert_eq!(query, expected);
        assert_eq!(Query::parse(""), Query::default());
        assert_eq!(Query::parse("history=yes&loads_since=-1"), Query::default());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode("100%&%4&%zz%+1"), "100%&%4&%zz% 1");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }

    #[test]
    fn letters_are_found_whatever_their_case() {
        assert!(has(Some("sho"), &["x", "My SHOP"]) && has(None, &[]) && !has(Some("a"), &["b"]));
    }
}
