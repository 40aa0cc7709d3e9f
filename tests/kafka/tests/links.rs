//! One broker that closes what is idle and holds clients to a quota.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Api, Cluster, connect, connect_spied, create, poll_until, read_until, within};
use klamm_tokio::{Config, Record, StartAt};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let settings = [("connections.max.idle.ms", "2000"), ("quota.window.num", "2")];
    CLUSTER.get_or_init(|| Cluster::start(1, &settings))
}

/// Trap 105: the broker closes connections that are idle. Nobody is told; the next record opens a new one and goes
/// through, at once and without an error, and so does a look-up of offsets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_are_opened_again_in_silence() {
    let (client, wire) = connect_spied(Config::new(cluster().bootstrap())).await.expect("connected");
    create(&client, "idle", 1, &[]).await;
    let producer = client.producer().build().expect("a producer");
    for offset in 0..2 {
        let meta =
            within("an acknowledgement", producer.send(Record::to("idle").value("v"))).await.expect("acknowledged");
        assert_eq!(meta.offset(), offset);
        poll_until("the broker closes everything", || wire.ended() == wire.opened()).await;
        let opened = wire.opened();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(wire.opened(), opened, "opened again though nobody needs it");
    }
    let start = Instant::now();
    let meta = within("an acknowledgement", producer.send(Record::to("idle").value("v"))).await.expect("acknowledged");
    assert_eq!(meta.offset(), 2);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let mut consumer = client.consumer().topics(["idle"]).from(StartAt::Earliest).build().expect("a consumer");
    read_until(&mut consumer, |all| all.len() >= 3).await;
    assert_eq!(wire.lost(Api::Produce), 0);
    // A consumer that waits keeps its own connection busy, and sees what comes later.
    poll_until("the other connections are closed", || wire.opened() - wire.ended() == 1).await;
    within("an acknowledgement", producer.send(Record::to("idle").value("v"))).await.expect("acknowledged");
    read_until(&mut consumer, |all| all.len() == 1).await;
}

/// Trap 81: a client that is over its quota is told to pause, for longer than the request timeout. It sends nothing
/// meanwhile, and the pause is not taken for a missing answer: no connection ends, no record fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_producer_waits() {
    cluster().tool(&[
        "configs",
        "--alter",
        "--add-config",
        "producer_byte_rate=50000",
        "--entity-type",
        "clients",
        "--entity-name",
        "throttled",
    ]);
    create(&connect(cluster()).await, "quota", 1, &[]).await;
    let config =
        Config::new(cluster().bootstrap()).client_id("throttled").request_timeout(Duration::from_millis(1_000));
    let (client, wire) = connect_spied(config).await.expect("connected");
    let producer = client.producer().build().expect("a producer");
    let start = Instant::now();
    let value = vec![7; 20_000];
    for offset in 0..20 {
        let meta = within("an acknowledgement", producer.send(Record::to("quota").value(&value))).await;
        assert_eq!(meta.expect("acknowledged").offset(), offset);
    }
    assert!(start.elapsed() > Duration::from_secs(3), "the broker did not throttle: {:?}", start.elapsed());
    assert_eq!((wire.lost(Api::Produce), wire.sent(Api::Produce)), (0, 20), "requests were sent again");
}
