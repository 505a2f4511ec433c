//! The new process's side: what it was given, and saying that it serves.

use super::{
    GREETING, Role,
    channel::{Channel, Message},
    parent::FROM,
    parse_bind,
};
use crate::{
    control::{PortMap, log},
    table::BindAddress,
};
use rustix::process::getppid;
use std::{
    env,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// The old process sends everything at once.
const GIVEN_WITHIN: Duration = Duration::from_secs(10);

/// What the old process gave.
pub(in crate::control) struct Given {
    /// Where declared ports are listened on.
    pub(in crate::control) ports: PortMap,
    pub(in crate::control) sockets: Vec<GivenSocket>,
    /// Upgrades that were done and that failed before this one.
    pub(in crate::control) upgrades: (u64, u64),
}

/// A listening socket of the old process.
pub(in crate::control) struct GivenSocket {
    pub(in crate::control) role: Role,
    pub(in crate::control) at: BindAddress,
    pub(in crate::control) is_kept: bool,
    pub(in crate::control) socket: OwnedFd,
}

/// The process that this one is to take over from, until that is done.
pub(in crate::control) struct Parent(Channel);

impl Parent {
    /// This process serves: the old one stops.
    pub(in crate::control) fn ready(&self) {
        if let Err(error) = self.0.send("ready", None) {
            log::warn(format_args!(
                "the process before this one can't be told that this one serves: {error}"
            ));
        }
    }

    /// This process can't serve.
    pub(in crate::control) fn failed(&self, why: &str) {
        // It notices the end of this process all the same.
        let _ = self.0.send(&format!("failed {why}"), None);
    }
}

/// What the old process gave, if one started this process to take over.
///
/// # Errors
/// One did, and what it says can't be understood.
pub(in crate::control) fn from_environment() -> io::Result<Option<(Parent, Given)>> {
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().to_string());
    // A process that the old one's successor starts for another reason has the variable too, and another parent.
    if parent.is_none() || env::var(FROM).ok() != parent {
        return Ok(None);
    }
    let channel = Channel::of(io::stdin().as_fd().try_clone_to_owned()?)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    channel.wait_for(GIVEN_WITHIN)?;
    let given = receive(&channel)?;
    Ok(Some((Parent(channel), given)))
}

fn receive(channel: &Channel) -> io::Result<Given> {
    let mut given = Given { ports: PortMap::default(), sockets: Vec::new(), upgrades: (0, 0) };
    match channel.receive()? {
        Some(message) if message.text == GREETING => {}
        _ => return Err(io::Error::other("the process before this one speaks another language")),
    }
    while let Some(Message { text, socket }) = channel.receive()? {
        let (kind, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match (kind, socket) {
            ("end", _) => return Ok(given),
            ("ports", _) if rest.is_empty() => {}
            ("ports", _) => given.ports = rest.parse().map_err(io::Error::other)?,
            ("upgrades", _) => {
                let mut numbers = rest.split(' ').map(|number| number.parse().unwrap_or(0));
                given.upgrades = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            }
            ("socket", Some(socket)) => match described(rest) {
                Some((role, is_kept, at)) => given.sockets.push(GivenSocket { role, at, is_kept, socket }),
                None => log::warn(format_args!("a socket is not understood: {rest}")),
            },
            // Of a version that has more to say.
            _ => log::debug(format_args!("the process before this one says `{text}`")),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// `listener own 127.0.0.1:80`
fn described(text: &str) -> Option<(Role, bool, BindAddress)> {
    let mut parts = text.splitn(3, ' ');
    let role = match parts.next()? {
        "listener" => Role::Listener,
        page => Role::Page(page.to_owned()),
    };
    let is_kept = parts.next()? == "kept";
    Some((role, is_kept, parse_bind(parts.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_is_given_is_understood() {
        let (old, new) = Channel::pair().unwrap();
        let new = Channel::of(new).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        old.send(GREETING, None).unwrap();
        old.send("ports 80=8080", None).unwrap();
        old.send("upgrades 3 1", None).unwrap();
        old.send("weather fine", None).unwrap();
        old.send("socket listener own [::1]:80", Some(socket.as_fd())).unwrap();
        old.send("socket listener own what", Some(socket.as_fd())).unwrap();
        old.send("socket admin kept unix:///run/a b", Some(socket.as_fd())).unwrap();
        old.send("end", None).unwrap();
        let given = receive(&new).unwrap();
        assert_eq!(given.ports.entries(), [(80, 8080)]);
        assert_eq!(given.upgrades, (3, 1));
        let [first, second] = &given.sockets[..] else { panic!() };
        assert_eq!((&first.role, first.is_kept), (&Role::Listener, false));
        assert_eq!(first.at, BindAddress::Tcp("[::1]:80".parse().unwrap()));
        assert_eq!((&second.role, second.is_kept), (&Role::Page("admin".into()), true));
        assert_eq!(second.at, BindAddress::Unix("/run/a b".into()));
    }

    #[test]
    fn what_breaks_off_or_is_strange_is_an_error() {
        let (old, new) = Channel::pair().unwrap();
        old.send(GREETING, None).unwrap();
        drop(old);
        assert!(receive(&Channel::of(new).unwrap()).is_err());
        let (old, new) = Channel::pair().unwrap();
        old.send("sluicegate upgrade 2", None).unwrap();
        assert!(receive(&Channel::of(new).unwrap()).is_err());
        assert!(from_environment().unwrap().is_none());
    }
}
