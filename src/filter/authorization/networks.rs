//! IP addresses and networks.

use std::net::IpAddr;

/// A set of addresses: `203.0.113.4`, `203.0.113.0/24`, `2001:db8::/32`. A look-up takes time by the logarithm of how many
/// there are. An IPv4 address in IPv6's clothes (`::ffff:203.0.113.4`) is the IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// First and last address of each range; sorted, none touches another.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

/// An address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads an address, alone or with the length of its prefix. Nothing: it is neither.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_decimal = |length: &&str| length.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match length {
            Some(length) => Some(length).filter(is_decimal)?.parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        Some(match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if bits >= 96 => {
                Network { address: IpAddr::V4(mapped), bits: bits - 96 }
            }
            _ => Network { address, bits },
        })
    }
}

impl Networks {
    /// The set of these.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for Network { address, bits } in networks {
            // What is behind the prefix does not count.
            match address {
                IpAddr::V4(address) => {
                    let host = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
                    v4.push((address.to_bits() & !host, address.to_bits() | host));
                }
                IpAddr::V6(address) => {
                    let host = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
                    v6.push((address.to_bits() & !host, address.to_bits() | host));
                }
            }
        }
        Networks { v4: merged(v4), v6: merged(v6) }
    }

    /// Whether an address is in one of them.
    pub fn has(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => is_in(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_in(&self.v6, address.to_bits()),
        }
    }
}

/// Sorts ranges, and makes one of those that have addresses in common.
fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Box<[(T, T)]> {
    ranges.sort_unstable();
    ranges.dedup_by(|range, before| {
        let is_common = range.0 <= before.1;
        if is_common {
            before.1 = before.1.max(range.1);
        }
        is_common
    });
    ranges.into()
}

fn is_in<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let behind = ranges.partition_point(|range| range.0 <= address);
    behind.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| address <= range.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(networks: &[&str], address: &str) -> bool {
        Networks::new(networks.iter().map(|text| Network::parse(text).unwrap())).has(address.parse().unwrap())
    }

    #[test]
    fn single_addresses_and_networks() {
        let some = ["172.17.72.46", "192.168.4.0/23", "10.1.2.3/16", "2001:db8::/33"];
        for address in [
            "172.17.72.46",
            "192.168.4.0",
            "192.168.5.233",
            "10.1.255.255",
            "2001:db8:7fff::1",
            "::ffff:10.1.0.0",
        ] {
            assert!(has(&some, address), "{address}");
        }
        for address in ["172.17.72.45", "192.168.3.255", "192.168.6.0", "10.2.0.0", "2001:db8:8000::", "::"] {
            assert!(!has(&some, address), "{address}");
        }
        assert!(has(&["0.0.0.0/0"], "255.255.255.255") && !has(&["0.0.0.0/0"], "2001:db8::1"));
        assert!(has(&["::/0"], "2001:db8::1") && !has(&["::/0"], "1.2.3.4") && !has(&[], "1.2.3.4"));
        assert!(has(&["::ffff:10.0.0.0/104"], "10.200.0.1") && !has(&["::ffff:10.0.0.0/104"], "11.0.0.1"));
    }

    #[test]
    fn many_that_overlap() {
        let some = ["10.0.0.0/8", "10.1.0.0/16", "10.0.0.1", "11.0.0.0/32", "9.255.255.255"];
        for (address, expected) in [
            ("10.255.0.1", true),
            ("11.0.0.0", true),
            ("11.0.0.1", false),
            ("9.255.255.255", true),
            ("9.255.255.254", false),
        ] {
            assert_eq!(has(&some, address), expected, "{address}");
        }
        let all: Vec<String> = (0..5000).map(|n| format!("10.{}.{}.0/25", n / 250, n % 250)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert!(has(&all, "10.19.249.127") && !has(&all, "10.19.249.128") && !has(&all, "10.20.0.0"));
    }

    #[test]
    fn what_is_no_network() {
        for text in
            ["", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/+8", "::1/129", "a", "1.2.3.4/8/8", "[::1]"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
