//! Many seeds, and that a seed is exact.

use std::process::Command;

use klamm_sim::{Counts, replay, run};

const SEEDS: u64 = 200;

/// How often each kind of fault happens in all seeds together, and each event of a client, at the least: a tenth of what it was when this was written.
const LEAST: &[(&str, u64)] = &[
    ("all brokers killed", 9),
    ("all connections of a broker closed", 31),
    ("answer lost after it was applied", 392),
    ("batch too large", 100),
    ("batch_expired", 16),
    ("batch_retried", 270),
    ("batch_split", 60),
    ("broker killed", 20),
    ("chunked", 34974),
    ("close after a request", 2),
    ("close before a request", 3),
    ("close between requests", 1),
    ("close in a request", 12),
    ("close in an answer", 11),
    ("closed after it was applied", 18),
    ("closed by the broker", 21),
    ("compressed batch", 1_500),
    ("connect_failed", 170),
    ("connected", 370),
    ("connection_closed", 80),
    ("connection_lost", 165),
    ("delay spike", 392),
    ("epoch_raised", 1),
    ("error code", 216),
    ("error code after it was applied", 21),
    ("fetch session lost", 52),
    ("fetch_retried", 340),
    ("fetched_alone", 1),
    ("full window", 37388),
    ("leader moved", 61),
    ("leader_changed", 148),
    ("leaderless", 30),
    ("left_out", 3),
    ("metadata_failed", 19),
    ("partial read", 5107),
    ("partial write", 41089),
    ("producer_id_failed", 4),
    ("refused", 82),
    ("silence", 6),
    ("silent connection", 10),
    ("slow answer", 24),
    ("spurious pending", 805),
    ("stale metadata", 17),
    ("throttle", 31),
    ("throttled", 30),
    ("topic unknown for a while", 32),
];

/// Whatever the network and the brokers do: nothing acknowledged is lost, nothing is there twice, order is kept, what
/// failed is said to be where it is, everybody is answered, memory stays within its limits and all of it comes back.
///
/// Traps 9, 45, 47 to 50, 55, 68, 74, 81, 82, 102, 107 and 108, all at once and in any order.
#[test]
fn two_hundred_seeds() {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    let mut acked = 0;
    for seed in 0..SEEDS {
        match run(seed, false) {
            Ok(report) => {
                counts.merge(&report.counts);
                acked += report.acked;
            }
            Err(failure) => failures.push(format!("seed {seed}: {failure}\n    {}", replay(seed))),
        }
    }
    assert!(failures.is_empty(), "{} of {SEEDS} seeds failed\n{}", failures.len(), failures.join("\n"));
    println!("note: {SEEDS} seeds, {acked} records acknowledged");
    let few: Vec<String> = LEAST
        .iter()
        .filter(|(kind, least)| counts.of(kind) < *least)
        .map(|(kind, least)| format!("{kind}: {} times, not {least}", counts.of(kind)))
        .collect();
    assert!(few.is_empty(), "too few faults: {}", few.join(", "));
}

/// Few seeds in little time, for builds without optimisation: what is planted in `tests/plants` shows here already.
#[test]
fn twenty_seeds() {
    for seed in 1_000..1_020 {
        let run = run(seed, false);
        run.unwrap_or_else(|failure| panic!("seed {seed}: {failure}\n    {}", replay(seed)));
    }
}

/// The same seed gives the same bytes at the same times, in another process too, and another seed gives others.
#[test]
fn a_seed_is_exact() {
    let hash = |seed: u64| run(seed, false).unwrap_or_else(|failure| panic!("seed {seed}: {failure}")).hash;
    let other_process = |seed: u64| {
        let output = Command::new(env!("CARGO_BIN_EXE_klamm-sim")).arg(seed.to_string()).output();
        let output = output.expect("the simulator's program runs");
        let text = String::from_utf8(output.stdout).expect("it writes text");
        let line = text.lines().find_map(|line| line.strip_prefix("trace ")).map(str::to_owned);
        u64::from_str_radix(&line.expect("it ends with the trace's number"), 16).expect("a number")
    };
    for seed in [3, 11, 42] {
        let here = hash(seed);
        assert_eq!(here, hash(seed), "seed {seed}, the same process");
        assert_eq!(here, other_process(seed), "seed {seed}, another process");
        assert_ne!(here, hash(seed + 1), "seeds {seed} and {}", seed + 1);
    }
}
