//! Lines, gathered per shard and handed over in chunks.
//!
//! The shard only appends bytes to its own buffer. A buffer that is full, or a tick old, goes to the writer's thread
//! through a bounded channel; when the writer can't keep up, lines are dropped and counted, never waited for.

use super::{
    super::{Counters, bump},
    choice::{LogChoice, Share},
    condition::Condition,
    format::{Format, Tools},
    record::{Facts, Record},
};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError},
    },
};

/// Bytes that a shard gathers before it hands them over: about 180 lines.
const CHUNK_BYTES: usize = 64 << 10;
/// A chunk is handed over when less than this is free: a line is seldom longer.
const CHUNK_FREE: usize = 4096;

/// Where full chunks go, and where empty ones come back from.
pub struct LogSink {
    /// To the writer; bounded.
    pub full: SyncSender<Vec<u8>>,
    /// From the writer.
    pub empty: Receiver<Vec<u8>>,
}

/// The logs of a shard, from some moment on.
#[derive(Default)]
pub struct LogSet {
    /// Sinks that are new, each with its number. Those that the shard has already stay if a log names them.
    pub sinks: Vec<(u64, LogSink)>,
    /// All logs.
    pub logs: Vec<ShardLog>,
}

impl fmt::Debug for LogSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} logs, {} new sinks", self.logs.len(), self.sinks.len())
    }
}

/// One of the logs of a shard.
pub struct ShardLog {
    /// The number of the sink that its lines go to.
    pub sink: u64,
    /// How a line is written.
    pub format: Format,
    /// Which have one; nothing: all.
    pub condition: Option<Arc<Condition>>,
    /// So many of these, at random.
    pub share: Share,
}

/// A log with what has gathered.
struct Gathering {
    log: ShardLog,
    sink: Rc<LogSink>,
    chunk: Vec<u8>,
    lines: u64,
}

#[derive(Default)]
struct State {
    logs: Vec<Gathering>,
    tools: Tools,
    random: u64,
}

/// The access logs of one shard. Without any it does nothing.
pub struct AccessLog {
    /// There is a log: the one thing that is asked where there is none.
    is_on: Cell<bool>,
    state: RefCell<State>,
    counters: Arc<Counters>,
}

impl AccessLog {
    /// Logs that write to these sinks. `seed` tells the shards' samples apart.
    pub fn new(logs: LogSet, counters: Arc<Counters>, seed: u64) -> AccessLog {
        let log = AccessLog { is_on: Cell::new(false), state: RefCell::default(), counters };
        // No seed may be 0, for nothing would ever follow it.
        log.state.borrow_mut().random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        log.replace(logs);
        log
    }

    /// Whether anything is written at all.
    pub fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// Other logs from now on; what has gathered is handed over before.
    pub fn replace(&self, set: LogSet) {
        self.flush();
        let mut state = self.state.borrow_mut();
        let known = state.logs.drain(..).map(|gathering| (gathering.log.sink, gathering.sink));
        let mut sinks: Vec<(u64, Rc<LogSink>)> = known.collect();
        sinks.extend(set.sinks.into_iter().map(|(id, sink)| (id, Rc::new(sink))));
        let gathering = |log: ShardLog| {
            let sink = sinks.iter().find(|(id, _)| *id == log.sink).map(|(_, sink)| Rc::clone(sink))?;
            Some(Gathering { log, sink, chunk: Vec::with_capacity(CHUNK_BYTES), lines: 0 })
        };
        state.logs = set.logs.into_iter().filter_map(gathering).collect();
        self.is_on.set(!state.logs.is_empty());
    }

    /// Appends a line to each log that wants one.
    pub fn write(&self, record: &Record<'_>, facts: &impl Facts) {
        let mut state = self.state.borrow_mut();
        let State { logs, tools, random } = &mut *state;
        let is_chosen = match record.choice {
            LogChoice::Usual => true,
            LogChoice::Off => false,
            LogChoice::Errors => record.is_error(),
            LogChoice::Sample(share) => share.has(next(random)),
        };
        if !is_chosen {
            return;
        }
        for gathering in logs {
            let Gathering { log, chunk, lines, .. } = gathering;
            if log.share != Share::ALL && !log.share.has(next(random)) {
                continue;
            }
            if log.condition.as_ref().is_some_and(|c| !c.holds(record, facts, &mut tools.spare)) {
                continue;
            }
            log.format.run(record, facts, tools, chunk);
            *lines += 1;
            if chunk.len() >= CHUNK_BYTES - CHUNK_FREE {
                gathering.flush(&self.counters);
            }
        }
    }

    /// Hands over what has gathered. Called at every tick.
    pub fn flush(&self) {
        if self.is_on() {
            self.state.borrow_mut().logs.iter_mut().for_each(|log| log.flush(&self.counters));
        }
    }
}

impl Gathering {
    fn flush(&mut self, counters: &Counters) {
        if self.chunk.is_empty() {
            return;
        }
        let next = self.sink.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK_BYTES));
        let chunk = std::mem::replace(&mut self.chunk, next);
        let lines = std::mem::take(&mut self.lines);
        if let Err(TrySendError::Full(mut chunk) | TrySendError::Disconnected(mut chunk)) =
            self.sink.full.try_send(chunk)
        {
            bump(&counters.log_lines_dropped, lines);
            chunk.clear();
            self.chunk = chunk;
        }
    }
}

/// The next number of an xorshift* generator, which is random enough for samples.
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}
