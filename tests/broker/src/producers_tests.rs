use crate::testing::{Bench, idempotent};
use klamm::ErrorCode;

const OK: ErrorCode = ErrorCode::NONE;
const GAP: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
const FENCED: ErrorCode = ErrorCode::INVALID_PRODUCER_EPOCH;

/// A batch as (epoch, first sequence, records), and what Kafka 4.3.1 answers: the code and the offset.
type Step = ((i16, i32, usize), (ErrorCode, i64));

fn run(what: &str, steps: &[Step]) {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 1, 1);
    for (i, &((epoch, sequence, records), expected)) in steps.iter().enumerate() {
        let got = bench.produce(1, ("t", 0), &idempotent(7, epoch, sequence, records));
        assert_eq!(got, expected, "{what}, step {i}");
    }
}

#[test]
fn sequences_in_order() {
    run("in order", &[((0, 0, 2), (OK, 0)), ((0, 2, 1), (OK, 2)), ((0, 3, 4), (OK, 3))]);
    run("a gap", &[((0, 0, 2), (OK, 0)), ((0, 3, 1), (GAP, -1)), ((0, 2, 1), (OK, 2)), ((0, 3, 1), (OK, 3))]);
    run("an overlap is no duplicate", &[((0, 0, 4), (OK, 0)), ((0, 2, 2), (GAP, -1)), ((0, 0, 3), (GAP, -1))]);
    run("a longer batch is no duplicate", &[((0, 0, 2), (OK, 0)), ((0, 0, 3), (GAP, -1))]);
    run("an unknown producer begins anywhere", &[((3, 5, 1), (OK, 0)), ((3, 6, 1), (OK, 1))]);
}

/// Trap 55: the last five batches are known, and one of them that comes again succeeds with its old offset. What is
/// older cannot be told from a gap.
#[test]
fn duplicates_of_the_last_five() {
    let sent = |i: i32| ((0, i, 1), (OK, i64::from(i)));
    let mut steps: Vec<Step> = (0..6).map(sent).collect();
    steps.extend([sent(5), sent(1), sent(3), ((0, 0, 1), (GAP, -1)), sent(6), ((0, 1, 1), (GAP, -1)), sent(2)]);
    run("duplicates", &steps);
}

#[test]
fn epochs() {
    run(
        "a new epoch begins with 0",
        &[((0, 0, 3), (OK, 0)), ((1, 3, 1), (GAP, -1)), ((1, 0, 1), (OK, 3)), ((1, 1, 1), (OK, 4))],
    );
    run("an old epoch is fenced", &[((2, 0, 1), (OK, 0)), ((1, 1, 1), (FENCED, -1)), ((1, 0, 1), (FENCED, -1))]);
    run(
        "a duplicate of an old epoch is fenced too",
        &[((0, 0, 1), (OK, 0)), ((1, 0, 1), (OK, 1)), ((0, 0, 1), (FENCED, -1)), ((1, 0, 1), (OK, 1))],
    );
}

/// Trap 30: after the greatest sequence comes 0, also inside a batch.
#[test]
fn sequences_wrap() {
    const MAX: i32 = i32::MAX;
    run("at a batch's end", &[((0, MAX - 1, 2), (OK, 0)), ((0, 0, 1), (OK, 2)), ((0, 1, 1), (OK, 3))]);
    run(
        "inside a batch",
        &[((0, MAX, 3), (OK, 0)), ((0, MAX, 3), (OK, 0)), ((0, 1, 1), (GAP, -1)), ((0, 2, 1), (OK, 3))],
    );
}

#[test]
fn producers_and_partitions_are_independent() {
    let mut bench = Bench::new();
    bench.cluster.create_topic("t", 2, 3);
    assert_eq!(bench.produce(1, ("t", 0), &idempotent(1, 0, 0, 1)), (OK, 0));
    assert_eq!(bench.produce(1, ("t", 0), &idempotent(2, 0, 0, 1)), (OK, 1));
    assert_eq!(bench.produce(2, ("t", 1), &idempotent(1, 0, 0, 1)), (OK, 0));
    // The new leader knows what the old one knew.
    bench.cluster.kill(1);
    assert_eq!(bench.cluster.leader("t", 0), Some(2));
    assert_eq!(bench.produce(2, ("t", 0), &idempotent(1, 0, 0, 1)), (OK, 0));
    assert_eq!(bench.produce(2, ("t", 0), &idempotent(1, 0, 2, 1)), (GAP, -1));
    bench.cluster.forget_producer("t", 0, 1);
    assert_eq!(bench.produce(2, ("t", 0), &idempotent(1, 0, 2, 1)), (OK, 2));
}
