//! Committed records of Java's transactions, read by Klamm, librdkafka and Java: the same ones, up to where a transaction is open.

use std::path::Path;

use klamm_interop::{Seen, assert_same, java_reads_with};
use klamm_kafka_tests::{Cluster, connect, create, java_against, within};
use klamm_tokio::{
    Consumer, IsolationLevel, OffsetSpec, RecordView, StartAt,
    properties::{Dialect, from_properties},
};
use tokio::time::timeout;

const PARTITIONS: usize = 2;

fn seen(partition: i32, record: &RecordView<'_>) -> Seen {
    Seen {
        partition,
        offset: record.offset(),
        kind: None,
        timestamp_ms: record.timestamp(),
        payload: klamm_interop::payload(record.key(), record.value(), []),
    }
}

/// So many records, and nothing behind them.
async fn read(mut consumer: Consumer, count: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    while all.len() < count {
        let records = within("records", consumer.next()).await.expect("read").expect("open");
        all.extend(records.iter().map(|record| seen(records.partition(), &record)));
    }
    let more = timeout(std::time::Duration::from_secs(1), consumer.next()).await;
    assert!(more.is_err(), "nothing before the transaction ends: {more:?}");
    all.sort_by_key(|record| (record.partition, record.offset));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_read_the_same_committed_records() {
    let cluster = Cluster::start(1, &[]);
    let client = connect(&cluster).await;
    create(&client, "transactions", PARTITIONS as i32, &[]).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/Transactions.java");
    let said = java_against(cluster.bootstrap(), &file, &["transactions", &PARTITIONS.to_string(), "40", "7"]);
    let count: usize = said.lines().map(|line| line.parse::<usize>().expect("a number")).sum();
    assert!((300..1_200).contains(&count), "{count}");

    let java = java_reads_with(&cluster, &[("isolation.level", "read_committed")], "transactions", count);
    let lines: Vec<String> = java.iter().map(Seen::line).collect();
    let hex = |text: &str| klamm_interop::hex(Some(text.as_bytes()));
    assert!(java.iter().all(|record| !record.payload.contains(&hex("aborted"))), "Java reads committed ones");
    for fetch_max_bytes in [1, 1 << 20] {
        let consumer = client.consumer().topics(["transactions"]).from(StartAt::Earliest);
        let consumer = consumer.isolation_level(IsolationLevel::ReadCommitted).fetch_max_bytes(fetch_max_bytes);
        let seen = read(consumer.build().expect("a consumer"), count).await;
        assert_same(&format!("fetches of {fetch_max_bytes} bytes"), &seen, &lines);
    }
    // librdkafka's consumers do so by default, and with its settings Klamm's as well.
    let pairs = [("bootstrap.servers", cluster.bootstrap()), ("auto.offset.reset", "earliest")];
    let properties = from_properties(Dialect::Librdkafka, pairs).expect("settings");
    let consumer = client.consumer().config(properties.consumer).topics(["transactions"]);
    assert_same("librdkafka's settings", &read(consumer.build().expect("a consumer"), count).await, &lines);
    // Whoever fetches one partition after the other does so as well.
    let mut fetched = Vec::new();
    for partition in 0..PARTITIONS as i32 {
        let one = client.partition("transactions", partition).build().await.expect("a partition");
        let mut offset = 0;
        let end = one.offset(OffsetSpec::Latest).await.expect("looked up").expect("an end");
        while offset < end {
            let fetching = one.fetch_records(offset, 1..10_000, std::time::Duration::from_secs(1));
            let (records, _) = within("records", fetching).await.expect("fetched");
            fetched.extend(records.iter().map(|record| seen(partition, &record)));
            assert!(records.next_offset() > offset, "{partition}: nothing at {offset} before {end}");
            offset = records.next_offset();
        }
        assert_eq!(offset, end, "nothing before the transaction ends");
    }
    assert_same("one partition at a time", &fetched, &lines);
    let theirs = klamm_interop::librdkafka_reads_with(
        &cluster,
        &[("isolation.level", "read_committed")],
        "transactions",
        PARTITIONS,
    );
    assert_same("librdkafka", &theirs, &lines);

    // All of them are more, and the end is elsewhere.
    let all: i64 = {
        let ends = (0..PARTITIONS as i32).map(|partition| ("transactions", partition, OffsetSpec::Latest));
        let ends = within("offsets", client.admin().list_offsets(ends)).await.expect("looked up");
        ends.iter().filter_map(|end| end.offset).sum()
    };
    assert!(all as usize > count + 300, "{all} offsets");
}
