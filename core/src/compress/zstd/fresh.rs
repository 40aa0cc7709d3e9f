//! The encoder without `std`, where `zrip` makes its tables anew for every frame.

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
