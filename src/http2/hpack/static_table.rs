//! The 61 fields that every peer knows (RFC 7541 appendix A).

use crate::http::Name;

/// The last index of the static table. The newest entry of the dynamic table comes after it.
pub(super) const STATIC_ENTRIES: usize = FIELDS.len();

/// One field of the static table. All of them are valid.
pub(super) struct StaticField {
    pub(super) text: &'static [u8],
    pub(super) value: &'static [u8],
    pub(super) name: Name,
}

/// The field with an index from 1 to [`STATIC_ENTRIES`].
#[inline]
pub(super) fn field(index: usize) -> Option<&'static StaticField> {
    FIELDS.get(index.wrapping_sub(1))
}

const fn other(text: &'static [u8], value: &'static [u8]) -> StaticField {
    StaticField { text, value, name: Name::Other }
}

const fn known(text: &'static [u8], name: Name) -> StaticField {
    StaticField { text, value: b"", name }
}

/// The table in the order of its indexes, from 1.
static FIELDS: [StaticField; 61] = [
    other(b":authority", b""),
    other(b":method", b"GET"),
    other(b":method", b"POST"),
    other(b":path", b"/"),
    other(b":path", b"/index.html"),
    other(b":scheme", b"http"),
    other(b":scheme", b"https"),
    other(b":status", b"200"),
    other(b":status", b"204"),
    other(b":status", b"206"),
    other(b":status", b"304"),
    other(b":status", b"400"),
    other(b":status", b"404"),
    other(b":status", b"500"),
    other(b"accept-charset", b""),
    other(b"accept-encoding", b"gzip, deflate"),
    other(b"accept-language", b""),
    other(b"accept-ranges", b""),
    other(b"accept", b""),
    other(b"access-control-allow-origin", b""),
    other(b"age", b""),
    other(b"allow", b""),
    other(b"authorization", b""),
    other(b"cache-control", b""),
    other(b"content-disposition", b""),
    other(b"content-encoding", b""),
    other(b"content-language", b""),
    known(b"content-length", Name::ContentLength),
    other(b"content-location", b""),
    other(b"content-range", b""),
    known(b"content-type", Name::ContentType),
    other(b"cookie", b""),
    known(b"date", Name::Date),
    other(b"etag", b""),
    known(b"expect", Name::Expect),
    other(b"expires", b""),
    other(b"from", b""),
    known(b"host", Name::Host),
    other(b"if-match", b""),
    other(b"if-modified-since", b""),
    other(b"if-none-match", b""),
    other(b"if-range", b""),
    other(b"if-unmodified-since", b""),
    other(b"last-modified", b""),
    other(b"link", b""),
    known(b"location", Name::Location),
    other(b"max-forwards", b""),
    other(b"proxy-authenticate", b""),
    other(b"proxy-authorization", b""),
    other(b"range", b""),
    other(b"referer", b""),
    other(b"refresh", b""),
    other(b"retry-after", b""),
    known(b"server", Name::Server),
    other(b"set-cookie", b""),
    other(b"strict-transport-security", b""),
    known(b"transfer-encoding", Name::TransferEncoding),
    known(b"user-agent", Name::UserAgent),
    other(b"vary", b""),
    other(b"via", b""),
    other(b"www-authenticate", b""),
];
