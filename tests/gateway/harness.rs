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
//! Declared ports are mapped to ports that the kernel chose and that nobody else gets meanwhile. The program is told to
//! use epoll where `SLUICEGATE_TEST_DRIVER=epoll` is in the environment. Dropping a gateway ends its process.

use super::client::{Answer, Client};
use sluicegate::control::{PortMap, Reservation};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

/// Nothing that a test waits for takes so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    ports: BTreeMap<u16, u16>,
    admin: u16,
    status: u16,
    log: Receiver<String>,
    said: Receiver<String>,
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
        let mut gateway = Gateway::spawn(declared, yaml, arguments);
        let mut said = Vec::new();
        while let Ok(line) = gateway.said.recv_timeout(PATIENCE) {
            if line.contains("ready:") {
                return gateway;
            }
            said.push(line);
        }
        let status = gateway.child.try_wait();
        panic!("the gateway did not become ready ({status:?}); it said:\n{}", said.join("\n"));
    }

    /// Starts it and does not wait: for configurations that it is to refuse.
    pub(crate) fn spawn(declared: &[u16], yaml: &str, arguments: &[&str]) -> Gateway {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let files = std::env::temp_dir().join(format!("sluicegate-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("config.yaml"), yaml).unwrap();
        // Two ports for the gateway's own pages; no Gateway declares them.
        let mut wanted = "65534=0,65535=0".to_owned();
        declared.iter().for_each(|port| write!(wanted, ",{port}=0").unwrap());
        let (map, reserved) = wanted.parse::<PortMap>().unwrap().reserve().unwrap();
        let mut ports: BTreeMap<u16, u16> = map.entries().iter().copied().collect();
        let (admin, status) = (ports.remove(&65534).unwrap(), ports.remove(&65535).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
        command.arg("run").arg("-c").arg(files.join("config.yaml"));
        let text = ports.iter().map(|(from, to)| format!("{from}={to}")).collect::<Vec<_>>().join(",");
        if !text.is_empty() {
            command.arg("--port-map").arg(text);
        }
        command.args(["--workers", "2"]);
        command.arg("--admin").arg(format!("127.0.0.1:{admin}"));
        command.arg("--status").arg(format!("127.0.0.1:{status}"));
        if let Ok(driver) = std::env::var("SLUICEGATE_TEST_DRIVER") {
            command.arg("--driver").arg(driver);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (log, said) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Gateway { child, ports, admin, status, log, said, files, _reserved: reserved }
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

    /// What it says on standard error, up to the first line that has `part` in it.
    pub(crate) fn said(&self, part: &str) -> String {
        let mut said = String::new();
        while let Ok(line) = self.said.recv_timeout(PATIENCE) {
            writeln!(said, "{line}").unwrap();
            if line.contains(part) {
                return said;
            }
        }
        panic!("it never said `{part}`, but:\n{said}");
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

    /// Ends it with SIGTERM; it has to end well.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.files);
    }
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
