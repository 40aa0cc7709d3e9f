//! One partition, for who keeps offsets elsewhere: produce, fetch, look up, delete.

mod entering;
mod fetched;

pub use fetched::FetchedRecords;

pub(in crate::api) use entering::Entering;

use alloc::{string::String, vec::Vec};
use core::{fmt, future::poll_fn, ops::Range, time::Duration};

use super::{BatchProducerBuilder, Client, ConsumerBuilder, Producer, Record, Shared};
use crate::{
    Codec, Error, IsolationLevel, OffsetSpec, ProducerConfig, StartAt, UnknownTopic,
    admin::{self, ByLeader, FetchOnce, FetchWish, OffsetWish},
    budget::Class,
    consumer::{COMMITTED_ONLY, Inflater},
    error::Fate,
    sync::{Arc, Lock},
};

/// What is said of a partition before it is used; see [`Client::partition`].
#[must_use = "a partition's client exists once it is built"]
pub struct PartitionBuilder {
    client: Client,
    topic: String,
    partition: i32,
    config: ProducerConfig,
    isolation_level: IsolationLevel,
}

impl PartitionBuilder {
    pub(super) fn new(client: Client, topic: String, partition: i32) -> Self {
        let config = ProducerConfig::within(&client.shared().budget);
        PartitionBuilder { client, topic, partition, config, isolation_level: IsolationLevel::ReadCommitted }
    }

    /// What it means that brokers do not know the topic, or the partition. By default they are asked again, as long as
    /// an operation has time.
    pub fn unknown_topic(mut self, unknown: UnknownTopic) -> Self {
        self.config.unknown_topic = unknown;
        self
    }

    /// How records are produced. Partitions with the same settings share one producer for each codec. What they say of
    /// compression does not count: [`PartitionClient::produce`] says it each time.
    pub fn producer(mut self, config: ProducerConfig) -> Self {
        let unknown_topic = self.config.unknown_topic;
        self.config = ProducerConfig { unknown_topic, ..config };
        self
    }

    /// Which records of transactions are fetched (KIP-98), and where the log's end is then. By default only those of committed
    /// transactions, as rskafka asks for; a consumer's default is Java's, which is all of them.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.isolation_level = level;
        self
    }

    /// Finds the partition's leader.
    ///
    /// A future that is dropped has done nothing.
    ///
    /// # Errors
    /// [`Error::Broker`] with UNKNOWN_TOPIC_OR_PARTITION as [`unknown_topic`](PartitionBuilder::unknown_topic) says;
    /// [`Error::TimedOut`] with `request_timeout_ms` when no leader is found in that time; [`Error::Config`] for an illegal
    /// name or a negative partition.
    pub async fn build(self) -> Result<PartitionClient, Error> {
        COMMITTED_ONLY.mark();
        let inner = Inner {
            client: self.client,
            topic: self.topic,
            partition: self.partition,
            config: self.config,
            isolation_level: self.isolation_level,
            producers: Lock::new(Vec::new()),
            inflater: Lock::new(None),
        };
        let client = PartitionClient { inner: Arc::new(inner) };
        client.offset(OffsetSpec::Latest).await?;
        Ok(client)
    }
}

impl fmt::Debug for PartitionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut builder = f.debug_struct("PartitionBuilder");
        builder.field("topic", &self.topic).field("partition", &self.partition).finish_non_exhaustive()
    }
}

/// One partition, for programs that use Kafka as a log and keep offsets by themselves. Clones are the same client.
///
/// It follows the partition's leader: whatever fails because that has moved is tried again, as long as the operation has
/// time. Offsets, deletions and fetches have `request_timeout_ms`, a fetch its `max_wait` besides; records have the
/// producer's times (`max_block_ms`, `delivery_timeout_ms`).
///
/// ```
/// # async fn example(client: klamm::Client) -> Result<(), klamm::Error> {
/// use core::time::Duration;
/// use klamm::{Codec, Record, UnknownTopic};
/// let partition = client.partition("orders", 0).unknown_topic(UnknownTopic::Retry).build().await?;
/// let offsets = partition.produce([Record::new().value("hello")], Codec::None).await?;
/// let (records, high_watermark) = partition.fetch_records(offsets[0], 1..1_000_000, Duration::from_secs(1)).await?;
/// for record in &records {
///     assert!(record.offset() < high_watermark);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PartitionClient {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    topic: String,
    partition: i32,
    config: ProducerConfig,
    isolation_level: IsolationLevel,
    /// One for each codec that was used.
    producers: Lock<Vec<(Codec, Producer)>>,
    /// Lent out while a fetch's batches are inflated.
    inflater: Lock<Option<Inflater>>,
}

impl PartitionClient {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.inner.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.inner.partition
    }

    /// Produces records, and waits until all are acknowledged; answers their offsets, in order. They become as few batches
    /// as `batch_bytes` allows, and with idempotence, which is the default, none of them is written twice.
    ///
    /// Dropped before it is ready, some of the records may have been taken into the buffer, from the first on; those are
    /// sent.
    ///
    /// # Errors
    /// The first failure: what [`Producer::send_all`] answers. Records of other batches may have been acknowledged then;
    /// [`Error::fate`] tells of the one that failed. [`Error::Config`] for a record to another topic or partition.
    pub async fn produce<'r>(&self, records: impl AsRef<[Record<'r>]>, compression: Codec) -> Result<Vec<i64>, Error> {
        let mut entering = self.entering(compression)?;
        let (topic, partition) = (self.topic(), self.partition());
        let entered = poll_fn(|cx| entering.poll(cx.waker(), (topic, partition), records.as_ref())).await;
        let sent = entering.into_taken().await.into_result()?;
        entered?;
        sent.iter().map(|one| one.map(|metadata| metadata.offset())).collect()
    }

    pub(in crate::api) fn shared(&self) -> &Arc<Shared> {
        self.inner.client.shared()
    }

    pub(in crate::api) fn entering(&self, compression: Codec) -> Result<Entering, Error> {
        self.producer_for(compression).map(Entering::new)
    }

    /// Has what is in the buffer sent without lingering. A producer that cannot be had has nothing there.
    pub(in crate::api) fn ask_flush(&self, compression: Codec) {
        if let Ok(producer) = self.producer_for(compression) {
            producer.shared().ask_flush();
        }
    }

    fn producer_for(&self, compression: Codec) -> Result<Producer, Error> {
        let known = |all: &[(Codec, Producer)]| all.iter().find(|(c, _)| *c == compression).map(|(_, p)| p.clone());
        let found = known(&self.inner.producers.lock());
        if let Some(producer) = found {
            return Ok(producer);
        }
        let config = ProducerConfig { compression, ..self.inner.config.clone() };
        let producer = Producer::of_all(self.inner.client.shared(), &config)?;
        self.inner.producers.lock().push((compression, producer.clone()));
        Ok(producer)
    }

    /// Fetches records from an offset on; answers them and the high watermark. The broker answers as soon as it has
    /// `bytes.start` bytes of records, at the latest after `max_wait`, with at most `bytes.end` bytes as they lie in the log
    /// (compressed, if they are): none, if there are none; and always with the whole first batch, whatever its size.
    ///
    /// Of transactions those records come that [`isolation_level`](PartitionBuilder::isolation_level) says: none of an open or an
    /// aborted one by default, so that a fetch may bring no records though it passes some, and its high watermark lie behind what
    /// can be read now.
    ///
    /// Half of the Fetch class of memory is the most that is asked for; the records keep their room there until they are
    /// dropped. It waits for room, as it does for a leader. Batches that are compressed are inflated into room of the
    /// Inflate class, as many as there is room for now and at least one: go on at [`FetchedRecords::next_offset`].
    ///
    /// A broker answers the requests of a connection in turn. A fetch that waits is therefore asked in pieces, so that
    /// others on its connection wait 50 ms each at the most when there are several; who reads many partitions at once fares
    /// better with a [`consumer`](PartitionClient::consumer), which asks for all of them together.
    ///
    /// Dropped before it is ready, nothing was read; what comes is let go.
    ///
    /// # Errors
    /// [`Error::Broker`] with OFFSET_OUT_OF_RANGE for an offset before the log's beginning or after its end, and with
    /// UNKNOWN_TOPIC_OR_PARTITION as the builder says; [`Error::Budget`] within [`Error::TimedOut`] when there was never
    /// room; [`Error::Config`] at once for a negative offset, and for a range of bytes that is empty; [`Error::TooLarge`] for a
    /// batch, or a list of aborted transactions, that the memory classes can never hold: a fetch behind it passes it;
    /// [`Error::Peer`] for records that are damaged.
    pub async fn fetch_records(
        &self,
        offset: i64,
        bytes: Range<u32>,
        max_wait: Duration,
    ) -> Result<(FetchedRecords, i64), Error> {
        let wish = self.wish(offset, &bytes, max_wait)?;
        let of_one = [(self.inner.topic.clone(), self.inner.partition, wish)];
        let unknown = self.inner.config.unknown_topic;
        let make = |reply| ByLeader::<FetchOnce>::new(of_one, reply).unknown_topic(unknown).extra(max_wait);
        let fetched = self.inner.client.admin().run(make).await?;
        let fetched = fetched.into_iter().next().ok_or(Error::Closed { fate: Fate::NotPersisted })?;
        self.open(offset, fetched).await
    }

    fn wish(&self, offset: i64, bytes: &Range<u32>, max_wait: Duration) -> Result<FetchWish, Error> {
        if offset < 0 {
            return Err(Error::config("offset", alloc::format!("{offset} is negative")));
        }
        if bytes.is_empty() {
            return Err(Error::config("bytes", "the most must be more than the least"));
        }
        let shared = self.inner.client.shared();
        let limit = shared.budget.limit(Class::Fetch);
        let most = limit / 2;
        let max_bytes = (bytes.end as usize).min(most);
        let until = shared.clock.now().after(max_wait);
        // More than the most would be waited for in vain.
        let min_bytes = (bytes.start as usize).min(max_bytes);
        let isolation_level = self.inner.isolation_level;
        Ok(FetchWish { offset, min_bytes, max_bytes, until, needed: 0, limit, isolation_level })
    }

    /// Looks up a place in the log; `None` if there is no such record. Others may produce or delete meanwhile. The latest is where
    /// the oldest open transaction begins, if there is one, unless [`isolation_level`](PartitionBuilder::isolation_level) says
    /// otherwise.
    ///
    /// A future that is dropped has done nothing.
    ///
    /// # Errors
    /// [`Error::Broker`] as the broker refuses; [`Error::TimedOut`] when no leader answers in time.
    pub async fn offset(&self, at: OffsetSpec) -> Result<Option<i64>, Error> {
        let wish = OffsetWish { at, isolation_level: self.inner.isolation_level };
        let of_one = [(self.inner.topic.clone(), self.inner.partition, wish)];
        let unknown = self.inner.config.unknown_topic;
        let make = |reply| ByLeader::<admin::ListOffsets>::new(of_one, reply).unknown_topic(unknown);
        let listed = self.inner.client.admin().run(make).await?;
        Ok(listed.into_iter().next().and_then(|listed| listed.offset))
    }

    /// Deletes the records before an offset (KIP-107); −1: all that are replicated now, or, when an answer was lost, all that
    /// are when it is asked for again. Answers where the log begins then.
    ///
    /// A future that is dropped stops waiting; the records are deleted all the same.
    ///
    /// # Errors
    /// [`Error::Broker`] with OFFSET_OUT_OF_RANGE for an offset after the high watermark, and as the broker refuses;
    /// [`Error::TimedOut`] when no leader answers in time.
    pub async fn delete_records(&self, before: i64) -> Result<i64, Error> {
        let of_one = [(self.inner.topic.clone(), self.inner.partition, before)];
        let unknown = self.inner.config.unknown_topic;
        let make = |reply| ByLeader::<admin::DeleteRecords>::new(of_one, reply).unknown_topic(unknown);
        let deleted = self.inner.client.admin().run(make).await?;
        deleted.into_iter().next().map(|d| d.low_watermark).ok_or(Error::Closed { fate: Fate::MaybePersisted })
    }

    /// A producer that gathers inputs of many tasks into batches of this partition, to be configured and built.
    pub fn batch_producer(&self) -> BatchProducerBuilder {
        BatchProducerBuilder::new(self.clone())
    }

    /// A consumer of this partition, to be built, which reads the same records of transactions, and has the same
    /// [`unknown_topic`](PartitionBuilder::unknown_topic): it fetches ahead in the background, keeps going while leaders move,
    /// and is a `futures` stream with the feature of that name.
    pub fn consumer(&self, from: StartAt) -> ConsumerBuilder {
        let consumer = self.inner.client.consumer().assign([(self.topic(), self.partition())]).from(from);
        consumer.isolation_level(self.inner.isolation_level).unknown_topic(self.inner.config.unknown_topic)
    }
}

impl fmt::Debug for PartitionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartitionClient({}-{})", self.inner.topic, self.inner.partition)
    }
}
