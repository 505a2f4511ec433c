//! Declared ports to listening ports (`--port-map`).

use socket2::{Domain, Protocol, Socket, Type};
use std::{fmt, io, net::SocketAddr, str::FromStr};

/// `80=8080,443=8443`: where a port that Gateways declare is listened on. `80=0` lets the kernel choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortMap(Vec<(u16, u16)>);

/// A port map that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapError(String);

impl PortMap {
    /// Declared and listening port, in the order of the declared ones.
    pub fn entries(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// Lets the kernel choose a port for each 0. The ports stay taken until the reservation is dropped, and can be bound
    /// by this user with `SO_REUSEPORT` meanwhile: the configuration is compiled with numbers that nobody else gets.
    ///
    /// # Errors
    /// What `bind(2)` says.
    pub fn reserve(&self) -> io::Result<(PortMap, Reservation)> {
        let (mut map, mut reserved) = (self.clone(), Reservation(Vec::new()));
        for (_, to) in map.0.iter_mut().filter(|(_, to)| *to == 0) {
            *to = reserved.add()?;
        }
        Ok((map, reserved))
    }
}

/// Ports that the kernel chose. They are free for others when this is dropped.
pub struct Reservation(Vec<Socket>);

impl Reservation {
    fn add(&mut self) -> io::Result<u16> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into())?;
        let bound = socket.local_addr()?.as_socket().map_or(0, |address| address.port());
        self.0.push(socket);
        Ok(bound)
    }
}

/// Declared and listening ports; each declared port at most once.
impl FromIterator<(u16, u16)> for PortMap {
    fn from_iter<I: IntoIterator<Item = (u16, u16)>>(entries: I) -> Self {
        let mut map: Vec<(u16, u16)> = entries.into_iter().collect();
        map.sort_unstable();
        map.dedup_by_key(|(from, _)| *from);
        PortMap(map)
    }
}

impl FromStr for PortMap {
    type Err = PortMapError;
    fn from_str(text: &str) -> Result<Self, PortMapError> {
        let mut map: Vec<(u16, u16)> = Vec::new();
        for entry in text.split(',') {
            let wrong = |what: &str| Err(PortMapError(format!("`{entry}`: {what}")));
            let Some((from, to)) = entry.split_once('=') else {
                return wrong("expected DECLARED=LISTENING, such as 80=8080");
            };
            let (Ok(from), Ok(to)) = (from.trim().parse(), to.trim().parse()) else {
                return wrong("a port is a number from 1 to 65535");
            };
            match from {
                0 => return wrong("no Gateway declares port 0"),
                _ if map.iter().any(|(other, _)| *other == from) => return wrong("the port is there twice"),
                _ => map.push((from, to)),
            }
        }
        map.sort_unstable();
        Ok(PortMap(map))
    }
}

impl fmt::Display for PortMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.0.iter().map(|(from, to)| format!("{from}={to}")).collect();
        f.write_str(&entries.join(","))
    }
}

impl fmt::Display for PortMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PortMapError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_and_written() {
        let map: PortMap = "443=8443, 80=8080".parse().unwrap();
        assert_eq!(map.entries(), [(80, 8080), (443, 8443)]);
        assert_eq!(map.to_string(), "80=8080,443=8443");
        for wrong in ["", "80", "0=80", "80=x", "80=70000", "80=1,80=2", "80=8080,"] {
            assert!(wrong.parse::<PortMap>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_kernel_chooses_ports_that_can_then_be_listened_on() {
        let map: PortMap = "80=0,443=0,90=9090".parse().unwrap();
        let (map, reserved) = map.reserve().unwrap();
        let [(80, http), (90, 9090), (443, https)] = *map.entries() else { panic!("{map}") };
        assert!(http != 0 && https != 0 && http != https);
        let listener =
            crate::driver::Listener::tcp(([127, 0, 0, 1], http).into(), crate::driver::FirstWord::Client)
                .unwrap();
        assert_eq!(listener.local_address().map(|address| address.port()), Some(http));
        drop(reserved);
    }
}
