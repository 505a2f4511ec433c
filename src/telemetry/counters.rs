//! Numbers that one shard writes and the admin thread reads.
//!
//! Each counter has one writer, so a plain load and store with relaxed order counts right and costs what an ordinary
//! memory access costs. The reader sums over the shards.

use super::{Histogram, MongoTable, PolicyTable, TrafficTable};
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter or gauge with one writing thread.
pub type Counter = AtomicU64;

/// Adds to a counter that only this thread writes.
pub fn bump(counter: &Counter, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// What the metrics page says about a counter.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name on the metrics page.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: CounterKind,
    /// One sentence.
    pub help: &'static str,
}

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ident = $name:literal,)+) => {
        /// One shard's numbers.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[doc = $help])+ pub $field: Counter,)+
            /// What MongoDB's clients ask.
            pub mongo: MongoTable,
            /// How often each AuthorizationPolicy has matched.
            pub policies: PolicyTable,
            /// HTTP/2 connections of clients that did too much of something.
            pub http2_floods: Floods,
            /// Bytes of the buffers that it keeps for further use, as of its last tick.
            pub free_buffer_bytes: Counter,
            /// How much later than they should its ticks came.
            pub tick_delays: Histogram,
            /// What was asked of each route and cluster.
            pub traffic: TrafficTable,
        }

        /// Name, kind and meaning of each counter, in the order of [`Counters::values`].
        pub const DESCRIPTIONS: &[Description] = &[
            $(Description { name: $name, kind: CounterKind::$kind, help: concat!($($help),+) },)+
        ];

        impl Counters {
            /// The values, in the order of [`DESCRIPTIONS`].
            pub fn values(&self) -> impl Iterator<Item = u64> {
                [$(self.$field.load(Ordering::Relaxed)),+].into_iter()
            }
        }
    };
}

counters! {
    /// Connections accepted from clients.
    downstream_connections: Counter = "envoy_http_downstream_cx_total",
    /// Connections of clients that are open.
    downstream_connections_active: Gauge = "envoy_http_downstream_cx_active",
    /// Connections refused because the worker had as many as it may have.
    downstream_connections_overflow: Counter = "envoy_listener_downstream_cx_overflow",
    /// TCP connections accepted from clients.
    tcp_connections: Counter = "envoy_tcp_downstream_cx_total",
    /// TCP connections of clients that are open.
    tcp_connections_active: Gauge = "envoy_tcp_downstream_cx_active",
    /// TCP connections closed because their route's cluster does not exist.
    tcp_no_route: Counter = "envoy_tcp_downstream_cx_no_route",
    /// Bytes of TCP connections from clients.
    tcp_bytes_received: Counter = "envoy_tcp_downstream_cx_rx_bytes_total",
    /// Bytes of TCP connections to clients.
    tcp_bytes_sent: Counter = "envoy_tcp_downstream_cx_tx_bytes_total",
    /// TCP connections closed because nothing moved on them for too long.
    tcp_idle_timeouts: Counter = "envoy_tcp_idle_timeout",
    /// Connections closed because they did not begin with a PROXY header, or with a broken one.
    proxy_protocol_errors: Counter = "envoy_listener_downstream_cx_proxy_proto_error",
    /// Connections closed because PROXY headers are not believed from where they came.
    proxy_protocol_untrusted: Counter = "sluicegate_proxy_protocol_untrusted_total",
    /// Connections of MONGO ports on which counting ended, for their bytes are not MongoDB's.
    mongo_not_understood: Counter = "sluicegate_mongo_not_understood_total",
    /// Accepts that failed, such as for want of file descriptors.
    accept_failures: Counter = "sluicegate_accept_failures_total",
    /// TLS handshakes with clients that came to an end.
    tls_handshakes: Counter = "envoy_listener_ssl_handshake",
    /// TLS handshakes with clients that took a session up again.
    tls_resumed: Counter = "envoy_listener_ssl_session_reused",
    /// TLS handshakes with clients that failed.
    tls_failures: Counter = "envoy_listener_ssl_connection_error",
    /// TLS handshakes that failed because of the client's certificate, or for want of one.
    tls_client_certificate_failures: Counter = "envoy_listener_ssl_fail_verify_error",
    /// TLS handshakes with clients that took too long.
    tls_timeouts: Counter = "envoy_listener_downstream_pre_cx_timeout",
    /// Clients closed because as many handshakes were under way as may be.
    tls_overflow: Counter = "sluicegate_tls_handshake_overflow_total",
    /// Clients closed because no filter chain is there for the name that they asked for.
    no_filter_chain: Counter = "envoy_listener_no_filter_chain_match",
    /// Clients closed because their server has no usable certificate.
    tls_no_certificate: Counter = "sluicegate_tls_without_certificate_total",
    /// Connections of clients that speak HTTP/2.
    http2_connections: Counter = "envoy_http_downstream_cx_http2_total",
    /// Streams that clients have reset.
    http2_resets_received: Counter = "envoy_http2_rx_reset",
    /// Streams of clients that were reset here.
    http2_resets_sent: Counter = "envoy_http2_tx_reset",
    /// Streams of clients that were refused because they had as many open as they may have.
    http2_streams_refused: Counter = "sluicegate_http2_streams_refused_total",
    /// How often an HTTP/2 connection of a client sent what had gathered.
    http2_flushes: Counter = "sluicegate_http2_flushes_total",
    /// Requests whose head was complete.
    requests: Counter = "envoy_http_downstream_rq_total",
    /// Requests in flight.
    requests_active: Gauge = "envoy_http_downstream_rq_active",
    /// Requests whose tokens were good, and those without one, where tokens are verified.
    tokens_allowed: Counter = "envoy_http_jwt_authn_allowed",
    /// Requests refused because a token was not good.
    tokens_denied: Counter = "envoy_http_jwt_authn_denied",
    /// Requests that AuthorizationPolicies let in.
    rbac_allowed: Counter = "envoy_http_rbac_allowed",
    /// Requests that AuthorizationPolicies denied.
    rbac_denied: Counter = "envoy_http_rbac_denied",
    /// Requests that AuthorizationPolicies which are only tried out would let in.
    rbac_shadow_allowed: Counter = "envoy_http_rbac_shadow_allowed",
    /// Requests that AuthorizationPolicies which are only tried out would deny.
    rbac_shadow_denied: Counter = "envoy_http_rbac_shadow_denied",
    /// TCP connections that AuthorizationPolicies let in.
    tcp_rbac_allowed: Counter = "envoy_tcp_rbac_allowed",
    /// TCP connections that AuthorizationPolicies denied.
    tcp_rbac_denied: Counter = "envoy_tcp_rbac_denied",
    /// TCP connections that AuthorizationPolicies which are only tried out would let in.
    tcp_rbac_shadow_allowed: Counter = "envoy_tcp_rbac_shadow_allowed",
    /// TCP connections that AuthorizationPolicies which are only tried out would deny.
    tcp_rbac_shadow_denied: Counter = "envoy_tcp_rbac_shadow_denied",
    /// Answers with a 1xx final status (101).
    responses_1xx: Counter = "sluicegate_responses_1xx_total",
    /// Answers with a 2xx status.
    responses_2xx: Counter = "sluicegate_responses_2xx_total",
    /// Answers with a 3xx status.
    responses_3xx: Counter = "sluicegate_responses_3xx_total",
    /// Answers with a 4xx status.
    responses_4xx: Counter = "sluicegate_responses_4xx_total",
    /// Answers with a 5xx status.
    responses_5xx: Counter = "sluicegate_responses_5xx_total",
    /// Answers made by the gateway itself.
    local_replies: Counter = "sluicegate_local_replies_total",
    /// Requests that waited because of a `fault`.
    faults_delayed: Counter = "envoy_http_fault_delays_injected",
    /// Requests that failed because of a `fault`.
    faults_aborted: Counter = "envoy_http_fault_aborts_injected",
    /// Preflights of CORS that were answered here.
    preflights_answered: Counter = "sluicegate_cors_preflights_answered_total",
    /// Requests with an origin that their route's `corsPolicy` allows.
    origins_valid: Counter = "envoy_http_cors_origin_valid",
    /// Requests with an origin that their route's `corsPolicy` does not allow.
    origins_invalid: Counter = "envoy_http_cors_origin_invalid",
    /// Requests refused because there were too many.
    rate_limited: Counter = "envoy_http_local_rate_limit_rate_limited",
    /// Requests refused because of the network that they came from.
    networks_denied: Counter = "sluicegate_networks_denied_total",
    /// Requests refused, or cut, because their body was larger than their route takes.
    bodies_too_large: Counter = "sluicegate_bodies_too_large_total",
    /// Requests that broke the protocol.
    protocol_errors: Counter = "envoy_http_downstream_cx_protocol_error",
    /// Clients that went away before their answer was whole.
    downstream_disconnects: Counter = "sluicegate_downstream_disconnects_total",
    /// Body bytes received from clients.
    bytes_received: Counter = "sluicegate_request_body_bytes_total",
    /// Body bytes sent to clients.
    bytes_sent: Counter = "sluicegate_response_body_bytes_total",
    /// Connections opened to upstreams.
    upstream_connections: Counter = "envoy_cluster_upstream_cx_total",
    /// Connections to upstreams that are open.
    upstream_connections_active: Gauge = "envoy_cluster_upstream_cx_active",
    /// Connections to upstreams that could not be opened.
    upstream_connect_failures: Counter = "envoy_cluster_upstream_cx_connect_fail",
    /// Idle upstream connections found closed, or speaking out of turn.
    upstream_idle_closed: Counter = "sluicegate_upstream_idle_closed_total",
    /// Requests sent again because a reused connection died before the first byte of the answer, whatever their policy.
    upstream_resent: Counter = "sluicegate_upstream_rq_resent_total",
    /// Requests tried again because the policy of their route says so.
    upstream_retries: Counter = "envoy_cluster_upstream_rq_retry",
    /// Requests that were answered after they had been tried again, with an answer that is no reason for another try.
    upstream_retry_successes: Counter = "envoy_cluster_upstream_rq_retry_success",
    /// Requests that failed, or got an answer that is a reason for another try, when all tries had been made.
    upstream_retry_limit_exceeded: Counter = "envoy_cluster_upstream_rq_retry_limit_exceeded",
    /// Requests that were not tried again because as many as may be were being so.
    upstream_retry_overflow: Counter = "envoy_cluster_upstream_rq_retry_overflow",
    /// Requests that could not be tried again because their body was more than is kept.
    upstream_retry_abandoned: Counter = "envoy_cluster_retry_or_shadow_abandoned",
    /// Attempts that ended because their time, or that of their request, was over.
    upstream_timeouts: Counter = "envoy_cluster_upstream_rq_timeout",
    /// Attempts whose connection or stream an upstream ended before its answer was whole.
    upstream_resets: Counter = "envoy_cluster_upstream_rq_rx_reset",
    /// Copies of requests that were sent (`mirror`).
    mirrors: Counter = "sluicegate_mirrored_requests_total",
    /// Copies of requests that are under way.
    mirrors_active: Gauge = "sluicegate_mirrored_requests_active",
    /// Copies of requests that got no answer.
    mirrors_failed: Counter = "sluicegate_mirrored_requests_failed_total",
    /// Copies of requests that were not made, because the body was too large or too much was under way.
    mirrors_overflow: Counter = "sluicegate_mirrored_requests_overflow_total",
    /// Turns of the shard's tick, ten a second.
    ticks: Counter = "sluicegate_shard_ticks_total",
    /// Access log lines lost because the writer could not keep up.
    log_lines_dropped: Counter = "sluicegate_access_log_dropped_total",
    /// How often a series of requests was wanted and as many as may be were there, so that `other` counts them.
    traffic_overflow: Counter = "sluicegate_metric_series_overflow_total",
    /// Requests whose trace is recorded because the rate of sampling says so.
    traces_sampled: Counter = "envoy_http_tracing_random_sampling",
    /// Requests whose trace is recorded because the client asked for it (`x-client-trace-id`).
    traces_asked_for: Counter = "envoy_http_tracing_client_enabled",
    /// Requests whose trace is recorded because whoever sent them records it.
    traces_continued: Counter = "sluicegate_tracing_continued_total",
    /// Requests whose trace is not recorded, where tracing is on.
    traces_not_recorded: Counter = "envoy_http_tracing_not_traceable",
    /// TLS handshakes with clients that are under way, and PROXY headers that are waited for.
    tls_handshakes_active: Gauge = "sluicegate_handshakes_active",
    /// Connections accepted by one worker that another one serves (`--balance`).
    handed_over: Counter = "sluicegate_connections_handed_over_total",
    /// Spans made.
    spans: Counter = "sluicegate_tracing_spans_total",
    /// Spans lost because the exporter could not keep up.
    spans_dropped: Counter = "sluicegate_tracing_spans_dropped_total",
}

/// Connections that were ended for each kind of flood, in the order of [`Floods::KINDS`].
#[derive(Debug, Default)]
pub struct Floods([Counter; Floods::KINDS.len()]);

impl Floods {
    /// Their names on the metrics page, in the order in which HTTP/2's state machine has them.
    pub const KINDS: [&'static str; 11] = [
        "rapid_reset",
        "refused",
        "continuation",
        "header_list",
        "settings",
        "ping",
        "priority",
        "window_update",
        "empty_data",
        "unknown",
        "overhead",
    ];

    /// The counter of the kind at this position; that of the last for one that there is not.
    pub fn of(&self, position: usize) -> &Counter {
        &self.0[position.min(Floods::KINDS.len() - 1)]
    }
}

impl Counters {
    /// Connections of clients that are open, whatever is spoken on them.
    pub fn connections_active(&self) -> u64 {
        let gauges = [&self.downstream_connections_active, &self.tcp_connections_active];
        gauges.iter().map(|gauge| gauge.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = DESCRIPTIONS.iter().map(|d| d.name).collect();
        assert_eq!(names.len(), DESCRIPTIONS.len());
        assert_eq!(Counters::default().values().count(), DESCRIPTIONS.len());
    }
}
