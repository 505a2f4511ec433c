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

impl Name {
    /// The variant for a name in any case.
    #[inline]
    pub fn of(text: &[u8]) -> Name {
        let Some(first) = text.first() else { return Name::Other };
        let place = PLACES[usize::from(first & 31)].get(text.len()).copied().unwrap_or(0);
        if let Some((lower, name)) = KNOWN.get(usize::from(place).wrapping_sub(1))
            && is_same(text, lower)
        {
            return *name;
        }
        match text.first_chunk() {
            Some(start)
                if first.eq_ignore_ascii_case(&b'x') && lowered(u64::from_le_bytes(*start)) == X_ENVOY =>
            {
                Name::XEnvoy
            }
            _ => Name::Other,
        }
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

/// Two words that together hold the bytes of a name of 4 to 16 bytes.
fn words(name: &[u8]) -> Option<[u64; 2]> {
    if name.len() > 16 {
        return None;
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        return Some([u64::from_le_bytes(*first), u64::from_le_bytes(*last)]);
    }
    let first = u32::from_le_bytes(*name.first_chunk()?);
    let last = u32::from_le_bytes(*name.last_chunk()?);
    let both = u64::from(first) | u64::from(last) << 32;
    Some([both; 2])
}

/// Writes a name in lower case over as many bytes.
pub(super) fn lower_into(lower: &mut [u8], name: &[u8]) {
    debug_assert_eq!(lower.len(), name.len());
    match words(name).map(|words| words.map(|word| lowered(word).to_le_bytes())) {
        Some([first, last]) if name.len() >= 8 => {
            lower[..8].copy_from_slice(&first);
            lower[name.len() - 8..].copy_from_slice(&last);
        }
        Some([both, _]) => {
            lower[..4].copy_from_slice(&both[..4]);
            lower[name.len() - 4..].copy_from_slice(&both[4..]);
        }
        None => {
            for (to, from) in lower.iter_mut().zip(name) {
                *to = from.to_ascii_lowercase();
            }
        }
    }
}

/// Whether a name has an underscore.
pub fn has_underscore(name: &[u8]) -> bool {
    match words(name) {
        Some([first, last]) => underscores(first) | underscores(last) != 0,
        None => name.contains(&b'_'),
    }
}

/// Whether `lower`, which is in lower case, is this name.
fn is_same(name: &[u8], lower: &[u8]) -> bool {
    name.len() == lower.len()
        && match (words(name), words(lower)) {
            (Some(words), Some(wanted)) => words.map(lowered) == wanted,
            _ => name.eq_ignore_ascii_case(lower),
        }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES * 0x80;

/// Puts the letters among eight bytes in lower case: those from `A` to `Z` get the bit 0x20.
fn lowered(word: u64) -> u64 {
    let low_bits = word & !HIGHS;
    let from_a = low_bits + ONES * (0x80 - u64::from(b'A'));
    let after_z = low_bits + ONES * (0x80 - u64::from(b'Z') - 1);
    word | (from_a & !after_z & !word & HIGHS) >> 2
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
