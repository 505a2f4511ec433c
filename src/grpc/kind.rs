//! gRPC and the two forms of gRPC-Web, told apart by the content type.

use crate::http::is_token_byte;

/// Which protocol a content type says (gRPC's `PROTOCOL-HTTP2.md` and `PROTOCOL-WEB.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/grpc`: messages in the body, the status in trailers.
    Grpc,
    /// `application/grpc-web`: the trailers are a frame at the end of the body.
    Web,
    /// `application/grpc-web-text`: the body of gRPC-Web in base64.
    WebText,
}

impl Kind {
    /// The content type without a message format.
    pub(super) fn essence(self) -> &'static [u8] {
        match self {
            Kind::Grpc => b"application/grpc",
            Kind::Web => b"application/grpc-web",
            Kind::WebText => b"application/grpc-web-text",
        }
    }
}

/// What a content type says: one of the three kinds, perhaps with a message format such as `+proto` and with parameters
/// after `;`. Case does not matter (RFC 9110 section 8.3.1).
///
/// `application/grpc-web-text-base64` is another spelling of the text form (`PROTOCOL-WEB.md`). Anything else behind
/// the name makes it another type: `application/grpcfoo` is none of gRPC's.
pub fn kind(content_type: &[u8]) -> Option<Kind> {
    split(content_type).map(|(kind, _)| kind)
}

/// The kind, and what follows its name: message format and parameters, as sent.
pub(super) fn split(content_type: &[u8]) -> Option<(Kind, &[u8])> {
    let rest = without(content_type, Kind::Grpc.essence())?;
    let (kind, rest) = match without(rest, b"-web") {
        None => (Kind::Grpc, rest),
        Some(rest) => match without(rest, b"-text") {
            None => (Kind::Web, rest),
            Some(rest) => (Kind::WebText, without(rest, b"-base64").unwrap_or(rest)),
        },
    };
    let format = rest.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let is_format = match format {
        [] => true,
        [b'+', name @ ..] => !name.is_empty() && name.iter().all(|byte| is_token_byte(*byte)),
        _ => false,
    };
    is_format.then_some((kind, rest))
}

/// What follows `lower`, in any case, at the beginning of a text.
fn without<'a>(text: &'a [u8], lower: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(lower.len())?;
    start.eq_ignore_ascii_case(lower).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_say_their_kind() {
        for (text, wanted) in [
            ("application/grpc", Kind::Grpc),
            ("application/grpc+proto", Kind::Grpc),
            ("application/grpc;charset=utf-8", Kind::Grpc),
            ("Application/GRPC+JSON ; a=b", Kind::Grpc),
            ("application/grpc-web", Kind::Web),
            ("application/grpc-web+proto", Kind::Web),
            ("application/gRPC-Web+thrift;a=b;c", Kind::Web),
            ("application/grpc-web-text", Kind::WebText),
            ("application/grpc-web-text+proto", Kind::WebText),
            ("application/grpc-web-TEXT-base64", Kind::WebText),
            ("application/grpc-web-text-base64+proto;a", Kind::WebText),
        ] {
            assert_eq!(kind(text.as_bytes()), Some(wanted), "{text}");
        }
    }

    #[test]
    fn other_types_are_none() {
        for text in [
            "",
            "application/grp",
            "application/grpcfoo",
            "application/grpc-",
            "application/grpc+",
            "application/grpc+;a",
            "application/grpc+a b",
            "application/grpc/x",
            "application/grpc, text/html",
            "application/grpc-webtext",
            "application/grpc-web-base64",
            "application/grpc-web-text-",
            "application/grpc-web-texts",
            "application/json",
            "text/application/grpc",
            " application/grpc",
        ] {
            assert_eq!(kind(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_follows_the_name_is_kept() {
        assert_eq!(
            split(b"APPLICATION/grpc-web-text+Proto; A=b"),
            Some((Kind::WebText, &b"+Proto; A=b"[..]))
        );
        assert_eq!(split(b"application/grpc"), Some((Kind::Grpc, &b""[..])));
    }
}
