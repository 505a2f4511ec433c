//! Listening sockets: those that come from outside this process, those that it binds itself, and another handle to each of
//! them for the process that takes over from this one.

use super::{
    PortMap, Reservation,
    handover::{self, Gift, Given, GivenSocket, Parent, Role},
    log, unix,
};
use crate::{
    driver::{self, FirstWord},
    listener::{self, BindError},
    table::{BindAddress, Listener},
};
use rustix::net::sockopt::socket_cookie;
use socket2::SockRef;
use std::{
    cell::{Cell, RefCell},
    env, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    process, thread,
    time::Duration,
};

/// A port that is taken is tried so many times more, a second in all.
const BIND_TRIES: u32 = 20;
/// Between two tries.
const BIND_PAUSE: Duration = Duration::from_millis(50);
/// A service manager may pass as many sockets: its units name them one by one.
const PASSED_MAX: u16 = 1024;
/// Names of sockets (`FileDescriptorName=`) that are those of pages; every other socket is a listener's.
const PAGES: [&str; 3] = ["admin", "status", "metrics"];

/// The listening sockets of this process.
pub struct Sockets {
    /// From outside, and not yet asked for.
    passed: RefCell<Vec<Passed>>,
    /// Another handle to every socket in use.
    held: RefCell<Vec<Gift>>,
    /// The process that this one is to take over from.
    parent: RefCell<Option<Parent>>,
    /// Where declared ports are listened on.
    ports: RefCell<PortMap>,
    /// Upgrades that were done and that failed until this process was started to take over.
    upgrades: Cell<Option<(u64, u64)>>,
    /// Listeners accept nobody yet.
    is_holding: Cell<bool>,
}

struct Passed {
    role: Role,
    at: BindAddress,
    /// Whoever passed it goes on with it: a service manager.
    is_kept: bool,
    /// For people: what the service manager calls it.
    name: String,
    socket: OwnedFd,
}

impl Sockets {
    /// Without any from outside.
    pub fn none() -> Sockets {
        Sockets {
            passed: RefCell::default(),
            held: RefCell::default(),
            parent: RefCell::default(),
            ports: RefCell::default(),
            upgrades: Cell::new(None),
            is_holding: Cell::new(false),
        }
    }

    /// Those that another process or the service manager has passed to this one when it started it. Call it first of all.
    ///
    /// # Errors
    /// The process that this one is to take over from can't be understood.
    pub fn receive() -> io::Result<Sockets> {
        let sockets = Sockets::none();
        if let Some((parent, given)) = handover::from_environment()? {
            let Given { ports, sockets: given, upgrades } = given;
            sockets.upgrades.set(Some(upgrades));
            log::info(format_args!(
                "{} taken over from the process before this one",
                sockets_of(given.len())
            ));
            sockets.ports.replace(ports);
            sockets.parent.replace(Some(parent));
            sockets.passed.replace(given.into_iter().map(Passed::given).collect());
            sockets.is_holding.set(true);
            return Ok(sockets);
        }
        let passed = from_service_manager();
        // What waits in their queues came before this process did: it is served when everything is known that it takes.
        sockets.is_holding.set(!passed.is_empty());
        sockets.passed.replace(passed);
        Ok(sockets)
    }

    /// How many upgrades were done and how many failed before this process was started to take over; nothing if it was not.
    pub fn upgrades(&self) -> Option<(u64, u64)> {
        self.upgrades.get()
    }

    /// Lets the kernel choose a port for each 0 of a map; the process before this one may have done so.
    ///
    /// # Errors
    /// What `bind(2)` says.
    pub fn reserve(&self, map: &PortMap) -> io::Result<(PortMap, Reservation)> {
        let before = self.ports.take();
        let chosen = |from: u16| before.entries().iter().find(|(known, _)| *known == from).map(|(_, to)| *to);
        let entries = map.entries().iter().map(|&(from, to)| match to {
            0 => (from, chosen(from).unwrap_or(0)),
            _ => (from, to),
        });
        let (map, reserved) = entries.collect::<PortMap>().reserve()?;
        self.ports.replace(map.clone());
        Ok((map, reserved))
    }

    /// The socket from outside for a set of pages. Nothing if there is none: it has to be bound.
    pub fn page(&self, name: &str, at: &BindAddress) -> Option<OwnedFd> {
        let mut passed = self.passed.borrow_mut();
        let is_it = |one: &Passed| matches!(&one.role, Role::Page(page) if page == name);
        let position =
            passed.iter().position(is_it).or_else(|| passed.iter().position(|one| one.at == *at))?;
        let Passed { socket, is_kept, .. } = passed.remove(position);
        drop(passed);
        self.hold_page(name, at, &socket, is_kept);
        Some(socket)
    }

    /// Keeps another handle to the socket of a set of pages, which was bound here.
    pub fn bound_page(&self, name: &str, at: &BindAddress, socket: &impl AsFd) {
        self.hold_page(name, at, socket, false);
    }

    fn hold_page(&self, name: &str, at: &BindAddress, socket: &impl AsFd, is_kept: bool) {
        // Without another handle the next process binds the address itself, and fails if this one still has it.
        if let Ok(socket) = socket.as_fd().try_clone_to_owned() {
            let role = Role::Page(name.to_owned());
            self.held.borrow_mut().push(Gift { role, at: at.clone(), is_kept, socket });
        }
    }

    /// The sockets of a listener for each of so many workers: those from outside, and where they do not suffice further ones
    /// of the same address. Where that is not to be had, workers share one: they accept from one queue.
    ///
    /// # Errors
    /// What `bind(2)` and `listen(2)` say.
    pub(super) fn bind(
        &self,
        listener: &Listener,
        workers: usize,
    ) -> Result<Vec<driver::Listener>, BindError> {
        let first_word = listener::first_word(&listener.chain);
        let taken = self.take(&listener.bind, first_word);
        let spread = taken.and_then(|taken| spread(taken, &listener.bind, first_word, workers));
        let all = match spread {
            Ok(all) if all.is_empty() => bind_new(listener, workers, false)?,
            Ok(all) => all,
            Err(error) => {
                let (bind, source) = (listener.bind.clone(), listener.source.to_string());
                return Err(BindError { bind, source, error });
            }
        };
        self.hold(&listener.bind, &all);
        if self.is_holding.get() {
            all.iter().for_each(driver::Listener::hold);
        }
        Ok(all)
    }

    /// Those from outside that are bound to this address.
    fn take(&self, bind: &BindAddress, first_word: FirstWord) -> io::Result<Vec<driver::Listener>> {
        let mut passed = self.passed.borrow_mut();
        let is_its = |one: &mut Passed| one.role == Role::Listener && one.at == *bind;
        let all = passed.extract_if(.., is_its).map(|one| {
            let listener = driver::Listener::inherited(one.socket, first_word)?;
            if one.is_kept {
                listener.keep();
            }
            Ok(listener)
        });
        all.collect()
    }

    /// Keeps another handle to each socket.
    pub(super) fn hold(&self, bind: &BindAddress, all: &[driver::Listener]) {
        let mut known = Vec::new();
        for listener in all {
            // Without descriptors the next process gets fewer sockets, which this one then empties.
            for socket in listener.handles().unwrap_or_default() {
                let cookie = socket_cookie(&socket).unwrap_or_default();
                if cookie == 0 || !known.contains(&cookie) {
                    known.push(cookie);
                    let (role, at, is_kept) = (Role::Listener, bind.clone(), listener.is_kept());
                    self.held.borrow_mut().push(Gift { role, at, is_kept, socket });
                }
            }
        }
    }

    /// A listener is there no more.
    pub fn forget(&self, bind: &BindAddress) {
        self.held.borrow_mut().retain(|held| held.role != Role::Listener || held.at != *bind);
    }

    /// Gives up all other handles: this process listens no more.
    pub(super) fn forget_all(&self) {
        self.held.take();
    }

    /// Whether the file of a Unix socket is removed when this process ends: it has bound it, and nobody else has it.
    pub fn is_ours(&self, bind: &BindAddress) -> bool {
        self.held.borrow().iter().any(|held| held.at == *bind && !held.is_kept)
    }

    /// Says which of those from outside nobody asked for, and closes them here.
    pub(super) fn close_unused(&self) {
        for Passed { role, at, name, is_kept, .. } in self.passed.take() {
            let help = match &at {
                BindAddress::Tcp(address)
                    if is_kept && address.is_ipv6() && address.ip().is_unspecified() =>
                {
                    "\n  help: a listener on 0.0.0.0 needs ListenStream=0.0.0.0:PORT in the socket unit"
                }
                _ => "",
            };
            match role {
                _ if is_kept => log::warn(format_args!(
                    "the service manager passed a socket for {at} ({name}), and nothing in the configuration listens \
                     there: it is not used{help}"
                )),
                _ => log::info(format_args!(
                    "the {role} socket of {at} is not used any more: the configuration has changed"
                )),
            }
        }
    }

    /// Listeners that are bound from now on accept at once; returns whether those before have to be opened.
    pub(super) fn open(&self) -> bool {
        self.is_holding.replace(false)
    }

    /// The process that this one takes over from, once: it is to be told.
    pub(super) fn parent(&self) -> Option<Parent> {
        self.parent.take()
    }

    /// Tells the process that this one was to take over from why it can't.
    pub fn failed(&self, why: &str) {
        if let Some(parent) = self.parent.take() {
            parent.failed(why);
        }
    }

    /// All sockets and the ports, for the process that takes over from this one.
    ///
    /// # Errors
    /// No more file descriptors.
    pub(super) fn gifts(&self) -> io::Result<(Vec<Gift>, String)> {
        let again = |held: &Gift| {
            let (role, at, is_kept) = (held.role.clone(), held.at.clone(), held.is_kept);
            Ok(Gift { role, at, is_kept, socket: held.socket.try_clone()? })
        };
        let gifts: io::Result<Vec<Gift>> = self.held.borrow().iter().map(again).collect();
        Ok((gifts?, self.ports.borrow().to_string()))
    }
}

impl Passed {
    fn given(given: GivenSocket) -> Passed {
        let GivenSocket { role, at, is_kept, socket } = given;
        Passed { name: role.to_string(), role, at, is_kept, socket }
    }
}

/// One for each worker. More than there are workers: some serve several; nobody may wait in a queue without an owner.
fn spread(
    mut all: Vec<driver::Listener>,
    bind: &BindAddress,
    first_word: FirstWord,
    workers: usize,
) -> io::Result<Vec<driver::Listener>> {
    let (given, workers) = (all.len(), workers.max(1));
    if given > workers {
        for (turn, more) in all.split_off(workers).into_iter().enumerate() {
            if let Some(listener) = all.get(turn % workers) {
                listener.and(more);
            }
        }
    }
    while given > 0 && all.len() < workers {
        let own = match (bind, &all[..]) {
            (BindAddress::Tcp(address), [first, ..]) if first.is_port_shared() => {
                // Another user's socket, such as the service manager's, does not share its port with this one.
                driver::Listener::tcp(*address, first_word).ok()
            }
            _ => None,
        };
        match (own, all.get(all.len() % given)) {
            (Some(own), _) => all.push(own),
            (None, Some(one)) => all.push(one.duplicate()?),
            (None, None) => break,
        }
    }
    Ok(all)
}

/// What the service manager has passed (`sd_listen_fds(3)`).
fn from_service_manager() -> Vec<Passed> {
    let variable = |name| env::var(name).ok();
    if variable("LISTEN_PID").and_then(|pid| pid.parse().ok()) != Some(process::id()) {
        return Vec::new();
    }
    let count: u16 = variable("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = Vec::new();
    for socket in driver::passed_descriptors(count.min(PASSED_MAX)) {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned();
        match socket.map(|socket| (address_of(&socket), socket)) {
            Some((Some(at), socket)) => {
                log::info(format_args!("the service manager passed a socket for {at} ({name})"));
                let role = if PAGES.contains(&&*name) { Role::Page(name.clone()) } else { Role::Listener };
                passed.push(Passed { role, at, is_kept: true, name, socket });
            }
            _ => log::warn(format_args!(
                "the service manager passed something that is no TCP or Unix socket ({name}): it is not used"
            )),
        }
    }
    passed
}

/// Where a stream socket is bound.
fn address_of(socket: &OwnedFd) -> Option<BindAddress> {
    let socket = SockRef::from(socket);
    if socket.r#type().ok()? != socket2::Type::STREAM {
        return None;
    }
    let address = socket.local_addr().ok()?;
    if let Some(name) = address.as_abstract_namespace() {
        let path: Vec<u8> = b"@".iter().chain(name).copied().collect();
        return Some(BindAddress::Unix(PathBuf::from(std::ffi::OsStr::from_bytes(&path))));
    }
    let tcp = address.as_socket().map(BindAddress::Tcp);
    tcp.or_else(|| address.as_pathname().map(|path| BindAddress::Unix(path.to_owned())))
}

/// Binds a listener. The kernel takes the rings of a process that was killed apart after its end, and its sockets with
/// them: one that was started again at once would find its own port taken, so a taken port is tried a few times.
/// `is_beside_own`: a socket of this process may be in the way, and is welcome there.
pub(super) fn bind_new(
    listener: &Listener,
    workers: usize,
    is_beside_own: bool,
) -> Result<Vec<driver::Listener>, BindError> {
    let bind = || match is_beside_own {
        true => listener::bind_beside(listener, workers),
        false => listener::bind(listener, workers),
    };
    for _ in 0..BIND_TRIES {
        unix::remove_stale(&listener.bind);
        match bind() {
            Err(error) if error.error.kind() == io::ErrorKind::AddrInUse => thread::sleep(BIND_PAUSE),
            bound => return bound,
        }
    }
    bind()
}

fn sockets_of(count: usize) -> String {
    if count == 1 { "1 socket is".into() } else { format!("{count} sockets are") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Chain, Source, TableId};

    fn listener(bind: BindAddress) -> Listener {
        let source = Source::built_in("Gateway a/b");
        Listener { name: "l".into(), bind, chain: Chain::Http(TableId(0)), source }
    }

    /// What the next process would get of a listener on a port that the kernel chose, with so many workers.
    fn given(workers: usize) -> (Sockets, Vec<driver::Listener>, BindAddress) {
        let (map, reserved) = "80=0".parse::<PortMap>().unwrap().reserve().unwrap();
        let bind = BindAddress::Tcp(([127, 0, 0, 1], map.entries()[0].1).into());
        let old = Sockets::none();
        let bound = old.bind(&listener(bind.clone()), workers).unwrap();
        drop(reserved);
        let next = Sockets::none();
        let gifts = old.gifts().unwrap().0.into_iter();
        let given = gifts.map(|Gift { role, at, is_kept, socket }| GivenSocket { role, at, is_kept, socket });
        next.passed.replace(given.map(Passed::given).collect());
        (next, bound, bind)
    }

    fn cookies(listener: &driver::Listener) -> Vec<u64> {
        listener.handles().unwrap().iter().map(|socket| socket_cookie(socket).unwrap()).collect()
    }

    #[test]
    fn each_worker_gets_the_socket_that_one_had_before() {
        let (next, old, bind) = given(3);
        let new = next.bind(&listener(bind), 3).unwrap();
        let all = |list: &[driver::Listener]| list.iter().flat_map(cookies).collect::<Vec<u64>>();
        assert_eq!(all(&old), all(&new));
        assert!(next.passed.borrow().is_empty());
        assert_eq!(next.gifts().unwrap().0.len(), 3);
    }

    #[test]
    fn with_fewer_workers_every_queue_has_an_owner() {
        let (next, _old, bind) = given(5);
        let new = next.bind(&listener(bind), 2).unwrap();
        assert_eq!(new.iter().map(|one| cookies(one).len()).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(next.gifts().unwrap().0.len(), 5);
    }

    #[test]
    fn with_more_workers_further_sockets_are_bound_or_one_is_shared() {
        let (next, _old, bind) = given(1);
        let new = next.bind(&listener(bind), 3).unwrap();
        assert_eq!(new.len(), 3);
        assert_eq!(next.gifts().unwrap().0.len(), 3, "three sockets");
        // One whose port is its own.
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let bind = BindAddress::Tcp(own.local_addr().unwrap());
        let sockets = Sockets::none();
        let (role, at, name) = (Role::Listener, bind.clone(), "http".to_owned());
        sockets.passed.replace(vec![Passed { role, at, is_kept: true, name, socket: own.into() }]);
        let shared = sockets.bind(&listener(bind), 2).unwrap();
        assert_eq!(cookies(&shared[0]), cookies(&shared[1]));
        assert!(shared.iter().all(driver::Listener::is_kept));
        assert_eq!(sockets.gifts().unwrap().0.len(), 1);
    }

    #[test]
    fn ports_that_the_kernel_chose_stay() {
        let first = Sockets::none();
        let wanted: PortMap = "80=0,90=9090".parse().unwrap();
        let (map, _reserved) = first.reserve(&wanted).unwrap();
        let next = Sockets::none();
        next.ports.replace(first.gifts().unwrap().1.parse().unwrap());
        assert_eq!(next.reserve(&wanted).unwrap().0, map);
    }

    #[test]
    fn addresses_are_read_from_sockets() {
        let name = format!("sluicegate-address-{}", process::id());
        let path = env::temp_dir().join(&name);
        for at in [BindAddress::Unix(path.clone()), BindAddress::Unix(format!("@{name}").into())] {
            let bound = Sockets::none().bind(&listener(at.clone()), 1).unwrap();
            assert_eq!(address_of(&bound[0].handles().unwrap()[0]), Some(at));
        }
        std::fs::remove_file(path).unwrap();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(address_of(&datagrams.into()), None);
    }
}
