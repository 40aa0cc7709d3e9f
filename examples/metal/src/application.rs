//! What the device does: sensor readings to Kafka and back, and figures of what that took.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use cortex_m_semihosting::hprintln;
use klamm::{Budget, Class, Client, Config, Error, Record, StartAt, Ticket, TimestampType};

use crate::{clock, executor, memory, semihosting};

/// How many readings are written and read.
const READINGS: u32 = 1_000;
/// The bytes of each.
const READING_BYTES: usize = 100;
/// Records that may wait for their acknowledgement while further ones are written.
const TICKETS: usize = 60;

/// What TCP has of two connections, and what the scenarios keep: tickets, texts.
const BESIDE_BYTES: usize = if cfg!(feature = "uart") { 1 << 10 } else { 10 << 10 };

/// A client's settings: 32 KiB, which is room for three brokers, a producer and a consumer. `Config::memory_plan` says what holds
/// how much of it.
pub fn config(bootstrap: &str, scenario: &str) -> Config {
    let mut config = Config::new(bootstrap).client_id("metal");
    config.single_connection = true;
    let mut config = config.memory_total(if cfg!(feature = "mps2") { 256 } else { 32 } << 10);
    // A leader that is silent is given up sooner than a server would: there is room for few records meanwhile.
    config.request_timeout_ms = 5_000;
    if scenario == "steady" {
        // The topic of commands beside that of readings.
        (config.max_topics, config.max_partitions) = (2, 2);
        config.memory.control_bytes += 2 << 10;
    }
    if cfg!(feature = "uart") {
        // Only silence tells that a line's other end has gone.
        config.connect_timeout_ms = 4_000;
    }
    if scenario == "two" {
        // What both hold is what one alone might hold.
        config.budget = Some(Budget::new(config.memory));
    }
    if scenario == "idle" {
        config.shared_wait_max_ms = 500;
    }
    if scenario == "idle-long" {
        // The first reading after a rest may wait for half a minute.
        (config.request_timeout_ms, config.shared_wait_max_ms) = (60_000, 30_000);
    }
    if scenario == "taken" {
        // What records may hold is taken now, not as they come.
        match Budget::preallocated(config.memory) {
            Ok(budget) => config.budget = Some(budget),
            Err(error) => {
                hprintln!("{}", error);
                semihosting::exit(false)
            }
        }
    }
    if scenario == "idle-apart" {
        // A connection for fetches, on which a broker may keep them waiting as long as they say.
        config.single_connection = false;
        config.max_brokers = 1;
    }
    config
}

/// What may be allocated once all clients are there: no more than their plan has, and what is beside it.
pub fn later_bytes(config: &Config) -> usize {
    let taken = |budget: &Arc<Budget>| {
        [Class::Produce, Class::Fetch, Class::Inflate].into_iter().map(|class| budget.used(class)).sum::<usize>()
    };
    let plan = config.memory_plan().map_or(0, |plan| plan.total());
    plan - config.budget.as_ref().map_or(0, taken) + BESIDE_BYTES
}

/// The device's application.
pub struct Application {
    client: Client,
    /// Of the scenario `two`.
    second: Option<Client>,
    topic: String,
}

impl Application {
    /// One that works with these clients, one or two, and writes to this topic.
    pub fn new(clients: Vec<Client>, topic: &str) -> Self {
        let mut clients = clients.into_iter();
        let Some(client) = clients.next() else { panic!("no client") };
        Application { client, second: clients.next(), topic: topic.into() }
    }

    /// Does what it is told, then ends the program.
    pub async fn run(self, scenario: String) {
        let result = match scenario.as_str() {
            "readings" | "taken" => self.readings().await,
            "steady" => self.steady().await,
            "two" => self.two().await,
            #[cfg(feature = "mps2")]
            "packed" => self.packed().await,
            "too-much" => self.too_much().await,
            "idle" | "idle-long" | "idle-apart" => self.idle().await,
            _ => panic!("no such scenario"),
        };
        if let Err(error) = &result {
            hprintln!("failed: {}", error);
        }
        self.figures();
        semihosting::exit(result.is_ok());
    }

    async fn readings(&self) -> Result<(), Error> {
        self.client.connected().await?;
        hprintln!("connected after {} ms", clock::millis());
        let began = clock::nanos();
        self.write(&self.client, 0).await?;
        let micros = (clock::nanos() - began) / 1_000;
        hprintln!("figure acknowledged-a-second {}", u64::from(READINGS) * 1_000_000 / micros);
        self.round_trips().await?;
        self.consume().await
    }

    /// Writes all readings, acknowledged by all replicas and without duplicates.
    async fn write(&self, client: &Client, partition: i32) -> Result<(), Error> {
        let producer = client.producer().batch_bytes(1_024).build()?;
        let mut tickets: VecDeque<Ticket> = VecDeque::with_capacity(TICKETS);
        let mut value = String::with_capacity(READING_BYTES);
        for number in 0..READINGS {
            if tickets.len() == TICKETS
                && let Some(oldest) = tickets.pop_front()
            {
                oldest.await?;
            }
            reading(number, &mut value);
            let record = Record::to(&self.topic).partition(partition).value(value.as_str());
            tickets.push_back(producer.enqueue(record).await?);
        }
        for ticket in tickets {
            ticket.await?;
        }
        producer.close().await
    }

    /// Single records, each written when the one before was acknowledged.
    async fn round_trips(&self) -> Result<(), Error> {
        const TRIPS: u64 = 50;
        let producer = self.client.producer().batch_bytes(1_024).build()?;
        producer.send(Record::to(&self.topic).value("the first")).await?;
        let began = clock::nanos();
        for _ in 0..TRIPS {
            producer.send(Record::to(&self.topic).value("one more")).await?;
        }
        hprintln!("figure round-trip-us {}", (clock::nanos() - began) / 1_000 / TRIPS);
        producer.close().await
    }

    /// Reads all of them back, and how long that takes.
    async fn consume(&self) -> Result<(), Error> {
        let began = clock::nanos();
        self.read(READINGS).await?;
        hprintln!("figure consumed-a-second {}", u64::from(READINGS) * 1_000_000_000 / (clock::nanos() - began));
        Ok(())
    }

    /// Reads so many readings from the topic's beginning; each must be what was written, with no time of a device that has
    /// no clock, unless the broker gave one (trap 29 of `tests/TRAPS.md`).
    async fn read(&self, count: u32) -> Result<(), Error> {
        let mut consumer = self.client.consumer().assign([(&self.topic, 0)]).from(StartAt::Earliest).build()?;
        let (mut number, mut expected) = (0, String::with_capacity(READING_BYTES));
        while number < count {
            let Some(records) = consumer.next().await? else { break };
            for record in records.iter().take((count - number) as usize) {
                reading(number, &mut expected);
                let timeless = record.timestamp() == -1 || record.timestamp_type() == TimestampType::LogAppendTime;
                assert!(record.value() == Some(expected.as_bytes()) && timeless);
                number += 1;
            }
        }
        Ok(())
    }

    /// Readings with headers, in batches that are compressed, and back.
    #[cfg(feature = "mps2")]
    async fn packed(&self) -> Result<(), Error> {
        let producer = self.client.producer().batch_bytes(8 << 10).compression(klamm::Codec::Lz4);
        let producer = producer.linger(Duration::from_millis(5)).build()?;
        let mut value = String::with_capacity(READING_BYTES);
        for number in 0..READINGS {
            reading(number, &mut value);
            let record = Record::to(&self.topic).value(value.as_str()).header("unit", "C");
            // What becomes of each is not asked for: all of them are read back.
            drop(producer.enqueue(record).await?);
        }
        producer.close().await?;
        let mut consumer = self.client.consumer().assign([(&self.topic, 0)]).from(StartAt::Earliest).build()?;
        let mut number = 0;
        while number < READINGS {
            let Some(records) = consumer.next().await? else { break };
            for record in &records {
                reading(number, &mut value);
                let header = record.headers().next();
                assert!(record.value() == Some(value.as_bytes()));
                assert!(header.is_some_and(|h| (h.key_bytes, h.value) == (b"unit", Some(&b"C"[..]))));
                number += 1;
            }
        }
        hprintln!("figure read {}", number);
        Ok(())
    }

    /// Two clients of one budget write all readings at the same time, to a partition each.
    async fn two(&self) -> Result<(), Error> {
        let Some(second) = &self.second else { panic!("one client") };
        let (first, second) = clock::both(self.write(&self.client, 0), self.write(second, 1)).await;
        first.and(second)?;
        let budget = self.client.budget();
        assert!(budget.peak_total() <= config("", "").memory.total());
        self.read(READINGS).await
    }

    /// Writes a reading every 20 ms, whatever becomes of the brokers, until the topic of commands says `stop`; then reads all of
    /// them back: none that was acknowledged is missing, none is there twice, and their order is theirs.
    async fn steady(&self) -> Result<(), Error> {
        self.client.connected().await?;
        hprintln!("connected after {} ms", clock::millis());
        let producer = self.client.producer().batch_bytes(1_024).build()?;
        let mut commands = self
            .client
            .consumer()
            .topics([alloc::format!("{}-commands", self.topic)])
            .from(StartAt::Earliest)
            .build()?;
        let mut open: VecDeque<Ticket> = VecDeque::with_capacity(TICKETS);
        let mut value = String::with_capacity(READING_BYTES);
        let (mut number, mut heard) = (0, clock::millis());
        loop {
            match clock::within(Duration::from_millis(20), commands.next()).await {
                Some(Ok(Some(records))) if records.iter().any(|r| r.value() == Some(b"stop")) => break,
                Some(Err(error)) => hprintln!("told: {}", error),
                _ => {}
            }
            while let Some(outcome) = open.front().and_then(Ticket::outcome) {
                outcome?;
                open.pop_front();
                let silence = clock::millis() - heard;
                if silence > 1_000 {
                    hprintln!("silence of {} ms", silence);
                }
                heard += silence;
            }
            if open.len() < TICKETS {
                reading(number, &mut value);
                open.push_back(producer.enqueue(Record::to(&self.topic).value(value.as_str())).await?);
                number += 1;
            }
        }
        for ticket in open {
            ticket.await?;
        }
        drop(commands);
        producer.close().await?;
        hprintln!("figure written {}", number);
        self.read(number).await
    }

    /// Does nothing, with a producer and then with a consumer too, and tells how often a task was woken.
    async fn idle(&self) -> Result<(), Error> {
        let producer = self.client.producer().batch_bytes(1_024).build()?;
        producer.send(Record::to(&self.topic).value("the first")).await?;
        Self::rest("wakes-an-hour-producing").await;
        let consumer = self.client.consumer().topics([&self.topic]).fetch_max_wait(Duration::from_secs(30));
        let _consumer = consumer.build()?;
        Self::rest("wakes-an-hour-consuming").await;
        producer.close().await
    }

    /// Half a minute, half of which the figure is of.
    async fn rest(figure: &str) {
        clock::within(Duration::from_secs(15), core::future::pending::<()>()).await;
        let before = executor::polls();
        clock::within(Duration::from_secs(15), core::future::pending::<()>()).await;
        hprintln!("figure {} {}", figure, (executor::polls() - before) * 240);
    }

    /// Reads a topic whose first batch is larger than all of this device's memory: that is told, and passed by a seek.
    async fn too_much(&self) -> Result<(), Error> {
        let mut consumer = self.client.consumer().topics([&self.topic]).from(StartAt::Earliest).build()?;
        loop {
            match consumer.next().await {
                Err(error @ Error::TooLarge { next_offset: Some(next), .. }) => {
                    hprintln!("told: {}", error);
                    consumer.seek(&self.topic, 0, StartAt::Offset(next))?;
                }
                Ok(Some(records)) => {
                    let last = records.iter().last().and_then(|r| r.value());
                    hprintln!("then: {}", last.map_or("", |v| core::str::from_utf8(v).unwrap_or_default()));
                    return Ok(());
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn figures(&self) {
        let budget = self.client.budget();
        let (stack, of) = memory::stack_peak();
        hprintln!("figure budget-peak {}", budget.peak_total());
        hprintln!("figure heap-peak {}", memory::heap_peak());
        hprintln!("figure stack-peak {}", stack);
        hprintln!("heap {} of {} now, stack of {}", memory::heap_used(), memory::HEAP_BYTES, of);
    }
}

/// What a sensor said: the host makes the same with a line of shell.
fn reading(number: u32, into: &mut String) {
    into.clear();
    // A `String` takes whatever there is memory for.
    let _ = write!(into, "reading {number:04} {:02}.{:02} ", 15 + number % 10, number * 37 % 100);
    while into.len() < READING_BYTES {
        into.push('.');
    }
}
