use super::{Outcome, Request, join};
use crate::cluster::Cluster;
use crate::r#gen::fetch_request::{FetchRequest, FetchTopic, ForgottenTopic};
use crate::r#gen::fetch_response::{
    EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use crate::sessions::{Asked, Kind, Told, TopicKey, Wanted};
use crate::topic::Partition;
use bytes::Bytes;
use core::time::Duration;
use klamm::compress::Codec;
use klamm::wire::{Reader, Uuid, WireError, decode_body};
use klamm::{ErrorCode, Instant};
use std::collections::BTreeSet;

/// The first version whose answers may hold batches in zstd (KIP-110).
const ZSTD: i16 = 10;
/// The first version that names topics by their ids.
const BY_ID: i16 = 13;
/// The first version that names the leader in its errors (KIP-951).
const LEADER_HINTS: i16 = 16;
/// From this version on a consumer may also fetch from a follower (KIP-392).
const FROM_FOLLOWERS: i16 = 11;
/// The most that a broker puts into one answer, its setting `fetch.max.bytes`.
const MAX_BYTES: usize = 55 << 20;

/// A fetch that waits for data, and what its answer needs.
#[derive(Debug)]
pub(crate) struct Parked {
    request: Request,
    kind: Kind,
    wanted: Vec<Wanted>,
    min_bytes: u64,
    max_bytes: usize,
    read_committed: bool,
    pub(crate) deadline: Instant,
}

/// What a partition gives.
struct Given {
    error: ErrorCode,
    high_watermark: i64,
    log_start: i64,
    records: Vec<Bytes>,
    leader: LeaderIdAndEpoch,
    diverging: EpochEndOffset,
}

impl Given {
    fn told(&self) -> Told {
        let diverging = self.diverging != EpochEndOffset::default();
        Told {
            high_watermark: if diverging { -1 } else { self.high_watermark },
            log_start: self.log_start,
            failed: diverging || !self.error.is_ok(),
            has_records: !self.records.is_empty(),
        }
    }

    fn len(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

impl Cluster {
    pub(crate) fn fetch(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: FetchRequest<'_> = decode_body(body, request.version)?;
        let refused = request.refused.or(request.refused_after);
        if let Some(code) = refused.filter(|&code| is_of_session(code)) {
            return whole_error(request, code);
        }
        let by_id = request.version >= BY_ID;
        let session = Asked {
            id: asked.session_id,
            epoch: asked.session_epoch,
            by_id,
            wanted: asked.topics.iter().flat_map(|topic| wanted(topic, by_id)).collect(),
            forgotten: asked.forgotten_topics_data.iter().flat_map(|topic| forgotten(topic, by_id)).collect(),
        };
        let Some(node) = self.nodes.get_mut(&request.node) else { return Ok(Outcome::Close) };
        let (kind, wanted) = match node.sessions.begin(session) {
            Ok(begun) => begun,
            Err(code) => return whole_error(request, code),
        };
        let parked = Parked {
            request: *request,
            kind,
            wanted,
            min_bytes: asked.min_bytes.max(0) as u64,
            max_bytes: (asked.max_bytes.max(0) as usize).min(MAX_BYTES),
            read_committed: asked.isolation_level == 1,
            deadline: request.now.instant.after(Duration::from_millis(asked.max_wait_ms.max(0) as u64)),
        };
        let at_once = asked.max_wait_ms <= 0 || !request.may_wait || refused.is_some() || parked.wanted.is_empty();
        if at_once || self.is_satisfied(&parked) {
            return self.answer_fetch(parked).map(Outcome::Reply);
        }
        Ok(Outcome::Park(Box::new(parked)))
    }

    /// Whether a fetch that waits has got what it waits for: bytes enough, or an error.
    pub(crate) fn is_satisfied(&self, parked: &Parked) -> bool {
        let mut bytes = 0;
        for wanted in &parked.wanted {
            let Ok((partition, diverging)) = self.fetched(&parked.request, wanted) else { return true };
            if diverging != EpochEndOffset::default() {
                return true;
            }
            bytes += partition.log.bytes_from(wanted.offset).min(wanted.max_bytes.max(1) as u64);
        }
        bytes >= parked.min_bytes
    }

    /// The partition, if this broker can give it to this client from this offset on, and where their logs part.
    fn fetched(&self, request: &Request, wanted: &Wanted) -> Result<(&Partition, EpochEndOffset), ErrorCode> {
        let (name, unknown) = match &wanted.topic {
            TopicKey::Name(name) => (name.as_str(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            TopicKey::Id(id) => (self.name_of(id).unwrap_or_default(), ErrorCode::UNKNOWN_TOPIC_ID),
        };
        let topic = self.visible(name, self.now.instant).ok_or(unknown)?;
        let partition = topic.partition(wanted.partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        // Kafka looks at the topic's setting, not at its batches.
        if request.version < ZSTD && topic.settings.codec == Some(Codec::Zstd) {
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
        }
        if request.version < FROM_FOLLOWERS || !partition.replicas.contains(&request.node) {
            partition.check_leader(request.node, wanted.leader_epoch)?;
        } else {
            partition.check_epoch(wanted.leader_epoch)?;
        }
        let there = partition.log.start()..=partition.log.end();
        let diverging = diverging(partition, wanted)?;
        if diverging == EpochEndOffset::default() && !there.contains(&wanted.offset) {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        Ok((partition, diverging))
    }

    /// The answer with what there is now.
    pub(crate) fn answer_fetch(&mut self, parked: Parked) -> Result<Vec<Bytes>, WireError> {
        let request = parked.request;
        let mut left = parked.max_bytes;
        let mut one = true;
        let mut all: Vec<(Wanted, Given)> = Vec::with_capacity(parked.wanted.len());
        for wanted in parked.wanted {
            let given = self.give(&request, &wanted, left, one);
            // Only the first partition with data may exceed the limits (KIP-74).
            one &= given.records.is_empty();
            left = left.saturating_sub(given.len());
            all.push((wanted, given));
        }
        let (max, by_id) = (self.config.fetch_sessions_max, request.version >= BY_ID);
        let mut session_id = 0;
        // A broker that died meanwhile has closed this connection too.
        if let Some(node) = self.nodes.get_mut(&request.node) {
            match parked.kind {
                Kind::Sessionless => {}
                Kind::Full => {
                    let told = all.iter().map(|(wanted, given)| (wanted.clone(), given.told()));
                    session_id = node.sessions.create(by_id, told, max, &mut self.random);
                }
                Kind::Incremental(id) => {
                    session_id = id;
                    all.retain(|(wanted, given)| {
                        node.sessions.tell(id, &(wanted.topic.clone(), wanted.partition), given.told())
                    });
                }
            }
        }
        self.fetch_answer(&request, session_id, parked.read_committed, &mut all)
    }

    fn give(&mut self, request: &Request, wanted: &Wanted, left: usize, one: bool) -> Given {
        let fault = request.refused.or(request.refused_after).or_else(|| self.fault_of(request, wanted));
        let cut = !self.config.whole_batches;
        let hinted = request.version >= LEADER_HINTS;
        let mut given = Given {
            error: ErrorCode::NONE,
            high_watermark: -1,
            log_start: -1,
            records: Vec::new(),
            leader: LeaderIdAndEpoch::default(),
            diverging: EpochEndOffset::default(),
        };
        match fault.map_or_else(|| self.fetched(request, wanted), Err) {
            Ok((partition, diverging)) => {
                given.high_watermark = partition.log.end();
                given.log_start = partition.log.start();
                given.diverging = diverging;
                if given.diverging == EpochEndOffset::default() {
                    let max = left.min(wanted.max_bytes);
                    given.records = partition.log.read(wanted.offset, max, one, cut);
                }
            }
            Err(code) => {
                given.error = code;
                let moved = matches!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
                let partition = self.topic_of(wanted).and_then(|topic| topic.partition(wanted.partition));
                if let Some(p) = partition.filter(|_| moved && hinted) {
                    given.leader = LeaderIdAndEpoch { leader_id: p.leader.unwrap_or(-1), leader_epoch: p.epoch };
                }
            }
        }
        given
    }

    fn fault_of(&mut self, request: &Request, wanted: &Wanted) -> Option<ErrorCode> {
        let name = match &wanted.topic {
            TopicKey::Name(name) => name.clone(),
            TopicKey::Id(id) => self.name_of(id)?.to_owned(),
        };
        self.faults.of_partition(request.api.key, request.node, &name, wanted.partition)
    }

    fn topic_of(&self, wanted: &Wanted) -> Option<&crate::topic::Topic> {
        match &wanted.topic {
            TopicKey::Name(name) => self.topics.get(name),
            TopicKey::Id(id) => self.topics.get(self.name_of(id)?),
        }
    }

    fn fetch_answer(
        &self,
        request: &Request,
        session_id: i32,
        read_committed: bool,
        all: &mut [(Wanted, Given)],
    ) -> Result<Vec<Bytes>, WireError> {
        let parts: Vec<PartitionData<'_>> =
            all.iter().map(|(wanted, given)| partition_answer(wanted, given, read_committed)).collect();
        let mut responses: Vec<FetchableTopicResponse<'_>> = Vec::new();
        let mut begin = 0;
        for chunk in all.chunk_by(|(a, _), (b, _)| a.topic == b.topic) {
            let (topic, topic_id) = match &chunk[0].0.topic {
                TopicKey::Name(name) => (name.as_str(), Uuid::ZERO),
                TopicKey::Id(id) => ("", *id),
            };
            let partitions = &parts[begin..begin + chunk.len()];
            begin += chunk.len();
            responses.push(FetchableTopicResponse { topic, topic_id, partitions });
        }
        let leaders: BTreeSet<i32> = all.iter().map(|(_, given)| given.leader.leader_id).collect();
        let endpoints = leaders
            .iter()
            .filter_map(|id| self.nodes.get_key_value(id))
            .map(|(&node_id, node)| NodeEndpoint { node_id, host: &node.host, port: node.port.into(), rack: None });
        let frame = request.frame(&FetchResponse {
            throttle_time_ms: request.throttle_ms,
            error_code: 0,
            session_id: if request.version >= 7 { session_id } else { 0 },
            responses: &responses,
            node_endpoints: &endpoints.collect::<Vec<_>>(),
        })?;
        let external: Vec<Vec<Bytes>> = all.iter_mut().map(|(_, given)| core::mem::take(&mut given.records)).collect();
        Ok(join(&frame, &external))
    }
}

/// Whether it is the session that such an error is about; all others are of partitions.
fn is_of_session(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND
            | ErrorCode::INVALID_FETCH_SESSION_EPOCH
            | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
    )
}

/// An answer that is an error as a whole; before version 7, which had none, an empty one.
fn whole_error(request: &Request, code: ErrorCode) -> Result<Outcome, WireError> {
    request.reply(&FetchResponse { throttle_time_ms: request.throttle_ms, error_code: code.0, ..Default::default() })
}

fn partition_answer(wanted: &Wanted, given: &Given, read_committed: bool) -> PartitionData<'static> {
    let unknown = matches!(given.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID);
    PartitionData {
        partition_index: wanted.partition,
        error_code: given.error.0,
        high_watermark: given.high_watermark,
        // Without transactions everything is stable.
        last_stable_offset: given.high_watermark,
        log_start_offset: given.log_start,
        diverging_epoch: given.diverging,
        current_leader: given.leader,
        // Null where nobody asked; but an answer that is made from the error alone has an empty list.
        aborted_transactions: if read_committed || unknown { Some(&[]) } else { None },
        preferred_read_replica: -1,
        records: Some(given.len()),
        ..Default::default()
    }
}

/// Where the client's log and the broker's part, when the last epoch that it read is not the broker's (KIP-595).
fn diverging(partition: &Partition, wanted: &Wanted) -> Result<EpochEndOffset, ErrorCode> {
    if wanted.last_epoch < 0 {
        return Ok(EpochEndOffset::default());
    }
    let (epoch, end_offset) = partition.end_of_epoch(wanted.last_epoch).ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
    if epoch < wanted.last_epoch || end_offset < wanted.offset {
        return Ok(EpochEndOffset { epoch, end_offset });
    }
    Ok(EpochEndOffset::default())
}

fn key(name: &str, id: Uuid, by_id: bool) -> TopicKey {
    if by_id { TopicKey::Id(id) } else { TopicKey::Name(name.to_owned()) }
}

fn wanted(topic: FetchTopic<'_>, by_id: bool) -> impl Iterator<Item = Wanted> {
    topic.partitions.into_iter().map(move |p| Wanted {
        topic: key(topic.topic, topic.topic_id, by_id),
        partition: p.partition,
        offset: p.fetch_offset,
        max_bytes: p.partition_max_bytes.max(0) as usize,
        leader_epoch: p.current_leader_epoch,
        last_epoch: p.last_fetched_epoch,
    })
}

fn forgotten(topic: ForgottenTopic<'_>, by_id: bool) -> impl Iterator<Item = (TopicKey, i32)> {
    topic.partitions.into_iter().map(move |p| (key(topic.topic, topic.topic_id, by_id), p))
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
