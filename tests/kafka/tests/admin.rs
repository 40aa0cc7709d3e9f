//! Creating topics, on three brokers.

use std::{sync::OnceLock, time::Duration};

use klamm_kafka_tests::{Cluster, connect, within};
use klamm_tokio::{Config, CreateTopicsError, CreatedTopic, Error, ErrorCode, NewTopic, Record};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(3, &[("num.partitions", "3"), ("default.replication.factor", "2")]))
}

async fn create(topics: Vec<NewTopic>) -> Result<Vec<CreatedTopic>, CreateTopicsError> {
    within("CreateTopics", connect(cluster()).await.admin().create_topics(topics)).await
}

/// Trap 112: when the call answers, the topic is in the metadata with all its leaders, and the first record goes
/// through at once. Traps 45 and 48: what other brokers do not know yet is retried.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn created_topics_can_be_used_at_once() {
    let client = connect(cluster()).await;
    for round in 0..8 {
        let name = format!("at-once-{round}");
        let created = within("CreateTopics", client.admin().create_topics([NewTopic::new(&name, 6, 3)])).await;
        let created = created.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((created[0].name.as_str(), created[0].partitions, created[0].replication_factor), (&*name, 6, 3));
        // A second client, which may ask another broker.
        let producer = connect(cluster()).await.producer().build().expect("a producer");
        for partition in 0..6 {
            let record = Record::to(&name).partition(partition).value("first");
            let meta = within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
            assert_eq!(meta.offset(), 0);
        }
    }
}

/// Several at once with settings, and the brokers' defaults where −1 asks for them (KIP-464, KIP-525).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_and_defaults() {
    let made = create(vec![
        NewTopic::new("settings", 2, 1).config("cleanup.policy", "compact").config("max.message.bytes", "12345"),
        NewTopic::new("defaults", -1, -1),
    ])
    .await
    .expect("created");
    let counts = |name: &str| {
        let topic = made.iter().find(|t| t.name == name).expect("answered");
        (topic.partitions, topic.replication_factor)
    };
    assert_eq!(counts("settings"), (2, 1));
    assert_eq!(counts("defaults"), (3, 2));
    let shown = cluster().tool(&["topics", "--describe", "--topic", "settings"]);
    assert!(shown.contains("cleanup.policy=compact") && shown.contains("max.message.bytes=12345"), "{shown}");
    let shown = cluster().tool(&["topics", "--describe", "--topic", "defaults"]);
    assert!(shown.contains("PartitionCount: 3") && shown.contains("ReplicationFactor: 2"), "{shown}");
}

/// Each topic has its own answer: what cannot be made is named with the broker's code and words, the rest is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_name_the_topic_and_the_reason() {
    create(vec![NewTopic::new("there", 1, 1)]).await.expect("created");
    let error = create(vec![
        NewTopic::new("there", 1, 1),
        NewTopic::new("too-many-replicas", 1, 4),
        NewTopic::new("no-partitions", 0, 1),
        NewTopic::new("bad-setting", 1, 1).config("cleanup.policy", "sometimes"),
        NewTopic::new("no such name!", 1, 1),
        NewTopic::new("made-all-the-same", 1, 1),
    ])
    .await
    .expect_err("five are refused");
    let names: Vec<&str> = error.created.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["made-all-the-same"]);
    let reason = |name: &str| &error.failed.iter().find(|(n, _)| n == name).expect("refused").1;
    for (name, code) in [
        ("there", ErrorCode::TOPIC_ALREADY_EXISTS),
        ("too-many-replicas", ErrorCode::INVALID_REPLICATION_FACTOR),
        ("no-partitions", ErrorCode::INVALID_PARTITIONS),
        ("bad-setting", ErrorCode::INVALID_CONFIG),
    ] {
        let Error::Broker { code: told, message, what, .. } = reason(name) else { panic!("{}", reason(name)) };
        assert_eq!(*told, code, "{name}");
        assert!(what.contains(name) && message.as_ref().is_some_and(|m| !m.is_empty()), "{what} {message:?}");
    }
    assert!(matches!(reason("no such name!"), Error::Config { knob: "topic", .. }));
    let text = error.to_string();
    assert!(text.contains("topic there: ") && text.contains("TOPIC_ALREADY_EXISTS"), "{text}");
    assert_eq!(error.failed.len(), 5);
}

/// Nothing asked for is nothing done; the same name twice in one call is refused by the broker; and a call that no broker
/// answers ends with the request timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_calls_end_too() {
    assert_eq!(create(Vec::new()).await, Ok(Vec::new()));
    let twice = create(vec![NewTopic::new("twice", 1, 1), NewTopic::new("twice", 1, 1)]).await.expect_err("refused");
    assert!(matches!(&twice.failed[..], [(_, Error::Config { knob: "topics", .. })]), "{twice}");
    assert_eq!(twice.created, []);

    let single = Cluster::start(1, &[]);
    let config = Config::new(single.bootstrap()).request_timeout(Duration::from_millis(1_500));
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    single.pause(1);
    let error = within("the time-out", client.admin().create_topics([NewTopic::new("late", 1, 1)])).await;
    let error = Error::from(error.expect_err("nobody answers"));
    assert!(matches!(error, Error::TimedOut { knob: "request_timeout_ms", .. }), "{error}");
    single.resume(1);
}
