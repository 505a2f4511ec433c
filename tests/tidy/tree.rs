//! The files, read once.

use crate::scan::{self, Scanned};
use std::{collections::HashSet, fs, io, path::Path, sync::OnceLock};

/// A file of Rust.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// As written.
    pub(crate) text: String,
    /// Without comments and what strings hold; same length.
    pub(crate) code: String,
    /// Comments alone; same length.
    pub(crate) comments: String,
    /// [`Self::code`] without what is only for tests; same length.
    pub(crate) shipped: String,
}

impl Source {
    /// The module at the top of the crate that a file of `src/` belongs to; nothing for other files.
    pub(crate) fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        Some(rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs"))
    }

    /// Whether it is one of these files, or in one of these folders (which end with `/`).
    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| match place.strip_suffix('/') {
            Some(_) => self.path.starts_with(place),
            None => self.path == *place,
        })
    }

    /// A failure at a place of the text.
    pub(crate) fn failure(&self, at: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, scan::line_of(&self.text, at))
    }
}

/// All files of the repository that a rule may look at.
pub(crate) struct Tree {
    /// The files of Rust, in the order of their paths.
    pub(crate) sources: Vec<Source>,
    /// Every file that is text, with its path: the files of Rust too.
    pub(crate) texts: Vec<(String, String)>,
}

impl Tree {
    /// This repository.
    pub(crate) fn here() -> &'static Tree {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut files = Vec::new();
            let read = read(root, "", &mut files);
            assert!(read.is_ok(), "{}: {read:?}", root.display());
            files.sort();
            assert!(files.iter().any(|(path, _)| path == "src/lib.rs"), "no sources in {}", root.display());
            Tree::new(files)
        })
    }

    /// A repository of these files: a path and a text each.
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn new(texts: Vec<(String, String)>) -> Tree {
        let rust = texts.iter().filter(|(path, _)| path.ends_with(".rs"));
        let mut sources: Vec<Source> = rust.map(|(path, text)| source(path, text)).collect();
        let test_modules: HashSet<String> = sources.iter().flat_map(test_modules).collect();
        for source in &mut sources {
            if is_test(&source.path, &test_modules) {
                source.shipped = blank(&source.shipped);
            }
        }
        Tree { sources, texts }
    }
}

fn source(path: &str, text: &str) -> Source {
    let Scanned { code, comments } = scan::scan(text);
    let mut shipped = code.clone();
    for range in scan::test_items(&code) {
        let empty = blank(&code[range.clone()]);
        shipped.replace_range(range, &empty);
    }
    Source { path: path.to_owned(), text: text.to_owned(), code, comments, shipped }
}

/// Spaces and line ends.
fn blank(code: &str) -> String {
    code.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// The paths, without `.rs`, of the modules that this file has only for tests.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = source.path.trim_end_matches(".rs");
    let folder = folder.strip_suffix("/mod").or_else(|| folder.strip_suffix("/lib")).unwrap_or(folder);
    let items = scan::test_items(&source.code).into_iter().map(|range| &source.code[range]);
    let names = items.filter_map(|item| item.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name));
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// Whether a file, or a folder that it is in, is only for tests.
fn is_test(path: &str, test_modules: &HashSet<String>) -> bool {
    let path = path.trim_end_matches(".rs");
    path.starts_with("tests/")
        || path.starts_with("benches/")
        || path.contains("/tests/")
        || (0..=path.len()).any(|end| {
            path.get(..end).is_some_and(|part| test_modules.contains(part))
                && path.get(end..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Reads the files below a folder that are text. What is built and what belongs to git is no source.
fn read(root: &Path, below: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !matches!(&*name, "target" | ".git" | "__pycache__") {
            read(root, &path, files)?;
        } else if kind.is_file() && name != ".git" {
            // What is not UTF-8 is no text.
            files.extend(fs::read_to_string(entry.path()).ok().map(|text| (path, text)));
        }
    }
    Ok(())
}

#[test]
fn what_is_only_for_tests_is_not_shipped() {
    let tree = Tree::of(&[
        ("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod support;\nfn shipped() {}\n"),
        ("src/a/support.rs", "fn helper() {}"),
        ("src/a/b.rs", "fn shipped() {}\n#[cfg(test)]\nmod tests;\n"),
        ("src/a/b/tests.rs", "fn test() {}"),
        ("src/a/b/tests/more.rs", "fn test() {}"),
        ("src/a/supported.rs", "fn shipped() {}"),
    ]);
    for source in &tree.sources {
        let shipped = source.shipped.contains("fn shipped");
        assert_eq!(shipped, source.text.contains("shipped"), "{}", source.path);
        assert!(shipped || source.shipped.trim().is_empty(), "{}", source.path);
    }
}
