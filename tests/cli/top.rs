//! `sluicegate top` in a terminal: the program beside this that plays terminal and gateway.

use std::{path::Path, process::Command};

#[test]
fn in_a_terminal_and_without_one() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/top.py");
    let mut command = Command::new("python3");
    // Nothing is to be left beside the scripts.
    command.arg(script).arg(env!("CARGO_BIN_EXE_sluicegate")).env("PYTHONDONTWRITEBYTECODE", "1");
    let Ok(output) = command.output() else {
        println!("skipped: python3 is missing: a terminal for `top`");
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.contains(" passed, 0 failed"), "{said}");
}
