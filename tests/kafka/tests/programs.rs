//! The programs that users write, as they write them: one name to import, `?` on everything.

use std::time::Duration;

use klamm_kafka_tests::Cluster;
use klamm_tokio::{NewTopic, Record, StartAt::Earliest, Wait, blocking};

type Result = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What a program does with a record, and how it may fail.
fn handle(key: Option<&[u8]>, value: Option<&[u8]>) -> Result {
    let (key, value) = (key.ok_or("no key")?, value.ok_or("no value")?);
    assert!(std::str::from_utf8(value)?.contains(std::str::from_utf8(key)?));
    Ok(())
}

async fn program(bootstrap: &str) -> Result {
    let json = r#"{"order": 42, "total": 7}"#;
    let client = klamm_tokio::connect(bootstrap).await?;
    client.admin().create_topics([NewTopic::new("orders", 6, 3)]).await?;

    let producer = client.producer().linger(Duration::from_millis(5)).build()?;
    let meta = producer.send(Record::to("orders").key("42").value(json)).await?; // acknowledged
    assert_eq!((meta.topic(), meta.offset()), ("orders", 0));
    assert!(meta.timestamp_ms() > 0);
    let record = Record::to("orders").key("42").value(json).header("source", "web");
    let ticket = producer.enqueue(record).await?; // in the buffer; waits only for metadata or room
    let meta = ticket.await?;
    assert_eq!(meta.offset(), 1);
    producer.flush().await?;

    let mut consumer = client.consumer().topics(["orders"]).from(Earliest).build()?;
    let mut seen = 0;
    while let Some(records) = consumer.next().await? {
        for r in &records {
            handle(r.key(), r.value())?; // borrowed
            seen += 1;
        }
        if seen == 2 {
            break;
        }
    }

    let mut consumer = client.consumer().assign([("orders", meta.partition())]).from(Earliest).build()?;
    let records = consumer.next().await?.ok_or("closed")?;
    assert_eq!(records.partition(), meta.partition());
    Ok(())
}

/// Also as a task: every future of the program can change threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_program_runs() -> Result {
    let cluster = Cluster::start(3, &[]);
    let bootstrap = cluster.bootstrap().to_owned();
    tokio::time::timeout(Duration::from_secs(60), tokio::spawn(async move { program(&bootstrap).await })).await??
}

/// A task for each record, all through clones of one producer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_producer() -> Result {
    let cluster = Cluster::start(1, &[]);
    let client = klamm_tokio::connect(cluster.bootstrap()).await?;
    client.admin().create_topics([NewTopic::new("shared", 4, 1)]).await?;
    let producer = client.producer().build()?;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..500 {
        let producer = producer.clone();
        tasks.spawn(async move { producer.send(Record::to("shared").key(format!("{i}")).value("v")).await });
    }
    let mut places = std::collections::BTreeSet::new();
    while let Some(meta) = tasks.join_next().await {
        let meta = meta??;
        assert!(places.insert((meta.partition(), meta.offset())), "two records at {meta:?}");
    }
    assert_eq!(places.len(), 500);
    producer.close().await?;
    Ok(())
}

/// The same on one thread only, where the driver has to share it.
#[tokio::test]
async fn the_first_program_runs_on_one_thread() -> Result {
    let cluster = Cluster::start(1, &[]);
    let client = klamm_tokio::connect(cluster.bootstrap()).await?;
    client.admin().create_topics([NewTopic::new("single", 1, 1)]).await?;
    let producer = client.producer().build()?;
    for i in 0..50 {
        assert_eq!(producer.send(Record::to("single").value(format!("{i}"))).await?.offset(), i);
    }
    let mut consumer = client.consumer().topics(["single"]).from(Earliest).build()?;
    let mut next = 0;
    while next < 50 {
        let records = tokio::time::timeout(Duration::from_secs(60), consumer.next()).await??.ok_or("closed")?;
        for r in &records {
            assert_eq!((r.offset(), r.value()), (next, Some(format!("{next}").as_bytes())));
            next += 1;
        }
    }
    Ok(())
}

/// Without async, from the main thread and from others; what is only in the buffer is sent as the client is dropped.
#[test]
fn a_program_without_async_runs() -> Result {
    let cluster = Cluster::start(1, &[]);
    let client = blocking::connect(cluster.bootstrap())?;
    client.admin().create_topics([NewTopic::new("plain", 1, 1)]).wait()?;
    let producer = client.producer().linger(Duration::from_secs(60)).build()?;
    let ticket = producer.enqueue(Record::to("plain").value("0")).wait()?;
    producer.flush().wait()?;
    assert_eq!(ticket.wait()?.offset(), 0);
    let mut consumer = client.consumer().topics(["plain"]).from(Earliest).build()?;
    let first = consumer.next().wait()?.ok_or("closed")?.len();
    let reading = std::thread::spawn(move || -> std::result::Result<usize, klamm_tokio::Error> {
        let mut seen = first;
        while let Some(records) = consumer.next().wait()? {
            seen += records.len();
        }
        Ok(seen)
    });
    for i in 1..1_000 {
        drop(producer.enqueue(Record::to("plain").value(format!("{i}"))).wait()?);
    }
    drop(client); // though there still are a producer and a consumer
    assert!((1..=1_000).contains(&reading.join().expect("no panic")?), "it ended with the client");
    assert_eq!(cluster.tool(&["get-offsets", "--topic", "plain"]).trim(), "plain:0:1000");
    Ok(())
}
