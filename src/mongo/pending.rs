//! Requests that wait for their answers.

/// Requests of one connection that may wait at a time. Drivers send one after another on a connection; what is beyond is
/// counted, but not timed.
const PENDING_MAX: usize = 32;

/// The requests of one connection that wait for their answers, each with what the caller wants to remember of it.
#[derive(Debug)]
pub struct Pending<T> {
    waiting: Vec<(i32, T)>,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Pending { waiting: Vec::new() }
    }
}

impl<T> Pending<T> {
    /// A request was sent. If too many wait already, the oldest is given up: its answer may never come.
    pub fn sent(&mut self, id: i32, what: T) {
        if self.waiting.len() >= PENDING_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push((id, what));
    }

    /// An answer came: what was remembered of its request.
    pub fn answered(&mut self, response_to: i32) -> Option<T> {
        let position = self.waiting.iter().position(|(id, _)| *id == response_to)?;
        Some(self.waiting.remove(position).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_requests_in_any_order() {
        let mut pending = Pending::default();
        (1..=3).for_each(|id| pending.sent(id, id * 10));
        assert_eq!(
            [3, 1, 7, 1, 2].map(|id| pending.answered(id)),
            [Some(30), Some(10), None, None, Some(20)]
        );
    }

    #[test]
    fn requests_without_answers_are_forgotten() {
        let mut pending = Pending::default();
        (0..1000).for_each(|id| pending.sent(id, id));
        assert_eq!(pending.waiting.len(), PENDING_MAX);
        assert_eq!((pending.answered(0), pending.answered(999)), (None, Some(999)));
    }
}
