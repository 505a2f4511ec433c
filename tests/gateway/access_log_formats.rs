//! The formats of the access log, and which requests and connections have a line.

use super::{
    access_log::fields,
    harness::{Folder, GATEWAY, Gateway, Launch, answering, routed, run, service_entry, virtual_service},
    origin::Origin,
    reload::put,
};
use std::fs;

fn telemetry(metadata: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{{metadata}}}\nspec: {{accessLogging: [{rules}]}}\n"
    )
}

fn operator(mesh: &str) -> String {
    format!(
        "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: o, namespace: istio-system}}\nspec: {{meshConfig: {mesh}}}\n"
    )
}

#[test]
fn json_is_istios_and_can_be_read() {
    let origin = Origin::echo();
    let route = "  - name: main\n    route: [{destination: {host: a.test}}]";
    let arguments = ["--access-log-format", "json"];
    let gateway = Gateway::start_with(&[80], &routed(route, &[origin.port()]), &arguments);
    let mut client = gateway.connect(80);
    client.send(
        b"POST /a?\"b HTTP/1.1\r\nhost: web.test\r\nuser-agent: \"m\xc3\xbc\xff\"\r\ncontent-length: 3\r\n\r\nabc",
    );
    client.answer("POST");
    let line = gateway.log_line();
    let read: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    for (name, value) in [
        ("method", serde_json::json!("POST")),
        ("response_code", serde_json::json!(200)),
        ("response_flags", serde_json::Value::Null),
        ("bytes_received", serde_json::json!(3)),
        ("user_agent", serde_json::json!("\"m\u{fc}\u{ff}\"")),
        ("upstream_cluster", serde_json::json!("outbound|80||a.test")),
        ("route_name", serde_json::json!("main")),
        ("requested_server_name", serde_json::Value::Null),
    ] {
        assert_eq!(read[name], value, "{name} of {line}");
    }
    assert!(line.starts_with("{\"start_time\":\"2") && read["duration"].is_u64(), "{line}");
    gateway.stop();
}

#[test]
fn a_format_string_says_what_a_line_has() {
    let origin = Origin::echo();
    let route = "  - route: [{destination: {host: a.test}}]\n    headers: {response: {set: {x-made: here}}}";
    let format = "custom %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESP(X-MADE)% %UPSTREAM_REMOTE_PORT% \
                  %UPSTREAM_PROTOCOL% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %DOWNSTREAM_LOCAL_PORT% %CONNECTION_ID% \
                  %ENVIRONMENT(MARK)% \"%REQ(X-ODD):6%\" %RESPONSE_FLAGS_LONG%";
    let yaml = routed(route, &[origin.port()]);
    let gateway = Gateway::launch(Launch {
        declared: &[80],
        yaml: &yaml,
        arguments: &["--workers", "1", "--access-log-format", format],
        variables: &[("MARK", "this \"one\"")],
        ..Launch::default()
    });
    let answer = gateway.request(80, "GET", "web.test", "/a?b", &[("x-odd", "\"1234567\"")]);
    assert_eq!(answer.status, 200);
    let line = gateway.log_line();
    let wanted = format!(
        "GET /a?b here {} HTTP/1.1 1 {} 1 this \\x22one\\x22 \"\\x2212345\" -",
        origin.port(),
        gateway.port(80)
    );
    assert_eq!(line, wanted);
    gateway.stop();
}

#[test]
fn a_wrong_format_is_refused_with_its_place() {
    let ended = run(&["run", "-c", "x.yaml", "--access-log-format", "custom %NOPE%"]);
    assert!(ended.0 == Some(2) && ended.2.contains("there is no operator `%NOPE%`"), "{ended:?}");
    let ended = run(&["run", "-c", "x.yaml", "--access-log-sample", "200%"]);
    assert!(ended.0 == Some(2) && ended.2.contains("percentage"), "{ended:?}");
    let folder = Folder::new();
    let mesh = operator("{accessLogFormat: '%DYNAMIC_METADATA(a)%'}").replacen("---\n", "", 1);
    let file = folder.put("mesh.yaml", &mesh);
    let (code, out, err) = run(&["check", file.to_str().unwrap()]);
    let all = format!("{out}{err}");
    assert!(code == Some(1) && all.contains("bad-log-format") && all.contains("mesh.yaml:4"), "{all}");
}

#[test]
fn presets_are_what_others_write() {
    let yaml = answering("hi");
    let combined = Gateway::start_with(&[80], &yaml, &["--access-log-format", "combined"]);
    combined.request(80, "GET", "web.test", "/a", &[("referer", "https://r/\"x"), ("user-agent", "curl/8")]);
    let line = combined.log_line();
    let (before, after) = line.split_once("] ").unwrap();
    assert!(before.starts_with("127.0.0.1 - - [") && before.ends_with(" +0000"), "{line}");
    assert_eq!(after, "\"GET /a HTTP/1.1\" 200 2 \"https://r/\\x22x\" \"curl/8\"");
    combined.stop();
    let httplog = Gateway::start_with(&[80], &yaml, &["--access-log-format", "httplog"]);
    httplog.get(80, "web.test", "/a");
    let line = httplog.log_line();
    let words: Vec<&str> = line.splitn(12, ' ').collect();
    assert!(words[0].starts_with("127.0.0.1:") && words[1].starts_with('['), "{line}");
    assert_eq!([words[3], words[5], words[6], words[9]], ["-/<NOSRV>", "200", "2", "----"], "{line}");
    assert!(words[4].starts_with("0/0/0/-1/") && line.ends_with("\"GET /a HTTP/1.1\""), "{line}");
    httplog.stop();
}

/// A route that answers with the status in its path.
fn statuses(annotation: &str) -> String {
    let rule = |status: u16| {
        format!(
            "  - name: s{status}\n    match: [{{uri: {{prefix: /{status}}}}}]\n    directResponse: {{status: {status}}}\n"
        )
    };
    let service = virtual_service(&[200, 404, 503].map(rule).concat());
    let named = service.replacen("metadata: {", &format!("metadata: {{{annotation}"), 1);
    assert!(annotation.is_empty() || named != service, "{service}");
    format!("{GATEWAY}---\n{named}")
}

fn logged(gateway: Gateway) -> Vec<String> {
    let paths = ["/200", "/404", "/503", "/nowhere"];
    for path in paths {
        gateway.get(80, "web.test", path);
    }
    let log = gateway.stop().log;
    let path = |line: &String| fields(line)[1].split(' ').nth(1).unwrap_or_default().to_owned();
    let mut logged: Vec<String> = log.iter().map(path).collect();
    // Workers hand their lines over on their own.
    logged.sort_by_key(|path| paths.iter().position(|known| known == path));
    logged
}

#[test]
fn a_telemetry_chooses_by_its_expression() {
    let yaml = |expression: &str| {
        let rule = format!("{{providers: [{{name: envoy}}], filter: {{expression: \"{expression}\"}}}}");
        format!("{}{}", statuses(""), telemetry("name: t, namespace: default", &rule))
    };
    let chosen = |expression: &str| logged(Gateway::start(&[80], &yaml(expression)));
    assert_eq!(chosen("response.code >= 500"), ["/503"]);
    assert_eq!(chosen("response.flags != 0 || request.path.startsWith('/2')"), ["/200", "/nowhere"]);
}

#[test]
fn a_namespaces_telemetry_is_stronger_than_the_roots() {
    let root = telemetry("name: r, namespace: istio-system", "{providers: [{name: envoy}]}");
    let own = telemetry("name: n, namespace: default", "{disabled: true}");
    assert_eq!(logged(Gateway::start(&[80], &format!("{}{root}", statuses("")))).len(), 4);
    assert_eq!(logged(Gateway::start(&[80], &format!("{}{root}{own}", statuses("")))).len(), 0);
}

#[test]
fn a_virtual_service_leaves_lines_out() {
    let with =
        |annotation: &str| statuses(&format!("annotations: {{sluicegate.io/access-log: '{annotation}'}}, "));
    assert_eq!(logged(Gateway::start(&[80], &with("off"))), ["/nowhere"]);
    assert_eq!(logged(Gateway::start(&[80], &with("errors"))), ["/404", "/503", "/nowhere"]);
    assert_eq!(
        logged(Gateway::start(&[80], &with("[{route: s404, lines: off}]"))),
        ["/200", "/503", "/nowhere"]
    );
}

#[test]
fn a_sample_is_a_part() {
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--access-log-sample", "20%"]);
    let mut client = gateway.connect(80);
    const ALL: usize = 2000;
    for _ in 0..ALL {
        client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
        client.answer("GET");
    }
    let lines = gateway.stop().log.len() as f64;
    // Five standard errors: it fails once in two million runs.
    let error = (0.2 * 0.8 * ALL as f64).sqrt();
    assert!((lines - 0.2 * ALL as f64).abs() < 5.0 * error, "{lines} of {ALL}");
}

#[test]
fn several_logs_each_have_their_own_format_and_filter() {
    let mesh = operator(
        "{extensionProviders: [{name: all, envoyFileAccessLog: {path: all.log, logFormat: {text: '%REQ(:PATH)%'}}}, {name: bad, envoyFileAccessLog: {path: bad.log, logFormat: {labels: {code: '%RESPONSE_CODE%'}}}}]}",
    );
    let rules =
        "{providers: [{name: all}]}, {providers: [{name: bad}], filter: {expression: response.code >= 400}}";
    let yaml = format!("{}{mesh}{}", statuses(""), telemetry("name: t, namespace: default", rules));
    let gateway = Gateway::start_with(&[80], &yaml, &["--workers", "1"]);
    for path in ["/200", "/404", "/503"] {
        gateway.get(80, "web.test", path);
    }
    let read = |name: &str| fs::read_to_string(gateway.directory().join(name)).unwrap_or_default();
    gateway.until("all lines are written", || read("all.log").lines().count() == 3);
    gateway.until("the bad ones are, too", || read("bad.log").lines().count() == 2);
    assert_eq!(read("all.log"), "/200\n/404\n/503\n");
    assert_eq!(read("bad.log"), "{\"code\":404}\n{\"code\":503}\n");
    gateway.stop();
}

#[test]
fn connections_without_http_have_lines_in_every_format() {
    let origin = Origin::echo();
    let yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: g}}\nspec:\n  servers:\n  - {{port: {{number: 9000, name: tcp, protocol: TCP}}, hosts: ['*']}}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v}}\nspec:\n  hosts: ['*']\n  gateways: [g]\n  tcp: [{{route: [{{destination: {{host: a.test}}}}]}}]\n---\n{}",
        service_entry("a.test", origin.port())
    );
    for format in ["json", "combined", "httplog"] {
        let gateway = Gateway::start_with(&[9000], &yaml, &["--access-log-format", format]);
        let mut client = gateway.connect(9000);
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client.answer("GET");
        drop(client);
        let line = gateway.log_line();
        match format {
            "json" => {
                let read: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert_eq!((&read["method"], &read["response_code"]), (&serde_json::Value::Null, &0.into()));
                assert_eq!(read["upstream_host"], format!("127.0.0.1:{}", origin.port()));
            }
            "combined" => assert!(line.contains("] \"-\" 0 "), "{line}"),
            _ => assert!(line.contains(&format!("/127.0.0.1:{} ", origin.port())), "{line}"),
        }
        gateway.stop();
    }
}

#[test]
fn a_reload_changes_format_and_target_and_loses_no_line() {
    let mesh = |format: &str, file: &str| {
        operator(&format!("{{accessLogFile: {file}, accessLogFormat: '{format}'}}"))
    };
    let yaml = |mesh: &str| format!("{}{mesh}", answering("hi"));
    let gateway = Gateway::start(&[80], &yaml(&mesh("1 %REQ(:PATH)%", "one.log")));
    // It is said when every worker serves it, whoever was first to notice.
    let reload = |generation: u32, text: &str| {
        put(&gateway, text);
        gateway.signal("HUP");
        gateway.said(&format!("generation {generation}: "));
    };
    let mut client = gateway.connect(80);
    let mut get = |path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes());
        assert_eq!(client.answer("GET").status, 200);
    };
    get("/a");
    reload(2, &yaml(&mesh("2 %REQ(:PATH)%", "one.log")));
    get("/b");
    reload(3, &yaml(&mesh("3 %REQ(:PATH)%", "two.log")));
    get("/c");
    let read = |name: &str| fs::read_to_string(gateway.directory().join(name)).unwrap_or_default();
    gateway.until("the last line is written", || read("two.log") == "3 /c\n");
    gateway.until("the others are, too", || read("one.log") == "1 /a\n2 /b\n");
    gateway.stop();
}
