//! The CRC of a batch's records, as far as their chunks are full.
//!
//! It is taken when a chunk has just been filled and is in the processor's cache still; by the time the batch is sent it may
//! be in memory only. What the CRC covers before the records is known later, and put before it then.

use crate::{budget::Chunk, record::crc32c::Crc};

/// Of the first chunks of a batch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Summed {
    crc: Crc,
    chunks: u32,
}

impl Summed {
    /// The next chunk, which is full.
    pub(super) fn add(&mut self, chunk: &Chunk) {
        self.crc.update(chunk.bytes());
        self.chunks += 1;
    }

    /// `head`, continued over all chunks, of which the first are summed.
    pub(super) fn after(&self, head: Crc, chunks: &[Chunk]) -> Crc {
        let (summed, others) = chunks.split_at((self.chunks as usize).min(chunks.len()));
        let len = summed.iter().map(|chunk| chunk.bytes().len()).sum();
        let mut crc = if len == 0 { head } else { head.then(self.crc, len) };
        others.iter().for_each(|chunk| crc.update(chunk.bytes()));
        crc
    }
}
