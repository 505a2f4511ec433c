//! Python with packages that are not part of it, in a virtual environment below `target/`.

use super::tools::{has, run_within};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// No program of cases takes so long unless something is broken; on a machine with other work, the longest take a minute.
pub(crate) const CASES_PATIENCE: Duration = Duration::from_secs(240);

/// The interpreter of an environment with these packages, made on first use; says why if there can't be one.
pub(crate) fn with_packages(name: &str, packages: &[&str]) -> Option<PathBuf> {
    if !has("python3") {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/venv");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (ended_well, said) = run_within(Command::new(script).arg(folder).args(packages), b"", CASES_PATIENCE);
    let last = said.trim().lines().last().unwrap_or_default();
    if ended_well {
        return Some(last.into());
    }
    println!("skipped: no Python with {}: {last}", packages.join(" and "));
    None
}

/// Runs a program of cases to its end: all of them have to pass. Returns what it said; nothing, if there is no Python with
/// these packages. The script is named from `tests` on.
pub(crate) fn cases<S: AsRef<OsStr>>(
    environment: &str,
    packages: &[&str],
    script: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Option<String> {
    let python = with_packages(environment, packages)?;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script)).args(arguments);
    // Nothing is to be left beside the scripts.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    // One that does not end tells where it waits when it is aborted.
    command.env("PYTHONFAULTHANDLER", "1");
    Some(run_cases(command, script))
}

/// Runs a program of cases, whatever it is written in.
pub(crate) fn run_cases(mut command: Command, script: &str) -> String {
    let (ended_well, said) = run_within(&mut command, b"", CASES_PATIENCE);
    // Programs name what they can't do as tests do.
    said.lines().filter(|line| line.starts_with("skipped: ")).for_each(|line| println!("{line}"));
    assert!(ended_well && said.contains(" passed, 0 failed"), "{script}:\n{said}");
    said
}
