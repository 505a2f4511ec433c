//! What a request says about its trace, and what its origin is told: W3C Trace Context and B3.
//!
//! A valid `traceparent` is believed, else what B3 says, first in one field and then in several. An origin is always told a
//! `traceparent`, and B3 in each form in which it came. A `traceparent` that is not valid, or of which there are several, is
//! replaced, and the `tracestate` beside it goes (Trace Context, sections 3.2.2 and 3.3); Envoy lets both pass and records
//! nothing.

use crate::{
    http::{Fields, Name},
    telemetry::{B3, B3Ids, B3Sampling, TraceContext, is_tracestate, span_id_text},
};

const TRACEPARENT: &[u8] = b"traceparent";
const TRACESTATE: &[u8] = b"tracestate";
/// Both fields of a context, by which other parts of B3 are told from them.
const ONE_FIELD: &[u8] = b"b3";
const TRACE_ID: &[u8] = b"x-b3-traceid";
const SPAN_ID: &[u8] = b"x-b3-spanid";
const PARENT_ID: &[u8] = b"x-b3-parentspanid";
const SAMPLED: &[u8] = b"x-b3-sampled";
const FLAGS: &[u8] = b"x-b3-flags";

/// What a request says about its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncomingTrace {
    /// Where it comes from; nothing where it does not say.
    pub parent: Option<TraceContext>,
    /// Whether its trace is recorded; nothing where nobody has decided.
    pub is_sampled: Option<bool>,
    /// It has `x-client-trace-id`: the client asks for a recording. Istio's gateway obeys, for `client_sampling` is 100 %; it
    /// does not obey `x-envoy-force-trace`, which like all of Envoy's controls is removed where it comes from outside.
    pub is_asked_for: bool,
    /// In which forms its origin is told.
    pub form: TraceForm,
}

/// In which forms an origin is told of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceForm {
    has_traceparent: bool,
    has_tracestate: bool,
    /// The `tracestate` belongs to nothing, or is none.
    drops_tracestate: bool,
    is_b3: bool,
    is_b3_in_parts: bool,
    /// B3 with 16 digits for the trace.
    is_short: bool,
    is_debug: bool,
}

/// The fields that were found.
#[derive(Default)]
struct Found<'f> {
    traceparents: u32,
    traceparent: Option<&'f [u8]>,
    has_tracestate: bool,
    b3: Option<&'f [u8]>,
    trace_id: Option<&'f [u8]>,
    span_id: Option<&'f [u8]>,
    sampled: Option<&'f [u8]>,
    flags: Option<&'f [u8]>,
    is_asked_for: bool,
}

impl<'f> Found<'f> {
    fn in_fields(fields: &'f Fields) -> Found<'f> {
        let mut found = Found::default();
        for field in fields.iter().filter(|field| field.name == Name::Other) {
            match field.text {
                TRACEPARENT => {
                    found.traceparents += 1;
                    found.traceparent = Some(field.value);
                }
                TRACESTATE => found.has_tracestate = true,
                ONE_FIELD => found.b3 = Some(field.value),
                TRACE_ID => found.trace_id = Some(field.value),
                SPAN_ID => found.span_id = Some(field.value),
                SAMPLED => found.sampled = Some(field.value),
                FLAGS => found.flags = Some(field.value),
                b"x-client-trace-id" => found.is_asked_for = true,
                _ => {}
            }
        }
        found
    }

    fn b3_in_parts(&self) -> Option<B3> {
        let is_any = [self.trace_id, self.span_id, self.sampled, self.flags].iter().any(Option::is_some);
        is_any.then(|| B3::from_parts(self.trace_id, self.span_id, self.sampled, self.flags))
    }
}

impl IncomingTrace {
    /// What a request with these fields says.
    pub fn of(fields: &Fields) -> IncomingTrace {
        let found = Found::in_fields(fields);
        let w3c = found.traceparent.filter(|_| found.traceparents == 1).and_then(TraceContext::parse);
        let parts = found.b3_in_parts();
        let b3 = found.b3.and_then(B3::parse).or(parts);
        let ids: Option<B3Ids> = b3.and_then(|b3| b3.ids);
        let of_b3 = ids.map(|ids| TraceContext::new(ids.trace_id, ids.span_id, false));
        let sampling_of_b3 = b3.and_then(B3::is_sampled);
        let is_state = || is_tracestate(fields.get_all(TRACESTATE));
        IncomingTrace {
            parent: w3c.or(of_b3.map(|b3| b3.with_sampled(sampling_of_b3 == Some(true)))),
            is_sampled: w3c.map(TraceContext::is_sampled).or(sampling_of_b3),
            is_asked_for: found.is_asked_for,
            form: TraceForm {
                has_traceparent: found.traceparents > 0,
                has_tracestate: found.has_tracestate,
                drops_tracestate: found.has_tracestate && (w3c.is_none() || !is_state()),
                is_b3: found.b3.is_some(),
                is_b3_in_parts: parts.is_some(),
                // A trace with a longer id can't be told in fewer digits.
                is_short: ids
                    .is_some_and(|ids| ids.is_short && w3c.is_none_or(|w3c| w3c.trace_id == ids.trace_id)),
                is_debug: b3.is_some_and(|b3| b3.sampling == B3Sampling::Debug),
            },
        }
    }
}

impl TraceForm {
    /// Tells the origin of its place in a trace; `parent` is the span that this one belongs to. What came, or was told
    /// before, is replaced.
    pub fn tell(&mut self, fields: &mut Fields, context: TraceContext, parent: Option<u64>) {
        let form = *self;
        if form.has_traceparent || form.drops_tracestate || form.is_b3 || form.is_b3_in_parts {
            fields.retain(|field| {
                field.name != Name::Other
                    || match field.text {
                        TRACEPARENT => !form.has_traceparent,
                        TRACESTATE => !form.drops_tracestate,
                        ONE_FIELD => false,
                        TRACE_ID | SPAN_ID | PARENT_ID | SAMPLED | FLAGS => false,
                        _ => true,
                    }
            });
        }
        fields.push_known(Name::Other, "traceparent", &context.text());
        if form.is_b3 || form.is_b3_in_parts {
            form.tell_b3(fields, context, parent);
        }
        self.has_traceparent = true;
        self.has_tracestate &= !self.drops_tracestate;
        self.drops_tracestate = false;
    }

    /// Whether there is a `tracestate` that is passed on.
    pub fn has_tracestate(self) -> bool {
        self.has_tracestate && !self.drops_tracestate
    }

    fn tell_b3(self, fields: &mut Fields, context: TraceContext, parent: Option<u64>) {
        let mut digits = [0; 32];
        let ids = B3Ids { trace_id: context.trace_id, is_short: self.is_short, span_id: context.span_id };
        let (trace, span) = (ids.trace_text(&mut digits), span_id_text(context.span_id));
        let parent = parent.map(span_id_text);
        let is_sampled = context.is_sampled();
        if self.is_b3 {
            let sampling: &[u8] = match (self.is_debug, is_sampled) {
                (true, _) => b"-d",
                (_, true) => b"-1",
                (_, false) => b"-0",
            };
            let mut text = fields.take_scratch();
            for part in [trace, b"-", &span, sampling] {
                text.extend_from_slice(part);
            }
            if let Some(parent) = &parent {
                text.push(b'-');
                text.extend_from_slice(parent);
            }
            fields.push_known(Name::Other, "b3", &text);
            fields.return_scratch(text);
        }
        if self.is_b3_in_parts {
            fields.push_known(Name::Other, "x-b3-traceid", trace);
            fields.push_known(Name::Other, "x-b3-spanid", &span);
            if let Some(parent) = &parent {
                fields.push_known(Name::Other, "x-b3-parentspanid", parent);
            }
            match self.is_debug {
                true => fields.push_known(Name::Other, "x-b3-flags", b"1"),
                false => fields.push_known(Name::Other, "x-b3-sampled", if is_sampled { b"1" } else { b"0" }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    const OTHER: &str = "80f198ee56343ba864fe8b2a57d3eff7";

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    /// What the origin is told of span 1 with the parent 2, one line each.
    fn told(lines: &[(&str, &str)]) -> (IncomingTrace, Vec<String>) {
        let mut fields = fields(lines);
        let incoming = IncomingTrace::of(&fields);
        let mut form = incoming.form;
        let context = incoming.parent.unwrap_or(TraceContext::new(0xabc, 9, false));
        let context = context.with_sampled(incoming.is_sampled.unwrap_or(true));
        // Twice, as for a second attempt.
        form.tell(&mut fields, context.with_span(7), Some(2));
        form.tell(&mut fields, context.with_span(1), Some(2));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut told: Vec<_> =
            fields.iter().map(|field| format!("{}: {}", text(field.text), text(field.value))).collect();
        told.sort();
        (incoming, told)
    }

    const SPAN_1: &str = "0000000000000001";
    const SPAN_2: &str = "0000000000000002";

    #[test]
    fn a_trace_context_goes_on_with_another_span() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let (incoming, told) =
            told(&[("TraceParent", &parent), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        assert_eq!((incoming.is_sampled, incoming.is_asked_for), (Some(true), false));
        assert_eq!(
            told,
            [
                format!("traceparent: 00-{TRACE}-{SPAN_1}-01"),
                "tracestate: a=1".into(),
                "tracestate: b=2".into()
            ]
        );
        let (incoming, told) = self::told(&[("traceparent", &format!("00-{TRACE}-{SPAN}-00")), ("x", "1")]);
        assert_eq!(incoming.is_sampled, Some(false));
        assert_eq!(told, [format!("traceparent: 00-{TRACE}-{SPAN_1}-00"), "x: 1".into()]);
    }

    #[test]
    fn what_is_no_context_is_replaced_with_its_state() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        let fresh = format!("traceparent: 00-{:0>32}-{SPAN_1}-01", "abc");
        for lines in [
            &[("traceparent", "00-0-0-01"), ("tracestate", "a=1")][..],
            &[("traceparent", &good), ("traceparent", &good), ("tracestate", "a=1")],
            &[("tracestate", "a=1")],
            &[],
        ] {
            let (incoming, told) = told(lines);
            assert_eq!((incoming.parent, incoming.is_sampled), (None, None), "{lines:?}");
            assert_eq!(told, [fresh.as_str()], "{lines:?}");
        }
        // A state alone that is none goes alone.
        let (_, told) = told(&[("traceparent", &good), ("tracestate", "A=1")]);
        assert_eq!(told, [format!("traceparent: 00-{TRACE}-{SPAN_1}-01")]);
    }

    #[test]
    fn b3_goes_on_in_the_form_in_which_it_came() {
        let (incoming, one) = told(&[("b3", &format!("{TRACE}-{SPAN}-0"))]);
        assert_eq!(incoming.parent.map(|parent| parent.span_id), Some(0xf0_67aa_0ba9_02b7));
        assert_eq!(
            one,
            [format!("b3: {TRACE}-{SPAN_1}-0-{SPAN_2}"), format!("traceparent: 00-{TRACE}-{SPAN_1}-00")]
        );
        let short = &TRACE[16..];
        let (_, parts) = told(&[
            ("X-B3-TraceId", short),
            ("X-B3-SpanId", SPAN),
            ("X-B3-ParentSpanId", SPAN),
            ("X-B3-Sampled", "1"),
        ]);
        assert_eq!(
            parts,
            [
                format!("traceparent: 00-{short:0>32}-{SPAN_1}-01"),
                format!("x-b3-parentspanid: {SPAN_2}"),
                "x-b3-sampled: 1".into(),
                format!("x-b3-spanid: {SPAN_1}"),
                format!("x-b3-traceid: {short}"),
            ]
        );
        let (incoming, debug) = told(&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-flags", "1")]);
        assert_eq!(incoming.is_sampled, Some(true));
        assert!(
            debug.contains(&"x-b3-flags: 1".into()) && !debug.iter().any(|line| line.contains("sampled"))
        );
        // Only a decision: the ids are made here.
        let (incoming, denied) = told(&[("b3", "0")]);
        assert_eq!((incoming.parent, incoming.is_sampled), (None, Some(false)));
        assert!(denied[0].starts_with("b3: ") && denied[0].ends_with(&format!("-{SPAN_1}-0-{SPAN_2}")));
    }

    #[test]
    fn a_trace_context_is_stronger_than_b3_and_both_are_told() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let (incoming, told) =
            told(&[("b3", &format!("{}-{SPAN}-0", &OTHER[16..])), ("traceparent", &parent)]);
        assert_eq!(incoming.is_sampled, Some(true));
        assert_eq!(
            told,
            [format!("b3: {TRACE}-{SPAN_1}-1-{SPAN_2}"), format!("traceparent: 00-{TRACE}-{SPAN_1}-01")]
        );
    }

    #[test]
    fn a_client_may_ask_for_a_recording() {
        let (incoming, _) = told(&[("X-Client-Trace-Id", "42")]);
        assert!(incoming.is_asked_for && incoming.is_sampled.is_none());
    }
}
