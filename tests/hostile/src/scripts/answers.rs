//! Answers to what was produced and to fetches.

use std::io;

use klamm_broker::r#gen::{
    fetch_response::{LeaderIdAndEpoch as FetchLeader, PartitionData},
    produce_response::{BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse},
};
use klamm_tokio::wire::api::{FETCH, INIT_PRODUCER_ID, PRODUCE};

use super::batches::sound;
use crate::{
    script::{
        Script,
        Verdict::{Fails, Tries, Works},
    },
    speaker::Bytes,
    turn::Turn,
    work::{
        Does::{Consume, Produce},
        TOPIC,
    },
};

/// An answer of the version that is not flexible.
fn old(t: &mut Turn<'_>, api: klamm_tokio::wire::Api, fill: impl FnOnce(Bytes) -> Bytes) -> io::Result<()> {
    t.old(api, |t| t.bare(fill))
}

/// What becomes of a batch, at a broker that knows topics by their names.
fn batch(t: &mut Turn<'_>, partition: PartitionProduceResponse<'_>) -> io::Result<()> {
    t.named(PRODUCE, |t| t.produced(&[partition], 0))
}

fn code(t: &mut Turn<'_>, error_code: i16) -> io::Result<()> {
    batch(t, PartitionProduceResponse { error_code, base_offset: -1, ..Default::default() })
}

fn fetch(t: &mut Turn<'_>, partition: PartitionData<'_>) -> io::Result<()> {
    t.named(FETCH, |t| t.fetched(partition, &[]))
}

/// Each batch is taken, and the client is asked for a pause of so many ms.
fn throttled(t: &mut Turn<'_>, ms: i32) -> io::Result<()> {
    t.named(PRODUCE, |t| t.produced(&[PartitionProduceResponse::default()], ms))
}

const BAD: &str = "TimedOut::delivery_timeout_ms: Peer::Malformed";

pub(super) const SCRIPTS: &[Script] = &[
    // Batches: counts and lengths, trap 11.
    Script::turns("acks-of-2-billion-topics", Produce, |t| old(t, PRODUCE, |b| b.i32(i32::MAX)), Fails(BAD)).beside(),
    Script::turns(
        "acks-of-2-billion-partitions",
        Produce,
        |t| old(t, PRODUCE, |b| b.i32(1).str(TOPIC).i32(i32::MAX)),
        Fails(BAD),
    ),
    Script::turns(
        "acks-of-a-topic-with-a-name-of-32-kb",
        Produce,
        |t| old(t, PRODUCE, |b| b.i32(1).i16(i16::MAX).i32(1)),
        Fails(BAD),
    ),
    // Who was not asked for, and who is missing.
    Script::turns(
        "ack-of-another-partition",
        Produce,
        |t| batch(t, PartitionProduceResponse { index: 33, ..Default::default() }),
        Fails(NO_ANSWER),
    )
    .beside(),
    Script::turns(
        "ack-of-another-topic",
        Produce,
        |t| old(t, PRODUCE, |b| b.i32(1).str("other").i32(1).i32(0).i16(0).i64(5).i64(-1).i32(0)),
        Fails(NO_ANSWER),
    ),
    Script::turns("ack-of-nothing", Produce, |t| old(t, PRODUCE, |b| b.i32(0).i32(0)), Fails(NO_ANSWER)),
    Script::turns(
        "ack-twice",
        Produce,
        |t| t.named(PRODUCE, |t| t.produced(&[PartitionProduceResponse::default(), refusal()], 0)),
        Works,
    ),
    Script::turns(
        "ack-at-a-negative-offset",
        Produce,
        |t| batch(t, PartitionProduceResponse { base_offset: -77, ..Default::default() }),
        Works,
    ),
    Script::turns(
        "ack-at-the-end-of-numbers",
        Produce,
        |t| batch(t, PartitionProduceResponse { base_offset: i64::MAX, ..Default::default() }),
        Works,
    ),
    // Codes: traps 16, 48, 50 and 51.
    Script::turns("ack-with-a-code-of-nobody", Produce, |t| code(t, 9_999), Fails("Broker::9999")).beside(),
    Script::turns("ack-with-a-negative-code", Produce, |t| code(t, i16::MIN), Fails("Broker::-32768")),
    Script::turns("ack-corrupt-for-ever", Produce, |t| code(t, 2), Fails("TimedOut::delivery_timeout_ms: Broker::2"))
        .beside(),
    Script::turns("ack-timed-out-for-ever", Produce, |t| code(t, 7), Fails("TimedOut::delivery_timeout_ms: Broker::7"))
        .beside(),
    Script::turns(
        "ack-out-of-order-for-ever",
        Produce,
        |t| code(t, 45),
        Fails("TimedOut::delivery_timeout_ms: Broker::45 | Broker::45"),
    ),
    Script::turns(
        "ack-unknown-producer-for-ever",
        Produce,
        |t| code(t, 59),
        Fails("TimedOut::delivery_timeout_ms: Broker::59 | Broker::59"),
    ),
    Script::turns("ack-of-a-duplicate", Produce, |t| code(t, 46), Works),
    Script::turns("ack-too-large-for-one-record", Produce, |t| code(t, 10), Fails("Broker::10")),
    // A leader that is nowhere: trap 47.
    Script::turns(
        "ack-names-a-leader-that-is-nowhere",
        Produce,
        |t| batch(t, led_by(77, 1_000)),
        Fails("TimedOut::delivery_timeout_ms: Broker::6"),
    )
    .beside(),
    Script::turns(
        "ack-names-itself-as-another-leader",
        Produce,
        |t| batch(t, led_by(1, i32::MAX)),
        Fails("TimedOut::delivery_timeout_ms: Broker::6"),
    ),
    Script::turns("ack-names-a-record-that-is-not", Produce, |t| batch(t, blames(12_345)), Fails("Broker::87")),
    Script::turns("ack-names-a-record-of-minus-1", Produce, |t| batch(t, blames(-1)), Fails("Broker::87")),
    Script::turns(
        "ack-with-30-kb-of-words",
        Produce,
        wordy,
        Fails("Broker::87 | TimedOut::delivery_timeout_ms: Peer::FrameLength"),
    ),
    // Pauses: trap 81.
    Script::turns("throttle-of-an-hour", Produce, |t| throttled(t, 3_600_000), Works).beside(),
    Script::turns("throttle-of-24-days", Produce, |t| throttled(t, i32::MAX), Works).beside(),
    Script::turns("throttle-negative", Produce, |t| throttled(t, i32::MIN), Works),
    // Producers' ids.
    Script::turns(
        "producer-id-of-minus-1",
        Produce,
        |t| old(t, INIT_PRODUCER_ID, |b| b.i32(0).i16(0).i64(-1).i16(-1)),
        Fails(NO_ID),
    ),
    Script::turns(
        "producer-id-with-a-code-of-nobody",
        Produce,
        |t| old(t, INIT_PRODUCER_ID, |b| b.i32(0).i16(9_999).i64(-1).i16(-1)),
        Fails("Broker::9999"),
    ),
    Script::turns(
        "producer-id-cut-short",
        Produce,
        |t| old(t, INIT_PRODUCER_ID, |b| b.i32(0).i16(0).i32(1)),
        Fails("Peer::Malformed"),
    ),
    Script::turns(
        "producer-id-never",
        Produce,
        |t| t.at(INIT_PRODUCER_ID, Turn::hang),
        Fails("acknowledged | TimedOut"),
    ),
    // Fetches: counts and lengths, trap 11.
    Script::turns(
        "fetched-2-billion-topics",
        Consume,
        |t| old(t, FETCH, |b| b.i32(0).i32(i32::MAX)),
        Tries("does not decode"),
    )
    .beside(),
    Script::turns(
        "fetched-2-billion-partitions",
        Consume,
        |t| old(t, FETCH, |b| b.i32(0).i32(1).str(TOPIC).i32(i32::MAX)),
        Tries("does not decode"),
    ),
    Script::turns(
        "fetched-2-billion-aborted-transactions",
        Consume,
        |t| old(t, FETCH, |b| partition(b).i32(i32::MAX)),
        Tries("does not decode"),
    ),
    Script::turns(
        "fetched-records-of-2-gib",
        Consume,
        |t| old(t, FETCH, |b| partition(b).i32(0).i32(i32::MAX)),
        Tries("does not decode"),
    ),
    Script::turns(
        "fetched-records-of-minus-2",
        Consume,
        |t| old(t, FETCH, |b| partition(b).i32(0).i32(-2)),
        Tries("does not decode"),
    ),
    Script::turns("fetched-no-records", Consume, |t| old(t, FETCH, |b| partition(b).i32(0).i32(-1)), Tries("")),
    Script::turns(
        "fetched-more-than-was-asked-for",
        Consume,
        |t| t.old(FETCH, |t| t.records(&large())),
        Fails("TooLarge: Budget::memory.fetch_bytes | records"),
    ),
    // What was not asked for: trap 74.
    Script::turns(
        "fetched-another-partition",
        Consume,
        |t| fetch(t, PartitionData { partition_index: 33, ..Default::default() }),
        Tries("INVALID_FETCH_SESSION_EPOCH"),
    ),
    Script::turns(
        "fetched-another-topic",
        Consume,
        |t| old(t, FETCH, |b| b.i32(0).i32(1).str("other").i32(1).i32(0).i16(0).i64(5).i64(5).i32(0).i32(0)),
        Tries("INVALID_FETCH_SESSION_EPOCH"),
    ),
    // Codes: traps 16 and 68.
    Script::turns(
        "fetched-a-code-of-nobody",
        Consume,
        |t| fetch(t, PartitionData { error_code: 9_999, ..Default::default() }),
        Fails("Broker::9999"),
    )
    .beside(),
    Script::turns(
        "fetched-out-of-range-for-ever",
        Consume,
        |t| fetch(t, PartitionData { error_code: 1, ..Default::default() }),
        Tries("out of range"),
    )
    .beside(),
    Script::turns(
        "fetched-not-the-leader-for-ever",
        Consume,
        |t| fetch(t, PartitionData { error_code: 6, ..Default::default() }),
        Tries("NOT_LEADER_OR_FOLLOWER"),
    ),
    Script::turns(
        "fetched-a-leader-that-is-nowhere",
        Consume,
        |t| {
            fetch(
                t,
                PartitionData {
                    error_code: 6,
                    current_leader: FetchLeader { leader_id: 77, leader_epoch: 1_000 },
                    ..Default::default()
                },
            )
        },
        Tries("NOT_LEADER_OR_FOLLOWER"),
    ),
    Script::turns(
        "fetched-from-a-replica-that-is-nowhere",
        Consume,
        |t| fetch(t, PartitionData { preferred_read_replica: 77, ..Default::default() }),
        Tries(""),
    ),
    Script::turns(
        "fetched-ends-that-are-negative",
        Consume,
        |t| {
            t.named(FETCH, |t| {
                t.fetched(
                    PartitionData { high_watermark: i64::MIN, last_stable_offset: i64::MIN, ..Default::default() },
                    &sound(0, 1),
                )
            })
        },
        Works,
    ),
    Script::turns("fetch-throttle-of-an-hour", Consume, |t| old(t, FETCH, |b| b.i32(3_600_000).i32(0)), Tries("pause"))
        .beside(),
];

const NO_ANSWER: &str = "TimedOut::delivery_timeout_ms";
const NO_ID: &str = "TimedOut::delivery_timeout_ms";

fn refusal() -> PartitionProduceResponse<'static> {
    PartitionProduceResponse { error_code: 87, base_offset: -1, ..Default::default() }
}

fn led_by(leader_id: i32, leader_epoch: i32) -> PartitionProduceResponse<'static> {
    let current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
    PartitionProduceResponse { error_code: 6, base_offset: -1, current_leader, ..Default::default() }
}

fn blames(batch_index: i32) -> PartitionProduceResponse<'static> {
    const MINUS_1: &[BatchIndexAndErrorMessage<'_>] =
        &[BatchIndexAndErrorMessage { batch_index: -1, batch_index_error_message: None }];
    const ANOTHER: &[BatchIndexAndErrorMessage<'_>] =
        &[BatchIndexAndErrorMessage { batch_index: 12_345, batch_index_error_message: Some("not this") }];
    PartitionProduceResponse { record_errors: if batch_index < 0 { MINUS_1 } else { ANOTHER }, ..refusal() }
}

fn wordy(t: &mut Turn<'_>) -> io::Result<()> {
    let words = "no ".repeat(10_000);
    batch(t, PartitionProduceResponse { error_message: Some(&words), ..refusal() })
}

/// Partition 0 of the topic, up to its aborted transactions.
fn partition(b: Bytes) -> Bytes {
    b.i32(0).i32(1).str(TOPIC).i32(1).i32(0).i16(0).i64(5).i64(5)
}

/// More than all but the largest budget may fetch.
fn large() -> Vec<u8> {
    let mut bytes = sound(0, 1);
    bytes.resize(2 << 20, 0);
    bytes
}
