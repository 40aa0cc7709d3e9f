//! The starter itself: what every other test of this folder builds upon.

use klamm_kafka_tests::Cluster;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn a_console_round_trip_with_one_broker() {
    let started = Instant::now();
    let cluster = Cluster::start(1, &[("message.max.bytes", "2000000")]);
    println!("1 broker was ready after {} ms", started.elapsed().as_millis());
    cluster.create_topic_with("words", 2, 1, &[("message.timestamp.type", "LogAppendTime")]);
    cluster.tool_with_input(
        &["console-producer", "--topic", "words", "--reader-property", "parse.key=true"],
        "a\tone\na\tzwei\na\tтри\n".as_bytes(),
    );
    let args = ["console-consumer", "--topic", "words", "--from-beginning", "--max-messages", "3"];
    assert_eq!(cluster.tool(&args), "one\nzwei\nтри\n");

    let offsets = cluster.tool(&["get-offsets", "--topic", "words"]);
    let filled = if offsets.contains("words:0:3") { 0 } else { 1 };
    assert!(offsets.contains(&format!("words:{filled}:3")), "{offsets}");
    let log = cluster.dump_log(1, "words", filled);
    assert!(log.contains("payload: zwei") && log.contains("isvalid: true") && log.contains("LogAppendTime"), "{log}");

    let settings = cluster.tool(&["configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"]);
    assert!(settings.contains("message.max.bytes=2000000"), "{settings}");
    let refused = cluster.try_tool(&["topics", "--create", "--topic", "words"], &[]).unwrap_err();
    assert!(refused.contains("already exists"), "{refused}");

    cluster.pause(1);
    assert!(!answers(&cluster, 1), "a stopped broker answered");
    cluster.resume(1);
    assert!(answers(&cluster, 1));
}

#[test]
fn three_brokers_lose_one_and_get_it_back() {
    let started = Instant::now();
    // The consumer's group needs a topic that is made while a broker is down, which before 3.3 must not want it.
    let cluster = Cluster::start(3, &[("offsets.topic.replication.factor", "1")]);
    println!("3 brokers were ready after {} ms", started.elapsed().as_millis());
    cluster.create_topic("kept", 1, 3);
    cluster.kill(2);
    cluster.tool_with_input(&["console-producer", "--topic", "kept"], b"written with two brokers\n");
    cluster.restart(2);
    assert!(answers(&cluster, 2));
    cluster.terminate(1);
    let args = ["console-consumer", "--topic", "kept", "--from-beginning", "--max-messages", "1"];
    assert_eq!(cluster.tool(&args), "written with two brokers\n");
    assert!(std::fs::read_dir(cluster.dir().join("node-2/data/kept-0")).is_ok());

    let (dir, address) = (cluster.dir().to_owned(), cluster.address(3).to_owned());
    drop(cluster);
    assert!(!dir.exists());
    assert!(TcpStream::connect(address).is_err(), "a broker outlived its cluster");
}

/// Whether the broker answers ApiVersions v0 within a second.
fn answers(cluster: &Cluster, id: usize) -> bool {
    let mut stream = TcpStream::connect(cluster.address(id)).expect("the broker's port is open");
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff").unwrap();
    let mut head = [0; 8];
    stream.read_exact(&mut head).is_ok() && head[4..] == [0, 0, 0, 7]
}
