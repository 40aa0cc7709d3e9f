//! Batches are compressed between sealing and sending, outside all locks.

use super::Sender;
use crate::Instant;

/// Bytes of records that are compressed in one turn, if it is more than one batch: then connections get theirs. A batch
/// of 1 MB takes milliseconds.
const PACKED_A_TURN: usize = 256 << 10;

impl Sender {
    /// Compresses what has been sealed, the oldest first, so that a partition's batches stay in their order.
    pub(super) fn pack(&mut self, now: Instant) {
        let mut done = 0;
        while let Some((place, number)) = self.unpacked.front().copied() {
            if done >= PACKED_A_TURN {
                self.next = now;
                return;
            }
            self.unpacked.pop_front();
            let Some(topic) = self.topics.get_mut(place.topic as usize) else { continue };
            let Some(queue) = topic.queues.get_mut(place.partition as usize) else { continue };
            // One whose time was over before its turn came is gone.
            let Ok(at) = queue.queue.binary_search_by_key(&number, |b| b.number) else { continue };
            if let (Some(packer), Some(batch)) = (&mut self.packer, queue.queue.get_mut(at)) {
                done += batch.body.len();
                batch.pack(packer);
            }
        }
    }
}
