//! Connections of clients, for those who look.

use super::{ListenerState, Open};
use crate::{
    driver::{Phase, Remote},
    http::Scheme,
    proxy::ConnectionInfo,
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A connection of a client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address, as a PROXY header gave it where there was one; nothing for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// `HTTP/1.1`, `HTTP/2`, or `bytes`.
    pub protocol: &'static str,
    /// TLS ended here.
    pub is_tls: bool,
    /// Its version, and the suite as IANA names it.
    pub tls: Option<(String, &'static str)>,
    /// The name that was asked for (SNI).
    pub server_name: Option<Box<str>>,
    /// `idle`, `reading`, `busy` or `open`.
    pub state: &'static str,
    /// Requests under way, in HTTP/2.
    pub streams: Option<usize>,
    /// It is to end: the configuration has no place for it any more.
    pub is_leaving: bool,
    /// How long it has been open; nothing for bytes.
    pub age: Option<Duration>,
}

impl ListenerState {
    /// At most so many of its connections.
    pub fn clients(&self, most: usize, now: Instant) -> Vec<Client> {
        let all = self.connections.borrow();
        all.iter().flatten().take(most).map(|open| open.look(now)).collect()
    }
}

impl Open {
    fn look(&self, now: Instant) -> Client {
        match self {
            Open::Http1(info, remote) => Client::of("HTTP/1.1", info, state(remote), None, now),
            Open::Http2(info, session) => {
                let streams =
                    session.upgrade().map(|session| session.with(|connection| connection.streams()));
                let state = if streams.unwrap_or_default() == 0 { "idle" } else { "busy" };
                Client::of("HTTP/2", info, state, streams, now)
            }
            Open::Bytes(remote) => Client {
                peer: remote.look().1,
                protocol: "bytes",
                is_tls: false,
                tls: None,
                server_name: None,
                state: state(remote),
                streams: None,
                is_leaving: false,
                age: None,
            },
        }
    }
}

impl Client {
    fn of(
        protocol: &'static str,
        info: &ConnectionInfo,
        state: &'static str,
        streams: Option<usize>,
        now: Instant,
    ) -> Client {
        let tls = info.tls.as_deref();
        Client {
            peer: info.peer,
            protocol,
            is_tls: info.scheme == Scheme::Https,
            tls: tls.map(|tls| (format!("{:?}", tls.agreed.version), tls.agreed.suite)),
            server_name: info.server_name.clone(),
            state,
            streams,
            is_leaving: info.standing.as_ref().is_some_and(|standing| standing.is_leaving.get()),
            age: Some(now.saturating_duration_since(info.opened)),
        }
    }
}

fn state(remote: &Remote) -> &'static str {
    match remote.look().0 {
        Phase::Idle => "idle",
        Phase::Reading => "reading",
        Phase::Both => "busy",
        Phase::None => "open",
    }
}
