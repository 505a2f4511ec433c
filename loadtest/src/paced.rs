//! The client of the open loop, a program of its own on the core of the load: requests are due at fixed times, whether or not
//! earlier ones have been answered, and each one's latency counts from the time at which it was due.
//!
//! All connections have the same interval, and their turns lie side by side. A connection carries one request at a time: what
//! becomes due meanwhile waits, and its waiting counts (else a proxy that stops for a second would be asked less, and look
//! good: what is called coordinated omission). The outcome is one line of JSON.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};

use crate::error::{During, Error, Result};
use crate::http1::Answer;
use crate::tls;

/// What the curve is told at; p50, p90, p99 and p99.9 are among them.
pub(crate) const QUANTILES: [f64; 18] = [
    0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999,
    0.99999, 1.0,
];
/// A connection that is not answered for so long after the last request was due is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between the first answers, which are not counted, and the first request that is.
const CALM: Duration = Duration::from_millis(50);
/// Latency beyond this is told as this.
const LONGEST_NS: u64 = 60_000_000_000;
/// Three digits.
const DIGITS: u8 = 3;
/// The kernel may wake this program so much later than it asked, to save power; it is asked not to.
const SLACK_NS: u64 = 1_000;
const EVENTS_MAX: usize = 128;

/// What is asked, and how often.
#[derive(Debug, Clone, Args)]
pub(crate) struct PacedArgs {
    /// Port on 127.0.0.1.
    port: u16,
    /// Requests per second, over all connections.
    rate: f64,
    /// Seconds in which requests become due.
    secs: u64,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// With TLS, believing the certificate of this file alone.
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
}

/// Connects, asks, and prints what came of it.
pub(crate) fn run(args: &PacedArgs) -> Result<()> {
    // Without this answer the kernel's own habit remains, which is the same for all proxies.
    let _slack = rustix::thread::set_current_timer_slack(NonZeroU64::new(SLACK_NS));
    let client = args.tls.as_deref().map(tls::Client::that_believes).transpose()?;
    let mut lines = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        lines.push(Line::open(args.port, client.as_ref())?);
    }
    let schedule = Schedule::new(args.rate, args.connections)?;
    let mut run = Run::new(lines, schedule, Duration::from_secs(args.secs))?;
    run.go()?;
    println!("{}", run.told());
    Ok(())
}

/// When requests are due: turn N at so many nanoseconds after the start, on connection N modulo their number.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    interval_ns: f64,
    connections: u64,
}

impl Schedule {
    fn new(rate: f64, connections: usize) -> Result<Schedule> {
        if !(rate.is_finite() && rate > 0.0) || connections == 0 {
            return Err(Error::failed("a rate above 0 and a connection are needed"));
        }
        Ok(Schedule { interval_ns: 1e9 / rate, connections: connections as u64 })
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "turns of a run stay far below 2^52, and are not negative"
    )]
    fn due(&self, turn: u64) -> Duration {
        Duration::from_nanos((turn as f64 * self.interval_ns) as u64)
    }

    /// The turn that is a connection's so-and-so-manyth.
    fn turn_of(&self, connection: u64, number: u64) -> u64 {
        number * self.connections + connection
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n";

/// A connection with its share of the schedule.
struct Line {
    stream: Stream,
    answer: Answer,
    /// Its turns that have become due.
    due: u64,
    /// Its turns that have been sent; one more than answered while it waits.
    sent: u64,
    answered: u64,
}

impl Line {
    /// Connects and asks once.
    fn open(port: u16, client: Option<&tls::Client>) -> Result<Line> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).during(|| "connecting".to_owned())?;
        socket.set_nodelay(true).during(|| "setting TCP_NODELAY".to_owned())?;
        socket.set_read_timeout(Some(PATIENCE)).during(|| "setting a timeout".to_owned())?;
        let stream = match client {
            None => Stream::Plain(socket),
            Some(client) => Stream::Tls(Box::new(StreamOwned::new(client.connection()?, socket))),
        };
        let mut line = Line { stream, answer: Answer::default(), due: 0, sent: 0, answered: 0 };
        line.stream.write_all(REQUEST).during(|| "asking once".to_owned())?;
        while !line.read().during(|| "reading the first answer".to_owned())? {}
        line.stream.socket().set_nonblocking(true).during(|| "preparing a socket".to_owned())?;
        Ok(line)
    }

    fn is_waiting(&self) -> bool {
        self.sent > self.answered
    }

    fn send(&mut self) -> io::Result<()> {
        self.sent += 1;
        // A request fits into an empty socket always.
        self.stream.write_all(REQUEST)
    }

    /// Reads what is there; whether an answer is complete.
    fn read(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed"));
        }
        self.answer.take(piece.get(..count).unwrap_or_default()).map_err(io::Error::other)
    }
}

/// The run itself.
struct Run {
    lines: Vec<Line>,
    schedule: Schedule,
    length: Duration,
    poll: rustix::fd::OwnedFd,
    latencies: Histogram<u64>,
    /// Of those in the time in which requests became due.
    answered_in_time: u64,
    errors: Vec<String>,
}

impl Run {
    fn new(lines: Vec<Line>, schedule: Schedule, length: Duration) -> Result<Run> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).during(|| "making an epoll".to_owned())?;
        for (number, line) in (0_u64..).zip(&lines) {
            epoll::add(&poll, line.stream.socket(), epoll::EventData::new_u64(number), epoll::EventFlags::IN)
                .during(|| "watching a socket".to_owned())?;
        }
        let latencies = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
            .map_err(|error| Error::Failed(format!("making the histogram: {error}")))?;
        Ok(Run { lines, schedule, length, poll, latencies, answered_in_time: 0, errors: Vec::new() })
    }

    fn go(&mut self) -> Result<()> {
        let start = Instant::now() + CALM;
        let mut turn = 0;
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            let now = Instant::now();
            let passed = now.saturating_duration_since(start);
            let (mut next, end) = (self.schedule.due(turn), self.length);
            while next <= passed && next < end && now >= start {
                self.becomes_due(turn);
                turn += 1;
                next = self.schedule.due(turn);
            }
            let is_over = next >= end;
            if self.lines.is_empty()
                || !self.errors.is_empty()
                || (is_over && self.lines.iter().all(|line| line.answered == line.due))
                || passed > end + PATIENCE
            {
                break;
            }
            let wake = if is_over { end + PATIENCE } else { next };
            let wait = (start + wake).saturating_duration_since(Instant::now());
            self.wait(wait, &mut events)?;
            for number in events.drain(..) {
                self.is_readable(number, start);
            }
        }
        self.count_the_unanswered(start.elapsed());
        Ok(())
    }

    fn becomes_due(&mut self, turn: u64) {
        let number = usize::try_from(turn % self.schedule.connections).unwrap_or(0);
        let Some(line) = self.lines.get_mut(number) else { return };
        line.due += 1;
        if !line.is_waiting()
            && let Err(error) = line.send()
        {
            self.errors.push(format!("sending: {error}"));
        }
    }

    fn wait(&self, longest: Duration, numbers: &mut Vec<u64>) -> Result<()> {
        let timeout = Timespec {
            tv_sec: longest.as_secs().try_into().unwrap_or(0),
            tv_nsec: longest.subsec_nanos().into(),
        };
        let mut events = [const {
            epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }
        }; EVENTS_MAX];
        match epoll::wait(&self.poll, &mut events, Some(&timeout)) {
            Ok(count) => numbers.extend(events.iter().take(count).map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).during(|| "waiting for answers".to_owned()),
        }
        Ok(())
    }

    fn is_readable(&mut self, number: u64, start: Instant) {
        let Some(line) = usize::try_from(number).ok().and_then(|number| self.lines.get_mut(number)) else {
            return;
        };
        match line.read() {
            Ok(false) => {}
            Ok(true) if !line.is_waiting() => self.errors.push("an answer without a request".to_owned()),
            Ok(true) => {
                let due = self.schedule.due(self.schedule.turn_of(number, line.answered));
                let passed = start.elapsed();
                line.answered += 1;
                record(&mut self.latencies, passed.saturating_sub(due));
                self.answered_in_time += u64::from(passed <= self.length);
                if line.sent < line.due
                    && let Err(error) = line.send()
                {
                    self.errors.push(format!("sending: {error}"));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.errors.push(format!("reading: {error}")),
        }
    }

    /// They have waited so long at least; to leave them out would be to omit the slowest.
    fn count_the_unanswered(&mut self, passed: Duration) {
        for (number, line) in (0_u64..).zip(&self.lines) {
            for turn in line.answered..line.due {
                let due = self.schedule.due(self.schedule.turn_of(number, turn));
                record(&mut self.latencies, passed.saturating_sub(due));
            }
        }
    }

    fn told(&self) -> Value {
        let sum = |of: fn(&Line) -> u64| self.lines.iter().map(of).sum::<u64>();
        let (due, answered) = (sum(|line| line.due), sum(|line| line.answered));
        #[expect(
            clippy::cast_precision_loss,
            reason = "nanoseconds of a minute at most, and requests of a run"
        )]
        let (ms, in_time) = (|ns: u64| ns as f64 / 1e6, self.answered_in_time as f64);
        let curve =
            QUANTILES.map(|quantile| json!([quantile, ms(self.latencies.value_at_quantile(quantile))]));
        json!({
            "due": due,
            "answered": answered,
            "rate": in_time / self.length.as_secs_f64(),
            "curve": curve,
            "errors": self.errors,
        })
    }
}

fn record(latencies: &mut Histogram<u64>, latency: Duration) {
    let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    latencies.saturating_record(ns.clamp(1, LONGEST_NS));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn turns_go_round_and_are_evenly_spaced() {
        let schedule = Schedule::new(1000.0, 4).unwrap();
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(7), Duration::from_millis(7));
        assert_eq!((schedule.turn_of(3, 0), schedule.turn_of(3, 1)), (3, 7));
        assert!(Schedule::new(0.0, 1).is_err() && Schedule::new(1.0, 0).is_err());
    }

    /// Answers each request, the one of that number only after this time.
    fn origin(slow: usize, pause: Duration) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            for number in 0.. {
                if stream.read(&mut buffer).unwrap_or(0) == 0 {
                    return;
                }
                if number == slow {
                    thread::sleep(pause);
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
                if stream.write_all(answer).is_err() {
                    return;
                }
            }
        });
        port
    }

    #[test]
    fn what_waits_behind_a_slow_answer_counts_from_when_it_was_due() {
        // The first request asks once; the fifth of the schedule is slow, and what is due meanwhile waits behind it.
        let port = origin(5, Duration::from_millis(300));
        let lines = vec![Line::open(port, None).unwrap()];
        let schedule = Schedule::new(100.0, 1).unwrap();
        let mut run = Run::new(lines, schedule, Duration::from_millis(500)).unwrap();
        run.go().unwrap();
        let told = run.told();
        assert_eq!((told["due"].as_u64(), told["answered"].as_u64()), (Some(50), Some(50)), "{told}");
        // A client that waits for an answer before it asks again would have seen one slow request of fifty.
        let late = run.latencies.count_between(50_000_000, LONGEST_NS);
        assert!(late >= 20, "{late} requests were late: {told}");
        assert!(run.latencies.max() >= 300_000_000);
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let _request = stream.read(&mut buffer).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let lines = vec![Line::open(port, None).unwrap()];
        server.join().unwrap();
        let mut run = Run::new(lines, Schedule::new(100.0, 1).unwrap(), Duration::from_secs(60)).unwrap();
        run.go().unwrap();
        assert!(!run.errors.is_empty());
    }

    #[test]
    fn all_quantiles_that_are_told_are_measured() {
        for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
            assert!(QUANTILES.contains(&quantile));
        }
        assert!(QUANTILES.is_sorted());
    }
}
