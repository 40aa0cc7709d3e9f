//! Numbered records to every partition in turn, and a reader that expects each number exactly once.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed, time::Duration};

use klamm_tokio::{Client, Config, Error, Producer, Record, Refused, StartAt, Ticket};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::{PARTITIONS, Shared, TOPIC};

const SIZE: usize = 100;
/// Ticks a second: so often are records sent.
const TICKS: usize = 100;
/// How long the reader may need for the rest, once nothing is sent any more.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the application itself holds: made before the client, so that it does not count as the client's.
pub(crate) struct Load {
    a_tick: usize,
    open: VecDeque<Ticket>,
    next: [u64; PARTITIONS as usize],
    expected: [u64; PARTITIONS as usize],
}

impl Load {
    pub(crate) fn new(rate: usize) -> Load {
        // Half a minute without a broker fills it; after that sending waits.
        let open = VecDeque::with_capacity(rate * 30);
        Load { a_tick: rate / TICKS, open, next: [0; _], expected: [0; _] }
    }

    pub(crate) async fn run(&mut self, config: Config, shared: &Shared) -> Result<(), Error> {
        let client = klamm_tokio::connect_with(config).await?;
        let Load { a_tick, open, next, expected } = self;
        let (sent, read) = tokio::join!(send(&client, *a_tick, open, next, shared), read(&client, expected, shared));
        sent.and(read)
    }
}

async fn send(
    client: &Client,
    a_tick: usize,
    open: &mut VecDeque<Ticket>,
    next: &mut [u64],
    shared: &Shared,
) -> Result<(), Error> {
    let producer = client.producer().build()?;
    let mut ticks = interval(Duration::from_secs(1) / TICKS as u32);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !shared.stop.load(Relaxed) {
        ticks.tick().await;
        shared.tasks.store(tokio::runtime::Handle::current().metrics().num_alive_tasks() as u64, Relaxed);
        for _ in 0..a_tick {
            open.push_back(one(&producer, next, shared).await?);
        }
        while open.len() + a_tick > open.capacity() || open.front().is_some_and(|ticket| ticket.outcome().is_some()) {
            settle(open, shared).await;
        }
    }
    while !open.is_empty() {
        settle(open, shared).await;
    }
    Ok(())
}

async fn one(producer: &Producer, next: &mut [u64], shared: &Shared) -> Result<Ticket, Error> {
    let partition = shared.sent.fetch_add(1, Relaxed) as usize % next.len();
    let mut value = [b'.'; SIZE];
    value[..8].copy_from_slice(&next[partition].to_be_bytes());
    next[partition] += 1;
    let record = Record::to(TOPIC).partition(partition as i32).value(&value);
    producer.enqueue(record).await.map_err(Refused::into_error)
}

async fn settle(open: &mut VecDeque<Ticket>, shared: &Shared) {
    let Some(oldest) = open.pop_front() else { return };
    let outcome = oldest.await;
    let counter = if outcome.is_ok() { &shared.acknowledged } else { &shared.failed };
    if let Err(error) = outcome {
        println!("a record failed: {error}");
    }
    counter.fetch_add(1, Relaxed);
}

async fn read(client: &Client, expected: &mut [u64], shared: &Shared) -> Result<(), Error> {
    let mut consumer = client.consumer().topics([TOPIC]).from(StartAt::Earliest).build()?;
    let mut last_look = None;
    loop {
        if shared.stop.load(Relaxed) {
            let until = *last_look.get_or_insert_with(|| Instant::now() + PATIENCE);
            let settled = shared.acknowledged.load(Relaxed) + shared.failed.load(Relaxed) == shared.sent.load(Relaxed);
            if Instant::now() >= until || settled && shared.consumed.load(Relaxed) >= shared.sent.load(Relaxed) {
                return Ok(());
            }
        }
        let Ok(next) = timeout_at(Instant::now() + Duration::from_secs(1), consumer.next()).await else { continue };
        let Some(records) = next? else { return Ok(()) };
        let expected = &mut expected[records.partition() as usize];
        for record in &records {
            let number =
                record.value().and_then(|value| value.first_chunk()).map_or(u64::MAX, |n| u64::from_be_bytes(*n));
            if number < *expected {
                shared.twice.fetch_add(1, Relaxed);
            } else {
                shared.lost.fetch_add(number - *expected, Relaxed);
                *expected = number.wrapping_add(1);
            }
        }
        shared.consumed.fetch_add(records.len() as u64, Relaxed);
    }
}
