//! Queues, ports for upstream connections, connection tracking.

use super::{finding::Finding, host::Host};

/// Connections that may wait to be accepted: the kernel's default since 5.4, and what listeners ask for.
const QUEUE_WANTED: u64 = 4096;
/// Ports for connections to one endpoint; the default has 28,232.
const PORTS_WANTED: u64 = 20_000;
/// Connections that are tracked; each of a client has a second one to an upstream.
const TRACKED_WANTED: u64 = 262_144;

pub(super) fn look(host: &Host) -> Vec<Finding> {
    let mut findings = vec![
        queue(host, "net.core.somaxconn", "/proc/sys/net/core/somaxconn"),
        queue(host, "net.ipv4.tcp_max_syn_backlog", "/proc/sys/net/ipv4/tcp_max_syn_backlog"),
    ];
    findings.extend(local_ports(host));
    findings.extend(tracking(host));
    findings
}

fn queue(host: &Host, name: &'static str, path: &str) -> Finding {
    match host.number(path) {
        Some(number) if number < QUEUE_WANTED => Finding::warning(
            "accept queue",
            format!("{name} is {number}"),
            format!("bursts of connections overflow it: sysctl -w {name}=8192"),
        ),
        Some(number) => Finding::good("accept queue", format!("{name} is {number}")),
        None => Finding::good("accept queue", format!("{name} can't be read here")),
    }
}

fn local_ports(host: &Host) -> Option<Finding> {
    let range = host.text("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else { return None };
    let count = (last + 1).saturating_sub(first);
    let is = format!("{count} for connections to one endpoint ({first} to {last})");
    Some(if count < PORTS_WANTED {
        Finding::warning("local ports", is, "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"")
    } else {
        Finding::good("local ports", is)
    })
}

/// A full table drops packets of new connections, which looks like a slow network.
fn tracking(host: &Host) -> Option<Finding> {
    let most = host.number("/proc/sys/net/netfilter/nf_conntrack_max")?;
    let now = host.number("/proc/sys/net/netfilter/nf_conntrack_count").unwrap_or(0);
    let is = format!("{now} of {most} connections");
    Some(if most < TRACKED_WANTED || now > most / 10 * 8 {
        Finding::warning(
            "connection table",
            is,
            "netfilter tracks connections and drops new ones when its table is full: sysctl -w \
             net.netfilter.nf_conntrack_max=1048576, or a rule with notrack for the gateway's ports",
        )
    } else {
        Finding::good("connection table", is)
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Verdict, super::host::testing::Made, *};

    #[test]
    fn small_queues_are_found() {
        let path = "/proc/sys/net/core/somaxconn";
        let of = |number: &str| queue(&Made::of(&[(path, number)]).0, "net.core.somaxconn", path).verdict;
        assert_eq!((of("128"), of("4096")), (Verdict::Warning, Verdict::Good));
    }

    #[test]
    fn ranges_of_ports_are_counted() {
        let of = |text: &str| local_ports(&Made::of(&[("/proc/sys/net/ipv4/ip_local_port_range", text)]).0);
        assert_eq!(
            of("32768\t60999\n").unwrap().is,
            "28232 for connections to one endpoint (32768 to 60999)"
        );
        assert_eq!(of("60000 60999").unwrap().verdict, Verdict::Warning);
        assert_eq!(of("odd"), None);
    }

    #[test]
    fn a_table_that_is_nearly_full_is_found() {
        let of = |count: &str, most: &str| {
            let made = Made::of(&[
                ("/proc/sys/net/netfilter/nf_conntrack_max", most),
                ("/proc/sys/net/netfilter/nf_conntrack_count", count),
            ]);
            tracking(&made.0).unwrap().verdict
        };
        assert_eq!(of("10", "1048576"), Verdict::Good);
        assert_eq!(of("1000000", "1048576"), Verdict::Warning);
        assert_eq!(of("10", "65536"), Verdict::Warning);
        assert_eq!(tracking(&Made::of(&[]).0), None);
    }
}
