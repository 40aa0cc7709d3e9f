//! A records field as batches.

use super::{
    BATCH_HEADER_LEN, BatchError, BatchHeader, LOG_OVERHEAD, Records, TimestampType, batch::covered, crc32c::crc32c,
    records::verify,
};
use crate::compress::Codec;

/// Where a batch's format number stands; the same in all formats.
const MAGIC_AT: usize = 16;

/// The batches of a records field, in order.
///
/// A broker fills a response to the byte, so the last batch may be cut short: it ends the iteration without an error,
/// and [`tail`](Batches::tail) and [`needed`](Batches::needed) tell of it. After an error nothing follows, because
/// nobody knows where the next batch would begin.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// The batches of `records`.
    pub const fn new(records: &'a [u8]) -> Self {
        Batches { rest: records, failed: false }
    }

    /// How many bytes are left: when the iteration has ended, those of a batch that is cut short or malformed.
    pub const fn tail(&self) -> usize {
        self.rest.len()
    }

    /// The whole size, in bytes, that the next batch claims, if that is more than there is: what a fetch must be allowed
    /// to return to make progress. `None` if the next batch is whole, too short to tell, or malformed.
    pub fn needed(&self) -> Option<usize> {
        let (_, length) = overhead(self.rest)?;
        let whole = usize::try_from(length).ok()?.checked_add(LOG_OVERHEAD)?;
        (!self.failed && whole > self.rest.len()).then_some(whole)
    }

    fn advance(&mut self) -> Result<Option<BatchView<'a>>, BatchError> {
        let (Some((offset, length)), Some(&magic)) = (overhead(self.rest), self.rest.get(MAGIC_AT)) else {
            return Ok(None);
        };
        // Before the length: a message of format 0 may be shorter than a v2 header.
        if magic != 2 {
            return Err(BatchError::Magic { magic: magic.cast_signed(), offset });
        }
        let whole = usize::try_from(length).ok().and_then(|length| length.checked_add(LOG_OVERHEAD));
        let Some(whole) = whole.filter(|&whole| whole >= BATCH_HEADER_LEN) else {
            return Err(BatchError::Length { offset, length });
        };
        let Some((bytes, rest)) = self.rest.split_at_checked(whole) else { return Ok(None) };
        let header = BatchHeader::read(bytes)?;
        self.rest = rest;
        Ok(Some(BatchView { header, bytes }))
    }
}

/// Base offset and length, which all formats begin with.
fn overhead(bytes: &[u8]) -> Option<(i64, i32)> {
    let (offset, rest) = bytes.split_first_chunk::<8>()?;
    let length = rest.first_chunk::<4>()?;
    Some((i64::from_be_bytes(*offset), i32::from_be_bytes(*length)))
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance();
        self.failed = next.is_err();
        next.transpose()
    }
}

impl core::iter::FusedIterator for Batches<'_> {}

/// One whole batch whose header is sound. Its CRC and its records are not checked yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct BatchView<'a> {
    /// The header.
    pub header: BatchHeader,
    /// The whole batch, header and all.
    pub bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// What follows the header: the records, possibly compressed.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(BATCH_HEADER_LEN..).unwrap_or_default()
    }

    /// Whether the bytes are those that were written.
    ///
    /// # Errors
    /// [`BatchError::Crc`].
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c(covered(self.bytes));
        if computed == self.header.crc {
            return Ok(());
        }
        Err(BatchError::Crc { offset: self.header.base_offset, stored: self.header.crc, computed })
    }

    /// The batch's last offset, whether or not compaction has left a record there.
    pub const fn last_offset(&self) -> i64 {
        self.header.base_offset.saturating_add(self.header.last_offset_delta as i64)
    }

    /// The offset after the batch: where reading goes on. Compaction removes records but not offsets, so it must not be
    /// taken from the last record or the count.
    pub const fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Whether the records are control records, which no application sees.
    pub const fn is_control(&self) -> bool {
        self.header.attributes.is_control()
    }

    /// The records of a batch that is not compressed, after all of them were checked.
    ///
    /// # Errors
    /// [`BatchError::Compressed`] or [`BatchError::Codec`] if they must be inflated first; else as
    /// [`records_of`](BatchView::records_of).
    pub fn records(&self) -> Result<Records<'a>, BatchError> {
        let offset = self.header.base_offset;
        match self.header.attributes.codec() {
            Ok(Codec::None) => self.records_of(self.payload()),
            Ok(codec) => Err(BatchError::Compressed { offset, codec }),
            Err(error) => Err(BatchError::Codec { offset, error }),
        }
    }

    /// The records in `payload`, which is this batch's inflated payload, after all of them were checked: their count,
    /// every length, every offset, and that nothing follows them.
    ///
    /// # Errors
    /// [`BatchError::Count`], [`Record`](BatchError::Record) or [`Trailing`](BatchError::Trailing).
    pub fn records_of<'p>(&self, payload: &'p [u8]) -> Result<Records<'p>, BatchError> {
        verify(&self.header, payload)?;
        Ok(Records::of_verified(&self.header, payload))
    }

    /// Who gave the records their timestamps.
    pub const fn timestamp_type(&self) -> TimestampType {
        self.header.attributes.timestamp_type()
    }
}
