//! The bytes that everybody reads: bodies of responses, written by the in-memory broker's encoders.

use klamm::wire::{Encode, frame};
use klamm_broker::r#gen::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use klamm_broker::r#gen::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use crate::klamm_own;

/// A record's value; with what stands around it a record takes about this much.
pub(crate) const VALUE: [u8; 100] = [b'v'; 100];

/// Records of a batch in an answer to a fetch: 16 KB, as by a producer with Java's settings.
const RECORDS_A_BATCH: usize = 150;

/// A body in one piece, without the frame's size and correlation id and without the header's tags.
fn body<E: Encode>(message: &E, version: i16, records: &[&[u8]]) -> Vec<u8> {
    let whole = frame::response_frame(message, version, 0).expect("a good message");
    let header = if E::API.is_flexible(version) { 9 } else { 8 };
    whole.join(records).expect("as many records as it says").split_off(header)
}

/// 1,000 topics of 6 partitions with 3 replicas on 9 brokers.
pub(crate) fn metadata(version: i16) -> Vec<u8> {
    let names: Vec<String> = (0..1_000).map(|i| format!("topic-of-a-usual-length-{i}")).collect();
    let broker = |node_id| MetadataResponseBroker { node_id, host: "broker.example", port: 9092, rack: Some("r1") };
    let brokers: Vec<_> = (0..9).map(broker).collect();
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: partition_index,
        replica_nodes: &[1, 2, 3],
        isr_nodes: &[1, 2, 3],
        ..Default::default()
    };
    let partitions: Vec<_> = (0..6).map(partition).collect();
    let topic = |name| MetadataResponseTopic { name: Some(name), partitions: &partitions, ..Default::default() };
    let topics: Vec<_> = names.iter().map(|name| topic(name)).collect();
    let all = MetadataResponse { brokers: &brokers, topics: &topics, controller_id: 1, ..Default::default() };
    body(&all, version, &[])
}

/// One partition with 1 MiB of batches.
pub(crate) fn fetch(version: i16) -> Vec<u8> {
    let mut records = Vec::new();
    while records.len() < 1 << 20 {
        klamm_own::encode(&mut records, RECORDS_A_BATCH);
    }
    let partition = PartitionData { records: Some(records.len()), aborted_transactions: None, ..Default::default() };
    let topic = FetchableTopicResponse { topic: "orders", partitions: &[partition], ..Default::default() };
    body(&FetchResponse { responses: &[topic], ..Default::default() }, version, &[&records])
}
