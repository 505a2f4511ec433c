//! A line that mostly has one in it.

use std::collections::VecDeque;

/// Things in the order in which they came. The first has its place here and needs no memory of its own: a stream mostly has
/// one response head and one piece of data at a time, and a thousand streams may be open.
pub(super) struct Queue<T> {
    first: Option<T>,
    /// Empty, where there is no first.
    rest: VecDeque<T>,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Queue<T> {
        Queue { first: None, rest: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push_back(&mut self, item: T) {
        match &self.first {
            None => self.first = Some(item),
            Some(_) => self.rest.push_back(item),
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take()?;
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
        }
        Some(first)
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        if self.rest.is_empty() { self.first.as_mut() } else { self.rest.back_mut() }
    }

    /// All of them, in their order.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn clear(&mut self) {
        self.first = None;
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_goes_first() {
        let mut queue = Queue::new();
        assert!(queue.is_empty() && queue.back_mut().is_none() && queue.pop_front().is_none());
        for round in 1..5 {
            for item in 0..round {
                queue.push_back(item);
                assert_eq!(queue.back_mut(), Some(&mut item.clone()));
            }
            assert_eq!(queue.pop_front(), Some(0));
            queue.push_back(round);
            let left: Vec<_> = std::iter::from_fn(|| queue.pop_front()).collect();
            assert_eq!(left, (1..=round).collect::<Vec<_>>());
        }
        queue.push_back(1);
        queue.push_back(2);
        queue.clear();
        assert!(queue.is_empty() && queue.pop_front().is_none());
    }
}
