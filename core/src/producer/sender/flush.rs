//! Flushes: each is over when every batch that was sealed before it was asked for is settled.

use alloc::collections::VecDeque;

use super::Sender;

/// Batches by number, and the flushes that wait for them.
#[derive(Default)]
pub(super) struct Flushes {
    /// The next batch's number.
    next: u64,
    /// The numbers of batches that are not settled, in order: no more than there are batches.
    unsettled: VecDeque<u64>,
    /// The newest flush that was asked for.
    asked: u64,
    /// Flush number and the first batch number that it does not wait for.
    waiting: VecDeque<(u64, u64)>,
    /// Flushes whose mark is set once the batches that were open have their numbers.
    unmarked: Option<u64>,
}

impl Flushes {
    /// A new batch's number.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.unsettled.push_back(number);
        number
    }

    pub(super) fn settled(&mut self, number: u64) {
        if let Ok(at) = self.unsettled.binary_search(&number) {
            self.unsettled.remove(at);
        }
    }

    pub(super) fn is_new(&self, asked: u64) -> bool {
        asked > self.asked
    }

    pub(super) fn asked(&mut self, asked: u64) {
        if asked > self.asked {
            self.asked = asked;
            self.unmarked = Some(asked);
        }
    }

    /// The newest flush that is over, if one has come to its end now. Called after open batches were sealed and
    /// numbered.
    fn done(&mut self) -> Option<u64> {
        if let Some(flush) = self.unmarked.take() {
            self.waiting.push_back((flush, self.next));
        }
        let base = self.unsettled.front().copied().unwrap_or(self.next);
        let mut done = None;
        while let Some((flush, _)) = self.waiting.front().filter(|(_, mark)| *mark <= base) {
            done = Some(*flush);
            self.waiting.pop_front();
        }
        done
    }
}

impl Sender {
    pub(super) fn settle_flushes(&mut self) {
        let Some(done) = self.flushes.done() else { return };
        {
            let mut inbox = self.shared.inbox.lock();
            inbox.flush_done = inbox.flush_done.max(done);
        }
        self.shared.waits.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flush_waits_for_the_batches_before_it_only() {
        let mut flushes = Flushes::default();
        let (a, b) = (flushes.number(), flushes.number());
        flushes.asked(1);
        assert_eq!(flushes.done(), None);
        let c = flushes.number();
        flushes.asked(2);
        assert_eq!(flushes.done(), None);
        flushes.settled(c);
        flushes.settled(b);
        assert_eq!(flushes.done(), None, "the first batch is still out");
        flushes.settled(a);
        assert_eq!(flushes.done(), Some(2));
        flushes.asked(3);
        assert_eq!(flushes.done(), Some(3), "nothing to wait for");
    }

    #[test]
    fn what_is_settled_behind_a_batch_that_is_not_takes_no_memory() {
        let mut flushes = Flushes::default();
        let stuck = flushes.number();
        flushes.asked(1);
        for _ in 0..10_000 {
            let number = flushes.number();
            flushes.settled(number);
        }
        assert_eq!(flushes.done(), None);
        assert!(flushes.unsettled.capacity() < 16, "{}", flushes.unsettled.capacity());
        flushes.settled(stuck);
        assert_eq!(flushes.done(), Some(1));
    }
}
