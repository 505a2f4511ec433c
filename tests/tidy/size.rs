//! How long files and functions may be.

use crate::{
    each, none,
    scan::{after_closing, body_of, places},
    tree::Tree,
};

/// Lines of a file of Rust, all of them counted.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function from `fn` to its closing bracket, all of them counted.
const FUNCTION_LINES_MAX: usize = 70;

/// Files are short enough to be read at one sitting.
fn files(tree: &Tree) -> Vec<String> {
    let long = tree.sources.iter().map(|source| (source, source.text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    long.map(|(source, lines)| format!("{}: {lines} lines, at most {FILE_LINES_MAX}", source.path)).collect()
}

/// Functions are short enough to be seen at one glance.
fn functions(tree: &Tree) -> Vec<String> {
    let mut failures = Vec::new();
    for source in &tree.sources {
        for at in places(&source.code, "fn") {
            // `fn(u8)` is a type.
            let name: String = source.code[at + 2..]
                .trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let Some(body) = body_of(&source.code, at).filter(|_| !name.is_empty()) else { continue };
            if !source.code[body..].starts_with('{') {
                continue;
            }
            let lines = 1 + source.code[at..after_closing(&source.code, body)].matches('\n').count();
            if lines > FUNCTION_LINES_MAX {
                failures.push(
                    source.failure(at, format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}")),
                );
            }
        }
    }
    failures
}

#[test]
fn files_are_short() {
    none("files", &files(Tree::here()));
}

#[test]
fn the_files_rule_sees_what_breaks_it() {
    let (long, short) = ("\n".repeat(501), "\n".repeat(500));
    each(&files(&Tree::of(&[("src/a.rs", &long), ("src/b.rs", &short)])), &["src/a.rs: 501 lines"]);
}

#[test]
fn functions_are_short() {
    none("functions", &functions(Tree::here()));
}

#[test]
fn the_functions_rule_sees_what_breaks_it() {
    let function = |name: &str, lines: usize| {
        let tricks = "    let x = (\"}\", '}', r#\"}\"#); // }\n";
        format!(
            "impl A {{\n  fn {name}<'a>(x: [u8; 4], f: fn(u8)) -> B where A: C {{\n{}  }}\n}}\n",
            tricks.repeat(lines - 2)
        )
    };
    let tree = Tree::of(&[
        ("src/a.rs", &function("long", 71)),
        ("src/b.rs", &function("short", 70)),
        ("src/c.rs", "trait T { fn without_body(&self); }\n"),
        ("tests/d.rs", &function("long_test", 100)),
    ]);
    each(&functions(&tree), &["src/a.rs:2: `long` has 71 lines", "tests/d.rs:2: `long_test` has 100 lines"]);
}
