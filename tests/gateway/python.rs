//! Python with packages that are not part of it, in a virtual environment below `target/`.

use super::tools::{has, run};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The interpreter of an environment with these packages, made on first use; says why if there can't be one.
pub(crate) fn with_packages(name: &str, packages: &[&str]) -> Option<PathBuf> {
    if !has("python3") {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/venv");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (ended_well, said) = run(Command::new(script).arg(folder).args(packages), b"");
    let last = said.trim().lines().last().unwrap_or_default();
    if ended_well {
        return Some(last.into());
    }
    println!("skipped: no Python with {}: {last}", packages.join(" and "));
    None
}
