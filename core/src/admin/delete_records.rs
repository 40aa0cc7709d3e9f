//! DeleteRecords: moves where a partition's log begins (KIP-107).

use alloc::vec::Vec;

use super::{
    by_leader::{Each, OfTopic, Work},
    call::{Answer, Ask},
};
use crate::{
    DeletedRecords, Error,
    budget::Budget,
    code::ErrorCode,
    sync::Arc,
    wire::{
        Api, Decode, WireError,
        api::DELETE_RECORDS,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
        delete_records_response::DeleteRecordsResponse,
    },
};

/// Deletes records before an offset; −1: before the high watermark.
pub(crate) struct DeleteRecords;

impl Work for DeleteRecords {
    type Wanted = i64;
    type Done = DeletedRecords;

    const WHAT: &'static str = "deleting records of";

    fn ask(topics: &[OfTopic<'_, i64>], ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(DELETE_RECORDS)?;
        let partition = |(partition_index, offset): &(i32, i64)| DeleteRecordsPartition {
            partition_index: *partition_index,
            offset: *offset,
        };
        let partitions: Vec<Vec<DeleteRecordsPartition>> =
            topics.iter().map(|(_, parts)| parts.iter().map(partition).collect()).collect();
        let topics: Vec<DeleteRecordsTopic<'_>> = topics
            .iter()
            .zip(&partitions)
            .map(|((name, _), partitions)| DeleteRecordsTopic { name, partitions })
            .collect();
        let body = DeleteRecordsRequest { topics: &topics, timeout_ms: ask.timeout_ms() };
        ask.send(version, &body)
    }

    fn read(answer: &mut Answer<'_>, _: &Arc<Budget>, each: &mut Each<'_, DeletedRecords>) -> Result<i32, WireError> {
        let response = DeleteRecordsResponse::decode(&mut answer.body, answer.version)?;
        for topic in response.topics.iter() {
            for p in topic.partitions.iter() {
                let (partition, low_watermark) = (p.partition_index, p.low_watermark);
                let done = DeletedRecords { topic: topic.name.into(), partition, low_watermark };
                each(topic.name, partition, ErrorCode(p.error_code), done);
            }
        }
        Ok(response.throttle_time_ms)
    }

    fn api() -> Api {
        DELETE_RECORDS
    }
}
