//! Runs the program.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// What it wrote, and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    run_with_input(arguments, "")
}

/// As `run`, with something on its standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Ended {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The program with these arguments, its output in pipes, and none of this process's settings for it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SLUICEGATE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // As `cargo run` calls it: messages name files as they were given.
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

impl Ended {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "it wrote:\n{}\nand complained:\n{}", self.out, self.err);
        self
    }

    /// Fails unless all of these are on standard output.
    #[track_caller]
    pub(crate) fn tells(self, fragments: &[&str]) -> Ended {
        contains(&self.out, fragments);
        self
    }

    /// Fails unless all of these are on standard error.
    #[track_caller]
    pub(crate) fn complains(self, fragments: &[&str]) -> Ended {
        contains(&self.err, fragments);
        self
    }
}

#[track_caller]
pub(crate) fn contains(text: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in:\n{text}");
    }
}

/// A directory with files, gone when it is dropped.
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Files {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("sluicegate-cli-test-{}-{number}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), text).unwrap();
        }
        Files(directory)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
