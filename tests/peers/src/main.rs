//! Klamm's decoders and encoder beside those of kafka-protocol and rskafka: the same bytes, one core, allocations counted.
//!
//! Everybody reads all of an answer once: the leader of every partition, the key and value of every record with the CRC
//! checked. The fastest of many rounds counts, and the rounds of all take turns, so that a busy machine is unfair to
//! nobody. `./tests/run peers` runs it; with an argument, only the rows that have it in their name. It fails when ours
//! allocates, or takes a larger part of the others' time than [`DECODE_MOST`] and [`ENCODE_MOST`] allow.

mod answers;
mod codecs;
mod counting;
mod kafka_protocol_peer;
mod klamm_own;
mod rskafka_peer;

use std::process::ExitCode;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 200;
/// Less than [`ROUNDS`] are enough when they have taken so long.
const LONG: Duration = Duration::from_millis(1500);
/// The most of the faster peer's time. Decoding takes 0.14 to 0.20 of it. Encoding takes 0.41 to 0.45: a third of that is the CRC at
/// the CPU's eight bytes a cycle, and another third what writing a megabyte of memory takes, which all have to pay. With
/// the feature `simd` the CRC is done in a quarter of the time.
const DECODE_MOST: f64 = 0.25;
const ENCODE_MOST: f64 = if cfg!(feature = "simd") { 0.37 } else { 0.5 };

/// One way to do the work. What it answers must be the same for all.
struct Way<'a> {
    who: &'static str,
    work: Box<dyn FnMut() -> u64 + 'a>,
}

/// What several do.
struct Row<'a> {
    what: String,
    /// The largest part of the fastest peer's time that ours, the first, may take.
    most: f64,
    /// Whether ours may allocate.
    allocates: bool,
    ways: Vec<Way<'a>>,
}

struct Measured {
    who: &'static str,
    fastest: Duration,
    allocations: u64,
}

fn way<'a>(who: &'static str, work: impl FnMut() -> u64 + 'a) -> Way<'a> {
    Way { who, work: Box::new(work) }
}

fn measure(what: &str, mut ways: Vec<Way<'_>>) -> Vec<Measured> {
    // Buffers that are reused grow in the first round, which does not count.
    let answers: Vec<u64> = ways.iter_mut().map(|way| (way.work)()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{what}: {answers:?}");
    let mut measured: Vec<Measured> =
        ways.iter().map(|way| Measured { who: way.who, fastest: Duration::MAX, allocations: 0 }).collect();
    let (begun, mut rounds) = (Instant::now(), 0);
    while rounds < ROUNDS && (rounds < 5 || begun.elapsed() < LONG) {
        rounds += 1;
        for (way, measured) in ways.iter_mut().zip(&mut measured) {
            let (before, since) = (counting::allocations(), Instant::now());
            let answer = (way.work)();
            measured.fastest = measured.fastest.min(since.elapsed());
            measured.allocations = counting::allocations() - before;
            assert_eq!(answer, answers[0]);
        }
    }
    measured
}

/// Measures, and prints a line for each; whether ours keeps to its part and allocates nothing.
fn report(row: Row<'_>) -> bool {
    let Row { what, most, allocates, ways } = row;
    let measured = measure(&what, ways);
    let [ours, peers @ ..] = &measured[..] else { panic!("nobody measured {what}") };
    for Measured { who, fastest, allocations } in &measured {
        let times = fastest.as_secs_f64() / ours.fastest.as_secs_f64();
        let micros = fastest.as_secs_f64() * 1e6;
        println!("{what:<44} {who:<15} {micros:>10.1} µs {times:>7.2} x {allocations:>8} allocations");
    }
    let best = peers.iter().map(|peer| peer.fastest).min().unwrap_or_default();
    let part = ours.fastest.as_secs_f64() / best.as_secs_f64();
    println!("{:<44} {:.2} of the faster peer's time; at most {most}", "", part);
    part <= most && (allocates || ours.allocations == 0)
}

/// Whether all rows whose names have `wanted` in them are good.
fn messages(wanted: &str) -> bool {
    let (metadata, new_metadata, fetch) = (answers::metadata(4), answers::metadata(12), answers::fetch(4));
    let (mut ours, mut theirs) = (klamm_own::Batch::new(), kafka_protocol_peer::Batch::new());
    let mut others = rskafka_peer::Batch::new();
    let row = |what: &str, most, ways| Row { what: what.into(), most, allocates: false, ways };
    let rows = [
        row(
            "decode Metadata 4, 1,000 topics of 6",
            DECODE_MOST,
            vec![
                way("klamm", || klamm_own::metadata(&metadata, 4)),
                way("kafka-protocol", || kafka_protocol_peer::metadata(&metadata, 4)),
                way("rskafka", || rskafka_peer::metadata(&metadata, 4)),
            ],
        ),
        row(
            "decode Metadata 12, 1,000 topics of 6",
            DECODE_MOST,
            vec![
                way("klamm", || klamm_own::metadata(&new_metadata, 12)),
                way("kafka-protocol", || kafka_protocol_peer::metadata(&new_metadata, 12)),
            ],
        ),
        row(
            "decode Fetch 4, 1 MiB of records of 100 B",
            DECODE_MOST,
            vec![
                way("klamm", || klamm_own::fetch(&fetch, 4)),
                way("kafka-protocol", || kafka_protocol_peer::fetch(&fetch, 4)),
                way("rskafka", || rskafka_peer::fetch(&fetch, 4)),
            ],
        ),
        row(
            "encode a batch of 10,000 records of 100 B",
            ENCODE_MOST,
            vec![
                way("klamm", || ours.encode()),
                way("kafka-protocol", || theirs.encode()),
                way("rskafka", || others.encode()),
            ],
        ),
    ];
    all_good(rows, wanted)
}

/// Measures the rows whose names have `wanted` in them.
fn all_good<'a>(rows: impl IntoIterator<Item = Row<'a>>, wanted: &str) -> bool {
    rows.into_iter().filter(|row| row.what.contains(wanted)).fold(true, |good, row| report(row) && good)
}

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let good = [messages(&wanted), all_good(codecs::rows(), &wanted)];
    if good == [true, true] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
