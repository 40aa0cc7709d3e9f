//! A producer's settings.

use alloc::format;

use super::{Config, UnknownTopic};
use crate::{
    Error,
    budget::Budget,
    compress::Codec,
    producer::{BATCH_KNOWN, Partitioner},
};

/// Who must have a record before it counts as acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Acks {
    /// Nobody: the record is done when its last byte is handed to the network, and its offset stays unknown (−1).
    None,
    /// The partition's leader.
    Leader,
    /// All replicas that are in sync.
    All,
}

impl Acks {
    pub(crate) const fn wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// A producer's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ProducerConfig {
    /// Who must have a record before it counts as acknowledged.
    pub acks: Acks,
    /// Whether retries can neither duplicate nor reorder (KIP-98). `None`: whenever `acks` is all.
    pub idempotence: Option<bool>,
    /// How long a batch waits for more records, in milliseconds. 0: not at all, unless its leader has a request of this
    /// producer to answer, and then at most 5 ms (natural batching).
    pub linger_ms: u32,
    /// The largest batch, and so the largest record, in bytes as encoded, before compression. A builder that is not told
    /// begins with 1,000,000 or a quarter of the Produce class, whichever is less.
    pub batch_bytes: usize,
    /// A batch that would grow beyond so many bytes is sent without what would make it so, though
    /// [`batch_bytes`](ProducerConfig::batch_bytes) may be more: a record that is larger than this is a batch of its own. By
    /// default there is no other limit than `batch_bytes`. (Java's and librdkafka's `batch.size`.)
    pub batch_full_bytes: usize,
    /// The most records of a batch. By default its bytes are the only limit. There are never more than 262,144, and their
    /// times are within eighteen hours of the first one's: another begins a batch.
    pub batch_records: u32,
    /// The most records that wait to be acknowledged, in all partitions together; beyond that `enqueue` waits, as it does for
    /// memory. `None`: as many as the Produce class has room for, and then nothing is counted.
    pub max_records: Option<usize>,
    /// Which partition a record goes to that names none, by its key.
    pub partitioner: Partitioner,
    /// How long a record may take from the buffer to its acknowledgement, retries included, in milliseconds.
    pub delivery_timeout_ms: u32,
    /// How long `enqueue` and `send` wait for metadata or room, in milliseconds.
    pub max_block_ms: u32,
    /// How batches are compressed. One that would not become smaller goes out as it is.
    pub compression: Codec,
    /// How hard the codec tries, on its own scale. `None`: as it usually does.
    pub compression_level: Option<i32>,
    /// How many batches are compressed at once in the transport's own threads. 0: in the driver's turns, one after the
    /// other, which is right for codecs that are fast and hosts of few processors. Each job holds what its codec takes and
    /// room for a batch of the Produce class, from the beginning. Transports without threads (WASI, an embedded socket) do
    /// the work in the driver's turns all the same.
    pub compression_jobs: usize,
    /// The most bytes of one request. A batch larger than that goes alone.
    pub request_bytes: usize,
    /// Produce requests that may be open on one connection, from 1 to 5. Without idempotence only one of them at a time has
    /// something for a given partition, so that nothing is reordered.
    pub max_in_flight: usize,
    /// How often a batch is sent again at most. By default only `delivery_timeout_ms` ends that, which is what brokers that are
    /// replaced ask for.
    pub retries: u32,
    /// How long a leader waits for the other replicas before it answers REQUEST_TIMED_OUT, in milliseconds. `None`: as long as
    /// the client's `request_timeout_ms`.
    pub ack_timeout_ms: Option<u32>,
    /// What a topic means that brokers do not know.
    pub unknown_topic: UnknownTopic,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        ProducerConfig {
            acks: Acks::All,
            idempotence: None,
            linger_ms: 0,
            batch_bytes: 1_000_000,
            batch_full_bytes: usize::MAX,
            batch_records: u32::MAX,
            max_records: None,
            partitioner: Partitioner::default(),
            delivery_timeout_ms: 120_000,
            max_block_ms: 60_000,
            compression: Codec::None,
            compression_level: None,
            compression_jobs: 0,
            request_bytes: 1_048_576,
            max_in_flight: IN_FLIGHT_MAX,
            retries: u32::MAX,
            ack_timeout_ms: None,
            unknown_topic: UnknownTopic::Retry,
        }
    }
}

/// The least that a batch may hold: a header and a record of a few bytes.
const BATCH_BYTES_MIN: usize = 128;

/// Brokers know the last five batches of a producer in a partition, and take no more out of order (KIP-98).
const IN_FLIGHT_MAX: usize = 5;

/// More would only wait for processors.
const COMPRESSION_JOBS_MAX: usize = 64;

impl ProducerConfig {
    /// The defaults of a client with this budget: four batches have room, so that some fill while others are sent.
    pub(crate) fn within(budget: &Budget) -> Self {
        let config = ProducerConfig::default();
        let room = budget.limit(crate::Class::Produce) / 4;
        let chunks = room.saturating_sub(BATCH_KNOWN) / budget.chunk_bytes() * budget.chunk_bytes();
        ProducerConfig { batch_bytes: config.batch_bytes.min(chunks.max(BATCH_BYTES_MIN)), ..config }
    }

    pub(crate) fn idempotent(&self) -> bool {
        self.idempotence.unwrap_or(self.acks == Acks::All)
    }

    pub(crate) fn check(&self, client: &Config, budget: &Budget) -> Result<(), Error> {
        if self.idempotence == Some(true) && self.acks != Acks::All {
            return Err(Error::config("idempotence", "needs acks all; drop one of the two"));
        }
        if self.batch_bytes < BATCH_BYTES_MIN {
            return Err(Error::config("batch_bytes", format!("must be at least {BATCH_BYTES_MIN}")));
        }
        if self.batch_full_bytes == 0 || self.batch_records == 0 || self.max_records == Some(0) {
            let why = "must be more than 0, as must batch_records and max_records";
            return Err(Error::config("batch_full_bytes", why));
        }
        if !(1..=IN_FLIGHT_MAX).contains(&self.max_in_flight) {
            return Err(Error::config("max_in_flight", format!("must be from 1 to {IN_FLIGHT_MAX}")));
        }
        if self.compression_jobs > COMPRESSION_JOBS_MAX {
            return Err(Error::config("compression_jobs", format!("must be at most {COMPRESSION_JOBS_MAX}")));
        }
        let (room, chunk) = (budget.limit(crate::Class::Produce), budget.chunk_bytes());
        let needed = self.batch_bytes.div_ceil(chunk).saturating_mul(chunk).saturating_add(BATCH_KNOWN);
        if needed > room {
            return Err(Error::config(
                "batch_bytes",
                format!(
                    "{} do not fit into memory.produce_bytes, which is {room}: such a batch takes {needed} of it",
                    self.batch_bytes
                ),
            ));
        }
        // Trap 63: otherwise a record could expire before its first request has been given its time.
        let least = u64::from(self.linger_ms) + u64::from(client.request_timeout_ms);
        if u64::from(self.delivery_timeout_ms) < least {
            return Err(Error::config(
                "delivery_timeout_ms",
                format!("must be at least linger_ms + request_timeout_ms, which is {least}"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut ProducerConfig)) -> Option<&'static str> {
        let client = Config::new("a:1");
        let mut config = ProducerConfig::default();
        change(&mut config);
        match config.check(&client, &Budget::new(client.memory)) {
            Ok(()) => None,
            Err(Error::Config { knob, .. }) => Some(knob),
            Err(error) => panic!("{error}"),
        }
    }

    /// Trap 63: a record must have time for its linger and one whole request.
    #[test]
    fn the_delivery_timeout_holds_linger_and_a_request() {
        assert_eq!(refused(|c| (c.delivery_timeout_ms, c.linger_ms) = (30_000, 0)), None);
        assert_eq!(refused(|c| (c.delivery_timeout_ms, c.linger_ms) = (29_999, 0)), Some("delivery_timeout_ms"));
        assert_eq!(refused(|c| (c.delivery_timeout_ms, c.linger_ms) = (30_000, 1)), Some("delivery_timeout_ms"));
    }

    #[test]
    fn idempotence_follows_acks_unless_both_are_asked_for() {
        assert!(ProducerConfig::default().idempotent());
        assert!(!ProducerConfig { acks: Acks::Leader, ..ProducerConfig::default() }.idempotent());
        assert_eq!(refused(|c| (c.acks, c.idempotence) = (Acks::None, Some(true))), Some("idempotence"));
    }

    #[test]
    fn a_small_budget_has_room_for_four_of_the_default_batches() {
        for (total, expected) in
            [(64 << 20, 1_000_000..=1_000_000), (1 << 20, 40_000..=200_000), (64 << 10, 128..=8_000)]
        {
            let client = Config::new("a:1").memory_total(total);
            let budget = Budget::new(client.memory);
            let config = ProducerConfig::within(&budget);
            assert!(expected.contains(&config.batch_bytes), "{total}: {}", config.batch_bytes);
            let taken = config.batch_bytes.div_ceil(budget.chunk_bytes()) * budget.chunk_bytes() + BATCH_KNOWN;
            assert!(4 * taken <= budget.limit(crate::Class::Produce), "{total}: {taken}");
            config.check(&client, &budget).expect("fits");
        }
    }

    #[test]
    fn batches_fit_the_memory() {
        assert_eq!(refused(|c| c.batch_bytes = 1), Some("batch_bytes"));
        assert_eq!(refused(|c| c.compression_jobs = 65), Some("compression_jobs"));
        assert_eq!(refused(|c| c.batch_full_bytes = 0), Some("batch_full_bytes"));
        assert_eq!(refused(|c| c.batch_records = 0), Some("batch_full_bytes"));
        assert_eq!(refused(|c| c.max_records = Some(0)), Some("batch_full_bytes"));
        assert_eq!(refused(|c| c.max_in_flight = 0), Some("max_in_flight"));
        assert_eq!(refused(|c| c.max_in_flight = 6), Some("max_in_flight"));
        assert_eq!(refused(|c| c.batch_bytes = 1 << 30), Some("batch_bytes"));
    }
}
