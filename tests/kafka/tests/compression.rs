//! Every codec both ways with Java, topics that want another one, and batches that are too large for their topic.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use klamm_kafka_tests::{Cluster, connect, create, read_all, within};
use klamm_tokio::{Codec, Error, ErrorCode, OwnedRecord, Producer, Record, Ticket};

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(1, &[]))
}

async fn enqueue(producer: &Producer, record: Record<'_>) -> Ticket {
    within("room in the buffer", producer.enqueue(record)).await.expect("taken into the buffer")
}

/// How many batches of each codec a partition has, and the largest, as Java's own tool says.
fn batches(topic: &str, partition: i32) -> (BTreeMap<String, usize>, usize) {
    let dump = cluster().dump_log(1, topic, partition);
    let field = |line: &str, name: &str| {
        let from = line.find(name).unwrap_or_else(|| panic!("no {name} in {line}")) + name.len();
        line[from..].split_whitespace().next().expect("a value").to_owned()
    };
    let (mut codecs, mut largest) = (BTreeMap::new(), 0);
    for line in dump.lines().filter(|line| line.starts_with("baseOffset")) {
        *codecs.entry(field(line, " compresscodec: ")).or_default() += 1;
        largest = largest.max(field(line, " size: ").parse().expect("a number"));
        assert!(line.contains("isvalid: true"), "{line}");
    }
    (codecs, largest)
}

/// All batches of a partition are in this codec. Klamm leaves one of a record or two as it is, where that is less.
fn only(codec: Codec, topic: &str, ours: bool) {
    let (mut codecs, _) = batches(topic, 0);
    let packed = codecs.remove(codec.name()).unwrap_or(0);
    let plain = codecs.remove(Codec::None.name()).unwrap_or(0);
    assert!(codecs.is_empty() && packed > 0 && plain <= if ours { packed } else { 0 }, "{topic}: {packed} and {plain}");
}

/// Values that can be compressed, but not to nothing.
fn value(i: usize) -> String {
    format!("{{\"number\": {i}, \"square\": {}, \"name\": \"record {}\"}}", i * i, i % 17)
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or("null".into(), |b| String::from_utf8_lossy(b).into_owned())
}

/// What Java's consumer prints of a record with keys, values and headers.
fn printed(record: &OwnedRecord) -> String {
    let headers: Vec<String> =
        record.headers.iter().map(|h| format!("{}:{}", h.key, text(h.value.as_deref()))).collect();
    let headers = if headers.is_empty() { "NO_HEADERS".into() } else { headers.join(",") };
    format!("{headers}\t{}\t{}", text(record.key.as_deref()), text(record.value.as_deref()))
}

fn java_reads(topic: &str, count: usize) -> Vec<String> {
    let count = count.to_string();
    let mut args = vec!["console-consumer", "--topic", topic, "--partition", "0", "--offset", "earliest"];
    args.extend(["--max-messages", &count]);
    args.extend(["print.headers=true", "print.key=true"].iter().flat_map(|p| ["--formatter-property", p]));
    cluster().tool(&args).lines().map(str::to_owned).collect()
}

/// What Klamm compresses Java reads, and Klamm too: null keys and values, headers, and batches of every size. Java's own
/// tool says that the log has it as it was meant (trap 41).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn klamm_compresses_java_reads() {
    const COUNT: usize = 3_000;
    let client = connect(cluster()).await;
    for codec in CODECS {
        let topic = format!("ours-{codec}");
        create(&client, &topic, 1, &[]).await;
        let builder = client.producer().compression(codec).batch_bytes(100_000).linger(Duration::from_millis(20));
        let producer = builder.build().expect("a producer");
        let mut tickets = Vec::new();
        for i in 0..COUNT {
            let (key, value) = (format!("key {}", i % 10), value(i));
            let record = Record::to(&topic);
            let record = match i % 5 {
                0 => record.value(&value),
                1 => record.key(&key),
                2 => record.key(&key).value(&value).header("n", "1").null_header("none").header("n", "2"),
                _ => record.key(&key).value(&value),
            };
            tickets.push(enqueue(&producer, record).await);
        }
        within("the flush", producer.flush()).await.expect("flushed");
        for (i, ticket) in tickets.iter().enumerate() {
            let meta = ticket.outcome().expect("settled").expect("acknowledged");
            assert_eq!(meta.offset(), i as i64, "{codec}");
        }
        only(codec, &topic, true);
        let ours: Vec<String> = read_all(&client, &topic, COUNT).await.iter().map(|(_, r)| printed(r)).collect();
        assert_eq!(ours[3], format!("NO_HEADERS\tkey 3\t{}", value(3)));
        assert_eq!(ours[2], format!("n:1,none:null,n:2\tkey 2\t{}", value(2)));
        assert_eq!((&*ours[0], &*ours[1]), (&*format!("NO_HEADERS\tnull\t{}", value(0)), "NO_HEADERS\tkey 1\tnull"));
        assert!(java_reads(&topic, COUNT) == ours, "{codec}");
    }
}

/// What Java compresses Klamm reads, at levels from the least to the most, in small batches and in large ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_compresses_klamm_reads() {
    const COUNT: usize = 4_000;
    let client = connect(cluster()).await;
    let input: String = (0..COUNT).map(|i| format!("from:java\tkey {}\t{}\n", i % 10, value(i))).collect();
    for (n, (codec, level, batch)) in [
        ("gzip", "compression.gzip.level=1", "1000"),
        ("gzip", "compression.gzip.level=9", "500000"),
        ("snappy", "acks=all", "1000"),
        ("snappy", "acks=all", "500000"),
        ("lz4", "compression.lz4.level=1", "1000"),
        ("lz4", "compression.lz4.level=17", "500000"),
        ("zstd", "compression.zstd.level=-7", "1000"),
        ("zstd", "compression.zstd.level=3", "500000"),
        ("zstd", "compression.zstd.level=22", "500000"),
    ]
    .into_iter()
    .enumerate()
    {
        let topic = format!("javas-{n}");
        create(&client, &topic, 1, &[]).await;
        let size = format!("batch.size={batch}");
        let mut args = vec!["console-producer", "--topic", &topic, "--compression-codec", codec, "--batch-size", batch];
        args.extend(["--reader-property", "parse.key=true", "--reader-property", "parse.headers=true"]);
        for property in [level, &*size, "linger.ms=50"] {
            args.extend(["--command-property", property]);
        }
        cluster().tool_with_input(&args, input.as_bytes());
        only(Codec::from_name(codec).expect("a codec"), &topic, false);
        let all = read_all(&client, &topic, COUNT).await;
        for (i, (_, record)) in all.iter().enumerate() {
            assert_eq!(record.offset, i as i64, "{codec} {level}");
            assert_eq!(printed(record), format!("from:java\tkey {}\t{}", i % 10, value(i)), "{codec} {level}");
        }
    }
}

/// Trap 42: a topic may want another codec than its producers have; the broker then writes the batches anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_want_other_codecs() {
    const COUNT: usize = 1_000;
    let client = connect(cluster()).await;
    for (setting, stored) in [
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
        ("uncompressed", Codec::None),
    ] {
        let topic = format!("wants-{setting}");
        create(&client, &topic, 1, &[("compression.type", setting)]).await;
        for (round, codec) in CODECS.into_iter().enumerate() {
            let producer = client.producer().compression(codec).build().expect("a producer");
            for i in 0..COUNT {
                drop(enqueue(&producer, Record::to(&topic).value(value(round * COUNT + i).as_bytes())).await);
            }
            within("the flush", producer.flush()).await.expect("flushed");
        }
        only(stored, &topic, false);
        let all = read_all(&client, &topic, COUNT * CODECS.len()).await;
        assert!(all.iter().enumerate().all(|(i, (_, r))| r.value.as_deref() == Some(value(i).as_bytes())), "{setting}");
    }
}

/// Trap 55, its second half: batches that are larger than the topic's max.message.bytes are split, whole or compressed;
/// every record is there once, in order, where its ticket says, and in the epoch of the first. One that is too large by
/// itself fails alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_are_too_large_are_split() {
    const COUNT: usize = 6_000;
    let client = connect(cluster()).await;
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let topic = format!("narrow-{codec}");
        create(&client, &topic, 1, &[("max.message.bytes", "10000")]).await;
        let producer = client.producer().compression(codec).batch_bytes(150_000).build().expect("a producer");
        let mut tickets = Vec::new();
        for i in 0..COUNT {
            tickets.push(enqueue(&producer, Record::to(&topic).value(value(i).as_bytes())).await);
        }
        within("the flush", producer.flush()).await.expect("flushed");
        for (i, ticket) in tickets.iter().enumerate() {
            assert_eq!(ticket.outcome().expect("settled").expect("acknowledged").offset(), i as i64, "{codec}");
        }
        let all = read_all(&client, &topic, COUNT).await;
        assert!(all.iter().enumerate().all(|(i, (_, r))| r.value.as_deref() == Some(value(i).as_bytes())), "{codec}");
        only(codec, &topic, true);
        let (_, largest) = batches(&topic, 0);
        assert!(largest <= 10_000, "{largest}");
        let dump = cluster().dump_log(1, &topic, 0);
        assert!(dump.lines().filter(|l| l.starts_with("baseOffset")).all(|l| l.contains("producerEpoch: 0 ")));

        let mut seed = 1u64;
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        };
        let random: Vec<u8> = (0..20_000).map(|_| noise()).collect();
        let small = enqueue(&producer, Record::to(&topic).value("before")).await;
        let large = enqueue(&producer, Record::to(&topic).value(&random)).await;
        let after = enqueue(&producer, Record::to(&topic).value("after")).await;
        let before = within("a ticket", small).await.expect("acknowledged").offset();
        let error = within("a refusal", large).await.expect_err("too large");
        let said = error.to_string();
        assert!(matches!(error, Error::Broker { code: ErrorCode::MESSAGE_TOO_LARGE, .. }), "{said}");
        assert!(said.contains("max.message.bytes") && said.contains("batch_bytes"), "{said}");
        assert_eq!(within("a ticket", after).await.expect("acknowledged").offset(), before + 1);
    }
}
