//! How far the worker is, kept in a compacted topic of one partition. Each record has all of it, `partition:offset,…`, so the
//! last one is all that need be read, and compaction may remove the others.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use klamm_wasi::{Client, Error, OffsetSpec, Producer, Record, StartAt};

/// One key, so that compaction leaves one record.
const KEY: &str = "positions";

pub(crate) struct Positions {
    producer: Producer,
    topic: String,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
}

impl Positions {
    /// Reads what was kept last.
    ///
    /// # Errors
    /// Where the topic cannot be read: it must exist.
    pub(crate) async fn open(client: &Client, topic: &str) -> Result<Positions, Error> {
        let (first, end) =
            (edge(client, topic, OffsetSpec::Earliest).await?, edge(client, topic, OffsetSpec::Latest).await?);
        let mut next = BTreeMap::new();
        if first < end {
            let mut consumer = client.consumer().assign([(topic, 0)]).from(StartAt::Offset(end - 1)).build()?;
            if let Some(records) = consumer.next().await? {
                next = records.iter().last().and_then(|last| parse(last.value()?)).unwrap_or_default();
            }
        }
        Ok(Positions { producer: client.producer().build()?, topic: topic.to_string(), next })
    }

    /// The next offset of a partition, if any was kept.
    pub(crate) fn of(&self, partition: i32) -> Option<i64> {
        self.next.get(&partition).copied()
    }

    /// Keeps a partition's next offset; acknowledged when this returns.
    ///
    /// # Errors
    /// When Kafka has not acknowledged it in time. The worker then ends, and begins again where it was before.
    pub(crate) async fn keep(&mut self, partition: i32, offset: i64) -> Result<(), Error> {
        self.next.insert(partition, offset);
        let all: Vec<String> = self.next.iter().map(|(p, o)| format!("{p}:{o}")).collect();
        let value = all.join(",");
        self.producer.send(Record::to(&self.topic).partition(0).key(KEY).value(&*value)).await.map(drop)
    }
}

/// Where the topic begins or ends.
async fn edge(client: &Client, topic: &str, spec: OffsetSpec) -> Result<i64, Error> {
    let listed = client.admin().list_offsets([(topic, 0, spec)]).await?;
    Ok(listed.first().and_then(|listed| listed.offset).unwrap_or(0))
}

fn parse(value: &[u8]) -> Option<BTreeMap<i32, i64>> {
    let text = core::str::from_utf8(value).ok()?;
    text.split(',').map(|one| one.split_once(':').and_then(|(p, o)| Some((p.parse().ok()?, o.parse().ok()?)))).collect()
}
