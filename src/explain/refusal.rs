//! Why a request head is refused, in words.

use crate::http1::decode::{BadFields, BadRequest};

/// The reason.
pub(super) fn reason(bad: BadRequest) -> &'static str {
    match bad {
        BadRequest::RequestLine => "the request line is not method, target and version",
        BadRequest::Method => "the method has a character that none has",
        BadRequest::MethodTooLong => "the method is longer than any that is known",
        BadRequest::Connect => "CONNECT is refused: the gateway is no tunnel",
        BadRequest::Trace => "TRACE is refused: it would reflect what the client may not see",
        BadRequest::Version | BadRequest::VersionUnknown => "the version of HTTP is not spoken here",
        BadRequest::Http10 => "HTTP/1.0 is not spoken here",
        BadRequest::Target => "the target is not a path, or not one for this method",
        BadRequest::TargetTooLong => "the target is too long",
        BadRequest::Fragment => "the target begins a fragment after an empty query",
        BadRequest::Scheme => "the target's scheme is not that of the connection",
        BadRequest::HostMissing => "there is no host",
        BadRequest::HostRepeated => "there is more than one host",
        BadRequest::Authority => "the host is not a DNS name or IP address, perhaps with a port",
        BadRequest::AuthorityMismatch => "the target names another host than the header",
        BadRequest::Underscore => "a header's name has an underscore where that is not allowed",
        BadRequest::TransferCoding => "the transfer coding is not chunked alone",
        BadRequest::FramingNominated => "`connection` names a header that says where the body ends",
        BadRequest::LengthRequired => "the method calls for a body, but its length is not said",
        BadRequest::Expectation => "the expectation is not 100-continue",
        BadRequest::Upgrade => "the upgrade is not to websocket",
        BadRequest::Fields(bad) => fields_reason(bad),
    }
}

fn fields_reason(bad: BadFields) -> &'static str {
    match bad {
        BadFields::Name => "a header's name is empty or has a character that none has",
        BadFields::Value => "a header's value has a control character",
        BadFields::End => "the headers do not end with an empty line",
        BadFields::TooMany => "there are too many headers",
        BadFields::TooLarge => "the headers are too large",
        BadFields::ConnectionTooLong => "`connection` names too many headers",
        BadFields::ContentLength => "`content-length` is not a number",
        BadFields::ContentLengthRepeated => "there is more than one `content-length`",
        BadFields::TransferEncodingRepeated => "there is more than one `transfer-encoding`",
        BadFields::BothFramings => "there are both `content-length` and `transfer-encoding`",
    }
}
