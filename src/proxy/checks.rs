//! What is decided about a request between its route and the route's action, in this order: networks, `fault`,
//! `corsPolicy`, rate limits, the size of the body. Istio's filters have fault before CORS. The gateway's own networks come
//! before both, for who may not come learns nothing else; its limits come after both, so that a preflight costs no token and
//! a page may read that it was limited.

use super::{
    answer::Answer,
    attempt::Failed,
    client::Incoming,
    environment::Scratch,
    exchange::{After, Exchange},
    failure::{Failure, Kind, Phase, Replay},
    reply::{Extra, LocalReply, Reply},
    standard,
};
use crate::{
    driver,
    filter::{Abort, Fault, Share, cors, retry_after_seconds, sticky},
    http::BodyLength,
    jwt::Claims,
    table::{Checks, CorsPolicy, Destination, Forward, Route, Settings, StickySplit},
    telemetry::{Flag, bump},
    upstream::Random,
};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// How often it is looked whether a client whose request is delayed is still there. Over HTTP/1.1 nobody says so.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How a check ends a request.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// The client's network may not come here.
    Denied,
    /// Too many requests; there may be one more after this time.
    Limited(Duration),
    /// The body is larger than the route takes.
    TooLarge,
    /// It is made to fail.
    Abort(Abort),
    /// A browser asks what the route's `corsPolicy` allows.
    Preflight,
}

impl Verdict {
    /// Texts and details are Envoy's where it has such an answer.
    pub(super) fn reply(self) -> Reply<'static> {
        match self {
            Verdict::Denied => Reply::new(403, None, "network_denied", "network denied"),
            Verdict::Limited(wait) => Reply {
                extra: Extra::RetryAfter(retry_after_seconds(wait)),
                ..Reply::new(429, Some(Flag::RateLimited), "local_rate_limited", "local_rate_limited")
            },
            Verdict::TooLarge => Reply::new(
                413,
                Some(Flag::DownstreamProtocolError),
                "request_payload_too_large",
                "Payload Too Large",
            ),
            Verdict::Abort(abort) => {
                let (status, extra) = match abort {
                    Abort::Http(status) => (status, Extra::Nothing),
                    Abort::Grpc(status) => (200, Extra::GrpcStatus(status)),
                };
                let flag = Some(Flag::FaultInjected);
                Reply { extra, ..Reply::new(status, flag, "fault_filter_abort", "fault filter abort") }
            }
            Verdict::Preflight => Reply { is_configured: true, ..Reply::new(200, None, "cors_response", "") },
        }
    }
}

impl Exchange<'_> {
    /// Makes the checks of a route. `Some`: the request has been answered, or nobody waits for an answer any more.
    pub(super) async fn check(
        &mut self,
        checks: &Checks,
        route: &Route,
        settings: &Settings,
        claims: Option<&Claims>,
    ) -> Option<After> {
        let verdict = match self.admit(checks, settings) {
            Some(verdict) => verdict,
            None => {
                if let Some(fault) = &checks.fault
                    && self.delay(fault).await == Wait::Left
                {
                    return Some(self.left(route));
                }
                self.judge(checks, settings, claims)?
            }
        };
        Some(self.reply(LocalReply::Check(verdict), Some(route), "").await)
    }

    /// What does not wait.
    fn admit(&self, checks: &Checks, settings: &Settings) -> Option<Verdict> {
        if checks.networks.is_empty() {
            return None;
        }
        let client = self.client_address(settings);
        if checks.networks.iter().all(|networks| networks.permits(client)) {
            return None;
        }
        bump(&self.env.counters.networks_denied, 1);
        Some(Verdict::Denied)
    }

    /// What comes after the delay.
    fn judge(&mut self, checks: &Checks, settings: &Settings, claims: Option<&Claims>) -> Option<Verdict> {
        let dice = || self.env.random.below(Share::SIDES);
        if let Some(abort) = checks.fault.as_ref().and_then(|fault| fault.abort(dice)) {
            bump(&self.env.counters.faults_aborted, 1);
            return Some(Verdict::Abort(abort));
        }
        if let Some(policy) = &checks.cors
            && self.is_preflight(policy)
        {
            bump(&self.env.counters.preflights_answered, 1);
            return Some(Verdict::Preflight);
        }
        if let Some(wait) = self.limited(checks, settings, claims) {
            bump(&self.env.counters.rate_limited, 1);
            return Some(Verdict::Limited(wait));
        }
        if let (Some(max), BodyLength::Sized(length)) = (checks.body_max, self.answer.client_body)
            && length > max
        {
            bump(&self.env.counters.bodies_too_large, 1);
            return Some(Verdict::TooLarge);
        }
        self.body_max = checks.body_max;
        if let (Some(max), Incoming::Http2(body)) = (checks.body_max, &mut self.incoming) {
            body.limit(max);
        }
        None
    }

    /// Whether a browser asks what this policy allows, and is answered here. Notes for any answer whether its origin is
    /// allowed to read it.
    fn is_preflight(&mut self, policy: &CorsPolicy) -> bool {
        let request = &self.answer.scratch.request;
        let Some(origin) = cors::origin(request) else { return false };
        let is_allowed = policy.allows(origin);
        let counters = &self.env.counters;
        bump(if is_allowed { &counters.origins_valid } else { &counters.origins_invalid }, 1);
        self.answer.is_preflight = cors::is_preflight(request) && policy.cors.answers(is_allowed);
        self.answer.allowed_origin = is_allowed.then(|| origin.into());
        self.answer.is_preflight
    }

    /// When the request may come again, if there are too many now. The limits before the one that refuses it have been
    /// charged: it did come.
    fn limited(&self, checks: &Checks, settings: &Settings, claims: Option<&Claims>) -> Option<Duration> {
        if checks.rate_limits.is_empty() {
            return None;
        }
        let (now, client) = (Instant::now(), self.client_address(settings));
        let request = &self.answer.scratch.request;
        checks.rate_limits.iter().find_map(|limited| {
            let key = limited.key.as_ref().map(|key| key.of(request, client, claims).unwrap_or_default());
            match key {
                Some(key) => limited.limit.take_for(&key, now).err(),
                None => limited.limit.take(now).err(),
            }
        })
    }

    fn client_address(&self, settings: &Settings) -> Option<IpAddr> {
        standard::client_address(&self.answer.scratch.request, settings, &self.answer.info)
    }

    /// Waits as long as the fault says, or until the client has gone.
    async fn delay(&mut self, fault: &Fault) -> Wait {
        let Some(mut left) = fault.delay(|| self.env.random.below(Share::SIDES)) else { return Wait::Over };
        bump(&self.env.counters.faults_delayed, 1);
        self.answer.summary.is_delayed = true;
        let end = Instant::now() + left;
        while !left.is_zero() {
            driver::pause(&self.env.deadlines, left.min(LOOK_INTERVAL)).await;
            if self.answer.client.is_gone() {
                return Wait::Left;
            }
            left = end.saturating_duration_since(Instant::now());
        }
        Wait::Over
    }

    /// The client did not wait for the end of a delay.
    fn left(&mut self, route: &Route) -> After {
        let summary = &mut self.answer.summary;
        (summary.flag, summary.details) = (Some(Flag::DownstreamDisconnect), "downstream_remote_disconnect");
        self.answer.write_record(Some(route), "");
        After::Close
    }

    /// An attempt that failed because the body grew larger than the route takes says so.
    pub(super) fn too_large(&self, failed: Failed) -> Failed {
        let is_too_large = match (&self.incoming, &failed) {
            (Incoming::Http2(body), _) => body.is_too_large(),
            (_, Failed::Before(failure, _) | Failed::Within(failure)) => failure.kind == Kind::TooLarge,
            (_, Failed::Unwanted(_)) => false,
        };
        if !is_too_large {
            return failed;
        }
        bump(&self.env.counters.bodies_too_large, 1);
        let failure = Failure::downstream(Phase::RequestBody, Kind::TooLarge);
        match failed {
            Failed::Within(_) => Failed::Within(failure),
            // What can't be sent whole is not sent again.
            Failed::Before(..) | Failed::Unwanted(_) => {
                Failed::Before(failure, Replay { body_is_at_hand: false, idempotent: false })
            }
        }
    }

    /// One of the destinations: by weight, or by what keeps a client where it was.
    pub(super) fn choose<'f>(
        &mut self,
        route: &Route,
        forward: &'f Forward,
        settings: &Settings,
    ) -> Option<&'f Destination> {
        if let [only] = forward.destinations.as_slice() {
            return Some(only);
        }
        match route.checks.as_ref().and_then(|checks| checks.split.as_ref()) {
            Some(split) => self.side(split, forward, settings),
            None => by_chance(&self.env.random, forward),
        }
    }

    fn side<'f>(
        &mut self,
        split: &StickySplit,
        forward: &'f Forward,
        settings: &Settings,
    ) -> Option<&'f Destination> {
        let client = self.client_address(settings);
        let hash = match (split.key.of(&self.answer.scratch.request, client, None), &split.issue) {
            (Some(key), _) => sticky::stable_hash(&key),
            (None, Some(cookie)) => {
                let value = format!("{:016x}{:016x}", self.env.random.next(), self.env.random.next());
                let line = [&cookie.name, &b"="[..], value.as_bytes(), &cookie.attributes].concat();
                self.answer.issued.push(line.into());
                sticky::stable_hash(value.as_bytes())
            }
            (None, None) => return by_chance(&self.env.random, forward),
        };
        let weights = forward.destinations.iter().map(|destination| destination.weight);
        let place = sticky::side_of(hash, split.sides.iter().copied().zip(weights))?;
        forward.destinations.get(place)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Over,
    Left,
}

/// One of the destinations, by weight.
fn by_chance<'f>(random: &Random, forward: &'f Forward) -> Option<&'f Destination> {
    let mut place = random.below(forward.total_weight);
    for destination in &forward.destinations {
        let weight = u64::from(destination.weight);
        if place < weight {
            return Some(destination);
        }
        place -= weight;
    }
    forward.destinations.last()
}

impl Answer<'_> {
    /// Adds to an answer's fields what the checks of its route have decided.
    pub(super) fn apply_checks(&mut self, route: &Route) {
        let Scratch { request, response, .. } = &mut *self.scratch;
        let policy = route.checks.as_ref().and_then(|checks| checks.cors.as_ref());
        match (&self.allowed_origin, policy) {
            (Some(origin), Some(policy)) if self.is_preflight => {
                policy.cors.allow_preflight(origin, request, &mut response.fields);
            }
            (Some(origin), Some(policy)) => policy.cors.allow_answer(origin, &mut response.fields),
            _ => {}
        }
        for cookie in &self.issued {
            response.fields.push(b"set-cookie", cookie);
        }
    }
}
