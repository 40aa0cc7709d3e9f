//! One partition, as people who come from rskafka use it, against real brokers.

use std::{sync::Arc, sync::OnceLock, time::Duration};

use klamm_kafka_tests::{Cluster, connect, create, within};
use klamm_tokio::{
    Aggregator, AggregatorError, Client, Codec, Config, ConfigChange, ConfigResource, ConfigSource, Error, ErrorCode,
    FetchedRecords, NewTopic, OffsetSpec, PartitionClient, Record, RecordAggregator, RecordBuf, StartAt,
    StatusDeaggregator, TryPush, UnknownTopic,
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(1, &[("auto.create.topics.enable", "false")]))
}

/// A new topic of one partition, and its client.
async fn begin(topic: &str) -> (Client, PartitionClient) {
    let client = connect(cluster()).await;
    create(&client, topic, 1, &[]).await;
    let partition = within("the leader", client.partition(topic, 0).build()).await.expect("opened");
    (client, partition)
}

async fn fetch(partition: &PartitionClient, offset: i64, most: u32) -> (FetchedRecords, i64) {
    let fetching = partition.fetch_records(offset, 1..most, Duration::from_secs(5));
    within("a fetch", fetching).await.unwrap_or_else(|error| panic!("{error}"))
}

/// All records from an offset to the high watermark, fetched one after the other.
async fn read_all(partition: &PartitionClient, mut offset: i64, most: u32) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    loop {
        let (records, high_watermark) = fetch(partition, offset, most).await;
        all.extend(records.iter().map(|r| (r.offset(), String::from_utf8_lossy(r.value().unwrap_or_default()).into())));
        offset = records.next_offset();
        if offset >= high_watermark {
            return all;
        }
    }
}

/// Each codec both ways, with keys, headers and times; offsets in order; empty calls cost nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn produce_and_fetch_with_each_codec() {
    // A producer for each codec, and each holds what its compressor takes.
    let config = Config::new(cluster().bootstrap()).memory_total(64 << 20);
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    create(&client, "codecs", 1, &[]).await;
    let partition = within("the leader", client.partition("codecs", 0).build()).await.expect("opened");
    assert_eq!(within("nothing", partition.produce([], Codec::None)).await, Ok(vec![]));
    let mut expected = 0;
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let text = format!("{codec:?} ").repeat(50);
        let record = |n: i64| Record::new().key("k").value(&text).header("foo", "bar").timestamp_ms(1_000 + n);
        let records: Vec<Record<'_>> = (0..20).map(record).collect();
        let offsets = within("an acknowledgement", partition.produce(records, codec)).await.expect("acknowledged");
        assert_eq!(offsets, (expected..expected + 20).collect::<Vec<i64>>());
        let (records, high_watermark) = fetch(&partition, expected, 1_000_000).await;
        assert_eq!((records.len(), records.next_offset(), high_watermark), (20, expected + 20, expected + 20));
        for (n, r) in records.iter().enumerate() {
            assert_eq!((r.offset(), r.timestamp(), r.key()), (expected + n as i64, 1_000 + n as i64, Some(&b"k"[..])));
            assert_eq!(r.value(), Some(text.as_bytes()));
            let headers: Vec<_> = r.headers().map(|h| (h.key_bytes, h.value)).collect();
            assert_eq!(headers, [(&b"foo"[..], Some(&b"bar"[..]))]);
        }
        // From the middle of the batch, which the broker gives whole (trap 22).
        assert_eq!(fetch(&partition, expected + 15, 1_000_000).await.0.len(), 5);
        expected += 20;
    }
    // All codecs in one answer.
    let all = read_all(&partition, 0, 1_000_000).await;
    assert_eq!(all.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), (0..100).collect::<Vec<i64>>());
}

/// What a fetch may bring and how long it waits: `max` bounds it but for the first batch, `min` holds it back until
/// `max_wait` is over (traps 21 and 77).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn least_and_most_of_a_fetch() {
    let (_client, partition) = begin("bounds").await;
    let large = "x".repeat(20_000);
    for _ in 0..5 {
        within("an acknowledgement", partition.produce([Record::new().value(&large)], Codec::None))
            .await
            .expect("acked");
    }
    assert_eq!(fetch(&partition, 0, 1_000_000).await.0.len(), 5);
    assert_eq!(fetch(&partition, 0, 45_000).await.0.len(), 2);
    assert_eq!(fetch(&partition, 1, 2).await.0.len(), 1, "one that is larger comes whole");
    let wait = Duration::from_millis(1_300);
    let start = std::time::Instant::now();
    let (records, _) = within("a fetch", partition.fetch_records(3, 500_000..1_000_000, wait)).await.expect("fetched");
    assert_eq!(records.len(), 2);
    assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
    // At the end there is nothing, until there is.
    let start = std::time::Instant::now();
    let (records, high_watermark) =
        within("a fetch", partition.fetch_records(5, 1..1_000, wait)).await.expect("fetched");
    assert_eq!((records.len(), records.next_offset(), high_watermark), (0, 5, 5));
    assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
    let reader = partition.clone();
    let waiting = tokio::spawn(async move { fetch(&reader, 5, 1_000).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    within("an acknowledgement", partition.produce([Record::new().value("new")], Codec::None)).await.expect("acked");
    assert_eq!(within("the new one", waiting).await.expect("no panic").0.len(), 1);
    let error = within("a fetch", partition.fetch_records(99, 1..1_000, wait)).await.expect_err("behind the end");
    assert!(matches!(error, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{error}");
}

/// Trap 80, and where the log begins after a deletion.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_and_deletions() {
    let (_client, partition) = begin("places").await;
    let offset = async |at| within("an offset", partition.offset(at)).await.expect("looked up");
    assert_eq!((offset(OffsetSpec::Earliest).await, offset(OffsetSpec::Latest).await), (Some(0), Some(0)));
    let records: Vec<Record<'_>> = [1_000, 3_000, 5_000].map(|t| Record::new().value("v").timestamp_ms(t)).into();
    within("an acknowledgement", partition.produce(records, Codec::None)).await.expect("acknowledged");
    assert_eq!((offset(OffsetSpec::Earliest).await, offset(OffsetSpec::Latest).await), (Some(0), Some(3)));
    assert_eq!(offset(OffsetSpec::Timestamp(2_000)).await, Some(1));
    assert_eq!(offset(OffsetSpec::Timestamp(9_000)).await, None);
    assert_eq!(within("a deletion", partition.delete_records(2)).await, Ok(2));
    assert_eq!((offset(OffsetSpec::Earliest).await, offset(OffsetSpec::Latest).await), (Some(2), Some(3)));
    let gone = within("a fetch", partition.fetch_records(0, 1..1_000, Duration::ZERO)).await.expect_err("deleted");
    assert!(matches!(gone, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{gone}");
    let far = within("a deletion", partition.delete_records(99)).await.expect_err("too far");
    assert!(matches!(far, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{far}");
    assert_eq!(within("a deletion", partition.delete_records(-1)).await, Ok(3));
    // A reader that begins at the beginning begins there.
    within("an acknowledgement", partition.produce([Record::new().value("w")], Codec::None)).await.expect("acked");
    let mut consumer = partition.consumer(StartAt::Earliest).build().expect("a consumer");
    let records = klamm_kafka_tests::read(&mut consumer).await;
    assert_eq!((records.len(), records.high_watermark(), records.next_offset()), (1, 4, 4));
}

/// Trap 45: a topic that is not there is an error at once, or waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_topic_is_what_the_builder_says() {
    let client = connect(cluster()).await;
    let open = |topic: &str, partition, unknown| client.partition(topic, partition).unknown_topic(unknown).build();
    let is_unknown = |error: &Error| matches!(error, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. });
    let start = std::time::Instant::now();
    let error = within("an error", open("later", 0, UnknownTopic::Error)).await.expect_err("it is not there");
    assert!(is_unknown(&error), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
    let patient = tokio::spawn(open("later", 0, UnknownTopic::Retry));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!patient.is_finished());
    create(&client, "later", 1, &[]).await;
    let partition = within("the topic", patient).await.expect("no panic").expect("there it is");
    assert_eq!(within("produced", partition.produce([Record::new().value("a")], Codec::None)).await, Ok(vec![0]));
    let error = within("an error", open("later", 7, UnknownTopic::Error)).await.expect_err("it has one partition");
    assert!(is_unknown(&error), "{error}");
    // A topic that goes away under its client.
    let strict = within("the leader", open("later", 0, UnknownTopic::Error)).await.expect("opened");
    within("produced", strict.produce([Record::new().value("b")], Codec::None)).await.expect("acknowledged");
    within("a deletion", client.admin().delete_topics(["later"])).await.expect("deleted");
    let start = std::time::Instant::now();
    let error = within("an error", strict.produce([Record::new().value("c")], Codec::None)).await.expect_err("gone");
    assert!(is_unknown(&error) || matches!(error, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_ID, .. }), "{error}");
    let error = within("an error", strict.fetch_records(0, 1..100, Duration::ZERO)).await.expect_err("gone");
    assert!(is_unknown(&error), "{error}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

/// The leader is killed while records are written and read, one by one: none is lost, none is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_is_killed() {
    let cluster = Cluster::start(3, &[("broker.session.timeout.ms", "3000"), ("broker.heartbeat.interval.ms", "500")]);
    let client = connect(&cluster).await;
    let new = NewTopic::new("moving", 1, 3).config("min.insync.replicas", "2");
    within("CreateTopics", client.admin().create_topics([new])).await.expect("created");
    let partition = within("the leader", client.partition("moving", 0).build()).await.expect("opened");
    let writer = partition.clone();
    let written = tokio::spawn(async move {
        let mut offsets = Vec::new();
        for n in 0..600 {
            let value = format!("{n}");
            let own = writer.produce([Record::new().value(&value)], Codec::None).await;
            offsets.extend(own.unwrap_or_else(|error| panic!("{n}: {error}")));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        offsets
    });
    let reader = partition.clone();
    let read = tokio::spawn(async move {
        let (mut all, mut offset) = (Vec::new(), 0);
        while all.len() < 600 {
            let wait = Duration::from_millis(200);
            let fetched = reader.fetch_records(offset, 1..100_000, wait).await;
            let (records, _) = fetched.unwrap_or_else(|error| panic!("at {offset}: {error}"));
            all.extend(records.iter().map(|r| String::from_utf8_lossy(r.value().unwrap_or_default()).into_owned()));
            offset = records.next_offset();
        }
        all
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let topics = within("topics", client.admin().list_topics()).await.expect("listed");
    let moving = topics.iter().find(|t| t.name == "moving").expect("listed");
    let leader = moving.partitions[0].leader.expect("a leader");
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.kill(leader as usize);
        cluster
    })
    .await
    .expect("killed");
    assert_eq!(within("all writes", written).await.expect("no panic"), (0..600).collect::<Vec<i64>>());
    let expected: Vec<String> = (0..600).map(|n| n.to_string()).collect();
    assert_eq!(within("all reads", read).await.expect("no panic"), expected);
    let mut listed = within("topics", client.admin().list_topics()).await.expect("listed");
    listed.retain(|t| t.name == "moving");
    assert_ne!(listed[0].partitions[0].leader, Some(leader));
    drop(cluster);
}

/// Packs numbers into one record, and tells each where it is.
#[derive(Default)]
struct Packer(Vec<u8>);

#[derive(Debug)]
struct Packed;

impl Aggregator for Packer {
    type Input = u8;
    type Tag = usize;
    type StatusDeaggregator = Packed;

    fn try_push(&mut self, number: u8) -> Result<TryPush<u8, usize>, AggregatorError> {
        if self.0.len() == 16 {
            return Ok(TryPush::NoCapacity(number));
        }
        self.0.push(number);
        Ok(TryPush::Aggregated(self.0.len() - 1))
    }

    fn flush(&mut self) -> Result<(Vec<RecordBuf>, Packed), AggregatorError> {
        Ok((vec![RecordBuf::new().value(std::mem::take(&mut self.0))], Packed))
    }
}

impl StatusDeaggregator for Packed {
    type Status = (i64, usize);
    type Tag = usize;

    fn deaggregate(&self, offsets: &[i64], tag: usize) -> Result<(i64, usize), AggregatorError> {
        Ok((*offsets.first().ok_or("no offset")?, tag))
    }
}

/// Fifty tasks, several inputs a record, a status for each; some tasks give up, and their inputs are there all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_tasks_share_an_aggregator() {
    let (_client, partition) = begin("packed").await;
    let builder = partition.batch_producer().linger(Duration::from_millis(20)).compression(Codec::Lz4);
    let producer = Arc::new(builder.build(Packer::default()).expect("builds"));
    let tasks: Vec<_> = (0..50_u8)
        .map(|n| {
            let producer = Arc::clone(&producer);
            tokio::spawn(async move {
                let producing = producer.produce(n);
                if n % 10 == 9 {
                    // It is polled, and then dropped.
                    let _ = tokio::time::timeout(Duration::from_millis(1), producing).await;
                    return (n, None);
                }
                (n, Some(producing.await.unwrap_or_else(|error| panic!("{n}: {error}"))))
            })
        })
        .collect();
    let mut told = Vec::new();
    for task in tasks {
        told.push(within("a status", task).await.expect("no panic"));
    }
    within("a flush", producer.flush()).await.expect("flushed");
    let (records, _) = fetch(&partition, 0, 1_000_000).await;
    let packed: Vec<Vec<u8>> = records.iter().map(|r| r.value().unwrap_or_default().to_vec()).collect();
    assert!((3..20).contains(&packed.len()), "{packed:?}");
    for (n, status) in told {
        let count = packed.iter().flatten().filter(|packed| **packed == n).count();
        match status {
            Some((offset, place)) => assert_eq!((packed[offset as usize][place], count), (n, 1)),
            // It may have waited for room in the aggregator when it was dropped.
            None => assert!(count <= 1, "{n}: {count} times"),
        }
    }
}

/// The ready-made aggregator: records by bytes, an offset for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_batched_by_bytes() {
    let (client, partition) = begin("batched").await;
    let builder = partition.batch_producer().linger(Duration::from_secs(2));
    let producer = Arc::new(builder.build(RecordAggregator::new(1_024)).expect("builds"));
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let producer = Arc::clone(&producer);
            let record = RecordBuf::new().value(format!("{n:0>100}")).header("foo", "bar");
            tokio::spawn(async move { producer.produce(record).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Dropped by the last task: what lingers goes at once.
    drop(producer);
    let mut offsets = Vec::new();
    for task in tasks {
        offsets.push(within("an offset", task).await.expect("no panic").expect("acknowledged"));
    }
    offsets.sort_unstable();
    assert_eq!(offsets, (0..100).collect::<Vec<i64>>());
    assert_eq!(read_all(&partition, 0, 3_000).await.len(), 100);
    drop((partition, client));
}

/// What Java's tools write is read, and what is written they read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafkas_own_tools_read_and_write() {
    let (_client, partition) = begin("both").await;
    let records = [Record::new().key("a").value("ours"), Record::new().key("b").value("too")];
    within("produced", partition.produce(records, Codec::Zstd)).await.expect("acknowledged");
    tokio::task::spawn_blocking(|| {
        let args = ["console-producer", "--topic", "both", "--compression-codec", "gzip"];
        cluster().tool_with_input(&args, b"theirs\nas well\n");
        let said = cluster().tool(&[
            "console-consumer",
            "--topic",
            "both",
            "--from-beginning",
            "--max-messages",
            "4",
            "--timeout-ms",
            "20000",
        ]);
        assert_eq!(said.lines().collect::<Vec<_>>(), ["ours", "too", "theirs", "as well"]);
    })
    .await
    .expect("no panic");
    let values: Vec<String> = read_all(&partition, 0, 1_000_000).await.into_iter().map(|(_, v)| v).collect();
    assert_eq!(values, ["ours", "too", "theirs", "as well"]);
}

/// Topics are listed with their partitions (trap 8); settings are described, changed, and deleted again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_settings() {
    let client = connect(cluster()).await;
    create(&client, "listed", 3, &[("retention.ms", "123456")]).await;
    let admin = client.admin();
    let topics = within("topics", admin.list_topics()).await.expect("listed");
    let listed = topics.iter().find(|t| t.name == "listed").expect("it is there");
    assert!(!listed.is_internal);
    let parts: Vec<_> = listed.partitions.iter().map(|p| (p.partition, p.leader, &*p.replicas, &*p.in_sync)).collect();
    assert_eq!(parts, (0..3).map(|n| (n, Some(1), &[1][..], &[1][..])).collect::<Vec<_>>());
    let topic = || ConfigResource::topic("listed");
    let look = async || {
        let described = within("configs", admin.describe_configs([topic()])).await.expect("described");
        let one = |name: &str| {
            let entry = described[0].entries.iter().find(|e| e.name == name).expect("a setting");
            (entry.value.clone().unwrap_or_default(), entry.source)
        };
        (one("retention.ms"), one("cleanup.policy"))
    };
    assert_eq!(look().await, (("123456".into(), ConfigSource::Topic), ("delete".into(), ConfigSource::Default)));
    if !cluster().is_at_least(2, 3) {
        return;
    }
    let changes =
        vec![ConfigChange::delete("retention.ms"), ConfigChange::Append("cleanup.policy".into(), "compact".into())];
    let changed = within("changed", admin.incremental_alter_configs([(topic(), changes)])).await.expect("changed");
    assert_eq!(changed, [topic()]);
    // A broker may know the former ones for a moment.
    within("the change", async {
        while look().await
            != (("604800000".into(), ConfigSource::Default), ("delete,compact".into(), ConfigSource::Topic))
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let wrong = [
        (topic(), vec![ConfigChange::set("retention.ms", "much")]),
        (ConfigResource::topic("not.there"), vec![ConfigChange::set("retention.ms", "1")]),
    ];
    let error = within("refused", admin.incremental_alter_configs(wrong)).await.expect_err("both are wrong");
    assert_eq!((error.done.len(), error.failed.len()), (0, 2), "{error}");
    let resources = [ConfigResource::Broker(1), ConfigResource::AllBrokers, topic(), ConfigResource::topic("no.such")];
    let error = within("described", admin.describe_configs(resources)).await.expect_err("one is not there");
    assert_eq!((error.done.len(), error.failed.len()), (3, 1), "{error}");
    let broker = error.done.iter().find(|d| d.resource == ConfigResource::Broker(1)).expect("described");
    assert!(broker.value("log.dirs").is_some() && broker.entries.iter().any(|e| e.is_read_only));
    let set = vec![ConfigChange::set("log.cleaner.threads", "2")];
    let all = [(ConfigResource::AllBrokers, set.clone()), (ConfigResource::Broker(1), set)];
    within("changed", admin.incremental_alter_configs(all)).await.expect("changed");
    let patient = klamm_tokio::connect_with(Config::new(cluster().bootstrap()).request_timeout(Duration::from_secs(2)));
    let patient = patient.await.expect("connected").admin();
    let nobody = within("nobody", patient.describe_configs([ConfigResource::Broker(77)])).await.expect_err("nobody");
    assert!(matches!(nobody.failed[0].1, Error::TimedOut { .. }), "{nobody}");
}
