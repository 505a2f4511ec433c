//! Another process of the program takes over: the listening sockets go to it, and this one ends when its connections have.
//!
//! The new process gets one end of a socket pair as its standard input. Over it the sockets come (`SCM_RIGHTS`), and over it
//! the new process says that it serves. Until then both have the sockets and only the old one accepts, so that whatever goes
//! wrong with the new one, nobody notices; from then on only the new one does, and what waits in the kernel's queues is its
//! own.
//!
//! - `program`: which file is run again, and with what
//! - `channel`: messages with a descriptor each between the two processes
//! - `parent`: the old process's side: starting the new one and waiting for it
//! - `child`: the new process's side: what it was given, and saying that it serves
//! - `upgrade`: an upgrade as the supervisor sees it
//! - `pid_file`: the file with the number of the process that serves

mod channel;
mod child;
mod parent;
mod pid_file;
mod program;
mod upgrade;

pub(super) use child::{Given, GivenSocket, Parent, from_environment};
pub(super) use parent::Event;
pub(super) use parent::Gift;
pub use pid_file::PidFile;
pub use program::Program;
pub use upgrade::Handover;
pub(super) use upgrade::{Upgraded, Upgrading};

use super::{Gateway, State, log, notify};
use crate::{shard::Message, table::BindAddress};
use std::{fmt, path::PathBuf, time::Duration};

/// What the messages between two processes begin with, and the version of what is said. A newer program still has to
/// understand an older one's.
const GREETING: &str = "sluicegate upgrade 1";

/// What a listening socket is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Clients.
    Listener,
    /// A set of pages, by its name.
    Page(String),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Listener => f.write_str("listener"),
            Role::Page(name) => f.write_str(name),
        }
    }
}

/// This process serves from now on: it accepts, and whoever has to know is told, the process before it last.
pub(super) fn begin(gateway: &Gateway) {
    if gateway.sockets.open() {
        gateway.tell_all(|| Message::Open);
    }
    gateway.handover.begin();
    let parent = gateway.sockets.parent();
    notify::ready(parent.is_some());
    if let Some(parent) = parent {
        parent.ready();
    }
}

/// Another process serves from now on: this one accepts nobody any more and ends when its connections have. Returns how long
/// they may take.
pub(super) fn hand_over(gateway: &Gateway) -> Duration {
    let within = gateway.handover.drain_time;
    notify::be_quiet();
    gateway.state.set(State::Draining);
    gateway.handover.leave();
    gateway.sockets.forget_all();
    gateway.tell_all(|| Message::HandOver(within));
    log::info(format_args!("draining for at most {} s, as another process serves", within.as_secs_f64()));
    within
}

/// An address as it is written in a message: the reverse of its `Display`.
fn parse_bind(text: &str) -> Option<BindAddress> {
    match text.strip_prefix("unix://") {
        Some(path) => Some(BindAddress::Unix(PathBuf::from(path))),
        None => text.parse().ok().map(BindAddress::Tcp),
    }
}
