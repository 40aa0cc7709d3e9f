//! What a partition remembers of its idempotent producers (KIP-98).

use klamm::ErrorCode;
use klamm::record::{BatchHeader, next_sequence};
use std::collections::{BTreeMap, VecDeque};

/// So many batches of a producer are remembered, to recognise one that is sent again.
const REMEMBERED: usize = 5;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    first_sequence: i32,
    last_sequence: i32,
    /// The offset of its first record.
    pub(crate) base_offset: i64,
    /// Its greatest timestamp in ms.
    pub(crate) timestamp: i64,
}

#[derive(Clone, Debug)]
struct Producer {
    epoch: i16,
    /// The oldest first.
    batches: VecDeque<Appended>,
}

/// The producers of one partition, by their id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Producers(BTreeMap<i64, Producer>);

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It comes next.
    Append,
    /// It is there already.
    Duplicate(Appended),
    /// It must not be appended.
    Refuse(ErrorCode),
}

impl Producers {
    /// The order of the checks is Kafka's: first the last five batches of the same epoch, then the epoch, then the
    /// sequence. A producer that the partition does not know may begin anywhere, because its state may have been
    /// removed by retention.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Verdict {
        let Some(producer) = self.0.get(&batch.producer_id) else { return Verdict::Append };
        if batch.producer_epoch < producer.epoch {
            return Verdict::Refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if batch.producer_epoch > producer.epoch {
            return if batch.base_sequence == 0 { Verdict::Append } else { out_of_order() };
        }
        let (first, last) = (batch.base_sequence, last_sequence(batch));
        let same = producer.batches.iter().find(|b| b.first_sequence == first && b.last_sequence == last);
        if let Some(same) = same {
            return Verdict::Duplicate(*same);
        }
        match producer.batches.back() {
            Some(newest) if next_sequence(newest.last_sequence, 1) != first => out_of_order(),
            _ => Verdict::Append,
        }
    }

    /// Takes note of a batch that [`Producers::check`] let pass and that now stands at `base_offset`. `timestamp`: its
    /// greatest one as it is stored, in ms.
    pub(crate) fn appended(&mut self, batch: &BatchHeader, base_offset: i64, timestamp: i64) {
        let new = || Producer { epoch: batch.producer_epoch, batches: VecDeque::new() };
        let producer = self.0.entry(batch.producer_id).or_insert_with(new);
        if producer.epoch != batch.producer_epoch {
            *producer = new();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Appended {
            first_sequence: batch.base_sequence,
            last_sequence: last_sequence(batch),
            base_offset,
            timestamp,
        });
    }

    /// Forgets a producer, as retention does.
    pub(crate) fn forget(&mut self, producer_id: i64) {
        self.0.remove(&producer_id);
    }
}

fn out_of_order() -> Verdict {
    Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
}

fn last_sequence(batch: &BatchHeader) -> i32 {
    next_sequence(batch.base_sequence, batch.last_offset_delta)
}

#[cfg(test)]
#[path = "producers_tests.rs"]
mod tests;
