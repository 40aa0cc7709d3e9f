//! Whole batches: what Java writes, there and back, and everything that may be wrong with them.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::compress::{Codec, CodecError};

/// A batch that Java wrote; see tests/golden/Batches.java.
macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/batches/", $name)).as_slice()
    };
}

const T: i64 = 1_700_000_000_000;

const PLAIN: BatchHeader = BatchHeader {
    base_offset: 0,
    batch_length: 0,
    partition_leader_epoch: -1,
    magic: 2,
    crc: 0,
    attributes: Attributes(0),
    last_offset_delta: 0,
    base_timestamp: 0,
    max_timestamp: 0,
    producer_id: -1,
    producer_epoch: -1,
    base_sequence: -1,
    record_count: 0,
};

/// A record that owns what it holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Owned {
    timestamp: i64,
    offset_delta: u32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Owned {
    fn new(timestamp: i64, offset_delta: u32, key: Option<&str>, value: Option<&str>) -> Owned {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Owned { timestamp, offset_delta, key: key.map(bytes), value: value.map(bytes), headers: vec![] }
    }

    fn read(record: &RecordView<'_>, base_offset: i64) -> Owned {
        Owned {
            timestamp: record.timestamp(),
            offset_delta: u32::try_from(record.offset() - base_offset).unwrap(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record.headers().map(|h| (h.key().unwrap().to_owned(), h.value.map(<[u8]>::to_vec))).collect(),
        }
    }

    /// Gives the record's parts, relative to `base`, to `then`.
    fn with_parts<R>(&self, base: i64, then: impl FnOnce(&RecordParts<'_>) -> R) -> R {
        let headers: Vec<_> = self.headers.iter().map(|(key, v)| Header { key, value: v.as_deref() }).collect();
        then(&RecordParts {
            timestamp_delta: self.timestamp.wrapping_sub(base),
            offset_delta: self.offset_delta,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
        })
    }
}

/// The format, written down without a thought of speed.
fn reference(parts: &RecordParts<'_>) -> Vec<u8> {
    fn put(out: &mut Vec<u8>, value: i64) {
        let mut raw = ((value << 1) ^ (value >> 63)) as u64;
        while raw >= 0x80 {
            out.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        out.push(raw as u8);
    }
    fn put_part(out: &mut Vec<u8>, part: Option<&[u8]>) {
        put(out, part.map_or(-1, |part| part.len() as i64));
        out.extend_from_slice(part.unwrap_or_default());
    }
    let mut body = vec![0];
    put(&mut body, parts.timestamp_delta);
    put(&mut body, parts.offset_delta.into());
    put_part(&mut body, parts.key);
    put_part(&mut body, parts.value);
    put(&mut body, parts.headers.len() as i64);
    for header in parts.headers {
        put_part(&mut body, Some(header.key.as_bytes()));
        put_part(&mut body, header.value);
    }
    let mut out = Vec::new();
    put(&mut out, body.len() as i64);
    out.append(&mut body);
    out
}

/// Checks every way to encode a record against [`reference`], and that the room that was promised is enough.
fn encode_one(parts: &RecordParts<'_>) -> Vec<u8> {
    let expected = reference(parts);
    let size = record_size(parts).unwrap();
    assert_eq!(size, expected.len());
    let len = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    assert!(size <= record_size_max(len(parts.key), len(parts.value), parts.headers));
    for more in [0, 1, 7, 100] {
        let mut out = Vec::with_capacity(size + more);
        let room = out.capacity();
        encode_record(&mut out, parts);
        assert!(out == expected, "{parts:?}");
        assert_eq!(out.capacity(), room);
    }
    let mut pieces = Vec::new();
    encode_record_pieces(parts, &mut |piece| pieces.extend_from_slice(piece));
    assert!(pieces == expected, "{parts:?}");
    expected
}

fn encode_all(records: &[Owned], base: i64) -> Vec<u8> {
    records.iter().flat_map(|record| record.with_parts(base, encode_one)).collect()
}

/// A whole batch; the header's length, count, timestamps and CRC are filled in.
fn batch(header: BatchHeader, records: &[Owned]) -> Vec<u8> {
    let base = records.first().map_or(-1, |r| r.timestamp);
    let body = encode_all(records, base);
    seal(
        BatchHeader {
            base_timestamp: base,
            max_timestamp: records.iter().map(|r| r.timestamp).max().unwrap_or(-1),
            last_offset_delta: header.last_offset_delta.max(records.last().map_or(0, |r| r.offset_delta as i32)),
            record_count: records.len() as i32,
            ..header
        },
        &body,
    )
}

/// `header` with length and CRC, and `body`.
fn seal(header: BatchHeader, body: &[u8]) -> Vec<u8> {
    let batch_length = (BATCH_HEADER_LEN - LOG_OVERHEAD + body.len()) as i32;
    let mut head = BatchHeader { batch_length, ..header }.write();
    seal_crc(&mut head, body.chunks(7));
    [&head, body].concat()
}

fn only(bytes: &[u8]) -> BatchView<'_> {
    let mut batches = Batches::new(bytes);
    let view = batches.next().unwrap().unwrap();
    assert_eq!((batches.next(), batches.tail(), batches.needed()), (None, 0, None));
    view.check_crc().unwrap();
    view
}

fn read(view: &BatchView<'_>) -> Vec<Owned> {
    view.records().unwrap().map(|r| Owned::read(&r, view.header.base_offset)).collect()
}

/// Reads everything that can be read, CRC aside; the number of records.
fn exhaust(bytes: &[u8]) -> Result<usize, BatchError> {
    let mut read = 0;
    for view in Batches::new(bytes) {
        let view = view?;
        assert!(view.next_offset() > view.header.base_offset);
        let records = view.records_of(view.payload())?;
        assert_eq!(records.len(), view.header.record_count as usize);
        let mut count = 0;
        for record in records {
            assert!((view.header.base_offset..=view.last_offset()).contains(&record.offset()));
            assert_eq!(record.headers().count(), record.headers().len());
            count += 1;
        }
        assert_eq!(count, records.len(), "an accepted batch is iterated to its end");
        read += count;
    }
    Ok(read)
}

fn plain_records() -> Vec<Owned> {
    let (long_key, long_value) = ("k".repeat(64), "v".repeat(9000));
    vec![
        Owned::new(T, 0, Some("key"), Some("value")),
        Owned::new(T - 70, 1, None, Some("no key")),
        Owned::new(T + 9000, 2, Some(""), Some("empty key")),
        Owned::new(T + 1, 3, Some("tombstone"), None),
        Owned::new(T + 2, 4, Some("empty value"), Some("")),
        Owned::new(T + 3, 5, None, None),
        Owned::new(T + 4, 6, Some(&long_key), Some(&long_value)),
    ]
}

/// Trap 31: a producer's plain batch, byte for byte. Traps 29 and 32: a delta may be negative, the greatest timestamp is
/// not the last, and null is not empty.
#[test]
fn plain_batches_are_javas() {
    let java = golden!("plain.bin");
    let view = only(java);
    assert_eq!(
        view.header,
        BatchHeader {
            batch_length: 9213,
            crc: view.header.crc,
            last_offset_delta: 6,
            base_timestamp: T,
            max_timestamp: T + 9000,
            record_count: 7,
            ..PLAIN
        }
    );
    assert_eq!((view.last_offset(), view.next_offset(), view.is_control()), (6, 7, false));
    assert_eq!(view.timestamp_type(), TimestampType::CreateTime);
    assert_eq!(read(&view), plain_records());
    assert_eq!(batch(PLAIN, &plain_records()), java);

    let many: Vec<_> = (0..300).map(|i| Owned::new(T + i64::from(i), i, None, Some(&alloc::format!("n{i}")))).collect();
    assert_eq!(read(&only(golden!("many.bin"))), many);
    assert_eq!(batch(PLAIN, &many), golden!("many.bin"));
}

/// Trap 32: order, duplicates, null and empty headers.
#[test]
fn headers_are_javas() {
    let header = |key: &str, value: Option<&str>| (key.to_owned(), value.map(|v| v.as_bytes().to_vec()));
    let (mut first, mut second) = (Owned::new(T, 0, Some("k"), Some("v")), Owned::new(T, 1, None, None));
    let long = "x".repeat(100);
    first.headers = vec![
        header("b", Some("1")),
        header("a", Some("2")),
        header("b", Some("3")),
        header("null", None),
        header("empty", Some("")),
        header("", Some("no name")),
        header("größe", Some(&long)),
    ];
    second.headers = vec![header("only", None)];
    assert_eq!(read(&only(golden!("headers.bin"))), [first.clone(), second.clone()]);
    assert_eq!(batch(PLAIN, &[first, second]), golden!("headers.bin"));
}

/// Trap 29: no timestamp, negative ones, and both ends of time in one batch.
#[test]
fn timestamps_are_javas() {
    let unknown = [0, 1].map(|i| Owned::new(-1, i, None, Some("unknown")));
    let view = only(golden!("no_timestamp.bin"));
    assert_eq!((view.header.base_timestamp, view.header.max_timestamp), (-1, -1));
    assert_eq!(read(&view), unknown);
    assert_eq!(batch(PLAIN, &unknown), golden!("no_timestamp.bin"));

    let far: Vec<_> = [-1, i64::MIN, -5, i64::MAX, 0]
        .iter()
        .zip(0..)
        .map(|(&t, i)| Owned::new(t, i, None, Some(&alloc::format!("t{i}"))))
        .collect();
    assert_eq!(read(&only(golden!("far_timestamps.bin"))), far);
    assert_eq!(batch(PLAIN, &far), golden!("far_timestamps.bin"));
}

/// Trap 28: the broker's time stands for every record's.
#[test]
fn log_append_time_is_the_batchs() {
    let view = only(golden!("log_append_time.bin"));
    assert_eq!(view.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!((view.header.base_offset, view.header.partition_leader_epoch, view.next_offset()), (1000, 5, 1003));
    assert!(view.records().unwrap().all(|r| r.timestamp_type() == TimestampType::LogAppendTime));
    assert!(
        only(golden!("far_timestamps.bin")).records().unwrap().all(|r| r.timestamp_type() == TimestampType::CreateTime)
    );
    let records: Vec<_> = view.records().unwrap().map(|r| (r.offset(), r.timestamp(), r.value().unwrap())).collect();
    assert_eq!(records, [(1000, T + 77, &b"a0"[..]), (1001, T + 77, b"a1"), (1002, T + 77, b"a2")]);
    assert_eq!(view.header.base_timestamp, T, "the deltas are still there, and not used");
}

/// Trap 30: sequences follow the batch's first, past the greatest number to 0.
#[test]
fn idempotent_batches_are_javas() {
    let view = only(golden!("idempotent.bin"));
    let header = view.header;
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (4711, 3, i32::MAX - 1));
    assert_eq!(next_sequence(header.base_sequence, header.record_count), 1);
    assert!(!header.attributes.is_transactional());
    let records: Vec<_> =
        (0..3).map(|i| Owned::new(T + i64::from(i), i, None, Some(&alloc::format!("i{i}")))).collect();
    assert_eq!(read(&view), records);

    // The stamp is not made with the batch but when it is sent, and perhaps once more.
    let mut ours = batch(PLAIN, &records);
    let (head, body) = ours.split_first_chunk_mut::<BATCH_HEADER_LEN>().unwrap();
    stamp_producer(head, 4711, 2, 0);
    seal_crc(head, [&*body].into_iter());
    stamp_producer(head, 4711, 3, i32::MAX - 1);
    seal_crc(head, [&*body].into_iter());
    assert_eq!(ours, golden!("idempotent.bin"));

    let view = only(golden!("transactional.bin"));
    assert!(view.header.attributes.is_transactional());
    assert!(!view.is_control());
    assert_eq!(read(&view), [Owned::new(T, 0, Some("k"), Some("in a transaction"))]);
}

/// Trap 30.
#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(next_sequence(0, 0), 0);
    assert_eq!(next_sequence(0, 5), 5);
    assert_eq!(next_sequence(i32::MAX, 0), i32::MAX);
    assert_eq!(next_sequence(i32::MAX, 1), 0);
    assert_eq!(next_sequence(i32::MAX - 1, 1), i32::MAX);
    assert_eq!(next_sequence(i32::MAX - 2, 10), 7);
    assert_eq!(next_sequence(i32::MAX, i32::MAX), i32::MAX - 1);
}

/// Trap 34: the delete horizon stands where the base timestamp does, and the records' times are right all the same.
/// Traps 24 and 25: offsets have gaps, and reading goes on after the batch's last offset, not the last record's.
#[test]
fn compacted_batches() {
    let view = only(golden!("delete_horizon.bin"));
    assert!(view.header.attributes.has_delete_horizon());
    assert_eq!(view.header.base_timestamp, T + 86_400_000);
    assert_eq!(read(&view), [Owned::new(T, 2, Some("a"), None), Owned::new(T + 1, 6, Some("b"), Some("x"))]);
    assert_eq!((view.last_offset(), view.next_offset()), (509, 510));
}

/// Trap 23: a batch without records still moves the position.
#[test]
fn empty_batches() {
    let view = only(golden!("empty.bin"));
    assert_eq!(view.bytes.len(), BATCH_HEADER_LEN);
    assert_eq!(view.records().unwrap().len(), 0);
    assert_eq!((view.header.base_offset, view.last_offset(), view.next_offset()), (510, 519, 520));
    assert_eq!(view.header.base_sequence, 7);
}

/// Traps 26 and 27: markers are control batches and say which.
#[test]
fn control_batches() {
    for (bytes, offset, kind) in
        [(golden!("commit.bin"), 42, ControlType::Commit), (golden!("abort.bin"), 43, ControlType::Abort)]
    {
        let view = only(bytes);
        assert!(view.is_control() && view.header.attributes.is_transactional());
        assert_eq!((view.header.producer_id, view.header.producer_epoch), (4711, 3));
        let records: Vec<_> = view.records().unwrap().collect();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].offset(), ControlType::of_key(records[0].key())), (offset, kind));
        assert_eq!(view.next_offset(), offset + 1);
    }
}

/// Trap 20: older formats are a clear error, even where their lengths are too short for a v2 header.
#[test]
fn old_formats_are_named() {
    for (bytes, magic) in [(golden!("magic0.bin"), 0), (golden!("magic1.bin"), 1)] {
        let mut batches = Batches::new(bytes);
        assert_eq!(batches.next(), Some(Err(BatchError::Magic { magic, offset: 8 })));
        assert_eq!(batches.next(), None, "nothing follows an error");
        assert_eq!(batches.tail(), bytes.len());
    }
    // As soon as the format is there, whatever else is missing; and then there is nothing to ask for.
    let mut batches = Batches::new(&golden!("magic1.bin")[..17]);
    assert_eq!(batches.needed(), Some(34));
    assert_eq!(batches.next(), Some(Err(BatchError::Magic { magic: 1, offset: 8 })));
    assert_eq!((batches.next(), batches.needed()), (None, None));
    let mut future = golden!("plain.bin").to_vec();
    future[16] = 3;
    assert_eq!(exhaust(&future), Err(BatchError::Magic { magic: 3, offset: 0 }));
}

/// Trap 41: the header of a compressed batch is plain, and all records are one block.
#[test]
fn compressed_batches_have_plain_headers() {
    let view = only(golden!("lz4.bin"));
    assert_eq!((view.header.record_count, view.header.max_timestamp, view.next_offset()), (3, T + 2, 3));
    assert_eq!(view.header.attributes.codec(), Ok(Codec::Lz4));
    assert_eq!(view.payload()[..4], 0x184d_2204_u32.to_le_bytes());
    assert_eq!(view.records().unwrap_err(), BatchError::Compressed { offset: 0, codec: Codec::Lz4 });
    // The inflated records, checked against the compressed batch's header.
    let value = "value".repeat(20);
    let records: Vec<_> = (0..3).map(|i| Owned::new(T + i64::from(i), i, Some("key"), Some(&value))).collect();
    let body = encode_all(&records, T);
    let inflated: Vec<_> = view.records_of(&body).unwrap().map(|r| Owned::read(&r, 0)).collect();
    assert_eq!(inflated, records);

    let unknown = seal(BatchHeader { attributes: Attributes(7), record_count: 1, ..PLAIN }, b"1234567");
    let error = CodecError::UnknownId(7);
    assert_eq!(only(&unknown).records().unwrap_err(), BatchError::Codec { offset: 0, error });
}

/// Trap 19: the CRC covers everything from the attributes on. What it does not cover is checked by itself.
#[test]
fn every_flipped_byte_is_noticed() {
    for good in [golden!("headers.bin"), golden!("delete_horizon.bin"), golden!("empty.bin")] {
        for at in 0..good.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut bytes = good.to_vec();
                bytes[at] ^= mask;
                let mut batches = Batches::new(&bytes);
                match batches.next() {
                    // Offset and leader epoch are the broker's to change.
                    Some(Ok(view)) if at < 8 || (12..16).contains(&at) => view.check_crc().unwrap(),
                    Some(Ok(view)) => {
                        let checked = view.check_crc();
                        assert!(matches!(checked, Err(BatchError::Crc { .. })), "byte {at}: {checked:?}");
                        let _ = exhaust(&bytes);
                    }
                    Some(Err(_)) => {}
                    None => assert!(batches.needed() > Some(good.len()), "byte {at}"),
                }
            }
        }
    }
}

/// Trap 21: a batch that is cut short is left alone, and tells how much is needed to read it.
#[test]
fn cut_at_every_byte() {
    let (first, second) = (golden!("commit.bin"), golden!("headers.bin"));
    let both = [first, second].concat();
    for end in 0..=both.len() {
        let mut batches = Batches::new(&both[..end]);
        assert_eq!(batches.needed(), (LOG_OVERHEAD..first.len()).contains(&end).then_some(first.len()));
        let whole = batches.by_ref().map(|b| b.unwrap().check_crc().unwrap()).count();
        assert_eq!(whole, usize::from(end >= first.len()) + usize::from(end == both.len()));
        let (tail, size) = match whole {
            0 => (end, first.len()),
            1 => (end - first.len(), second.len()),
            _ => (0, 0),
        };
        assert_eq!(batches.tail(), tail);
        assert_eq!(batches.needed(), (tail >= LOG_OVERHEAD).then_some(size), "{end}");
        assert!(BatchHeader::read(&both[..end]).is_err() == (end < BATCH_HEADER_LEN));
    }
}

/// Records that are cut short, or longer than they say, under a count that matches: every cut is an error.
#[test]
fn cut_records_are_errors() {
    let view = only(golden!("headers.bin"));
    let payload = view.payload();
    for end in 0..payload.len() {
        assert!(view.records_of(&payload[..end]).is_err(), "{end}");
    }
    let trailing = [payload, &[0]].concat();
    assert_eq!(view.records_of(&trailing).unwrap_err(), BatchError::Trailing { offset: 0, bytes: 1 });
}

#[test]
fn impossible_headers_are_errors() {
    let read = |header: BatchHeader| BatchHeader::read(&BatchHeader { batch_length: 49, ..header }.write());
    assert!(read(PLAIN).is_ok());
    for batch_length in [i32::MIN, -1, 0, 48] {
        let bytes = BatchHeader { batch_length, ..PLAIN }.write();
        let error = BatchError::Length { offset: 0, length: batch_length };
        assert_eq!(BatchHeader::read(&bytes), Err(error.clone()));
        assert_eq!(Batches::new(&bytes).next(), Some(Err(error)));
    }
    for (offset, last_offset_delta) in [(-1, 0), (i64::MIN, 0), (0, -1), (i64::MAX, 0), (i64::MAX - 5, 5)] {
        let error = BatchError::Offsets { offset, last_offset_delta };
        assert_eq!(read(BatchHeader { base_offset: offset, last_offset_delta, ..PLAIN }), Err(error));
    }
    assert!(read(BatchHeader { base_offset: i64::MAX - 6, last_offset_delta: 5, ..PLAIN }).is_ok());
    for (record_count, last_offset_delta) in [(-1, 0), (i32::MIN, 0), (2, 0), (i32::MAX, i32::MAX - 2)] {
        let error = BatchError::Count { offset: 0, count: record_count };
        assert_eq!(read(BatchHeader { record_count, last_offset_delta, ..PLAIN }), Err(error));
    }
}

/// Counts and lengths beyond reason fail before anything is done with them.
#[test]
fn absurd_counts_are_errors() {
    let header = BatchHeader { last_offset_delta: i32::MAX, record_count: i32::MAX, ..PLAIN };
    let bytes = seal(header, &[0; 70]);
    assert_eq!(only(&bytes).records().unwrap_err(), BatchError::Count { offset: 0, count: i32::MAX });
}

/// One record, malformed in each of its parts.
#[test]
fn malformed_records_are_named() {
    use RecordFault::*;
    let one = BatchHeader { record_count: 1, last_offset_delta: 5, ..PLAIN };
    let cases: &[(&[u8], RecordFault)] = &[
        // Length: beyond the end, null, 2³¹−1, and a number that does not end.
        (&[14, 0, 0, 0, 1, 1, 0], Length),
        (&[1, 0, 0, 0, 1, 1, 0], Length),
        (&[0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0], Length),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], Length),
        (&[0x80, 0x80, 0x80, 0x80, 0x10, 0, 0], Length),
        // A record of no bytes.
        (&[0, 0, 0, 0, 0, 0, 0], Timestamp),
        // A timestamp of eleven bytes, and one of 65 bits.
        (&[30, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 1, 1], Timestamp),
        (&[28, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2, 0, 1, 1], Timestamp),
        // Offsets −1 and 6, and one of 33 bits.
        (&[12, 0, 0, 1, 1, 1, 0], OffsetDelta),
        (&[12, 0, 0, 12, 1, 1, 0], OffsetDelta),
        (&[20, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 0], OffsetDelta),
        // A key and a value that end after the record, and one byte late.
        (&[12, 0, 0, 0, 0x7e, 1, 0], Key),
        (&[12, 0, 0, 0, 6, 1, 0], Key),
        (&[12, 0, 0, 0, 1, 0x7e, 0], Value),
        (&[12, 0, 0, 0, 1, 4, 0], Value),
        // No header count, −1, too many, 2³¹−1.
        (&[12, 0, 0, 0, 1, 2, 0], Headers),
        (&[12, 0, 0, 0, 1, 1, 1], Headers),
        (&[16, 0, 0, 0, 1, 1, 4, 0, 0], Headers),
        (&[22, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0], Headers),
        // A header with a null name, and one whose value is too long.
        (&[16, 0, 0, 0, 1, 1, 2, 1, 1], Headers),
        (&[16, 0, 0, 0, 1, 1, 2, 0, 2], Headers),
        // More bytes than headers.
        (&[14, 0, 0, 0, 1, 1, 0, 0], Trailing),
        (&[18, 0, 0, 0, 1, 1, 2, 0, 1, 9], Trailing),
    ];
    for &(body, fault) in cases {
        let bytes = seal(one, body);
        let error = BatchError::Record { offset: 0, index: 0, fault };
        assert_eq!(only(&bytes).records().map(|r| r.len()), Err(error), "{body:?}");
    }
    let good = seal(one, &[12, 0x55, 0, 10, 1, 1, 0]);
    let records: Vec<_> = only(&good).records().unwrap().map(|r| r.offset()).collect();
    assert_eq!(records, [5], "trap 34: the record's attributes are reserved, not zero");
    // A null of another length than −1, which Java reads as null.
    let null = seal(one, &[12, 0, 0, 0, 3, 5, 0]);
    let record = only(&null).records().unwrap().next().unwrap();
    assert_eq!((record.key(), record.value()), (None, None));
}

/// Trap 33: a header's name may be no UTF-8; it is carried.
#[test]
fn header_names_may_be_any_bytes() {
    let one = BatchHeader { record_count: 1, ..PLAIN };
    let bytes = seal(one, &[20, 0, 0, 0, 1, 1, 2, 4, 0xff, 0xfe, 0]);
    let record = only(&bytes).records().unwrap().next().unwrap();
    let header = record.headers().next().unwrap();
    assert_eq!((header.key_bytes, header.value), (&[0xff, 0xfe][..], Some(&[][..])));
    assert!(header.key().is_err());
}

/// A record that was not verified ends the iteration, and does nothing else.
#[test]
fn unverified_records_end_early() {
    let header = BatchHeader { record_count: 3, last_offset_delta: 2, ..PLAIN };
    let mut records = Records::of_verified(&header, &[12, 0, 0, 0, 1, 1, 0, 200]);
    assert!(records.next().is_some());
    assert!(records.next().is_none());
    assert_eq!(records.len(), 0);
}

/// Every number of a record at the edges of its lengths.
#[test]
fn numbers_at_their_edges() {
    let bytes = vec![b'x'; 1 << 20];
    let text = core::str::from_utf8(&bytes).unwrap();
    let edges = || [0, 6, 7, 13, 14, 20, 21, 27, 28, 31].map(|bits| (1_u64 << bits) - 1).into_iter();
    let plain = RecordParts { timestamp_delta: 0, offset_delta: 0, key: None, value: None, headers: &[] };
    for n in edges().chain(edges().map(|n| n + 1)) {
        for timestamp_delta in [n as i64, -(n as i64), i64::MAX - n as i64, i64::MIN + n as i64] {
            encode_one(&RecordParts { timestamp_delta, ..plain });
        }
        let offset_delta = n.min(i32::MAX as u64) as u32;
        let part = bytes.get(..n as usize);
        let header = Header { key: text.get(..n as usize).unwrap_or_default(), value: part };
        for key in [None, part] {
            for value in [None, part] {
                encode_one(&RecordParts { timestamp_delta: -1_000_000, offset_delta, key, value, headers: &[] });
                encode_one(&RecordParts { timestamp_delta: 1, offset_delta: 64, key, value, headers: &[header; 2] });
            }
        }
    }
    let many = vec![Header { key: "", value: None }; 10_000];
    for count in [1, 63, 64, 8191, 8192] {
        encode_one(&RecordParts { headers: &many[..count], ..plain });
    }
}

/// The length of records of many MiB, without having them.
#[test]
fn large_lengths_are_right() {
    let value = vec![0_u8; 1 << 20];
    let headers = vec![Header { key: "h", value: Some(&value) }; 2040];
    for count in [1, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 2040] {
        for key in [None, Some(&value[..])] {
            let headers = &headers[..count];
            let parts = RecordParts { timestamp_delta: 0, offset_delta: 0, key, value: None, headers };
            let (mut start, mut total) = (Vec::new(), 0);
            encode_record_pieces(&parts, &mut |piece| {
                total += piece.len();
                let room = (10 - start.len()).min(piece.len());
                start.extend_from_slice(&piece[..room]);
            });
            let mut start = &*start;
            let length = varint::get_varint(&mut start).unwrap();
            assert_eq!((length as usize, Some(total)), (total - (10 - start.len()), record_size(&parts)));
        }
    }
}

#[test]
fn sizes_beyond_31_bits_are_none() {
    // The same bytes many times over, because nobody has 2 GiB to spare.
    let value = vec![0_u8; 1 << 20];
    let header = Header { key: "h", value: Some(&value) };
    let headers = vec![header; 1 << 11];
    let parts = RecordParts { timestamp_delta: 0, offset_delta: 0, key: None, value: None, headers: &headers };
    assert_eq!(record_size(&parts), None);
    let parts = RecordParts { headers: &headers[..2046], ..parts };
    // A header is name, value and their lengths; beside them are the length, the count and five bytes.
    assert_eq!(record_size(&parts), Some(2046 * (2 + 4 + (1 << 20)) + 5 + 2 + 5));
    assert!(record_size_max(0, 0, &headers) > 1 << 31);
    assert_eq!(record_size_max(usize::MAX, 1, &[]), usize::MAX);
}

prop_compose! {
    fn owned()(
        timestamp in prop_oneof![any::<i64>(), T - 100_000..T + 100_000],
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers in prop::collection::vec((".{0,20}", any::<Option<Vec<u8>>>()), 0..4),
    ) -> Owned {
        Owned { timestamp, offset_delta: 0, key, value, headers }
    }
}

/// Up to twenty records with offsets that have gaps.
fn several() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec((owned(), prop_oneof![Just(1_u32), 1..100_000_u32]), 0..20).prop_map(|records| {
        let mut next = 0;
        let numbered = records.into_iter().map(|(record, step)| {
            let offset_delta = next;
            next += step;
            Owned { offset_delta, ..record }
        });
        numbered.collect()
    })
}

proptest! {
    #[test]
    fn batches_come_back(records in several(), base_offset in 0..i64::MAX / 2, log_append: bool) {
        let attributes = Attributes(if log_append { Attributes::LOG_APPEND_TIME } else { 0 });
        let bytes = batch(BatchHeader { base_offset, attributes, ..PLAIN }, &records);
        let view = only(&bytes);
        prop_assert_eq!(BatchHeader::read(&view.header.write()), Ok(view.header));
        let mut expected = records;
        if log_append {
            expected.iter_mut().for_each(|r| r.timestamp = view.header.max_timestamp);
        }
        prop_assert_eq!(read(&view), expected);
    }

    /// Bytes that are nearly a batch: they are read to the end or refused, nothing else.
    #[test]
    fn nearly_batches_do_no_harm(
        records in several(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end: prop::sample::Index,
        cut: bool,
    ) {
        let mut bytes = batch(PLAIN, &records);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        let _ = exhaust(&bytes);
        // Also with the length put right, so that the records behind it are reached.
        if let Some((head, body)) = bytes.split_first_chunk::<BATCH_HEADER_LEN>()
            && let Ok(header) = BatchHeader::read(head)
        {
            let _ = exhaust(&seal(header, body));
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes: Vec<u8>, count in 0..20_i32) {
        let _ = exhaust(&bytes);
        let _ = exhaust(&seal(BatchHeader { record_count: count, last_offset_delta: 1000, ..PLAIN }, &bytes));
    }
}
