//! A consumer as a stream and a producer as a sink, as programs use them that are built of such.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use klamm_broker::{ClusterConfig, Running, serve};
use klamm_tokio::{Client, Error, ProducerConfig, Record, StartAt};

async fn begun() -> (Running, Client) {
    let cluster = serve(ClusterConfig::default()).expect("ports on loopback");
    cluster.cluster().create_topic("in", 3, 1);
    cluster.cluster().create_topic("out", 1, 1);
    let client = klamm_tokio::connect(cluster.bootstrap()).await.expect("connected");
    (cluster, client)
}

/// Everything that a stream gives goes out through a sink that is bounded to a few, from one topic into another, once and
/// with its content.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_stream_into_a_sink() {
    const COUNT: usize = 2_000;
    let (cluster, client) = begun().await;
    let producer = client.producer().build().expect("a producer");
    let records = (0..COUNT).map(|i| Ok(Record::to("in").key(format!("{}", i % 7)).value(format!("{i}"))));
    let mut sink = producer.sink().max_unsettled(50);
    sink.send_all(&mut stream::iter(records)).await.expect("all of them");
    assert_eq!(sink.count(), COUNT as u64);
    assert_eq!((0..3).map(|p| cluster.cluster().end_offset("in", p)).sum::<i64>(), COUNT as i64);

    let consumer = client.consumer().topics(["in"]).from(StartAt::Earliest).build().expect("a consumer");
    let (mut seen, mut out) = (0, producer.sink());
    let mut pieces = consumer.map_ok(|records| records.to_owned());
    while seen < COUNT {
        let piece = pieces.try_next().await.expect("no error").expect("the client lives");
        seen += piece.len();
        for record in piece {
            out.feed(Record::to("out").value(record.value.expect("a value"))).await.expect("taken");
        }
    }
    out.close().await.expect("acknowledged");
    assert_eq!((seen, cluster.cluster().end_offset("out", 0)), (COUNT, COUNT as i64));

    let copied = client.consumer().topics(["out"]).from(StartAt::Earliest).build().expect("a consumer");
    let values = copied.map_ok(|records| stream::iter(records.to_owned()).map(Ok::<_, Error>)).try_flatten();
    let values: Vec<_> = values.take(COUNT).try_collect().await.expect("no error");
    let mut numbers: Vec<usize> = values
        .iter()
        .map(|r| String::from_utf8_lossy(r.value.as_deref().unwrap_or_default()).parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..COUNT));
}

/// A record that no broker takes is named by its number, once; those around it arrive; the stream ends with the client.
#[tokio::test]
async fn a_failure_is_named_and_an_end_is_an_end() {
    let (cluster, client) = begun().await;
    let mut config = ProducerConfig::default();
    config.batch_bytes = 1_000;
    let producer = client.producer().config(config).max_block(Duration::from_secs(5)).build().expect("a producer");
    let mut sink = producer.sink();
    for i in 0..6 {
        let value = "x".repeat(if i == 3 { 5_000 } else { 10 });
        let fed = sink.feed(Record::to("out").value(value)).await;
        assert_eq!(fed.is_err(), i == 3);
        if let Err(failed) = fed {
            assert_eq!((failed.record, failed.failed), (3, 1));
            assert!(matches!(Error::from(failed), Error::TooLarge { .. }));
        }
    }
    sink.flush().await.expect("the others");
    assert_eq!(cluster.cluster().end_offset("out", 0), 5);

    let mut consumer = client.consumer().topics(["out"]).build().expect("a consumer");
    client.shut_down();
    assert!(consumer.try_next().await.expect("no error").is_none());
}
