//! The command line.

use klamm_tokio::{Acks, Codec};

const USAGE: &str = "\
produce|consume|latency|tasks|paced [options]
  produce   one task fills the buffer and looks at every outcome
  consume   everything from the beginning, on all partitions
  latency   one record at a time, each awaited
  tasks     many tasks, each awaits its own records one by one
  paced     records at a steady rate, a task each
  --bootstrap HOST:PORT   127.0.0.1:9092
  --topic NAME            bench
  --records N             1000000, of all tasks together
  --size BYTES            100
  --acks all|1|0          all
  --codec none|…          none
  --batch-bytes N         1000000
  --linger-ms N           5 where one task produces, else 0
  --partitions N          1
  --tasks N               64
  --rate N                10000 records a second, paced
  --idempotent            batches carry a producer id and sequence numbers
  --memory-bytes N        the client's memory, all classes together (16777216); Klamm only
  --tls-ca FILE           connections are encrypted, with whom this CA has signed; Klamm only
  --slice N               produce hands over N records at once; Klamm only
  --jobs N                0 batches compressed at once in other threads; Klamm only
  --spawn                 run as a task of the runtime, not on its caller's thread; Klamm only
  --threads N             1: a single-threaded runtime; Klamm only";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// One task fills the buffer.
    Produce,
    /// Everything from the beginning.
    Consume,
    /// One record at a time, each awaited.
    Latency,
    /// Many tasks, each awaits its own records.
    Tasks,
    /// Records at a steady rate.
    Paced,
}

impl Operation {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Produce => "produce",
            Operation::Consume => "consume",
            Operation::Latency => "latency",
            Operation::Tasks => "tasks",
            Operation::Paced => "paced",
        }
    }

    fn from_name(name: &str) -> Option<Operation> {
        let all = [Operation::Produce, Operation::Consume, Operation::Latency, Operation::Tasks, Operation::Paced];
        all.into_iter().find(|operation| operation.name() == name)
    }
}

/// One run's settings; the usage tells what each is.
#[derive(Clone, Debug)]
pub struct Args {
    /// The word without dashes.
    pub operation: Operation,
    /// `--bootstrap`.
    pub bootstrap: String,
    /// `--topic`.
    pub topic: String,
    /// `--records`.
    pub records: usize,
    /// `--size`.
    pub size: usize,
    /// `--acks`.
    pub acks: Acks,
    /// `--codec`.
    pub codec: Codec,
    /// `--batch-bytes`.
    pub batch_bytes: usize,
    linger_ms: Option<u64>,
    /// `--partitions`.
    pub partitions: usize,
    /// `--tasks`.
    pub tasks: usize,
    /// `--rate`.
    pub rate: usize,
    /// `--idempotent`.
    pub idempotent: bool,
    /// `--memory-bytes`.
    pub memory_bytes: Option<usize>,
    /// `--tls-ca`.
    pub tls_ca: Option<String>,
    /// `--slice`.
    pub slice: usize,
    /// `--jobs`.
    pub jobs: usize,
    /// `--spawn`.
    pub spawn: bool,
    /// `--threads`.
    pub threads: usize,
}

impl Args {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// What is wrong with them, and the usage.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
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
            linger_ms: None,
            partitions: 1,
            tasks: 64,
            rate: 10_000,
            idempotent: false,
            memory_bytes: None,
            tls_ca: None,
            slice: 1,
            jobs: 0,
            spawn: false,
            threads: 0,
        };
        while let Some(flag) = words.next() {
            match flag.as_str() {
                "--idempotent" => args.idempotent = true,
                "--spawn" => args.spawn = true,
                word if Operation::from_name(word).is_some() => operation = Operation::from_name(word),
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
            "--linger-ms" => self.linger_ms = Some(number(flag, value)?),
            "--partitions" => self.partitions = number(flag, value)?,
            "--tasks" => self.tasks = number(flag, value)?,
            "--rate" => self.rate = number(flag, value)?,
            "--memory-bytes" => self.memory_bytes = Some(number(flag, value)?),
            "--tls-ca" => self.tls_ca = Some(value.into()),
            "--jobs" => self.jobs = number(flag, value)?,
            "--slice" => self.slice = number(flag, value)?,
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

    /// `--linger-ms`, or what fits the operation.
    pub fn linger(&self) -> std::time::Duration {
        let usual = if self.operation == Operation::Produce { 5 } else { 0 };
        std::time::Duration::from_millis(self.linger_ms.unwrap_or(usual))
    }

    /// The name of `--codec` in Kafka's own words.
    pub const fn codec_name(&self) -> &'static str {
        match self.codec {
            Codec::None => "none",
            other => other.name(),
        }
    }

    /// `--acks` in Kafka's own words.
    pub const fn acks_name(&self) -> &'static str {
        match self.acks {
            Acks::None => "0",
            Acks::Leader => "1",
            Acks::All => "all",
        }
    }

    /// The partition of a record: 64 in a row, then the next.
    pub const fn partition_of(&self, record: usize) -> i32 {
        (record / 64 % self.partitions) as i32
    }

    /// How many records one task that fills the buffer keeps open at most: four batches a partition.
    pub fn window(&self) -> usize {
        (4 * self.batch_bytes / self.size.max(1) * self.partitions).max(1)
    }
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} takes a number, not {value}"))
}
