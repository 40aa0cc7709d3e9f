//! A broker that asks an authorizer: what a user may not do is told at once, by its own code, and not tried again and again.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use klamm_kafka_tests::{Api, Cluster, Wire, connect, connect_spied, create, read_all, within};
use klamm_tokio::{
    AdminError, Client, Codec, Config, Error, ErrorCode, Fate, NewTopic, OffsetSpec, Record, StartAt,
    sasl::{Sasl, ScramHash},
};
use tokio::time::{Instant, sleep};

/// Whoever does not say who it is may do everything, so that the brokers can talk, and the tests prepare; the others nothing
/// that was not granted.
fn start() -> Cluster {
    let authorizer = ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    Cluster::start_with_sasl(1, &[authorizer, ("super.users", "User:ANONYMOUS")])
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(start)
}

fn grant(cluster: &Cluster, operations: &[&str], topic: &str) {
    let mut args = vec!["acls", "--add", "--allow-principal", "User:alice", "--topic", topic];
    args.extend(operations.iter().flat_map(|operation| ["--operation", operation]));
    cluster.tool(&args);
}

/// A client of the user, and what it says.
async fn alice(cluster: &Cluster) -> (Client, Wire) {
    let sasl = cluster.sasl();
    let config = Config::new(&*sasl.bootstrap).sasl(Sasl::scram(ScramHash::Sha256, &*sasl.user, &*sasl.password));
    connect_spied(config).await.expect("who it is was taken")
}

/// A topic of one partition that the user may do so much with. Every call makes another.
async fn topic(operations: &[&str]) -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let topic = format!("topic-{}", MADE.fetch_add(1, Ordering::Relaxed));
    let everybody = connect(cluster()).await;
    create(&everybody, &topic, 1, &[]).await;
    let producer = everybody.producer().build().expect("a producer");
    within("an acknowledgement", producer.send(Record::to(&topic).value("first"))).await.expect("acknowledged");
    if !operations.is_empty() {
        grant(cluster(), operations, &topic);
    }
    topic
}

/// What an operation is refused with: in much less than any time-out, by a broker, with this code, and for good.
async fn refused<T, E: Into<Error>>(code: ErrorCode, operation: impl Future<Output = Result<T, E>>) -> Error {
    let start = Instant::now();
    let error = within("a refusal", operation).await.map(drop).map_err(Into::into).expect_err("refused");
    println!("{:?}: {error}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3), "{error} after {:?}", start.elapsed());
    match &error {
        Error::Broker { code: told, fate: Fate::NotPersisted, .. } if *told == code => {}
        other => panic!("{other:?}"),
    }
    assert!(!error.is_retriable(), "{error:?}");
    error
}

/// Nobody asks again for what was refused: not in a second in which nothing is asked of the client.
async fn is_still(wire: &Wire, apis: &[Api]) {
    let sent = || apis.iter().map(|api| (*api, wire.sent(*api))).collect::<Vec<_>>();
    let before = sent();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(sent(), before);
}

/// Neither a topic that the user may not see, nor one that it may only see; what is granted goes, beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn producing_is_refused() {
    let (hidden, seen, granted) = (topic(&[]).await, topic(&["Describe"]).await, topic(&["Write", "Read"]).await);
    let (client, wire) = alice(cluster()).await;
    for is_idempotent in [true, false] {
        let producer = client.producer().idempotence(is_idempotent).build().expect("a producer");
        for topic in [&hidden, &seen] {
            let error =
                refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED, producer.send(Record::to(topic).value("v"))).await;
            assert!(error.to_string().contains(&**topic), "{error}");
        }
        within("an acknowledgement", producer.send(Record::to(&granted).value("v"))).await.expect("acknowledged");
        is_still(&wire, &[Api::Produce, Api::InitProducerId]).await;
    }
    // One for each that may be seen, and one for each that was acknowledged.
    assert_eq!(wire.sent(Api::Produce), 4);
    // Before somebody reads: with a consumer that goes, so does the connection on which its next fetch may be waiting.
    assert_eq!((wire.opened() > 0, wire.ended()), (true, 0));
    assert_eq!(read_all(&client, &granted, 3).await.len(), 3);
}

/// KIP-679: whoever may write nothing at all gets no producer id. A grant that comes later is enough for the same producer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotent_producer_is_refused() {
    // Of its own, because a grant for any topic, as the other tests have them, is one for ids.
    let cluster = start();
    create(&connect(&cluster).await, "later", 1, &[]).await;
    grant(&cluster, &["Describe"], "later");
    let (client, wire) = alice(&cluster).await;
    let producer = client.producer().build().expect("a producer");
    let send = || producer.send(Record::to("later").value("v"));
    refused(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, send()).await;
    is_still(&wire, &[Api::Produce, Api::InitProducerId]).await;
    // One when the topic came into use, and one for the record.
    let asked = wire.sent(Api::InitProducerId);
    assert!(asked <= 2, "{asked} times");
    grant(&cluster, &["Write"], "later");
    within("an acknowledgement", send()).await.expect("acknowledged");
    assert_eq!(wire.sent(Api::Produce), 1);
}

/// Fetching and looking offsets up; a topic that is granted is read all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consuming_is_refused() {
    let (hidden, seen, granted) = (topic(&[]).await, topic(&["Describe"]).await, topic(&["Read"]).await);
    let (client, wire) = alice(cluster()).await;
    for topic in [&hidden, &seen] {
        let consumer = client.consumer().topics([&**topic, &*granted]).from(StartAt::Earliest).build();
        let mut consumer = consumer.expect("a consumer");
        let (mut told, mut got) = (0, 0);
        while (told, got) != (1, 1) {
            match within("records or a refusal", consumer.next()).await {
                Ok(records) => got += records.expect("open").len(),
                Err(error) => {
                    refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED, async { Err::<(), _>(error) }).await;
                    told += 1;
                }
            }
        }
        drop(consumer);
        let mut consumer = client.consumer().topics([&**topic]).from(StartAt::Earliest).build().expect("a consumer");
        refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED, consumer.next()).await;
        is_still(&wire, &[Api::Fetch, Api::ListOffsets]).await;
    }
}

/// What a partition's client does, and the admin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_refused() {
    // With a grant for some topic there are producer ids for all.
    let (hidden, seen, _) = (topic(&[]).await, topic(&["Describe"]).await, topic(&["Write"]).await);
    let (client, wire) = alice(cluster()).await;
    let topic_denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let denied: Result<_, AdminError<_>> = client.admin().create_topics([NewTopic::new("not-by-alice", 1, 1)]).await;
    let denied = denied.expect_err("refused");
    assert_eq!((denied.done.len(), denied.failed.len()), (0, 1));
    refused(topic_denied, async { Err::<(), _>(denied) }).await;
    refused(topic_denied, client.admin().delete_topics([&*seen])).await;
    refused(topic_denied, client.partition(&hidden, 0).build()).await;
    let partition = within("the leader", client.partition(&seen, 0).build()).await.expect("it may be seen");
    refused(topic_denied, partition.produce([Record::new().value("v")], Codec::None)).await;
    refused(topic_denied, partition.fetch_records(0, 1..1_000, Duration::from_secs(1))).await;
    refused(topic_denied, partition.delete_records(1)).await;
    assert_eq!(partition.offset(OffsetSpec::Latest).await, Ok(Some(1)), "which Describe is enough for");
    is_still(&wire, &[Api::Produce, Api::Fetch, Api::CreateTopics, Api::ListOffsets]).await;
    assert_eq!((wire.sent(Api::Produce), wire.sent(Api::Fetch), wire.sent(Api::CreateTopics)), (1, 1, 1));
}
