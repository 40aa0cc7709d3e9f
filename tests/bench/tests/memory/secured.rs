//! What is encrypted: plain work, and connections that break and come again.

use std::collections::VecDeque;

use klamm_bench::{
    counting::{cluster_of, uncounted},
    secured::secure,
};
use klamm_broker::ClusterConfig;
use klamm_tokio::{Codec, Config, Ticket, tls};

use crate::{
    gauge::{brokers, case, values},
    reconnect::storming,
    steady::work,
};

/// Budgets that have room for it: the smallest for one connection to one broker.
fn budgets() -> [(usize, usize); 4] {
    [(512 << 10, 8_000), (2 << 20, 50_000), (16 << 20, 900_000), (64 << 20, 1_000_000)]
}

fn settings(bootstrap: &str, ca: &str, total: usize) -> Config {
    let mut config = Config::new(bootstrap).tls(uncounted(|| tls::builder().ca_pem(ca).build()).expect("settings"));
    config.single_connection = total < 4 << 20;
    config.memory_total(total)
}

/// Live bytes stay within the plan, with everything that TLS holds.
#[test]
fn what_is_encrypted_stays_within_the_plan() {
    for (total, batch_bytes) in budgets() {
        let cluster = cluster_of(ClusterConfig { brokers: brokers(total / 4), ..ClusterConfig::default() });
        let secured = secure(&cluster);
        let config = settings(&secured.bootstrap, &secured.ca, total);
        let value = values(1, if total > 16 << 20 { 1_000 } else { 100 }).remove(0);
        let mut open: VecDeque<Ticket> = VecDeque::with_capacity(20_000.min(total / 4 / value.len()));
        case("produce and consume over TLS", &config, async |gauge| {
            work(gauge, &config, batch_bytes, Codec::None, &mut open, &value).await;
        });
    }
}

/// Handshakes, one after the other, leave nothing behind.
#[test]
fn reconnecting_with_tls_stays_within_the_plan() {
    for (total, batch_bytes) in budgets() {
        let cluster = cluster_of(ClusterConfig { brokers: brokers(total / 4), ..ClusterConfig::default() });
        let secured = secure(&cluster);
        storming("reconnecting over TLS", &cluster, settings(&secured.bootstrap, &secured.ca, total), batch_bytes);
    }
}
