use super::serve;
use crate::testing::{batch, from};
use crate::{Cluster, ClusterConfig};
use core::time::Duration;
use klamm::wire::fetch_request::{FetchRequest, FetchTopic};
use klamm::wire::frame::request_frame;
use klamm::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::wire::{Encode, Uuid};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

/// A client that blocks.
struct Peer(TcpStream);

impl Peer {
    fn to(address: &str) -> Peer {
        let stream = TcpStream::connect(address).expect("the broker's port is open");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Peer(stream)
    }

    fn send<R: Encode>(&mut self, version: i16, body: &R, external: &[&[u8]]) {
        let frame = request_frame(body, version, 9, None).unwrap().join(external).unwrap();
        self.0.write_all(&frame).unwrap();
    }

    /// The size of the next answer, or the end of the connection.
    fn receive(&mut self) -> Option<usize> {
        let mut head = [0; 8];
        let read = self.0.read_exact(&mut head);
        let hangs = |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!read.as_ref().is_err_and(hangs), "neither an answer nor an end");
        read.ok()?;
        assert_eq!(head[4..], [0, 0, 0, 9]);
        let size = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        let mut rest = vec![0; size - 4];
        self.0.read_exact(&mut rest).ok()?;
        Some(size)
    }

    fn produce(&mut self, batch: &[u8]) {
        let partition_data = [PartitionProduceData { index: 0, records: Some(batch.len()) }];
        let topic_data = [TopicProduceData { name: "t", topic_id: Uuid::ZERO, partition_data: &partition_data }];
        let request = ProduceRequest { acks: -1, timeout_ms: 1, topic_data: &topic_data, ..Default::default() };
        self.send(9, &request, &[batch]);
    }

    fn fetch(&mut self, offset: i64, max_wait_ms: i32) {
        let partitions =
            [klamm::wire::fetch_request::FetchPartition { partition_max_bytes: i32::MAX, ..from(0, offset) }];
        let topics = [FetchTopic { topic: "t", topic_id: Uuid::ZERO, partitions: &partitions }];
        self.send(12, &FetchRequest { max_wait_ms, min_bytes: 1, topics: &topics, ..Default::default() }, &[]);
    }
}

fn with_cluster(test: impl FnOnce(&super::Running) + Send) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let running = {
        let _in_it = runtime.enter();
        serve(ClusterConfig::default()).unwrap()
    };
    running.cluster().create_topic("t", 1, 3);
    test(&running);
    // All of the test's peers have hung up.
    eventually(|| running.cluster().connections().count() == 0);
    let first = running.bootstrap().split(',').next().unwrap().to_owned();
    let mut idle = Peer::to(&first);
    idle.fetch(0, 0);
    idle.receive().expect("an answer");
    running.shutdown();
    assert_eq!(idle.receive(), None, "a connection outlived its cluster");
    eventually(|| TcpStream::connect(&first).is_err());
}

fn eventually(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "it never came");
        std::thread::yield_now();
    }
}

#[test]
fn large_batches_there_and_back() {
    with_cluster(|running| {
        let first = running.bootstrap().split(',').next().unwrap().to_owned();
        let mut peer = Peer::to(&first);
        let large = batch(&[&"x".repeat(1_000_000)]);
        for _ in 0..20 {
            peer.produce(&large);
        }
        for _ in 0..20 {
            peer.receive().expect("an answer");
        }
        assert_eq!(running.cluster().end_offset("t", 0), 20);
        peer.fetch(0, 0);
        assert!(peer.receive().unwrap() > 20 * large.len());
    });
}

#[test]
fn a_fetch_waits_for_another_connection_and_for_the_clock() {
    with_cluster(|running| {
        let first = running.bootstrap().split(',').next().unwrap().to_owned();
        let (mut reader, mut writer) = (Peer::to(&first), Peer::to(&first));
        let started = Instant::now();
        reader.fetch(0, 20);
        let empty = reader.receive().unwrap();
        assert!(started.elapsed() >= Duration::from_millis(20));
        // A later deadline first, then an earlier one: the timer must not oversleep.
        reader.fetch(0, 19_000);
        let mut second = Peer::to(&first);
        second.fetch(0, 30);
        assert_eq!(second.receive(), Some(empty));
        assert!(started.elapsed() < Duration::from_secs(10), "overslept");
        writer.produce(&batch(&["x"]));
        writer.receive().unwrap();
        assert!(reader.receive().unwrap() > empty);
        assert!(started.elapsed() < Duration::from_secs(10), "not woken by the record");
    });
}

#[test]
fn a_killed_broker_hangs_up_and_comes_back() {
    with_cluster(|running| {
        let addresses: Vec<String> = running.bootstrap().split(',').map(str::to_owned).collect();
        let mut peer = Peer::to(&addresses[1]);
        peer.fetch(0, 60_000);
        let connections = |cluster: &Cluster, node| cluster.connections().filter(|(_, of)| *of == node).count();
        eventually(|| connections(&running.cluster(), 2) > 0);
        running.cluster().kill(2);
        assert_eq!(peer.receive(), None);
        assert_eq!(Peer::to(&addresses[1]).receive(), None);
        running.cluster().start(2);
        let mut peer = Peer::to(&addresses[1]);
        peer.fetch(0, 0);
        assert!(peer.receive().is_some());
    });
}
