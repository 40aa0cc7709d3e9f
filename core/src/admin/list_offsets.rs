//! ListOffsets: where a partition's log begins and ends, and what lies at a time.

use alloc::vec::Vec;

use super::{
    by_leader::{Each, OfTopic, Work},
    call::{Answer, Ask},
};
use crate::{
    Error, IsolationLevel, ListedOffset, OffsetSpec, PeerFault,
    budget::Budget,
    code::ErrorCode,
    sync::Arc,
    wire::{
        Api, Decode, WireError,
        api::LIST_OFFSETS,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        list_offsets_response::ListOffsetsResponse,
    },
};

/// Looks offsets up.
pub(crate) struct ListOffsets;

/// What is to be looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OffsetWish {
    pub(crate) at: OffsetSpec,
    /// Where the log ends: behind its last record, or where the oldest open transaction begins (KIP-98).
    pub(crate) isolation_level: IsolationLevel,
}

/// The special times of ListOffsets, and the version that each came with (trap 80).
fn timestamp(spec: OffsetSpec) -> (i64, i16) {
    match spec {
        OffsetSpec::Latest => (-1, 1),
        OffsetSpec::Earliest => (-2, 1),
        OffsetSpec::MaxTimestamp => (-3, 7),
        OffsetSpec::EarliestLocal => (-4, 8),
        OffsetSpec::LatestTiered => (-5, 9),
        OffsetSpec::EarliestPendingUpload => (-6, 11),
        OffsetSpec::Timestamp(time) => (time, 1),
    }
}

impl Work for ListOffsets {
    type Wanted = OffsetWish;
    type Done = ListedOffset;

    const WHAT: &'static str = "looking up an offset of";

    fn ask(topics: &[OfTopic<'_, OffsetWish>], ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(LIST_OFFSETS)?;
        let wanted = topics.iter().flat_map(|(_, parts)| parts.iter());
        // Who asks for several asks for all in one way.
        let isolation_level = wanted.clone().next().map_or(0, |(_, wish)| wish.isolation_level.as_wire());
        let since = wanted.map(|(_, wish)| timestamp(wish.at).1).max().unwrap_or(LIST_OFFSETS.min);
        if version < since {
            let fault = PeerFault::NoCommonVersion {
                api: LIST_OFFSETS.name,
                broker_min: LIST_OFFSETS.min,
                broker_max: version,
                min: since,
                max: LIST_OFFSETS.max,
            };
            return Err(Error::Peer { address: ask.address(), fault });
        }
        let partition = |(index, wish): &(i32, OffsetWish)| ListOffsetsPartition {
            partition_index: *index,
            current_leader_epoch: -1,
            timestamp: timestamp(wish.at).0,
        };
        let partitions: Vec<Vec<ListOffsetsPartition>> =
            topics.iter().map(|(_, parts)| parts.iter().map(partition).collect()).collect();
        let topics: Vec<ListOffsetsTopic<'_>> = topics
            .iter()
            .zip(&partitions)
            .map(|((name, _), partitions)| ListOffsetsTopic { name, partitions })
            .collect();
        let body =
            ListOffsetsRequest { replica_id: -1, isolation_level, topics: &topics, ..ListOffsetsRequest::default() };
        ask.send(version, &body)
    }

    fn read(answer: &mut Answer<'_>, _: &Arc<Budget>, each: &mut Each<'_, ListedOffset>) -> Result<i32, WireError> {
        let response = ListOffsetsResponse::decode(&mut answer.body, answer.version)?;
        for topic in response.topics.iter() {
            for p in topic.partitions.iter() {
                let some = |value: i64| (value >= 0).then_some(value);
                let listed = ListedOffset {
                    topic: topic.name.into(),
                    partition: p.partition_index,
                    offset: some(p.offset),
                    timestamp_ms: some(p.timestamp),
                    leader_epoch: (p.leader_epoch >= 0).then_some(p.leader_epoch),
                };
                each(topic.name, p.partition_index, ErrorCode(p.error_code), listed);
            }
        }
        Ok(response.throttle_time_ms)
    }

    fn api() -> Api {
        LIST_OFFSETS
    }
}
