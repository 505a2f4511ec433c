//! Rules about the sources that no compiler holds: this test reads them and says what breaks one.
//!
//! - `tree`: the files, read once
//! - `scan`: what of a Rust file is code, what is comment, and what is only for tests
//! - `paths`: the paths that code names
//! - `layers`: which module may use which, and which crate or part of the standard library
//! - `calls`: what may not be called on the data plane and in tests, and what may panic
//! - `unsafety`: which files may hold `unsafe`, and that each says why it is sound
//! - `size`: how long files and functions may be
//! - `maps`: that every `mod.rs` says what it is for and lists its files
//! - `text`: blanks, places on somebody's machine, unfinished work
//!
//! A rule is a function from a [`tree::Tree`] to a list of failures. Each has two tests: the sources keep it, and it
//! sees what breaks it.

mod calls;
mod layers;
mod maps;
mod paths;
mod scan;
mod size;
mod text;
mod tree;
mod unsafety;

/// Fails with every failure on a line of its own.
fn none(rule: &str, failures: &[String]) {
    assert!(failures.is_empty(), "{rule}: {} failures\n  {}\n", failures.len(), failures.join("\n  "));
}

/// Fails unless there is exactly one failure for each of these, in this order, and it has these words in it.
fn each(failures: &[String], expected: &[&str]) {
    let found = failures.iter().zip(expected).all(|(failure, words)| failure.contains(words));
    assert!(found && failures.len() == expected.len(), "expected {expected:#?}, got {failures:#?}");
}
