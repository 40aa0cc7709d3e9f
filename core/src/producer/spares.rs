//! What batches leave behind for their successors, so that a batch asks for little memory.

use alloc::vec::Vec;

use super::{
    batch::{BatchBody, OpenBatch},
    packer::Packer,
    summed::Summed,
};
use crate::{budget::Chunk, sync::Arc};

/// So many batches leave something behind; more are seldom settled before the next is sealed. It is part of what the memory plan
/// counts for a producer.
pub(super) const SPARES_MAX: usize = 3;

/// The shells of batches that are settled: their records' memory has gone back to the budget.
#[derive(Default)]
pub(super) struct Spares {
    bodies: Vec<Arc<BatchBody>>,
    /// Empty lists, for the handles to put chunks into.
    pub(super) lists: Vec<Vec<Chunk>>,
}

impl Spares {
    /// The records of a batch that was sealed, in a shell.
    pub(super) fn body(&mut self, open: &mut OpenBatch) -> Arc<BatchBody> {
        let chunks = core::mem::take(&mut open.chunks);
        let Some(mut body) = self.bodies.pop() else { return Arc::new(BatchBody::of(chunks, open.summed)) };
        match Arc::get_mut(&mut body) {
            Some(shell) => {
                let list = shell.replace(chunks, open.summed);
                if self.lists.len() < SPARES_MAX {
                    self.lists.push(list);
                }
                body
            }
            None => Arc::new(BatchBody::of(chunks, open.summed)),
        }
    }

    /// Takes a batch that is settled apart, if the connection has let go of it: what the packers lack is theirs, the rest of
    /// the memory is the budget's again.
    pub(super) fn reclaim(&mut self, mut body: Arc<BatchBody>, packers: &mut [Packer]) {
        let Some(shell) = Arc::get_mut(&mut body) else { return };
        let mut chunks = shell.empty();
        packers.iter_mut().for_each(|packer| packer.refill(&mut chunks));
        chunks.clear();
        shell.replace(chunks, Summed::default());
        if self.bodies.len() < SPARES_MAX {
            self.bodies.push(body);
        }
    }
}
