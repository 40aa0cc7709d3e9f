//! One broker: where reading begins, how it goes on, and what it does with everything that a log can have.

use std::{
    collections::BTreeMap,
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Api, Cluster, connect, connect_spied, create, poll_until, read, read_until, within};
use klamm_tokio::{
    Client, Config, Consumer, Error, ErrorCode, OwnedRecord, Record, ResetPolicy, StartAt, UnknownTopic,
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // Logs are checked for compaction ten times a second. The tests' timestamps are older than Kafka keeps records.
    let settings =
        [("auto.create.topics.enable", "false"), ("log.cleaner.backoff.ms", "100"), ("log.retention.ms", "-1")];
    CLUSTER.get_or_init(|| Cluster::start(1, &settings))
}

/// Writes these values to partition 0 in one batch, a second apart by their timestamps; answers the first offset.
async fn write(client: &Client, topic: &str, values: std::ops::Range<usize>) -> i64 {
    let producer = client.producer().linger(Duration::from_secs(10)).build().expect("a producer");
    let mut tickets = Vec::new();
    for i in values {
        let record = Record::to(topic).partition(0).key(b"k").value(format!("{i}")).timestamp_ms(time_of(i));
        tickets.push(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let outcomes = tickets.into_iter().map(|ticket| ticket.outcome().expect("settled by the flush"));
    outcomes.map(|outcome| outcome.expect("acknowledged").offset()).min().expect("a record")
}

fn time_of(i: usize) -> i64 {
    1_700_000_000_000 + 1_000 * i as i64
}

fn value(record: &OwnedRecord) -> usize {
    std::str::from_utf8(record.value.as_deref().expect("a value")).expect("text").parse().expect("a number")
}

/// The next `n` values.
async fn values(consumer: &mut Consumer, n: usize) -> Vec<usize> {
    read_until(consumer, |all| all.len() >= n).await.iter().map(|(_, record)| value(record)).collect()
}

fn from(client: &Client, topic: &str, start: StartAt) -> Consumer {
    client.consumer().topics([topic]).from(start).build().expect("a consumer")
}

/// Nothing comes for a while.
async fn silence(consumer: &mut Consumer) {
    let next = tokio::time::timeout(Duration::from_millis(700), consumer.next()).await;
    assert!(next.is_err(), "{next:?}");
}

async fn known(consumer: &Consumer, topic: &str) -> i64 {
    poll_until("the position is known", || consumer.position(topic, 0).is_some()).await;
    consumer.position(topic, 0).expect("known")
}

/// Trap 80: earliest, latest, an offset, a time between two records, the time of one, and one that no record has
/// reached yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_begins_where_it_was_told() {
    let client = connect(cluster()).await;
    create(&client, "begin", 1, &[]).await;
    write(&client, "begin", 0..50).await;
    write(&client, "begin", 50..100).await;
    let cases = [
        (StartAt::Earliest, 0),
        (StartAt::Offset(0), 0),
        (StartAt::Offset(73), 73),
        (StartAt::Timestamp(0), 0),
        (StartAt::Timestamp(time_of(20)), 20),
        (StartAt::Timestamp(time_of(69) + 1), 70),
    ];
    for (start, first) in cases {
        let mut consumer = from(&client, "begin", start);
        let got = values(&mut consumer, 100 - first).await;
        assert!(got.iter().copied().eq(first..100), "{start:?}: {got:?}");
        assert_eq!(consumer.position("begin", 0), Some(100), "{start:?}");
    }
    let starts = [StartAt::Latest, StartAt::Timestamp(time_of(99) + 1), StartAt::Offset(100)];
    let mut consumers = starts.map(|start| from(&client, "begin", start));
    for consumer in &consumers {
        assert_eq!(known(consumer, "begin").await, 100);
    }
    silence(&mut consumers[0]).await;
    write(&client, "begin", 100..103).await;
    for consumer in &mut consumers {
        assert_eq!(values(consumer, 3).await, [100, 101, 102]);
    }
}

/// Trap 22: a broker gives whole batches, so reading from the middle of one begins with records that nobody asked for;
/// they are not handed out. The position says what comes next at every step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeking_into_a_batch_drops_what_is_before() {
    let client = connect(cluster()).await;
    create(&client, "seek", 1, &[]).await;
    assert_eq!(write(&client, "seek", 0..100).await, 0);
    assert_eq!(write(&client, "seek", 100..200).await, 100);
    let mut consumer = from(&client, "seek", StartAt::Earliest);
    assert!(values(&mut consumer, 200).await.into_iter().eq(0..200));
    for (to, first) in [
        (StartAt::Offset(42), 42),
        (StartAt::Offset(199), 199),
        (StartAt::Timestamp(time_of(150)), 150),
        (StartAt::Offset(100), 100),
        (StartAt::Earliest, 0),
    ] {
        consumer.seek("seek", 0, to).expect("read by this consumer");
        assert_eq!(known(&consumer, "seek").await, first as i64);
        let records = read(&mut consumer).await;
        let got: Vec<usize> = records.to_owned().iter().map(value).collect();
        assert_eq!((got[0], got.len()), (first, records.len()), "{to:?}");
        assert_eq!(records.next_offset(), (first + got.len()) as i64);
        assert_eq!(consumer.position("seek", 0), Some(records.next_offset()));
        assert_eq!(records.high_watermark(), 200);
    }
    consumer.seek("seek", 0, StartAt::Latest).expect("read by this consumer");
    assert_eq!(known(&consumer, "seek").await, 200);
    write(&client, "seek", 200..201).await;
    assert_eq!(values(&mut consumer, 1).await, [200]);
    for wrong in [consumer.seek("seek", 1, StartAt::Earliest), consumer.seek("seek", 0, StartAt::Offset(-1))] {
        assert!(matches!(wrong, Err(Error::Config { .. })), "{wrong:?}");
    }
}

/// Trap 82: what was fetched before a seek is not handed out after it, however the two meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seek_overtakes_what_is_on_its_way() {
    let client = connect(cluster()).await;
    create(&client, "overtake", 1, &[]).await;
    for batch in 0..20 {
        write(&client, "overtake", batch * 50..batch * 50 + 50).await;
    }
    let mut consumer = client
        .consumer()
        .topics(["overtake"])
        .from(StartAt::Earliest)
        .fetch_max_bytes(2_000)
        .build()
        .expect("a consumer");
    for round in 0..200 {
        let to = (round * 373) % 600;
        if round % 5 > 0 {
            read(&mut consumer).await;
        } else {
            poll_until("the partition is known", || !consumer.assignment().is_empty()).await;
        }
        if round % 3 == 0 {
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        consumer.seek("overtake", 0, StartAt::Offset(to as i64)).expect("read by this consumer");
        if round % 2 == 0 {
            assert_eq!(value(&read(&mut consumer).await.to_owned()[0]), to, "round {round}");
        }
    }
}

/// A paused partition keeps what was fetched to itself, and its position; others go on. Resumed, nothing is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_partition_waits() {
    let client = connect(cluster()).await;
    create(&client, "pause", 2, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let send = async |partition: i32, value: &str| {
        let record = Record::to("pause").partition(partition).value(value);
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
    };
    let mut consumer = from(&client, "pause", StartAt::Earliest);
    send(0, "1").await;
    assert_eq!(values(&mut consumer, 1).await, [1]);
    consumer.pause("pause", 0).expect("read by this consumer");
    for i in 2..30 {
        send(0, &i.to_string()).await;
    }
    send(1, "100").await;
    assert_eq!(values(&mut consumer, 1).await, [100], "only the other partition");
    silence(&mut consumer).await;
    assert_eq!(consumer.position("pause", 0), Some(1));
    consumer.resume("pause", 0).expect("read by this consumer");
    assert!(values(&mut consumer, 28).await.into_iter().eq(2..30));
    // Paused while a task waits in `next`, and sought while paused.
    consumer.pause("pause", 0).expect("read by this consumer");
    consumer.seek("pause", 0, StartAt::Offset(3)).expect("read by this consumer");
    silence(&mut consumer).await;
    consumer.resume("pause", 0).expect("read by this consumer");
    assert_eq!(values(&mut consumer, 1).await[0], 4);
}

/// Trap 68: an offset that the log no longer has, or does not have yet, is met as the policy says, for that partition
/// alone; told and sought, reading goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_out_of_range_follow_the_policy() {
    let client = connect(cluster()).await;
    create(&client, "range", 2, &[]).await;
    write(&client, "range", 0..100).await;
    let file = cluster().dir().join("range.json");
    let delete = r#"{"version": 1, "partitions": [{"topic": "range", "partition": 0, "offset": 40}]}"#;
    std::fs::write(&file, delete).expect("written");
    cluster().tool(&["delete-records", "--offset-json-file", &file.display().to_string()]);
    for (start, policy, first) in [
        (StartAt::Offset(10), ResetPolicy::Earliest, 40),
        (StartAt::Offset(500), ResetPolicy::Earliest, 40),
        (StartAt::Earliest, ResetPolicy::Fail, 40),
        (StartAt::Offset(10), ResetPolicy::Latest, 100),
        (StartAt::Offset(500), ResetPolicy::Latest, 100),
    ] {
        let consumer = client.consumer().topics(["range"]).from(start).on_out_of_range(policy);
        let mut consumer = consumer.build().expect("a consumer");
        if first < 100 {
            let got = values(&mut consumer, 100 - first).await;
            assert!(got.into_iter().eq(first..100), "{start:?} {policy:?}");
        } else {
            poll_until("the policy is followed", || consumer.position("range", 0) == Some(100)).await;
        }
    }
    for offset in [10, 500] {
        // Without a policy an explicit start fails.
        let mut consumer = from(&client, "range", StartAt::Offset(offset));
        let mut told = Vec::new();
        while told.len() < 2 {
            let error = within("an error", consumer.next()).await.expect_err("out of range");
            assert!(matches!(error, Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{error}");
            told.push(error.to_string());
        }
        told.sort();
        for (partition, text) in told.iter().enumerate() {
            assert!(text.contains(&format!("range-{partition} at offset {offset}")), "{text}");
        }
        silence(&mut consumer).await;
        consumer.seek("range", 0, StartAt::Offset(90)).expect("read by this consumer");
        assert!(values(&mut consumer, 10).await.into_iter().eq(90..100));
    }
}

/// Traps 23 to 25: compaction leaves gaps, between records, at a batch's end and whole batches without a record;
/// reading passes all of them and ends at the log's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compacted_log_has_gaps() {
    let client = connect(cluster()).await;
    let settings = [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001")];
    create(&client, "gaps", 1, &settings).await;
    let producer = client.producer().linger(Duration::from_secs(10)).build().expect("a producer");
    // Batches of ten: every key of 0..10 anew each time but the third, whose keys stay; a lone record between rolls the
    // segment, because the active one is never compacted.
    for round in 0..6 {
        for i in 0..10 {
            let key = if round == 2 { format!("kept{i}") } else { format!("{i}") };
            let record = Record::to("gaps").key(&key).value(format!("{}", round * 10 + i));
            drop(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
        }
        within("the flush", producer.flush()).await.expect("flushed");
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    // The cleaner keeps the last record of each key, all ten of round 5 and the kept ones.
    let expected: Vec<i64> = (20..30).chain(50..60).collect();
    let start = Instant::now();
    let (mut rolls, mut left) = (0, 0);
    while left != expected.len() {
        assert!(start.elapsed() < Duration::from_secs(40), "compaction leaves {left} records");
        // Each rolls the segment before it, so that the cleaner may have everything up to itself.
        let record = Record::to("gaps").key("roll").value("-");
        drop(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
        within("the flush", producer.flush()).await.expect("flushed");
        rolls += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let Ok(log) = cluster().try_dump_log(1, "gaps", 0) else { continue };
        left = log.matches("payload: ").count() - log.matches("payload: -").count();
    }
    let mut consumer = from(&client, "gaps", StartAt::Earliest);
    let end = 60 + rolls;
    let mut offsets = Vec::new();
    while consumer.position("gaps", 0) != Some(end) {
        offsets.extend(
            read(&mut consumer).await.to_owned().iter().filter(|r| r.value.as_deref() != Some(b"-")).map(|r| r.offset),
        );
    }
    assert_eq!(offsets, expected);
    // Into a gap: reading goes on at the next record that is there.
    for (offset, first) in [(5, 20), (33, 50), (55, 55)] {
        consumer.seek("gaps", 0, StartAt::Offset(offset)).expect("read by this consumer");
        assert_eq!(read(&mut consumer).await.to_owned()[0].offset, first);
    }
}

/// Trap 26: a transaction's marker is not a record, but it moves the position; when it is the last of the log, reading
/// waits behind it as it waits behind a record, instead of asking for it again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_of_transactions_are_passed_in_silence() {
    let (client, wire) = connect_spied(Config::new(cluster().bootstrap())).await.expect("connected");
    create(&client, "transactions", 1, &[]).await;
    cluster().java("Transactions.java", &["transactions", "commit", "abort", "commit", "abort"]);
    // Two records and a marker each.
    let mut consumer = from(&client, "transactions", StartAt::Earliest);
    let all = read_until(&mut consumer, |all| all.len() >= 8).await;
    let got: Vec<(i64, &str)> = all
        .iter()
        .map(|(_, r)| (r.offset, std::str::from_utf8(r.value.as_deref().expect("a value")).expect("text")))
        .collect();
    assert_eq!(
        got,
        [
            (0, "0a-commit"),
            (1, "0b-commit"),
            (3, "1a-abort"),
            (4, "1b-abort"),
            (6, "2a-commit"),
            (7, "2b-commit"),
            (9, "3a-abort"),
            (10, "3b-abort")
        ],
        "read uncommitted"
    );
    let start = Instant::now();
    let before = wire.sent(Api::Fetch);
    let _ = tokio::time::timeout(Duration::from_secs(3), consumer.next()).await.expect_err("nothing follows");
    assert_eq!(consumer.position("transactions", 0), Some(12), "behind the last marker");
    let fetches = wire.sent(Api::Fetch) - before;
    // A fetch that finds nothing waits for half a second at the broker.
    let most = start.elapsed().as_millis() as usize / 500 + 3;
    assert!(fetches <= most, "{fetches} fetches in {:?}", start.elapsed());

    // From each offset on, also a marker's.
    for offset in 0..12 {
        consumer.seek("transactions", 0, StartAt::Offset(offset)).expect("read by this consumer");
        let next = got.iter().map(|(o, _)| *o).find(|o| *o >= offset);
        match next {
            Some(next) => assert_eq!(read(&mut consumer).await.to_owned()[0].offset, next),
            None => silence(&mut consumer).await,
        }
    }
    assert_eq!(consumer.position("transactions", 0), Some(12));
}

/// Stored places are restored by one consumer, before anything is known of the topic: by an offset, by a time, and by a seek.
/// No record of another place comes first, and only the time is looked up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_partition_begins_at_its_own_place() {
    let other = connect(cluster()).await;
    create(&other, "places", 4, &[]).await;
    let producer = other.producer().build().expect("a producer");
    for i in 0..80 {
        let (partition, value) = (i % 4, (i / 4).to_string());
        let record = Record::to("places").partition(partition).value(value).timestamp_ms(time_of(i as usize / 4));
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
    }

    let (client, wire) = connect_spied(Config::new(cluster().bootstrap())).await.expect("connected");
    let stored = [
        ("places", 0, StartAt::Offset(5)),
        ("places", 1, StartAt::Offset(17)),
        ("places", 2, StartAt::Timestamp(time_of(12))),
        ("places", 3, StartAt::Offset(0)),
    ];
    let mut consumer = client.consumer().assign_at(stored).build().expect("a consumer");
    consumer.seek("places", 3, StartAt::Offset(19)).expect("assigned");
    let all = read_until(&mut consumer, |all| all.len() > 15 + 3 + 8).await;
    for (partition, first) in [(0, 5), (1, 17), (2, 12), (3, 19)] {
        let got: Vec<i64> = all.iter().filter(|(p, _)| *p == partition).map(|(_, r)| r.offset).collect();
        assert!(got.iter().copied().eq(first..20), "{partition}: {got:?}");
    }
    silence(&mut consumer).await;
    assert_eq!(wire.sent(Api::ListOffsets), 1);
}

/// A topic that does not exist is an error where that is wanted, and is read all the same when it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_does_not_exist_is_an_error_if_that_is_wanted() {
    let client = connect(cluster()).await;
    let builder = client.consumer().topics(["missing"]).from(StartAt::Earliest);
    let mut consumer = builder.unknown_topic(UnknownTopic::Error).build().expect("a consumer");
    let told = within("an error", consumer.next()).await.expect_err("it is not there");
    assert!(matches!(told, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{told}");
    silence(&mut consumer).await;
    let other = connect(cluster()).await;
    create(&other, "missing", 1, &[]).await;
    write(&other, "missing", 0..10).await;
    assert!(values(&mut consumer, 10).await.into_iter().eq(0..10));
}

/// Trap 96: a topic that does not exist yet is read as soon as it does, and so are partitions that are added; both
/// from their beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_partitions_that_come_later_are_read() {
    let mut config = Config::new(cluster().bootstrap());
    config.metadata_max_age_ms = 200;
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    let mut consumer = from(&client, "comes", StartAt::Earliest);
    let mut assigned = client.consumer().assign([("comes", 0)]).from(StartAt::Earliest).build().expect("a consumer");
    silence(&mut consumer).await;
    let other = connect(cluster()).await;
    create(&other, "comes", 1, &[]).await;
    write(&other, "comes", 0..10).await;
    assert!(values(&mut consumer, 10).await.into_iter().eq(0..10));
    assert!(values(&mut assigned, 10).await.into_iter().eq(0..10));

    let mut latest = from(&client, "comes", StartAt::Latest);
    known(&latest, "comes").await;
    cluster().tool(&["topics", "--alter", "--topic", "comes", "--partitions", "3"]);
    let producer = connect(cluster()).await.producer().build().expect("a producer");
    for partition in [1, 2] {
        let record = Record::to("comes").partition(partition).value(format!("{partition}"));
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
    }
    for consumer in [&mut consumer, &mut latest] {
        let mut got = read_until(consumer, |all| all.len() >= 2).await;
        got.sort_by_key(|(partition, _)| *partition);
        assert_eq!(got.iter().map(|(p, r)| (*p, value(r))).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
        assert_eq!(consumer.assignment().len(), 3);
    }
    silence(&mut assigned).await;
}

/// Trap 14: a topic that is deleted and made anew under its name, below a producer and a consumer that run, has another
/// id, and its offsets begin again: reading goes on at the new one's beginning, also where the old position would be in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_is_read_again() {
    let mut config = Config::new(cluster().bootstrap());
    config.metadata_max_age_ms = 1_000;
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    create(&client, "anew", 1, &[]).await;
    write(&client, "anew", 0..10).await;
    let mut consumer = from(&client, "anew", StartAt::Earliest);
    assert!(values(&mut consumer, 10).await.into_iter().eq(0..10));
    within("DeleteTopics", client.admin().delete_topics(["anew"])).await.expect("deleted");
    let other = connect(cluster()).await;
    let created = Instant::now();
    while let Err(error) = other.admin().create_topics([klamm_tokio::NewTopic::new("anew", 1, 1)]).await {
        assert!(error.to_string().contains("TOPIC_ALREADY_EXISTS"), "{error}");
        assert!(created.elapsed() < Duration::from_secs(30), "the topic is never deleted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    write(&other, "anew", 100..125).await;
    assert!(values(&mut consumer, 25).await.into_iter().eq(100..125));
    // And the producer side of the same client.
    write(&client, "anew", 125..126).await;
    assert_eq!(values(&mut consumer, 1).await, [125]);
}

/// Traps 21 and 77: a batch larger than every limit of a fetch is given whole; one larger than the memory for fetches
/// is an error that names offset and knob, and a seek passes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_larger_than_a_fetch() {
    let client = connect(cluster()).await;
    create(&client, "bulky", 1, &[]).await;
    let producer = client.producer().build().expect("a producer");
    for (i, size) in [10, 500_000, 20, 900_000, 30].into_iter().enumerate() {
        let record = Record::to("bulky").key(i.to_string()).value(vec![i as u8; size]);
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
    }
    let sizes = |all: &[(i32, OwnedRecord)]| -> Vec<usize> {
        all.iter().map(|(_, r)| r.value.as_ref().map_or(0, Vec::len)).collect()
    };
    let narrow = client.consumer().topics(["bulky"]).from(StartAt::Earliest).fetch_max_bytes(1_000);
    let all = read_until(&mut narrow.build().expect("a consumer"), |all| all.len() >= 5).await;
    assert_eq!(sizes(&all), [10, 500_000, 20, 900_000, 30]);

    let mut config = Config::new(cluster().bootstrap());
    config.memory.fetch_bytes = 600_000;
    let small = klamm_tokio::connect_with(config).await.expect("connected");
    let mut consumer = from(&small, "bulky", StartAt::Earliest);
    let all = read_until(&mut consumer, |all| all.len() >= 3).await;
    assert_eq!(sizes(&all), [10, 500_000, 20]);
    let error = within("an error", consumer.next()).await.expect_err("too large");
    let text = error.to_string();
    assert!(matches!(error, Error::TooLarge { .. }), "{text}");
    assert!(text.contains("bulky-0 at offset 3") && text.contains("fetch_bytes"), "{text}");
    silence(&mut consumer).await;
    consumer.seek("bulky", 0, StartAt::Offset(4)).expect("read by this consumer");
    assert_eq!(read(&mut consumer).await.to_owned()[0].value.as_ref().map(Vec::len), Some(30));
}

/// Trap 76: with fetches much smaller than what is there, every partition gets its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_partitions_share_small_fetches() {
    const PARTITIONS: usize = 100;
    let client = connect(cluster()).await;
    create(&client, "fair", PARTITIONS as i32, &[]).await;
    let producer = client.producer().batch_bytes(4_000).build().expect("a producer");
    for i in 0..PARTITIONS * 40 {
        let record = Record::to("fair").partition((i % PARTITIONS) as i32).value(vec![7; 1_000]);
        drop(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let mut consumer =
        client.consumer().topics(["fair"]).from(StartAt::Earliest).fetch_max_bytes(20_000).build().expect("a consumer");
    let (mut counts, mut total) = (BTreeMap::new(), 0);
    while counts.len() < PARTITIONS {
        let records = read(&mut consumer).await;
        *counts.entry(records.partition()).or_insert(0) += records.len();
        total += records.len();
        assert!(total < PARTITIONS * 20, "after {total} records only {} partitions were read", counts.len());
    }
    let rest = PARTITIONS * 40 - total;
    read_until(&mut consumer, |all| all.len() >= rest).await;
}

/// Consumers of one client have positions of their own, and share its memory and connections so that each gets on: at
/// the log's end none waits for the others' fetches to be over. A dropped one leaves the others alone, and a consumer
/// keeps its client alive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_of_one_client_are_independent() {
    let client = connect(cluster()).await;
    create(&client, "several", 1, &[]).await;
    write(&client, "several", 0..1_000).await;
    let mut first = from(&client, "several", StartAt::Earliest);
    let second = from(&client, "several", StartAt::Offset(500));
    let mut latest: Vec<Consumer> = (0..6).map(|_| from(&client, "several", StartAt::Latest)).collect();
    for consumer in &latest {
        known(consumer, "several").await;
    }
    drop(second);
    write(&client, "several", 1_000..1_010).await;
    assert!(values(&mut first, 1_010).await.into_iter().eq(0..1_010));
    for consumer in &mut latest {
        assert!(values(consumer, 10).await.into_iter().eq(1_000..1_010));
    }
    let start = Instant::now();
    for i in 1_010..1_030 {
        write(&client, "several", i..i + 1).await;
        for consumer in &mut latest {
            assert_eq!(values(consumer, 1).await, [i]);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(15), "{:?} for twenty records", start.elapsed());
    drop((client, latest));
    write(&connect(cluster()).await, "several", 1_030..1_031).await;
    assert!(values(&mut first, 21).await.into_iter().eq(1_010..1_031));
}

/// An answer to a dropped consumer does not reach the one that comes after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_consumer_gets_nothing_of_an_old_one() {
    let client = connect(cluster()).await;
    for topic in ["old", "new"] {
        create(&client, topic, 1, &[]).await;
        write(&client, topic, 0..100).await;
    }
    for round in 0..30 {
        let old =
            client.consumer().topics(["old", "new"]).from(StartAt::Offset(round % 3)).build().expect("a consumer");
        tokio::time::sleep(Duration::from_micros(150 * (round as u64 % 20))).await;
        drop(old);
        let mut new = from(&client, "new", StartAt::Earliest);
        assert!(values(&mut new, 100).await.into_iter().eq(0..100), "round {round}");
    }
}
