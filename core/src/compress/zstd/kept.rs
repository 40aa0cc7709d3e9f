//! The encoder under `std`, where `zrip` has one that keeps its tables.

use zrip::CompressContext;

/// What it keeps that does not depend on the batch, besides its hash tables.
pub(super) const FIXED_BYTES: usize = 48 * 1024;

pub(super) struct Packer(CompressContext);

impl Packer {
    pub(super) fn new(level: i32) -> Option<Self> {
        let mut context = CompressContext::new(level).ok()?;
        // The batch has a checksum of its own.
        context.set_content_checksum(false);
        Some(Packer(context))
    }

    pub(super) fn level(&self) -> i32 {
        self.0.level()
    }

    /// Writes a frame to the front of `packed`: its length, if there is room for it.
    pub(super) fn pack(&mut self, input: &[u8], packed: &mut [u8]) -> Option<usize> {
        self.0.compress_into(input, packed).ok()
    }
}
