//! Which listener a port means.

use super::{
    Configuration,
    request::{Asked, Spoken},
    story::{Detail, Step},
};
use crate::{
    compile::{ServerEntry, ServerState},
    table::{BindAddress, Listener},
};
use std::{net::IpAddr, path::Path};

/// Listeners and servers that are listed at most, where nothing listens.
const LISTED_MAX: usize = 8;

/// The listener that the client reaches, and the step that tells so; without one, why not.
pub(super) fn listener<'c>(
    asked: &Asked,
    configuration: Configuration<'c>,
) -> Result<(&'c Listener, Step), Step> {
    if let Some(path) = &asked.unix_socket {
        return unix(path, configuration);
    }
    let candidates = candidates(asked.port, configuration);
    let Some((listener, declared)) = choose(asked, &candidates) else {
        return Err(nothing(asked, configuration));
    };
    let port = match declared {
        Some(port) => format!(", which is declared as port {port}"),
        None => String::new(),
    };
    let others = candidates.iter().filter(|(other, _)| other.bind != listener.bind);
    let others = others.map(|(other, _)| {
        let text = format!("connections to its address reach {} instead", other.bind);
        Detail::new(text).from(&other.source)
    });
    let silent = silent_servers(asked.port, Some(&listener.bind), configuration);
    let step = Step::new("listener", format!("{}{port}", listener.bind)).from(&listener.source);
    Ok((listener, step.with_all(others).with_all(silent)))
}

/// Clients know the declared port, for a Service or a port map is between; who stands beside the gateway may know the
/// listening one.
fn candidates<'c>(port: u16, configuration: Configuration<'c>) -> Vec<(&'c Listener, Option<u16>)> {
    let listeners = &configuration.snapshot.listeners;
    let mut found: Vec<(&'c Listener, Option<u16>)> = Vec::new();
    let servers = configuration.inventory.servers.iter().filter(|server| server.declared_port == port);
    for server in servers {
        if let ServerState::Listening(position) = server.state
            && let Some(listener) = listeners.get(position)
            && !found.iter().any(|(known, _)| known.bind == listener.bind)
        {
            let declared = (listening_port(&listener.bind) != Some(port)).then_some(port);
            found.push((listener, declared));
        }
    }
    if found.is_empty() {
        found.extend(
            listeners
                .iter()
                .filter(|listener| listening_port(&listener.bind) == Some(port))
                .map(|listener| (listener, None)),
        );
    }
    found
}

/// As the kernel does: the socket bound to the very address, else the one bound to all addresses.
fn choose<'c>(
    asked: &Asked,
    candidates: &[(&'c Listener, Option<u16>)],
) -> Option<(&'c Listener, Option<u16>)> {
    let address: Option<IpAddr> = asked.host.trim_matches(['[', ']']).parse().ok();
    let ip = |listener: &Listener| match listener.bind {
        BindAddress::Tcp(bind) => Some(bind.ip()),
        BindAddress::Unix(_) => None,
    };
    let find = |wanted: &dyn Fn(IpAddr) -> bool| {
        candidates.iter().find(|(listener, _)| ip(listener).is_some_and(wanted)).copied()
    };
    find(&|bind| Some(bind) == address)
        .or_else(|| find(&|bind| bind.is_unspecified()))
        .or_else(|| candidates.first().copied())
}

fn listening_port(bind: &BindAddress) -> Option<u16> {
    match bind {
        BindAddress::Tcp(address) => Some(address.port()),
        BindAddress::Unix(_) => None,
    }
}

fn nothing(asked: &Asked, configuration: Configuration<'_>) -> Step {
    let why = match (asked.has_port, asked.spoken) {
        (true, _) | (_, Spoken::Tcp) => "",
        (false, Spoken::Http) => ", the port of http:// URLs",
        (false, Spoken::Https) => ", the port of https:// URLs",
        (false, Spoken::Tls) => ", the port of tls:// URLs",
    };
    let step = Step::new("listener", format!("nothing listens on port {}{why}", asked.port));
    let step = step.with_all(silent_servers(asked.port, None, configuration));
    step.with_all(listeners(configuration))
}

fn unix<'c>(path: &Path, configuration: Configuration<'c>) -> Result<(&'c Listener, Step), Step> {
    let is_bound = |listener: &&Listener| matches!(&listener.bind, BindAddress::Unix(bound) if bound == path);
    match configuration.snapshot.listeners.iter().find(is_bound) {
        Some(listener) => {
            Ok((listener, Step::new("listener", listener.bind.to_string()).from(&listener.source)))
        }
        None => {
            let step = Step::new("listener", format!("nothing listens on {}", path.display()));
            Err(step.with_all(listeners(configuration)))
        }
    }
}

/// The listeners that there are.
fn listeners(configuration: Configuration<'_>) -> Vec<Detail> {
    let listeners = &configuration.snapshot.listeners;
    if listeners.is_empty() {
        return vec![Detail::new("there are no listeners at all: no Gateway applies, or none can be served")];
    }
    let servers = &configuration.inventory.servers;
    let listed = listeners.iter().enumerate().take(LISTED_MAX).map(|(position, listener)| {
        let mut ports: Vec<u16> = servers
            .iter()
            .filter(|server| server.state == ServerState::Listening(position))
            .map(|server| server.declared_port)
            .filter(|port| listening_port(&listener.bind) != Some(*port) && *port != 0)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let declared = match ports.is_empty() {
            true => String::new(),
            false => format!(", declared as port {}", ports.join(" and ")),
        };
        Detail::new(format!("there is {}{declared}", listener.bind)).from(&listener.source)
    });
    let more = listeners.len().saturating_sub(LISTED_MAX);
    let more = (more > 0).then(|| Detail::new(format!("and {more} more; `routes` lists them")));
    listed.chain(more).collect()
}

/// Servers on a port that do not serve, and why.
fn silent_servers<'c>(
    port: u16,
    bind: Option<&'c BindAddress>,
    configuration: Configuration<'c>,
) -> impl Iterator<Item = Detail> + 'c {
    let is_there = move |server: &&ServerEntry| match bind {
        Some(bind) => server.bind == *bind,
        None => server.declared_port == port || listening_port(&server.bind) == Some(port),
    };
    configuration.inventory.servers.iter().filter(is_there).filter_map(silence).take(LISTED_MAX)
}

/// Why a server does not serve; nothing if it does.
pub fn silence_of(server: &ServerEntry) -> Option<String> {
    let why = match server.state {
        ServerState::Listening(_) => return None,
        ServerState::Dropped => "is left out, for another server is in its way; `check` names it",
        ServerState::NoRoutes => {
            "has no connections: no VirtualService has a rule for them; `check` says which it needs"
        }
        ServerState::LeftOut => "is left out, for it has an error; `check` names it",
    };
    let (protocol, port, hosts) = (&server.protocol, server.declared_port, server.hosts.join(", "));
    Some(format!("the {protocol} server on port {port} for {hosts} {why}"))
}

fn silence(server: &ServerEntry) -> Option<Detail> {
    silence_of(server).map(|text| Detail::new(text).from(&server.source))
}
