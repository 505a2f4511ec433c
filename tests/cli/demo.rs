//! Every line that the demo prints works.

use crate::program::{command, contains, run};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
};

/// A running demo.
struct Demo {
    child: Child,
    /// What it printed when it began.
    tour: String,
    /// What it prints from then on.
    rest: Option<JoinHandle<(String, String)>>,
}

impl Demo {
    fn start() -> Demo {
        let mut command =
            command(&["demo", "--port", "0", "--admin", "127.0.0.1:0", "--status", "off", "--workers", "2"]);
        if let Ok(driver) = std::env::var("SLUICEGATE_TEST_DRIVER") {
            command.arg("--driver").arg(driver);
        }
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut err = child.stderr.take().unwrap();
        let mut tour = String::new();
        while !tour.contains("Ctrl-C ends the demo") {
            if out.read_line(&mut tour).unwrap() == 0 {
                let mut complaint = String::new();
                err.read_to_string(&mut complaint).unwrap();
                panic!("it ended early; it wrote:\n{tour}\nand complained:\n{complaint}");
            }
        }
        let rest = thread::spawn(move || {
            let complaints = thread::spawn(move || read(err));
            (read(out), complaints.join().unwrap())
        });
        Demo { child, tour, rest: Some(rest) }
    }

    /// The commands that it names, without the words that explain them.
    fn lines(&self) -> Vec<String> {
        let lines = self.tour.lines().filter(|line| line.starts_with("  "));
        lines.map(|line| line.split("  # ").next().unwrap().trim().to_owned()).collect()
    }

    /// Its output after the tour, its complaints, and its exit code.
    fn stop(mut self, signal: &str) -> (String, String, Option<i32>) {
        let pid = self.child.id();
        assert!(shell(&format!("kill -{signal} {pid}")).status.success());
        let status = self.child.wait().unwrap();
        let (out, err) = self.rest.take().unwrap().join().unwrap();
        (out, err, status.code())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

fn shell(line: &str) -> Output {
    Command::new("sh").arg("-c").arg(line).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn every_line_works() {
    if !shell("command -v curl").status.success() {
        println!("skipped: curl is missing: the lines of the demo are for it");
        return;
    }
    let demo = Demo::start();
    let lines = demo.lines();
    let curls: Vec<&String> = lines.iter().filter(|line| line.contains("curl ")).collect();
    assert_eq!(curls.len(), EXPECTED.len(), "{}", demo.tour);
    for (line, (part, fragments)) in curls.iter().zip(EXPECTED) {
        assert!(line.contains(part), "{line} is not about {part}");
        let output = shell(line);
        assert!(output.status.success(), "{line}: {output:?}");
        contains(&String::from_utf8(output.stdout).unwrap(), fragments);
    }
    for (part, fragment) in [
        ("explain", "forwarded to outbound|80|v1|origin.demo.internal at 127.0.0.1:"),
        ("routes", "uri prefix /api/\troute "),
    ] {
        let line = lines.iter().find(|line| line.contains(&format!(" {part} -c "))).unwrap();
        let output = shell(line);
        assert!(output.status.success(), "{line}: {output:?}");
        contains(&String::from_utf8(output.stdout).unwrap(), &[fragment]);
    }
    let file = demo.tour.split("while the demo runs: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert!(fs::read_to_string(&file).unwrap().contains("kind: VirtualService"));
    let (out, _, code) = demo.stop("INT");
    assert_eq!(code, Some(0));
    contains(&out, &["\"GET /nowhere HTTP/1.1\" 404 NR route_not_found", "\"GET /fail HTTP/1.1\" 503 UC"]);
    assert!(!Path::new(&file).exists(), "{file} is left behind");
}

/// Part of each line, and of what it shows.
const EXPECTED: &[(&str, &[&str])] = &[
    ("curl -s http", &["This is v1 of the demo's origin."]),
    ("/api/echo", &["POST /echo?a=b HTTP/1.1\n", "x-envoy-original-path: /api/echo?a=b\n", "\nhello\n"]),
    ("/split", &["v"]),
    ("x-tester", &["v2\n"]),
    ("/headers", &["x-demo: added by the gateway\r\n", "x-client: 127.0.0.1\n"]),
    ("/old", &["hello from the gateway\n"]),
    ("/hello", &["HTTP/1.1 200 OK\r\n", "hello from the gateway\n"]),
    ("/stream", &["1 of 5\n2 of 5\n3 of 5\n4 of 5\n5 of 5\n"]),
    ("/fail", &["HTTP/1.1 503 "]),
    ("/nowhere", &["HTTP/1.1 404 "]),
];

/// `explain` says what the origin gets, and the origin says what it got.
#[test]
fn explain_says_what_the_origin_gets() {
    if !shell("command -v curl").status.success() {
        println!("skipped: curl is missing: the lines of the demo are for it");
        return;
    }
    let demo = Demo::start();
    let line = demo.lines().into_iter().find(|line| line.contains("explain -c")).unwrap();
    let (explain, url) = line.split_once(" --url ").unwrap();
    let base = url.strip_suffix("/api/echo").unwrap();
    for target in ["/api/echo?a=b", "/headers", "/api/../echo"] {
        let url = format!("'{base}{target}'");
        let got =
            String::from_utf8(shell(&format!("curl -s --path-as-is -A me -H 'Accept: a' {url}")).stdout);
        let said = shell(&format!("{explain} -H 'User-Agent: me' -H 'Accept: a' --url {url}")).stdout;
        let said = String::from_utf8(said).unwrap();
        let said = said.lines().skip_while(|line| !line.starts_with("origin gets"));
        let said: Vec<String> = said.take_while(|line| !line.is_empty()).map(comparable).collect();
        let got: Vec<String> =
            got.unwrap().lines().take_while(|line| !line.is_empty()).map(comparable).collect();
        assert!(got.len() > 5 && got[0].starts_with("GET "), "{got:?}");
        assert_eq!(said, got, "{target}");
    }
    assert_eq!(demo.stop("TERM").2, Some(0));
}

/// A line without what is about its place, and without what is new each time.
fn comparable(line: &str) -> String {
    let line = line.trim_start_matches("origin gets").trim_start_matches([' ', '-']);
    line.split_once("x-request-id: ").map_or(line, |_| "x-request-id").to_owned()
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run(&["demo", "--port", &port, "--admin", "off", "--status", "off"])
        .with(1)
        .complains(&[&format!("can't listen on port {port}: Address already in use"), "--port 0"]);
    let admin = format!("127.0.0.1:{port}");
    run(&["demo", "--port", "0", "--admin", &admin, "--status", "off"])
        .with(1)
        .complains(&[&admin, "--admin off"]);
}
