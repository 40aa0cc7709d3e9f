//! Fetch requests: which partitions are asked for, and for how much.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{Fetcher, Stage, response::ONE_PARTITION, session::Known};
use crate::{
    Error, Instant,
    budget::{Class, Promise, STARVED_AGAIN},
    cluster::{Cluster, Sending, TopicIndex},
    link::{LinkId, Use},
    machine::Context,
    map::Map,
    sync::Arc,
    wire::{
        Uuid,
        api::FETCH,
        fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic},
    },
};

/// The newest version that names topics; later ones carry topic ids (KIP-516).
const NAMES_TOPICS: i16 = 12;

/// What an answer has beside records: its own fields, and those of each partition.
const ANSWER_BYTES: usize = 256;
const ANSWER_BYTES_A_PARTITION: usize = 128;

/// A fetch that waits for new records holds the room for them. Where room was short, it waits so long only, and for so
/// long after.
const SCARCE_WAIT_MS: u32 = 10;
const SCARCE_FOR: Duration = Duration::from_secs(2);

/// A fetch that is under way.
pub(crate) struct Fetching {
    pub(crate) slot: usize,
    pub(super) node: i32,
    /// Every partition that the broker may answer for, with the generation and offset that was asked.
    pub(super) parts: Map<usize, (u32, i64)>,
    /// The one partition that is asked for by itself, beside the session.
    pub(super) alone: Option<usize>,
    /// The most bytes of records that were asked for. One larger batch may come all the same.
    pub(super) max_bytes: usize,
    /// The broker may wait so long for something to answer.
    pub(super) waits_until: Instant,
    /// Held until the answer has its buffer.
    _promise: Promise,
}

impl core::fmt::Debug for Fetching {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Fetching").field("node", &self.node).field("parts", &self.parts).finish()
    }
}

/// What the consumers of a client know of each other: they share the Fetch class.
pub(crate) struct FetchRoom {
    /// Brokers to be fetched from, all consumers together.
    pub(crate) streams: usize,
    /// Somebody found no room: whoever comes after it must not take what it waits for.
    pub(crate) is_short: bool,
    /// A fetch that was wanted was not sent for that.
    pub(crate) refused: bool,
    /// Bytes that it wanted.
    pub(crate) wanted: usize,
}

/// A partition as a request has it.
type Asked = (usize, TopicIndex, FetchPartition);

impl Fetcher {
    /// Keeps one fetch under way at each broker that leads something we want, while there is room.
    pub(super) fn fetch(&mut self, now: Instant, cluster: &mut Cluster, room: &mut FetchRoom) {
        let mut wanted: Map<i32, Vec<usize>> = Map::new();
        for (at, part) in self.parts.iter().enumerate() {
            let Stage::Fetch(_) = part.stage else { continue };
            if part.paused {
                continue;
            }
            if part.retry_at > now {
                self.next = self.next.min(part.retry_at);
                continue;
            }
            let leader = self.leader(cluster, at).node;
            if leader < 0 {
                cluster.refresh_metadata();
            } else {
                wanted.or_default(leader).push(at);
            }
        }
        self.streams = wanted.len();
        self.shares_links = room.streams > self.streams;
        let share = self.share(cluster, room.streams.max(self.streams));
        self.forget_sessions(cluster);
        // Whoever was asked longest ago comes first, and nobody passes it when there is no room: brokers whose answers come
        // back empty would ask again at once and keep what it waits for.
        let mut nodes: Map<(u64, i32), Vec<usize>> = Map::new();
        for (node, parts) in wanted {
            let (in_flight, asked) = self.sessions.get(&node).map_or((false, 0), |s| (s.in_flight, s.asked));
            if !in_flight {
                nodes.insert((asked, node), parts);
            }
        }
        for ((_, node), parts) in nodes {
            let wanted = parts.iter().find_map(|at| self.parts[*at].alone).unwrap_or(share);
            if let Some(link) = cluster.ready_link(now, node, Use::Fetch, usize::MAX)
                && (room.is_short || !self.fetch_from(now, cluster, link, node, parts, share))
            {
                self.scarce_until = now.after(SCARCE_FOR);
                self.next = self.next.min(now.after(STARVED_AGAIN));
                (room.is_short, room.refused) = (true, true);
                room.wanted = room.wanted.max(wanted);
                break;
            }
        }
    }

    /// Where there are more sessions than brokers, those of brokers that lead nothing here any more are forgotten.
    fn forget_sessions(&mut self, cluster: &Cluster) {
        if self.sessions.len() > cluster.config.max_brokers {
            let parts = &self.parts;
            let leads = |node| parts.iter().any(|part| cluster.leader(part.topic, part.partition).node == node);
            self.sessions.retain(|node, session| session.in_flight || leads(*node));
        }
    }

    /// Asks a broker for these partitions; `false`: there is no room for what it would answer.
    fn fetch_from(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        node: i32,
        parts: Vec<usize>,
        share: usize,
    ) -> bool {
        let alone = parts.iter().copied().find(|p| self.parts[*p].alone.is_some());
        let parts = match alone {
            Some(part) => alloc::vec![part],
            None => parts,
        };
        let overhead = ANSWER_BYTES + ANSWER_BYTES_A_PARTITION * parts.len();
        let bytes = match alone.and_then(|p| self.parts[p].alone) {
            Some(needed) => needed,
            None => share.max(overhead * 2).min(cluster.budget.limit(Class::Fetch)),
        };
        let promise = cluster.budget.promise(bytes);
        let Some(promise) = promise else { return false };
        self.requests = self.requests.wrapping_add(1);
        self.sessions.or_default(node).asked = self.requests;
        let overhead = if alone.is_some() { ONE_PARTITION } else { overhead };
        let max_bytes = bytes.saturating_sub(overhead).max(1);
        let by_id = parts.iter().all(|p| cluster.topic(self.parts[*p].topic).is_some_and(|t| !t.id.is_zero()));
        let cap = if by_id { FETCH.max } else { NAMES_TOPICS };
        let asked = cluster.version(link, FETCH, cap).and_then(|version| {
            self.send_fetch(now, cluster, link, node, version, parts.clone(), alone, max_bytes, promise)
        });
        if let Err(error) = asked {
            parts.into_iter().for_each(|part| self.stop(cluster, part, error.clone()));
            // Others of this broker's stood behind them.
            self.next = now;
        }
        true
    }

    /// A fetch's share of the Fetch class: one answer may be in the application's hands while each broker brings
    /// another to each consumer.
    fn share(&self, cluster: &Cluster, streams: usize) -> usize {
        let share = cluster.budget.limit(Class::Fetch) / (streams + 1);
        share.min(self.shared.config.fetch_max_bytes as usize + ANSWER_BYTES)
    }

    #[expect(clippy::too_many_arguments, reason = "one request, said in full")]
    fn send_fetch(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        node: i32,
        version: i16,
        parts: Vec<usize>,
        alone: Option<usize>,
        max_bytes: usize,
        promise: Promise,
    ) -> Result<(), Error> {
        let by_id = version > NAMES_TOPICS;
        let now_wanted: Vec<Asked> =
            parts.iter().map(|p| self.asked(cluster, *p, max_bytes, alone.is_some())).collect();
        let (asked, forgotten, numbers) = if alone.is_some() {
            (now_wanted.clone(), Vec::new(), (0, -1))
        } else {
            self.session_diff(cluster, node, by_id, &now_wanted)
        };
        let wait_ms = self.wait_ms(now, cluster, link, node, alone.is_some());
        let wait = Duration::from_millis(u64::from(wait_ms));
        let under_way = Fetching {
            slot: self.slot,
            node,
            parts: now_wanted.iter().map(|(at, _, p)| (*at, (self.parts[*at].generation, p.fetch_offset))).collect(),
            alone,
            max_bytes,
            waits_until: now.after(wait),
            _promise: promise,
        };
        let groups = grouped(&asked);
        let names: Vec<(Arc<str>, Uuid)> =
            groups.iter().filter_map(|(t, _)| cluster.topic(*t).map(|t| (Arc::clone(&t.name), t.id))).collect();
        let topics: Vec<FetchTopic<'_>> = names
            .iter()
            .zip(&groups)
            .map(|((name, id), (_, parts))| FetchTopic { topic: name, topic_id: *id, partitions: parts })
            .collect();
        let gone = self.named(cluster, &forgotten);
        let forgotten: Vec<ForgottenTopic<'_>> =
            gone.iter().map(|(name, id, p)| ForgottenTopic { topic: name, topic_id: *id, partitions: p }).collect();
        let body = FetchRequest {
            max_wait_ms: i32::try_from(wait_ms).unwrap_or(i32::MAX),
            min_bytes: i32::try_from(self.shared.config.fetch_min_bytes).unwrap_or(i32::MAX),
            max_bytes: i32::try_from(max_bytes).unwrap_or(i32::MAX),
            isolation_level: self.shared.config.isolation_level.as_wire(),
            session_id: numbers.0,
            session_epoch: numbers.1,
            topics: &topics,
            forgotten_topics_data: &forgotten,
            ..FetchRequest::default()
        };
        let plain = cluster.plain(now, version, Context::Fetch(Box::new(under_way)));
        let deadline = plain.deadline.after(wait);
        cluster.send(link, &body, Sending { deadline, response_max: usize::MAX, ..plain })?;
        self.sessions.or_default(node).in_flight = true;
        Ok(())
    }

    /// Partitions, each with its topic's name and id.
    fn named(&self, cluster: &Cluster, parts: &[usize]) -> Vec<(Arc<str>, Uuid, [i32; 1])> {
        let named = |at: &usize| {
            let part = &self.parts[*at];
            let topic = cluster.topic(part.topic)?;
            Some((Arc::clone(&topic.name), topic.id, [part.partition as i32]))
        };
        parts.iter().filter_map(named).collect()
    }

    /// How long the broker may wait for something to answer.
    fn wait_ms(&mut self, now: Instant, cluster: &Cluster, link: LinkId, node: i32, alone: bool) -> u32 {
        let most = self.shared.config.fetch_max_wait_ms;
        match (alone, cluster.config.single_connection) {
            // It holds more room than its share: not for longer than it must. (0 is never answered by some, trap 78.)
            (true, _) => 1,
            (false, _) if now < self.scarce_until => most.min(SCARCE_WAIT_MS),
            // Others stand behind it.
            (false, single) if single || self.shares_links => {
                let most = most.min(cluster.config.shared_wait_most_ms());
                self.sessions.or_default(node).shared_wait_ms((link, cluster.uses(link)), most)
            }
            (false, _) => most,
        }
    }

    fn asked(&self, cluster: &Cluster, at: usize, max_bytes: usize, alone: bool) -> Asked {
        let part = &self.parts[at];
        let offset = if let Stage::Fetch(offset) = part.stage { offset } else { 0 };
        let partition_max = if alone { usize::MAX } else { self.shared.config.partition_max_bytes as usize };
        (
            at,
            part.topic,
            FetchPartition {
                partition: part.partition as i32,
                current_leader_epoch: cluster.leader(part.topic, part.partition).epoch,
                fetch_offset: offset,
                partition_max_bytes: i32::try_from(partition_max.min(max_bytes)).unwrap_or(i32::MAX),
                ..FetchPartition::default()
            },
        )
    }

    /// What the session does not know yet, what it must forget, and its numbers. A partition that was fetched from and
    /// is still wanted stays in the session whatever happens to its records, so that nothing is forgotten and added
    /// again in turn (trap 75).
    fn session_diff(
        &mut self,
        cluster: &Cluster,
        node: i32,
        by_id: bool,
        wanted: &[Asked],
    ) -> (Vec<Asked>, Vec<usize>, (i32, i32)) {
        let session = self.sessions.or_default(node);
        let id_of = |topic: TopicIndex| cluster.topic(topic).map_or(Uuid::ZERO, |t| t.id);
        // A topic that was made anew has another id, and the session goes on asking for the old one (trap 14).
        let anew = |(at, topic, _): &Asked| session.known.get(at).is_some_and(|k| k.topic_id != id_of(*topic));
        if session.by_id != by_id || wanted.iter().any(anew) {
            session.forget();
            session.by_id = by_id;
        }
        let is_full = session.is_full();
        // Both what is known and what is wanted are in the order of their numbers, so one walk compares them, however many.
        let mut before = core::mem::take(&mut session.known).into_iter().peekable();
        let (mut asked, mut gone): (Vec<Asked>, Vec<usize>) = (Vec::new(), Vec::new());
        session.known = (wanted.iter())
            .map(|entry| {
                let (at, topic, p) = entry;
                gone.extend(core::iter::from_fn(|| before.next_if(|(other, _)| other < at)).map(|(other, _)| other));
                let known = Known {
                    topic_id: id_of(*topic),
                    offset: p.fetch_offset,
                    leader_epoch: p.current_leader_epoch,
                    max_bytes: p.partition_max_bytes,
                };
                let old = before.next_if(|(other, _)| other == at);
                if old.is_none_or(|(_, old)| old != known) || is_full {
                    asked.push(*entry);
                }
                (*at, known)
            })
            .collect();
        gone.extend(before.map(|(other, _)| other));
        let numbers = session.numbers();
        if is_full {
            session.rotation = session.rotation.wrapping_add(1);
            let by = session.rotation % asked.len().max(1);
            asked.rotate_left(by);
            return (asked, Vec::new(), numbers);
        }
        (asked, gone, numbers)
    }
}

/// Neighbours of one topic together; the order of partitions stays (trap 76).
fn grouped(asked: &[Asked]) -> Vec<(TopicIndex, Vec<FetchPartition>)> {
    asked.chunk_by(|a, b| a.1 == b.1).map(|g| (g[0].1, g.iter().map(|(_, _, p)| *p).collect())).collect()
}
