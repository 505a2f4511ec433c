//! The sockets of listeners that are new.

use crate::{
    control::{self, sockets::bind_new, unix},
    driver,
    listener::BindError,
    shard::ListenerUpdate,
    table::{BindAddress, Listener, Snapshot},
};
use std::{collections::HashSet, io, net::SocketAddr, time::Duration};

/// A listener that was removed closes a little later, when everybody is there who had begun to connect. So long it can still
/// go on, which is better than to be closed and bound anew: less than [the shards'](crate::shard) two seconds, for they
/// may hear of it late.
pub(super) const REVIVE_WITHIN: Duration = Duration::from_secs(1);
/// After so long every shard has closed a listener that was removed.
pub(super) const CLOSED_AFTER: Duration = Duration::from_secs(5);
/// A port that a listener of ours is about to leave is tried so often, a second each time.
const CLOSING_TRIES: usize = 3;

/// Where this process listens, or has just done so.
#[derive(Default)]
pub(super) struct Present {
    /// Listeners.
    pub(super) open: Vec<BindAddress>,
    /// Listeners that were removed and can still go on.
    pub(super) ending: Vec<BindAddress>,
    /// All that were removed and may not have closed yet.
    pub(super) closing: Vec<BindAddress>,
}

/// Bound sockets. Files of Unix sockets that nobody has taken over are removed.
#[derive(Default)]
pub(super) struct Sockets {
    new: Vec<New>,
    /// Listeners that were about to end and go on.
    pub(super) revived: Vec<BindAddress>,
}

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
    /// Binds what is listened on and is not `present`.
    ///
    /// # Errors
    /// An address can't be had. Then none is taken.
    pub(super) fn bind(snapshot: &Snapshot, present: &Present, workers: usize) -> Result<Sockets, BindError> {
        let known: HashSet<&BindAddress> = present.open.iter().collect();
        let mut bound = Sockets::default();
        for (position, listener) in snapshot.listeners.iter().enumerate() {
            let bind = listener.bind.clone();
            if known.contains(&bind) {
                continue;
            }
            // The file of a Unix socket is gone with its listener, so that it is bound anew.
            if matches!(bind, BindAddress::Tcp(_)) && present.ending.contains(&bind) {
                bound.revived.push(bind);
                continue;
            }
            let sockets = present.bind(listener, workers)?;
            let address = sockets.first().and_then(driver::Listener::local_address);
            bound.new.push(New { position, bind, address, sockets, is_taken: false });
        }
        Ok(bound)
    }

    /// The address that a new listener got.
    pub(super) fn address(&self, position: usize, listener: &Listener) -> Option<SocketAddr> {
        let bound = self.new.iter().find(|new| new.position == position);
        match &listener.bind {
            BindAddress::Tcp(address) => Some(bound.and_then(|new| new.address).unwrap_or(*address)),
            BindAddress::Unix(_) => None,
        }
    }

    /// Keeps another handle to each of them, for the process that takes over from this one.
    pub(super) fn hold_in(&self, held: &control::Sockets) {
        for new in &self.new {
            // Of one that was there before, and has closed.
            held.forget(&new.bind);
            held.hold(&new.bind, &new.sockets);
        }
    }

    /// What one more shard is told of all listeners.
    pub(super) fn next(&mut self, snapshot: &Snapshot) -> Vec<ListenerUpdate> {
        let update = |listener: &Listener| ListenerUpdate {
            bind: listener.bind.clone(),
            chain: listener.chain.clone(),
            socket: None,
        };
        let mut updates: Vec<ListenerUpdate> = snapshot.listeners.iter().map(update).collect();
        for new in &mut self.new {
            new.is_taken = true;
            if let Some(update) = updates.get_mut(new.position) {
                update.socket = new.sockets.pop();
            }
        }
        updates
    }
}

impl Present {
    fn bind(&self, listener: &Listener, workers: usize) -> Result<Vec<driver::Listener>, BindError> {
        let is_closing = self.closing.contains(&listener.bind);
        // A socket of ours for a part of the address, or for more than it, is no obstacle, and may be about to go.
        let mut own = self.open.iter().chain(&self.closing);
        let is_beside_own = !is_closing && own.any(|other| overlap(&listener.bind, other));
        let mut tries = if is_closing { CLOSING_TRIES } else { 1 };
        loop {
            tries -= 1;
            match bind_new(listener, workers, is_beside_own) {
                Err(error) if error.error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                bound => return bound,
            }
        }
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
