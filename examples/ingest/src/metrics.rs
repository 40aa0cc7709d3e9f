//! What the server counts, as Prometheus' text and as JSON for the page.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use klamm_tokio::{Budget, Class};

/// Why an event was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No JSON object.
    BadJson,
    /// Larger than an event may be.
    TooLarge,
    /// Refused because the buffer was full.
    BufferFull,
    /// Refused because Kafka could not be asked about the topic, or the server is about to end.
    Unavailable,
    /// Accepted, and not acknowledged.
    Lost,
}

const REASONS: [(Reason, &str); 5] = [
    (Reason::BadJson, "bad_json"),
    (Reason::TooLarge, "too_large"),
    (Reason::BufferFull, "buffer_full"),
    (Reason::Unavailable, "unavailable"),
    (Reason::Lost, "lost"),
];

/// Upper ends of the latency's buckets, in microseconds; one more has no end.
const BUCKETS_US: [u64; 15] = [
    500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
    5_000_000, 10_000_000,
];

/// Counters since the start. Once nothing is under way, `accepted` is `acknowledged` plus those that were lost.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: Instant,
    accepted: AtomicU64,
    acknowledged: AtomicU64,
    failed: [AtomicU64; REASONS.len()],
    latency: [AtomicU64; BUCKETS_US.len() + 1],
    latency_sum_us: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics {
            started: Instant::now(),
            accepted: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            failed: Default::default(),
            latency: Default::default(),
            latency_sum_us: AtomicU64::new(0),
        }
    }

    /// It is in the buffer.
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Kafka has it, so long after it came.
    pub(crate) fn acknowledged(&self, after: Duration) {
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.latency[BUCKETS_US.partition_point(|end| *end < us)].fetch_add(1, Ordering::Relaxed);
        self.latency_sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, why: Reason) {
        let at = REASONS.iter().position(|(reason, _)| *reason == why);
        at.map(|at| self.failed[at].fetch_add(1, Ordering::Relaxed));
    }

    /// Prometheus' text format.
    pub(crate) fn prometheus(&self, budget: &Budget) -> String {
        let mut out = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, samples: &[(String, String)]| {
            let _ = writeln!(out, "# HELP ingest_{name} {help}\n# TYPE ingest_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(out, "ingest_{name}{labels} {value}");
            }
        };
        let plain = |value: u64| [(String::new(), value.to_string())];
        metric("accepted_total", "counter", "Events taken into the buffer.", &plain(read(&self.accepted)));
        metric("acknowledged_total", "counter", "Events that Kafka has.", &plain(read(&self.acknowledged)));
        let labelled = |(name, count): (&str, u64)| (format!("{{reason=\"{name}\"}}"), count.to_string());
        let failed: Vec<_> = self.failures().map(labelled).collect();
        metric("failed_total", "counter", "Events that were not stored, or may not be, by reason.", &failed);
        let (used, limit) = (budget.leased(Class::Produce), budget.limit(Class::Produce));
        metric("buffer_bytes", "gauge", "Bytes of the buffer that are in use.", &plain(used as u64));
        metric("buffer_limit_bytes", "gauge", "The buffer's size in bytes.", &plain(limit as u64));
        let mut sum = 0;
        let ends = BUCKETS_US.iter().map(|us| (*us as f64 / 1e6).to_string()).chain(["+Inf".to_owned()]);
        let mut samples: Vec<_> = ends
            .zip(&self.latency)
            .map(|(end, count)| {
                sum += read(count);
                (format!("_bucket{{le=\"{end}\"}}"), sum.to_string())
            })
            .collect();
        samples.push(("_sum".to_owned(), (read(&self.latency_sum_us) as f64 / 1e6).to_string()));
        samples.push(("_count".to_owned(), sum.to_string()));
        metric("latency_seconds", "histogram", "From an event's arrival to its acknowledgement.", &samples);
        out
    }

    /// The same for the page, which draws differences.
    pub(crate) fn json(&self, budget: &Budget) -> String {
        let latency: Vec<u64> = self.latency.iter().map(read).collect();
        let failed: serde_json::Map<String, serde_json::Value> =
            self.failures().map(|(name, count)| (name.to_owned(), count.into())).collect();
        serde_json::json!({
            "uptime_s": self.started.elapsed().as_secs_f64(),
            "accepted": read(&self.accepted),
            "acknowledged": read(&self.acknowledged),
            "failed": failed,
            "latency_ends_ms": BUCKETS_US.map(|us| us as f64 / 1e3),
            "latency": latency,
            "buffer_bytes": budget.leased(Class::Produce),
            "buffer_limit_bytes": budget.limit(Class::Produce),
        })
        .to_string()
    }

    /// One line for the end of the program.
    pub(crate) fn summary(&self) -> String {
        let failed: Vec<String> = self.failures().map(|(name, count)| format!("{name} {count}")).collect();
        let (accepted, acknowledged) = (read(&self.accepted), read(&self.acknowledged));
        format!("accepted {accepted}, acknowledged {acknowledged}; not stored: {}", failed.join(", "))
    }

    fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.iter().zip(&self.failed).map(|((_, name), count)| (*name, read(count)))
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
