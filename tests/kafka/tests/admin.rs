//! Creating topics, on three brokers.

use std::{sync::OnceLock, time::Duration};

use klamm_kafka_tests::{Cluster, connect, poll_until, within};
use klamm_tokio::{AdminError, Config, CreatedTopic, Error, ErrorCode, NewTopic, OffsetSpec, PeerFault, Record};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(3, &[("num.partitions", "3"), ("default.replication.factor", "2")]))
}

async fn create(topics: Vec<NewTopic>) -> Result<Vec<CreatedTopic>, AdminError<CreatedTopic>> {
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
    let names: Vec<&str> = error.done.iter().map(|t| t.name.as_str()).collect();
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
    assert_eq!(twice.done, []);

    let single = Cluster::start(1, &[]);
    let config = Config::new(single.bootstrap()).request_timeout(Duration::from_millis(1_500));
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    single.pause(1);
    let error = within("the time-out", client.admin().create_topics([NewTopic::new("late", 1, 1)])).await;
    let error = Error::from(error.expect_err("nobody answers"));
    assert!(matches!(error, Error::TimedOut { knob: "request_timeout_ms", .. }), "{error}");
    single.resume(1);
}

/// Trap 80: every place that a log has, looked up at the leaders of three brokers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_every_kind() {
    let client = connect(cluster()).await;
    create(vec![NewTopic::new("places", 3, 3)]).await.expect("created");
    let producer = client.producer().build().expect("a producer");
    for (n, time) in [1_000, 3_000, 2_000].into_iter().enumerate() {
        for partition in 0..3 {
            let record = Record::to("places").partition(partition).value(format!("{n}")).timestamp_ms(time);
            within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
        }
    }
    let look_up = async |spec| {
        let wanted = (0..3).map(|partition| ("places", partition, spec));
        let listed = within("ListOffsets", client.admin().list_offsets(wanted)).await?;
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|l| (l.offset, l.timestamp_ms) == (listed[0].offset, listed[0].timestamp_ms)));
        Ok::<_, AdminError<_>>((listed[0].offset, listed[0].timestamp_ms))
    };
    assert_eq!(look_up(OffsetSpec::Earliest).await, Ok((Some(0), None)));
    assert_eq!(look_up(OffsetSpec::Latest).await, Ok((Some(3), None)));
    assert_eq!(look_up(OffsetSpec::Timestamp(1_001)).await, Ok((Some(1), Some(3_000))));
    assert_eq!(look_up(OffsetSpec::Timestamp(3_001)).await, Ok((None, None)));
    // KIP-734 came with 3.0, KIP-405 with 3.4 and KIP-1005 with 3.9: a broker of before cannot be asked.
    let later = [
        (OffsetSpec::MaxTimestamp, (3, 0), (Some(1), Some(3_000))),
        (OffsetSpec::EarliestLocal, (3, 4), (Some(0), None)),
        (OffsetSpec::LatestTiered, (3, 9), (None, None)),
    ];
    for (spec, (major, minor), place) in later {
        let found = look_up(spec).await;
        if cluster().is_at_least(major, minor) {
            assert_eq!(found, Ok(place), "{spec:?}");
            continue;
        }
        let refused = found.expect_err("this broker is older than that");
        let is_named = |error: &Error| matches!(error, Error::Peer { fault: PeerFault::NoCommonVersion { .. }, .. });
        assert!(refused.failed.iter().all(|(_, error)| is_named(error)), "{refused}");
    }
}

/// Records are deleted up to an offset, or all of them, and a reader begins behind them; what cannot be is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_deleted() {
    let client = connect(cluster()).await;
    create(vec![NewTopic::new("shortened", 2, 3)]).await.expect("created");
    let producer = client.producer().build().expect("a producer");
    for n in 0..10 {
        let record = Record::to("shortened").partition(n % 2).value(format!("{n}"));
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
    }
    let before = [("shortened", 0, 3), ("shortened", 1, -1), ("shortened", 7, 0)];
    let config = Config::new(cluster().bootstrap()).request_timeout(Duration::from_secs(5));
    let patient = klamm_tokio::connect_with(config).await.expect("connected");
    let error = within("DeleteRecords", patient.admin().delete_records(before)).await.expect_err("one is not there");
    let mut deleted: Vec<(i32, i64)> = error.done.iter().map(|d| (d.partition, d.low_watermark)).collect();
    deleted.sort_unstable();
    assert_eq!(deleted, [(0, 3), (1, 5)]);
    assert_eq!(error.failed.len(), 1);
    assert!(error.to_string().contains("shortened-7"), "{error}");
    let far =
        within("DeleteRecords", client.admin().delete_records([("shortened", 0, 99)])).await.expect_err("too far");
    assert!(matches!(far.failed[0].1, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{far}");
    let wanted = [("shortened", 0, OffsetSpec::Earliest), ("shortened", 1, OffsetSpec::Earliest)];
    let mut listed = within("ListOffsets", client.admin().list_offsets(wanted)).await.expect("listed");
    listed.sort_by_key(|l| l.partition);
    assert_eq!(listed.iter().map(|l| l.offset).collect::<Vec<_>>(), [Some(3), Some(5)]);
}

/// Who is there, as Kafka's own tools know it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_is_described() {
    let client = connect(cluster()).await;
    let described = within("DescribeCluster", client.admin().describe_cluster()).await.expect("described");
    let mut addresses: Vec<String> = described.brokers.iter().map(|b| format!("{}:{}", b.host, b.port)).collect();
    addresses.sort();
    let mut bootstrap: Vec<&str> = cluster().bootstrap().split(',').collect();
    bootstrap.sort_unstable();
    assert_eq!(addresses, bootstrap);
    assert!((1..=3).contains(&described.controller_id), "{described:?}");
    assert!(!described.cluster_id.is_empty());
}

/// Topics are deleted, several at once; one that is not there is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_deleted() {
    let client = connect(cluster()).await;
    create(vec![NewTopic::new("gone-1", 3, 3), NewTopic::new("gone-2", 1, 1)]).await.expect("created");
    let error = within("DeleteTopics", client.admin().delete_topics(["gone-1", "gone-2", "never-there"])).await;
    let mut error = error.expect_err("one is not there");
    error.done.sort();
    assert_eq!(error.done, ["gone-1", "gone-2"]);
    assert!(matches!(error.failed[0].1, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{error}");
    let deleted = || {
        let left = cluster().tool(&["topics", "--list"]);
        !left.contains("gone-1") && !left.contains("gone-2")
    };
    poll_until("the topics are gone", deleted).await;
}
