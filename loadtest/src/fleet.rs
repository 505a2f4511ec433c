//! The origin and the proxies that are running.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{During, Error, Result};
use crate::h2load;
use crate::machine::{Machine, Ports};
use crate::process::{Interrupt, Invocation, Process};
use crate::programs::{Inventory, Program};
use crate::proxies::{self, Configuration, Places, StreamModule};
use crate::subjects::{Entrances, Listener, Origins, Proxy, Role, Subject};
use crate::tls::Identity;
use crate::workspace::Workspace;

/// The slowest start is that of a gateway with 10,000 hosts on a busy machine.
const LISTEN_MAX: Duration = Duration::from_secs(30);
const LISTEN_POLL: Duration = Duration::from_millis(20);
/// For what a program does just after it has begun to listen: its first minute is not what is measured.
const SETTLE: Duration = Duration::from_secs(1);
/// So much of a configuration is told, in characters: more than any but those with many hosts or routes have.
const DESCRIBED_MAX: usize = 8 << 10;
/// The file, in the folder of this run, that tells nghttpd which type a file has.
const MIME_TYPES: &str = "mime.types";

/// What stays the same for the whole run.
pub(crate) struct Ground {
    /// Folders.
    pub(crate) workspace: Workspace,
    /// Cores and limits.
    pub(crate) machine: Machine,
    /// Installed programs.
    pub(crate) inventory: Inventory,
    /// The gateway, once it is built.
    pub(crate) gateway: Option<PathBuf>,
    /// The other build of it that `--before` names.
    pub(crate) before: Option<PathBuf>,
    /// This program, which is the relay and the client of the open loop, too.
    pub(crate) own: PathBuf,
    /// What every proxy shows to clients of TLS.
    pub(crate) identity: Identity,
    /// The person's wish to stop.
    pub(crate) interrupt: Interrupt,
}

impl Ground {
    /// What nginx has for TCP.
    fn stream_module(&self) -> Option<StreamModule> {
        let module = self.inventory.path(Program::NginxStream).ok()?;
        let is_program = self.inventory.path(Program::Nginx).is_ok_and(|nginx| nginx == module);
        Some(if is_program { StreamModule::BuiltIn } else { StreamModule::File(module.to_owned()) })
    }

    /// A text without the paths of this machine: the folder of the run is `RUN`, programs have names alone.
    pub(crate) fn without_folders(&self, text: &str) -> String {
        let mut text = text.replace(&self.workspace.run.display().to_string(), "RUN");
        let own = [self.gateway.as_ref(), self.before.as_ref(), Some(&self.own)].into_iter().flatten();
        let found = self.inventory.found.iter().map(|found| &found.path);
        for program in own.chain(found) {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            text = text.replace(&program.display().to_string(), &name);
        }
        self.workspace.without_root(&text)
    }

    /// The executable of a proxy.
    pub(crate) fn executable(&self, proxy: Proxy) -> Result<PathBuf> {
        let own = match proxy {
            Proxy::Sluicegate => self.gateway.as_ref(),
            Proxy::Before => self.before.as_ref(),
            Proxy::Floor => Some(&self.own),
            Proxy::Nginx | Proxy::Haproxy | Proxy::Envoy | Proxy::Caddy => None,
        };
        match (proxy.program(), own) {
            (Some(program), _) => Ok(self.inventory.path(program)?.to_owned()),
            (None, Some(path)) => Ok(path.clone()),
            (None, None) => Err(Error::Failed(format!("{} has no executable", proxy.name()))),
        }
    }
}

/// What was measured, in words: for whoever wants to do the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Described {
    /// The label of its row; `origin` for what answers.
    pub(crate) label: String,
    /// Who it is; none for the origin.
    pub(crate) proxy: Option<Proxy>,
    /// The command, without the folders of this machine.
    pub(crate) command: String,
    /// The name of its configuration, and the beginning of what is in it.
    pub(crate) file: (String, String),
}

impl Described {
    fn new(
        subject: Option<Subject>,
        invocation: &Invocation,
        written: &Configuration,
        ground: &Ground,
    ) -> Described {
        let end = written.text.char_indices().nth(DESCRIBED_MAX).map(|(end, _)| end);
        let text = match end.and_then(|end| written.text.get(..end)) {
            Some(beginning) => ground.without_folders(&format!("{beginning}\n(and so on)\n")),
            None => ground.without_folders(&written.text),
        };
        Described {
            label: subject.map_or_else(|| "origin".to_owned(), Subject::label),
            proxy: subject.map(|subject| subject.proxy),
            command: ground.without_folders(&invocation.line()),
            file: (written.file.clone(), text),
        }
    }
}

/// A proxy that listens.
pub(crate) struct Running {
    process: Process,
    /// Its configuration's file.
    pub(crate) configuration: PathBuf,
    /// What the configuration names.
    pub(crate) places: Places,
    /// The port of its counters, if it is sluicegate.
    pub(crate) admin_port: Option<u16>,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its port on 127.0.0.1 for these clients.
    pub(crate) fn port(&self, listener: Listener) -> u16 {
        self.places.entrances.port(listener)
    }

    /// An error once it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.process.check_alive()
    }
}

/// All that was started; dropping it stops all of it.
pub(crate) struct Fleet<'a> {
    /// What all of it stands on.
    pub(crate) ground: &'a Ground,
    ports: Ports,
    origins: Origins,
    running: Vec<(Subject, Running)>,
    /// All that has been started or configured, the origins first.
    pub(crate) described: Vec<Described>,
    _origins: Vec<Process>,
}

impl<'a> Fleet<'a> {
    /// Writes what the origins serve and what the proxies show to clients of TLS, and starts the origins.
    pub(crate) fn with_origins(ground: &'a Ground) -> Result<Fleet<'a>> {
        write_content(ground)?;
        let Identity { certificate, key, .. } = &ground.identity;
        ground.workspace.write("tls.crt", certificate.as_bytes())?;
        ground.workspace.write("tls.key", key.as_bytes())?;
        // HAProxy wants both in one file.
        ground.workspace.write("tls.pem", format!("{certificate}{key}").as_bytes())?;
        let mut ports = Ports::new();
        let origins = Origins { http1: ports.take()?, h2: ports.take()?, grpc: ports.take()? };
        let (started, described) = start_origins(ground, origins)?;
        Ok(Fleet { ground, ports, origins, running: Vec::new(), described, _origins: started })
    }

    /// Whether it is running.
    pub(crate) fn is_running(&self, subject: Subject) -> bool {
        self.running.iter().any(|(other, _)| *other == subject)
    }

    /// The running subject, started if it is not running.
    pub(crate) fn running(&mut self, subject: Subject) -> Result<&mut Running> {
        let index = match self.running.iter().position(|(other, _)| *other == subject) {
            Some(index) => index,
            None => {
                let started = self.start(subject)?;
                self.running.push((subject, started));
                self.running.len() - 1
            }
        };
        let found = self.running.get_mut(index).map(|(_, running)| running);
        found.ok_or_else(|| Error::Failed(format!("{} is not running", subject.label())))
    }

    /// Writes the subject's configuration and returns its path, with how it is started; `check` does not start it.
    pub(crate) fn configure(&mut self, subject: Subject) -> Result<(Places, PathBuf, Invocation)> {
        let mut take = || self.ports.take();
        let entrances = Entrances {
            http: take()?,
            tls: take()?,
            h2c: take()?,
            tls_to_h2: take()?,
            grpc: take()?,
            tcp: take()?,
            admin: take()?,
        };
        let program = self.ground.executable(subject.proxy)?;
        let places = places(self.ground, program, entrances, self.origins);
        let written = proxies::configuration(subject, &places)?;
        let path = self.ground.workspace.write(&written.file, written.text.as_bytes())?;
        let invocation = proxies::invocation(subject, &places, &path);
        let label = subject.label();
        if self.described.iter().all(|other| other.label != label) {
            self.described.push(Described::new(Some(subject), &invocation, &written, self.ground));
        }
        Ok((places, path, invocation))
    }

    /// Stops the subject if it is running.
    pub(crate) fn stop(&mut self, subject: Subject) {
        self.running.retain(|(other, _)| *other != subject);
    }

    fn start(&mut self, subject: Subject) -> Result<Running> {
        let (places, configuration, invocation) = self.configure(subject)?;
        let label = subject.label();
        let mut process = Process::start(&label, &invocation, &self.ground.workspace.log(&label))?;
        wait_until_it_listens(&mut process, places.entrances.http, &self.ground.interrupt)?;
        self.ground.interrupt.sleep(SETTLE)?;
        let tells = matches!(subject.proxy.role(), Role::Gateway | Role::Before);
        let admin_port = tells.then_some(places.entrances.admin);
        Ok(Running { process, configuration, places, admin_port })
    }
}

/// What the origins serve: nginx has the answer for `/` itself.
fn write_content(ground: &Ground) -> Result<()> {
    let workspace = &ground.workspace;
    workspace.write("www/12", b"hello world\n")?;
    for (name, bytes) in [("www/16k", 16 << 10), ("www/1m", 1 << 20)] {
        workspace.write(name, &noise(bytes))?;
    }
    let call = workspace.run.join("www").join(h2load::METHOD.trim_start_matches('/'));
    if let Some(service) = call.parent() {
        fs::create_dir_all(service).during(|| format!("creating {}", service.display()))?;
    }
    fs::write(&call, h2load::MESSAGE).during(|| format!("writing {}", call.display()))?;
    workspace.write(h2load::MESSAGE_FILE, h2load::MESSAGE)?;
    workspace.write(MIME_TYPES, b"application/grpc grpc\n")?;
    Ok(())
}

/// nginx, and nghttpd twice if it is there: for HTTP/2, and with the trailer that makes an answer one of gRPC.
fn start_origins(ground: &Ground, origins: Origins) -> Result<(Vec<Process>, Vec<Described>)> {
    let start = |name: &str, invocation: &Invocation, port: u16| {
        let mut origin = Process::start(name, invocation, &ground.workspace.log(name))?;
        wait_until_it_listens(&mut origin, port, &ground.interrupt)?;
        Ok(origin)
    };
    let places = |program: &Path| places(ground, program.to_owned(), Entrances::default(), origins);
    let nginx = places(ground.inventory.path(Program::Nginx)?);
    let written = proxies::origin_configuration(&nginx)?;
    let path = ground.workspace.write(&written.file, written.text.as_bytes())?;
    let invocation = proxies::nginx(&nginx, &path);
    let described = vec![Described::new(None, &invocation, &written, ground)];
    let mut started = vec![start("origin", &invocation, origins.http1)?];
    if let Ok(program) = ground.inventory.path(Program::Nghttpd) {
        let nghttpd = places(program);
        started.push(start("h2-origin", &proxies::nghttpd(&nghttpd, origins.h2, &[]), origins.h2)?);
        let types = format!("--mime-types-file={}", nghttpd.run.join(MIME_TYPES).display());
        // As services of gRPC answer: no length beforehand, the outcome at the end.
        let grpc = ["--trailer=grpc-status: 0", "--no-content-length", &types];
        started.push(start("grpc-origin", &proxies::nghttpd(&nghttpd, origins.grpc, &grpc), origins.grpc)?);
    }
    Ok((started, described))
}

fn places(ground: &Ground, program: PathBuf, entrances: Entrances, origins: Origins) -> Places {
    Places {
        run: ground.workspace.run.clone(),
        program,
        entrances,
        stream_module: ground.stream_module(),
        origins,
        load_core: ground.machine.cores.load,
        proxy_core: ground.machine.cores.proxy,
        second_core: ground.machine.third_core.unwrap_or(ground.machine.cores.load),
        open_files: ground.machine.open_files,
    }
}

fn wait_until_it_listens(process: &mut Process, port: u16, interrupt: &Interrupt) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let end = Instant::now() + LISTEN_MAX;
    while TcpStream::connect_timeout(&address, LISTEN_POLL).is_err() {
        process.check_alive()?;
        if Instant::now() > end {
            return Err(Error::Failed(format!(
                "nothing listens on {address} after {} s",
                LISTEN_MAX.as_secs()
            )));
        }
        interrupt.sleep(LISTEN_POLL)?;
    }
    // Somebody else's program could have taken the port just before.
    process.check_alive()
}

/// Bytes without a pattern that anything on the way could compress, the same in every run (xorshift64).
fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_length_asked_for_and_no_pattern() {
        let bytes = noise(4097);
        assert_eq!(bytes.len(), 4097);
        assert_eq!(bytes, noise(4097));
        let zeros = bytes.iter().filter(|byte| **byte == 0).count();
        assert!(zeros < 64, "{zeros}");
    }
}
