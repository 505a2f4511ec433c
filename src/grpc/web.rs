//! gRPC-Web to gRPC and back (gRPC's `PROTOCOL-WEB.md`, and Envoy's filter `grpc_web` where that leaves a choice).

use super::base64::{BadBase64, Decoder, Encoder};
use super::kind::{Kind, split};
use super::status::{drop_body, set_status, status_of_http};
use crate::http::{BodyLength, Fields, Name, RequestHead, ResponseHead};

/// The first byte of the frame that holds the trailers: the highest bit says that it is no message.
const TRAILERS_FRAME: u8 = 0x80;

/// `UNKNOWN`: what a client of gRPC concludes where no status came.
const UNKNOWN: u8 = 2;

/// The translation of one exchange with a gRPC-Web client: its request becomes one of gRPC, and the answer one
/// of gRPC-Web.
///
/// Both bodies have the same messages in the same frames; the text form is base64 of them. The trailers of the answer
/// are a frame at the end of its body, for browsers show no trailers to a page.
#[derive(Clone, Debug)]
pub struct Translation {
    /// For a request in the text form.
    decoder: Option<Decoder>,
    /// For an answer in the text form.
    encoder: Option<Encoder>,
    body: AnswerBody,
}

/// What the client gets as the body of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnswerBody {
    /// Nothing: the head says it all.
    None,
    /// Messages, then the trailers with the status.
    Messages,
    /// Messages, then trailers if there are any: the head has the status.
    MessagesAfterStatus,
    /// The upstream speaks gRPC-Web, and ends the body with trailers of its own.
    Translated,
}

impl Translation {
    /// Changes the head of a gRPC-Web request to one of gRPC. None, and nothing changes, for any other request.
    ///
    /// - `content-type` becomes `application/grpc`, and keeps the message format and the parameters.
    /// - `te: trailers` is set: gRPC servers refuse who does not take trailers.
    /// - `grpc-accept-encoding: identity` is set where it is absent, as in Envoy: gRPC-Web has no compressed
    ///   messages unless its client says it knows them, and a server may else take the absence for any.
    /// - `x-grpc-web`, which tells that the client is one of gRPC-Web, is removed: this request is not.
    /// - In the text form a body's length becomes unknown, because base64 is longer than what it stands for.
    ///
    /// The answer will be in the text form if that is the first form of gRPC-Web that `accept` names. As in Envoy the
    /// form of the request does not matter, and an `accept` without any, or none, means the binary form.
    pub fn begin(head: &mut RequestHead) -> Option<Translation> {
        let (kind, rest) = split(head.fields.get(Name::ContentType)?)?;
        if kind == Kind::Grpc {
            return None;
        }
        let content_type = [Kind::Grpc.essence(), rest].concat();
        set_content_type(&mut head.fields, &content_type);
        let encoder = (accepted(&head.fields) == Kind::WebText).then(Encoder::default);
        let decoder = (kind == Kind::WebText).then(Decoder::default);
        if decoder.is_some() && head.body != BodyLength::None {
            head.body = BodyLength::Unknown;
        }
        head.fields.remove(Name::Te);
        head.fields.push_known(Name::Te, "te", b"trailers");
        if head.fields.get_text(b"grpc-accept-encoding").is_none() {
            head.fields.push_known(Name::Other, "grpc-accept-encoding", b"identity");
        }
        head.fields.remove_text(b"x-grpc-web");
        Some(Translation { decoder, encoder, body: AnswerBody::None })
    }

    /// The form in which the client takes the answer, local replies included.
    pub fn answer_kind(&self) -> Kind {
        if self.encoder.is_some() { Kind::WebText } else { Kind::Web }
    }

    /// Appends to `out` what a piece of the request's body is for the upstream: at most as many bytes, and perhaps
    /// none yet.
    ///
    /// # Errors
    /// The body is no base64 (400, as Envoy answers). What came before the mistake is in `out`, and nothing more may be
    /// handed in.
    pub fn request_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), BadBase64> {
        match &mut self.decoder {
            Some(decoder) => decoder.push(data, out),
            None => {
                out.extend_from_slice(data);
                Ok(())
            }
        }
    }

    /// The request's body has ended.
    ///
    /// # Errors
    /// It ended within a group of base64: padding is not optional.
    pub fn request_end(&mut self) -> Result<(), BadBase64> {
        self.decoder.as_ref().map_or(Ok(()), Decoder::end)
    }

    /// Changes the head of the upstream's final response to one of gRPC-Web. One with a 1xx status stays as it is.
    ///
    /// - The HTTP status is 200, `content-type` is the form that the client takes. The message format stays; where none
    ///   is said it is `+proto`, which means the same and is what clients know from Envoy.
    /// - With a body, its length becomes unknown: the trailers are added to it. `trailer`, which would announce them,
    ///   goes.
    /// - Without a body the answer is "trailers-only": `grpc-status` stays in the head.
    /// - An answer that is none of gRPC (another HTTP status than 200, or another content type) becomes
    ///   "trailers-only": its body is not for the client, so [`response_data`](Self::response_data) makes nothing of
    ///   it, and the caller may leave it unread when it sees [`BodyLength::None`]. A `grpc-status` that it has stays;
    ///   else [`status_of_http`] tells it, and the message says the HTTP status.
    ///
    /// In the last case Envoy keeps the HTTP status, and the message is up to 16 KiB of the body. Here the status is
    /// 200, as gRPC has it for all answers: a client may judge by any other one alone and not look at `grpc-status`.
    /// And the body is not kept in memory for what is an error page most of the time.
    pub fn response_head(&mut self, head: &mut ResponseHead) {
        if head.status < 200 {
            return;
        }
        let spoken = head.fields.get(Name::ContentType).and_then(split);
        let format = match spoken {
            Some((Kind::Grpc | Kind::Web, rest)) => rest,
            _ => b"",
        };
        let format_default: &[u8] = if format.starts_with(b"+") { b"" } else { b"+proto" };
        let content_type = [self.answer_kind().essence(), format_default, format].concat();
        let is_told = head.fields.get_text(b"grpc-status").is_some();
        let is_call = head.status == 200 && head.body != BodyLength::None;
        self.body = match spoken {
            Some((Kind::Grpc, _)) if is_call && is_told => AnswerBody::MessagesAfterStatus,
            Some((Kind::Grpc, _)) if is_call => AnswerBody::Messages,
            Some((Kind::Web, _)) if is_call => AnswerBody::Translated,
            _ => AnswerBody::None,
        };
        set_content_type(&mut head.fields, &content_type);
        if self.body == AnswerBody::None {
            let status = head.status;
            drop_body(head);
            if !is_told {
                let message = format!("the upstream answered with HTTP status {status} and without gRPC");
                set_status(head, status_of_http(status), &message);
            }
            return;
        }
        head.body = BodyLength::Unknown;
        head.content_length = None;
        head.fields.remove(Name::ContentLength);
        head.fields.remove(Name::Trailer);
    }

    /// Appends to `out` what a piece of the response's body is for the client.
    ///
    /// In the text form each message is encoded and padded by itself, as Envoy does. Up to two bytes of a message
    /// that is not whole wait for the next piece; apart from these nothing is held back, so messages stream.
    pub fn response_data(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match &mut self.encoder {
            _ if self.body == AnswerBody::None => {}
            Some(encoder) => encoder.push(data, out),
            None => out.extend_from_slice(data),
        }
    }

    /// Appends the end of the response's body to `out`: what still waits for its group of base64, then the frame with
    /// the trailers, 0x80, its length in 32 bits, and `name: value` lines in lower case. Nothing for "trailers-only".
    ///
    /// Where the upstream told no status at all, the frame says `UNKNOWN`, which is what a gRPC client makes of that:
    /// a client of gRPC-Web might take the absence for success. Only an upstream that speaks gRPC-Web is trusted
    /// to have told it in the body.
    ///
    /// The frame is as long as the trailers, which the caller bounds (far below 4 GiB). Binary values (`-bin`) stay in
    /// base64: `PROTOCOL-WEB.md` would have them raw in the text form, but Envoy does not, and they could hold line
    /// ends.
    pub fn response_end(&mut self, trailers: Option<&Fields>, out: &mut Vec<u8>) {
        if let Some(encoder) = &mut self.encoder {
            encoder.flush(out);
        }
        let mut lines = Vec::new();
        if let Some(trailers) = trailers {
            trailers.write_lines(&mut lines);
        }
        let is_told = trailers.is_some_and(|trailers| trailers.get_text(b"grpc-status").is_some());
        match self.body {
            AnswerBody::None => return,
            AnswerBody::Messages if !is_told => {
                lines.extend_from_slice(format!("grpc-status: {UNKNOWN}\r\n").as_bytes());
            }
            _ if lines.is_empty() => return,
            _ => {}
        }
        let length = (lines.len() as u32).to_be_bytes();
        let frame = [&[TRAILERS_FRAME], &length[..], &lines].concat();
        match &mut self.encoder {
            Some(encoder) => {
                // Also where the last message was cut off: the frame is encoded as one of its own.
                *encoder = Encoder::default();
                encoder.push(&frame, out);
            }
            None => out.extend_from_slice(&frame),
        }
    }
}

fn set_content_type(fields: &mut Fields, value: &[u8]) {
    fields.remove(Name::ContentType);
    fields.push_known(Name::ContentType, "content-type", value);
}

/// The form of gRPC-Web that the client takes: the first that `accept` names. Weights are not looked at: the protocol
/// speaks of none.
fn accepted(fields: &Fields) -> Kind {
    let ranges = fields.get_all(b"accept").flat_map(|value| value.split(|byte| *byte == b','));
    let mut kinds = ranges.filter_map(|range| split(range.trim_ascii())).map(|(kind, _)| kind);
    kinds.find(|kind| *kind != Kind::Grpc).unwrap_or(Kind::Web)
}
