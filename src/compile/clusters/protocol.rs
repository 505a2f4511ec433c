//! What is spoken to a destination, and how HTTP/2 is (specification sections 1.4 and 4.4).

use crate::{
    compile::{services::ServicePort, validate::Protocol},
    config::resources::{ConnectionPoolSettings, H2UpgradePolicy, HttpSettings},
    table::{Http2Keepalive, STREAMS_MAX, UpstreamProtocol},
};

/// What is spoken, by the port and by `connectionPool.http`. `mesh_upgrades`: `meshConfig.h2UpgradePolicy` says `UPGRADE`.
///
/// As in istiod: `useClientProtocol` is stronger than everything; a port that says HTTP/2 stays with it whatever
/// `h2UpgradePolicy` says; and who writes `UPGRADE` for a destination knows what its port speaks, even if the port says
/// something else or nothing.
pub(super) fn protocol(
    port: &ServicePort<'_>,
    pool: Option<&ConnectionPoolSettings>,
    mesh_upgrades: bool,
) -> UpstreamProtocol {
    let http = http(pool);
    if http.and_then(|http| http.use_client_protocol.as_ref()).is_some_and(|switch| switch.value) {
        return UpstreamProtocol::Client;
    }
    let own = matches!(port.protocol, Some(Protocol::Http2 | Protocol::Grpc | Protocol::GrpcWeb));
    let policy = http.and_then(|http| http.h2_upgrade_policy.as_ref()).map(|policy| policy.value);
    let is_upgraded = match policy.unwrap_or_default() {
        H2UpgradePolicy::Upgrade => true,
        H2UpgradePolicy::DoNotUpgrade => false,
        // The mesh's policy is for ports that say HTTP, not for those that say something else or nothing.
        H2UpgradePolicy::Default => mesh_upgrades && port.protocol.is_some_and(Protocol::is_http),
    };
    if own || is_upgraded { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 }
}

/// `maxConcurrentStreams`; 0 is no limit, as in istiod.
pub(super) fn max_concurrent_streams(pool: Option<&ConnectionPoolSettings>) -> u32 {
    let written = http(pool).and_then(|http| http.max_concurrent_streams.as_ref());
    let streams = written.and_then(|streams| u32::try_from(streams.value).ok());
    streams.filter(|streams| *streams > 0).unwrap_or(STREAMS_MAX)
}

/// `http2KeepAlive`; `validate` asks for both of its times.
pub(super) fn keepalive(pool: Option<&ConnectionPoolSettings>) -> Option<Http2Keepalive> {
    let keepalive = http(pool)?.http2_keep_alive.as_ref()?;
    Some(Http2Keepalive {
        interval: keepalive.interval.as_ref()?.value,
        timeout: keepalive.timeout.as_ref()?.value,
    })
}

fn http(pool: Option<&ConnectionPoolSettings>) -> Option<&HttpSettings> {
    pool?.http.as_ref().map(|http| &http.value)
}
