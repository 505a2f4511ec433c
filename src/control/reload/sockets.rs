//! The sockets of listeners that are new.

use crate::{
    control::{start, unix},
    driver,
    listener::BindError,
    shard::ListenerUpdate,
    table::{BindAddress, Snapshot},
};
use std::{collections::HashSet, net::SocketAddr};

/// Bound sockets, by the position of their listener. Files of Unix sockets that nobody has taken over are removed.
#[derive(Default)]
pub(super) struct Sockets(Vec<New>);

struct New {
    position: usize,
    bind: BindAddress,
    address: Option<SocketAddr>,
    /// One for each shard that has not got its own yet.
    sockets: Vec<driver::Listener>,
    is_taken: bool,
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.is_taken {
            self.sockets.iter().for_each(driver::Listener::close);
            unix::remove_file(&self.bind);
        }
    }
}

impl Sockets {
    /// Binds what is listened on and is not among `present`.
    ///
    /// # Errors
    /// An address can't be had. Then none is taken.
    pub(super) fn bind(
        snapshot: &Snapshot,
        present: &[BindAddress],
        workers: usize,
    ) -> Result<Sockets, BindError> {
        let known: HashSet<&BindAddress> = present.iter().collect();
        let mut bound = Sockets::default();
        for (position, listener) in snapshot.listeners.iter().enumerate() {
            if known.contains(&listener.bind) {
                continue;
            }
            // A socket of ours for a part of the address, or for more than it, is no obstacle, and may be about to go.
            let is_beside_own = present.iter().any(|other| overlap(&listener.bind, other));
            let sockets = start::bind(listener, workers, is_beside_own)?;
            let address = sockets.first().and_then(driver::Listener::local_address);
            let bind = listener.bind.clone();
            bound.0.push(New { position, bind, address, sockets, is_taken: false });
        }
        Ok(bound)
    }

    /// The address that a new listener got.
    pub(super) fn address(&self, position: usize) -> Option<SocketAddr> {
        self.0.iter().find(|new| new.position == position)?.address
    }

    /// What one more shard is told of all listeners.
    pub(super) fn next(&mut self, snapshot: &Snapshot) -> Vec<ListenerUpdate> {
        let update = |listener: &crate::table::Listener| ListenerUpdate {
            bind: listener.bind.clone(),
            chain: listener.chain.clone(),
            socket: None,
        };
        let mut updates: Vec<ListenerUpdate> = snapshot.listeners.iter().map(update).collect();
        for new in &mut self.0 {
            new.is_taken = true;
            if let Some(update) = updates.get_mut(new.position) {
                update.socket = new.sockets.pop();
            }
        }
        updates
    }
}

/// Whether connections to one address may come to a socket of the other, as with an address and the wildcard.
fn overlap(one: &BindAddress, other: &BindAddress) -> bool {
    let (BindAddress::Tcp(one), BindAddress::Tcp(other)) = (one, other) else { return false };
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.is_ipv4() == other.is_ipv4() && (is_any || one.ip() == other.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wildcard_is_beside_every_address_of_its_port_and_family() {
        let tcp = |text: &str| BindAddress::Tcp(text.parse().unwrap());
        let overlap = |one: &str, other: &str| super::overlap(&tcp(one), &tcp(other));
        assert!(overlap("127.0.0.1:80", "0.0.0.0:80") && overlap("0.0.0.0:80", "127.0.0.1:80"));
        assert!(overlap("[::]:80", "[::1]:80"));
        assert!(!overlap("127.0.0.1:80", "127.0.0.2:80") && !overlap("0.0.0.0:80", "127.0.0.1:81"));
        assert!(!overlap("[::]:80", "127.0.0.1:80"), "`::` is IPv6 only");
    }
}
