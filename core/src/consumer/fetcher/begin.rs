//! Where a partition begins: earliest, latest, or the first record of a time (ListOffsets).

use alloc::{boxed::Box, vec::Vec};

use super::{Fetcher, Stage};
use crate::{
    Error, Instant,
    cluster::{Cluster, TopicIndex, is_stale_metadata},
    code::ErrorCode,
    config::StartAt,
    event::Event,
    link::{LinkId, Use},
    machine::Context,
    map::Map,
    sync::Arc,
    wire::{
        Decode, Reader,
        api::LIST_OFFSETS,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        list_offsets_response::ListOffsetsResponse,
    },
};

/// Partitions whose offsets were asked for, with the generation of each.
#[derive(Debug)]
pub(crate) struct OffsetsAsked {
    pub(crate) slot: usize,
    parts: Vec<(usize, u32)>,
}

/// The special times of ListOffsets (trap 80).
fn timestamp(at: StartAt) -> i64 {
    match at {
        StartAt::Latest => -1,
        StartAt::Earliest => -2,
        StartAt::Offset(time) | StartAt::Timestamp(time) => time,
    }
}

impl Fetcher {
    pub(super) fn ask_offsets(&mut self, now: Instant, cluster: &mut Cluster) {
        let mut waiting: Map<i32, Map<TopicIndex, Vec<usize>>> = Map::new();
        for (at, part) in self.parts.iter().enumerate() {
            if !matches!(part.stage, Stage::Begin(_)) {
                continue;
            }
            let leader = self.leader(cluster, at).node;
            if part.retry_at > now {
                self.next = self.next.min(part.retry_at);
            } else if leader < 0 {
                cluster.refresh_metadata();
            } else {
                waiting.or_default(leader).or_default(part.topic).push(at);
            }
        }
        for (node, parts) in waiting {
            let parts = parts.into_values().flatten().collect();
            if let Some(link) = cluster.ready_link(now, node, Use::Control, usize::MAX) {
                self.ask_offsets_of(now, cluster, link, parts);
            }
        }
    }

    /// Asks a broker for these partitions' offsets; those of a topic are neighbours.
    fn ask_offsets_of(&mut self, now: Instant, cluster: &mut Cluster, link: LinkId, at: Vec<usize>) {
        let version = match cluster.version(link, LIST_OFFSETS, LIST_OFFSETS.max) {
            Ok(version) => version,
            Err(error) => {
                for part in at {
                    self.stop(cluster, part, error.clone());
                }
                return;
            }
        };
        let asked: Vec<(Arc<str>, ListOffsetsPartition)> = at
            .iter()
            .map(|p| {
                let part = &self.parts[*p];
                let from = if let Stage::Begin(from) = part.stage { from } else { StartAt::Latest };
                (
                    Arc::clone(&part.name),
                    ListOffsetsPartition {
                        partition_index: part.partition as i32,
                        current_leader_epoch: cluster.leader(part.topic, part.partition).epoch,
                        timestamp: timestamp(from),
                    },
                )
            })
            .collect();
        let partitions: Vec<ListOffsetsPartition> = asked.iter().map(|(_, p)| *p).collect();
        let mut topics: Vec<ListOffsetsTopic<'_>> = Vec::new();
        let mut from = 0;
        for group in asked.chunk_by(|a, b| a.0 == b.0) {
            topics.push(ListOffsetsTopic { name: &group[0].0, partitions: &partitions[from..from + group.len()] });
            from += group.len();
        }
        let isolation_level = self.shared.config.isolation_level.as_wire();
        let body =
            ListOffsetsRequest { replica_id: -1, isolation_level, topics: &topics, ..ListOffsetsRequest::default() };
        let parts = at.iter().map(|p| (*p, self.parts[*p].generation)).collect();
        let context = Context::ListOffsets(Box::new(OffsetsAsked { slot: self.slot, parts }));
        let sending = cluster.plain(now, version, context);
        match cluster.send(link, &body, sending) {
            Ok(()) => {
                for part in at {
                    if let Stage::Begin(from) = self.parts[part].stage {
                        self.parts[part].stage = Stage::Asked(from);
                    }
                }
            }
            Err(error) => at.into_iter().for_each(|part| self.stop(cluster, part, error.clone())),
        }
    }

    pub(crate) fn on_offsets(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        mut asked: OffsetsAsked,
        mut body: Reader<'_>,
    ) {
        let response = match ListOffsetsResponse::decode(&mut body, version) {
            Ok(response) => response,
            Err(error) => {
                let fault = crate::error::PeerFault::Malformed { api: LIST_OFFSETS.name, error };
                cluster.on_fault(now, link, fault);
                return self.on_offsets_lost(now, cluster, asked);
            }
        };
        cluster.throttle(now, link, response.throttle_time_ms);
        for topic in response.topics.iter() {
            let Some(index) = cluster.topic_by_name(topic.name) else { continue };
            for answer in topic.partitions.iter() {
                let Ok(partition) = u32::try_from(answer.partition_index) else { continue };
                let Some(at) = self.at(index, partition) else { continue };
                let Some(place) = asked.parts.iter().position(|(p, _)| *p == at) else { continue };
                let (_, generation) = asked.parts.swap_remove(place);
                self.on_offset(now, cluster, at, generation, ErrorCode(answer.error_code), answer.offset);
            }
        }
        // Who was left out is asked for again, and somebody should know why nothing comes.
        self.unanswered(now, cluster, asked, Some(MEANINGLESS));
    }

    fn on_offset(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: usize,
        generation: u32,
        code: ErrorCode,
        offset: i64,
    ) {
        let part = &mut self.parts[at];
        let Stage::Asked(from) = part.stage else { return };
        if part.generation != generation {
            return;
        }
        if code.is_ok() && offset >= 0 {
            part.stage = Stage::Fetch(offset);
            cluster.events.tell(|| Event::PositionFound { place: part.place(), offset });
            return self.shared.found(at, generation, offset);
        }
        if let (true, StartAt::Timestamp(_)) = (code.is_ok(), from) {
            // No record is that young: what comes next is.
            part.stage = Stage::Begin(StartAt::Latest);
            return;
        }
        if code.is_ok() {
            // A log without a beginning or an end: the broker cannot mean it.
            part.stage = Stage::Begin(from);
            return self.refused(now, cluster, at, MEANINGLESS);
        }
        part.stage = Stage::Begin(from);
        if code.is_retriable() || is_stale_metadata(code) {
            if is_stale_metadata(code) {
                cluster.refresh_metadata();
            }
            self.refused(now, cluster, at, code);
        } else {
            let what = alloc::format!("the first offset of {}-{}", self.parts[at].name, self.parts[at].partition);
            self.stop(cluster, at, Error::broker(code, what, None));
        }
    }

    /// No answer: ask again after a pause.
    pub(crate) fn on_offsets_lost(&mut self, now: Instant, cluster: &mut Cluster, asked: OffsetsAsked) {
        self.unanswered(now, cluster, asked, None);
    }

    /// The same with a code that is told, if there is one.
    fn unanswered(&mut self, now: Instant, cluster: &mut Cluster, asked: OffsetsAsked, code: Option<ErrorCode>) {
        for (at, generation) in asked.parts {
            let Some(part) = self.parts.get_mut(at) else { continue };
            if let Stage::Asked(from) = part.stage
                && part.generation == generation
            {
                part.stage = Stage::Begin(from);
                match code {
                    Some(code) => self.refused(now, cluster, at, code),
                    None => self.rest(now, cluster, at),
                }
            }
        }
    }
}

/// What is told of a broker that answers nonsense and has no code for it.
const MEANINGLESS: ErrorCode = ErrorCode::UNKNOWN_SERVER_ERROR;
