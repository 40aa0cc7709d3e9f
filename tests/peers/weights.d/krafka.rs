//! One record, acknowledged, by krafka.

use krafka::{Kafka, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bootstrap = std::env::var("KLAMM_BOOTSTRAP").unwrap_or_else(|_| "localhost:9092".to_owned());
    let kafka = Kafka::builder(bootstrap).connect().await.expect("a client");
    let producer = kafka.producer().build().await.expect("a producer");
    let metadata = producer.send(Record::new("greetings", "hello").key("klamm")).await.expect("acknowledged");
    println!("partition {}, offset {}", metadata.partition, metadata.offset);
}
