//! The run's one line.

use std::time::Duration;

use klamm_tokio::{Acks, Codec};

use crate::args::Args;

/// Prints it. `wall` covers the records only, CPU time and memory the whole process.
pub(crate) fn print(args: &Args, bytes: usize, errors: usize, wall: Duration, mut latencies_ms: Vec<f64>) {
    let (user, sys) = cpu_seconds();
    let wall = wall.as_secs_f64();
    latencies_ms.sort_by(f64::total_cmp);
    let quantile = |q: f64| match latencies_ms.len() {
        0 => -1.0,
        n => latencies_ms[((n - 1) as f64 * q) as usize],
    };
    let acks = match args.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    };
    let codec = match args.codec {
        Codec::None => "none",
        other => other.name(),
    };
    let records = args.records as f64;
    println!(
        "{{\"client\":\"klamm\",\"op\":\"{}\",\"records\":{},\"bytes\":{bytes},\"codec\":\"{codec}\",\"acks\":\"{acks}\",\
         \"errors\":{errors},\"wall_s\":{wall:.3},\"records_per_s\":{:.0},\"mib_per_s\":{:.1},\"user_s\":{user:.3},\
         \"sys_s\":{sys:.3},\"cpu_us_per_record\":{:.3},\"peak_mib\":{:.1},\"p50_ms\":{:.3},\"p99_ms\":{:.3},\
         \"max_ms\":{:.3}}}",
        args.operation.name(),
        args.records,
        records / wall,
        bytes as f64 / wall / 1_048_576.0,
        (user + sys) * 1e6 / records,
        peak_mib(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0)
    );
}

/// User and system time of this process so far, from the kernel's account of it (in ticks of 10 ms).
fn cpu_seconds() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) / 100.0, ticks(12) / 100.0)
}

/// The most memory that was ever resident, in MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}
