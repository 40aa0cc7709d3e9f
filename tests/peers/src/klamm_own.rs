//! Ours.

use klamm::record::{
    Attributes, BATCH_HEADER_LEN, BatchHeader, Batches, LOG_OVERHEAD, RecordParts, encode_record, seal_crc,
};
use klamm::wire::fetch_response::FetchResponse;
use klamm::wire::metadata_response::MetadataResponse;
use klamm::wire::{Reader, decode_body};

use crate::answers::VALUE;

pub(crate) fn metadata(bytes: &[u8], version: i16) -> u64 {
    let body: MetadataResponse<'_> = decode_body(&mut Reader::new(bytes), version).expect("good bytes");
    let partitions = body.topics.iter().flat_map(|topic| topic.partitions);
    partitions.map(|partition| partition.leader_id as u64).sum()
}

pub(crate) fn fetch(bytes: &[u8], version: i16) -> u64 {
    let body: FetchResponse<'_> = decode_body(&mut Reader::new(bytes), version).expect("good bytes");
    let mut sum = 0;
    for partition in body.responses.iter().flat_map(|topic| topic.partitions) {
        for batch in Batches::new(partition.records.unwrap_or_default()) {
            let batch = batch.expect("a good batch");
            batch.check_crc().expect("a good CRC");
            for record in batch.records().expect("good records") {
                sum += len(record.key()) + len(record.value());
            }
        }
    }
    sum
}

fn len(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, <[u8]>::len) as u64
}

/// Appends a batch.
pub(crate) fn encode(out: &mut Vec<u8>, records: usize) {
    let start = out.len();
    out.extend_from_slice(&[0; BATCH_HEADER_LEN]);
    // The others do not know a value's length before they run either.
    let value = Some(std::hint::black_box(&VALUE[..]));
    for i in 0..records {
        let parts = RecordParts { timestamp_delta: 0, offset_delta: i as u32, key: None, value, headers: &[] };
        encode_record(out, &parts);
    }
    let header = BatchHeader {
        base_offset: 0,
        batch_length: (out.len() - start - LOG_OVERHEAD) as i32,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: records as i32 - 1,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_000,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: records as i32,
    };
    let mut head = header.write();
    seal_crc(&mut head, std::iter::once(&out[start + BATCH_HEADER_LEN..]));
    out[start..start + BATCH_HEADER_LEN].copy_from_slice(&head);
}

/// The batch of 10,000 records, encoded into the same buffer each time.
pub(crate) struct Batch(Vec<u8>);

impl Batch {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// How many bytes it became.
    pub(crate) fn encode(&mut self) -> u64 {
        self.0.clear();
        encode(&mut self.0, 10_000);
        self.0.len() as u64
    }
}
