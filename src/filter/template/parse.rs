//! Text to pieces: `%COMMAND%`, `%COMMAND(argument)%`, `%COMMAND(argument):length%`, `%%`.

use super::{
    Command, FieldSource, Part, Piece, Simple, Template, TemplateError, time,
    tls::{TlsFact, ValidityEnd},
};

/// Parses a header value. The syntax is Envoy's; what istiod's own check refuses is refused as well, except for the
/// length behind an argument, which Envoy documents and istiod does not know.
pub(super) fn parse(text: &str) -> Result<Template, TemplateError> {
    if let Some(at) = text.bytes().position(|b| b.is_ascii_control() && b != b'\t') {
        return Err(TemplateError::ControlCharacter { at });
    }
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        literal.extend_from_slice(&rest.as_bytes()[..percent]);
        let at = text.len() - rest.len() + percent;
        let after = &rest[percent + 1..];
        if let Some(after_escape) = after.strip_prefix('%') {
            literal.push(b'%');
            rest = after_escape;
            continue;
        }
        if after.is_empty() {
            return Err(TemplateError::LonePercent);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        }
        let (call, after_call) = Call::read(after).ok_or(TemplateError::Unterminated { at })?;
        pieces.push(Piece::Command(command(&call)?));
        rest = after_call;
    }
    literal.extend_from_slice(rest.as_bytes());
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(Template { text: text.into(), pieces })
}

/// What stands between two percent signs.
struct Call<'a> {
    name: &'a str,
    argument: Option<&'a str>,
    length: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// Reads what follows the first `%`, and returns what follows the last one.
    fn read(text: &'a str) -> Option<(Call<'a>, &'a str)> {
        let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let name_len = text.bytes().position(|b| !is_name(b)).filter(|&len| len > 0)?;
        let (name, mut rest) = text.split_at(name_len);
        let mut call = Call { name, argument: None, length: None };
        if let Some(after_open) = rest.strip_prefix('(') {
            let (argument, after_close) = after_open.split_once(')')?;
            call.argument = Some(argument);
            rest = after_close;
        }
        if let Some(after_colon) = rest.strip_prefix(':') {
            let (length, _) = after_colon.split_once('%')?;
            call.length = Some(length);
            rest = &after_colon[length.len()..];
        }
        // istiod's check lets spaces stand between the argument and the end.
        let rest = rest.trim_start_matches(' ').strip_prefix('%')?;
        Some((call, rest))
    }

    fn bad(&self, reason: &'static str) -> TemplateError {
        TemplateError::BadArgument { command: self.name.to_owned(), reason }
    }
}

fn command(call: &Call<'_>) -> Result<Command, TemplateError> {
    match call.name {
        "REQ" => Ok(Command::RequestField(field_source(call)?)),
        "RESP" => Ok(Command::ResponseField(field_source(call)?)),
        "START_TIME" => {
            if call.length.is_some() {
                return Err(call.bad("takes no length"));
            }
            let format = time::Format::parse(call.argument.unwrap_or(""));
            Ok(Command::StartTime(format.map_err(|reason| call.bad(reason))?))
        }
        name => {
            if let Some(end) = ValidityEnd::parse(name)
                && call.length.is_none()
            {
                let format = time::Format::parse(call.argument.unwrap_or(""));
                return Ok(Command::Validity(end, format.map_err(|reason| call.bad(reason))?));
            }
            let unknown = || TemplateError::UnknownCommand { name: name.to_owned() };
            let tls = TlsFact::parse(name).map(Command::Tls);
            let command = tls.or_else(|| simple(name).map(Command::Simple)).ok_or_else(unknown)?;
            if call.argument.is_some() || call.length.is_some() {
                return Err(call.bad("takes no argument"));
            }
            Ok(command)
        }
    }
}

fn simple(name: &str) -> Option<Simple> {
    Some(match name {
        "BYTES_RECEIVED" => Simple::BytesReceived,
        "BYTES_SENT" => Simple::BytesSent,
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => Simple::DownstreamDirectRemoteAddress(Part::Whole),
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
            Simple::DownstreamDirectRemoteAddress(Part::WithoutPort)
        }
        "DOWNSTREAM_DIRECT_REMOTE_PORT" => Simple::DownstreamDirectRemoteAddress(Part::Port),
        "DOWNSTREAM_LOCAL_ADDRESS" => Simple::DownstreamLocalAddress(Part::Whole),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Simple::DownstreamLocalAddress(Part::WithoutPort),
        "DOWNSTREAM_LOCAL_PORT" => Simple::DownstreamLocalAddress(Part::Port),
        "DOWNSTREAM_REMOTE_ADDRESS" => Simple::DownstreamRemoteAddress(Part::Whole),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Simple::DownstreamRemoteAddress(Part::WithoutPort),
        "DOWNSTREAM_REMOTE_PORT" => Simple::DownstreamRemoteAddress(Part::Port),
        "HOSTNAME" => Simple::Hostname,
        "PROTOCOL" => Simple::Protocol,
        "REQUESTED_SERVER_NAME" => Simple::RequestedServerName,
        "RESPONSE_CODE" => Simple::ResponseCode,
        "RESPONSE_CODE_DETAILS" => Simple::ResponseCodeDetails,
        "RESPONSE_FLAGS" => Simple::ResponseFlags,
        "ROUTE_NAME" => Simple::RouteName,
        "UPSTREAM_CLUSTER" => Simple::UpstreamCluster,
        "UPSTREAM_HOST" | "UPSTREAM_REMOTE_ADDRESS" => Simple::UpstreamRemoteAddress(Part::Whole),
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Simple::UpstreamRemoteAddress(Part::WithoutPort),
        "UPSTREAM_REMOTE_PORT" => Simple::UpstreamRemoteAddress(Part::Port),
        _ => return None,
    })
}

/// `(FIRST?OTHERWISE):LENGTH`. The length may also stand inside the parentheses: a field name has no colon but the one
/// that begins a pseudo header, so the two cannot be confused.
fn field_source(call: &Call<'_>) -> Result<FieldSource, TemplateError> {
    let mut names = call.argument.ok_or_else(|| call.bad("needs a header name in parentheses"))?;
    let mut length = call.length;
    if let Some((before, digits)) = names.rsplit_once(':')
        && length.is_none()
        && !before.is_empty()
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
    {
        (names, length) = (before, Some(digits));
    }
    let length_max = match length {
        None => usize::MAX,
        Some(digits) => digits.parse().map_err(|_| call.bad("the length is not a number"))?,
    };
    let mut parts = names.split('?');
    let mut next = || parts.next().map(|name| field_name(call, name)).transpose();
    let (first, otherwise) = (next()?, next()?);
    if parts.next().is_some() {
        return Err(call.bad("more than one alternative header"));
    }
    let first = first.ok_or_else(|| call.bad("needs a header name in parentheses"))?;
    Ok(FieldSource { first, otherwise, length_max })
}

fn field_name(call: &Call<'_>, name: &str) -> Result<Box<[u8]>, TemplateError> {
    const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];
    let lower = name.to_ascii_lowercase();
    if lower.is_empty() {
        return Err(call.bad("a header name is empty"));
    }
    if lower.starts_with(':') {
        let response = call.name == "RESP" && lower == ":status";
        let request = call.name == "REQ" && PSEUDO.contains(&lower.as_str());
        if !response && !request {
            return Err(call.bad("there is no such pseudo header"));
        }
    } else if !lower.bytes().all(crate::http::is_token_byte) {
        return Err(call.bad("not a header name"));
    }
    Ok(lower.into_bytes().into())
}
