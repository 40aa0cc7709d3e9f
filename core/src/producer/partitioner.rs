//! Which partition a record goes to.

use core::sync::atomic::Ordering;

use super::{murmur2::partition_for_key, shared::Topic};

impl Topic {
    /// The partition of a record without an explicit one, and whether it was chosen for want of a key.
    ///
    /// Keys go where Java puts them, over all partitions, also those that have no leader now (trap 44): a key's home
    /// never depends on who is up. Keyless records stay with one partition for a batch's worth of bytes and then move
    /// on, so that they spread uniformly by bytes (KIP-794).
    #[inline]
    pub(crate) fn choose(&self, key: Option<&[u8]>, partitions: u32) -> (u32, bool) {
        match key {
            Some(key) => (partition_for_key(key, partitions), false),
            None => (self.sticky.load(Ordering::Relaxed), true),
        }
    }

    /// Enough went to `partition`: the next keyless records go to another one that has a leader.
    pub(super) fn move_on(&self, partition: u32) {
        let available = self.available();
        let Some(last) = available.len().checked_sub(1) else { return };
        let here = available.iter().position(|p| *p == partition).unwrap_or(last);
        // In turn: what is spread this way differs by at most one batch between any two partitions.
        let next = if here >= last { 0 } else { here + 1 };
        self.sticky.store(available[next], Ordering::Relaxed);
    }
}
