//! Kafka's own tools against the in-memory cluster: whether it is a Kafka to Java, in content and in count.

use klamm_broker::{Action, AutoCreate, ClusterConfig, Fault, Running, serve};
use klamm_kafka_tests::tool_against;
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

struct Memory {
    running: Running,
    _runtime: Runtime,
}

impl Memory {
    fn start() -> Memory {
        let runtime = Runtime::new().expect("a runtime");
        let running = {
            let _in_it = runtime.enter();
            let auto_create = Some(AutoCreate { partitions: 2, replication: 3 });
            serve(ClusterConfig { auto_create, ..ClusterConfig::default() }).expect("free ports")
        };
        Memory { running, _runtime: runtime }
    }

    fn tool(&self, args: &[&str]) -> String {
        tool_against(self.running.bootstrap(), args, &[])
    }

    fn produce(&self, args: &[&str], input: &str) {
        tool_against(self.running.bootstrap(), &[&["console-producer"], args].concat(), input.as_bytes());
    }

    /// What Java's consumer prints of so many records of one partition.
    fn consume(&self, topic: &str, partition: usize, records: usize, print: &[&str]) -> Vec<String> {
        let (partition, records) = (partition.to_string(), records.to_string());
        let mut args = vec!["console-consumer", "--topic", topic, "--partition", &partition];
        args.extend(["--offset", "earliest", "--max-messages", &records]);
        let print: Vec<String> = print.iter().map(|what| format!("print.{what}=true")).collect();
        args.extend(print.iter().flat_map(|what| ["--formatter-property", what]));
        self.tool(&args).lines().map(str::to_owned).collect()
    }

    /// The stored records of a partition as `headers, key, value`, each as Java prints them.
    fn stored(&self, topic: &str, partition: usize) -> Vec<[String; 3]> {
        let text = |bytes: Option<&[u8]>| bytes.map_or("null".into(), |b| String::from_utf8_lossy(b).into_owned());
        let cluster = self.running.cluster();
        let records = cluster.records(topic, partition as i32).map(|record| {
            let headers: Vec<String> = record
                .headers()
                .map(|header| format!("{}:{}", String::from_utf8_lossy(header.key_bytes), text(header.value)))
                .collect();
            let headers = if headers.is_empty() { "NO_HEADERS".into() } else { headers.join(",") };
            [headers, text(record.key()), text(record.value())]
        });
        records.collect()
    }
}

#[test]
fn java_writes_and_reads_keys_and_headers() {
    const RECORDS: usize = 1000;
    let memory = Memory::start();
    memory.running.cluster().create_topic("words", 3, 3);
    let record = |i: usize| [format!("n:{i},twice:a,twice:b"), format!("key-{}", i % 50), format!("value {i} äß")];
    let lines: String = (0..RECORDS).map(|i| record(i).join("\t") + "\n").collect();
    let args = ["--topic", "words", "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true"];
    memory.produce(&args, &lines);

    let stored: Vec<Vec<[String; 3]>> = (0..3).map(|partition| memory.stored("words", partition)).collect();
    let mut all: Vec<[String; 3]> = stored.iter().flatten().cloned().collect();
    assert_eq!(all.len(), RECORDS, "lost or doubled");
    let number = |record: &[String; 3]| record[2].split(' ').nth(1).unwrap().parse::<usize>().unwrap();
    for (partition, records) in stored.iter().enumerate() {
        assert!(records.is_sorted_by_key(number), "partition {partition} is out of order");
        assert!(!records.is_empty());
        let read = memory.consume("words", partition, records.len(), &["headers", "key"]);
        assert_eq!(read, records.iter().map(|record| record.join("\t")).collect::<Vec<_>>());
    }
    all.sort_by_key(number);
    assert_eq!(all, (0..RECORDS).map(record).collect::<Vec<_>>());
}

#[test]
fn topics_and_offsets() {
    let memory = Memory::start();
    let settings = ["--config", "message.timestamp.type=LogAppendTime"];
    let create = ["topics", "--create", "--topic", "made", "--partitions", "4", "--replication-factor", "2"];
    assert_eq!(memory.tool(&[&create[..], &settings].concat()).trim(), "Created topic made.");
    memory.tool(&["topics", "--create", "--topic", "by-default"]);
    assert_eq!(memory.tool(&["topics", "--list"]), "by-default\nmade\n");
    assert_eq!(memory.running.cluster().partitions("by-default"), 2);
    assert_eq!(memory.running.cluster().replicas("made", 3), [1, 2]);

    memory.produce(&["--topic", "made"], "one\ntwo\nthree\n");
    let filled = (0..4).filter(|&partition| memory.running.cluster().end_offset("made", partition) > 0);
    let filled: Vec<i32> = filled.collect();
    let [partition] = filled[..] else { panic!("keyless records of one batch are in {filled:?}") };
    let read = memory.consume("made", partition as usize, 3, &["timestamp", "offset"]);
    let time = memory.running.cluster().log("made", partition)[0].header().max_timestamp;
    let expected = ["one", "two", "three"].iter().enumerate();
    let expected: Vec<String> =
        expected.map(|(offset, value)| format!("LogAppendTime:{time}\tOffset:{offset}\t{value}")).collect();
    assert_eq!(read, expected);

    let ends = |time: &str| -> BTreeMap<String, String> {
        let said = memory.tool(&["get-offsets", "--topic", "made", "--time", time]);
        let lines = said.lines().filter_map(|line| line.rsplit_once(':'));
        lines.map(|(partition, offset)| (partition.to_owned(), offset.to_owned())).collect()
    };
    let filled = format!("made:{partition}");
    let (latest, earliest) = (ends("latest"), ends("earliest"));
    assert_eq!((latest.len(), &*latest[&filled], &*earliest[&filled]), (4, "3", "0"));
    assert_eq!(ends("max-timestamp")[&filled], "0", "all have the same time");
    assert_eq!(ends(&time.to_string())[&filled], "0");
}

/// Lost answers, late errors, and a leader that moves: Java's idempotent producer must end with every record once and
/// in order, which it does only if the broker knows a batch that comes again.
#[test]
fn javas_idempotence_holds() {
    const RECORDS: usize = 2000;
    let memory = Memory::start();
    {
        let mut cluster = memory.running.cluster();
        cluster.create_topic("once", 1, 3);
        let produce = klamm_broker::wire::api::PRODUCE;
        for action in [
            Action::CloseAfter,
            Action::FailAfter(klamm_broker::ErrorCode::REQUEST_TIMED_OUT),
            Action::Fail(klamm_broker::ErrorCode::NOT_LEADER_OR_FOLLOWER),
            Action::Close,
            Action::FailAfter(klamm_broker::ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND),
        ] {
            cluster.inject(Fault { api: produce, node: None, count: 1, action });
        }
    }
    let lines: String = (0..RECORDS).map(|i| format!("{i}\n")).collect();
    // The tool's three retries would end before the faults do, with a record that is there and that it calls lost.
    memory.produce(&["--topic", "once", "--batch-size", "500", "--message-send-max-retries", "100"], &lines);
    assert_eq!(memory.running.cluster().pending_faults(), 0);
    let values: Vec<String> = memory.stored("once", 0).into_iter().map(|[_, _, value]| value).collect();
    assert_eq!(values, (0..RECORDS).map(|i| i.to_string()).collect::<Vec<_>>());
    let mut producers: Vec<(i64, i16)> = {
        let cluster = memory.running.cluster();
        cluster.log("once", 0).iter().map(|b| (b.header().producer_id, b.header().producer_epoch)).collect()
    };
    producers.dedup();
    assert_eq!(producers, [(0, 0)], "it had to begin anew");
    memory.running.cluster().move_leader("once", 0, 3);
    assert_eq!(memory.consume("once", 0, RECORDS, &[]), values);
}

/// The cluster stores compressed batches as they are.
#[test]
fn compressed_batches_pass_through() {
    let memory = Memory::start();
    memory.running.cluster().create_topic("packed", 1, 1);
    let lines: String = (0..500).map(|i| format!("the same words again and again {i}\n")).collect();
    for (n, codec) in ["gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        let before = memory.running.cluster().log("packed", 0).len();
        memory.produce(&["--topic", "packed", "--compression-codec", codec], &lines);
        let cluster = memory.running.cluster();
        let new = &cluster.log("packed", 0)[before..];
        assert!(!new.is_empty() && new.iter().all(|batch| batch.header().attributes.0 & 7 == n as i16 + 1), "{codec}");
    }
    let read = memory.consume("packed", 0, 2000, &[]);
    assert_eq!(read, lines.repeat(4).lines().collect::<Vec<_>>());
}
