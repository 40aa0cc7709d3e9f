//! Frames that Kafka's own classes wrote, from `tests/golden/Frames.java`: ours are the same bytes, and theirs are read.

use std::fmt::Debug;
use std::path::Path;

use klamm::wire::*;
use klamm_broker::r#gen as broker;

use crate::harness::{EXTERNAL, Framing, Request, Response, Same};

const ID: Uuid = Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const OTHER_ID: Uuid =
    Uuid([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
const CORRELATION_ID: i32 = 0x0102_0304;

fn file(api: Api, kind: &str, version: i16) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/frames");
    let path = folder.join(format!("{}{kind}-{version}.bin", api.name));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Our frame is theirs byte for byte, and a view of theirs says what our encoder says.
fn compare<E, V, F>(golden: Vec<u8>, frame: Frame, message: &E, version: i16)
where
    E: Encode + Same<V> + Debug,
    V: Decode<'static> + Debug,
    F: Framing,
{
    let parts: Vec<Vec<u8>> = frame.splits.iter().map(|split| vec![EXTERNAL; split.len]).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    assert_eq!(frame.join(&parts).unwrap(), golden, "{} version {version}", E::API.name);
    let mut r = F::body(golden.leak(), E::API, version, CORRELATION_ID);
    let view: V = decode_body(&mut r, version).unwrap();
    assert!(message.same(&view), "{} version {version}: {message:?} {view:?}", E::API.name);
}

fn request<E: Encode + Same<V> + Debug, V: Decode<'static> + Debug>(version: i16, message: E, _view: fn(V)) {
    let frame = frame::request_frame(&message, version, CORRELATION_ID, Some("klämm")).unwrap();
    compare::<E, V, Request>(file(E::API, "Request", version), frame, &message, version);
}

fn response<E: Encode + Same<V> + Debug, V: Decode<'static> + Debug>(version: i16, message: E, _view: fn(V)) {
    let frame = frame::response_frame(&message, version, CORRELATION_ID).unwrap();
    compare::<E, V, Response>(file(E::API, "Response", version), frame, &message, version);
}

/// Trap 1: the response has the old header even in version 4. Trap 10: the request's client id keeps its old form.
#[test]
fn api_versions() {
    use api_versions_request::ApiVersionsRequest;
    use broker::api_versions_response::{ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey};
    request(2, ApiVersionsRequest::default(), |_: broker::api_versions_request::ApiVersionsRequest<'_>| ());
    let message = ApiVersionsRequest { client_software_name: "klamm", client_software_version: "0.1.0" };
    request(4, message, |_: broker::api_versions_request::ApiVersionsRequest<'_>| ());

    let old = ApiVersionsResponse {
        error_code: 35,
        api_keys: &[
            ApiVersion { api_key: 0, min_version: 3, max_version: 13 },
            ApiVersion { api_key: 18, min_version: 0, max_version: 4 },
        ],
        throttle_time_ms: -1,
        ..Default::default()
    };
    let new = ApiVersionsResponse {
        supported_features: &[SupportedFeatureKey { name: "transaction.version", min_version: 0, max_version: 2 }],
        finalized_features_epoch: 1 << 40,
        finalized_features: &[FinalizedFeatureKey {
            name: "transaction.version",
            max_version_level: 2,
            min_version_level: 1,
        }],
        zk_migration_ready: true,
        ..old
    };
    for (version, message) in [(2, old), (4, new)] {
        response(version, message, |_: api_versions_response::ApiVersionsResponse<'_>| ());
    }
}

#[test]
fn metadata() {
    use metadata_request::{MetadataRequest, MetadataRequestTopic};
    let named = MetadataRequestTopic { name: Some("orders"), ..Default::default() };
    let old = MetadataRequest {
        topics: Some(&[named]),
        allow_auto_topic_creation: false,
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
    };
    let topics = [named, MetadataRequestTopic { topic_id: ID, name: None }];
    let new = MetadataRequest { topics: Some(&topics), include_cluster_authorized_operations: false, ..old };
    for (version, message) in [(8, old), (13, new)] {
        request(version, message, |_: broker::metadata_request::MetadataRequest<'_>| ());
    }

    use broker::metadata_response::*;
    let brokers = [
        MetadataResponseBroker { node_id: 1, host: "a.example", port: 9092, rack: None },
        MetadataResponseBroker { node_id: 2, host: "::1", port: 65535, rack: Some("r") },
    ];
    let partitions = [MetadataResponsePartition {
        error_code: 9,
        partition_index: 3,
        leader_id: 2,
        leader_epoch: 7,
        replica_nodes: &[1, 2],
        isr_nodes: &[2],
        offline_replicas: &[1],
    }];
    let topic = MetadataResponseTopic {
        error_code: 0,
        name: Some("orders"),
        topic_id: Uuid::ZERO,
        is_internal: true,
        partitions: &partitions,
        topic_authorized_operations: 0xff,
    };
    let unknown =
        MetadataResponseTopic { error_code: 100, name: None, topic_id: OTHER_ID, ..MetadataResponseTopic::default() };
    let old = MetadataResponse {
        throttle_time_ms: 100,
        brokers: &brokers,
        cluster_id: Some("cluster"),
        controller_id: 2,
        topics: &[topic],
        cluster_authorized_operations: 3,
        error_code: 0,
    };
    let topics = [MetadataResponseTopic { topic_id: ID, ..topic }, unknown];
    let new = MetadataResponse { topics: &topics, cluster_authorized_operations: i32::MIN, error_code: 87, ..old };
    for (version, message) in [(8, old), (13, new)] {
        response(version, message, |_: metadata_response::MetadataResponse<'_>| ());
    }
}

#[test]
fn produce() {
    use produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
    let partition_data =
        &[PartitionProduceData { index: 0, records: Some(200) }, PartitionProduceData { index: 1, records: None }];
    let named = TopicProduceData { name: "orders", topic_id: Uuid::ZERO, partition_data };
    let old = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30000, topic_data: &[named] };
    let topics = [TopicProduceData { name: "", topic_id: ID, partition_data }];
    let new = ProduceRequest { transactional_id: Some("tx"), topic_data: &topics, ..old };
    for (version, message) in [(8, old), (13, new)] {
        request(version, message, |_: broker::produce_request::ProduceRequest<'_>| ());
    }

    use broker::produce_response::*;
    let good = PartitionProduceResponse {
        base_offset: 1 << 33,
        log_append_time_ms: 1_700_000_000_000,
        log_start_offset: 5,
        ..Default::default()
    };
    let errors = [
        BatchIndexAndErrorMessage { batch_index: 4, batch_index_error_message: Some("bad") },
        BatchIndexAndErrorMessage { batch_index: 5, batch_index_error_message: None },
    ];
    let bad = PartitionProduceResponse {
        index: 1,
        error_code: 6,
        base_offset: -1,
        record_errors: &errors,
        error_message: Some("no leader"),
        ..Default::default()
    };
    let partitions = [good, bad];
    let topics = [TopicProduceResponse { name: "orders", topic_id: Uuid::ZERO, partition_responses: &partitions }];
    let old = ProduceResponse { responses: &topics, throttle_time_ms: 1, node_endpoints: &[] };
    response(8, old, |_: produce_response::ProduceResponse<'_>| ());
    let partitions =
        [good, PartitionProduceResponse { current_leader: LeaderIdAndEpoch { leader_id: 3, leader_epoch: 8 }, ..bad }];
    let topics = [TopicProduceResponse { name: "", topic_id: ID, partition_responses: &partitions }];
    let node_endpoints = &[NodeEndpoint { node_id: 3, host: "c", port: 1, rack: Some("r") }];
    let new = ProduceResponse { responses: &topics, node_endpoints, ..old };
    response(13, new, |_: produce_response::ProduceResponse<'_>| ());
}

#[test]
fn fetch_requests() {
    use fetch_request::*;
    let partition = FetchPartition {
        partition: 2,
        current_leader_epoch: 4,
        fetch_offset: 99,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let old = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 4 << 20,
        isolation_level: 1,
        session_id: 77,
        session_epoch: 1,
        topics: &[FetchTopic { topic: "orders", topic_id: Uuid::ZERO, partitions: &[partition] }],
        forgotten_topics_data: &[ForgottenTopic { topic: "old", topic_id: Uuid::ZERO, partitions: &[0, 1] }],
        rack_id: "r",
        ..Default::default()
    };
    request(11, old, |_: broker::fetch_request::FetchRequest<'_>| ());
    let partition = FetchPartition { last_fetched_epoch: 3, replica_directory_id: ID, high_watermark: -1, ..partition };
    let new = FetchRequest {
        cluster_id: Some("cluster"),
        replica_state: ReplicaState { replica_id: 9, replica_epoch: 10 },
        topics: &[FetchTopic { topic: "", topic_id: ID, partitions: &[partition] }],
        forgotten_topics_data: &[ForgottenTopic { topic: "", topic_id: OTHER_ID, partitions: &[0, 1] }],
        ..old
    };
    request(18, new, |_: broker::fetch_request::FetchRequest<'_>| ());
}

/// Trap 6: tagged fields inside of nested arrays (KIP-951).
#[test]
fn fetch_responses() {
    use broker::fetch_response::*;
    let full = PartitionData {
        partition_index: 2,
        high_watermark: 100,
        last_stable_offset: 98,
        log_start_offset: 1,
        aborted_transactions: Some(&[AbortedTransaction { producer_id: 1000, first_offset: 90 }]),
        preferred_read_replica: 5,
        records: Some(300),
        ..Default::default()
    };
    let moved = PartitionData {
        partition_index: 3,
        error_code: 6,
        high_watermark: -1,
        aborted_transactions: None,
        records: Some(0),
        ..Default::default()
    };
    let partitions = [full, moved];
    let topics = [FetchableTopicResponse { topic: "orders", topic_id: Uuid::ZERO, partitions: &partitions }];
    let old = FetchResponse { throttle_time_ms: 3, session_id: 77, responses: &topics, ..Default::default() };
    response(11, old, |_: fetch_response::FetchResponse<'_>| ());
    let moved = PartitionData {
        diverging_epoch: EpochEndOffset { epoch: 2, end_offset: 50 },
        current_leader: LeaderIdAndEpoch { leader_id: 3, leader_epoch: 8 },
        snapshot_id: SnapshotId { end_offset: 10, epoch: 1 },
        ..moved
    };
    let partitions = [full, moved];
    let topics = [FetchableTopicResponse { topic: "", topic_id: ID, partitions: &partitions }];
    let node_endpoints = &[NodeEndpoint { node_id: 3, host: "c", port: 1, rack: None }];
    let new = FetchResponse { responses: &topics, node_endpoints, ..old };
    response(18, new, |_: fetch_response::FetchResponse<'_>| ());
}

#[test]
fn list_offsets() {
    use list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
    let partitions = &[
        ListOffsetsPartition { partition_index: 1, current_leader_epoch: -1, timestamp: -2 },
        ListOffsetsPartition { partition_index: 2, current_leader_epoch: 6, timestamp: 1_700_000_000_000 },
    ];
    let topics = &[ListOffsetsTopic { name: "orders", partitions }];
    for (version, timeout_ms) in [(5, 0), (11, 1000)] {
        let message = ListOffsetsRequest { replica_id: -1, isolation_level: 1, topics, timeout_ms };
        request(version, message, |_: broker::list_offsets_request::ListOffsetsRequest<'_>| ());
    }

    use broker::list_offsets_response::*;
    let found = ListOffsetsPartitionResponse {
        partition_index: 1,
        error_code: 0,
        timestamp: 1_700_000_000_001,
        offset: 42,
        leader_epoch: 6,
    };
    let refused = ListOffsetsPartitionResponse { partition_index: 2, error_code: 78, ..Default::default() };
    let topics = &[ListOffsetsTopicResponse { name: "orders", partitions: &[found, refused] }];
    for version in [5, 11] {
        let message = ListOffsetsResponse { throttle_time_ms: 0, topics };
        response(version, message, |_: list_offsets_response::ListOffsetsResponse<'_>| ());
    }
}

#[test]
fn init_producer_id() {
    use init_producer_id_request::InitProducerIdRequest;
    let old = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 60000, ..Default::default() };
    let new = InitProducerIdRequest { transactional_id: Some("tx"), producer_id: 4000, producer_epoch: 5, ..old };
    for (version, message) in [(1, old), (5, new)] {
        request(version, message, |_: broker::init_producer_id_request::InitProducerIdRequest<'_>| ());
    }

    use broker::init_producer_id_response::InitProducerIdResponse;
    for version in [1, 5] {
        let message = InitProducerIdResponse {
            throttle_time_ms: 2,
            error_code: 51,
            producer_id: 4000,
            producer_epoch: 6,
            ..Default::default()
        };
        response(version, message, |_: init_producer_id_response::InitProducerIdResponse| ());
    }
}

#[test]
fn create_topics() {
    use create_topics_request::*;
    let topics = &[CreatableTopic {
        name: "orders",
        num_partitions: -1,
        replication_factor: -1,
        assignments: &[CreatableReplicaAssignment { partition_index: 0, broker_ids: &[1, 2, 3] }],
        configs: &[
            CreatableTopicConfig { name: "a", value: Some("b") },
            CreatableTopicConfig { name: "c", value: None },
        ],
    }];
    for version in [4, 7] {
        let message = CreateTopicsRequest { topics, timeout_ms: 1234, validate_only: true };
        request(version, message, |_: broker::create_topics_request::CreateTopicsRequest<'_>| ());
    }

    use broker::create_topics_response::*;
    let made = CreatableTopicResult { name: "orders", error_message: None, ..Default::default() };
    let failed = CreatableTopicResult {
        name: "bad",
        error_code: 17,
        error_message: Some("not a name"),
        ..CreatableTopicResult::default()
    };
    let old = CreateTopicsResponse { throttle_time_ms: 0, topics: &[made, failed] };
    response(4, old, |_: create_topics_response::CreateTopicsResponse<'_>| ());
    let config =
        CreatableTopicConfigs { name: "a", value: None, read_only: true, config_source: 5, is_sensitive: true };
    let made = CreatableTopicResult {
        topic_id: ID,
        num_partitions: 6,
        replication_factor: 3,
        configs: Some(&[config]),
        ..made
    };
    let failed = CreatableTopicResult { topic_config_error_code: 29, configs: None, ..failed };
    let new = CreateTopicsResponse { throttle_time_ms: 0, topics: &[made, failed] };
    response(7, new, |_: create_topics_response::CreateTopicsResponse<'_>| ());
}
