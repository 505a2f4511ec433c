//! A DNS server over UDP that answers with what it is told (RFC 1035).

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
};

/// A server. It ends when it is dropped.
pub(crate) struct DnsServer {
    address: SocketAddr,
    told: Sender<(String, Answer)>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    questions: AtomicUsize,
    is_over: AtomicBool,
}

enum Answer {
    Addresses(Vec<IpAddr>, u32),
    /// SERVFAIL
    Failure,
    /// Nothing is sent.
    Silence,
}

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

impl DnsServer {
    /// Starts one that knows no name.
    pub(crate) fn start() -> DnsServer {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("no port for a DNS server");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let (told, news) = channel();
        let counting = Arc::clone(&shared);
        thread::spawn(move || {
            let (mut buffer, mut names) = ([0; 1024], BTreeMap::new());
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if counting.is_over.load(Ordering::SeqCst) {
                    return;
                }
                names.extend(news.try_iter());
                // Before anybody knows of the answer.
                counting.questions.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&buffer[..length], &names) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        DnsServer { address, told, shared }
    }

    /// Where it listens; for `--resolver`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on a name has these addresses for as many seconds.
    pub(crate) fn set(&self, name: &str, addresses: &[&str], ttl: u32) {
        let addresses = addresses.iter().map(|address| address.parse().expect("an IP address")).collect();
        self.tell(name, Answer::Addresses(addresses, ttl));
    }

    /// From now on asking for a name fails.
    pub(crate) fn fail(&self, name: &str) {
        self.tell(name, Answer::Failure);
    }

    /// From now on asking for a name gets no answer at all.
    pub(crate) fn ignore(&self, name: &str) {
        self.tell(name, Answer::Silence);
    }

    fn tell(&self, name: &str, answer: Answer) {
        self.told.send((name.to_owned(), answer)).expect("the DNS server has ended");
    }

    /// Questions so far.
    pub(crate) fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::SeqCst)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes its thread.
        let _ = UdpSocket::bind(("127.0.0.1", 0)).and_then(|socket| socket.send_to(&[0], self.address));
    }
}

/// Nothing for what is not a question with one entry.
fn answer(question: &[u8], names: &BTreeMap<String, Answer>) -> Option<Vec<u8>> {
    let (name, end) = name_at(question, 12)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let (code, addresses, ttl) = match names.get(&name) {
        Some(Answer::Addresses(addresses, ttl)) => (0, &addresses[..], *ttl),
        Some(Answer::Failure) => (SERVER_FAILURE, &[][..], 0),
        Some(Answer::Silence) => return None,
        None => (NO_SUCH_NAME, &[][..], 0),
    };
    let of_kind = |address: &&IpAddr| match kind {
        TYPE_A => address.is_ipv4(),
        TYPE_AAAA => address.is_ipv6(),
        _ => false,
    };
    let wanted: Vec<&IpAddr> = addresses.iter().filter(of_kind).collect();
    let mut message = question.get(..2)?.to_vec();
    // A response, recursion desired and available; one question, the answers.
    message.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(wanted.len()).ok()?, 0, 0, 0, 0]);
    message.extend(question.get(12..end + 4)?);
    for address in wanted {
        // The name of the question, its type, class IN.
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1]);
        message.extend(ttl.to_be_bytes());
        match address {
            IpAddr::V4(address) => message.extend([&[0, 4][..], &address.octets()].concat()),
            IpAddr::V6(address) => message.extend([&[0, 16][..], &address.octets()].concat()),
        }
    }
    Some(message)
}

/// The name at a place, in lower case, and where it ends.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_lowercase());
        at += length;
    }
}
