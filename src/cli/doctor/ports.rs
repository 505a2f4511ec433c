//! Whether the ports of a configuration can be had.

use super::{
    super::{args::DoctorArgs, load::load},
    finding::Finding,
    host::Host,
};
use crate::{compile::Http2Options, driver::Listener, table::BindAddress};
use std::{collections::BTreeSet, io::ErrorKind, net::SocketAddr};

/// Ports that are told of one by one; more of them have the same trouble or none.
const PORTS_TOLD: usize = 20;

pub(super) fn look(host: &Host, args: &DoctorArgs) -> Vec<Finding> {
    if args.config.is_empty() {
        return vec![rights(host)];
    }
    let port_map = args.workload.port_map.clone().unwrap_or_default();
    let loaded = load(&args.config, &args.workload, &port_map, Http2Options::default());
    let mut findings = vec![match loaded.has_errors() {
        true => Finding::failure(
            "configuration",
            "it has errors, so that nothing would be served",
            "sluicegate check says which",
        ),
        false => Finding::good("configuration", "it can be served"),
    }];
    let addresses: BTreeSet<SocketAddr> = loaded
        .compiled
        .snapshot
        .listeners
        .iter()
        .filter_map(|listener| match listener.bind {
            BindAddress::Tcp(address) => Some(address),
            BindAddress::Unix(_) => None,
        })
        .collect();
    findings.extend(addresses.iter().take(PORTS_TOLD).map(|address| port(host, *address)));
    if addresses.len() > PORTS_TOLD {
        let rest = addresses.len() - PORTS_TOLD;
        findings.push(Finding::good("port", format!("{rest} more were not tried")));
    }
    findings
}

fn rights(host: &Host) -> Finding {
    let first = host.first_free_port();
    match host.may_bind_low_ports() {
        _ if first <= 80 => Finding::good("port rights", format!("ports from {first} on need none")),
        true => Finding::good("port rights", "this process may listen on all ports"),
        false => Finding::warning("port rights", format!("only ports from {first} on"), low_port_help("80")),
    }
}

fn low_port_help(port: &str) -> String {
    format!(
        "AmbientCapabilities=CAP_NET_BIND_SERVICE in systemd, sysctl -w net.ipv4.ip_unprivileged_port_start=0, or another \
         port: --port-map {port}=8080"
    )
}

fn port(host: &Host, address: SocketAddr) -> Finding {
    if address.port() == 0 {
        return Finding::good("port", format!("{address}: the kernel will choose"));
    }
    match Listener::check_free(address) {
        Ok(()) => Finding::good("port", format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::warning(
            "port",
            format!("{address} is taken"),
            "by sluicegate itself, if it runs; `ss -ltnp` says who",
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::failure(
            "port",
            format!("{address} may not be listened on: only ports from {} on", host.first_free_port()),
            low_port_help(&address.port().to_string()),
        ),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Finding::failure(
            "port",
            format!("{address} is no address of this host"),
            "change `bind`, or give the host the address",
        ),
        Err(error) => {
            Finding::failure("port", format!("{address}: {error}"), "see what the operating system said")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Verdict, super::host::testing::Made, *};
    use std::net::TcpListener;

    #[test]
    fn ports_that_are_taken_or_nobodys_are_found() {
        let host = Made::of(&[]);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(port(&host.0, taken.local_addr().unwrap()).verdict, Verdict::Warning);
        let nobodys = port(&host.0, ([192, 0, 2, 1], 8080).into());
        assert_eq!(nobodys.verdict, Verdict::Failure);
        assert!(nobodys.is.contains("no address of this host"), "{nobodys:?}");
        assert_eq!(port(&host.0, ([127, 0, 0, 1], 0).into()).verdict, Verdict::Good);
    }

    #[test]
    fn rights_by_capability_and_by_sysctl() {
        let with = |cap: &str, first: &str| {
            rights(
                &Made::of(&[
                    ("/proc/self/status", &format!("CapEff:\t{cap}\n")),
                    ("/proc/sys/net/ipv4/ip_unprivileged_port_start", first),
                ])
                .0,
            )
            .verdict
        };
        assert_eq!(with("0", "1024"), Verdict::Warning);
        assert_eq!(with("400", "1024"), Verdict::Good);
        assert_eq!(with("0", "0"), Verdict::Good);
    }
}
