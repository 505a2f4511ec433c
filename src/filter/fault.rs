//! `fault`: requests that wait, and requests that fail, on purpose.

use std::time::Duration;

/// How many in a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// A throw of dice is a number below this.
    pub const SIDES: u64 = 1_000_000;

    /// A share in percent, 0 to 100, to a ten-thousandth of a percent (Istio's `Percent`, as istiod gives it to Envoy).
    pub fn percent(percent: f64) -> Share {
        Share((percent.clamp(0.0, 100.0) * 10_000.0).round() as u32)
    }

    /// In percent, for people.
    pub fn as_percent(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// Whether it is never.
    pub fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Whether a throw hits. `dice` is even chance below [`Share::SIDES`].
    pub fn hits(self, dice: u64) -> bool {
        dice < u64::from(self.0)
    }
}

/// What is done to requests on purpose (`HTTPFaultInjection`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// How many requests wait, and how long.
    pub delay: Option<(Share, Duration)>,
    /// How many requests fail, and how; those that waited not less than others.
    pub abort: Option<(Share, Abort)>,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// With this status, 200 to 599; for gRPC with the status that stands for it.
    Http(u16),
    /// With this status of gRPC. Who does not speak gRPC gets 200, as from Envoy.
    Grpc(u8),
}

impl Fault {
    /// How long this request waits. `dice` gives a new throw below [`Share::SIDES`] each time.
    pub fn delay(&self, dice: impl FnOnce() -> u64) -> Option<Duration> {
        let (share, duration) = self.delay?;
        share.hits(dice()).then_some(duration)
    }

    /// How this request fails, once it has waited; whether it waited changes nothing.
    pub fn abort(&self, dice: impl FnOnce() -> u64) -> Option<Abort> {
        let (share, abort) = self.abort?;
        share.hits(dice()).then_some(abort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator of even chance (SplitMix64), the same at every run.
    fn dice(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * u128::from(Share::SIDES)) >> 64) as u64
    }

    #[test]
    fn shares_are_exact_to_a_millionth() {
        assert!(Share::percent(0.0).is_never() && !Share::percent(0.0).hits(0));
        assert!(Share::percent(100.0).hits(Share::SIDES - 1));
        assert_eq!(Share::percent(0.0001), Share(1));
        assert_eq!(Share::percent(33.3333), Share(333_333));
        assert!(Share::percent(0.0001).hits(0) && !Share::percent(0.0001).hits(1));
    }

    #[test]
    fn ten_thousand_requests_are_within_three_standard_errors_and_independent() {
        const REQUESTS: u32 = 10_000;
        let fault = Fault {
            delay: Some((Share::percent(20.0), Duration::from_millis(5))),
            abort: Some((Share::percent(10.0), Abort::Http(503))),
        };
        let mut state = 7;
        let (mut delays, mut aborts, mut both) = (0, 0, 0);
        for _ in 0..REQUESTS {
            let delay = fault.delay(|| dice(&mut state)).is_some();
            let abort = fault.abort(|| dice(&mut state)).is_some();
            delays += u32::from(delay);
            aborts += u32::from(abort);
            both += u32::from(delay && abort);
        }
        for (count, share) in [(delays, 0.2), (aborts, 0.1), (both, 0.02)] {
            let expected = f64::from(REQUESTS) * share;
            let error = (expected * (1.0 - share)).sqrt();
            assert!((f64::from(count) - expected).abs() <= 3.0 * error, "{count} of {expected}");
        }
    }

    #[test]
    fn nothing_said_is_never() {
        assert_eq!(Fault::default().delay(|| 0), None);
        assert_eq!(Fault::default().abort(|| 0), None);
    }
}
