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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Budget, budget::Memory};
    use alloc::{sync::Arc, vec::Vec};

    /// However many of the chunks are summed, it comes to the same as all of it at once.
    #[test]
    fn some_chunks_are_summed_before_the_head_is_known() {
        let budget = Arc::new(Budget::new(Memory::default()));
        let chunks: Vec<Chunk> = (1..=4_u8)
            .map(|fill| {
                let mut chunk = budget.chunk().expect("room");
                chunk.bytes_mut().resize(1_000 * usize::from(fill), fill);
                chunk
            })
            .collect();
        let mut head = Crc::new();
        head.update(b"what stands before");
        let mut all = head;
        chunks.iter().for_each(|chunk| all.update(chunk.bytes()));
        let mut summed = Summed::default();
        for chunk in &chunks {
            assert_eq!(summed.after(head, &chunks), all);
            summed.add(chunk);
        }
        assert_eq!(summed.after(head, &chunks), all);
    }
}
