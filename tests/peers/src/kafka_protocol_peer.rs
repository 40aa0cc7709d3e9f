//! The crate kafka-protocol.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::{FetchResponse, MetadataResponse};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::answers::VALUE;

/// Its decoders take a buffer that they may keep parts of: a copy is made here once a call, as a client would read it.
fn shared(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

pub(crate) fn metadata(bytes: &[u8], version: i16) -> u64 {
    let body = MetadataResponse::decode(&mut shared(bytes), version).expect("good bytes");
    let partitions = body.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| i32::from(partition.leader_id) as u64).sum()
}

pub(crate) fn fetch(bytes: &[u8], version: i16) -> u64 {
    let body = FetchResponse::decode(&mut shared(bytes), version).expect("good bytes");
    let mut sum = 0;
    for partition in body.responses.iter().flat_map(|topic| &topic.partitions) {
        let mut records = partition.records.clone().unwrap_or_default();
        for batch in RecordBatchDecoder::decode_all(&mut records).expect("good batches") {
            for record in &batch.records {
                sum += len(&record.key) + len(&record.value);
            }
        }
    }
    sum
}

fn len(bytes: &Option<Bytes>) -> u64 {
    bytes.as_ref().map_or(0, Bytes::len) as u64
}

/// The batch of 10,000 records. They are made before and encoded into the same buffer each time.
pub(crate) struct Batch {
    records: Vec<Record>,
    out: BytesMut,
}

impl Batch {
    pub(crate) fn new() -> Self {
        let record = |i: i64| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: TimestampType::Creation,
            offset: i,
            sequence: -1 + i as i32,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(Bytes::from_static(&VALUE)),
            headers: IndexMap::new(),
        };
        Self { records: (0..10_000).map(record).collect(), out: BytesMut::new() }
    }

    pub(crate) fn encode(&mut self) -> u64 {
        self.out.clear();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut self.out, &self.records, &options).expect("good records");
        self.out.len() as u64
    }
}
