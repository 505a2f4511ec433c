//! The command line: exit codes and what is said.

use super::harness::{Gateway, answering, run};

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [&["run"][..], &[], &["run", "-c", "a", "--workers", "none"], &["walk"]] {
        let (code, _, said) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains("--help") || said.contains("Usage:"), "{said}");
    }
}

#[test]
fn help_and_version_are_good() {
    let version = format!("sluicegate {}\n", env!("CARGO_PKG_VERSION"));
    assert!(run(&["--version"]).1.starts_with(&version));
    let (code, help, _) = run(&["run", "--help"]);
    assert_eq!(code, Some(0));
    let options = [
        "--config",
        "--workers",
        "--cpus",
        "--labels",
        "--namespace",
        "--port-map",
        "--driver",
        "--admin",
        "--status",
        "--log-level",
        "--gateway",
        "--access-log",
        "--drain-time",
        "--resolver",
    ];
    for option in options {
        assert!(help.contains(option), "no {option}: {help}");
    }
}

#[test]
fn a_cpu_outside_of_the_mask_is_wrong_usage_and_the_mask_is_named() {
    let (code, _, said) = run(&["run", "-c", "a", "--cpus", "1023"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("this process may not run on 1023; it may run on "), "{said}");
}

#[test]
fn an_error_in_the_configuration_is_exit_code_1_with_its_place_and_nothing_starts() {
    let broken = answering("hi").replace("protocol: HTTP", "protocol: HTTP, colour: red");
    let ended = Gateway::try_start(&[80], &broken, &[]).err().unwrap();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.said.contains("config.yaml:6:"), "{}", ended.said);
    assert!(ended.said.contains("the configuration has errors; nothing is served"), "{}", ended.said);
    assert!(!ended.said.contains("listening on"), "{}", ended.said);
}

#[test]
fn a_file_that_is_not_there_is_exit_code_1() {
    let (code, _, said) = run(&["run", "-c", "no-such-file.yaml", "--admin", "off", "--status", "off"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no-such-file.yaml"), "{said}");
}

#[test]
fn warnings_do_not_stop_it() {
    let yaml = format!("{}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\n", answering("hi"));
    let gateway = Gateway::start(&[80], &yaml);
    assert!(gateway.said_so_far().contains("1 Pod"), "{}", gateway.said_so_far());
    assert_eq!(gateway.get(80, "web.test", "/").text(), "hi");
    gateway.stop();
}
