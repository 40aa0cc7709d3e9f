//! Who was told what, and what the log says: nothing acknowledged lost, nothing twice, order kept, while brokers come
//! and go.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use klamm_tokio::{Consumer, Error, Fate, Producer, Record, Records, Ticket};
use tokio::{task::JoinHandle, time::sleep};

use crate::client::{poll_until, within};

/// Records that may be unsettled before the oldest is waited for.
const WINDOW: usize = 2_000;

/// Records of each step, after which others get their turn: some ten thousand a second.
const STEP: usize = 20;

/// A record in the buffer, and which one of its partition it is.
struct Sent {
    partition: i32,
    number: u64,
    ticket: Ticket,
}

/// What became of each record, by partition and number: its offset, or why not.
#[derive(Default)]
pub struct Ledger(BTreeMap<(i32, u64), Result<i64, Error>>);

/// A task that sends numbered records to every partition of a topic, one after the other, until it is stopped.
pub struct Load {
    task: JoinHandle<Ledger>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    failed: AtomicUsize,
    window: Mutex<VecDeque<Sent>>,
}

impl Load {
    /// Starts to send to a topic with this many partitions.
    pub fn start(producer: Producer, topic: &str, partitions: i32) -> Load {
        let (shared, topic) = (Arc::new(Shared::default()), topic.to_owned());
        let task = tokio::spawn(run(producer, topic, partitions, Arc::clone(&shared)));
        Load { task, shared }
    }

    /// How many records are in the buffer or on their way now.
    pub fn unsettled(&self) -> usize {
        let window = self.shared.window.lock().expect("no test panics in here");
        window.iter().filter(|sent| sent.ticket.outcome().is_none()).count()
    }

    /// How many were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// How many failed so far.
    pub fn failed(&self) -> usize {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Waits until this many more are acknowledged.
    ///
    /// # Panics
    /// When that takes longer than a minute.
    pub async fn progress(&self, more: usize) {
        let goal = self.acknowledged() + more;
        poll_until("more acknowledgements", || self.acknowledged() >= goal || self.task.is_finished()).await;
        assert!(!self.task.is_finished(), "the task ended by itself");
    }

    /// Sends no more, and waits for what becomes of the rest.
    ///
    /// # Panics
    /// When that takes longer than a minute.
    pub async fn stop(self) -> Ledger {
        self.shared.stop.store(true, Ordering::Relaxed);
        within("all tickets", self.task).await.expect("the task did not panic")
    }
}

async fn run(producer: Producer, topic: String, partitions: i32, shared: Arc<Shared>) -> Ledger {
    let mut ledger = Ledger::default();
    let mut number = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        for partition in 0..partitions {
            let value = value_of(number);
            let record = Record::to(&topic).partition(partition).value(&value);
            let ticket = within("room in the buffer", producer.enqueue(record)).await.expect("taken");
            let mut window = shared.window.lock().expect("no test panics in here");
            window.push_back(Sent { partition, number, ticket });
        }
        number += 1;
        ledger.settle(&shared, WINDOW).await;
        if number % (STEP as u64 / partitions as u64).max(1) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    ledger.settle(&shared, 0).await;
    ledger
}

/// The value of a record: its number, and a filling whose length tells the number again.
fn value_of(number: u64) -> String {
    format!("{number}:{}", "x".repeat((number % 300) as usize))
}

impl Ledger {
    /// Takes in outcomes, the oldest first, until no more than `left` are open; and whatever else is settled by then.
    async fn settle(&mut self, shared: &Shared, left: usize) {
        loop {
            let oldest = {
                let mut window = shared.window.lock().expect("no test panics in here");
                let settled = window.front().is_some_and(|sent| sent.ticket.outcome().is_some());
                if settled || window.len() > left { window.pop_front() } else { None }
            };
            let Some(Sent { partition, number, ticket }) = oldest else { return };
            let outcome = within("a ticket's outcome", ticket).await.map(|meta| meta.offset());
            let counter = if outcome.is_ok() { &shared.acknowledged } else { &shared.failed };
            counter.fetch_add(1, Ordering::Relaxed);
            self.0.insert((partition, number), outcome);
        }
    }

    /// How many records were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.0.values().filter(|outcome| outcome.is_ok()).count()
    }

    /// The errors of those that were not.
    pub fn errors(&self) -> Vec<&Error> {
        self.0.values().filter_map(|outcome| outcome.as_ref().err()).collect()
    }

    /// Waits until the reader has every acknowledged record, and compares.
    ///
    /// # Panics
    /// When an acknowledged record does not come or has another offset, one came twice or before its predecessor, or one
    /// came that surely was not written.
    pub async fn check(&self, reading: Reading) {
        poll_until("every acknowledged record is read", || {
            let seen = reading.seen.lock().expect("no test panics in here");
            let read = |place| seen.numbers.contains_key(place);
            reading.task.is_finished() || self.0.iter().all(|(place, outcome)| outcome.is_err() || read(place))
        })
        .await;
        if reading.task.is_finished() {
            reading.task.await.expect("the reader did not panic");
            panic!("the reader ended by itself");
        }
        reading.task.abort();
        let seen = reading.seen.lock().expect("no test panics in here");
        for ((partition, number), offset) in &seen.numbers {
            match self.0.get(&(*partition, *number)) {
                Some(Ok(told)) => assert_eq!(told, offset, "{partition}: {number} is elsewhere than its ticket said"),
                Some(Err(error)) => {
                    let text = format!("{partition}: {number} is in the log at {offset}, though: {error}");
                    assert_eq!(error.fate(), Fate::MaybePersisted, "{text}");
                }
                None => panic!("{partition}: {number} was never sent"),
            }
        }
    }
}

/// A task that reads what a [`Load`] writes, and panics where it is not in order, or not what was sent.
pub struct Reading {
    task: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Offsets by partition and number.
    numbers: BTreeMap<(i32, u64), i64>,
    /// The last offset and number of each partition.
    last: BTreeMap<i32, (i64, u64)>,
}

impl Reading {
    /// Starts to read.
    pub fn start(mut consumer: Consumer) -> Reading {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                // A broker that is gone for a while is no error of a consumer.
                while let Some(records) = consumer.next().await.unwrap_or_else(|error| panic!("{error}")) {
                    seen.lock().expect("panics end the task").take(&records);
                }
            })
        };
        Reading { task, seen }
    }

    /// How many records were read so far.
    pub fn count(&self) -> usize {
        self.seen.lock().expect("no test panics in here").numbers.len()
    }

    /// Waits until this many more are read.
    ///
    /// # Panics
    /// When that takes longer than a minute.
    pub async fn progress(&self, more: usize) {
        let goal = self.count() + more;
        poll_until("more records", || self.task.is_finished() || self.count() >= goal).await;
        assert!(!self.task.is_finished(), "the task ended by itself");
    }
}

impl Seen {
    fn take(&mut self, records: &Records) {
        let partition = records.partition();
        for record in records {
            let (offset, value) = (record.offset(), record.value().expect("a value"));
            let value = std::str::from_utf8(value).expect("text");
            let number: u64 = value.split_once(':').expect("a number").0.parse().expect("a number");
            assert_eq!(value, value_of(number), "at {offset} of {partition}");
            if let Some((before, last)) = self.last.insert(partition, (offset, number)) {
                assert!(offset > before, "{partition}: offset {offset} after {before}");
                assert!(number > last, "{partition}: {number} after {last}, at offset {offset}");
            }
            self.numbers.insert((partition, number), offset);
        }
    }
}
