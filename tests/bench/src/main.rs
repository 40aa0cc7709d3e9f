//! `klamm-bench`: measures Klamm against a real broker, with the command line that other clients are measured with too.
//!
//! Each record is enqueued singly and each outcome is looked at; consumed records are checked (CRC) and their keys and
//! values touched. One JSON object a run, on the last line.

mod args;
mod payloads;
mod report;

use std::{
    collections::VecDeque,
    hint::black_box,
    time::{Duration, Instant},
};

use args::{Args, Operation};
use klamm_tokio::{Acks, Client, Config, Error, Producer, Record, StartAt, Ticket};

fn main() -> std::process::ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return std::process::ExitCode::from(2);
        }
    };
    let mut runtime = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("klamm-bench: no runtime: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let spawned = args.spawn;
    let run = run(args);
    // Like a program under #[tokio::main], whose own thread is not one of the runtime's; or as a task of it.
    let result = runtime.block_on(async move {
        if spawned {
            tokio::spawn(run).await.unwrap_or_else(|e| panic!("the benchmark's task ended: {e}"))
        } else {
            run.await
        }
    });
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("klamm-bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Error> {
    let mut config = Config::new(args.bootstrap.clone()).client_id("klamm-bench");
    if let Some(bytes) = args.memory_bytes {
        config = config.memory_total(bytes);
    }
    let client = klamm_tokio::connect_with(config).await?;
    match args.operation {
        Operation::Produce => produce(&client, &args).await,
        Operation::Consume => consume(&client, &args).await,
        Operation::Latency => latency(&client, &args).await,
    }
}

fn producer(client: &Client, args: &Args) -> Result<Producer, Error> {
    let builder = client.producer().acks(args.acks).batch_bytes(args.batch_bytes).compression(args.codec);
    let builder = match args.operation {
        Operation::Latency => builder,
        _ => builder.linger(Duration::from_millis(args.linger_ms)),
    };
    builder.idempotence(args.idempotent && args.acks == Acks::All).build()
}

async fn produce(client: &Client, args: &Args) -> Result<(), Error> {
    let producer = producer(client, args)?;
    let data = payloads::payloads(args.size);
    let start = Instant::now();
    let mut errors = 0;
    // A window of tickets, so that every outcome is looked at and memory stays bounded.
    let window = (4 * args.batch_bytes / args.size.max(1) * args.partitions as usize).max(1);
    let mut open: VecDeque<Ticket> = VecDeque::with_capacity(window + 1);
    for i in 0..args.records {
        if open.len() >= window
            && let Some(oldest) = open.pop_front()
        {
            errors += usize::from(oldest.await.is_err());
        }
        let partition = (i / 64 % args.partitions as usize) as i32;
        let record = Record::to(&args.topic).partition(partition).value(&data[i & 1023]);
        open.push_back(producer.enqueue(record).await?);
    }
    producer.flush().await?;
    for ticket in open {
        errors += usize::from(ticket.await.is_err());
    }
    report::print(args, args.records * args.size, errors, start.elapsed(), Vec::new());
    Ok(())
}

async fn latency(client: &Client, args: &Args) -> Result<(), Error> {
    let producer = producer(client, args)?;
    let data = payloads::payloads(args.size);
    let mut latencies = Vec::with_capacity(args.records);
    let start = Instant::now();
    for i in 0..args.records {
        let sent = Instant::now();
        producer.send(Record::to(&args.topic).partition(0).value(&data[i & 1023])).await?;
        latencies.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    report::print(args, args.records * args.size, 0, start.elapsed(), latencies);
    Ok(())
}

async fn consume(client: &Client, args: &Args) -> Result<(), Error> {
    let start = Instant::now();
    let mut consumer = client.consumer().topics([&args.topic]).from(StartAt::Earliest).build()?;
    let (mut count, mut bytes) = (0, 0);
    while count < args.records {
        let Some(records) = consumer.next().await? else { break };
        for record in &records {
            black_box(record.key());
            bytes += black_box(record.value()).map_or(0, <[u8]>::len);
            count += 1;
        }
    }
    report::print(args, bytes, 0, start.elapsed(), Vec::new());
    Ok(())
}
