//! What one try of a request has shown of the endpoint that it was sent to.

/// What one try has shown of its endpoint. What a client did to it (left, broke the rules) shows nothing and has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered with this status, 200 to 599, or 101. A gRPC call that failed has 200 here.
    Answered(u16),
    /// Connecting was refused, impossible, or took too long; TLS could not be agreed.
    ConnectFailed,
    /// The answer's head did not come within the time of the request, or of the try.
    TimedOut,
    /// The connection or the stream ended before the answer did, or the endpoint broke the protocol.
    Reset,
}
