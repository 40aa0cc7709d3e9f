//! The client under its real driver.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};

use klamm_wasi::{Codec, Error, Event, Observe, Reactor, Record, Refused, StartAt, Ticket, WarmState, Wasi};
use wasip2::clocks::monotonic_clock::{now, subscribe_duration};

use crate::{config, number, say};

fn text(e: Error) -> String {
    e.to_string()
}

/// What these arguments name, if they name something here.
pub fn act(arguments: &[&str]) -> Option<Result<(), String>> {
    Some(match arguments {
        ["connect", address] => connect(address),
        ["both-ways", address, topic, records, codec] => {
            number(records).and_then(|n| both_ways(address, topic, n, codec))
        }
        ["steady", address, topic, records, a_millisecond] => {
            number(records).and_then(|n| steady(address, topic, n, number(a_millisecond)?))
        }
        ["produce", address, topic, records, bytes, budget] => {
            number(records).and_then(|n| produce(address, topic, n, number(bytes)?, number(budget)?))
        }
        ["warm", address, topic] => warm(address, topic),
        _ => return None,
    })
}

/// Connects and ends: the driver has ApiVersions and Metadata answered.
fn connect(address: &str) -> Result<(), String> {
    let mut config = config(address)?;
    config.connect_timeout_ms = 3_000;
    klamm_wasi::block_on(config, async |client| {
        say(&format!("connected; at most {} bytes of the budget were used", client.budget().peak_total()));
    })
    .map_err(text)
}

fn codec(name: &str) -> Result<Codec, String> {
    let all = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    all.into_iter().find(|codec| format!("{codec}") == name).ok_or_else(|| format!("no codec {name}"))
}

/// Produces records, each with its number as key and value, and reads all of them back.
fn both_ways(address: &str, topic: &str, records: usize, codec_name: &str) -> Result<(), String> {
    let codec = codec(codec_name)?;
    let done = klamm_wasi::block_on(config(address)?, async |client| {
        let producer = client.producer().compression(codec).build()?;
        let number = |n: usize| format!("{n}");
        let started = now();
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
        let there = now() - started;
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
        let (there, back) = (there / 1_000_000, (now() - started - there) / 1_000_000);
        Ok(match (0..records).all(|n| seen.contains(number(n).as_bytes())) {
            true => Ok(format!(
                "{records} records both ways in {there} and {back} ms; at most {peak} bytes of the budget were used"
            )),
            false => Err(format!("{} of {records} records came, and others", seen.len())),
        })
    });
    let told = done.and_then(|done: Result<_, Error>| done).map_err(text)??;
    say(&told);
    Ok(())
}

/// What happened to connections and batches, by its name.
#[derive(Default)]
struct Counts(spin::Mutex<BTreeMap<&'static str, usize>>);

impl Observe for Counts {
    fn observe(&self, event: &Event<'_>) {
        *self.0.lock().entry(event.name()).or_default() += 1;
    }
}

/// Produces records at a pace, whatever happens to the brokers or to this component, and says how far it is; each value is the
/// record's number.
fn steady(address: &str, topic: &str, records: usize, a_millisecond: usize) -> Result<(), String> {
    let counts: Arc<Counts> = Arc::default();
    let mut config = config(address)?.observer(counts.clone());
    (config.request_timeout_ms, config.connect_timeout_ms) = (2_000, 2_000);
    let done = klamm_wasi::block_on(config, async |client| {
        let producer = client.producer().build()?;
        let mut tickets = VecDeque::new();
        for n in 0..records {
            let value = format!("{n}");
            tickets.push_back(producer.enqueue(Record::to(topic).value(&*value)).await.map_err(Refused::into_error)?);
            if (n + 1) % a_millisecond == 0 {
                Reactor::wait(subscribe_duration(1_000_000)).await;
            }
            if (n + 1) % (records / 20).max(1) == 0 {
                say(&format!("{} of {records}", n + 1));
            }
            while tickets.front().is_some_and(|ticket: &Ticket| ticket.outcome().is_some())
                && let Some(ticket) = tickets.pop_front()
            {
                ticket.await?;
            }
        }
        for ticket in tickets {
            ticket.await?;
        }
        Ok(())
    });
    done.and_then(|done: Result<(), Error>| done).map_err(text)?;
    let of = |name| counts.0.lock().get(name).copied().unwrap_or(0);
    let (lost, retried) = (of("connection_lost"), of("batch_retried"));
    say(&format!("all are acknowledged; {lost} connections were lost, {retried} batches sent again"));
    Ok(())
}

/// Produces records of one size as fast as it can within a budget, and says how long that took.
fn produce(address: &str, topic: &str, records: usize, bytes: usize, budget: usize) -> Result<(), String> {
    let value = alloc::vec![b'x'; bytes];
    let config = config(address)?.memory_total(budget);
    let done = klamm_wasi::block_on(config, async |client| {
        let producer = client.producer().batch_bytes((budget / 16).min(1_000_000)).build()?;
        producer.send(Record::to(topic).value(&*value)).await?;
        let started = now();
        for _ in 1..records {
            // What becomes of each is known when the flush has succeeded.
            drop(producer.enqueue(Record::to(topic).value(&*value)).await.map_err(Refused::into_error)?);
        }
        producer.flush().await?;
        Ok(now() - started)
    });
    let took = done.and_then(|done: Result<u64, Error>| done).map_err(text)?;
    say(&format!("{}", took / 1_000));
    Ok(())
}

/// One record with a client that knows nothing, and one with a client that knows what the first one knew.
fn warm(address: &str, topic: &str) -> Result<(), String> {
    let mut config = config(address)?;
    config.single_connection = true;
    for what in ["cold", "warm"] {
        let started = now();
        let (client, driver) = klamm_wasi::new(config.clone(), Wasi::new()).map_err(text)?;
        let done = Reactor::run_beside(driver, async move {
            let producer = client.producer().build()?;
            let meta = producer.send(Record::to(topic).value(what)).await?;
            let took = now() - started;
            let began = now();
            let bytes = client.warm_state().await?.to_bytes();
            Ok((meta.offset(), took, bytes, now() - began))
        });
        let (offset, took, bytes, exporting) = done.map_err(text)?;
        let began = now();
        let state = WarmState::from_bytes(&bytes).map_err(text)?;
        let (importing, len) = (now() - began, bytes.len());
        say(&format!(
            "{what}: offset {offset} after {} us; {len} bytes of state, exported in {} us, imported in {} us",
            took / 1_000,
            exporting / 1_000,
            importing / 1_000
        ));
        config = config.warm_state(state);
    }
    Ok(())
}
