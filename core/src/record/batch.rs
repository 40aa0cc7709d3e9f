//! A batch's header: 61 bytes in front of its records.

use super::{BatchError, crc32c::Crc};
use crate::compress::{Codec, CodecError};

/// The bytes of a batch's header.
pub const BATCH_HEADER_LEN: usize = 61;
/// The bytes that a batch's length field does not count: the base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// Where what the CRC covers begins: at the attributes.
const CRC_FROM: usize = 21;
/// The least that the length field may say.
const LENGTH_MIN: i32 = (BATCH_HEADER_LEN - LOG_OVERHEAD) as i32;

/// Who gave the records of a batch their timestamps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// The producer, each record its own.
    CreateTime,
    /// The broker, when it appended the batch: one for all records.
    LogAppendTime,
}

/// The attributes of a batch, as the wire has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    /// The bit for [`TimestampType::LogAppendTime`].
    pub const LOG_APPEND_TIME: i16 = 1 << 3;
    /// The bit of a batch inside a transaction.
    pub const TRANSACTIONAL: i16 = 1 << 4;
    /// The bit of a batch of control records.
    pub const CONTROL: i16 = 1 << 5;
    /// The bit that makes the base timestamp the time from which tombstones may be deleted (KIP-534).
    pub const DELETE_HORIZON: i16 = 1 << 6;

    /// The attributes of an ordinary batch.
    pub const fn of(codec: Codec) -> Attributes {
        Attributes(codec.id() as i16)
    }

    /// These attributes and `bits` more.
    #[must_use]
    pub const fn with(self, bits: i16) -> Attributes {
        Attributes(self.0 | bits)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`CodecError::UnknownId`].
    pub const fn codec(self) -> Result<Codec, CodecError> {
        Codec::from_id((self.0 & 7) as u8)
    }

    /// These attributes without a codec.
    #[must_use]
    pub const fn plain(self) -> Attributes {
        Attributes(self.0 & !7)
    }

    /// Who gave the timestamps.
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the records belong to a transaction.
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the records are control records, which no application sees.
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon. The records' timestamps are relative to it all the same.
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }
}

/// A batch's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// The first record's offset, or what it was before compaction. A producer writes 0.
    pub base_offset: i64,
    /// The bytes of the batch after this field.
    pub batch_length: i32,
    /// The leader's epoch when it appended the batch; −1 in a producer's batch, and unknown then.
    pub partition_leader_epoch: i32,
    /// The format: 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes to the batch's end.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// The last offset, relative to the base. Compaction keeps it when it removes that record.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to, in ms.
    pub base_timestamp: i64,
    /// The greatest timestamp, in ms, not the last.
    pub max_timestamp: i64,
    /// The producer's id, or −1 without idempotence.
    pub producer_id: i64,
    /// The producer's epoch, or −1.
    pub producer_epoch: i16,
    /// The first record's sequence number, or −1.
    pub base_sequence: i32,
    /// How many records follow. After compaction it may be 0.
    pub record_count: i32,
}

impl BatchHeader {
    /// The header as it goes over the wire, with the `crc` it has: [`seal_crc`] sets the right one.
    pub fn write(&self) -> [u8; BATCH_HEADER_LEN] {
        let mut out = [0; BATCH_HEADER_LEN];
        out[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        out[16..17].copy_from_slice(&self.magic.to_be_bytes());
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
        out
    }

    /// Reads the header at the front of `bytes`, and checks what can be checked without the records: after it, offsets
    /// and the count are not negative and their sums do not overflow.
    ///
    /// # Errors
    /// [`BatchError::Truncated`], [`Magic`](BatchError::Magic), [`Length`](BatchError::Length),
    /// [`Offsets`](BatchError::Offsets) or [`Count`](BatchError::Count).
    pub fn read(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(header) = Self::parse(bytes) else {
            return Err(BatchError::Truncated { needed: BATCH_HEADER_LEN, have: bytes.len() });
        };
        let (offset, last_offset_delta) = (header.base_offset, header.last_offset_delta);
        if header.magic != 2 {
            return Err(BatchError::Magic { magic: header.magic, offset });
        }
        if header.batch_length < LENGTH_MIN {
            return Err(BatchError::Length { offset, length: header.batch_length });
        }
        // The offset after the last must exist too: it is where the next fetch begins.
        let next = offset.checked_add(i64::from(last_offset_delta)).and_then(|last| last.checked_add(1));
        if offset < 0 || last_offset_delta < 0 || next.is_none() {
            return Err(BatchError::Offsets { offset, last_offset_delta });
        }
        let count = header.record_count;
        if count < 0 || count.wrapping_sub(1) > last_offset_delta {
            return Err(BatchError::Count { offset, count });
        }
        Ok(header)
    }

    fn parse(mut bytes: &[u8]) -> Option<BatchHeader> {
        let b = &mut bytes;
        Some(BatchHeader {
            base_offset: i64::from_be_bytes(take(b)?),
            batch_length: i32::from_be_bytes(take(b)?),
            partition_leader_epoch: i32::from_be_bytes(take(b)?),
            magic: i8::from_be_bytes(take(b)?),
            crc: u32::from_be_bytes(take(b)?),
            attributes: Attributes(i16::from_be_bytes(take(b)?)),
            last_offset_delta: i32::from_be_bytes(take(b)?),
            base_timestamp: i64::from_be_bytes(take(b)?),
            max_timestamp: i64::from_be_bytes(take(b)?),
            producer_id: i64::from_be_bytes(take(b)?),
            producer_epoch: i16::from_be_bytes(take(b)?),
            base_sequence: i32::from_be_bytes(take(b)?),
            record_count: i32::from_be_bytes(take(b)?),
        })
    }
}

#[inline(always)]
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

/// Computes the CRC over `header` and the records behind it, given in pieces, and writes it into `header`. It must be
/// called again after anything from the attributes on has changed, [`stamp_producer`] included.
pub fn seal_crc<'a>(header: &mut [u8; BATCH_HEADER_LEN], body: impl Iterator<Item = &'a [u8]>) {
    seal_crc_over(header, |mut crc| {
        body.for_each(|piece| crc.update(piece));
        crc
    });
}

/// The same with the records' part given as what continues the CRC over them.
pub(crate) fn seal_crc_over(header: &mut [u8; BATCH_HEADER_LEN], records: impl FnOnce(Crc) -> Crc) {
    let mut head = Crc::new();
    head.update(&header[CRC_FROM..]);
    header[17..21].copy_from_slice(&records(head).finish().to_be_bytes());
}

/// Writes another producer id, epoch and first sequence number into a header, for a batch that is sent again after its
/// producer's epoch was raised (KIP-360). [`seal_crc`] must follow.
pub fn stamp_producer(header: &mut [u8; BATCH_HEADER_LEN], id: i64, epoch: i16, base_sequence: i32) {
    header[43..51].copy_from_slice(&id.to_be_bytes());
    header[51..53].copy_from_slice(&epoch.to_be_bytes());
    header[53..57].copy_from_slice(&base_sequence.to_be_bytes());
}

/// What the CRC of a whole batch covers.
pub(super) fn covered(batch: &[u8]) -> &[u8] {
    batch.get(CRC_FROM..).unwrap_or_default()
}

/// The sequence number `n` records after `sequence`: after `i32::MAX` comes 0. Neither may be negative.
pub const fn next_sequence(sequence: i32, n: i32) -> i32 {
    sequence.wrapping_add(n) & i32::MAX
}
