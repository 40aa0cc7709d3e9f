//! The encoder without `std`, where `zrip` makes its tables anew for every frame.

/// What it takes that does not depend on the batch, besides its hash tables: a list of matches above all.
pub(super) const FIXED_BYTES: usize = 240 * 1024;

pub(super) struct Packer(i32);

impl Packer {
    pub(super) fn new(level: i32) -> Option<Self> {
        Some(Packer(level))
    }

    pub(super) fn level(&self) -> i32 {
        self.0
    }

    /// Writes a frame to the front of `packed`: its length, if there is room for it.
    pub(super) fn pack(&mut self, input: &[u8], packed: &mut [u8]) -> Option<usize> {
        zrip::compress_into(input, packed, self.0).ok()
    }
}
