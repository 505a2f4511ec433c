//! `doctor` on the host that the tests run on: what it finds depends on it, how it says so does not.

use crate::program::run;

const ABOUT: [&str; 6] = ["kernel", "io_uring", "locked memory", "CPUs", "open files", "clock"];

#[test]
fn every_part_is_told_of() {
    let told = run(&["doctor"]);
    assert!(matches!(told.code, Some(0 | 1)), "{}", told.err);
    told.tells(&ABOUT);
}

#[test]
fn json_has_the_same() {
    let told = run(&["doctor", "--driver", "epoll", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let findings = json["findings"].as_array().unwrap();
    for about in ABOUT {
        assert!(findings.iter().any(|finding| finding["about"] == about), "{about}: {json}");
    }
    let ring = findings.iter().find(|finding| finding["about"] == "io_uring").unwrap();
    assert_eq!((&ring["verdict"], &ring["help"]), (&"ok".into(), &serde_json::Value::Null));
    assert_eq!(json["fit"], told.code == Some(0));
}

#[test]
fn a_configuration_with_errors_and_an_address_of_nobody_fail() {
    run(&["doctor", "-c", "no-such-file.yaml"])
        .with(1)
        .tells(&["failed   configuration", "sluicegate check"]);
    run(&["doctor", "-c", "config/hello.yaml", "--workers", "2000"]).tells(&["it can be served", "port"]);
}
