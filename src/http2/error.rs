//! Error codes, and what ends a connection or a stream.

/// Why a stream or a connection ended (RFC 9113 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ErrorCode {
    /// Nothing is wrong.
    NoError = 0x0,
    /// The peer broke the protocol.
    ProtocolError = 0x1,
    /// Something is wrong at the sender's.
    InternalError = 0x2,
    /// More bytes than the window allowed.
    FlowControlError = 0x3,
    /// SETTINGS were not acknowledged in time.
    SettingsTimeout = 0x4,
    /// A frame for a stream that is closed.
    StreamClosed = 0x5,
    /// A frame of a wrong size.
    FrameSizeError = 0x6,
    /// The stream was not processed at all: it is safe to try again.
    RefusedStream = 0x7,
    /// The stream is not wanted any more.
    Cancel = 0x8,
    /// The state of header compression is lost.
    CompressionError = 0x9,
    /// The connection of a CONNECT was reset.
    ConnectError = 0xa,
    /// The peer does too much of something.
    EnhanceYourCalm = 0xb,
    /// TLS is not good enough.
    InadequateSecurity = 0xc,
    /// HTTP/1.1 is asked for.
    Http11Required = 0xd,
}

const ALL: [ErrorCode; 14] = [
    ErrorCode::NoError,
    ErrorCode::ProtocolError,
    ErrorCode::InternalError,
    ErrorCode::FlowControlError,
    ErrorCode::SettingsTimeout,
    ErrorCode::StreamClosed,
    ErrorCode::FrameSizeError,
    ErrorCode::RefusedStream,
    ErrorCode::Cancel,
    ErrorCode::CompressionError,
    ErrorCode::ConnectError,
    ErrorCode::EnhanceYourCalm,
    ErrorCode::InadequateSecurity,
    ErrorCode::Http11Required,
];

impl ErrorCode {
    /// The code of a frame. One that nobody knows means no more than that something went wrong (section 7).
    pub fn from_wire(code: u32) -> ErrorCode {
        ALL.get(code as usize).copied().unwrap_or(ErrorCode::InternalError)
    }

    /// As RFC 9113 writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::NoError => "NO_ERROR",
            ErrorCode::ProtocolError => "PROTOCOL_ERROR",
            ErrorCode::InternalError => "INTERNAL_ERROR",
            ErrorCode::FlowControlError => "FLOW_CONTROL_ERROR",
            ErrorCode::SettingsTimeout => "SETTINGS_TIMEOUT",
            ErrorCode::StreamClosed => "STREAM_CLOSED",
            ErrorCode::FrameSizeError => "FRAME_SIZE_ERROR",
            ErrorCode::RefusedStream => "REFUSED_STREAM",
            ErrorCode::Cancel => "CANCEL",
            ErrorCode::CompressionError => "COMPRESSION_ERROR",
            ErrorCode::ConnectError => "CONNECT_ERROR",
            ErrorCode::EnhanceYourCalm => "ENHANCE_YOUR_CALM",
            ErrorCode::InadequateSecurity => "INADEQUATE_SECURITY",
            ErrorCode::Http11Required => "HTTP_1_1_REQUIRED",
        }
    }
}

/// What the peer did that its connection can't survive (RFC 9113 section 5.4.1). It is told by GOAWAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionError {
    /// What GOAWAY says.
    pub code: ErrorCode,
    /// What it did, in fixed words: for GOAWAY's debug data, the log and counters.
    pub reason: &'static str,
    /// Which budget it has used up, if that is why.
    pub flood: Option<super::Flood>,
}

impl ConnectionError {
    /// The peer broke a rule.
    pub(super) const fn new(code: ErrorCode, reason: &'static str) -> ConnectionError {
        ConnectionError { code, reason, flood: None }
    }

    pub(super) const fn protocol(reason: &'static str) -> ConnectionError {
        ConnectionError::new(ErrorCode::ProtocolError, reason)
    }

    pub(super) const fn frame_size(reason: &'static str) -> ConnectionError {
        ConnectionError::new(ErrorCode::FrameSizeError, reason)
    }
}

/// How a stream ended before both sides had said all that they wanted to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The peer reset it.
    Reset(ErrorCode),
    /// The peer broke a rule on it, and it was reset here; what the rule is about.
    Broken(&'static str),
    /// Its connection ended before it did.
    Closed,
    /// The peer has said by GOAWAY that it did not look at it: it is safe to try again elsewhere.
    Unprocessed,
    /// Nothing has moved on it for too long; it was reset here.
    TimedOut,
}
