//! Three brokers, of which some are moved, stopped or killed while records are written and read.

use std::time::Duration;

use klamm_kafka_tests::{Api, Cluster, Load, Reading, Wire, connect_spied, poll_until, within};
use klamm_tokio::{Client, Config, Error, Fate, NewTopic, Producer, StartAt};
use tokio::sync::{Mutex, MutexGuard};

const PARTITIONS: i32 = 6;

/// A dead broker is forgotten after half of the time that the harness gives it.
const SHORT_SESSIONS: [(&str, &str); 2] =
    [("broker.session.timeout.ms", "3000"), ("broker.heartbeat.interval.ms", "500")];

/// One of these tests at a time: a machine that is busy with six brokers tests the machine.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// A client with a topic on all brokers, of which every record needs two, and a reader of it.
async fn begin(config: Config, topic: &str) -> (Client, Wire, Reading) {
    let new = NewTopic::new(topic, PARTITIONS, 3).config("min.insync.replicas", "2");
    // A client of its own: brokers with ZooKeeper on a busy machine need longer than the tests' short time-outs.
    let other = klamm_tokio::connect(&config.bootstrap).await.expect("connected");
    within("CreateTopics", other.admin().create_topics([new])).await.expect("created");
    let (client, wire) = connect_spied(config).await.expect("connected");
    let consumer = client.consumer().topics([topic]).from(StartAt::Earliest).build().expect("a consumer");
    (client, wire, Reading::start(consumer))
}

fn producer(client: &Client) -> Producer {
    client.producer().build().expect("a producer")
}

fn none_failed(errors: &[&Error]) {
    assert!(errors.is_empty(), "{} records failed, the first: {}", errors.len(), errors[0]);
}

/// Does something to all brokers at the same time: one alone would not get ready without the others.
fn at_all(cluster: &Cluster, act: impl Fn(&Cluster, usize) + Sync) {
    std::thread::scope(|scope| {
        let act = &act;
        (1..=3).for_each(|id| drop(scope.spawn(move || act(cluster, id))));
    });
}

/// Leaders move to other replicas, by an election and by a broker that goes down in good order, while records are on
/// their way: all of them arrive, once and in order, at the reader too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_move_under_load() {
    let _alone = alone().await;
    let cluster = Cluster::start(3, &[("auto.leader.rebalance.enable", "false")]);
    let (client, _, reading) = begin(Config::new(cluster.bootstrap()), "moves").await;
    let load = Load::start(producer(&client), "moves", PARTITIONS);
    load.progress(1_000).await;
    let plan = cluster.dir().join("plan.json");
    for round in 0..2 {
        // The same replicas in another order: the first of them is the one to lead.
        let entry = |p: i32| {
            let at = |i: i32| (p + round + 1 + i) % 3 + 1;
            format!(r#"{{"topic": "moves", "partition": {p}, "replicas": [{}, {}, {}]}}"#, at(0), at(1), at(2))
        };
        let entries: Vec<String> = (0..PARTITIONS).map(entry).collect();
        let text = format!(r#"{{"version": 1, "partitions": [{}]}}"#, entries.join(", "));
        std::fs::write(&plan, text).expect("written");
        let file = plan.display().to_string();
        cluster.tool(&["reassign-partitions", "--execute", "--reassignment-json-file", &file]);
        cluster.tool(&["leader-election", "--election-type", "preferred", "--all-topic-partitions"]);
        load.progress(2_000).await;
        reading.progress(2_000).await;
    }
    cluster.terminate(2);
    load.progress(2_000).await;
    cluster.restart(2);
    load.progress(2_000).await;
    let ledger = load.stop().await;
    none_failed(&ledger.errors());
    ledger.check(reading).await;
    let log = cluster.dump_log(1, "moves", 0);
    assert!((1..4).any(|epoch| log.contains(&format!("partitionLeaderEpoch: {epoch} "))), "no leader moved:\n{log}");
}

/// SIGKILL while requests of both kinds are in flight, twice, and each time back again. Nothing that was acknowledged
/// is lost, nothing is there twice, the order is kept, the reader gets everything; and no record even fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_is_killed_and_comes_back() {
    let _alone = alone().await;
    let cluster = Cluster::start(3, &SHORT_SESSIONS);
    let (client, wire, reading) = begin(Config::new(cluster.bootstrap()), "killed").await;
    let load = Load::start(producer(&client), "killed", PARTITIONS);
    for id in [2, 1] {
        load.progress(2_000).await;
        reading.progress(2_000).await;
        let (produces, fetches) = (wire.lost(Api::Produce), wire.lost(Api::Fetch));
        poll_until("records are on their way", || load.unsettled() > 0 && wire.in_flight(Api::Produce) > 0).await;
        // What stands still for a moment has surely something in flight when it dies.
        cluster.pause(id);
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.kill(id);
        poll_until("requests are lost", || wire.lost(Api::Produce) > produces && wire.lost(Api::Fetch) > fetches).await;
        load.progress(2_000).await;
        reading.progress(2_000).await;
        cluster.restart(id);
    }
    load.progress(4_000).await;
    let ledger = load.stop().await;
    none_failed(&ledger.errors());
    ledger.check(reading).await;
}

/// SIGSTOP: the connections stand and nothing answers. Requests time out, then others lead, then the broker comes back
/// with what it had taken in meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_stands_still() {
    let _alone = alone().await;
    let cluster = Cluster::start(3, &[]);
    let config = Config::new(cluster.bootstrap()).request_timeout(Duration::from_millis(1_000));
    let (client, wire, reading) = begin(config, "stands-still").await;
    let load = Load::start(producer(&client), "stands-still", PARTITIONS);
    load.progress(2_000).await;
    // Shorter than a broker's session, and longer.
    for (id, pause_ms) in [(3, 3_000), (2, 9_000)] {
        let lost = wire.lost(Api::Produce);
        cluster.pause(id);
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        assert!(wire.lost(Api::Produce) > lost, "no request timed out");
        cluster.resume(id);
        load.progress(3_000).await;
        reading.progress(3_000).await;
    }
    let ledger = load.stop().await;
    none_failed(&ledger.errors());
    ledger.check(reading).await;
}

/// Trap 107: every broker is gone for longer than the delivery timeout. Records fail with that, saying whether they may
/// be in the log; when the brokers are back the same producer and the same consumer go on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_brokers_are_gone_for_long() {
    let _alone = alone().await;
    let cluster = Cluster::start(3, &SHORT_SESSIONS);
    let config = Config::new(cluster.bootstrap()).request_timeout(Duration::from_millis(1_000));
    let (client, wire, reading) = begin(config, "gone").await;
    let producer = client.producer().delivery_timeout(Duration::from_millis(2_500)).build().expect("a producer");
    let load = Load::start(producer, "gone", PARTITIONS);
    load.progress(2_000).await;
    poll_until("records are on their way", || load.unsettled() > 0 && wire.in_flight(Api::Produce) > 0).await;
    at_all(&cluster, Cluster::kill);
    let failed = load.failed();
    poll_until("records fail", || load.failed() >= failed + 1_000).await;
    at_all(&cluster, Cluster::restart);
    load.progress(3_000).await;
    reading.progress(3_000).await;
    let ledger = load.stop().await;
    let errors = ledger.errors();
    assert!(!errors.is_empty());
    for error in &errors {
        let text = error.to_string();
        let Error::TimedOut { knob: "delivery_timeout_ms", because, fate, .. } = error else { panic!("{text}") };
        assert!(text.contains("delivery to gone-"), "{text}");
        // What is in flight when its time is over has not failed before, as a rule; all else has a reason to tell.
        assert!(*fate == Fate::MaybePersisted || because.is_some(), "{text}");
    }
    let unsure = errors.iter().filter(|error| error.fate() == Fate::MaybePersisted).count();
    assert!(0 < unsure && unsure < errors.len(), "{unsure} of {} may be in the log", errors.len());
    ledger.check(reading).await;
}
