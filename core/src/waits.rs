//! Tasks that wait for something the driver will bring about: room, metadata, a flush, an answer.

use alloc::vec::Vec;
use core::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use crate::{Error, Instant, map::Map, sync::Lock};

/// A bounded list of waiting tasks, each with the moment at which it wants to be woken in any case.
///
/// A task is woken when something changed, looks whether it is what it waits for, and enlists again if not. Until it does one or
/// the other it keeps its place: who comes later cannot have it.
pub(crate) struct Waits {
    list: Lock<List>,
    max: usize,
    /// How many were refused because the list was full.
    refused: AtomicUsize,
}

#[derive(Default)]
struct List {
    next: u64,
    /// Without a waker: woken, and not yet back.
    waiting: Map<u64, (Instant, Option<Waker>)>,
    /// How many have a waker.
    armed: usize,
}

impl List {
    /// The wakers of those whose moment is not behind `by`; they keep their places.
    fn take(&mut self, by: Instant) -> Vec<Waker> {
        let due = self.waiting.values_mut().filter(|(until, _)| *until <= by);
        let wakers: Vec<Waker> = due.filter_map(|(_, waker)| waker.take()).collect();
        self.armed -= wakers.len();
        wakers
    }
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
    pub(crate) fn enlist(&mut self, until: Instant, waker: &Waker) -> Result<(), Error> {
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

    /// Puts a task on the list, or renews its waker. What is waited for must be looked at after this: what happens in between is
    /// not missed.
    ///
    /// # Errors
    /// [`Error::Budget`] when the list is full.
    pub(crate) fn enlist(&self, place: &mut Place, until: Instant, waker: &Waker) -> Result<(), Error> {
        // Made before the lock and dropped after it: a waker's clone and drop are somebody else's code.
        let waker = waker.clone();
        let mut list = self.list.lock();
        if let Some(id) = place.0
            && let Some(entry) = list.waiting.get_mut(&id)
        {
            let old = core::mem::replace(entry, (until, Some(waker)));
            list.armed += usize::from(old.1.is_none());
            drop(list);
            drop(old);
            return Ok(());
        }
        if list.waiting.len() >= self.max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::too_many_waiters(self.max));
        }
        let id = list.next;
        list.next += 1;
        list.waiting.insert(id, (until, Some(waker)));
        list.armed += 1;
        place.0 = Some(id);
        Ok(())
    }

    pub(crate) fn leave(&self, place: &mut Place) {
        let Some(id) = place.0.take() else { return };
        let gone = {
            let mut list = self.list.lock();
            let gone = list.waiting.remove(&id);
            list.armed -= usize::from(matches!(gone, Some((_, Some(_)))));
            gone
        };
        drop(gone);
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        let all = {
            let mut list = self.list.lock();
            if list.armed == 0 {
                return;
            }
            list.take(Instant::FAR)
        };
        all.into_iter().for_each(Waker::wake);
    }

    /// Wakes those whose time has come; answers when the next one's comes.
    pub(crate) fn wake_due(&self, now: Instant) -> Instant {
        let (due, next) = {
            let mut list = self.list.lock();
            if list.armed == 0 {
                return Instant::FAR;
            }
            let due = list.take(now);
            let armed = list.waiting.values().filter(|(_, waker)| waker.is_some());
            (due, armed.map(|(until, _)| *until).min().unwrap_or(Instant::FAR))
        };
        due.into_iter().for_each(Waker::wake);
        next
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.list.lock().waiting.len()
    }

    #[cfg(test)]
    fn armed(&self) -> usize {
        self.list.lock().armed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_list_is_bounded_and_a_place_is_given_up() {
        let waits = Waits::new(2);
        let (mut a, mut b, mut c) = (Place::default(), Place::default(), Place::default());
        let waker = Waker::noop();
        assert_eq!(waits.enlist(&mut a, Instant::FAR, waker), Ok(()));
        assert_eq!(waits.enlist(&mut b, Instant::FAR, waker), Ok(()));
        assert_eq!(waits.enlist(&mut a, Instant::FAR, waker), Ok(()), "renewed, not doubled");
        let full = waits.enlist(&mut c, Instant::FAR, waker).expect_err("full");
        assert_eq!(full.to_string(), "tickets memory: 1 waiting tasks do not fit into 2 (max_waiters)");
        assert!(full.is_retriable());
        waits.leave(&mut a);
        assert_eq!(waits.enlist(&mut c, Instant::FAR, waker), Ok(()));
        assert_eq!(waits.len(), 2);
    }

    #[test]
    fn only_those_whose_time_has_come_are_woken() {
        let waits = Waits::new(9);
        let (mut a, mut b) = (Place::default(), Place::default());
        assert_eq!(waits.enlist(&mut a, Instant::from_nanos(5), Waker::noop()), Ok(()));
        assert_eq!(waits.enlist(&mut b, Instant::from_nanos(9), Waker::noop()), Ok(()));
        assert_eq!(waits.wake_due(Instant::from_nanos(5)), Instant::from_nanos(9));
        assert_eq!(waits.armed(), 1);
        waits.wake_all();
        assert_eq!((waits.armed(), waits.wake_due(Instant::FAR)), (0, Instant::FAR));
    }

    /// Who was woken is not refused when it comes back and must wait on, however many came meanwhile.
    #[test]
    fn who_is_woken_keeps_its_place() {
        let waits = Waits::new(1);
        let (mut first, mut late) = (Place::default(), Place::default());
        assert_eq!(waits.enlist(&mut first, Instant::FAR, Waker::noop()), Ok(()));
        waits.wake_all();
        assert!(waits.enlist(&mut late, Instant::FAR, Waker::noop()).is_err());
        assert_eq!(waits.enlist(&mut first, Instant::FAR, Waker::noop()), Ok(()));
        assert_eq!(waits.armed(), 1);
        waits.leave(&mut first);
        assert_eq!((waits.len(), waits.armed()), (0, 0));
        assert_eq!(waits.enlist(&mut late, Instant::FAR, Waker::noop()), Ok(()));
    }
}
