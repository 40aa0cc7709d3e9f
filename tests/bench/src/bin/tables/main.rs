//! Small tables of what a client costs as something grows, against an in-memory cluster in a process of its own.

mod broker;
mod load;

use std::{process::ExitCode, time::Duration};

use klamm_bench::watched;
use klamm_tokio::{Client, Config, Error, StartAt};
use tokio::runtime::{Builder, Runtime};

use crate::{
    broker::Brokers,
    load::{Cost, consume, enqueue, lone, usage},
};

const USAGE: &str = "\
tables NAME [NUMBER...]: a Markdown table for each; the cluster is in memory, in a process of its own, and CPU is the client's
  partitions [N...]  against idle partitions that the client knows and has used once (1 100 10000)
  brokers [N...]     against brokers (1 8 64), 64 partitions in all
  cores [N...]       against threads of the runtime (1 2), with as many tasks that produce
  batches [N...]     against batch_bytes (16384 65536 262144 1048576)
  idle [SECONDS]     what a client does that nobody uses (10)
Run it optimised: cargo run --release -p klamm-bench --bin tables -- partitions";

/// Records of each measurement.
const RECORDS: usize = 500_000;
const LONE: usize = 2_000;
/// Records that are consumed before it is measured.
const FIRST: usize = 100_000;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let Ok(numbers) = words.map(|word| word.parse()).collect::<Result<Vec<usize>, _>>() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let or = |usual: &[usize]| if numbers.is_empty() { usual.to_vec() } else { numbers.clone() };
    let done = match name.as_str() {
        "partitions" => partitions(&or(&[1, 100, 10_000])),
        "brokers" => brokers(&or(&[1, 8, 64])),
        "cores" => cores(&or(&[1, 2])),
        "batches" => batches(&or(&[16 << 10, 64 << 10, 256 << 10, 1 << 20])),
        "idle" => idle(or(&[10])[0]),
        "serve" => return broker::serve(numbers.first().copied().unwrap_or(1)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tables: {error}");
            ExitCode::FAILURE
        }
    }
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Settings with room for so many partitions and brokers; the classes for records are as by default.
fn roomy(bootstrap: &str, partitions: usize, brokers: usize) -> Config {
    let mut config = Config::new(bootstrap);
    config.max_partitions = config.max_partitions.max(partitions);
    config.max_brokers = config.max_brokers.max(brokers);
    config.memory.control_bytes += partitions * 512 + brokers * 3 * 8_192;
    config
}

fn partitions(counts: &[usize]) -> Result<(), Error> {
    println!(
        "| idle partitions | produce: µs a record, CPU | one at a time: µs a record, CPU | consume: µs a record, CPU |"
    );
    println!("|--:|--:|--:|--:|");
    for &idle in counts {
        let brokers = Brokers::start(1);
        one_thread().block_on(async {
            let client = klamm_tokio::connect_with(roomy(&brokers.bootstrap, idle + 1, 1)).await?;
            load::create(&client, "busy", 1).await?;
            load::create(&client, "idle", idle).await?;
            let producer = client.producer().build()?;
            load::touch(&producer, "idle", idle).await?;
            let produced = enqueue(&producer, "busy", 1, RECORDS).await?;
            let lone = lone(&producer, "busy", LONE).await?;
            let builder = client.consumer().topics(["busy", "idle"]).from(StartAt::Earliest);
            let consumed = consume(builder.build()?, idle + FIRST, RECORDS + LONE + idle).await?;
            println!("| {idle} | {:.3} | {:.1} | {:.3} |", produced.cpu(), lone.cpu(), consumed.cpu());
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

fn brokers(counts: &[usize]) -> Result<(), Error> {
    println!("| brokers | produce: µs a record, CPU | one at a time: µs a record, CPU | consume: µs a record, CPU |");
    println!("|--:|--:|--:|--:|");
    for &count in counts {
        let brokers = Brokers::start(count);
        one_thread().block_on(async {
            let client = klamm_tokio::connect_with(roomy(&brokers.bootstrap, 64, count)).await?;
            load::create(&client, "spread", 64).await?;
            let producer = client.producer().batch_bytes(64 << 10).build()?;
            load::touch(&producer, "spread", 64).await?;
            let produced = enqueue(&producer, "spread", 64, RECORDS).await?;
            let lone = lone(&producer, "spread", LONE).await?;
            let consumer = client.consumer().topics(["spread"]).from(StartAt::Earliest).build()?;
            let consumed = consume(consumer, FIRST, RECORDS + LONE + 64).await?;
            println!("| {count} | {:.3} | {:.1} | {:.3} |", produced.cpu(), lone.cpu(), consumed.cpu());
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

fn cores(counts: &[usize]) -> Result<(), Error> {
    println!("| threads, and tasks that produce | records/s | µs a record, CPU |");
    println!("|--:|--:|--:|");
    for &threads in counts {
        let brokers = Brokers::start(1);
        let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime");
        let cost = runtime.block_on(async move {
            let client = klamm_tokio::connect_with(Config::new(&brokers.bootstrap)).await?;
            load::create(&client, "cores", 16).await?;
            let producer = client.producer().build()?;
            load::touch(&producer, "cores", 16).await?;
            let begun = usage();
            let each = RECORDS * 2 / threads;
            let tasks: Vec<_> = (0..threads)
                .map(|_| {
                    let producer = producer.clone();
                    tokio::spawn(async move { enqueue(&producer, "cores", 16, each).await })
                })
                .collect();
            for task in tasks {
                task.await.unwrap_or_else(|error| panic!("a task ended: {error}"))?;
            }
            Ok::<_, Error>(Cost::since(begun, each * threads))
        })?;
        println!("| {threads} | {:.0} | {:.3} |", cost.rate(), cost.cpu());
    }
    Ok(())
}

fn batches(sizes: &[usize]) -> Result<(), Error> {
    println!("| batch_bytes | records/s | µs a record, CPU |");
    println!("|--:|--:|--:|");
    for &bytes in sizes {
        let brokers = Brokers::start(1);
        one_thread().block_on(async {
            let client = klamm_tokio::connect(&brokers.bootstrap).await?;
            load::create(&client, "batches", 1).await?;
            // What a broker takes is a little more than 1 MB.
            let producer = client.producer().batch_bytes(bytes.min(1_048_000)).build()?;
            load::touch(&producer, "batches", 1).await?;
            let cost = enqueue(&producer, "batches", 1, RECORDS).await?;
            println!("| {bytes} | {:.0} | {:.3} |", cost.rate(), cost.cpu());
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

/// What is done a minute by a client that has worked and is left alone.
fn idle(seconds: usize) -> Result<(), Error> {
    use std::sync::atomic::Ordering::Relaxed;
    println!(
        "| idle for {seconds} s, a minute of it | wake-ups of the driver | voluntary switches | bytes out | bytes in | CPU ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for consuming in [false, true] {
        let brokers = Brokers::start(3);
        one_thread().block_on(async {
            let (client, watch): (Client, _) = watched::connect(Config::new(&brokers.bootstrap)).await?;
            load::create(&client, "left", 6).await?;
            let producer = client.producer().build()?;
            load::touch(&producer, "left", 6).await?;
            let mut consumer = client.consumer().topics(["left"]).from(StartAt::Latest).build()?;
            if consuming {
                let _ = tokio::time::timeout(Duration::from_secs(1), consumer.next()).await;
            } else {
                drop(consumer);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let counts = || [&watch.wakes, &watch.written, &watch.read].map(|count| count.load(Relaxed));
            let (before, begun) = (counts(), usage());
            tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
            let (after, spent) = (counts(), Cost::since(begun, 1));
            let a_minute = |n: u64| n * 60 / seconds as u64;
            let [wakes, written, read] = [0, 1, 2].map(|i| a_minute(after[i] - before[i]));
            let what = if consuming { "a producer, and a consumer of three brokers" } else { "a producer" };
            let (switches, cpu) = (a_minute(spent.switches), spent.cpu() / 1e3 * 60.0 / seconds as f64);
            println!("| {what} | {wakes} | {switches} | {written} | {read} | {cpu:.1} |");
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}
