//! Under the seccomp profile for containers, installed as runtimes install it.

use super::{
    harness::{Ended, Folder, Gateway, Launch, routed},
    origin::Origin,
};
use std::{io::Write, process::Command};

const ROUTE: &str = "  - route: [{destination: {host: a.test}}]";
const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/containers/seccomp-io-uring.json");
const CONFINED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/containers/confined.py");

/// Whether profiles can be installed here; says so if not.
fn can_confine() -> bool {
    let tried = Command::new(CONFINED).args([PROFILE, "/bin/true"]).output();
    match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => {
            println!("skipped: {}", String::from_utf8_lossy(&output.stderr).trim().replace("skipped: ", ""))
        }
        Err(error) => println!("skipped: seccomp profiles: /usr/bin/python3: {error}"),
    }
    false
}

/// Serves under a profile, reloads and ends; returns what it said.
fn serve_under(under: &[&str]) -> Ended {
    let origin = Origin::serve(|request, stream| {
        let len: usize = request.target()[1..].parse().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
        stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&vec![b'x'; len]).is_ok()
    });
    let yaml = routed(ROUTE, &[origin.port()]);
    let gateway = Gateway::launch(Launch { declared: &[80], yaml: &yaml, under, ..Launch::default() });
    let mut client = gateway.connect(80);
    for len in [10, 5_000_000, 3] {
        client.send(format!("GET /{len} HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes());
        assert_eq!(client.answer("GET").body.len(), len);
    }
    gateway.signal("HUP");
    gateway.said("SIGHUP");
    assert_eq!(gateway.admin_page("/clusters").status, 200);
    assert_eq!(gateway.get(80, "web.test", "/1").status, 200);
    gateway.stop()
}

/// A call that the profile lacks would end the process at once.
#[test]
fn the_profile_allows_all_that_is_done() {
    if !can_confine() {
        return;
    }
    let ended = serve_under(&[CONFINED, "--trap", PROFILE]);
    let is_epoll = std::env::var("SLUICEGATE_TEST_DRIVER").is_ok_and(|driver| driver == "epoll");
    assert!(is_epoll || ended.said.contains("driver: io_uring"), "{}", ended.said);
}

/// As under the profiles that runtimes come with.
#[test]
fn without_the_ring_it_says_so_and_works() {
    if !can_confine() {
        return;
    }
    let mut profile: serde_json::Value = serde_json::from_slice(&std::fs::read(PROFILE).unwrap()).unwrap();
    profile["syscalls"].as_array_mut().unwrap().retain(|group| group["comment"] != "the ring");
    let folder = Folder::new();
    let path = folder.put("profile.json", &profile.to_string());
    let ended = serve_under(&[CONFINED, path.to_str().unwrap()]);
    assert!(
        ended.said.contains("driver: continuing with epoll") || ended.said.contains("driver: epoll"),
        "{}",
        ended.said
    );
    let told = Command::new(CONFINED)
        .arg(&path)
        .arg(env!("CARGO_BIN_EXE_sluicegate"))
        .arg("doctor")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.contains("warning  io_uring") && told.contains("a seccomp profile confines this process"),
        "{told}"
    );
}
