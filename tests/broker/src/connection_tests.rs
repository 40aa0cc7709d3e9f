use crate::testing::{Bench, batch, from};
use crate::{Action, ClusterConfig, Fault};
use core::time::Duration;
use klamm::ErrorCode;
use klamm::wire::api_versions_request::ApiVersionsRequest;
use klamm::wire::api_versions_response::ApiVersionsResponse;
use klamm::wire::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm::wire::fetch_request::{FetchRequest, FetchTopic};
use klamm::wire::fetch_response::FetchResponse;
use klamm::wire::init_producer_id_request::InitProducerIdRequest;
use klamm::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm::wire::metadata_request::MetadataRequest;
use klamm::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::wire::{api, frame::request_frame};

const NAMED: ApiVersionsRequest<'_> =
    ApiVersionsRequest { client_software_name: "bench", client_software_version: "1" };

#[test]
fn frames_may_come_byte_by_byte_and_several_at_once() {
    let mut bench = Bench::new();
    let two = [bench.frame(4, &NAMED, &[]), bench.frame(0, &NAMED, &[])].concat();
    bench.raw(1, &two);
    let at_once = [bench.answer(1).unwrap(), bench.answer(1).unwrap()];
    for byte in &two {
        bench.raw(2, &[*byte]);
    }
    let bytewise = [bench.answer(2).unwrap(), bench.answer(2).unwrap()];
    assert_eq!(at_once, bytewise);
    assert!(bench.answer(2).is_none());
}

#[test]
fn bad_input_closes_the_connection() {
    let good = request_frame(&NAMED, 4, 1, None).unwrap().bytes;
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let trailing = {
        let mut longer = good.clone();
        longer.push(0);
        longer[..4].copy_from_slice(&(good.len() as i32 - 3).to_be_bytes());
        longer
    };
    let cases = [
        ("a negative size", with(0, &(-1i32).to_be_bytes())),
        ("a size beyond the limit", with(0, &(100 << 20 | 1i32).to_be_bytes())),
        ("an unknown API", with(4, &[0, 77])),
        ("a version of another API that nobody knows", with(4, &[0, 3, 0, 99])),
        ("a header cut short", [&[0, 0, 0, 3][..], &[0, 18, 0]].concat()),
        ("no body", [&[0, 0, 0, 11][..], &good[4..15]].concat()),
        ("bytes after the body", trailing),
    ];
    for (what, bytes) in cases {
        let mut bench = Bench::new();
        bench.raw(1, &bytes);
        assert!(bench.is_closed(1), "{what}");
        let conn = bench.conn(1);
        assert_eq!(bench.cluster.poll_ready(), Some(conn), "{what}");
        assert!(!bench.cluster.wants_input(conn), "{what}");
        bench.raw(1, &good);
        assert!(bench.answer(1).is_none(), "{what}: a closed connection answers");
    }
}

#[test]
fn what_was_answered_before_bad_input_still_goes_out() {
    let mut bench = Bench::new();
    let good = bench.frame(4, &NAMED, &[]);
    bench.raw(1, &[&good[..], &[0xff; 8]].concat());
    assert!(!bench.is_closed(1));
    assert!(bench.answer(1).is_some());
    assert!(bench.is_closed(1));
}

#[test]
fn answers_keep_the_order_of_requests() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 1);
    bench.send_fetch((1, 12), "t", from(0, 0), (1, 500));
    bench.send(1, 4, &NAMED, &[]);
    assert!(bench.answer(1).is_none(), "the second request overtook the fetch that waits");
    let conn = bench.conn(1);
    assert!(bench.cluster.wants_input(conn));
    bench.raw(1, &vec![0; 70 << 10]);
    assert!(!bench.cluster.wants_input(conn), "read on and on while a request waits");
    bench.wait(500);
    assert_eq!(bench.answer(1).unwrap().correlation_id, 1);
    assert_eq!(bench.answer(1).unwrap().correlation_id, 2);
}

#[test]
fn a_dead_broker_takes_no_connections_and_loses_those_it_had() {
    let mut bench = Bench::new();
    let frame = bench.frame(4, &NAMED, &[]);
    bench.raw(1, &frame);
    bench.cluster.kill(1);
    assert!(bench.answer(1).is_none(), "an answer of a dead broker");
    assert!(bench.is_closed(1));
    assert_eq!(bench.cluster.open(1), None);
    assert_eq!(bench.cluster.open(4), None);
    bench.cluster.start(1);
    assert!(bench.cluster.open(1).is_some());
}

/// Any byte of any request may be wrong: the answer may be anything, but the cluster lives.
#[test]
fn broken_requests_break_nothing() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 3);
    let records = batch(&["a"]);
    let parts = [PartitionProduceData { index: 0, records: Some(records.len()) }];
    let topic_data = [TopicProduceData { name: "t", topic_id: Default::default(), partition_data: &parts }];
    let produce = ProduceRequest { acks: -1, timeout_ms: 9, topic_data: &topic_data, ..Default::default() };
    let parts = [from(0, 0)];
    let topics = [FetchTopic { topic: "t", topic_id: Default::default(), partitions: &parts }];
    let fetch = FetchRequest { max_wait_ms: 9, min_bytes: 9, topics: &topics, ..Default::default() };
    let created = CreatableTopic { name: "c", num_partitions: 2, replication_factor: 2, ..Default::default() };
    let create = CreateTopicsRequest { topics: &[created], timeout_ms: 9, validate_only: false };
    let parts = [ListOffsetsPartition { timestamp: 9, ..Default::default() }];
    let offsets = [ListOffsetsTopic { name: "t", partitions: &parts }];
    let offsets = ListOffsetsRequest { replica_id: -1, topics: &offsets, ..Default::default() };
    let frames = [
        bench.frame(4, &NAMED, &[]),
        bench.frame(9, &produce, &[&records]),
        bench.frame(12, &fetch, &[]),
        bench.frame(7, &create, &[]),
        bench.frame(11, &offsets, &[]),
        bench.frame(13, &MetadataRequest { topics: Some(&[Default::default()]), ..Default::default() }, &[]),
        bench.frame(5, &InitProducerIdRequest { transactional_id: None, ..Default::default() }, &[]),
    ];
    for frame in frames {
        for at in 4..frame.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut broken = frame.clone();
                broken[at] ^= flip;
                bench.raw(1, &broken);
                bench.wait(10);
                bench.hang_up(1);
            }
        }
    }
    assert_eq!(bench.produce(1, ("t", 0), &records).0, ErrorCode::NONE);
}

fn once(api: klamm::wire::Api, action: Action) -> Fault {
    Fault { api, node: None, count: 1, action }
}

#[test]
fn faults_of_a_whole_request() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 1);
    let records = batch(&["a"]);
    let cases = [
        // (what, is it done, is the connection closed)
        (Action::Close, false, true),
        (Action::CloseAfter, true, true),
        (Action::Silence, false, false),
        (Action::SilenceAfter, true, false),
    ];
    for (action, done, closed) in cases {
        let before = bench.cluster.end_offset("t", 0);
        bench.cluster.inject(once(api::PRODUCE, action.clone()));
        bench.send_batch((1, 9), -1, ("t", 0), &records);
        assert!(bench.answer(1).is_none(), "{action:?}");
        assert_eq!(bench.cluster.end_offset("t", 0) > before, done, "{action:?}");
        assert_eq!(bench.is_closed(1), closed, "{action:?}");
        bench.send(1, 4, &NAMED, &[]);
        bench.wait(60_000);
        assert!(bench.answer(1).is_none(), "{action:?}: what follows is not served");
        bench.hang_up(1);
        assert_eq!(bench.produce(1, ("t", 0), &records).0, ErrorCode::NONE, "{action:?} happened twice");
    }
}

#[test]
fn faults_that_answer() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 2, 1);
    let records = batch(&["a"]);
    let timed_out = ErrorCode::REQUEST_TIMED_OUT;
    bench.cluster.inject(Fault { count: 2, ..once(api::PRODUCE, Action::Fail(timed_out)) });
    assert_eq!(bench.produce(1, ("t", 0), &records), (timed_out, -1));
    assert_eq!(bench.produce(2, ("t", 1), &records), (timed_out, -1));
    bench.cluster.inject(once(api::PRODUCE, Action::FailAfter(timed_out)));
    assert_eq!(bench.produce(1, ("t", 0), &records), (timed_out, -1));
    assert_eq!(bench.cluster.end_offset("t", 0), 1, "neither not done nor done twice");
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    let one = Action::FailPartition { topic: "t".into(), partition: 1, code: corrupt };
    bench.cluster.inject(Fault { node: Some(2), ..once(api::PRODUCE, one) });
    assert_eq!(bench.produce(1, ("t", 0), &records), (ErrorCode::NONE, 1));
    assert_eq!(bench.produce(2, ("t", 1), &records), (corrupt, -1));
    assert_eq!(bench.produce(2, ("t", 1), &records), (ErrorCode::NONE, 0));

    bench.cluster.inject(once(api::FETCH, Action::Fail(ErrorCode::KAFKA_STORAGE_ERROR)));
    bench.send_fetch((1, 16), "t", from(0, 0), (1 << 20, 60_000));
    assert_eq!(bench.fetched(1).expect("no wait").error, ErrorCode::KAFKA_STORAGE_ERROR);
    bench.cluster.inject(once(api::FETCH, Action::Fail(ErrorCode::INVALID_FETCH_SESSION_EPOCH)));
    bench.send_fetch((1, 16), "t", from(0, 0), (1, 0));
    let answer = bench.answer(1).unwrap();
    let body: FetchResponse<'_> = answer.read();
    assert_eq!((ErrorCode(body.error_code), body.responses.len()), (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 0));

    bench.cluster.inject(once(api::API_VERSIONS, Action::Throttle(250)));
    assert_eq!(bench.call(1, 4, &NAMED).read::<ApiVersionsResponse<'_>>().throttle_time_ms, 250);
    bench.cluster.inject(once(api::API_VERSIONS, Action::Delay(Duration::from_millis(250))));
    bench.send(1, 4, &NAMED, &[]);
    bench.wait(249);
    assert!(bench.answer(1).is_none());
    bench.wait(1);
    assert!(bench.answer(1).is_some());
    bench.cluster.inject(once(api::METADATA, Action::Reply(b"\0\0\0\x08\0\0\0\x01oops".to_vec())));
    bench.send(1, 9, &MetadataRequest { topics: None, ..Default::default() }, &[]);
    assert_eq!(bench.answer(1).unwrap().frame, b"\0\0\0\x01oops");
    bench.cluster.inject(once(api::PRODUCE, Action::Close));
    bench.cluster.clear_faults();
    assert_eq!(bench.produce(1, ("t", 0), &records), (ErrorCode::NONE, 2));
}

#[test]
fn requests_are_counted() {
    let mut bench = Bench::new();
    bench.call(1, 4, &NAMED);
    bench.call(1, 4, &NAMED);
    bench.call(3, 4, &NAMED);
    assert_eq!(bench.cluster.requests(api::API_VERSIONS, 1), 2);
    assert_eq!(bench.cluster.requests(api::API_VERSIONS, 2), 0);
    assert_eq!(bench.cluster.all_requests(api::API_VERSIONS), 3);
}

/// What a simulator relies upon: the same calls give the same bytes, and the seed is in them.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed: u64| {
        let mut bench = Bench::with(ClusterConfig { seed, ..ClusterConfig::default() });
        bench.cluster.create_topic("t", 3, 2);
        bench.produce(1, ("t", 0), &batch(&["a", "b"]));
        bench.call(2, 13, &MetadataRequest { topics: None, ..Default::default() }).frame
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
