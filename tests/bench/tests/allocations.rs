//! How often the client's thread asks the allocator for memory: nothing a record, and little a batch.
//!
//! What is set up once cancels out: two runs, of which one has more batches than the other, are compared.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use klamm_bench::counting::{CALLS, COUNTED, Counting, cluster};
use klamm_tokio::{Client, Config, NewTopic, Record, StartAt, Ticket};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH_BYTES: usize = 100_000;
const SIZE: usize = 100;
/// A record of 100 bytes takes about 108 in its batch.
const PER_BATCH: usize = BATCH_BYTES / 109;
/// Batches of the smaller run; the larger one has twice as many.
const BATCHES: usize = 40;
const RUNS: usize = 16;
/// Calls a batch: what a ticket keeps of it, and what is known of it until it is settled. Each batch here is a request of its
/// own, which needs none.
const MOST: f64 = 4.0;

async fn produce(client: &Client, topic: &str, records: usize) -> u64 {
    let producer = client.producer().batch_bytes(BATCH_BYTES).build().expect("a producer");
    let value = [7; SIZE];
    producer.send(Record::to(topic).partition(0).value(&value)).await.expect("acknowledged");
    let mut open: VecDeque<Ticket> = VecDeque::with_capacity(records);
    let before = CALLS.load(Relaxed);
    for _ in 0..records {
        let ticket = producer.enqueue(Record::to(topic).partition(0).value(&value)).await.expect("taken");
        open.push_back(ticket);
        if open.len() > 4 * PER_BATCH
            && let Some(oldest) = open.pop_front()
        {
            oldest.await.expect("acknowledged");
        }
    }
    for ticket in open {
        ticket.await.expect("acknowledged");
    }
    CALLS.load(Relaxed) - before
}

async fn consume(client: &Client, topic: &str, records: usize) -> u64 {
    let mut consumer = client.consumer().topics([topic]).from(StartAt::Earliest).build().expect("a consumer");
    let mut count = 0;
    let mut before = CALLS.load(Relaxed);
    while count < records {
        let records = consumer.next().await.expect("records").expect("open");
        if count == 0 {
            // Metadata and the first offset are behind it.
            before = CALLS.load(Relaxed);
        }
        count += records.iter().filter(|record| record.value().is_some_and(|value| value.len() == SIZE)).count();
    }
    CALLS.load(Relaxed) - before
}

/// Both ways, and with everything that a whole client does meanwhile.
#[test]
fn memory_is_asked_for_by_the_batch_not_by_the_record() {
    let brokers = cluster();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = klamm_tokio::connect_with(Config::new(brokers.bootstrap())).await.expect("connected");
        let topics = ["few", "many"].map(|topic| NewTopic::new(topic, 1, 1));
        client.admin().create_topics(topics).await.expect("created");
        COUNTED.set(true);
        // What grows once has grown.
        produce(&client, "few", BATCHES * PER_BATCH).await;
        // The least of several runs each: into how many requests and answers the batches fall is a matter of moments.
        let (mut produced, mut consumed) = ([u64::MAX; 2], [u64::MAX; 2]);
        for _ in 0..RUNS {
            for (at, (topic, times)) in [("few", 1), ("many", 2)].into_iter().enumerate() {
                let records = times * BATCHES * PER_BATCH;
                produced[at] = produced[at].min(produce(&client, topic, records).await);
            }
            for (at, times) in [1, 2].into_iter().enumerate() {
                consumed[at] = consumed[at].min(consume(&client, "many", times * BATCHES * PER_BATCH).await);
            }
        }
        COUNTED.set(false);
        for (what, [few, many]) in [("produce", produced), ("consume", consumed)] {
            let a_batch = many.saturating_sub(few) as f64 / BATCHES as f64;
            println!("{what}: {few} and {many} calls, {a_batch:.1} a batch more");
            assert!(a_batch <= MOST, "{what}: {a_batch:.1} calls of the allocator a batch more");
        }
    });
}
