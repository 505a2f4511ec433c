//! The access log's line of an exchange.

use super::{ConnectionInfo, Environment, environment::Scratch, log_facts::LogFacts, tracing::Trace};
use crate::{
    http::{Name, Version},
    table::Route,
    telemetry::{Flag, Record, RouteHandle},
    upstream::{Cluster, Endpoint},
};
use std::{rc::Rc, sync::Arc, time::Instant};

/// What became of an exchange, gathered on its way.
pub(super) struct Summary {
    pub(super) started: Instant,
    /// The status that was sent; 0 if none was.
    pub(super) status: u16,
    pub(super) flag: Option<Flag>,
    /// Why there was no other attempt, where one was wanted.
    pub(super) retry_flag: Option<Flag>,
    /// It was made to wait (`DI`).
    pub(super) is_delayed: bool,
    pub(super) details: &'static str,
    /// Details in place of these, of a request that an AuthorizationPolicy denies.
    pub(super) denial: Option<Arc<str>>,
    pub(super) transport_failure: String,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) service_ms: Option<u64>,
    pub(super) upstream: Option<Upstream>,
    /// How often an endpoint was asked.
    pub(super) attempts: u32,
    /// Its place in a trace, where tracing is on.
    pub(super) trace: Option<Trace>,
    /// Where its route counts.
    pub(super) route: Option<RouteHandle>,
    /// The cluster that it went to.
    pub(super) cluster: Option<Rc<Cluster>>,
    /// It is a call of gRPC, or of gRPC-Web.
    pub(super) is_call: bool,
    /// What the trailers of its answer said.
    pub(super) grpc_status: Option<u8>,
    /// It is no exchange: a connection that failed has a line, too.
    pub(super) is_connection: bool,
}

/// The endpoint that was asked last.
pub(super) struct Upstream {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) local: Rc<str>,
}

impl Summary {
    pub(super) fn new(started: Instant) -> Summary {
        Summary {
            started,
            status: 0,
            flag: None,
            retry_flag: None,
            is_delayed: false,
            details: "",
            denial: None,
            transport_failure: String::new(),
            bytes_received: 0,
            bytes_sent: 0,
            service_ms: None,
            upstream: None,
            attempts: 0,
            trace: None,
            route: None,
            cluster: None,
            is_call: false,
            grpc_status: None,
            is_connection: false,
        }
    }

    /// Counts the exchange and writes its line.
    pub(super) fn write(
        &self,
        env: &Environment,
        info: &ConnectionInfo,
        scratch: &Scratch,
        route: Option<&Route>,
        cluster: &str,
    ) {
        let took = self.started.elapsed();
        if !self.is_connection {
            self.count(env, scratch, cluster, took);
        }
        if !env.log.is_on() {
            return;
        }
        let request = &scratch.request;
        let original = &scratch.original_target;
        let field = |name| request.fields.get(name).unwrap_or_default();
        let version = |version| match version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2",
        };
        let context = self.trace.as_ref().map(|trace| &trace.context);
        let record = Record {
            start_ms: env.clock.unix_ms(self.started),
            method: &request.method,
            path: if original.is_empty() { &request.target } else { original },
            protocol: if request.method.is_empty() { "" } else { version(request.version) },
            status: self.status,
            flag: self.flag,
            retry_flag: self.retry_flag,
            is_delayed: self.is_delayed,
            details: self.details(),
            // Only for connections that an HTTP filter did not end.
            termination: "",
            transport_failure: &self.transport_failure,
            bytes_received: self.bytes_received,
            bytes_sent: self.bytes_sent,
            duration_ms: took.as_millis() as u64,
            upstream_service_ms: self.service_ms,
            forwarded_for: field(Name::XForwardedFor),
            user_agent: field(Name::UserAgent),
            request_id: field(Name::XRequestId),
            authority: &request.authority,
            upstream_host: self.upstream.as_ref().map_or(b"", |u| u.endpoint.display.as_bytes()),
            upstream_cluster: cluster.as_bytes(),
            upstream_local: self.upstream.as_ref().map_or(b"", |u| u.local.as_bytes()),
            downstream_local: info.local_text.as_bytes(),
            downstream_remote: info.peer_text.as_bytes(),
            server_name: info.server_name.as_deref().unwrap_or_default().as_bytes(),
            route_name: route.map_or(b"", |route| route.name.as_bytes()),
            scheme: info.scheme.as_str(),
            upstream_protocol: self.service_ms.map_or("", |_| version(scratch.response.version)),
            attempts: self.attempts,
            connection_id: info.id,
            grpc_status: self.call_status(&scratch.response.fields).map(u32::from),
            trace_id: context.map(|context| context.trace_id),
            span_id: context.map(|context| context.span_id),
            choice: route.map(|route| route.log).unwrap_or_default(),
        };
        env.log.write(&record, &LogFacts::of_exchange(info, scratch));
    }

    /// Envoy's response code details.
    pub(super) fn details(&self) -> &str {
        self.denial.as_deref().unwrap_or(self.details)
    }
}
