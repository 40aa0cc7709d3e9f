//! What may be wrong with a batch.

use crate::compress::{Codec, CodecError};

/// Why a batch, or what was said to be one, cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A message set of a format before v2, which brokers before 4.0 may still keep, or a format that does not exist.
    #[error("batch at offset {offset}: format {magic} is not supported, only 2 is")]
    Magic {
        /// The format's number.
        magic: i8,
        /// The batch's base offset.
        offset: i64,
    },
    /// The batch says it is shorter than its own header.
    #[error("batch at offset {offset}: impossible length {length}")]
    Length {
        /// The batch's base offset.
        offset: i64,
        /// What its length field says.
        length: i32,
    },
    /// There are fewer bytes than the batch has.
    #[error("a batch of {needed} bytes is cut short to {have}")]
    Truncated {
        /// How many bytes there should be.
        needed: usize,
        /// How many there are.
        have: usize,
    },
    /// A negative offset, or more offsets than there are.
    #[error("batch at offset {offset}: impossible last offset delta {last_offset_delta}")]
    Offsets {
        /// The batch's base offset.
        offset: i64,
        /// The last offset, relative to the base.
        last_offset_delta: i32,
    },
    /// A negative count, or more records than offsets or bytes.
    #[error("batch at offset {offset}: impossible record count {count}")]
    Count {
        /// The batch's base offset.
        offset: i64,
        /// What its count field says.
        count: i32,
    },
    /// The bytes are not those that were written.
    #[error("batch at offset {offset}: CRC-32C is {computed:#010x}, not {stored:#010x}")]
    Crc {
        /// The batch's base offset.
        offset: i64,
        /// What the batch says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// The records are compressed: inflate them first and use [`records_of`](super::BatchView::records_of).
    #[error("batch at offset {offset}: compressed with {codec}")]
    Compressed {
        /// The batch's base offset.
        offset: i64,
        /// How.
        codec: Codec,
    },
    /// The records cannot be inflated.
    #[error("batch at offset {offset}: {error}")]
    Codec {
        /// The batch's base offset.
        offset: i64,
        /// Why.
        error: CodecError,
    },
    /// A record is malformed.
    #[error("batch at offset {offset}: record {index} is malformed: {fault}")]
    Record {
        /// The batch's base offset.
        offset: i64,
        /// Which record, counted from 0.
        index: u32,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// Bytes follow the last record.
    #[error("batch at offset {offset}: {bytes} bytes after its last record")]
    Trailing {
        /// The batch's base offset.
        offset: i64,
        /// How many.
        bytes: usize,
    },
}

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// Its length is negative or beyond the batch's end.
    #[error("its length")]
    Length,
    /// Its attributes or timestamp are cut short or no number.
    #[error("its timestamp")]
    Timestamp,
    /// Its offset delta is cut short, negative, or beyond the batch's last.
    #[error("its offset delta")]
    OffsetDelta,
    /// Its key is longer than the record.
    #[error("its key")]
    Key,
    /// Its value is longer than the record.
    #[error("its value")]
    Value,
    /// Its headers are more or longer than the record, or one has no key.
    #[error("its headers")]
    Headers,
    /// Bytes follow its last header.
    #[error("bytes after its last header")]
    Trailing,
}
