//! The thread that writes the access log.
//!
//! Shards hand over whole chunks through one bounded channel and never wait for this thread. It wakes up for a chunk,
//! writes it with one system call, and gives the memory back to whichever shard has least of it.

use super::log;
use crate::telemetry::LogSink;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::fd::AsFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
};

/// Chunks per shard that may wait to be written: 1 MiB of lines. What a disk that stalls for longer loses is counted.
const WAITING_MAX: usize = 16;
/// Empty chunks that wait for one shard to take them. A shard fills one at a time.
const EMPTY_MAX: usize = 4;

/// Where access log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere; none are made.
    Off,
    /// Standard output.
    #[default]
    Stdout,
    /// The end of this file.
    File(PathBuf),
}

/// What the writer has done. Written by its thread only.
#[derive(Debug, Default)]
pub struct LogStatus {
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Chunks that could not be written, or not whole.
    pub failures: AtomicU64,
}

/// The control thread's end of the writer.
pub(super) struct LogWriter {
    orders: Sender<Order>,
    /// An empty chunk on this way wakes the thread, which then looks for orders.
    wake: SyncSender<Vec<u8>>,
    /// What it has done.
    pub(super) status: Arc<LogStatus>,
}

enum Order {
    Reopen,
    End(tokio::sync::oneshot::Sender<()>),
}

impl LogWriter {
    /// Opens the target and starts the thread; returns a sink for each of `shards`. Nothing, and no sinks, if the log is
    /// off.
    ///
    /// # Errors
    /// The file can't be opened, or there is no thread to be had.
    pub(super) fn start(target: &LogTarget, shards: usize) -> io::Result<Option<(LogWriter, Vec<LogSink>)>> {
        let Some(file) = target.open()? else { return Ok(None) };
        let (full, chunks) = sync_channel(WAITING_MAX * shards);
        let (orders, heard) = channel();
        let (mut sinks, mut empties) = (Vec::new(), Vec::new());
        for _ in 0..shards {
            let (back, empty) = sync_channel(EMPTY_MAX);
            sinks.push(LogSink { full: full.clone(), empty });
            empties.push(back);
        }
        let status = Arc::new(LogStatus::default());
        let writing = Writing {
            target: target.clone(),
            file,
            empties,
            turn: 0,
            status: Arc::clone(&status),
            is_broken: false,
        };
        thread::Builder::new().name("access-log".into()).spawn(move || writing.live(&chunks, &heard))?;
        Ok(Some((LogWriter { orders, wake: full, status }, sinks)))
    }

    /// Opens the file again, after somebody has renamed it.
    pub(super) fn reopen(&self) {
        self.order(Order::Reopen);
    }

    /// Writes what has been handed over and ends; the receiver hears when that is done.
    pub(super) fn end(&self) -> tokio::sync::oneshot::Receiver<()> {
        let (done, ended) = tokio::sync::oneshot::channel();
        self.order(Order::End(done));
        ended
    }

    fn order(&self, order: Order) {
        // It ends only when told to; then there is nothing to order. If there is no room for a chunk that wakes it, it is
        // awake.
        let _ = self.orders.send(order);
        let _ = self.wake.try_send(Vec::new());
    }
}

impl LogTarget {
    /// # Errors
    /// What `open(2)` says.
    fn open(&self) -> io::Result<Option<File>> {
        match self {
            LogTarget::Off => Ok(None),
            LogTarget::Stdout => Ok(Some(File::from(io::stdout().as_fd().try_clone_to_owned()?))),
            LogTarget::File(path) => Ok(Some(OpenOptions::new().append(true).create(true).open(path)?)),
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogTarget::Off => f.write_str("off"),
            LogTarget::Stdout => f.write_str("standard output"),
            LogTarget::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The thread's state.
struct Writing {
    target: LogTarget,
    file: File,
    empties: Vec<SyncSender<Vec<u8>>>,
    /// The shard that gets the next empty chunk.
    turn: usize,
    status: Arc<LogStatus>,
    /// The last write failed, and that has been said.
    is_broken: bool,
}

impl Writing {
    fn live(mut self, chunks: &Receiver<Vec<u8>>, orders: &Receiver<Order>) {
        while let Ok(chunk) = chunks.recv() {
            self.take(chunk);
            match orders.try_recv() {
                Ok(Order::Reopen) => self.reopen(),
                Ok(Order::End(done)) => {
                    chunks.try_iter().for_each(|chunk| self.take(chunk));
                    // The control thread waits for so long only, and may have stopped waiting.
                    let _ = done.send(());
                    return;
                }
                Err(_) => {}
            }
        }
    }

    fn take(&mut self, mut chunk: Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        match write_all(&self.file, &chunk) {
            Ok(()) => {
                self.status.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                if std::mem::take(&mut self.is_broken) {
                    log::info(format_args!("the access log can be written again to {}", self.target));
                }
            }
            Err(error) => {
                self.status.failures.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.is_broken, true) {
                    log::error(format_args!(
                        "the access log can't be written to {}: {error}; its lines are lost until it can",
                        self.target
                    ));
                }
            }
        }
        chunk.clear();
        self.give_back(chunk);
    }

    /// Any shard can use it; one that has enough does not take it.
    fn give_back(&mut self, mut chunk: Vec<u8>) {
        for _ in 0..self.empties.len() {
            self.turn = (self.turn + 1) % self.empties.len();
            let Some(empty) = self.empties.get(self.turn) else { return };
            match empty.try_send(chunk) {
                Ok(()) => return,
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => chunk = back,
            }
        }
    }

    fn reopen(&mut self) {
        match self.target.open() {
            Ok(Some(file)) => {
                self.file = file;
                log::info(format_args!("access log: {} opened again", self.target));
            }
            Ok(None) => {}
            Err(error) => {
                log::error(format_args!("access log: can't open {} again: {error}", self.target));
            }
        }
    }
}

/// Writes all of it, with one system call if the target takes it. Waits where the target does not block by itself.
fn write_all(mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Somebody else with the same terminal or pipe has made it not block.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match poll(&mut [PollFd::new(file, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
