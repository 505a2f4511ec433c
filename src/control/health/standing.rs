//! How many successes and failures in a row make an endpoint good and bad.

use crate::table::HealthCheck;

/// What checks have found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    is_good: bool,
    /// It has never been found good or bad.
    is_new: bool,
    /// Results in a row that speak against it.
    against: u32,
}

impl Standing {
    pub(super) fn new(check: &HealthCheck) -> Standing {
        Standing { is_good: !check.waits, is_new: true, against: 0 }
    }

    pub(super) fn is_good(self) -> bool {
        self.is_good
    }

    /// Takes the result of one check. Returns whether it changes anything.
    ///
    /// The first success is enough for an endpoint that has waited for it, as in Envoy: it would keep traffic waiting for
    /// nothing but more of the same.
    pub(super) fn take(&mut self, succeeded: bool, check: &HealthCheck) -> bool {
        let was_new = std::mem::replace(&mut self.is_new, false);
        if succeeded == self.is_good {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let threshold = match succeeded {
            true if was_new => 1,
            true => check.healthy_threshold,
            false => check.unhealthy_threshold,
        };
        if self.against < threshold {
            return false;
        }
        self.is_good = succeeded;
        self.against = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Probe;
    use std::time::Duration;

    fn check(waits: bool) -> HealthCheck {
        HealthCheck {
            probe: Probe::Tcp,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
            port: None,
            waits,
            min_health_percent: None,
        }
    }

    /// Good or bad after each of the results, `+` and `-`.
    fn after(waits: bool, results: &str) -> String {
        let check = check(waits);
        let mut standing = Standing::new(&check);
        let each = |result: char| {
            standing.take(result == '+', &check);
            if standing.is_good() { 'g' } else { 'b' }
        };
        results.chars().map(each).collect()
    }

    #[test]
    fn good_until_three_have_failed_in_a_row() {
        assert_eq!(after(false, "--+--+---+-++"), "ggggggggbbbbg");
    }

    #[test]
    fn one_that_waits_is_good_at_its_first_success() {
        assert_eq!(after(true, "+-"), "gg");
        assert_eq!(after(true, "-++"), "bbg");
    }

    #[test]
    fn only_changes_are_news() {
        let check = check(false);
        let mut standing = Standing::new(&check);
        let news: Vec<bool> =
            [true, false, false, false, false, true, true].map(|r| standing.take(r, &check)).into();
        assert_eq!(news, [false, false, false, true, false, false, true]);
    }
}
