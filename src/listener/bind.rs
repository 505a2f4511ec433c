//! The sockets of one listener for all shards.

use crate::{
    driver::{self, FirstWord},
    table::{BindAddress, Chain, Listener},
};
use std::{fmt, io};

/// A listener that could not be bound.
#[derive(Debug)]
pub struct BindError {
    /// Where it was to listen.
    pub bind: BindAddress,
    /// The server that asked for it.
    pub source: String,
    /// What the operating system said.
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't listen on {}: {}, asked for by {}", self.bind, self.error, self.source)?;
        match self.error.kind() {
            io::ErrorKind::PermissionDenied => write!(
                f,
                "\n  help: ports below 1024 need CAP_NET_BIND_SERVICE, or the sysctl net.ipv4.ip_unprivileged_port_start=0; \
                 or map the port: --port-map 80=8080"
            ),
            io::ErrorKind::AddrInUse => {
                write!(f, "\n  help: another program listens there; `ss -ltnp` names it")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for BindError {}

/// Binds a listener once for each of `shards`. With port 0 the first socket chooses the port and the others follow.
///
/// # Errors
/// What `bind(2)` and `listen(2)` say.
pub fn bind(listener: &Listener, shards: usize) -> Result<Vec<driver::Listener>, BindError> {
    if let BindAddress::Tcp(address) = &listener.bind {
        driver::Listener::check_free(*address).map_err(|error| failed(listener, error))?;
    }
    bind_beside(listener, shards)
}

fn failed(listener: &Listener, error: io::Error) -> BindError {
    BindError { bind: listener.bind.clone(), source: listener.source.to_string(), error }
}

/// As [`bind`], where sockets of this process may be on the same port, as those of a listener that is about to go: with the
/// wildcard for an address, or the other way round.
///
/// # Errors
/// What `bind(2)` and `listen(2)` say.
pub fn bind_beside(listener: &Listener, shards: usize) -> Result<Vec<driver::Listener>, BindError> {
    let failed = |error| failed(listener, error);
    match &listener.bind {
        BindAddress::Tcp(address) => {
            let first_word = first_word(&listener.chain);
            let first = driver::Listener::tcp(*address, first_word).map_err(failed)?;
            let bound = first.local_address().unwrap_or(*address);
            let mut all = vec![first];
            for _ in 1..shards {
                all.push(driver::Listener::tcp(bound, first_word).map_err(failed)?);
            }
            Ok(all)
        }
        BindAddress::Unix(path) => {
            let first = driver::Listener::unix(path).map_err(failed)?;
            let others: io::Result<Vec<_>> = (1..shards).map(|_| first.duplicate()).collect();
            let mut all = others.map_err(failed)?;
            all.push(first);
            Ok(all)
        }
    }
}

/// Who speaks first on a listener's connections.
pub fn first_word(chain: &Chain) -> FirstWord {
    match chain {
        Chain::Tcp(_) => FirstWord::Either,
        Chain::Http(_) | Chain::Tls(_) => FirstWord::Client,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Chain, Source, TableId};

    fn listener(bind: BindAddress) -> Listener {
        Listener {
            name: "l".into(),
            bind,
            chain: Chain::Http(TableId(0)),
            source: Source::built_in("Gateway a/b"),
        }
    }

    #[test]
    fn all_shards_listen_on_the_port_that_the_first_got() {
        let sockets = bind(&listener(BindAddress::Tcp(([127, 0, 0, 1], 0).into())), 3).unwrap();
        let ports: Vec<_> = sockets.iter().filter_map(|s| s.local_address()).map(|a| a.port()).collect();
        assert!(ports.len() == 3 && ports.iter().all(|port| *port == ports[0] && *port != 0));
    }

    #[test]
    fn a_port_that_another_gateway_listens_on_is_not_shared() {
        let other = bind(&listener(BindAddress::Tcp(([127, 0, 0, 1], 0).into())), 1).unwrap();
        let taken = other[0].local_address().unwrap();
        let error = bind(&listener(BindAddress::Tcp(taken)), 1).err().unwrap();
        assert_eq!(error.error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("another program listens there"));
    }

    #[test]
    fn a_failure_names_the_address_and_who_wanted_it() {
        let error = bind(&listener(BindAddress::Tcp(([192, 0, 2, 1], 0).into())), 1).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("192.0.2.1") && text.contains("Gateway a/b"), "{text}");
    }
}
