//! Which files may hold `unsafe`, and that each says why it is sound.

use crate::{
    each, none,
    scan::{after_closing, body_of, places},
    tree::{Source, Tree},
};

/// The files that may, and what for.
const ALLOWED: &[&str] = &[
    // Memory that the kernel writes into.
    "src/buffer/pool.rs",
    // `shutdown` of a descriptor that another task reads from.
    "src/driver/deadline.rs",
    // Two halves of one stream.
    "src/driver/stream.rs",
    // Timers and bells are descriptors.
    "src/driver/alarm.rs",
    "src/driver/memory.rs",
    "src/driver/tick.rs",
    // Descriptors that were there before the program began.
    "src/driver/inherited.rs",
    // A Unix stream becomes a stream like all others.
    "src/driver/listen.rs",
    // The ring of the relay that the load test measures as the floor.
    "loadtest/src/ring.rs",
];

/// `unsafe` is in the files that may hold it.
fn placed(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in tree.sources.iter().filter(|source| !source.is_in(ALLOWED)) {
        failures.extend(places(&source.code, "unsafe").map(|at| source.failure(at, "`unsafe` in this file")));
    }
    failures
}

/// Files that may hold `unsafe` do: the list shrinks when the need does.
fn needed(tree: &Tree) -> Vec<String> {
    let has_unsafe = |path: &str| {
        tree.sources
            .iter()
            .any(|source| source.path == path && places(&source.code, "unsafe").next().is_some())
    };
    let idle = ALLOWED.iter().filter(|path| !has_unsafe(path));
    idle.map(|path| format!("{path}: there is no `unsafe` in it; take it off the list")).collect()
}

/// Every block, function and impl says why it is sound.
fn reasoned(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in &tree.sources {
        let unreasoned = places(&source.code, "unsafe").filter(|at| !has_reason(source, *at));
        failures.extend(unreasoned.map(|at| source.failure(at, "no `SAFETY:` comment before this `unsafe`")));
    }
    failures
}

/// Whether the comment before the statement or item has a `SAFETY:`; a function that is unsafe to call may have a
/// `# Safety` section instead, and one that implements a trait's has the reason that its impl has.
fn has_reason(source: &Source, at: usize) -> bool {
    let line = source.code[..at].matches('\n').count();
    let code: Vec<&str> = source.code.lines().collect();
    let comments: Vec<&str> = source.comments.lines().collect();
    let says = |line: usize| comments[line].contains("SAFETY:") || comments[line].contains("# Safety");
    if says(line) || (source.code[at..].starts_with("unsafe fn") && in_reasoned_impl(source, at)) {
        return true;
    }
    for above in (0..line).rev() {
        let code = code[above].trim();
        if says(above) {
            return true;
        }
        let other_statement = code.ends_with(['{', '}', ';']) && !code.starts_with("#[");
        if other_statement || (code.is_empty() && comments[above].trim().is_empty()) {
            return false;
        }
    }
    false
}

/// Whether the `unsafe impl` around this place has its reason.
fn in_reasoned_impl(source: &Source, at: usize) -> bool {
    let starts = places(&source.code, "unsafe impl").take_while(|start| *start < at);
    let around = starts.last().filter(|start| {
        let body = body_of(&source.code, *start).unwrap_or(*start);
        after_closing(&source.code, body) > at
    });
    around.is_some_and(|start| has_reason(source, start))
}

#[test]
fn unsafe_is_in_few_files() {
    none("placed", &placed(Tree::here()));
    none("needed", &needed(Tree::here()));
}

#[test]
fn the_placed_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/proxy/a.rs", "// unsafe\nfn f() { unsafe { g() } }"),
        ("src/driver/tick.rs", "// SAFETY: yes\nunsafe { g() }\n"),
        ("src/driver/a.rs", "#![allow(unsafe_code)]"),
    ]);
    each(&placed(&tree), &["src/proxy/a.rs:2: `unsafe`"]);
    assert_eq!(needed(&tree).len(), ALLOWED.len() - 1);
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    none("reasoned", &reasoned(Tree::here()));
}

#[test]
fn the_reasoned_rule_sees_what_breaks_it() {
    let good = "\
// SAFETY: a reason
// of two lines.
#[allow(x)]
unsafe impl T for A {
    unsafe fn f(&self) {
        self.g();
    }

    unsafe fn h(&self) {}
}
fn f() {
    // SAFETY: another one.
    let x =
        unsafe { g() };
}
/// # Safety
/// The caller's part.
pub unsafe fn g() {}
";
    let bad = "\
unsafe impl T for A {}
fn f() {
    // SAFETY: for the first only.
    unsafe { g() };
    unsafe { g() };

    unsafe fn h() {}
}
";
    each(&reasoned(&Tree::of(&[("src/good.rs", good)])), &[]);
    each(&reasoned(&Tree::of(&[("src/bad.rs", bad)])), &["src/bad.rs:1", "src/bad.rs:5", "src/bad.rs:7"]);
}
