//! The driver's side of a producer: what is due is sealed, stamped, sent, retried in order and settled.
//!
//! When can a batch fail? Only when the broker refuses it for good, when its time is over, or when the client ends. A
//! batch whose request was sent without an answer is never given up for any other reason: it is sent again with the
//! same stamp until the broker says what became of it.

mod flush;
mod identify;
mod response;
mod send;
mod work;

use alloc::{
    collections::{BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};
use core::time::Duration;

use super::{
    batch::{Batch, OpenBatch, Work},
    packer::Packer,
    partition::{IN_FLIGHT_IDEMPOTENT, PartitionQueue},
    shared::{Place, ProducerShared, Topic, least},
    spares::Spares,
    stamp::Identification,
};
use crate::{
    Error, Instant,
    budget::{Class, STARVED_AGAIN},
    cluster::{Cluster, TopicIndex},
    compress::Codec,
    error::Fate,
    event::{Cause, Event, TopicPartition},
    link::Use,
    map::Map,
    sync::Arc,
};

pub(crate) use response::Produced;

use flush::Flushes;
use identify::Identify;
use send::Lists;

/// The longest that a batch which is due waits for an answer to an earlier one, so that records gather meanwhile.
const GATHER_MAX: Duration = Duration::from_millis(5);

struct SenderTopic {
    topic: Arc<Topic>,
    /// `Err`: the topic cannot be used at all.
    index: Result<TopicIndex, Error>,
    queues: Vec<PartitionQueue>,
}

/// One producer's batches.
pub(crate) struct Sender {
    slot: usize,
    shared: Arc<ProducerShared>,
    topics: Vec<SenderTopic>,
    /// Partitions that have something open, queued or in flight.
    active: BTreeSet<Place>,
    /// Behind which partition the next request to a broker begins to collect, so that each gets its turn.
    rotations: Map<i32, Place>,
    identification: Identification,
    identify: Identify,
    flushes: Flushes,
    metadata_seen: Option<u32>,
    /// Sealed batches on their way from the inbox; kept for its memory.
    arriving: VecDeque<(Place, OpenBatch)>,
    /// Those that are not at work.
    packers: Vec<Packer>,
    codec: Codec,
    spares: Spares,
    /// Batches to be compressed or split, by number, in the order in which that was found out.
    work: VecDeque<(Place, u64)>,
    /// Something is to be split that there was no room for; before then there is no use in trying again.
    split_at: Instant,
    /// Bytes of the first batch that waits for that; 0: none does.
    split_wants: usize,
    /// Seal everything now.
    forced: bool,
    /// Somebody waits for so many bytes of room, the fewest if there are several: nothing lingers, and they are told
    /// when there is as much. 0: nobody.
    pressed: usize,
    closing: bool,
    /// Lists of a turn, kept for their memory.
    places: Vec<Place>,
    nodes: Vec<i32>,
    opened: Vec<Place>,
    lists: Lists,
    /// Produce requests so far: each has its number.
    requests: u64,
    /// When something must be looked at again, as far as the last turn could tell.
    next: Instant,
}

fn queue_at(topics: &[SenderTopic], place: Place) -> Option<&PartitionQueue> {
    topics.get(place.topic as usize)?.queues.get(place.partition as usize)
}

/// What is being done, for errors.
fn delivery_to(topic: &str, place: Place) -> String {
    alloc::format!("delivery to {topic}-{}", place.partition)
}

impl Sender {
    pub(crate) fn new(slot: usize, shared: Arc<ProducerShared>) -> Self {
        let idempotent = shared.config.idempotent();
        let packers = core::mem::take(&mut *shared.packers.lock());
        let codec = packers.first().map_or(Codec::None, Packer::codec);
        Sender {
            slot,
            shared,
            topics: Vec::new(),
            active: BTreeSet::new(),
            rotations: Map::new(),
            identification: if idempotent { Identification::Wanted } else { Identification::Off },
            identify: Identify::default(),
            flushes: Flushes::default(),
            metadata_seen: None,
            arriving: VecDeque::new(),
            packers,
            codec,
            spares: Spares::default(),
            work: VecDeque::new(),
            split_at: Instant::ZERO,
            split_wants: 0,
            forced: false,
            pressed: 0,
            closing: false,
            places: Vec::new(),
            nodes: Vec::new(),
            opened: Vec::new(),
            lists: Lists::default(),
            requests: 0,
            next: Instant::FAR,
        }
    }

    fn delivery(&self) -> Duration {
        Duration::from_millis(u64::from(self.shared.config.delivery_timeout_ms))
    }

    fn in_flight_max(&self) -> usize {
        if self.identification == Identification::Off { 1 } else { IN_FLIGHT_IDEMPOTENT }
    }

    /// The partitions that have something to do, in a list that `self.places` is to get back.
    fn places(&mut self) -> Vec<Place> {
        let mut places = core::mem::take(&mut self.places);
        places.clear();
        places.extend(&self.active);
        places
    }

    /// The queue of a partition that has had records.
    fn queue(&mut self, place: Place) -> Option<&mut PartitionQueue> {
        self.topics.get_mut(place.topic as usize)?.queues.get_mut(place.partition as usize)
    }

    /// A partition has records, which the handles have found room for: nothing that a broker says makes a queue.
    fn activate(&mut self, place: Place) {
        self.active.insert(place);
        let Some(topic) = self.topics.get_mut(place.topic as usize) else { return };
        let at = place.partition as usize;
        if topic.queues.len() <= at {
            // A list that doubles would be half empty.
            let all = (topic.topic.partitions() as usize).max(at + 1);
            topic.queues.reserve_exact(all - topic.queues.len());
            topic.queues.resize_with(at + 1, PartitionQueue::default);
        }
    }

    /// A turn: everything that can be done now is done. Must be called again after whatever changes the cluster, and at
    /// [`deadline`](Sender::deadline).
    pub(crate) fn run(&mut self, now: Instant, cluster: &mut Cluster) {
        self.next = Instant::FAR;
        self.take_inbox(cluster);
        self.learn_metadata(cluster);
        self.seal_due(now, cluster);
        self.take_sealed();
        self.expire(now, cluster);
        self.work(now, cluster);
        self.identify(now, cluster);
        let identification = self.identification;
        let sent = self.send(now, cluster);
        // What stood behind what was sent may be sealed now; an id that this used up is asked for at once.
        if sent && self.has_open() || self.identification != identification {
            self.next = now;
        }
        self.settle_flushes();
        if self.pressed > 0 {
            let room = self.shared.client.budget.has_room(Class::Produce, self.pressed);
            if room && self.shared.places.has_one() {
                self.pressed = 0;
                self.shared.waits.wake_all();
            } else {
                self.next = self.next.min(now.after(STARVED_AGAIN));
            }
        }
        let waits = self.shared.waits.wake_due(now);
        self.next = self.next.min(waits);
        self.active.retain(|place| queue_at(&self.topics, *place).is_some_and(|queue| !queue.is_idle()));
    }

    /// Whether a partition has an open batch.
    fn has_open(&self) -> bool {
        self.active.iter().filter_map(|place| queue_at(&self.topics, *place)).any(|queue| queue.open_since.is_some())
    }

    /// Bytes that somebody waits for and cannot have; 0: nobody.
    pub(crate) fn starving(&self) -> usize {
        self.pressed
    }

    /// Bytes of the Inflate class that a batch waits for, to be split there; 0: none does.
    pub(crate) fn split_wants(&self) -> usize {
        self.split_wants
    }

    /// Tasks that were refused since this was last asked, because too many wait.
    pub(crate) fn take_refused(&self) -> usize {
        self.shared.waits.take_refused()
    }

    /// When [`run`](Sender::run) is due without anything else happening.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// Takes no more records from the handles.
    pub(crate) fn close(&self) {
        if !self.shared.is_closed() {
            self.shared.close();
        }
    }

    /// Closed and settled: nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.closing && self.active.is_empty()
    }

    /// Takes what the handles left.
    fn take_inbox(&mut self, cluster: &mut Cluster) {
        let mut opened = core::mem::take(&mut self.opened);
        let (wanted, pressed, flush_asked, closing) = {
            let mut inbox = self.shared.inbox.lock();
            core::mem::swap(&mut inbox.opened, &mut opened);
            let (wanted, pressed) = (core::mem::take(&mut inbox.wanted), core::mem::take(&mut inbox.pressed));
            (wanted, pressed, inbox.flush_asked, inbox.closing)
        };
        for topic in wanted {
            let index = cluster.want_topic(&topic.name);
            self.metadata_seen = None;
            self.topics.push(SenderTopic { topic, index, queues: Vec::new() });
        }
        for place in opened.drain(..) {
            self.activate(place);
            self.peek(place);
        }
        self.opened = opened;
        self.closing |= closing;
        self.pressed = least(self.pressed, pressed);
        self.forced = self.closing || self.flushes.is_new(flush_asked);
        self.flushes.asked(flush_asked);
    }

    /// Looks how old the open batch of a partition is.
    fn peek(&mut self, place: Place) {
        let Some(topic) = self.topics.get(place.topic as usize) else { return };
        let since = self.shared.peek_open(&topic.topic, place.partition);
        if let Some(queue) = self.queue(place) {
            queue.open_since = since;
        }
    }

    /// Tells the handles what metadata says of their topics.
    fn learn_metadata(&mut self, cluster: &mut Cluster) {
        let changes = cluster.metadata_changes();
        if self.metadata_seen == Some(changes) {
            return;
        }
        self.metadata_seen = Some(changes);
        for entry in &self.topics {
            let (count, available, failure) = match &entry.index {
                Err(error) => (0, Vec::new(), Some(error.clone())),
                Ok(index) => {
                    let count = cluster.topic(*index).map_or(0, |t| t.partitions.len() as u32);
                    let led = (0..count).filter(|p| cluster.leader(*index, *p).node >= 0).collect();
                    (count, led, cluster.topic_error(*index))
                }
            };
            let seed = cluster.rng.below(u32::MAX);
            entry.topic.learn(count, available, failure, seed);
        }
        self.shared.waits.wake_all();
    }

    /// Seals open batches whose time has come. A batch that is due but not full waits while its leader has a request of
    /// this producer to answer, for at most [`GATHER_MAX`] or the linger: tasks that each await their own record then fill
    /// batches by themselves, those of all partitions share a request, and a lone record never waits. Nothing is lost by it,
    /// because a broker takes up a connection's next request when it has answered the one before. Without a link that takes
    /// it nothing is sealed either.
    fn seal_due(&mut self, now: Instant, cluster: &mut Cluster) {
        let linger_ms = if self.pressed > 0 { 0 } else { self.shared.config.linger_ms };
        let linger = Duration::from_millis(u64::from(linger_ms));
        let (in_flight_max, requests_max) = (self.in_flight_max(), self.shared.config.max_in_flight);
        let places = self.places();
        let crowded = self.leaders_at_work(cluster, &places);
        for &place in &places {
            let leader = self.leader(cluster, place);
            let Some(queue) = self.queue(place) else { continue };
            let Some(since) = queue.open_since else { continue };
            let due = since.after(linger);
            let busy = !queue.queue.is_empty() || !queue.in_flight.is_empty() || crowded.contains(&leader);
            let ripe = if busy { since.after(linger.max(GATHER_MAX)) } else { due };
            let room = queue.queue.is_empty() && queue.in_flight.len() < in_flight_max;
            let ready =
                |c: &mut Cluster| leader >= 0 && c.ready_link(now, leader, Use::Produce, requests_max).is_some();
            if self.forced || (ripe <= now && room && ready(cluster)) {
                if let Some(topic) = self.topics.get(place.topic as usize) {
                    self.shared.seal_open(&topic.topic, place.partition);
                }
            } else if ripe > now {
                self.next = self.next.min(ripe);
            } else if leader < 0 {
                cluster.refresh_metadata();
            }
        }
        self.forced = false;
        (self.places, self.nodes) = (places, crowded);
    }

    /// Brokers that have something of this producer to answer.
    fn leaders_at_work(&mut self, cluster: &Cluster, places: &[Place]) -> Vec<i32> {
        let mut nodes = core::mem::take(&mut self.nodes);
        nodes.clear();
        for place in places {
            let leader = self.leader(cluster, *place);
            if self.queue(*place).is_some_and(|queue| !queue.in_flight.is_empty()) && !nodes.contains(&leader) {
                nodes.push(leader);
            }
        }
        nodes
    }

    fn leader(&self, cluster: &Cluster, place: Place) -> i32 {
        match self.topics.get(place.topic as usize).map(|t| &t.index) {
            Some(Ok(index)) => cluster.leader(*index, place.partition).node,
            _ => -1,
        }
    }

    fn take_sealed(&mut self) {
        let mut arriving = core::mem::take(&mut self.arriving);
        self.shared.take_sealed(&mut arriving, &mut self.spares.lists);
        for (place, mut open) in arriving.drain(..) {
            let body = self.spares.body(&mut open);
            let mut batch = {
                let held = self.shared.places.hold(open.count);
                Batch::seal(open, body, self.flushes.number(), held)
            };
            if self.codec != Codec::None {
                batch.work = Work::Compress;
                self.work.push_back((place, batch.number));
            }
            self.activate(place);
            if let Some(queue) = self.queue(place) {
                queue.queue.push_back(batch);
            }
            self.peek(place);
        }
        self.arriving = arriving;
    }

    /// Tells those whose delivery timeout is over. What is in flight stays until its request ends, because the
    /// connection may still be writing it.
    fn expire(&mut self, now: Instant, cluster: &Cluster) {
        let delivery = self.delivery();
        let places = self.places();
        for &place in &places {
            let expires = self.queue(place).map_or(Instant::FAR, |queue| queue.expires(delivery));
            if expires > now {
                self.next = self.next.min(expires);
                continue;
            }
            let topic = self.topic_name(place);
            let name = delivery_to(&topic, place);
            let Some(queue) = self.queue(place) else { continue };
            let late = |b: &Batch| !b.expired && b.opened.after(delivery) <= now;
            // What was never sent has no failure of its own to tell.
            let why = || cluster.has_failures().then(|| cluster.unreachable());
            for batch in queue.in_flight.iter_mut().filter(|b| late(b)) {
                tell_expired(cluster, TopicPartition::new(&topic, place.partition), batch, delivery, true);
                batch.expire(delivery, name.clone(), true);
                queue.sequence.break_off();
            }
            let mut over = Vec::new();
            while queue.queue.front().is_some_and(|b| late(b))
                && let Some(mut batch) = queue.queue.pop_front()
            {
                batch.because = batch.because.take().or_else(why);
                tell_expired(cluster, TopicPartition::new(&topic, place.partition), &batch, delivery, false);
                batch.expire(delivery, name.clone(), false);
                if batch.stamp.is_some() {
                    // Its numbers may be used or not: the next batch must not count on either (trap 49).
                    queue.sequence.break_off();
                }
                over.push(batch.number);
            }
            let expires = queue.expires(delivery);
            if expires > now {
                self.next = self.next.min(expires);
            }
            if !over.is_empty() {
                // The open batch behind them may be sealed now.
                self.next = now;
            }
            over.into_iter().for_each(|number| self.flushes.settled(number));
            self.expire_open(place, now, delivery);
        }
        self.places = places;
    }

    /// An open batch whose time is over while nothing could be sent is sealed, so that the next turn ends it.
    fn expire_open(&mut self, place: Place, now: Instant, delivery: Duration) {
        let Some(since) = self.queue(place).and_then(|q| q.open_since) else { return };
        if since.after(delivery) <= now {
            if let Some(topic) = self.topics.get(place.topic as usize) {
                self.shared.seal_open(&topic.topic, place.partition);
            }
            self.next = now;
        }
    }

    fn topic_name(&self, place: Place) -> Arc<str> {
        self.topics.get(place.topic as usize).map_or_else(|| "?".into(), |t| Arc::clone(&t.topic.name))
    }

    /// The client ends: every record that is not settled gets its fate. Answers how many these were.
    pub(crate) fn abandon(&mut self) -> usize {
        let mut left = 0;
        self.shared.shut();
        let wanted = core::mem::take(&mut self.shared.inbox.lock().wanted);
        for topic in wanted {
            self.topics.push(SenderTopic {
                topic,
                index: Err(Error::Closed { fate: Fate::NotPersisted }),
                queues: Vec::new(),
            });
        }
        for topic in &self.topics {
            self.shared.seal_all(&topic.topic);
        }
        self.take_sealed();
        for topic in &mut self.topics {
            for queue in &mut topic.queues {
                for batch in queue.in_flight.drain(..) {
                    left += if batch.expired { 0 } else { batch.left() as usize };
                    batch.fail(Error::Closed { fate: Fate::MaybePersisted });
                }
                for batch in queue.queue.drain(..) {
                    let fate = batch.fate();
                    left += batch.left() as usize;
                    batch.fail(Error::Closed { fate });
                }
            }
        }
        self.active.clear();
        self.shared.end();
        left
    }
}

/// Tells that records failed for good. Those whose time was over before were told of already.
fn tell_failed(cluster: &Cluster, place: TopicPartition<'_>, batch: &Batch, records: u32, error: &Error) {
    if !batch.expired {
        cluster.events.tell(|| {
            let fate = if batch.fate() == Fate::MaybePersisted { Fate::MaybePersisted } else { error.fate() };
            Event::BatchFailed { place, records, why: Cause::from(error), fate }
        });
    }
}

fn tell_expired(cluster: &Cluster, place: TopicPartition<'_>, batch: &Batch, after: Duration, in_flight: bool) {
    let fate = if in_flight { Fate::MaybePersisted } else { batch.fate() };
    let why = batch.because.as_ref().map(Cause::from);
    cluster.events.tell(|| Event::BatchExpired { place, records: batch.left(), after, why, fate });
}
