use crate::testing::{Batch, Bench};
use klamm::ErrorCode;
use klamm::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm::wire::list_offsets_response::ListOffsetsResponse;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

/// (code, timestamp, offset, leader epoch)
fn ask(bench: &mut Bench, node: i32, version: i16, asked: ListOffsetsPartition) -> (ErrorCode, i64, i64, i32) {
    let topics = [ListOffsetsTopic { name: "t", partitions: &[asked] }];
    let request = ListOffsetsRequest { replica_id: -1, topics: &topics, ..Default::default() };
    let answer = bench.call(node, version, &request);
    let part = answer.read::<ListOffsetsResponse<'_>>().topics.iter().next().unwrap().partitions.iter().next().unwrap();
    (ErrorCode(part.error_code), part.timestamp, part.offset, part.leader_epoch)
}

fn of(timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition { timestamp, ..Default::default() }
}

/// Three batches: at 1000, 1001 and 1002; at 500; in the next epoch at 2000 and 2001. Broker 2 leads in the end.
fn filled() -> Bench {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 2);
    let at = |values, timestamp| Batch { values, timestamp, ..Batch::default() }.build();
    bench.produce(1, ("t", 0), &at(&["a", "b", "c"], 1000));
    bench.produce(1, ("t", 0), &at(&["d"], 500));
    bench.cluster.move_leader("t", 0, 2);
    bench.produce(2, ("t", 0), &at(&["e", "f"], 2000));
    bench
}

/// Trap 80: the ends, and the first record at or after a time, which may be none.
#[test]
fn ends_and_times() {
    let mut bench = filled();
    let ok = ErrorCode::NONE;
    for version in 1..=11 {
        let epoch = |epoch| if version >= 4 { epoch } else { -1 };
        let cases = [
            (LATEST, (ok, -1, 6, epoch(1))),
            (EARLIEST, (ok, -1, 0, epoch(0))),
            (0, (ok, 1000, 0, epoch(0))),
            (1001, (ok, 1001, 1, epoch(0))),
            (1002, (ok, 1002, 2, epoch(0))),
            (1003, (ok, 2000, 4, epoch(1))),
            (2001, (ok, 2001, 5, epoch(1))),
            (2002, (ok, -1, -1, -1)),
        ];
        for (timestamp, expected) in cases {
            assert_eq!(ask(&mut bench, 2, version, of(timestamp)), expected, "{timestamp}, version {version}");
        }
    }
    bench.cluster.delete_records("t", 0, 2);
    assert_eq!(ask(&mut bench, 2, 11, of(EARLIEST)), (ok, -1, 2, 0));
    assert_eq!(ask(&mut bench, 2, 11, of(0)), (ok, 1002, 2, 0), "records that are gone are not found");
}

#[test]
fn questions_of_later_versions() {
    let mut bench = filled();
    let refused = (ErrorCode::UNSUPPORTED_VERSION, -1, -1, -1);
    let nothing = (ErrorCode::NONE, -1, -1, -1);
    let cases = [
        (MAX_TIMESTAMP, 7, (ErrorCode::NONE, 2001, 5, 1)),
        (-4, 8, (ErrorCode::NONE, -1, 0, 0)),
        (-5, 9, nothing),
        (-6, 11, nothing),
    ];
    for (timestamp, since, expected) in cases {
        assert_eq!(ask(&mut bench, 2, since, of(timestamp)), expected, "{timestamp}");
        assert_eq!(ask(&mut bench, 2, since - 1, of(timestamp)), refused, "{timestamp}");
    }
    assert_eq!(ask(&mut bench, 2, 11, of(-7)), refused);
    bench.cluster.create_topic("empty", 1, 1);
    bench.cluster.delete_topic("t");
    bench.cluster.create_topic("t", 1, 2);
    bench.cluster.move_leader("t", 0, 2);
    assert_eq!(ask(&mut bench, 2, 11, of(MAX_TIMESTAMP)), nothing);
    assert_eq!(ask(&mut bench, 2, 11, of(EARLIEST)), (ErrorCode::NONE, -1, 0, 1));
}

#[test]
fn only_the_leader_answers() {
    let mut bench = filled();
    let failed = |code| (code, -1, -1, -1);
    assert_eq!(ask(&mut bench, 1, 11, of(LATEST)), failed(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    assert_eq!(ask(&mut bench, 3, 11, of(LATEST)), failed(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    let in_epoch = |current_leader_epoch| ListOffsetsPartition { current_leader_epoch, ..of(LATEST) };
    assert_eq!(ask(&mut bench, 2, 11, in_epoch(0)), failed(ErrorCode::FENCED_LEADER_EPOCH));
    assert_eq!(ask(&mut bench, 2, 11, in_epoch(2)), failed(ErrorCode::UNKNOWN_LEADER_EPOCH));
    assert_eq!(ask(&mut bench, 2, 11, in_epoch(1)).0, ErrorCode::NONE);
    let unknown = failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(ask(&mut bench, 2, 11, ListOffsetsPartition { partition_index: 1, ..of(LATEST) }), unknown);
    bench.cluster.hide_topic("t", true);
    assert_eq!(ask(&mut bench, 2, 11, of(LATEST)), unknown);
}
