//! Who leads what: asked for used topics only, kept small, believed by leader epoch.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Cluster, WarmState};
use crate::{
    Error, Instant,
    code::ErrorCode,
    error::{PeerFault, shown},
    event::{Event, TopicPartition},
    link::LinkId,
    machine::Context,
    map::Map,
    sync::Arc,
    wire::{
        Decode, Reader, Uuid,
        api::METADATA,
        metadata_request::{MetadataRequest, MetadataRequestTopic},
        metadata_response::{MetadataResponse, MetadataResponseTopic},
    },
};

/// A used topic's number, the same for the client's whole life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct TopicIndex(pub(crate) u32);

/// Who leads a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leader {
    /// −1: nobody.
    pub(crate) node: i32,
    /// −1: the broker does not say.
    pub(crate) epoch: i32,
}

/// The first version of Metadata whose leader epochs are to be relied upon. Older brokers tell outdated ones while
/// replicas are reassigned, and whoever fetches with one is fenced until that is over (KAFKA-9212).
const RELIABLE_EPOCHS: i16 = 9;

/// How soon a client that began with an earlier one's knowledge renews it. Most of those that do end sooner.
const WARM_FOR: Duration = Duration::from_secs(1);

const NO_LEADER: Leader = Leader { node: -1, epoch: -1 };

pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// The id that it had before it was deleted and made anew: a broker that still tells of it is behind.
    former: Uuid,
    /// The topic's own error in the last answer to a request that asked for it; before the first there is none.
    pub(crate) error: ErrorCode,
    pub(crate) partitions: Vec<Leader>,
}

pub(super) struct Metadata {
    topics: Vec<Topic>,
    pub(super) by_name: Map<Arc<str>, TopicIndex>,
    by_id: Map<Uuid, TopicIndex>,
    /// Counted up with every change, so that others know when to look again.
    changes: u32,
    /// How many brokers the cluster has beyond `max_brokers`.
    left_out: usize,
    pub(super) controller: i32,
    /// What an earlier client knew, until the first answer.
    pub(super) warm: Option<Arc<WarmState>>,
    /// The request under way.
    asked: Option<LinkId>,
    /// How many topics it asks for: later ones are not in its answer.
    asked_topics: usize,
    /// Something is missing or out of date: ask as soon as the back-off allows.
    wanted: bool,
    /// Asked for while a request was under way: its answer may not have it.
    again: bool,
    /// A topic is wanted that was never asked for: its first users do not wait for a back-off that is none of theirs.
    new_topic: bool,
    failures: u32,
    not_before: Instant,
    /// When the search for somebody to ask goes on by itself. A connection that gets ready does not wait for it.
    search_at: Instant,
    /// When the newest answer is too old.
    expires: Instant,
    ever: bool,
    /// The last answer was larger than it can ever be: why, for topics that nothing is known of.
    refused: Option<Error>,
}

impl Metadata {
    pub(super) fn new() -> Self {
        Metadata {
            topics: Vec::new(),
            by_name: Map::new(),
            by_id: Map::new(),
            left_out: 0,
            changes: 0,
            controller: -1,
            warm: None,
            asked: None,
            asked_topics: 0,
            wanted: true,
            again: false,
            new_topic: false,
            failures: 0,
            not_before: Instant::ZERO,
            search_at: Instant::ZERO,
            expires: Instant::FAR,
            ever: false,
            refused: None,
        }
    }

    /// Begins with what an earlier client knew: nothing is asked for before it is used up or found wrong.
    pub(super) fn begin_warm(&mut self, controller: i32, state: Arc<WarmState>) {
        self.controller = controller;
        self.warm = Some(state);
        self.wanted = false;
        self.ever = true;
        self.expires = Instant::ZERO;
    }

    /// A connection failed: leaders may have moved.
    pub(super) fn suspect(&mut self) {
        self.want();
    }

    /// There can never be memory for the answer: whoever waits for a topic is told, instead of asking until its time is over.
    pub(super) fn refuse(&mut self, why: &Error) {
        if self.refused.is_none() {
            self.refused = Some(why.clone());
            self.changes = self.changes.wrapping_add(1);
        }
    }

    fn want(&mut self) {
        if self.asked.is_some() {
            self.again = true;
        } else {
            self.wanted = true;
        }
    }

    pub(super) fn link_ended(&mut self, id: LinkId) {
        if self.asked == Some(id) {
            self.asked = None;
            self.wanted = true;
        }
    }
}

impl Cluster {
    /// Adds a topic to those that are asked for.
    ///
    /// # Errors
    /// [`Error::Config`] when there are `max_topics` already.
    pub(crate) fn want_topic(&mut self, name: &Arc<str>) -> Result<TopicIndex, Error> {
        if let Some(index) = self.metadata.by_name.get(name) {
            return Ok(*index);
        }
        let warm = self.warm_topic(name);
        let m = &mut self.metadata;
        if m.topics.len() >= self.config.max_topics {
            return Err(Error::config("max_topics", alloc::format!("{} are in use already", m.topics.len())));
        }
        let index = TopicIndex(m.topics.len() as u32);
        m.topics.push(Topic {
            name: Arc::clone(name),
            id: Uuid::ZERO,
            former: Uuid::ZERO,
            error: ErrorCode::NONE,
            partitions: Vec::new(),
        });
        m.by_name.insert(Arc::clone(name), index);
        if let Some(topic) = m.topics.last_mut()
            && let Some((id, leaders)) = warm
        {
            (topic.id, topic.partitions, topic.error) = (id, leaders, ErrorCode::NONE);
            if !id.is_zero() {
                m.by_id.insert(id, index);
            }
            m.changes = m.changes.wrapping_add(1);
            return Ok(index);
        }
        m.new_topic = true;
        m.not_before = Instant::ZERO;
        m.want();
        Ok(index)
    }

    pub(crate) fn topic(&self, index: TopicIndex) -> Option<&Topic> {
        self.metadata.topics.get(index.0 as usize)
    }

    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<TopicIndex> {
        self.metadata.by_id.get(&id).copied()
    }

    pub(crate) fn topic_by_name(&self, name: &str) -> Option<TopicIndex> {
        self.metadata.by_name.get(name).copied()
    }

    /// The leader of a partition: −1 while nobody leads it or nothing is known of it.
    pub(crate) fn leader(&self, topic: TopicIndex, partition: u32) -> Leader {
        let known = self.topic(topic).and_then(|t| t.partitions.get(partition as usize));
        known.copied().unwrap_or(NO_LEADER)
    }

    /// A number that changes whenever metadata does.
    pub(crate) fn metadata_changes(&self) -> u32 {
        self.metadata.changes
    }

    /// Whether a cluster ever answered.
    pub(crate) fn is_known(&self) -> bool {
        self.metadata.ever
    }

    pub(crate) fn controller(&self) -> i32 {
        self.metadata.controller
    }

    /// Somebody found metadata out of date, or needs what is not there yet.
    pub(crate) fn refresh_metadata(&mut self) {
        self.metadata.want();
    }

    /// A broker names a partition's new leader in its refusal (KIP-951). Older epochs than the known one, and no
    /// leader at all, are not believed (trap 47).
    pub(crate) fn hint_leader(&mut self, topic: TopicIndex, partition: u32, node: i32, epoch: i32) -> bool {
        let Some(topic) = self.metadata.topics.get_mut(topic.0 as usize) else { return false };
        let Some(leader) = topic.partitions.get_mut(partition as usize) else { return false };
        if node < 0 || epoch <= leader.epoch || !self.brokers.contains_key(&node) {
            return false;
        }
        let from = core::mem::replace(leader, Leader { node, epoch }).node;
        if from != node {
            let place = TopicPartition::new(&topic.name, partition);
            self.events.tell(|| Event::LeaderChanged { place, from, to: node, epoch });
        }
        self.metadata.changes = self.metadata.changes.wrapping_add(1);
        true
    }

    /// Brokers that a refusal names beside a new leader (KIP-951).
    pub(crate) fn hint_broker(&mut self, now: Instant, node: i32, host: &str, port: i32) {
        let known: Vec<(i32, Arc<str>, i32)> = self
            .brokers
            .iter()
            .filter(|(id, _)| **id >= 0 && **id != node)
            .map(|(id, b)| (*id, Arc::clone(&b.host), i32::from(b.port)))
            .collect();
        let all = known.iter().map(|(id, h, p)| (*id, &**h, *p)).chain([(node, host, port)]);
        // It has the remembered ones only: that tells nothing of how many there are.
        let _ = self.learn_brokers(now, all);
    }

    pub(super) fn metadata_deadline(&self, now: Instant) -> Instant {
        let m = &self.metadata;
        match (m.asked, m.wanted) {
            (Some(_), _) => Instant::FAR,
            // Once the pause is over the search begins anew: until then nobody has looked whom to ask.
            (None, true) if m.not_before > now => m.not_before,
            (None, true) => m.search_at,
            (None, false) => m.expires,
        }
    }

    pub(super) fn ask_metadata(&mut self, now: Instant) {
        if self.metadata.warm.is_some() && self.metadata.expires == Instant::ZERO {
            self.metadata.expires = now.after(WARM_FOR);
        }
        if self.metadata.expires <= now {
            self.metadata.want();
            self.metadata.expires = Instant::FAR;
        }
        let m = &self.metadata;
        if m.asked.is_some() || !m.wanted {
            return;
        }
        if m.not_before > now {
            return;
        }
        let Some(link) = self.any_link(now) else {
            self.metadata.search_at = self.next_candidate(now).min(now.after(self.retry_pause()));
            return;
        };
        self.metadata.search_at = Instant::ZERO;
        self.send_metadata(now, link);
    }

    /// How long the search for a broker sleeps when all are in back-off: the deadline of each dial wakes it too.
    fn retry_pause(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.backoff_max_ms))
    }

    fn send_metadata(&mut self, now: Instant, link: LinkId) {
        let version = match self.version(link, METADATA, METADATA.max) {
            Ok(version) => version,
            Err(Error::Peer { fault, .. }) => return self.on_fault(now, link, fault),
            Err(_) => return,
        };
        // Trap 8: from version 1 on an empty list asks for no topic; in version 0 it asked for all of them.
        let names: Vec<Arc<str>> = self.metadata.topics.iter().map(|t| Arc::clone(&t.name)).collect();
        let topics: Vec<MetadataRequestTopic<'_>> =
            names.iter().map(|n| MetadataRequestTopic { name: Some(n), ..MetadataRequestTopic::default() }).collect();
        let body = MetadataRequest {
            topics: Some(&topics),
            // Nothing is made by being asked for. Before version 4 a broker could not be told so.
            allow_auto_topic_creation: version < 4,
            ..MetadataRequest::default()
        };
        let sending = self.plain(now, version, Context::Metadata);
        if self.send(link, &body, sending).is_ok() {
            self.metadata.asked = Some(link);
            self.metadata.asked_topics = names.len();
            self.metadata.wanted = false;
            self.metadata.again = false;
            self.metadata.new_topic = false;
        }
    }

    /// The request's connection ended first: try again, elsewhere.
    pub(crate) fn on_metadata_lost(&mut self, now: Instant) {
        self.metadata.asked = None;
        self.metadata.wanted = true;
        self.nobody_told(now, None);
    }

    fn nobody_told(&mut self, now: Instant, code: Option<ErrorCode>) {
        self.metadata_failed(now);
        let again_after = self.metadata.not_before.since(now);
        self.events.tell(|| Event::MetadataFailed { code, again_after });
    }

    fn metadata_failed(&mut self, now: Instant) {
        let span = self.backoff_span(self.metadata.failures);
        self.metadata.failures = self.metadata.failures.saturating_add(1);
        self.metadata.not_before = now.after(span);
    }

    pub(crate) fn on_metadata(&mut self, now: Instant, link: LinkId, version: i16, mut body: Reader<'_>) {
        self.metadata.asked = None;
        let response = match MetadataResponse::decode(&mut body, version) {
            Ok(response) => response,
            Err(error) => {
                self.metadata.wanted = true;
                self.nobody_told(now, None);
                let fault = PeerFault::Malformed { api: METADATA.name, error };
                return self.on_fault(now, link, fault);
            }
        };
        self.throttle(now, link, response.throttle_time_ms);
        let code = ErrorCode(response.error_code);
        if !code.is_ok() || response.brokers.is_empty() {
            // A broker that does not know the cluster yet says so, or names no broker: others are asked before it again.
            self.metadata.wanted = true;
            self.nobody_told(now, (!code.is_ok()).then_some(code));
            return match code.is_ok() {
                true => self.on_fault(now, link, PeerFault::NoBrokers),
                false => self.on_refusal(now, link, Error::broker(code, METADATA.name, None)),
            };
        }
        let left_out = self.learn_brokers(now, response.brokers.iter().map(|b| (b.node_id, b.host, b.port)));
        if core::mem::replace(&mut self.metadata.left_out, left_out) != left_out && left_out > 0 {
            self.events.tell(|| Event::BrokersLeftOut { left_out, max: self.config.max_brokers });
        }
        self.metadata.controller = response.controller_id;
        self.metadata.warm = None;
        let complete = self.learn_topics(&response, version);
        self.metadata.changes = self.metadata.changes.wrapping_add(1);
        self.metadata.ever = true;
        self.metadata.refused = None;
        self.metadata.expires = now.after(Duration::from_millis(u64::from(self.config.metadata_max_age_ms)));
        self.metadata.wanted = core::mem::take(&mut self.metadata.again) || !complete;
        if complete {
            self.metadata.failures = 0;
            // Nobody gets an answer twice within the back-off, however many find theirs out of date.
            self.metadata.not_before = now.after(Duration::from_millis(u64::from(self.config.backoff_ms)));
        } else {
            self.metadata_failed(now);
        }
        if self.metadata.new_topic {
            self.metadata.not_before = Instant::ZERO;
        }
        self.events.tell(|| Event::MetadataRenewed {
            brokers: self.brokers_len(),
            topics: self.metadata.topics.len(),
            partitions: self.metadata.topics.iter().map(|t| t.partitions.len()).sum(),
            complete,
        });
    }

    /// Takes in all topics; `false` if something is missing that a later answer may have.
    fn learn_topics(&mut self, response: &MetadataResponse<'_>, version: i16) -> bool {
        let mut told = alloc::vec![false; self.metadata.topics.len()];
        let mut complete = true;
        for topic in response.topics.iter() {
            complete &= self.learn_topic(&topic, version >= RELIABLE_EPOCHS);
            if let Some(TopicIndex(index)) = topic.name.and_then(|name| self.topic_by_name(name))
                && let Some(told) = told.get_mut(index as usize)
            {
                *told = true;
            }
        }
        // A broker that leaves a topic out knows as little of it as one that says so, if it was asked.
        let asked = self.metadata.topics.iter_mut().zip(&told).take(self.metadata.asked_topics);
        asked.filter(|(_, told)| !**told).for_each(|(topic, _)| topic.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        complete && !told.contains(&false)
    }

    /// Takes in one topic; `false` if something is missing in it that a later answer may have.
    fn learn_topic(&mut self, answer: &MetadataResponseTopic<'_>, epochs: bool) -> bool {
        let Some(index) = answer.name.and_then(|n| self.topic_by_name(n)) else { return true };
        let room = self.config.max_partitions.saturating_sub(self.partitions_beside(index));
        let Some(topic) = self.metadata.topics.get_mut(index.0 as usize) else { return true };
        topic.error = ErrorCode(answer.error_code);
        if !topic.error.is_ok() {
            // What is known stays: a broker that restarts forgets topics for a moment (trap 45).
            return !topic.error.is_retriable();
        }
        if answer.partitions.len() > room {
            topic.error = ErrorCode::POLICY_VIOLATION;
            return true;
        }
        if !answer.topic_id.is_zero() && answer.topic_id == topic.former {
            return false;
        }
        if topic.id != answer.topic_id {
            let old = core::mem::replace(&mut topic.id, answer.topic_id);
            self.metadata.by_id.remove(&old);
            if !old.is_zero() && !answer.topic_id.is_zero() {
                // Deleted and made anew: leader epochs begin at 0 again (trap 72).
                topic.former = old;
                topic.partitions.clear();
                self.events.tell(|| Event::TopicReplaced { topic: &topic.name });
            }
            if !answer.topic_id.is_zero() {
                self.metadata.by_id.insert(answer.topic_id, index);
            }
        }
        if answer.topic_id.is_zero() {
            // Nothing tells a topic that was made anew from an old answer; an old answer is only wrong for a moment.
            topic.partitions.iter_mut().for_each(|leader| leader.epoch = -1);
        }
        let mut complete = !answer.partitions.is_empty();
        topic.partitions.reserve_exact(answer.partitions.len().min(room).saturating_sub(topic.partitions.len()));
        for partition in answer.partitions.iter() {
            let epoch = if epochs { partition.leader_epoch } else { -1 };
            let leader = Leader { node: partition.leader_id, epoch };
            let index = partition.partition_index;
            let before = known(&topic.partitions, index);
            complete &= learn_partition(&mut topic.partitions, room, index, leader);
            let after = known(&topic.partitions, index);
            if before.node != after.node && before != NO_LEADER {
                let place = TopicPartition { topic: &topic.name, partition: index };
                let (from, to, epoch) = (before.node, after.node, after.epoch);
                self.events.tell(|| Event::LeaderChanged { place, from, to, epoch });
            }
        }
        complete
    }

    fn partitions_beside(&self, index: TopicIndex) -> usize {
        let others = self.metadata.topics.iter().enumerate().filter(|(i, _)| *i != index.0 as usize);
        others.map(|(_, t)| t.partitions.len()).sum()
    }

    /// Why a used topic cannot be used now, if so.
    pub(crate) fn topic_error(&self, index: TopicIndex) -> Option<Error> {
        let topic = self.topic(index)?;
        if topic.error == ErrorCode::POLICY_VIOLATION {
            let why = alloc::format!("{} has more partitions than this leaves room for", topic.name);
            return Some(Error::config("max_partitions", why));
        }
        if topic.partitions.is_empty() && self.metadata.refused.is_some() {
            return self.metadata.refused.clone();
        }
        (!topic.error.is_ok()).then(|| Error::broker(topic.error, alloc::format!("topic {}", topic.name), None))
    }
}

fn known(partitions: &[Leader], partition: i32) -> Leader {
    usize::try_from(partition).ok().and_then(|at| partitions.get(at)).copied().unwrap_or(NO_LEADER)
}

/// Takes in one partition; `false` if it has no leader. Older leader epochs than the known one are not believed, and
/// fewer partitions than known never shrink the list: a part of the answer may be missing (trap 46).
fn learn_partition(known: &mut Vec<Leader>, max: usize, partition: i32, leader: Leader) -> bool {
    let Ok(at) = usize::try_from(partition) else { return true };
    if at >= max {
        return true;
    }
    if known.len() <= at {
        known.resize(at + 1, NO_LEADER);
    }
    if let Some(place) = known.get_mut(at)
        && (leader.epoch >= place.epoch || leader.epoch < 0)
    {
        *place = leader;
    }
    known.get(at).is_some_and(|l| l.node >= 0)
}

/// Kafka's rule for topic names: what no broker accepts is refused before it is sent.
pub(crate) fn check_topic_name(name: &str) -> Result<(), Error> {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    let why = if name.is_empty() {
        "is empty"
    } else if name.len() > 249 {
        "is longer than 249 bytes"
    } else if name == "." || name == ".." {
        "must not be . or .."
    } else if !name.bytes().all(legal) {
        "may only have letters, digits, '.', '_' and '-'"
    } else {
        return Ok(());
    };
    Err(Error::config("topic", alloc::format!("the name \"{}\" {why}", shown(name))))
}
