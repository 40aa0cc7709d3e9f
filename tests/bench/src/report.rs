//! The run's one line.

use std::time::Duration;

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

use crate::args::Args;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Bytes of the records' values.
    pub bytes: usize,
    /// Records that failed.
    pub errors: usize,
    /// From the first record to the last outcome.
    pub wall: Duration,
    /// Each record's time to its acknowledgement, where that was measured.
    pub latencies_ms: Vec<f64>,
}

/// Prints it as one JSON object. CPU time and memory are those of the whole process so far.
pub fn print(client: &str, args: &Args, outcome: Outcome) {
    let Outcome { bytes, errors, wall, mut latencies_ms } = outcome;
    let (user, sys) = cpu_seconds();
    let wall = wall.as_secs_f64();
    latencies_ms.sort_by(f64::total_cmp);
    let quantile = |q: f64| match latencies_ms.len() {
        0 => -1.0,
        n => latencies_ms[((n - 1) as f64 * q) as usize],
    };
    let records = args.records as f64;
    println!(
        "{{\"client\":\"{client}\",\"op\":\"{}\",\"records\":{},\"bytes\":{bytes},\"codec\":\"{}\",\"acks\":\"{}\",\
         \"errors\":{errors},\"wall_s\":{wall:.3},\"records_per_s\":{:.0},\"mib_per_s\":{:.1},\"user_s\":{user:.3},\
         \"sys_s\":{sys:.3},\"cpu_us_per_record\":{:.3},\"peak_mib\":{:.1},\"p50_ms\":{:.3},\"p99_ms\":{:.3},\
         \"max_ms\":{:.3}}}",
        args.operation.name(),
        args.records,
        args.codec_name(),
        args.acks_name(),
        records / wall,
        bytes as f64 / wall / 1_048_576.0,
        (user + sys) * 1e6 / records,
        peak_mib(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0)
    );
}

/// User and system time of this process so far.
fn cpu_seconds() -> (f64, f64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return (0.0, 0.0) };
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    (seconds(usage.user_time()), seconds(usage.system_time()))
}

/// The most memory that was ever resident, in MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}
