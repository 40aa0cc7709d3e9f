//! The driver's side of a consumer: finds out where to begin, keeps fetches under way, hands on what comes.

mod begin;
mod head;
mod request;
mod response;
mod session;

use alloc::vec::Vec;

use super::shared::{Assigned, ConsumerShared, Subscription};
use crate::{
    Error, Instant,
    budget::{Class, STARVED_AGAIN},
    cluster::{Cluster, Leader, TopicIndex, check_topic_name},
    code::ErrorCode,
    config::{ResetPolicy, StartAt, UnknownTopic},
    event::{Cause, Event, TopicPartition},
    map::Map,
    sync::Arc,
    wire::Uuid,
};

pub(crate) use begin::OffsetsAsked;
pub(crate) use request::{FetchRoom, Fetching};
pub(crate) use response::{ONE_PARTITION, Refused, Whole, whole_batches};
use session::Session;

/// Where a partition stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Its first offset must be asked for.
    Begin(StartAt),
    /// That was asked.
    Asked(StartAt),
    /// The next fetch asks for this offset.
    Fetch(i64),
    /// An error was reported; the application seeks.
    Stopped,
}

/// A partition that is read.
struct Part {
    topic: TopicIndex,
    name: Arc<str>,
    partition: u32,
    stage: Stage,
    generation: u32,
    /// What to do when its offset is out of range.
    reset: ResetPolicy,
    paused: bool,
    failures: u32,
    retry_at: Instant,
    /// Its next batch did not fit beside others: it is asked for alone, with this much room.
    alone: Option<usize>,
    /// That was told.
    told_alone: bool,
}

impl Part {
    fn place(&self) -> TopicPartition<'_> {
        TopicPartition::new(&self.name, self.partition)
    }
}

/// One consumer's fetches.
pub(crate) struct Fetcher {
    slot: usize,
    shared: Arc<ConsumerShared>,
    topics: Vec<(TopicIndex, Arc<str>)>,
    /// The topics' ids, as far as brokers tell: another id is another log.
    ids: Map<TopicIndex, Uuid>,
    parts: Vec<Part>,
    /// The number of each partition of each topic.
    by_place: Map<TopicIndex, Map<u32, usize>>,
    sessions: Map<i32, Session>,
    subscribed: bool,
    /// Topics whose partitions were seen once: those that come later are read from their beginning.
    seen: Vec<TopicIndex>,
    /// Topics that brokers do not know, as far as that was told.
    unknown: Vec<TopicIndex>,
    metadata_seen: Option<u32>,
    /// Brokers that lead something we want, as far as the last turn could tell.
    streams: usize,
    /// Fetch requests so far.
    requests: u64,
    /// Room was short a moment ago.
    scarce_until: Instant,
    /// Other consumers fetch too, over the same connections.
    shares_links: bool,
    next: Instant,
    done: bool,
}

impl Fetcher {
    pub(crate) fn new(shared: Arc<ConsumerShared>) -> Self {
        Fetcher {
            slot: 0,
            shared,
            topics: Vec::new(),
            ids: Map::new(),
            parts: Vec::new(),
            by_place: Map::new(),
            sessions: Map::new(),
            subscribed: false,
            seen: Vec::new(),
            unknown: Vec::new(),
            metadata_seen: None,
            streams: 0,
            requests: 0,
            scarce_until: Instant::ZERO,
            shares_links: false,
            next: Instant::FAR,
            done: false,
        }
    }

    /// The machine has taken it in, under this number.
    pub(crate) fn begin(&mut self, slot: usize) {
        self.slot = slot;
    }

    /// A turn: everything that can be done now is done. Must be called again after whatever changes the cluster, and at
    /// [`deadline`](Fetcher::deadline).
    pub(crate) fn run(&mut self, now: Instant, cluster: &mut Cluster, room: &mut FetchRoom) {
        if self.shared.is_closed() {
            self.done = true;
            return;
        }
        self.next = Instant::FAR;
        self.subscribe(cluster);
        self.learn_metadata(cluster);
        self.take_wishes(cluster);
        self.ask_offsets(now, cluster);
        self.fetch(now, cluster, room);
        self.feed(now, cluster);
    }

    /// The application's task may wait for room to inflate a batch.
    fn feed(&mut self, now: Instant, cluster: &Cluster) {
        match self.shared.starving() {
            0 => {}
            needed if cluster.budget.has_room(Class::Inflate, needed) => self.shared.feed(),
            _ => self.next = self.next.min(now.after(STARVED_AGAIN)),
        }
    }

    /// Bytes of the Inflate class that the application's task waits for and cannot have; 0: it does not.
    pub(crate) fn starving(&self) -> usize {
        self.shared.starving()
    }

    /// Bytes that were fetched, and that the application has not taken yet.
    pub(crate) fn queued(&self) -> usize {
        self.shared.queued()
    }

    /// How many brokers there are to be fetched from.
    pub(crate) fn streams(&self) -> usize {
        self.streams
    }

    /// When [`run`](Fetcher::run) is due without anything else happening.
    pub(crate) fn deadline(&self) -> Instant {
        self.next
    }

    /// Closed: nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Brokers where a fetch is under way.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = i32> + '_ {
        self.sessions.iter().filter(|(_, s)| s.in_flight).map(|(node, _)| *node)
    }

    /// The client ends.
    pub(crate) fn abandon(&mut self) {
        self.shared.end();
    }

    fn subscribe(&mut self, cluster: &mut Cluster) {
        if core::mem::replace(&mut self.subscribed, true) {
            return;
        }
        let names: Vec<Arc<str>> = match &self.shared.subscription {
            Subscription::Topics(names) => names.clone(),
            Subscription::Assigned(parts) => {
                let names: Map<Arc<str>, ()> = parts.iter().map(|a| (Arc::clone(&a.topic), ())).collect();
                names.keys().cloned().collect()
            }
        };
        for name in names {
            match check_topic_name(&name).and_then(|()| cluster.want_topic(&name)) {
                Ok(index) => self.topics.push((index, name)),
                Err(error) => self.shared.report(error),
            }
        }
    }

    /// Takes in partitions that are new, and reports topics that cannot be read.
    fn learn_metadata(&mut self, cluster: &mut Cluster) {
        let changes = cluster.metadata_changes();
        if self.metadata_seen == Some(changes) {
            return;
        }
        self.metadata_seen = Some(changes);
        for (index, name) in self.topics.clone() {
            let count = cluster.topic(index).map_or(0, |t| t.partitions.len() as u32);
            self.learn_error(index, &name, cluster);
            self.learn_id(index, cluster.topic(index).map_or(Uuid::ZERO, |t| t.id));
            if count == 0 {
                continue;
            }
            let first = !self.seen.contains(&index);
            let new = (0..count).filter(|partition| self.wants(&name, *partition)).count();
            self.reserve(new.saturating_sub(self.parts.iter().filter(|part| part.topic == index).count()));
            for partition in 0..count {
                if self.wants(&name, partition) {
                    self.add(index, &name, partition, first);
                }
            }
            if first {
                self.seen.push(index);
                self.report_missing(&name, count);
            }
        }
    }

    /// A topic that brokers do not know is waited for. That is told once, and again only after something else was said of it.
    fn learn_error(&mut self, index: TopicIndex, name: &str, cluster: &Cluster) {
        let error = cluster.topic_error(index);
        let unknown = matches!(error, Some(Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }));
        let news = unknown && !self.unknown.contains(&index);
        if !unknown {
            self.unknown.retain(|other| *other != index);
        }
        if news {
            self.unknown.push(index);
            cluster.events.tell(|| Event::TopicUnknown { topic: name });
        }
        let wanted = news && self.shared.config.unknown_topic == UnknownTopic::Error;
        if let Some(error) = error.filter(|error| wanted || !error.is_retriable()) {
            self.shared.report(error);
        }
    }

    /// A topic that was deleted and made anew has another id, and its offsets begin again: what is read next is its
    /// beginning, because all of it is new, unless the policy is to fail (trap 14).
    fn learn_id(&mut self, index: TopicIndex, id: Uuid) {
        if id.is_zero() {
            return;
        }
        let old = self.ids.get(&index).copied();
        self.ids.insert(index, id);
        if old.is_none_or(|old| old == id) {
            return;
        }
        for at in (0..self.parts.len()).filter(|at| self.parts[*at].topic == index).collect::<Vec<_>>() {
            let target = match self.parts[at].reset {
                ResetPolicy::Earliest | ResetPolicy::Latest => Some(StartAt::Earliest),
                ResetPolicy::Fail => None,
            };
            self.shared.begin_anew(at, target);
            if target.is_none() {
                let what = alloc::format!("reading {}-{}", self.parts[at].name, self.parts[at].partition);
                let why = "the topic was deleted and made anew; seek to where its new log is to be read";
                self.shared.report(Error::broker(ErrorCode::INCONSISTENT_TOPIC_ID, what, Some(why)));
            }
        }
    }

    /// Assigned partitions that the topic does not have.
    fn report_missing(&self, name: &Arc<str>, count: u32) {
        let Subscription::Assigned(parts) = &self.shared.subscription else { return };
        for Assigned { partition, .. } in parts.iter().filter(|a| a.topic == *name && a.partition >= count as i32) {
            let why = alloc::format!("{name} has partitions 0 to {}, not {partition}", count - 1);
            self.shared.report(Error::config("assign", why));
        }
    }

    fn wants(&self, name: &Arc<str>, partition: u32) -> bool {
        match &self.shared.subscription {
            Subscription::Topics(_) => true,
            Subscription::Assigned(_) => self.shared.subscription.assigned(name, partition as i32).is_some(),
        }
    }

    /// Memory for so many more partitions: lists that double would be half empty.
    fn reserve(&mut self, more: usize) {
        self.parts.reserve_exact(more);
        self.shared.reserve(more);
    }

    /// The number of a partition.
    fn at(&self, topic: TopicIndex, partition: u32) -> Option<usize> {
        self.by_place.get(&topic)?.get(&partition).copied()
    }

    /// `first`: it was there when the topic was first seen.
    fn add(&mut self, topic: TopicIndex, name: &Arc<str>, partition: u32, first: bool) {
        if self.at(topic, partition).is_some() {
            return;
        }
        let config = &self.shared.config;
        let own = self.shared.subscription.assigned(name, partition as i32).and_then(|a| a.from);
        let from = own.unwrap_or(if first { config.from } else { StartAt::Earliest });
        let reset = config.reset_policy(own.unwrap_or(config.from));
        let Some((at, from)) = self.shared.add(name, partition as i32, from) else { return };
        debug_assert_eq!(at, self.parts.len());
        self.by_place.or_default(topic).insert(partition, at);
        self.parts.push(Part {
            topic,
            name: Arc::clone(name),
            partition,
            stage: stage_of(from),
            generation: 0,
            reset,
            paused: false,
            failures: 0,
            retry_at: Instant::ZERO,
            alone: None,
            told_alone: false,
        });
    }

    fn take_wishes(&mut self, cluster: &Cluster) {
        for wish in self.shared.wishes() {
            let Some(part) = self.parts.get_mut(wish.part) else { continue };
            part.paused = wish.paused;
            if part.generation != wish.generation {
                part.generation = wish.generation;
                part.stage = wish.target.map_or(Stage::Stopped, stage_of);
                match (wish.target, wish.refetched) {
                    (Some(StartAt::Offset(offset)), true) => {
                        cluster.events.tell(|| Event::BatchRefetched { place: part.place(), offset });
                    }
                    (None, _) => cluster.events.tell(|| Event::PartitionStopped { place: part.place(), why: None }),
                    _ => {}
                }
                part.alone = None;
                part.failures = 0;
                part.retry_at = Instant::ZERO;
            }
        }
    }

    fn leader(&self, cluster: &Cluster, part: usize) -> Leader {
        match self.parts.get(part) {
            Some(p) => cluster.leader(p.topic, p.partition),
            None => Leader { node: -1, epoch: -1 },
        }
    }

    /// A temporary error: the partition rests for a moment, and its position stays (trap 68).
    fn rest(&mut self, now: Instant, cluster: &mut Cluster, at: usize) {
        let Some(part) = self.parts.get_mut(at) else { return };
        let span = cluster.backoff_span(part.failures);
        part.failures = part.failures.saturating_add(1);
        part.retry_at = now.after(span);
    }

    /// The same for a broker's code, which is told.
    fn refused(&mut self, now: Instant, cluster: &mut Cluster, at: usize, code: ErrorCode) {
        self.rest(now, cluster, at);
        let Some(part) = self.parts.get(at) else { return };
        let again_after = part.retry_at.since(now);
        cluster.events.tell(|| Event::FetchRetried { place: part.place(), code, again_after });
    }

    /// An error that only the application can do something about.
    fn stop(&mut self, cluster: &Cluster, at: usize, error: Error) {
        if let Some(part) = self.parts.get_mut(at) {
            part.stage = Stage::Stopped;
            let why = Some(Cause::from(&error));
            cluster.events.tell(|| Event::PartitionStopped { place: part.place(), why });
        }
        self.shared.report(error);
    }
}

fn stage_of(from: StartAt) -> Stage {
    match from {
        StartAt::Offset(offset) => Stage::Fetch(offset),
        other => Stage::Begin(other),
    }
}
