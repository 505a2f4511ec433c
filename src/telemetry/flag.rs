//! Envoy's response flags: why a request ended as it did, in the words that users' dashboards know.

use std::fmt;

/// Why a request ended as it did (specification appendix B).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `NR`: no virtual host, or no route.
    NoRoute,
    /// `NC`: the route's cluster does not exist.
    NoCluster,
    /// `UH`: the cluster has no endpoint to send to.
    NoHealthyUpstream,
    /// `UF`: connecting failed.
    UpstreamConnectFailure,
    /// `UF,URX`: connecting failed at every endpoint that may be tried for a TCP connection.
    ConnectAttemptsExceeded,
    /// `UC`: the upstream connection ended before or within the response.
    UpstreamConnectionTermination,
    /// `UR`: the upstream reset the connection.
    UpstreamRemoteReset,
    /// `UO`: a circuit breaker was open, or a limit was reached.
    UpstreamOverflow,
    /// `UPE`: the upstream broke the protocol.
    UpstreamProtocolError,
    /// `UT`: the upstream did not answer in time.
    UpstreamTimeout,
    /// `URX`: the last retry failed too.
    RetryLimitExceeded,
    /// `DC`: the client went away.
    DownstreamDisconnect,
    /// `DR`: the client reset its stream of HTTP/2.
    DownstreamRemoteReset,
    /// `DT`: the request took longer than it may (`grpc-timeout`).
    DurationTimeout,
    /// `DPE`: the client broke the protocol.
    DownstreamProtocolError,
    /// `SI`: nothing moved for too long.
    StreamIdleTimeout,
    /// `FI`: it was made to fail.
    FaultInjected,
    /// `RL`: there were too many requests.
    RateLimited,
    /// `OM`: a limit of the gateway itself.
    Overload,
}

impl Flag {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Flag; 19] = [
        Flag::NoRoute,
        Flag::NoCluster,
        Flag::NoHealthyUpstream,
        Flag::UpstreamConnectFailure,
        Flag::ConnectAttemptsExceeded,
        Flag::UpstreamConnectionTermination,
        Flag::UpstreamRemoteReset,
        Flag::UpstreamOverflow,
        Flag::UpstreamProtocolError,
        Flag::UpstreamTimeout,
        Flag::RetryLimitExceeded,
        Flag::DownstreamDisconnect,
        Flag::DownstreamRemoteReset,
        Flag::DurationTimeout,
        Flag::DownstreamProtocolError,
        Flag::StreamIdleTimeout,
        Flag::FaultInjected,
        Flag::RateLimited,
        Flag::Overload,
    ];

    /// The letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Flag::NoRoute => "NR",
            Flag::NoCluster => "NC",
            Flag::NoHealthyUpstream => "UH",
            Flag::UpstreamConnectFailure => "UF",
            Flag::ConnectAttemptsExceeded => "UF,URX",
            Flag::UpstreamConnectionTermination => "UC",
            Flag::UpstreamRemoteReset => "UR",
            Flag::UpstreamOverflow => "UO",
            Flag::UpstreamProtocolError => "UPE",
            Flag::UpstreamTimeout => "UT",
            Flag::RetryLimitExceeded => "URX",
            Flag::DownstreamDisconnect => "DC",
            Flag::DownstreamRemoteReset => "DR",
            Flag::DurationTimeout => "DT",
            Flag::DownstreamProtocolError => "DPE",
            Flag::StreamIdleTimeout => "SI",
            Flag::FaultInjected => "FI",
            Flag::RateLimited => "RL",
            Flag::Overload => "OM",
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_their_order() {
        assert!(Flag::ALL.iter().enumerate().all(|(place, flag)| *flag as usize == place));
    }
}
