//! From which addresses requests may come (`sluicegate.io/networks`).

use std::net::IpAddr;

/// A set of addresses, given by prefixes. A look-up is a binary search, however many prefixes there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// First and last of each range, in order, with a gap between any two.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

/// Reads an address, or one with the length of its prefix: `10.0.0.0/8`.
pub fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, length)| (a, Some(length)));
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let Some(length) = length else { return Some((address, bits)) };
    let is_decimal = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length = length.parse().ok().filter(|length| is_decimal && *length <= bits)?;
    Some((address, length))
}

impl Networks {
    /// The addresses of these prefixes. What is behind a prefix does not count: `10.1.2.3/8` is `10.0.0.0/8`.
    pub fn new(prefixes: impl IntoIterator<Item = (IpAddr, u8)>) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (address, length) in prefixes {
            // IPv4 in IPv6 is IPv4, as it is when it is looked for.
            let (address, length) = match (address, address.to_canonical(), length.checked_sub(96)) {
                (IpAddr::V6(_), mapped @ IpAddr::V4(_), Some(length)) => (mapped, length),
                _ => (address, length),
            };
            match address {
                IpAddr::V4(address) => {
                    let behind = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                    v4.push((address.to_bits() & !behind, address.to_bits() | behind));
                }
                IpAddr::V6(address) => {
                    let behind = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                    v6.push((address.to_bits() & !behind, address.to_bits() | behind));
                }
            }
        }
        Networks { v4: merged(v4), v6: merged(v6) }
    }

    /// Whether an address is one of them. IPv4 in IPv6 (`::ffff:10.0.0.1`) is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => is_within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_within(&self.v6, address.to_bits()),
        }
    }

    /// Whether there is no address in it.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

fn merged<N: Copy + Ord>(mut ranges: Vec<(N, N)>) -> Box<[(N, N)]> {
    ranges.sort_unstable();
    let mut kept: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match kept.last_mut() {
            Some((_, end)) if first <= *end => *end = (*end).max(last),
            _ => kept.push((first, last)),
        }
    }
    kept.into()
}

fn is_within<N: Copy + Ord>(ranges: &[(N, N)], address: N) -> bool {
    let next = ranges.partition_point(|(first, _)| *first <= address);
    next.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| address <= *last)
}

/// Who may come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// If there is one: only from these.
    pub allow: Option<Networks>,
    /// Not from these, also where `allow` has them.
    pub deny: Networks,
}

impl NetworkPolicy {
    /// Whether a client may come. An address that nobody knows, as behind a Unix socket, is in no network.
    pub fn permits(&self, client: Option<IpAddr>) -> bool {
        let is_in = |networks: &Networks| client.is_some_and(|client| networks.contains(client));
        !is_in(&self.deny) && self.allow.as_ref().is_none_or(is_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &[&str]) -> Networks {
        Networks::new(list.iter().map(|text| parse_network(text).unwrap()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes() {
        let set =
            networks(&["10.1.2.3/8", "192.0.2.7", "2001:db8::/33", "192.0.2.4/31", "10.0.0.0/9", "::1"]);
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "192.0.2.7",
            "192.0.2.5",
            "2001:db8:7fff::1",
            "::1",
            "::ffff:10.9.9.9",
        ] {
            assert!(set.contains(ip(inside)), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.8", "2001:db8:8000::", "::2", "::"]
        {
            assert!(!set.contains(ip(outside)), "{outside}");
        }
        let all = networks(&["0.0.0.0/0"]);
        assert!(
            all.contains(ip("255.255.255.255")) && all.contains(ip("0.0.0.0")) && !all.contains(ip("::1"))
        );
        assert!(networks(&["::/0"]).contains(ip("ffff::")) && !networks(&["::/0"]).contains(ip("1.2.3.4")));
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        let set = networks(&["::ffff:10.0.0.0/104", "::ffff:192.0.2.7", "::ffff:c633:6400/120"]);
        for inside in ["10.255.0.1", "::ffff:10.255.0.1", "192.0.2.7", "198.51.100.9"] {
            assert!(set.contains(ip(inside)), "{inside}");
        }
        for outside in ["11.0.0.0", "192.0.2.8", "198.51.101.0", "::10.0.0.1", "::ffff:0:10.0.0.1"] {
            assert!(!set.contains(ip(outside)), "{outside}");
        }
        assert_eq!(set, networks(&["10.0.0.0/8", "192.0.2.7", "198.51.100.0/24"]));
        let all = networks(&["::ffff:0.0.0.0/96"]);
        assert!(all.contains(ip("255.255.255.255")) && !all.contains(ip("::1")));
        let policy = NetworkPolicy { allow: None, deny: networks(&["::ffff:127.0.0.0/104"]) };
        assert!(!policy.permits(Some(ip("127.0.0.1"))) && policy.permits(Some(ip("10.0.0.1"))));
    }

    #[test]
    fn what_is_not_a_network() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "a", "10.0.0.0/8/8"]
        {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }

    #[test]
    fn deny_wins_and_who_is_unknown_is_nowhere() {
        let policy =
            NetworkPolicy { allow: Some(networks(&["10.0.0.0/8"])), deny: networks(&["10.1.0.0/16"]) };
        assert!(policy.permits(Some(ip("10.2.0.1"))));
        assert!(
            !policy.permits(Some(ip("10.1.0.1")))
                && !policy.permits(Some(ip("11.0.0.1")))
                && !policy.permits(None)
        );
        let open = NetworkPolicy { allow: None, deny: networks(&["10.1.0.0/16"]) };
        assert!(
            open.permits(Some(ip("11.0.0.1"))) && open.permits(None) && !open.permits(Some(ip("10.1.0.1")))
        );
    }

    #[test]
    fn a_set_is_what_its_prefixes_say_one_by_one() {
        let list: Vec<(IpAddr, u8)> = (0..200u32)
            .map(|n| (IpAddr::from((n.wrapping_mul(2_654_435_761)).to_be_bytes()), 4 + (n % 29) as u8))
            .collect();
        let set = Networks::new(list.clone());
        for n in 0..20_000u32 {
            let address = n.wrapping_mul(214_013).wrapping_add(n << 16);
            let expected = list.iter().any(|(network, length)| {
                let IpAddr::V4(network) = network else { return false };
                (network.to_bits() ^ address) >> (32 - length) == 0
            });
            assert_eq!(set.contains(IpAddr::from(address.to_be_bytes())), expected);
        }
    }
}
