//! The admin address: every page in every format, driven by its own description; who may ask; the subcommands that do.

use super::{
    client::{Answer, Client},
    harness::{Folder, Gateway, answering, run},
    python,
};
use serde_json::Value;
use std::{
    io::{Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::Command,
};

/// What a method of a page has in the description.
struct Page {
    method: String,
    path: String,
    /// Media types of the answer by the name that `?format=` has, if there is a choice.
    formats: Vec<String>,
    media_types: Vec<String>,
    /// Names of required parameters.
    required: Vec<String>,
}

fn description(gateway: &Gateway) -> Value {
    let page = gateway.admin_page("/openapi.json");
    assert_eq!((page.status, page.field("content-type")), (200, Some("application/json")));
    serde_json::from_str(page.text()).unwrap()
}

fn described(description: &Value) -> Vec<Page> {
    let mut pages = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().unwrap();
            let format = parameters.iter().find(|parameter| parameter["name"] == "format");
            let strings = |list: &Value| {
                list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
            };
            let required = parameters.iter().filter(|parameter| parameter["required"] == true);
            pages.push(Page {
                method: method.to_uppercase(),
                path: path.clone(),
                formats: format.map_or_else(Vec::new, |format| strings(&format["schema"]["enum"])),
                media_types: operation["responses"]["200"]["content"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect(),
                required: required.map(|known| known["name"].as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    pages
}

fn ask(port: u16, method: &str, path: &str, headers: &str) -> Answer {
    let mut client = Client::connect(port);
    let end = "connection: close\r\ncontent-length: 0\r\n\r\n";
    client.send(format!("{method} {path} HTTP/1.1\r\n{headers}{end}").as_bytes());
    client.answer(method)
}

const LOCAL: &str = "host: localhost\r\n";

#[test]
fn every_page_answers_in_every_format_that_it_is_described_with() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let pages = described(&description(&gateway));
    assert!(pages.len() > 15, "{}", pages.len());
    for page in pages.iter().filter(|page| page.method == "GET" && page.required.is_empty()) {
        let query = page.formats.iter().map(|format| format!("{}?format={format}", page.path));
        for path in query.chain([page.path.clone()]) {
            let answer = ask(gateway.admin(), "GET", &path, LOCAL);
            assert_eq!(answer.status, 200, "{path}");
            let content_type = answer.field("content-type").unwrap();
            let media_type = content_type.split(';').next().unwrap();
            assert!(page.media_types.iter().any(|known| known == media_type), "{path}: {content_type}");
            match path.split_once("format=").map(|(_, format)| format) {
                Some("json") => assert_eq!(media_type, "application/json", "{path}"),
                Some("text") => assert_eq!(media_type, "text/plain", "{path}"),
                _ => {}
            }
            if media_type == "application/json" {
                assert!(serde_json::from_str::<Value>(answer.text()).unwrap().is_object(), "{path}");
            } else {
                assert!(answer.text().ends_with('\n'), "{path}: {}", answer.text());
            }
            assert_eq!(ask(gateway.admin(), "HEAD", &path, LOCAL).status, 200, "{path}");
        }
        for media_type in &page.media_types {
            let headers = format!("{LOCAL}accept: {media_type}\r\n");
            let answer = ask(gateway.admin(), "GET", &page.path, &headers);
            assert!(
                answer.field("content-type").unwrap().starts_with(media_type),
                "{} {media_type}",
                page.path
            );
        }
    }
    gateway.stop();
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let port = gateway.admin();
    for page in described(&description(&gateway)) {
        let wrong = ask(port, &page.method, &format!("{}?no-such=1", page.path), LOCAL);
        assert_eq!(wrong.status, 400, "{} {}", page.method, page.path);
        assert!(wrong.text().contains("`no-such`"), "{}", wrong.text());
        let wrong = ask(port, &page.method, &format!("{}?format=xml", page.path), LOCAL);
        assert_eq!(wrong.status, 400, "{} {}", page.method, page.path);
        let wrong = ask(port, &page.method, &format!("{}?%zz", page.path), LOCAL);
        assert_eq!(wrong.status, 400, "{} {}", page.method, page.path);
        for required in &page.required {
            let missing = ask(port, &page.method, &page.path, LOCAL);
            assert_eq!(missing.status, 400, "{} {}", page.method, page.path);
            assert!(missing.text().contains(&format!("`{required}`")), "{}", missing.text());
        }
        let other = ask(port, "DELETE", &page.path, LOCAL);
        assert_eq!(other.status, 405, "{}", page.path);
        assert!(other.field("allow").unwrap().contains(&page.method), "{:?}", other.field("allow"));
    }
    let missing = ask(port, "GET", "/config-dump", LOCAL);
    assert_eq!((missing.status, missing.text()), (404, "no such page; did you mean /config_dump?\n"));
    let missing = ask(port, "GET", "/xyzzy", &format!("{LOCAL}accept: application/json\r\n"));
    let error: Value = serde_json::from_str(missing.text()).unwrap();
    assert_eq!(error["error"], "no such page; /help lists all");
    gateway.stop();
}

#[test]
fn the_description_is_valid() {
    let Some(python) = python::with_packages("openapi", &["openapi-spec-validator==0.7.2"]) else { return };
    let gateway = Gateway::start(&[80], &answering("hi"));
    let folder = Folder::new();
    let file = folder.put("openapi.json", gateway.admin_page("/openapi.json").text());
    let output = Command::new(python).args(["-m", "openapi_spec_validator"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(": OK"), "{said}");
    gateway.stop();
}

#[test]
fn pages_of_sites_are_kept_out() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let status = |method, path, headers: &str| ask(gateway.admin(), method, path, headers).status;
    assert_eq!(status("GET", "/ready", "host: evil.test\r\n"), 403);
    assert_eq!(status("POST", "/drain", "host: evil.test\r\n"), 403);
    assert_eq!(status("POST", "/drain", "host: localhost\r\norigin: null\r\n"), 403);
    assert_eq!(status("POST", "/drain", "host: localhost\r\nsec-fetch-site: cross-site\r\n"), 403);
    assert_eq!(status("GET", "/ready", "host: [::1]:15000\r\n"), 200);
    // A probe's name for this host is its own business.
    assert_eq!(ask(gateway.status(), "GET", "/healthz/ready", "host: probe.test\r\n").status, 200);
    gateway.stop();
}

fn on_socket(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_pages_can_be_on_a_socket() {
    let folder = Folder::new();
    let path = folder.path().join("admin.sock");
    // As one that was killed leaves it behind.
    drop(UnixListener::bind(&path).unwrap());
    let address = format!("unix:{}", path.display());
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--admin", &address]);
    assert!(
        gateway.said_so_far().contains(&format!("admin pages on {address}")),
        "{}",
        gateway.said_so_far()
    );
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let answer = on_socket(&path, "GET /ready HTTP/1.1\r\nhost: any.test\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nready\n"), "{answer}");
    let (code, out, err) = run(&["status", "--admin", &address]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("ready\n"), "{out}");
    // It is in use.
    let second = Gateway::try_start(&[80], &answering("hi"), &["--admin", &address]);
    assert!(second.err().unwrap().said.contains("for the admin pages"));
    gateway.stop();
    assert!(!path.exists());
}

#[test]
fn subcommands_ask_the_gateway() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let address = format!("127.0.0.1:{}", gateway.admin());
    let asked = |line: &[&str]| run(&[line, &["--admin", &address]].concat());
    let (code, out, _) = asked(&["status"]);
    assert!(code == Some(0) && out.starts_with("ready\n"), "{out}");
    assert!(out.contains(&format!("process_id: {}\n", gateway.pid())), "{out}");
    let (code, out, _) = asked(&["status", "--format", "json"]);
    let info: Value = serde_json::from_str(&out).unwrap();
    assert!(code == Some(0) && info["state"] == "ready", "{out}");
    assert_eq!(asked(&["log-level"]), (Some(0), "level: info\n".into(), String::new()));
    assert_eq!(asked(&["log-level", "debug"]), (Some(0), "level: debug\n".into(), String::new()));
    assert_eq!(asked(&["log-level"]).1, "level: debug\n");
    let (code, out, err) = asked(&["reload"]);
    assert!(code == Some(0) && !out.is_empty() && err.is_empty(), "{out}{err}");
    let (code, out, err) = asked(&["drain", "--wait"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "draining\nended\n");
    assert_eq!(gateway.end().code, Some(0));
}
