//! The field names that the proxy itself looks at, found once when a head is decoded.

/// A field name that some part of the proxy reads or writes. Everything else is [`Name::Other`]: passed on, and
/// found by comparing its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Name {
    /// Any name without a variant of its own.
    Other,
    /// `connection`
    Connection,
    /// `content-length`
    ContentLength,
    /// `content-type`
    ContentType,
    /// `date`
    Date,
    /// `expect`
    Expect,
    /// `host`
    Host,
    /// `http2-settings`
    Http2Settings,
    /// `keep-alive`
    KeepAlive,
    /// `location`
    Location,
    /// `proxy-connection`
    ProxyConnection,
    /// `server`
    Server,
    /// `te`
    Te,
    /// `trailer`
    Trailer,
    /// `transfer-encoding`
    TransferEncoding,
    /// `upgrade`
    Upgrade,
    /// `user-agent`
    UserAgent,
    /// `x-forwarded-client-cert`
    XForwardedClientCert,
    /// `x-forwarded-for`
    XForwardedFor,
    /// `x-forwarded-host`
    XForwardedHost,
    /// `x-forwarded-proto`
    XForwardedProto,
    /// `x-request-id`
    XRequestId,
    /// Any name that begins with `x-envoy-`.
    XEnvoy,
}

/// All names with a variant of their own.
const KNOWN: [(&[u8], Name); 21] = [
    (b"connection", Name::Connection),
    (b"content-length", Name::ContentLength),
    (b"content-type", Name::ContentType),
    (b"date", Name::Date),
    (b"expect", Name::Expect),
    (b"host", Name::Host),
    (b"http2-settings", Name::Http2Settings),
    (b"keep-alive", Name::KeepAlive),
    (b"location", Name::Location),
    (b"proxy-connection", Name::ProxyConnection),
    (b"server", Name::Server),
    (b"te", Name::Te),
    (b"trailer", Name::Trailer),
    (b"transfer-encoding", Name::TransferEncoding),
    (b"upgrade", Name::Upgrade),
    (b"user-agent", Name::UserAgent),
    (b"x-forwarded-client-cert", Name::XForwardedClientCert),
    (b"x-forwarded-for", Name::XForwardedFor),
    (b"x-forwarded-host", Name::XForwardedHost),
    (b"x-forwarded-proto", Name::XForwardedProto),
    (b"x-request-id", Name::XRequestId),
];

/// For each first letter (its low five bits) and each length, one more than the index of the only known name with
/// these, or 0. Most names are not known, and this says so with one look.
static PLACES: [[u8; 32]; 32] = places();

const fn places() -> [[u8; 32]; 32] {
    let mut places = [[0; 32]; 32];
    let mut at = 0;
    while at < KNOWN.len() {
        let text = KNOWN[at].0;
        let place = &mut places[(text[0] & 31) as usize][text.len()];
        assert!(*place == 0, "two known names with the same first letter and length");
        *place = at as u8 + 1;
        at += 1;
    }
    places
}

/// A known name with the words it must have.
struct Known {
    words: [u64; 2],
    lower: &'static [u8],
    name: Name,
}

/// [`KNOWN`], with the words made before the program runs.
static LOOKUP: [Known; KNOWN.len()] = lookup();

const fn lookup() -> [Known; KNOWN.len()] {
    let mut lookup = [const { Known { words: [0; 2], lower: b"", name: Name::Other } }; KNOWN.len()];
    let mut at = 0;
    while at < KNOWN.len() {
        let (lower, name) = KNOWN[at];
        lookup[at] = Known { words: lower_words(lower), lower, name };
        at += 1;
    }
    lookup
}

impl Name {
    /// The variant for a name in any case.
    #[inline]
    pub fn of(text: &[u8]) -> Name {
        RawName::new(text).name()
    }

    /// A bit of its own, for sets of names.
    pub(super) const fn bit(self) -> u32 {
        const { assert!((Name::XEnvoy as u8) < 32) };
        1 << self as u8
    }
}

const X_ENVOY: u64 = u64::from_le_bytes(*b"x-envoy-");

// Most names have 4 to 16 bytes. These are looked at as two words that overlap: a loop over their bytes would end where
// no processor expects it.

/// A name in any case, and the words that finding it, lowering it and judging it all begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawName<'a> {
    bytes: &'a [u8],
    words: [u64; 2],
}

impl<'a> RawName<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        RawName { bytes, words: lower_words(bytes) }
    }

    /// The name, case kept.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The variant for this name.
    #[inline]
    pub(crate) fn name(&self) -> Name {
        let Some(first) = self.bytes.first() else { return Name::Other };
        let place = PLACES[usize::from(first & 31)].get(self.bytes.len()).copied().unwrap_or(0);
        // The place says that the lengths are the same.
        if let Some(known) = LOOKUP.get(usize::from(place).wrapping_sub(1))
            && self.words == known.words
            && self.middle().is_none_or(|middle| middle.eq_ignore_ascii_case(middle_of(known.lower)))
        {
            return known.name;
        }
        match self.words {
            [X_ENVOY, _] => Name::XEnvoy,
            _ => Name::Other,
        }
    }

    /// Whether it has an underscore, which no case changes.
    #[inline]
    pub(crate) fn has_underscore(&self) -> bool {
        let [first, last] = self.words;
        underscores(first) | underscores(last) != 0
            || self.middle().is_some_and(|middle| middle.contains(&b'_'))
    }

    /// Writes it in lower case over as many bytes.
    #[inline]
    pub(super) fn lower_into(&self, lower: &mut [u8]) {
        debug_assert_eq!(lower.len(), self.bytes.len());
        let [first, last] = self.words.map(u64::to_le_bytes);
        if let Some(start) = lower.first_chunk_mut() {
            *start = first;
            if let Some(end) = lower.last_chunk_mut() {
                *end = last;
            }
            if let Some(middle) = self.middle() {
                lower_middle(middle_of_mut(lower), middle);
            }
        } else if let (Some(start), [a, b, c, d, end @ ..]) = (lower.first_chunk_mut(), first) {
            *start = [a, b, c, d];
            if let Some(place) = lower.last_chunk_mut() {
                *place = end;
            }
        } else {
            lower.iter_mut().zip(first).for_each(|(to, from)| *to = from);
        }
    }

    /// What lies between the words.
    fn middle(&self) -> Option<&'a [u8]> {
        (self.bytes.len() > 16).then(|| middle_of(self.bytes))
    }
}

/// Two words in lower case, of the first bytes of a name and of the last, which overlap in most; with those between them,
/// and the length, they are the whole name.
#[inline]
const fn lower_words(name: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        return [lowered(u64::from_le_bytes(*first)), lowered(u64::from_le_bytes(*last))];
    }
    let both = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
        }
        _ => match *name {
            [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
            [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
            [a] => a as u64,
            _ => 0,
        },
    };
    [lowered(both); 2]
}

fn middle_of(name: &[u8]) -> &[u8] {
    name.get(8..name.len().saturating_sub(8)).unwrap_or_default()
}

fn middle_of_mut(name: &mut [u8]) -> &mut [u8] {
    let end = name.len().saturating_sub(8);
    name.get_mut(8..end).unwrap_or_default()
}

fn lower_middle(lower: &mut [u8], middle: &[u8]) {
    for (to, from) in lower.iter_mut().zip(middle) {
        *to = from.to_ascii_lowercase();
    }
}

/// Whether a name has an underscore.
pub fn has_underscore(name: &[u8]) -> bool {
    RawName::new(name).has_underscore()
}

/// Whether bytes are `lower`, which is in lower case, in any case. As [`slice::eq_ignore_ascii_case`], without its loop
/// for what has 16 bytes or fewer.
#[inline]
pub(crate) fn is_in_any_case(bytes: &[u8], lower: &'static [u8]) -> bool {
    debug_assert!(!lower.iter().any(u8::is_ascii_uppercase));
    bytes.len() == lower.len()
        && lower_words(bytes) == lower_words(lower)
        && (lower.len() <= 16 || middle_of(bytes).eq_ignore_ascii_case(middle_of(lower)))
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES * 0x80;

/// Puts the letters among eight bytes in lower case: those from `A` to `Z` get the bit 0x20.
const fn lowered(word: u64) -> u64 {
    // What comes after `Z` comes after `A` too, so the bytes that differ in the two are the letters.
    let low_bits = word & !HIGHS;
    let from_a = low_bits + ONES * (0x80 - b'A' as u64);
    let after_z = low_bits + ONES * (0x80 - b'Z' as u64 - 1);
    word | ((from_a ^ after_z) & !word & HIGHS) >> 2
}

/// Not 0 if any of eight bytes is an underscore.
fn underscores(word: u64) -> u64 {
    let others = word ^ (ONES * u64::from(b'_'));
    others.wrapping_sub(ONES) & !others & HIGHS
}

/// Whether a byte may be part of a token: a method, a field name (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found() {
        for (text, name) in KNOWN {
            assert_eq!(Name::of(text), name);
            assert_eq!(Name::of(&text.to_ascii_uppercase()), name);
            let longer = [text, b"s"].concat();
            assert_eq!(Name::of(&longer), Name::Other);
        }
        for other in ["", "x-envoy", "cookie", "hosu", "\u{0}", "x-forwarded-client-certificate-and-more"] {
            assert_eq!(Name::of(other.as_bytes()), Name::Other, "{other}");
        }
        assert_eq!(Name::of(b"x-envoy-retry-on"), Name::XEnvoy);
    }

    #[test]
    fn no_other_byte_makes_a_known_name() {
        for (text, name) in KNOWN {
            for place in 0..text.len() {
                for byte in 0..=255u8 {
                    let mut other = text.to_vec();
                    other[place] = byte;
                    let is_same = byte.eq_ignore_ascii_case(&text[place]);
                    assert_eq!(Name::of(&other) == name, is_same, "{}", other.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn case_is_all_that_is_not_minded() {
        for wanted in [&b"te"[..], b"h2c", b"close", b"keep-alive", b"transfer-encoding", b"0123456789abcdef"]
        {
            assert!(is_in_any_case(&wanted.to_ascii_uppercase(), wanted));
            assert!(!is_in_any_case(b"", wanted) && !is_in_any_case(&wanted[1..], wanted));
            assert!(!is_in_any_case(&[wanted, b"\0"].concat(), wanted));
            for place in 0..wanted.len() {
                for byte in 0..=255u8 {
                    let mut other = wanted.to_vec();
                    other[place] = byte;
                    assert_eq!(is_in_any_case(&other, wanted), other.eq_ignore_ascii_case(wanted));
                }
            }
        }
    }

    #[test]
    fn underscores_are_seen_at_every_place() {
        for len in 0..40 {
            assert!(!has_underscore(&vec![b'^'; len]) && !has_underscore(&vec![b'`'; len]));
            for place in 0..len {
                let mut name = vec![b'-'; len];
                name[place] = b'_';
                assert!(has_underscore(&name));
            }
        }
    }
}
