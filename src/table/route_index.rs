//! Finding the first route of a virtual host that matches, without looking at all of them.
//!
//! The literal paths are in a radix tree, which one walk along the request's path goes through. It only picks
//! candidates; the caller's predicate decides. Order holds because every list of candidates is ascending, and a
//! candidate is asked only while it is before the best one found so far.

use super::{PathMatch, Route};
use std::sync::Arc;

/// Up to so many routes are looked at one after another: a tree costs as much.
const SCAN_MAX: usize = 8;

/// Positions of routes in the list that the index was made of.
#[derive(Debug)]
pub(super) enum RouteIndex {
    /// This many routes, one after another.
    Scan(u32),
    /// By path.
    Tree(Box<Tree>),
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The root first; the children of a node stand together.
    nodes: Vec<Node>,
    /// For every node, the first byte of its label; ascending among the children of one node.
    first_bytes: Vec<u8>,
    labels: Vec<u8>,
    positions: Vec<u32>,
    /// Routes whose paths have no literal beginning, and those that ignore case.
    unplaced: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// In `labels`: the text between the parent and this node.
    label: Span,
    /// In `nodes`
    children: Span,
    /// In `positions`: routes that want a path to begin with the text down to here.
    prefixes: Span,
    /// In `positions`: routes that want exactly the text down to here.
    exacts: Span,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    at: u32,
    len: u32,
}

/// One route in the tree. The order is that of the text; of one text, that of the kinds; then that of the routes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a> {
    text: &'a [u8],
    kind: Kind,
    position: u32,
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
            let (kind, text) = match &route.matcher.path {
                PathMatch::Exact { path, ignore_case: false } => (Kind::Exact, path.as_ref()),
                PathMatch::Prefix { path, ignore_case: false } => (Kind::Prefix, path.as_ref()),
                PathMatch::Regex(pattern) => (Kind::Prefix, pattern.literal_prefix()),
                PathMatch::Exact { .. } | PathMatch::Prefix { .. } => (Kind::Prefix, &b""[..]),
            };
            match text {
                b"" => unplaced.push(position),
                text => entries.push(Entry { text, kind, position }),
            }
        }
        entries.sort_unstable();
        RouteIndex::Tree(Box::new(Tree::new(&entries, unplaced)))
    }

    /// The lowest position of a route that `matches`; it is asked only about those that may match this path.
    pub(super) fn first(&self, path: &[u8], matches: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            RouteIndex::Scan(count) => (0..*count as usize).find(|&position| matches(position)),
            RouteIndex::Tree(tree) => tree.first(path, matches),
        }
    }
}

impl Tree {
    /// Builds the nodes level by level, so that the children of one node stand together.
    fn new(entries: &[Entry<'_>], unplaced: Vec<u32>) -> Tree {
        let mut tree = Tree { unplaced, ..Tree::default() };
        tree.push_node(b"");
        // For every node: its entries and the length of the text down to it.
        let mut todo = vec![(entries, 0)];
        let mut done = 0;
        while let Some(&(entries, depth)) = todo.get(done) {
            let ends_here = entries.partition_point(|e| e.text.len() == depth);
            let (here, mut below) = entries.split_at(ends_here);
            let (prefixes, exacts) = here.split_at(here.partition_point(|e| e.kind == Kind::Prefix));
            let (prefixes, exacts) = (tree.push_positions(prefixes), tree.push_positions(exacts));
            let first_child = tree.nodes.len();
            while let Some(first) = below.first() {
                let same_byte = below.partition_point(|e| e.text.get(depth) == first.text.get(depth));
                let (group, after) = below.split_at(same_byte);
                let shared = group.last().map_or(depth, |last| shared_len(first.text, last.text));
                tree.push_node(first.text.get(depth..shared).unwrap_or_default());
                todo.push((group, shared));
                below = after;
            }
            let children = Span::new(first_child, tree.nodes.len() - first_child);
            if let Some(node) = tree.nodes.get_mut(done) {
                *node = Node { label: node.label, children, prefixes, exacts };
            }
            done += 1;
        }
        tree
    }

    fn push_node(&mut self, label: &[u8]) {
        self.nodes.push(Node { label: Span::new(self.labels.len(), label.len()), ..Node::default() });
        self.first_bytes.push(label.first().copied().unwrap_or(0));
        self.labels.extend_from_slice(label);
    }

    fn push_positions(&mut self, entries: &[Entry<'_>]) -> Span {
        let at = self.positions.len();
        self.positions.extend(entries.iter().map(|e| e.position));
        Span::new(at, entries.len())
    }

    fn first(&self, path: &[u8], matches: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best = u32::MAX;
        let mut ask = |candidates: &[u32]| {
            let earlier = candidates.iter().take_while(|&&position| position < best);
            if let Some(found) = earlier.copied().find(|&position| matches(position as usize)) {
                best = found;
            }
        };
        let mut node = self.nodes.first();
        let mut rest = path;
        while let Some(here) = node {
            ask(here.prefixes.of(&self.positions));
            if rest.is_empty() {
                ask(here.exacts.of(&self.positions));
            }
            node = self.child(here, rest).and_then(|child| {
                rest = rest.strip_prefix(child.label.of(&self.labels))?;
                Some(child)
            });
        }
        ask(&self.unplaced);
        (best != u32::MAX).then_some(best as usize)
    }

    fn child(&self, node: &Node, rest: &[u8]) -> Option<&Node> {
        let wanted = rest.first()?;
        let found = node.children.of(&self.first_bytes).binary_search(wanted).ok()?;
        node.children.of(&self.nodes).get(found)
    }
}

impl Span {
    fn new(at: usize, len: usize) -> Span {
        Span { at: at as u32, len: len as u32 }
    }

    fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.at as usize..).and_then(|tail| tail.get(..self.len as usize)).unwrap_or_default()
    }
}

fn shared_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
