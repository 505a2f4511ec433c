//! What is counted of traffic on one shard: its series.

use crate::telemetry::{Counter, Distribution, Flag, Latency, bump};
use std::sync::{Arc, atomic::Ordering};

/// What one route of one virtual host has been asked.
#[derive(Debug, Default)]
pub struct RouteSeries {
    /// The virtual host; empty for what found no route.
    pub host: Box<str>,
    /// The route's name, or where it is written: `default/web#1`, the first of that VirtualService's routes for the host.
    pub route: Box<str>,
    /// Answers by the class of their status; the first is for what got none.
    pub(super) classes: [Counter; 6],
    /// By flag, in the order of [`Flag::ALL`].
    pub(super) flags: [Counter; Flag::ALL.len()],
    pub(super) bytes_received: Counter,
    pub(super) bytes_sent: Counter,
    pub(super) latency: Latency,
}

/// What a cluster's endpoints have been asked. The first part counts exchanges; the rest attempts, and connections.
#[derive(Debug, Default)]
pub struct ClusterSeries {
    /// Tells it from others of its shard.
    pub(super) id: u32,
    /// As Envoy names it in Istio; empty for what has none.
    pub name: Box<str>,
    pub(super) latency: Latency,
    /// Attempts at an endpoint.
    pub attempts: Counter,
    /// Attempts under way.
    pub attempts_active: Counter,
    /// Attempts that followed another because a policy says so.
    pub retries: Counter,
    /// Requests that were answered after they had been tried again.
    pub retry_successes: Counter,
    /// Requests that failed when all tries had been made.
    pub retry_limit_exceeded: Counter,
    /// Requests that were not tried again because as many as may be were being so.
    pub retry_overflow: Counter,
    /// Attempts that ended because their time was over.
    pub timeouts: Counter,
    /// Attempts that an endpoint ended before its answer was whole.
    pub resets: Counter,
    /// Requests that found the cluster's limits reached.
    pub overflow: Counter,
    /// Connections opened.
    pub connections: Counter,
    /// Connections that are open.
    pub connections_active: Counter,
    /// Connections that could not be opened.
    pub connect_failures: Counter,
    /// Connections that an endpoint ended while a request was under way on them.
    pub ended_with_requests: Counter,
}

/// Connections of one listener.
#[derive(Debug, Default)]
pub struct ListenerSeries {
    /// Where it listens.
    pub address: Box<str>,
    /// Connections accepted.
    pub connections: Counter,
    /// Connections that are served: a handshake of TLS is over.
    pub active: Counter,
}

/// Which response flags an exchange has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// The last one.
    pub flag: Option<Flag>,
    /// Why there was no other attempt, where one was wanted.
    pub retry: Option<Flag>,
    /// It was made to wait (`DI`).
    pub is_delayed: bool,
}

/// What is spoken, in the words of Istio's `request_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Spoken {
    /// HTTP of any version.
    #[default]
    Http,
    /// gRPC, or gRPC-Web.
    Grpc,
}

/// How an exchange ended, as far as series are told apart by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct End {
    /// The status that was sent; 0 if none was.
    pub code: u16,
    /// Why.
    pub flags: Flags,
    /// What was spoken.
    pub spoken: Spoken,
    /// The status of a call of gRPC, 0 to 16 (above that: as 17).
    pub grpc_status: Option<u8>,
}

/// Exchanges with a cluster that ended alike.
#[derive(Debug, Default)]
pub struct HttpSeries {
    /// The cluster.
    pub cluster: Arc<ClusterSeries>,
    /// How they ended.
    pub end: End,
    /// How long they took, in milliseconds.
    pub durations: Distribution,
    /// Bytes of the bodies of requests.
    pub request_bytes: Distribution,
    /// Bytes of the bodies of answers.
    pub response_bytes: Distribution,
}

/// TCP connections to a cluster that ended alike.
#[derive(Debug, Default)]
pub struct TcpSeries {
    /// The cluster.
    pub cluster: Arc<ClusterSeries>,
    /// Why they ended; none for what is open.
    pub flags: Flags,
    /// Connections that have begun.
    pub opened: Counter,
    /// Connections that have ended.
    pub closed: Counter,
    /// Bytes to clients.
    pub sent: Counter,
    /// Bytes from clients.
    pub received: Counter,
}

impl Flags {
    /// As the access log writes them: `UF,URX`; `-` for none.
    pub fn text(self) -> String {
        let delayed = if self.is_delayed { "DI" } else { "" };
        let [retry, flag] = [self.retry, self.flag].map(|flag| flag.map_or("", Flag::as_str));
        let all: Vec<_> = [delayed, retry, flag].into_iter().filter(|flag| !flag.is_empty()).collect();
        if all.is_empty() { "-".to_owned() } else { all.join(",") }
    }

    /// Eleven bits that no other flags have.
    pub(super) fn packed(self) -> u64 {
        let of = |flag: Option<Flag>| flag.map_or(0, |flag| flag as u64 + 1);
        (of(self.flag) << 6) | (of(self.retry) << 1) | u64::from(self.is_delayed)
    }
}

/// The status of gRPC that stands for those above 16, which there are not.
const GRPC_BEYOND: u8 = 17;

impl End {
    /// Bits that no other end has, below 2^32.
    pub(super) fn packed(self) -> u64 {
        let grpc = self.grpc_status.map_or(0, |status| u64::from(status.min(GRPC_BEYOND)) + 1);
        let code = u64::from(self.code.min(1023));
        let spoken = u64::from(self.spoken == Spoken::Grpc);
        (self.flags.packed() << 16) | (code << 6) | (grpc << 1) | spoken
    }
}

impl RouteSeries {
    /// Counts an exchange.
    pub(super) fn record(&self, ended: &Ended) {
        let class = usize::from(ended.end.code / 100).min(self.classes.len() - 1);
        bump(&self.classes[class], 1);
        if let Some(flag) = ended.end.flags.flag.or(ended.end.flags.retry) {
            bump(&self.flags[flag as usize], 1);
        }
        bump(&self.bytes_received, ended.bytes_received);
        bump(&self.bytes_sent, ended.bytes_sent);
        self.latency.record(ended.micros);
    }

    /// How many exchanges there were.
    pub(super) fn count(&self) -> u64 {
        self.classes.iter().map(|class| class.load(Ordering::Relaxed)).sum()
    }
}

impl HttpSeries {
    pub(super) fn record(&self, ended: &Ended) {
        self.durations.record_thousandths(ended.micros);
        self.request_bytes.record(ended.bytes_received);
        self.response_bytes.record(ended.bytes_sent);
    }
}

impl ClusterSeries {
    /// Something that changes whenever anything is counted.
    pub(super) fn count(&self) -> u64 {
        let all = [&self.attempts, &self.connections, &self.connect_failures, &self.overflow];
        all.iter().map(|counter| counter.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// An exchange that has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    /// How.
    pub end: End,
    /// How long it took.
    pub micros: u64,
    /// Body bytes received from the client.
    pub bytes_received: u64,
    /// Body bytes sent to the client.
    pub bytes_sent: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_as_in_the_access_log() {
        let flags = Flags {
            flag: Some(Flag::UpstreamTimeout),
            retry: Some(Flag::RetryLimitExceeded),
            is_delayed: true,
        };
        assert_eq!(flags.text(), "DI,URX,UT");
        assert_eq!(Flags::default().text(), "-");
    }

    #[test]
    fn different_ends_have_different_bits() {
        let mut seen = std::collections::HashSet::new();
        let flags = || [None].into_iter().chain(Flag::ALL.map(Some));
        for (flag, retry) in flags().flat_map(|flag| flags().map(move |retry| (flag, retry))) {
            for (code, grpc_status) in [(0, None), (999, None), (200, Some(0)), (200, Some(16)), (200, None)]
            {
                for (is_delayed, spoken) in [(false, Spoken::Http), (true, Spoken::Grpc)] {
                    let end = End { code, flags: Flags { flag, retry, is_delayed }, spoken, grpc_status };
                    assert!(end.packed() < 1 << 32 && seen.insert(end.packed()), "{end:?}");
                }
            }
        }
    }
}
