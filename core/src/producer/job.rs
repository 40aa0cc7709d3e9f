//! Compressing a batch, as work that can be done anywhere.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{batch::BatchBody, packer::Packer, shared::Place};
use crate::{budget::Chunk, sync::Arc};

/// Work that a transport may do in another thread: compressing a batch, which takes milliseconds for one of 1 MB. It has
/// with it all that it takes, memory included, and stays what it is wherever it is dropped: its batch is sent as it is then
/// only when its client ends.
pub struct Job(Box<Packing>);

/// A batch, what compresses it, and what that came to.
pub(super) struct Packing {
    /// Whose it is.
    pub(super) slot: usize,
    pub(super) place: Place,
    pub(super) number: u64,
    pub(super) packer: Packer,
    pub(super) body: Arc<BatchBody>,
    /// `None`: not done, or no smaller.
    pub(super) packed: Option<Vec<Chunk>>,
}

impl Job {
    pub(super) fn new(packing: Packing) -> Job {
        Job(Box::new(packing))
    }

    /// Does it. A second time does nothing new.
    pub fn run(&mut self) {
        let Packing { packer, body, packed, .. } = &mut *self.0;
        if packed.is_none() {
            *packed = packer.pack(body.len(), &mut body.chunks());
        }
    }

    pub(crate) fn slot(&self) -> usize {
        self.0.slot
    }

    pub(super) fn into_packing(self) -> Packing {
        *self.0
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("bytes", &self.0.body.len()).finish_non_exhaustive()
    }
}

/// It goes to another thread in every build.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Job>();
};
