//! What a case of HTTP/2 is, how it is run on a plain and on a TLS port, and how what came is judged: by what the RFC says,
//! and by what h2spec 2.6 would accept.
//!
//! h2spec takes a closed connection for every error, and an error of the connection for one of a stream. The RFC knows
//! better, so a case says both. Nothing here waits for a time: after what it sends, a case that is to go on sends a PING and a
//! request, and what has not come when both are answered does not come.

use super::{
    h2_frames::*,
    h2_peer::{AUTHORITY, PROBE, Peer},
    h2_site::{Doors, Site, port_name},
    origin::Request,
};
use std::{panic::AssertUnwindSafe, thread};

/// What the RFC wants to come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// This status on stream 1, and the connection goes on.
    Answer(u16),
    /// Nothing in particular, and the connection goes on.
    Alive,
    /// RST_STREAM on this stream with one of these codes, and the connection goes on.
    Stream(u32, &'static [u32]),
    /// RST_STREAM on stream 1 with PROTOCOL_ERROR (RFC 9113 section 8.1.1), the connection goes on, and the origin gets no
    /// whole request.
    Malformed,
    /// RST_STREAM with PROTOCOL_ERROR or a status of 400 and more on stream 1, the connection goes on, and the origin gets no
    /// whole request.
    Refused,
    /// The connection goes on, whatever became of its requests; what reached the origin is clean.
    Clean,
    /// GOAWAY with one of these codes, and the end of the connection.
    Connection(&'static [u32]),
    /// Either of the two, on stream 1: where the RFC leaves it open.
    Either(&'static [u32]),
    /// The end of the connection, with whatever is said before.
    End,
}

/// What h2spec would accept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum H2spec {
    /// It has no such case.
    Unknown,
    /// RST_STREAM or GOAWAY with one of these codes, or the end.
    Stream(&'static [u32]),
    /// GOAWAY with one of these codes, or the end.
    Connection(&'static [u32]),
    /// The end.
    Closed,
    /// The end, or an answer to a PING.
    PongOrClosed,
    /// An answer to a PING.
    Pong,
    /// A head on stream 1.
    Headers,
    /// DATA.
    Data,
    /// DATA of one octet, and no longer one before it.
    DataOfOne,
    /// SETTINGS first.
    Settings,
    /// An acknowledgement of SETTINGS.
    Acknowledged,
    /// GOAWAY with this code.
    GoAway(u32),
    /// RST_STREAM with this code.
    Reset(u32),
}

/// One case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Section and number, as h2spec counts them, or the section of the RFC.
    id: &'static str,
    title: &'static str,
    accepts: H2spec,
    wants: Expect,
    is_bare: bool,
    run: fn(&mut Peer),
}

/// A case of h2spec.
pub(crate) const fn h2spec(
    id: &'static str,
    title: &'static str,
    accepts: H2spec,
    wants: Expect,
    run: fn(&mut Peer),
) -> Case {
    Case { id, title, accepts, wants, is_bare: false, run }
}

/// A case that h2spec does not have.
pub(crate) const fn beyond(id: &'static str, title: &'static str, wants: Expect, run: fn(&mut Peer)) -> Case {
    h2spec(id, title, H2spec::Unknown, wants, run)
}

impl Case {
    /// Without the preface and the settings, which the case sends itself.
    pub(crate) const fn bare(mut self) -> Case {
        self.is_bare = true;
        self
    }
}

/// Runs cases, each on a plain and on a TLS connection of its own; every one has to hold.
pub(crate) fn all_hold(name: &str, cases: &[Case]) {
    let site = Site::new();
    let runs: Vec<(usize, bool)> =
        (0..cases.len()).flat_map(|number| [(number, false), (number, true)]).collect();
    let mut failures = Vec::new();
    let (mut passed, mut known) = (0, 0);
    // Enough at a time to be quick, and not so many that they wait for each other.
    for some in runs.chunks(16) {
        let judged: Vec<_> = thread::scope(|scope| {
            let doors = site.doors();
            let run = |(number, is_tls): (usize, bool)| cases[number].run(doors, number, is_tls);
            let threads: Vec<_> = some.iter().map(|one| scope.spawn(move || run(*one))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (wrong, accepted) in judged {
            failures.extend(wrong);
            known += usize::from(accepted.is_some());
            passed += usize::from(accepted == Some(true));
        }
    }
    let requests = site.requests();
    failures.extend(cases.iter().enumerate().filter_map(|(number, case)| case.reached(number, &requests)));
    let strange = requests.iter().filter(|request| !is_clean(request));
    failures.extend(strange.map(|request| format!("a request that nobody may forward: {request:?}")));
    println!("{name}: h2spec would accept {passed} of {known}, plain and TLS");
    let report = failures.join("\n");
    assert!(failures.is_empty(), "{name}: {} failed:\n{report}", failures.len());
    assert_eq!(passed, known, "{name}");
    site.stop();
}

/// Whether a request that reached the origin is one that an honest client has made: nothing in it or beside it is
/// smuggled (RFC 9113 section 10.3).
fn is_clean(request: &Request) -> bool {
    let count = |name: &str| request.fields.iter().filter(|(n, _)| n == name).count();
    let words: Vec<&str> = request.line.split(' ').collect();
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|o| o.is_ascii_graphic() && o != b':');
    let is_value = |text: &str| !text.contains(['\0', '\r', '\n']);
    let is_own = |host: &str| host.split(':').next().unwrap_or_default().eq_ignore_ascii_case(AUTHORITY);
    words.len() == 3
        && is_token(words[0])
        && words[1].bytes().all(|octet| octet.is_ascii_graphic())
        && words[2] == "HTTP/1.1"
        && count("x-case") == 1
        && count("host") == 1
        && request.field("host").is_some_and(is_own)
        && count("content-length") + count("transfer-encoding") <= 1
        && request.field("transfer-encoding").is_none_or(|coding| coding == "chunked")
        && request.fields.iter().all(|(name, value)| is_token(name) && is_value(value))
        && !request.line.contains("smuggled")
        && count("smuggled") == 0
}

impl Case {
    /// What is wrong, if anything is, and whether h2spec would accept it.
    fn run(&self, doors: &Doors, number: usize, is_tls: bool) -> (Option<String>, Option<bool>) {
        let mut peer = doors.peer(is_tls, &number.to_string());
        let run = AssertUnwindSafe(|| {
            if !self.is_bare {
                peer.handshake(&[]);
            }
            (self.run)(&mut peer);
            self.judge(&mut peer)
        });
        let wrong = std::panic::catch_unwind(run).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Some(
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default(),
            )
        });
        let accepted = self.accepts.judge(&peer);
        let wrong = wrong.or_else(|| peer.faults.first().cloned());
        let text = wrong.map(|wrong| {
            let verdict = match accepted {
                Some(true) => "; h2spec would accept it",
                Some(false) => "; h2spec would not accept it",
                None => "",
            };
            let (id, title, port) = (self.id, self.title, port_name(is_tls));
            format!("  {id} ({port}) {title}\n    {wrong}{verdict}\n    came: {}", peer.tell())
        });
        (text, accepted)
    }

    fn judge(&self, peer: &mut Peer) -> Option<String> {
        let goes_on = match self.wants {
            Expect::Connection(_) if !peer.is_mid_block && peer.probe() => true,
            Expect::Connection(_) | Expect::End => {
                peer.until(|_| false);
                false
            }
            Expect::Answer(_) | Expect::Refused => {
                peer.probe()
                    && peer.until(|p| p.answer(1).is_some() || p.seen.iter().any(|f| f.is(RST_STREAM, 1)))
            }
            _ => peer.probe(),
        };
        let reset = |stream: u32, codes: &[u32]| {
            peer.seen.iter().any(|frame| frame.is(RST_STREAM, stream) && codes.contains(&frame.code()))
        };
        let gone = |codes: &[u32]| {
            peer.is_over && peer.seen.iter().any(|f| f.kind == GOAWAY && codes.contains(&f.code()))
        };
        let is_error = |frame: &Frame| {
            matches!(frame.kind, RST_STREAM | GOAWAY)
                && frame.code() != NO_ERROR
                && (frame.stream == 0 || frame.stream > peer.forgiven)
        };
        let goes_well = goes_on && !peer.seen.iter().any(is_error);
        let is_right = match self.wants {
            Expect::Answer(status) => goes_well && peer.answer(1).and_then(Frame::status) == Some(status),
            Expect::Alive => goes_well,
            Expect::Stream(stream, codes) => goes_on && reset(stream, codes),
            Expect::Malformed => goes_on && reset(1, &[PROTOCOL_ERROR]),
            Expect::Refused => goes_on && peer.seen.iter().any(|frame| frame.stream == 1 && frame.refuses()),
            Expect::Clean => goes_on,
            Expect::Connection(codes) => gone(codes),
            Expect::Either(codes) => goes_on && reset(1, codes) || gone(codes),
            Expect::End => peer.is_over,
        };
        (!is_right).then(|| format!("wanted {}", self.wants.tell()))
    }

    /// Finds fault with a malformed request that has reached the origin.
    fn reached(&self, number: usize, requests: &[Request]) -> Option<String> {
        let is_own = |request: &&Request| {
            let case = request.field("x-case").and_then(|case| case.split_once('-'));
            case.is_some_and(|(case, _)| case == number.to_string())
        };
        let request = requests
            .iter()
            .find(is_own)
            .filter(|_| matches!(self.wants, Expect::Malformed | Expect::Refused))?;
        Some(format!("  {} {}\n    has reached the origin: {request:?}", self.id, self.title))
    }
}

impl Expect {
    fn tell(self) -> String {
        let names = |codes: &[u32]| codes.iter().map(|code| code_name(*code)).collect::<Vec<_>>().join("/");
        match self {
            Expect::Answer(status) => format!("{status} on stream 1"),
            Expect::Alive => "a connection that goes on".into(),
            Expect::Stream(stream, codes) => format!("RST_STREAM[{stream}] {}", names(codes)),
            Expect::Malformed => "RST_STREAM[1] PROTOCOL_ERROR".into(),
            Expect::Refused => "RST_STREAM[1] PROTOCOL_ERROR or a status that refuses".into(),
            Expect::Clean => "a connection that goes on".into(),
            Expect::Connection(codes) => format!("GOAWAY {} and the end", names(codes)),
            Expect::Either(codes) => format!("RST_STREAM[1] or GOAWAY {}", names(codes)),
            Expect::End => "the end".into(),
        }
    }
}

impl H2spec {
    /// Nothing if it has no such case.
    fn judge(self, peer: &Peer) -> Option<bool> {
        let seen = |kind: u8, codes: &[u32]| {
            peer.seen.iter().any(|frame| frame.kind == kind && codes.contains(&frame.code()))
        };
        // It sends nothing more, so what ends later than that does not count.
        let is_over = peer.is_over && peer.answer(PROBE).is_none();
        let is_pong = |frame: &Frame| frame.kind == PING && frame.has(ACK);
        Some(match self {
            H2spec::Unknown => return None,
            H2spec::Stream(codes) => is_over || seen(GOAWAY, codes) || seen(RST_STREAM, codes),
            H2spec::Connection(codes) => is_over || seen(GOAWAY, codes),
            H2spec::Closed => is_over,
            H2spec::PongOrClosed => is_over || peer.seen.iter().any(is_pong),
            H2spec::Pong => peer.seen.iter().any(is_pong),
            H2spec::Headers => peer.seen.iter().any(|frame| frame.is(HEADERS, 1)),
            H2spec::Data => peer.seen.iter().any(|frame| frame.is(DATA, 1)),
            H2spec::DataOfOne => {
                let data = |frame: &&Frame| frame.is(DATA, 1);
                peer.seen.iter().rev().find(data).is_some_and(|frame| frame.payload.len() == 1)
            }
            H2spec::Settings => {
                peer.seen.first().is_some_and(|frame| frame.kind == SETTINGS && !frame.has(ACK))
            }
            H2spec::Acknowledged => peer.seen.iter().any(|frame| frame.kind == SETTINGS && frame.has(ACK)),
            H2spec::GoAway(code) => seen(GOAWAY, &[code]),
            H2spec::Reset(code) => seen(RST_STREAM, &[code]),
        })
    }
}
