//! Formats with a name, for which users have parsers.

use super::{
    super::Flag,
    format::{Format, FormatError, Operation, Program},
    json::JsonValue,
    record::Record,
    value::{Operator, Value},
};

/// Istio's default text (`EnvoyTextLogFormat`), without the line break at its end.
pub const ISTIO_TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \
    \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \
    \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% \
    %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%";

/// Istio's JSON (`EnvoyJSONLogFormatIstio`), in the order in which it is declared.
const ISTIO_JSON: [(&str, &str); 24] = [
    ("start_time", "%START_TIME%"),
    ("route_name", "%ROUTE_NAME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
];

/// A format that a user asks for by name, or by a format string behind `custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Istio's default text.
    Istio,
    /// Istio's JSON.
    Json,
    /// nginx's `combined`, which is Apache's.
    Combined,
    /// HAProxy's `option httplog`.
    Httplog,
}

impl Preset {
    /// Reads `istio`, `json`, `combined`, `httplog` or `custom FORMAT`.
    ///
    /// # Errors
    /// Another name, or a format string that is none.
    pub fn parse(text: &str) -> Result<Format, FormatError> {
        Ok(match text {
            "istio" => Preset::Istio.format(),
            "json" => Preset::Json.format(),
            "combined" => Preset::Combined.format(),
            "httplog" => Preset::Httplog.format(),
            _ => {
                let custom = text.strip_prefix("custom ").ok_or(FormatError::UnknownPreset)?;
                return Format::text(custom, false);
            }
        })
    }

    /// Its format.
    pub fn format(self) -> Format {
        match self {
            Preset::Istio => Format::istio(),
            Preset::Json => {
                let member = |(key, text): (&str, &str)| (key.to_owned(), JsonValue::Text(text.to_owned()));
                let object = JsonValue::Map(ISTIO_JSON.map(member).into());
                // These texts are good, which a test holds them to.
                Format::json(&object, false).map_or_else(|_| Format::istio(), |format| format.named("json"))
            }
            Preset::Combined => Format::of_preset("combined", combined()),
            Preset::Httplog => Format::of_preset("httplog", httplog()),
        }
    }
}

/// Pieces of text with the values that operators have no name for between them.
fn program(pieces: &[(&str, Option<Value>)]) -> Program {
    let mut whole = Program::default();
    for (text, value) in pieces {
        // These texts are good, which a test holds them to.
        whole.operations.extend(Program::new(text, false).unwrap_or_default().operations);
        whole.operations.extend(value.clone().map(|value| Operation::Operator(Operator::plain(value))));
    }
    whole
}

fn combined() -> Program {
    program(&[
        (
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% - - [%START_TIME(%d/%b/%Y:%H:%M:%S %z)%] \"",
            Some(Value::RequestLine),
        ),
        ("\" %RESPONSE_CODE% %BYTES_SENT% \"%REQ(REFERER)%\" \"%REQ(USER-AGENT)%\"", None),
    ])
}

/// `client [time] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes cookie cookie state counts queues "request"`. Times
/// and counts that this gateway does not have are 0.
fn httplog() -> Program {
    program(&[
        (
            "%DOWNSTREAM_REMOTE_ADDRESS% [%START_TIME(%d/%b/%Y:%H:%M:%S.%3f)%] %DOWNSTREAM_LOCAL_ADDRESS% \
             %UPSTREAM_CLUSTER_RAW%/",
            Some(Value::Server),
        ),
        (" 0/0/0/", Some(Value::ServiceTimeOrMinusOne)),
        ("/%DURATION% %RESPONSE_CODE% %BYTES_SENT% - - ", Some(Value::TerminationState)),
        (" 0/0/0/0/", Some(Value::Retries)),
        (" 0/0 \"", Some(Value::RequestLine)),
        ("\"", None),
    ])
}

/// HAProxy's termination state: who ended it, and in which state; the cookies' two letters are always `--`.
pub(super) fn termination_state(r: &Record<'_>) -> &'static str {
    let has_head = r.upstream_service_ms.is_some();
    match r.flag.or(r.retry_flag) {
        None if r.method.is_empty() && r.upstream_host.is_empty() && r.status >= 400 => "PR--",
        None => "----",
        Some(Flag::NoRoute | Flag::FaultInjected | Flag::RateLimited | Flag::DownstreamProtocolError) => {
            "PR--"
        }
        Some(Flag::NoCluster | Flag::NoHealthyUpstream) => "SC--",
        Some(Flag::UpstreamConnectFailure | Flag::ConnectAttemptsExceeded) => "SC--",
        Some(Flag::UpstreamConnectionTermination | Flag::UpstreamRemoteReset) if has_head => "SD--",
        Some(Flag::UpstreamConnectionTermination | Flag::UpstreamRemoteReset) => "SH--",
        Some(Flag::UpstreamProtocolError) => "PH--",
        Some(Flag::UpstreamTimeout | Flag::DurationTimeout | Flag::RetryLimitExceeded) => "sH--",
        Some(Flag::UpstreamOverflow) => "SQ--",
        Some(Flag::DownstreamDisconnect | Flag::DownstreamRemoteReset) if has_head => "CD--",
        Some(Flag::DownstreamDisconnect | Flag::DownstreamRemoteReset) => "CH--",
        Some(Flag::StreamIdleTimeout) if has_head => "cD--",
        Some(Flag::StreamIdleTimeout) => "cH--",
        Some(Flag::Overload) => "RC--",
    }
}
