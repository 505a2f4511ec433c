//! The admin address: every page in every format, driven by its own description; who may ask; the subcommands that do.

use super::{
    client::{Answer, Client},
    harness::{Folder, Gateway, answering, routed, run},
    origin::Origin,
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
                // Of nothing there are no lines.
                assert!(
                    answer.text().is_empty() || answer.text().ends_with('\n'),
                    "{path}: {}",
                    answer.text()
                );
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

fn json(gateway: &Gateway, path: &str) -> Value {
    let mark = if path.contains('?') { '&' } else { '?' };
    let page = gateway.admin_page(&format!("{path}{mark}format=json"));
    assert_eq!(page.status, 200, "{path}: {}", page.text());
    serde_json::from_str(page.text()).unwrap()
}

const HIDDEN: [&str; 6] = ["hush-set", "hush-match", "hush-secret", "hush-applied", "hush-key", "hush-query"];

/// Secrets wherever a configuration has them.
const SECRETIVE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: secretive
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"x\": \"hush-applied\"}'}
spec:
  hosts: [secret.test]
  gateways: [gw]
  http:
  - match: [{headers: {x-api-key: {exact: hush-match}}, queryParams: {token: {exact: hush-query}}}]
    headers: {request: {set: {authorization: Bearer hush-set, x-team: blue}}}
    route: [{destination: {host: a.test}}]
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {password: hush-secret}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens}
spec:
  jwtRules: [{issuer: me, jwks: '{\"keys\": [{\"kty\": \"oct\", \"kid\": \"k\", \"k\": \"aHVzaC1rZXlodXNoLWtleWh1c2gta2V5aHVzaC1rZXk\", \"alg\": \"HS256\"}]}'}]
";

#[test]
fn the_configuration_is_shown_in_three_shapes_and_no_secret_with_it() {
    let origin = Origin::echo();
    let yaml =
        format!("{}---{SECRETIVE}", routed("  - route: [{destination: {host: a.test}}]", &[origin.port()]));
    let gateway = Gateway::start(&[80], &yaml);
    let dump = json(&gateway, "/config_dump");
    let written = dump["written"].as_array().unwrap();
    let named =
        |name: &str| written.iter().find(|object| object["object"]["metadata"]["name"] == name).unwrap();
    assert!(named("secretive")["file"].as_str().unwrap().ends_with("config.yaml"));
    let line = 1 + yaml.split("apiVersion: v1\n").next().unwrap().matches('\n').count();
    assert_eq!(named("hidden")["line"], line);
    assert_eq!(named("hidden")["object"]["stringData"]["password"], "[redacted]");
    assert_eq!(
        named("secretive")["object"]["spec"]["http"][0]["headers"]["request"]["set"]["x-team"],
        "blue"
    );
    let workers = dump["workers"].as_array().unwrap();
    assert!(workers.len() == 2 && workers.iter().all(|worker| worker["generation"] == dump["generation"]));
    let only = json(&gateway, "/config_dump?resource=routes&name=secret");
    assert!(only.get("clusters").is_none() && only.get("written").is_none(), "{only:#}");
    assert_eq!(only["route_tables"][0]["virtual_hosts"].as_array().map(Vec::len), Some(1));
    // `/explain` is not among them: it shows the line of the file that has the rule.
    for path in ["/config_dump", "/routes", "/clusters", "/listeners", "/certs", "/loads", "/api/overview"] {
        for format in ["json", "text"] {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = gateway.admin_page(&format!("{path}{mark}format={format}"));
            for hidden in HIDDEN.iter().chain(&["aHVzaC1rZXk"]) {
                assert!(!page.text().contains(hidden), "{path} {format} has {hidden}: {}", page.text());
            }
        }
    }
    gateway.stop();
}

#[test]
fn explain_says_of_what_is_served_what_the_command_says_of_the_files() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let file = gateway.directory().join("config.yaml");
    let file = file.to_str().unwrap();
    let map = format!("80={}", gateway.port(80));
    let url = "http://web.test/a?b=c";
    let line = [
        "explain",
        "-c",
        file,
        "--port-map",
        &map,
        "--url",
        url,
        "-X",
        "POST",
        "-H",
        "x-a: b+c",
        "--from",
        "10.0.0.1",
    ];
    let query = "url=http://web.test/a%3Fb%3Dc&method=POST&header=x-a:%20b%2Bc&client=10.0.0.1";
    let (code, text, _) = run(&line);
    assert_eq!(code, Some(0));
    assert!(text.contains("answer"), "{text}");
    assert_eq!(gateway.admin_page(&format!("/explain?{query}")).text(), text);
    let (_, as_json, _) = run(&[&line[..], &["--format", "json"]].concat());
    assert_eq!(gateway.admin_page(&format!("/explain?{query}&format=json")).text(), as_json);
    for wrong in [
        "url=nothing",
        "url=http://a&client=x",
        "url=http://a&header=x",
        "url=http://a&method=a%20b",
        "url=http://a&http2=2",
    ] {
        let page = gateway.admin_page(&format!("/explain?{wrong}"));
        assert_eq!(page.status, 400, "{wrong}: {}", page.text());
    }
    gateway.stop();
}

#[test]
fn connections_and_what_is_in_use_of_endpoints_are_shown() {
    let origin = Origin::echo();
    let yaml = routed("  - route: [{destination: {host: a.test}}]", &[origin.port()]);
    let gateway = Gateway::start(&[80], &yaml);
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    gateway.until("the connection is idle", || {
        let page = json(&gateway, "/connections");
        page["total"] == 1 && page["connections"][0]["state"] == "idle"
    });
    let connection = json(&gateway, "/connections")["connections"][0].clone();
    assert_eq!(connection["protocol"], "HTTP/1.1");
    assert!(connection["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{connection:#}");
    assert!(connection["listener"].as_str().unwrap().ends_with(&format!(":{}", gateway.port(80))));
    assert!(gateway.admin_page("/connections").text().starts_with("1 connections, 1 of them here\nworker "));
    gateway.until("the connection to the origin is kept", || {
        let cluster = &json(&gateway, "/clusters?name=a.test")["clusters"][0];
        let endpoint = &cluster["endpoints"][0];
        cluster["requests"] == 1 && endpoint["active"] == 0 && endpoint["idle_connections"] == 1
    });
    assert!(gateway.admin_page("/clusters").text().contains("::cx_idle::1\n"));
    assert_eq!(json(&gateway, "/clusters?name=nobody")["clusters"].as_array().map(Vec::len), Some(0));
    drop(client);
    gateway.until("it has gone", || json(&gateway, "/connections")["total"] == 0);
    gateway.stop();
}

#[test]
fn who_does_not_read_holds_nobody_up() {
    // Far more than the sockets' buffers take.
    let rule = |number: usize| {
        format!("  - match: [{{uri: {{exact: /{number:01500}}}}}]\n    redirect: {{uri: /}}\n")
    };
    let rules: String = (0..3000).map(rule).collect();
    let gateway = Gateway::start(&[80], &routed(&rules, &[]));
    let mut slow = Client::connect(gateway.admin());
    slow.send(b"GET /config_dump HTTP/1.1\r\nhost: localhost\r\n\r\n");
    for _ in 0..10 {
        assert_eq!(gateway.admin_page("/ready").status, 200);
    }
    let all = slow.answer("GET");
    assert!(all.complete && all.body.len() > 8_000_000, "{}", all.body.len());
    let dump: Value = serde_json::from_str(all.text()).unwrap();
    let routes = dump["route_tables"][0]["virtual_hosts"][0]["routes"].as_array();
    assert_eq!(routes.map(Vec::len), Some(3000));
    gateway.stop();
}

#[test]
fn there_is_a_limit_of_connections() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let ready = b"GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let admitted = |_| {
        let mut client = Client::connect(gateway.admin());
        client.send(ready);
        assert_eq!(client.answer("GET").status, 200);
        client
    };
    let held: Vec<Client> = (0..64).map(admitted).collect();
    let mut more = Client::connect(gateway.admin());
    assert!(more.is_closed());
    // Probes have places of their own.
    assert_eq!(gateway.status_page("/healthz/ready").status, 200);
    drop(held);
    gateway.until("there is a place", || {
        let mut client = Client::connect(gateway.admin());
        client.try_send(ready) && client.next("GET").is_some()
    });
    gateway.stop();
}
