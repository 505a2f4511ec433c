//! An exchange without the client's body: the request as it is, and the way back to the client.

use super::{
    ConnectionInfo, Environment,
    client::Client,
    client_cert, depart,
    environment::Scratch,
    exchange::{After, Way},
    failure::Failure,
    record::Summary,
    reply::{Extra, Reply},
    standard,
    upload::Web,
};
use crate::{
    filter::{Address, Context, HeaderOps},
    grpc::Translation,
    http::{BodyLength, Name, Scheme},
    http1::encode::{self, Framing, KeepAlive, Recipient},
    http2::Then,
    table::{Destination, Forward, Route, Settings},
    telemetry::Flag,
    upstream::Permit,
};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

/// The request as it is, and the way back to the client.
pub(super) struct Answer<'a> {
    pub(super) client: Client<'a>,
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) env: Rc<Environment>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) summary: Summary,
    /// What redirects and matches go by.
    pub(super) scheme: Scheme,
    /// It is a call of gRPC, or of gRPC-Web.
    pub(super) is_call: bool,
    /// How long the client waits (`grpc-timeout`).
    pub(super) call_timeout: Option<Duration>,
    /// What is done for a client of gRPC-Web.
    pub(super) web: Option<Web>,
    /// The same before anything was done.
    pub(super) web_at_first: Option<Translation>,
    /// How the client's body ends, whatever the origin is told.
    pub(super) client_body: BodyLength,
    /// The origin that the route's `corsPolicy` allows, as the client wrote it.
    pub(super) allowed_origin: Option<Box<[u8]>>,
    /// The answer tells that origin what it may ask for.
    pub(super) is_preflight: bool,
    /// Cookies that the client gets: the values of `set-cookie`.
    pub(super) issued: Vec<Box<[u8]>>,
    /// The key of a WebSocket: the client's where the origin was asked without, ours where it needs one.
    pub(super) websocket_key: Option<Vec<u8>>,
    /// Attempts that may follow.
    pub(super) retries_left: u32,
    /// Counts as a retry of the cluster.
    pub(super) retrying: Option<Permit>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(
        client: Client<'a>,
        info: Rc<ConnectionInfo>,
        env: Rc<Environment>,
        scratch: &'a mut Scratch,
        started: Instant,
    ) -> Answer<'a> {
        scratch.original_target.clear();
        let client_body = scratch.request.body;
        let summary = Summary::new(started);
        Answer {
            client,
            info,
            env,
            scratch,
            summary,
            scheme: Scheme::Http,
            is_call: false,
            call_timeout: None,
            web: None,
            web_at_first: None,
            allowed_origin: None,
            is_preflight: false,
            issued: Vec::new(),
            websocket_key: None,
            retries_left: 0,
            retrying: None,
            client_body,
        }
    }

    /// Makes the request what the destination is to see.
    pub(super) fn rewrite(&mut self, way: &Way<'_>, forward: &Forward) {
        self.apply_to_request(way);
        let Scratch { request, original_target, text, .. } = &mut *self.scratch;
        depart(request, forward, way.destination, way.settings, original_target, text);
    }

    fn apply_to_request(&mut self, way: &Way<'_>) {
        let ops = [&way.route.request_headers, &way.destination.request_headers];
        if ops.iter().all(|ops| ops.is_empty()) {
            return;
        }
        let mut fields = std::mem::take(&mut self.scratch.request.fields);
        for ops in ops {
            ops.apply_to_request(&mut fields, &self.context(Some(way.route), &way.cluster.name));
        }
        self.scratch.request.fields = fields;
    }

    /// Changes the fields of a response as the route says; the destination's part only where an upstream answered.
    pub(super) fn apply_to_response(
        &mut self,
        route: &Route,
        destination: Option<&Destination>,
        cluster: &str,
    ) {
        // As in Envoy, what is said to a preflight is the policy's alone.
        if !self.is_preflight {
            self.apply_operations(route, destination, cluster);
        }
        if route.checks.is_some() || !self.issued.is_empty() {
            self.apply_checks(route);
        }
    }

    fn apply_operations(&mut self, route: &Route, destination: Option<&Destination>, cluster: &str) {
        let ops: [Option<&HeaderOps>; 2] =
            [Some(&route.response_headers), destination.map(|d| &d.response_headers)];
        if ops.iter().flatten().all(|ops| ops.is_empty()) {
            return;
        }
        let mut fields = std::mem::take(&mut self.scratch.response.fields);
        for ops in ops.into_iter().flatten() {
            ops.apply_to_response(&mut fields, &self.context(Some(route), cluster));
        }
        self.scratch.response.fields = fields;
    }

    /// What substitutions in header values read.
    pub(super) fn context<'c>(&'c self, route: Option<&'c Route>, cluster: &'c str) -> Context<'c> {
        let (request, info, summary) = (&self.scratch.request, &self.info, &self.summary);
        let env = &self.env;
        let status = self.scratch.response.status;
        Context {
            start_time_ms: env.clock.unix_ms(summary.started),
            hostname: &env.hostname,
            downstream_remote: info.peer.map(Address::Ip),
            downstream_direct_remote: info.direct_peer.map(Address::Ip),
            downstream_local: info.local.map(Address::Ip),
            protocol: request.version,
            scheme: self.scheme,
            method: &request.method,
            target: &request.target,
            authority: &request.authority,
            request_fields: Some(&request.fields),
            server_name: info.server_name.as_deref(),
            tls: info.tls.as_deref().map(client_cert::facts),
            route_name: route.map(|route| &*route.name).filter(|name| !name.is_empty()),
            upstream_cluster: Some(cluster).filter(|cluster| !cluster.is_empty()),
            upstream_remote: summary
                .upstream
                .as_ref()
                .and_then(|u| u.endpoint.socket_address())
                .map(Address::Ip),
            response_code: (status > 0).then_some(status),
            response_code_details: Some(summary.details()).filter(|details| !details.is_empty()),
            response_flags: summary.flag.or(summary.retry_flag).map(Flag::as_str),
            bytes_received: summary.bytes_received,
            bytes_sent: summary.bytes_sent,
        }
    }

    /// Sends an answer that was made here.
    pub(super) async fn reply(
        &mut self,
        reply: &Reply<'_>,
        settings: &Settings,
        route: Option<&Route>,
        cluster: &str,
        after: After,
    ) -> Result<(), ()> {
        let summary = &mut self.summary;
        (summary.flag, summary.details) = (reply.flag, reply.details);
        summary.transport_failure = reply.transport_failure.to_owned();
        let Scratch { response, text, .. } = &mut *self.scratch;
        response.clear();
        response.status = reply.status;
        response.content_length = Some(reply.body.len() as u64);
        if reply.has_location {
            response.fields.push_known(Name::Location, "location", text);
        }
        if !reply.body.is_empty() {
            response.fields.push_known(Name::ContentType, "content-type", b"text/plain");
        }
        match reply.extra {
            Extra::RetryAfter(seconds) => {
                response.fields.push(b"retry-after", itoa::Buffer::new().format(seconds).as_bytes());
                response.fields.push_known(Name::XEnvoy, "x-envoy-ratelimited", b"true");
            }
            Extra::Challenge => response.fields.push(b"www-authenticate", text),
            Extra::Overloaded if settings.envoy_debug_headers => {
                response.fields.push_known(Name::XEnvoy, "x-envoy-overloaded", b"true");
            }
            Extra::Overloaded => {}
            Extra::Nothing | Extra::GrpcStatus(_) => {}
        }
        standard::local_reply(&mut self.scratch.response, settings, &self.env);
        let body = if self.reply_to_grpc(reply) { &[][..] } else { reply.body };
        if let Some(route) = route {
            self.apply_to_response(route, None, cluster);
        }
        self.summary.status = self.scratch.response.status;
        let length = match body.len() as u64 {
            0 => BodyLength::None,
            length => BodyLength::Sized(length),
        };
        if let Client::Http2(stream) = self.client {
            let is_bare = length == BodyLength::None || self.scratch.request.method == b"HEAD";
            stream.respond(&self.scratch.response, length, Then::end_if(is_bare));
            if is_bare {
                return Ok(());
            }
            self.summary.bytes_sent = body.len() as u64;
            let limit = self.env.limits.window_timeout;
            return stream.send(body, Then::End, limit).await.map_err(drop);
        }
        if self.encode_head(length, after == After::KeepAlive) != Framing::None {
            self.scratch.out.extend_from_slice(body);
            self.summary.bytes_sent = body.len() as u64;
        }
        if after != After::KeepAlive {
            self.client.end_with_next();
        }
        self.send_out().await
    }

    /// Puts the response head into `scratch.out`.
    pub(super) fn encode_head(&mut self, length: BodyLength, keep_alive: bool) -> Framing {
        let Scratch { request, response, out, .. } = &mut *self.scratch;
        let recipient = Recipient {
            method: &request.method,
            version: request.version,
            connection: if keep_alive { KeepAlive::Keep } else { KeepAlive::Close },
        };
        out.clear();
        encode::response(response, length, recipient, out)
    }

    /// Sends what is in `scratch.out`.
    pub(super) async fn send_out(&mut self) -> Result<(), ()> {
        let Client::Http1(downstream) = &mut self.client else { return Err(()) };
        let out = std::mem::take(&mut self.scratch.out);
        let (result, out) = downstream.write.send_all(out).await;
        self.scratch.out = out;
        result.map_err(drop)
    }

    /// The answer that had begun can't be finished.
    pub(super) fn cut(&mut self, failure: &Failure) {
        if let Client::Http2(stream) = self.client {
            stream.reset(failure.reset_code());
        }
        (self.summary.flag, self.summary.details) = (Some(failure.flag()), failure.details());
    }

    /// Writes the access log's line.
    pub(super) fn write_record(&self, route: Option<&Route>, cluster: &str) {
        self.summary.write(&self.env, &self.info, self.scratch, route, cluster);
        if let Some(trace) = &self.summary.trace {
            self.record_trace(trace, route, cluster);
        }
    }
}
