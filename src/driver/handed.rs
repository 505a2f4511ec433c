//! Accepted connections on their way from one shard to another.

use super::{Accepted, Deadlines, Peer, stream, stream::Unread};
use monoio::net::TcpStream;
use std::{io, net::SocketAddr, os::fd::OwnedFd, rc::Rc};

/// A connection that has left the shard that accepted it, and is on no other yet.
#[derive(Debug)]
pub struct Handed {
    descriptor: OwnedFd,
    peer: Peer,
    local: Option<SocketAddr>,
}

impl Accepted {
    /// Takes it off this shard. Nothing may have been read of it.
    ///
    /// # Errors
    /// The connection as it was, where there are no more descriptors: for a moment it has two, for the runtime gives up none of
    /// its own but by closing them.
    pub fn hand(self) -> Result<Handed, Accepted> {
        let Ok(descriptor) = self.read.duplicate() else { return Err(self) };
        let Accepted { read, write, deadline, peer, local } = self;
        // Before the halves, which close the other descriptor.
        drop(deadline);
        drop((read, write));
        Ok(Handed { descriptor, peer, local })
    }
}

impl Handed {
    /// Puts it on this shard.
    ///
    /// # Errors
    /// The runtime does not take the descriptor.
    pub fn take(self, deadlines: &Rc<Deadlines>) -> io::Result<Accepted> {
        let Handed { descriptor, peer, local } = self;
        // All shards run on the same driver, so whether the descriptor blocks is right as it is.
        let stream = TcpStream::from_std(descriptor.into())?;
        let (read, write, deadline) = stream::split(stream, Unread::Unknown, deadlines);
        Ok(Accepted { read, write, deadline, peer, local })
    }
}
