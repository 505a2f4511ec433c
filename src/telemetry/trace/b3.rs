//! B3 (<https://github.com/openzipkin/b3-propagation>): a context in one field, or in one field for each of its parts.

use super::context::{hex, put_hex};

/// What is said about recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum B3Sampling {
    /// Nothing: whoever gets the request decides.
    #[default]
    Undecided,
    /// It is not recorded.
    Denied,
    /// It is recorded.
    Accepted,
    /// It is recorded, whatever anybody's rate is.
    Debug,
}

/// A trace and a span of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct B3Ids {
    /// The trace, never 0; one that was sent with 16 digits is filled with zeros.
    pub trace_id: u128,
    /// It was sent with 16 digits, and so it is passed on.
    pub is_short: bool,
    /// The span, never 0.
    pub span_id: u64,
}

/// A context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct B3 {
    /// Ids; nothing where only something about recording was said.
    pub ids: Option<B3Ids>,
    /// Whether it is recorded.
    pub sampling: B3Sampling,
}

impl B3Ids {
    fn parse(trace: &[u8], span: &[u8]) -> Option<B3Ids> {
        if !matches!(trace.len(), 16 | 32) || span.len() != 16 {
            return None;
        }
        let ids = B3Ids {
            trace_id: any_case(trace)?,
            is_short: trace.len() == 16,
            span_id: any_case(span)? as u64,
        };
        (ids.trace_id != 0 && ids.span_id != 0).then_some(ids)
    }

    /// The digits of the trace's id, in as many of `text` as it was sent with.
    pub fn trace_text(self, text: &mut [u8; 32]) -> &[u8] {
        let text = if self.is_short { &mut text[..16] } else { &mut text[..] };
        put_hex(self.trace_id, text);
        text
    }
}

impl B3 {
    /// Reads `b3`: `TRACE-SPAN-SAMPLING-PARENT`, of which the last, or the last two, may be missing; or only `SAMPLING`.
    pub fn parse(value: &[u8]) -> Option<B3> {
        if let Some(sampling) = sampling(value) {
            return Some(B3 { ids: None, sampling });
        }
        let mut parts = value.split(|byte| *byte == b'-');
        let ids = B3Ids::parse(parts.next()?, parts.next()?)?;
        let sampling = parts.next().map_or(Some(B3Sampling::Undecided), sampling)?;
        let is_parent = |parent: &[u8]| parent.len() == 16 && any_case(parent).is_some();
        if parts.next().is_some_and(|parent| !is_parent(parent)) || parts.next().is_some() {
            return None;
        }
        Some(B3 { ids: Some(ids), sampling })
    }

    /// Puts together what several fields say: `x-b3-traceid`, `x-b3-spanid`, `x-b3-sampled` and `x-b3-flags`, whose `1` is
    /// stronger than what `x-b3-sampled` says.
    pub fn from_parts(
        trace: Option<&[u8]>,
        span: Option<&[u8]>,
        sampled: Option<&[u8]>,
        flags: Option<&[u8]>,
    ) -> B3 {
        let ids = trace.zip(span).and_then(|(trace, span)| B3Ids::parse(trace, span));
        let sampling = match (flags, sampled) {
            (Some(b"1"), _) => B3Sampling::Debug,
            // What some senders of old versions say.
            (_, Some(b"1" | b"true")) => B3Sampling::Accepted,
            (_, Some(b"0" | b"false")) => B3Sampling::Denied,
            _ => B3Sampling::Undecided,
        };
        B3 { ids, sampling }
    }

    /// Whether it is recorded; nothing where nobody has decided.
    pub fn is_sampled(self) -> Option<bool> {
        match self.sampling {
            B3Sampling::Undecided => None,
            B3Sampling::Denied => Some(false),
            B3Sampling::Accepted | B3Sampling::Debug => Some(true),
        }
    }
}

fn sampling(text: &[u8]) -> Option<B3Sampling> {
    match text {
        b"0" => Some(B3Sampling::Denied),
        b"1" => Some(B3Sampling::Accepted),
        b"d" => Some(B3Sampling::Debug),
        _ => None,
    }
}

/// Senders of old versions write capitals.
fn any_case(digits: &[u8]) -> Option<u128> {
    let mut lower = [0; 32];
    let lower = lower.get_mut(..digits.len())?;
    lower.copy_from_slice(digits);
    lower.make_ascii_lowercase();
    hex(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
    const SPAN: &str = "e457b5a2e4d86bd1";

    #[test]
    fn one_field_has_it_all_or_a_part() {
        let read = |text: &str| B3::parse(text.as_bytes());
        let ids = |is_short| {
            let trace_id =
                if is_short { 0x64fe_8b2a_57d3_eff7 } else { 0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7 };
            Some(B3Ids { trace_id, is_short, span_id: 0xe457_b5a2_e4d8_6bd1 })
        };
        for (text, wanted) in [
            (format!("{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90"), (ids(false), B3Sampling::Accepted)),
            (format!("{TRACE}-{SPAN}-0"), (ids(false), B3Sampling::Denied)),
            (format!("{TRACE}-{SPAN}-d"), (ids(false), B3Sampling::Debug)),
            (format!("{}-{SPAN}", &TRACE[16..]), (ids(true), B3Sampling::Undecided)),
            (
                format!("{}-{}", TRACE.to_uppercase(), SPAN.to_uppercase()),
                (ids(false), B3Sampling::Undecided),
            ),
            ("0".to_owned(), (None, B3Sampling::Denied)),
            ("d".to_owned(), (None, B3Sampling::Debug)),
        ] {
            assert_eq!(read(&text), Some(B3 { ids: wanted.0, sampling: wanted.1 }), "{text}");
        }
        let zeros = "0".repeat(16);
        for text in [
            String::new(),
            "2".to_owned(),
            TRACE.to_owned(),
            format!("{TRACE}-{zeros}-1"),
            format!("{zeros}-{SPAN}-1"),
            format!("{}-{SPAN}-1", &TRACE[1..]),
            format!("{TRACE}-{SPAN}-2"),
            format!("{TRACE}-{SPAN}-1-"),
            format!("{TRACE}-{SPAN}-1-{SPAN}-{SPAN}"),
            format!("{TRACE}-{}g-1", &SPAN[1..]),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
    }

    #[test]
    fn several_fields_have_a_part_each() {
        let parts = |sampled: Option<&str>, flags: Option<&str>| {
            let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
            let [sampled, flags] = [sampled, flags].map(|text| text.map(str::as_bytes));
            B3::from_parts(bytes(Some(TRACE)), bytes(Some(SPAN)), sampled, flags)
        };
        assert_eq!(parts(None, None).sampling, B3Sampling::Undecided);
        assert_eq!(parts(Some("1"), None).is_sampled(), Some(true));
        assert_eq!(parts(Some("false"), Some("0")).is_sampled(), Some(false));
        assert_eq!(parts(Some("0"), Some("1")).sampling, B3Sampling::Debug);
        assert!(parts(None, None).ids.is_some());
        assert_eq!(B3::from_parts(Some(TRACE.as_bytes()), None, None, None), B3::default());
    }

    #[test]
    fn an_id_keeps_its_length() {
        let short = B3::parse(format!("{}-{SPAN}", &TRACE[16..]).as_bytes()).unwrap().ids.unwrap();
        let long = B3::parse(format!("{TRACE}-{SPAN}").as_bytes()).unwrap().ids.unwrap();
        assert_eq!(short.trace_text(&mut [0; 32]), &TRACE.as_bytes()[16..]);
        assert_eq!(long.trace_text(&mut [0; 32]), TRACE.as_bytes());
    }
}
