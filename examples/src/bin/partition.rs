//! One partition as a log, by a program that keeps offsets itself: what the README of rskafka shows, here.
//! `KLAMM_BOOTSTRAP` says where; without it the program brings a broker in memory.

use std::time::Duration;

use klamm_broker::{ClusterConfig, serve};
use klamm_tokio::{Codec, NewTopic, OffsetSpec, Record, UnknownTopic};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (bootstrap, _broker) = match std::env::var("KLAMM_BOOTSTRAP") {
        Ok(bootstrap) => (bootstrap, None),
        Err(_) => {
            let broker = serve(ClusterConfig::default())?;
            (broker.bootstrap().to_string(), Some(broker))
        }
    };
    let client = klamm_tokio::connect(&bootstrap).await?;

    // Two partitions, one replica of each.
    let topic = format!("my_topic_{}", std::process::id());
    client.admin().create_topics([NewTopic::new(&topic, 2, 1)]).await?;

    // A client bound to partition 0. A topic that brokers do not know yet is waited for.
    let partition = client.partition(&topic, 0).unknown_topic(UnknownTopic::Retry).build().await?;

    // Written and acknowledged, once, whatever is retried on the way.
    let record = Record::new().value("hello kafka").header("foo", "bar").timestamp_ms(42);
    let offsets = partition.produce([record], Codec::None).await?;
    println!("written at {offsets:?}");

    // At most a million bytes, as soon as there is anything, within a second.
    let (records, high_watermark) = partition.fetch_records(0, 1..1_000_000, Duration::from_secs(1)).await?;
    for record in &records {
        let value = record.value().map(String::from_utf8_lossy);
        println!("{}: {value:?} of {}", record.offset(), record.timestamp());
    }
    if (records.len(), high_watermark, records.next_offset()) != (1, 1, 1) {
        return Err(format!("one record was written, and {} were read", records.len()).into());
    }

    let (first, last) = (partition.offset(OffsetSpec::Earliest).await?, partition.offset(OffsetSpec::Latest).await?);
    println!("the log has offsets {first:?} to {last:?}");
    println!("and begins at {} after the record is deleted", partition.delete_records(1).await?);
    client.admin().delete_topics([topic]).await?;
    Ok(())
}
