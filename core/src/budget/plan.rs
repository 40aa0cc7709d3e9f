//! The sum of every holder of memory, at its worst.

use alloc::{format, vec::Vec};
use core::fmt;

use super::{Class, Memory};
use crate::{
    Config, Error,
    cluster::{LINK_BYTES, stage_bytes},
    producer::BATCH_KNOWN,
};

/// One holder of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MemoryLine {
    /// What holds it.
    pub what: &'static str,
    /// The class that it counts against.
    pub class: Class,
    /// The most bytes.
    pub bytes: usize,
}

/// Every holder of memory, at its worst. Its `Display` is a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryPlan {
    lines: Vec<MemoryLine>,
}

/// What is kept of a partition: leader and epoch, its place among its topic's, the open batch and the queues of a producer,
/// the position, fetch session and fetch of a consumer, and its places in their maps.
pub(crate) const PARTITION_BYTES: usize = 768;
/// What is kept of a topic: its name twice, its id, its locks.
const TOPIC_BYTES: usize = 1_024;
/// A partition's part of a Metadata response with three replicas, and a topic's with a name of usual length.
pub(crate) const ANSWER_PARTITION_BYTES: usize = 64;
const ANSWER_TOPIC_BYTES: usize = 128;
/// A producer or consumer without its partitions: the lists of a turn, what batches leave for their successors.
const HANDLE_BYTES: usize = 4_096;
/// A waiting task: its waker, its deadline, its place in a map.
pub(crate) const WAITER_BYTES: usize = 64;

/// What the Control class holds of so many producers and consumers of one topic with one partition.
pub(crate) const fn known_bytes(handles: usize) -> usize {
    handles * HANDLE_BYTES + TOPIC_BYTES + ANSWER_TOPIC_BYTES + PARTITION_BYTES + ANSWER_PARTITION_BYTES
}

impl MemoryPlan {
    pub(crate) fn of(config: &Config) -> Result<MemoryPlan, Error> {
        let memory = match &config.budget {
            Some(budget) => Memory {
                control_bytes: budget.limit(Class::Control),
                produce_bytes: budget.limit(Class::Produce),
                fetch_bytes: budget.limit(Class::Fetch),
                inflate_bytes: budget.limit(Class::Inflate),
                tickets_bytes: budget.limit(Class::Tickets),
            },
            None => config.memory,
        };
        let line = |what, class, bytes| MemoryLine { what, class, bytes };
        let waiters = config.max_waiters.saturating_mul(WAITER_BYTES);
        let mut lines = Vec::from(control(config, memory.control_bytes));
        lines.extend([
            line(
                "records to be acknowledged with their batches, and what compresses them: memory.produce_bytes",
                Class::Produce,
                memory.produce_bytes,
            ),
            line("fetched batches: memory.fetch_bytes", Class::Fetch, memory.fetch_bytes),
            line(
                "decompressed records, and what decompresses them: memory.inflate_bytes",
                Class::Inflate,
                memory.inflate_bytes,
            ),
            line("waiting tasks: max_waiters", Class::Tickets, waiters),
        ]);
        if config.exchange_bytes() > 0 {
            // Where many connections begin at once they take what else is free, or wait for each other.
            lines.push(line("who the client is, told to a broker", Class::Control, config.exchange_bytes()));
        }
        if config.is_encrypted() {
            let (links, while_one_works) = (tls(config), config.tls_working_bytes());
            lines.push(line("TLS of connections: max_brokers, each use its own", Class::Control, links));
            lines.push(line("TLS of the connection that is being worked on", Class::Control, while_one_works));
        }
        let plan = MemoryPlan { lines };
        for class in [Class::Control, Class::Tickets] {
            let (needed, limit) = (plan.class(class), memory.limit(class));
            if needed > limit {
                let why = format!(
                    "{limit} bytes do not hold {needed}: lower max_brokers, max_partitions, max_topics, max_handles or \
                     max_waiters, set single_connection, or raise it"
                );
                return Err(Error::config(class.knob(), why));
            }
        }
        if memory.produce_bytes < PRODUCE_LEAST {
            return Err(Error::config(Class::Produce.knob(), format!("must be at least {PRODUCE_LEAST}")));
        }
        Ok(plan)
    }

    /// What the Control class holds with these settings, in bytes.
    pub(crate) fn control_of(config: &Config, control_bytes: usize) -> usize {
        let beside = config.exchange_bytes().saturating_add(tls(config)).saturating_add(config.tls_working_bytes());
        control(config, control_bytes).iter().fold(beside, |sum, line| sum.saturating_add(line.bytes))
    }

    /// Every holder.
    pub fn lines(&self) -> &[MemoryLine] {
        &self.lines
    }

    /// The holders of one class together, in bytes.
    pub fn class(&self, class: Class) -> usize {
        self.lines.iter().filter(|l| l.class == class).fold(0, |sum, l| sum.saturating_add(l.bytes))
    }

    /// All holders together, in bytes.
    pub fn total(&self) -> usize {
        self.lines.iter().fold(0, |sum, l| sum.saturating_add(l.bytes))
    }
}

/// What TLS holds for every connection.
fn tls(config: &Config) -> usize {
    config.max_brokers.saturating_mul(config.uses()).saturating_mul(config.tls_bytes())
}

/// The holders of the Control class, whose read-ahead depends on how much that has.
fn control(config: &Config, control_bytes: usize) -> [MemoryLine; 5] {
    let links =
        config.max_brokers.saturating_mul(config.uses()).saturating_mul(stage_bytes(control_bytes) + LINK_BYTES);
    let partitions = config.max_partitions.saturating_mul(PARTITION_BYTES);
    let topics = config.max_topics.saturating_mul(TOPIC_BYTES);
    let answer = config
        .max_partitions
        .saturating_mul(ANSWER_PARTITION_BYTES)
        .saturating_add(config.max_topics.saturating_mul(ANSWER_TOPIC_BYTES));
    let handles = config.max_handles.saturating_mul(HANDLE_BYTES);
    [
        ("connections: max_brokers, each use its own", links),
        ("partitions: max_partitions", partitions),
        ("topics: max_topics", topics),
        ("one metadata response", answer),
        ("producers and consumers: max_handles", handles),
    ]
    .map(|(what, bytes)| MemoryLine { what, class: Class::Control, bytes })
}

/// A batch with room for two chunks of the smallest size.
const PRODUCE_LEAST: usize = BATCH_KNOWN + 512;

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{:>12}  {:<8} {}", line.bytes, format!("{}", line.class), line.what)?;
        }
        write!(f, "{:>12}  together", self.total())
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::{Budget, ConsumerConfig, ProducerConfig};

    #[test]
    fn the_defaults_fit_and_are_what_the_total_says() {
        let config = Config::new("a:1");
        let plan = config.memory_plan().expect("the defaults fit");
        assert!(plan.total() <= config.memory.total(), "{plan}");
        for total in [128 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20] {
            let config = Config::new("a:1").memory_total(total);
            let plan = config.memory_plan().unwrap_or_else(|e| panic!("{total}: {e}"));
            assert!(plan.total() <= total, "{total}: {plan}");
        }
    }

    /// A device: a producer and a consumer, and from 32 KiB on a connection to each of three brokers.
    #[test]
    fn a_small_total_is_enough() {
        for (total, brokers) in [(24 << 10, 1), (32 << 10, 3), (48 << 10, 3), (64 << 10, 3)] {
            let config = device(total);
            let plan = config.memory_plan().unwrap_or_else(|e| panic!("{total}: {e}"));
            assert!(plan.total() <= total, "{total}: {plan}");
            assert_eq!((config.max_brokers, config.max_handles), (brokers, 2), "{total}");
            let budget = Budget::new(config.memory);
            ProducerConfig::within(&budget).check(&config, &budget).unwrap_or_else(|e| panic!("{total}: {e}"));
            ConsumerConfig::default().check(&budget).unwrap_or_else(|e| panic!("{total}: {e}"));
        }
    }

    fn device(total: usize) -> Config {
        let mut config = Config::new("a:1");
        config.single_connection = true;
        config.memory_total(total)
    }

    /// The manual's table is what these settings come to. With `BLESS=1` it is written anew.
    #[test]
    fn the_manual_tells_the_holders_of_small_totals() {
        let devices = [24 << 10, 32 << 10, 48 << 10].map(device);
        let plans = devices.each_ref().map(|c| c.memory_plan().expect("fits"));
        let mut table = String::from("| what holds memory, at most | 24 KiB | 32 KiB | 48 KiB |\n|---|---|---|---|\n");
        let mut row = |what: &str, of: [usize; 3]| {
            table.push_str(&format!("| {what} | {} | {} | {} |\n", of[0], of[1], of[2]));
        };
        for (at, line) in plans[0].lines().iter().enumerate() {
            row(line.what, plans.each_ref().map(|p| p.lines()[at].bytes));
        }
        row("**together**", plans.each_ref().map(MemoryPlan::total));
        row("`max_brokers`", devices.each_ref().map(|c| c.max_brokers));
        row("`max_topics`", devices.each_ref().map(|c| c.max_topics));
        row("`max_partitions`", devices.each_ref().map(|c| c.max_partitions));
        row("`max_handles`", devices.each_ref().map(|c| c.max_handles));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write("src/manual/microcontroller_table.md", &table).expect("written");
        }
        let page = include_str!("../manual/microcontroller_table.md");
        assert_eq!(page, table, "BLESS=1 cargo test -p klamm the_manual");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let mut config = Config::new("a:1");
        config.max_partitions = 1_000_000;
        let Err(Error::Config { knob: "memory.control_bytes", why }) = config.memory_plan() else {
            panic!("a million partitions do not fit")
        };
        assert!(why.contains("max_partitions"), "{why}");
    }
}
