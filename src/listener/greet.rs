//! The PROXY header that a connection begins with, where the gateway asks for one (`gatewayTopology.proxyProtocol`):
//! before TLS, before HTTP, before anything else.

use super::{accept::hand_over, refusal::Refusal, secure::Handshake};
use crate::{
    buffer::Class,
    driver::{Accepted, Phase},
    proxy::{ConnectionInfo, Environment, ListenerState},
    proxy_protocol::{self, Unread},
};
use std::{rc::Rc, time::Instant};

/// Reads the header and hands the connection on; closes it if there is none, or its sender is not trusted.
pub(super) async fn greet(
    mut accepted: Accepted,
    mut info: ConnectionInfo,
    state: Rc<ListenerState>,
    env: Rc<Environment>,
) {
    let started = Instant::now();
    // A connection that has not said who it is for counts as one whose handshake is under way.
    let Some(_guard) = Handshake::begin(&env) else { return Refusal::Overload.note(&info, &env, started) };
    let served = state.served();
    let settings = served.routing.snapshot.settings.proxy_protocol.as_ref();
    let is_trusted = info.peer_ip().zip(settings).is_some_and(|(peer, settings)| settings.trusts(peer));
    if !is_trusted {
        return Refusal::Untrusted.note(&info, &env, started);
    }
    // What is served may be something else when the header has come.
    drop(served);
    accepted.deadline.arm(Phase::Both, Some(env.limits.proxy_header_timeout));
    match proxy_protocol::read(&mut accepted.read, env.buffers.lease(Class::Small)).await {
        Ok((behind, came)) => {
            accepted.deadline.disarm();
            behind.into_iter().for_each(|behind| info.is_for(behind));
            hand_over(accepted, came, info, &state, &env);
        }
        Err(Unread::Broken) => Refusal::NoProxyHeader("no_proxy_header").note(&info, &env, started),
        Err(Unread::Ended) => Refusal::NoProxyHeader("proxy_header_incomplete").note(&info, &env, started),
    }
}
