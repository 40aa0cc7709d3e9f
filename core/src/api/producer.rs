//! The producer's handle.

use core::{fmt, future::poll_fn, task::Poll, time::Duration};

use spin::Once;

use super::{
    Command, Held, Record, Shared,
    enqueue::{Enqueue, Refused},
};
use crate::{
    Acks, Error, Instant, ProducerConfig, RecordMetadata, Ticket, UnknownTopic,
    budget::Class,
    compress::Codec,
    config::millis,
    error::Fate,
    producer::{Appending, Packer, Partitioner, ProducerShared, Refusal, Topic},
    sync::Arc,
    waits::Waiting,
};

/// A producer's settings on the way to [`build`](ProducerBuilder::build).
#[must_use = "a producer exists once it is built"]
pub struct ProducerBuilder {
    client: Arc<Shared>,
    config: ProducerConfig,
}

impl ProducerBuilder {
    pub(super) fn new(client: Arc<Shared>) -> Self {
        let config = ProducerConfig::within(&client.budget);
        ProducerBuilder { client, config }
    }

    /// All settings at once.
    pub fn config(mut self, config: ProducerConfig) -> Self {
        self.config = config;
        self
    }

    /// Who must have a record before it counts as acknowledged. Less than all switches idempotence off, unless that is
    /// asked for too, which is an error.
    pub fn acks(mut self, acks: Acks) -> Self {
        self.config.acks = acks;
        self
    }

    /// Whether retries can neither duplicate nor reorder (KIP-98). By default whenever acks is all.
    pub fn idempotence(mut self, on: bool) -> Self {
        self.config.idempotence = Some(on);
        self
    }

    /// How long a batch waits for more records.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.config.linger_ms = millis(linger);
        self
    }

    /// The largest batch, and so the largest record, in bytes as encoded, before compression. By default 1,000,000, or less
    /// where the Produce class has no room for four such batches.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.config.batch_bytes = bytes;
        self
    }

    /// Which partition a record goes to that names none, by its key.
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.config.partitioner = partitioner;
        self
    }

    /// How long a record may take from the buffer to its acknowledgement, retries included.
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.config.delivery_timeout_ms = millis(timeout);
        self
    }

    /// How long `enqueue` and `send` wait for metadata or room.
    pub fn max_block(mut self, timeout: Duration) -> Self {
        self.config.max_block_ms = millis(timeout);
        self
    }

    /// How batches are compressed. One that would not become smaller goes out as it is.
    pub fn compression(mut self, codec: Codec) -> Self {
        self.config.compression = codec;
        self
    }

    /// How hard the codec tries, on its own scale.
    pub fn compression_level(mut self, level: i32) -> Self {
        self.config.compression_level = Some(level);
        self
    }

    /// How many batches are compressed at once in the transport's own threads, if it has any.
    pub fn compression_jobs(mut self, jobs: usize) -> Self {
        self.config.compression_jobs = jobs;
        self
    }

    /// What a topic means that brokers do not know. By default it is asked for again, as long as the record has time.
    pub fn unknown_topic(mut self, unknown: UnknownTopic) -> Self {
        self.config.unknown_topic = unknown;
        self
    }

    /// Makes the producer.
    ///
    /// # Errors
    /// [`Error::Config`] with the setting that is wrong; [`Error::Budget`] while the Produce class is too full for a
    /// compressor; [`Error::Closed`] when the client's driver is gone.
    pub fn build(self) -> Result<Producer, Error> {
        self.config.check(&self.client.config, &self.client.budget)?;
        let packers = Packer::all_of(&self.config, &*self.client.config.codecs_or_own(), &self.client.budget)?;
        self.client.take_slot()?;
        let shared = ProducerShared::new(Arc::clone(&self.client), self.config, packers);
        if let Err((error, _)) = self.client.command(Command::Produce(Arc::clone(&shared))) {
            self.client.free_slot();
            return Err(error);
        }
        let held = Held::new(&self.client);
        Ok(Producer { inner: Arc::new(Handle { shared, _held: held }), memo: Memo::default() })
    }
}

/// Sends records. Clones are the same producer.
///
/// When the last clone is dropped, what is in its buffer is still sent, as long as the client's driver is polled: before a
/// program ends its runtime, as by returning from `main`, it awaits its tickets, [`flush`](Producer::flush),
/// [`close`](Producer::close), or [`Client::closed`](crate::Client::closed).
pub struct Producer {
    inner: Arc<Handle>,
    memo: Memo,
}

pub(super) struct Handle {
    shared: Arc<ProducerShared>,
    _held: Held,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Clone for Producer {
    fn clone(&self) -> Self {
        Producer { inner: Arc::clone(&self.inner), memo: Memo::default() }
    }
}

/// The topics that a handle has met, found without a lock. Each place is written once; a topic that finds its place
/// taken is looked up in the producer's own table.
#[derive(Default)]
struct Memo([Once<Arc<Topic>>; 8]);

impl Memo {
    #[inline]
    fn find(&self, name: &str) -> (&Once<Arc<Topic>>, Option<&Arc<Topic>>) {
        let bytes = name.as_bytes();
        let last = bytes.last().copied().unwrap_or(0);
        let place = &self.0[(bytes.len() ^ last as usize) & 7];
        (place, place.get().filter(|t| *t.name == *name))
    }
}

impl Producer {
    /// Sends a record and waits until it is acknowledged.
    ///
    /// Dropped before it is ready, the record may or may not have been taken into the buffer; once it is there it is
    /// sent.
    ///
    /// No topic is made by being written to, also where brokers do that for other clients: see
    /// [`create_topics`](crate::Admin::create_topics).
    ///
    /// # Errors
    /// Those of [`enqueue`](Producer::enqueue), and whatever became of the record; [`Error::fate`] tells whether it may
    /// be in the log.
    pub async fn send(&self, record: Record<'_>) -> Result<RecordMetadata, Error> {
        let ticket = self.enqueue(record).await.map_err(Refused::into_error)?;
        ticket.await
    }

    /// Takes a record into the buffer, waiting at most `max_block_ms` for metadata or room. The ticket tells what
    /// becomes of it.
    ///
    /// Cancel-safe: dropped before it is ready, the record was not taken.
    ///
    /// # Errors
    /// The record comes back in [`Refused`], with the reason: [`Error::Budget`] at once when `max_waiters` tasks wait already for
    /// room or for metadata, of [`Class::Produce`] when it was room; [`Error::TimedOut`] when `max_block_ms` is over.
    #[inline]
    pub fn enqueue<'p, 'r>(&'p self, record: Record<'r>) -> Enqueue<'p, 'r> {
        Enqueue::new(self, record)
    }

    /// Takes a record into the buffer if that is possible at once. An unknown topic is looked up for the next try.
    ///
    /// # Errors
    /// The record comes back in [`Refused`], with the reason: [`Error::Budget`] while the buffer is full.
    pub fn try_enqueue<'r>(&self, record: Record<'r>) -> Result<Ticket, Refused<'r>> {
        match self.append(&record) {
            Ok(ticket) => Ok(ticket),
            Err(Refusal::Full { bytes }) => {
                self.inner.shared.press(bytes);
                let error = self.full();
                Err(Refused::new(record, error))
            }
            Err(Refusal::Unknown) => {
                let error = Error::broker(
                    crate::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    alloc::format!("topic {} is being looked up", record.topic),
                    None,
                );
                Err(Refused::new(record, error))
            }
            Err(Refusal::Error(error)) => Err(Refused::new(record, error)),
        }
    }

    /// The producer as a [`Sink`](futures_sink::Sink) of records, which keeps at most 10,000 of them unsettled. Several
    /// sinks of one producer share its buffer; each tells of its own records.
    #[cfg(feature = "futures")]
    pub fn sink<'r>(&self) -> super::RecordSink<'r> {
        super::RecordSink::new(self.clone())
    }

    /// Waits until every record that is in the buffer now is settled, one way or the other. Records are sent without
    /// lingering.
    ///
    /// Cancel-safe; the records are sent all the same.
    ///
    /// # Errors
    /// [`Error::Budget`] when `max_waiters` tasks wait already. What became of each record its own ticket tells.
    pub async fn flush(&self) -> Result<(), Error> {
        let shared = &self.inner.shared;
        let number = shared.ask_flush();
        self.wait_until(|| shared.is_flushed(number)).await
    }

    /// Refuses further records, sends what is in the buffer and waits until all of it is settled.
    ///
    /// # Errors
    /// As [`flush`](Producer::flush).
    pub async fn close(self) -> Result<(), Error> {
        let shared = &self.inner.shared;
        shared.close();
        self.wait_until(|| shared.is_ended()).await
    }

    async fn wait_until(&self, done: impl Fn() -> bool) -> Result<(), Error> {
        let shared = &self.inner.shared;
        let mut wait = Waiting::at(&shared.waits);
        poll_fn(|cx| {
            wait.enlist(Instant::FAR, cx.waker())?;
            if done() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// The producer of all that want the same settings, or one that is made now.
    pub(super) fn of_all(client: &Arc<Shared>, config: &ProducerConfig) -> Result<Producer, Error> {
        if let Some(inner) = client.partition_producer(config) {
            return Ok(Producer { inner, memo: Memo::default() });
        }
        let made = ProducerBuilder::new(Arc::clone(client)).config(config.clone()).build()?;
        let inner = client.keep_partition_producer(config, &made.inner);
        Ok(Producer { inner, memo: Memo::default() })
    }

    pub(super) fn shared(&self) -> &ProducerShared {
        &self.inner.shared
    }

    #[inline]
    pub(super) fn topic(&self, name: &str) -> Result<TopicRef<'_>, Error> {
        let (place, found) = self.memo.find(name);
        if let Some(topic) = found {
            return Ok(TopicRef::Memo(topic));
        }
        let topic = self.inner.shared.topic(name)?;
        place.call_once(|| Arc::clone(&topic));
        Ok(TopicRef::Own(topic))
    }

    /// One try.
    #[inline]
    pub(super) fn append(&self, record: &Record<'_>) -> Result<Ticket, Refusal> {
        let shared = &*self.inner.shared;
        if shared.is_closed() {
            return Err(Refusal::Error(Error::Closed { fate: Fate::NotPersisted }));
        }
        let topic = self.topic(record.topic).map_err(Refusal::Error)?;
        let topic = topic.get();
        let (partition, sticky) = record.partition_in(topic, shared.config.partitioner)?;
        shared.append(topic, partition, record.appending(sticky))
    }

    pub(super) fn reason(&self, record: &Record<'_>, refusal: &Refusal) -> Option<Error> {
        match refusal {
            Refusal::Full { .. } => Some(self.full()),
            Refusal::Unknown => self.topic(record.topic).ok()?.get().failure(),
            Refusal::Error(error) => Some(error.clone()),
        }
    }

    pub(super) fn full(&self) -> Error {
        if let Some(limit) = self.inner.shared.no_place() {
            return Error::Budget { class: Class::Produce, needed: 1, limit, knob: "max_records" };
        }
        let budget = &self.inner.shared.client.budget;
        budget.refuse(Class::Produce, budget.chunk_bytes())
    }
}

/// The partition that was named, if the topic has it.
#[inline(always)]
pub(super) fn partition_of(topic: &Topic, partition: i32) -> Result<u32, Refusal> {
    let partitions = topic.partitions();
    match u32::try_from(partition) {
        _ if partitions == 0 => Err(Refusal::Unknown),
        Ok(partition) if partition < partitions => Ok(partition),
        _ => Err(Refusal::Error(no_partition(topic, partition, partitions))),
    }
}

impl Record<'_> {
    /// The partition that it goes to, and whether that was chosen because it has no key.
    #[inline(always)]
    pub(super) fn partition_in(&self, topic: &Topic, how: Partitioner) -> Result<(u32, bool), Refusal> {
        if let Some(partition) = self.partition {
            return partition_of(topic, partition).map(|partition| (partition, false));
        }
        match topic.partitions() {
            0 => Err(Refusal::Unknown),
            partitions => Ok(topic.choose(how, self.key.as_ref().map(|k| k.bytes()), partitions)),
        }
    }

    /// Its parts, for the batch.
    #[inline(always)]
    pub(super) fn appending(&self, sticky: bool) -> Appending<'_> {
        let (key, value) = (self.key.as_ref().map(|k| k.bytes()), self.value.as_ref().map(|v| v.bytes()));
        Appending { timestamp_ms: self.timestamp_ms, sticky, ..Appending::new(key, value, &self.headers) }
    }
}

/// A topic found in the memo, or looked up.
pub(super) enum TopicRef<'a> {
    Memo(&'a Arc<Topic>),
    Own(Arc<Topic>),
}

impl TopicRef<'_> {
    #[inline]
    pub(super) fn get(&self) -> &Topic {
        match self {
            TopicRef::Memo(topic) => topic,
            TopicRef::Own(topic) => topic,
        }
    }
}

#[cold]
fn no_partition(topic: &Topic, partition: i32, partitions: u32) -> Error {
    Error::config("partition", alloc::format!("{} has partitions 0 to {}, not {partition}", topic.name, partitions - 1))
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("config", &self.inner.shared.config).finish_non_exhaustive()
    }
}
