//! Java's side.

use std::path::Path;

use klamm_kafka_tests::Cluster;

use crate::{Seen, Specimen};

/// Java's own producer writes each list to its partition, compressed as it says there.
///
/// # Panics
/// When one of them is refused.
pub fn java_writes(cluster: &Cluster, topic: &str, lists: &[(i32, &str, Vec<Specimen>)]) {
    java_writes_with(cluster, &[], topic, lists);
}

/// [`java_writes`] with these settings besides.
///
/// # Panics
/// As it does.
pub fn java_writes_with(
    cluster: &Cluster,
    settings: &[(&str, &str)],
    topic: &str,
    lists: &[(i32, &str, Vec<Specimen>)],
) {
    let lines = lists.iter().flat_map(|(partition, codec, records)| {
        records.iter().map(move |r| format!("{codec} {partition} {} {}\n", r.timestamp_ms, r.payload()))
    });
    let file = cluster.dir().join(format!("{topic}.txt"));
    std::fs::write(&file, lines.collect::<String>()).expect("the cluster's folder can be written");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/Write.java");
    let settings = properties(cluster, topic, settings);
    cluster.java(&program.display().to_string(), &[topic, &file.display().to_string(), &settings]);
}

/// A file of these settings.
fn properties(cluster: &Cluster, topic: &str, settings: &[(&str, &str)]) -> String {
    let file = cluster.dir().join(format!("{topic}.properties"));
    // Lines that end with a backslash go on in the next.
    let lines = settings.iter().map(|(key, value)| format!("{key}={}\n", value.trim_end().replace('\n', "\\n\\\n")));
    std::fs::write(&file, lines.collect::<String>()).expect("the cluster's folder can be written");
    file.display().to_string()
}

/// So many records of a topic, as Java's own consumer has them.
///
/// # Panics
/// When they do not come.
pub fn java_reads(cluster: &Cluster, topic: &str, count: usize) -> Vec<Seen> {
    java_reads_with(cluster, &[], topic, count)
}

/// [`java_reads`] with these settings besides.
///
/// # Panics
/// As it does.
pub fn java_reads_with(cluster: &Cluster, settings: &[(&str, &str)], topic: &str, count: usize) -> Vec<Seen> {
    let settings = properties(cluster, topic, settings);
    let text = cluster.java("Read.java", &[topic, &count.to_string(), &settings]);
    let mut all: Vec<Seen> = text.lines().map(seen).collect();
    all.sort_by_key(|record| (record.partition, record.offset));
    all
}

fn seen(line: &str) -> Seen {
    let fields: Vec<&str> = line.splitn(5, ' ').collect();
    let [partition, offset, kind, timestamp_ms, payload] = fields[..] else { panic!("not a record: {line}") };
    let number = |text: &str| text.parse::<i64>().unwrap_or_else(|error| panic!("{text}: {error}"));
    Seen {
        partition: number(partition) as i32,
        offset: number(offset),
        kind: Some(kind.into()),
        timestamp_ms: number(timestamp_ms),
        payload: payload.into(),
    }
}
