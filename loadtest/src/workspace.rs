//! The project around this tool: its folders, the gateway's build, the revision that is measured.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::error::{During, Error, Result};
use crate::process::Interrupt;

/// Where the project is, and the one folder into which this tool writes.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    /// `target/loadtest`, kept between runs.
    pub(crate) folder: PathBuf,
    /// `target/loadtest/run`, made anew for each run: configurations, logs, what the origin serves.
    pub(crate) run: PathBuf,
    // Held while this tool runs: two at once would spoil each other's figures.
    _lock: File,
}

impl Workspace {
    /// Asks cargo where things are, and makes the folder of this run.
    pub(crate) fn open() -> Result<Workspace> {
        let (root, target) = ask_cargo()?;
        let folder = target.join("loadtest");
        fs::create_dir_all(&folder).during(|| format!("creating {}", folder.display()))?;
        let lock = lock(&folder.join("lock"))?;
        let run = folder.join("run");
        if run.exists() {
            fs::remove_dir_all(&run).during(|| format!("emptying {}", run.display()))?;
        }
        for part in ["logs", "www", "tmp"] {
            let part = run.join(part);
            fs::create_dir_all(&part).during(|| format!("creating {}", part.display()))?;
        }
        Ok(Workspace { root, target, folder, run, _lock: lock })
    }

    /// A text in which the project's folder is `.`.
    pub(crate) fn without_root(&self, text: &str) -> String {
        text.replace(&self.root.display().to_string(), ".")
    }

    /// Where the program called `name` in this run says what it has to say.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.run.join("logs").join(format!("{name}.log"))
    }

    /// Writes a file of this run and returns its path.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.run.join(name);
        fs::write(&path, content).during(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Builds the gateway as it is released, cargo's words going to the person.
    pub(crate) fn build_gateway(&self, interrupt: &Interrupt) -> Result<PathBuf> {
        let manifest = self.root.join("Cargo.toml");
        let mut build = Command::new(cargo());
        build
            .args(["build", "--release", "-p", "sluicegate", "--bin", "sluicegate", "--manifest-path"])
            .arg(manifest);
        eprintln!("loadtest: cargo build --release -p sluicegate");
        let status = build.status().during(|| "starting cargo".to_owned())?;
        interrupt.check()?;
        if !status.success() {
            return Err(Error::failed("the gateway does not build, see above"));
        }
        let binary = self.target.join("release").join("sluicegate");
        if !binary.is_file() {
            return Err(Error::Failed(format!(
                "cargo built the gateway, but {} is not there",
                binary.display()
            )));
        }
        Ok(binary)
    }

    /// The commit of the source, with a word if it has been changed since.
    pub(crate) fn revision(&self) -> Option<String> {
        let git = |words: &[&str]| {
            let output = Command::new("git").arg("-C").arg(&self.root).args(words).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = git(&["rev-parse", "--short", "HEAD"])?;
        let changed =
            git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|list| !list.is_empty());
        Some(if changed { format!("{commit} with changes") } else { commit })
    }
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn ask_cargo() -> Result<(PathBuf, PathBuf)> {
    let mut command = Command::new(cargo());
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = command.output().during(|| "starting cargo".to_owned())?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Failed(format!(
            "run this inside the project's folder; cargo metadata says:\n{complaint}"
        )));
    }
    let (root, target) = parse_metadata(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Error::failed("cargo metadata does not name its folders"))?;
    if !root.join("loadtest").is_dir() {
        return Err(Error::Failed(format!(
            "run this inside the project's folder: {} is another",
            root.display()
        )));
    }
    Ok((root, target))
}

fn parse_metadata(text: &str) -> Option<(PathBuf, PathBuf)> {
    let metadata: Value = serde_json::from_str(text).ok()?;
    let path = |key: &str| metadata.get(key)?.as_str().map(PathBuf::from);
    Some((path("workspace_root")?, path("target_directory")?))
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).during(|| format!("creating {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Failed(format!("another loadtest is running: it holds {}", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(Error::Failed(format!("locking {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_folders_from_cargo() {
        let text = r#"{"packages":[],"workspace_root":"/a b","target_directory":"/a b/target","version":1}"#;
        assert_eq!(parse_metadata(text), Some(("/a b".into(), "/a b/target".into())));
        assert_eq!(parse_metadata("{}"), None);
        assert_eq!(parse_metadata("not json"), None);
    }
}
