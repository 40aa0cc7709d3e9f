//! One record there and back, without async: the client has a thread of its own, and `.wait()` waits for any future.
//! `KLAMM_BOOTSTRAP` says where, else localhost:9092; the topic `greetings` must be there.

use klamm_tokio::{Record, StartAt, Wait, blocking};

fn main() -> Result<(), klamm_tokio::Error> {
    let bootstrap = std::env::var("KLAMM_BOOTSTRAP").unwrap_or_else(|_| "localhost:9092".to_owned());
    let client = blocking::connect(bootstrap)?;
    let meta = client.producer().build()?.send(Record::to("greetings").key("klamm").value("hello")).wait()?;
    println!("partition {}, offset {}", meta.partition(), meta.offset());
    let mut consumer = client.consumer().topics(["greetings"]).from(StartAt::Earliest).build()?;
    if let Some(records) = consumer.next().wait()? {
        for record in &records {
            println!("{}: {}", record.offset(), String::from_utf8_lossy(record.value().unwrap_or_default()));
        }
    }
    Ok(())
}
