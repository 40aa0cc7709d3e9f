//! rskafka's side.

use std::collections::BTreeMap;

use chrono::DateTime;
use klamm_kafka_tests::{Cluster, within};
use rskafka::{
    client::{
        ClientBuilder,
        partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling},
    },
    record::Record,
};

use crate::{Seen, Specimen, Told, payload};

/// What rskafka's records can be, and its readers read: headers once each, in the order of their names and never null, and a time
/// that its crate for times knows.
pub fn rskafka_can(specimen: &Specimen) -> bool {
    let headers = &specimen.headers;
    headers.iter().all(|(_, value)| value.is_some())
        && headers.is_sorted_by(|(one, _), (next, _)| one < next)
        && DateTime::from_timestamp_millis(specimen.timestamp_ms).is_some()
}

async fn partition_of(cluster: &Cluster, topic: &str, partition: i32) -> PartitionClient {
    let brokers = vec![cluster.bootstrap().to_owned()];
    let client = within("rskafka's client", ClientBuilder::new(brokers).build()).await.expect("a client");
    let opening = client.partition_client(topic, partition, UnknownTopicHandling::Retry);
    within("rskafka's partition", opening).await.expect("a partition")
}

/// Writes these to a partition, in one batch.
///
/// # Panics
/// When they are refused, or are not what [`rskafka_can`] say.
pub async fn rskafka_writes(
    cluster: &Cluster,
    topic: &str,
    partition: i32,
    codec: &str,
    records: &[Specimen],
) -> Vec<Told> {
    let compression = match codec {
        "none" => Compression::NoCompression,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => panic!("{other} is no codec"),
    };
    let record = |specimen: &Specimen| Record {
        key: specimen.key.clone(),
        value: specimen.value.clone(),
        headers: specimen
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().expect("not null")))
            .collect(),
        timestamp: DateTime::from_timestamp_millis(specimen.timestamp_ms).expect("a time"),
    };
    let client = partition_of(cluster, topic, partition).await;
    let producing = client.produce(records.iter().map(record).collect(), compression);
    let offsets = within("rskafka's acknowledgement", producing).await.expect("acknowledged");
    offsets.into_iter().map(|offset| Told { offset, timestamp_ms: None }).collect()
}

/// Everything in these partitions up to where they end.
///
/// # Panics
/// On an error, and when nothing comes for a minute.
pub async fn rskafka_reads(cluster: &Cluster, topic: &str, partitions: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    for partition in 0..partitions as i32 {
        let client = partition_of(cluster, topic, partition).await;
        let end = within("rskafka's offset", client.get_offset(OffsetAt::Latest)).await.expect("an end");
        let mut offset = 0;
        while offset < end {
            let fetching = client.fetch_records(offset, 1..4_000_000, 1_000);
            let (records, _) = within("rskafka's records", fetching).await.expect("fetched");
            offset = records.last().map_or(offset, |last| last.offset + 1);
            all.extend(records.into_iter().map(|one| seen(partition, one.offset, &one.record)));
        }
    }
    all
}

fn seen(partition: i32, offset: i64, record: &Record) -> Seen {
    let headers: &BTreeMap<String, Vec<u8>> = &record.headers;
    let headers = headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
    Seen {
        partition,
        offset,
        kind: None,
        timestamp_ms: record.timestamp.timestamp_millis(),
        payload: payload(record.key.as_deref(), record.value.as_deref(), headers),
    }
}
