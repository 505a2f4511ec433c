//! The old process's side: starting the new one and waiting for it.
//!
//! All of it is on a thread of its own: to start a program takes time, and so does waiting for it.

use super::{GREETING, Program, Role, channel::Channel};
use crate::{control::log, table::BindAddress};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    process::{self, Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// The variable that tells the new process that its standard input is the channel: the number of its parent.
pub(super) const FROM: &str = "SLUICEGATE_UPGRADE_FROM";
/// What this process was told by a service manager and is not true for another one.
const NOT_FOR_OTHERS: [&str; 4] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// A socket that the new process gets.
pub(in crate::control) struct Gift {
    pub(in crate::control) role: Role,
    pub(in crate::control) at: BindAddress,
    /// Somebody outside of both processes has it too.
    pub(in crate::control) is_kept: bool,
    pub(in crate::control) socket: OwnedFd,
}

/// Everything that it takes to start the new process.
pub(super) struct Order {
    pub(super) program: Program,
    /// Where declared ports are listened on, as `--port-map` says it.
    pub(super) ports: String,
    pub(super) gifts: Vec<Gift>,
    /// Upgrades that were done and that failed before this one.
    pub(super) before: (u64, u64),
    /// It must serve within this time.
    pub(super) within: Duration,
}

/// What became of it.
#[derive(Debug)]
pub(in crate::control) enum Event {
    /// This process serves now.
    Serves(u32),
    /// Why none does.
    Failed(String),
    /// The process that served has ended.
    Ended(ExitStatus),
}

/// An upgrade under way, to be given up.
pub(super) struct UnderWay(Arc<Channel>);

impl UnderWay {
    /// The new process ends, unless it serves already.
    pub(super) fn give_up(&self) {
        self.0.end();
    }
}

/// Starts the new process; what becomes of it comes as events.
///
/// # Errors
/// No descriptors or no thread to be had.
pub(super) fn start(order: Order, events: mpsc::Sender<Event>) -> io::Result<UnderWay> {
    let (channel, theirs) = Channel::pair()?;
    let channel = Arc::new(channel);
    let under_way = UnderWay(Arc::clone(&channel));
    let run = move || {
        // Nobody listens any more when the control thread has ended; then nobody needs to know.
        let tell = |event| drop(events.blocking_send(event));
        match upgrade(order, &channel, theirs) {
            Ok(mut child) => {
                tell(Event::Serves(child.id()));
                drop(channel);
                if let Ok(status) = child.wait() {
                    tell(Event::Ended(status));
                }
            }
            Err(why) => tell(Event::Failed(why)),
        }
    };
    thread::Builder::new().name("upgrade".into()).spawn(run)?;
    Ok(under_way)
}

fn upgrade(order: Order, channel: &Channel, theirs: OwnedFd) -> Result<Child, String> {
    let due = Instant::now() + order.within;
    let mut child = spawn(&order.program, theirs)
        .map_err(|error| format!("{} can't be started: {error}", order.program.file.display()))?;
    log::info(format_args!("upgrade: process {} starts from {}", child.id(), order.program.file.display()));
    let why = match give(&order, channel, due).and_then(|()| wait(channel, due)) {
        Ok(()) => return Ok(child),
        Err(why) => why,
    };
    // It may have ended by itself, which its status then tells.
    let ended = child.try_wait().ok().flatten();
    let _ = child.kill();
    let status = child.wait().ok();
    Err(match (why, ended.or(status)) {
        (Lack::Said(text), _) => format!("the new process can't serve: {text}"),
        (Lack::Closed, Some(status)) => {
            format!("the new process ended before it served ({status}); what it said is in the log")
        }
        (Lack::Closed, None) => "the new process ended before it served".into(),
        (Lack::Late, _) => format!("the new process did not serve within {} s", order.within.as_secs_f64()),
        (Lack::Broken(error), _) => format!("the new process can't be talked to: {error}"),
    })
}

/// Its standard input is the channel. Everything else that is open here is closed there.
fn spawn(program: &Program, theirs: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(&program.file);
    command.args(&program.arguments).env(FROM, process::id().to_string()).stdin(Stdio::from(theirs));
    for name in NOT_FOR_OTHERS {
        command.env_remove(name);
    }
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    command.spawn()
}

/// Why the new process does not serve.
enum Lack {
    Said(String),
    Closed,
    Late,
    Broken(io::Error),
}

impl From<io::Error> for Lack {
    fn from(error: io::Error) -> Lack {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Lack::Late,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Lack::Closed,
            _ => Lack::Broken(error),
        }
    }
}

fn give(order: &Order, channel: &Channel, due: Instant) -> Result<(), Lack> {
    channel.wait_for(due.saturating_duration_since(Instant::now()))?;
    channel.send(GREETING, None)?;
    channel.send(&format!("ports {}", order.ports), None)?;
    channel.send(&format!("upgrades {} {}", order.before.0, order.before.1), None)?;
    for Gift { role, at, is_kept, socket } in &order.gifts {
        let kept = if *is_kept { "kept" } else { "own" };
        channel.send(&format!("socket {role} {kept} {at}"), Some(socket.as_fd()))?;
    }
    Ok(channel.send("end", None)?)
}

fn wait(channel: &Channel, due: Instant) -> Result<(), Lack> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Lack::Late);
        }
        channel.wait_for(left)?;
        match channel.receive()? {
            None => return Err(Lack::Closed),
            Some(message) if message.text == "ready" => return Ok(()),
            Some(message) => {
                if let Some(why) = message.text.strip_prefix("failed ") {
                    return Err(Lack::Said(why.to_owned()));
                }
            }
        }
    }
}
