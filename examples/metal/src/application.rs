//! What the device does: sensor readings to Kafka and back, and figures of what that took.

use alloc::collections::VecDeque;
use alloc::string::String;
use core::fmt::Write;

use cortex_m_semihosting::hprintln;
use klamm::{Client, Config, Error, Memory, Record, StartAt, Ticket};

use crate::{clock, memory, semihosting};

/// How many readings are written and read.
const READINGS: u32 = 1_000;
/// The bytes of each.
const READING_BYTES: usize = 100;
/// Records that may wait for their acknowledgement while further ones are written.
const TICKETS: usize = 60;

/// A client's settings for 32 KiB.
pub fn config(bootstrap: &str) -> Config {
    let mut config = Config::new(bootstrap);
    config.client_id = "metal".into();
    config.single_connection = true;
    config.memory = Memory {
        control_bytes: 16 << 10,
        produce_bytes: 8 << 10,
        fetch_bytes: 8 << 10,
        inflate_bytes: 0,
        tickets_bytes: 256,
    };
    config.max_brokers = 1;
    config.max_topics = 1;
    config.max_partitions = 4;
    config.max_handles = 2;
    config.max_waiters = 4;
    config
}

/// The device's application.
pub struct Application {
    client: Client,
}

impl Application {
    /// One that works with this client.
    pub fn new(client: Client) -> Self {
        Application { client }
    }

    /// Does what it is told, then ends the program.
    pub async fn run(self, scenario: String) {
        let result = match scenario.as_str() {
            "readings" => self.readings().await,
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
        self.produce().await?;
        self.round_trips().await?;
        self.consume().await
    }

    /// Writes all readings, acknowledged by all replicas and without duplicates.
    async fn produce(&self) -> Result<(), Error> {
        let producer = self.client.producer().batch_bytes(1_024).build()?;
        let mut tickets: VecDeque<Ticket> = VecDeque::with_capacity(TICKETS);
        let mut value = String::with_capacity(READING_BYTES);
        let began = clock::nanos();
        for number in 0..READINGS {
            if tickets.len() == TICKETS
                && let Some(oldest) = tickets.pop_front()
            {
                oldest.await?;
            }
            reading(number, &mut value);
            tickets.push_back(producer.enqueue(Record::to("readings").value(value.as_str())).await?);
        }
        for ticket in tickets {
            ticket.await?;
        }
        let micros = (clock::nanos() - began) / 1_000;
        hprintln!("figure acknowledged-a-second {}", u64::from(READINGS) * 1_000_000 / micros);
        producer.close().await
    }

    /// Single records, each written when the one before was acknowledged.
    async fn round_trips(&self) -> Result<(), Error> {
        const TRIPS: u64 = 50;
        let producer = self.client.producer().batch_bytes(1_024).build()?;
        producer.send(Record::to("readings").value("the first")).await?;
        let began = clock::nanos();
        for _ in 0..TRIPS {
            producer.send(Record::to("readings").value("one more")).await?;
        }
        hprintln!("figure round-trip-us {}", (clock::nanos() - began) / 1_000 / TRIPS);
        producer.close().await
    }

    /// Reads all of them back.
    async fn consume(&self) -> Result<(), Error> {
        let mut consumer = self.client.consumer().topics(["readings"]).from(StartAt::Earliest).build()?;
        let (mut number, mut expected) = (0, String::with_capacity(READING_BYTES));
        let began = clock::nanos();
        while number < READINGS {
            let Some(records) = consumer.next().await? else { break };
            for record in &records {
                if number < READINGS {
                    reading(number, &mut expected);
                    assert!(record.value() == Some(expected.as_bytes()) && record.timestamp() == -1);
                }
                number += 1;
            }
        }
        hprintln!("figure consumed-a-second {}", u64::from(number) * 1_000_000_000 / (clock::nanos() - began));
        Ok(())
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
