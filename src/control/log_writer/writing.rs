//! The thread that writes to one target.

use super::output::Output;
use crate::{
    control::log,
    telemetry::{LogSink, LogTarget},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Chunks per shard that may wait to be written: 1 MiB of lines. What a disk that stalls for longer loses is counted.
const WAITING_MAX: usize = 16;
/// Empty chunks that wait for one shard to take them. A shard fills one at a time.
const EMPTY_MAX: usize = 4;
/// A target that can't be opened, or is gone, is tried again no sooner than this, and a file is looked at as often.
const AGAIN: Duration = Duration::from_secs(1);
/// A target that takes nothing is waited for in pieces of so many milliseconds, between which orders are heard.
const PATIENCE_MS: i64 = 100;

/// What a writer has done. Written by its thread only.
#[derive(Debug, Default)]
pub struct LogStatus {
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Chunks that could not be written, or not whole.
    pub failures: AtomicU64,
    /// Lines that could not be written.
    pub lost: AtomicU64,
    /// The last write failed, or the target could not be opened.
    pub is_broken: AtomicBool,
}

/// The control thread's end of a writer. Without it, the writer ends when all shards have let it go.
pub(super) struct Writer {
    orders: Sender<Order>,
    /// An empty chunk on this way wakes the thread, which then looks for orders.
    wake: SyncSender<Vec<u8>>,
    pub(super) status: Arc<LogStatus>,
}

enum Order {
    Reopen,
    End(tokio::sync::oneshot::Sender<()>),
}

impl Writer {
    /// Opens the target and starts the thread; returns a sink for each of `shards`. `None`: the log is off.
    ///
    /// # Errors
    /// A file can't be opened, or there is no thread to be had. What others may bring later is tried again: a FIFO's
    /// reader, a socket. With `is_patient` a file is, too.
    pub(super) fn start(
        target: &LogTarget,
        shards: usize,
        is_patient: bool,
    ) -> io::Result<Option<(Writer, Vec<LogSink>)>> {
        let opened = match Output::open(target) {
            Ok(None) => return Ok(None),
            Ok(Some(output)) => Ok(output),
            Err(error) if is_patient || may_come(target, &error) => Err(error),
            Err(error) => return Err(error),
        };
        let (full, chunks) = sync_channel(WAITING_MAX * shards);
        let (orders, heard) = channel();
        let (mut sinks, mut empties) = (Vec::new(), Vec::new());
        for _ in 0..shards {
            let (back, empty) = sync_channel(EMPTY_MAX);
            sinks.push(LogSink { full: full.clone(), empty });
            empties.push(back);
        }
        let status = Arc::new(LogStatus::default());
        let mut writing = Writing {
            target: target.clone(),
            output: None,
            tried: Instant::now(),
            is_within_line: false,
            empties,
            turn: 0,
            status: Arc::clone(&status),
            orders: heard,
            is_retired: false,
        };
        match opened {
            Ok(output) => writing.output = Some(output),
            Err(error) => writing.fail(&error, "opened"),
        }
        thread::Builder::new().name("access-log".into()).spawn(move || writing.live(&chunks))?;
        Ok(Some((Writer { orders, wake: full, status }, sinks)))
    }

    /// Opens the target again, after somebody has renamed the file.
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

/// Whether somebody else may still make it so that the target can be opened.
fn may_come(target: &LogTarget, error: &io::Error) -> bool {
    match target {
        LogTarget::Off | LogTarget::Stdout => false,
        LogTarget::File(_) => error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()),
        LogTarget::Unix(_) | LogTarget::Syslog(_) => true,
    }
}

/// The thread's state.
struct Writing {
    target: LogTarget,
    /// Nothing while it can't be opened.
    output: Option<Output>,
    /// When it was last opened, or looked at.
    tried: Instant,
    /// What was written ends in the middle of a line.
    is_within_line: bool,
    empties: Vec<SyncSender<Vec<u8>>>,
    /// The shard that gets the next empty chunk.
    turn: usize,
    status: Arc<LogStatus>,
    orders: Receiver<Order>,
    /// The control thread has let it go: what is stuck is not waited for.
    is_retired: bool,
}

impl Writing {
    fn live(mut self, chunks: &Receiver<Vec<u8>>) {
        while let Ok(chunk) = chunks.recv() {
            let mut end = self.take(chunk);
            if end.is_none() {
                end = self.hear();
            }
            if let Some(done) = end {
                chunks.try_iter().for_each(|chunk| drop(self.take(chunk)));
                // The control thread waits for so long only, and may have stopped waiting.
                let _ = done.send(());
                return;
            }
        }
    }

    /// Does what the control thread wants. Returns whom to tell that it ends, if it is to.
    fn hear(&mut self) -> Option<tokio::sync::oneshot::Sender<()>> {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Reopen) => self.reopen(),
                Ok(Order::End(done)) => return Some(done),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => {
                    self.is_retired = true;
                    return None;
                }
            }
        }
    }

    /// Writes a chunk. Returns whom to tell that it ends, if that was ordered meanwhile.
    fn take(&mut self, mut chunk: Vec<u8>) -> Option<tokio::sync::oneshot::Sender<()>> {
        if chunk.is_empty() {
            return None;
        }
        if self.tried.elapsed() >= AGAIN {
            self.look();
        }
        let mut end = None;
        let written = self.write(&chunk, &mut end);
        self.status.bytes.fetch_add(written as u64, Ordering::Relaxed);
        let rest = chunk.get(written..).unwrap_or_default();
        if !rest.is_empty() {
            let lines = memchr::memchr_iter(b'\n', rest).count();
            self.status.lost.fetch_add(lines as u64, Ordering::Relaxed);
        }
        chunk.clear();
        self.give_back(chunk);
        end
    }

    /// Returns how many bytes were written before something went wrong.
    fn write(&mut self, bytes: &[u8], end: &mut Option<tokio::sync::oneshot::Sender<()>>) -> usize {
        let mut written = 0;
        let failed = loop {
            let Some(output) = &mut self.output else {
                self.status.failures.fetch_add(1, Ordering::Relaxed);
                return written;
            };
            let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) else { break None };
            // The line that was cut short ends here, so that the next one is whole.
            let begin: &[u8] = if self.is_within_line && written == 0 { b"\n" } else { b"" };
            let taken = if begin.is_empty() { output.write(rest) } else { output.write(begin) };
            match taken {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(_) if !begin.is_empty() => self.is_within_line = false,
                Ok(taken) => {
                    written += taken;
                    let is_whole = bytes.get(..written).is_some_and(|done| done.ends_with(b"\n"));
                    self.is_within_line = output.is_stream() && !is_whole;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It is full: a reader is slow, or does not read at all.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_full(&error) => {
                    output.wait(PATIENCE_MS);
                    if is_full(&error) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    if end.is_none() {
                        *end = self.hear();
                    }
                    if end.is_some() || self.is_retired {
                        break Some(error);
                    }
                }
                Err(error) => break Some(error),
            }
        };
        match failed {
            None => self.succeed(),
            Some(error) => self.fail(&error, "written"),
        }
        written
    }

    fn succeed(&mut self) {
        if self.status.is_broken.swap(false, Ordering::Relaxed) {
            log::info(format_args!("the access log can be written again to {}", self.target));
        }
    }

    /// Says it once. What is connected to somebody is connected anew later.
    fn fail(&mut self, error: &io::Error, what: &str) {
        self.status.failures.fetch_add(1, Ordering::Relaxed);
        if !self.status.is_broken.swap(true, Ordering::Relaxed) {
            log::error(format_args!(
                "the access log can't be {what} to {}: {error}; its lines are lost until it can",
                self.target
            ));
        }
        let is_gone = matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected)
            || matches!(self.output, Some(Output::Stream(_) | Output::Datagram(_) | Output::Syslog(_)));
        if is_gone && self.target != LogTarget::Stdout {
            // Whoever takes its place has not seen the half of a line.
            (self.output, self.is_within_line) = (None, false);
            self.tried = Instant::now();
        }
    }

    /// Opens the target if it is not open, and again if the file was deleted.
    fn look(&mut self) {
        self.tried = Instant::now();
        let is_deleted = self.output.as_ref().is_some_and(Output::is_deleted);
        if is_deleted {
            log::warn(format_args!("the access log {} was deleted; it is made again", self.target));
        }
        if !is_deleted && self.output.is_some() {
            return;
        }
        match Output::open(&self.target) {
            Ok(output) => {
                (self.output, self.is_within_line) = (output, false);
                self.succeed();
            }
            Err(error) => {
                self.output = None;
                self.fail(&error, "opened");
            }
        }
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
        self.tried = Instant::now();
        match Output::open(&self.target) {
            Ok(Some(output)) => {
                let is_same = matches!(self.target, LogTarget::Stdout);
                self.output = Some(output);
                self.is_within_line &= is_same;
                log::info(format_args!("access log: {} opened again", self.target));
                self.succeed();
            }
            Ok(None) => {}
            Err(error) => {
                log::error(format_args!("access log: can't open {} again: {error}", self.target));
            }
        }
    }
}

/// A socket of datagrams whose reader does not keep up has no room, and poll(2) does not tell when there is.
fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
}
