//! Finding the first route of a virtual host that matches, without looking at all of them.
//!
//! The literal paths are in a radix tree, which one walk along the request's path goes through. It picks candidates,
//! and where a candidate asks for more than its path the caller's predicate decides. Order holds because every list of
//! candidates is ascending, and one is looked at only while it is before the best found so far.
//!
//! With many hosts nothing is in the processor's caches, so what counts is how much memory a look-up touches: a route
//! that asks for a path alone is found without a look at the route itself.

use super::{PathMatch, Route};
use std::sync::Arc;

/// Up to so many routes are looked at one after another: a tree costs as much.
const SCAN_MAX: usize = 4;

/// Positions of routes in the list that the index was made of.
#[derive(Debug)]
pub(super) enum RouteIndex {
    /// This many routes, one after another.
    Scan(u32),
    /// By path.
    Tree(Box<Tree>),
}

#[derive(Debug)]
pub(super) struct Tree {
    /// The root first; the children of a node stand together, by the first bytes of their labels.
    nodes: Box<[Node]>,
    /// For every node, its label and then the first bytes of its children's labels.
    bytes: Box<[u8]>,
    /// Lists of more than one, each behind its length.
    candidates: Box<[Candidate]>,
    /// Routes whose paths have no literal beginning, and those that ignore case.
    unplaced: Box<[Candidate]>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// In `bytes`: the text between the parent and this node.
    label_at: u32,
    /// In `nodes`; their first bytes follow the label.
    children_at: u32,
    /// Routes that want a path to begin with the text down to here.
    prefixes: List,
    /// Routes that want exactly the text down to here.
    exacts: List,
    label_len: u16,
    children_len: u16,
}

/// Some candidates: none, one that stands here, or, with [`List::SEVERAL`], where in [`Tree::candidates`] they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct List(Candidate);

/// The position of a route, and in the highest bit whether it asks for more than what the tree has compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate(u32);

/// A tree while it grows.
#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    bytes: Vec<u8>,
    candidates: Vec<Candidate>,
}

/// One route in the tree. The order is that of the text; of one text, that of the kinds; then that of the routes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a> {
    text: &'a [u8],
    kind: Kind,
    position: u32,
    asks_more: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Prefix,
    Exact,
}

impl RouteIndex {
    pub(super) fn new(routes: &[Arc<Route>]) -> RouteIndex {
        if routes.len() <= SCAN_MAX {
            return RouteIndex::Scan(routes.len() as u32);
        }
        let mut entries = Vec::with_capacity(routes.len());
        let mut unplaced = Vec::new();
        for (position, route) in (0_u32..).zip(routes) {
            let (kind, text, is_all) = match &route.matcher.path {
                PathMatch::Exact { path, ignore_case: false } => (Kind::Exact, path.as_ref(), true),
                PathMatch::Prefix { path, ignore_case: false } => (Kind::Prefix, path.as_ref(), true),
                PathMatch::Regex(pattern) => (Kind::Prefix, pattern.literal_prefix(), false),
                PathMatch::Exact { .. } | PathMatch::Prefix { .. } => (Kind::Prefix, &b""[..], false),
            };
            let asks_more = !is_all || route.matcher.asks_besides_path();
            match (kind, text) {
                (Kind::Prefix, b"") => unplaced.push(Candidate::new(position, asks_more)),
                _ if text.len() > usize::from(u16::MAX) => unplaced.push(Candidate::new(position, true)),
                _ => entries.push(Entry { text, kind, position, asks_more }),
            }
        }
        entries.sort_unstable();
        let builder = Builder::of(&entries);
        RouteIndex::Tree(Box::new(Tree {
            nodes: builder.nodes.into(),
            bytes: builder.bytes.into(),
            candidates: builder.candidates.into(),
            unplaced: unplaced.into(),
        }))
    }

    /// The lowest position of a route that matches. The predicate is asked about those of which the path alone does not
    /// tell.
    pub(super) fn first(&self, path: &[u8], matches: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            RouteIndex::Scan(count) => (0..*count as usize).find(|&position| matches(position)),
            RouteIndex::Tree(tree) => tree.first(path, matches),
        }
    }
}

impl Builder {
    /// Builds the nodes level by level, so that the children of one node stand together.
    fn of(entries: &[Entry<'_>]) -> Builder {
        let mut tree = Builder::default();
        tree.nodes.push(Node::EMPTY);
        // For every node: its entries, and the lengths of the text down to its parent and down to itself.
        let mut todo = vec![(entries, 0, 0)];
        let mut done = 0;
        while let Some(&(entries, parent_depth, depth)) = todo.get(done) {
            let ends_here = entries.partition_point(|e| e.text.len() == depth);
            let (here, mut below) = entries.split_at(ends_here);
            let (prefixes, exacts) = here.split_at(here.partition_point(|e| e.kind == Kind::Prefix));
            let label = entries.first().and_then(|e| e.text.get(parent_depth..depth)).unwrap_or_default();
            let mut node = Node {
                label_at: tree.bytes.len() as u32,
                label_len: label.len() as u16,
                children_at: tree.nodes.len() as u32,
                children_len: 0,
                prefixes: tree.push_list(prefixes),
                exacts: tree.push_list(exacts),
            };
            tree.bytes.extend_from_slice(label);
            while let Some((first, byte)) = below.first().and_then(|e| Some((e, *e.text.get(depth)?))) {
                let (group, after) =
                    below.split_at(below.partition_point(|e| e.text.get(depth) == Some(&byte)));
                let shared = group.last().map_or(depth, |last| shared_len(first.text, last.text));
                todo.push((group, depth, shared));
                tree.nodes.push(Node::EMPTY);
                tree.bytes.push(byte);
                node.children_len += 1;
                below = after;
            }
            if let Some(place) = tree.nodes.get_mut(done) {
                *place = node;
            }
            done += 1;
        }
        tree
    }

    fn push_list(&mut self, entries: &[Entry<'_>]) -> List {
        match entries {
            [] => List::NONE,
            [one] => List(Candidate::new(one.position, one.asks_more)),
            several => {
                let at = self.candidates.len() as u32;
                self.candidates.push(Candidate(several.len() as u32));
                self.candidates.extend(several.iter().map(|e| Candidate::new(e.position, e.asks_more)));
                List(Candidate(at | List::SEVERAL))
            }
        }
    }
}

impl Tree {
    fn first(&self, path: &[u8], matches: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best = usize::MAX;
        let mut look = |candidates: &[Candidate]| {
            let earlier = candidates.iter().take_while(|candidate| candidate.position() < best);
            let mut found = earlier.filter(|c| !c.asks_more() || matches(c.position()));
            if let Some(first) = found.next().map(|c| c.position()) {
                best = first;
            }
        };
        let mut node = self.nodes.first();
        let mut rest = path;
        while let Some(here) = node {
            look(self.list(&here.prefixes));
            if rest.is_empty() {
                look(self.list(&here.exacts));
            }
            node = self.child(here, rest).and_then(|child| {
                rest = rest.strip_prefix(part(&self.bytes, child.label_at, child.label_len))?;
                Some(child)
            });
        }
        look(&self.unplaced);
        (best != usize::MAX).then_some(best)
    }

    fn list<'a>(&'a self, list: &'a List) -> &'a [Candidate] {
        match list {
            &List::NONE => &[],
            List(Candidate(bits)) if bits & List::SEVERAL != 0 => {
                let at = (bits & !List::SEVERAL) as usize;
                let Some((length, after)) = self.candidates.get(at..).and_then(<[_]>::split_first) else {
                    return &[];
                };
                after.get(..length.0 as usize).unwrap_or_default()
            }
            List(one) => std::slice::from_ref(one),
        }
    }

    fn child(&self, node: &Node, rest: &[u8]) -> Option<&Node> {
        let wanted = rest.first()?;
        let first_bytes = part(&self.bytes, node.label_at + u32::from(node.label_len), node.children_len);
        let found = first_bytes.binary_search(wanted).ok()?;
        self.nodes.get(node.children_at as usize + found)
    }
}

impl Node {
    const EMPTY: Node = Node {
        label_at: 0,
        children_at: 0,
        prefixes: List::NONE,
        exacts: List::NONE,
        label_len: 0,
        children_len: 0,
    };
}

impl List {
    const NONE: List = List(Candidate(u32::MAX));
    /// No virtual host has 2^30 routes, so the bit is free.
    const SEVERAL: u32 = 1 << 30;
}

impl Candidate {
    const ASKS_MORE: u32 = 1 << 31;

    fn new(position: u32, asks_more: bool) -> Candidate {
        Candidate(position | if asks_more { Candidate::ASKS_MORE } else { 0 })
    }

    fn position(self) -> usize {
        (self.0 & !Candidate::ASKS_MORE) as usize
    }

    fn asks_more(self) -> bool {
        self.0 & Candidate::ASKS_MORE != 0
    }
}

fn part(bytes: &[u8], at: u32, len: u16) -> &[u8] {
    bytes.get(at as usize..).and_then(|tail| tail.get(..usize::from(len))).unwrap_or_default()
}

fn shared_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
