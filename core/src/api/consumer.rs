//! The consumer's handle.

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use super::{Command, Held, Shared};
use crate::{
    ConsumerConfig, Error, IsolationLevel, Records, ResetPolicy, StartAt, UnknownTopic,
    config::millis,
    consumer::{Assigned, COMMITTED_ONLY, ConsumerShared, Fetcher, Inflater, Subscription},
    sync::{Arc, Lock},
};

/// A consumer's settings on the way to [`build`](ConsumerBuilder::build).
#[must_use = "a consumer exists once it is built"]
pub struct ConsumerBuilder {
    client: Arc<Shared>,
    config: ConsumerConfig,
    subscription: Option<Subscription>,
}

impl ConsumerBuilder {
    pub(super) fn new(client: Arc<Shared>) -> Self {
        ConsumerBuilder { client, config: ConsumerConfig::default(), subscription: None }
    }

    /// All settings at once.
    pub fn config(mut self, config: ConsumerConfig) -> Self {
        COMMITTED_ONLY.mark();
        self.config = config;
        self
    }

    /// Reads all partitions of these topics, instead of what was said before. Partitions that are added later are read from
    /// their beginning.
    ///
    /// A topic that brokers do not know is waited for, and read as soon as it is there, from where
    /// [`from`](ConsumerBuilder::from) says; [`Event::TopicUnknown`](crate::Event::TopicUnknown) tells of it, and
    /// [`unknown_topic`](ConsumerBuilder::unknown_topic) makes it an error.
    pub fn topics<T: AsRef<str>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.subscription = Some(Subscription::Topics(topics.into_iter().map(|t| Arc::from(t.as_ref())).collect()));
        self
    }

    /// Reads these partitions, instead of what was said before, [`from`](ConsumerBuilder::from) where all of them begin.
    ///
    /// A topic that brokers do not know is waited for, as [`topics`](ConsumerBuilder::topics) does. Of a partition that a topic
    /// does not have, `next()` tells once, with [`Error::Config`].
    pub fn assign<T: AsRef<str>>(self, partitions: impl IntoIterator<Item = (T, i32)>) -> Self {
        self.assign_all(partitions.into_iter().map(|(topic, partition)| (topic, partition, None)))
    }

    /// Reads these partitions, each from a place of its own, for whoever keeps offsets: otherwise as
    /// [`assign`](ConsumerBuilder::assign). No record of another place comes first, and an offset costs no look-up.
    ///
    /// [`from`](ConsumerBuilder::from) has no meaning then. Unless [`on_out_of_range`](ConsumerBuilder::on_out_of_range) says
    /// what happens where the log no longer has the place, each partition's own start does: earliest and latest are gone back to,
    /// an offset or a time is an error. Of a partition that is named twice the last start counts.
    ///
    /// ```
    /// # fn build(client: klamm::Client) -> Result<(), klamm::Error> {
    /// use klamm::StartAt;
    /// let stored = [("orders", 0, StartAt::Offset(4_711)), ("orders", 1, StartAt::Offset(815)), ("orders", 2, StartAt::Earliest)];
    /// let consumer = client.consumer().assign_at(stored).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn assign_at<T: AsRef<str>>(self, partitions: impl IntoIterator<Item = (T, i32, StartAt)>) -> Self {
        self.assign_all(partitions.into_iter().map(|(topic, partition, from)| (topic, partition, Some(from))))
    }

    fn assign_all<T: AsRef<str>>(mut self, all: impl Iterator<Item = (T, i32, Option<StartAt>)>) -> Self {
        let assigned =
            |(topic, partition, from): (T, _, _)| Assigned { topic: Arc::from(topic.as_ref()), partition, from };
        self.subscription = Some(Subscription::Assigned(all.map(assigned).collect()));
        self
    }

    /// Where partitions are read from at first, unless [`assign_at`](ConsumerBuilder::assign_at) names a place for each. By
    /// default only what comes from now on.
    pub fn from(mut self, start: StartAt) -> Self {
        self.config.from = start;
        self
    }

    /// What to do when an offset is out of range.
    pub fn on_out_of_range(mut self, policy: ResetPolicy) -> Self {
        self.config.reset = Some(policy);
        self
    }

    /// What a topic means that brokers do not know. By default it is waited for as long as the consumer lives, and only
    /// [`Event::TopicUnknown`](crate::Event::TopicUnknown) tells of it. With [`UnknownTopic::Error`]
    /// [`next`](Consumer::next) answers UNKNOWN_TOPIC_OR_PARTITION besides, as soon as a broker says so: once, and again only after
    /// brokers said something else of it. The consumer goes on all the same, with its other topics, and with this one should it come.
    pub fn unknown_topic(mut self, unknown: UnknownTopic) -> Self {
        self.config.unknown_topic = unknown;
        self
    }

    /// How long a broker may wait for new records before it answers a fetch.
    pub fn fetch_max_wait(mut self, wait: Duration) -> Self {
        self.config.fetch_max_wait_ms = millis(wait);
        self
    }

    /// Which records of transactions are read; all by default.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        COMMITTED_ONLY.mark();
        self.config.isolation_level = level;
        self
    }

    /// The most bytes of one fetch, all partitions together.
    pub fn fetch_max_bytes(mut self, bytes: u32) -> Self {
        self.config.fetch_max_bytes = bytes;
        self
    }

    /// Makes the consumer. It begins to fetch at once.
    ///
    /// # Errors
    /// [`Error::Config`] with the setting that is wrong; [`Error::Closed`] when the client's driver is gone.
    pub fn build(self) -> Result<Consumer, Error> {
        self.config.check(&self.client.budget)?;
        let subscription = match self.subscription {
            None => return Err(Error::config("topics", "is missing; say what to read with topics or assign")),
            Some(Subscription::Topics(topics)) if topics.is_empty() => {
                return Err(Error::config("topics", "names no topic"));
            }
            Some(Subscription::Assigned(parts)) if parts.is_empty() || parts.iter().any(|p| p.partition < 0) => {
                return Err(Error::config("assign", "names no partition, or a negative one"));
            }
            Some(Subscription::Assigned(parts)) if parts.iter().any(|p| p.from.is_some_and(StartAt::is_negative)) => {
                return Err(Error::config("assign_at", "an offset or time must not be negative"));
            }
            Some(subscription) => subscription,
        };
        self.client.take_slot()?;
        let inflater = Inflater::new(self.client.config.codecs_or_own(), Arc::clone(&self.client.budget));
        let shared = ConsumerShared::new(Arc::clone(&self.client), self.config, subscription);
        if let Err((error, _)) = self.client.command(Command::Consume(Box::new(Fetcher::new(Arc::clone(&shared))))) {
            self.client.free_slot();
            return Err(error);
        }
        Ok(Consumer { shared, inflater: Lock::new(inflater), _held: Held::new(&self.client) })
    }
}

/// Reads records, which are fetched in the background while the application works.
pub struct Consumer {
    shared: Arc<ConsumerShared>,
    /// Never locked: a lock keeps references to the consumer shareable between threads, whatever codecs are.
    inflater: Lock<Inflater>,
    _held: Held,
}

impl Consumer {
    /// The next records, all of one partition: neighbouring batches, or one compressed batch; `None` once the client has ended. The position moves when this
    /// answers.
    ///
    /// Cancel-safe: dropped before it is ready, nothing was taken.
    ///
    /// # Errors
    /// What the application must know of a partition: an offset out of range, a topic that must not be read, a damaged
    /// or oversize batch, and with [`UnknownTopic::Error`] a topic that brokers do not know. A batch that cannot be read or
    /// inflated stops its partition until a [`seek`](Consumer::seek) passes it. Other partitions go on; calling again goes on
    /// with them. Temporary errors are not told, but mended.
    pub async fn next(&mut self) -> Result<Option<Records>, Error> {
        poll_fn(|cx| self.poll_records(cx)).await
    }

    pub(super) fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Records>, Error>> {
        self.shared.poll_next(self.inflater.get_mut(), cx.waker())
    }

    /// Reads a partition from somewhere else. What was fetched before is not handed out any more.
    ///
    /// A partition that [`assign`](ConsumerBuilder::assign) or [`assign_at`](ConsumerBuilder::assign_at) named may be sought before
    /// brokers have told of it: it then begins there. Whoever knows the places from the start gives them to `assign_at`. What
    /// happens out of range stays as it was when the consumer was built.
    ///
    /// # Errors
    /// [`Error::Config`] if the partition is not read by this consumer, if it is one of [`topics`](ConsumerBuilder::topics) and
    /// not known yet, or if the offset or time is negative.
    pub fn seek(&mut self, topic: &str, partition: i32, to: StartAt) -> Result<(), Error> {
        if to.is_negative() {
            return Err(Error::config("seek", "an offset or time must not be negative"));
        }
        self.shared.seek(topic, partition, to)
    }

    /// Hands out nothing more of a partition until [`resume`](Consumer::resume). What is fetched already waits.
    ///
    /// # Errors
    /// [`Error::Config`] if the partition is not read by this consumer, or is not known yet.
    pub fn pause(&mut self, topic: &str, partition: i32) -> Result<(), Error> {
        self.shared.pause(topic, partition, true)
    }

    /// Goes on with a paused partition.
    ///
    /// # Errors
    /// [`Error::Config`] if the partition is not read by this consumer, or is not known yet.
    pub fn resume(&mut self, topic: &str, partition: i32) -> Result<(), Error> {
        self.shared.pause(topic, partition, false)
    }

    /// The offset of the next record that [`next`](Consumer::next) hands out; `None` while it is being looked up, and
    /// as long as brokers have not told of the partition.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.shared.position(topic, partition)
    }

    /// The partitions that are read now, by name.
    pub fn assignment(&self) -> Vec<(String, i32)> {
        self.shared.assignment().into_iter().map(|(topic, partition)| (topic.to_string(), partition)).collect()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("subscription", &self.shared.subscription).finish_non_exhaustive()
    }
}
