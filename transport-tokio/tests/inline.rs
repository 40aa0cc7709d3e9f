//! Handles of many threads drive one driver in place, beside its own task. A lost wake-up would leave a record waiting
//! until some timer of seconds fires, so every wait is short.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use klamm_broker::{ClusterConfig, Running, serve};
use klamm_tokio::{Client, Producer, Record, StartAt};
use tokio::runtime::{Builder, Runtime};

/// Less than any timeout or back-off that could hide a lost wake-up, and much more than a busy machine needs.
const SHORT: Duration = Duration::from_secs(5);

fn cluster(runtime: &Runtime) -> (Running, String) {
    let _inside = runtime.enter();
    let running = serve(ClusterConfig::default()).expect("ports on loopback");
    running.cluster().create_topic("inline", 6, 3);
    let bootstrap = running.bootstrap().to_owned();
    (running, bootstrap)
}

/// Each record waits for the one before, so each finds the driver idle or another thread in it.
async fn send_one_by_one(producer: &Producer, task: usize, records: usize) {
    for n in 0..records {
        let value = format!("{task}-{n}");
        let record = Record::to("inline").partition(((task + n) % 6) as i32).value(&*value);
        producer.send(record).await.unwrap_or_else(|e| panic!("record {value}: {e}"));
    }
}

async fn count(client: &Client, expected: usize) {
    let mut consumer = client.consumer().topics(["inline"]).from(StartAt::Earliest).build().expect("a consumer");
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < expected {
        let records = consumer.next().await.expect("records").expect("the consumer is open");
        for record in &records {
            assert!(seen.insert(record.value().map(<[u8]>::to_vec)), "{record:?} came twice");
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls in this thread, which is none of the runtime's, until done or too late.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    let mut woken = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park_timeout(SHORT);
        assert!(woken.elapsed() < SHORT, "a waiting record was not woken");
        woken = Instant::now();
    }
}

/// Closing ends in time, too (trap 108).
fn finish(runtime: &Runtime, client: Client, producer: Producer, expected: usize) {
    runtime.block_on(async {
        tokio::time::timeout(SHORT, count(&client, expected)).await.expect("all are read in time");
        tokio::time::timeout(SHORT, producer.close()).await.expect("closes in time").expect("nothing is left");
    });
}

#[test]
fn threads_outside_the_runtime_drive_beside_its_tasks() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (_running, bootstrap) = cluster(&runtime);
    let client = runtime.block_on(klamm_tokio::connect(bootstrap)).expect("a cluster");
    let producer = client.producer().build().expect("a producer");
    thread::scope(|scope| {
        for task in 0..3 {
            let producer = &producer;
            scope.spawn(move || block_on(send_one_by_one(producer, task, 300)));
        }
        runtime.block_on(async {
            let send = send_one_by_one(&producer, 3, 300);
            tokio::time::timeout(SHORT * 4, send).await.expect("all are acknowledged in time");
        });
    });
    finish(&runtime, client, producer, 1200);
}

#[test]
fn tasks_of_a_runtime_with_one_thread_share_it() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (_running, bootstrap) = cluster(&runtime);
    let client = runtime.block_on(klamm_tokio::connect(bootstrap)).expect("a cluster");
    let producer = client.producer().build().expect("a producer");
    runtime.block_on(async {
        let producer = &producer;
        let all = async {
            tokio::join!(
                send_one_by_one(producer, 0, 300),
                send_one_by_one(producer, 1, 300),
                send_one_by_one(producer, 2, 300)
            )
        };
        tokio::time::timeout(SHORT * 4, all).await.expect("all are acknowledged in time");
    });
    finish(&runtime, client, producer, 900);
}

/// The runtime goes first: the driver's task is dropped, and whoever waits in another thread is told so.
#[test]
fn a_runtime_that_ends_closes_the_client() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let brokers = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (_running, bootstrap) = cluster(&brokers);
    let client = runtime.block_on(klamm_tokio::connect(bootstrap)).expect("a cluster");
    let producer = client.producer().build().expect("a producer");
    block_on(producer.send(Record::to("inline").value("before"))).expect("acknowledged");
    drop(runtime);
    let e = block_on(producer.send(Record::to("inline").value("after"))).expect_err("nobody drives any more");
    assert!(matches!(e, klamm_tokio::Error::Closed { .. }), "{e:?}");
}
