//! The command line.

use klamm_tokio::{Acks, Codec};

const USAGE: &str = "\
klamm-bench produce|consume|latency [options]
  --bootstrap HOST:PORT   127.0.0.1:9092
  --topic NAME            bench
  --records N             1000000
  --size BYTES            100
  --acks all|1|0          all
  --codec none|…          none
  --batch-bytes N         1000000
  --linger-ms N           5
  --partitions N          1
  --idempotent            batches carry a producer id and sequence numbers
  --memory-bytes N        the client's memory, all classes together (16777216)
  --spawn                 run as a task of the runtime, not on its caller's thread
  --threads N             1: a single-threaded runtime";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Produce,
    Consume,
    Latency,
}

impl Operation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Operation::Produce => "produce",
            Operation::Consume => "consume",
            Operation::Latency => "latency",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) operation: Operation,
    pub(crate) bootstrap: String,
    pub(crate) topic: String,
    pub(crate) records: usize,
    pub(crate) size: usize,
    pub(crate) acks: Acks,
    pub(crate) codec: Codec,
    pub(crate) batch_bytes: usize,
    pub(crate) linger_ms: u64,
    pub(crate) partitions: u32,
    pub(crate) idempotent: bool,
    pub(crate) memory_bytes: Option<usize>,
    pub(crate) spawn: bool,
    pub(crate) threads: usize,
}

impl Args {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
        let mut operation = None;
        let mut args = Args {
            operation: Operation::Produce,
            bootstrap: "127.0.0.1:9092".into(),
            topic: "bench".into(),
            records: 1_000_000,
            size: 100,
            acks: Acks::All,
            codec: Codec::None,
            batch_bytes: 1_000_000,
            linger_ms: 5,
            partitions: 1,
            idempotent: false,
            memory_bytes: None,
            spawn: false,
            threads: 0,
        };
        while let Some(flag) = words.next() {
            match flag.as_str() {
                "--idempotent" => args.idempotent = true,
                "--spawn" => args.spawn = true,
                "produce" => operation = Some(Operation::Produce),
                "consume" => operation = Some(Operation::Consume),
                "latency" => operation = Some(Operation::Latency),
                _ => {
                    let value = words.next().ok_or_else(|| format!("{flag} needs a value\n\n{USAGE}"))?;
                    args.set(&flag, &value)?;
                }
            }
        }
        args.operation = operation.ok_or(USAGE)?;
        Ok(args)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--bootstrap" => self.bootstrap = value.into(),
            "--topic" => self.topic = value.into(),
            "--records" => self.records = number(flag, value)?,
            "--size" => self.size = number(flag, value)?,
            "--batch-bytes" => self.batch_bytes = number(flag, value)?,
            "--linger-ms" => self.linger_ms = number(flag, value)?,
            "--partitions" => self.partitions = number(flag, value)?,
            "--memory-bytes" => self.memory_bytes = Some(number(flag, value)?),
            "--threads" => self.threads = number(flag, value)?,
            "--acks" => {
                self.acks = match value {
                    "all" | "-1" => Acks::All,
                    "1" => Acks::Leader,
                    "0" => Acks::None,
                    _ => return Err(format!("--acks is all, 1 or 0, not {value}")),
                }
            }
            "--codec" => self.codec = Codec::from_name(value).ok_or_else(|| format!("unknown codec {value}"))?,
            _ => return Err(format!("unknown option {flag}\n\n{USAGE}")),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} takes a number, not {value}"))
}
