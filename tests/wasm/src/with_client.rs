//! The client under its real driver.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use klamm_wasi::{Config, Error, Record, Refused, StartAt};

use crate::say;

fn text(e: Error) -> String {
    e.to_string()
}

/// Connects and ends: the driver has ApiVersions and Metadata answered.
pub fn connect(address: &str) -> Result<(), String> {
    let mut config = Config::new(address);
    config.connect_timeout_ms = 3_000;
    klamm_wasi::block_on(config, async |client| {
        say(&format!("connected; at most {} bytes of the budget were used", client.budget().peak_total()));
    })
    .map_err(text)
}

/// Produces records, each with its number as key and value, and reads all of them back.
pub fn both_ways(address: &str, topic: &str, records: usize) -> Result<(), String> {
    let done = klamm_wasi::block_on(Config::new(address), async |client| {
        let producer = client.producer().build()?;
        let number = |n: usize| format!("{n}");
        let mut tickets = Vec::new();
        for n in 0..records {
            let (key, value) = (number(n), number(n));
            tickets.push(
                producer.enqueue(Record::to(topic).key(&*key).value(&*value)).await.map_err(Refused::into_error)?,
            );
        }
        producer.flush().await?;
        for ticket in tickets {
            ticket.await?;
        }
        let mut consumer = client.consumer().topics([topic]).from(StartAt::Earliest).build()?;
        let mut seen = BTreeSet::new();
        while seen.len() < records {
            let Some(records) = consumer.next().await? else { break };
            for record in &records {
                if record.key() != record.value() || !seen.insert(record.value().unwrap_or_default().to_vec()) {
                    return Ok(Err(format!("{record:?} is wrong or came twice")));
                }
            }
        }
        let peak = client.budget().peak_total();
        Ok(match (0..records).all(|n| seen.contains(number(n).as_bytes())) {
            true => Ok(format!("{records} records both ways; at most {peak} bytes of the budget were used")),
            false => Err(format!("{} of {records} records came, and others", seen.len())),
        })
    });
    let told = done.and_then(|done: Result<_, Error>| done).map_err(text)??;
    say(&told);
    Ok(())
}
