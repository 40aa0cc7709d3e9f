//! What the codecs that are written here share: words at any place, matches, blocks.

use alloc::vec::Vec;

use super::{CodecError, gather::gather};

/// `N` bytes at `at`; zeros beyond the end, where callers have no business: cheaper than an error that cannot happen.
#[inline(always)]
pub(super) fn load<const N: usize>(src: &[u8], at: usize) -> [u8; N] {
    match src.get(at..at.wrapping_add(N)) {
        Some(bytes) => bytes.try_into().unwrap_or([0; N]),
        None => [0; N],
    }
}

/// Four bytes at `at`, as [`load`] does.
#[inline(always)]
pub(super) fn load_u32(src: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(load(src, at))
}

/// Eight bytes at `at`, as [`load`] does.
#[inline(always)]
pub(super) fn load_u64(src: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(load(src, at))
}

/// How many bytes from `a` and from `b` on are the same, before `end`; `b` lies behind `a`.
#[inline(always)]
pub(super) fn same(src: &[u8], mut a: usize, b: usize, end: usize) -> usize {
    let mut at = b;
    while at.wrapping_add(8) <= end {
        let differ = load_u64(src, a) ^ load_u64(src, at);
        if differ != 0 {
            return at.wrapping_sub(b).wrapping_add(differ.trailing_zeros() as usize >> 3);
        }
        (a, at) = (a.wrapping_add(8), at.wrapping_add(8));
    }
    while at < end && src.get(a) == src.get(at) {
        (a, at) = (a.wrapping_add(1), at.wrapping_add(1));
    }
    at.wrapping_sub(b)
}

/// Hands the pieces of `src` on as blocks of `size` bytes, the last one shorter. `kept` gathers those that lie in several
/// pieces; it never holds more than `size`, nor more than twice the input.
pub(super) fn in_blocks(
    src: &mut dyn Iterator<Item = &[u8]>,
    kept: &mut Vec<u8>,
    size: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    kept.clear();
    for mut piece in src {
        while !piece.is_empty() {
            if kept.is_empty()
                && let Some((block, rest)) = piece.split_at_checked(size)
            {
                each(block)?;
                piece = rest;
                continue;
            }
            let (more, rest) = piece.split_at(piece.len().min(size.saturating_sub(kept.len())));
            gather(kept, more, size);
            piece = rest;
            if kept.len() == size {
                each(kept)?;
                kept.clear();
            }
        }
    }
    if kept.is_empty() { Ok(()) } else { each(kept) }
}
