//! Which file is run again, and with what.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process,
};

/// The program as it was started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where the file is that is run: what is there when the upgrade begins.
    pub(super) file: PathBuf,
    /// All arguments but the first.
    pub(super) arguments: Vec<OsString>,
    /// Where it was started: paths of the arguments are meant from there.
    pub(super) directory: Option<PathBuf>,
}

impl Program {
    /// This process's. Call it at the start, while the file is still the one that was started.
    pub fn this() -> Program {
        let mut arguments = env::args_os();
        let name = arguments.next().unwrap_or_default();
        let running = env::current_exe().unwrap_or_default();
        let file = named(&name).filter(|named| is_same(named, &running)).unwrap_or(running);
        Program { file, arguments: arguments.collect(), directory: env::current_dir().ok() }
    }

    /// Why it can't be run again.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        // The container, or the system, ends with its first process.
        if process::id() == 1 {
            return Some(
                "this is process 1, and its container ends with it: start a container with the new version instead",
            );
        }
        if self.arguments.first().is_none_or(|first| first != "run") {
            return Some("only `sluicegate run` can be upgraded");
        }
        let reads_input = |pair: &[OsString]| matches!(pair, [option, value] if (option == "-c" || option == "--config") && value == "-");
        let joined =
            |argument: &OsString| argument == "-c-" || argument == "-c=-" || argument == "--config=-";
        let from_environment = env::var_os("SLUICEGATE_CONFIG").is_some_and(|value| value == "-");
        let reads_input = self.arguments.windows(2).any(reads_input) || self.arguments.iter().any(joined);
        (reads_input || from_environment)
            .then_some("the configuration came from standard input, which can't be read again")
    }
}

/// The file that the first argument names, as a shell finds it: it may be a link, and links are what installers change.
fn named(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return std::path::absolute(Path::new(name)).ok();
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn is_same(named: &Path, running: &Path) -> bool {
    fs::canonicalize(named).is_ok_and(|named| named == running)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(arguments: &[&str]) -> Program {
        let arguments = arguments.iter().map(OsString::from).collect();
        Program { file: PathBuf::new(), arguments, directory: None }
    }

    #[test]
    fn what_can_not_be_run_again_is_refused() {
        assert_eq!(program(&["run", "-c", "a", "--config", "b"]).refusal(), None);
        for wrong in [&["run", "-c", "-"][..], &["run", "--config=-"], &["run", "-c-"], &["demo"], &[]] {
            assert!(program(wrong).refusal().is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn the_file_of_this_process_is_found() {
        assert!(is_same(&Program::this().file, &env::current_exe().unwrap()));
        assert_eq!(named(OsStr::new("/a/b")), Some(PathBuf::from("/a/b")));
        assert_eq!(named(OsStr::new("no-such-program-anywhere")), None);
    }
}
