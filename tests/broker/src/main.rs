//! An in-memory Kafka cluster on loopback, by hand: `klamm-broker --topic orders:6:3`.

use klamm_broker::{AutoCreate, ClusterConfig, serve};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: klamm-broker [OPTIONS]
An in-memory Kafka cluster on 127.0.0.1, for tests. It prints the addresses of its brokers and runs until it is killed.

  --brokers N                         how many brokers (3)
  --port PORT                         the first broker's port; the others follow. 0: free ones (0)
  --topic NAME:PARTITIONS:REPLICATION a topic to begin with; may be given several times
  --auto-create PARTITIONS:REPLICATION
                                      create topics that are asked for
  --help";

struct Topic {
    name: String,
    partitions: usize,
    replication: usize,
}

struct Options {
    config: ClusterConfig,
    topics: Vec<Topic>,
}

fn main() -> ExitCode {
    let done = match parse(std::env::args().skip(1)) {
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run(options),
        Err(why) => Err(format!("{why}\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("klamm-broker: {why}");
            ExitCode::FAILURE
        }
    }
}

/// `None`: help was asked for.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { config: ClusterConfig::default(), topics: Vec::new() };
    while let Some(name) = args.next() {
        if name == "--help" {
            return Ok(None);
        }
        let value = args.next().ok_or_else(|| format!("{name} is unknown or needs a value"))?;
        let wrong = || format!("{name} cannot be {value:?}");
        let mut parts = value.split(':');
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok()).filter(|&n| n > 0);
        match name.as_str() {
            "--brokers" => options.config.brokers = number(Some(&value)).ok_or_else(wrong)?,
            "--port" => options.config.port = value.parse().map_err(|_| wrong())?,
            "--topic" => {
                let name = parts.next().unwrap_or_default().to_owned();
                let (partitions, replication) = (number(parts.next()), number(parts.next()));
                let (Some(partitions), Some(replication), None) = (partitions, replication, parts.next()) else {
                    return Err(wrong());
                };
                options.topics.push(Topic { name, partitions, replication });
            }
            "--auto-create" => {
                let (partitions, replication) = (number(parts.next()), number(parts.next()));
                let (Some(partitions), Some(replication)) = (partitions, replication) else { return Err(wrong()) };
                options.config.auto_create = Some(AutoCreate { partitions, replication });
            }
            _ => return Err(format!("{name} is unknown")),
        }
    }
    Ok(Some(options))
}

fn run(options: Options) -> Result<(), String> {
    let brokers = options.config.brokers;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let running = serve(options.config).map_err(|error| format!("no port for the brokers: {error}"))?;
        for topic in options.topics {
            if topic.replication > brokers {
                return Err(format!("{} replicas of {} on {brokers} brokers", topic.replication, topic.name));
            }
            running.cluster().create_topic(&topic.name, topic.partitions, topic.replication);
        }
        println!("{}", running.bootstrap());
        core::future::pending::<()>().await;
        Ok(())
    })
}
