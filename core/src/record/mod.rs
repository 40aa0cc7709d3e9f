//! Record batches, format v2 (KIP-98): writing one, and reading what a broker sends.
//!
//! Documented as unstable: this is the seam for the test broker and for fuzzing, not for applications.
//!
//! Reading is two steps. [`Batches`] splits a records field into [`BatchView`]s; [`BatchView::records`] then walks all
//! records of a batch once and checks every length, so that iterating over [`RecordView`]s afterwards cannot fail.
//! Nothing here allocates on a broker's word.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod batch;
mod control;
pub mod crc32c;
mod encode;
mod error;
mod records;
#[cfg(test)]
mod tests;
pub mod varint;
mod view;

pub(crate) use batch::seal_crc_over;
pub use batch::{
    Attributes, BATCH_HEADER_LEN, BatchHeader, LOG_OVERHEAD, TimestampType, next_sequence, seal_crc, stamp_producer,
};
pub use control::ControlType;
pub use encode::{Header, RecordParts, encode_record, encode_record_pieces, record_size, record_size_max};
pub use error::{BatchError, RecordFault};
pub use records::{Headers, RecordHeader, RecordView, Records};
pub use view::{BatchView, Batches};
