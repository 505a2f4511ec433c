//! What an exchange, or a connection, counts for its route and its cluster when it ends.

use super::{Environment, environment::Scratch, record::Summary};
use crate::{
    http::Fields,
    table::{Route, VirtualHost},
    telemetry::{ClusterSeries, End, Ended, Flag, Flags, RouteHandle, RoutePlace, Spoken, TcpSeries, bump},
};
use std::{ptr, sync::Arc, time::Duration};

impl Environment {
    /// The series of a route that was found for a virtual host of the snapshot of this generation.
    pub(super) fn route_series(&self, generation: u64, host: &VirtualHost, route: &Route) -> RouteHandle {
        let place =
            RoutePlace { generation, host: ptr::from_ref(host).addr(), route: ptr::from_ref(route).addr() };
        self.traffic.route(place, || (host.host.clone(), route_name(host, route)))
    }
}

/// The name of a route as metrics have it: its own, which the access log has too, or where it is written.
fn route_name(host: &VirtualHost, route: &Route) -> Box<str> {
    if !route.name.is_empty() {
        return route.name.clone();
    }
    let object = &*route.source.object;
    let object = object.split_once(' ').map_or(object, |(_, name)| name);
    let of_object = host.routes.iter().filter(|other| other.source.object == route.source.object);
    let number = 1 + of_object.take_while(|other| !ptr::eq(&raw const ***other, route)).count();
    format!("{object}#{number}").into()
}

/// The status of a call in its trailers, or in a head that is all of the answer; 2 (unknown) where it is no number.
pub(super) fn grpc_status(fields: &Fields) -> Option<u8> {
    let text = fields.get_text(b"grpc-status")?;
    Some(std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(2))
}

impl Summary {
    /// The status of a call: that of the trailers, or of the head where that is all of the answer. Nothing of other requests.
    pub(super) fn call_status(&self, response: &Fields) -> Option<u8> {
        if !self.is_call {
            return None;
        }
        self.grpc_status.or_else(|| grpc_status(response))
    }

    /// Why it ended as it did.
    pub(super) fn flags(&self) -> Flags {
        Flags { flag: self.flag, retry: self.retry_flag, is_delayed: self.is_delayed }
    }

    /// Counts the exchange, which took so long.
    pub(super) fn count(&self, env: &Environment, scratch: &Scratch, cluster: &str, took: Duration) {
        let counters = &env.counters;
        match self.status / 100 {
            1 => bump(&counters.responses_1xx, 1),
            2 => bump(&counters.responses_2xx, 1),
            3 => bump(&counters.responses_3xx, 1),
            4 => bump(&counters.responses_4xx, 1),
            5 => bump(&counters.responses_5xx, 1),
            _ => {}
        }
        if self.flag == Some(Flag::DownstreamDisconnect) {
            bump(&counters.downstream_disconnects, 1);
        }
        bump(&counters.bytes_received, self.bytes_received);
        bump(&counters.bytes_sent, self.bytes_sent);
        let spoken = if self.is_call { Spoken::Grpc } else { Spoken::default() };
        let grpc_status = self.call_status(&scratch.response.fields);
        let end = End { code: self.status, flags: self.flags(), spoken, grpc_status };
        let ended = Ended {
            end,
            micros: took.as_micros() as u64,
            bytes_received: self.bytes_received,
            bytes_sent: self.bytes_sent,
        };
        let route = self.route.as_ref().map(|route| &***route);
        match &self.cluster {
            Some(cluster) => env.traffic.ended(route, Some(cluster.count_in(&env.traffic)), &ended),
            None if cluster.is_empty() => env.traffic.ended(route, None, &ended),
            // There is no such cluster; its name is known.
            None => env.traffic.ended(route, Some(&env.traffic.cluster(cluster)), &ended),
        }
    }
}

/// A connection's part in the series of its cluster: begun when it is made, and ended with how it ended.
pub(super) struct TcpCount {
    cluster: Arc<ClusterSeries>,
    /// What is open.
    pub(super) open: Arc<TcpSeries>,
}

impl TcpCount {
    /// Counts a connection to a cluster as opened.
    pub(super) fn begin(env: &Environment, cluster: &Arc<ClusterSeries>) -> TcpCount {
        let open = env.traffic.tcp(cluster, Flags::default());
        bump(&open.opened, 1);
        TcpCount { cluster: Arc::clone(cluster), open }
    }

    /// Counts it as closed.
    pub(super) fn end(self, env: &Environment, flag: Option<Flag>) {
        let series = match flag {
            None => self.open,
            flag => env.traffic.tcp(&self.cluster, Flags { flag, ..Flags::default() }),
        };
        bump(&series.closed, 1);
    }
}
