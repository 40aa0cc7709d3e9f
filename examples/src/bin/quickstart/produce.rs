//! Produces every record, each enqueued singly and each acknowledgement looked at.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use klamm_tokio::{Client, Record, Refused, Ticket};

use crate::{Args, expected, progress::Progress, sentence};

pub(crate) struct Produced {
    pub(crate) took: Duration,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Acknowledgements that are waited for at once, at most.
const WINDOW: usize = 50_000;

/// Every so many records one has its time taken.
const SAMPLE_EVERY: u64 = 64;

pub(crate) async fn produce(client: &Client, args: &Args, topic: &str) -> Result<Produced, String> {
    let producer = client.producer().acks(args.acks.into()).build().map_err(sentence)?;
    let mut open: VecDeque<(Ticket, Option<Instant>)> = VecDeque::with_capacity(WINDOW);
    let mut latencies_ms: Vec<f64> = Vec::new();
    let mut progress = Progress::new("producing", args.records);
    let mut value = vec![0; args.size as usize];
    let start = Instant::now();
    for i in 0..args.records {
        if open.len() >= WINDOW {
            settle(open.pop_front(), &mut latencies_ms).await?;
        }
        let key = expected::key(i);
        expected::write_value(i, &mut value);
        let sampled = (i % SAMPLE_EVERY == 0).then(Instant::now);
        let record = Record::to(topic).key(&key).value(&value);
        let ticket = producer.enqueue(record).await.map_err(|r| sentence(Refused::into_error(r)))?;
        open.push_back((ticket, sampled));
        if i % 8192 == 0 {
            // What has been answered by now is looked at now, so that its time is its own and not the window's.
            while open.front().is_some_and(|(ticket, _)| ticket.outcome().is_some()) {
                settle(open.pop_front(), &mut latencies_ms).await?;
            }
            progress.at(i);
        }
    }
    producer.flush().await.map_err(sentence)?;
    while let Some(oldest) = open.pop_front() {
        settle(Some(oldest), &mut latencies_ms).await?;
    }
    let took = start.elapsed();
    progress.end();
    latencies_ms.sort_by(f64::total_cmp);
    let quantile = |q: f64| latencies_ms.get(((latencies_ms.len().max(1) - 1) as f64 * q) as usize).copied();
    Ok(Produced { took, p50_ms: quantile(0.5).unwrap_or(0.0), p99_ms: quantile(0.99).unwrap_or(0.0) })
}

async fn settle(oldest: Option<(Ticket, Option<Instant>)>, latencies_ms: &mut Vec<f64>) -> Result<(), String> {
    let Some((ticket, sampled)) = oldest else { return Ok(()) };
    ticket.await.map_err(sentence)?;
    if let Some(sent) = sampled {
        latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}
