//! What is told: steps, and the outcome.

use crate::table::Source;
use std::borrow::Cow;

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Story {
    /// In the order in which they happen.
    pub(super) steps: Vec<Step>,
    /// What the client gets.
    pub(super) outcome: Outcome,
}

/// One decision on the request's way.
#[derive(Debug)]
pub(super) struct Step {
    /// What was decided: `virtual host`.
    pub(super) name: &'static str,
    /// How.
    pub(super) text: String,
    /// What in the user's files decided it.
    pub(super) source: Option<Source>,
    /// What else there is to know.
    pub(super) details: Vec<Detail>,
}

/// Something beside a step.
#[derive(Debug)]
pub(super) struct Detail {
    /// What it is.
    pub(super) text: String,
    /// Where it comes from.
    pub(super) source: Option<Source>,
    /// Reasons and the like.
    pub(super) lines: Vec<String>,
}

/// What the client gets.
#[derive(Debug)]
pub(super) enum Outcome {
    /// No connection.
    NoConnection {
        /// Why.
        reason: String,
    },
    /// An answer that is made here.
    Reply(Reply),
    /// The answer of an origin.
    Forward(Vec<Target>),
    /// A connection that is made and closed.
    Closed(Closing),
    /// A connection to an origin, with all bytes.
    Connect(Vec<Target>),
}

/// Why a connection is closed.
#[derive(Debug)]
pub(super) struct Closing {
    /// In words.
    pub(super) reason: String,
    /// `RESPONSE_FLAGS` of the access log; nothing where no line is written.
    pub(super) flag: Option<&'static str>,
}

/// An answer that is made here.
#[derive(Debug)]
pub(super) struct Reply {
    /// Its status.
    pub(super) status: u16,
    /// What a gRPC client gets beside it: the body is then `grpc-message`.
    pub(super) grpc: Option<GrpcStatus>,
    /// `RESPONSE_FLAGS` of the access log, or nothing.
    pub(super) flag: Option<&'static str>,
    /// `RESPONSE_CODE_DETAILS` of the access log.
    pub(super) details: Cow<'static, str>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    /// The body; controls are escaped.
    pub(super) body: String,
}

/// A status of gRPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct GrpcStatus {
    /// `grpc-status`
    pub(super) code: u8,
    /// Its name: `UNIMPLEMENTED`.
    pub(super) name: &'static str,
}

/// A cluster that the request may go to.
#[derive(Debug)]
pub(super) struct Target {
    /// Its name.
    pub(super) cluster: String,
    /// Its share, in percent.
    pub(super) percent: f64,
    /// The addresses as far as they are known without asking anybody.
    pub(super) endpoints: Vec<String>,
    /// What the client gets instead if the cluster can't answer.
    pub(super) failure: Option<Failure>,
}

/// What the client gets instead of a cluster's answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// To a request.
    Reply(Reply),
    /// On a connection.
    Closed(Closing),
}

impl Step {
    /// A step without source and details.
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Step {
        Step { name, text: text.into(), source: None, details: Vec::new() }
    }

    /// With what in the user's files decided it.
    pub(super) fn from(mut self, source: &Source) -> Step {
        self.source = Some(source.clone());
        self
    }

    /// With something more to know.
    pub(super) fn with(mut self, detail: Detail) -> Step {
        self.details.push(detail);
        self
    }

    /// With more to know.
    pub(super) fn with_all(mut self, details: impl IntoIterator<Item = Detail>) -> Step {
        self.details.extend(details);
        self
    }
}

impl Detail {
    /// A line.
    pub(super) fn new(text: impl Into<String>) -> Detail {
        Detail { text: text.into(), source: None, lines: Vec::new() }
    }

    /// With where it comes from.
    pub(super) fn from(mut self, source: &Source) -> Detail {
        self.source = Some(source.clone());
        self
    }

    /// With lines below it.
    pub(super) fn lines(mut self, lines: impl IntoIterator<Item = String>) -> Detail {
        self.lines.extend(lines);
        self
    }
}

impl Reply {
    /// An answer with an empty body.
    pub(super) fn new(status: u16, flag: Option<&'static str>, details: &'static str) -> Reply {
        Reply { status, grpc: None, flag, details: details.into(), location: None, body: String::new() }
    }
}
