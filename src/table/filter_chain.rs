//! The filter chains of one TLS port, found by SNI (specification section 2.3).

use super::{Source, TableId, TcpRoute};
use std::collections::HashMap;

/// An index into [`Snapshot::server_tls`](super::Snapshot::server_tls).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerTlsId(pub u32);

/// What happens to the TLS connections of some server names.
#[derive(Debug)]
pub struct FilterChain {
    /// For `explain` and the admin page: the route table's name where there is one, else the server's place.
    pub name: Box<str>,
    /// Lower case: `a.example.com`, `*.example.com`, `*`. With `*` it also takes those who send no name.
    pub server_names: Vec<Box<str>>,
    /// Only clients that offer one of these by ALPN; `None`: all. Others are closed: a chain with a less specific name
    /// does not take them, as in Envoy.
    pub alpn: Option<&'static [&'static [u8]]>,
    /// What happens.
    pub action: ChainAction,
    /// The server, or the rule of a VirtualService (passthrough).
    pub source: Source,
}

/// What a filter chain does.
#[derive(Debug)]
pub enum ChainAction {
    /// TLS ends here, then this table routes HTTP.
    TerminateHttp(ServerTlsId, TableId),
    /// TLS ends here, then it is TCP.
    TerminateTcp(ServerTlsId, TcpRoute),
    /// The bytes pass as they are.
    Passthrough(TcpRoute),
}

impl FilterChain {
    fn admits(&self, offered: &[Box<[u8]>]) -> bool {
        self.alpn.is_none_or(|wanted| offered.iter().any(|offer| wanted.contains(&&**offer)))
    }
}

/// All filter chains of one TLS listener.
#[derive(Debug, Default)]
pub struct ChainIndex {
    chains: Vec<FilterChain>,
    exact: HashMap<Box<str>, usize, foldhash::fast::FixedState>,
    /// By what is behind the `*`: `.example.com`.
    wildcard: HashMap<Box<str>, usize, foldhash::fast::FixedState>,
    catch_all: Option<usize>,
}

impl ChainIndex {
    /// An index. Where two chains have the same name the first wins.
    pub fn new(chains: Vec<FilterChain>) -> ChainIndex {
        let mut index = ChainIndex::default();
        for (position, chain) in chains.iter().enumerate() {
            for name in &chain.server_names {
                match name.strip_prefix('*') {
                    Some("") => {
                        index.catch_all.get_or_insert(position);
                    }
                    Some(suffix) => {
                        index.wildcard.entry(suffix.into()).or_insert(position);
                    }
                    None => {
                        index.exact.entry(name.clone()).or_insert(position);
                    }
                }
            }
        }
        index.chains = chains;
        index
    }

    /// All chains, in merge order.
    pub fn chains(&self) -> &[FilterChain] {
        &self.chains
    }

    /// The position of the chain for a client that sends a server name (lower case, without a trailing dot) or none, and
    /// offers these protocols: exact, longest wildcard, catch-all. The name decides alone; the chain that it finds may
    /// then refuse the protocols.
    pub fn find(&self, server_name: Option<&str>, offered: &[Box<[u8]>]) -> Option<usize> {
        self.named(server_name)
            .filter(|position| self.chains.get(*position).is_some_and(|c| c.admits(offered)))
    }

    /// The position of the chain for a client that was let in by another index's chain `before`: that of its server name, if
    /// it asks for the same protocols. What the client has offered is not remembered, so that one that asks for others may
    /// not be for it.
    pub fn find_again(&self, before: &FilterChain, server_name: Option<&str>) -> Option<usize> {
        self.named(server_name).filter(|position| {
            self.chains.get(*position).is_some_and(|now| now.alpn.is_none() || now.alpn == before.alpn)
        })
    }

    /// The position of the chain that serves a host, whatever a client offers.
    pub fn owner(&self, host: &str) -> Option<usize> {
        self.named(Some(host))
    }

    /// Whether a host (as in `Host`, without its port) belongs to another chain than the one that a client has chosen by
    /// the name `asked`, so that it should ask on a connection of its own (RFC 9110 section 15.5.20).
    pub fn is_misdirected(&self, chosen: usize, asked: &str, host: &[u8]) -> bool {
        if self.chains.len() == 1 || host.eq_ignore_ascii_case(asked.as_bytes()) {
            return false;
        }
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let owner = self.owner(&host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase());
        owner.is_some_and(|owner| owner != chosen)
    }

    fn named(&self, server_name: Option<&str>) -> Option<usize> {
        let Some(name) = server_name else { return self.catch_all };
        if let Some(position) = self.exact.get(name) {
            return Some(*position);
        }
        // From the left: the longest suffix comes first.
        let dots = name.match_indices('.').filter(|(at, _)| *at > 0);
        let longest = dots.filter_map(|(at, _)| self.wildcard.get(&name[at..])).next();
        longest.copied().or(self.catch_all)
    }

    /// The chain at a position.
    pub fn get(&self, position: usize) -> Option<&FilterChain> {
        self.chains.get(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_asked_for_after_the_name() {
        let chain = |name: &str, alpn| FilterChain {
            name: "c".into(),
            server_names: vec![name.into()],
            alpn,
            action: ChainAction::TerminateHttp(ServerTlsId(0), TableId(0)),
            source: Source::built_in("test"),
        };
        let mesh: &[&[u8]] = &[b"istio", b"istio-http/1.1"];
        let index = ChainIndex::new(vec![chain("a.b", Some(mesh)), chain("*", None)]);
        let offer = |names: &[&[u8]]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<[u8]>>>();
        assert_eq!(index.find(Some("a.b"), &offer(&[b"h2", b"istio"])), Some(0));
        assert_eq!(index.find(Some("a.b"), &offer(&[b"h2"])), None);
        assert_eq!(index.find(Some("a.b"), &[]), None);
        assert_eq!(index.find(Some("c.b"), &[]), Some(1));
    }

    #[test]
    fn exact_then_longest_wildcard_then_catch_all() {
        let chain = |names: &[&str]| FilterChain {
            name: "c".into(),
            server_names: names.iter().map(|name| Box::from(*name)).collect(),
            alpn: None,
            action: ChainAction::TerminateHttp(ServerTlsId(0), TableId(0)),
            source: Source::built_in("test"),
        };
        let index = ChainIndex::new(vec![
            chain(&["*"]),
            chain(&["*.example.com"]),
            chain(&["a.example.com"]),
            chain(&["*.b.example.com", "a.example.com"]),
        ]);
        for (name, expected) in [
            (Some("a.example.com"), 2),
            (Some("c.example.com"), 1),
            (Some("x.b.example.com"), 3),
            (Some("b.example.com"), 1),
            (Some("example.com"), 0),
            (Some(".example.com"), 0),
            (None, 0),
        ] {
            assert_eq!(index.find(name, &[]), Some(expected), "{name:?}");
        }
        assert_eq!(ChainIndex::new(vec![chain(&["a.b"])]).find(None, &[]), None);
        assert_eq!(ChainIndex::new(vec![chain(&["a.b"])]).find(Some("b.b"), &[]), None);
    }
}
