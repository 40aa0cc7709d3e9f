//! What the scenarios share.

use std::time::Duration;

use klamm::wire::Api;
use klamm::{Client, Config, Error, Producer, Record};
use klamm_broker::{Action, ClusterConfig, Fault};
use klamm_sim::{Shared, Sim, op};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Three brokers, a quiet network, and topic `t` with three partitions, each led by the broker of its number plus one.
/// With `KLAMM_SIM_TRACE` in the environment the trace is printed.
pub(crate) fn sim() -> Sim {
    let sim = empty();
    sim.world.lock().change_cluster(|c| c.create_topic("t", 3, 3));
    sim
}

/// The same without a topic.
pub(crate) fn empty() -> Sim {
    Sim::new(1, ClusterConfig::default(), std::env::var_os("KLAMM_SIM_TRACE").is_some())
}

pub(crate) fn config() -> Config {
    Config::new("broker-1:9092")
}

/// A client that knows the cluster.
pub(crate) fn connected(sim: &mut Sim, config: Config) -> Client {
    let client = sim.client(config).expect("a sound config");
    let (world, handle) = (sim.world.clone(), client.clone());
    sim.block_on(5 * SECOND, async move { op(&world, handle.connected()).await.expect("the cluster is there") });
    client
}

/// What is to go wrong, so many times, at any broker.
pub(crate) fn inject(world: &Shared, api: Api, count: u32, action: Action) {
    world.lock().cluster.inject(Fault { api, node: None, count, action });
}

/// Sends a record to a partition of `t`, and gives where it is.
pub(crate) async fn send(world: &Shared, producer: &Producer, partition: i32, value: &str) -> Result<i64, Error> {
    let record = Record::to("t").partition(partition).value(value);
    op(world, producer.send(record)).await.map(|meta| meta.offset())
}

/// The values in a partition of `t`.
pub(crate) fn values(sim: &Sim, partition: i32) -> Vec<String> {
    let world = sim.world.lock();
    let text = |v: Option<&[u8]>| String::from_utf8_lossy(v.unwrap_or_default()).into_owned();
    world.cluster.records("t", partition).map(|r| text(r.value())).collect()
}
