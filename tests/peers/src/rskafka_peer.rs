//! The crate rskafka, whose protocol is public under a feature for fuzzing.

use std::io::Cursor;

use rskafka::protocol::api_version::ApiVersion;
use rskafka::protocol::messages::{FetchResponse, MetadataResponse, ReadVersionedType};
use rskafka::protocol::primitives::Int16;
use rskafka::protocol::record::{
    ControlBatchOrRecords, Record, RecordBatch, RecordBatchCompression, RecordBatchTimestampType,
};
use rskafka::protocol::traits::WriteType;

use crate::answers::VALUE;

pub(crate) fn metadata(bytes: &[u8], version: i16) -> u64 {
    let body = MetadataResponse::read_versioned(&mut Cursor::new(bytes), ApiVersion(Int16(version)));
    let body = body.expect("good bytes");
    let partitions = body.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.leader_id.0 as u64).sum()
}

pub(crate) fn fetch(bytes: &[u8], version: i16) -> u64 {
    let body = FetchResponse::read_versioned(&mut Cursor::new(bytes), ApiVersion(Int16(version)));
    let body = body.expect("good bytes");
    let mut sum = 0;
    for partition in body.responses.iter().flat_map(|topic| &topic.partitions) {
        for batch in &partition.records.0 {
            let ControlBatchOrRecords::Records(records) = &batch.records else { panic!("a control batch") };
            for record in records {
                sum += len(&record.key) + len(&record.value);
            }
        }
    }
    sum
}

fn len(bytes: &Option<Vec<u8>>) -> u64 {
    bytes.as_ref().map_or(0, Vec::len) as u64
}

/// The batch of 10,000 records. They are made before and encoded into the same buffer each time.
pub(crate) struct Batch {
    batch: RecordBatch,
    out: Vec<u8>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        let record = |i: i32| Record {
            timestamp_delta: 0,
            offset_delta: i,
            key: None,
            value: Some(VALUE.to_vec()),
            headers: Vec::new(),
        };
        let batch = RecordBatch {
            base_offset: 0,
            partition_leader_epoch: -1,
            last_offset_delta: 9_999,
            first_timestamp: 1_700_000_000_000,
            max_timestamp: 1_700_000_000_000,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: ControlBatchOrRecords::Records((0..10_000).map(record).collect()),
            compression: RecordBatchCompression::NoCompression,
            is_transactional: false,
            timestamp_type: RecordBatchTimestampType::CreateTime,
        };
        Self { batch, out: Vec::new() }
    }

    pub(crate) fn encode(&mut self) -> u64 {
        self.out.clear();
        self.batch.write(&mut self.out).expect("good records");
        self.out.len() as u64
    }
}
