//! That every `mod.rs` says what it is for and lists its files.

use crate::{
    each, none,
    scan::places,
    tree::{Source, Tree},
};
use std::collections::BTreeSet;

/// The modules that a file declares, without those for tests.
fn declared(source: &Source) -> BTreeSet<String> {
    let names = places(&source.shipped, "mod").filter_map(|at| {
        let rest = source.shipped[at + 3..].trim_start();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        rest[name.len()..].trim_start().starts_with(';').then_some(name)
    });
    names.collect()
}

/// The names in the items of the list in a file's opening comment: what is in backticks before the colon.
fn listed(opening: &str) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    for item in opening.split("\n- ").skip(1) {
        let names = item.split_once("`:").map_or("", |(names, _)| names);
        listed.extend(names.split(", ").map(|name| name.trim().trim_matches('`').to_owned()));
    }
    listed
}

/// The comment that a file opens with, without its slashes.
fn opening(source: &Source) -> String {
    let lines = source.text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("\n{}", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// Every `mod.rs` opens with a sentence and lists exactly its files.
fn maps(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in tree.sources.iter().filter(|source| source.path.ends_with("/mod.rs")) {
        let opening = opening(source);
        let sentence = opening.trim_start().split("\n\n").next().unwrap_or_default();
        if !sentence.ends_with(['.', ':']) {
            failures.push(source.failure(0, "does not open with a `//!` sentence"));
        }
        let (declared, listed) = (declared(source), listed(&opening));
        if source.shipped.trim().is_empty() && listed.is_empty() {
            continue; // The tests of a module need no map.
        }
        let unlisted = declared.difference(&listed);
        failures.extend(unlisted.map(|name| source.failure(0, format!("the list lacks `{name}`"))));
        let unknown = listed.difference(&declared);
        failures.extend(
            unknown.map(|name| source.failure(0, format!("the list has `{name}`, which is no module here"))),
        );
    }
    failures
}

/// Every file opens with a sentence on what it is for. The tests of a module, in a file beside it, need none.
fn openings(tree: &Tree) -> Vec<String> {
    let told = |source: &Source| source.text.starts_with("//! ") || source.path.ends_with("/tests.rs");
    let silent = tree.sources.iter().filter(|source| !told(source));
    silent.map(|source| source.failure(0, "does not open with a `//!` sentence")).collect()
}

#[test]
fn every_folder_lists_its_files() {
    none("maps", &maps(Tree::here()));
}

#[test]
fn the_maps_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        (
            "src/a/mod.rs",
            "//! What it does.\n//!\n//! - `b`, `c`:\n//!   both\n//! - `d`: more: of `x`\n\nmod b;\npub mod c;\nmod d;\n#[cfg(test)]\nmod tests;\n",
        ),
        ("src/e/mod.rs", "//! What it does.\n//!\n//! - `f`: one\n\nmod g;\n"),
        ("src/h/mod.rs", "mod i;\n"),
        ("src/j/mod.rs", "//! No files of its own.\n\nmod tests {}\n"),
    ]);
    each(
        &maps(&tree),
        &[
            "src/e/mod.rs:1: the list lacks `g`",
            "src/e/mod.rs:1: the list has `f`",
            "src/h/mod.rs:1: does not open",
            "src/h/mod.rs:1: the list lacks `i`",
        ],
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    none("openings", &openings(Tree::here()));
}

#[test]
fn the_openings_rule_sees_what_breaks_it() {
    let tree =
        Tree::of(&[("src/a.rs", "//! Yes.\n"), ("src/b.rs", "use std::fs;\n"), ("src/b/tests.rs", "")]);
    each(&openings(&tree), &["src/b.rs:1"]);
}
