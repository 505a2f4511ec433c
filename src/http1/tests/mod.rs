//! The codec as a whole against the cases in `tests/http1`, against a plain parser, and against its own invariants.

mod corpus;
mod fuzz;
mod invariants;
mod origin_corpus;
mod second_opinion;

use serde_json::Value;

/// The cases of the client's side.
const CLIENT_CASES: &str = include_str!("../../../tests/http1/http1-cases.json");
/// The cases of the origin's side.
const ORIGIN_CASES: &str = include_str!("../../../tests/http1/http1-upstream-cases.json");

/// The cases of a file.
fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// The bytes of a case's text: macros first, then latin-1.
fn expand(text: &str) -> Vec<u8> {
    let mut text = text.to_owned();
    while let Some(at) = text.find("{{hdrs:") {
        let end = at + text[at..].find("}}").unwrap();
        let count: usize = text[at + "{{hdrs:".len()..end].parse().unwrap();
        let lines: String = (0..count).map(|i| format!("X-H{i}: v\r\n")).collect();
        text.replace_range(at..end + 2, &lines);
    }
    while let Some(at) = text.find("{{rep:") {
        let end = at + text[at..].find("}}").unwrap();
        let (what, count) = text[at + "{{rep:".len()..end].rsplit_once(':').unwrap();
        let repeated = what.repeat(count.parse().unwrap());
        text.replace_range(at..end + 2, &repeated);
    }
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// A case's id, and a text of it.
fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// The numbers of a list.
fn numbers(list: &Value) -> Vec<i64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A stream of numbers that is the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Changes some bytes, as somebody would who looks for a parser's weak places.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const PIECES: [&[u8]; 20] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b": ",
        b"\r\n\r\n",
        b"\r\n ",
        b"0\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Host: b\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: x\r\n",
        b"\x7f",
        b"\xff",
        b"#",
        b"?",
        b"HTTP/1.1\r\n",
    ];
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(4)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            2 => drop(bytes.splice(at..end, [random.next() as u8])),
            3 => bytes.truncate(at),
            _ => {
                let copied = bytes[at..(at + random.below(40)).min(bytes.len())].to_vec();
                let place = random.below(bytes.len() + 1);
                drop(bytes.splice(place..place, copied));
            }
        }
    }
}
