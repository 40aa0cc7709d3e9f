//! Replays seeds of the simulator.

use std::process::ExitCode;

use klamm_sim::{Counts, replay, run};

const USAGE: &str = "klamm-sim SEED [--trace]     one seed; --trace: every event as a line
klamm-sim --seeds A..B       all seeds from A to B, without B";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [seed] | [seed, "--trace"] | ["--trace", seed] => match seed.parse() {
            Ok(seed) => one(seed, args.contains(&"--trace")),
            Err(_) => usage(),
        },
        ["--seeds", range] => match range.split_once("..").map(|(a, b)| (a.parse(), b.parse())) {
            Some((Ok(from), Ok(to))) => sweep(from, to),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn one(seed: u64, trace: bool) -> ExitCode {
    match run(seed, trace) {
        Ok(report) => {
            println!("seed {seed}: {} acknowledged, {} perhaps, {} failed", report.acked, report.maybe, report.failed);
            println!("{} consumed in {:.3} s of virtual time", report.given, report.span.as_secs_f64());
            print_counts(&report.counts);
            println!("trace {:016x}", report.hash);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("seed {seed}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn sweep(from: u64, to: u64) -> ExitCode {
    let mut counts = Counts::default();
    let (mut failed, mut acked) = (0, 0);
    for seed in from..to {
        match run(seed, false) {
            Ok(report) => {
                counts.merge(&report.counts);
                acked += report.acked;
            }
            Err(failure) => {
                failed += 1;
                println!("seed {seed}: {failure}\n    {}", replay(seed));
            }
        }
    }
    print_counts(&counts);
    println!("{} seeds, {failed} failed, {acked} records acknowledged", to - from);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_counts(counts: &Counts) {
    for (kind, count) in counts.iter() {
        println!("{count:>8}  {kind}");
    }
}
