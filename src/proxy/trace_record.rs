//! The spans of an exchange: one for the request that came, and one for each that was sent.
//!
//! Names of spans are Istio's (the operation of the route; `router CLUSTER egress`). Attributes are OpenTelemetry's semantic
//! conventions for HTTP where these have one, and Envoy's beside them (`upstream_cluster`, `response_flags`,
//! `guid:x-request-id`, ...). As in Envoy, answers from 500 on are failures, on both sides.

use super::{
    answer::Answer,
    standard,
    tracing::{Attempted, Recording, Trace},
};
use crate::{
    http::{Name, Version, split_port},
    table::{Action, PathMatch, Route, TagValue, TracePolicy},
    telemetry::{Attributes, Flag, Span, SpanKind, TEXT_MAX},
};
use std::time::Instant;

/// Methods that have names (semantic conventions for HTTP, `http.request.method`); others are `_OTHER`.
const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];

/// What the spans of an exchange have in common.
struct Recorded<'a> {
    answer: &'a Answer<'a>,
    trace: &'a Trace,
    recording: &'a Recording,
    policy: &'a TracePolicy,
    route: Option<&'a Route>,
    cluster: &'a str,
    now: Instant,
}

impl Answer<'_> {
    /// Makes the spans of an exchange that is over, if it is recorded.
    #[cold]
    #[inline(never)]
    pub(super) fn record_trace(&self, trace: &Trace, route: Option<&Route>, cluster: &str) {
        let Some(recording) = trace.recording.as_deref() else { return };
        let Some(policy) = recording.policy() else { return };
        let now = Instant::now();
        let recorded = Recorded { answer: self, trace, recording, policy, route, cluster, now };
        let spans = 1 + recording.attempts.len() as u64;
        self.env.spans.append(spans, |out| {
            recorded.server(out);
            recording
                .attempts
                .iter()
                .enumerate()
                .for_each(|(index, tried)| recorded.client(index, tried, out));
        });
    }
}

impl Recorded<'_> {
    /// Unix time in nanoseconds. The exchange began at a moment of the wall clock; all else is counted from there, so that the
    /// clock can be set without spans out of order.
    fn ns(&self, at: Instant) -> u64 {
        let started = self.answer.summary.started;
        let since = at.saturating_duration_since(started).as_nanos() as u64;
        self.answer.env.clock.unix_ns(started).saturating_add(since)
    }

    fn server(&self, out: &mut Vec<u8>) {
        let Recorded { answer, trace, .. } = self;
        let started = answer.summary.started;
        let lasted = (self.ns(started), self.ns(self.now));
        let name = self.operation();
        Span::write(out, trace.context, trace.parent, (SpanKind::Server, &name), lasted, |span| {
            if trace.form.has_tracestate() {
                let lines: Vec<_> = answer.scratch.request.fields.get_all(b"tracestate").collect();
                span.trace_state(&lines.join(&b','));
            }
            let attributes = &mut span.attributes();
            self.request(attributes);
            self.client_side(attributes);
            self.outcome(attributes);
            self.tags(attributes);
            self.events(span);
            if let Some(why) = self.failure() {
                span.failed(why.as_bytes());
            }
        });
    }

    /// What the request was.
    fn request(&self, attributes: &mut Attributes<'_>) {
        let request = &self.answer.scratch.request;
        self.method(attributes);
        attributes.text("url.scheme", request.scheme.as_str().as_bytes());
        let (path, query) = split_query(self.target());
        attributes.text_to("url.path", path, self.policy.path_max);
        attributes.text_to("url.query", query, self.policy.path_max);
        let (host, port) = split_port(&self.recording.authority);
        attributes.text("server.address", host);
        if let Some(port) = port.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok()) {
            attributes.number("server.port", port);
        }
        let version: &[u8] = match request.version {
            Version::Http10 => b"1.0",
            Version::Http11 => b"1.1",
            Version::Http2 => b"2",
        };
        attributes.text("network.protocol.name", b"http");
        attributes.text("network.protocol.version", version);
        let field = |name| request.fields.get(name).unwrap_or_default();
        attributes.text("user_agent.original", field(Name::UserAgent));
        attributes.text("guid:x-request-id", field(Name::XRequestId));
        if self.answer.is_call {
            attributes.text("rpc.system", b"grpc");
            let mut parts = path.strip_prefix(b"/").unwrap_or(path).splitn(2, |byte| *byte == b'/');
            attributes.text("rpc.service", parts.next().unwrap_or_default());
            attributes.text("rpc.method", parts.next().unwrap_or_default());
        }
        if let Some(route) = self.route {
            attributes.text("route_name", route.name.as_bytes());
        }
    }

    fn method(&self, attributes: &mut Attributes<'_>) {
        let method = self.answer.scratch.request.method.as_slice();
        let is_known = METHODS.contains(&method);
        attributes.text("http.request.method", if is_known { method } else { b"_OTHER" });
        if !is_known {
            attributes.text("http.request.method_original", method);
        }
    }

    /// Who has sent it.
    fn client_side(&self, attributes: &mut Attributes<'_>) {
        let info = &self.answer.info;
        let settings = &self.recording.routing.snapshot.settings;
        if let Some(client) = standard::client_address(&self.answer.scratch.request, settings, info) {
            attributes.text("client.address", client.to_string().as_bytes());
        }
        if let Some(peer) = info.direct_peer {
            attributes.text("network.peer.address", peer.ip().to_string().as_bytes());
            attributes.number("network.peer.port", u64::from(peer.port()));
        }
        if let Some(tls) = &info.tls {
            let facts = super::client_cert::facts(tls);
            attributes.text("tls.protocol.version", facts.version.as_bytes());
        }
    }

    /// What came of it.
    fn outcome(&self, attributes: &mut Attributes<'_>) {
        let summary = &self.answer.summary;
        attributes.text("component", b"proxy");
        if summary.status > 0 {
            attributes.number("http.response.status_code", u64::from(summary.status));
        }
        attributes.number("http.request.body.size", summary.bytes_received);
        attributes.number("http.response.body.size", summary.bytes_sent);
        attributes.text("response_flags", summary.flags().text().as_bytes());
        attributes.text("response_code_details", summary.details().as_bytes());
        self.cluster(attributes);
        if let Some(upstream) = &summary.upstream {
            attributes.text("upstream_address", upstream.endpoint.display.as_bytes());
        }
        if let Some(status) = summary.call_status(&self.answer.scratch.response.fields) {
            attributes.number("rpc.grpc.status_code", u64::from(status));
        }
        self.error(summary.status, self.failure(), attributes);
    }

    fn cluster(&self, attributes: &mut Attributes<'_>) {
        attributes.text("upstream_cluster", self.cluster.as_bytes());
        attributes.text("upstream_cluster.name", self.cluster.as_bytes());
    }

    /// `error.type`: the status, or what went wrong without one; `error` is Envoy's.
    fn error(&self, status: u16, failure: Option<&str>, attributes: &mut Attributes<'_>) {
        let Some(why) = failure else { return };
        let mut digits = itoa::Buffer::new();
        let kind = if status >= 500 { digits.format(status) } else { why };
        attributes.text("error.type", kind.as_bytes());
        attributes.text("error", b"true");
    }

    /// Why the exchange failed; nothing if it did not.
    fn failure(&self) -> Option<&str> {
        let summary = &self.answer.summary;
        let is_cut = matches!(summary.flag, Some(flag) if flag != Flag::DownstreamDisconnect)
            && (summary.status == 0 || summary.details != "via_upstream")
            && summary.status < 400
            && summary.upstream.is_some();
        (summary.status >= 500 || is_cut).then(|| summary.details())
    }

    /// Attributes of the user's, and Istio's own.
    fn tags(&self, attributes: &mut Attributes<'_>) {
        let request = &self.answer.scratch.request;
        for (name, value) in &self.policy.tags {
            match value {
                TagValue::Fixed(value) => attributes.text(name, value.as_bytes()),
                TagValue::Header { name: field, otherwise } => {
                    let value = request.fields.get_text(field).unwrap_or(otherwise.as_bytes());
                    attributes.text(name, value);
                }
                TagValue::Template(template) => {
                    let mut text = Vec::new();
                    let context = self.answer.context(self.route, self.cluster);
                    let response = &self.answer.scratch.response.fields;
                    template.render_for_both(&request.fields, response, &context, &mut text);
                    attributes.text(name, &text);
                }
            }
        }
    }

    /// Another attempt, and an answer made here.
    fn events(&self, span: &mut Span<'_, '_>) {
        let attempts = &self.recording.attempts;
        for (number, (before, attempted)) in attempts.iter().zip(attempts.iter().skip(1)).enumerate() {
            span.event("retry", self.ns(attempted.began), |attributes| {
                attributes.number("attempt", number as u64 + 2);
                let mut digits = itoa::Buffer::new();
                let status = digits.format(before.status);
                let why = if before.failure.is_empty() { status } else { before.failure };
                attributes.text("reason", why.as_bytes());
            });
        }
        let summary = &self.answer.summary;
        if summary.status > 0 && summary.details != "via_upstream" {
            span.event("local_reply", self.ns(self.now), |attributes| {
                attributes.text("response_code_details", summary.details().as_bytes());
                attributes.text("transport_failure", summary.transport_failure.as_bytes());
            });
        }
    }

    fn client(&self, index: usize, attempted: &Attempted, out: &mut Vec<u8>) {
        let context = self.trace.context.with_span(attempted.span_id);
        let name = ["router ", self.cluster, " egress"].concat();
        let lasted = (self.ns(attempted.began), self.ns(attempted.ended));
        let parent = Some(self.trace.context.span_id);
        Span::write(out, context, parent, (SpanKind::Client, name.as_bytes()), lasted, |span| {
            let attributes = &mut span.attributes();
            self.method(attributes);
            attributes.text("component", b"proxy");
            self.cluster(attributes);
            let display = attempted.endpoint.display.as_bytes();
            attributes.text("upstream_address", display);
            match attempted.endpoint.socket_address() {
                Some(address) => {
                    let ip = address.ip().to_string();
                    attributes.text("server.address", ip.as_bytes());
                    attributes.number("server.port", u64::from(address.port()));
                    attributes.text("network.peer.address", ip.as_bytes());
                    attributes.number("network.peer.port", u64::from(address.port()));
                }
                None => attributes.text("server.address", display),
            }
            attributes.text_to("url.full", &self.url(), self.policy.path_max.max(TEXT_MAX));
            if attempted.status > 0 {
                attributes.number("http.response.status_code", u64::from(attempted.status));
            }
            if index > 0 {
                attributes.number("http.request.resend_count", index as u64);
            }
            let is_last = index + 1 == self.recording.attempts.len();
            if is_last {
                attributes.text("response_flags", self.answer.summary.flags().text().as_bytes());
            }
            let failure = match attempted.failure {
                "" if attempted.status >= 500 => Some("via_upstream"),
                "" => None,
                why => Some(why),
            };
            self.error(attempted.status, failure, attributes);
            self.tags(attributes);
            if let Some(why) = failure {
                let transport = if is_last { &*self.answer.summary.transport_failure } else { "" };
                span.failed(if transport.is_empty() { why.as_bytes() } else { transport.as_bytes() });
            }
        });
    }

    /// The URL as the origin is asked for it, without the path beyond its limit.
    fn url(&self) -> Vec<u8> {
        let request = &self.answer.scratch.request;
        let cluster = self.answer.summary.cluster.as_ref();
        let is_tls = cluster.is_some_and(|cluster| cluster.tls.is_some());
        let scheme: &[u8] = if is_tls { b"https://" } else { b"http://" };
        let target = request.target.get(..self.policy.path_max).unwrap_or(&request.target);
        [scheme, &request.authority, target].concat()
    }

    /// The target as the client sent it.
    fn target(&self) -> &[u8] {
        let scratch = &*self.answer.scratch;
        if scratch.original_target.is_empty() { &scratch.request.target } else { &scratch.original_target }
    }

    /// What istiod calls a route's operation: the one destination's host and port, or the VirtualService's name and the
    /// listener's port, and what the route asks of the path. Without a route, the method: a host that nobody knows can be
    /// anything.
    fn operation(&self) -> Vec<u8> {
        let Some(route) = self.route else {
            let method = self.answer.scratch.request.method.as_slice();
            return if METHODS.contains(&method) { method.to_vec() } else { b"HTTP".to_vec() };
        };
        let only = match &route.action {
            Action::Forward(forward) if forward.destinations.len() == 1 => forward.destinations.first(),
            _ => None,
        };
        let parsed = only.and_then(|destination| {
            let mut parts = destination.cluster_name.split('|');
            let (_, port, _, host) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            Some(format!("{host}:{port}"))
        });
        let mut name = parsed.unwrap_or_else(|| {
            let object = &*route.source.object;
            let name = object.rsplit(['/', ' ']).next().unwrap_or(object);
            format!("{name}:{}", self.answer.info.port.unwrap_or_default())
        });
        match &route.matcher.path {
            PathMatch::Exact { path, .. } => name.push_str(&String::from_utf8_lossy(path)),
            PathMatch::Prefix { path, .. } => {
                name.push_str(&String::from_utf8_lossy(path));
                name.push('*');
            }
            PathMatch::Regex(pattern) => name.push_str(pattern.text()),
        }
        name.into_bytes()
    }
}

/// A target's path, and its query without the question mark.
fn split_query(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (target.get(..at).unwrap_or_default(), target.get(at + 1..).unwrap_or_default()),
        None => (target, b""),
    }
}
