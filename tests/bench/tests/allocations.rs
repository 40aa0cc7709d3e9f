//! How often the client's thread asks the allocator for memory: nothing a record, and little a batch.
//!
//! What is set up once cancels out: two runs, of which one has more batches than the other, are compared.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::VecDeque,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
};

use klamm_broker::{ClusterConfig, serve};
use klamm_tokio::{Client, Config, NewTopic, Record, StartAt, Ticket};

/// Counts the calls of threads that asked for it.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        CALLS.fetch_add(1, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged; calls are counted beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH_BYTES: usize = 100_000;
const SIZE: usize = 100;
/// A record of 100 bytes takes about 108 in its batch.
const PER_BATCH: usize = BATCH_BYTES / 109;
/// Batches of the smaller run; the larger one has twice as many.
const BATCHES: usize = 40;

fn cluster() -> (String, mpsc::Sender<()>) {
    let (told, bootstrap) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let running = serve(ClusterConfig::default()).expect("loopback");
        told.send(running.bootstrap().to_string()).expect("somebody waits");
        let _ = stopped.recv();
    });
    (bootstrap.recv().expect("the cluster is up"), stop)
}

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
    let (bootstrap, _stop) = cluster();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = klamm_tokio::connect_with(Config::new(bootstrap)).await.expect("connected");
        let topics = ["few", "many"].map(|topic| NewTopic::new(topic, 1, 1));
        client.admin().create_topics(topics).await.expect("created");
        COUNTED.set(true);
        // What grows once has grown.
        produce(&client, "few", BATCHES * PER_BATCH).await;
        let produced = [
            produce(&client, "few", BATCHES * PER_BATCH).await,
            produce(&client, "many", 2 * BATCHES * PER_BATCH).await,
        ];
        let consumed = [
            consume(&client, "many", BATCHES * PER_BATCH).await,
            consume(&client, "many", 2 * BATCHES * PER_BATCH).await,
        ];
        COUNTED.set(false);
        // Each batch here is a request of its own: of the twenty, four are the batch's and the rest the request's.
        for (what, [few, many], most) in [("produce", produced, 23.0), ("consume", consumed, 4.0)] {
            let a_batch = many.saturating_sub(few) as f64 / BATCHES as f64;
            println!("{what}: {few} and {many} calls, {a_batch:.1} a batch more");
            assert!(a_batch <= most, "{what}: {a_batch:.1} calls of the allocator a batch more");
        }
    });
}
