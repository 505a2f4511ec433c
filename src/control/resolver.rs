//! Names to addresses: `/etc/hosts`, then the servers of `/etc/resolv.conf`, as every program on the machine does.

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{
        ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
    },
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
    system_conf::read_system_conf,
};
use std::{
    cell::RefCell,
    collections::HashSet,
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, SystemTime},
};
use tokio::sync::Semaphore;

/// Answers are asked for again after at least this long, whatever their time to live says: a zero must not become a
/// loop.
const TTL_MIN: Duration = Duration::from_secs(1);
/// And after at most this long: a day's time to live must not mean a day's outage when an address moves.
const TTL_MAX: Duration = Duration::from_secs(60);

/// Names that are asked for at a time; each asks for both kinds of addresses. Thousands at once would overrun the
/// server's or our own socket's queue.
const LOOKUPS_MAX: usize = 16;
/// Above what [`LOOKUPS_MAX`] can need, with search domains: the crate refuses lookups beyond it.
const REQUESTS_MAX: usize = 256;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What a name is, at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// All addresses, in the order of the answer, those of IPv4 first; never empty.
    pub(super) addresses: Vec<IpAddr>,
    /// When to ask again.
    pub(super) ttl: Duration,
}

/// A resolver that follows changes of the machine's configuration.
pub(super) struct Resolver {
    /// The only server to ask, if one was named.
    server: Option<SocketAddr>,
    configured: RefCell<Configured>,
    lookups: Semaphore,
}

/// The machine's configuration at one time.
struct Configured {
    of: [Option<SystemTime>; 2],
    hosts: Hosts,
    dns: Result<TokioResolver, String>,
}

impl Resolver {
    /// Reads the machine's configuration. Problems with it are problems of the names that are asked for.
    pub(super) fn new(server: Option<SocketAddr>) -> Resolver {
        Resolver {
            server,
            configured: RefCell::new(Configured::read(server)),
            lookups: Semaphore::new(LOOKUPS_MAX),
        }
    }

    /// The addresses of a name. An IP address is its own address; nobody is asked for it.
    ///
    /// # Errors
    /// What went wrong, for people. A name without addresses is an error too.
    pub(super) async fn find(&self, host: &str) -> Result<Found, String> {
        if let Ok(address) = host.parse() {
            return Ok(Found { addresses: vec![address], ttl: TTL_MAX });
        }
        let _turn = self.lookups.acquire().await.map_err(|error| error.to_string())?;
        let dns = {
            let mut configured = self.configured.borrow_mut();
            if configured.of != modified() {
                *configured = Configured::read(self.server);
            }
            let fixed = configured.fixed(host);
            if !fixed.is_empty() {
                return Ok(Found { addresses: fixed, ttl: TTL_MAX });
            }
            configured.dns.clone()?
        };
        let lookup = dns.lookup_ip(host).await.map_err(|error| error.to_string())?;
        let ttl = lookup.as_lookup().answers().iter().map(|record| record.ttl).min();
        let ttl = Duration::from_secs(u64::from(ttl.unwrap_or_default())).clamp(TTL_MIN, TTL_MAX);
        let addresses = usable(lookup.iter().collect(), has_route);
        if addresses.is_empty() {
            return Err("it has no addresses".into());
        }
        Ok(Found { addresses, ttl })
    }
}

impl Configured {
    fn read(server: Option<SocketAddr>) -> Configured {
        let of = modified();
        // A machine without the file has no fixed names.
        let hosts = Hosts::from_system().unwrap_or_default();
        Configured { of, hosts, dns: dns(server) }
    }

    /// What `/etc/hosts` says. A name that is there at all is not asked for elsewhere.
    fn fixed(&self, host: &str) -> Vec<IpAddr> {
        let Ok(name) = Name::from_utf8(host) else { return Vec::new() };
        let of_type = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let answers = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of_type);
        answers
            .flat_map(|lookup| lookup.answers().iter().filter_map(|r| r.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }
}

fn dns(server: Option<SocketAddr>) -> Result<TokioResolver, String> {
    let (config, mut options) = match server {
        Some(server) => (only(server), ResolverOpts::default()),
        None => match read_system_conf() {
            Ok(system) => system,
            // As resolv.conf(5) says for a machine without the file: the server on this machine.
            Err(_) if !fs::exists(RESOLV_CONF).unwrap_or(false) => {
                (only((Ipv4Addr::LOCALHOST, 53).into()), ResolverOpts::default())
            }
            Err(error) => return Err(format!("{RESOLV_CONF}: {error}")),
        },
    };
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // We ask when an answer is no longer good: there is nothing to keep for anybody else.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = REQUESTS_MAX;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| error.to_string())
}

fn only(server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, connections.into())])
}

/// When the files of the configuration were changed.
fn modified() -> [Option<SystemTime>; 2] {
    [HOSTS, RESOLV_CONF].map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

/// The addresses that can be used, each once, IPv4 first. Where a name has both kinds, IPv6 addresses without a route
/// are left out: connecting to them can only fail.
fn usable(addresses: Vec<IpAddr>, has_route: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    let once: Vec<IpAddr> = addresses.into_iter().filter(|address| seen.insert(*address)).collect();
    let (mut v4, v6): (Vec<_>, Vec<_>) = once.into_iter().partition(IpAddr::is_ipv4);
    let routed = v6.iter().copied().filter(|address| v4.is_empty() || has_route(*address));
    let routed: Vec<IpAddr> = routed.collect();
    v4.extend(routed);
    v4
}

/// Whether the kernel knows a way to an address. Connecting a datagram socket sends nothing.
fn has_route(address: IpAddr) -> bool {
    let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let connected = UdpSocket::bind(any).and_then(|socket| socket.connect((address, 9)));
    !connected.is_err_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::Unsupported
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn both_kinds_are_used_if_both_can_be_reached() {
        let both = addresses(&["2001:db8::1", "192.0.2.1", "192.0.2.1"]);
        assert_eq!(usable(both.clone(), |_| true), addresses(&["192.0.2.1", "2001:db8::1"]));
        assert_eq!(usable(both, |_| false), addresses(&["192.0.2.1"]));
        assert_eq!(usable(addresses(&["2001:db8::1"]), |_| false), addresses(&["2001:db8::1"]));
    }

    #[test]
    fn this_machine_has_a_route_to_itself() {
        assert!(has_route(Ipv4Addr::LOCALHOST.into()));
    }
}
