//! What an operator of a format string stands for.

use super::{
    super::{
        TimeFormat, TlsFact, ValidityEnd,
        operator::{Call, FieldSource, length_of},
    },
    format::FormatError,
    record::{Facts, Record},
};
use std::io::Write;

/// An operator with its arguments.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) value: Value,
    /// In bytes.
    pub(super) length_max: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    StartTime,
    StartTimeAs(TimeFormat),
    Method,
    OriginalPath,
    Authority,
    ForwardedFor,
    UserAgent,
    RequestId,
    Request(FieldSource),
    RequestWithoutQuery(FieldSource),
    Response(FieldSource),
    Protocol,
    ResponseCode,
    ResponseCodeDetails,
    TerminationDetails,
    ResponseFlags,
    ResponseFlagsLong,
    BytesReceived,
    BytesSent,
    Duration,
    /// Until the head of the upstream's answer.
    ResponseDuration,
    /// From there to the last byte to the client.
    ResponseTxDuration,
    UpstreamServiceTime,
    Upstream(Part),
    UpstreamCluster,
    UpstreamLocal(Part),
    UpstreamFailure,
    UpstreamAttempts,
    UpstreamProtocol,
    DownstreamLocal(Part),
    DownstreamRemote(Part),
    DownstreamDirect(Part),
    Tls(TlsFact),
    Validity(ValidityEnd, TimeFormat),
    ServerName,
    RouteName,
    Hostname,
    Environment(Box<str>),
    GrpcStatus(GrpcForm),
    ConnectionId,
    TraceId,
    SpanId,
    /// `GET /a HTTP/1.1`, or `-` without a request; of presets.
    RequestLine,
    /// HAProxy's `SH--`.
    TerminationState,
    /// HAProxy's endpoint: `<NOSRV>` where there was none.
    Server,
    /// HAProxy's -1 where there was no answer.
    ServiceTimeOrMinusOne,
    Retries,
    /// Known, and never there.
    Nothing,
}

/// Which part of an address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    WithoutPort,
    Port,
}

/// How `%GRPC_STATUS(...)%` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrpcForm {
    /// `NotFound`
    Camel,
    /// `NOT_FOUND`
    Snake,
    /// `5`
    Number,
}

/// What an operator has found.
pub(super) enum Found<'f> {
    Nothing,
    Number(u64),
    /// A text that nobody outside has chosen, or that can have nothing odd in it.
    Safe(&'f [u8]),
    /// A text that somebody else has chosen.
    Any(&'f [u8]),
    /// A time in Unix milliseconds, in Istio's form.
    Time(u64),
}

/// Operators that are known to Envoy and not to this gateway, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("FILTER_STATE", "there are no filter objects here"),
    ("UPSTREAM_FILTER_STATE", "there are no filter objects here"),
    ("DYNAMIC_METADATA", "there is no metadata of filters here"),
    ("CLUSTER_METADATA", "there is no metadata of clusters here"),
    ("UPSTREAM_METADATA", "there is no metadata of endpoints here"),
    ("METADATA", "there is no metadata here"),
    ("CEL", "only `filter.expression` of a Telemetry has CEL"),
    ("REQUEST_DURATION", "it is not measured; %DURATION% and %RESPONSE_DURATION% are"),
    ("COMMON_DURATION", "only the points of %DURATION% and %RESPONSE_DURATION% are measured"),
    ("TRAILER", "trailers pass without being kept; see %GRPC_STATUS%"),
    ("UPSTREAM_TLS_VERSION", "it is not kept"),
    ("UPSTREAM_TLS_CIPHER", "it is not kept"),
    ("DOWNSTREAM_TLS_SESSION_ID", "TLS 1.3 has none"),
    ("LOCAL_REPLY_BODY", "it is for answers of the gateway's own"),
];

impl Operator {
    /// # Errors
    /// An operator that is not known, or arguments that it does not take.
    pub(super) fn new(call: &Call<'_>) -> Result<Operator, FormatError> {
        let bad = |reason| FormatError::BadArgument { operator: call.name.to_owned(), reason };
        if let Some(source) = field_operator(call.name) {
            let found = call.field_source().map_err(bad)?;
            let length_max = found.length_max;
            return Ok(Operator { value: shortened(call.name, source(found)), length_max });
        }
        let format = || TimeFormat::parse(call.argument.unwrap_or("")).map_err(bad);
        let value = match call.name {
            "START_TIME" if call.argument.unwrap_or("").is_empty() => Value::StartTime,
            "START_TIME" => Value::StartTimeAs(format()?),
            "ENVIRONMENT" => {
                let name = call.argument.filter(|name| !name.is_empty());
                Value::Environment(name.ok_or(bad("needs the name of a variable in parentheses"))?.into())
            }
            "GRPC_STATUS" => Value::GrpcStatus(match call.argument {
                None | Some("" | "CAMEL_STRING") => GrpcForm::Camel,
                Some("SNAKE_STRING") => GrpcForm::Snake,
                Some("NUMBER") => GrpcForm::Number,
                Some(_) => return Err(bad("takes CAMEL_STRING, SNAKE_STRING or NUMBER")),
            }),
            name => match ValidityEnd::parse(name) {
                Some(end) => Value::Validity(end, format()?),
                None => {
                    let value = TlsFact::parse(name).map(Value::Tls).or_else(|| simple(name));
                    let value = value.ok_or_else(|| unknown(name))?;
                    if call.argument.is_some() {
                        return Err(bad("takes no argument"));
                    }
                    value
                }
            },
        };
        Ok(Operator { value, length_max: length_of(call.length).map_err(bad)? })
    }

    /// An operator without arguments, of presets.
    pub(super) const fn plain(value: Value) -> Operator {
        Operator { value, length_max: usize::MAX }
    }
}

fn unknown(name: &str) -> FormatError {
    let reason = REFUSED.iter().find(|(known, _)| *known == name).map(|(_, reason)| *reason);
    FormatError::UnknownOperator { name: name.to_owned(), reason }
}

fn field_operator(name: &str) -> Option<fn(FieldSource) -> Value> {
    Some(match name {
        "REQ" => Value::Request,
        "REQ_WITHOUT_QUERY" => Value::RequestWithoutQuery,
        "RESP" => Value::Response,
        _ => return None,
    })
}

/// The fields of Istio's format are at hand; they need not be looked for.
fn shortened(name: &str, value: Value) -> Value {
    let (Value::Request(source) | Value::Response(source)) = &value else { return value };
    match (name, &*source.first, source.otherwise.as_deref()) {
        ("REQ", b"x-envoy-original-path", Some(b":path")) => Value::OriginalPath,
        ("REQ", b":method", None) => Value::Method,
        ("REQ", b":authority" | b"host", None) => Value::Authority,
        ("REQ", b"x-forwarded-for", None) => Value::ForwardedFor,
        ("REQ", b"user-agent", None) => Value::UserAgent,
        ("REQ", b"x-request-id", None) => Value::RequestId,
        ("RESP", b"x-envoy-upstream-service-time", None) => Value::UpstreamServiceTime,
        ("RESP", b":status", None) => Value::ResponseCode,
        _ => value,
    }
}

fn simple(name: &str) -> Option<Value> {
    let address = |name: &str| match name {
        "DOWNSTREAM_LOCAL" => Some(Value::DownstreamLocal as fn(Part) -> Value),
        "DOWNSTREAM_REMOTE" => Some(Value::DownstreamRemote as fn(Part) -> Value),
        "DOWNSTREAM_DIRECT_REMOTE" => Some(Value::DownstreamDirect as fn(Part) -> Value),
        "UPSTREAM_LOCAL" => Some(Value::UpstreamLocal as fn(Part) -> Value),
        "UPSTREAM_REMOTE" => Some(Value::Upstream as fn(Part) -> Value),
        _ => None,
    };
    for (suffix, part) in
        [("_ADDRESS", Part::Whole), ("_ADDRESS_WITHOUT_PORT", Part::WithoutPort), ("_PORT", Part::Port)]
    {
        if let Some(value) = name.strip_suffix(suffix).and_then(address) {
            return Some(value(part));
        }
    }
    Some(match name {
        "PROTOCOL" => Value::Protocol,
        "RESPONSE_CODE" => Value::ResponseCode,
        "RESPONSE_CODE_DETAILS" => Value::ResponseCodeDetails,
        "CONNECTION_TERMINATION_DETAILS" => Value::TerminationDetails,
        "RESPONSE_FLAGS" => Value::ResponseFlags,
        "RESPONSE_FLAGS_LONG" => Value::ResponseFlagsLong,
        "BYTES_RECEIVED" => Value::BytesReceived,
        "BYTES_SENT" => Value::BytesSent,
        "DURATION" => Value::Duration,
        "RESPONSE_DURATION" => Value::ResponseDuration,
        "RESPONSE_TX_DURATION" => Value::ResponseTxDuration,
        "UPSTREAM_HOST" => Value::Upstream(Part::Whole),
        "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Value::UpstreamCluster,
        "UPSTREAM_TRANSPORT_FAILURE_REASON" => Value::UpstreamFailure,
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Value::UpstreamAttempts,
        "UPSTREAM_PROTOCOL" => Value::UpstreamProtocol,
        "REQUESTED_SERVER_NAME" => Value::ServerName,
        "ROUTE_NAME" => Value::RouteName,
        "HOSTNAME" => Value::Hostname,
        "GRPC_STATUS_NUMBER" => Value::GrpcStatus(GrpcForm::Number),
        "STREAM_ID" => Value::RequestId,
        "CONNECTION_ID" => Value::ConnectionId,
        "TRACE_ID" => Value::TraceId,
        "SPAN_ID" => Value::SpanId,
        "VIRTUAL_CLUSTER_NAME" | "CUSTOM_FLAGS" | "DOWNSTREAM_TRANSPORT_FAILURE_REASON" => Value::Nothing,
        _ => return None,
    })
}

impl Operator {
    /// Finds what it stands for. What has to be put together goes into `spare`.
    pub(super) fn find<'f>(
        &self,
        record: &'f Record<'_>,
        facts: &'f impl Facts,
        spare: &'f mut Vec<u8>,
    ) -> Found<'f> {
        match self.value.find(record, facts, spare) {
            Found::Any(text) => Found::Any(cut(text, self.length_max)),
            Found::Safe(text) => Found::Safe(cut(text, self.length_max)),
            found => found,
        }
    }
}

/// The beginning of a text, without half a character at its end.
fn cut(text: &[u8], length_max: usize) -> &[u8] {
    if text.len() <= length_max {
        return text;
    }
    let mut end = length_max;
    while end > 0 && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

impl Value {
    fn find<'f>(&self, r: &'f Record<'_>, facts: &'f impl Facts, spare: &'f mut Vec<u8>) -> Found<'f> {
        spare.clear();
        match self {
            Value::StartTime => Found::Time(r.start_ms),
            Value::StartTimeAs(format) => {
                format.render(r.start_ms, spare);
                Found::Safe(spare)
            }
            // A method is a token, and has nothing odd in it.
            Value::Method => safe(r.method),
            Value::OriginalPath => any(r.path),
            Value::Authority => any(r.authority),
            Value::ForwardedFor => any(r.forwarded_for),
            Value::UserAgent => any(r.user_agent),
            Value::RequestId => any(r.request_id),
            Value::Request(source) => field(source, |name| facts.request_field(name)),
            Value::RequestWithoutQuery(source) => match field(source, |name| facts.request_field(name)) {
                Found::Any(text) => any(text.split(|byte| *byte == b'?').next().unwrap_or(text)),
                found => found,
            },
            Value::Response(source) => field(source, |name| facts.response_field(name)),
            Value::Protocol => safe(r.protocol.as_bytes()),
            Value::ResponseCode => Found::Number(r.status.into()),
            Value::ResponseCodeDetails => any(r.details.as_bytes()),
            Value::TerminationDetails => any(r.termination.as_bytes()),
            Value::ResponseFlags => flags(r, spare),
            Value::ResponseFlagsLong => flags_long(r, spare),
            Value::BytesReceived => Found::Number(r.bytes_received),
            Value::BytesSent => Found::Number(r.bytes_sent),
            Value::Duration => Found::Number(r.duration_ms),
            Value::ResponseDuration => r.upstream_service_ms.map_or(Found::Nothing, Found::Number),
            Value::ResponseTxDuration => {
                let until = r.upstream_service_ms.map(|until| r.duration_ms.saturating_sub(until));
                until.map_or(Found::Nothing, Found::Number)
            }
            Value::UpstreamServiceTime => match r.upstream_service_ms {
                // It is a header field to Envoy, and so a text.
                Some(time) => number_text(time, spare),
                None => Found::Nothing,
            },
            _ => self.find_rest(r, facts, spare),
        }
    }

    fn find_rest<'f>(&self, r: &'f Record<'_>, facts: &'f impl Facts, spare: &'f mut Vec<u8>) -> Found<'f> {
        match self {
            Value::Upstream(part) => part.of(r.upstream_host),
            Value::UpstreamCluster => any(r.upstream_cluster),
            Value::UpstreamLocal(part) => part.of(r.upstream_local),
            Value::UpstreamFailure => any(r.transport_failure.as_bytes()),
            Value::UpstreamAttempts => Found::Number(r.attempts.into()),
            Value::UpstreamProtocol => safe(r.upstream_protocol.as_bytes()),
            Value::DownstreamLocal(part) => part.of(r.downstream_local),
            Value::DownstreamRemote(part) => part.of(r.downstream_remote),
            Value::DownstreamDirect(part) => {
                facts.direct_remote(spare);
                part.of(spare)
            }
            Value::Tls(fact) => {
                facts.tls(*fact, spare);
                any(spare)
            }
            Value::Validity(end, format) => match facts.validity(*end) {
                Some(time) => {
                    format.render(time, spare);
                    Found::Safe(spare)
                }
                None => Found::Nothing,
            },
            Value::ServerName => any(r.server_name),
            Value::RouteName => any(r.route_name),
            Value::GrpcStatus(form) => match r.grpc_status {
                Some(status) => form.of(status),
                None => Found::Nothing,
            },
            Value::ConnectionId if r.connection_id > 0 => Found::Number(r.connection_id),
            Value::TraceId => hex(r.trace_id, 32, spare),
            Value::SpanId => hex(r.span_id.map(u128::from), 16, spare),
            Value::RequestLine if r.method.is_empty() => Found::Nothing,
            Value::RequestLine => {
                let protocol = if r.protocol == "HTTP/2" { "HTTP/2.0" } else { r.protocol };
                for part in [r.method, b" ", r.path, b" ", protocol.as_bytes()] {
                    spare.extend_from_slice(part);
                }
                Found::Any(spare)
            }
            Value::TerminationState => Found::Safe(super::presets::termination_state(r).as_bytes()),
            Value::Server if r.upstream_host.is_empty() => Found::Safe(b"<NOSRV>"),
            Value::Server => any(r.upstream_host),
            Value::ServiceTimeOrMinusOne => r.upstream_service_ms.map_or(Found::Safe(b"-1"), Found::Number),
            Value::Retries => Found::Number(r.attempts.saturating_sub(1).into()),
            // `Hostname` and `Environment` became text when the format was bound.
            _ => Found::Nothing,
        }
    }
}

fn any(text: &[u8]) -> Found<'_> {
    if text.is_empty() { Found::Nothing } else { Found::Any(text) }
}

fn safe(text: &[u8]) -> Found<'_> {
    if text.is_empty() { Found::Nothing } else { Found::Safe(text) }
}

fn field<'f>(source: &FieldSource, get: impl Fn(&[u8]) -> Option<&'f [u8]>) -> Found<'f> {
    let value = get(&source.first).or_else(|| get(source.otherwise.as_deref()?));
    value.map_or(Found::Nothing, any)
}

fn number_text(number: u64, spare: &mut Vec<u8>) -> Found<'_> {
    spare.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    Found::Safe(spare)
}

fn hex(id: Option<u128>, digits: usize, spare: &mut Vec<u8>) -> Found<'_> {
    let Some(id) = id else { return Found::Nothing };
    // Writing to memory can't fail.
    let _ = write!(spare, "{id:0digits$x}");
    Found::Safe(spare)
}

fn flags<'f>(r: &Record<'_>, spare: &'f mut Vec<u8>) -> Found<'f> {
    for flag in r.flags().into_iter().filter(|flag| !flag.is_empty()) {
        if !spare.is_empty() {
            spare.push(b',');
        }
        spare.extend_from_slice(flag.as_bytes());
    }
    safe(spare)
}

/// The names of Envoy's `ResponseFlagUtils`.
fn flags_long<'f>(r: &Record<'_>, spare: &'f mut Vec<u8>) -> Found<'f> {
    for letters in r.flags().into_iter().flat_map(|flags| flags.split(',')).filter(|flag| !flag.is_empty()) {
        let name = match letters {
            "DI" => "DelayInjected",
            "NR" => "NoRouteFound",
            "NC" => "NoClusterFound",
            "UH" => "NoHealthyUpstream",
            "UF" => "UpstreamConnectionFailure",
            "UC" => "UpstreamConnectionTermination",
            "UR" => "UpstreamRemoteReset",
            "UO" => "UpstreamOverflow",
            "UPE" => "UpstreamProtocolError",
            "UT" => "UpstreamRequestTimeout",
            "URX" => "UpstreamRetryLimitExceeded",
            "DC" => "DownstreamConnectionTermination",
            "DR" => "DownstreamRemoteReset",
            "DT" => "DurationTimeout",
            "DPE" => "DownstreamProtocolError",
            "SI" => "StreamIdleTimeout",
            "FI" => "FaultInjected",
            "RL" => "RateLimited",
            "OM" => "OverloadManagerTerminated",
            other => other,
        };
        if !spare.is_empty() {
            spare.push(b',');
        }
        spare.extend_from_slice(name.as_bytes());
    }
    safe(spare)
}

impl Part {
    /// The part of an address with a port, such as `10.0.0.1:80` or `[::1]:80`; others have no port.
    fn of(self, address: &[u8]) -> Found<'_> {
        let colon = address.iter().rposition(|byte| *byte == b':').filter(|_| !address.starts_with(b"/"));
        let (host, port) = match colon {
            Some(at) => address.split_at(at),
            None => (address, &b""[..]),
        };
        any(match self {
            Part::Whole => address,
            Part::WithoutPort => {
                host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
            }
            Part::Port => match port.get(1..).and_then(|port| std::str::from_utf8(port).ok()?.parse().ok()) {
                Some(port) => return Found::Number(port),
                None => b"",
            },
        })
    }
}

impl GrpcForm {
    fn of(self, status: u32) -> Found<'static> {
        const NAMES: [(&str, &str); 17] = [
            ("OK", "OK"),
            ("Canceled", "CANCELLED"),
            ("Unknown", "UNKNOWN"),
            ("InvalidArgument", "INVALID_ARGUMENT"),
            ("DeadlineExceeded", "DEADLINE_EXCEEDED"),
            ("NotFound", "NOT_FOUND"),
            ("AlreadyExists", "ALREADY_EXISTS"),
            ("PermissionDenied", "PERMISSION_DENIED"),
            ("ResourceExhausted", "RESOURCE_EXHAUSTED"),
            ("FailedPrecondition", "FAILED_PRECONDITION"),
            ("Aborted", "ABORTED"),
            ("OutOfRange", "OUT_OF_RANGE"),
            ("Unimplemented", "UNIMPLEMENTED"),
            ("Internal", "INTERNAL"),
            ("Unavailable", "UNAVAILABLE"),
            ("DataLoss", "DATA_LOSS"),
            ("Unauthenticated", "UNAUTHENTICATED"),
        ];
        let names = NAMES.get(status as usize);
        match (self, names) {
            (GrpcForm::Camel, Some((camel, _))) => Found::Safe(camel.as_bytes()),
            (GrpcForm::Snake, Some((_, snake))) => Found::Safe(snake.as_bytes()),
            (GrpcForm::Camel | GrpcForm::Snake, None) => Found::Safe(b"InvalidCode"),
            (GrpcForm::Number, _) => Found::Number(status.into()),
        }
    }
}
