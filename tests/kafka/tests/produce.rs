//! One broker: what a producer writes is in the log as it was meant, and a refusal says what, where and why.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use klamm_kafka_tests::{Cluster, connect, connect_spied, create, poll_until, read_all, within};
use klamm_tokio::{Acks, Config, Error, ErrorCode, Fate, OwnedRecord, Producer, Record, Ticket};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // Some of the tests' timestamps are older than Kafka keeps records.
    let settings = [("auto.create.topics.enable", "false"), ("log.retention.ms", "-1")];
    CLUSTER.get_or_init(|| Cluster::start(1, &settings))
}

async fn enqueue(producer: &Producer, record: Record<'_>) -> Ticket {
    within("room in the buffer", producer.enqueue(record)).await.expect("taken into the buffer")
}

async fn failure(producer: &Producer, record: Record<'_>) -> Error {
    within("a refusal", producer.send(record)).await.expect_err("refused")
}

/// Keys, turns and explicit partitions in one topic: every ticket names the place where its record is, and no place is
/// left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keyed_keyless_and_explicit_records_are_where_their_tickets_say() {
    const EACH: usize = 20_000;
    let client = connect(cluster()).await;
    create(&client, "places", 6, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let mut tickets = Vec::new();
    for i in 0..EACH {
        let (key, keyed, keyless, explicit) =
            (format!("k{}", i % 500), format!("a{i}"), format!("b{i}"), format!("c{i}"));
        tickets.push((enqueue(&producer, Record::to("places").key(&key).value(&keyed)).await, keyed));
        tickets.push((enqueue(&producer, Record::to("places").value(&keyless)).await, keyless));
        let partition = (i % 6) as i32;
        let ticket = enqueue(&producer, Record::to("places").partition(partition).key("same").value(&explicit)).await;
        assert_eq!(ticket.partition(), partition);
        tickets.push((ticket, explicit));
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let mut expected: BTreeMap<(i32, i64), String> = BTreeMap::new();
    for (ticket, value) in tickets {
        let meta = ticket.outcome().expect("settled by the flush").expect("acknowledged");
        assert_eq!(meta.topic(), "places");
        assert_eq!(expected.insert((meta.partition(), meta.offset()), value), None, "two records at {meta:?}");
    }

    let all = read_all(&client, "places", 3 * EACH).await;
    let (mut next, mut keyless, mut homes) = ([0_i64; 6], [0_usize; 6], BTreeMap::new());
    for (partition, record) in &all {
        let (at, value) = (*partition as usize, record.value.as_deref().expect("a value"));
        assert_eq!(record.offset, next[at], "partition {partition}");
        next[at] += 1;
        assert_eq!(expected[&(*partition, record.offset)].as_bytes(), value);
        match value[0] {
            b'a' => assert_eq!(*homes.entry(record.key.clone().expect("a key")).or_insert(*partition), *partition),
            b'b' => keyless[at] += 1,
            _ => assert_eq!(record.key.as_deref(), Some(&b"same"[..])),
        }
    }
    assert_eq!(homes.len(), 500);
    // Records of one sender are in each partition in the order of sending.
    for kind in [b'a', b'b', b'c'] {
        for partition in 0..6 {
            let own = all.iter().filter(|(p, r)| *p == partition && r.value.as_ref().is_some_and(|v| v[0] == kind));
            let numbers: Vec<usize> = own.map(|(_, r)| number(r)).collect();
            let back = numbers.windows(2).find(|w| w[0] > w[1]);
            assert_eq!(back, None, "records of kind {} in {partition}", char::from(kind));
        }
    }
    assert!(keyless.iter().sum::<usize>() == EACH, "{keyless:?}");
}

fn number(record: &OwnedRecord) -> usize {
    let value = record.value.as_deref().expect("a value");
    std::str::from_utf8(&value[1..]).expect("text").parse().expect("a number")
}

/// Keyless records go around by bytes (KIP-794): no partition has more than its share and one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keyless_records_spread_evenly() {
    let client = connect(cluster()).await;
    create(&client, "spread", 4, &[]).await;
    let producer = client.producer().batch_bytes(10_000).build().expect("a producer");
    let mut counts = [0_usize; 4];
    let value = vec![7; 900];
    for _ in 0..2_000 {
        counts[enqueue(&producer, Record::to("spread").value(&value)).await.partition() as usize] += 1;
    }
    within("the flush", producer.flush()).await.expect("flushed");
    assert!(counts.iter().all(|n| (450..=550).contains(n)), "{counts:?}");
}

/// Trap 32: null is not empty, in keys, values and headers; headers keep their order and their duplicates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nulls_empties_and_headers_come_back_as_they_went() {
    let client = connect(cluster()).await;
    create(&client, "nulls", 1, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let to = || Record::to("nulls");
    let records = [
        to(),
        to().key("").value(""),
        to().key("k"),
        to().value("v"),
        to().value("h").header("b", "2").header("a", "1").header("b", "").null_header("a").header("", "no name"),
        to().key(vec![0, 255]).value(vec![0; 3]).header("ключ", &[0xff, 0xfe]),
    ];
    for record in records {
        drop(enqueue(&producer, record).await);
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let all = read_all(&client, "nulls", 6).await;
    let pairs: Vec<_> = all.iter().map(|(_, r)| (r.key.as_deref(), r.value.as_deref())).collect();
    let some = |bytes: &'static [u8]| Some(bytes);
    assert_eq!(
        pairs,
        [
            (None, None),
            (some(b""), some(b"")),
            (some(b"k"), None),
            (None, some(b"v")),
            (None, some(b"h")),
            (some(b"\x00\xff"), some(b"\x00\x00\x00")),
        ]
    );
    let headers = |at: usize| -> Vec<(&str, Option<&[u8]>)> {
        all[at].1.headers.iter().map(|h| (h.key.as_str(), h.value.as_deref())).collect()
    };
    assert_eq!(headers(0), []);
    assert_eq!(
        headers(4),
        [("b", some(b"2")), ("a", some(b"1")), ("b", some(b"")), ("a", None), ("", some(b"no name"))]
    );
    assert_eq!(headers(5), [("ключ", some(b"\xff\xfe"))]);
}

/// Trap 29: a timestamp is what the caller says, also −1, before 1970 and far ahead, in any order; a record without one gets the
/// client's time. Those of a few hours share a batch. What the topic's rules refuse is told with the broker's code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_are_kept_or_refused() {
    let client = connect(cluster()).await;
    // KIP-937 gave each direction a limit of its own.
    let limit = match cluster().is_at_least(3, 6) {
        true => "message.timestamp.after.max.ms",
        false => "message.timestamp.difference.max.ms",
    };
    create(&client, "times", 1, &[(limit, "9223372036854775807")]).await;
    create(&client, "now-only", 1, &[(limit, "60000")]).await;
    let producer = client.producer().linger(Duration::from_millis(100)).build().expect("a producer");
    let given = [1_700_000_000_123, 1_700_000_000_000, -1, 1, -5_000, 4_102_444_800_000, 0];
    let mut tickets = Vec::new();
    for time in given {
        tickets.push(enqueue(&producer, Record::to("times").value("t").timestamp_ms(time)).await);
    }
    let before = unix_ms();
    tickets.push(enqueue(&producer, Record::to("times").value("t")).await);
    let mut told = Vec::new();
    for ticket in tickets {
        told.push(within("a ticket", ticket).await.expect("acknowledged").timestamp_ms());
    }
    let read: Vec<i64> = read_all(&client, "times", 8).await.iter().map(|(_, r)| r.timestamp_ms).collect();
    assert_eq!(read, told);
    assert_eq!(read[..7], given);
    assert!((before - 1_000..=unix_ms()).contains(&read[7]), "{} is not now", read[7]);
    let log = cluster().dump_log(1, "times", 0);
    assert_eq!(log.matches("baseOffset:").count(), 5, "two and three in a batch, which linger waits for:\n{log}");

    let far = Record::to("now-only").value("t").timestamp_ms(4_102_444_800_000);
    let error = failure(&producer, far).await;
    assert!(
        matches!(error, Error::Broker { code: ErrorCode::INVALID_TIMESTAMP | ErrorCode::INVALID_RECORD, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("now-only-0"), "{error}");
    assert_eq!(error.fate(), Fate::NotPersisted);
    within("a good one", producer.send(Record::to("now-only").value("t"))).await.expect("acknowledged");
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_millis() as i64
}

/// Trap 28: where the topic stamps by the log, the ticket and every record have the log's time, not the caller's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_append_time_is_the_logs() {
    let client = connect(cluster()).await;
    create(&client, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let producer = client.producer().linger(Duration::from_millis(50)).build().expect("a producer");
    let before = unix_ms();
    let mut tickets = Vec::new();
    for time in [5, 1_700_000_000_000, 77] {
        tickets.push(enqueue(&producer, Record::to("stamped").value("v").timestamp_ms(time)).await);
    }
    let mut told = Vec::new();
    for ticket in tickets {
        told.push(within("a ticket", ticket).await.expect("acknowledged").timestamp_ms());
    }
    assert!(told.iter().all(|t| (before - 1_000..=unix_ms()).contains(t)), "{told:?}");
    let read: Vec<i64> = read_all(&client, "stamped", 3).await.iter().map(|(_, r)| r.timestamp_ms).collect();
    assert_eq!(read, told);
}

/// The batches of a partition's log as `dump-log` names their fields.
fn batches(topic: &str) -> Vec<BTreeMap<String, String>> {
    let log = cluster().dump_log(1, topic, 0);
    let fields = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let pairs = words.chunks(2).filter(|pair| pair.len() == 2);
        pairs.map(|pair| (pair[0].trim_end_matches(':').to_owned(), pair[1].to_owned())).collect()
    };
    log.lines().filter(|line| line.starts_with("baseOffset:")).map(fields).collect()
}

/// Traps 12 and 31: acks 0 has no offset to tell and loses nothing on a good connection; the log shows who wrote
/// idempotently: acks all does by default, and sequences count records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_and_idempotence_are_seen_in_the_log() {
    let client = connect(cluster()).await;
    let cases: [(&str, Acks, Option<bool>, bool); 5] = [
        ("acks-0", Acks::None, None, false),
        ("acks-1", Acks::Leader, None, false),
        ("acks-all", Acks::All, None, true),
        ("acks-all-on", Acks::All, Some(true), true),
        ("acks-all-off", Acks::All, Some(false), false),
    ];
    for (topic, acks, asked, idempotent) in cases {
        create(&client, topic, 1, &[]).await;
        let mut producer = client.producer().acks(acks);
        if let Some(on) = asked {
            producer = producer.idempotence(on);
        }
        let producer = producer.build().expect("a producer");
        for part in 0..4 {
            let mut tickets = Vec::new();
            for i in 0..25 {
                tickets.push(enqueue(&producer, Record::to(topic).value(format!("{}", part * 25 + i))).await);
            }
            for (i, ticket) in tickets.into_iter().enumerate() {
                let offset = within("a ticket", ticket).await.expect("done").offset();
                assert_eq!(offset, if acks == Acks::None { -1 } else { (part * 25 + i) as i64 }, "{topic}");
            }
        }
        let read: Vec<usize> = read_all(&client, topic, 100).await.iter().map(|(_, r)| whole_number(r)).collect();
        assert!(read.iter().copied().eq(0..100), "{topic}: {read:?}");
        let batches = batches(topic);
        assert!(batches.len() >= 4, "{topic}: {batches:?}");
        for batch in &batches {
            let (sequence, last) = (batch["baseSequence"].as_str(), batch["lastSequence"].as_str());
            if idempotent {
                assert_ne!(batch["producerId"], "-1", "{topic}");
                assert_eq!((sequence, last), (batch["baseOffset"].as_str(), batch["lastOffset"].as_str()), "{topic}");
            } else {
                assert_eq!((batch["producerId"].as_str(), sequence), ("-1", "-1"), "{topic}");
            }
        }
    }
    let both = client.producer().acks(Acks::Leader).idempotence(true).build().expect_err("contradicts itself");
    assert!(matches!(both, Error::Config { knob: "idempotence", .. }), "{both}");
}

fn whole_number(record: &OwnedRecord) -> usize {
    std::str::from_utf8(record.value.as_deref().expect("a value")).expect("text").parse().expect("a number")
}

/// A single record whose batch has exactly this many bytes: 61 of the batch's header, 11 of the record's own.
fn value_of_batch(bytes: usize) -> Vec<u8> {
    vec![b'v'; bytes - 72]
}

/// A batch may be as large as the broker's default limit, to the byte; one byte more is refused by the broker, with
/// what and where. What passes `batch_bytes` is refused before it is sent, with that knob.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_up_to_the_brokers_limit() {
    const LIMIT: usize = 1_048_588;
    let client = connect(cluster()).await;
    create(&client, "large", 1, &[]).await;
    let producer = client.producer().batch_bytes(2_000_000).build().expect("a producer");
    let largest = value_of_batch(LIMIT);
    within("the largest", producer.send(Record::to("large").value(&largest))).await.expect("acknowledged");
    assert_eq!(batches("large")[0]["size"], LIMIT.to_string());

    let error = failure(&producer, Record::to("large").value(value_of_batch(LIMIT + 1))).await;
    assert!(matches!(error, Error::Broker { code: ErrorCode::MESSAGE_TOO_LARGE, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("large-0") && text.contains("max.message.bytes") && text.contains("batch_bytes"), "{text}");
    assert_eq!(error.fate(), Fate::NotPersisted);
    within("the next one", producer.send(Record::to("large").value("small"))).await.expect("acknowledged");

    let small = client.producer().build().expect("a producer");
    let error = failure(&small, Record::to("large").value(value_of_batch(1_000_001))).await;
    assert!(matches!(error, Error::TooLarge { .. }) && error.to_string().contains("batch_bytes"), "{error}");
    within("the largest", small.send(Record::to("large").value(value_of_batch(1_000_000))))
        .await
        .expect("acknowledged");

    let all = read_all(&client, "large", 3).await;
    let sizes: Vec<usize> = all.iter().map(|(_, r)| r.value.as_ref().map_or(0, Vec::len)).collect();
    assert_eq!(sizes, [LIMIT - 72, 5, 1_000_000 - 72]);
    assert!(all.iter().all(|(_, r)| r.value.iter().flatten().all(|b| b"vsmall".contains(b))));
}

/// A topic with a small limit refuses what is too large for it; other topics of the same producer are not affected,
/// and neither is the order in this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_topic_refuses_alone() {
    let client = connect(cluster()).await;
    create(&client, "narrow", 1, &[("max.message.bytes", "1000")]).await;
    create(&client, "wide", 1, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let value = vec![1; 2_000];
    let mut narrow = Vec::new();
    let mut wide = Vec::new();
    for i in 0..60 {
        let own = if i % 3 == 0 { value.clone() } else { vec![i; 10] };
        narrow.push((i, enqueue(&producer, Record::to("narrow").value(own)).await));
        wide.push(enqueue(&producer, Record::to("wide").value(&value)).await);
        within("the flush", producer.flush()).await.expect("flushed");
    }
    for (i, ticket) in narrow {
        let outcome = ticket.outcome().expect("settled by the flush");
        match outcome {
            Ok(_) => assert_ne!(i % 3, 0),
            Err(error) => {
                assert_eq!(i % 3, 0, "{error}");
                let text = error.to_string();
                assert!(text.contains("MESSAGE_TOO_LARGE") && text.contains("narrow-0"), "{text}");
                assert_eq!(error.fate(), Fate::NotPersisted);
            }
        }
    }
    assert!(wide.iter().all(|ticket| matches!(ticket.outcome(), Some(Ok(_)))));
    let kept: Vec<u8> =
        read_all(&client, "narrow", 40).await.iter().map(|(_, r)| r.value.as_ref().unwrap()[0]).collect();
    assert!(kept.iter().copied().eq((0..60).filter(|i| i % 3 != 0)), "{kept:?}");
}

/// Trap 64: a compacted topic refuses the whole batch for one record without a key; that record's ticket has the
/// broker's words, its neighbours learn that it was not them (KIP-467).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_without_a_key_in_a_compacted_topic_is_named() {
    let client = connect(cluster()).await;
    create(&client, "compacted", 1, &[("cleanup.policy", "compact")]).await;
    let producer = client.producer().linger(Duration::from_millis(100)).build().expect("a producer");
    let mut tickets = Vec::new();
    for i in 0..5 {
        let record = Record::to("compacted").value("v");
        tickets.push(enqueue(&producer, if i == 3 { record } else { record.key("k") }).await);
    }
    let mut texts = Vec::new();
    for ticket in tickets {
        let error = within("a ticket", ticket).await.expect_err("refused");
        assert!(matches!(error, Error::Broker { code: ErrorCode::INVALID_RECORD, .. }), "{error}");
        assert_eq!(error.fate(), Fate::NotPersisted);
        texts.push(error.to_string());
    }
    assert!(texts[3].contains("cannot accept message without key"), "{}", texts[3]);
    assert!(texts.iter().enumerate().all(|(i, t)| i == 3 || t.contains("another record")), "{texts:#?}");
    within("a good one", producer.send(Record::to("compacted").key("k").value("v"))).await.expect("acknowledged");
}

/// Trap 45: a topic that nobody knows yet is waited for; once it is there, the records that wait go out. One that
/// never comes fails after `max_block`, saying so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_waits_for_its_topic() {
    let client = connect(cluster()).await;
    let producer = client.producer().build().expect("a producer");
    let waiting = {
        let producer = producer.clone();
        tokio::spawn(async move { producer.send(Record::to("later").value("patient")).await })
    };
    let refused = producer.try_enqueue(Record::to("later").value("impatient")).expect_err("not known yet");
    assert!(refused.to_string().contains("later"), "{refused}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    create(&connect(cluster()).await, "later", 2, &[]).await;
    let meta = within("the record that waits", waiting).await.expect("no panic").expect("acknowledged");
    assert_eq!(meta.offset(), 0);
    within("the next one", producer.send(Record::to("later").value("x"))).await.expect("acknowledged");

    let hasty = client.producer().max_block(Duration::from_millis(500)).build().expect("a producer");
    let error = failure(&hasty, Record::to("never").value("x")).await;
    let text = error.to_string();
    assert!(matches!(error, Error::TimedOut { knob: "max_block_ms", .. }), "{text}");
    assert!(text.contains("never") && text.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{text}");
    let error = failure(&hasty, Record::to("no such name!").value("x")).await;
    assert!(matches!(error, Error::Config { knob: "topic", .. }), "{error}");
    let error = failure(&producer, Record::to("later").partition(2).value("x")).await;
    assert!(matches!(error, Error::Config { knob: "partition", .. }), "{error}");
}

/// Trap 46: partitions that are added while a producer runs are used from the next metadata on, and what is on its way
/// to the old ones is not disturbed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_partitions_are_used() {
    let mut config = Config::new(cluster().bootstrap());
    config.metadata_max_age_ms = 200;
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    create(&client, "grows", 1, &[]).await;
    let producer = client.producer().batch_bytes(1_000).build().expect("a producer");
    let running = {
        let producer = producer.clone();
        tokio::spawn(async move {
            let mut seen = [0_usize; 3];
            while seen[1] == 0 || seen[2] == 0 {
                let meta = producer.send(Record::to("grows").value(vec![1; 200])).await.expect("acknowledged");
                seen[meta.partition() as usize] += 1;
            }
            seen
        })
    };
    cluster().tool(&["topics", "--alter", "--topic", "grows", "--partitions", "3"]);
    let seen = within("records in the new partitions", running).await.expect("no panic");
    let explicit = within("an explicit one", producer.send(Record::to("grows").partition(2).value("x"))).await;
    assert_eq!(explicit.expect("acknowledged").partition(), 2);
    let all = read_all(&client, "grows", seen.iter().sum::<usize>() + 1).await;
    for (partition, count) in seen.iter().enumerate().take(2) {
        assert_eq!(all.iter().filter(|(p, _)| *p as usize == partition).count(), *count);
    }
}

/// A full buffer makes `try_enqueue` refuse with the class and the knob, and gives the record back; `enqueue` waits for
/// room. Nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_buffer_refuses_or_waits() {
    let mut config = Config::new(cluster().bootstrap());
    config.memory.produce_bytes = 1 << 20;
    let client = klamm_tokio::connect_with(config).await.expect("connected");
    create(&client, "tight", 2, &[]).await;
    let producer = client.producer().batch_bytes(200_000).build().expect("a producer");
    within("the topic's metadata", producer.send(Record::to("tight").value("first"))).await.expect("acknowledged");
    let value = vec![3; 10_000];
    let (mut sent, mut refusals) = (1, 0);
    while refusals == 0 && sent < 10_000 {
        match producer.try_enqueue(Record::to("tight").value(&value)) {
            Ok(_) => sent += 1,
            Err(refused) => {
                refusals += 1;
                let text = refused.to_string();
                assert!(matches!(refused.error(), Error::Budget { .. }) && text.contains("produce_bytes"), "{text}");
                assert!(refused.error().is_retriable());
                drop(enqueue(&producer, refused.into_record()).await);
                sent += 1;
            }
        }
    }
    assert_eq!(refusals, 1, "the buffer was never full");
    for _ in 0..500 {
        drop(enqueue(&producer, Record::to("tight").value(&value)).await);
    }
    within("the flush", producer.flush()).await.expect("flushed");
    read_all(&client, "tight", sent + 500).await;
}

/// What is in the buffer when the last handle is dropped is still sent (trap 108), and then the driver ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_handles_leave_nothing_behind() {
    let (client, wire) = connect_spied(Config::new(cluster().bootstrap())).await.expect("connected");
    create(&client, "dropped", 3, &[]).await;
    let producer = client.producer().linger(Duration::from_secs(20)).build().expect("a producer");
    let mut tickets = Vec::new();
    for i in 0..300 {
        tickets.push(enqueue(&producer, Record::to("dropped").value(format!("{i}"))).await);
    }
    drop((client, producer));
    for ticket in tickets {
        within("a ticket", ticket).await.expect("acknowledged");
    }
    poll_until("the connections end", || wire.opened() == wire.ended()).await;
    read_all(&connect(cluster()).await, "dropped", 300).await;
}
