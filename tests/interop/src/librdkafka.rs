//! librdkafka's side, by the crate rdkafka.

use std::time::{Duration, Instant};

use klamm_kafka_tests::{Cluster, within};
use rdkafka::{
    ClientConfig, Message, Offset, Timestamp, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use crate::{Seen, Specimen, Told, payload};

/// A producer with these settings.
///
/// # Panics
/// When librdkafka does not know one of them.
pub fn librdkafka_writer(cluster: &Cluster, settings: &[(&str, &str)]) -> FutureProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap()).set("linger.ms", "50");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().unwrap_or_else(|error| panic!("{error}"))
}

/// Writes these to a partition; what became of each.
///
/// # Panics
/// When librdkafka does not take one into its queue.
pub async fn librdkafka_writes(
    producer: &FutureProducer,
    topic: &str,
    partition: i32,
    records: &[Specimen],
) -> Vec<Result<Told, KafkaError>> {
    let mut sent = Vec::new();
    for specimen in records {
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).partition(partition).timestamp(specimen.timestamp_ms);
        record.key = specimen.key.as_deref();
        record.payload = specimen.value.as_deref();
        if !specimen.headers.is_empty() {
            let headers = specimen.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: value.as_deref() })
            });
            record = record.headers(headers);
        }
        sent.push(producer.send_result(record).unwrap_or_else(|(error, _)| panic!("{error}")));
    }
    let mut told = Vec::new();
    for delivery in sent {
        let delivery = within("a delivery", delivery).await.expect("the producer is there");
        let delivery = delivery.map_err(|(error, _)| error);
        told.push(delivery.map(|d| Told { offset: d.offset, timestamp_ms: d.timestamp.to_millis() }));
    }
    told
}

/// Everything in these partitions up to where they end, each batch checked by its CRC.
///
/// # Panics
/// On an error, and when it takes more than a minute.
pub fn librdkafka_reads(cluster: &Cluster, topic: &str, partitions: usize) -> Vec<Seen> {
    librdkafka_reads_with(cluster, &[], topic, partitions)
}

/// [`librdkafka_reads`] with these settings besides.
///
/// # Panics
/// As it does.
pub fn librdkafka_reads_with(
    cluster: &Cluster,
    settings: &[(&str, &str)],
    topic: &str,
    partitions: usize,
) -> Vec<Seen> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap()).set("group.id", "interop");
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true").set("check.crcs", "true");
    // Of a transaction that was never committed too, as Klamm reads.
    config.set("isolation.level", "read_uncommitted");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer = config.create().unwrap_or_else(|error| panic!("{error}"));
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("assigned");
    let (mut all, mut ends, start) = (Vec::new(), 0, Instant::now());
    while ends < partitions {
        assert!(start.elapsed() < Duration::from_secs(60), "{topic}: {ends} of {partitions} partitions are read");
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => all.push(seen(&message)),
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => {}
        }
    }
    all.sort_by_key(|record| (record.partition, record.offset));
    all
}

fn seen(message: &BorrowedMessage<'_>) -> Seen {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter()).map(|h| (h.key, h.value));
    let (kind, timestamp_ms) = match message.timestamp() {
        Timestamp::CreateTime(time) => (Some("CreateTime"), time),
        Timestamp::LogAppendTime(time) => (Some("LogAppendTime"), time),
        // The crate says so of −1, whatever its kind.
        Timestamp::NotAvailable => (None, -1),
    };
    Seen {
        partition: message.partition(),
        offset: message.offset(),
        kind: kind.map(str::to_owned),
        timestamp_ms,
        payload: payload(message.key(), message.payload(), headers),
    }
}
