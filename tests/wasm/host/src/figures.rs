//! What components cost and achieve, beside the same work natively on tokio: the table of the README.

use std::time::{Duration, Instant};

use klamm_kafka_tests::{Cluster, connect};
use klamm_tokio::Record;
use klamm_wasm_host::{ALL, Guest, Ran, Server, post};

/// Each is measured so often, and the best counts: other programs use this machine, too.
const RUNS: usize = 5;
const RECORDS: usize = 2_000_000;
const BYTES: usize = 100;

pub async fn all() {
    let cluster = Cluster::start_to_measure();
    for topic in ["hello", "events", "speed"] {
        cluster.create_topic(topic, 1, 1);
    }
    hello("klamm_wasm_producer", &[cluster.bootstrap()]).await;
    ingest(&cluster).await;
    throughput(&cluster).await;
    encrypted().await;
}

/// A producer's whole life, with one record.
async fn hello(name: &str, before: &[&str]) {
    let compiling = Instant::now();
    let guest = Guest::compile(name);
    println!("{name}, compiled by the host in {} ms", compiling.elapsed().as_millis());
    let arguments = [before, &["{}"]].concat();
    let mut took = Vec::new();
    let mut memory = 0;
    for _ in 0..RUNS * 10 {
        let ran = succeeded(guest.run(&arguments).await);
        memory = ran.memory_bytes;
        took.push(ran.took);
    }
    took.sort();
    println!(
        "instantiate, connect, one record acknowledged, end: half within {:?}, best {:?}",
        took[took.len() / 2],
        took[0]
    );
    println!("its linear memory, with a budget of 1 MiB: {} KiB", memory / 1024);
}

/// The same over TLS, and what records cost there, produced by one component with and without it.
async fn encrypted() {
    let cluster = Cluster::start_with_tls(1, &[]);
    for topic in ["hello", "speed"] {
        cluster.create_topic(topic, 1, 1);
    }
    let (ca, tls) = (&*cluster.tls().certificates.ca, &*cluster.tls().bootstrap);
    hello("klamm_wasm_producer_tls", &[tls, ca]).await;
    let guest = Guest::compile("klamm_wasm_secure");
    let (records, bytes) = (RECORDS.to_string(), BYTES.to_string());
    for (what, address, env) in [("plaintext", cluster.bootstrap(), &[][..]), ("TLS", tls, &[("KAFKA_CA_PEM", ca)][..])]
    {
        let mut best = Duration::MAX;
        let mut memory = 0;
        for _ in 0..RUNS {
            let ran = guest.start(ALL, &["produce", address, "speed", &records, &bytes, "4194304"], env).ended().await;
            let ran = succeeded(ran);
            best = best.min(Duration::from_micros(ran.out.trim().parse().expect("a number")));
            memory = ran.memory_bytes;
        }
        println!(
            "{BYTES} bytes a record, with a budget of 4 MiB, by {what}: {:.0} records/s, {} KiB of linear memory",
            RECORDS as f64 / best.as_secs_f64(),
            memory / 1024
        );
    }
}

/// The HTTP function: a fresh instance for each event, cold and warm.
async fn ingest(cluster: &Cluster) {
    let guest = Guest::compile("klamm_edge_ingest");
    let (bootstrap, export) = (("KAFKA_BOOTSTRAP", cluster.bootstrap()), ("EXPORT_WARM_STATE", "1"));
    let cold = Server::start(&guest, ALL, &[bootstrap, export]).await;
    let state = post(&cold, "", "{}").await.header("warm-state").expect("it is told").to_owned();
    let warm = Server::start(&guest, ALL, &[bootstrap, ("WARM_STATE", &state)]).await;
    for (what, server) in [("cold", &cold), ("warm", &warm)] {
        let mut took: Vec<Duration> = Vec::new();
        for _ in 0..RUNS * 20 {
            let began = Instant::now();
            let answer = post(server, "", r#"{"measured":true}"#).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            took.push(began.elapsed());
        }
        took.sort();
        println!("POST, {what}: half are answered within {:?}, best {:?}", took[took.len() / 2], took[0]);
    }
    println!(
        "its linear memory: {} KiB; a state of {} bytes",
        warm.memory_bytes().max(cold.memory_bytes()) / 1024,
        state.len() / 2
    );
}

async fn throughput(cluster: &Cluster) {
    let guest = Guest::compile("klamm_wasm_guest");
    let (records, bytes) = (RECORDS.to_string(), BYTES.to_string());
    let (mut here, mut there) = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        here = here.min(natively(cluster).await);
        let ran = succeeded(guest.run(&["produce", cluster.bootstrap(), "speed", &records, &bytes, "16777216"]).await);
        there = there.min(Duration::from_micros(ran.out.trim().parse().expect("a number")));
    }
    let rate = |took: Duration| RECORDS as f64 / took.as_secs_f64();
    println!(
        "{BYTES} bytes a record, acknowledged by all, one partition: {:.0} records/s in wasm, {:.0} natively, {:.0} %",
        rate(there),
        rate(here),
        rate(there) / rate(here) * 100.0
    );
}

async fn natively(cluster: &Cluster) -> Duration {
    let producer = connect(cluster).await.producer().build().expect("builds");
    let value = vec![b'x'; BYTES];
    // In a task of its own, because this one's thread is none of the runtime's workers.
    let work = async move {
        producer.send(Record::to("speed").value(&*value)).await.expect("acknowledged");
        let began = Instant::now();
        for _ in 1..RECORDS {
            drop(producer.enqueue(Record::to("speed").value(&*value)).await.expect("taken"));
        }
        producer.flush().await.expect("acknowledged");
        began.elapsed()
    };
    tokio::spawn(work).await.expect("it does not panic")
}

fn succeeded(ran: Ran) -> Ran {
    assert!(ran.ok, "{ran:?}");
    ran
}
