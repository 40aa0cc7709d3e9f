//! Which partition a record goes to.

mod crc32;
mod fnv1a;
mod murmur2;

use core::sync::atomic::Ordering;

use crc32::crc32;
use fnv1a::fnv1a;
use murmur2::murmur2;

use super::shared::Topic;

/// Which partition a record goes to that names none, by its key.
///
/// Every producer of a topic should use the same, or a key's records are spread over two partitions. The names are those of
/// librdkafka's setting `partitioner`, whose results they give. What is chosen *at random* there stays with one partition
/// for a batch's worth of bytes here and then moves on (KIP-794).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[non_exhaustive]
pub enum Partitioner {
    /// Murmur2 of the key; records without one at random. The default, and that of Java.
    #[default]
    Murmur2Random,
    /// Murmur2 of the key; records without one all go to the same partition.
    Murmur2,
    /// CRC-32 of the key; records without one, or with an empty one, at random. The default of librdkafka.
    ConsistentRandom,
    /// CRC-32 of the key; records without one, or with an empty one, all go to the same partition.
    Consistent,
    /// FNV-1a of the key; records without one at random. The default of Sarama.
    Fnv1aRandom,
    /// FNV-1a of the key; records without one all go to the same partition.
    Fnv1a,
    /// At random, whatever the key. (Java's setting `partitioner.ignore.keys`, KIP-794.)
    Random,
}

impl Partitioner {
    /// The home of a key among `partitions`; `None`: any of them will do. Kept apart, because three hashes in the place where
    /// records are taken would leave no room for what every record needs there.
    #[inline(never)]
    fn home(self, key: Option<&[u8]>, partitions: u32) -> Option<u32> {
        let hash = match (self, key) {
            (Partitioner::Murmur2Random | Partitioner::Fnv1aRandom | Partitioner::ConsistentRandom, None) => {
                return None;
            }
            (Partitioner::ConsistentRandom, Some([])) | (Partitioner::Random, _) => return None,
            // The top bit is cleared before the modulus, as Java does it: its hash is signed, and clearing is not the same
            // as taking the absolute value.
            (Partitioner::Murmur2 | Partitioner::Murmur2Random, key) => murmur2(key.unwrap_or_default()) & 0x7fff_ffff,
            (Partitioner::Consistent | Partitioner::ConsistentRandom, key) => crc32(key.unwrap_or_default()),
            (Partitioner::Fnv1a | Partitioner::Fnv1aRandom, key) => fnv1a(key.unwrap_or_default()),
        };
        hash.checked_rem(partitions)
    }
}

impl Topic {
    /// The partition of a record without an explicit one, and whether any other would have done.
    ///
    /// Keys are placed over all partitions, also those that have no leader now (trap 44): a key's home never depends on who
    /// is up.
    #[inline]
    pub(crate) fn choose(&self, how: Partitioner, key: Option<&[u8]>, partitions: u32) -> (u32, bool) {
        match how.home(key, partitions) {
            Some(home) => (home, false),
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

    const JAVA: Partitioner = Partitioner::Murmur2Random;

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
            assert_eq!(all.choose(JAVA, Some(key), 10), few.choose(JAVA, Some(key), 10));
            assert_eq!(few.choose(JAVA, Some(key), 10), (JAVA.home(Some(key), 10).expect("a key"), false));
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (partition, sticky) = few.choose(JAVA, None, 10);
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
        let (before, _) = topic.choose(JAVA, None, 3);
        let others: Vec<u32> = (0..3).filter(|p| *p != before).collect();
        topic.learn(3, others.clone(), None, 5);
        assert!(others.contains(&topic.choose(JAVA, None, 3).0));
    }

    /// Who spreads what; tests/interop asks librdkafka itself, with thousands of keys.
    #[test]
    fn records_without_a_key_and_with_an_empty_one() {
        use Partitioner::*;
        let homes = |key: Option<&[u8]>| {
            [Murmur2Random, Murmur2, ConsistentRandom, Consistent, Fnv1aRandom, Fnv1a, Random].map(|p| p.home(key, 10))
        };
        let murmur2_of_nothing = (murmur2(b"") & 0x7fff_ffff) % 10;
        let fnv1a_of_nothing = 0x7ee3_623b % 10;
        assert_eq!(homes(None), [None, Some(murmur2_of_nothing), None, Some(0), None, Some(fnv1a_of_nothing), None]);
        let (murmur2, fnv1a) = (Some(murmur2_of_nothing), Some(fnv1a_of_nothing));
        assert_eq!(homes(Some(b"")), [murmur2, murmur2, None, Some(0), fnv1a, fnv1a, None]);
        let crc32 = Some(crc32(b"kafka") % 10);
        let fnv1a = Some(0x0d33_c4e1 % 10);
        let murmur2 = homes(Some(b"kafka"))[0];
        assert!(murmur2.is_some());
        assert_eq!(homes(Some(b"kafka")), [murmur2, murmur2, crc32, crc32, fnv1a, fnv1a, None]);
    }

    /// Trap 43: the key that other clients were caught with.
    #[test]
    fn wu_of_ten_is_zero() {
        assert_eq!(JAVA.home(Some(b"wu"), 10), Some(0));
        assert_eq!(JAVA.home(Some(b"wu"), 0), None, "no partitions: no panic");
        assert_eq!(JAVA.home(Some(b"wu"), 1), Some(0));
    }
}
