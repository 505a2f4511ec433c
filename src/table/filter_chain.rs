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
    /// TLS ends here, then it is TCP. `None`: no rule of a VirtualService is there for it; connections are closed.
    TerminateTcp(ServerTlsId, Option<TcpRoute>),
    /// The bytes pass as they are.
    Passthrough(TcpRoute),
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

    /// The position of the chain for a server name (lower case, without a trailing dot), or for none: exact, longest
    /// wildcard, catch-all.
    pub fn find(&self, server_name: Option<&str>) -> Option<usize> {
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
    fn exact_then_longest_wildcard_then_catch_all() {
        let chain = |names: &[&str]| FilterChain {
            name: "c".into(),
            server_names: names.iter().map(|name| Box::from(*name)).collect(),
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
            assert_eq!(index.find(name), Some(expected), "{name:?}");
        }
        assert_eq!(ChainIndex::new(vec![chain(&["a.b"])]).find(None), None);
        assert_eq!(ChainIndex::new(vec![chain(&["a.b"])]).find(Some("b.b")), None);
    }
}
