//! An exchange's place in a trace: whether it is recorded, what its origins are told, and what its attempts were.
//!
//! Where tracing is off, none of this is looked at. Where a request is not recorded, its origin is told so, and nothing is
//! allocated.

use super::{
    answer::Answer,
    attempt::Failed,
    environment::{Environment, Scratch},
    exchange::{After, Exchange},
};
use crate::{
    filter::{IncomingTrace, TraceForm},
    http::{Fields, Name},
    table::{SAMPLING_PARTS, Settings, TracePolicy},
    telemetry::{Counter, TraceContext, bump},
    upstream::{Endpoint, Random},
};
use std::{rc::Rc, time::Instant};

/// Attempts of which a recording has spans. A policy can ask for any number; what is behind these tells nothing new.
const ATTEMPTS_MAX: usize = 32;

/// Where in `x-request-id` Envoy says whether a request is recorded, and why: in place of the version of the UUID.
const REASON_AT: usize = 14;

/// An exchange's place in a trace.
pub(super) struct Trace {
    /// The exchange's own span.
    pub(super) context: TraceContext,
    /// The span that it belongs to; nothing where the trace begins here.
    pub(super) parent: Option<u64>,
    /// How origins are told.
    pub(super) form: TraceForm,
    /// What is recorded; nothing where nothing is.
    pub(super) recording: Option<Box<Recording>>,
}

/// What is recorded of an exchange on its way.
pub(super) struct Recording {
    /// With the policy, which the snapshot keeps.
    pub(super) routing: Rc<super::Routing>,
    /// The authority as it came.
    pub(super) authority: Box<[u8]>,
    pub(super) attempts: Vec<Attempted>,
    /// Attempts that there was no room for.
    pub(super) dropped: u32,
}

/// One attempt.
pub(super) struct Attempted {
    pub(super) span_id: u64,
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// The status of its answer; 0 if there was none.
    pub(super) status: u16,
    /// Envoy's word for what went wrong; empty if nothing did.
    pub(super) failure: &'static str,
}

/// Why a request is recorded, or why not.
#[derive(Clone, Copy)]
enum Reason {
    Continued,
    AskedFor,
    Sampled,
    NotRecorded,
}

impl Reason {
    fn of(incoming: &IncomingTrace, is_chosen: impl FnOnce() -> bool) -> Reason {
        match incoming.is_sampled {
            Some(true) => Reason::Continued,
            Some(false) => Reason::NotRecorded,
            None if incoming.is_asked_for => Reason::AskedFor,
            None if is_chosen() => Reason::Sampled,
            None => Reason::NotRecorded,
        }
    }

    fn counter(self, env: &Environment) -> &Counter {
        let counters = &env.counters;
        match self {
            Reason::Continued => &counters.traces_continued,
            Reason::AskedFor => &counters.traces_asked_for,
            Reason::Sampled => &counters.traces_sampled,
            Reason::NotRecorded => &counters.traces_not_recorded,
        }
    }

    /// As Envoy packs it into `x-request-id`; nothing where the UUID stays as it is.
    fn digit(self) -> Option<u8> {
        match self {
            Reason::NotRecorded => None,
            Reason::Sampled | Reason::Continued => Some(b'9'),
            Reason::AskedFor => Some(b'b'),
        }
    }
}

/// Whether chance has it that a request is recorded. By `x-request-id` it is for everybody who goes by it as Envoy does: the
/// first eight digits, modulo 10,000.
fn is_chosen(policy: &TracePolicy, settings: &Settings, fields: &Fields, random: &Random) -> bool {
    // Where the gateway makes none, the client's own is passed on, and must not decide.
    let id = fields.get(Name::XRequestId).filter(|_| policy.uses_request_id && settings.request_id);
    let digits = id.and_then(|id| std::str::from_utf8(id.get(..8)?).ok());
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let part = number.map_or_else(|| random.below(u64::from(SAMPLING_PARTS)) as u32, |n| n % SAMPLING_PARTS);
    part < policy.sampling
}

impl Answer<'_> {
    /// Finds the request's place in a trace, and tells the origin of it.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_trace(&mut self, policy: &TracePolicy, routing: &Rc<super::Routing>) {
        let random = &self.env.random;
        let Scratch { request, .. } = &mut *self.scratch;
        let incoming = IncomingTrace::of(&request.fields);
        let reason =
            Reason::of(&incoming, || is_chosen(policy, &routing.snapshot.settings, &request.fields, random));
        bump(reason.counter(&self.env), 1);
        if let Some(digit) = reason.digit()
            && routing.snapshot.settings.request_id
            && let Some(place) = request.fields.get_mut(Name::XRequestId).and_then(|id| id.get_mut(REASON_AT))
        {
            *place = digit;
        }
        let is_recorded = reason.digit().is_some();
        let span_id = random.next().max(1);
        let context = match incoming.parent {
            Some(parent) => parent.with_span(span_id).with_sampled(is_recorded),
            None => {
                let trace_id = u128::from(random.next()) << 64 | u128::from(random.next());
                TraceContext::new(trace_id.max(1), span_id, is_recorded)
            }
        };
        let parent = incoming.parent.map(|parent| parent.span_id);
        let mut trace = Trace { context, parent, form: incoming.form, recording: None };
        if policy.passes_context_on {
            trace.form.tell(&mut request.fields, context, parent);
        }
        if is_recorded {
            trace.recording = Some(Box::new(Recording {
                routing: Rc::clone(routing),
                authority: request.authority.as_slice().into(),
                attempts: Vec::new(),
                dropped: 0,
            }));
        }
        self.summary.trace = Some(trace);
    }
}

impl Exchange<'_> {
    /// An attempt begins: it has a span of its own, of which its origin is told.
    #[inline]
    pub(super) fn begin_attempt_span(&mut self, endpoint: &Rc<Endpoint>) {
        if self.answer.summary.trace.is_some() {
            self.record_attempt(endpoint);
        }
    }

    #[cold]
    fn record_attempt(&mut self, endpoint: &Rc<Endpoint>) {
        let Some(trace) = &mut self.answer.summary.trace else { return };
        let Some(recording) = &mut trace.recording else { return };
        if recording.attempts.len() >= ATTEMPTS_MAX {
            recording.dropped += 1;
            return;
        }
        let (span_id, began) = (self.env.random.next().max(1), Instant::now());
        let endpoint = Rc::clone(endpoint);
        let attempted = Attempted { span_id, endpoint, began, ended: began, status: 0, failure: "" };
        recording.attempts.push(attempted);
        let is_told =
            recording.routing.snapshot.tracing.as_ref().is_some_and(|policy| policy.passes_context_on);
        if is_told {
            let parent = Some(trace.context.span_id);
            let fields = &mut self.answer.scratch.request.fields;
            trace.form.tell(fields, trace.context.with_span(span_id), parent);
        }
    }

    /// What became of it.
    #[inline]
    pub(super) fn end_attempt_span(&mut self, ended: &Result<After, Failed>) {
        if self.answer.summary.trace.is_some() {
            self.record_end_of_attempt(ended);
        }
    }

    #[cold]
    fn record_end_of_attempt(&mut self, ended: &Result<After, Failed>) {
        let Some(trace) = &mut self.answer.summary.trace else { return };
        let Some(recording) = &mut trace.recording else { return };
        if recording.dropped > 0 {
            return;
        }
        let Some(attempted) = recording.attempts.last_mut() else { return };
        attempted.ended = Instant::now();
        (attempted.status, attempted.failure) = match ended {
            Ok(_) => (self.answer.scratch.response.status, ""),
            Err(Failed::Unwanted(status)) => (*status, ""),
            Err(Failed::Before(failure, _)) => (0, failure.details()),
            Err(Failed::Within(failure)) => (self.answer.scratch.response.status, failure.details()),
        };
    }
}

impl Recording {
    /// The policy that it was begun with.
    pub(super) fn policy(&self) -> Option<&TracePolicy> {
        self.routing.snapshot.tracing.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Collector, CollectorPlace, Source};

    fn policy(sampling: u32) -> TracePolicy {
        let place = CollectorPlace::Host { host: "a".into(), port: 1, is_tls: false };
        TracePolicy {
            sampling,
            uses_request_id: true,
            passes_context_on: true,
            path_max: 256,
            tags: Vec::new(),
            collector: Collector {
                place,
                authority: "a".into(),
                path: "/".into(),
                timeout: std::time::Duration::ZERO,
                headers: Vec::new(),
                resource: Vec::new(),
            },
            source: Source::built_in("a test"),
        }
    }

    #[test]
    fn the_request_id_decides_as_it_does_in_envoy() {
        let random = Random::default();
        let chosen = |sampling: u32, id: &str| {
            let mut fields = Fields::default();
            fields.push(b"x-request-id", id.as_bytes());
            is_chosen(&policy(sampling), &Settings::default(), &fields, &random)
        };
        // 0x0000270f is 9999, 0x00002710 is 10,000.
        assert!(!chosen(9_999, "0000270f-58cc-4372-a567-0e02b2c3d479"));
        assert!(chosen(10_000, "0000270f-58cc-4372-a567-0e02b2c3d479"));
        assert!(chosen(1, "00002710-58cc-4372-a567-0e02b2c3d479"));
        assert!(!chosen(0, "00002710-58cc-4372-a567-0e02b2c3d479"));
    }

    #[test]
    fn without_a_request_id_of_the_gateways_own_chance_decides() {
        let random = Random::default();
        let mut fields = Fields::default();
        fields.push(b"x-request-id", b"00000000-58cc-4372-a567-0e02b2c3d479");
        let settings = Settings { request_id: false, ..Settings::default() };
        let hits = (0..10_000).filter(|_| is_chosen(&policy(5_000), &settings, &fields, &random)).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
    }
}
