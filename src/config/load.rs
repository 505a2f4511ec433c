//! Files to [`Resources`]: the only place of `config` that reads them.

use super::{
    Diagnostic,
    parse::{FILE_BYTES_MAX, parse},
    resources::Resources,
};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
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
    /// Standard input, which was read: it can be read once only.
    Kept(Arc<[u8]>),
}

impl Input {
    /// As on the command line: `-` is standard input.
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == "-" { Input::Stdin } else { Input::Path(argument.to_owned()) }
    }

    /// The same, to be read as often as one likes.
    pub fn kept(self) -> Self {
        match self {
            // What can't be read is told whenever it is to be read.
            Input::Stdin => {
                read(io::stdin().lock(), 0).map_or(Input::Stdin, |bytes| Input::Kept(bytes.into()))
            }
            other => other,
        }
    }
}

/// What inputs have in them.
#[derive(Debug, Default)]
pub struct Contents {
    /// The name of each file, and its content.
    files: Files,
    /// What could not be read.
    problems: Vec<Diagnostic>,
    /// Directories, of the inputs, without a file of a configuration.
    empty: Vec<PathBuf>,
}

impl Contents {
    /// Reads everything. A file that can't be read is an error among the others.
    pub fn read(inputs: &[Input]) -> Contents {
        let mut all = Contents::default();
        for input in inputs {
            match input {
                Input::Stdin => all.keep("<stdin>", read(io::stdin().lock(), 0)),
                Input::Kept(bytes) => all.keep("<stdin>", Ok(bytes.to_vec())),
                Input::Path(path) if path.is_dir() => read_directory(path, &mut all),
                Input::Path(path) => all.file(path),
            }
        }
        all
    }

    /// The files with their sizes, in the order in which they were read.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.len()))
    }

    /// Directories, of the inputs, without a file of a configuration.
    pub fn empty(&self) -> &[PathBuf] {
        &self.empty
    }

    /// A number that is another one when anything is another thing, for as long as this process lives.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.files.hash(&mut hasher);
        self.problems.iter().for_each(|problem| problem.message.hash(&mut hasher));
        hasher.finish()
    }

    /// What is written there.
    pub fn parse(self) -> (Resources, Vec<Diagnostic>) {
        let Contents { files, mut problems, .. } = self;
        let (resources, diagnostics) = parse(files);
        problems.extend(diagnostics);
        (resources, problems)
    }

    fn file(&mut self, path: &Path) {
        // What says no size, such as a pipe, is read all the same.
        let all = |file: fs::File| {
            let size = file.metadata().map_or(0, |about| about.len());
            read(file, size)
        };
        self.keep(&path.display().to_string(), fs::File::open(path).and_then(all));
    }

    fn keep(&mut self, name: &str, bytes: io::Result<Vec<u8>>) {
        match bytes {
            Ok(bytes) => self.files.push((name.to_owned(), bytes)),
            Err(error) => self.problems.push(unreadable(name, &error)),
        }
    }
}

/// Reads everything, and what is written there. A file that can't be read is an error among the others.
pub fn load(inputs: &[Input]) -> (Resources, Vec<Diagnostic>) {
    Contents::read(inputs).parse()
}

type Files = Vec<(String, Vec<u8>)>;

fn read_directory(path: &Path, all: &mut Contents) {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return all.problems.push(unreadable(&path.display().to_string(), &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) if is_configuration(&entry.path()) => paths.push(entry.path()),
            Ok(_) => {}
            Err(error) => all.problems.push(unreadable(&path.display().to_string(), &error)),
        }
    }
    if paths.is_empty() {
        let message = format!("the directory `{}` has no *.yaml or *.yml", path.display());
        all.problems.push(Diagnostic::warning("no-files", message));
        all.empty.push(path.to_owned());
    }
    if paths.len() > FILES_MAX {
        let message = format!("the directory `{}` has more than {FILES_MAX} files", path.display());
        return all.problems.push(Diagnostic::error("too-many-files", message));
    }
    paths.sort();
    for path in paths {
        all.file(&path);
    }
}

/// What a directory's files are called. Editors' and Kubernetes' hidden ones are not meant.
fn is_configuration(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    is_yaml && !is_hidden && !path.is_dir()
}

/// Reads no more than what shows that a file is too large. There is room for `expected` bytes at once, if that is not too much:
/// what is large would be moved several times otherwise.
fn read(reader: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected.min(FILE_BYTES_MAX as u64) as usize);
    reader.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::error("unreadable-file", format!("`{name}` can't be read: {error}"))
}
