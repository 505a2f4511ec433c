//! Which names the encoder knows, and whether their fields are remembered.

/// What the encoder knows of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The first index of the static table with this name, or 0.
    pub(super) index: u8,
    /// Whether fields with this name are remembered.
    pub(super) use_of: Use,
}

/// Whether fields are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The same values come again: worth an entry.
    Repeats,
    /// Another value nearly every time: an entry would only evict others.
    Varies,
    /// A secret: no intermediary may ever remember it, or its value could be guessed by what it compresses to
    /// (RFC 7541 section 7.1.3).
    Secret,
}

/// What goes for any name that is not in the list.
const UNKNOWN: Known = Known { index: 0, use_of: Use::Repeats };

const fn repeats(text: &'static [u8], index: u8) -> (&'static [u8], Known) {
    (text, Known { index, use_of: Use::Repeats })
}

const fn varies(text: &'static [u8], index: u8) -> (&'static [u8], Known) {
    (text, Known { index, use_of: Use::Varies })
}

const fn secret(text: &'static [u8], index: u8) -> (&'static [u8], Known) {
    (text, Known { index, use_of: Use::Secret })
}

/// The names of the static table, and others whose fields do not repeat.
const NAMES: [(&[u8], Known); 56] = [
    repeats(b":authority", 1),
    repeats(b":method", 2),
    varies(b":path", 4),
    repeats(b":scheme", 6),
    repeats(b":status", 8),
    repeats(b"accept-charset", 15),
    repeats(b"accept-encoding", 16),
    repeats(b"accept-language", 17),
    repeats(b"accept-ranges", 18),
    repeats(b"accept", 19),
    repeats(b"access-control-allow-origin", 20),
    varies(b"age", 21),
    repeats(b"allow", 22),
    secret(b"authorization", 23),
    repeats(b"cache-control", 24),
    repeats(b"content-disposition", 25),
    repeats(b"content-encoding", 26),
    repeats(b"content-language", 27),
    varies(b"content-length", 28),
    repeats(b"content-location", 29),
    varies(b"content-range", 30),
    repeats(b"content-type", 31),
    secret(b"cookie", 32),
    repeats(b"date", 33),
    varies(b"etag", 34),
    repeats(b"expect", 35),
    repeats(b"expires", 36),
    repeats(b"from", 37),
    repeats(b"host", 38),
    repeats(b"if-match", 39),
    varies(b"if-modified-since", 40),
    varies(b"if-none-match", 41),
    repeats(b"if-range", 42),
    repeats(b"if-unmodified-since", 43),
    varies(b"last-modified", 44),
    repeats(b"link", 45),
    varies(b"location", 46),
    repeats(b"max-forwards", 47),
    repeats(b"proxy-authenticate", 48),
    secret(b"proxy-authorization", 49),
    varies(b"range", 50),
    repeats(b"referer", 51),
    repeats(b"refresh", 52),
    repeats(b"retry-after", 53),
    repeats(b"server", 54),
    secret(b"set-cookie", 55),
    repeats(b"strict-transport-security", 56),
    repeats(b"transfer-encoding", 57),
    repeats(b"user-agent", 58),
    repeats(b"vary", 59),
    repeats(b"via", 60),
    repeats(b"www-authenticate", 61),
    varies(b"x-request-id", 0),
    varies(b"grpc-timeout", 0),
    varies(b"x-envoy-upstream-service-time", 0),
    varies(b"traceparent", 0),
];

/// Tracing identifiers of Zipkin, another one with each request.
const ZIPKIN: &[u8] = b"x-b3-";

/// What is known of a name in lower case.
#[inline]
pub(super) fn of(text: &[u8]) -> Known {
    let place = usize::from(PLACES[hash(text)]);
    if let Some((known, facts)) = NAMES.get(place.wrapping_sub(1))
        && *known == text
    {
        return *facts;
    }
    if text.starts_with(ZIPKIN) { Known { use_of: Use::Varies, ..UNKNOWN } } else { UNKNOWN }
}

/// For each hash, one more than the place of the only name in [`NAMES`] with this hash, or 0.
static PLACES: [u8; 256] = places();

const fn places() -> [u8; 256] {
    let mut places = [0; 256];
    let mut at = 0;
    while at < NAMES.len() {
        let place = &mut places[hash(NAMES[at].0)];
        assert!(*place == 0, "two names with the same hash: try another factor");
        *place = at as u8 + 1;
        at += 1;
    }
    places
}

/// The top byte of a product with the length and three bytes of a name. The factor was searched for: it gives each name
/// of the list a hash of its own.
#[inline]
const fn hash(text: &[u8]) -> usize {
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return 0 };
    let word = u32::from_le_bytes([text.len() as u8, *first, text[text.len() / 2], *last]);
    (word.wrapping_mul(0x4475_4b27) >> 24) as usize
}
