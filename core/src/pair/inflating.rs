//! Compressed batches on their way out of Kafka.

use alloc::{format, string::String, vec::Vec};
use core::task::Poll;

use super::{
    Pair, Request,
    broker::{batch_of, batch_with, packed, packed_with, records_of},
    codec::Rle,
    fetching::{error, next, nothing, records, values},
};
use crate::{
    Class, Codec, Config, Consumer, Error, ErrorCode, Memory, PeerFault, StartAt,
    compress::CodecError,
    record::{Attributes, BatchError},
    sync::Arc,
    wire::api,
};

/// A consumer of partition 0 from offset 10, with so much room to inflate, and its first fetch.
fn at_ten(inflate_bytes: usize, codec_bytes: usize) -> (Pair, Consumer, Request) {
    let mut config = Config::new("one:9001").codecs(Arc::new(Rle { memory: codec_bytes }));
    config.memory = Memory { inflate_bytes, ..config.memory };
    let mut pair = Pair::with(config);
    let consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10)).build().expect("builds");
    let request = pair.expect(api::FETCH);
    (pair, consumer, request)
}

fn usual() -> (Pair, Consumer, Request) {
    at_ten(64 << 10, 100)
}

/// Neighbouring plain batches come together, compressed ones each by itself, all in order; the position moves with each.
/// What was fetched is let go of when its last compressed batch is inflated.
#[test]
fn plain_and_compressed_batches_in_one_answer() {
    let (mut pair, mut consumer, request) = usual();
    let pieces = [
        batch_of(10, &["a", "b"]),
        batch_of(12, &["c"]),
        packed(Codec::Gzip, 13, &["d", "eeee"]),
        packed(Codec::Zstd, 15, &["f"]),
        batch_of(16, &["g"]),
        packed(Codec::Lz4, 17, &["h"]),
    ];
    pair.bring(&request, 77, 0, &pieces.concat());
    let mut kept = Vec::new();
    for (expected, next_offset) in
        [(&["a", "b", "c"][..], 13), (&["d", "eeee"], 15), (&["f"], 16), (&["g"], 17), (&["h"], 18)]
    {
        let records = records(&pair, &mut consumer);
        assert_eq!(values(&records), expected);
        assert_eq!((records.next_offset(), records.high_watermark()), (next_offset, 1_000));
        assert_eq!(consumer.position("t", 0), Some(next_offset));
        if records.next_offset() != 13 && records.next_offset() != 17 {
            kept.push(records);
        }
    }
    nothing(&pair, &mut consumer);
    assert_eq!(pair.client().budget().leased(Class::Fetch), 0);
    assert!(pair.client().budget().leased(Class::Inflate) > 0);
    drop(kept);
    assert_eq!(pair.client().budget().leased(Class::Inflate), 300, "three decompressors");
    drop(consumer);
    assert_eq!(pair.client().budget().leased(Class::Inflate), 0);
}

/// Traps 22 to 28 for compressed batches: what was before the offset, gaps, batches without records, control batches and
/// LogAppendTime.
#[test]
fn what_holds_for_plain_batches_holds_for_compressed_ones() {
    let (mut pair, mut consumer, request) = usual();
    let mut gap = packed_with(Attributes::of(Codec::Snappy), 8, 3, &records_of(&["a", "b", "c"]));
    pair.bring(&request, 77, 0, &gap);
    let got = records(&pair, &mut consumer);
    assert_eq!((values(&got), got.len(), got.next_offset()), (Vec::from([String::from("c")]), 1, 11));

    // Emptied by compaction, then a marker of a transaction: neither is inflated, both are passed.
    let request = pair.expect(api::FETCH);
    gap = packed_with(Attributes::of(Codec::Gzip), 11, 0, &[]);
    let control = Attributes::of(Codec::None).with(Attributes::CONTROL | Attributes::TRANSACTIONAL);
    gap.extend(packed_with(control, 12, 1, b"never looked into"));
    let logged = Attributes::of(Codec::Lz4).with(Attributes::LOG_APPEND_TIME);
    gap.extend(packed_with(logged, 20, 2, &records_of(&["x", "y"])));
    pair.bring(&request, 77, 0, &gap);
    let got = records(&pair, &mut consumer);
    assert_eq!((values(&got).len(), got.next_offset()), (2, 22));
    let times: Vec<(i64, i64)> = got.iter().map(|r| (r.offset(), r.timestamp())).collect();
    assert_eq!(times, [(20, 99), (21, 99)], "the log's time");
}

/// Records that the application keeps push back on inflating: `next()` waits, is woken when there is room, and neither it
/// nor the driver spins meanwhile.
#[test]
fn kept_records_push_back_on_inflating() {
    let (mut pair, mut consumer, request) = at_ten(20 << 10, 100);
    let value = "x".repeat(8_000);
    let batches: Vec<u8> = (10..15).flat_map(|offset| packed(Codec::Lz4, offset, &[&value])).collect();
    pair.bring(&request, 77, 0, &batches);
    let first = records(&pair, &mut consumer);
    let second = records(&pair, &mut consumer);
    nothing(&pair, &mut consumer);
    assert_eq!(consumer.position("t", 0), Some(12), "nothing was taken");
    let woken = pair.woken.count();
    pair.advance_ms(1_000);
    nothing(&pair, &mut consumer);
    assert!(pair.woken.count() <= woken + 1, "woken {} times for nothing", pair.woken.count() - woken);
    let woken = pair.woken.count();
    drop(first);
    pair.turn();
    assert!(pair.woken.count() > woken, "there is room now");
    assert_eq!(records(&pair, &mut consumer).next_offset(), 13);
    drop(second);
    // A wait that is cancelled takes nothing, and a pause is kept.
    consumer.pause("t", 0).expect("known");
    nothing(&pair, &mut consumer);
    consumer.resume("t", 0).expect("known");
    assert_eq!(records(&pair, &mut consumer).next_offset(), 14);
    assert_eq!(records(&pair, &mut consumer).next_offset(), 15);
    let budget = pair.client().budget();
    assert!(budget.peak(Class::Inflate) <= budget.limit(Class::Inflate));
}

/// A task that waits for room when its driver ends is told, because nobody would wake it.
#[test]
fn nobody_waits_for_room_without_a_driver() {
    let (mut pair, mut consumer, request) = at_ten(20 << 10, 100);
    let value = "x".repeat(8_000);
    let batches: Vec<u8> = (10..13).flat_map(|offset| packed(Codec::Lz4, offset, &[&value])).collect();
    pair.bring(&request, 77, 0, &batches);
    let kept = [records(&pair, &mut consumer), records(&pair, &mut consumer)];
    nothing(&pair, &mut consumer);
    let woken = pair.woken.count();
    pair.machine.end(pair.now());
    assert!(pair.woken.count() > woken);
    let error = error(&pair, &mut consumer);
    assert!(matches!(error, Error::Budget { class: Class::Inflate, .. }) && error.is_retriable(), "{error}");
    drop(kept);
    assert_eq!(records(&pair, &mut consumer).next_offset(), 13);
    assert!(matches!(next(&pair, &mut consumer), Poll::Ready(Ok(None))));
}

/// A batch that grows beyond the whole class is told once, with both offsets and the knob; a seek passes it. A batch
/// that only just fits is not refused, however its buffer had to move.
#[test]
fn a_batch_that_can_never_be_inflated_is_passed_by_a_seek() {
    let (mut pair, mut consumer, request) = at_ten(20 << 10, 100);
    let value = "x".repeat(5_000);
    let large = packed(Codec::Lz4, 10, &[&value, &value, &value]);
    let larger = packed(Codec::Lz4, 13, &[&value, &value, &value, &value, &value]);
    pair.bring(&request, 77, 0, &[large, larger, batch_of(18, &["z"])].concat());
    assert_eq!(records(&pair, &mut consumer).len(), 3);
    let error = error(&pair, &mut consumer);
    assert!(matches!(error, Error::TooLarge { next_offset: Some(18), .. }), "{error}");
    let said = format!("{error}");
    assert!(said.contains("t-0 with offsets 13 to 17") && said.contains("memory.inflate_bytes"), "{said}");
    assert_eq!(consumer.position("t", 0), Some(13));
    nothing(&pair, &mut consumer);
    while let Some(under_way) = pair.take(api::FETCH) {
        pair.bring(&under_way, 77, 0, &batch_of(19, &["dropped"]));
    }
    pair.advance_ms(5_000);
    assert!(pair.take(api::FETCH).is_none(), "it is not asked for again");
    nothing(&pair, &mut consumer);
    consumer.seek("t", 0, StartAt::Offset(18)).expect("known");
    let request = pair.await_request(api::FETCH, 1_000);
    assert_eq!(pair.wanted(&request)[0].2, 18);
    pair.bring(&request, 77, 0, &batch_of(18, &["z"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["z"]);
}

/// A damaged batch is asked for again. One that came as it was written and cannot be read never gets better: it is told
/// once, and stops its partition.
#[test]
fn damaged_and_unreadable_batches_differ() {
    let (mut pair, mut consumer, request) = usual();
    let mut damaged = packed(Codec::Lz4, 10, &["a"]);
    *damaged.last_mut().expect("bytes") ^= 1;
    pair.bring(&request, 77, 0, &damaged);
    assert!(matches!(batch_error(error(&pair, &mut consumer)), BatchError::Crc { .. }));
    let again = pair.expect(api::FETCH);
    assert!(pair.wanted(&again).is_empty(), "the session goes on from 10");
    pair.bring(&again, 77, 0, &packed(Codec::Lz4, 10, &["a"]));
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
    for (attributes, expected) in
        [(Attributes::of(Codec::Lz4), CodecError::Corrupt(Codec::Lz4)), (Attributes(7), CodecError::UnknownId(7))]
    {
        let (mut pair, mut consumer, request) = usual();
        let odd = batch_with(11, attributes, 1, Vec::from([1, 2, 3]));
        pair.bring(&request, 77, 0, &[batch_of(10, &["before"]), odd].concat());
        assert_eq!(values(&records(&pair, &mut consumer)), ["before"]);
        let BatchError::Codec { offset: 11, error } = batch_error(error(&pair, &mut consumer)) else {
            panic!("expected a codec's error")
        };
        assert_eq!(error, expected);
        nothing(&pair, &mut consumer);
    }
}

/// A codec that needs more memory than there is, or that the broker does not give this client, is named.
#[test]
fn codecs_that_cannot_be_used_are_named() {
    let (mut pair, mut consumer, request) = usual();
    pair.fail_fetch(&request, 77, 0, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    let said = format!("{}", error(&pair, &mut consumer));
    assert!(said.contains("zstd") && said.contains("Fetch 10"), "{said}");
    nothing(&pair, &mut consumer);

    let (mut pair, mut consumer, request) = at_ten(20 << 10, 30 << 10);
    pair.bring(&request, 77, 0, &packed(Codec::Zstd, 10, &["a"]));
    let said = format!("{}", error(&pair, &mut consumer));
    assert!(said.contains("memory.inflate_bytes"), "{said}");
    assert_eq!(pair.client().budget().leased(Class::Inflate), 0);
}

fn batch_error(error: Error) -> BatchError {
    match error {
        Error::Peer { fault: PeerFault::Batch { error, .. }, .. } => error,
        other => panic!("expected a batch's error, not {other}"),
    }
}
