//! Commands, their arguments, and what is refused.

use super::{render::Message, *};
use std::net::{IpAddr, Ipv6Addr};

fn rendered(text: &str, context: &Context<'_>) -> String {
    let fields = context.request_fields.cloned().unwrap_or_default();
    let mut out = Vec::new();
    Template::parse(text).unwrap().render(Message::Request(&fields), context, &mut out);
    String::from_utf8(out).unwrap()
}

fn error(text: &str) -> TemplateError {
    Template::parse(text).unwrap_err()
}

#[test]
fn case_169_percent_signs() {
    assert!(matches!(error("100%"), TemplateError::LonePercent));
    assert!(matches!(error("100% sure"), TemplateError::Unterminated { at: 3 }));
    assert!(matches!(error("10% of 20%"), TemplateError::Unterminated { at: 2 }));
    assert!(matches!(error("a%%%REQ(x)"), TemplateError::Unterminated { at: 3 }));
    assert!(matches!(error("%REQ(x"), TemplateError::Unterminated { at: 0 }));
    assert!(matches!(error("%REQ(x)y%"), TemplateError::Unterminated { at: 0 }));
    assert_eq!(
        rendered("100%% %HOSTNAME%", &Context { hostname: "gw-1", ..Context::default() }),
        "100% gw-1"
    );
    assert_eq!(Template::parse("50%%").unwrap().as_literal(), Some(&b"50%"[..]));
}

#[test]
fn what_is_refused_says_why() {
    let unknown = error("%DOWNSTREAM_TLS_SESSION_ID%");
    assert_eq!(unknown, TemplateError::UnknownCommand { name: "DOWNSTREAM_TLS_SESSION_ID".to_owned() });
    assert!(unknown.to_string().contains("UPSTREAM_HOST"), "{unknown}");
    for bad in [
        "%REQ%",
        "%REQ()%",
        "%REQ(a?b?c)%",
        "%REQ(a b)%",
        "%REQ(:status)%",
        "%RESP(:path)%",
        "%REQ(a):x%",
        "%PROTOCOL(x)%",
        "%PROTOCOL:3%",
        "%START_TIME(%Q)%",
        "%START_TIME(%n)%",
        "%START_TIME(%3d)%",
        "%START_TIME(%)%",
        "%DOWNSTREAM_PEER_CERT_V_START(%Q)%",
        "%DOWNSTREAM_PEER_SUBJECT(x)%",
    ] {
        assert!(matches!(error(bad), TemplateError::BadArgument { .. }), "{bad}");
    }
    assert_eq!(error("a\r\nb"), TemplateError::ControlCharacter { at: 1 });
    assert!(Template::parse("a\tb").is_ok());
}

#[test]
fn every_supported_command_parses() {
    for command in SUPPORTED_COMMANDS {
        let text = format!("%{command}%");
        assert!(Template::parse(&text).is_ok(), "{text}");
    }
}

#[test]
fn what_is_not_known_renders_as_nothing() {
    for command in SUPPORTED_COMMANDS {
        if ["BYTES_", "START_TIME", "PROTOCOL"].iter().any(|known| command.starts_with(known)) {
            continue;
        }
        assert_eq!(rendered(&format!("[%{command}%]"), &Context::default()), "[]", "{command}");
    }
}

#[test]
fn addresses() {
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 8080);
    let context = Context {
        downstream_remote: Some(Address::Ip("192.0.2.7:4711".parse().unwrap())),
        downstream_local: Some(Address::Ip(v6)),
        upstream_remote: Some(Address::Unix(Path::new("/run/app.sock"))),
        ..Context::default()
    };
    for (text, expected) in [
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "192.0.2.7:4711"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.7"),
        ("%DOWNSTREAM_REMOTE_PORT%", "4711"),
        ("%DOWNSTREAM_LOCAL_ADDRESS%", "[::1]:8080"),
        ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "::1"),
        ("%DOWNSTREAM_LOCAL_PORT%", "8080"),
        ("%UPSTREAM_HOST%", "/run/app.sock"),
        ("%UPSTREAM_REMOTE_PORT%", ""),
    ] {
        assert_eq!(rendered(text, &context), expected, "{text}");
    }
}

#[test]
fn the_clients_tls() {
    let peer = Peer {
        subject: "CN=a",
        issuer: "CN=root",
        serial: "0a",
        sha256: &[0xab, 1],
        sha1: &[2],
        uris: &["spiffe://a".into(), "spiffe://b".into()],
        dns_names: &["a".into()],
        emails: &[],
        addresses: &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
        pem: "-----BEGIN%20",
        not_before_ms: 1_522_796_769_000,
        not_after_ms: 1_522_796_769_000,
    };
    let context =
        |peer| Context { tls: Some(Tls { version: "TLSv1.3", cipher: "X", peer }), ..Context::default() };
    for (text, expected, without) in [
        ("%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER%", "TLSv1.3 X", "TLSv1.3 X"),
        (
            "%DOWNSTREAM_PEER_SUBJECT%|%DOWNSTREAM_PEER_ISSUER%|%DOWNSTREAM_PEER_SERIAL%",
            "CN=a|CN=root|0a",
            "||",
        ),
        ("%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_FINGERPRINT_1%", "ab01 02", " "),
        ("%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN%", "spiffe://a,spiffe://b a", " "),
        ("%DOWNSTREAM_PEER_EMAIL_SAN%%DOWNSTREAM_PEER_IP_SAN%", "::1", ""),
        ("%DOWNSTREAM_PEER_CERT%", "-----BEGIN%20", ""),
        ("%DOWNSTREAM_PEER_CERT_V_START%", "2018-04-03T23:06:09.000Z", ""),
        ("%DOWNSTREAM_PEER_CERT_V_END(%Y)%", "2018", ""),
    ] {
        assert_eq!(rendered(text, &context(Some(peer))), expected, "{text}");
        assert_eq!(rendered(text, &context(None)), without, "{text}");
    }
}

#[test]
fn header_commands() {
    let mut fields = Fields::default();
    fields.push(b"x-b", b"a long value");
    fields.push(b"x-b", b"second");
    let context = Context {
        request_fields: Some(&fields),
        method: b"GET",
        target: b"/p?q",
        authority: b"h:80",
        response_code: Some(503),
        response_flags: Some("UH"),
        ..Context::default()
    };
    for (text, expected) in [
        ("%REQ(X-B)%", "a long value"),
        ("%REQ(X-A?X-B)%", "a long value"),
        ("%REQ(X-A?X-B):6%", "a long"),
        ("%REQ(X-A?X-B:6)%", "a long"),
        ("%REQ(x-b:0)%", ""),
        ("%REQ(x-b) %", "a long value"),
        (
            "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:SCHEME)%://%REQ(:AUTHORITY)% %REQ(Host)%",
            "GET /p?q http://h:80 h:80",
        ),
        ("%RESP(x-b)%", ""),
        ("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESP(:STATUS)%", "503 UH 503"),
        ("%PROTOCOL%", "HTTP/1.1"),
    ] {
        assert_eq!(rendered(text, &context), expected, "{text}");
    }
}

#[test]
fn a_value_cannot_split_a_header() {
    let context = Context { target: b"a\r\nb\0c", hostname: "x\ny", ..Context::default() };
    assert_eq!(rendered("%REQ(:PATH)%|%HOSTNAME%", &context), "a  b c|x y");
}

#[test]
fn start_time() {
    let at = |ms, text: &str| rendered(text, &Context { start_time_ms: ms, ..Context::default() });
    assert_eq!(at(1_522_796_769_123, "%START_TIME%"), "2018-04-03T23:06:09.123Z");
    assert_eq!(at(0, "%START_TIME%"), "1970-01-01T00:00:00.000Z");
    assert_eq!(at(951_782_399_999, "%START_TIME%"), "2000-02-28T23:59:59.999Z");
    assert_eq!(at(951_868_799_999, "%START_TIME%"), "2000-02-29T23:59:59.999Z");
    assert_eq!(at(1_522_796_769_123, "%START_TIME(%s.%3f)%"), "1522796769.123");
    assert_eq!(at(1_522_796_769_123, "%START_TIME(%f %1f %6f)%"), "123000000 1 123000");
    assert_eq!(at(1_522_796_769_123, "%START_TIME(%Y/%m/%dT%H:%M:%S%z)%"), "2018/04/03T23:06:09+0000");
    assert_eq!(
        at(1_522_796_769_123, "%START_TIME(%a %A %b %B %e %j %y %u %w)%"),
        "Tue Tuesday Apr April  3 093 18 2 2"
    );
    assert_eq!(at(1_522_796_769_123, "%START_TIME(%I %p %F %D %T %R %Z %%)%"), {
        "11 PM 2018-04-03 04/03/18 23:06:09 23:06 GMT %"
    });
    assert_eq!(at(1_735_603_200_000, "%START_TIME(%j %F)%"), "366 2024-12-31");
}
