//! Records at a steady rate, as many users bring them: each has a task of its own that awaits its acknowledgement.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{args::Args, report::Outcome};

/// How often records are handed over that are due.
const TICK: Duration = Duration::from_millis(1);

/// What is sent so early does not count among the latencies: a broker makes a partition's files at its first records, which
/// takes tens of milliseconds for six of them and would be the p99 of any client in a run of seconds.
const WARM_UP: Duration = Duration::from_secs(1);

/// Sends `--records` at `--rate` a second; `send` answers whether a record was acknowledged. A record's time runs from where
/// its task begins, whatever waits before it.
pub async fn paced<F>(args: &Args, send: impl Fn(usize) -> F) -> Outcome
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut outcome = Outcome { bytes: args.records * args.size, ..Outcome::default() };
    let (start, mut next) = (Instant::now(), 0);
    let mut take = |done: Result<(bool, Instant, f64), tokio::task::JoinError>| {
        let (acknowledged, sent, latency_ms) = done.unwrap_or_else(|error| panic!("a task ended: {error}"));
        outcome.errors += usize::from(!acknowledged);
        if sent - start >= WARM_UP {
            outcome.latencies_ms.push(latency_ms);
        }
    };
    while next < args.records {
        let due = (start.elapsed().as_secs_f64() * args.rate as f64) as usize;
        while next < due.min(args.records) {
            let sending = send(next);
            tasks.spawn(async move {
                let sent = Instant::now();
                (sending.await, sent, sent.elapsed().as_secs_f64() * 1e3)
            });
            next += 1;
        }
        while let Some(done) = tasks.try_join_next() {
            take(done);
        }
        tokio::time::sleep(TICK).await;
    }
    while let Some(done) = tasks.join_next().await {
        take(done);
    }
    outcome.wall = start.elapsed();
    outcome
}
