//! `klamm-bench`: measures Klamm against a real broker, with the command line that other clients are measured with too.
//!
//! Each record is enqueued singly and each outcome is looked at; consumed records are checked (CRC) and their keys and
//! values touched. One JSON object a run, on the last line.

use std::{collections::VecDeque, hint::black_box, sync::Arc, time::Instant};

use klamm_bench::{
    args::{Args, Operation},
    pace,
    payloads::payloads,
    report::{Outcome, print},
};
use klamm_tokio::{
    Acks, Class, Client, Codec, Config, Error, Producer, Record, Sent, StartAt, Ticket, Tickets,
    tls::{self, Files},
};

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
    if let Some(ca) = &args.tls_ca {
        config = config.tls(tls::builder().ca_file(ca).build()?);
    }
    if let Some(bytes) = args.memory_bytes {
        config = config.memory_total(bytes);
    }
    let client = klamm_tokio::connect_with(config).await?;
    match args.operation {
        Operation::Produce if args.slice > 1 => slices(&client, &args).await,
        Operation::Produce => produce(&client, &args).await,
        Operation::Consume => consume(&client, &args).await,
        Operation::Latency => latency(&client, &args).await,
        Operation::Tasks => tasks(&client, &args).await,
        Operation::Paced => paced(&client, &args).await,
    }
}

fn producer(client: &Client, args: &Args) -> Result<Producer, Error> {
    let builder = client.producer().acks(args.acks).batch_bytes(args.batch_bytes).compression(args.codec);
    let builder = builder.compression_jobs(args.jobs);
    builder.linger(args.linger()).idempotence(args.idempotent && args.acks == Acks::All).build()
}

/// How many records are open at most: beyond what the buffer holds, tickets would only be kept of what is acknowledged.
/// Twice that, because compressed records take less of it.
fn window(client: &Client, args: &Args) -> usize {
    let held = client.budget().limit(Class::Produce) / args.size.max(1);
    args.window().min(if args.codec == Codec::None { held } else { 2 * held }).max(1)
}

async fn produce(client: &Client, args: &Args) -> Result<(), Error> {
    let producer = producer(client, args)?;
    let data = payloads(args.size);
    let start = Instant::now();
    let mut errors = 0;
    // A window of tickets, so that every outcome is looked at and memory stays bounded.
    let window = window(client, args);
    let mut open: VecDeque<Ticket> = VecDeque::with_capacity(window + 1);
    for i in 0..args.records {
        if open.len() >= window
            && let Some(oldest) = open.pop_front()
        {
            errors += usize::from(oldest.await.is_err());
        }
        // Looked up first: what may panic while a record is made keeps the compiler from making it where it is needed.
        let (partition, value) = (args.partition_of(i), &data[i & 1023]);
        let record = Record::to(&args.topic).partition(partition).value(value);
        open.push_back(producer.enqueue(record).await?);
    }
    producer.flush().await?;
    for ticket in open {
        errors += usize::from(ticket.await.is_err());
    }
    let bytes = args.records * args.size;
    print("klamm", args, Outcome { bytes, errors, wall: start.elapsed(), latencies_ms: Vec::new() });
    Ok(())
}

/// The same with records that are handed over many at a time.
async fn slices(client: &Client, args: &Args) -> Result<(), Error> {
    let producer = producer(client, args)?;
    let data = payloads(args.size);
    let start = Instant::now();
    let mut errors = 0;
    let window = window(client, args).div_ceil(args.slice);
    let mut open: VecDeque<Tickets> = VecDeque::with_capacity(window + 1);
    let mut slice = Vec::with_capacity(args.slice);
    let failed = |sent: Sent| sent.into_result().is_err();
    for from in (0..args.records).step_by(args.slice) {
        if open.len() >= window
            && let Some(oldest) = open.pop_front()
        {
            errors += usize::from(failed(oldest.await));
        }
        let of_slice = from..args.records.min(from + args.slice);
        slice.extend(of_slice.map(|i| Record::to(&args.topic).partition(args.partition_of(i)).value(&data[i & 1023])));
        open.push_back(producer.enqueue_all(&slice).await?);
        slice.clear();
    }
    producer.flush().await?;
    for tickets in open {
        errors += usize::from(failed(tickets.await));
    }
    let bytes = args.records * args.size;
    print("klamm", args, Outcome { bytes, errors, wall: start.elapsed(), latencies_ms: Vec::new() });
    Ok(())
}

async fn latency(client: &Client, args: &Args) -> Result<(), Error> {
    let producer = producer(client, args)?;
    let data = payloads(args.size);
    let mut latencies_ms = Vec::with_capacity(args.records);
    let start = Instant::now();
    for i in 0..args.records {
        let sent = Instant::now();
        producer.send(Record::to(&args.topic).partition(0).value(&data[i & 1023])).await?;
        latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    let bytes = args.records * args.size;
    print("klamm", args, Outcome { bytes, errors: 0, wall: start.elapsed(), latencies_ms });
    Ok(())
}

/// Each task sends its own records, one by one, as the handlers of a server do.
async fn tasks(client: &Client, args: &Args) -> Result<(), Error> {
    let producer = producer(client, args)?;
    let data = Arc::new(payloads(args.size));
    let start = Instant::now();
    let tasks: Vec<_> = (0..args.tasks)
        .map(|task| {
            let (producer, args, data) = (producer.clone(), args.clone(), Arc::clone(&data));
            tokio::spawn(async move {
                let mut latencies_ms = Vec::new();
                for i in (task..args.records).step_by(args.tasks) {
                    let sent = Instant::now();
                    let partition = (i % args.partitions) as i32;
                    producer.send(Record::to(&args.topic).partition(partition).value(&data[i & 1023])).await?;
                    latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, Error>(latencies_ms)
            })
        })
        .collect();
    let mut outcome = Outcome { bytes: args.records * args.size, ..Outcome::default() };
    for task in tasks {
        let latencies = task.await.unwrap_or_else(|e| panic!("a task ended: {e}"));
        match latencies {
            Ok(latencies) => outcome.latencies_ms.extend(latencies),
            Err(_) => outcome.errors += 1,
        }
    }
    outcome.wall = start.elapsed();
    print("klamm", args, outcome);
    Ok(())
}

async fn paced(client: &Client, args: &Args) -> Result<(), Error> {
    let shared = Arc::new((producer(client, args)?, args.clone(), payloads(args.size)));
    let outcome = pace::paced(args, |i| {
        let shared = Arc::clone(&shared);
        async move {
            let (producer, args, data) = &*shared;
            let partition = (i % args.partitions) as i32;
            producer.send(Record::to(&args.topic).partition(partition).value(&data[i & 1023])).await.is_ok()
        }
    });
    print("klamm", args, outcome.await);
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
    print("klamm", args, Outcome { bytes, errors: 0, wall: start.elapsed(), latencies_ms: Vec::new() });
    Ok(())
}
