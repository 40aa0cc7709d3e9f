//! Record batches.

use std::{io, sync::OnceLock};

use klamm_tokio::{
    Codec,
    compress::{BuiltIn, Codecs, Full, Sink},
    record::{Attributes, BATCH_HEADER_LEN, BatchHeader, LOG_OVERHEAD, RecordParts, encode_record, seal_crc},
    wire::api::FETCH,
};

use crate::{
    script::{
        Script,
        Verdict::{Fails, Tries, Works},
    },
    turn::Turn,
    work::Does::Consume,
};

/// Records with these offsets relative to their batch's.
fn records(deltas: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for offset_delta in deltas {
        let parts =
            RecordParts { timestamp_delta: 0, offset_delta, key: Some(b"key"), value: Some(b"value"), headers: &[] };
        encode_record(&mut bytes, &parts);
    }
    bytes
}

/// A batch of what is said to be so many records, after something was done to its header. Its CRC is right.
fn batch(count: i32, payload: &[u8], change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let mut header = BatchHeader {
        base_offset: 0,
        batch_length: (BATCH_HEADER_LEN - LOG_OVERHEAD + payload.len()) as i32,
        partition_leader_epoch: 0,
        magic: 2,
        crc: 0,
        attributes: Attributes::default(),
        last_offset_delta: count - 1,
        base_timestamp: 1,
        max_timestamp: 1,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: count,
    };
    change(&mut header);
    let mut bytes = header.write();
    seal_crc(&mut bytes, core::iter::once(payload));
    [&bytes[..], payload].concat()
}

/// A batch without anything wrong.
pub(super) fn sound(base_offset: i64, count: i32) -> Vec<u8> {
    batch(count, &records(0..count as u32), |h| h.base_offset = base_offset)
}

/// A broker of old versions, whose fetches bring this.
fn brings(t: &mut Turn<'_>, bytes: impl FnOnce() -> Vec<u8>) -> io::Result<()> {
    t.old(FETCH, |t| t.records(&bytes()))
}

/// Two sound records behind a header that something was done to.
fn header(t: &mut Turn<'_>, change: impl FnOnce(&mut BatchHeader)) -> io::Result<()> {
    brings(t, || batch(2, &records(0..2), change))
}

/// A sound header of one record, and this in its place.
fn record(t: &mut Turn<'_>, bytes: &[u8]) -> io::Result<()> {
    brings(t, || batch(1, bytes, |_| ()))
}

/// One record of this codec, as these bytes.
fn packed(t: &mut Turn<'_>, codec: i16, bytes: &[u8]) -> io::Result<()> {
    brings(t, || batch(1, bytes, |h| h.attributes = Attributes(codec)))
}

/// More than the largest budget may inflate.
const BOMB_BYTES: usize = 24 << 20;

struct Out(Vec<u8>);

impl Sink for Out {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Zeros by the megabyte, which are next to nothing on the wire.
fn zeros(codec: Codec) -> Vec<u8> {
    let mut out = Out(Vec::new());
    let zeros = vec![0; 1 << 20];
    let mut compressor = BuiltIn.compressor(codec, None).expect("it is built in");
    let pieces = (0..BOMB_BYTES / zeros.len()).map(|_| &zeros[..]);
    compressor.compress(&mut { pieces }, &mut out).expect("there is room");
    batch(1, &out.0, |h| h.attributes = Attributes::of(codec))
}

/// Made once, because it takes longer than a client waits.
fn bomb(t: &mut Turn<'_>, codec: Codec) -> io::Result<()> {
    static BOMBS: [OnceLock<Vec<u8>>; 5] = [const { OnceLock::new() }; 5];
    brings(t, || BOMBS[usize::from(codec.id())].get_or_init(|| zeros(codec)).clone())
}

const STOPPED: &str = "Peer::Batch::Record";

pub(super) const SCRIPTS: &[Script] = &[
    // The header. Trap 19: what may be the network's fault is fetched again.
    Script::turns("batch-crc", Consume, |t| brings(t, || flipped(20)), Fails("Peer::Batch::Crc")).beside(),
    Script::turns("batch-of-format-3", Consume, |t| header(t, |h| h.magic = 3), Fails("Peer::Batch::Magic")),
    Script::turns("batch-of-format-minus-1", Consume, |t| header(t, |h| h.magic = -1), Fails("Peer::Batch::Magic")),
    // Trap 20.
    Script::turns("batch-of-format-0", Consume, |t| header(t, |h| h.magic = 0), Fails("Peer::Batch::Magic")),
    Script::turns(
        "batch-length-negative",
        Consume,
        |t| header(t, |h| h.batch_length = -1),
        Fails("Peer::Batch::Length"),
    ),
    Script::turns(
        "batch-length-of-nothing",
        Consume,
        |t| header(t, |h| h.batch_length = 0),
        Fails("Peer::Batch::Length"),
    ),
    // Trap 21: it never fits.
    Script::turns(
        "batch-length-of-2-gib",
        Consume,
        |t| header(t, |h| h.batch_length = i32::MAX),
        Fails("TooLarge: Budget::memory.fetch_bytes"),
    ),
    Script::turns("batch-count-negative", Consume, |t| header(t, |h| h.record_count = -1), Fails("Peer::Batch::Count")),
    Script::turns(
        "batch-count-of-2-billion",
        Consume,
        |t| header(t, |h| h.record_count = i32::MAX),
        Fails("Peer::Batch::Count"),
    ),
    Script::turns(
        "batch-count-as-its-offsets",
        Consume,
        |t| header(t, |h| (h.record_count, h.last_offset_delta) = (i32::MAX, i32::MAX - 1)),
        Fails("Peer::Batch::Count"),
    ),
    Script::turns(
        "batch-count-too-small",
        Consume,
        |t| header(t, |h| h.record_count = 1),
        Fails("Peer::Batch::Trailing"),
    ),
    Script::turns(
        "batch-count-too-large",
        Consume,
        |t| header(t, |h| (h.record_count, h.last_offset_delta) = (3, 2)),
        Fails(STOPPED),
    ),
    Script::turns(
        "batch-last-offset-negative",
        Consume,
        |t| header(t, |h| h.last_offset_delta = -5),
        Fails("Peer::Batch::Offsets"),
    ),
    Script::turns(
        "batch-offset-negative",
        Consume,
        |t| header(t, |h| h.base_offset = -9),
        Fails("Peer::Batch::Offsets"),
    ),
    Script::turns(
        "batch-offset-at-the-end-of-numbers",
        Consume,
        |t| header(t, |h| h.base_offset = i64::MAX - 1),
        Fails("Peer::Batch::Offsets"),
    ),
    // Offsets that go back: trap 22.
    Script::turns("batch-offsets-go-back", Consume, goes_back, Tries("")),
    Script::turns("batch-offsets-jump", Consume, |t| header(t, |h| h.base_offset = i64::MAX / 2), Works),
    // Records.
    Script::turns("record-length-negative", Consume, |t| record(t, &[0x01, 0, 0, 0, 0, 0, 0]), Fails(STOPPED)),
    Script::turns(
        "record-length-of-2-gib",
        Consume,
        |t| record(t, &[0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0]),
        Fails(STOPPED),
    ),
    Script::turns(
        "record-length-of-six-bytes",
        Consume,
        |t| record(t, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0, 0]),
        Fails(STOPPED),
    ),
    Script::turns(
        "record-key-of-2-gib",
        Consume,
        |t| record(t, &[16, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
        Fails(STOPPED),
    ),
    Script::turns(
        "record-headers-of-2-billion",
        Consume,
        |t| record(t, &[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
        Fails(STOPPED),
    ),
    Script::turns("record-headers-negative", Consume, |t| record(t, &[12, 0, 0, 0, 1, 1, 1]), Fails(STOPPED)),
    Script::turns(
        "record-header-without-a-name",
        Consume,
        |t| record(t, &[16, 0, 0, 0, 1, 1, 2, 1, 1]),
        Fails(STOPPED),
    ),
    Script::turns("record-offset-negative", Consume, |t| record(t, &[12, 0, 0, 1, 1, 1, 0]), Fails(STOPPED)),
    Script::turns("record-offset-beyond-its-batch", Consume, |t| record(t, &[12, 0, 0, 20, 1, 1, 0]), Fails(STOPPED)),
    Script::turns("record-ends-early", Consume, |t| record(t, &[40, 0, 0, 0, 1, 1, 0]), Fails(STOPPED)),
    Script::turns(
        "record-times-at-the-ends",
        Consume,
        |t| header(t, |h| (h.base_timestamp, h.max_timestamp) = (i64::MIN, i64::MAX)),
        Works,
    ),
    // What moves the position and is not handed out: traps 23, 26 and 27.
    Script::turns("batches-without-records-for-ever", Consume, empty_for_ever, Tries("")).most(usize::MAX),
    Script::turns("batches-of-control-and-then-records", Consume, control_first, Works),
    // Codecs: trap 40.
    Script::turns("codec-5", Consume, |t| packed(t, 5, b"what is it"), Fails("Peer::Batch::Codec")),
    Script::turns("codec-7", Consume, |t| packed(t, 7, b"what is it"), Fails("Peer::Batch::Codec")),
    Script::turns("gzip-of-noise", Consume, |t| packed(t, 1, NOISE), Fails(CODEC)),
    Script::turns("snappy-of-noise", Consume, |t| packed(t, 2, NOISE), Fails("Peer::Batch::Codec")),
    Script::turns("lz4-of-noise", Consume, |t| packed(t, 3, NOISE), Fails("Peer::Batch::Codec")),
    Script::turns("zstd-of-noise", Consume, |t| packed(t, 4, NOISE), Fails(CODEC)),
    // In the application\'s thread, where this runtime has all else too: broker 2 would wait.
    Script::turns("gzip-bomb", Consume, |t| bomb(t, Codec::Gzip), Fails(TOO_LARGE)),
    Script::turns("snappy-bomb", Consume, |t| bomb(t, Codec::Snappy), Fails(TOO_LARGE)),
    Script::turns("lz4-bomb", Consume, |t| bomb(t, Codec::Lz4), Fails(TOO_LARGE)),
    Script::turns("zstd-bomb", Consume, |t| bomb(t, Codec::Zstd), Fails(TOO_LARGE_OR_OFF)),
    Script::turns(
        "snappy-claims-4-gib",
        Consume,
        |t| packed(t, 2, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1]),
        Fails("Peer::Batch::Codec"),
    ),
    Script::turns(
        "snappy-chunk-of-2-gib",
        Consume,
        |t| packed(t, 2, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\0"),
        Fails("Peer::Batch::Codec"),
    ),
    Script::turns("lz4-block-of-2-gib", Consume, |t| packed(t, 3, LZ4_BLOCK), Fails("Peer::Batch::Codec")),
    Script::turns(
        "zstd-window-of-terabytes",
        Consume,
        |t| packed(t, 4, &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0]),
        Fails(CODEC),
    ),
    Script::turns(
        "zstd-claims-exabytes",
        Consume,
        |t| packed(t, 4, &[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0, 0]),
        Fails(CODEC),
    ),
];

const TOO_LARGE: &str = "TooLarge: Budget::memory.inflate_bytes | TooLarge: Budget::memory.fetch_bytes";
/// Zstd makes so little of zeros that the smallest budget takes it, of a build that may not have the codec.
const TOO_LARGE_OR_OFF: &str = "TooLarge: Budget::memory.inflate_bytes | TooLarge: Budget::memory.fetch_bytes | \
                                   Peer::Batch::Codec::Unsupported";
/// The smallest budget has no room for what inflates these.
const CODEC: &str = "Peer::Batch::Codec | TooLarge: Budget::memory.inflate_bytes";
const NOISE: &[u8] = b"\x1f\x8b\x08 neither this nor that \xff\xfe\xfd\x82SNAP\x04\x22\x4d\x18\x28\xb5\x2f\xfd";
/// A frame's head, and a block that is said to have 2 GiB.
const LZ4_BLOCK: &[u8] = &[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3];

fn flipped(at: usize) -> Vec<u8> {
    let mut batch = sound(0, 2);
    batch[BATCH_HEADER_LEN + at % 10] ^= 1;
    batch
}

/// The third fetch and all later ones bring what the first did.
fn goes_back(t: &mut Turn<'_>) -> io::Result<()> {
    t.old(FETCH, |t| {
        let batch = if t.nth == 0 { batch(2, &[], |h| h.record_count = 0) } else { sound(0, 1) };
        t.records(&batch)
    })
}

/// There is always another batch that compaction has emptied.
fn empty_for_ever(t: &mut Turn<'_>) -> io::Result<()> {
    t.old(FETCH, |t| {
        let from = t.nth as i64;
        t.records(&batch(1, &[], |h| (h.base_offset, h.record_count) = (from, 0)))
    })
}

fn control_first(t: &mut Turn<'_>) -> io::Result<()> {
    t.old(FETCH, |t| {
        let unknown = batch(1, &records(0..1), |h| h.attributes = Attributes::default().with(Attributes::CONTROL));
        t.records(&[unknown, sound(1, 1)].concat())
    })
}
