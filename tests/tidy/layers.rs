//! Which module may use which, and which crate or part of the standard library.

use crate::{each, none, scan::places};
use crate::{
    paths::paths,
    tree::{Source, Tree},
};

/// The lines of the architecture, lowest first. A module uses modules on lower lines only.
const LINES: &[&[&str]] = &[
    &["http", "jwt", "buffer", "telemetry", "config"],
    &["http1", "http2", "grpc", "mongo", "filter", "driver"],
    &["tls", "proxy_protocol"],
    &["relay", "mux"],
    &["table"],
    &["compile", "upstream"],
    &["proxy"],
    &["listener"],
    &["shard"],
    &["control"],
    &["explain"],
    &["admin"],
    &["cli"],
    &["lib", "main"],
];

/// What the lines would allow and is forbidden all the same.
const FORBIDDEN: &[Forbidden] = &[
    Forbidden { who: DATA_PLANE, what: &["config", "compile"], why: "nothing in the data plane knows YAML" },
    Forbidden {
        who: &["control", "admin"],
        what: &["proxy", "upstream", "relay"],
        why: "the control thread talks to shards, not to connections",
    },
];

struct Forbidden {
    who: &'static [&'static str],
    what: &'static [&'static str],
    why: &'static str,
}

/// The modules that run on a shard.
pub(crate) const DATA_PLANE: &[&str] = &[
    "http",
    "jwt",
    "http1",
    "http2",
    "grpc",
    "mongo",
    "buffer",
    "telemetry",
    "table",
    "filter",
    "driver",
    "tls",
    "proxy_protocol",
    "relay",
    "mux",
    "upstream",
    "proxy",
    "listener",
    "shard",
];

/// The modules without I/O and clock: they take bytes and `now`.
const PURE: &[&str] = &[
    "http",
    "jwt",
    "buffer",
    "telemetry",
    "config",
    "http1",
    "http2",
    "grpc",
    "mongo",
    "filter",
    "table",
    "compile",
];

/// A path that only some places may name.
pub(crate) struct Confined {
    /// The path.
    pub(crate) what: &'static str,
    /// Files, and folders that end with `/`.
    pub(crate) places: &'static [&'static str],
    /// The reason.
    pub(crate) why: &'static str,
}

impl Confined {
    /// A path, its places, and the reason.
    pub(crate) const fn to(
        what: &'static str,
        places: &'static [&'static str],
        why: &'static str,
    ) -> Confined {
        Confined { what, places, why }
    }

    /// Where it is named in code of a file that may not.
    pub(crate) fn breaches(&self, source: &Source, code: &str) -> Vec<String> {
        if source.is_in(self.places) {
            return Vec::new();
        }
        let root = self.what.split("::").next().unwrap_or(self.what);
        let found = paths(code, root).into_iter().filter(|path| path.starts_with(self.what));
        let allowed = match self.places {
            [] => String::new(),
            places => format!(" outside of {}", places.join(", ")),
        };
        found.map(|path| source.failure(path.at, format!("`{}`{allowed}: {}", self.what, self.why))).collect()
    }
}

const DRIVER: &str = "another runtime must be a change to one folder";
const YAML: &str = "nobody else names the YAML crates";

/// Crates that have their place.
const CRATES: &[Confined] = &[
    Confined::to("monoio", &["src/driver/", "src/buffer/"], DRIVER),
    Confined::to("io_uring", &["src/driver/"], DRIVER),
    Confined::to("httparse", &["src/http1/decode/"], "nobody else parses HTTP/1"),
    Confined::to("ppp", &["src/proxy_protocol/"], "nobody else reads or writes PROXY headers"),
    Confined::to("serde_yaml", &["src/config/yaml/"], YAML),
    Confined::to("saphyr_parser", &["src/config/yaml/"], YAML),
    Confined::to(
        "tokio",
        &["src/control/", "src/admin/", "src/cli/demo/", "src/http2/tests/against_h2.rs"],
        "tokio serves the control thread, the origin of the demo, and the HTTP/2 that ours is held against",
    ),
    Confined::to("h2", &["src/http2/tests/against_h2.rs"], "it is there to hold our HTTP/2 against"),
    Confined::to("clap", &["src/cli/", "src/main.rs"], "only the command line knows its parser"),
    Confined::to("libc", &["src/driver/", "src/control/", "src/admin/"], "system calls are the driver's"),
];

/// What pure modules may not name.
const IMPURE: &[Confined] = &[
    Confined::to("std::fs", LOADER, "no files"),
    Confined::to("std::io::stdin", LOADER, "no input"),
    Confined::to("std::env", &[], "no environment"),
    Confined::to("std::process", &[], "no processes"),
    Confined::to("std::thread", &[], "no threads"),
    Confined::to("std::net::TcpStream", &[], "no sockets"),
    Confined::to("std::net::TcpListener", &[], "no sockets"),
    Confined::to("std::net::UdpSocket", &[], "no sockets"),
    Confined::to("std::net::ToSocketAddrs", &[], "no name resolution"),
    Confined::to("std::os::unix::net", &[], "no sockets"),
    Confined::to("socket2", &[], "no sockets"),
    Confined::to("rustix", &[], "no system calls"),
    Confined::to("signal_hook", &[], "no signals"),
];

/// The one place in a pure module that reads files.
const LOADER: &[&str] = &["src/config/load.rs"];

/// What pure modules may not call, however it is named.
const IMPURE_CALLS: &[&str] =
    &["Instant::now", "SystemTime::now", ".elapsed()", "thread::spawn", "fs::read", "File::open"];

fn line_of_module(module: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&module))
}

/// The modules of this crate that a file uses, and where.
fn used(source: &Source) -> Vec<(String, usize)> {
    let mut used: Vec<(String, usize)> = Vec::new();
    for path in ["crate", "sluicegate"].into_iter().flat_map(|root| paths(&source.shipped, root)) {
        used.extend(path.segments.get(1).map(|module| (module.clone(), path.at)));
    }
    // `super::super::` to the top of the crate and down again.
    let levels = source.path.trim_end_matches("/mod.rs").matches('/').count();
    for path in paths(&source.shipped, "super") {
        let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
        used.extend(path.segments.get(ups).filter(|_| ups == levels).map(|module| (module.clone(), path.at)));
    }
    used
}

/// A module uses only modules on lower lines, and none that it is forbidden.
fn layers(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in &tree.sources {
        let Some(module) = source.module() else { continue };
        let Some(line) = line_of_module(module) else {
            failures.push(source.failure(0, format!("`{module}` is on no line: give it one in LINES")));
            continue;
        };
        for (other, at) in used(source) {
            let Some(other_line) = line_of_module(&other) else { continue };
            if other != module && other_line >= line {
                failures.push(source.failure(
                    at,
                    format!(
                        "`{module}` (line {line}) uses `{other}` (line {other_line}), which is not below it"
                    ),
                ));
            }
            let forbidden =
                FORBIDDEN.iter().filter(|rule| rule.who.contains(&module) && rule.what.contains(&&*other));
            let failure = |rule: &Forbidden| {
                source.failure(at, format!("`{module}` may not use `{other}`: {}", rule.why))
            };
            failures.extend(forbidden.map(failure));
        }
    }
    failures
}

/// Crates are named in their places alone.
fn confined(tree: &Tree) -> Vec<String> {
    let sources = tree.sources.iter().filter(|source| source.module().is_some());
    // Tests too: a crate that only they name is still one more place to change.
    sources.flat_map(|source| CRATES.iter().flat_map(|rule| rule.breaches(source, &source.code))).collect()
}

/// Pure modules do no I/O and ask no time.
fn pure(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    let is_pure = |source: &&Source| source.module().is_some_and(|module| PURE.contains(&module));
    for source in tree.sources.iter().filter(is_pure) {
        failures.extend(IMPURE.iter().flat_map(|rule| rule.breaches(source, &source.shipped)));
        for call in IMPURE_CALLS.iter().filter(|_| !source.is_in(LOADER)) {
            let found = places(&source.shipped, call);
            let failure = |at| source.failure(at, format!("`{call}` in a module without I/O and clock"));
            failures.extend(found.map(failure));
        }
    }
    failures
}

/// The spine opens no sockets itself: `upstream` does, and nobody else connects.
fn connects(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in tree.sources.iter().filter(|source| source.module().is_some()) {
        let allowed = source.is_in(&["src/driver/", "src/upstream/"]);
        let found = paths(&source.shipped, "crate").into_iter();
        let found = found.filter(|path| !allowed && path.starts_with("crate::driver::connect"));
        failures.extend(found.map(|path| source.failure(path.at, "only `upstream` opens connections")));
    }
    failures
}

#[test]
fn modules_use_only_what_is_below_them() {
    none("layers", &layers(Tree::here()));
}

#[test]
fn the_layers_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/http/a.rs", "use crate::{telemetry::{bump}, http::name};"),
        (
            "src/table/a.rs",
            "fn f() { crate::proxy::serve() }\n// crate::proxy\nconst S: &str = \"crate::proxy\";",
        ),
        ("src/proxy/a.rs", "use super::super::shard::X;\nuse super::b;"),
        ("src/upstream/mod.rs", "use super::config::X;\nuse crate::{table, driver::*};"),
        ("src/listener/a.rs", "use crate::compile::compile;"),
        ("src/control/a.rs", "use crate::{shard::Handle, upstream::Pool};"),
        ("src/widget/a.rs", ""),
        ("src/main.rs", "use sluicegate::cli::run;"),
        ("src/filter/a.rs", "#[cfg(test)]\nmod tests { use crate::table::X; }"),
    ]);
    each(
        &layers(&tree),
        &[
            "src/http/a.rs:1: `http` (line 0) uses `telemetry` (line 0)",
            "src/table/a.rs:1: `table` (line 4) uses `proxy` (line 6)",
            "src/proxy/a.rs:1: `proxy` (line 6) uses `shard`",
            "src/upstream/mod.rs:1: `upstream` may not use `config`",
            "src/listener/a.rs:1: `listener` may not use `compile`",
            "src/control/a.rs:1: `control` may not use `upstream`",
            "src/widget/a.rs:1: `widget` is on no line",
        ],
    );
}

#[test]
fn crates_are_named_where_they_belong() {
    none("confined", &confined(Tree::here()));
}

#[test]
fn the_confined_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/driver/a.rs", "use monoio::net::TcpStream;\nfn f() { libc::close(1); }"),
        ("src/proxy/a.rs", "/// `monoio::spawn`\nfn f() { monoio::spawn(x) }\nfn g() { libc::close(1); }"),
        ("src/config/load.rs", "use serde_yaml::Value;"),
        ("src/config/yaml/build.rs", "use saphyr_parser::Parser;"),
    ]);
    each(
        &confined(&tree),
        &[
            "src/proxy/a.rs:2: `monoio` outside of src/driver/, src/buffer/",
            "src/proxy/a.rs:3: `libc`",
            "src/config/load.rs:1: `serde_yaml`",
        ],
    );
}

#[test]
fn pure_modules_do_no_io_and_ask_no_time() {
    none("pure", &pure(Tree::here()));
}

#[test]
fn the_pure_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        (
            "src/table/a.rs",
            "use std::{fs, net::{IpAddr, TcpStream}, time::Instant};\nfn f() { Instant::now(); }",
        ),
        ("src/config/load.rs", "use std::fs;\nfn f() { fs::read(path) }"),
        ("src/compile/a.rs", "fn f(now: Instant) { std::thread::spawn(f); start.elapsed(); }"),
        ("src/proxy/a.rs", "fn f() { Instant::now(); }"),
        ("src/http/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }"),
    ]);
    each(
        &pure(&tree),
        &[
            "src/table/a.rs:1: `std::fs` outside of src/config/load.rs: no files",
            "src/table/a.rs:1: `std::net::TcpStream`: no sockets",
            "src/table/a.rs:2: `Instant::now`",
            "src/compile/a.rs:1: `std::thread`",
            "src/compile/a.rs:1: `.elapsed()`",
            "src/compile/a.rs:1: `thread::spawn`",
        ],
    );
}

#[test]
fn only_upstream_opens_connections() {
    none("connects", &connects(Tree::here()));
}

#[test]
fn the_connects_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("src/proxy/a.rs", "use crate::driver::{Deadline, connect};"),
        ("src/upstream/a.rs", "use crate::driver::connect;"),
    ]);
    each(&connects(&tree), &["src/proxy/a.rs:1: only `upstream`"]);
}
