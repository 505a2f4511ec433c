//! Every reason to refuse a head. Where Envoy has a response code detail for the reason, ours is the same.

/// Why a request head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// The request line is not `method SP target SP version CRLF`, or what comes before it is not an empty line.
    RequestLine,
    /// The method has a byte that no token has.
    Method,
    /// The method is longer than any that is known.
    MethodTooLong,
    /// `CONNECT`: the gateway is no tunnel.
    Connect,
    /// `TRACE`: it would reflect what the client may not see (RFC 9110 section 9.3.8).
    Trace,
    /// The version is not `HTTP/` digit `.` digit.
    Version,
    /// A version of HTTP that is not spoken here, or not in this form.
    VersionUnknown,
    /// HTTP/1.0, where that is not accepted.
    Http10,
    /// The target is none of the four forms of RFC 9112 section 3.2, or not the method's.
    Target,
    /// The target is too long to fit a head.
    TargetTooLong,
    /// The target begins a fragment right after an empty query: parsers disagree on where its path ends.
    Fragment,
    /// The target's scheme is neither `http` nor `https`, or it is `https` on a connection that is not secure.
    Scheme,
    /// No `host` (RFC 9112 section 3.2).
    HostMissing,
    /// More than one `host`, even equal ones (RFC 9112 section 3.2).
    HostRepeated,
    /// The authority is not a host and perhaps a port, in `host` or in the target.
    Authority,
    /// The target names another authority than `host`.
    AuthorityMismatch,
    /// A name has an underscore where policy forbids that, or is a framing field's but for its underscore.
    Underscore,
    /// A transfer coding that is not `chunked` alone (RFC 9112 section 6.1).
    TransferCoding,
    /// `connection` names a framing field: whoever removes it takes the body for the next request.
    FramingNominated,
    /// An HTTP/1.0 request whose method calls for a body, without its length (RFC 1945 section 7.2.2).
    LengthRequired,
    /// An expectation that is not one `100-continue` (RFC 9110 section 10.1.1).
    Expectation,
    /// An upgrade to something that is not websocket, where policy refuses that.
    Upgrade,
    /// The field section is refused.
    Fields(BadFields),
}

impl BadRequest {
    /// The status of the answer. The connection closes after it.
    pub fn status(self) -> u16 {
        use BadRequest as Bad;
        match self {
            Bad::Connect | Bad::Upgrade => 403,
            Bad::Trace => 405,
            Bad::LengthRequired => 411,
            Bad::TargetTooLong => 414,
            Bad::Expectation => 417,
            Bad::Http10 => 426,
            Bad::Fields(BadFields::TooLarge | BadFields::TooMany) => 431,
            Bad::MethodTooLong | Bad::TransferCoding => 501,
            Bad::VersionUnknown => 505,
            _ => 400,
        }
    }

    /// The response code detail for the access log.
    pub fn detail(self) -> &'static str {
        use BadRequest as Bad;
        match self {
            Bad::RequestLine | Bad::Method | Bad::Version | Bad::VersionUnknown => "http1.codec_error",
            Bad::MethodTooLong => "http1.method_too_long",
            Bad::Connect => "upgrade_failed",
            Bad::Trace => "http1.trace_rejected",
            Bad::Http10 => "low_version",
            Bad::Target | Bad::Authority => "http1.invalid_url",
            Bad::TargetTooLong => "http1.url_too_long",
            Bad::Fragment => "path_with_fragment_rejected",
            Bad::Scheme => "http1.invalid_scheme",
            Bad::HostMissing => "missing_host_header",
            Bad::HostRepeated => "http1.multiple_host_headers",
            Bad::AuthorityMismatch => "http1.host_mismatch",
            Bad::Underscore => "http1.unexpected_underscore",
            Bad::TransferCoding => "http1.invalid_transfer_encoding",
            Bad::FramingNominated => "http1.connection_header_rejected",
            Bad::LengthRequired => "http1.length_required",
            Bad::Expectation => "http1.unknown_expectation",
            Bad::Upgrade => "upgrade_failed",
            Bad::Fields(bad) => bad.detail("request_headers_too_large"),
        }
    }
}

/// Why a response head is refused. All are the upstream's protocol errors: 502 with the flag `UPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// The status line is not `version SP status SP reason CRLF`; the last space may be missing where no reason is.
    StatusLine,
    /// The version is not HTTP/1.
    Version,
    /// The status is not three digits, or below 100.
    Status,
    /// A transfer coding that is not `chunked` alone, or any in HTTP/1.0.
    TransferCoding,
    /// 101, but the client did not ask, or not for what the upstream says it switches to.
    SwitchingUnasked,
    /// The field section is refused.
    Fields(BadFields),
}

impl BadResponse {
    /// The status of the answer that the client gets instead.
    pub fn status(self) -> u16 {
        502
    }

    /// The response code detail for the access log.
    pub fn detail(self) -> &'static str {
        use BadResponse as Bad;
        match self {
            Bad::StatusLine | Bad::Version | Bad::Status => "http1.codec_error",
            Bad::TransferCoding => "http1.invalid_transfer_encoding",
            Bad::SwitchingUnasked => "upgrade_failed",
            Bad::Fields(bad) => bad.detail("response_headers_too_large"),
        }
    }
}

/// Why a field section is refused, in either head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFields {
    /// A line does not begin with a name and a colon: no name, a byte that no token has, white space before the colon,
    /// or a fold (RFC 9112 sections 5.1 and 5.2).
    Name,
    /// A value has a control byte, or does not end in CRLF (RFC 9110 section 5.5).
    Value,
    /// The empty line at the end is not CRLF.
    End,
    /// More field lines than the limit.
    TooMany,
    /// The head is longer than the limit.
    TooLarge,
    /// `connection` has more members than the limit.
    ConnectionTooLong,
    /// `content-length` is not a number below 2^63, or has needlessly many digits.
    ContentLength,
    /// More than one `content-length`, even equal ones.
    ContentLengthRepeated,
    /// More than one `transfer-encoding`.
    TransferEncodingRepeated,
    /// Both `content-length` and `transfer-encoding` (RFC 9112 section 6.1).
    BothFramings,
}

impl BadFields {
    fn detail(self, too_large: &'static str) -> &'static str {
        match self {
            BadFields::Name | BadFields::Value | BadFields::End => "http1.invalid_characters",
            BadFields::TooMany => "http1.too_many_headers",
            BadFields::TooLarge => too_large,
            BadFields::ConnectionTooLong => "http1.connection_header_rejected",
            BadFields::ContentLength | BadFields::ContentLengthRepeated => "http1.invalid_content_length",
            BadFields::TransferEncodingRepeated => "http1.invalid_transfer_encoding",
            BadFields::BothFramings => "http1.content_length_and_chunked_not_allowed",
        }
    }
}
