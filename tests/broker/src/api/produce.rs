use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::produce_request::{PartitionProduceData, ProduceRequest};
use crate::r#gen::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};
use crate::log::Stamp;
use crate::packing;
use crate::producers::Verdict;
use crate::topic::{Partition, TopicSettings};
use klamm::ErrorCode;
use klamm::compress::Codec;
use klamm::record::{Attributes, BatchError, BatchView, Batches};
use klamm::wire::{Reader, Uuid, WireError, decode_body};
use std::collections::BTreeSet;

/// The first version that names the leader in its errors (KIP-951).
const LEADER_HINTS: i16 = 10;
/// The first version that names topics by their ids.
const BY_ID: i16 = 13;
/// The first version whose batches may be compressed with zstd (KIP-110).
const ZSTD: i16 = 7;

/// The first offset, the append time or −1, and where the log begins.
#[derive(Clone, Copy)]
struct Done {
    base_offset: i64,
    time: i64,
    log_start: i64,
}

/// Why a partition's batch was refused.
struct Refused {
    code: ErrorCode,
    why: Option<&'static str>,
    /// The records that are to blame, by their index.
    records: Vec<i32>,
    /// Where the log begins, if it came to appending; else −1.
    log_start: i64,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Refused { code, why: None, records: Vec::new(), log_start: -1 }
    }
}

impl Refused {
    fn record(why: &'static str) -> Self {
        Refused { why: Some(why), ..ErrorCode::INVALID_RECORD.into() }
    }

    /// Kafka tells where the log begins unless it is one of the errors that it expects.
    fn at(self, log_start: i64) -> Self {
        match self.code {
            ErrorCode::CORRUPT_MESSAGE | ErrorCode::MESSAGE_TOO_LARGE => self,
            _ => Refused { log_start, ..self },
        }
    }
}

struct TopicDone<'a> {
    name: &'a str,
    id: Uuid,
    partitions: Vec<(i32, Result<Done, Refused>, LeaderIdAndEpoch)>,
}

impl Cluster {
    pub(crate) fn produce(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: ProduceRequest<'_> = decode_body(body, request.version)?;
        let mut topics = Vec::new();
        for topic in asked.topic_data {
            let name = self.named(request, topic.name, topic.topic_id);
            let mut done = TopicDone { name: topic.name, id: topic.topic_id, partitions: Vec::new() };
            for part in topic.partition_data {
                let result = match &name {
                    Ok(name) => self.produce_partition(request, &asked, name, part),
                    Err(code) => Err(request.refused.unwrap_or(*code).into()),
                };
                let result = match request.refused_after {
                    Some(code) => Err(code.into()),
                    None => result,
                };
                let leader = self.leader_hint(request, name.as_deref().unwrap_or_default(), part.index, &result);
                done.partitions.push((part.index, result, leader));
            }
            topics.push(done);
        }
        if asked.acks != 0 {
            return self.produce_answer(request, &topics);
        }
        // Nobody waits for an answer, so an error shows as a closed connection.
        let failed = topics.iter().flat_map(|topic| &topic.partitions).any(|(_, result, _)| result.is_err());
        Ok(if failed { Outcome::Close } else { Outcome::NoReply })
    }

    /// The topic's name, if the client may know the topic.
    fn named(&self, request: &Request, name: &str, id: Uuid) -> Result<String, ErrorCode> {
        let (name, unknown) = if request.version >= BY_ID {
            (self.name_of(&id).unwrap_or_default(), ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            (name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        self.visible(name, request.now.instant).map(|_| name.to_owned()).ok_or(unknown)
    }

    fn produce_partition(
        &mut self,
        request: &Request,
        asked: &ProduceRequest<'_>,
        name: &str,
        part: PartitionProduceData<'_>,
    ) -> Result<Done, Refused> {
        let fault = self.faults.of_partition(request.api.key, request.node, name, part.index);
        if let Some(code) = request.refused.or(fault) {
            return Err(code.into());
        }
        if !matches!(asked.acks, -1..=1) {
            return Err(ErrorCode::INVALID_REQUIRED_ACKS.into());
        }
        let (max, check_records) = (self.config.max_message_bytes, self.config.check_records);
        let topic = self.topics.get_mut(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let settings = topic.settings.clone();
        let partition = topic.partition_mut(part.index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let batch = only_batch(part.records, request.version, partition.log.start())?;
        partition.check_leader(request.node, -1)?;
        // More than there are replicas cannot be asked for.
        let in_sync_min = settings.min_insync_replicas.unwrap_or(1).min(partition.replicas.len());
        let in_sync = asked.acks != -1 || partition.isr.len() >= in_sync_min;
        let checked = if in_sync {
            check_batch(&batch, &settings, settings.max_message_bytes.unwrap_or(max), check_records)
        } else {
            Err(ErrorCode::NOT_ENOUGH_REPLICAS.into())
        };
        let time = settings.log_append_time.then_some(request.now.unix_ms);
        let appended = checked.and_then(|()| append(partition, &batch, time, settings.codec));
        let (done, new) = appended.map_err(|refused| refused.at(partition.log.start()))?;
        self.changed |= new;
        Ok(done)
    }

    fn leader_hint(
        &self,
        request: &Request,
        name: &str,
        index: i32,
        result: &Result<Done, Refused>,
    ) -> LeaderIdAndEpoch {
        let moved = matches!(result, Err(refused) if refused.code == ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let partition = self.topics.get(name).and_then(|topic| topic.partition(index));
        match partition.filter(|_| moved && request.version >= LEADER_HINTS) {
            Some(p) => LeaderIdAndEpoch { leader_id: p.leader.unwrap_or(-1), leader_epoch: p.epoch },
            None => LeaderIdAndEpoch::default(),
        }
    }

    fn produce_answer(&self, request: &Request, topics: &[TopicDone<'_>]) -> Result<Outcome, WireError> {
        let blamed: Vec<Vec<Vec<BatchIndexAndErrorMessage<'_>>>> =
            topics.iter().map(|topic| topic.partitions.iter().map(|(_, result, _)| blamed(result)).collect()).collect();
        let partitions: Vec<Vec<PartitionProduceResponse<'_>>> = topics
            .iter()
            .zip(&blamed)
            .map(|(topic, blamed)| {
                let parts = topic.partitions.iter().zip(blamed);
                parts.map(|(part, blamed)| partition_answer(part, blamed)).collect()
            })
            .collect();
        let responses: Vec<TopicProduceResponse<'_>> = topics
            .iter()
            .zip(&partitions)
            .map(|(topic, partition_responses)| TopicProduceResponse {
                name: topic.name,
                topic_id: topic.id,
                partition_responses,
            })
            .collect();
        let leaders: BTreeSet<i32> =
            topics.iter().flat_map(|topic| &topic.partitions).map(|(.., leader)| leader.leader_id).collect();
        let endpoints = leaders
            .iter()
            .filter_map(|id| self.nodes.get_key_value(id))
            .map(|(&node_id, node)| NodeEndpoint { node_id, host: &node.host, port: node.port.into(), rack: None });
        request.reply(&ProduceResponse {
            responses: &responses,
            throttle_time_ms: request.throttle_ms,
            node_endpoints: &endpoints.collect::<Vec<_>>(),
        })
    }
}

fn blamed(result: &Result<Done, Refused>) -> Vec<BatchIndexAndErrorMessage<'static>> {
    let records = result.as_ref().err().map_or(&[][..], |refused| &refused.records);
    let why = result.as_ref().err().and_then(|refused| refused.why);
    records
        .iter()
        .map(|&batch_index| BatchIndexAndErrorMessage { batch_index, batch_index_error_message: why })
        .collect()
}

fn partition_answer<'a>(
    (index, result, leader): &'a (i32, Result<Done, Refused>, LeaderIdAndEpoch),
    record_errors: &'a [BatchIndexAndErrorMessage<'a>],
) -> PartitionProduceResponse<'a> {
    let answer = PartitionProduceResponse { index: *index, current_leader: *leader, ..Default::default() };
    match result {
        Ok(done) => PartitionProduceResponse {
            base_offset: done.base_offset,
            log_append_time_ms: done.time,
            log_start_offset: done.log_start,
            ..answer
        },
        Err(refused) => PartitionProduceResponse {
            error_code: refused.code.0,
            base_offset: -1,
            log_start_offset: refused.log_start,
            record_errors,
            error_message: refused.why,
            ..answer
        },
    }
}

/// The one batch of a produced partition whose log begins at `log_start`.
fn only_batch(records: Option<&[u8]>, version: i16, log_start: i64) -> Result<BatchView<'_>, Refused> {
    let mut batches = Batches::new(records.unwrap_or_default());
    let batch = match batches.next() {
        None => return Err(Refused::record("a produce request must have a record batch")),
        Some(Err(BatchError::Magic { magic: 0 | 1, .. })) => {
            return Err(Refused::record("a produce request must have batches of format 2"));
        }
        Some(Err(BatchError::Count { .. } | BatchError::Offsets { .. })) => {
            return Err(Refused::record("the batch's count does not fit its offsets").at(log_start));
        }
        Some(Err(_)) => return Err(ErrorCode::CORRUPT_MESSAGE.into()),
        Some(Ok(batch)) => batch,
    };
    if version < ZSTD && batch.header.attributes.codec() == Ok(Codec::Zstd) {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE.into());
    }
    // What is cut short is no batch, and nobody looks at it.
    if batches.next().is_some() {
        return Err(Refused::record("a produce request must have exactly one record batch"));
    }
    Ok(batch)
}

/// What Kafka checks before it appends, in its order.
fn check_batch(
    batch: &BatchView<'_>,
    settings: &TopicSettings,
    max: usize,
    check_records: bool,
) -> Result<(), Refused> {
    let header = &batch.header;
    if header.base_offset != 0 {
        return Err(Refused::record("the base offset of the record batch should be 0"));
    }
    if batch.bytes.len() > max {
        return Err(ErrorCode::MESSAGE_TOO_LARGE.into());
    }
    batch.check_crc().map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
    if header.record_count <= 0 || header.record_count - 1 != header.last_offset_delta {
        return Err(Refused::record("the batch's count does not fit its offsets"));
    }
    if batch.is_control() {
        return Err(Refused::record("clients are not allowed to write control records"));
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return Err(Refused::record("a batch with a producer id needs a sequence"));
    }
    if header.attributes.codec().is_err() {
        return Err(ErrorCode::UNKNOWN_SERVER_ERROR.into());
    }
    if header.attributes.0 & Attributes::TRANSACTIONAL != 0 {
        return Err(ErrorCode::INVALID_TXN_STATE.into());
    }
    if settings.compacted || check_records { check_records_of(batch, settings) } else { Ok(()) }
}

/// Every record can be read, and has a key where the log is compacted.
fn check_records_of(batch: &BatchView<'_>, settings: &TopicSettings) -> Result<(), Refused> {
    let plain = packing::inflated(batch).map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
    let records =
        batch.records_of(&plain).map_err(|_| Refused::record("the batch has a record that cannot be read"))?;
    let keyless = records.enumerate().filter(|(_, record)| settings.compacted && record.key().is_none());
    let records: Vec<i32> = keyless.map(|(index, _)| index as i32).collect();
    if records.is_empty() {
        return Ok(());
    }
    Err(Refused { records, ..Refused::record("Compacted topic cannot accept message without key") })
}

/// Appends the batch unless it is there already; also says whether it did.
fn append(
    partition: &mut Partition,
    batch: &BatchView<'_>,
    time: Option<i64>,
    codec: Option<Codec>,
) -> Result<(Done, bool), Refused> {
    let header = &batch.header;
    let log_start = partition.log.start();
    if header.producer_id >= 0 {
        match partition.producers.check(header) {
            Verdict::Append => {}
            Verdict::Refuse(code) => return Err(code.into()),
            // Kafka gives the batch's greatest timestamp as the append time here, whatever the topic's kind.
            Verdict::Duplicate(first) => {
                return Ok((Done { base_offset: first.base_offset, time: first.timestamp, log_start }, false));
            }
        }
    }
    let stamp = Stamp { leader_epoch: partition.epoch, log_append_time: time, codec };
    let base_offset = partition.log.append(batch, stamp);
    if header.producer_id >= 0 {
        partition.producers.appended(header, base_offset, time.unwrap_or(header.max_timestamp));
    }
    Ok((Done { base_offset, time: time.unwrap_or(-1), log_start }, true))
}

#[cfg(test)]
#[path = "produce_tests.rs"]
mod tests;
