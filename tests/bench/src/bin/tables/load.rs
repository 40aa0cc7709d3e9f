//! What is measured, and what it cost this process.

use std::{collections::VecDeque, hint::black_box, time::Instant};

use klamm_bench::payloads::payloads;
use klamm_tokio::{Client, Consumer, Error, NewTopic, Producer, Record, Refused, Ticket};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

const SIZE: usize = 100;
/// Tickets that are open at most: four batches of 1 MB.
const WINDOW: usize = 40_000;

/// A moment, and what this process had used by then.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    cpu_us: f64,
    switches: u64,
}

pub(crate) fn usage() -> Usage {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("the system tells");
    let micros = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    let switches = used.voluntary_context_switches() as u64;
    Usage { at: Instant::now(), cpu_us: micros as f64, switches }
}

/// What so many records cost.
pub(crate) struct Cost {
    records: f64,
    seconds: f64,
    cpu_us: f64,
    pub(crate) switches: u64,
}

impl Cost {
    pub(crate) fn since(begun: Usage, records: usize) -> Cost {
        let now = usage();
        Cost {
            records: records as f64,
            seconds: (now.at - begun.at).as_secs_f64(),
            cpu_us: now.cpu_us - begun.cpu_us,
            switches: now.switches - begun.switches,
        }
    }

    /// Microseconds of CPU a record.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu_us / self.records
    }

    /// Records a second.
    pub(crate) fn rate(&self) -> f64 {
        self.records / self.seconds
    }
}

pub(crate) async fn create(client: &Client, topic: &str, partitions: usize) -> Result<(), Error> {
    let created = client.admin().create_topics([NewTopic::new(topic, partitions as i32, 1)]).await;
    created.unwrap_or_else(|error| panic!("{topic}: {error}"));
    Ok(())
}

/// One record to each partition, so that each has been used.
pub(crate) async fn touch(producer: &Producer, topic: &str, partitions: usize) -> Result<(), Error> {
    let mut open = Vec::with_capacity(partitions);
    for partition in 0..partitions {
        let record = Record::to(topic).partition(partition as i32).value("once");
        open.push(producer.enqueue(record).await.map_err(Refused::into_error)?);
    }
    for ticket in open {
        ticket.await?;
    }
    Ok(())
}

/// One task that fills the buffer and looks at every outcome; 64 records in a row go to the same partition.
pub(crate) async fn enqueue(
    producer: &Producer,
    topic: &str,
    partitions: usize,
    records: usize,
) -> Result<Cost, Error> {
    let data = payloads(SIZE);
    let mut open: VecDeque<Ticket> = VecDeque::with_capacity(WINDOW);
    let begun = usage();
    for i in 0..records {
        if open.len() == WINDOW
            && let Some(oldest) = open.pop_front()
        {
            oldest.await?;
        }
        let record = Record::to(topic).partition((i / 64 % partitions) as i32).value(&data[i & 1023]);
        open.push_back(producer.enqueue(record).await.map_err(Refused::into_error)?);
    }
    producer.flush().await?;
    for ticket in open {
        ticket.await?;
    }
    Ok(Cost::since(begun, records))
}

/// One record at a time, each awaited.
pub(crate) async fn lone(producer: &Producer, topic: &str, records: usize) -> Result<Cost, Error> {
    let data = payloads(SIZE);
    let begun = usage();
    for i in 0..records {
        producer.send(Record::to(topic).partition(0).value(&data[i & 1023])).await?;
    }
    Ok(Cost::since(begun, records))
}

/// So many records, of which it counts what comes after the first `before`, by when all partitions are known.
pub(crate) async fn consume(mut consumer: Consumer, before: usize, records: usize) -> Result<Cost, Error> {
    let first = read(&mut consumer, before).await?;
    let begun = usage();
    Ok(Cost::since(begun, read(&mut consumer, records - first).await?))
}

async fn read(consumer: &mut Consumer, records: usize) -> Result<usize, Error> {
    let mut count = 0;
    while count < records {
        let Some(some) = consumer.next().await? else { break };
        for record in &some {
            black_box((record.key(), record.value()));
            count += 1;
        }
    }
    Ok(count)
}
