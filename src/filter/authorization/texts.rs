//! Texts of which one must be there: exact ones, beginnings, endings, or any that is not empty.

/// A set of the texts that Istio's policies name (`AuthorizationPolicy`, "any string field supports exact, prefix, suffix
/// and presence match"): `abc`, `abc*`, `*abc` and `*`. A `*` elsewhere is a character like any other, as in Istio.
///
/// Case counts; who wants otherwise gives both sides in lower case. A look-up takes time by the logarithm of how many
/// texts there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// `*` is one of them.
    any: bool,
    /// Sorted.
    exact: Box<[Box<[u8]>]>,
    /// Sorted; none begins with another.
    prefixes: Box<[Box<[u8]>]>,
    /// Written backwards, sorted; none begins with another.
    suffixes: Box<[Box<[u8]>]>,
}

impl Texts {
    /// The set of these values as they are written in a policy.
    pub fn new<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Texts {
        let (mut any, mut exact, mut prefixes, mut suffixes) = (false, Vec::new(), Vec::new(), Vec::new());
        for value in values {
            // A star in front is stronger than one at the end (istiod's order).
            match (value.as_ref(), value.as_ref().strip_prefix('*'), value.as_ref().strip_suffix('*')) {
                ("*", ..) => any = true,
                (_, Some(suffix), _) => suffixes.push(suffix.bytes().rev().collect()),
                (_, _, Some(prefix)) => prefixes.push(prefix.as_bytes().into()),
                (text, ..) => exact.push(text.as_bytes().into()),
            }
        }
        exact.sort_unstable();
        exact.dedup();
        Texts { any, exact: exact.into(), prefixes: shortest(prefixes), suffixes: shortest(suffixes) }
    }

    /// Whether a value is one of them.
    pub fn has(&self, value: &[u8]) -> bool {
        self.any && !value.is_empty()
            || !self.exact.is_empty() && self.exact.binary_search_by(|text| (**text).cmp(value)).is_ok()
            || begins(&self.prefixes, |text| (**text).cmp(value), |text| value.starts_with(text))
            || begins(
                &self.suffixes,
                |text| text.iter().cmp(value.iter().rev()),
                |text| text.len() <= value.len() && text.iter().eq(value.iter().rev().take(text.len())),
            )
    }

    /// All of them, if there are exact ones only.
    pub(super) fn only_exact(&self) -> Option<&[Box<[u8]>]> {
        let has_others = self.any || !self.prefixes.is_empty() || !self.suffixes.is_empty();
        (!has_others).then_some(&*self.exact)
    }

    /// Whether `*` is one of them.
    pub fn has_any(&self) -> bool {
        self.any
    }
}

/// Sorts, and leaves out what begins with another one, for that one is enough.
fn shortest(mut texts: Vec<Box<[u8]>>) -> Box<[Box<[u8]>]> {
    texts.sort_unstable();
    // What begins with another stands somewhere behind it, with only such ones between them.
    texts.dedup_by(|text, before| text.starts_with(before));
    texts.into()
}

/// Whether one of the texts is what a value begins with. If one is, it is the last that does not stand behind the value:
/// whatever stood between the two would begin with it as well.
fn begins(
    texts: &[Box<[u8]>],
    compare: impl Fn(&Box<[u8]>) -> std::cmp::Ordering,
    is_it: impl Fn(&[u8]) -> bool,
) -> bool {
    let behind = texts.partition_point(|text| compare(text).is_le());
    behind.checked_sub(1).and_then(|at| texts.get(at)).is_some_and(|text| is_it(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(values: &[&str], value: &str) -> bool {
        Texts::new(values).has(value.as_bytes())
    }

    #[test]
    fn four_kinds() {
        for (pattern, good, bad) in [
            ("abc", &["abc"][..], &["", "ab", "abcd", "xabc", "ABC"][..]),
            ("abc*", &["abc", "abcd", "abc*"], &["", "ab", "xabc", "ABCD"]),
            ("*abc", &["abc", "xabc", "abcabc"], &["", "bc", "abcd", "xABC"]),
            ("*", &["a", "*"], &[""]),
            ("a*c", &["a*c"], &["abc", "ac"]),
            ("*a*", &["a*", "xa*"], &["a", "xax"]),
            ("**", &["*", "x*"], &["", "x"]),
        ] {
            good.iter().for_each(|value| assert!(has(&[pattern], value), "{pattern} {value}"));
            bad.iter().for_each(|value| assert!(!has(&[pattern], value), "{pattern} {value}"));
        }
        assert!(!has(&[], "") && !has(&[], "a"));
    }

    /// Against the plain reading of the same patterns, for all short values.
    #[test]
    fn as_if_looked_at_one_by_one() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut word = |most: u64| -> String {
            let length = random(most + 1);
            (0..length).map(|_| if random(2) == 0 { 'a' } else { 'b' }).collect()
        };
        for round in 0..500_usize {
            let patterns: Vec<String> = (0..round % 12)
                .map(|kind| match kind % 3 {
                    0 => format!("{}a*", word(4)),
                    1 => format!("*{}b", word(4)),
                    _ => format!("{}a", word(5)),
                })
                .collect();
            let texts = Texts::new(&patterns);
            for _ in 0..60 {
                let value = word(7);
                let one_by_one = patterns.iter().any(|pattern| {
                    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
                        (Some(suffix), _) => value.ends_with(suffix),
                        (_, Some(prefix)) => value.starts_with(prefix),
                        _ => *pattern == value,
                    }
                });
                assert_eq!(texts.has(value.as_bytes()), one_by_one, "{patterns:?} {value}");
            }
        }
    }
}
