//! rskafka beside the others: what it writes all read, and it reads what each of them writes, in every codec.

use klamm_interop::{
    CODECS, Klamm, Seen, Specimen, assert_same, java_reads, java_writes, librdkafka_reads, librdkafka_writer,
    librdkafka_writes, rskafka_can, rskafka_reads, rskafka_writes, specimens,
};
use klamm_kafka_tests::{Cluster, create};

/// What every partition of a topic has, as lines.
fn lines(records: &[Specimen]) -> Vec<String> {
    let of = |partition| {
        let line = move |(offset, record): (usize, &Specimen)| {
            format!("{partition} {offset} {} {}", record.timestamp_ms, record.payload())
        };
        records.iter().enumerate().map(line).collect::<Vec<_>>()
    };
    (0..CODECS.len()).flat_map(of).collect()
}

async fn write(cluster: &Cluster, writer: &str, records: &[Specimen]) {
    if writer == "java" {
        let lists: Vec<_> = (0..).zip(CODECS).map(|(partition, codec)| (partition, codec, records.to_vec())).collect();
        return java_writes(cluster, writer, &lists);
    }
    for (partition, codec) in (0..).zip(CODECS) {
        match writer {
            "rskafka" => {
                let told = rskafka_writes(cluster, writer, partition, codec, records).await;
                assert!(told.iter().map(|told| told.offset).eq(0..records.len() as i64), "{codec}");
            }
            "klamm" => drop(Klamm::Fast.writes(cluster, writer, partition, codec, records).await),
            _ => {
                let producer = librdkafka_writer(cluster, &[("compression.type", codec)]);
                let told = librdkafka_writes(&producer, writer, partition, records).await;
                assert!(told.iter().all(Result::is_ok), "{codec}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rskafka_reads_all_and_all_read_rskafka() {
    let cluster = Cluster::start(1, &[("log.retention.ms", "-1")]);
    let client = Klamm::Fast.connect(&cluster).await;
    // 0 is now for librdkafka, and Java takes nothing before 1970.
    let can = |record: &Specimen| rskafka_can(record) && record.timestamp_ms > 0;
    let records: Vec<Specimen> = specimens().into_iter().filter(can).collect();
    assert!(records.len() > 2_000 && records.iter().any(|record| !record.headers.is_empty()));
    let expected = lines(&records);
    let after = ("message.timestamp.after.max.ms", "9223372036854775807");
    for writer in ["rskafka", "klamm", "librdkafka", "java"] {
        create(&client, writer, CODECS.len() as i32, &[after]).await;
        write(&cluster, writer, &records).await;
        let mut read = vec![("rskafka", rskafka_reads(&cluster, writer, CODECS.len()).await)];
        if writer == "rskafka" {
            read.push(("librdkafka", librdkafka_reads(&cluster, writer, CODECS.len())));
            read.push(("java", java_reads(&cluster, writer, expected.len())));
            for klamm in [Klamm::BuiltIn, Klamm::Fast] {
                read.push(("klamm", klamm.reads(&cluster, writer, CODECS.len()).await));
            }
        }
        for (reader, seen) in read {
            let seen: Vec<Seen> = seen;
            assert_same(&format!("written by {writer}, read by {reader}"), &seen, &expected);
        }
    }
}
