//! One partition's batches on the driver's side: queued, in flight, in order.

use alloc::{boxed::Box, collections::VecDeque};
use core::time::Duration;

use super::{
    batch::{Batch, Work},
    stamp::Sequence,
};
use crate::Instant;

/// A broker remembers the last five batches of a producer in a partition, so that many may fly (trap 55).
pub(super) const IN_FLIGHT_IDEMPOTENT: usize = 5;

/// Batches of one partition.
#[derive(Default)]
pub(super) struct PartitionQueue {
    /// To be sent, by number. Boxed, because the room of a queue that was long once stays.
    pub(super) queue: VecDeque<Box<Batch>>,
    /// Sent, or being sent, by number.
    pub(super) in_flight: VecDeque<Box<Batch>>,
    pub(super) sequence: Sequence,
    /// How many batches were ever stamped.
    pub(super) stamped: u64,
    /// Failures since the last acknowledgement.
    pub(super) failures: u32,
    /// Nothing is sent before.
    pub(super) retry_at: Instant,
    /// A batch is open since then.
    pub(super) open_since: Option<Instant>,
}

impl PartitionQueue {
    /// Whether anything is left to do.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty() && self.open_since.is_none()
    }

    /// Whether the first queued batch may be sent now. A batch that is tried again waits until everything of its
    /// partition has come back, so that all of it is sent again in order.
    pub(super) fn may_send(&self, now: Instant, in_flight_max: usize) -> bool {
        let Some(first) = self.queue.front() else { return false };
        if first.work != Work::None || self.retry_at > now || self.in_flight.len() >= in_flight_max {
            return false;
        }
        // The broker must still know the oldest unsettled batch when it sees it again, whatever was acknowledged behind
        // it meanwhile (trap 55): it would take one that it has forgotten for one that it never had.
        let oldest = self.in_flight.iter().map(|b| b.ordinal).min();
        if first.stamp.is_none() && oldest.is_some_and(|o| self.stamped - o + 2 > in_flight_max as u64) {
            return false;
        }
        self.in_flight.is_empty()
            || self.in_flight.back().is_some_and(|b| b.number < first.number && first.stamp.is_none())
    }

    /// Takes the batch that a request carried out of those in flight.
    pub(super) fn settle_of(&mut self, request: u64) -> Option<Box<Batch>> {
        let at = self.in_flight.iter().position(|b| b.request == request)?;
        self.in_flight.remove(at)
    }

    /// Puts a batch back, in order, to be sent again.
    pub(super) fn retry(&mut self, batch: Box<Batch>) {
        let at = self.queue.iter().position(|b| b.number > batch.number).unwrap_or(self.queue.len());
        self.queue.insert(at, batch);
    }

    /// A batch has lost its stamp. What was to follow it in the old sequence cannot be in the log either, and must not hold
    /// the new one up.
    pub(super) fn restart(&mut self, number: u64) {
        self.sequence.break_off();
        self.queue.iter_mut().filter(|b| b.number > number).for_each(|b| b.unstamp());
    }

    /// Whether a batch that comes back is the first of its sequence that is not settled: whatever the broker misses
    /// before it, it will never get. (One that has lost its stamp gets another, of a sequence that comes after.)
    pub(super) fn is_first(&self, number: u64) -> bool {
        self.queue.iter().chain(&self.in_flight).all(|b| b.number >= number || b.stamp.is_none())
    }

    /// When the oldest unsettled batch runs out of time.
    pub(super) fn expires(&self, delivery: Duration) -> Instant {
        let oldest = self.in_flight.iter().chain(&self.queue).filter(|b| !b.expired).map(|b| b.opened).min();
        let oldest = match (oldest, self.open_since) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        oldest.map_or(Instant::FAR, |opened| opened.after(delivery))
    }

    /// Whether a batch before this one has lost its stamp, which happens only to what is not in the log.
    pub(super) fn follows_unstamped(&self, number: u64) -> bool {
        self.queue.iter().any(|b| b.number < number && b.stamp.is_none())
    }

    /// Whether a stamped batch is not settled yet.
    pub(super) fn has_stamped(&self) -> bool {
        !self.in_flight.is_empty() || self.queue.iter().any(|b| b.stamp.is_some())
    }
}
