//! A worker: a command component that reads partitions, gives each record to a handler, and keeps its place in a topic of its
//! own, because a component has no disk and this one needs no consumer group. Stopped at any moment and started again, it goes on
//! where it was: nothing is skipped, and what was handled since the place was last kept is handled again (at least once).
//!
//! Its settings, from the environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `KAFKA_BOOTSTRAP` | brokers to begin with, `host:port,…` | must be set |
//! | `TOPIC` | what is read | must be set |
//! | `PARTITIONS` | which of its partitions, `0,1,…` | `0` |
//! | `POSITIONS_TOPIC` | where the place is kept: one partition, `cleanup.policy=compact`, no second worker's | `positions-TOPIC` |
//! | `FETCH_BYTES` | how much is fetched, and mostly handled, before the place is kept again | 65536 |
//! | `IDLE_MS` | ends when nothing came for so long; 0: never | 0 |
//! | `KAFKA_CA_PEM`, `KAFKA_USER`, … | with the feature `tls`: see `examples/edge-security` | no TLS, no SASL |
//!
//! Two workers must not run with the same positions topic at once: each would handle everything.
#![no_std]

extern crate alloc;

mod positions;
#[cfg(not(feature = "tls"))]
#[path = "../../edge-security/src/without.rs"]
mod security;

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::{future::poll_fn, pin::pin, task::Poll};

use klamm_wasi::{Client, Config, Consumer, Error, Reactor, RecordView, Records, StartAt};
use wasip2::{
    cli::{environment::get_environment, stderr::get_stderr, stdout::get_stdout},
    clocks::monotonic_clock::subscribe_duration,
    exports::cli::run::Guest,
};

#[cfg(feature = "tls")]
use klamm_edge_security as security;
use positions::Positions;

struct Worker;
wasip2::cli::command::export!(Worker);

impl Guest for Worker {
    fn run() -> Result<(), ()> {
        let environment = get_environment();
        let worked = Settings::of(&environment).and_then(|settings| {
            let config = Config::new(&*settings.bootstrap).client_id("edge-worker");
            let config = security::secured(config, &environment)?;
            klamm_wasi::block_on(config, async |client| work(&client, &settings).await)
                .and_then(|worked| worked)
                .map_err(|error| error.to_string())
        });
        worked.map_err(|why| drop(get_stderr().blocking_write_and_flush(format!("{why}\n").as_bytes())))
    }
}

/// What is done with a record. It may be called again for one that it has seen: after a stop, for all since the place was
/// last kept.
fn handle(partition: i32, record: &RecordView<'_>) {
    let value = record.value().map(String::from_utf8_lossy).unwrap_or_default();
    let line = format!("{partition} {} {value}\n", record.offset());
    // wasi:cli takes 4 KiB a call.
    for piece in line.as_bytes().chunks(4_096) {
        let _ = get_stdout().blocking_write_and_flush(piece);
    }
}

async fn work(client: &Client, settings: &Settings) -> Result<(), Error> {
    let mut positions = Positions::open(client, &settings.positions_topic).await?;
    // One consumer a partition, so that each has all of `fetch_bytes`; one for all of them would begin with `assign_at`.
    let mut consumers = Vec::new();
    for partition in &settings.partitions {
        let from = positions.of(*partition).map_or(StartAt::Earliest, StartAt::Offset);
        let consumer = client.consumer().assign([(&settings.topic, *partition)]).from(from);
        consumers.push(consumer.fetch_max_bytes(settings.fetch_bytes).build()?);
    }
    while let Some(records) = next(&mut consumers, settings.idle_ms).await? {
        for record in &records {
            handle(records.partition(), &record);
        }
        positions.keep(records.partition(), records.next_offset()).await?;
    }
    Ok(())
}

/// The next records of any consumer; `None` when nothing came for so long, or the client has ended.
async fn next(consumers: &mut [Consumer], idle_ms: u64) -> Result<Option<Records>, Error> {
    let mut idle = (idle_ms > 0).then(|| Reactor::wait(subscribe_duration(idle_ms * 1_000_000)));
    // `next` is cancel-safe: what is not ready has taken nothing.
    poll_fn(|cx| {
        for at in 0..consumers.len() {
            let polled = pin!(consumers[at].next()).poll(cx);
            if let Poll::Ready(records) = polled {
                // The others come first the next time.
                consumers.rotate_left(at + 1);
                return Poll::Ready(records);
            }
        }
        match &mut idle {
            Some(idle) => pin!(idle).poll(cx).map(|()| Ok(None)),
            None => Poll::Pending,
        }
    })
    .await
}

struct Settings {
    bootstrap: String,
    topic: String,
    partitions: Vec<i32>,
    positions_topic: String,
    fetch_bytes: u32,
    idle_ms: u64,
}

impl Settings {
    /// # Errors
    /// The variable that is missing or makes no sense.
    fn of(environment: &[(String, String)]) -> Result<Settings, String> {
        let all: BTreeMap<&str, &str> = environment.iter().map(|(key, value)| (&**key, &**value)).collect();
        let get = |name: &str| all.get(name).copied();
        let must = |name: &str| get(name).ok_or_else(|| format!("{name} is not set")).map(String::from);
        let wrong = |name: &str| format!("{name} makes no sense: {}", get(name).unwrap_or_default());
        let topic = must("TOPIC")?;
        let partitions = get("PARTITIONS").unwrap_or("0").split(',').map(|p| p.trim().parse());
        Ok(Settings {
            bootstrap: must("KAFKA_BOOTSTRAP")?,
            partitions: partitions.collect::<Result<_, _>>().map_err(|_| wrong("PARTITIONS"))?,
            positions_topic: get("POSITIONS_TOPIC").map_or_else(|| format!("positions-{topic}"), String::from),
            fetch_bytes: get("FETCH_BYTES").unwrap_or("65536").parse().map_err(|_| wrong("FETCH_BYTES"))?,
            idle_ms: get("IDLE_MS").unwrap_or("0").parse().map_err(|_| wrong("IDLE_MS"))?,
            topic,
        })
    }
}
