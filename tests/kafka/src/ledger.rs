//! Who was told what, and what the log says: nothing acknowledged lost, nothing twice, order kept.

use std::collections::BTreeMap;

use klamm_tokio::{Consumer, Error, Fate, OwnedRecord, Producer, Record, RecordMetadata, Ticket};

use crate::client::{read, within};

/// A record in the buffer, and which one of its partition it is.
pub struct Sent {
    partition: i32,
    number: u64,
    ticket: Ticket,
}

/// The numbers that were sent to each partition of a topic, and what became of each.
pub struct Ledger {
    topic: String,
    /// The next number, by partition.
    next: Vec<u64>,
    /// By partition and number.
    outcomes: BTreeMap<(i32, u64), Result<i64, Error>>,
}

impl Ledger {
    /// An empty ledger of a topic with this many partitions.
    pub fn new(topic: &str, partitions: usize) -> Ledger {
        Ledger { topic: topic.into(), next: vec![0; partitions], outcomes: BTreeMap::new() }
    }

    /// Takes the next number of the partition whose turn it is into the producer's buffer.
    ///
    /// # Errors
    /// Why the buffer did not take it; its number is then given to the next record.
    pub async fn enqueue(&mut self, producer: &Producer) -> Result<Sent, Error> {
        let (at, number) = self.next.iter().copied().enumerate().min_by_key(|(_, n)| *n).expect("partitions");
        let partition = at as i32;
        let value = format!("{number}:{}", "x".repeat((number % 300) as usize));
        let record = Record::to(&self.topic).partition(partition).value(&value);
        let ticket = within("room in the buffer", producer.enqueue(record)).await.map_err(|r| r.into_error())?;
        self.next[at] += 1;
        Ok(Sent { partition, number, ticket })
    }

    /// Waits for what becomes of a record.
    pub async fn settle(&mut self, sent: Sent) -> Result<RecordMetadata, Error> {
        let outcome = within("a ticket's outcome", sent.ticket).await;
        self.outcomes
            .insert((sent.partition, sent.number), outcome.as_ref().map(RecordMetadata::offset).map_err(Clone::clone));
        outcome
    }

    /// How many records were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.outcomes.values().filter(|outcome| outcome.is_ok()).count()
    }

    /// The errors of those that were not.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.outcomes.values().filter_map(|outcome| outcome.as_ref().err())
    }

    /// Reads every partition to the last acknowledged record and compares.
    ///
    /// # Panics
    /// When an acknowledged record is missing or has another offset, one came twice or before its predecessor, one came
    /// that surely was not written, or one is not what was sent.
    pub async fn check(&self, consumer: &mut Consumer) {
        let mut seen: BTreeMap<(i32, u64), i64> = BTreeMap::new();
        let mut last: Vec<Option<(i64, u64)>> = vec![None; self.next.len()];
        let missing = |seen: &BTreeMap<(i32, u64), i64>| {
            self.outcomes.iter().filter(|(place, outcome)| outcome.is_ok() && !seen.contains_key(place)).count()
        };
        let mut left = missing(&seen);
        while left > 0 {
            let records = read(consumer).await;
            let partition = records.partition();
            for record in records.to_owned() {
                let number = number_of(&record);
                let place = &mut last[partition as usize];
                if let Some((offset, before)) = *place {
                    assert!(record.offset > offset, "offset {} of {partition} after {offset}", record.offset);
                    assert!(number > before, "{partition}: {number} came after {before}, at offset {}", record.offset);
                }
                *place = Some((record.offset, number));
                match self.outcomes.get(&(partition, number)) {
                    Some(Ok(offset)) => {
                        assert!(
                            *offset == record.offset || *offset == -1,
                            "{partition}: {number} is at {}",
                            record.offset
                        );
                        left -= 1;
                    }
                    Some(Err(error)) => {
                        let fate = error.fate();
                        assert_eq!(fate, Fate::MaybePersisted, "{partition}: {number} is in the log, though: {error}");
                    }
                    None => panic!("{partition}: {number} was never sent"),
                }
                assert_eq!(seen.insert((partition, number), record.offset), None, "{partition}: {number} came twice");
            }
        }
        assert_eq!(missing(&seen), 0);
    }
}

/// The number that [`Ledger::enqueue`] wrote, once the rest of the value is right.
fn number_of(record: &OwnedRecord) -> u64 {
    let value = String::from_utf8(record.value.clone().expect("a value")).expect("text");
    let (number, filling) = value.split_once(':').expect("a number");
    let number: u64 = number.parse().expect("a number");
    assert!(filling.len() == (number % 300) as usize && filling.bytes().all(|b| b == b'x'), "{number}: {filling}");
    number
}
