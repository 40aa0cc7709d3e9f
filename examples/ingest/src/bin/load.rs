//! Posts events over many connections that are kept alive, each waiting for the answer to one before it sends the next,
//! and prints what came of it as one JSON line.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use klamm_ingest::http::Connection;
use serde_json::json;

/// Posts events and measures the answers.
#[derive(Parser, Clone, Debug)]
#[command(version)]
struct Args {
    /// The server
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
    address: String,
    /// What to post to; /events?ack=0 does not wait for Kafka
    #[arg(long, default_value = "/events")]
    path: String,
    /// How many connections
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// For how long
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Bytes of each event, about
    #[arg(long, default_value_t = 200)]
    size: usize,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    latency_us: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    broken: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Arc::new(Args::parse());
    let started = Instant::now();
    let until = started + Duration::from_secs_f64(args.seconds);
    let tasks: Vec<_> = (0..args.connections).map(|n| tokio::spawn(post(Arc::clone(&args), n, until))).collect();
    let mut all = Seen::default();
    for task in tasks {
        let Ok(seen) = task.await else { return ExitCode::FAILURE };
        all.latency_us.extend(seen.latency_us);
        seen.statuses.into_iter().for_each(|(status, count)| *all.statuses.entry(status).or_default() += count);
        all.broken += seen.broken;
    }
    let seconds = started.elapsed().as_secs_f64();
    all.latency_us.sort_unstable();
    let count = all.latency_us.len();
    let percentile = |of: usize| all.latency_us.get((count * of / 100).min(count.saturating_sub(1))).copied();
    let ms = |of: usize| percentile(of).map(|us| f64::from(us) / 1e3);
    let refused: BTreeMap<_, _> = all.statuses.iter().filter(|(status, _)| !(200..300).contains(*status)).collect();
    let errors = refused.values().copied().sum::<u64>() + all.broken;
    println!(
        "{}",
        json!({
            "connections": args.connections, "seconds": seconds, "events": count,
            "events_per_s": (count as f64 / seconds).round(), "p50_ms": ms(50), "p99_ms": ms(99),
            "errors": errors, "refused": refused, "broken": all.broken,
        })
    );
    if count > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One connection's events, one after the other. A connection that breaks is opened again, after a little while.
async fn post(args: Arc<Args>, number: u32, until: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut connection = None;
    let filling = "x".repeat(args.size.saturating_sub(40));
    for event in 0u64.. {
        if Instant::now() >= until {
            break;
        }
        let body = format!(r#"{{"connection":{number},"event":{event},"text":"{filling}"}}"#);
        let sent = Instant::now();
        match post_one(&mut connection, &args, body.as_bytes()).await {
            Ok(status) => {
                if (200..300).contains(&status) {
                    seen.latency_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                *seen.statuses.entry(status).or_default() += 1;
            }
            Err(_) => {
                connection = None;
                seen.broken += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    seen
}

async fn post_one(connection: &mut Option<Connection>, args: &Args, body: &[u8]) -> std::io::Result<u16> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(&args.address).await?),
    };
    Ok(open.request("POST", &args.path, body).await?.status)
}
