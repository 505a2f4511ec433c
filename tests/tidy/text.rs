//! Blanks, places on somebody's machine, unfinished work.

use crate::{
    each, none,
    scan::places,
    tree::{Source, Tree},
};

/// Directories of one machine: nobody else has them. In pieces, or this file would break the rule.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
/// Where packages come from is the business of whoever builds.
const REGISTRIES: &[&str] = &[
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("pypi", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("registry-1.docker", ".io"),
    concat!("deb.debian", ".org"),
    concat!("proxy.golang", ".org"),
];
/// Words for unfinished work: it is finished, or refused with an error, or in an issue.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Written by a program.
const GENERATED: &[&str] = &["Cargo.lock"];

/// The lines of the files that people write: path, number from 1, text.
fn lines(tree: &Tree) -> impl Iterator<Item = (&str, usize, &str)> {
    let written = tree.texts.iter().filter(|(path, _)| !GENERATED.contains(&&**path));
    written.flat_map(|(path, text)| text.split('\n').enumerate().map(move |(n, line)| (&**path, n + 1, line)))
}

/// No blanks at the ends of lines, no tabs, one line end at the end.
fn blanks(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for (path, number, line) in lines(tree) {
        if line.ends_with([' ', '\t', '\r']) {
            failures.push(format!("{path}:{number}: blanks at the end of the line"));
        } else if line.contains('\t') {
            failures.push(format!("{path}:{number}: a tab"));
        }
    }
    for (path, text) in &tree.texts {
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            failures.push(format!("{path}: does not end with one line end"));
        }
    }
    failures
}

/// The project works and is built anywhere.
fn places_of_one_machine(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for (path, number, line) in lines(tree) {
        let found = MACHINE_PATHS
            .iter()
            .filter(|what| line.match_indices(**what).any(|(at, _)| begins_path(line, at)));
        failures.extend(found.map(|what| format!("{path}:{number}: `{what}` is a place on one machine")));
        let found = REGISTRIES.iter().filter(|what| line.contains(**what));
        failures.extend(
            found.map(|what| {
                format!("{path}:{number}: `{what}`: where packages come from is not ours to say")
            }),
        );
    }
    failures
}

/// Whether a slash begins a path: no name is before it.
fn begins_path(line: &str, at: usize) -> bool {
    !line[..at]
        .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '}' | '*' | '~'))
}

/// No unfinished work, and no test that does not run.
fn unfinished(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for (path, number, line) in lines(tree) {
        let found = UNFINISHED.iter().filter(|what| places(line, what).next().is_some());
        failures.extend(found.map(|what| format!("{path}:{number}: `{what}`")));
    }
    for source in &tree.sources {
        let found = places(&source.code, "ignore").filter(|at| source.code[..*at].trim_end().ends_with("#["));
        failures.extend(found.map(|at| source.failure(at, "a test that does not run")));
    }
    failures
}

/// Words name symbols: the numbers of lines change with every edit.
fn line_numbers(tree: &Tree) -> Vec<String> {
    let number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let cites = |line: &str| {
        line.match_indices(".rs:").any(|(at, found)| number(&line[at + found.len()..]))
            || ["line ", "lines "].iter().any(|word| {
                places(line, word).any(|at| {
                    let rest = &line[at + word.len()..];
                    let after =
                        rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | ','));
                    number(rest) && after.starts_with(" of ")
                })
            })
    };
    let comments = |source: &Source| {
        let lines = source.comments.lines().enumerate().filter(|(_, line)| cites(line));
        lines
            .map(|(n, _)| format!("{}:{}: a line number in a comment", source.path, n + 1))
            .collect::<Vec<_>>()
    };
    let mut failures: Vec<String> = tree.sources.iter().flat_map(comments).collect();
    let prose = lines(tree).filter(|(path, _, line)| path.ends_with(".md") && cites(line));
    failures.extend(prose.map(|(path, number, _)| format!("{path}:{number}: a line number in prose")));
    failures
}

#[test]
fn lines_hold_no_stray_blanks() {
    none("blanks", &blanks(Tree::here()));
}

#[test]
fn the_blanks_rule_sees_what_breaks_it() {
    let tree = Tree::of(&[
        ("a.md", "good\nbad \n\tbad\nbad\r\n"),
        ("b.md", "no end"),
        ("c.md", "two\n\n"),
        ("d.md", ""),
    ]);
    each(
        &blanks(&tree),
        &["a.md:2: blanks", "a.md:3: a tab", "a.md:4: blanks", "b.md: does not", "c.md: does not"],
    );
}

#[test]
fn nothing_names_a_place_on_one_machine() {
    none("places_of_one_machine", &places_of_one_machine(Tree::here()));
}

#[test]
fn the_machine_rule_sees_what_breaks_it() {
    let (home, registry) = (MACHINE_PATHS[2], REGISTRIES[0]);
    let text = format!("in {home}somebody\nhttp://example.com{home}page\nfrom {registry}\n");
    each(&places_of_one_machine(&Tree::of(&[("a.md", &text)])), &["a.md:1: `/h", "a.md:3: `index"]);
}

#[test]
fn nothing_is_unfinished() {
    none("unfinished", &unfinished(Tree::here()));
}

#[test]
fn the_unfinished_rule_sees_what_breaks_it() {
    let text =
        format!("// {}: later\n// mktemp {}XX\n#[ignore]\nfn f() {{}}\n", UNFINISHED[0], UNFINISHED[2]);
    each(&unfinished(&Tree::of(&[("src/a.rs", &text)])), &["src/a.rs:1: `TO", "src/a.rs:3: a test"]);
}

#[test]
fn words_name_symbols_not_lines() {
    none("line_numbers", &line_numbers(Tree::here()));
}

#[test]
fn the_line_numbers_rule_sees_what_breaks_it() {
    let bad = "// see line 12 of it\n// x.rs:7\n// one line of it, and line 3\nlet x = \"line 5 of\";\n";
    let tree = Tree::of(&[("src/a.rs", bad), ("a.md", "lines 3-7 of the file\n")]);
    each(&line_numbers(&tree), &["src/a.rs:1", "src/a.rs:2", "a.md:1"]);
}
