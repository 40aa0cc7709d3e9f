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

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;
    use crate::sync::Arc;

    fn topic(partitions: u32, available: Vec<u32>) -> Arc<Topic> {
        let topic = Topic::new("t", 0);
        topic.learn(partitions, available, None, 0);
        topic
    }

    /// Trap 44: a key's home is counted over all partitions, whoever leads them; keyless records go only where somebody
    /// does.
    #[test]
    fn keys_count_all_partitions_and_keyless_records_only_those_with_a_leader() {
        let all = topic(10, (0..10).collect());
        let few = topic(10, vec![2, 7]);
        for key in [&b"a"[..], b"b", b"wu", b"42"] {
            assert_eq!(all.choose(Some(key), 10), few.choose(Some(key), 10));
            assert_eq!(few.choose(Some(key), 10), (partition_for_key(key, 10), false));
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (partition, sticky) = few.choose(None, 10);
            assert!(sticky);
            seen.push(partition);
            few.move_on(partition);
        }
        assert_eq!(seen, [2, 7, 2, 7]);
    }

    /// KIP-794: keyless records leave a partition that loses its leader.
    #[test]
    fn keyless_records_leave_a_partition_without_a_leader() {
        let topic = topic(3, vec![0, 1, 2]);
        let (before, _) = topic.choose(None, 3);
        let others: Vec<u32> = (0..3).filter(|p| *p != before).collect();
        topic.learn(3, others.clone(), None, 5);
        assert!(others.contains(&topic.choose(None, 3).0));
    }
}
