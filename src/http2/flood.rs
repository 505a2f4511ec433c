//! Budgets for what costs a peer little and us more (RFC 9113 section 10.5): what is over is answered with
//! GOAWAY ENHANCE_YOUR_CALM.

use super::{ConnectionError, ErrorCode};
use crate::telemetry::Floods;

/// What a peer has done too much of, in the order of [`Floods::KINDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Streams that were reset early, by the peer, or here because of what it sent on them (CVE-2023-44487,
    /// CVE-2025-8671).
    RapidReset,
    /// Streams beyond what it may have open.
    Refused,
    /// CONTINUATION frames of one header block.
    Continuation,
    /// Bytes of one header block, or of what it decodes to.
    HeaderList,
    /// SETTINGS frames, or entries of one.
    Settings,
    /// PING frames.
    Ping,
    /// PRIORITY frames.
    Priority,
    /// WINDOW_UPDATE frames.
    WindowUpdate,
    /// DATA frames without data.
    EmptyData,
    /// Frames of an unknown kind.
    Unknown,
    /// Bytes that carry nothing, beside those that do: padding, and headers of tiny frames.
    Overhead,
}

impl Flood {
    /// Its name on the metrics page and in the log.
    pub const fn as_str(self) -> &'static str {
        Floods::KINDS[self as usize]
    }

    /// What ends the connection.
    pub(super) const fn error(self) -> ConnectionError {
        ConnectionError { code: ErrorCode::EnhanceYourCalm, reason: self.as_str(), flood: Some(self) }
    }
}

/// A budget that fills up again: with time, and with useful work.
#[derive(Clone, Copy, Debug)]
struct Budget {
    left: u32,
    max: u32,
    /// What comes back in a second.
    per_second: u32,
}

impl Budget {
    const fn new(max: u32, per_second: u32) -> Budget {
        Budget { left: max, max, per_second }
    }

    fn spend(&mut self, flood: Flood, amount: u32) -> Result<(), ConnectionError> {
        match self.left.checked_sub(amount) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(flood.error()),
        }
    }

    fn earn(&mut self, amount: u32) {
        self.left = self.left.saturating_add(amount).min(self.max);
    }
}

/// All budgets of one connection.
#[derive(Debug)]
pub(super) struct Budgets {
    resets: Budget,
    refused: Budget,
    settings: Budget,
    pings: Budget,
    priorities: Budget,
    window_updates: Budget,
    empty_data: Budget,
    unknown: Budget,
    overhead: Budget,
    second: u64,
}

/// What a client on a slow network may cancel at once (browsers cancel a page's worth of requests), and 20 more each
/// second. Streams that end as they should earn one each, so that a proxy with many clients is not taken for an attacker
/// (Envoy's rule is a share, too: half of 500).
const RESETS: Budget = Budget::new(200, 20);
/// A client that has not read our SETTINGS yet may be one burst of streams over.
const REFUSED: Budget = Budget::new(200, 20);
/// Nobody changes settings often.
const SETTINGS: Budget = Budget::new(50, 2);
/// Keep-alive pings are seconds apart, but gRPC measures the network with one for each burst of data: those are earned.
const PINGS: Budget = Budget::new(100, 10);
/// Old browsers send a tree of six and one for each stream.
const PRIORITIES: Budget = Budget::new(100, 10);
/// Two for each stream and up to ten for each frame of DATA that was sent are earned (Envoy's ratio).
const WINDOW_UPDATES: Budget = Budget::new(1000, 100);
/// Some clients end a stream with one, and those don't count; others have no use.
const EMPTY_DATA: Budget = Budget::new(100, 10);
/// GREASE (RFC 8701) and extensions: a few for each connection.
const UNKNOWN: Budget = Budget::new(100, 10);
/// nginx's rule: bytes that carry nothing may be eight times those that do, and 1 MiB more.
const OVERHEAD: Budget = Budget::new(1 << 20, 4096);
/// See [`OVERHEAD`].
const OVERHEAD_EARNED: u32 = 8;

impl Budgets {
    pub(super) fn new(now_ms: u64) -> Budgets {
        Budgets {
            resets: RESETS,
            refused: REFUSED,
            settings: SETTINGS,
            pings: PINGS,
            priorities: PRIORITIES,
            window_updates: WINDOW_UPDATES,
            empty_data: EMPTY_DATA,
            unknown: UNKNOWN,
            overhead: OVERHEAD,
            second: now_ms / 1000,
        }
    }

    /// Time has passed.
    pub(super) fn refill(&mut self, now_ms: u64) {
        let second = now_ms / 1000;
        let passed = second.saturating_sub(self.second).min(3600) as u32;
        if passed == 0 {
            return;
        }
        self.second = second;
        let budgets = [
            &mut self.resets,
            &mut self.refused,
            &mut self.settings,
            &mut self.pings,
            &mut self.priorities,
            &mut self.window_updates,
            &mut self.empty_data,
            &mut self.unknown,
            &mut self.overhead,
        ];
        for budget in budgets {
            budget.earn(budget.per_second.saturating_mul(passed));
        }
    }

    /// Counts one of these.
    pub(super) fn spend(&mut self, flood: Flood) -> Result<(), ConnectionError> {
        let budget = match flood {
            Flood::RapidReset => &mut self.resets,
            Flood::Refused => &mut self.refused,
            Flood::Settings => &mut self.settings,
            Flood::Ping => &mut self.pings,
            Flood::Priority => &mut self.priorities,
            Flood::WindowUpdate => &mut self.window_updates,
            Flood::EmptyData => &mut self.empty_data,
            Flood::Unknown => &mut self.unknown,
            // One of these is too many.
            Flood::Continuation | Flood::HeaderList | Flood::Overhead => return Err(flood.error()),
        };
        budget.spend(flood, 1)
    }

    /// Bytes came in a frame of DATA: so many that carry something, so many that don't.
    pub(super) fn data(&mut self, payload: usize, overhead: usize) -> Result<(), ConnectionError> {
        self.pings.earn(1);
        self.overhead.earn((payload as u32).saturating_mul(OVERHEAD_EARNED));
        self.overhead.spend(Flood::Overhead, overhead as u32)
    }

    /// A stream was opened.
    pub(super) fn stream_opened(&mut self) {
        self.priorities.earn(1);
        self.window_updates.earn(2);
        self.pings.earn(1);
    }

    /// A frame of DATA was sent: what is tiny is worth one update, what is not up to ten.
    pub(super) fn data_sent(&mut self, len: usize) {
        self.window_updates.earn((1 + len as u32 / 256).min(10));
        self.pings.earn(1);
    }

    /// A stream has ended as it should: who has many may cancel some.
    pub(super) fn stream_ended(&mut self) {
        self.resets.earn(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_name() {
        let names = [
            (Flood::RapidReset, "rapid_reset"),
            (Flood::Refused, "refused"),
            (Flood::Continuation, "continuation"),
            (Flood::HeaderList, "header_list"),
            (Flood::Settings, "settings"),
            (Flood::Ping, "ping"),
            (Flood::Priority, "priority"),
            (Flood::WindowUpdate, "window_update"),
            (Flood::EmptyData, "empty_data"),
            (Flood::Unknown, "unknown"),
            (Flood::Overhead, "overhead"),
        ];
        assert_eq!(names.len(), Floods::KINDS.len());
        for (flood, name) in names {
            assert_eq!(flood.as_str(), name);
        }
    }

    #[test]
    fn a_budget_ends_and_comes_back_with_time() {
        let mut budgets = Budgets::new(5000);
        let spent = (0..1000).take_while(|_| budgets.spend(Flood::RapidReset).is_ok()).count();
        assert_eq!(spent, 200);
        budgets.refill(5999);
        assert!(budgets.spend(Flood::RapidReset).is_err());
        budgets.refill(7000);
        assert_eq!((0..1000).take_while(|_| budgets.spend(Flood::RapidReset).is_ok()).count(), 40);
    }

    #[test]
    fn what_carries_data_pays_for_its_headers() {
        let mut budgets = Budgets::new(0);
        for _ in 0..1_000_000 {
            budgets.data(2, 9).unwrap();
        }
        let empty = (0..1_000_000).take_while(|_| budgets.data(0, 9).is_ok()).count();
        assert!(empty < 120_000, "{empty}");
    }
}
