//! Starts the program with a configuration, and stops it.
//!
//! ```ignore
//! let origin = Origin::echo();
//! let gateway = Gateway::start(&[80], &yaml(origin.port()));
//! let answer = gateway.get(80, "a.example", "/path");
//! assert_eq!(answer.status, 200);
//! gateway.stop();
//! ```
//!
//! `Gateway::launch` gives more to say, such as variables of the environment; `try_start` is for those that are to be
//! refused. Nothing here sleeps: everything waits for a byte, a line, or the end of a process, and `PATIENCE` only turns
//! a test that would hang into one that fails.
//!
//! Declared ports are mapped to ports that the kernel chose and that nobody else gets meanwhile. The program is told to
//! use epoll where `SLUICEGATE_TEST_DRIVER=epoll` is in the environment. Dropping a gateway ends its process.

use super::client::{Answer, Client};
use sluicegate::control::{PortMap, Reservation};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Nothing that a test waits for takes so long unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a short time limit of the gateway's is multiplied with, one after the other, where this machine is too slow for it.
const SLOWER: [u32; 3] = [1, 10, 40];

/// How a gateway is started.
#[derive(Clone, Copy, Default)]
pub(crate) struct Launch<'a> {
    /// The ports that its Gateways declare.
    pub(crate) declared: &'a [u16],
    /// Its configuration.
    pub(crate) yaml: &'a str,
    /// More arguments for `run`; those for `--workers`, `--admin`, `--status` and `--metrics` replace the harness's.
    pub(crate) arguments: &'a [&'a str],
    /// Variables of its environment.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// The program, if it is not the one that was built.
    pub(crate) program: Option<&'a str>,
    /// Nobody reads its standard output, a pipe that is full at some time.
    pub(crate) unread: bool,
    /// A program with arguments that becomes this one, which it gets as its last arguments.
    pub(crate) under: &'a [&'a str],
}

/// A folder for files of a test, removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sluicegate-files-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it; returns its path.
    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Puts a program in it; returns its path. Another process writes it: a child that another thread of this one has just forked
    /// would still have the file open for writing if this one did, and such a file can't be started (`ETXTBSY`).
    pub(crate) fn put_program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut write = Command::new("sh");
        write.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(&path).stdin(Stdio::piped());
        let mut child = write.spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; nothing if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Lines of the access log that nobody has asked for.
    pub(crate) log: Vec<String>,
    /// Everything that it said on standard error.
    pub(crate) said: String,
}

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    ports: BTreeMap<u16, u16>,
    admin: u16,
    status: u16,
    log: Receiver<String>,
    said: Receiver<String>,
    /// What was taken from `said`.
    heard: RefCell<String>,
    files: PathBuf,
    _reserved: Reservation,
}

impl Gateway {
    /// Starts it with this configuration, whose Gateways declare these ports, and waits until it serves.
    pub(crate) fn start(declared: &[u16], yaml: &str) -> Gateway {
        Gateway::start_with(declared, yaml, &[])
    }

    /// As `start`, with more arguments for `run`.
    pub(crate) fn start_with(declared: &[u16], yaml: &str, arguments: &[&str]) -> Gateway {
        Gateway::launch(Launch { declared, yaml, arguments, ..Launch::default() })
    }

    /// Starts it and waits until it serves.
    pub(crate) fn launch(launch: Launch<'_>) -> Gateway {
        Gateway::try_launch(launch).unwrap_or_else(|ended| panic!("it did not become ready: {ended:#?}"))
    }

    /// As `start_with`, for configurations that it is to refuse: what it left behind, if it ended.
    pub(crate) fn try_start(declared: &[u16], yaml: &str, arguments: &[&str]) -> Result<Gateway, Ended> {
        Gateway::try_launch(Launch { declared, yaml, arguments, ..Launch::default() })
    }

    fn try_launch(launch: Launch<'_>) -> Result<Gateway, Ended> {
        let gateway = Gateway::spawn(launch);
        loop {
            match gateway.next_said() {
                Ok(line) if line.contains("ready:") => return Ok(gateway),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(gateway.end()),
                Err(RecvTimeoutError::Timeout) => panic!("not ready:\n{}", gateway.said_so_far()),
            }
        }
    }

    fn spawn(launch: Launch<'_>) -> Gateway {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let files = std::env::temp_dir().join(format!("sluicegate-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("config.yaml"), launch.yaml).unwrap();
        // Two ports for the gateway's own pages; no Gateway declares them.
        let mut wanted = "65534=0,65535=0".to_owned();
        launch.declared.iter().for_each(|port| write!(wanted, ",{port}=0").unwrap());
        let (map, reserved) = wanted.parse::<PortMap>().unwrap().reserve().unwrap();
        let mut ports: BTreeMap<u16, u16> = map.entries().iter().copied().collect();
        let (admin, status) = (ports.remove(&65534).unwrap(), ports.remove(&65535).unwrap());
        let mut command = match launch.under {
            [] => cleaned(launch.program.unwrap_or(PROGRAM)),
            [first, rest @ ..] => {
                let mut command = cleaned(first);
                command.args(rest).arg(env!("CARGO_BIN_EXE_sluicegate"));
                command
            }
        };
        command.arg("run").arg("-c").arg(files.join("config.yaml")).current_dir(&files);
        let text = ports.iter().map(|(from, to)| format!("{from}={to}")).collect::<Vec<_>>().join(",");
        if !text.is_empty() {
            command.arg("--port-map").arg(text);
        }
        let driver = std::env::var("SLUICEGATE_TEST_DRIVER").unwrap_or_else(|_| "auto".to_owned());
        let (admin_at, status_at) = (format!("127.0.0.1:{admin}"), format!("127.0.0.1:{status}"));
        let usual = [
            ("--workers", "2"),
            ("--admin", &admin_at),
            ("--status", &status_at),
            ("--metrics", "off"),
            ("--driver", &driver),
        ];
        for (name, value) in usual.iter().filter(|(name, _)| !launch.arguments.contains(name)) {
            command.args([name, value]);
        }
        command.args(launch.arguments).envs(launch.variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = if launch.unread { None } else { child.stdout.take() };
        // What is left in `child` stays open, and nobody reads it.
        let log = out.map_or_else(|| channel().1, lines);
        let said = lines(child.stderr.take().unwrap());
        let heard = RefCell::default();
        Gateway { child, ports, admin, status, log, said, heard, files, _reserved: reserved }
    }

    /// Where a declared port is listened on.
    pub(crate) fn port(&self, declared: u16) -> u16 {
        self.ports[&declared]
    }

    /// The port of the admin pages.
    pub(crate) fn admin(&self) -> u16 {
        self.admin
    }

    /// The port of the status pages.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection to a declared port.
    pub(crate) fn connect(&self, declared: u16) -> Client {
        Client::connect(self.port(declared))
    }

    /// `GET path` with this `Host`, on a connection of its own.
    pub(crate) fn get(&self, declared: u16, host: &str, path: &str) -> Answer {
        self.request(declared, "GET", host, path, &[])
    }

    /// A request without a body, with header lines, on a connection of its own.
    pub(crate) fn request(
        &self,
        declared: u16,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        headers.iter().for_each(|(name, value)| write!(text, "{name}: {value}\r\n").unwrap());
        text.push_str("\r\n");
        let mut client = self.connect(declared);
        client.send(text.as_bytes());
        client.answer(method)
    }

    /// The next line of the access log.
    pub(crate) fn log_line(&self) -> String {
        self.log.recv_timeout(PATIENCE).expect("a line of the access log")
    }

    /// What it says on standard error, up to the first line that has `part` in it. Every line is looked at once.
    pub(crate) fn said(&self, part: &str) -> String {
        let mut said = String::new();
        while let Ok(line) = self.next_said() {
            writeln!(said, "{line}").unwrap();
            if line.contains(part) {
                return said;
            }
        }
        panic!("it never said `{part}`, but:\n{}", self.said_so_far());
    }

    /// Everything that it has said on standard error.
    pub(crate) fn said_so_far(&self) -> String {
        while let Ok(line) = self.said.try_recv() {
            writeln!(self.heard.borrow_mut(), "{line}").unwrap();
        }
        self.heard.borrow().clone()
    }

    /// The next line that it says on standard error; nothing at its end.
    pub(crate) fn try_said(&self) -> Option<String> {
        match self.next_said() {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.said_so_far()),
        }
    }

    fn next_said(&self) -> Result<String, RecvTimeoutError> {
        let line = self.said.recv_timeout(PATIENCE)?;
        writeln!(self.heard.borrow_mut(), "{line}").unwrap();
        Ok(line)
    }

    /// An admin page.
    pub(crate) fn admin_page(&self, path: &str) -> Answer {
        page(self.admin, path)
    }

    /// A status page.
    pub(crate) fn status_page(&self, path: &str) -> Answer {
        page(self.status, path)
    }

    /// A number of the metrics, the sum over all labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let page = self.admin_page("/stats/prometheus");
        let lines = page.text().lines().filter(|line| line.split([' ', '{']).next() == Some(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Waits until something holds that nobody announces; between two looks it asks for a page, which takes a while.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let too_late = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < too_late, "never so: {what}");
            assert_eq!(self.status_page("/healthz/live").status, 200);
        }
    }

    /// Waits until no worker listens on a declared port any more: all of them have heard of a drain then, which is said a moment
    /// before.
    pub(crate) fn until_doors_are_closed(&self, declared: u16) {
        self.until("nobody listens", || Client::try_connect(self.port(declared)).is_err());
    }

    /// The directory of its configuration, in which it runs.
    pub(crate) fn directory(&self) -> &Path {
        &self.files
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Waits for its end; returns what it left behind.
    pub(crate) fn end(mut self) -> Ended {
        loop {
            match self.next_said() {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.said_so_far()),
            }
        }
        let code = self.wait().code();
        Ended { code, log: self.log.iter().collect(), said: self.said_so_far() }
    }

    /// Ends it with SIGTERM; it has to end well.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.files);
        if thread::panicking() {
            eprintln!("the gateway said:\n{}", self.said_so_far());
        }
    }
}

/// For tests in which one thing has to be over before a short time limit of the gateway's, and another one has to run into it:
/// calls this with a factor for the limit, and with a larger one where it comes back with nothing because the first thing took
/// too long on this machine.
pub(crate) fn in_time<T>(attempt: impl FnMut(u32) -> Option<T>) -> T {
    SLOWER.into_iter().find_map(attempt).expect("it is over in time")
}

/// Runs the program with these arguments to its end: exit code, standard output, standard error.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program().args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The program that was built.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sluicegate");

/// The program, without options from this process's environment.
pub(crate) fn program() -> Command {
    cleaned(PROGRAM)
}

fn cleaned(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SLUICEGATE_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env_remove("NOTIFY_SOCKET");
    command
}

fn page(port: u16, path: &str) -> Answer {
    let mut client = Client::connect(port);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes());
    client.answer("GET")
}

/// The lines of a stream, as they come. The channel is bounded by what the process writes in one test.
fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A Gateway `gw` with one HTTP server on port 80 for `*`, a VirtualService with this `http` section (two spaces deep) and
/// ServiceEntries `a.test`, `b.test`, ... for these origins, each with port 80.
pub(crate) fn routed(http: &str, origins: &[u16]) -> String {
    let mut yaml = format!("{GATEWAY}---\n{}", virtual_service(http));
    for (name, port) in ('a'..).zip(origins) {
        yaml.push_str(&service_entry(&format!("{name}.test"), *port));
    }
    yaml
}

/// One HTTP server on port 80 for every host.
pub(crate) const GATEWAY: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: [\"*\"]}
";

/// A VirtualService `vs` for every host on `gw`.
pub(crate) fn virtual_service(http: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs}}\n\
         spec:\n  hosts: [\"*\"]\n  gateways: [gw]\n  http:\n{http}\n"
    )
}

/// A ServiceEntry for one origin on this host.
pub(crate) fn service_entry(host: &str, port: u16) -> String {
    let name = host.replace('.', "-");
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\n\
         spec:\n  hosts: [{host}]\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n  \
         resolution: STATIC\n  endpoints: [{{address: 127.0.0.1}}]\n"
    )
}

/// As `routed`, with a fixed answer to everything.
pub(crate) fn answering(text: &str) -> String {
    routed(&format!("  - directResponse: {{status: 200, body: {{string: {text:?}}}}}"), &[])
}
