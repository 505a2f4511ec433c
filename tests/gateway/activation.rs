//! The service manager: its sockets (`sd_listen_fds(3)`), and what it is told (`sd_notify(3)`).

use super::{
    client::Client,
    harness::{Folder, Gateway, Launch, PATIENCE, PROGRAM, answering},
};
use rustix::io::{FdFlags, fcntl_setfd};
use sluicegate::control::PortMap;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixDatagram,
    },
    path::PathBuf,
};

/// A service manager that listens on a port itself, and starts the gateway with the socket.
struct Manager {
    listener: TcpListener,
    port: u16,
    folder: Folder,
}

impl Manager {
    fn new() -> Manager {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        Manager { listener, port, folder: Folder::new() }
    }

    /// What systemd does between `fork` and `exec`: the socket becomes descriptor 3.
    fn starter(&self) -> PathBuf {
        fcntl_setfd(self.listener.as_fd(), FdFlags::empty()).unwrap();
        let descriptor = self.listener.as_raw_fd();
        let script = format!(
            "#!/bin/bash\nexec 3<&{descriptor}\n[ {descriptor} = 3 ] || exec {descriptor}<&-\n\
             LISTEN_FDS=1 LISTEN_FDNAMES=http LISTEN_PID=$$ exec {PROGRAM} \"$@\"\n"
        );
        self.folder.put_program("starter", &script)
    }

    fn start(&self, arguments: &[&str]) -> Gateway {
        let (map, path) = (format!("80={}", self.port), self.starter());
        let arguments = [&["--port-map", &map], arguments].concat();
        let (yaml, program) = (answering("hi"), path.to_str());
        Gateway::launch(Launch { yaml: &yaml, arguments: &arguments, program, ..Launch::default() })
    }
}

#[test]
fn the_managers_socket_is_served_and_outlives_the_service() {
    let manager = Manager::new();
    // They wait in the queue before there is a gateway, and between two.
    for turn in 0..2 {
        let mut early = Client::connect(manager.port);
        early.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
        let gateway = manager.start(&[]);
        let said = gateway.said_so_far();
        assert!(said.contains(&format!("a socket for 127.0.0.1:{} (http)", manager.port)), "{turn}: {said}");
        assert_eq!(early.answer("GET").text(), "hi");
        // More workers than sockets share it.
        for _ in 0..16 {
            assert_eq!(Client::connect(manager.port).end(), super::client::End::default());
        }
        gateway.stop();
    }
}

#[test]
fn a_socket_that_nobody_asked_for_is_named() {
    let manager = Manager::new();
    let (yaml, path) = (answering("hi"), manager.starter());
    let launch = Launch { declared: &[80], yaml: &yaml, program: path.to_str(), ..Launch::default() };
    let gateway = Gateway::launch(launch);
    let said = gateway.said_so_far();
    assert!(said.contains("nothing in the configuration listens there"), "{said}");
    assert_eq!(gateway.get(80, "a.test", "/").status, 200);
    gateway.stop();
}

/// What a service manager hears.
struct Ear {
    socket: UnixDatagram,
    folder: Folder,
}

impl Ear {
    fn new() -> Ear {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Ear { socket, folder }
    }

    fn start(&self, more: &[(&str, &str)], arguments: &[&str]) -> Gateway {
        let path = self.folder.path().join("notify");
        let variables = [&[("NOTIFY_SOCKET", path.to_str().unwrap())], more].concat();
        let yaml = answering("hi");
        let launch =
            Launch { declared: &[80], yaml: &yaml, variables: &variables, arguments, ..Launch::default() };
        Gateway::launch(launch)
    }

    /// The next words but for those of the watchdog.
    fn next(&self) -> Vec<String> {
        loop {
            let words = self.any();
            if words != ["WATCHDOG=1"] {
                return words;
            }
        }
    }

    fn any(&self) -> Vec<String> {
        let mut buffer = [0; 512];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_manager_hears_of_reloads_upgrades_and_the_end_in_their_order() {
    let ear = Ear::new();
    let gateway = ear.start(&[("WATCHDOG_USEC", "1000000")], &["--pid-file", "pid"]);
    assert_eq!(ear.next()[0], "READY=1");
    gateway.signal("HUP");
    let reloading = ear.next();
    assert_eq!(reloading[0], "RELOADING=1");
    let since = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(since.parse::<u64>().unwrap() > 0);
    assert_eq!(ear.next()[0], "READY=1");
    gateway.signal("USR2");
    gateway.said("serves, this one ends");
    let process = fs::read_to_string(gateway.directory().join("pid")).unwrap();
    // The new process is the service from now on, and the old one says nothing of its end.
    assert_eq!(ear.next()[..2], [format!("MAINPID={}", process.trim()), "READY=1".to_owned()]);
    gateway.said("ended; no connection was cut");
    // The watchdog hears the new one: as often as it takes for it to have been the only one.
    for _ in 0..3 {
        while ear.any() != ["WATCHDOG=1"] {}
    }
    let killed = std::process::Command::new("kill").args(["-TERM", process.trim()]).status();
    assert!(killed.unwrap().success());
    assert_eq!(ear.next()[0], "STOPPING=1");
    gateway.said("ended; no connection was cut");
}

#[test]
fn ready_says_no_before_doors_close() {
    let ear = Ear::new();
    let gateway = ear.start(&[], &["--drain-accept", "2s"]);
    assert_eq!(ear.next()[0], "READY=1");
    let mut kept = gateway.connect(80);
    gateway.signal("TERM");
    gateway.said("not ready from now on");
    assert_eq!(gateway.status_page("/healthz/ready").status, 503);
    assert_eq!(ear.next()[0], "STOPPING=1");
    // New clients are served, and nobody is sent away.
    for client in [&mut gateway.connect(80), &mut kept] {
        client.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
        let answer = client.answer("GET");
        assert_eq!((answer.status, answer.field("connection")), (200, None));
    }
    // Until the worker drains, and tells the client with its next answer. Who has nothing to ask then is sent away without one.
    loop {
        kept.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
        let answer = kept.answer("GET");
        assert_eq!(answer.status, 200);
        if answer.field("connection") == Some("close") {
            break;
        }
    }
    gateway.said("clients are accepted no more");
    assert_eq!(gateway.end().code, Some(0));
}

#[test]
fn ports_that_the_kernel_chose_are_the_same_after_an_upgrade() {
    let _: PortMap = "80=0".parse().unwrap();
    let yaml = answering("hi");
    let arguments = ["--port-map", "80=0", "--admin", "127.0.0.1:0", "--pid-file", "pid"];
    let gateway = Gateway::launch(Launch { yaml: &yaml, arguments: &arguments, ..Launch::default() });
    let ports = |said: String| {
        let line = said.lines().rev().find(|line| line.contains("ports: 80=")).unwrap().to_owned();
        line.split("80=").nth(1).unwrap().parse::<u16>().unwrap()
    };
    let before = ports(gateway.said_so_far());
    gateway.signal("USR2");
    gateway.said("serves, this one ends");
    assert_eq!(ports(gateway.said_so_far()), before);
    let mut client = Client::connect(before);
    client.send(b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    let process = fs::read_to_string(gateway.directory().join("pid")).unwrap();
    assert!(std::process::Command::new("kill").arg(process.trim()).status().unwrap().success());
    assert_eq!(gateway.end().code, Some(0));
}
