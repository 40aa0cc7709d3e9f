//! Measures the codecs beside other implementations: `cargo run --release -p klamm-bench --bin codecs [-- NAME]`, where
//! NAME is part of a row's name.
//!
//! It prints a table: for each kind of record the ratio, and the MiB of records a second to compress and to inflate. A
//! batch is 1 MiB in chunks of 32 KiB, as producers have it.

mod corpora;
mod others;

use std::time::{Duration, Instant};

use klamm_tokio::{
    FastCodecs,
    compress::{BuiltIn, Codec, Codecs, Full, Room, Sink},
};

/// Appends what it makes of a batch to a buffer that is kept.
type Work = Box<dyn FnMut(&[u8], &mut Vec<u8>)>;

/// A codec that is measured.
struct Subject {
    name: String,
    level: String,
    pack: Work,
    inflate: Work,
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let corpora = corpora::all();
    let heads: Vec<String> = corpora.iter().map(|(name, _)| format!("{name}: ratio | pack | inflate |")).collect();
    println!("| codec | level | {}", heads.join(" "));
    println!("|---|---|{}", "--:|--:|--:|".repeat(corpora.len()));
    for mut subject in ours().into_iter().chain(others::all()) {
        if !subject.name.contains(&wanted) {
            continue;
        }
        let cells: Vec<String> = corpora.iter().map(|(_, data)| cell(&mut subject, data)).collect();
        println!("| {} | {} | {}", subject.name, subject.level, cells.join(" "));
    }
}

fn ours() -> Vec<Subject> {
    let mut all = Vec::new();
    let levels: [(Codec, &[Option<i32>]); 4] = [
        (Codec::Lz4, &[None, Some(9), Some(12)]),
        (Codec::Snappy, &[None]),
        (Codec::Gzip, &[Some(1), Some(6)]),
        (Codec::Zstd, &[Some(-7), Some(-1), Some(1), Some(3), Some(4)]),
    ];
    for (codec, levels) in levels {
        all.extend(levels.iter().map(|level| own(&BuiltIn, "klamm", codec, *level)));
    }
    all.extend([1, 6].map(|level| own(&FastCodecs, "klamm-tokio", Codec::Gzip, Some(level))));
    all
}

fn own(codecs: &dyn Codecs, crate_name: &str, codec: Codec, level: Option<i32>) -> Subject {
    let mut encoder = codecs.compressor(codec, level).expect("a level");
    let mut decoder = codecs.decompressor(codec, 8 << 20).expect("a codec");
    Subject {
        name: format!("{crate_name} {codec}"),
        level: level.map_or(String::new(), |level| level.to_string()),
        pack: Box::new(move |src, to| encoder.compress(&mut src.chunks(32 * 1024), &mut Output(to)).expect("room")),
        inflate: Box::new(move |src, to| decoder.decompress(src, &mut Output(to)).expect("a batch")),
    }
}

/// A buffer that has room for everything.
struct Output<'a>(&'a mut Vec<u8>);

impl Sink for Output<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl Room for Output<'_> {
    fn out(&mut self) -> &mut Vec<u8> {
        self.0
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        self.0.reserve(more);
        Ok(())
    }
}

/// Ratio and speeds of one kind of record, as cells of the table.
fn cell(subject: &mut Subject, data: &[u8]) -> String {
    let mut packed = Vec::with_capacity(2 * data.len());
    let pack = best(data, &mut packed, &mut subject.pack);
    let mut inflated = Vec::with_capacity(2 * data.len());
    let inflate = best(&packed, &mut inflated, &mut subject.inflate);
    assert!(inflated == data, "{} lost something", subject.name);
    let speed = |took: Duration| data.len() as f64 / (1 << 20) as f64 / took.as_secs_f64();
    format!("{:.2} | {:.0} | {:.0} |", data.len() as f64 / packed.len() as f64, speed(pack), speed(inflate))
}

/// What a run takes: the shortest of several, or their mean on the CPU, where the machine is shared so that none of them
/// had it alone.
fn best(src: &[u8], to: &mut Vec<u8>, work: &mut dyn FnMut(&[u8], &mut Vec<u8>)) -> Duration {
    let (mut best, mut runs, start, busy) = (Duration::MAX, 0, Instant::now(), on_cpu());
    while runs < 5 || start.elapsed() < Duration::from_millis(400) {
        to.clear();
        let begun = Instant::now();
        work(src, to);
        best = best.min(begun.elapsed());
        runs += 1;
    }
    match (busy, on_cpu()) {
        (Some(before), Some(after)) if after > before => best.min((after - before) / runs),
        _ => best,
    }
}

/// How long this thread has been on a CPU, where the system tells: exact to a few milliseconds.
fn on_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}
