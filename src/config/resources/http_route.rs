//! `VirtualService.http`: matches and actions. `http_policy` has the policies of a rule.
//!
//! There may be a hundred thousand rules at a time while they are compiled, and each uses few of its fields: the large ones are
//! boxed, so that one that is absent is 8 bytes.

use super::{CorsPolicy, Destination, HttpFaultInjection, HttpMirrorPolicy, HttpRetry, Percent};
use crate::config::{
    Spanned,
    decode::{Bytes, Map, choice, object},
};
use std::time::Duration;

object! {
    /// One rule: which requests, and what is done with them.
    pub struct HttpRoute {
        /// The name in the access log.
        name: Option<Spanned<String>> = "name",
        /// The requests that it is for; any of them is enough; none: all.
        r#match: Vec<Spanned<HttpMatchRequest>> = "match",
        /// Where they go, by weight.
        route: Vec<Spanned<HttpRouteDestination>> = "route",
        /// They are sent elsewhere.
        redirect: Option<Box<Spanned<HttpRedirect>>> = "redirect",
        /// They are answered here.
        direct_response: Option<Box<Spanned<HttpDirectResponse>>> = "directResponse",
        /// Another VirtualService has the rules.
        delegate: Option<Box<Spanned<Delegate>>> = "delegate",
        /// Path and authority are changed on the way.
        rewrite: Option<Box<Spanned<HttpRewrite>>> = "rewrite",
        /// The time for the whole exchange, retries included; absent: no limit.
        timeout: Option<Spanned<Duration>> = "timeout",
        /// What is tried again; absent: connections that failed.
        retries: Option<Box<Spanned<HttpRetry>>> = "retries",
        /// Failures made on purpose.
        fault: Option<Box<Spanned<HttpFaultInjection>>> = "fault",
        /// Where copies of the requests go.
        mirror: Option<Box<Spanned<Destination>>> = "mirror",
        /// Where copies of the requests go, each with its share.
        mirrors: Vec<Spanned<HttpMirrorPolicy>> = "mirrors",
        /// Deprecated: the share of `mirror` in whole percent.
        mirror_percent: Option<Spanned<u32>> = "mirrorPercent",
        /// The share of `mirror`; absent: all.
        mirror_percentage: Option<Box<Spanned<Percent>>> = "mirrorPercentage",
        /// What browsers may do with the answers.
        cors_policy: Option<Box<Spanned<CorsPolicy>>> = "corsPolicy",
        /// Header fields that are changed, whichever the destination.
        headers: Option<Box<Spanned<Headers>>> = "headers",
    }
}

object! {
    /// What a request must have; all of it.
    pub struct HttpMatchRequest {
        /// A name for the access log.
        name: Option<Spanned<String>> = "name",
        /// The normalized path, without query.
        uri: Option<Box<Spanned<StringMatch>>> = "uri",
        /// `http` or `https`.
        scheme: Option<Box<Spanned<StringMatch>>> = "scheme",
        /// The method.
        method: Option<Box<Spanned<StringMatch>>> = "method",
        /// The host as sent, with its port.
        authority: Option<Box<Spanned<StringMatch>>> = "authority",
        /// Header fields that must be there.
        headers: Map<StringMatch> = "headers",
        /// The declared port of the server.
        port: Option<Spanned<u32>> = "port",
        /// The labels of the client's workload; on a gateway, of the gateway.
        source_labels: Map<String> = "sourceLabels",
        /// The Gateways that the match is for.
        gateways: Vec<Spanned<String>> = "gateways",
        /// Parameters of the query that must be there.
        query_params: Map<StringMatch> = "queryParams",
        /// Case does not matter in `uri`, `exact` and `prefix`.
        ignore_uri_case: Option<Spanned<bool>> = "ignoreUriCase",
        /// Header fields that must not be there.
        without_headers: Map<StringMatch> = "withoutHeaders",
        /// The namespace of the client's workload; on a gateway, of the gateway.
        source_namespace: Option<Spanned<String>> = "sourceNamespace",
        /// A name for statistics.
        stat_prefix: Option<Box<Spanned<String>>> = "statPrefix",
    }
}

object! {
    /// What a text must be like. None of the three: it must be there.
    pub struct StringMatch {
        /// Equal to this.
        exact: Option<Spanned<String>> = "exact",
        /// Beginning with this.
        prefix: Option<Spanned<String>> = "prefix",
        /// Matched by this as a whole (RE2).
        regex: Option<Spanned<String>> = "regex",
    }
    one_of ["exact", "prefix", "regex"]
}

object! {
    /// A destination, its share of the requests, and what is changed on the way to it.
    pub struct HttpRouteDestination {
        /// Where.
        destination: Option<Spanned<Destination>> = "destination",
        /// The share, relative to the sum of all.
        weight: Option<Spanned<i32>> = "weight",
        /// Header fields that are changed for this destination.
        headers: Option<Box<Spanned<Headers>>> = "headers",
    }
}

object! {
    /// Changes of header fields.
    pub struct Headers {
        /// On the request.
        request: Option<Spanned<HeaderOperations>> = "request",
        /// On the response.
        response: Option<Spanned<HeaderOperations>> = "response",
    }
}

object! {
    /// Changes of one head: `remove` is done first, then `set`, then `add`.
    pub struct HeaderOperations {
        /// Fields that get this value alone.
        set: Map<String> = "set",
        /// Fields that get this value as well.
        add: Map<String> = "add",
        /// Fields that go.
        remove: Vec<Spanned<String>> = "remove",
    }
}

object! {
    /// An answer that sends the client elsewhere.
    pub struct HttpRedirect {
        /// The new path.
        uri: Option<Spanned<String>> = "uri",
        /// What the matched prefix of the path becomes.
        prefix_rewrite: Option<Spanned<String>> = "prefixRewrite",
        /// The new host.
        authority: Option<Spanned<String>> = "authority",
        /// The new port.
        port: Option<Spanned<u32>> = "port",
        /// Where the new port comes from.
        derive_port: Option<Spanned<RedirectPortSelection>> = "derivePort",
        /// `http` or `https`.
        scheme: Option<Spanned<String>> = "scheme",
        /// The status; absent: 301.
        redirect_code: Option<Spanned<u32>> = "redirectCode",
    }
    one_of ["port", "derivePort"]
}

choice! {
    /// `HTTPRedirect.RedirectPortSelection`.
    pub enum RedirectPortSelection {
        /// None: the new scheme has its own.
        FromProtocolDefault = "FROM_PROTOCOL_DEFAULT" (0),
        /// The server's declared port.
        FromRequestPort = "FROM_REQUEST_PORT" (1),
    }
}

object! {
    /// An answer made here.
    pub struct HttpDirectResponse {
        /// The status.
        status: Option<Spanned<u32>> = "status",
        /// The body; absent: empty.
        body: Option<Spanned<HttpBody>> = "body",
    }
}

object! {
    /// A body.
    pub struct HttpBody {
        /// As text.
        string: Option<Spanned<String>> = "string",
        /// As bytes.
        bytes: Option<Spanned<Bytes>> = "bytes",
    }
    one_of ["string", "bytes"]
}

object! {
    /// What is changed in a request before it goes on.
    pub struct HttpRewrite {
        /// What the matched prefix, or else the path, becomes.
        uri: Option<Spanned<String>> = "uri",
        /// The new host.
        authority: Option<Spanned<String>> = "authority",
        /// A substitution in the path.
        uri_regex_rewrite: Option<Spanned<RegexRewrite>> = "uriRegexRewrite",
    }
}

object! {
    /// A substitution by a regular expression.
    pub struct RegexRewrite {
        /// What is replaced (RE2).
        r#match: Option<Spanned<String>> = "match",
        /// What it becomes; `\1` is the first group.
        rewrite: Option<Spanned<String>> = "rewrite",
    }
}

object! {
    /// A VirtualService that has the rules.
    pub struct Delegate {
        /// Its name.
        name: Option<Spanned<String>> = "name",
        /// Its namespace; absent: the same.
        namespace: Option<Spanned<String>> = "namespace",
    }
}
