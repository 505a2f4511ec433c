//! W3C Trace Context (level 1, <https://www.w3.org/TR/trace-context/>, and the flag that level 2 adds).

/// Bytes of a `traceparent` of version 00: version, trace id, parent id, flags, and three hyphens.
pub const TRACEPARENT_LEN: usize = 55;

/// Bit 0 of the flags: whoever sent this may have recorded it, and wants others to.
const SAMPLED: u8 = 1;
/// Bit 1 of the flags, since level 2: the right half of the trace id is random. It is passed on.
const RANDOM: u8 = 2;

/// List members that a `tracestate` may have (section 3.3.1.1).
const MEMBERS_MAX: usize = 32;
/// Bytes of a key of a `tracestate`, and of a value (sections 3.3.1.3.1 and 3.3.1.3.2).
const MEMBER_BYTES_MAX: usize = 256;
/// Bytes of the tenant's part of a key, and of the system's.
const TENANT_MAX: usize = 241;
const SYSTEM_MAX: usize = 14;

/// A place in a trace: the trace, a span of it, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Which trace; never 0.
    pub trace_id: u128,
    /// Which span of it; never 0.
    pub span_id: u64,
    /// `trace-flags`: those that are known, and no other.
    flags: u8,
}

impl TraceContext {
    /// A context with these ids, which must not be 0.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> TraceContext {
        TraceContext { trace_id, span_id, flags: u8::from(is_sampled) }
    }

    /// Reads a `traceparent` as strictly as section 3.2.2 has it: lower case, no version ff, no ids of zeros, nothing behind
    /// the flags in version 00, and a hyphen there in those that are still to come.
    pub fn parse(value: &[u8]) -> Option<TraceContext> {
        let (head, rest) = value.split_at_checked(TRACEPARENT_LEN)?;
        let [version, trace_id, span_id, flags] = split(head)?;
        let version = hex(version)?;
        let is_whole = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => matches!(rest, [] | [b'-', ..]),
        };
        let (trace_id, span_id, flags) = (hex(trace_id)?, hex(span_id)? as u64, hex(flags)? as u8);
        if !is_whole || trace_id == 0 || span_id == 0 {
            return None;
        }
        // Of a version that nobody knows yet only this flag means what it does now.
        let known = if version == 0 { SAMPLED | RANDOM } else { SAMPLED };
        Some(TraceContext { trace_id, span_id, flags: flags & known })
    }

    /// As it is sent: a `traceparent` of version 00.
    pub fn text(self) -> [u8; TRACEPARENT_LEN] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put_hex(self.trace_id, &mut text[3..35]);
        put_hex(u128::from(self.span_id), &mut text[36..52]);
        put_hex(u128::from(self.flags), &mut text[53..55]);
        text
    }

    /// Whether it is recorded.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The flags as OTLP has them.
    pub fn flags(self) -> u8 {
        self.flags
    }

    /// The same trace, recorded or not.
    #[must_use]
    pub fn with_sampled(self, is_sampled: bool) -> TraceContext {
        TraceContext { flags: self.flags & !SAMPLED | u8::from(is_sampled), ..self }
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn with_span(self, span_id: u64) -> TraceContext {
        TraceContext { span_id, ..self }
    }
}

/// A trace's id as logs have it: 32 digits.
pub fn trace_id_text(trace_id: u128) -> [u8; 32] {
    let mut text = [0; 32];
    put_hex(trace_id, &mut text);
    text
}

/// A span's id as logs have it: 16 digits.
pub fn span_id_text(span_id: u64) -> [u8; 16] {
    let mut text = [0; 16];
    put_hex(u128::from(span_id), &mut text);
    text
}

/// The four parts of a `traceparent`, each of its length.
fn split(head: &[u8]) -> Option<[&[u8]; 4]> {
    let mut parts = head.split(|byte| *byte == b'-');
    let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    (parts.map(<[u8]>::len) == [2, 32, 16, 2]).then_some(parts)
}

/// The number that these digits are, of which there are at most 32, in lower case.
pub(super) fn hex(digits: &[u8]) -> Option<u128> {
    let mut number: u128 = 0;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        number = number << 4 | u128::from(value);
    }
    Some(number)
}

/// Fills a text with the last digits of a number.
pub(super) fn put_hex(mut number: u128, text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number & 15) as usize];
        number >>= 4;
    }
}

/// Whether these values of a request's `tracestate` lines are together a list as section 3.3 has it. One that is none is not
/// passed on.
pub fn is_tracestate<'a>(lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut count = 0;
    for member in lines.flat_map(|line| line.split(|byte| *byte == b',')) {
        let member = member.trim_ascii();
        if member.is_empty() {
            continue;
        }
        count += 1;
        if count > MEMBERS_MAX || !is_member(member) {
            return false;
        }
    }
    true
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = member.split_at(equals);
    let value = value.get(1..).unwrap_or_default();
    // It ends with a character that is no space, for the space around a member is none of it.
    let is_value = (1..=MEMBER_BYTES_MAX).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'='));
    is_value && is_key(key)
}

fn is_key(key: &[u8]) -> bool {
    let is_lower = |byte: &u8| byte.is_ascii_lowercase();
    let begins = |part: &[u8], is_first: fn(&u8) -> bool| part.first().is_some_and(is_first);
    let goes_on = |part: &[u8]| {
        part.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    match key.iter().position(|byte| *byte == b'@') {
        None => key.len() <= MEMBER_BYTES_MAX && begins(key, is_lower) && goes_on(key),
        Some(at) => {
            let (tenant, system) = (key.get(..at).unwrap_or_default(), key.get(at + 1..).unwrap_or_default());
            tenant.len() <= TENANT_MAX
                && system.len() <= SYSTEM_MAX
                && begins(tenant, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && begins(system, is_lower)
                && goes_on(tenant)
                && goes_on(system)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let context = TraceContext::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(
            (context.trace_id, context.span_id),
            (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0xf0_67aa_0ba9_02b7)
        );
        assert!(context.is_sampled());
        assert_eq!(std::str::from_utf8(&context.text()).unwrap(), GOOD);
        let other = context.with_span(1).with_sampled(false);
        assert_eq!(&other.text()[..], b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-00");
    }

    /// The cases of the specification's own test suite, `test_traceparent_*`.
    #[test]
    fn a_context_is_read_as_strictly_as_the_specification_has_it() {
        let trace = "12345678901234567890123456789012";
        let id = "1234567890123456";
        let bad = [
            String::new(),
            format!("ff-{trace}-{id}-01"),
            format!("00-{trace}-{id}-01."),
            format!("00-{trace}-{id}-01-what-the-future-will-be-like"),
            format!("cc-{trace}-{id}-01.what-the-future-will-be-like"),
            format!(".0-{trace}-{id}-01"),
            format!("0.-{trace}-{id}-01"),
            format!("0-{trace}-{id}-01"),
            format!("000-{trace}-{id}-01"),
            format!("00-{}-{id}-01", "0".repeat(32)),
            format!("00-.{}-{id}-01", &trace[1..]),
            format!("00-{}-{id}-01", &trace[1..]),
            format!("00-{}-{id}-01", trace.replace('1', "A")),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-.{}-01", &id[1..]),
            format!("00-{trace}-{}-01", &id[1..]),
            format!("00-{trace}-{id}-.0"),
            format!("00-{trace}-{id}-0"),
            format!("00-{trace}-{id}-000"),
            format!("00-{trace}-{id}"),
            format!("00_{trace}_{id}_01"),
            format!(" 00-{trace}-{id}-01"),
            format!("00-{trace}-{id}-1G"),
        ];
        for value in bad {
            assert_eq!(TraceContext::parse(value.as_bytes()), None, "{value}");
        }
        for (value, flags) in [
            (format!("00-{trace}-{id}-00"), 0),
            (format!("00-{trace}-{id}-01"), 1),
            (format!("00-{trace}-{id}-03"), 3),
            (format!("00-{trace}-{id}-fe"), 2),
            (format!("cc-{trace}-{id}-03"), 1),
            (format!("cc-{trace}-{id}-01-what-the-future-will-be-like"), 1),
            (format!("01-{trace}-{id}-01-"), 1),
        ] {
            assert_eq!(
                TraceContext::parse(value.as_bytes()).map(TraceContext::flags),
                Some(flags),
                "{value}"
            );
        }
    }

    #[test]
    fn states_are_held_against_their_grammar() {
        let good = |lines: &[&str]| is_tracestate(lines.iter().map(|line| line.as_bytes()));
        let long = "z".repeat(256);
        let members = |count: usize| (0..count).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join(",");
        for lines in [
            &["foo=1"][..],
            &["foo=1,bar=2", "baz=3"],
            &["foo=1 \t , \t bar=2, \t baz=3"],
            &["", "foo=1", ""],
            &["foo=1,", ",bar=2"],
            &["0a@b=1,t@system=2,a_-*/=3"],
            &[&format!("{long}=1")],
            &[&format!("a={long}")],
            &[&format!("{}@{}=1", "t".repeat(241), "v".repeat(14))],
            &["foo= !\"#$%&'()*+-./09:;<>?@AZ[\\]^_`az{|}~"],
            &[&members(32)],
        ] {
            assert!(good(lines), "{lines:?}");
        }
        for lines in [
            &["foo"][..],
            &["foo=1;bar=2"],
            &["foo ="],
            &["FOO=1"],
            &["foo.bar=1"],
            &["foo@=1"],
            &["@foo=1"],
            &["foo@@bar=1"],
            &["foo@bar@baz=1"],
            &["foo=bar=baz"],
            &["foo="],
            &["=1"],
            &["foo=\u{e9}"],
            &[&format!("{long}z=1")],
            &[&format!("a={long}z")],
            &[&format!("{}@v=1", "t".repeat(242))],
            &[&format!("t@{}=1", "v".repeat(15))],
            &["1a=1"],
            &[&members(33)],
            &[&members(20), &members(13)],
        ] {
            // A semicolon is a character of values; that one is a member with a value that has an equals sign.
            assert!(!good(lines), "{lines:?}");
        }
    }
}
