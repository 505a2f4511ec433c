//! Thousands of clients that never get to a request: nothing may be left of them, and nobody else may notice.

use super::{
    certificates::Authority,
    client::{Client, End},
    harness::{Gateway, service_entry},
    hello::{Hello, records},
    origin::Origin,
    tls_client::{believing, connection},
    tls_files::{WEB, secret},
};
use rustls::ClientConfig;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// How many of them.
const CLIENTS: usize = 10_000;
/// How many at a time.
const THREADS: usize = 8;
/// Descriptors of the honest client: two connections, and what is kept of connections to the origin, by two workers.
const KEPT: usize = 4;
/// Before memory is looked at for the first time: pools fill, and the allocator keeps what it has.
const FIRST: usize = 1000;
/// What a process may have grown by after nine thousand more. A leak of 1 KiB each would be 9 MiB.
const GROWTH_KIB_MAX: u64 = 4 * 1024;

struct Site {
    gateway: Gateway,
    client: Arc<ClientConfig>,
}

impl Site {
    fn new() -> Site {
        let authority = Authority::new("servers");
        let yaml = [
            WEB,
            &service_entry("web.internal", Origin::named("web").port()),
            &secret("web", &authority.leaf(&["web.test"]), None),
        ];
        let gateway = Gateway::start_with(&[443], &yaml.concat(), &["--access-log", "off"]);
        Site { gateway, client: Arc::new(believing(&[&authority], None)) }
    }
}

#[test]
fn ten_thousand_broken_hellos_leave_nothing_behind() {
    let site = Site::new();
    let port = site.gateway.port(443);
    let over = Arc::new(AtomicBool::new(false));
    let honest = honest_client(port, Arc::clone(&site.client), Arc::clone(&over));
    let idle_descriptors = descriptors(&site.gateway);
    broken_clients(port, 0..FIRST);
    let kept = idle_descriptors + KEPT;
    site.gateway.until("the first are gone", || descriptors(&site.gateway) <= kept);
    let memory = resident_kib(&site.gateway);
    broken_clients(port, FIRST..CLIENTS);
    over.store(true, Ordering::SeqCst);
    let served = honest.join().expect("an honest client was harmed");
    assert!(served > 100, "only {served} requests of the honest client were served meanwhile");
    site.gateway.until("all are gone", || descriptors(&site.gateway) <= kept);
    let grown = resident_kib(&site.gateway).saturating_sub(memory);
    assert!(grown <= GROWTH_KIB_MAX, "it has grown by {grown} KiB from {memory} KiB");
    let failures = site.gateway.metric("envoy_listener_ssl_connection_error");
    assert!(failures > 0.0, "{failures} failures are counted");
    site.gateway.stop();
}

/// Asks over a connection that it keeps, and over a new one each time, until it is over; every answer has to be right.
fn honest_client(port: u16, config: Arc<ClientConfig>, over: Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let connect = move || Client::connect(port).handshake(connection(&config, "web.test")).unwrap();
    thread::spawn(move || {
        let mut kept = connect();
        let mut served = 0;
        while !over.load(Ordering::SeqCst) {
            for (client, end) in [(&mut kept, ""), (&mut connect(), "Connection: close\r\n")] {
                client.send(format!("GET / HTTP/1.1\r\nHost: web.test\r\n{end}\r\n").as_bytes());
                assert_eq!(client.answer("GET").status, 200);
                if !end.is_empty() {
                    assert!(client.is_closed() && client.end() == End::Clean, "{:?}", client.end());
                }
                served += 1;
            }
        }
        served
    })
}

/// Clients with these numbers, some at a time; each does what its number says and goes on when the gateway has closed.
fn broken_clients(port: u16, numbers: std::ops::Range<usize>) {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let next = Arc::clone(&next);
            thread::spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= numbers.end {
                        return;
                    }
                    let mut client = Client::connect(port);
                    client.try_send(&broken(number));
                    // A client whose hello is not whole goes away; the others wait to be sent away.
                    client.half_close();
                    while !client.is_closed() {
                        client.raw(1 << 16);
                    }
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

/// What the client with this number says: always the same.
fn broken(number: usize) -> Vec<u8> {
    let mut random = Xorshift(0x9E37_79B9_7F4A_7C15 ^ (number as u64 + 1));
    let hello = Hello::named(b"web.test").greased();
    let mut bytes = hello.bytes();
    match number % 8 {
        // Noise, and noise in a record.
        0 => (0..random.below(600)).map(|_| random.byte()).collect(),
        1 => {
            let noise: Vec<u8> = (0..random.below(600)).map(|_| random.byte()).collect();
            records(&noise, 16 << 10)
        }
        // Cut short.
        2 => {
            bytes.truncate(random.below(bytes.len()));
            bytes
        }
        // A few bytes changed; some of these are good hellos, whose clients then go away.
        3 | 4 => {
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.byte();
            }
            bytes
        }
        // Too long, in one message or in lengths that promise it.
        5 => hello.padded_to((33 << 10) + random.below(20_000)).bytes(),
        6 => [&[22, 3, 1, random.byte(), random.byte(), 1, random.byte()][..], &bytes[8..]].concat(),
        // A good hello, then noise in place of the client's key exchange.
        _ => {
            bytes.extend((0..random.below(300)).map(|_| random.byte()));
            bytes
        }
    }
}

/// Marsaglia's generator: the same numbers in every run.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % end
    }
}

fn descriptors(gateway: &Gateway) -> usize {
    fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count()
}

fn resident_kib(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
