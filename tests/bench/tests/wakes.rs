//! Nobody is woken for a record that nobody awaits: the driver's wake-ups follow the batches, and the answers.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use klamm_bench::{
    counting::cluster,
    watched::{Watch, connect},
};
use klamm_tokio::{Client, Config, Record, StartAt, wire::api};

const RECORDS: usize = 20_000;
const SIZE: usize = 100;
const BATCH_BYTES: usize = 100_000;
/// Of a batch: it is sealed, its request is written, the answer comes, and a timer or a socket may be early.
const A_BATCH: u64 = 4;

/// A turn's time without sleeping: a driver that was woken for a record has gone back to sleep by then, and would be woken
/// for the next one, too.
fn pause() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(50) {
        std::thread::yield_now();
    }
}

async fn produce(client: &Client, watch: &Arc<Watch>) -> u64 {
    let producer = client.producer().batch_bytes(BATCH_BYTES).linger(Duration::from_millis(200)).build();
    let producer = producer.expect("a producer");
    let value = [7; SIZE];
    producer.send(Record::to("wakes").partition(0).value(&value)).await.expect("acknowledged");
    let before = watch.wakes.load(Relaxed);
    for i in 0..RECORDS {
        drop(producer.enqueue(Record::to("wakes").partition(0).value(&value)).await.expect("room comes"));
        if i % 10 == 0 {
            pause();
        }
    }
    producer.flush().await.expect("acknowledged");
    watch.wakes.load(Relaxed) - before
}

async fn consume(client: &Client, watch: &Arc<Watch>) -> u64 {
    let mut consumer = client.consumer().topics(["wakes"]).from(StartAt::Earliest).build().expect("a consumer");
    let (before, mut count) = (watch.wakes.load(Relaxed), 0);
    while count <= RECORDS {
        let records = consumer.next().await.expect("records").expect("open");
        for (i, record) in records.iter().enumerate() {
            assert_eq!(record.value().map(<[u8]>::len), Some(SIZE));
            if i % 10 == 0 {
                pause();
            }
        }
        count += records.len();
    }
    watch.wakes.load(Relaxed) - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wake_ups_follow_the_batches_not_the_records() {
    let brokers = cluster();
    brokers.create_topic("wakes", 1, 1);
    let (client, watch) = connect(Config::new(brokers.bootstrap())).await.expect("connected");
    let woken = produce(&client, &watch).await;
    let batches = brokers.cluster().log("wakes", 0).len() as u64;
    println!("produce: {woken} wake-ups for {RECORDS} records in {batches} batches");
    assert!(batches <= 40, "{batches} batches");
    assert!(woken <= batches * A_BATCH, "{woken} wake-ups for {batches} batches");
    let before = brokers.cluster().all_requests(api::FETCH);
    let woken = consume(&client, &watch).await;
    let answers = brokers.cluster().all_requests(api::FETCH) - before;
    println!("consume: {woken} wake-ups for {RECORDS} records in {answers} answers");
    // Metadata and the first offset are asked for besides.
    assert!(woken <= (answers + 5) * A_BATCH, "{woken} wake-ups for {answers} answers");
}
