//! Files to [`Resources`]: the only place of `config` that reads them.

use super::{
    Diagnostic,
    parse::{FILE_BYTES_MAX, parse},
    resources::Resources,
};
use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

/// The most files in one directory. More is a wrong directory.
const FILES_MAX: usize = 20_000;

/// Where configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, or a directory: all its `*.yaml` and `*.yml`, by name, without the directories in it.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// As on the command line: `-` is standard input.
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == "-" { Input::Stdin } else { Input::Path(argument.to_owned()) }
    }
}

/// Reads everything. A file that can't be read is an error among the others.
pub fn load(inputs: &[Input]) -> (Resources, Vec<Diagnostic>) {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for input in inputs {
        match input {
            Input::Stdin => keep("<stdin>", read(io::stdin().lock()), &mut files, &mut problems),
            Input::Path(path) if path.is_dir() => read_directory(path, &mut files, &mut problems),
            Input::Path(path) => read_file(path, &mut files, &mut problems),
        }
    }
    let (resources, diagnostics) = parse(files);
    problems.extend(diagnostics);
    (resources, problems)
}

type Files = Vec<(String, Vec<u8>)>;

fn read_directory(path: &Path, files: &mut Files, problems: &mut Vec<Diagnostic>) {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return problems.push(unreadable(&path.display().to_string(), &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) if is_configuration(&entry.path()) => paths.push(entry.path()),
            Ok(_) => {}
            Err(error) => problems.push(unreadable(&path.display().to_string(), &error)),
        }
    }
    if paths.is_empty() {
        let message = format!("the directory `{}` has no *.yaml or *.yml", path.display());
        problems.push(Diagnostic::warning("no-files", message));
    }
    if paths.len() > FILES_MAX {
        let message = format!("the directory `{}` has more than {FILES_MAX} files", path.display());
        return problems.push(Diagnostic::error("too-many-files", message));
    }
    paths.sort();
    for path in paths {
        read_file(&path, files, problems);
    }
}

/// What a directory's files are called. Editors' and Kubernetes' hidden ones are not meant.
fn is_configuration(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    is_yaml && !is_hidden && !path.is_dir()
}

fn read_file(path: &Path, files: &mut Files, problems: &mut Vec<Diagnostic>) {
    keep(&path.display().to_string(), fs::File::open(path).and_then(read), files, problems);
}

fn keep(name: &str, bytes: io::Result<Vec<u8>>, files: &mut Files, problems: &mut Vec<Diagnostic>) {
    match bytes {
        Ok(bytes) => files.push((name.to_owned(), bytes)),
        Err(error) => problems.push(unreadable(name, &error)),
    }
}

/// Reads no more than what shows that a file is too large.
fn read(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::error("unreadable-file", format!("`{name}` can't be read: {error}"))
}
