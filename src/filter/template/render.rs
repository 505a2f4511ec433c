//! Pieces and a context to bytes.

use super::{Address, Command, Context, Part, Piece, Simple, Template};
use crate::{
    http::{Fields, Version},
    telemetry::operator::FieldSource,
};
use std::{io::Write, os::unix::ffi::OsStrExt};

/// The message whose fields are being changed: `REQ` or `RESP` reads them as they are.
#[derive(Clone, Copy, Debug)]
pub(in crate::filter) enum Message<'a> {
    Request(&'a Fields),
    Response(&'a Fields),
}

impl Template {
    /// As `render`, for something that is about a request and its answer.
    pub fn render_for_both(
        &self,
        request: &Fields,
        response: &Fields,
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) {
        let context = Context { request_fields: Some(request), ..*context };
        self.render(Message::Response(response), &context, out);
    }

    /// Appends the value. A command whose value is not known renders as nothing, as Envoy renders header values.
    /// Bytes that could split a header (CR, LF, NUL) come out as spaces (RFC 9110 section 5.5), wherever they came from.
    pub(in crate::filter) fn render(&self, message: Message<'_>, context: &Context<'_>, out: &mut Vec<u8>) {
        let begin = out.len();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Command(command) => render_command(command, message, context, out),
            }
        }
        for byte in out.iter_mut().skip(begin) {
            if matches!(byte, b'\r' | b'\n' | 0) {
                *byte = b' ';
            }
        }
    }
}

fn render_command(command: &Command, message: Message<'_>, context: &Context<'_>, out: &mut Vec<u8>) {
    match command {
        Command::Simple(simple) => render_simple(*simple, context, out),
        Command::StartTime(format) => format.render(context.start_time_ms, out),
        Command::Tls(fact) => {
            if let Some(tls) = &context.tls {
                fact.render(tls, out);
            }
        }
        Command::Validity(end, format) => {
            if let Some(peer) = context.tls.as_ref().and_then(|tls| tls.peer.as_ref()) {
                format.render(end.of(peer), out);
            }
        }
        Command::RequestField(source) => {
            let fields = match message {
                Message::Request(fields) => Some(fields),
                Message::Response(_) => context.request_fields,
            };
            render_field(source, out, |name| request_value(name, fields, context));
        }
        Command::ResponseField(source) => {
            let fields = match message {
                Message::Request(_) => None,
                Message::Response(fields) => Some(fields),
            };
            if source.first.as_ref() == b":status" {
                return push_number(context.response_code, out);
            }
            render_field(source, out, |name| fields?.get_text(name));
        }
    }
}

fn render_simple(simple: Simple, context: &Context<'_>, out: &mut Vec<u8>) {
    match simple {
        Simple::BytesReceived => push_number(Some(context.bytes_received), out),
        Simple::BytesSent => push_number(Some(context.bytes_sent), out),
        Simple::DownstreamLocalAddress(part) => push_address(context.downstream_local, part, out),
        Simple::DownstreamRemoteAddress(part) => push_address(context.downstream_remote, part, out),
        Simple::DownstreamDirectRemoteAddress(part) => {
            push_address(context.downstream_direct_remote, part, out);
        }
        Simple::Hostname => push_text(Some(context.hostname), out),
        Simple::Protocol => push_text(Some(protocol(context.protocol)), out),
        Simple::RequestedServerName => push_text(context.server_name, out),
        Simple::ResponseCode => push_number(context.response_code, out),
        Simple::ResponseCodeDetails => push_text(context.response_code_details, out),
        Simple::ResponseFlags => push_text(context.response_flags, out),
        Simple::RouteName => push_text(context.route_name, out),
        Simple::UpstreamCluster => push_text(context.upstream_cluster, out),
        Simple::UpstreamRemoteAddress(part) => push_address(context.upstream_remote, part, out),
    }
}

fn request_value<'a>(name: &[u8], fields: Option<&'a Fields>, context: &Context<'a>) -> Option<&'a [u8]> {
    match name {
        b":method" => Some(context.method),
        b":path" => Some(context.target),
        b":authority" | b"host" => Some(context.authority),
        b":scheme" => Some(context.scheme.as_str().as_bytes()),
        _ => fields?.get_text(name),
    }
}

fn render_field<'a>(source: &FieldSource, out: &mut Vec<u8>, value: impl Fn(&[u8]) -> Option<&'a [u8]>) {
    let otherwise = || value(source.otherwise.as_deref()?);
    if let Some(found) = value(&source.first).or_else(otherwise) {
        out.extend_from_slice(&found[..found.len().min(source.length_max)]);
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
    }
}

fn push_text(text: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(text.unwrap_or("").as_bytes());
}

fn push_number(number: Option<impl itoa::Integer>, out: &mut Vec<u8>) {
    if let Some(number) = number {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}

fn push_address(address: Option<Address<'_>>, part: Part, out: &mut Vec<u8>) {
    // Writing to a Vec does not fail.
    let _ = match (address, part) {
        (Some(Address::Ip(address)), Part::Whole) => write!(out, "{address}"),
        (Some(Address::Ip(address)), Part::WithoutPort) => write!(out, "{}", address.ip()),
        (Some(Address::Ip(address)), Part::Port) => write!(out, "{}", address.port()),
        (Some(Address::Unix(path)), Part::Whole | Part::WithoutPort) => {
            out.write_all(path.as_os_str().as_bytes())
        }
        (Some(Address::Unix(_)), Part::Port) | (None, _) => Ok(()),
    };
}
