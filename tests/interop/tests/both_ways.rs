//! What Klamm, librdkafka and Java write, all three read: every field of every record, in every codec, as one broker
//! keeps it, stamps it and compacts it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_interop::{
    CODECS, Klamm, Seen, Specimen, Told, assert_same, java_reads, java_writes, klamm_writes, librdkafka_reads,
    librdkafka_writer, librdkafka_writes, noise, specimens,
};
use klamm_kafka_tests::{Cluster, create, within};
use klamm_tokio::{Codec, Error, ErrorCode, Fate, Partitioner, Record};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

const FOREVER: (&str, &str) = ("message.timestamp.after.max.ms", "9223372036854775807");

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // The specimens' times are older than Kafka keeps records. Logs are checked for compaction ten times a second.
    CLUSTER.get_or_init(|| Cluster::start(1, &[("log.retention.ms", "-1"), ("log.cleaner.backoff.ms", "100")]))
}

async fn topic(name: &str, partitions: usize, settings: &[(&str, &str)]) {
    create(&Klamm::Fast.connect(cluster()).await, name, partitions as i32, settings).await;
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_millis() as i64
}

/// What Java's tool prints of the logs of a topic's partitions, all at once; `None` when the cleaner takes a file away
/// meanwhile.
fn dump(topic: &str, partitions: usize) -> Option<Vec<Vec<String>>> {
    let folder = |p: usize| cluster().dir().join(format!("node-1/data/{topic}-{p}"));
    let entries = (0..partitions).flat_map(|p| std::fs::read_dir(folder(p)).expect("a partition's folder"));
    let files: BTreeSet<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| path.display().to_string())
        .collect();
    let files: Vec<String> = files.into_iter().collect();
    let text = cluster().try_tool(&["dump-log", "--print-data-log", "--files", &files.join(",")], &[]).ok()?;
    let mut logs = vec![Vec::new(); partitions];
    let mut current = 0;
    for line in text.lines() {
        if let Some(file) = line.strip_prefix("Dumping ") {
            let at = (0..partitions).find(|p| file.contains(&format!("/{topic}-{p}/")));
            current = at.expect("one of these partitions");
        }
        logs[current].push(line.to_owned());
    }
    Some(logs)
}

/// The field of a batch's line in a dump.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("{name}: ")).unwrap_or_else(|| panic!("no {name} in {line}"));
    rest.split_whitespace().next().expect("a value")
}

fn batches(log: &[String]) -> impl Iterator<Item = &String> {
    log.iter().filter(|line| line.starts_with("baseOffset: "))
}

/// Each partition's records are in the codec that has its place in [`CODECS`], and several of them share a batch.
fn assert_packed(topic: &str) {
    let logs = dump(topic, CODECS.len()).expect("nobody takes its files");
    for (codec, log) in CODECS.iter().zip(logs) {
        let codecs: Vec<&str> = batches(&log).map(|line| field(line, "compresscodec")).collect();
        assert!(codecs.contains(codec), "{topic}, {codec}: {codecs:?}");
        assert!(codecs.len() < 200, "{topic}, {codec}: {} batches of two thousand records", codecs.len());
        assert!(batches(&log).all(|line| field(line, "isvalid") == "true"));
    }
}

/// All three have the records that were written, partition by partition, with these times (`None`: the log's own, which
/// lie between two that are known, and on which all agree).
fn assert_read(topic: &str, ours: [Vec<Seen>; 2], kind: &str, written: &[Vec<Specimen>], span: Option<(i64, i64)>) {
    let mut expected = Vec::new();
    for (partition, records) in written.iter().enumerate() {
        for (offset, record) in records.iter().enumerate() {
            let time = match span {
                None => record.timestamp_ms,
                Some(_) => ours[0].get(expected.len()).map_or(0, |seen| seen.timestamp_ms),
            };
            assert!(
                span.is_none_or(|(from, to)| (from..=to).contains(&time)),
                "{topic}: {time} is not between {span:?}"
            );
            expected.push(format!("{partition} {offset} {time} {}", record.payload()));
        }
    }
    let librdkafka = librdkafka_reads(cluster(), topic, written.len());
    let java = java_reads(cluster(), topic, expected.len());
    for (reader, seen) in
        ["klamm", "klamm-fast"].into_iter().zip(ours).chain([("librdkafka", librdkafka), ("java", java)])
    {
        assert_same(&format!("{topic}, read by {reader}"), &seen, &expected);
        let strange = seen.iter().find(|seen| seen.kind.as_ref().is_some_and(|k| k != kind));
        assert!(strange.is_none(), "{topic}, read by {reader}: {strange:?} is not of {kind}");
    }
}

async fn klamm_reads(topic: &str, partitions: usize) -> [Vec<Seen>; 2] {
    [Klamm::BuiltIn.reads(cluster(), topic, partitions).await, Klamm::Fast.reads(cluster(), topic, partitions).await]
}

fn assert_told(what: &str, told: &[Told], seen: &[Seen]) {
    assert_eq!(told.len(), seen.len(), "{what}");
    for (told, seen) in told.iter().zip(seen) {
        assert_eq!((told.offset, told.timestamp_ms), (seen.offset, Some(seen.timestamp_ms)), "{what}");
    }
}

/// Traps 28, 29, 32, 36 to 39 and 41: what Klamm writes, with either set of its codecs, all read: nulls and empties,
/// headers in their order, times from the first to the last that there are, in each codec. Where the topic stamps by the
/// log, it is the log's time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn klamm_writes_all_read() {
    for (klamm, kind) in [(Klamm::BuiltIn, "CreateTime"), (Klamm::Fast, "CreateTime"), (Klamm::Fast, "LogAppendTime")] {
        let name = format!("{klamm:?}-{kind}");
        topic(&name, CODECS.len(), &[("message.timestamp.type", kind), FOREVER]).await;
        let from = unix_ms();
        let records = specimens();
        let mut told = Vec::new();
        for (partition, codec) in CODECS.into_iter().enumerate() {
            told.extend(klamm.writes(cluster(), &name, partition as i32, codec, &records).await);
        }
        let ours = klamm_reads(&name, CODECS.len()).await;
        assert_told(&name, &told, &ours[0]);
        let span = (kind == "LogAppendTime").then(|| (from, unix_ms()));
        assert_read(&name, ours, kind, &vec![records; CODECS.len()], span);
        assert_packed(&name);
    }
}

/// The same traps: what librdkafka writes, all read. It takes a time of 0 for none, and the order of what it is told is
/// its own affair.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn librdkafka_writes_all_read() {
    for kind in ["CreateTime", "LogAppendTime"] {
        let name = format!("librdkafka-{kind}");
        topic(&name, CODECS.len(), &[("message.timestamp.type", kind), FOREVER]).await;
        let from = unix_ms();
        let records: Vec<Specimen> = specimens().into_iter().filter(|r| r.timestamp_ms != 0).collect();
        for (partition, codec) in CODECS.into_iter().enumerate() {
            let producer = librdkafka_writer(cluster(), &[("compression.type", codec)]);
            let told = librdkafka_writes(&producer, &name, partition as i32, &records).await;
            let refused = told.into_iter().find_map(Result::err);
            assert_eq!(refused, None, "{name}, {codec}");
        }
        let span = (kind == "LogAppendTime").then(|| (from, unix_ms()));
        let ours = klamm_reads(&name, CODECS.len()).await;
        assert_read(&name, ours, kind, &vec![records; CODECS.len()], span);
        assert_packed(&name);
    }
}

/// The same traps: what Java writes, all read. It refuses times before 1970 itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_writes_all_read() {
    for kind in ["CreateTime", "LogAppendTime"] {
        let name = format!("java-{kind}");
        topic(&name, CODECS.len(), &[("message.timestamp.type", kind), FOREVER]).await;
        let from = unix_ms();
        let records: Vec<Specimen> = specimens().into_iter().filter(|r| r.timestamp_ms >= 0).collect();
        let lists: Vec<_> = (0..).zip(CODECS).map(|(partition, codec)| (partition, codec, records.clone())).collect();
        java_writes(cluster(), &name, &lists);
        let span = (kind == "LogAppendTime").then(|| (from, unix_ms()));
        let ours = klamm_reads(&name, CODECS.len()).await;
        assert_read(&name, ours, kind, &vec![records; CODECS.len()], span);
        assert_packed(&name);
    }
}

/// So many keys with values that name the writer, and headers.
fn keyed(keys: std::ops::Range<usize>, writer: &str) -> Vec<Specimen> {
    let one = |i: usize| {
        let value = (i != 3 || writer != "last").then(|| format!("{writer} {i}").repeat(20).into_bytes());
        let mut record =
            Specimen::new(unix_ms() - 1_000 + i as i64, Some(format!("k{i}").as_bytes()), value.as_deref());
        record.headers = vec![("by".into(), Some(writer.into())), ("null".into(), None), ("by".into(), Some(vec![]))];
        record
    };
    keys.map(one).collect()
}

/// Writes to every partition of a compacted topic, in its codec: a batch of librdkafka's that is emptied; one of Klamm's
/// whose second half is overwritten; one that is emptied; and librdkafka's last word, with a tombstone in it. Each by a
/// producer of its own, because the last batch of a producer is kept when it is empty. What should be left, as lines.
async fn write_for_the_cleaner(name: &str) -> Vec<Vec<String>> {
    let mut left = Vec::new();
    for (partition, codec) in CODECS.into_iter().enumerate() {
        let mut newest = BTreeMap::new();
        let turns = [("first", 0..10), ("second", 5..15), ("third", 0..10), ("last", 0..10)];
        for (turn, (writer, keys)) in turns.into_iter().enumerate() {
            let records = keyed(keys, writer);
            let told: Vec<Told> = if turn % 3 == 0 {
                let settings = [("compression.type", codec), ("enable.idempotence", "true"), ("linger.ms", "300")];
                let producer = librdkafka_writer(cluster(), &settings);
                let told = librdkafka_writes(&producer, name, partition as i32, &records).await;
                told.into_iter().map(|told| told.expect("acknowledged")).collect()
            } else {
                Klamm::BuiltIn.writes(cluster(), name, partition as i32, codec, &records).await
            };
            for (record, told) in records.iter().zip(told) {
                let line = format!("{partition} {} {} {}", told.offset, record.timestamp_ms, record.payload());
                newest.insert(record.key.clone(), (told.offset, line));
            }
        }
        let newest: BTreeMap<i64, String> = newest.into_values().collect();
        left.push(newest.into_values().collect());
    }
    left
}

/// Traps 23 to 25: in a log that the cleaner went over, with gaps, with batches whose end is gone and with batches that
/// are empty, compressed and not, all find the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compacted_log_is_the_same_for_all() {
    let settings = [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001")];
    topic("cleaned", CODECS.len(), &settings).await;
    let left = write_for_the_cleaner("cleaned").await;
    let roller = Klamm::Fast.connect(cluster()).await.producer().build().expect("a producer");
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(60), "the cleaner has not been everywhere");
        // The newest segment is never compacted: this begins another one.
        for partition in 0..CODECS.len() as i32 {
            let record = Record::to("cleaned").partition(partition).key("roll").value("-");
            within("a record that rolls", roller.send(record)).await.expect("acknowledged");
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let Some(logs) = dump("cleaned", CODECS.len()) else { continue };
        let records =
            |log: &Vec<String>| log.iter().filter(|l| l.contains("keySize: ") && !l.contains("payload: -")).count();
        let empties = |log: &Vec<String>| batches(log).filter(|line| field(line, "count") == "0").count();
        if logs.iter().zip(&left).all(|(log, left)| records(log) == left.len() && empties(log) >= 2) {
            break;
        }
    }
    let librdkafka = librdkafka_reads(cluster(), "cleaned", CODECS.len());
    let java = java_reads(cluster(), "cleaned", librdkafka.len());
    let [built_in, fast] = klamm_reads("cleaned", CODECS.len()).await;
    // A batch a fetch, so that reading goes on behind each of them.
    let slow = Klamm::Fast.reads_by(1, cluster(), "cleaned", CODECS.len()).await;
    let expected: Vec<String> = left.concat();
    assert_eq!(expected.len(), 15 * CODECS.len());
    let roll = format!("{} {}", klamm_interop::hex(Some(b"roll")), klamm_interop::hex(Some(b"-")));
    let ours = [("klamm", built_in), ("klamm-fast", fast), ("klamm, a batch a fetch", slow)];
    for (reader, mut seen) in [("librdkafka", librdkafka), ("java", java)].into_iter().chain(ours) {
        seen.retain(|record| record.payload != roll);
        assert_same(&format!("a compacted topic, read by {reader}"), &seen, &expected);
    }
}

/// A record of so many bytes that its batch, alone and plain, has exactly `batch` bytes.
fn filling(batch: usize) -> Specimen {
    // The batch's header; then the record's length (3 bytes), attributes, time, offset, no key (1 each), the value's
    // length (3), and no headers (1).
    Specimen::new(1_700_000_000_000, None, Some(&noise(batch - 61 - 11)))
}

/// Trap 42: a batch of just the broker's limit goes through, either way; of one byte more the writer is told, by its type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_just_the_limit() {
    const LIMIT: usize = 1_048_588; // the broker's default of message.max.bytes
    topic("limit", 2, &[]).await;
    let client = Klamm::Fast.connect(cluster()).await;
    let producer = client.producer().batch_bytes(2_000_000).build().expect("a producer");
    let [exact, over] = [filling(LIMIT), filling(LIMIT + 1)];
    let told = klamm_writes(&producer, "limit", 0, &[exact.clone(), over.clone(), exact.clone()]).await;
    let offsets: Vec<Option<i64>> = told.iter().map(|told| told.as_ref().ok().map(|told| told.offset)).collect();
    assert_eq!(offsets, [Some(0), None, Some(1)], "{told:?}");
    let Err(error) = &told[1] else { panic!("{LIMIT} is exceeded") };
    assert!(matches!(error, Error::Broker { code: ErrorCode::MESSAGE_TOO_LARGE, .. }), "{error}");
    assert_eq!(error.fate(), Fate::NotPersisted);

    let theirs = librdkafka_writer(cluster(), &[("message.max.bytes", "2000000"), ("linger.ms", "0")]);
    let mut offsets = Vec::new();
    for record in [&exact, &over, &exact] {
        let told = librdkafka_writes(&theirs, "limit", 1, std::slice::from_ref(record)).await.remove(0);
        if let Err(error) = &told {
            let too_large = RDKafkaErrorCode::MessageSizeTooLarge;
            assert!(matches!(error, KafkaError::MessageProduction(code) if *code == too_large), "{error}");
        }
        offsets.push(told.ok().map(|told| told.offset));
    }
    assert_eq!(offsets, [Some(0), None, Some(1)]);

    assert_read("limit", klamm_reads("limit", 2).await, "CreateTime", &vec![vec![exact.clone(), exact]; 2], None);
    for log in dump("limit", 2).expect("nobody takes its files") {
        assert!(batches(&log).all(|line| field(line, "size") == LIMIT.to_string()), "not {LIMIT}");
    }
}

/// Batches that are within the limit only because they are compressed, and are larger than it for their readers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_inflate_beyond_the_limit() {
    let value: Vec<u8> = noise(1_000).into_iter().cycle().take(1_500_000).collect();
    let record = Specimen::new(1_700_000_000_000, Some(b"k"), Some(&value));
    // A compressor of such batches takes much; those who read have what they have by default.
    let client = Klamm::Fast.connect_with(cluster(), 64 << 20).await;
    topic("inflating", CODECS.len(), &[]).await;
    let mut written = vec![Vec::new(); CODECS.len()];
    for (partition, codec) in CODECS.into_iter().enumerate().filter(|(_, codec)| *codec != "none") {
        let producer = client.producer().batch_bytes(2_000_000).compression(Codec::from_name(codec).expect("a codec"));
        let producer = producer.build().expect("a producer");
        let told = klamm_writes(&producer, "inflating", partition as i32, std::slice::from_ref(&record)).await;
        assert!(told[0].is_ok(), "{codec}: {told:?}");
        let theirs = librdkafka_writer(cluster(), &[("message.max.bytes", "2000000"), ("compression.type", codec)]);
        let told = librdkafka_writes(&theirs, "inflating", partition as i32, std::slice::from_ref(&record)).await;
        assert!(told[0].is_ok(), "{codec}: {told:?}");
        written[partition] = vec![record.clone(); 2];
    }
    // The partition without a codec gets something, so that its end can be seen.
    let small = Specimen::new(1, None, Some(b"small"));
    Klamm::Fast.writes(cluster(), "inflating", 0, "none", std::slice::from_ref(&small)).await;
    written[0].push(small);
    assert_read("inflating", klamm_reads("inflating", CODECS.len()).await, "CreateTime", &written, None);
}

/// Trap 43: a key's partition is the same for both, the empty key's too, by every partitioner that librdkafka has. (Where
/// both choose at random there is nothing to compare.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_have_the_same_home() {
    let partitioners = [
        (Partitioner::Murmur2Random, "murmur2_random", true),
        (Partitioner::Murmur2, "murmur2", true),
        (Partitioner::ConsistentRandom, "consistent_random", false),
        (Partitioner::Consistent, "consistent", true),
        (Partitioner::Fnv1aRandom, "fnv1a_random", true),
        (Partitioner::Fnv1a, "fnv1a", true),
    ];
    topic("homes", 7, &[]).await;
    let client = Klamm::Fast.connect(cluster()).await;
    for (partitioner, name, places_empty) in partitioners {
        let ours = client.producer().partitioner(partitioner).build().expect("a producer");
        let theirs = librdkafka_writer(cluster(), &[("partitioner", name)]);
        let mut keys: Vec<Vec<u8>> = (0..2_000).map(|i| noise(4 + i)[i..i + 1 + i % 4].to_vec()).collect();
        keys.extend(places_empty.then(Vec::new));
        let (mut tickets, mut deliveries) = (Vec::new(), Vec::new());
        for key in &keys {
            tickets.push(within("room", ours.enqueue(Record::to("homes").key(key))).await.expect("taken"));
            let record = rdkafka::producer::FutureRecord::<[u8], [u8]>::to("homes").key(key);
            deliveries.push(theirs.send_result(record).unwrap_or_else(|(error, _)| panic!("{error}")));
        }
        for ((key, ticket), delivery) in keys.iter().zip(tickets).zip(deliveries) {
            let home = within("a ticket", ticket).await.expect("acknowledged").partition();
            let theirs = within("a delivery", delivery).await.expect("the producer is there").expect("acknowledged");
            assert_eq!(home, theirs.partition, "{name}: {key:?}");
        }
    }
}
