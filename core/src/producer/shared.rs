//! What a producer's handles and the driver share: topics with their open batches, and the inbox between the two.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use super::{
    accumulator::{SHARDS, Shard},
    batch::OpenBatch,
    in_batch::InBatch,
    packer::Packer,
    places::Places,
};
use crate::{
    Error, Instant,
    api::Shared,
    budget::Chunk,
    config::ProducerConfig,
    map::Map,
    record::BATCH_HEADER_LEN,
    sync::{Arc, Lock},
    waits::Waits,
};

/// A partition of a producer's topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct Place {
    pub(crate) topic: u32,
    pub(crate) partition: u32,
}

/// Why a record was not taken into the buffer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The topic's partitions are not known yet.
    Unknown,
    /// The Produce class has less room than these many bytes.
    Full { bytes: usize },
    /// For good.
    Error(Error),
}

/// One producer.
pub(crate) struct ProducerShared {
    pub(crate) client: Arc<Shared>,
    pub(crate) config: ProducerConfig,
    /// A batch whose records take so many bytes is full.
    pub(super) full_bytes: usize,
    /// A batch of so many records is full.
    pub(super) full_records: u32,
    pub(super) places: Places,
    /// Tasks that wait for metadata, room, a flush or the end.
    pub(crate) waits: Waits,
    topics: Lock<Topics>,
    pub(super) inbox: Lock<Inbox>,
    /// Made where the producer is built, so that it can be refused there; the driver takes it.
    pub(super) packers: Lock<Vec<Packer>>,
    /// Set under the inbox's lock; read alone on the way of every record.
    closed: AtomicBool,
}

#[derive(Default)]
struct Topics {
    by_name: Map<Arc<str>, Arc<Topic>>,
    count: u32,
}

/// From the handles to the driver.
#[derive(Default)]
pub(super) struct Inbox {
    /// Topics that the driver has not seen yet.
    pub(super) wanted: Vec<Arc<Topic>>,
    /// Partitions whose batch was opened since the driver looked.
    pub(super) opened: Vec<Place>,
    /// Complete batches, in the order of each partition.
    pub(super) sealed: VecDeque<(Place, OpenBatch)>,
    /// Empty lists for the chunks of batches to come.
    pub(super) lists: Vec<Vec<Chunk>>,
    /// Flushes asked for, counted, so that two at once do not undo each other.
    pub(super) flush_asked: u64,
    pub(super) flush_done: u64,
    /// Somebody was refused for want of so many bytes, the fewest if there are several: open batches must go. 0: nobody.
    pub(super) pressed: usize,
    pub(super) closing: bool,
    /// Everything is settled and the driver has let go.
    pub(super) ended: bool,
}

/// A topic that records were sent to.
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) index: u32,
    /// 0: not known yet.
    partitions: AtomicU32,
    /// Why nothing is known, as far as the driver can tell.
    failure: Lock<Option<Error>>,
    pub(super) shards: Box<[Lock<Shard>]>,
    pub(super) sticky: AtomicU32,
    /// Partitions that have a leader: keyless records go only there (trap 44).
    available: Lock<Arc<[u32]>>,
}

impl Topic {
    pub(super) fn new(name: &str, index: u32) -> Arc<Self> {
        Arc::new(Topic {
            name: name.into(),
            index,
            partitions: AtomicU32::new(0),
            failure: Lock::new(None),
            shards: (0..SHARDS).map(|_| Lock::new(Shard::default())).collect(),
            sticky: AtomicU32::new(0),
            available: Lock::new(Arc::new([])),
        })
    }

    /// How many partitions the topic has; 0 while that is not known.
    #[inline]
    pub(crate) fn partitions(&self) -> u32 {
        self.partitions.load(Ordering::Acquire)
    }

    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }

    pub(super) fn available(&self) -> Arc<[u32]> {
        Arc::clone(&self.available.lock())
    }

    /// What metadata says of the topic now. Partitions never become fewer here (trap 46).
    pub(super) fn learn(&self, partitions: u32, available: Vec<u32>, failure: Option<Error>, seed: u32) {
        let gone = core::mem::replace(&mut *self.failure.lock(), failure);
        drop(gone);
        let is_available = |p: u32| available.contains(&p);
        let first = self.partitions() == 0;
        if first || !is_available(self.sticky.load(Ordering::Relaxed)) {
            let choice = available.get(seed as usize % available.len().max(1)).copied();
            self.sticky.store(choice.unwrap_or(0), Ordering::Relaxed);
        }
        let old = core::mem::replace(&mut *self.available.lock(), available.into());
        drop(old);
        let known = self.partitions();
        self.partitions.store(known.max(partitions), Ordering::Release);
    }
}

impl ProducerShared {
    pub(crate) fn new(client: Arc<Shared>, config: ProducerConfig, packers: Vec<Packer>) -> Arc<Self> {
        let waits = Waits::new(client.config.max_waiters);
        let full_bytes = config.batch_full_bytes.clamp(BATCH_HEADER_LEN, config.batch_bytes) - BATCH_HEADER_LEN;
        let full_records = config.batch_records.min(InBatch::RECORDS_MAX);
        let places = Places::new(config.max_records);
        Arc::new(ProducerShared {
            client,
            config,
            full_bytes,
            full_records,
            places,
            waits,
            topics: Lock::new(Topics::default()),
            inbox: Lock::new(Inbox::default()),
            packers: Lock::new(packers),
            closed: AtomicBool::new(false),
        })
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The topic of that name, new to the driver if it is new here.
    ///
    /// # Errors
    /// [`Error::Config`] for an illegal name, or when there are `max_topics` already.
    pub(crate) fn topic(&self, name: &str) -> Result<Arc<Topic>, Error> {
        if let Some(topic) = self.topics.lock().by_name.get(name) {
            return Ok(Arc::clone(topic));
        }
        crate::cluster::check_topic_name(name)?;
        let topic = {
            let mut topics = self.topics.lock();
            // Somebody else may have been faster: two topics of one name would each count their own sequences.
            if let Some(topic) = topics.by_name.get(name) {
                return Ok(Arc::clone(topic));
            }
            if topics.count as usize >= self.client.config.max_topics {
                return Err(Error::config("max_topics", alloc::format!("{} are in use already", topics.count)));
            }
            let topic = Topic::new(name, topics.count);
            topics.count += 1;
            topics.by_name.insert(Arc::clone(&topic.name), Arc::clone(&topic));
            // Inside this lock, so that the driver meets topics in the order of their numbers.
            self.inbox.lock().wanted.push(Arc::clone(&topic));
            topic
        };
        self.client.kick.drive();
        Ok(topic)
    }

    /// How many records may wait, if as many do.
    pub(crate) fn no_place(&self) -> Option<usize> {
        if self.places.has_one() { None } else { self.config.max_records }
    }

    /// How long a record that is handed over now may wait for metadata or room.
    pub(crate) fn blocked_until(&self) -> Instant {
        self.client.clock.now().after(Duration::from_millis(u64::from(self.config.max_block_ms)))
    }

    /// Somebody waits for so many bytes of room: open batches must be sent though they are neither full nor due.
    pub(crate) fn press(&self, bytes: usize) {
        {
            let mut inbox = self.inbox.lock();
            inbox.pressed = least(inbox.pressed, bytes);
        }
        self.client.kick.drive();
    }

    /// Asks for everything to be sent that is in the buffer now; answers the flush's number.
    pub(crate) fn ask_flush(&self) -> u64 {
        let number = {
            let mut inbox = self.inbox.lock();
            inbox.flush_asked += 1;
            inbox.flush_asked
        };
        self.client.kick.drive();
        number
    }

    pub(crate) fn is_flushed(&self, number: u64) -> bool {
        let inbox = self.inbox.lock();
        inbox.flush_done >= number || inbox.ended
    }

    /// No more records; what is in the buffer is sent.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.inbox.lock().closing = true;
        self.client.kick.wake();
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.inbox.lock().ended
    }

    /// The driver is about to let go: nothing is taken any more.
    pub(super) fn shut(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// The driver is gone, or has settled everything: nobody waits on.
    pub(super) fn end(&self) {
        self.inbox.lock().ended = true;
        self.waits.wake_all();
    }
}

/// The smaller of two counts, of which 0 is none.
pub(super) fn least(a: usize, b: usize) -> usize {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::producer::{accumulator::Appending, outcome::Acknowledged};
    use crate::{Budget, Clock, Config, budget::Memory, kick::Kick};

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Instant {
            Instant::ZERO
        }

        fn unix_ms(&self) -> Option<i64> {
            None
        }
    }

    /// A producer of a client whose clock stands still and knows no date.
    fn stopped() -> Arc<ProducerShared> {
        let budget = Budget::new(Memory::default());
        let client = Shared::new(Arc::new(Config::new("a:1")), Arc::new(Stopped), Kick::new(), budget);
        ProducerShared::new(client, ProducerConfig::default(), alloc::vec![Packer::default()])
    }

    /// A record that comes between a producer's end and the driver's last look at its partitions is refused: nobody would
    /// ever settle it.
    #[test]
    fn nothing_is_taken_once_the_producer_is_shut() {
        let producer = stopped();
        let topic = producer.topic("t").expect("room");
        let record = || Appending::new(None, None, &[]);
        assert!(producer.append(&topic, 0, record()).is_ok());
        producer.shut();
        assert!(matches!(producer.append(&topic, 0, record()), Err(Refusal::Error(Error::Closed { .. }))));
    }

    /// Trap 29: a device that knows no date sends the timestamp −1, however long its clock has run. Retention deletes 1970 at once.
    #[test]
    fn without_a_date_records_have_no_timestamp() {
        let producer = stopped();
        let topic = producer.topic("t").expect("room");
        for second in [0, 5] {
            producer.client.set_coarse(Instant::from_nanos(second * 1_000_000_000));
            assert!(producer.append(&topic, 0, Appending::new(None, None, &[])).is_ok());
        }
        producer.seal_open(&topic, 0);
        let sealed = producer.inbox.lock().sealed.pop_front();
        let times = sealed.map(|(_, batch)| (batch.count, batch.base_timestamp_ms, batch.max_timestamp_ms));
        assert_eq!(times, Some((2, -1, -1)));
    }

    /// Each ticket tells its record's own time, and records of a day ago and of now may be given in turn.
    #[test]
    fn a_record_of_another_time_begins_a_batch() {
        let producer = stopped();
        let topic = producer.topic("t").expect("room");
        let now = 1_764_000_000_000;
        // The same as the first one's, its neighbours, and others of which each begins a batch.
        let times = [now, now + 60_000, now - 60_000, now - 86_400_000, now, -1, 0, i64::MAX];
        let tickets: Vec<_> = times
            .iter()
            .map(|&timestamp_ms| {
                let record = Appending { timestamp_ms: Some(timestamp_ms), ..Appending::new(None, Some(b"v"), &[]) };
                producer.append(&topic, 0, record).expect("room")
            })
            .collect();
        producer.seal_open(&topic, 0);
        let sealed: Vec<_> = producer.inbox.lock().sealed.drain(..).map(|(_, batch)| batch).collect();
        assert_eq!(sealed.iter().map(|b| b.count).collect::<Vec<_>>(), [3, 1, 1, 2, 1]);
        for batch in &sealed {
            batch.outcome.resolve(Ok(Acknowledged { base_offset: 0, append_time_ms: -1 }));
        }
        let told = tickets.iter().map(|t| t.outcome().expect("settled").expect("acknowledged").timestamp_ms());
        assert_eq!(told.collect::<Vec<_>>(), times);
    }

    /// Threads that meet a topic at the same moment get the same one, and the driver gets topics in their order: a
    /// record's place names its topic by number.
    #[test]
    #[cfg(not(target_family = "wasm"))] // a JS engine spawns no threads
    fn a_topic_is_made_once_and_in_order() {
        for _ in 0..200 {
            let producer = stopped();
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|threads| {
                for thread in 0..4 {
                    let (producer, start) = (&producer, &start);
                    threads.spawn(move || {
                        start.wait();
                        for name in ["a", "b", "c", "d"] {
                            producer.topic(name).expect("room");
                            producer.topic(&alloc::format!("{name}{}", thread % 2)).expect("room");
                        }
                    });
                }
            });
            let inbox = producer.inbox.lock();
            let indexes: Vec<u32> = inbox.wanted.iter().map(|t| t.index).collect();
            assert_eq!(indexes, (0..12).collect::<Vec<u32>>());
        }
    }
}
