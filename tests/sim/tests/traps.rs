//! Traps that need a network, a clock and brokers that misbehave at the right moment. One situation each.

use std::time::Duration;

use klamm::{Config, Record, StartAt};
use klamm_broker::ClusterConfig;
use klamm_sim::{Sim, op};

fn sim() -> Sim {
    Sim::new(1, ClusterConfig::default(), std::env::var_os("KLAMM_SIM_TRACE").is_some())
}

fn config() -> Config {
    Config::new("broker-1:9092")
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_record_goes_in_and_comes_back() {
    let mut sim = sim();
    sim.world.lock().change_cluster(|c| c.create_topic("t", 3, 3));
    let client = sim.client(config()).expect("the defaults are sound");
    let world = sim.world.clone();
    sim.block_on(5 * SECOND, async move {
        op(&world, client.connected()).await.expect("the cluster is there");
        let producer = client.producer().build().expect("a producer");
        let meta = op(&world, producer.send(Record::to("t").key("k").value("v"))).await.expect("acknowledged");
        assert_eq!(meta.offset(), 0);
        let mut consumer = client.consumer().topics(["t"]).from(StartAt::Earliest).build().expect("a consumer");
        let records = op(&world, consumer.next()).await.expect("no error").expect("records");
        let all = records.to_owned();
        assert_eq!((all.len(), all[0].value.as_deref()), (1, Some(&b"v"[..])));
    });
    sim.finish(60 * SECOND).expect("everything ends");
}
