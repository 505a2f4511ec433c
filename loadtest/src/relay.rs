//! The floor: a relay that knows nothing of HTTP, one ring on one core.
//!
//! Every connection that comes in has one to the origin, and bytes go from one to the other as they come: received again and
//! again into buffers that the kernel chooses, and sent from there. Whatever a proxy costs above this, it costs for work of its
//! own, not for the kernel's TCP. (Sends that complete only where they fail would cost a tenth less; but a gateway has to know
//! when its bytes are gone, so that is no floor of anything.)
//!
//! A side that does not read keeps buffers; when all are taken, nobody receives until one comes back. That is good for a
//! measurement, and for nothing else.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use clap::Args;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::error::{During, Result};
use crate::ring::{Completion, Piece, Ring};

/// Pools of buffers: for small answers, and for large ones. Two answers of 16 KiB with their heads fit into one of the first;
/// the second is what copies 1 MiB at the least cost.
const POOLS: [(u16, u32); 2] = [(2048, 32 << 10), (64, 256 << 10)];
/// Places for files: two for each connection that comes in.
const FILES: u32 = 16_384;
/// What the kernel says when no buffer is left.
const NO_BUFFERS: i32 = -105;

/// Where the relay listens and what it passes bytes to.
#[derive(Debug, Clone, Args)]
pub(crate) struct RelayArgs {
    /// Port on 127.0.0.1 for small answers.
    listen: u16,
    /// Port on 127.0.0.1 of the origin.
    upstream: u16,
    /// The core that it runs on.
    core: usize,
    /// One more port to listen on, whose connections have buffers for large answers.
    #[arg(long, value_name = "PORT")]
    bulk: Option<u16>,
}

/// Relays until it is ended.
pub(crate) fn run(args: &RelayArgs) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(args.core);
    sched_setaffinity(None, &cores).during(|| format!("moving to core {}", args.core))?;
    let mut relay = Relay::new(args).during(|| "preparing the ring".to_owned())?;
    loop {
        relay.turn().during(|| "using the ring".to_owned())?;
    }
}

/// What is known of a way: bytes that come from one socket and go to the other of the pair.
#[derive(Default)]
struct Way {
    /// Received and not yet sent.
    pieces: VecDeque<Piece>,
    /// Whether the first piece is being sent.
    sends: bool,
    /// Whether the receiving operation is under way.
    receives: bool,
    /// Whether the source has ended.
    ended: bool,
    /// Whether the other socket has been told so.
    told: bool,
}

/// Two sockets: that of the client, then that to the origin. The way with the same number begins at the socket.
struct Pair {
    sockets: [TcpStream; 2],
    ways: [Way; 2],
    pool: u16,
}

impl Pair {
    fn is_over(&self) -> bool {
        self.ways.iter().all(|way| way.ended && !way.receives && !way.sends)
    }

    fn break_off(&mut self) {
        for (socket, way) in self.sockets.iter().zip(&mut self.ways) {
            // A failure means that it is closed already.
            let _closed = socket.shutdown(Shutdown::Both);
            way.ended = true;
            way.told = true;
        }
    }
}

/// An operation, as its tag names it: of which pair, which way, and whether it receives.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tag {
    Accept(usize),
    Receive(usize, usize),
    Send(usize, usize),
}

impl Tag {
    fn number(self) -> u64 {
        let (what, one, two) = match self {
            Tag::Accept(listener) => (0, listener, 0),
            Tag::Receive(pair, way) => (1, pair, way),
            Tag::Send(pair, way) => (2, pair, way),
        };
        ((one as u64) << 8) | ((two as u64) << 4) | what
    }

    fn of(number: u64) -> Tag {
        let one = usize::try_from(number >> 8).unwrap_or(usize::MAX);
        let way = usize::from(number & 0x10 != 0);
        match number & 0xf {
            0 => Tag::Accept(one),
            1 => Tag::Receive(one, way),
            _ => Tag::Send(one, way),
        }
    }
}

struct Relay {
    ring: Ring,
    /// Each with its pool.
    listeners: Vec<(TcpListener, u16)>,
    upstream: SocketAddr,
    /// By number; the sockets of pair N are registered at 2N and 2N + 1.
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
    completions: Vec<Completion>,
    /// Ways that may have something to send.
    ready: Vec<(usize, usize)>,
    /// Ways that could not receive for want of a buffer.
    starved: Vec<(usize, usize)>,
    /// Pairs that may be over.
    ending: Vec<usize>,
}

impl Relay {
    fn new(args: &RelayArgs) -> io::Result<Relay> {
        let mut ring = Ring::new(FILES, &POOLS)?;
        let mut listeners = Vec::new();
        for (pool, port) in (0_u16..).zip([Some(args.listen), args.bulk].into_iter().flatten()) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            ring.watch(&listener, Tag::Accept(listeners.len()).number())?;
            listeners.push((listener, pool));
        }
        Ok(Relay {
            ring,
            listeners,
            upstream: (Ipv4Addr::LOCALHOST, args.upstream).into(),
            pairs: Vec::new(),
            free: Vec::new(),
            completions: Vec::new(),
            ready: Vec::new(),
            starved: Vec::new(),
            ending: Vec::new(),
        })
    }

    /// Waits for something to happen, and does what follows from it.
    fn turn(&mut self) -> io::Result<()> {
        let mut completions = std::mem::take(&mut self.completions);
        let pairs = &self.pairs;
        let pool_of = |tag| match Tag::of(tag) {
            Tag::Receive(pair, _) => pairs.get(pair).and_then(Option::as_ref).map_or(0, |pair| pair.pool),
            Tag::Accept(_) | Tag::Send(..) => 0,
        };
        self.ring.turn(&mut completions, pool_of)?;
        for completion in completions.drain(..) {
            match Tag::of(completion.tag) {
                Tag::Send(pair, way) => self.sent(pair, way, completion.result)?,
                Tag::Receive(pair, way) => self.received(pair, way, completion)?,
                Tag::Accept(listener) => self.accept(listener, completion.more)?,
            }
        }
        self.completions = completions;
        self.send_what_is_there()?;
        self.feed_the_starved()?;
        self.end_pairs()
    }

    fn way(&mut self, pair: usize, way: usize) -> Option<&mut Way> {
        way_of(&mut self.pairs, pair, way)
    }

    /// A send has told how it ended.
    fn sent(&mut self, number: usize, direction: usize, result: i32) -> io::Result<()> {
        let Some(way) = way_of(&mut self.pairs, number, direction) else { return Ok(()) };
        let (Ok(gone), Some(piece)) = (u32::try_from(result), way.pieces.front_mut()) else {
            self.give_up(number, direction);
            return Ok(());
        };
        piece.skip(gone);
        if piece.len() == 0 {
            way.sends = false;
            self.drop_first(number, direction);
            self.ready.push((number, direction));
            return Ok(());
        }
        let (place, tag) = (file(number, 1 - direction), Tag::Send(number, direction).number());
        self.ring.send(place, piece, tag)
    }

    /// The send failed because the other side has closed, so nothing can go there any more: all that waits for it is dropped,
    /// and the pair ends.
    fn give_up(&mut self, number: usize, direction: usize) {
        while self.drop_first(number, direction) {}
        if let Some(pair) = pair_of(&mut self.pairs, number) {
            if let Some(way) = pair.ways.get_mut(direction) {
                way.sends = false;
            }
            pair.break_off();
        }
        self.ending.push(number);
    }

    /// Gives the first piece of a way back, if there is one.
    fn drop_first(&mut self, number: usize, direction: usize) -> bool {
        let piece = self.way(number, direction).and_then(|way| way.pieces.pop_front());
        if let Some(piece) = &piece {
            self.ring.give_back(piece);
        }
        piece.is_some()
    }

    fn received(&mut self, number: usize, direction: usize, completion: Completion) -> io::Result<()> {
        let Some(way) = self.way(number, direction) else { return Ok(()) };
        way.receives = completion.more;
        let ended = way.ended;
        match completion.piece {
            Some(piece) if ended || completion.result <= 0 => self.ring.give_back(&piece),
            Some(piece) => way.pieces.push_back(piece),
            None => {}
        }
        self.ready.push((number, direction));
        if ended {
            self.ending.push(number);
        } else if completion.result == NO_BUFFERS {
            self.starved.push((number, direction));
        } else if completion.result < 0 {
            if let Some(pair) = pair_of(&mut self.pairs, number) {
                pair.break_off();
            }
            self.ending.push(number);
        } else if completion.result == 0 {
            if let Some(way) = self.way(number, direction) {
                way.ended = true;
            }
            self.ending.push(number);
        } else if !completion.more {
            self.receive(number, direction)?;
        }
        Ok(())
    }

    fn receive(&mut self, number: usize, direction: usize) -> io::Result<()> {
        let Some(pair) = pair_of(&mut self.pairs, number) else { return Ok(()) };
        let pool = pair.pool;
        let Some(way) = pair.ways.get_mut(direction).filter(|way| !way.receives && !way.ended) else {
            return Ok(());
        };
        way.receives = true;
        self.ring.receive(file(number, direction), pool, Tag::Receive(number, direction).number())
    }

    /// One piece of each way that has some and is not sending.
    fn send_what_is_there(&mut self) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        for (number, direction) in ready.drain(..) {
            let Some(pair) = pair_of(&mut self.pairs, number) else { continue };
            let Some(way) = pair.ways.get_mut(direction) else { continue };
            if way.sends {
                continue;
            }
            let Some(piece) = way.pieces.front() else {
                // All that came has gone: the other side may learn that no more comes.
                if way.ended && !way.told {
                    way.told = true;
                    let _closed =
                        pair.sockets.get(1 - direction).map(|socket| socket.shutdown(Shutdown::Write));
                    self.ending.push(number);
                }
                continue;
            };
            let tag = Tag::Send(number, direction).number();
            self.ring.send(file(number, 1 - direction), piece, tag)?;
            way.sends = true;
        }
        self.ready = ready;
        Ok(())
    }

    /// Whoever had no buffer tries again when one has come back. Else a send that is under way wakes the ring when it gives its
    /// buffer back.
    fn feed_the_starved(&mut self) -> io::Result<()> {
        if !self.ring.has_got_back() {
            return Ok(());
        }
        for (number, direction) in std::mem::take(&mut self.starved) {
            self.receive(number, direction)?;
        }
        Ok(())
    }

    fn accept(&mut self, listener: usize, more: bool) -> io::Result<()> {
        let Some((socket, pool)) = self.listeners.get(listener) else { return Ok(()) };
        let pool = *pool;
        let mut clients = Vec::new();
        // An error but for "none is waiting" (no descriptor is left, for one) is that of one client.
        while let Ok((client, _)) = socket.accept() {
            clients.push(client);
        }
        if !more {
            self.ring.watch(socket, Tag::Accept(listener).number())?;
        }
        for client in clients {
            // The origin refuses it or the table is full: the client sees its connection closed.
            if let Err(error) = self.begin(client, pool) {
                eprintln!("relay: {error}");
            }
        }
        Ok(())
    }

    fn begin(&mut self, client: TcpStream, pool: u16) -> io::Result<()> {
        let origin = TcpStream::connect(self.upstream)?;
        client.set_nodelay(true)?;
        origin.set_nodelay(true)?;
        client.set_nonblocking(true)?;
        origin.set_nonblocking(true)?;
        let number = self.free.pop().unwrap_or(self.pairs.len());
        if let Err(error) = self.ring.register(file(number, 0), &[client.as_raw_fd(), origin.as_raw_fd()]) {
            self.free.extend((number < self.pairs.len()).then_some(number));
            return Err(error);
        }
        let pair = Pair { sockets: [client, origin], ways: [Way::default(), Way::default()], pool };
        match self.pairs.get_mut(number) {
            Some(place) => *place = Some(pair),
            None => self.pairs.push(Some(pair)),
        }
        self.receive(number, 0)?;
        self.receive(number, 1)
    }

    /// Pairs of which nothing is under way any more are closed, and their numbers used again.
    fn end_pairs(&mut self) -> io::Result<()> {
        let mut ending = std::mem::take(&mut self.ending);
        for number in ending.drain(..) {
            let place = self.pairs.get_mut(number);
            let Some(place) = place.filter(|place| place.as_ref().is_some_and(Pair::is_over)) else {
                continue;
            };
            let Some(pair) = place.take() else { continue };
            for piece in pair.ways.iter().flat_map(|way| &way.pieces) {
                self.ring.give_back(piece);
            }
            self.ring.register(file(number, 0), &[-1, -1])?;
            self.free.push(number);
        }
        self.ending = ending;
        Ok(())
    }
}

fn pair_of(pairs: &mut [Option<Pair>], pair: usize) -> Option<&mut Pair> {
    pairs.get_mut(pair)?.as_mut()
}

fn way_of(pairs: &mut [Option<Pair>], pair: usize, way: usize) -> Option<&mut Way> {
    pair_of(pairs, pair)?.ways.get_mut(way)
}

/// Where the socket of that pair, at which that way begins, is registered.
fn file(pair: usize, way: usize) -> u32 {
    u32::try_from(2 * pair + way).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
