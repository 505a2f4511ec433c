//! Builds the cases of `benches/instructions`, runs them under callgrind, and reads the counts.

use crate::baseline::Counts;
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What was counted, and what valgrind's CPU has.
pub(crate) struct Taken {
    pub(crate) counts: Counts,
    pub(crate) cpu: String,
}

/// Whether there is a valgrind.
pub(crate) fn valgrind() -> Result<(), String> {
    let run = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match run {
        Ok(status) if status.success() => Ok(()),
        _ => Err("valgrind is missing: instructions are not counted".to_owned()),
    }
}

/// Counts every case. Panics where that does not work: whoever has valgrind wants to know.
pub(crate) fn take() -> Taken {
    let folder = target().join("instructions");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let said = count(&build(), &folder);
    let mut taken = Taken { counts: Counts::new(), cpu: String::new() };
    let mut passes = 0;
    for line in said.lines() {
        if let Some(cpu) = line.strip_prefix("# cpu ") {
            taken.cpu = cpu.to_owned();
            continue;
        }
        let (name, rounds) = line.split_once(' ').unwrap_or_else(|| panic!("no case and rounds: {line:?}"));
        // The first pass of each case makes memory warm.
        passes += 2;
        let profile = folder.join(format!("{name}.callgrind"));
        let written = folder.join(format!("passes.{passes}"));
        fs::rename(&written, &profile).unwrap_or_else(|error| panic!("{}: {error}", written.display()));
        let total = total(&fs::read_to_string(&profile).unwrap());
        let count = total as f64 / rounds.parse::<f64>().unwrap();
        let before = taken.counts.insert(name.to_owned(), (count * 10.0).round() / 10.0);
        assert!(before.is_none(), "two cases are named {name}");
    }
    assert!(passes > 0 && !folder.join(format!("passes.{}", passes + 1)).exists(), "passes without a case");
    taken
}

/// Builds with the profile, the features and the flags of the gateway itself, so that one build serves both.
fn build() -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--package", "instructions"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(target());
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "benches/instructions: cargo build: {}", output.status);
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable =
        built.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?))).next_back();
    executable.unwrap()
}

/// Runs all cases in one process, which writes a file for each pass, and gives what it said.
fn count(program: &Path, folder: &Path) -> String {
    let (place, name) = (program.parent().unwrap(), program.file_name().unwrap().to_string_lossy());
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--toggle-collect=*harness::counted*"]);
    valgrind.args(["--dump-after=*harness::pass_ends*", "--dump-line=no"]);
    valgrind
        .arg(format!("--callgrind-out-file={}", folder.join("passes").display()))
        .arg(format!("./{name}"));
    // The environment and the program's own name are on its stack, and move everything there.
    let kept = ["PATH", "VALGRIND_LIB"].into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let kept: Vec<_> = kept.collect();
    let output = valgrind.env_clear().envs(kept).current_dir(place).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "valgrind: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The instructions of a file of callgrind's.
fn total(profile: &str) -> u64 {
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).unwrap_or_else(|| panic!("no totals: {profile:.500}"))
}

/// Cargo's target folder, whatever it is called.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

#[test]
fn the_total_of_a_profile_is_read() {
    assert_eq!(total("version: 1\npart: 2\nevents: Ir\nfn=(1) a\n0 7\n\ntotals: 4711\n"), 4711);
}
