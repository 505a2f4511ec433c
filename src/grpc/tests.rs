use super::*;
use crate::http::{BodyLength, Fields, Name, RequestHead, ResponseHead};

const WEB: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";
const PAGE: &[u8] = b"<html>an error page</html>";

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn lines(fields: &Fields) -> String {
    let mut out = Vec::new();
    fields.write_lines(&mut out);
    String::from_utf8(out).unwrap()
}

fn request(list: &[(&str, &str)]) -> RequestHead {
    RequestHead { fields: fields(list), body: BodyLength::Sized(40), ..RequestHead::default() }
}

/// The head of an answer with a body that comes in chunks.
fn response(status: u16, list: &[(&str, &str)]) -> ResponseHead {
    ResponseHead { status, fields: fields(list), body: BodyLength::Unknown, ..ResponseHead::default() }
}

/// The translation for a client that sends and takes this content type.
fn translation(content_type: &str) -> Translation {
    Translation::begin(&mut request(&[("content-type", content_type), ("accept", content_type)])).unwrap()
}

/// The same after the head of an ordinary answer.
fn answering(content_type: &str) -> Translation {
    let mut translation = translation(content_type);
    translation.response_head(&mut response(200, &[("content-type", "application/grpc")]));
    translation
}

/// A message in its frame.
fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    [&[flags], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

const CHARACTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Plain base64, bit by bit.
fn to_base64(data: &[u8]) -> String {
    let bits: String = data.iter().map(|byte| format!("{byte:08b}")).collect();
    let characters = bits.as_bytes().chunks(6).map(|six| {
        let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
        CHARACTERS.as_bytes()[usize::from_str_radix(&six, 2).unwrap()] as char
    });
    let text: String = characters.collect();
    let padding = text.len().next_multiple_of(4) - text.len();
    text + &"=".repeat(padding)
}

/// What base64 in padded parts says, group by group. It panics where a group is not whole.
fn from_base64(text: &[u8]) -> Vec<u8> {
    assert_eq!(text.len() % 4, 0, "{}", text.escape_ascii());
    let mut data = Vec::new();
    for group in text.chunks(4) {
        let value = |byte: &u8| CHARACTERS.find(*byte as char);
        let values: Vec<usize> = group.iter().map_while(value).collect();
        assert!(group[values.len()..].iter().all(|byte| *byte == b'='));
        let bits: String = values.iter().map(|value| format!("{value:06b}")).collect();
        let bytes = bits.as_bytes().chunks_exact(8);
        data.extend(bytes.map(|bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap()));
    }
    data
}

/// Cuts a body after every `step` bytes.
fn cut(body: &[u8], step: usize) -> Vec<&[u8]> {
    body.chunks(step).collect()
}

fn decoded(pieces: &[&[u8]]) -> Result<Vec<u8>, BadBase64> {
    let (mut translation, mut out) = (translation(TEXT), b">".to_vec());
    for piece in pieces {
        translation.request_data(piece, &mut out)?;
    }
    translation.request_end()?;
    Ok(out.split_off(1))
}

#[test]
fn the_tests_own_base64_is_that_of_the_rfc() {
    // RFC 4648 section 10.
    for (plain, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(to_base64(plain.as_bytes()), text);
        assert_eq!(from_base64(text.as_bytes()), plain.as_bytes());
        assert_eq!(decoded(&[text.as_bytes()]), Ok(plain.as_bytes().to_vec()));
    }
}

#[test]
fn text_requests_are_decoded_however_they_are_cut() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let body = frame(0, &every_byte);
    for part in [1, 2, 3, 4, 5, 7, 60, 300] {
        // The client encodes and pads so many bytes at a time.
        let text: String = body.chunks(part).map(to_base64).collect();
        let text = text.as_bytes();
        for at in 0..=text.len() {
            let (first, second) = text.split_at(at);
            assert_eq!(decoded(&[first, b"", second]).as_ref(), Ok(&body), "parts of {part}, cut at {at}");
        }
        for step in 1..20 {
            assert_eq!(decoded(&cut(text, step)).as_ref(), Ok(&body), "parts of {part}, pieces of {step}");
        }
    }
}

#[test]
fn whole_groups_leave_at_once() {
    let (mut translation, mut out) = (translation(TEXT), Vec::new());
    for (piece, wanted) in
        [("AAA", ""), ("A", "\0\0\0"), ("Zg", "\0\0\0"), ("=", "\0\0\0f"), ("=Zm9vZm", "\0\0\0ffoo")]
    {
        translation.request_data(piece.as_bytes(), &mut out).unwrap();
        assert_eq!(out, wanted.as_bytes(), "{piece}");
    }
    assert_eq!(translation.request_end(), Err(BadBase64));
}

#[test]
fn broken_base64_is_refused_however_it_is_cut() {
    for text in [
        "Z",
        "Zg",
        "Zg=",
        "Zm9vZ",
        "Zm9vZg",
        "Zm9vZg=",
        "=",
        "====",
        "Z===",
        "Zg=A",
        "Zg=a====",
        "Zm9v=",
        "Zm9v====",
        "Zm8=Zg=",
        "Zh==",
        "Zm9=",
        "Zm9\n",
        "Zm9v\r\n",
        "Zm 9v",
        "Zm9-",
        "Zm9_",
        "Zm9\0",
        "Zm9\u{80}",
        "-m9v",
        "Z-9v",
        "Zm-v",
        "=m9v",
        "Z=9v",
        "Zm=v",
    ] {
        let text = text.as_bytes();
        for step in 1..=text.len() {
            assert_eq!(
                decoded(&cut(text, step)),
                Err(BadBase64),
                "{}, pieces of {step}",
                text.escape_ascii()
            );
        }
    }
    for byte in (0..=255u8).filter(|byte| !byte.is_ascii_alphanumeric() && !b"+/".contains(byte)) {
        for place in 0..4 {
            let mut text = *b"ZmFvZmFvZmFv";
            text[4 + place] = byte;
            // In `ZmF=` the last character has bits of no byte.
            assert_eq!(decoded(&[&text]), Err(BadBase64), "{byte} at {place}");
        }
    }
    assert_eq!(decoded(&[b"ZmE=ZmFv"]), Ok(b"fafao".to_vec()));
}

#[test]
fn binary_requests_pass_as_they_are() {
    let (mut translation, mut out) = (translation(WEB), b">".to_vec());
    let body = frame(0, b"Zg=\xff");
    for piece in cut(&body, 3) {
        translation.request_data(piece, &mut out).unwrap();
    }
    assert_eq!(translation.request_end(), Ok(()));
    assert_eq!(out, [b">", &body[..]].concat());
}

#[test]
fn other_requests_are_left_alone() {
    for content_type in
        ["application/grpc", "application/grpc+proto", "application/json", "application/grpc-webs"]
    {
        let mut head = request(&[("content-type", content_type), ("x-grpc-web", "1"), ("accept", TEXT)]);
        let before = lines(&head.fields);
        assert!(Translation::begin(&mut head).is_none());
        assert_eq!((lines(&head.fields), head.body), (before, BodyLength::Sized(40)));
    }
    assert!(Translation::begin(&mut request(&[("x-grpc-web", "1"), ("accept", TEXT)])).is_none());
}

#[test]
fn request_heads_become_grpc() {
    for (content_type, wanted, body) in [
        (WEB, "application/grpc+proto", BodyLength::Sized(40)),
        ("application/grpc-web", "application/grpc", BodyLength::Sized(40)),
        ("Application/gRPC-Web+json; a=B", "application/grpc+json; a=B", BodyLength::Sized(40)),
        ("application/grpc-web-text", "application/grpc", BodyLength::Unknown),
        ("application/grpc-web-text-base64+thrift;a", "application/grpc+thrift;a", BodyLength::Unknown),
    ] {
        let mut head = request(&[
            ("content-type", content_type),
            ("TE", "gzip"),
            ("X-Grpc-Web", "1"),
            ("grpc-timeout", "1S"),
            ("x-user-agent", "grpc-web-javascript/0.1"),
        ]);
        assert!(Translation::begin(&mut head).is_some(), "{content_type}");
        let wanted = format!(
            "grpc-timeout: 1S\r\nx-user-agent: grpc-web-javascript/0.1\r\ncontent-type: {wanted}\r\nte: trailers\r\n\
             grpc-accept-encoding: identity\r\n"
        );
        assert_eq!((lines(&head.fields), head.body), (wanted, body));
    }
}

#[test]
fn a_clients_own_encodings_stay_and_no_body_stays_none() {
    let mut head = request(&[("content-type", TEXT), ("grpc-accept-encoding", "gzip")]);
    head.body = BodyLength::None;
    assert!(Translation::begin(&mut head).is_some());
    assert_eq!(head.body, BodyLength::None);
    assert_eq!(head.fields.get_all(b"grpc-accept-encoding").collect::<Vec<_>>(), [b"gzip"]);
}

#[test]
fn accept_chooses_the_form_of_the_answer() {
    for (accept, wanted) in [
        (&[][..], Kind::Web),
        (&["*/*"], Kind::Web),
        (&["application/grpc"], Kind::Web),
        (&["application/grpc-web-text"], Kind::WebText),
        (&["application/grpc-web-text-base64"], Kind::WebText),
        (&["Application/grpc-web-text+proto;a=b"], Kind::WebText),
        (&["text/html, application/grpc-web-text , application/grpc-web"], Kind::WebText),
        (&["application/grpc-web,application/grpc-web-text"], Kind::Web),
        (&["application/grpc, */*", "application/grpc-web-text"], Kind::WebText),
    ] {
        for content_type in [WEB, TEXT] {
            let mut head = request(&[("content-type", content_type)]);
            accept.iter().for_each(|value| head.fields.push(b"accept", value.as_bytes()));
            assert_eq!(Translation::begin(&mut head).unwrap().answer_kind(), wanted, "{accept:?}");
        }
    }
}

#[test]
fn response_heads_become_grpc_web() {
    for (client, upstream, wanted) in [
        (WEB, "application/grpc", "application/grpc-web+proto"),
        (WEB, "application/grpc+json; a=B", "application/grpc-web+json; a=B"),
        (TEXT, "application/grpc", "application/grpc-web-text+proto"),
        (TEXT, "application/grpc;a=B", "application/grpc-web-text+proto;a=B"),
        (TEXT, "Application/GRPC+thrift", "application/grpc-web-text+thrift"),
        (TEXT, "application/grpc-web+proto", "application/grpc-web-text+proto"),
    ] {
        for body in [BodyLength::Sized(7), BodyLength::Unknown, BodyLength::UntilClose] {
            let mut head =
                response(200, &[("x-a", "1"), ("content-type", upstream), ("trailer", "grpc-status")]);
            (head.body, head.content_length) = (body, Some(7));
            translation(client).response_head(&mut head);
            assert_eq!((head.status, head.body, head.content_length), (200, BodyLength::Unknown, None));
            assert_eq!(lines(&head.fields), format!("x-a: 1\r\ncontent-type: {wanted}\r\n"));
        }
    }
}

/// The body of an answer in pieces of this length, and its end.
fn answer(translation: &mut Translation, body: &[u8], step: usize, trailers: Option<&Fields>) -> Vec<u8> {
    let mut out = b">".to_vec();
    for piece in cut(body, step) {
        translation.response_data(piece, &mut out);
    }
    translation.response_end(trailers, &mut out);
    out.split_off(1)
}

#[test]
fn bodies_end_with_a_frame_of_trailers() {
    let messages = [frame(0, b"one"), frame(1, b""), frame(0, &[7; 300])];
    let trailers = fields(&[("Grpc-Status", "5"), ("grpc-message", "not here"), ("x-bin", "AAE=")]);
    let end = frame(0x80, b"grpc-status: 5\r\ngrpc-message: not here\r\nx-bin: AAE=\r\n");
    let wanted = [&messages.concat()[..], &end].concat();
    // As Envoy encodes it: every frame by itself.
    let wanted_text: String = messages.iter().chain([&end]).map(|frame| to_base64(frame)).collect();
    for step in 1..=messages.concat().len() {
        let body = messages.concat();
        assert_eq!(answer(&mut answering(WEB), &body, step, Some(&trailers)), wanted);
        let text = answer(&mut answering(TEXT), &body, step, Some(&trailers));
        assert_eq!(String::from_utf8(text).unwrap(), wanted_text, "pieces of {step}");
    }
    assert_eq!(from_base64(wanted_text.as_bytes()), wanted);
}

#[test]
fn messages_of_every_length_can_be_decoded_as_they_arrive() {
    let (mut translation, mut out, mut sent) = (answering(TEXT), Vec::new(), Vec::new());
    for len in (0..40).chain([255, 256, 65_536, 3, 1]) {
        let message = frame(0, &vec![len as u8; len]);
        sent.extend_from_slice(&message);
        let (last, start) = message.split_last().unwrap();
        translation.response_data(start, &mut out);
        translation.response_data(&[], &mut out);
        translation.response_data(&[*last], &mut out);
        assert_eq!(from_base64(&out), sent, "{len}");
    }
    // Two messages and the beginning of a third at once: both can be decoded.
    sent.extend([frame(0, b"a"), frame(0, b"bc")].concat());
    translation.response_data(&[frame(0, b"a"), frame(0, b"bc"), vec![0]].concat(), &mut out);
    assert_eq!(from_base64(&out), sent);
}

#[test]
fn a_message_that_was_cut_off_leaves_whole() {
    for len in 1..9 {
        let body = &frame(0, b"cut off")[..len];
        let trailers = fields(&[("grpc-status", "13")]);
        let out = answer(&mut answering(TEXT), body, 1, Some(&trailers));
        assert_eq!(from_base64(&out), [body, &frame(0x80, b"grpc-status: 13\r\n")].concat());
    }
}

#[test]
fn lengths_up_to_the_greatest_are_counted() {
    let (mut translation, mut out) = (answering(TEXT), Vec::new());
    translation.response_data(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2], &mut out);
    translation.response_data(&[3; 10], &mut out);
    // 17 bytes of a message that is far from whole: the last two wait.
    assert_eq!(out.len(), 20);
    assert!(!out.contains(&b'='));
}

#[test]
fn a_missing_status_is_told() {
    for trailers in [None, Some(fields(&[])), Some(fields(&[("x-a", "1")]))] {
        for client in [WEB, TEXT] {
            let out = answer(&mut answering(client), &frame(0, b"hi"), 2, trailers.as_ref());
            let out = if client == TEXT { from_base64(&out) } else { out };
            let told = trailers.as_ref().map(lines).unwrap_or_default() + "grpc-status: 2\r\n";
            assert_eq!(out, [frame(0, b"hi"), frame(0x80, told.as_bytes())].concat());
        }
    }
}

#[test]
fn a_status_in_the_head_is_not_told_twice() {
    let mut translation = translation(WEB);
    let mut head = response(200, &[("content-type", "application/grpc"), ("grpc-status", "0")]);
    translation.response_head(&mut head);
    assert_eq!((head.body, head.fields.get_text(b"grpc-status")), (BodyLength::Unknown, Some(&b"0"[..])));
    assert_eq!(answer(&mut translation.clone(), &frame(0, b"hi"), 9, None), frame(0, b"hi"));
    let trailers = fields(&[("x-a", "1")]);
    let wanted = [frame(0, b"hi"), frame(0x80, b"x-a: 1\r\n")].concat();
    assert_eq!(answer(&mut translation, &frame(0, b"hi"), 9, Some(&trailers)), wanted);
}

#[test]
fn an_upstream_of_grpc_web_ends_its_body_itself() {
    let body = [frame(0, b"hi"), frame(0x80, b"grpc-status: 0\r\n")].concat();
    for client in [WEB, TEXT] {
        let mut translation = translation(client);
        translation.response_head(&mut response(200, &[("content-type", "application/grpc-web+proto")]));
        let out = answer(&mut translation, &body, 4, None);
        assert_eq!(if client == TEXT { from_base64(&out) } else { out }, body);
    }
}

#[test]
fn trailers_only_answers_stay_so() {
    for (client, wanted) in [(WEB, WEB), (TEXT, TEXT)] {
        let mut translation = translation(client);
        let list = [
            ("content-type", "application/grpc"),
            ("grpc-status", "5"),
            ("grpc-message", "gone"),
            ("x-a", "1"),
        ];
        let mut head = ResponseHead { body: BodyLength::None, ..response(200, &list) };
        head.content_length = Some(0);
        translation.response_head(&mut head);
        assert_eq!((head.status, head.body, head.content_length), (200, BodyLength::None, None));
        let wanted = format!("grpc-status: 5\r\ngrpc-message: gone\r\nx-a: 1\r\ncontent-type: {wanted}\r\n");
        assert_eq!(lines(&head.fields), wanted);
        assert_eq!(answer(&mut translation, b"", 1, None), b"");
    }
}

#[test]
fn answers_without_grpc_become_trailers_only() {
    for (status, content_type, code) in [
        (200, "text/html", 2),
        (404, "text/html", 12),
        (503, "application/grpc", 14),
        (504, "application/grpc-web", 4),
        (200, TEXT, 2),
        (302, "", 2),
    ] {
        for client in [WEB, TEXT] {
            for body in [BodyLength::Sized(26), BodyLength::Unknown, BodyLength::UntilClose, BodyLength::None]
            {
                let mut translation = translation(client);
                let list = [("content-encoding", "gzip"), ("x-a", "1"), ("content-type", content_type)];
                let list = if content_type.is_empty() { &list[..2] } else { &list };
                let mut head = ResponseHead { body, content_length: Some(26), ..response(status, list) };
                translation.response_head(&mut head);
                assert_eq!((head.status, head.body, head.content_length), (200, BodyLength::None, None));
                let wanted = format!(
                    "x-a: 1\r\ncontent-type: {client}\r\ngrpc-status: {code}\r\n\
                     grpc-message: the upstream answered with HTTP status {status} and without gRPC\r\n"
                );
                assert_eq!(lines(&head.fields), wanted);
                let trailers = fields(&[("x-b", "2")]);
                assert_eq!(answer(&mut translation, PAGE, 5, Some(&trailers)), b"");
            }
        }
    }
}

#[test]
fn a_status_that_was_told_with_an_error_stays() {
    let mut translation = translation(WEB);
    let list = [("content-type", "text/plain"), ("grpc-status", "8"), ("grpc-message", "slow%20down")];
    let mut head = response(429, &list);
    translation.response_head(&mut head);
    assert_eq!((head.status, head.body), (200, BodyLength::None));
    let wanted = format!("grpc-status: 8\r\ngrpc-message: slow%20down\r\ncontent-type: {WEB}\r\n");
    assert_eq!(lines(&head.fields), wanted);
    assert_eq!(answer(&mut translation, PAGE, 5, None), b"");
}

#[test]
fn interim_responses_pass() {
    let mut translation = translation(WEB);
    let mut head = response(103, &[("link", "a")]);
    head.body = BodyLength::None;
    translation.response_head(&mut head);
    assert_eq!((head.status, lines(&head.fields)), (103, "link: a\r\n".to_owned()));
    translation.response_head(&mut response(200, &[("content-type", "application/grpc")]));
    let trailers = fields(&[("grpc-status", "0")]);
    assert_eq!(answer(&mut translation, b"", 1, Some(&trailers)), frame(0x80, b"grpc-status: 0\r\n"));
}

#[test]
fn local_replies_before_any_response_have_no_body() {
    let mut translation = translation(TEXT);
    let mut head = ResponseHead::default();
    local_reply(&mut head, translation.answer_kind(), 400, "the body is no base64");
    assert_eq!(head.fields.get(Name::ContentType), Some(TEXT.as_bytes()));
    assert_eq!(head.fields.get_text(b"grpc-status"), Some(&b"13"[..]));
    assert_eq!(answer(&mut translation, b"", 1, None), b"");
}

#[test]
fn bodies_come_back_through_both_directions() {
    let body = [frame(0, b"a longer message"), frame(0, b"")].concat();
    for step in 1..body.len() {
        let mut translation = answering(TEXT);
        let text = answer(&mut translation, &body, step, Some(&fields(&[("grpc-status", "0")])));
        let (mut out, end) = (Vec::new(), frame(0x80, b"grpc-status: 0\r\n"));
        for piece in cut(&text, step) {
            translation.request_data(piece, &mut out).unwrap();
        }
        assert_eq!((translation.request_end(), out), (Ok(()), [&body[..], &end].concat()));
    }
}
