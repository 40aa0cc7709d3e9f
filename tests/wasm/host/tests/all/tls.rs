//! TLS and SASL from components, with cryptography in wasm, against a real broker.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Cluster, connect, poll_until, read_all};
use klamm_tokio::TlsFault;
use klamm_wasm_host::{ALL, Guest, Ran, Server, post};

use super::{records::is_complete, succeeded};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_with_tls(1, &[]))
}

fn guest() -> &'static Guest {
    static GUEST: OnceLock<Guest> = OnceLock::new();
    GUEST.get_or_init(|| Guest::compile("klamm_wasm_secure"))
}

fn ca(cluster: &Cluster) -> (&str, &str) {
    ("KAFKA_CA_PEM", &cluster.tls().certificates.ca)
}

fn user(password: &str) -> [(&str, &str); 2] {
    [("KAFKA_USER", &cluster().sasl().user), ("KAFKA_PASSWORD", password)]
}

async fn both_ways(address: &str, topic: &str, records: &str, codec: &str, env: &[(&str, &str)]) -> Ran {
    cluster().create_topic(topic, 3, 1);
    let ran = guest().start(ALL, &["both-ways", address, topic, records, codec], env).ended().await;
    let ran = succeeded(ran);
    assert!(ran.out.starts_with(&format!("{records} records both ways")), "{ran:?}");
    println!("note: {topic}: {}; {} bytes of linear memory", ran.out.trim(), ran.memory_bytes);
    ran
}

/// What is said of a connection that fails, which is long before the connect timeout of 3 s.
async fn refused(address: &str, env: &[(&str, &str)]) -> String {
    let began = Instant::now();
    let ran = guest().start(ALL, &["connect", address], env).ended().await;
    println!("{:?}: {}", began.elapsed(), ran.out.trim());
    assert!(!ran.ok, "{ran:?}");
    assert!(began.elapsed() < Duration::from_millis(2_500), "{ran:?}");
    ran.out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_and_come_over_tls() {
    let tls = [ca(cluster())];
    for codec in ["none", "lz4"] {
        both_ways(&cluster().tls().bootstrap, &format!("tls-{codec}"), "100000", codec, &tls).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sasl_goes_over_tls() {
    let [name, password] = user(&cluster().sasl().password);
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] {
        let env = [ca(cluster()), name, password, ("KAFKA_SASL", mechanism)];
        both_ways(&cluster().tls().sasl, &format!("sasl-{mechanism}"), "1000", "lz4", &env).await;
    }
    let [name, password] = user("wrong");
    let said = refused(&cluster().tls().sasl, &[ca(cluster()), name, password]).await;
    assert!(said.contains("SCRAM-SHA-256"), "{said}");
}

/// Each its own error, at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_who_it_should_be_is_left() {
    let tls = cluster().tls();
    let other = ("KAFKA_CA_PEM", &*tls.certificates.other_ca);
    for (address, ca, fault) in [
        (&*tls.bootstrap, other, TlsFault::UnknownIssuer),
        (&tls.elsewhere, ca(cluster()), TlsFault::HostMismatch),
        (&tls.expired, ca(cluster()), TlsFault::Expired),
        (cluster().bootstrap(), ca(cluster()), TlsFault::NotTls),
    ] {
        let said = refused(address, &[ca]).await;
        assert!(said.contains(&fault.to_string()), "{fault:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_comes_back_loses_nothing_over_tls() {
    let cluster = Cluster::start_with_tls(1, &[]);
    cluster.create_topic("killed", 3, 1);
    let running = guest().start(ALL, &["steady", &cluster.tls().bootstrap, "killed", "20000", "10"], &[ca(&cluster)]);
    running.prints("5000 of").await;
    // These wait for the script that they run.
    tokio::task::block_in_place(|| cluster.kill(1));
    tokio::task::block_in_place(|| cluster.restart(1));
    let ran = succeeded(running.ended().await);
    assert!(!ran.out.contains("; 0 connections were lost"), "nothing was tested: {}", ran.out);
    is_complete(&cluster, "killed", 20_000).await;
}

/// An event in by HTTP, out by a worker, all of it over TLS with SCRAM; and components without TLS do not pass over settings that
/// ask for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_run_over_tls_with_sasl() {
    cluster().create_topic("events", 1, 1);
    cluster().create_topic_with("positions-events", 1, 1, &[("cleanup.policy", "compact")]);
    let [name, password] = user(&cluster().sasl().password);
    let bootstrap = ("KAFKA_BOOTSTRAP", &*cluster().tls().sasl);
    let env = [bootstrap, ca(cluster()), name, password];
    let server = Server::start(&Guest::compile("klamm_edge_ingest_tls"), ALL, &env).await;
    for n in 0..3 {
        let answer = post(&server, "", &format!(r#"{{"n":{n}}}"#)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    poll_until("the handlers return", || server.running() == 0).await;
    assert_eq!(server.said(), "");
    println!("note: edge-ingest over TLS: {} bytes of linear memory", server.memory_bytes());

    let env = [&env[..], &[("TOPIC", "events"), ("IDLE_MS", "1500")]].concat();
    let ran = succeeded(Guest::compile("klamm_edge_worker_tls").start(ALL, &[], &env).ended().await);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines.len() == 3 && lines[2].starts_with("0 2 ") && lines[2].contains(r#""n":2"#), "{ran:?}");

    let ran = Guest::compile("klamm_edge_worker").start(ALL, &[], &env).ended().await;
    assert!(!ran.ok && ran.err.contains("KAFKA_CA_PEM") && ran.err.contains("feature tls"), "{ran:?}");
}

/// With a budget of 1 MiB, of which TLS has its part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_over_tls_is_small_and_quick() {
    cluster().create_topic("hello", 1, 1);
    let guest = Guest::compile("klamm_wasm_producer_tls");
    let mut best: Option<Ran> = None;
    for n in 0..10 {
        let (address, value) = (&*cluster().tls().bootstrap, format!("value {n}"));
        let ran = succeeded(guest.run(&[address, ca(cluster()).1, &value]).await);
        if best.as_ref().is_none_or(|best| ran.took < best.took) {
            best = Some(ran);
        }
    }
    let best = best.expect("there were some");
    read_all(&connect(cluster()).await, "hello", 10).await;
    println!(
        "note: hello over TLS: {:?} from instantiation to its end; {} bytes of linear memory",
        best.took, best.memory_bytes
    );
    assert!(best.memory_bytes <= 2 << 20, "{best:?}");
}
