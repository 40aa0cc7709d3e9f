//! Tasks that wait for something the driver will bring about: room, metadata, a flush, an answer.

use core::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use crate::{Instant, map::Map, sync::Lock};

/// A bounded list of waiting tasks, each with the moment at which it wants to be woken in any case.
///
/// A task is woken when something changed, looks whether it is what it waits for, and enlists again if not.
pub(crate) struct Waits {
    list: Lock<List>,
    max: usize,
    /// How many were refused because the list was full.
    refused: AtomicUsize,
}

#[derive(Default)]
struct List {
    next: u64,
    waiting: Map<u64, (Instant, Waker)>,
}

/// A place in the list. A task keeps it over its polls; dropping it gives the place up, so that a cancelled task
/// leaves nothing behind.
#[derive(Default)]
pub(crate) struct Place(Option<u64>);

/// A task's place in a list of waiting ones, given up when the wait is cancelled.
pub(crate) struct Waiting<'a> {
    waits: &'a Waits,
    pub(crate) place: Place,
}

impl<'a> Waiting<'a> {
    pub(crate) fn at(waits: &'a Waits) -> Self {
        Waiting { waits, place: Place::default() }
    }

    /// As [`Waits::enlist`].
    pub(crate) fn enlist(&mut self, until: Instant, waker: &Waker) -> bool {
        self.waits.enlist(&mut self.place, until, waker)
    }

    /// Gives the place up before the wait is over.
    pub(crate) fn leave(&mut self) {
        self.waits.leave(&mut self.place);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Waits {
    pub(crate) fn new(max: usize) -> Self {
        Waits { list: Lock::new(List::default()), max, refused: AtomicUsize::new(0) }
    }

    /// How many were refused since this was last asked, because the list was full.
    pub(crate) fn take_refused(&self) -> usize {
        if self.refused.load(Ordering::Relaxed) == 0 { 0 } else { self.refused.swap(0, Ordering::Relaxed) }
    }

    /// Puts a task on the list, or renews its waker. `false`: the list is full.
    pub(crate) fn enlist(&self, place: &mut Place, until: Instant, waker: &Waker) -> bool {
        // Made before the lock and dropped after it: a waker's clone and drop are somebody else's code.
        let waker = waker.clone();
        let mut list = self.list.lock();
        if let Some(id) = place.0
            && let Some(entry) = list.waiting.get_mut(&id)
        {
            let old = core::mem::replace(entry, (until, waker));
            drop(list);
            drop(old);
            return true;
        }
        if list.waiting.len() >= self.max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let id = list.next;
        list.next += 1;
        list.waiting.insert(id, (until, waker));
        place.0 = Some(id);
        true
    }

    pub(crate) fn leave(&self, place: &mut Place) {
        let Some(id) = place.0.take() else { return };
        let gone = self.list.lock().waiting.remove(&id);
        drop(gone);
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        let all = {
            let mut list = self.list.lock();
            if list.waiting.is_empty() {
                return;
            }
            core::mem::take(&mut list.waiting)
        };
        for (_, waker) in all.into_values() {
            waker.wake();
        }
    }

    /// Wakes those whose time has come; answers when the next one's comes.
    pub(crate) fn wake_due(&self, now: Instant) -> Instant {
        let (due, next) = {
            let mut list = self.list.lock();
            if list.waiting.is_empty() {
                return Instant::FAR;
            }
            let due: alloc::vec::Vec<u64> =
                list.waiting.iter().filter(|(_, (until, _))| *until <= now).map(|(id, _)| *id).collect();
            let due: alloc::vec::Vec<_> = due.iter().filter_map(|id| list.waiting.remove(id)).collect();
            let next = list.waiting.values().map(|(until, _)| *until).min();
            (due, next.unwrap_or(Instant::FAR))
        };
        for (_, waker) in due {
            waker.wake();
        }
        next
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.list.lock().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_a_place_is_given_up() {
        let waits = Waits::new(2);
        let (mut a, mut b, mut c) = (Place::default(), Place::default(), Place::default());
        let waker = Waker::noop();
        assert!(waits.enlist(&mut a, Instant::FAR, waker));
        assert!(waits.enlist(&mut b, Instant::FAR, waker));
        assert!(waits.enlist(&mut a, Instant::FAR, waker), "renewed, not doubled");
        assert!(!waits.enlist(&mut c, Instant::FAR, waker));
        waits.leave(&mut a);
        assert!(waits.enlist(&mut c, Instant::FAR, waker));
        assert_eq!(waits.len(), 2);
    }

    #[test]
    fn only_those_whose_time_has_come_are_woken() {
        let waits = Waits::new(9);
        let (mut a, mut b) = (Place::default(), Place::default());
        waits.enlist(&mut a, Instant::from_nanos(5), Waker::noop());
        waits.enlist(&mut b, Instant::from_nanos(9), Waker::noop());
        assert_eq!(waits.wake_due(Instant::from_nanos(5)), Instant::from_nanos(9));
        assert_eq!(waits.len(), 1);
        waits.wake_all();
        assert_eq!(waits.len(), 0);
    }
}
