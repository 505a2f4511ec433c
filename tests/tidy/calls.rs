//! What may not be called on the data plane and in tests, and what may panic.

use crate::{
    each,
    layers::{Confined, DATA_PLANE},
    none,
    scan::places,
    tree::{Source, Tree},
};

/// What a shard may not name.
const BLOCKING: &[Confined] = &[
    Confined::to("std::sync::Mutex", &[], "shards share nothing mutable"),
    Confined::to("std::sync::RwLock", &[], "shards share nothing mutable"),
    Confined::to("std::sync::Condvar", &[], "a shard waits for its ring only"),
    Confined::to("std::thread::sleep", &[], "a shard waits for its ring only"),
    Confined::to("std::net::ToSocketAddrs", &[], "names are resolved on the control thread"),
    // A timer and a bell are read like files.
    Confined::to(
        "std::fs",
        &["src/driver/tick.rs", "src/driver/inherited.rs"],
        "files are read on the control thread",
    ),
    Confined::to("std::process", &[], "a shard starts and ends no process"),
];

/// Calls that a shard may not make, however they are named.
const BLOCKING_CALLS: &[(&str, &str)] = &[
    ("to_socket_addrs", "names are resolved on the control thread"),
    ("thread::sleep", "a shard waits for its ring only"),
    ("print!", "a shard writes no terminal"),
    ("println!", "a shard writes no terminal"),
    ("eprint!", "a shard writes no terminal"),
    ("eprintln!", "a shard writes no terminal"),
    ("dbg!", "a shard writes no terminal"),
];

/// Operations on numbers that more than one thread changes: their cache lines wander from core to core.
const CONTENDED: &[&str] = &[
    ".fetch_add(",
    ".fetch_sub(",
    ".fetch_or(",
    ".fetch_and(",
    ".fetch_update(",
    ".compare_exchange(",
    ".compare_exchange_weak(",
];

/// The files that may: what a policy counts over all shards, and only where somebody has asked for that policy.
const COUNTED_OVER_SHARDS: &[&str] = &[
    // Circuit breakers.
    "src/table/breaker.rs",
    // How endpoints do, and when they are left out.
    "src/table/health.rs",
    "src/table/health/",
    // Rate limits.
    "src/filter/rate_limit.rs",
    // Connections on their way from one worker to another, where they are kept in balance.
    "src/listener/balance.rs",
];

/// Where `dyn` may stand on the data plane: a future that is kept between two calls has no name to write, and rustls takes
/// verifiers, keys and the like as trait objects.
const DYN: &[&str] = &["src/driver/stream.rs", "src/tls/stream.rs", "src/tls/context/"];

/// What ends a process that a peer or a file must not be able to end.
const PANICS: &[&str] = &[
    ".unwrap()",
    ".unwrap_err()",
    ".expect(",
    ".expect_err(",
    "panic!",
    "unreachable!",
    "todo!",
    "unimplemented!",
];

/// What a test may not call: it would be slow on a fast machine and wrong on a slow one. Time is handed in.
const WALL_CLOCK: &[&str] = &["thread::sleep", "time::sleep", ".elapsed()"];
/// Tests of programs that measure time.
const MEASURES: &[&str] = &["loadtest/", "benches/"];

fn on_a_shard(tree: &Tree) -> impl Iterator<Item = &Source> {
    tree.sources.iter().filter(|source| source.module().is_some_and(|module| DATA_PLANE.contains(&module)))
}

/// Nothing on a shard blocks or locks.
fn blocking(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in on_a_shard(tree) {
        failures.extend(BLOCKING.iter().flat_map(|rule| rule.breaches(source, &source.shipped)));
        for (what, why) in BLOCKING_CALLS {
            // The path that says the same has been reported.
            let named = |at: &usize| source.shipped[..*at].ends_with("std::");
            let found = places(&source.shipped, what).filter(|at| !named(at));
            failures.extend(found.map(|at| source.failure(at, format!("`{what}`: {why}"))));
        }
    }
    failures
}

/// Shards change no number together but those of the files on the list.
fn contended(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in on_a_shard(tree).filter(|source| !source.is_in(COUNTED_OVER_SHARDS)) {
        for what in CONTENDED {
            let found = places(&source.shipped, what);
            failures.extend(
                found.map(|at| source.failure(at, format!("`{what}`: shards share nothing mutable"))),
            );
        }
    }
    failures
}

/// The data path calls what it names.
fn dynamic(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in on_a_shard(tree).filter(|source| !source.is_in(DYN)) {
        failures
            .extend(places(&source.shipped, "dyn").map(|at| source.failure(at, "`dyn` on the data path")));
    }
    failures
}

/// Nothing that ships can panic by one of the calls that are made to.
fn panicking(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in &tree.sources {
        for what in PANICS {
            failures.extend(places(&source.shipped, what).map(|at| source.failure(at, format!("`{what}`"))));
        }
    }
    failures
}

/// Tests wait for what happens, not for time to pass.
fn waiting(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in tree.sources.iter().filter(|source| !source.is_in(MEASURES)) {
        for what in WALL_CLOCK {
            let shipped = |at: &usize| source.shipped[*at..].starts_with(what);
            let found = places(&source.code, what).filter(|at| !shipped(at));
            failures.extend(found.map(|at| source.failure(at, format!("`{what}` in a test"))));
        }
    }
    failures
}

#[test]
fn a_shard_neither_blocks_nor_locks() {
    none("blocking", &blocking(Tree::here()));
}

#[test]
fn the_blocking_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/proxy/a.rs", "use std::sync::{Arc, Mutex};\nfn f() { eprintln!(\"println!\"); }"),
        ("src/shard/a.rs", "use std::thread;\nfn f() { thread::sleep(d); std::thread::sleep(d) }"),
        ("src/upstream/a.rs", "fn f() { std::fs::read(p); host.to_socket_addrs() }"),
        ("src/control/a.rs", "use std::fs;\nfn f() { eprintln!(); }"),
        ("src/table/a.rs", "#[cfg(test)]\nmod tests { use std::sync::Mutex; }"),
    ]);
    each(
        &blocking(&tree),
        &[
            "src/proxy/a.rs:1: `std::sync::Mutex`",
            "src/proxy/a.rs:2: `eprintln!`",
            "src/shard/a.rs:2: `std::thread::sleep`",
            "src/shard/a.rs:2: `thread::sleep`",
            "src/upstream/a.rs:1: `std::fs`",
            "src/upstream/a.rs:1: `to_socket_addrs`",
        ],
    );
}

#[test]
fn shards_change_no_number_together_but_where_a_policy_counts() {
    none("contended", &contended(Tree::here()));
}

#[test]
fn the_contended_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/proxy/a.rs", "fn f() { n.fetch_add(1, Relaxed); n.store(1, Relaxed); }"),
        ("src/table/breaker.rs", "fn f() { n.fetch_add(1, Relaxed); }"),
        ("src/control/a.rs", "fn f() { n.fetch_add(1, Relaxed); }"),
    ]);
    each(&contended(&tree), &["src/proxy/a.rs:1: `.fetch_add(`"]);
}

#[test]
fn the_data_path_calls_what_it_names() {
    none("dynamic", &dynamic(Tree::here()));
}

#[test]
fn the_dynamic_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/proxy/a.rs", "fn f(x: &dyn Fn(), dynamic: u8) {}"),
        ("src/driver/stream.rs", "struct P(Pin<Box<dyn Future>>);"),
        ("src/cli/a.rs", "fn f(x: &dyn Fn()) {}"),
    ]);
    each(&dynamic(&tree), &["src/proxy/a.rs:1: `dyn`"]);
}

#[test]
fn nothing_that_ships_is_made_to_panic() {
    none("panicking", &panicking(Tree::here()));
}

#[test]
fn the_panicking_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/cli/a.rs", "fn f() { x.unwrap(); y.unwrap_or(1); z.expect(\"why\"); }"),
        ("loadtest/src/a.rs", "fn f() { unreachable!() }"),
        ("src/a/tests/a.rs", "fn f() { x.unwrap(); }"),
        ("tests/a.rs", "fn f() { panic!() }"),
    ]);
    each(
        &panicking(&tree),
        &["src/cli/a.rs:1: `.unwrap()`", "src/cli/a.rs:1: `.expect(`", "loadtest/src/a.rs:1: `unreachable!`"],
    );
}

#[test]
fn tests_wait_for_what_happens() {
    none("waiting", &waiting(Tree::here()));
}

#[test]
fn the_waiting_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/a.rs", "fn f() { start.elapsed(); }\n#[cfg(test)]\nmod tests { fn f() { start.elapsed(); } }"),
        ("tests/a.rs", "fn f() { std::thread::sleep(d); }"),
        ("loadtest/src/a.rs", "fn f() { thread::sleep(d); }"),
    ]);
    each(&waiting(&tree), &["src/a.rs:3: `.elapsed()`", "tests/a.rs:1: `thread::sleep`"]);
}
