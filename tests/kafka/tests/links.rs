//! One broker that closes what is idle, holds clients to a quota and keeps no fetch sessions.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Api, Cluster, connect, connect_spied, create, poll_until, read_until, within};
use klamm_tokio::{Config, Record, StartAt};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let settings = [
        ("connections.max.idle.ms", "2000"),
        ("quota.window.num", "2"),
        ("max.incremental.fetch.session.cache.slots", "0"),
    ];
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
/// meanwhile, and the pause is not taken for a missing answer, neither of the request that it came with nor of those
/// behind it: no connection ends, no record fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_producer_waits() {
    let quota = ["--add-config", "producer_byte_rate=80000", "--entity-type", "clients", "--entity-name", "throttled"];
    cluster().tool(&[&["configs", "--alter"][..], &quota].concat());
    create(&connect(cluster()).await, "quota", 3, &[]).await;
    let config =
        Config::new(cluster().bootstrap()).client_id("throttled").request_timeout(Duration::from_millis(1_000));
    let (client, wire) = connect_spied(config).await.expect("connected");
    let producer = client.producer().batch_bytes(25_000).build().expect("a producer");
    // The first may be sent twice: a new topic's leader does not know yet that it is.
    let first = Record::to("quota").partition(0).value("first");
    within("an acknowledgement", producer.send(first)).await.expect("acknowledged");
    let (start, sent) = (Instant::now(), wire.sent(Api::Produce));
    let value = vec![7; 20_000];
    for offset in 1..16 {
        let record = Record::to("quota").partition(0).value(&value);
        let meta = within("an acknowledgement", producer.send(record)).await;
        assert_eq!(meta.expect("acknowledged").offset(), offset);
    }
    assert!(start.elapsed() > Duration::from_millis(1_500), "the broker did not throttle: {:?}", start.elapsed());
    assert_eq!((wire.lost(Api::Produce), wire.sent(Api::Produce) - sent), (0, 15), "requests were sent again");
    // Now with requests in flight behind the one whose answer orders the pause.
    let mut tickets = Vec::new();
    for i in 0..30 {
        let record = Record::to("quota").partition(i % 3).value(&value);
        tickets.push(within("room in the buffer", producer.enqueue(record)).await.expect("taken"));
    }
    for ticket in tickets {
        within("an acknowledgement", ticket).await.expect("acknowledged");
    }
    assert_eq!(wire.lost(Api::Produce), 0, "a pause was taken for silence");
}

/// A broker that has no room for fetch sessions gives the number 0 (trap 74): then every request says everything, and
/// reading goes on as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_without_fetch_sessions() {
    let (client, wire) = connect_spied(Config::new(cluster().bootstrap())).await.expect("connected");
    create(&client, "sessionless", 4, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let mut consumer = client.consumer().topics(["sessionless"]).from(StartAt::Earliest).build().expect("a consumer");
    for round in 0..20 {
        let record = Record::to("sessionless").partition(round % 4).value(format!("{round}"));
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
        let all = read_until(&mut consumer, |all| !all.is_empty()).await;
        assert_eq!((all.len(), all[0].0, all[0].1.offset), (1, round % 4, i64::from(round / 4)));
    }
    let before = wire.sent(Api::Fetch);
    assert!(before < 200, "{before} fetches for twenty records");
}
