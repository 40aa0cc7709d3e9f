//! Brokers that are years old: what still works with them, and how those that are too old are refused.

use std::time::{Duration, Instant};

use klamm_kafka_tests::{Cluster, connect, connect_spied, create, poll_until, read, read_until, within};
use klamm_tokio::{Acks, Client, Config, Consumer, Error, ErrorCode, Fate, PeerFault, Record, StartAt};

const FIRST: i64 = 1_700_000_000_000;

fn from(client: &Client, topic: &str, start: StartAt) -> Consumer {
    client.consumer().assign([(topic, 0)]).from(start).build().expect("a consumer")
}

/// Sends `count` numbered records to partition 0, a second apart by their timestamps, and checks their offsets.
async fn write(client: &Client, topic: &str, acks: Acks, first: i64, count: i64) {
    let producer = client.producer().acks(acks).build().expect("a producer");
    for number in first..first + count {
        let record = Record::to(topic).partition(0).key("k").value(format!("{number}")).header("n", "1");
        let meta = within("an acknowledgement", producer.send(record.timestamp_ms(FIRST + 1_000 * number))).await;
        let offset = meta.unwrap_or_else(|error| panic!("{topic}: {error}")).offset();
        assert_eq!(offset, if acks == Acks::None { -1 } else { number }, "{topic}");
    }
}

/// Reads to number `end`, without a gap; answers where that began.
async fn numbers(consumer: &mut Consumer, end: i64) -> i64 {
    let last = end.to_string().into_bytes();
    let all = read_until(consumer, |all| all.last().is_some_and(|(_, r)| r.value.as_ref() == Some(&last))).await;
    let first = all[0].1.offset;
    for (at, (_, record)) in (first..).zip(&all) {
        assert_eq!((record.offset, record.value.as_deref()), (at, Some(at.to_string().as_bytes())));
        assert_eq!((record.headers.len(), record.timestamp_ms), (1, FIRST + 1_000 * at));
    }
    first
}

/// Everything that needs an API: topics are made, records go out in each kind of acknowledgement, reading begins
/// wherever it may, times are the log's where the topic says so, and a broker that was killed and is back is met again.
async fn serves(version: &str) {
    let cluster = Cluster::start_release(version, 1, &[("log.retention.ms", "-1")]);
    let client = connect(&cluster).await;
    create(&client, "all", 3, &[]).await;
    write(&client, "all", Acks::All, 0, 20).await;
    write(&client, "all", Acks::Leader, 20, 10).await;
    write(&client, "all", Acks::None, 30, 10).await;
    write(&client, "all", Acks::All, 40, 10).await;
    for (start, first) in [
        (StartAt::Earliest, 0),
        (StartAt::Offset(17), 17),
        (StartAt::Timestamp(FIRST + 24_500), 25),
        (StartAt::Timestamp(0), 0),
    ] {
        assert_eq!(numbers(&mut from(&client, "all", start), 49).await, first, "{version} {start:?}");
    }
    let mut latest = client.consumer().topics(["all"]).from(StartAt::Latest).build().expect("a consumer");
    poll_until("the end is known", || latest.position("all", 0).is_some()).await;

    create(&client, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let producer = client.producer().build().expect("a producer");
    let told = within("a ticket", producer.send(Record::to("stamped").value("v").timestamp_ms(5))).await;
    let told = told.expect("acknowledged").timestamp_ms();
    let read = read(&mut from(&client, "stamped", StartAt::Earliest)).await.to_owned();
    assert!(told > FIRST && read[0].timestamp_ms == told, "{version}: {told} {read:?}");

    // Keys and turns over partitions; and the producer's own sequence over a broker's death.
    for i in 0..300 {
        let record = Record::to("all").key(format!("{i}")).value("spread");
        drop(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let at_end = latest.position("all", 0).expect("known");
    assert_eq!(at_end, 50);
    let all = read_until(&mut latest, |all| all.len() >= 300).await;
    assert!((0..3).all(|p| all.iter().any(|(at, _)| *at == p)), "{version}");
    cluster.kill(1);
    cluster.restart(1);
    let meta = within("an acknowledgement", producer.send(Record::to("all").key("0").value("again"))).await;
    let meta = meta.unwrap_or_else(|error| panic!("{version}: {error}"));
    let again = read_until(&mut latest, |all| !all.is_empty()).await;
    assert_eq!((again.len(), again[0].0, again[0].1.offset), (1, meta.partition(), meta.offset()), "{version}");
}

/// The oldest release that KIP-896 asks new clients to serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_2_1_serves() {
    serves("2.1.1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_2_4_serves() {
    serves("2.4.1").await;
}

/// Trap 72: before topics had ids, one made anew is known only by leader epochs that begin again. They are believed, or
/// who still has the epochs of the old one would be refused for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_without_an_id_is_read_again() {
    let cluster = Cluster::start_release("2.4.1", 3, &[]);
    let client = connect(&cluster).await;
    let anew = || klamm_tokio::NewTopic::new("anew", 1, 3);
    within("CreateTopics", client.admin().create_topics([anew()])).await.expect("created");
    write(&client, "anew", Acks::All, 0, 5).await;
    for id in 1..=3 {
        // Whoever leads is among them: the epoch goes up.
        cluster.terminate(id);
        cluster.restart(id);
    }
    let mut consumer = from(&client, "anew", StartAt::Earliest);
    assert_eq!(numbers(&mut consumer, 4).await, 0);
    write(&client, "anew", Acks::All, 5, 1).await;
    assert_eq!(numbers(&mut consumer, 5).await, 5);
    let log = cluster.dump_log(1, "anew", 0);
    assert!((1..9).any(|epoch| log.contains(&format!("partitionLeaderEpoch: {epoch} "))), "no leader moved:\n{log}");

    cluster.tool(&["topics", "--delete", "--topic", "anew"]);
    let (other, start) = (connect(&cluster).await, Instant::now());
    while let Err(error) = other.admin().create_topics([anew()]).await {
        assert!(error.to_string().contains("TOPIC_ALREADY_EXISTS") && start.elapsed().as_secs() < 30, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    write(&other, "anew", Acks::All, 0, 5).await;
    consumer.seek("anew", 0, StartAt::Earliest).expect("read by this consumer");
    assert_eq!(numbers(&mut consumer, 4).await, 0);
    write(&client, "anew", Acks::All, 5, 1).await;
}

/// Below KIP-896's release, but not below its versions of the few APIs that are needed here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_2_0_serves() {
    serves("2.0.1").await;
}

/// The first release with record batches of format 2, and with producer ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_0_11_serves() {
    serves("0.11.0.3").await;
}

/// Trap 3: what a broker and this client have no common version of is told at once, with both ranges, by every way in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_0_10_is_refused_with_both_ranges() {
    let cluster = Cluster::start_release("0.10.2.2", 1, &[("auto.create.topics.enable", "true")]);
    let client = connect(&cluster).await;
    let start = Instant::now();
    let refused = |error: &Error, api: &str, broker: (i16, i16), ours: i16| {
        let text = error.to_string();
        let Error::Peer { fault, .. } = error else { panic!("{text}") };
        let PeerFault::NoCommonVersion { api: named, broker_min, broker_max, min, .. } = fault else {
            panic!("{text}")
        };
        assert_eq!((*named, (*broker_min, *broker_max), *min), (api, broker, ours), "{text}");
        assert!(text.contains(cluster.bootstrap()) && !error.is_retriable(), "{text}");
        assert_eq!(error.fate(), Fate::NotPersisted);
    };
    let error = within("a refusal", client.admin().create_topics([klamm_tokio::NewTopic::new("new", 1, 1)])).await;
    refused(&Error::from(error.expect_err("CreateTopics 2 came later")), "CreateTopics", (0, 1), 2);
    for (acks, api, broker, ours) in [
        (Acks::All, "InitProducerId", (-1, -1), 0),
        (Acks::Leader, "Produce", (0, 2), 3),
        (Acks::None, "Produce", (0, 2), 3),
    ] {
        let producer = client.producer().acks(acks).build().expect("a producer");
        let error = within("a refusal", producer.send(Record::to("old").value("v"))).await.expect_err("too old");
        refused(&error, api, broker, ours);
    }
    let mut consumer = from(&client, "old", StartAt::Earliest);
    let error = within("a refusal", consumer.next()).await.expect_err("Fetch 4 came later");
    refused(&error, "Fetch", (0, 3), 4);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?} for five refusals", start.elapsed());
}

/// Trap 20: a topic of old brokers may hold batches of format 0 and 1. They are named, with the offset, and a seek passes
/// them; a producer with a sequence, which those formats have no place for, learns what to switch off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_formats_are_named_and_passed_by_a_seek() {
    let cluster = Cluster::start_release("2.8.2", 1, &[("log.retention.ms", "-1")]);
    let (client, wire) = connect_spied(Config::new(cluster.bootstrap())).await.expect("connected");
    for (topic, format, magic) in [("plain", "0.10.2", "1"), ("untimed", "0.9.0", "0")] {
        create(&client, topic, 1, &[]).await;
        write(&client, topic, Acks::Leader, 0, 3).await;
        set_format(&cluster, topic, format);
        let plain = client.producer().acks(Acks::Leader).build().expect("a producer");
        // The broker writes in the old format what came in the new one.
        for offset in 3..6 {
            let meta = within("an acknowledgement", plain.send(Record::to(topic).value("old"))).await;
            assert_eq!(meta.expect("acknowledged").offset(), offset);
        }
        let sequenced = client.producer().build().expect("a producer");
        let error = within("a refusal", sequenced.send(Record::to(topic).value("v"))).await.expect_err("refused");
        let Error::Broker { code: ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT, .. } = error else { panic!("{error}") };
        set_format(&cluster, topic, "2.8");
        write(&client, topic, Acks::All, 6, 3).await;

        let mut consumer = from(&client, topic, StartAt::Earliest);
        numbers(&mut consumer, 2).await;
        let error = within("an error", consumer.next()).await.expect_err("an old format");
        let text = error.to_string();
        assert!(matches!(error, Error::Peer { fault: PeerFault::Batch { offset: 3, .. }, .. }), "{text}");
        assert!(text.contains(&format!("{topic}-0 at offset 3")), "{text}");
        assert!(text.contains(&format!("format {magic} is not supported, only 2 is")), "{text}");
        let sent = wire.sent(klamm_kafka_tests::Api::Fetch);
        let next = tokio::time::timeout(Duration::from_millis(1_500), consumer.next()).await;
        assert!(next.is_err(), "told once: {next:?}");
        assert!(wire.sent(klamm_kafka_tests::Api::Fetch) - sent < 10, "asked for again and again");
        consumer.seek(topic, 0, StartAt::Offset(6)).expect("read by this consumer");
        assert_eq!(numbers(&mut consumer, 8).await, 6);
    }
}

fn set_format(cluster: &Cluster, topic: &str, format: &str) {
    let setting = format!("message.format.version={format}");
    let what = ["--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", &setting];
    cluster.tool(&[&["configs"][..], &what].concat());
}
