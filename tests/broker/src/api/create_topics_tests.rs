use crate::testing::Bench;
use crate::{AutoCreate, ClusterConfig};
use core::time::Duration;
use klamm::ErrorCode;
use klamm::wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm::wire::create_topics_response::CreateTopicsResponse;
use klamm::wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm::wire::metadata_response::MetadataResponse;

const PLAIN: CreatableTopic<'_> =
    CreatableTopic { name: "t", num_partitions: 2, replication_factor: 3, assignments: &[], configs: &[] };

fn request<'a>(topics: &'a [CreatableTopic<'a>]) -> CreateTopicsRequest<'a> {
    CreateTopicsRequest { topics, timeout_ms: 1000, validate_only: false }
}

/// The code of each topic.
fn ask(bench: &mut Bench, topics: &[CreatableTopic<'_>]) -> Vec<ErrorCode> {
    let answer = bench.call(2, 7, &request(topics));
    answer.read::<CreateTopicsResponse<'_>>().topics.iter().map(|topic| ErrorCode(topic.error_code)).collect()
}

#[test]
fn every_version_creates() {
    let mut bench = Bench::new();
    for version in 2..=7 {
        let name = format!("t{version}");
        let configs = [CreatableTopicConfig { name: "cleanup.policy", value: Some("compact") }];
        let topics = [CreatableTopic { name: &name, configs: &configs, ..PLAIN }];
        let answer = bench.call(1, version, &request(&topics));
        let body: CreateTopicsResponse<'_> = answer.read();
        let topic = body.topics.iter().next().unwrap();
        assert_eq!((topic.name, topic.error_code, topic.error_message), (&*name, 0, None));
        if version >= 5 {
            assert_eq!((topic.num_partitions, topic.replication_factor), (2, 3));
            let configs: Vec<_> = topic.configs.unwrap().iter().map(|config| (config.name, config.value)).collect();
            assert_eq!(configs, [("cleanup.policy", Some("compact"))]);
        }
        if version >= 7 {
            assert_eq!(Some(topic.topic_id), bench.cluster.topic_id(&name));
        }
        assert_eq!(bench.cluster.replicas(&name, 1), [2, 3, 1]);
    }
}

#[test]
fn only_validated() {
    let mut bench = Bench::new();
    let answer = bench.call(1, 7, &CreateTopicsRequest { validate_only: true, ..request(&[PLAIN]) });
    let topic = answer.read::<CreateTopicsResponse<'_>>().topics.iter().next().unwrap();
    assert_eq!((topic.error_code, topic.num_partitions, topic.topic_id.is_zero()), (0, 2, true));
    assert_eq!(bench.cluster.topics().count(), 0);
}

#[test]
fn what_is_refused() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("there", 1, 1);
    bench.cluster.create_topic("a.b", 1, 1);
    let long = "x".repeat(250);
    let named = |name| CreatableTopic { name, ..PLAIN };
    let invalid = ErrorCode::INVALID_TOPIC_EXCEPTION;
    let cases = [
        (named("there"), ErrorCode::TOPIC_ALREADY_EXISTS),
        (named(""), invalid),
        (named("."), invalid),
        (named(".."), invalid),
        (named("a b"), invalid),
        (named(&long), invalid),
        (named("a_b"), invalid),
        (CreatableTopic { num_partitions: 0, ..PLAIN }, ErrorCode::INVALID_PARTITIONS),
        (CreatableTopic { num_partitions: -2, ..PLAIN }, ErrorCode::INVALID_PARTITIONS),
        (CreatableTopic { num_partitions: 10_001, ..PLAIN }, ErrorCode::POLICY_VIOLATION),
        (CreatableTopic { replication_factor: 0, ..PLAIN }, ErrorCode::INVALID_REPLICATION_FACTOR),
        (CreatableTopic { replication_factor: -2, ..PLAIN }, ErrorCode::INVALID_REPLICATION_FACTOR),
        (CreatableTopic { replication_factor: 4, ..PLAIN }, ErrorCode::INVALID_REPLICATION_FACTOR),
    ];
    for (topic, expected) in cases {
        assert_eq!(ask(&mut bench, &[topic]), [expected], "{topic:?}");
    }
    assert_eq!(ask(&mut bench, &[named("d"), named("d"), named("e")]), [ErrorCode::INVALID_REQUEST, ErrorCode::NONE]);
    assert_eq!(bench.cluster.topics().collect::<Vec<_>>(), ["a.b", "e", "there"]);
}

#[test]
fn settings_that_are_refused() {
    let mut bench = Bench::new();
    for (name, value) in [
        ("no.such.thing", Some("1")),
        ("message.timestamp.type", Some("Never")),
        ("max.message.bytes", Some("many")),
        ("cleanup.policy", Some("burn")),
        ("retention.ms", None),
    ] {
        let topic = CreatableTopic { configs: &[CreatableTopicConfig { name, value }], ..PLAIN };
        assert_eq!(ask(&mut bench, &[topic]), [ErrorCode::INVALID_CONFIG], "{name}");
    }
}

#[test]
fn assigned_by_hand() {
    let mut bench = Bench::new();
    let on = |partition_index, broker_ids| CreatableReplicaAssignment { partition_index, broker_ids };
    let by_hand = CreatableTopic { num_partitions: -1, replication_factor: -1, ..PLAIN };
    let invalid = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    let bad: [&[CreatableReplicaAssignment<'_>]; 6] = [
        &[on(0, &[1]), on(0, &[2])],
        &[on(1, &[1])],
        &[on(0, &[])],
        &[on(0, &[4])],
        &[on(0, &[1, 1])],
        &[on(0, &[1, 2]), on(1, &[1])],
    ];
    for assignments in bad {
        assert_eq!(ask(&mut bench, &[CreatableTopic { assignments, ..by_hand }]), [invalid], "{assignments:?}");
    }
    let assignments: &[CreatableReplicaAssignment<'_>] = &[on(1, &[1, 2]), on(0, &[3, 2])];
    for both in [
        CreatableTopic { assignments, num_partitions: 2, ..by_hand },
        CreatableTopic { assignments, replication_factor: 2, ..by_hand },
    ] {
        assert_eq!(ask(&mut bench, &[both]), [ErrorCode::INVALID_REQUEST]);
    }
    assert_eq!(ask(&mut bench, &[CreatableTopic { assignments, ..by_hand }]), [ErrorCode::NONE]);
    assert_eq!([bench.cluster.replicas("t", 0), bench.cluster.replicas("t", 1)], [[3, 2], [1, 2]]);
}

/// Trap 112: created is not yet visible, and which broker's defaults are meant by −1.
#[test]
fn defaults_and_the_time_until_it_is_seen() {
    let auto_create = Some(AutoCreate { partitions: 5, replication: 2 });
    let creation_delay = Duration::from_millis(10);
    let mut bench = Bench::with(ClusterConfig { auto_create, creation_delay, ..ClusterConfig::default() });
    let defaults = CreatableTopic { num_partitions: -1, replication_factor: -1, ..PLAIN };
    assert_eq!(ask(&mut bench, &[defaults]), [ErrorCode::NONE]);
    assert_eq!((bench.cluster.partitions("t"), bench.cluster.replicas("t", 0).len()), (5, 2));
    let seen = |bench: &mut Bench| {
        let topics = [MetadataRequestTopic { name: Some("t"), ..Default::default() }];
        let request = MetadataRequest { topics: Some(&topics), ..Default::default() };
        let answer = bench.call(1, 9, &request);
        ErrorCode(answer.read::<MetadataResponse<'_>>().topics.iter().next().unwrap().error_code)
    };
    assert_eq!(seen(&mut bench), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    bench.wait(10);
    assert_eq!(seen(&mut bench), ErrorCode::NONE);
}
