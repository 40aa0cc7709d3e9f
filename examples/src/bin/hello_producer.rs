//! One record, acknowledged: the smallest program that produces. `KLAMM_BOOTSTRAP` says where, else localhost:9092.
//!
//! Its size is held to a ceiling (`tests/sizes.toml`): a program has in it what it uses and no more.

use klamm_tokio::Record;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), klamm_tokio::Error> {
    let bootstrap = std::env::var("KLAMM_BOOTSTRAP").unwrap_or_else(|_| "localhost:9092".to_owned());
    let client = klamm_tokio::connect(&bootstrap).await?;
    let producer = client.producer().build()?;
    let meta = producer.send(Record::to("greetings").key("klamm").value("hello")).await?;
    println!("partition {}, offset {}", meta.partition(), meta.offset());
    Ok(())
}
