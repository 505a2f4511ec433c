//! Another process of the program takes over: nothing is lost, whatever becomes of the new one.

use super::{
    client::Client,
    drain::work,
    h2_frames::{Frame, GOAWAY},
    h2_peer::Peer,
    harness::{Folder, Gateway, Launch, PATIENCE, PROGRAM, answering, routed},
    held_origin::HeldOrigin,
    origin::Origin,
};
use std::{
    cell::Cell,
    fs,
    io::{Read, Write},
    ops::Deref,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

/// The name of the file with the number of the process that serves, beside the configuration.
const PID_FILE: &str = "gateway.pid";

/// A gateway, and the processes that take over from it. All of them end with it.
struct Line {
    gateway: Gateway,
    last: Cell<u32>,
}

impl Line {
    fn start(launch: Launch<'_>) -> Line {
        let arguments = [&["--pid-file", PID_FILE], launch.arguments].concat();
        let gateway = Gateway::launch(Launch { arguments: &arguments, ..launch });
        let last = Cell::new(gateway.pid());
        let line = Line { gateway, last };
        assert_eq!(line.in_pid_file(), Some(line.pid()));
        line
    }

    fn in_pid_file(&self) -> Option<u32> {
        fs::read_to_string(self.directory().join(PID_FILE)).ok()?.trim().parse().ok()
    }

    /// The process that serves.
    fn serving(&self) -> u32 {
        self.last.get()
    }

    /// Sends a signal to the process that serves.
    fn tell(&self, signal: &str) {
        send(signal, self.serving());
    }

    /// Has another process take over, and waits until it serves.
    fn upgrade(&self) {
        self.tell("USR2");
        let said = self.said("serves, this one ends with its connections");
        let line = said.lines().last().unwrap();
        let process = line.split("process ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert_ne!(process, self.last.replace(process));
        assert_eq!(self.in_pid_file(), Some(process));
    }

    /// Asks for an upgrade that has to fail; returns what is said of it.
    fn fail(&self) -> String {
        self.tell("USR2");
        let said = self.said("upgrade failed, this process goes on");
        assert_eq!(self.get(80, "a.test", "/").status, 200);
        assert_eq!(
            (self.in_pid_file(), self.status_page("/healthz/ready").status),
            (Some(self.serving()), 200)
        );
        said.lines().last().unwrap().to_owned()
    }

    /// Ends the process that serves; all others have to have ended then.
    fn stop(self) -> String {
        self.tell("TERM");
        let mut said = String::new();
        // Everybody holds standard error, so that it ends with the last of them.
        while let Some(line) = self.try_said() {
            said.push_str(&line);
            said.push('\n');
        }
        assert_eq!(self.in_pid_file(), None);
        said
    }
}

impl Deref for Line {
    type Target = Gateway;
    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.serving() != self.pid() && self.in_pid_file() == Some(self.serving()) {
            let _ = Command::new("kill").args(["-KILL", &self.serving().to_string()]).status();
        }
    }
}

fn send(signal: &str, process: u32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status();
    assert!(status.unwrap().success());
}

fn start(yaml: &str, arguments: &[&str]) -> Line {
    Line::start(Launch { declared: &[80], yaml, arguments, ..Launch::default() })
}

fn through(port: u16) -> String {
    routed("  - route: [{destination: {host: a.test}}]", &[port])
}

/// Clients that work without pause.
const CLIENTS: usize = 12;
/// Answers between two upgrades.
const ANSWERS_BETWEEN: usize = 1_000;
const UPGRADES: usize = 3;

#[test]
fn no_request_fails_while_one_process_after_another_takes_over() {
    let origin = Origin::echo();
    let line = start(&through(origin.port()), &["--access-log", "off"]);
    let (port, answers) = (line.port(80), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let answers = Arc::clone(&answers);
            thread::spawn(move || work(number, port, &answers, &channel().0))
        })
        .collect();
    for turn in 1..=UPGRADES {
        line.until("more answers", || answers.load(Ordering::Relaxed) > turn * ANSWERS_BETWEEN);
        line.upgrade();
    }
    assert!(line.metric("sluicegate_upgrades_total") as usize == UPGRADES);
    line.tell("TERM");
    let failures: Vec<String> =
        clients.into_iter().filter_map(|client| client.join().unwrap().err()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    while let Some(said) = line.try_said() {
        assert!(!said.contains(" cut") || said.contains("no connection was cut"), "{said}");
    }
}

#[test]
fn what_is_under_way_is_answered_by_the_old_process_and_the_rest_by_the_new_one() {
    let origin = HeldOrigin::new();
    let line = start(&through(origin.port()), &[]);
    let mut one = line.connect(80);
    one.send(b"GET /one HTTP/1.1\r\nhost: a.test\r\n\r\n");
    let mut two = Peer::new(line.connect(80), false, "upgrade".into());
    two.handshake(&[]);
    two.get(1);
    origin.until_held(2);
    line.upgrade();
    let mut three = line.connect(80);
    three.send(b"GET /three HTTP/1.1\r\nhost: a.test\r\n\r\n");
    origin.until_held(3);
    origin.answer(3);
    let answer = one.answer("GET");
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
    assert!(one.is_closed());
    two.until(|_| false);
    assert_eq!(two.answer(1).and_then(Frame::status), Some(200), "{}", two.tell());
    assert!(two.seen.iter().any(|frame| frame.kind == GOAWAY), "{}", two.tell());
    // The old process may have accepted it in the moment in which it was told to stop.
    assert_eq!(three.answer("GET").status, 200);
    line.stop();
}

/// An origin that agrees to WebSockets and says what it gets back, and what it got.
fn websockets() -> (Origin, Receiver<Vec<u8>>) {
    let (got, gets) = channel();
    let origin = Origin::serve(move |_, stream| {
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(agreed.as_bytes()).unwrap();
        let (mut bytes, mut all) = ([0; 256], Vec::new());
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            all.extend_from_slice(&bytes[..count]);
            if !all.ends_with(FAREWELL_TO_SERVER) {
                stream.write_all(&bytes[..count]).unwrap();
            }
        }
        let _ = got.send(all);
        false
    });
    (origin, gets)
}

fn websocket(line: &Gateway) -> Client {
    let mut client = line.connect(80);
    client.send(
        b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(client.answer("GET").status, 101);
    client
}

fn echo(client: &mut Client, text: &[u8]) {
    client.send(text);
    assert_eq!(client.raw(text.len()), text);
}

/// Close frames with the status 1001, as a server and as a client sends them.
const FAREWELL: &[u8] = &[0x88, 2, 0x03, 0xe9];
const FAREWELL_TO_SERVER: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

#[test]
fn a_websocket_lives_on_with_the_old_process_and_is_told_when_its_time_is_up() {
    let (origin, gets) = websockets();
    let line = start(&through(origin.port()), &["--drain-time", "1500ms"]);
    let mut old = websocket(&line);
    echo(&mut old, b"before");
    let first = line.serving();
    line.upgrade();
    echo(&mut old, b"old");
    // The first signal after another process has taken over shortens the time, and cuts nobody.
    send("TERM", first);
    assert_eq!((old.raw(4), old.is_closed()), (FAREWELL.to_vec(), true));
    assert_eq!(gets.recv_timeout(PATIENCE).unwrap(), [b"beforeold", FAREWELL_TO_SERVER].concat());
    line.said("ended; no connection was cut");
    let mut new = websocket(&line);
    echo(&mut new, b"new");
    line.tell("TERM");
    assert_eq!((new.raw(4), new.is_closed()), (FAREWELL.to_vec(), true));
    line.said("ended; no connection was cut");
}

/// A place for the program, where something else may be put.
struct Place(Folder);

impl Place {
    /// With the program.
    fn new() -> Place {
        let place = Place(Folder::new());
        // A link is what an installer leaves; where there can be none a copy is as good, by another process as with scripts.
        let copy = || Command::new("cp").arg(PROGRAM).arg(place.path()).status().unwrap().success();
        assert!(fs::hard_link(PROGRAM, place.path()).is_ok() || copy());
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("program")
    }

    /// Puts a script there, as an installer does: by a rename.
    fn put(&self, script: &str) {
        let beside = self.0.put_program("beside", &format!("#!/bin/bash\n{script}\n"));
        fs::rename(beside, self.path()).unwrap();
    }

    fn start(&self, yaml: &str, arguments: &[&str]) -> Line {
        let path = self.path();
        Line::start(Launch { declared: &[80], yaml, arguments, program: path.to_str(), ..Launch::default() })
    }
}

#[test]
fn whatever_becomes_of_the_new_process_the_old_one_goes_on() {
    let place = Place::new();
    let line = place.start(&answering("hi"), &[]);
    let mut kept = line.connect(80);
    let mut ask = || {
        kept.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
        let answer = kept.answer("GET");
        assert_eq!((answer.status, answer.field("connection")), (200, None));
    };
    ask();
    place.put("exit 3");
    let said = line.fail();
    assert!(said.contains("ended before it served (exit status: 3)"), "{said}");
    ask();
    place.put("kill -KILL $$");
    let said = line.fail();
    assert!(said.contains("ended before it served (signal: 9"), "{said}");
    fs::remove_file(place.path()).unwrap();
    let said = line.fail();
    assert!(said.contains("can't be started: No such file"), "{said}");
    ask();
    place.put(&format!("exec {PROGRAM} \"$@\" --driver nonsense"));
    let said = line.fail();
    assert!(said.contains("(exit status: 2)"), "{said}");
    place.put(&format!("exec {PROGRAM} \"$@\""));
    line.upgrade();
    let failed = line.admin_page("/stats/prometheus");
    assert!(failed.text().contains("sluicegate_upgrades_total{result=\"failed\"} 4"), "{}", failed.text());
    line.stop();
}

#[test]
fn a_new_process_that_never_serves_is_given_up() {
    let place = Place::new();
    let line = place.start(&answering("hi"), &["--upgrade-timeout", "1s"]);
    place.put("exec sleep 1000");
    let said = line.fail();
    assert!(said.contains("did not serve within 1 s"), "{said}");
    let failed = line.admin_page("/stats/prometheus");
    assert!(failed.text().contains("sluicegate_upgrades_total{result=\"failed\"} 1"), "{}", failed.text());
    line.stop();
}

#[test]
fn a_broken_configuration_does_not_get_further_than_the_new_process() {
    let line = start(&answering("hi"), &["--watch", "off"]);
    let file = line.directory().join("config.yaml");
    fs::write(&file, answering("hi").replace("directResponse", "directAnswer")).unwrap();
    let said = line.fail();
    assert!(said.contains("can't serve: the configuration has errors"), "{said}");
    fs::write(&file, answering("there")).unwrap();
    line.upgrade();
    // What the old process has accepted meanwhile it answers.
    line.until("the new answer", || line.get(80, "a.test", "/").text() == "there");
    line.stop();
}

#[test]
fn only_one_at_a_time_and_not_while_it_ends() {
    let place = Place::new();
    let line = place.start(&answering("hi"), &[]);
    // It is there, and says nothing.
    place.put("exec sleep 1000");
    line.tell("USR2");
    line.said("starts from");
    line.tell("USR2");
    line.said("upgrade refused: another one is under way");
    // The end of the old process is the end of the new one too.
    line.tell("TERM");
    line.said("draining for at most 30 s");
    line.tell("USR2");
    let said: String = std::iter::from_fn(|| line.try_said()).collect();
    assert!(said.contains("ended; no connection was cut"), "{said}");
}

#[test]
fn the_number_of_workers_may_change_and_every_queue_has_an_owner() {
    for (before, after) in [("3", "1"), ("1", "3")] {
        let place = Place::new();
        let line = place.start(&answering("hi"), &["--workers", before]);
        place.put(&format!("exec {PROGRAM} $(echo \"$@\" | sed 's/--workers {before}/--workers {after}/')"));
        line.upgrade();
        assert!(line.said_so_far().contains(&format!("workers: {after},")));
        // The kernel spreads them over all sockets that listen.
        let mut clients: Vec<Client> = (0..64).map(|_| line.connect(80)).collect();
        for client in &mut clients {
            client.send(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
        }
        for client in &mut clients {
            assert_eq!(client.answer("GET").status, 200);
        }
        drop(clients);
        line.stop();
    }
}

#[test]
fn a_unix_socket_stays_and_its_file_with_it() {
    let folder = Folder::new();
    let path = folder.path().join("gateway.sock");
    let yaml = answering("hi").replace("bind: 127.0.0.1", &format!("bind: \"unix://{}\"", path.display()));
    let yaml = yaml.replace("number: 80,", "number: 0,");
    let line = Line::start(Launch { yaml: &yaml, ..Launch::default() });
    line.upgrade();
    line.said("ended; no connection was cut");
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    line.tell("TERM");
    while line.try_said().is_some() {}
    assert!(!path.exists());
}
