//! What compressors count as in the memory plan.

/// What a `T` counts as in the memory plan: as much on every machine, whatever its pointers are, so that a client does the same on all.
pub(super) const fn fixed<T>(bytes: usize) -> usize {
    assert!(size_of::<T>() <= bytes, "it is larger");
    bytes
}
