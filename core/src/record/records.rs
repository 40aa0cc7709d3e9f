//! A batch's records.

use core::str::Utf8Error;

use super::{
    BatchError, BatchHeader, RecordFault, TimestampType,
    varint::{get_raw32, get_raw64, unzigzag},
};

/// The least bytes of a record: length, attributes, timestamp, offset, key, value and headers, one each.
const RECORD_MIN_LEN: usize = 7;

/// Walks all records of `payload` once.
pub(super) fn verify(header: &BatchHeader, payload: &[u8]) -> Result<(), BatchError> {
    let offset = header.base_offset;
    let count = header.record_count as u32;
    if count as usize > payload.len() / RECORD_MIN_LEN {
        return Err(BatchError::Count { offset, count: header.record_count });
    }
    let last_offset_delta = header.last_offset_delta as u32;
    let mut rest = payload;
    for index in 0..count {
        if let Err(fault) = verify_one(&mut rest, last_offset_delta) {
            return Err(BatchError::Record { offset, index, fault });
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(BatchError::Trailing { offset, bytes: rest.len() }) }
}

#[inline(always)]
fn verify_one(rest: &mut &[u8], last_offset_delta: u32) -> Result<(), RecordFault> {
    let mut b = get_bytes(rest).flatten().ok_or(RecordFault::Length)?;
    let b = &mut b;
    // The attributes byte is reserved.
    let (_, fields) = b.split_first().ok_or(RecordFault::Timestamp)?;
    *b = fields;
    get_raw64(b).ok_or(RecordFault::Timestamp)?;
    let delta = get_raw32(b).ok_or(RecordFault::OffsetDelta)?;
    if delta & 1 == 1 || delta >> 1 > last_offset_delta {
        return Err(RecordFault::OffsetDelta);
    }
    get_bytes(b).ok_or(RecordFault::Key)?;
    get_bytes(b).ok_or(RecordFault::Value)?;
    if **b != [0] { verify_headers(b) } else { Ok(()) }
}

fn verify_headers(b: &mut &[u8]) -> Result<(), RecordFault> {
    // However many it says: the first one that is not there ends it.
    let count = get_count(b).ok_or(RecordFault::Headers)?;
    for _ in 0..count {
        get_bytes(b).flatten().ok_or(RecordFault::Headers)?;
        get_bytes(b).ok_or(RecordFault::Headers)?;
    }
    if b.is_empty() { Ok(()) } else { Err(RecordFault::Trailing) }
}

/// A count that is not negative.
#[inline(always)]
fn get_count(b: &mut &[u8]) -> Option<u32> {
    get_raw32(b).filter(|raw| raw & 1 == 0).map(|raw| raw >> 1)
}

/// A length and as many bytes; the inner `None` is null, for which Java takes any negative length.
#[inline(always)]
fn get_bytes<'a>(b: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let raw = get_raw32(b)?;
    if raw & 1 == 1 {
        return Some(None);
    }
    let (bytes, rest) = b.split_at_checked((raw >> 1) as usize)?;
    *b = rest;
    Some(Some(bytes))
}

/// The records of one batch, in order.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: u32,
    base_offset: i64,
    /// Under LogAppendTime the batch's own timestamp, and then `delta_mask` is 0; else the base and all ones.
    timestamp: i64,
    delta_mask: i64,
}

impl<'a> Records<'a> {
    /// The records in `payload`, which [`records_of`](super::BatchView::records_of) has accepted for this header before.
    /// On other bytes the iteration ends early, at the first record that cannot be read.
    pub const fn of_verified(header: &BatchHeader, payload: &'a [u8]) -> Self {
        let (timestamp, delta_mask) = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => (header.base_timestamp, -1),
            TimestampType::LogAppendTime => (header.max_timestamp, 0),
        };
        let left = header.record_count as u32;
        Records { rest: payload, left, base_offset: header.base_offset, timestamp, delta_mask }
    }

    #[inline(always)]
    fn read(&mut self) -> Option<RecordView<'a>> {
        let mut b = get_bytes(&mut self.rest)??;
        let (_, fields) = b.split_first()?;
        b = fields;
        let timestamp_delta = unzigzag(get_raw64(&mut b)?);
        let offset_delta = get_raw32(&mut b)? >> 1;
        let key = get_bytes(&mut b)?;
        let value = get_bytes(&mut b)?;
        Some(RecordView {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            // Wraps like Java's: a batch may hold the first and the last moment, and their distance has no room.
            timestamp: self.timestamp.wrapping_add(timestamp_delta & self.delta_mask),
            key,
            value,
            headers: b,
            timestamp_type: match self.delta_mask {
                0 => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    #[inline]
    fn next(&mut self) -> Option<RecordView<'a>> {
        self.left = self.left.checked_sub(1)?;
        let record = self.read();
        if record.is_none() {
            self.left = 0;
        }
        record
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Records<'_> {}
impl core::iter::FusedIterator for Records<'_> {}

/// One record, borrowed from the bytes that the broker sent.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    offset: i64,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    /// The count and what follows it.
    headers: &'a [u8],
    timestamp_type: TimestampType,
}

impl<'a> RecordView<'a> {
    /// The offset in its partition.
    #[inline]
    pub const fn offset(&self) -> i64 {
        self.offset
    }

    /// Milliseconds since 1970-01-01 UTC; −1 if nobody gave one.
    #[inline]
    pub const fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Who gave that time: the record's producer, or the broker when it appended the record
    /// (`message.timestamp.type`).
    #[inline]
    pub const fn timestamp_type(&self) -> TimestampType {
        self.timestamp_type
    }

    /// The key. Null and empty differ.
    #[inline]
    pub const fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// The value. Null, a tombstone in a compacted topic, and empty differ.
    #[inline]
    pub const fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// The headers, in the order they were written in, with duplicates.
    #[inline]
    pub fn headers(&self) -> Headers<'a> {
        let mut rest = self.headers;
        let left = get_count(&mut rest).unwrap_or(0);
        Headers { rest, left }
    }
}

/// The headers of one record, in order.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = RecordHeader<'a>;

    #[inline]
    fn next(&mut self) -> Option<RecordHeader<'a>> {
        self.left = self.left.checked_sub(1)?;
        let key_bytes = get_bytes(&mut self.rest)??;
        let value = get_bytes(&mut self.rest)?;
        Some(RecordHeader { key_bytes, value })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// One header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RecordHeader<'a> {
    /// The name as it was sent. Kafka says UTF-8, but no broker checks it.
    pub key_bytes: &'a [u8],
    /// The value. Null and empty differ.
    pub value: Option<&'a [u8]>,
}

impl<'a> RecordHeader<'a> {
    /// The name.
    ///
    /// # Errors
    /// If the bytes are not UTF-8.
    pub const fn key(&self) -> Result<&'a str, Utf8Error> {
        core::str::from_utf8(self.key_bytes)
    }
}
