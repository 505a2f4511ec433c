//! What it says at its start, what it refuses, and what it tells others of its state.

use super::harness::{Gateway, Launch, PATIENCE, answering};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::net::{UnixDatagram, UnixStream},
    process::{Command, Stdio},
};

#[test]
fn the_start_says_where_it_listens_on_what_and_with_what() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let said = gateway.said_so_far();
    let place = format!("listening on 127.0.0.1:{} for Gateway default/gw", gateway.port(80));
    for wanted in [place.as_str(), "driver: ", "open files: at most ", "workers: 2, ", "access log: "] {
        assert!(said.contains(wanted), "no {wanted:?}: {said}");
    }
    gateway.stop();
}

#[test]
fn curl_is_served() {
    let gateway = Gateway::start(&[80], &answering("hello"));
    let url = format!("http://127.0.0.1:{}/", gateway.port(80));
    match Command::new("curl").args(["-sS", "--max-time", "60", &url]).output() {
        Ok(curl) => assert_eq!(String::from_utf8_lossy(&curl.stdout), "hello"),
        Err(_) => println!("skipped: curl is not installed"),
    }
    gateway.stop();
}

#[test]
fn every_worker_serves() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let per_worker = || -> Vec<String> {
        let page = gateway.admin_page("/stats");
        let lines = page.text().lines().filter(|line| line.starts_with("sluicegate_shard_connections_total"));
        lines.filter_map(|line| line.split(": ").nth(1).map(str::to_owned)).collect()
    };
    // The kernel spreads connections by a hash of their ports.
    while per_worker().iter().any(|count| count == "0") {
        assert_eq!(gateway.get(80, "web.test", "/").status, 200);
    }
    assert_eq!(per_worker().len(), 2);
    gateway.stop();
}

#[test]
fn a_port_that_is_left_to_the_kernel_is_printed() {
    let gateway = Gateway::start_with(&[], &answering("hi"), &["--port-map", "80=0"]);
    let said = gateway.said_so_far();
    let port: u16 = said.split_once("ports: 80=").unwrap().1.lines().next().unwrap().parse().unwrap();
    let mut client = super::client::Client::connect(port);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").text(), "hi");
    gateway.stop();
}

/// The configuration, with a listener on this port whatever the port map says.
fn on_port(port: u16) -> String {
    answering("second").replace("number: 80,", &format!("number: {port},"))
}

#[test]
fn a_port_in_use_is_named_with_who_wants_it() {
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let ended = Gateway::try_start(&[], &on_port(port), &[]).err().unwrap();
    assert_eq!(ended.code, Some(1));
    let place = format!(
        "can't listen on 127.0.0.1:{port}: Address already in use (os error 98), asked for by Gateway default/gw"
    );
    assert!(ended.said.contains(&place), "{}", ended.said);
    assert!(ended.said.contains("another program listens there"), "{}", ended.said);
}

#[test]
fn two_gateways_do_not_share_a_port() {
    let first = Gateway::start(&[80], &answering("first"));
    let ended = Gateway::try_start(&[], &on_port(first.port(80)), &[]).err().unwrap();
    assert!(ended.code == Some(1) && ended.said.contains("Address already in use"), "{ended:#?}");
    assert_eq!(first.get(80, "web.test", "/").text(), "first");
    first.stop();
}

#[test]
fn sighup_loads_the_configuration_again() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    gateway.signal("HUP");
    gateway.said("SIGHUP: generation 2: ");
    assert_eq!(gateway.get(80, "web.test", "/").text(), "hi");
    gateway.stop();
}

#[test]
fn a_service_manager_hears_of_the_state() {
    let path = std::env::temp_dir().join(format!("sluicegate-notify-{}", std::process::id()));
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (yaml, variables) = (answering("hi"), [("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let launch = Launch { declared: &[80], yaml: &yaml, variables: &variables, ..Launch::default() };
    let gateway = Gateway::launch(launch);
    let mut buffer = [0; 512];
    let mut heard = || {
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert!(heard().contains("READY=1"));
    gateway.stop();
    assert!(heard().contains("STOPPING=1"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn the_environment_gives_options() {
    let variables = [("SLUICEGATE_DRAIN_TIME", "7s"), ("SLUICEGATE_LOG_LEVEL", "debug")];
    let yaml = answering("hi");
    let launch = Launch { declared: &[80], yaml: &yaml, variables: &variables, ..Launch::default() };
    let gateway = Gateway::launch(launch);
    let info = gateway.admin_page("/server_info");
    assert!(info.text().contains("\"drain_seconds\": 7.0"), "{}", info.text());
    assert!(gateway.admin_page("/logging").text().contains("debug"));
    gateway.stop();
}

#[test]
fn a_unix_socket_is_taken_over_from_the_dead_and_removed_at_the_end() {
    let path = std::env::temp_dir().join(format!("sluicegate-unix-{}.sock", std::process::id()));
    let yaml = answering("hi").replace("bind: 127.0.0.1", &format!("bind: \"unix://{}\"", path.display()));
    let yaml = yaml.replace("number: 80,", "number: 0,");
    let ask = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let first = Gateway::start(&[], &yaml);
    assert!(ask().ends_with("\r\n\r\nhi"));
    let second = Gateway::try_start(&[], &yaml, &[]).err().unwrap();
    assert!(second.code == Some(1) && second.said.contains("Address already in use"), "{second:#?}");
    first.signal("KILL");
    first.end();
    assert!(path.exists());
    let third = Gateway::start(&[], &yaml);
    assert!(third.said_so_far().contains("a socket that nobody listened on is removed"));
    assert!(ask().ends_with("\r\n\r\nhi"));
    third.stop();
    assert!(!path.exists());
}

#[test]
fn standard_input_is_read() {
    let mut child = super::harness::program()
        .args(["run", "-c", "-", "--admin", "off", "--status", "off", "--workers", "1", "--port-map", "80=0"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answering("hi").as_bytes()).unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| !line.contains("ready:")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.iter().any(|line| line.contains("Gateway default/gw (<stdin>:6:")), "{said:#?}");
}
