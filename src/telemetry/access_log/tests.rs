//! What lines say, and which are written.

use super::{
    super::{Counters, Flag, TlsFact, ValidityEnd},
    format::Tools,
    *,
};
use std::sync::{Arc, mpsc::sync_channel};

/// Facts of a request with some fields.
struct Some1;

impl Facts for Some1 {
    fn request_field(&self, name: &[u8]) -> Option<&[u8]> {
        match name {
            b"x-a" => Some(b"a\"b\\c\nd"),
            b"x-b" => Some("gr\u{fc}n\u{1f33f}".as_bytes()),
            b"x-bad" => Some(b"\xff\xc3"),
            b"referer" => Some(b"https://r.example/?q"),
            b":path" => Some(b"/new?q"),
            _ => None,
        }
    }

    fn response_field(&self, name: &[u8]) -> Option<&[u8]> {
        (name == b"content-type").then_some(b"text/plain")
    }

    fn direct_remote(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"[2001:db8::1]:99");
    }

    fn tls(&self, fact: TlsFact, out: &mut Vec<u8>) {
        if fact == TlsFact::Version {
            out.extend_from_slice(b"TLSv1.3");
        }
    }

    fn validity(&self, end: ValidityEnd) -> Option<u64> {
        (end == ValidityEnd::NotAfter).then_some(784_111_777_000)
    }

    fn is_mutual(&self) -> bool {
        true
    }
}

fn record() -> Record<'static> {
    Record {
        start_ms: 784_111_777_042,
        method: b"GET",
        path: b"/a?b",
        protocol: "HTTP/1.1",
        status: 200,
        details: "via_upstream",
        bytes_sent: 12,
        duration_ms: 3,
        upstream_service_ms: Some(2),
        forwarded_for: b"10.0.0.1",
        user_agent: b"curl/8",
        request_id: b"id",
        authority: b"a.example",
        scheme: "https",
        upstream_host: b"10.0.0.2:80",
        upstream_cluster: b"outbound|80||b",
        upstream_local: b"10.0.0.3:4000",
        upstream_protocol: "HTTP/2",
        attempts: 2,
        downstream_local: b"10.0.0.3:80",
        downstream_remote: b"10.0.0.1:5000",
        route_name: b"default",
        connection_id: 7,
        grpc_status: Some(5),
        trace_id: Some(0xabc),
        span_id: Some(0xd),
        ..Record::default()
    }
}

/// A connection that could not be served.
fn refused() -> Record<'static> {
    Record {
        start_ms: 784_111_777_042,
        flag: Some(Flag::DownstreamProtocolError),
        details: "tls_handshake_failed",
        downstream_local: b"10.0.0.3:443",
        downstream_remote: b"10.0.0.1:5000",
        ..Record::default()
    }
}

fn run(format: &Format, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    format.run(record, &Some1, &mut Tools::default(), &mut out);
    String::from_utf8(out).unwrap()
}

fn text(format: &str) -> String {
    let line = run(&Format::text(format, false).unwrap(), &record());
    line.strip_suffix('\n').unwrap().to_owned()
}

const ISTIO_LINE: &str = "[1994-11-06T08:49:37.042Z] \"GET /a?b HTTP/1.1\" 200 - via_upstream - \"-\" 0 12 3 2 \
     \"10.0.0.1\" \"curl/8\" \"id\" \"a.example\" \"10.0.0.2:80\" outbound|80||b 10.0.0.3:4000 10.0.0.3:80 \
     10.0.0.1:5000 - default\n";

#[test]
fn istios_line_is_the_same_by_its_own_code_and_by_the_format_string() {
    let program = Format::text(ISTIO_TEXT, false).unwrap();
    assert_eq!(run(&Format::istio(), &record()), ISTIO_LINE);
    let odd = Record {
        flag: Some(Flag::UpstreamConnectFailure),
        retry_flag: Some(Flag::RetryLimitExceeded),
        is_delayed: true,
        user_agent: b"x\" \"y\\\n\x7f",
        upstream_service_ms: None,
        path: b"/\"",
        ..record()
    };
    for record in [record(), odd, refused(), Record::default()] {
        assert_eq!(run(&Format::istio(), &record), run(&program, &record));
    }
}

#[test]
fn a_client_cannot_forge_a_field_or_a_line() {
    let record = Record { user_agent: b"x\" \"y\\\r\n[2026", ..record() };
    let line = run(&Format::istio(), &record);
    assert!(line.contains(r#""x\x22 \x22y\x5c\x0d\x0a[2026""#), "{line}");
    for format in [Preset::Istio, Preset::Json, Preset::Combined, Preset::Httplog].map(Preset::format) {
        assert_eq!(run(&format, &record).matches('\n').count(), 1, "{}", format.name());
    }
    assert_eq!(text("%REQ(x-a)%"), r"a\x22b\x5cc\x0ad");
}

#[test]
fn operators() {
    for (format, expected) in [
        ("%START_TIME%|%START_TIME(%Y/%m/%d %s.%3f)%", "1994-11-06T08:49:37.042Z|1994/11/06 784111777.042"),
        ("%REQ(X-NO?REFERER):10%|%REQ(:path)%|%REQ_WITHOUT_QUERY(:PATH)%", "https://r.|/new?q|/new"),
        ("%REQ(x-b):4%", "gr\u{fc}"),
        ("%REQ(x-b):3%", "gr"),
        ("%RESP(Content-Type)% %RESP(:STATUS)% %RESP(x)%", "text/plain 200 -"),
        ("%RESPONSE_DURATION% %RESPONSE_TX_DURATION% %DURATION%", "2 1 3"),
        (
            "%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%",
            "10.0.0.2:80 10.0.0.2 80",
        ),
        ("%UPSTREAM_LOCAL_PORT% %UPSTREAM_PROTOCOL% %UPSTREAM_REQUEST_ATTEMPT_COUNT%", "4000 HTTP/2 2"),
        ("%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%", "outbound|80||b outbound|80||b"),
        ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%:%DOWNSTREAM_LOCAL_PORT%", "10.0.0.3:80"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "[2001:db8::1]:99"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_PORT%", "2001:db8::1 99"),
        ("%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_SUBJECT%", "TLSv1.3 -"),
        ("%DOWNSTREAM_PEER_CERT_V_END(%Y)% %DOWNSTREAM_PEER_CERT_V_START%", "1994 -"),
        ("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%", "NotFound NOT_FOUND 5"),
        ("%STREAM_ID% %CONNECTION_ID% %VIRTUAL_CLUSTER_NAME%", "id 7 -"),
        ("%TRACE_ID% %SPAN_ID%", "00000000000000000000000000000abc 000000000000000d"),
        ("100%% %PROTOCOL%", "100% HTTP/1.1"),
    ] {
        assert_eq!(text(format), expected, "{format}");
    }
    let slow = Record { flag: Some(Flag::ConnectAttemptsExceeded), is_delayed: true, ..record() };
    let line = run(&Format::text("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", false).unwrap(), &slow);
    assert_eq!(line, "DI,UF,URX DelayInjected,UpstreamConnectionFailure,UpstreamRetryLimitExceeded\n");
    let none = Format::text("<%RESPONSE_FLAGS%%REQ(x)%>", true).unwrap();
    assert_eq!(run(&none, &record()), "<>\n");
}

#[test]
fn what_the_process_knows_is_bound_once() {
    let variable = |name: &str| (name == "POD").then(|| "pod-1\n".to_owned());
    let format = Format::text("%HOSTNAME% %HOSTNAME:2% %ENVIRONMENT(POD)% %ENVIRONMENT(NO)%", false).unwrap();
    assert_eq!(run(&format.bound("host", &variable), &record()), "host ho pod-1\\x0a -\n");
    let object = JsonValue::Map(vec![
        ("pod".into(), JsonValue::Text("%ENVIRONMENT(POD)%".into())),
        ("no".into(), JsonValue::Text("%ENVIRONMENT(NO)%".into())),
        ("both".into(), JsonValue::Text("%HOSTNAME%/%ENVIRONMENT(NO)%".into())),
    ]);
    let format = Format::json(&object, false).unwrap().bound("host", &variable);
    assert_eq!(run(&format, &record()), "{\"pod\":\"pod-1\\n\",\"no\":null,\"both\":\"host/-\"}\n");
}

#[test]
fn formats_that_are_none() {
    let error = |text: &str| Format::text(text, false).unwrap_err().to_string();
    assert!(error("50%").contains("single `%`"));
    assert!(error("a % b").contains("byte 2"));
    assert!(error("%NOPE%").contains("no operator `%NOPE%`"));
    assert!(error("%DYNAMIC_METADATA(a:b)%").contains("not supported"));
    assert!(error("%FILTER_STATE(a)%").contains("not supported"));
    assert!(error("%TRAILER(x-t)%").contains("not supported"));
    assert!(error("%REQ%").contains("needs a header name"));
    assert!(error("%PROTOCOL(x)%").contains("no argument"));
    assert!(error("%START_TIME(%Q)%").contains("unknown specifier"));
    assert!(error("%GRPC_STATUS(x)%").contains("CAMEL_STRING"));
    assert_eq!(Format::text("", false), Err(FormatError::Empty));
    assert_eq!(Format::text("a\nb", false), Err(FormatError::LineBreak));
    assert!(Format::text("a\n", false).is_ok());
    assert_eq!(Preset::parse("nginx"), Err(FormatError::UnknownPreset));
    assert_eq!(Preset::parse("custom %PROTOCOL%").unwrap().name(), "%PROTOCOL%");
}

#[test]
fn json_has_istios_members_in_istios_order() {
    let line = run(&Preset::Json.format(), &record());
    assert_eq!(
        line,
        "{\"start_time\":\"1994-11-06T08:49:37.042Z\",\"route_name\":\"default\",\"method\":\"GET\",\"path\":\"/a?b\",\
         \"protocol\":\"HTTP/1.1\",\"response_code\":200,\"response_flags\":null,\"response_code_details\":\
         \"via_upstream\",\"connection_termination_details\":null,\"bytes_received\":0,\"bytes_sent\":12,\"duration\":3,\
         \"upstream_service_time\":\"2\",\"x_forwarded_for\":\"10.0.0.1\",\"user_agent\":\"curl/8\",\"request_id\":\
         \"id\",\"authority\":\"a.example\",\"upstream_host\":\"10.0.0.2:80\",\"upstream_cluster\":\"outbound|80||b\",\
         \"upstream_local_address\":\"10.0.0.3:4000\",\"downstream_local_address\":\"10.0.0.3:80\",\
         \"downstream_remote_address\":\"10.0.0.1:5000\",\"requested_server_name\":null,\
         \"upstream_transport_failure_reason\":null}\n"
    );
}

#[test]
fn json_is_json_whatever_is_in_it() {
    let object = JsonValue::Map(vec![
        ("a\"".into(), JsonValue::Text("%REQ(x-a)%".into())),
        ("b".into(), JsonValue::Text("%REQ(x-b)% \"%REQ(x-bad)%\" %BYTES_SENT% %REQ(no)%".into())),
        ("c".into(), JsonValue::List(vec![JsonValue::Number(1.5), JsonValue::Bool(true), JsonValue::Null])),
        ("d".into(), JsonValue::Map(vec![("e".into(), JsonValue::Text("%REQ(no)%".into()))])),
        ("f".into(), JsonValue::Text("plain".into())),
    ]);
    let line = run(&Format::json(&object, false).unwrap(), &record());
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["a\""], "a\"b\\c\nd");
    assert_eq!(read["b"], "gr\u{fc}n\u{1f33f} \"\u{ff}\u{c3}\" 12 -");
    assert_eq!(read["c"], serde_json::json!([1.5, true, null]));
    assert_eq!(read["d"]["e"], serde_json::Value::Null);
    let line = run(&Format::json(&object, true).unwrap(), &record());
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["d"], serde_json::json!({}));
    // Every byte, where a client may put it.
    let all: Vec<u8> = (0..=255).collect();
    let record = Record { user_agent: &all, path: &all, ..record() };
    serde_json::from_str::<serde_json::Value>(&run(&Preset::Json.format(), &record)).unwrap();
}

#[test]
fn presets() {
    assert_eq!(
        run(&Preset::Combined.format(), &record()),
        "10.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 12 \"https://r.example/?q\" \"curl/8\"\n"
    );
    assert_eq!(
        run(&Preset::Httplog.format(), &record()),
        "10.0.0.1:5000 [06/Nov/1994:08:49:37.042] 10.0.0.3:80 outbound|80||b/10.0.0.2:80 0/0/0/2/3 200 12 - - ---- \
         0/0/0/0/1 0/0 \"GET /a?b HTTP/1.1\"\n"
    );
    let line = run(&Preset::Combined.format(), &refused());
    assert!(line.contains("\"-\" 0 0 "), "{line}");
    let line = run(&Preset::Httplog.format(), &refused());
    assert!(line.contains(" -/<NOSRV> 0/0/0/-1/0 0 0 - - PR-- 0/0/0/0/0 0/0 \"-\""), "{line}");
    let two = Record { protocol: "HTTP/2", ..record() };
    assert!(run(&Preset::Combined.format(), &two).contains("GET /a?b HTTP/2.0\""));
}

fn holds(expression: &str, record: &Record<'_>) -> bool {
    Condition::parse(expression).unwrap_or_else(|e| panic!("{expression}: {e}")).holds(
        record,
        &Some1,
        &mut Vec::new(),
    )
}

#[test]
fn conditions() {
    let bad = Record { status: 503, flag: Some(Flag::UpstreamTimeout), duration_ms: 1500, ..record() };
    for (expression, of_good, of_bad) in [
        ("response.code >= 400", false, true),
        ("response.code == 200 || response.code == 503", true, true),
        ("400 <= response.code && response.code < 500", false, false),
        ("!(response.code >= 400)", true, false),
        ("response.code in [200, 204]", true, false),
        ("response.flags != 0", false, true),
        ("response.flags == 0x4", false, true),
        ("request.duration > duration('1s')", false, true),
        ("response.duration >= duration(\"1.5s\")", false, true),
        ("request.method == 'GET' && request.path.startsWith('/a')", true, true),
        ("request.url_path == '/a' && request.query == 'b'", true, true),
        ("request.host.endsWith('.example') && request.host.contains('a.')", true, true),
        ("request.host in ['b.example', 'a.example']", true, true),
        ("request.headers['x-a'] == 'nothing'", false, false),
        ("request.headers['X-NO'] == 'a'", false, false),
        ("!(request.headers['x-no'] == 'a')", false, false),
        ("request.headers['x-no'] == 'a' || true", true, true),
        ("request.headers['x-no'] == 'a' && false || response.code == 200", true, false),
        ("'x-a' in request.headers && !('x-no' in request.headers)", true, true),
        ("has(request.headers.referer) && !has(request.headers['x-no'])", true, true),
        ("has(response.code) && has(request.useragent)", true, true),
        ("response.headers['content-type'].startsWith('text/')", true, true),
        ("connection.mtls == true && connection.tls_version == 'TLSv1.3'", true, true),
        ("connection.mtls", true, true),
        ("true", true, true),
        ("false != connection.mtls", true, true),
        ("source.port == 5000 && destination.port == 80 && upstream.port == 80", true, true),
        ("xds.route_name == \"default\" && response.grpc_status == 5", true, true),
        ("response.code_details == 'via_upstream'", true, true),
        ("upstream.request_attempt_count > 1", true, true),
    ] {
        assert_eq!(holds(expression, &record()), of_good, "{expression}");
        assert_eq!(holds(expression, &bad), of_bad, "{expression} of the bad one");
    }
    // A connection has no status, so whoever asks for one has no line of it.
    assert!(!holds("response.code >= 400", &refused()) && holds("!has(response.code)", &refused()));
}

#[test]
fn conditions_that_are_none() {
    for (expression, part, message) in [
        ("response.code", "response.code", "neither true nor false"),
        ("response.code >= 'a'", "response.code >= 'a'", "compared"),
        ("response.kode == 1", "response.kode", "not known"),
        ("request.path.matches('a.*')", "request.path.matches('a.*'", "not supported"),
        ("size(request.path) > 3", "size", "not supported"),
        ("response.code == 1.5", "1.5", "whole number"),
        ("request.duration > 5", "request.duration > 5", "duration"),
        ("request.headers == 'a'", "request.headers == 'a'", "needs a name"),
        ("request.method == request.path", "request.method == request.path", "two attributes"),
        ("(response.code == 1", "", "`)` is expected"),
        ("response.code == 1 ) ", ")", "nothing more"),
        ("a ? b : c", "a", "not known"),
        ("response.code == 1 ? true : false", "?", "not supported"),
        ("'a", "'a", "no end"),
        ("response.code == 1 # x", "#", "means nothing"),
        ("", "", "ends too early"),
        ("response.code in ['a']", "", "of its kind"),
    ] {
        let error = Condition::parse(expression).unwrap_err();
        assert!(error.message.contains(message), "{expression}: {error}");
        assert!(error.part.contains(part), "{expression}: {error:?}");
    }
    let deep = format!("{}true{}", "(".repeat(200), ")".repeat(200));
    assert!(Condition::parse(&deep).unwrap_err().message.contains("too deeply"));
    assert!(Condition::parse(&"!".repeat(200)).is_err());
    let long = vec!["true"; 600].join(" || ");
    assert!(Condition::parse(&long).unwrap_err().message.contains("too long"));
}

#[test]
fn shares_and_choices_are_read() {
    for (text, shown) in [("1%", "1%"), ("0.5", "0.5%"), ("100%", "100%"), ("0", "0%"), ("12.34%", "12.34%")]
    {
        assert_eq!(Share::parse(text).map(|share| share.to_string()).as_deref(), Some(shown));
    }
    for wrong in ["", "%", "101%", "-1", "1.234", "a", "1e1", "0x1", "+1"] {
        assert_eq!(Share::parse(wrong), None, "{wrong}");
    }
    for text in ["on", "off", "errors", "sample 10%"] {
        assert_eq!(LogChoice::parse(text).map(|choice| choice.to_string()).as_deref(), Some(text));
    }
    assert_eq!(LogChoice::parse("sample"), None);
    assert_eq!(LogChoice::parse("sometimes"), None);
}

/// A shard's log and what it hands over.
fn logging(share: Share, condition: Option<&str>) -> (AccessLog, std::sync::mpsc::Receiver<Vec<u8>>) {
    let (full, chunks) = sync_channel(1000);
    let (_, empty) = sync_channel(1);
    let log = ShardLog {
        sink: 1,
        format: Format::text("%RESPONSE_CODE%", false).unwrap(),
        condition: condition.map(|text| Arc::new(Condition::parse(text).unwrap())),
        share,
    };
    let set = LogSet { sinks: vec![(1, LogSink { full, empty })], logs: vec![log] };
    (AccessLog::new(set, Arc::new(Counters::default()), 3), chunks)
}

fn lines(log: &AccessLog, chunks: &std::sync::mpsc::Receiver<Vec<u8>>) -> usize {
    log.flush();
    chunks.try_iter().flatten().filter(|byte| *byte == b'\n').count()
}

#[test]
fn samples_have_their_size() {
    for (share, whole) in [("10%", 0.1), ("1%", 0.01), ("99.5%", 0.995)] {
        let (log, chunks) = logging(Share::parse(share).unwrap(), None);
        const ALL: usize = 100_000;
        (0..ALL).for_each(|_| log.write(&record(), &()));
        let error = (whole * (1.0 - whole) * ALL as f64).sqrt();
        let found = lines(&log, &chunks) as f64;
        assert!((found - whole * ALL as f64).abs() < 4.0 * error, "{share}: {found}");
    }
    let (log, chunks) = logging(Share::parse("0").unwrap(), None);
    (0..1000).for_each(|_| log.write(&record(), &()));
    assert_eq!(lines(&log, &chunks), 0);
}

#[test]
fn routes_and_conditions_choose() {
    let count = |choice: LogChoice, condition: Option<&str>| {
        let (log, chunks) = logging(Share::ALL, condition);
        for status in [200, 404, 503] {
            log.write(&Record { status, choice, ..record() }, &());
        }
        lines(&log, &chunks)
    };
    assert_eq!(count(LogChoice::Usual, None), 3);
    assert_eq!(count(LogChoice::Off, None), 0);
    assert_eq!(count(LogChoice::Errors, None), 2);
    assert_eq!(count(LogChoice::Usual, Some("response.code == 404")), 1);
    assert_eq!(count(LogChoice::Errors, Some("response.code == 200")), 0);
}

#[test]
fn logs_are_replaced() {
    let (log, chunks) = logging(Share::ALL, None);
    log.write(&record(), &());
    let format = Format::text("%PROTOCOL%", false).unwrap();
    let other = || ShardLog { sink: 1, format: format.clone(), condition: None, share: Share::ALL };
    log.replace(LogSet { sinks: Vec::new(), logs: vec![other(), other()] });
    log.write(&record(), &());
    log.replace(LogSet::default());
    assert!(!log.is_on());
    assert_eq!(chunks.iter().flatten().collect::<Vec<_>>(), b"200\nHTTP/1.1\nHTTP/1.1\n");
}
