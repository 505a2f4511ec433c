//! HPACK for tests (RFC 7541): literals by hand, and a decoder that shares nothing with the gateway's.

use std::collections::VecDeque;

/// The static table (RFC 7541 appendix A), from index 1 on: names, and values behind `=`.
const STATIC: &str = "\
     :authority;:method=GET;:method=POST;:path=/;:path=/index.html;:scheme=http;:scheme=https;\
     :status=200;:status=204;:status=206;:status=304;:status=400;:status=404;:status=500;accept-charset;\
     accept-encoding=gzip, deflate;accept-language;accept-ranges;accept;access-control-allow-origin;age;\
     allow;authorization;cache-control;content-disposition;content-encoding;content-language;\
     content-length;content-location;content-range;content-type;cookie;date;etag;expect;expires;from;\
     host;if-match;if-modified-since;if-none-match;if-range;if-unmodified-since;last-modified;link;\
     location;max-forwards;proxy-authenticate;proxy-authorization;range;referer;refresh;retry-after;\
     server;set-cookie;strict-transport-security;transfer-encoding;user-agent;vary;via;www-authenticate";

/// How many bits the Huffman code of each symbol has, and of the end of the string (RFC 7541 appendix B). The code is
/// canonical: by length, then by symbol.
const HUFFMAN: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];

/// The size of the dynamic table before anybody says anything (RFC 9113 section 6.5.2).
pub(crate) const TABLE_SIZE: usize = 4096;

/// An integer with a prefix of so many bits, in the lower ones of `first` (RFC 7541 section 5.1).
pub(crate) fn integer(first: u8, bits: u8, mut value: usize) -> Vec<u8> {
    let most = (1 << bits) - 1;
    if value < most {
        return vec![first | value as u8];
    }
    let mut bytes = vec![first | most as u8];
    value -= most;
    while value >= 128 {
        bytes.push(128 | (value % 128) as u8);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

/// A string as it is (RFC 7541 section 5.2).
pub(crate) fn string(text: &str) -> Vec<u8> {
    [&integer(0, 7, text.len()), text.as_bytes()].concat()
}

/// A literal that is not indexed, with its name (RFC 7541 section 6.2.2).
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    [vec![0], string(name), string(value)].concat()
}

/// A dynamic table size update (RFC 7541 section 6.3).
pub(crate) fn size_update(size: usize) -> Vec<u8> {
    integer(0x20, 5, size)
}

/// Decodes the blocks of one connection in turn, and finds fault with what RFC 7541 does not allow.
pub(crate) struct Decoder {
    dynamic: VecDeque<(String, String)>,
    /// What the encoder has said.
    limit: usize,
    /// What the other side allows it.
    allowed: usize,
    /// The smallest size that was allowed since the last block, if the encoder has to come down to it.
    owed: Option<usize>,
}

impl Decoder {
    /// With an empty table.
    pub(crate) fn new() -> Decoder {
        Decoder { dynamic: VecDeque::new(), limit: TABLE_SIZE, allowed: TABLE_SIZE, owed: None }
    }

    /// The encoder has acknowledged a `SETTINGS_HEADER_TABLE_SIZE`.
    pub(crate) fn allow(&mut self, size: usize) {
        self.allowed = size;
        if size < self.limit {
            self.owed = Some(self.owed.map_or(size, |owed| owed.min(size)));
        }
    }

    /// The fields of a block.
    pub(crate) fn decode(&mut self, block: &[u8]) -> Result<Vec<(String, String)>, String> {
        let mut input = Input(block);
        let mut fields = Vec::new();
        while let Some(&first) = input.0.first() {
            if first & 0xe0 == 0x20 {
                self.limit = input.integer(5)?;
                if self.limit > self.allowed || !fields.is_empty() {
                    return Err(format!("a table size update to {} of {}", self.limit, self.allowed));
                }
                self.owed = self.owed.filter(|owed| self.limit > *owed);
                self.evict();
                continue;
            }
            if let Some(owed) = self.owed {
                return Err(format!("no table size update to {owed} (RFC 7541 section 4.2)"));
            }
            if first & 0x80 != 0 {
                let index = input.integer(7)?;
                fields.push(self.at(index)?);
                continue;
            }
            let is_kept = first & 0x40 != 0;
            let name = match input.integer(if is_kept { 6 } else { 4 })? {
                0 => input.string()?,
                index => self.at(index)?.0,
            };
            let field = (name, input.string()?);
            if is_kept {
                self.dynamic.push_front(field.clone());
                self.evict();
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn at(&self, index: usize) -> Result<(String, String), String> {
        let mut table = STATIC.split(';');
        if let Some(entry) = index.checked_sub(1).and_then(|index| table.nth(index)) {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            return Ok((name.to_owned(), value.to_owned()));
        }
        let dynamic = index.checked_sub(62).and_then(|index| self.dynamic.get(index));
        dynamic.cloned().ok_or_else(|| format!("index {index} is in no table"))
    }

    fn evict(&mut self) {
        let size = |entry: &(String, String)| entry.0.len() + entry.1.len() + 32;
        while self.dynamic.iter().map(size).sum::<usize>() > self.limit {
            self.dynamic.pop_back();
        }
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn octet(&mut self) -> Result<u8, String> {
        let (&first, rest) = self.0.split_first().ok_or("the block is cut")?;
        self.0 = rest;
        Ok(first)
    }

    fn integer(&mut self, bits: u8) -> Result<usize, String> {
        let most = (1 << bits) - 1;
        let mut value = usize::from(self.octet()?) & most;
        if value < most {
            return Ok(value);
        }
        for shift in [0, 7, 14, 21] {
            let octet = self.octet()?;
            value += usize::from(octet & 127) << shift;
            if octet & 128 == 0 {
                return Ok(value);
            }
        }
        Err("an integer of more than 28 bits".into())
    }

    fn string(&mut self) -> Result<String, String> {
        let is_huffman = self.0.first().is_some_and(|first| first & 128 != 0);
        let length = self.integer(7)?;
        let (octets, rest) = self.0.split_at_checked(length).ok_or("a string is cut")?;
        self.0 = rest;
        let octets = if is_huffman { unhuffman(octets)? } else { octets.to_vec() };
        String::from_utf8(octets).map_err(|error| error.to_string())
    }
}

/// Goes down the code bit by bit: slow, and short.
fn unhuffman(octets: &[u8]) -> Result<Vec<u8>, String> {
    let mut symbols: Vec<usize> = (0..HUFFMAN.len()).collect();
    symbols.sort_by_key(|symbol| HUFFMAN[*symbol]);
    let mut text = Vec::new();
    // The bits of the symbol that has begun, how many they are, the first code of that length, and the symbols before it.
    let (mut bits, mut length, mut first, mut before) = (0_u32, 0_u8, 0_u32, 0);
    for bit in octets.iter().flat_map(|octet| (0..8).rev().map(move |shift| octet >> shift & 1)) {
        bits = bits << 1 | u32::from(bit);
        first <<= 1;
        length += 1;
        let count = HUFFMAN.iter().filter(|of| **of == length).count();
        if ((bits - first) as usize) < count {
            let symbol = symbols[before + (bits - first) as usize];
            text.push(u8::try_from(symbol).map_err(|_| "the end of the string is in it")?);
            (bits, length, first, before) = (0, 0, 0, 0);
        } else {
            first += count as u32;
            before += count;
        }
    }
    let is_padding = length < 8 && bits == (1 << length) - 1;
    is_padding.then_some(text).ok_or_else(|| "what pads a Huffman code is wrong".into())
}

#[test]
fn the_examples_of_the_rfc_are_decoded() {
    // Appendix C.4: requests with Huffman codes.
    let bytes = |text: &str| -> Vec<u8> {
        let hex: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        hex.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    };
    let mut decoder = Decoder::new();
    let first = decoder.decode(&bytes("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")).unwrap();
    assert_eq!(first.last(), Some(&(":authority".into(), "www.example.com".into())));
    let second = decoder.decode(&bytes("8286 84be 5886 a8eb 1064 9cbf")).unwrap();
    assert_eq!(second[3..], [first[3].clone(), ("cache-control".into(), "no-cache".into())]);
    let third =
        decoder.decode(&bytes("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")).unwrap();
    assert_eq!(third[4], ("custom-key".into(), "custom-value".into()));
    assert!(decoder.decode(&[0xff, 0]).is_err() && decoder.decode(&size_update(4097)).is_err());
    let own = [size_update(0), literal("x-name", "value")].concat();
    assert_eq!(decoder.decode(&own), Ok(vec![("x-name".into(), "value".into())]));
}
