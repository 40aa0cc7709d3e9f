//! A long run on real Kafka: one client produces and consumes at a modest rate while its broker is killed and started
//! again, over and over. What the client holds is printed every ten seconds; at the end nothing may be lost, nothing there
//! twice, and nothing grown.

mod load;
mod samples;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use klamm_bench::counting::{CLASSES, COUNTED, Counting, LIVE};
use klamm_kafka_tests::Cluster;
use klamm_tokio::{Budget, Config, Memory};

use crate::{load::Load, samples::Samples};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "\
soak [options]: exit status 1 if a record is lost or there twice, or if memory or descriptors have grown
  --minutes N         60
  --brokers 1|3       1; with three, they are killed in turn
  --rate N            2000 records a second
  --restart-s N       60: seconds from one kill to the next
  --memory-bytes N    16777216: the client's budget";

const TOPIC: &str = "soak";
const PARTITIONS: i32 = 6;
const EVERY: Duration = Duration::from_secs(10);

struct Args {
    minutes: u64,
    brokers: usize,
    rate: usize,
    restart: Duration,
    memory_bytes: usize,
}

/// What the client's thread and the others tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) consumed: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) twice: AtomicU64,
    /// Tasks that the client's runtime has.
    pub(crate) tasks: AtomicU64,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args =
        Args { minutes: 60, brokers: 1, rate: 2_000, restart: Duration::from_secs(60), memory_bytes: 16 << 20 };
    while let Some(flag) = words.next() {
        if flag == "--help" {
            return Err(USAGE.into());
        }
        let value = words.next().ok_or_else(|| format!("{flag} needs a value\n\n{USAGE}"))?;
        let number: usize = value.parse().map_err(|_| format!("{flag} takes a number, not {value}"))?;
        match flag.as_str() {
            "--minutes" => args.minutes = number as u64,
            "--brokers" => args.brokers = number,
            "--rate" => args.rate = number.max(100),
            "--restart-s" => args.restart = Duration::from_secs(number as u64),
            "--memory-bytes" => args.memory_bytes = number,
            _ => return Err(format!("unknown option {flag}\n\n{USAGE}")),
        }
    }
    Ok(args)
}

fn run(args: &Args) -> Result<(), String> {
    let whole = Duration::from_secs(args.minutes * 60);
    // The log is kept short, so that a run of many hours fills no disk.
    let settings = [("log.segment.bytes", "16777216"), ("log.retention.bytes", "134217728")];
    let cluster = Cluster::start_for(whole + Duration::from_secs(600), args.brokers, &settings);
    cluster.create_topic(TOPIC, PARTITIONS as usize, args.brokers);
    let budget = Budget::new(Memory::of(args.memory_bytes));
    let config = Config::new(cluster.bootstrap()).memory_total(args.memory_bytes).budget(Arc::clone(&budget));
    let plan = config.memory_plan().map_err(|error| error.to_string())?.total();
    println!("{} minutes, {} records/s, {} broker(s); plan {plan} bytes", args.minutes, args.rate, args.brokers);
    let (shared, load) = (Arc::new(Shared::default()), Load::new(args.rate));
    // The client's thread alone keeps it, so that the buffers in it are gone with the client.
    let budget = {
        let weak = Arc::downgrade(&budget);
        drop(budget);
        weak
    };
    let begun = Instant::now();
    let mut samples = Samples::new(plan, whole);
    let mut left = 0;
    thread::scope(|scope| {
        let client = scope.spawn(|| client(config, load, &shared));
        scope.spawn(|| restarts(args, &cluster, &shared, begun));
        while begun.elapsed() < whole && !client.is_finished() {
            thread::sleep(EVERY);
            let budget = budget.upgrade();
            let leased = budget.as_ref().map(|b| CLASSES.map(|class| b.leased(class))).unwrap_or_default();
            let used: usize = budget.iter().flat_map(|b| CLASSES.map(|class| b.used(class))).sum();
            samples.take(begun.elapsed(), &shared, &leased, used);
        }
        shared.stop.store(true, Relaxed);
        left = client.join().map_err(|_| "the client's thread panicked")??;
        Ok::<_, String>(())
    })?;
    samples.verdict(&shared, left)
}

/// The client, in a thread whose memory is counted; answers how many bytes are still live when all of it is gone.
fn client(config: Config, mut load: Load, shared: &Shared) -> Result<isize, String> {
    COUNTED.set(true);
    let before = LIVE.load(Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let done = runtime.block_on(load.run(config, shared));
    drop(runtime);
    COUNTED.set(false);
    done.map_err(|error| error.to_string())?;
    Ok(LIVE.load(Relaxed) - before)
}

/// Kills a broker and starts it again, first after half of the time.
fn restarts(args: &Args, cluster: &Cluster, shared: &Shared, begun: Instant) {
    let mut next = args.restart / 2;
    for number in 0.. {
        while begun.elapsed() < next {
            if shared.stop.load(Relaxed) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let id = number % args.brokers + 1;
        cluster.kill(id);
        // Long enough for what is under way to time out or be refused.
        thread::sleep(Duration::from_secs(2));
        cluster.restart(id);
        next += args.restart;
    }
}
