//! When an endpoint is left out for a while (specification section 4.5).

use std::time::Duration;

/// The longest time that an endpoint is left out (Envoy's `max_ejection_time`, which Istio does not set). A base time that is
/// longer holds all the same.
pub const EJECTION_TIME_MAX: Duration = Duration::from_secs(300);

/// `outlierDetection` of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// `consecutive5xxErrors`: so many answers of 500 and above in a row; 5 by default, and 0 switches it off. Failures to
    /// connect, resets and timeouts count too, unless they are counted apart.
    pub consecutive_5xx: u32,
    /// `consecutiveGatewayErrors`: so many answers of 502, 503 or 504 in a row, and what fails here as above; 0, which is the
    /// default, switches it off.
    pub consecutive_gateway: u32,
    /// `consecutiveLocalOriginFailures` where `splitExternalLocalOriginErrors` is on: so many failures in a row to connect and
    /// to get an answer, counted apart from answers; 5 by default. `None`: they are not counted apart.
    pub consecutive_local: Option<u32>,
    /// `outlierDetectionHttpErrorCodes`, sorted: only answers with these statuses are failures. Empty: those of 500 and above.
    pub statuses: Box<[u16]>,
    /// `interval`: the time between two looks at who may come back; 10 s by default, at least 1 ms.
    pub interval: Duration,
    /// `baseEjectionTime`: how long an endpoint is left out, times the number of times; 30 s by default, at least 1 ms. Never
    /// longer than [`EJECTION_TIME_MAX`].
    pub base_ejection_time: Duration,
    /// `maxEjectionPercent`: no more endpoints than this share of the cluster's are left out, 1 to 100; 10 by default. Not
    /// even one is, where one is more than that.
    pub max_ejection_percent: u32,
    /// `minHealthPercent`: where a smaller share of the endpoints is good, all are used; 0, which is the default: never.
    pub min_health_percent: u32,
}

impl OutlierDetection {
    /// How long an endpoint stays out that has been ejected so many times lately.
    pub fn ejection_time(&self, times: u32) -> Duration {
        self.base_ejection_time.saturating_mul(times).min(self.ejection_time_max())
    }

    /// The longest that an endpoint stays out.
    pub(super) fn ejection_time_max(&self) -> Duration {
        EJECTION_TIME_MAX.max(self.base_ejection_time)
    }

    /// What an answer with this status counts as.
    pub(super) fn verdict(&self, status: u16) -> Verdict {
        let is_failure =
            if self.statuses.is_empty() { status >= 500 } else { self.statuses.contains(&status) };
        match status {
            _ if !is_failure => Verdict::Good,
            502..=504 => Verdict::GatewayError,
            _ => Verdict::Error,
        }
    }

    /// Whether one endpoint more may be left out, when so many are out and there are so many in all.
    pub(super) fn may_eject(&self, ejected: u32, endpoints: usize) -> bool {
        let after = u64::from(ejected) + 1;
        after * 100 <= u64::from(self.max_ejection_percent) * endpoints as u64
    }
}

impl Default for OutlierDetection {
    /// What `outlierDetection: {}` means.
    fn default() -> OutlierDetection {
        OutlierDetection {
            consecutive_5xx: 5,
            consecutive_gateway: 0,
            consecutive_local: None,
            statuses: Box::default(),
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_percent: 10,
            min_health_percent: 0,
        }
    }
}

/// What an answer counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A success.
    Good,
    /// A failure.
    Error,
    /// A failure that a gateway has with what is behind it: 502, 503, 504.
    GatewayError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_too_many_of_nine_and_not_of_ten() {
        let ten_percent = OutlierDetection::default();
        assert!(!ten_percent.may_eject(0, 1));
        assert!(!ten_percent.may_eject(0, 9));
        assert!(ten_percent.may_eject(0, 10));
        assert!(!ten_percent.may_eject(1, 19));
        let all = OutlierDetection { max_ejection_percent: 100, ..ten_percent };
        assert!(all.may_eject(0, 1));
        assert!(!all.may_eject(1, 1));
    }

    #[test]
    fn times_grow_to_five_minutes_or_the_base() {
        let outlier = OutlierDetection::default();
        let seconds: Vec<u64> = (0..12).map(|times| outlier.ejection_time(times).as_secs()).collect();
        assert_eq!(seconds, [0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300]);
        let long = OutlierDetection { base_ejection_time: Duration::from_secs(400), ..outlier };
        assert_eq!(long.ejection_time(3).as_secs(), 400);
    }

    #[test]
    fn listed_statuses_are_the_only_failures() {
        let outlier = OutlierDetection::default();
        let verdicts = [200, 429, 500, 501, 503].map(|status| outlier.verdict(status));
        assert_eq!(
            verdicts,
            [Verdict::Good, Verdict::Good, Verdict::Error, Verdict::Error, Verdict::GatewayError]
        );
        let listed = OutlierDetection { statuses: [429, 503].into(), ..outlier };
        let verdicts = [200, 429, 500, 503].map(|status| listed.verdict(status));
        assert_eq!(verdicts, [Verdict::Good, Verdict::Error, Verdict::Good, Verdict::GatewayError]);
    }
}
