//! Klamm's side.

use std::{sync::Arc, time::Duration};

use klamm_kafka_tests::{Cluster, read, within};
use klamm_tokio::{
    Client, Codec, Config, Error, FastCodecs, Memory, Producer, Record, StartAt,
    compress::{BuiltIn, Codecs},
};

use crate::{Seen, Specimen, Told, payload};

/// Klamm with one of its two sets of codecs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Klamm {
    /// The core's own, which every target has.
    BuiltIn,
    /// zlib-rs, and the zstd library.
    Fast,
}

impl Klamm {
    /// A client of the whole cluster.
    ///
    /// # Panics
    /// When no broker answers.
    pub async fn connect(self, cluster: &Cluster) -> Client {
        self.connect_with(cluster, Memory::default().total()).await
    }

    /// [`Klamm::connect`] with so many bytes of memory.
    pub async fn connect_with(self, cluster: &Cluster, memory: usize) -> Client {
        let codecs: Arc<dyn Codecs> = match self {
            Klamm::BuiltIn => Arc::new(BuiltIn),
            Klamm::Fast => Arc::new(FastCodecs),
        };
        let config = Config::new(cluster.bootstrap()).codecs(codecs).memory_total(memory);
        klamm_tokio::connect_with(config).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes these to a partition, in large batches.
    ///
    /// # Panics
    /// When one of them is refused.
    pub async fn writes(
        self,
        cluster: &Cluster,
        topic: &str,
        partition: i32,
        codec: &str,
        records: &[Specimen],
    ) -> Vec<Told> {
        let client = self.connect(cluster).await;
        let codec = Codec::from_name(codec).expect("a codec");
        let producer = client.producer().compression(codec).linger(Duration::from_millis(100)).build();
        let producer = producer.unwrap_or_else(|error| panic!("{error}"));
        let outcomes = write(&producer, topic, partition, records).await;
        outcomes.into_iter().map(|told| told.unwrap_or_else(|error| panic!("{error}"))).collect()
    }

    /// Everything in these partitions up to where they end.
    ///
    /// # Panics
    /// On an error, and when nothing comes for a minute.
    pub async fn reads(self, cluster: &Cluster, topic: &str, partitions: usize) -> Vec<Seen> {
        self.reads_by(4 << 20, cluster, topic, partitions).await
    }

    /// [`Klamm::reads`] with so many bytes a fetch, and a batch at least.
    ///
    /// # Panics
    /// As it does, and when an offset comes twice.
    pub async fn reads_by(self, bytes: u32, cluster: &Cluster, topic: &str, partitions: usize) -> Vec<Seen> {
        read_all(&self.connect(cluster).await, bytes, topic, partitions).await
    }
}

/// [`Klamm::reads_by`] of a client that there is.
///
/// # Panics
/// As it does.
pub async fn read_all(client: &Client, bytes: u32, topic: &str, partitions: usize) -> Vec<Seen> {
    let consumer = client.consumer().topics([topic]).from(StartAt::Earliest).fetch_max_bytes(bytes).build();
    let mut consumer = consumer.unwrap_or_else(|error| panic!("{error}"));
    let (mut all, mut next) = (Vec::new(), vec![0; partitions]);
    let mut unread: Vec<i32> = (0..partitions as i32).collect();
    while !unread.is_empty() {
        let records = read(&mut consumer).await;
        let partition = records.partition();
        for record in &records {
            let headers = record.headers().map(|h| (h.key().expect("UTF-8"), h.value));
            all.push(Seen {
                partition,
                offset: record.offset(),
                kind: Some(format!("{:?}", record.timestamp_type())),
                timestamp_ms: record.timestamp(),
                payload: payload(record.key(), record.value(), headers),
            });
        }
        // What goes round in a circle would never come to the end.
        let next = &mut next[partition as usize];
        assert!(records.next_offset() > *next, "{topic}-{partition} goes on at {} after {next}", records.next_offset());
        *next = records.next_offset();
        unread.retain(|p| *p != partition || records.next_offset() < records.high_watermark());
    }
    all.sort_by_key(|record| (record.partition, record.offset));
    all
}

/// Writes with a producer of any settings; what became of each.
///
/// # Panics
/// When the buffer refuses one.
pub async fn write(producer: &Producer, topic: &str, partition: i32, records: &[Specimen]) -> Vec<Result<Told, Error>> {
    let mut tickets = Vec::new();
    for specimen in records {
        let record = Record::to(topic).partition(partition).timestamp_ms(specimen.timestamp_ms);
        let record = specimen.key.iter().fold(record, |record, key| record.key(key));
        let record = specimen.value.iter().fold(record, |record, value| record.value(value));
        let record = specimen.headers.iter().fold(record, |record, (name, value)| match value {
            Some(value) => record.header(name, value),
            None => record.null_header(name),
        });
        tickets.push(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
    }
    let mut told = Vec::new();
    for ticket in tickets {
        let outcome = within("a ticket", ticket).await;
        told.push(outcome.map(|m| Told { offset: m.offset(), timestamp_ms: Some(m.timestamp_ms()) }));
    }
    told
}
