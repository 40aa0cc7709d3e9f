//! Records there and back, and what becomes of them while brokers die and the component stands still.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use klamm_kafka_tests::{Cluster, connect, read_all};
use klamm_wasm_host::{ALL, component};

use super::{guest, succeeded};

/// Of each value of a topic, how often it is there, and that each partition has them in order.
pub async fn is_complete(cluster: &Cluster, topic: &str, records: usize) {
    let all = read_all(&connect(cluster).await, topic, records).await;
    let mut newest: BTreeMap<i32, usize> = BTreeMap::new();
    let mut seen = vec![false; records];
    for (partition, record) in all {
        let value = String::from_utf8(record.value.expect("not null")).expect("text");
        let number: usize = value.parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[number], true), "{number} is there twice");
        let before = newest.insert(partition, number);
        assert!(before < Some(number), "partition {partition}: {number} after {before:?}");
    }
    assert!(seen.iter().all(|seen| *seen), "all are there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_records_there_and_back_with_every_codec() {
    let cluster = Cluster::start(1, &[]);
    let guest = guest();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        cluster.create_topic(codec, 3, 1);
        let ran = succeeded(guest.run(&["both-ways", cluster.bootstrap(), codec, "100000", codec]).await);
        assert!(ran.out.starts_with("100000 records both ways"), "{ran:?}");
        println!("note: {codec}: {}; {} bytes of linear memory", ran.out.trim(), ran.memory_bytes);
        let dump = cluster.dump_log(1, codec, 0);
        assert!(dump.contains(&format!("compresscodec: {codec} ")), "the log has them as {codec}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_brokers_one_of_which_is_killed_and_comes_back() {
    let cluster = Cluster::start(3, &[]);
    cluster.create_topic_with("t", 6, 3, &[("min.insync.replicas", "2")]);
    let guest = guest();
    let ran = succeeded(guest.run(&["both-ways", cluster.bootstrap(), "t", "100000", "lz4"]).await);
    assert!(ran.out.starts_with("100000 records both ways"), "{ran:?}");

    cluster.create_topic_with("killed", 6, 3, &[("min.insync.replicas", "2")]);
    let running = guest.start(ALL, &["steady", cluster.bootstrap(), "killed", "100000", "10"], &[]);
    running.prints("10000 of").await;
    // These wait for the script that they run.
    tokio::task::block_in_place(|| cluster.kill(2));
    running.prints("40000 of").await;
    tokio::task::block_in_place(|| cluster.restart(2));
    let ran = succeeded(running.ended().await);
    let lost: usize =
        ran.out.split("acknowledged; ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("a number");
    assert!(lost > 0, "no connection was lost: nothing was tested: {}", ran.out);
    is_complete(&cluster, "killed", 100_000).await;
}

/// A host may stop a component for a long time, as clouds do with what is idle. When it goes on, all its timers are over; but the
/// answers have come meanwhile, and sockets are read before timers are looked at: no connection is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_is_frozen_loses_nothing_and_no_connection() {
    // request_timeout_ms is 2,000.
    freeze("frozen", &[(3_000, 2_500), (8_000, 2_500), (13_000, 2_500)]).await;
}

/// The same for thirty times the time in which an answer must come, and half the time in which a record must be delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_is_frozen_for_a_minute_loses_nothing_and_no_connection() {
    freeze("minute", &[(5_000, 60_000)]).await;
}

/// Stops a component's host each time it has sent so many records, for so many milliseconds.
async fn freeze(topic: &str, stops: &[(usize, u64)]) {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic(topic, 3, 1);
    let mut host = Command::new(env!("CARGO_BIN_EXE_klamm-wasm-host"))
        .args(["run", "klamm_wasm_guest", "steady", cluster.bootstrap(), topic, "20000", "10"])
        .env("KLAMM_COMPONENTS", component("x").parent().expect("a folder"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(host.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let signal = |name: &str| {
        let killed = Command::new("kill").args([name, &host.id().to_string()]).status();
        assert!(killed.expect("there is kill").success());
    };
    for (number, ms) in stops {
        said.find(|line| *line == format!("{number} of 20000")).expect("it gets so far");
        // Records are on their way all the time, so that each time some answers are missing.
        signal("-STOP");
        std::thread::sleep(Duration::from_millis(*ms));
        signal("-CONT");
    }
    let last = said.last().expect("it says how it ended");
    assert!(host.wait().expect("it is ours").success(), "{last}");
    assert_eq!(last, "all are acknowledged; 0 connections were lost, 0 batches sent again");
    is_complete(&cluster, topic, 20_000).await;
}
