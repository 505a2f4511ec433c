//! What the operating system asks for.

use std::io;
use tokio::signal::unix::{self, SignalKind, signal};

/// A signal that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain; a second one stops at once.
    Terminate,
    /// SIGQUIT: drain.
    Quit,
    /// SIGUSR1: open the access log's file again.
    Reopen,
    /// SIGUSR2: have another process take over.
    Upgrade,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals that came and were not yet taken.
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    user1: unix::Signal,
    user2: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// From now on signals come here. Call it within the runtime.
    ///
    /// # Errors
    /// What `sigaction(2)` says.
    pub fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. May be dropped and called again: no signal is lost.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Terminate,
            _ = self.quit.recv() => Signal::Quit,
            _ = self.user1.recv() => Signal::Reopen,
            _ = self.user2.recv() => Signal::Upgrade,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}
