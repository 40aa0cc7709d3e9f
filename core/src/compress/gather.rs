//! Input that comes in pieces, gathered into one.

use alloc::vec::Vec;

/// Appends with a capacity that doubles up to `most`, and not beyond.
pub(super) fn gather(kept: &mut Vec<u8>, more: &[u8], most: usize) {
    let len = kept.len().saturating_add(more.len());
    if len > kept.capacity() {
        let capacity = len.next_power_of_two().min(most).max(len);
        kept.reserve_exact(capacity.saturating_sub(kept.len()));
    }
    kept.extend_from_slice(more);
}

/// The capacity that [`gather`] comes to for an input of `bytes`, and what it was before, which lives on while it is moved.
pub(super) const fn gathered(bytes: usize, most: usize) -> usize {
    let full = match bytes.checked_next_power_of_two() {
        Some(power) if power < most => power,
        _ => most,
    };
    full.saturating_add(full / 2)
}
