use crate::testing::Bench;
use crate::{AutoCreate, ClusterConfig};
use core::time::Duration;
use klamm::ErrorCode;
use klamm::wire::Uuid;
use klamm::wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm::wire::metadata_response::MetadataResponse;

const ALL: MetadataRequest<'_> = MetadataRequest {
    topics: None,
    allow_auto_topic_creation: false,
    include_cluster_authorized_operations: false,
    include_topic_authorized_operations: false,
};

fn named(name: &str) -> MetadataRequestTopic<'_> {
    MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name) }
}

/// (name, error, partitions) of each topic that is asked for.
fn ask(bench: &mut Bench, version: i16, topics: &[MetadataRequestTopic<'_>]) -> Vec<(Option<String>, i16, usize)> {
    let request = MetadataRequest { topics: Some(topics), allow_auto_topic_creation: true, ..ALL };
    let answer = bench.call(1, version, &request);
    let body: MetadataResponse<'_> = answer.read();
    body.topics.iter().map(|t| (t.name.map(str::to_owned), t.error_code, t.partitions.len())).collect()
}

/// Trap 8: version 0 asks for all topics with an empty list; later ones with null, and empty means none.
#[test]
fn all_none_and_named_in_every_version() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("a", 2, 3);
    bench.cluster.create_topic("b", 1, 1);
    for version in 0..=13 {
        let none = ask(&mut bench, version, &[]).len();
        assert_eq!(none, if version == 0 { 2 } else { 0 }, "version {version}");
        if version > 0 {
            let answer = bench.call(1, version, &MetadataRequest { allow_auto_topic_creation: true, ..ALL });
            assert_eq!(answer.read::<MetadataResponse<'_>>().topics.len(), 2, "version {version}");
        }
        let some = ask(&mut bench, version, &[named("b"), named("nope"), named("bad name")]);
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
        let invalid = ErrorCode::INVALID_TOPIC_EXCEPTION.0;
        let name = |name: &str| Some(name.to_owned());
        let expected = [(name("b"), 0, 1), (name("nope"), unknown, 0), (name("bad name"), invalid, 0)];
        assert_eq!(some, expected, "version {version}");
    }
    assert_eq!(bench.cluster.topics().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn brokers_leaders_and_replicas() {
    let addresses = vec![("::1".to_owned(), 1), ("two".to_owned(), 2)];
    let mut bench = Bench::with(ClusterConfig { addresses, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 4, 2);
    bench.cluster.kill(2);
    let answer = bench.call(1, 13, &ALL);
    let body: MetadataResponse<'_> = answer.read();
    let brokers: Vec<(i32, &str, i32)> = body.brokers.iter().map(|b| (b.node_id, b.host, b.port)).collect();
    assert_eq!(brokers, [(1, "::1", 1), (3, "broker-3", 9092)]);
    assert_eq!(body.controller_id, 1);
    let topic = body.topics.iter().next().unwrap();
    assert_eq!(Some(topic.topic_id), bench.cluster.topic_id("t"));
    let partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|p| {
            let list = |nodes: klamm::wire::Array<'_, i32>| nodes.iter().collect::<Vec<_>>();
            let (replicas, isr, offline) = (list(p.replica_nodes), list(p.isr_nodes), list(p.offline_replicas));
            (p.error_code, p.leader_id, p.leader_epoch, replicas, isr, offline)
        })
        .collect();
    let expected = [
        (0, 1, 0, vec![1, 2], vec![1], vec![2]),
        (0, 3, 1, vec![2, 3], vec![3], vec![2]),
        (0, 3, 0, vec![3, 1], vec![3, 1], vec![]),
        (0, 1, 0, vec![1, 2], vec![1], vec![2]),
    ];
    assert_eq!(partitions, expected);
}

#[test]
fn a_partition_without_a_leader() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 3, 1);
    bench.cluster.kill(2);
    let answer = bench.call(1, 9, &ALL);
    let topic = answer.read::<MetadataResponse<'_>>().topics.iter().next().unwrap();
    let lost = topic.partitions.iter().nth(1).unwrap();
    assert_eq!((lost.error_code, lost.leader_id), (ErrorCode::LEADER_NOT_AVAILABLE.0, -1));
    bench.cluster.start(2);
    assert_eq!((bench.cluster.leader("t", 1), bench.cluster.leader_epoch("t", 1)), (Some(2), 2));
}

#[test]
fn topics_by_id() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 1);
    let topic_id = bench.cluster.topic_id("t").unwrap();
    let strange = Uuid([7; 16]);
    for version in 12..=13 {
        let asked = [topic_id, strange].map(|topic_id| MetadataRequestTopic { topic_id, name: None });
        let expected = [(Some("t".to_owned()), 0, 1), (None, ErrorCode::UNKNOWN_TOPIC_ID.0, 0)];
        assert_eq!(ask(&mut bench, version, &asked), expected);
    }
    // Trap 8: versions 10 and 11 have the field and must not use it.
    for version in 10..=11 {
        let asked = [MetadataRequestTopic { topic_id, name: Some("t") }];
        assert_eq!(ask(&mut bench, version, &asked)[0].1, ErrorCode::INVALID_REQUEST.0);
        let asked = [MetadataRequestTopic { topic_id, name: None }];
        let answer = ask(&mut bench, version, &asked);
        assert_eq!(answer, [(Some(String::new()), ErrorCode::INVALID_REQUEST.0, 0)]);
    }
    bench.cluster.zero_topic_ids(true);
    let answer = bench.call(1, 12, &ALL);
    assert!(answer.read::<MetadataResponse<'_>>().topics.iter().all(|t| t.topic_id.is_zero()));
}

#[test]
fn a_topic_is_created_when_asked_for_and_unknown_for_a_while() {
    let auto_create = Some(AutoCreate { partitions: 4, replication: 2 });
    let creation_delay = Duration::from_millis(30);
    let mut bench = Bench::with(ClusterConfig { auto_create, creation_delay, ..ClusterConfig::default() });
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
    let no = MetadataRequest { topics: Some(&[named("t")]), ..ALL };
    bench.call(1, 9, &no);
    assert_eq!(bench.cluster.topics().count(), 0, "created although the client does not allow it");
    assert_eq!(ask(&mut bench, 9, &[named("t")])[0].1, unknown);
    bench.wait(29);
    assert_eq!(ask(&mut bench, 9, &[named("t")])[0].1, unknown);
    bench.wait(1);
    assert_eq!(ask(&mut bench, 9, &[named("t")])[0], (Some("t".to_owned()), 0, 4));
    assert_eq!(bench.cluster.replicas("t", 3), [1, 2]);
    bench.cluster.hide_topic("t", true);
    assert_eq!(ask(&mut bench, 9, &[named("t")])[0].1, unknown);
}
