use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use crate::r#gen::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use crate::topic::Partition;
use klamm::ErrorCode;
use klamm::wire::{Reader, WireError, decode_body};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

impl Cluster {
    pub(crate) fn list_offsets(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: ListOffsetsRequest<'_> = decode_body(body, request.version)?;
        let mut answers = Vec::new();
        for topic in asked.topics {
            let partitions: Vec<ListOffsetsPartitionResponse> =
                topic.partitions.iter().map(|p| self.list_offset(request, topic.name, p)).collect();
            answers.push((topic.name, partitions));
        }
        let topics: Vec<ListOffsetsTopicResponse<'_>> =
            answers.iter().map(|(name, partitions)| ListOffsetsTopicResponse { name, partitions }).collect();
        request.reply(&ListOffsetsResponse { throttle_time_ms: request.throttle_ms, topics: &topics })
    }

    fn list_offset(
        &mut self,
        request: &Request,
        name: &str,
        asked: ListOffsetsPartition,
    ) -> ListOffsetsPartitionResponse {
        let index = asked.partition_index;
        let answer = ListOffsetsPartitionResponse { partition_index: index, ..Default::default() };
        let fault = self.faults.of_partition(request.api.key, request.node, name, index);
        let refused = request.refused.or(fault).or(request.refused_after);
        let result = refused.map_or(Ok(()), Err).and_then(|()| {
            check_timestamp(asked.timestamp, request.version)?;
            let topic = self.visible(name, request.now.instant);
            let partition = topic.and_then(|t| t.partition(index)).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            partition.check_leader(request.node, asked.current_leader_epoch)?;
            Ok(look_up(partition, asked.timestamp))
        });
        match result {
            Ok((timestamp, offset, epoch)) => {
                let leader_epoch = if request.version >= 4 { epoch } else { -1 };
                ListOffsetsPartitionResponse { timestamp, offset, leader_epoch, ..answer }
            }
            Err(code) => ListOffsetsPartitionResponse { error_code: code.0, ..answer },
        }
    }
}

/// Whether this version has a meaning for a timestamp that is none.
fn check_timestamp(timestamp: i64, version: i16) -> Result<(), ErrorCode> {
    let since = match timestamp {
        EARLIEST.. => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => i16::MAX,
    };
    if version >= since { Ok(()) } else { Err(ErrorCode::UNSUPPORTED_VERSION) }
}

/// (timestamp, offset, leader epoch), each −1 where there is none.
fn look_up(partition: &Partition, timestamp: i64) -> (i64, i64, i32) {
    const NOTHING: (i64, i64, i32) = (-1, -1, -1);
    let log = &partition.log;
    match timestamp {
        LATEST => (-1, log.end(), partition.epoch),
        EARLIEST | EARLIEST_LOCAL => (-1, log.start(), partition.epoch_at(log.start())),
        MAX_TIMESTAMP => log.max_time().unwrap_or(NOTHING),
        // Nothing is ever tiered here.
        ..EARLIEST_LOCAL => NOTHING,
        _ => log.at_time(timestamp).unwrap_or(NOTHING),
    }
}

#[cfg(test)]
#[path = "list_offsets_tests.rs"]
mod tests;
