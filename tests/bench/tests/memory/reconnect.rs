//! Connections that break, and brokers that come and go, in the midst of work.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use klamm_bench::counting::{Brokers, cluster_of};
use klamm_broker::ClusterConfig;
use klamm_tokio::{Config, Record, StartAt, Ticket, wire::api::API_VERSIONS};

use crate::gauge::{BUDGETS, brokers, case, config, connect, values};

const PARTITIONS: i32 = 6;
const WHILE: Duration = Duration::from_millis(2_000);

/// Closes all connections of one broker after the other, and lets every fifth die for a moment.
fn storm(brokers: &Brokers, over: &AtomicBool) {
    let nodes: Vec<i32> = brokers.cluster().nodes().collect();
    for turn in 0.. {
        thread::sleep(Duration::from_millis(30));
        if over.load(Relaxed) {
            return;
        }
        let node = nodes[turn % nodes.len()];
        if turn % 5 == 4 {
            brokers.cluster().kill(node);
            thread::sleep(Duration::from_millis(10));
            brokers.cluster().start(node);
        } else {
            brokers.cluster().close_connections(node);
        }
    }
}

/// The storm ends with the case, however that ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Every record arrives once, whatever breaks, and nothing that broke leaves anything behind.
#[test]
fn reconnecting_stays_within_the_plan() {
    for (total, batch_bytes) in BUDGETS.into_iter().zip([8_000, 200_000, 1_000_000]) {
        let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
        storming("reconnecting", &brokers, config(brokers.bootstrap(), total), batch_bytes);
    }
}

/// Works while it storms.
pub(crate) fn storming(situation: &str, brokers: &Brokers, mut config: Config, batch_bytes: usize) {
    let replicas = brokers.cluster().nodes().count();
    brokers.create_topic("storm", PARTITIONS as usize, replicas);
    let total = config.memory.total();
    let value = values(1, if total < 1 << 20 { 100 } else { 1_000 }).remove(0);
    (config.backoff_ms, config.backoff_max_ms) = (5, 20);
    // An application's tickets keep what their batches came to: as many as there are records in a full buffer.
    let window = 5_000.min(config.memory.produce_bytes / value.len());
    let mut open: VecDeque<Ticket> = VecDeque::with_capacity(window + 1);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| storm(brokers, &over));
        let _end = Over(&over);
        case(situation, &config, async |gauge| {
            let client = connect(&config).await.expect("connected");
            let producer = client.producer().batch_bytes(batch_bytes).build().expect("a producer");
            let mut consumer = client.consumer().topics(["storm"]).from(StartAt::Earliest).build().expect("a consumer");
            let (begun, mut sent, mut got) = (Instant::now(), 0, 0);
            while got < sent || !over.load(Relaxed) {
                assert!(begun.elapsed() < WHILE * 15, "{got} of {sent} records came");
                over.fetch_or(begun.elapsed() >= WHILE, Relaxed);
                for _ in 0..if over.load(Relaxed) { 0 } else { 100 } {
                    let record = Record::to("storm").partition(sent % PARTITIONS).value(&value);
                    open.push_back(producer.enqueue(record).await.expect("room comes"));
                    sent += 1;
                    if open.len() >= window {
                        open.pop_front().expect("full").await.expect("acknowledged");
                    }
                }
                gauge.look(&client);
                let next = tokio::time::timeout(Duration::from_millis(1), consumer.next());
                got += next.await.map_or(0, |next| next.expect("records").expect("open").len()) as i32;
            }
            for ticket in open.drain(..) {
                ticket.await.expect("acknowledged");
            }
            assert_eq!(got, sent, "each once");
        });
    });
    let greetings = brokers.cluster().all_requests(API_VERSIONS);
    let least = if config.single_connection { 20 } else { 50 };
    assert!(greetings > least, "{greetings} connections came about");
}
