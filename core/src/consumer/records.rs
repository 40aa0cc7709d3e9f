//! Records as the application gets them: borrowed from the very buffer that they were read into.

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use bytes::Bytes;

use super::{
    aborted::COMMITTED_ONLY,
    inflate::{Inflater, Stuck},
    shared::Fetched,
};
use crate::{
    Error,
    budget::{Budget, Class},
    compress::Codec,
    error::PeerFault,
    record::{self, BatchError, BatchView, Batches, RecordView, TimestampType},
    sync::Arc,
};

/// Records of one partition, in order.
///
/// They lie in the memory of the fetch that brought them or, if they were compressed, in memory of their own. It counts as
/// held until this is dropped: keeping many pushes back on fetching. [`to_owned`](Records::to_owned) copies what is to be kept and lets go of the rest.
#[derive(Clone)]
pub struct Records {
    topic: Arc<str>,
    partition: i32,
    /// Whole batches, checked.
    bytes: Bytes,
    /// Records before it were not asked for: a broker gives whole batches (trap 22).
    start: i64,
    next_offset: i64,
    high_watermark: i64,
    len: usize,
}

/// Why a piece cannot be handed out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// What came is not what was sent: it may be asked for again.
    Damaged(BatchError),
    /// So many bytes of the Inflate class must come back first.
    Room(usize),
    /// The batch with these offsets takes at least `needed` bytes when it is inflated, and there can never be more than
    /// `limit`.
    Never { first: i64, last: i64, needed: usize, limit: usize },
    /// The batch came as it was written, and cannot be read.
    Unreadable(BatchError),
}

impl Refusal {
    /// What the application is told of a piece that begins at an offset.
    pub(crate) fn into_error(self, topic: &str, partition: i32, offset: i64, budget: &Budget) -> Error {
        match self {
            Refusal::Never { first, last, needed, limit } => {
                let knob = Class::Inflate.knob();
                let because = Error::Budget { class: Class::Inflate, needed, limit, knob };
                let what = alloc::format!("the batch of {topic}-{partition} with offsets {first} to {last}, inflated,");
                Error::TooLarge { what, because: Box::new(because), next_offset: last.checked_add(1) }
            }
            Refusal::Damaged(error) | Refusal::Unreadable(error) => {
                let fault = PeerFault::Batch { topic: topic.into(), partition, offset, error };
                Error::Peer { address: "fetched records".into(), fault }
            }
            Refusal::Room(needed) => budget.refuse(Class::Inflate, needed),
        }
    }
}

/// What a piece begins with: neighbouring batches that are not compressed, or one that is, behind what is left out.
struct Part {
    left_out: usize,
    bytes: usize,
    next_offset: i64,
    /// Plain records.
    len: usize,
}

impl Records {
    /// Takes the first part of a piece: neighbouring plain batches, or one compressed batch, inflated. Checks every CRC
    /// and every length, once, so that iterating cannot fail. Answers what is left of the piece, too.
    pub(crate) fn open(
        topic: &Arc<str>,
        partition: i32,
        from: &Fetched,
        inflater: &mut Inflater,
    ) -> Result<(Records, Option<Fetched>), Refusal> {
        let mut part = plain_part(from).map_err(Refusal::Damaged)?;
        let wanted = from.bytes.slice(part.left_out..);
        let mut bytes = wanted.slice(..part.bytes);
        if part.bytes == 0
            && let Some(packed) = Batches::new(&wanted).next()
        {
            let packed = packed.map_err(Refusal::Damaged)?;
            packed.check_crc().map_err(Refusal::Damaged)?;
            bytes = inflate(&packed, inflater)?;
            let len = count(&bytes, from.start).map_err(Refusal::Unreadable)?;
            part = Part { bytes: packed.bytes.len(), next_offset: packed.next_offset(), len, ..part };
        }
        let next_offset = part.next_offset.max(from.start);
        let (rest, aborted) = (wanted.slice(part.bytes..), from.aborted.clone());
        let more = part.bytes > 0 && !rest.is_empty();
        let rest = more.then_some(Fetched { bytes: rest, start: next_offset, aborted, ..*from });
        let records = Records {
            topic: Arc::clone(topic),
            partition,
            bytes,
            start: from.start,
            next_offset: if rest.is_some() { next_offset } else { from.next_offset },
            high_watermark: from.high_watermark,
            len: part.len,
        };
        Ok((records, rest))
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The offset to go on from: after the last record, and after whatever the log has in its place (control records,
    /// compacted ones).
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The partition's high watermark when this was fetched: the offset after the newest record that consumers may
    /// see.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The records, borrowed.
    pub fn iter(&self) -> RecordsIter<'_> {
        RecordsIter { batches: Batches::new(&self.bytes), current: None, start: self.start }
    }

    /// Copies of all records, free of the fetch's memory.
    pub fn to_owned(&self) -> Vec<OwnedRecord> {
        self.iter().map(|r| OwnedRecord::new(&r)).collect()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = RecordView<'a>;
    type IntoIter = RecordsIter<'a>;

    fn into_iter(self) -> RecordsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("len", &self.len)
            .field("next_offset", &self.next_offset)
            .finish()
    }
}

/// The records of [`Records`], borrowed.
pub struct RecordsIter<'a> {
    batches: Batches<'a>,
    current: Option<record::Records<'a>>,
    start: i64,
}

impl<'a> Iterator for RecordsIter<'a> {
    type Item = RecordView<'a>;

    #[inline]
    fn next(&mut self) -> Option<RecordView<'a>> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(record) = current.next()
            {
                if record.offset() >= self.start {
                    return Some(record);
                }
                continue;
            }
            self.current = Some(self.next_batch()?);
        }
    }
}

impl<'a> RecordsIter<'a> {
    fn next_batch(&mut self) -> Option<record::Records<'a>> {
        loop {
            // Every batch was checked before, so an error cannot come here.
            let batch: BatchView<'a> = self.batches.next()?.ok()?;
            if !batch.is_control() && batch.header.attributes.codec() == Ok(Codec::None) {
                return Some(record::Records::of_verified(&batch.header, batch.payload()));
            }
        }
    }
}

/// Whether a batch's records must be inflated before they can be handed out.
fn is_packed(batch: &BatchView<'_>) -> bool {
    let header = &batch.header;
    header.attributes.codec() != Ok(Codec::None) && !batch.is_control() && header.record_count > 0
}

/// Checks the plain batches at the front of a piece, up to one that is left out; none if a compressed one comes first.
fn plain_part(from: &Fetched) -> Result<Part, BatchError> {
    let mut part = Part { left_out: 0, bytes: 0, next_offset: from.start, len: 0 };
    for batch in Batches::new(&from.bytes) {
        let batch = batch?;
        let leaves_out =
            COMMITTED_ONLY.may_be() && from.aborted.as_ref().is_some_and(|aborted| aborted.leaves_out(&batch));
        if leaves_out && part.bytes == 0 {
            // Damaged it might be somebody else's.
            batch.check_crc()?;
            part.left_out += batch.bytes.len();
            part.next_offset = batch.next_offset();
            continue;
        }
        if leaves_out || is_packed(&batch) {
            break;
        }
        batch.check_crc()?;
        part.bytes += batch.bytes.len();
        part.next_offset = batch.next_offset();
        if !batch.is_control() && batch.header.record_count > 0 {
            part.len += count_from(&batch, batch.records()?, from.start);
        }
    }
    Ok(part)
}

fn inflate(packed: &BatchView<'_>, inflater: &mut Inflater) -> Result<Bytes, Refusal> {
    let (first, last) = (packed.header.base_offset, packed.last_offset());
    let unreadable = |error| Refusal::Unreadable(BatchError::Codec { offset: first, error });
    let codec = packed.header.attributes.codec().map_err(unreadable)?;
    inflater.inflate(packed, codec).map_err(|stuck| match stuck {
        Stuck::Room(needed) => Refusal::Room(needed),
        Stuck::Never { needed, limit } => Refusal::Never { first, last, needed, limit },
        Stuck::Codec(error) => unreadable(error),
    })
}

/// The records of an inflated batch, all checked, from an offset on.
fn count(inflated: &[u8], start: i64) -> Result<usize, BatchError> {
    let mut len = 0;
    for batch in Batches::new(inflated) {
        let batch = batch?;
        len += count_from(&batch, batch.records()?, start);
    }
    Ok(len)
}

/// How many records there are from an offset on.
fn count_from(batch: &BatchView<'_>, records: record::Records<'_>, start: i64) -> usize {
    if batch.header.base_offset >= start { records.len() } else { records.filter(|r| r.offset() >= start).count() }
}

/// A record with memory of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OwnedRecord {
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970-01-01 UTC; −1: unknown.
    pub timestamp_ms: i64,
    /// Who gave that time: the record's producer, or the broker when it appended the record.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<OwnedHeader>,
}

/// A header with memory of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OwnedHeader {
    /// The name. Kafka says UTF-8; what is not is shown with replacement characters.
    pub key: String,
    /// The value.
    pub value: Option<Vec<u8>>,
}

impl OwnedRecord {
    fn new(record: &RecordView<'_>) -> Self {
        OwnedRecord {
            offset: record.offset(),
            timestamp_ms: record.timestamp(),
            timestamp_type: record.timestamp_type(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record
                .headers()
                .map(|h| OwnedHeader {
                    key: String::from_utf8_lossy(h.key_bytes).to_string(),
                    value: h.value.map(<[u8]>::to_vec),
                })
                .collect(),
        }
    }
}
