//! What most tests do with a client.

use std::{future::Future, time::Duration};

use klamm_tokio::{Client, Consumer, NewTopic, OwnedRecord, Records, StartAt};
use tokio::time::{Instant, sleep, timeout};

use crate::Cluster;

/// No step of a test takes longer than this, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the whole cluster, with all settings at their defaults.
///
/// # Panics
/// When no broker answers.
pub async fn connect(cluster: &Cluster) -> Client {
    klamm_tokio::connect(cluster.bootstrap()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Awaits something that must come.
///
/// # Panics
/// When it does not come within a minute: with `what`.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: nothing within {PATIENCE:?}"),
    }
}

/// Looks again and again until `condition` holds.
///
/// # Panics
/// When it does not within a minute: with `what`.
pub async fn poll_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The next records of a consumer.
///
/// # Panics
/// When none come within a minute, on an error, and at the end.
pub async fn read(consumer: &mut Consumer) -> Records {
    let next = within("the next records", consumer.next()).await;
    next.unwrap_or_else(|error| panic!("{error}")).expect("the consumer is open")
}

/// Reads until `enough` says so; each record comes with its partition.
///
/// # Panics
/// As [`read`] does.
pub async fn read_until(
    consumer: &mut Consumer,
    mut enough: impl FnMut(&[(i32, OwnedRecord)]) -> bool,
) -> Vec<(i32, OwnedRecord)> {
    let mut all = Vec::new();
    while !enough(&all) {
        let records = read(consumer).await;
        all.extend(records.to_owned().into_iter().map(|record| (records.partition(), record)));
    }
    all
}

/// Creates a topic with Klamm's own admin, on one broker.
///
/// # Panics
/// When it cannot be created.
pub async fn create(client: &Client, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let new = settings.iter().fold(NewTopic::new(topic, partitions, 1), |new, (key, value)| new.config(*key, *value));
    let created = within("CreateTopics", client.admin().create_topics([new])).await;
    created.unwrap_or_else(|error| panic!("{error}"));
}

/// Everything in a topic, from its beginning to the last of this many records.
///
/// # Panics
/// As [`read`] does.
pub async fn read_all(client: &Client, topic: &str, count: usize) -> Vec<(i32, OwnedRecord)> {
    let consumer = client.consumer().topics([topic]).from(StartAt::Earliest).build();
    let all = read_until(&mut consumer.expect("a consumer"), |all| all.len() >= count).await;
    assert_eq!(all.len(), count, "records in {topic}");
    all
}
