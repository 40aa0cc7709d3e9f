//! One record, acknowledged, by rskafka.

use std::collections::BTreeMap;

use rskafka::{
    client::{
        ClientBuilder,
        partition::{Compression, UnknownTopicHandling},
    },
    record::Record,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bootstrap = std::env::var("KLAMM_BOOTSTRAP").unwrap_or_else(|_| "localhost:9092".to_owned());
    let client = ClientBuilder::new(vec![bootstrap]).build().await.expect("a client");
    let partition = client.partition_client("greetings", 0, UnknownTopicHandling::Retry).await.expect("a partition");
    let timestamp = chrono::DateTime::from_timestamp_millis(1_700_000_000_000).expect("a time");
    let (key, value) = (Some(b"klamm".to_vec()), Some(b"hello".to_vec()));
    let record = Record { key, value, headers: BTreeMap::new(), timestamp };
    let offsets = partition.produce(vec![record], Compression::NoCompression).await.expect("acknowledged");
    println!("partition 0, offset {offsets:?}");
}
