//! Completions, the manual page, versions, wrong usage.

use crate::program::{contains, run};

const SUBCOMMANDS: &[&str] = &[
    "run",
    "check",
    "explain",
    "routes",
    "doctor",
    "demo",
    "reload",
    "upgrade",
    "drain",
    "status",
    "log-level",
    "completions",
    "man",
];

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish"] {
        run(&["completions", shell]).with(0).tells(SUBCOMMANDS).tells(&["sluicegate", "port-map"]);
    }
    run(&["completions", "cmd.exe"]).with(2).complains(&["cmd.exe"]);
}

#[test]
fn the_manual_page_has_every_subcommand() {
    let page = run(&["man"]).with(0).out;
    assert!(page.contains(".TH sluicegate 8"), "{page}");
    for subcommand in SUBCOMMANDS {
        contains(&page, &[&format!(".SH \"SLUICEGATE {}\"\n", subcommand.to_uppercase())]);
    }
    contains(&page, &["\\-\\-deny\\-warnings", "\\-\\-port\\-map", "Exit codes: 0 good"]);
    // What is not known to troff begins no line.
    let requests = page.lines().filter(|line| line.starts_with(['.', '\'']));
    let known =
        [".TH ", ".SH ", ".SS ", ".TP", ".br", ".ie ", ".el ", ".RS ", ".RE", ".IP ", ".PP", ".nf", ".fi"];
    for request in requests {
        assert!(known.iter().any(|known| request.starts_with(known)), "{request}");
    }
}

#[test]
fn the_version() {
    let version = env!("CARGO_PKG_VERSION");
    run(&["--version"]).with(0).tells(&[&format!("sluicegate {version}\n"), "io_uring", "epoll"]);
    assert_eq!(run(&["-V"]).with(0).out, format!("sluicegate {version}\n"));
    run(&["check", "-V"]).with(0).tells(&[version]);
}

#[test]
fn help_has_every_subcommand() {
    run(&["--help"]).with(0).tells(SUBCOMMANDS);
    for subcommand in SUBCOMMANDS {
        run(&[subcommand, "--help"]).with(0).tells(&["Usage: sluicegate "]);
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &[][..],
        &["serve"],
        &["check"],
        &["check", "a.yaml", "--format", "xml"],
        &["run"],
        &["run", "-c", "a.yaml", "--workers", "0"],
        &["explain", "-c", "a.yaml"],
        &["routes"],
        &["demo", "--port", "70000"],
        &["completions"],
    ] {
        let ended = run(arguments).with(2);
        assert!(ended.err.contains("Usage:") || ended.err.contains("--help"), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn errors_end_with_1() {
    run(&["check", "none.yaml"]).with(1).complains(&["none.yaml"]);
    run(&["run", "-c", "none.yaml", "--admin", "off", "--status", "off"]).with(1).complains(&["none.yaml"]);
}
