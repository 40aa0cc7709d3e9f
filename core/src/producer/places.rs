//! How many records may wait to be acknowledged, for who wants that counted.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::Arc;

/// The count of one producer, if it has a limit.
pub(super) struct Places(Option<Arc<Count>>);

struct Count {
    most: usize,
    taken: AtomicUsize,
}

impl Count {
    #[inline(never)]
    fn take(&self) -> bool {
        let took = self.taken.fetch_add(1, Ordering::Relaxed) < self.most;
        if !took {
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
        took
    }
}

impl Places {
    pub(super) fn new(most: Option<usize>) -> Self {
        Places(most.map(|most| Arc::new(Count { most, taken: AtomicUsize::new(0) })))
    }

    /// Takes a place for a record, if there is one.
    #[inline]
    pub(super) fn take(&self) -> bool {
        self.0.as_ref().is_none_or(|count| count.take())
    }

    /// Gives back what was taken for records that found no room.
    #[inline(never)]
    pub(super) fn give(&self, records: usize) {
        if let Some(count) = &self.0 {
            count.taken.fetch_sub(records, Ordering::Relaxed);
        }
    }

    pub(super) fn has_one(&self) -> bool {
        self.0.as_ref().is_none_or(|count| count.taken.load(Ordering::Relaxed) < count.most)
    }

    /// The places of a batch's records, which return when the batch ends, however that is.
    pub(super) fn hold(&self, records: u32) -> Held {
        Held { places: Places(self.0.clone()), records }
    }
}

/// Places that return when this is dropped.
pub(super) struct Held {
    places: Places,
    records: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.places.give(self.records as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_many_as_were_said_and_come_back() {
        let places = Places::new(Some(2));
        assert!(places.take() && places.has_one() && places.take());
        assert!(!places.take() && !places.has_one());
        let held = places.hold(2);
        assert!(!places.take());
        drop(held);
        assert!(places.take());
        places.give(1);
        assert!(places.take() && places.take() && !places.take());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let places = Places::new(None);
        drop(places.hold(5));
        assert!(places.take() && places.has_one());
    }
}
