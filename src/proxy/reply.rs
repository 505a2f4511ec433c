//! Answers made here: they always have a flag or a reason, and a detail string.

use super::{
    checks::Verdict,
    failure::{Failure, Kind, Side},
};
use crate::{http1::decode::BadRequest, http2::Refused, jwt, table::DirectResponse, telemetry::Flag};

/// An answer made here.
pub(super) enum LocalReply<'a> {
    /// No virtual host, or no route.
    NoRoute,
    /// Another server of the TLS port owns the host.
    Misdirected,
    /// The route's cluster does not exist.
    NoCluster,
    /// The cluster has no endpoint.
    NoEndpoint,
    /// The request is refused.
    Bad(BadRequest),
    /// The request of HTTP/2 is refused.
    Refused(Refused),
    /// The path can't be normalized.
    BadPath,
    /// The head did not come in time.
    HeadTimeout,
    /// A token is not good; what the client is told of it is in the scratch text.
    Unauthenticated(jwt::Refusal),
    /// No AuthorizationPolicy lets it in, or one keeps it out; which is in the summary.
    AccessDenied,
    /// A check of the route ends it here.
    Check(Verdict),
    /// Something went wrong on the way.
    Failed(&'a Failure),
    /// The route says so.
    Direct(&'a DirectResponse),
    /// The route, or `httpsRedirect`, sends the client elsewhere; the location is in the scratch text.
    Redirect(u16),
}

/// What it says.
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    pub(super) flag: Option<Flag>,
    pub(super) details: &'static str,
    pub(super) body: &'a [u8],
    /// The scratch text goes into `location`.
    pub(super) has_location: bool,
    /// What else its head says.
    pub(super) extra: Extra,
    /// What the operating system said when connecting failed.
    pub(super) transport_failure: &'a str,
    /// The connection can't go on: what comes next on it is not known.
    pub(super) ends_connection: bool,
    /// The configuration asks for exactly this.
    pub(super) is_configured: bool,
}

/// What else the head of an answer says.
#[derive(Clone, Copy)]
pub(super) enum Extra {
    Nothing,
    /// `retry-after`, in seconds.
    RetryAfter(u64),
    /// `x-envoy-overloaded`: a limit of the cluster was reached.
    Overloaded,
    /// `www-authenticate`: the scratch text.
    Challenge,
    /// To clients of gRPC: this status, rather than the one that stands for that of HTTP.
    GrpcStatus(u8),
}

impl<'a> LocalReply<'a> {
    /// Status, flag, detail and body, with Istio's texts (specification section 0 and appendix B).
    pub(super) fn into_reply(self) -> Reply<'a> {
        let reply = Reply::new;
        match self {
            LocalReply::NoRoute => reply(404, Some(Flag::NoRoute), "route_not_found", ""),
            LocalReply::Misdirected => reply(421, Some(Flag::NoRoute), "misdirected_request", refusal(421)),
            LocalReply::NoCluster => reply(503, Some(Flag::NoCluster), "cluster_not_found", ""),
            LocalReply::NoEndpoint => {
                reply(503, Some(Flag::NoHealthyUpstream), "no_healthy_upstream", "no healthy upstream")
            }
            LocalReply::Bad(bad) => {
                Reply { ends_connection: true, ..Reply::refused(bad.status(), bad.detail()) }
            }
            LocalReply::Refused(refused) => Reply::refused(refused.status(), refused.detail()),
            LocalReply::BadPath => Reply::refused(400, "path_normalization_failed"),
            LocalReply::HeadTimeout => {
                let flag = Some(Flag::DownstreamProtocolError);
                let reply = reply(408, flag, "request_header_timeout", "request header timeout");
                Reply { ends_connection: true, ..reply }
            }
            LocalReply::Unauthenticated(refusal) => Reply {
                extra: Extra::Challenge,
                ..reply(refusal.status(), None, refusal.details(), refusal.text())
            },
            LocalReply::AccessDenied => reply(403, None, "rbac_access_denied", "RBAC: access denied"),
            LocalReply::Check(verdict) => verdict.reply(),
            LocalReply::Failed(failure) => {
                let (status, body) = failure.answer();
                Reply {
                    transport_failure: failure.transport_failure(),
                    // A client that broke off, or broke the rules, within its body.
                    ends_connection: failure.side == Side::Downstream,
                    extra: match failure.kind {
                        Kind::Overflow => Extra::Overloaded,
                        _ => Extra::Nothing,
                    },
                    ..reply(status, Some(failure.flag()), failure.details(), body)
                }
            }
            LocalReply::Direct(direct) => {
                let reply = reply(direct.status, None, "direct_response", "");
                Reply { body: &direct.body, is_configured: true, ..reply }
            }
            LocalReply::Redirect(status) => {
                let reply = reply(status, None, "direct_response", "");
                Reply { has_location: true, is_configured: true, ..reply }
            }
        }
    }
}

impl<'a> Reply<'a> {
    /// An answer without anything special.
    pub(super) fn new(status: u16, flag: Option<Flag>, details: &'static str, body: &'a str) -> Reply<'a> {
        Reply {
            status,
            flag,
            details,
            body: body.as_bytes(),
            has_location: false,
            extra: Extra::Nothing,
            transport_failure: "",
            ends_connection: false,
            is_configured: false,
        }
    }

    /// To a request that is refused for what it is.
    fn refused(status: u16, details: &'static str) -> Reply<'a> {
        Reply::new(status, Some(Flag::DownstreamProtocolError), details, refusal(status))
    }
}

/// What a client reads when its request is refused with this status before it is routed.
pub fn refusal(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
