//! Produces a million records with acknowledgements, consumes them, verifies every one and says how it went.
//!
//! Without `--bootstrap` it brings its own cluster: three brokers in memory, on loopback.

mod consume;
mod expected;
mod produce;
mod progress;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Parser, ValueEnum};
use klamm_broker::{ClusterConfig, Running, serve};
use klamm_tokio::{Acks, Budget, Client, Error, NewTopic};

/// Produces records with acknowledgements, consumes them and verifies every one.
#[derive(Parser, Clone, Debug)]
#[command(version)]
struct Args {
    /// A real cluster's brokers, instead of the one in memory
    #[arg(long, env = "KLAMM_BOOTSTRAP", value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// How many records
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Bytes of each value, 24 at least
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(24..=900_000))]
    size: u32,
    /// Who must have a record before it counts as acknowledged
    #[arg(long, value_enum, default_value_t = Acknowledge::All)]
    acks: Acknowledge,
    /// Partitions of the topic that is created
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=1000))]
    partitions: i32,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Acknowledge {
    #[value(name = "0")]
    Nobody,
    #[value(name = "1")]
    Leader,
    All,
}

impl From<Acknowledge> for Acks {
    fn from(acks: Acknowledge) -> Acks {
        match acks {
            Acknowledge::Nobody => Acks::None,
            Acknowledge::Leader => Acks::Leader,
            Acknowledge::All => Acks::All,
        }
    }
}

/// Brokers of the cluster in memory.
const BROKERS: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // As a task of the runtime: its caller's thread is not one of its workers, and every hand-over would cost more.
    let run = tokio::spawn(async move { run(&args).await });
    match run.await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(sentence)) => {
            eprintln!("quickstart: {sentence}");
            ExitCode::FAILURE
        }
        Err(panic) => {
            eprintln!("quickstart: {panic}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    let (_own, bootstrap) = cluster(args)?;
    let client = klamm_tokio::connect(bootstrap).await.map_err(sentence)?;
    let topic = create_topic(&client, args).await?;
    let produced = produce::produce(&client, args, &topic).await?;
    let consumed = consume::consume(&client, args, &topic).await?;
    print_table(args, &produced, consumed, client.budget());
    Ok(())
}

/// The cluster to use: a given one, or three brokers in this process, which live as long as what is answered.
fn cluster(args: &Args) -> Result<(Option<Running>, String), String> {
    if let Some(bootstrap) = &args.bootstrap {
        println!("cluster    {bootstrap}");
        return Ok((None, bootstrap.clone()));
    }
    let config = ClusterConfig { brokers: BROKERS, ..ClusterConfig::default() };
    let running = serve(config).map_err(|e| format!("the cluster in memory could not listen on loopback: {e}"))?;
    let bootstrap = running.bootstrap().to_string();
    println!("cluster    {BROKERS} brokers in memory, {bootstrap}");
    Ok((Some(running), bootstrap))
}

async fn create_topic(client: &Client, args: &Args) -> Result<String, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("quickstart-{}", since.as_millis());
    // −1: as many replicas as the cluster's own default says.
    let replicas = if args.bootstrap.is_some() { -1 } else { BROKERS as i16 };
    let topic = NewTopic::new(&name, args.partitions, replicas);
    client.admin().create_topics([topic]).await.map_err(|e| sentence(e.into()))?;
    println!("topic      {name}, {} partitions", args.partitions);
    Ok(name)
}

fn print_table(args: &Args, produced: &produce::Produced, consumed: Duration, budget: &Budget) {
    let mib = |bytes: usize| bytes as f64 / 1_048_576.0;
    let rate = |took: Duration| {
        let per_s = args.records as f64 / took.as_secs_f64();
        (per_s, per_s * f64::from(args.size) / 1_048_576.0)
    };
    let (produced_per_s, produced_mib) = rate(produced.took);
    let (consumed_per_s, consumed_mib) = rate(consumed);
    println!();
    println!("             records/s      MiB/s");
    println!(
        "produced  {produced_per_s:>12.0} {produced_mib:>10.1}   acknowledged p50 {:.2} ms, p99 {:.2} ms",
        produced.p50_ms, produced.p99_ms
    );
    println!(
        "consumed  {consumed_per_s:>12.0} {consumed_mib:>10.1}   every record verified: content, order, nothing twice"
    );
    let total: usize = klamm_tokio::Memory::default().total();
    println!("memory    budget {:.1} MiB, at most {:.1} MiB of it used", mib(total), mib(budget.peak_total()));
}

/// An error as one plain sentence.
fn sentence(error: Error) -> String {
    error.to_string()
}
