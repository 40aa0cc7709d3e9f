//! The producer's handle.

use alloc::boxed::Box;
use core::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use spin::Once;

use super::{Command, Held, Record, Shared, client::too_many_waiters};
use crate::{
    Acks, Error, Instant, ProducerConfig, RecordMetadata, Ticket,
    budget::Class,
    compress::Codec,
    config::millis,
    error::Fate,
    producer::{Appending, Packer, ProducerShared, Refusal, Topic},
    sync::Arc,
    waits::Place,
};

/// A producer's settings on the way to [`build`](ProducerBuilder::build).
#[must_use = "a producer exists once it is built"]
pub struct ProducerBuilder {
    client: Arc<Shared>,
    config: ProducerConfig,
}

impl ProducerBuilder {
    pub(super) fn new(client: Arc<Shared>) -> Self {
        ProducerBuilder { client, config: ProducerConfig::default() }
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

    /// The largest batch, and so the largest record, in bytes as encoded, before compression.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.config.batch_bytes = bytes;
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

    /// Makes the producer.
    ///
    /// # Errors
    /// [`Error::Config`] with the setting that is wrong; [`Error::Budget`] while the Produce class is too full for a
    /// compressor; [`Error::Closed`] when the client's driver is gone.
    pub fn build(self) -> Result<Producer, Error> {
        self.config.check(&self.client.config, &self.client.budget)?;
        let packer = Packer::of(&self.config, &*self.client.config.codecs_or_own(), &self.client.budget)?;
        self.client.take_slot()?;
        let shared = ProducerShared::new(Arc::clone(&self.client), self.config, packer);
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
/// When the last clone is dropped, what is in its buffer is still sent.
pub struct Producer {
    inner: Arc<Handle>,
    memo: Memo,
}

struct Handle {
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
    /// The record comes back in [`Refused`], with the reason.
    pub async fn enqueue<'r>(&self, record: Record<'r>) -> Result<Ticket, Refused<'r>> {
        let mut wait = None;
        let tried = match self.append(&record) {
            Ok(ticket) => return Ok(ticket),
            Err(refusal) => refusal,
        };
        let mut first = Some(tried);
        let result = poll_fn(|cx| self.poll_enqueue(cx, &record, &mut first, &mut wait)).await;
        result.map_err(|error| Refused::new(record, error))
    }

    /// Takes a record into the buffer if that is possible at once. An unknown topic is looked up for the next try.
    ///
    /// # Errors
    /// The record comes back in [`Refused`], with the reason: [`Error::Budget`] while the buffer is full.
    pub fn try_enqueue<'r>(&self, record: Record<'r>) -> Result<Ticket, Refused<'r>> {
        match self.append(&record) {
            Ok(ticket) => Ok(ticket),
            Err(Refusal::Full { chunks }) => {
                self.inner.shared.press(chunks);
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

    /// Waits until every record that is in the buffer now is settled, one way or the other. Records are sent without
    /// lingering.
    ///
    /// Cancel-safe; the records are sent all the same.
    ///
    /// # Errors
    /// [`Error::Config`] when `max_waiters` tasks wait already. What became of each record its own ticket tells.
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
        let mut wait = Wait { shared, place: Place::default(), until: Instant::FAR };
        poll_fn(|cx| {
            // Enlisted first, looked at after: what happens in between is not missed.
            if !wait.shared.waits.enlist(&mut wait.place, wait.until, cx.waker()) {
                return Poll::Ready(Err(too_many_waiters(&wait.shared.client)));
            }
            if done() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    #[inline]
    fn topic(&self, name: &str) -> Result<TopicRef<'_>, Error> {
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
    fn append(&self, record: &Record<'_>) -> Result<Ticket, Refusal> {
        let shared = &*self.inner.shared;
        if shared.is_closed() {
            return Err(Refusal::Error(Error::Closed { fate: Fate::NotPersisted }));
        }
        let topic = self.topic(record.topic).map_err(Refusal::Error)?;
        let topic = topic.get();
        let partitions = topic.partitions();
        if partitions == 0 {
            return Err(Refusal::Unknown);
        }
        let key = record.key.as_ref().map(|k| k.bytes());
        let (partition, sticky) = match record.partition {
            None => topic.choose(key, partitions),
            Some(p) => match u32::try_from(p) {
                Ok(p) if p < partitions => (p, false),
                _ => return Err(Refusal::Error(no_partition(topic, p, partitions))),
            },
        };
        let appending = Appending {
            key,
            value: record.value.as_ref().map(|v| v.bytes()),
            headers: &record.headers,
            timestamp_ms: record.timestamp_ms,
            sticky,
        };
        let appended = shared.append(topic, partition, &appending)?;
        if appended.kick {
            shared.client.kick.drive();
        }
        Ok(Ticket::new(appended.outcome, appended.index, appended.timestamp_ms))
    }

    /// The wait of [`enqueue`](Producer::enqueue). Enlisted first, tried after: what happens in between is not missed.
    fn poll_enqueue<'s>(
        &'s self,
        cx: &mut Context<'_>,
        record: &Record<'_>,
        first: &mut Option<Refusal>,
        wait: &mut Option<Wait<'s>>,
    ) -> Poll<Result<Ticket, Error>> {
        if let Some(Refusal::Error(error)) = first {
            return Poll::Ready(Err(error.clone()));
        }
        let shared = &self.inner.shared;
        let clock = &shared.client.clock;
        let span = Duration::from_millis(u64::from(shared.config.max_block_ms));
        let wait = wait.get_or_insert_with(|| Wait { shared, place: Place::default(), until: clock.now().after(span) });
        if !shared.waits.enlist(&mut wait.place, wait.until, cx.waker()) {
            return Poll::Ready(Err(match first {
                Some(Refusal::Full { .. }) => self.full(),
                _ => too_many_waiters(&shared.client),
            }));
        }
        let refusal = match self.append(record) {
            Ok(ticket) => return Poll::Ready(Ok(ticket)),
            Err(Refusal::Error(error)) => return Poll::Ready(Err(error)),
            Err(refusal) => refusal,
        };
        let reason = self.reason(record, &refusal);
        if let Some(error) = &reason
            && !error.is_retriable()
        {
            return Poll::Ready(Err(error.clone()));
        }
        if clock.now() >= wait.until {
            return Poll::Ready(Err(Error::TimedOut {
                what: alloc::format!("taking a record to {} into the buffer", record.topic),
                after: span,
                knob: "max_block_ms",
                fate: Fate::NotPersisted,
                because: reason.map(Box::new),
            }));
        }
        match refusal {
            Refusal::Full { chunks } => shared.press(chunks),
            // The driver arms its timer for this wait.
            _ => shared.client.kick.drive(),
        }
        Poll::Pending
    }

    fn reason(&self, record: &Record<'_>, refusal: &Refusal) -> Option<Error> {
        match refusal {
            Refusal::Full { .. } => Some(self.full()),
            Refusal::Unknown => self.topic(record.topic).ok()?.get().failure(),
            Refusal::Error(error) => Some(error.clone()),
        }
    }

    fn full(&self) -> Error {
        let budget = &self.inner.shared.client.budget;
        budget.refuse(Class::Produce, budget.chunk_bytes())
    }
}

/// A topic found in the memo, or looked up.
enum TopicRef<'a> {
    Memo(&'a Arc<Topic>),
    Own(Arc<Topic>),
}

impl TopicRef<'_> {
    #[inline]
    fn get(&self) -> &Topic {
        match self {
            TopicRef::Memo(topic) => topic,
            TopicRef::Own(topic) => topic,
        }
    }
}

/// A place in the producer's list of waiting tasks, given up when the wait is cancelled.
struct Wait<'a> {
    shared: &'a ProducerShared,
    place: Place,
    until: Instant,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.shared.waits.leave(&mut self.place);
    }
}

#[cold]
fn no_partition(topic: &Topic, partition: i32, partitions: u32) -> Error {
    Error::config("partition", alloc::format!("{} has partitions 0 to {}, not {partition}", topic.name, partitions - 1))
}

/// A record that was not taken, and why.
#[derive(Debug)]
pub struct Refused<'a>(Box<(Record<'a>, Error)>);

impl<'a> Refused<'a> {
    #[cold]
    fn new(record: Record<'a>, error: Error) -> Self {
        Refused(Box::new((record, error)))
    }

    /// The record, to be tried again.
    pub fn into_record(self) -> Record<'a> {
        self.0.0
    }

    /// Why it was not taken.
    pub fn error(&self) -> &Error {
        &self.0.1
    }

    /// Why it was not taken, without the record.
    pub fn into_error(self) -> Error {
        self.0.1
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl core::error::Error for Refused<'_> {}

impl From<Refused<'_>> for Error {
    fn from(refused: Refused<'_>) -> Error {
        refused.into_error()
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("config", &self.inner.shared.config).finish_non_exhaustive()
    }
}
