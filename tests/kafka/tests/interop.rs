//! One broker, two clients: what Java writes Klamm reads, and the other way round, field by field.

use std::{collections::BTreeMap, fmt::Write as _, sync::OnceLock, time::Duration};

use klamm_kafka_tests::{Cluster, connect, create, read_all, within};
use klamm_tokio::{Client, OwnedRecord, Record};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // Some of the tests' timestamps are older than Kafka keeps records.
    CLUSTER.get_or_init(|| Cluster::start(1, &[("log.retention.ms", "-1")]))
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".into() };
    bytes.iter().fold("x".into(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// A record as `Read.java` prints it.
fn line(partition: i32, kind: &str, record: &OwnedRecord) -> String {
    let (key, value) = (hex(record.key.as_deref()), hex(record.value.as_deref()));
    let mut line = format!("{partition} {} {kind} {} {key} {value}", record.offset, record.timestamp_ms);
    for header in &record.headers {
        write!(line, " {}={}", hex(Some(header.key.as_bytes())), hex(header.value.as_deref())).expect("as above");
    }
    line
}

/// What Java reads of a topic, a line a record, in an order that both sides can make.
fn java_reads(topic: &str, count: usize) -> Vec<String> {
    let mut lines: Vec<String> =
        cluster().java("Read.java", &[topic, &count.to_string()]).lines().map(Into::into).collect();
    lines.sort();
    lines
}

async fn klamm_reads(client: &Client, topic: &str, kind: &str, count: usize) -> Vec<String> {
    let all = read_all(client, topic, count).await;
    let mut lines: Vec<String> = all.iter().map(|(partition, record)| line(*partition, kind, record)).collect();
    lines.sort();
    lines
}

/// Traps 28, 29 and 32: every kind of record that Java writes, in a topic with the caller's times and in one with the
/// log's. Klamm reads what Java reads, and the times that Java's producer was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_writes_klamm_reads() {
    let client = connect(cluster()).await;
    for (topic, kind) in [("specimens", "CreateTime"), ("stamped-specimens", "LogAppendTime")] {
        create(&client, topic, 1, &[("message.timestamp.type", kind)]).await;
        let told: Vec<i64> =
            cluster().java("Specimens.java", &[topic]).lines().map(|line| line.parse().expect("a time")).collect();
        let all = read_all(&client, topic, 6).await;
        let times: Vec<i64> = all.iter().map(|(_, record)| record.timestamp_ms).collect();
        assert_eq!(times, told, "{topic}");
        if kind == "CreateTime" {
            assert_eq!(times[..4], [1_700_000_000_001, 1_700_000_000_000, 0, 5]);
        } else {
            assert!(times.iter().all(|t| *t > 1_700_000_000_003), "{times:?}");
        }
        assert_eq!(klamm_reads(&client, topic, kind, 6).await, java_reads(topic, 6), "{topic}");
        let (_, record) = &all[3];
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|h| (h.key.as_str(), h.value.as_deref())).collect();
        assert_eq!(headers, [("b", Some(&b"2"[..])), ("a", None), ("b", Some(b"")), ("", Some(b"\0"))]);
        assert_eq!((all[0].1.key.as_deref(), all[0].1.value.as_deref()), (None, None));
        assert_eq!((all[1].1.key.as_deref(), all[1].1.value.as_deref()), (Some(&b""[..]), Some(&b""[..])));
    }
}

/// The same the other way: Java reads what Klamm wrote, and what Klamm's tickets were told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn klamm_writes_java_reads() {
    let client = connect(cluster()).await;
    for (topic, kind) in [("ours", "CreateTime"), ("ours-stamped", "LogAppendTime")] {
        create(&client, topic, 3, &[("message.timestamp.type", kind)]).await;
        let producer = client.producer().linger(Duration::from_millis(100)).build().expect("a producer");
        let to = |time: i64| Record::to(topic).partition(1).timestamp_ms(time);
        let large = vec![0xa5; 100_000];
        let records = [
            to(1_700_000_000_001),
            to(1_700_000_000_000).key("").value(""),
            to(-1).key(b"\x00\xff").value(b"\x01\x02\x03"),
            to(5).key("k").header("b", "2").null_header("a").header("b", "").header("", &[0]),
            to(1_700_000_000_002).value("v").header("ключ", &[0xff, 0xfe]),
            to(0).key("l").value(&large),
            Record::to(topic).key("by its key").value("1"),
            Record::to(topic).value("anywhere"),
        ];
        let mut tickets = Vec::new();
        for record in &records {
            tickets.push(within("room in the buffer", producer.enqueue(record.clone())).await.expect("taken"));
        }
        let mut told = Vec::new();
        for ticket in tickets {
            let meta = within("a ticket", ticket).await.expect("acknowledged");
            told.push(format!("{} {} {kind} {} ", meta.partition(), meta.offset(), meta.timestamp_ms()));
        }
        let lines = java_reads(topic, records.len());
        assert_eq!(klamm_reads(&client, topic, kind, records.len()).await, lines, "{topic}");
        for told in told {
            assert!(lines.iter().any(|line| line.starts_with(&told)), "{told}\nis not in\n{}", lines.join("\n"));
        }
        let java = |start: &str| lines.iter().find(|line| line.starts_with(start)).map(|l| l.splitn(5, ' ').last());
        assert_eq!(java("1 0 "), Some(Some("null null")), "{lines:#?}");
        assert_eq!(java("1 1 "), Some(Some("x x")));
        assert_eq!(java("1 3 "), Some(Some("x6b null x62=x32 x61=null x62=x x=x00")));
    }
}

/// Trap 43: a key's partition is the same for both, also where its hash has the top bit set: half of a thousand do.
/// And what the console tool writes with keys and headers is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_go_to_the_same_partition() {
    let client = connect(cluster()).await;
    create(&client, "homes", 10, &[]).await;
    let keys: Vec<String> =
        (0..1_000).map(|i| format!("{}{}", ["wu", "k", "ü"][i % 3], i)).chain(["wu".into()]).collect();
    let input: String = keys.iter().map(|key| format!("from:java,n:{}\t{key}\tjava\n", key.len())).collect();
    cluster().tool_with_input(
        &[
            "console-producer",
            "--topic",
            "homes",
            "--reader-property",
            "parse.key=true",
            "--reader-property",
            "parse.headers=true",
        ],
        input.as_bytes(),
    );
    let producer = client.producer().build().expect("a producer");
    for key in &keys {
        drop(within("room in the buffer", producer.enqueue(Record::to("homes").key(key).value("klamm"))).await);
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let mut homes: BTreeMap<(Vec<u8>, Vec<u8>), i32> = BTreeMap::new();
    for (partition, record) in read_all(&client, "homes", 2 * keys.len()).await {
        let (key, value) = (record.key.expect("a key"), record.value.expect("a value"));
        if value == b"java" {
            let headers: Vec<(&str, Option<Vec<u8>>)> =
                record.headers.iter().map(|h| (h.key.as_str(), h.value.clone())).collect();
            assert_eq!(headers, [("from", Some(b"java".to_vec())), ("n", Some(key.len().to_string().into_bytes()))]);
        }
        homes.insert((key, value), partition);
    }
    for key in &keys {
        let home = |who: &str| homes.get(&(key.clone().into_bytes(), who.into())).copied();
        assert!(home("java").is_some());
        assert_eq!(home("java"), home("klamm"), "{key}");
    }
    assert_eq!(homes[&(b"wu".to_vec(), b"klamm".to_vec())], 0);
}

/// Many records at once, both ways: Java's batches of any size, and ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_records_both_ways() {
    const COUNT: usize = 20_000;
    let client = connect(cluster()).await;
    create(&client, "many", 3, &[]).await;
    let input: String = (0..COUNT).map(|i| format!("{i}\t{i}:{}\n", "j".repeat(i % 200))).collect();
    cluster().tool_with_input(
        &["console-producer", "--topic", "many", "--reader-property", "parse.key=true"],
        input.as_bytes(),
    );
    let mut seen: Vec<usize> = Vec::new();
    for (_, record) in read_all(&client, "many", COUNT).await {
        let value = String::from_utf8(record.value.expect("a value")).expect("text");
        let (number, filling) = value.split_once(':').expect("as written");
        assert_eq!(record.key.as_deref(), Some(number.as_bytes()));
        let number: usize = number.parse().expect("a number");
        assert_eq!(filling.len(), number % 200);
        seen.push(number);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..COUNT));

    create(&client, "many-ours", 3, &[]).await;
    let producer = client.producer().batch_bytes(50_000).build().expect("a producer");
    for i in 0..COUNT {
        let (key, value) = (format!("{i}"), format!("{i}:{}", "k".repeat(i % 200)));
        let record = Record::to("many-ours").key(&key).value(&value);
        drop(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
    }
    within("the flush", producer.flush()).await.expect("flushed");
    let args = ["--topic", "many-ours", "--from-beginning", "--max-messages", &COUNT.to_string()];
    let text = cluster().tool(&[&["console-consumer"][..], &args].concat());
    let mut numbers: Vec<usize> = Vec::new();
    for line in text.lines() {
        let (number, filling) = line.split_once(':').expect("as written");
        let number: usize = number.parse().expect("a number");
        assert_eq!(filling.len(), number % 200);
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..COUNT));
}
