//! A budget that is taken from the allocator before the client is built: from then on that refuses what records would need.

use std::collections::VecDeque;

use klamm_bench::counting::cluster_of;
use klamm_broker::ClusterConfig;
use klamm_tokio::{Budget, Codec, Config};

use crate::{
    gauge::{brokers, case, config, values},
    reconnect::storming,
    steady::work,
};

const BUDGETS: [(usize, usize); 2] = [(256 << 10, 8_000), (4 << 20, 200_000)];

fn taken(config: Config) -> Config {
    let budget = Budget::preallocated(config.memory).expect("there is so much");
    config.budget(budget)
}

/// A topic is produced and consumed, plain and compressed.
#[test]
fn nothing_more_is_asked_for() {
    for (total, batch_bytes) in BUDGETS {
        for codec in [Codec::None, Codec::Lz4] {
            let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
            let config = taken(config(brokers.bootstrap(), total));
            let value = values(1, 100).remove(0);
            let mut open = VecDeque::with_capacity(20_000.min(total / 2 / value.len()));
            case(&format!("taken before, {codec:?}"), &config, async |gauge| {
                work(gauge, &config, batch_bytes, codec, &mut open, &value).await;
            });
        }
    }
}

/// Connections break all the while.
#[test]
fn nothing_more_is_asked_for_in_a_storm() {
    for (total, batch_bytes) in BUDGETS {
        let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
        storming("taken before, reconnecting", &brokers, taken(config(brokers.bootstrap(), total)), batch_bytes);
    }
}
