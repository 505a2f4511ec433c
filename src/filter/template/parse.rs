//! Text to pieces: `%COMMAND%`, `%COMMAND(argument)%`, `%COMMAND(argument):length%`, `%%`.

use super::{Command, Part, Piece, Simple, Template, TemplateError};
use crate::telemetry::{
    TimeFormat, TlsFact, ValidityEnd,
    operator::{Call, FieldSource, GrammarError, Token, Tokens},
};

/// Parses a header value. The syntax is Envoy's; what istiod's own check refuses is refused as well, except for the
/// length behind an argument, which Envoy documents and istiod does not know.
pub(super) fn parse(text: &str) -> Result<Template, TemplateError> {
    if let Some(at) = text.bytes().position(|b| b.is_ascii_control() && b != b'\t') {
        return Err(TemplateError::ControlCharacter { at });
    }
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    for token in Tokens::new(text) {
        match token {
            Ok(Token::Literal(text)) => literal.extend_from_slice(text.as_bytes()),
            Ok(Token::Call(call)) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
                }
                pieces.push(Piece::Command(command(&call)?));
            }
            Err(GrammarError::LonePercent) => return Err(TemplateError::LonePercent),
            Err(GrammarError::Unterminated(at)) => return Err(TemplateError::Unterminated { at }),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(Template { text: text.into(), pieces })
}

fn bad(call: &Call<'_>, reason: &'static str) -> TemplateError {
    TemplateError::BadArgument { command: call.name.to_owned(), reason }
}

fn field_source(call: &Call<'_>) -> Result<FieldSource, TemplateError> {
    call.field_source().map_err(|reason| bad(call, reason))
}

fn command(call: &Call<'_>) -> Result<Command, TemplateError> {
    match call.name {
        "REQ" => Ok(Command::RequestField(field_source(call)?)),
        "RESP" => Ok(Command::ResponseField(field_source(call)?)),
        "START_TIME" => {
            if call.length.is_some() {
                return Err(bad(call, "takes no length"));
            }
            let format = TimeFormat::parse(call.argument.unwrap_or(""));
            Ok(Command::StartTime(format.map_err(|reason| bad(call, reason))?))
        }
        name => {
            if let Some(end) = ValidityEnd::parse(name)
                && call.length.is_none()
            {
                let format = TimeFormat::parse(call.argument.unwrap_or(""));
                return Ok(Command::Validity(end, format.map_err(|reason| bad(call, reason))?));
            }
            let unknown = || TemplateError::UnknownCommand { name: name.to_owned() };
            let tls = TlsFact::parse(name).map(Command::Tls);
            let command = tls.or_else(|| simple(name).map(Command::Simple)).ok_or_else(unknown)?;
            if call.argument.is_some() || call.length.is_some() {
                return Err(bad(call, "takes no argument"));
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
