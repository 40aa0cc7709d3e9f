use crate::log::StoredBatch;
use crate::testing::{Batch, Bench, batch, only_part};
use crate::{AutoCreate, ClusterConfig};
use klamm::ErrorCode;
use klamm::compress::{BuiltIn, Codec, Codecs, Full, Sink};
use klamm::record::{Attributes, BATCH_HEADER_LEN, Batches, LOG_OVERHEAD, TimestampType, seal_crc};
use klamm::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::wire::produce_response::ProduceResponse;
use klamm::wire::{Uuid, api};

/// Produces in every version; each answer carries what its version has.
#[test]
fn every_version_appends() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 3);
    for (n, version) in (api::PRODUCE.min..=api::PRODUCE.max).enumerate() {
        for acks in [-1, 1] {
            bench.send_batch((1, version), acks, ("t", 0), &batch(&["a", "b"]));
            let answer = bench.answer(1).unwrap();
            let body: ProduceResponse<'_> = answer.read();
            let topic = body.responses.iter().next().unwrap();
            let part = only_part(&body);
            assert_eq!(part.error_code, 0, "version {version}");
            assert_eq!(part.base_offset, n as i64 * 4 + if acks == 1 { 2 } else { 0 });
            assert_eq!((part.log_append_time_ms, part.log_start_offset.max(0)), (-1, 0));
            let by_id = Some(topic.topic_id) == bench.cluster.topic_id("t");
            assert_eq!((by_id, topic.name), if version >= 13 { (true, "") } else { (false, "t") });
        }
    }
    let offsets: Vec<i64> = bench.cluster.records("t", 0).map(|record| record.offset()).collect();
    assert_eq!(offsets, (0..bench.cluster.end_offset("t", 0)).collect::<Vec<_>>());
}

/// The stored batch is the produced one, with the offset and the leader's epoch that only the broker knows; its CRC
/// covers neither.
#[test]
fn the_broker_stamps_offset_and_epoch() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 3);
    bench.cluster.move_leader("t", 0, 2);
    bench.produce(2, ("t", 0), &batch(&["a", "b"]));
    bench.produce(2, ("t", 0), &batch(&["c"]));
    let stored: &[StoredBatch] = bench.cluster.log("t", 0);
    let headers: Vec<(i64, i32)> =
        stored.iter().map(|b| (b.header().base_offset, b.header().partition_leader_epoch)).collect();
    assert_eq!(headers, [(0, 1), (2, 1)]);
    assert_eq!(stored[1].last_offset(), 2);
    let view = stored[1].view();
    assert_eq!(view.check_crc(), Ok(()));
    assert_eq!(view.bytes[12 + 4 + 1..], batch(&["c"])[12 + 4 + 1..]);
    let values: Vec<&[u8]> = bench.cluster.records("t", 0).filter_map(|record| record.value()).collect();
    assert_eq!(values, [b"a", b"b", b"c"]);
}

/// Trap 12: without acknowledgements there is no answer, and an error closes the connection.
#[test]
fn acks_0_has_no_answer() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 2, 1);
    bench.send_batch((1, 13), 0, ("t", 0), &batch(&["a"]));
    assert!(bench.answer(1).is_none() && !bench.is_closed(1));
    assert_eq!(bench.cluster.end_offset("t", 0), 1);
    bench.send_batch((1, 13), 0, ("t", 1), &batch(&["a"]));
    assert!(bench.answer(1).is_none() && bench.is_closed(1));
}

#[test]
fn the_wrong_broker_names_the_right_one() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 2, 2);
    bench.cluster.move_leader("t", 0, 2);
    for version in [9, 10, 13] {
        for node in [1, 3] {
            bench.send_batch((node, version), -1, ("t", 0), &batch(&["a"]));
            let answer = bench.answer(node).unwrap();
            let body: ProduceResponse<'_> = answer.read();
            let part = only_part(&body);
            assert_eq!(part.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER.0);
            assert_eq!(part.base_offset, -1);
            let leader = (part.current_leader.leader_id, part.current_leader.leader_epoch);
            let endpoints: Vec<(i32, &str, i32)> =
                body.node_endpoints.iter().map(|node| (node.node_id, node.host, node.port)).collect();
            let (expected, addresses) =
                if version >= 10 { ((2, 1), vec![(2, "broker-2", 9092)]) } else { ((-1, -1), vec![]) };
            assert_eq!((leader, endpoints), (expected, addresses), "version {version}");
        }
    }
    bench.cluster.remove_leader("t", 0);
    bench.send_batch((1, 13), -1, ("t", 0), &batch(&["a"]));
    let answer = bench.answer(1).unwrap();
    let body: ProduceResponse<'_> = answer.read();
    let leader = only_part(&body).current_leader;
    assert_eq!((leader.leader_id, leader.leader_epoch, body.node_endpoints.len()), (-1, 2, 0));
}

#[test]
fn unknown_topics_and_partitions() {
    let auto_create = Some(AutoCreate { partitions: 1, replication: 1 });
    let mut bench = Bench::with(ClusterConfig { auto_create, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 1, 1);
    bench.cluster.create_topic("hidden", 1, 1);
    bench.cluster.hide_topic("hidden", true);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for (topic, partition, by_name, by_id) in [
        ("t", 1, unknown, unknown),
        ("t", -1, unknown, unknown),
        ("nope", 0, unknown, ErrorCode::UNKNOWN_TOPIC_ID),
        ("hidden", 0, unknown, ErrorCode::UNKNOWN_TOPIC_ID),
    ] {
        for (version, expected) in [(12, by_name), (13, by_id)] {
            bench.send_batch((1, version), -1, (topic, partition), &batch(&["a"]));
            let answer = bench.answer(1).unwrap();
            let code = only_part(&answer.read::<ProduceResponse<'_>>()).error_code;
            assert_eq!(ErrorCode(code), expected, "{topic}-{partition}, version {version}");
        }
    }
    assert_eq!(bench.cluster.topics().count(), 2, "Produce creates no topics");
}

fn spoilt(spoil: fn(&mut klamm::record::BatchHeader)) -> Vec<u8> {
    Batch { values: &["a", "b"], spoil, ..Batch::default() }.build()
}

#[test]
fn bad_batches_are_refused() {
    let mut bench = Bench::with(ClusterConfig { check_records: true, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 1, 1);
    let good = batch(&["a", "b"]);
    let last = good.len() - 1;
    let mut flipped = good.clone();
    flipped[last] ^= 1;
    let magic = |magic: u8| {
        let mut other = good.clone();
        other[16] = magic;
        other
    };
    let invalid = ErrorCode::INVALID_RECORD;
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    let cases = [
        ("no batch", vec![], invalid),
        ("half a header", good[..30].to_vec(), invalid),
        ("half a batch", good[..last].to_vec(), invalid),
        ("a flipped bit", flipped, corrupt),
        ("format 1", magic(1), invalid),
        ("format 3", magic(3), corrupt),
        ("two batches", [&good[..], &good].concat(), invalid),
        ("a length below the header's", spoilt(|h| h.batch_length = 20), corrupt),
        ("an offset", spoilt(|h| h.base_offset = 5), invalid),
        ("fewer records than offsets", spoilt(|h| h.last_offset_delta = 2), invalid),
        ("more records than offsets", spoilt(|h| h.last_offset_delta = 0), invalid),
        ("no records", spoilt(|h| (h.record_count, h.last_offset_delta) = (0, 0)), invalid),
        ("control records", spoilt(|h| h.attributes = h.attributes.with(Attributes::CONTROL)), invalid),
        ("a sequence missing", spoilt(|h| h.producer_id = 7), invalid),
        ("one record too many", spoilt(|h| (h.record_count, h.last_offset_delta) = (3, 2)), invalid),
        ("an unknown codec", spoilt(|h| h.attributes = Attributes(7)), ErrorCode::UNKNOWN_SERVER_ERROR),
        (
            "a transaction",
            spoilt(|h| h.attributes = h.attributes.with(Attributes::TRANSACTIONAL)),
            ErrorCode::INVALID_TXN_STATE,
        ),
    ];
    for (what, bytes, expected) in cases {
        assert_eq!(bench.produce(1, ("t", 0), &bytes), (expected, -1), "{what}");
    }
    assert_eq!(bench.cluster.end_offset("t", 0), 0);
    // Half a batch behind a whole one is not looked at.
    assert_eq!(bench.produce(1, ("t", 0), &[&good[..], &good[..40]].concat()), (ErrorCode::NONE, 0));
}

/// Which kind of timestamps a topic has is not the producer's to say.
#[test]
fn append_times_of_a_producers_own() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 1);
    let stamped = spoilt(|h| h.attributes = h.attributes.with(Attributes::LOG_APPEND_TIME));
    assert_eq!(bench.produce(1, ("t", 0), &stamped), (ErrorCode::NONE, 0));
    let view = bench.cluster.log("t", 0)[0].view();
    assert_eq!((view.timestamp_type(), view.check_crc()), (TimestampType::CreateTime, Ok(())));
    assert_eq!(view.bytes[61..], stamped[61..]);
}

#[test]
fn limits_of_the_topic() {
    let mut bench = Bench::with(ClusterConfig { max_message_bytes: 200, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 1, 3);
    bench.cluster.create_topic_with("small", 1, 3, &[("max.message.bytes", "80"), ("min.insync.replicas", "2")]);
    let (fits, large) = (batch(&["x"]), batch(&[&"x".repeat(200)]));
    assert!(fits.len() < 80 && large.len() > 200);
    let too_large = (ErrorCode::MESSAGE_TOO_LARGE, -1);
    assert_eq!(bench.produce(1, ("t", 0), &large), too_large);
    assert_eq!(bench.produce(1, ("t", 0), &batch(&[&"x".repeat(50)])), (ErrorCode::NONE, 0));
    assert_eq!(bench.produce(1, ("small", 0), &batch(&[&"x".repeat(50)])), too_large);
    assert_eq!(bench.produce(1, ("small", 0), &fits), (ErrorCode::NONE, 0));
    bench.cluster.kill(2);
    bench.cluster.kill(3);
    assert_eq!(bench.produce(1, ("small", 0), &fits), (ErrorCode::NOT_ENOUGH_REPLICAS, -1));
    bench.send_batch((1, 13), 1, ("small", 0), &fits);
    let answer = bench.answer(1).unwrap();
    assert_eq!(only_part(&answer.read::<ProduceResponse<'_>>()).error_code, 0, "acks=1 asks only the leader");
    bench.send_batch((1, 13), 2, ("t", 0), &fits);
    let answer = bench.answer(1).unwrap();
    assert_eq!(only_part(&answer.read::<ProduceResponse<'_>>()).error_code, ErrorCode::INVALID_REQUIRED_ACKS.0);
}

/// Trap 64: one record without a key fails the whole batch of a compacted topic, and the answer says which it was.
#[test]
fn a_compacted_topic_wants_keys() {
    let mut bench = Bench::new();
    bench.cluster.create_topic_with("t", 1, 1, &[("cleanup.policy", "compact")]);
    bench.send_batch((1, 13), -1, ("t", 0), &batch(&["a", "b"]));
    let answer = bench.answer(1).unwrap();
    let part = only_part(&answer.read::<ProduceResponse<'_>>());
    assert_eq!(part.error_code, ErrorCode::INVALID_RECORD.0);
    assert!(part.error_message.is_some());
    let blamed: Vec<i32> = part.record_errors.iter().map(|record| record.batch_index).collect();
    assert_eq!(blamed, [0, 1]);
    let keyed = Batch { values: &["a"], key: Some("k"), ..Batch::default() }.build();
    assert_eq!(bench.produce(1, ("t", 0), &keyed), (ErrorCode::NONE, 0));
}

/// Trap 28: the append time is one for the batch; the records keep their deltas, which then mean nothing.
#[test]
fn log_append_time() {
    let mut bench = Bench::new();
    bench.cluster.create_topic_with("t", 1, 1, &[("message.timestamp.type", "LogAppendTime")]);
    bench.now.unix_ms = 5_000_000;
    bench.send_batch((1, 13), -1, ("t", 0), &batch(&["a", "b"]));
    let answer = bench.answer(1).unwrap();
    assert_eq!(only_part(&answer.read::<ProduceResponse<'_>>()).log_append_time_ms, 5_000_000);
    let stored = &bench.cluster.log("t", 0)[0];
    assert_eq!(stored.view().check_crc(), Ok(()));
    assert_eq!(stored.view().timestamp_type(), TimestampType::LogAppendTime);
    assert!(bench.cluster.records("t", 0).all(|record| record.timestamp() == 5_000_000));
    assert_eq!(Batches::new(stored.bytes()).count(), 1);
}

/// Several topics and partitions in one request are independent of each other.
#[test]
fn one_request_for_many_partitions() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("a", 2, 1);
    bench.cluster.create_topic("b", 1, 1);
    let (good, mut bad) = (batch(&["x"]), batch(&["y"]));
    bad[65] ^= 1;
    let part = |index, bytes: &[u8]| PartitionProduceData { index, records: Some(bytes.len()) };
    let topic_data = [
        TopicProduceData { name: "a", topic_id: Uuid::ZERO, partition_data: &[part(0, &good), part(1, &good)] },
        TopicProduceData { name: "b", topic_id: Uuid::ZERO, partition_data: &[part(0, &bad)] },
        TopicProduceData { name: "b", topic_id: Uuid::ZERO, partition_data: &[part(0, &good)] },
    ];
    let request = ProduceRequest { acks: -1, timeout_ms: 1, topic_data: &topic_data, ..Default::default() };
    bench.send(1, 9, &request, &[&good, &good, &bad, &good]);
    let answer = bench.answer(1).unwrap();
    let body: ProduceResponse<'_> = answer.read();
    let codes: Vec<(&str, i32, i16)> = body
        .responses
        .iter()
        .flat_map(|t| t.partition_responses.iter().map(move |p| (t.name, p.index, p.error_code)))
        .collect();
    assert_eq!(codes, [("a", 0, 0), ("a", 1, 6), ("b", 0, 2), ("b", 0, 0)]);
}

/// A batch as a producer compresses it.
fn packed(values: &[&str], key: Option<&str>, codec: Codec) -> Vec<u8> {
    struct Out(Vec<u8>);
    impl Sink for Out {
        fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    let plain = Batch { values, key, ..Batch::default() }.build();
    let view = Batches::new(&plain).next().unwrap().unwrap();
    let mut out = Out(Vec::new());
    let mut compressor = BuiltIn.compressor(codec, None).unwrap();
    compressor.compress(&mut core::iter::once(view.payload()), &mut out).unwrap();
    let mut header = view.header;
    header.attributes = Attributes::of(codec);
    header.batch_length = (BATCH_HEADER_LEN - LOG_OVERHEAD + out.0.len()) as i32;
    let mut head = header.write();
    seal_crc(&mut head, core::iter::once(&out.0[..]));
    [&head[..], &out.0].concat()
}

/// Compressed batches are stored as they come, unless the topic wants another codec (trap 42); its records can be looked at
/// either way.
#[test]
fn compressed_batches() {
    const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let mut bench = Bench::with(ClusterConfig { check_records: true, ..ClusterConfig::default() });
    for (topic, setting) in [("as-it-is", "producer"), ("plain", "uncompressed"), ("lz4", "lz4")] {
        bench.cluster.create_topic_with(topic, 1, 1, &[("compression.type", setting)]);
        for codec in CODECS {
            let sent = packed(&["the same", "the same", "the same"], None, codec);
            assert_eq!(bench.produce(1, (topic, 0), &sent).0, ErrorCode::NONE);
            let stored = bench.cluster.log(topic, 0).last().unwrap();
            let expected = [codec, Codec::None, Codec::Lz4]
                [["as-it-is", "plain", "lz4"].iter().position(|t| *t == topic).unwrap()];
            assert_eq!(stored.header().attributes.codec(), Ok(expected));
            assert_eq!(stored.view().check_crc(), Ok(()));
            assert_eq!(stored.records().unwrap().filter(|r| r.value() == Some(b"the same")).count(), 3);
        }
        assert_eq!(bench.cluster.records(topic, 0).count(), 12);
    }
    // A batch that is no valid data of its codec is refused when it is looked at.
    let garbage = spoilt(|h| h.attributes = Attributes::of(Codec::Zstd));
    assert_eq!(bench.produce(1, ("lz4", 0), &garbage).0, ErrorCode::CORRUPT_MESSAGE);
    bench.cluster.create_topic_with("compacted", 1, 1, &[("cleanup.policy", "compact")]);
    let keyless = packed(&["a", "b"], None, Codec::Gzip);
    assert_eq!(bench.produce(1, ("compacted", 0), &keyless).0, ErrorCode::INVALID_RECORD);
    assert_eq!(bench.produce(1, ("compacted", 0), &packed(&["a"], Some("k"), Codec::Gzip)).0, ErrorCode::NONE);
    // Trap 35.
    bench.send_batch((1, 6), -1, ("as-it-is", 0), &packed(&["a"], None, Codec::Zstd));
    let answer = bench.answer(1).unwrap();
    let code = only_part(&answer.read::<ProduceResponse<'_>>()).error_code;
    assert_eq!(ErrorCode(code), ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
}
