use crate::ClusterConfig;
use crate::testing::{Bench, Fetched, batch, from};
use klamm::ErrorCode;
use klamm::record::Batches;
use klamm::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm::wire::fetch_response::FetchResponse;
use klamm::wire::{Uuid, api};

const NEWEST: i16 = api::FETCH.max;

/// A topic of one partition on all brokers, led by broker 1, with two records a batch.
fn filled(bench: &mut Bench, batches: usize) {
    bench.cluster.create_topic("t", 1, 3);
    for i in 0..batches {
        let (a, b) = (format!("{i}a"), format!("{i}b"));
        assert_eq!(bench.produce(1, ("t", 0), &batch(&[&a, &b])).0, ErrorCode::NONE);
    }
}

/// The offsets of whole batches, and whether something follows them.
fn offsets(records: &[u8]) -> (Vec<i64>, bool) {
    let mut batches = Batches::new(records);
    let whole = batches.by_ref().map(|batch| batch.unwrap().header.base_offset).collect();
    (whole, batches.tail() > 0)
}

#[test]
fn every_version_gives_the_log() {
    let mut bench = Bench::new();
    filled(&mut bench, 3);
    let log: Vec<u8> = bench.cluster.log("t", 0).iter().flat_map(|batch| batch.bytes().to_vec()).collect();
    for version in api::FETCH.min..=NEWEST {
        let got = bench.fetch((1, version), "t", from(0, 0));
        assert_eq!((got.error, got.high_watermark, got.records), (ErrorCode::NONE, 6, log.clone()), "{version}");
        // The batch that holds the offset comes whole; the client skips what it did not ask for.
        let got = bench.fetch((1, version), "t", from(0, 3));
        assert_eq!(offsets(&got.records), (vec![2, 4], false));
        let got = bench.fetch((1, version), "t", from(0, 6));
        assert!(got.error.is_ok() && got.records.is_empty());
    }
}

#[test]
fn errors_of_a_partition() {
    let mut bench = Bench::new();
    filled(&mut bench, 2);
    bench.cluster.delete_records("t", 0, 3);
    bench.cluster.move_leader("t", 0, 2);
    bench.cluster.create_topic("hidden", 1, 1);
    bench.cluster.hide_topic("hidden", true);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let range = ErrorCode::OFFSET_OUT_OF_RANGE;
    let in_epoch = |current_leader_epoch| FetchPartition { current_leader_epoch, ..from(0, 3) };
    let cases = [
        ("before the log", 2, "t", from(0, 2), range, range),
        ("the log's start", 2, "t", from(0, 3), ErrorCode::NONE, ErrorCode::NONE),
        ("after the log", 2, "t", from(0, 5), range, range),
        ("a negative offset", 2, "t", from(0, -1), range, range),
        ("an unknown partition", 2, "t", from(1, 0), unknown, unknown),
        ("an unknown topic", 2, "nope", from(0, 0), unknown, ErrorCode::UNKNOWN_TOPIC_ID),
        ("a hidden topic", 1, "hidden", from(0, 0), unknown, ErrorCode::UNKNOWN_TOPIC_ID),
        ("the epoch", 2, "t", in_epoch(1), ErrorCode::NONE, ErrorCode::NONE),
        ("an old epoch", 2, "t", in_epoch(0), ErrorCode::FENCED_LEADER_EPOCH, ErrorCode::FENCED_LEADER_EPOCH),
        ("a future epoch", 2, "t", in_epoch(2), ErrorCode::UNKNOWN_LEADER_EPOCH, ErrorCode::UNKNOWN_LEADER_EPOCH),
    ];
    for (what, node, topic, part, by_name, by_id) in cases {
        assert_eq!(bench.fetch((node, 12), topic, part).error, by_name, "{what}");
        let got = bench.fetch((node, 13), topic, part);
        assert_eq!(got.error, by_id, "{what}");
        let ends = if got.error.is_ok() { (4, 3) } else { (-1, -1) };
        assert_eq!((got.high_watermark, got.log_start), ends, "{what}");
    }
}

/// KIP-951, and KIP-392: since version 11 a follower gives its records to any consumer that is not in an old epoch.
#[test]
fn leaders_and_followers() {
    let mut bench = Bench::new();
    filled(&mut bench, 1);
    bench.cluster.create_topic("one", 1, 1);
    bench.cluster.move_leader("t", 0, 3);
    assert_eq!(bench.fetch((1, 10), "t", from(0, 0)).error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(bench.fetch((1, 11), "t", from(0, 0)).error, ErrorCode::NONE);
    let wrong = |bench: &mut Bench, version| {
        let got = bench.fetch((2, version), "one", from(0, 0));
        assert_eq!(got.error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        (got.leader, got.endpoints)
    };
    assert_eq!(wrong(&mut bench, 15), ((-1, -1), vec![]));
    assert_eq!(wrong(&mut bench, 16), ((1, 0), vec![(1, 9092)]));
    let fenced = FetchPartition { current_leader_epoch: 0, ..from(0, 0) };
    let got = bench.fetch((1, NEWEST), "t", fenced);
    assert_eq!((got.error, got.leader), (ErrorCode::FENCED_LEADER_EPOCH, (3, 1)));
    assert_eq!(got.endpoints, [(3, 9092)]);
}

#[test]
fn a_fetch_waits_for_bytes_or_time() {
    let mut bench = Bench::new();
    filled(&mut bench, 0);
    let one = batch(&["0a", "0b"]).len() as i32;
    bench.send_fetch((1, NEWEST), "t", from(0, 0), (one + 1, 300));
    assert_eq!(bench.cluster.poll_timeout(), Some(bench.now.instant.after(core::time::Duration::from_millis(300))));
    bench.produce_elsewhere();
    assert!(bench.answer(1).is_none(), "answered before there were enough bytes");
    bench.produce_elsewhere();
    let got = bench.fetched(1).expect("woken by the second batch");
    assert_eq!((offsets(&got.records), got.high_watermark), ((vec![0, 2], false), 4));
    assert_eq!(bench.cluster.poll_timeout(), None);

    bench.send_fetch((1, NEWEST), "t", from(0, 2), (one + 1, 300));
    bench.wait(299);
    assert!(bench.answer(1).is_none());
    bench.wait(1);
    let got = bench.fetched(1).expect("the time is over");
    assert_eq!(offsets(&got.records).0, [2], "what there is comes, though it is less than asked for");
}

impl Bench {
    /// Over another connection, because the one to broker 1 waits.
    fn produce_elsewhere(&mut self) {
        let mut other = Bench::new();
        core::mem::swap(&mut self.cluster, &mut other.cluster);
        other.now = self.now;
        assert_eq!(other.produce(1, ("t", 0), &batch(&["0a", "0b"])).0, ErrorCode::NONE);
        other.hang_up(1);
        core::mem::swap(&mut self.cluster, &mut other.cluster);
    }
}

/// What waits is answered at once when it could never get what it waits for.
#[test]
fn changes_end_the_wait() {
    let waiting = || {
        let mut bench = Bench::new();
        filled(&mut bench, 0);
        let part = FetchPartition { current_leader_epoch: 0, ..from(0, 0) };
        bench.send_fetch((1, 12), "t", part, (1, 60_000));
        assert!(bench.answer(1).is_none());
        bench
    };
    let mut bench = waiting();
    bench.cluster.move_leader("t", 0, 2);
    assert_eq!(bench.fetched(1).unwrap().error, ErrorCode::FENCED_LEADER_EPOCH);
    let mut bench = waiting();
    bench.cluster.delete_topic("t");
    assert_eq!(bench.fetched(1).unwrap().error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut bench = waiting();
    bench.cluster.kill(1);
    assert!(bench.answer(1).is_none() && bench.is_closed(1));
    assert_eq!(bench.cluster.poll_timeout(), None);
    let mut bench = waiting();
    bench.hang_up(1);
    assert_eq!(bench.cluster.poll_timeout(), None);
    let mut bench = waiting();
    bench.produce_elsewhere();
    assert!(bench.fetched(1).unwrap().error.is_ok());
}

fn ask(bench: &mut Bench, max_bytes: i32, parts: &[FetchPartition]) -> Vec<(Vec<i64>, bool)> {
    let topics = [FetchTopic { topic: "t", topic_id: Uuid::ZERO, partitions: parts }];
    let answer = bench.call(1, 12, &FetchRequest { max_bytes, topics: &topics, ..Default::default() });
    let body: FetchResponse<'_> = answer.read();
    let parts = body.responses.iter().flat_map(|topic| topic.partitions);
    parts.map(|part| offsets(part.records.unwrap())).collect()
}

/// Trap 77: the limits are soft for the first batch of the answer, and for no other.
#[test]
fn limits_and_the_first_batch() {
    let whole_batches = true;
    let mut bench = Bench::with(ClusterConfig { brokers: 1, whole_batches, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 2, 1);
    for partition in [0, 0, 0, 1] {
        bench.produce(1, ("t", partition), &batch(&["0a", "0b"]));
    }
    let size = batch(&["0a", "0b"]).len() as i32;
    let part = |partition, partition_max_bytes| FetchPartition { partition_max_bytes, ..from(partition, 0) };
    let (none, one) = (vec![], vec![0]);
    let both = |a, b| [part(0, a), part(1, b)];
    let cases = [
        ("the partition's limit", i32::MAX, both(2 * size, size), vec![0, 2], one.clone()),
        ("less than a batch, in both", i32::MAX, both(size - 1, size - 1), one.clone(), none.clone()),
        ("nothing allowed", 0, both(0, 0), one.clone(), none.clone()),
        ("the request's limit", 3 * size, both(9 * size, 9 * size), vec![0, 2, 4], none.clone()),
        ("a rest for the second", 2 * size, both(size, 9 * size), one.clone(), one.clone()),
        ("a rest too small", 2 * size - 1, both(size, 9 * size), one.clone(), none.clone()),
    ];
    for (what, max_bytes, parts, first, second) in cases {
        assert_eq!(ask(&mut bench, max_bytes, &parts), [(first, false), (second, false)], "{what}");
    }
}

/// Trap 21: a broker does not look into its files, so it cuts the last batch where the limit is reached.
#[test]
fn the_last_batch_may_be_cut() {
    let mut bench = Bench::with(ClusterConfig { brokers: 1, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 2, 1);
    for partition in [0, 0, 1] {
        bench.produce(1, ("t", partition), &batch(&["0a", "0b"]));
    }
    let size = batch(&["0a", "0b"]).len() as i32;
    let parts = [FetchPartition { partition_max_bytes: size + 9, ..from(0, 0) }, from(1, 0)];
    assert_eq!(ask(&mut bench, i32::MAX, &parts), [(vec![0], true), (vec![0], false)]);
    assert_eq!(ask(&mut bench, size + 10, &parts), [(vec![0], true), (vec![], true)]);
    let log = [&bench.cluster.log("t", 0)[0].bytes()[..], &bench.cluster.log("t", 0)[1].bytes()[..9]].concat();
    let got: Fetched = bench.fetch((1, 4), "t", parts[0]);
    assert_eq!(got.records, log);
}

/// KIP-595: a client that says in which epoch it read last learns where its log and the broker's part.
#[test]
fn a_log_of_another_epoch_diverges() {
    let mut bench = Bench::new();
    filled(&mut bench, 2);
    bench.cluster.move_leader("t", 0, 2);
    bench.cluster.move_leader("t", 0, 3);
    bench.hang_up(1);
    bench.produce(3, ("t", 0), &batch(&["c"]));
    let last = |last_fetched_epoch, offset| FetchPartition { last_fetched_epoch, ..from(0, offset) };
    let mut ask = |part| {
        let got = bench.fetch((3, NEWEST), "t", part);
        (got.error, got.diverging, got.records.is_empty())
    };
    let (ok, agreed) = (ErrorCode::NONE, (-1, -1));
    assert_eq!(ask(last(0, 4)), (ok, agreed, false));
    assert_eq!(ask(last(2, 5)), (ok, agreed, true));
    assert_eq!(ask(last(0, 5)), (ok, (0, 4), true));
    assert_eq!(ask(last(1, 4)), (ok, (0, 4), true), "nothing was written in epoch 1");
    assert_eq!(ask(last(9, 4)), (ErrorCode::OFFSET_OUT_OF_RANGE, agreed, true));
}
