//! A raw block's inflation.

use super::super::words::load;

/// What a copy's tag byte says: its length in bits 0 to 7, the high bits of a short offset in bits 8 to 10 where they
/// belong, and how many bytes of offset follow in bits 11 to 13.
static COPIES: [u16; 256] = copies();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn copies() -> [u16; 256] {
    let mut copies = [0; 256];
    let mut tag = 0u16;
    while tag < 256 {
        copies[tag as usize] = match tag & 3 {
            1 => (4 + (tag >> 2 & 7)) | (tag >> 5) << 8 | 1 << 11,
            2 => (1 + (tag >> 2)) | 2 << 11,
            3 => (1 + (tag >> 2)) | 4 << 11,
            _ => 0,
        };
        tag += 1;
    }
    copies
}

/// Inflates `src`, a block behind its length, into exactly `out`. `None` if it holds anything else.
pub(super) fn inflate(src: &[u8], out: &mut [u8]) -> Option<()> {
    let (mut s, mut d) = (0usize, 0usize);
    while let Some(&tag) = src.get(s) {
        s = s.wrapping_add(1);
        if tag & 3 == 0 {
            (s, d) = literal(src, s, tag, out, d)?;
            continue;
        }
        let copy = usize::from(COPIES.get(usize::from(tag)).copied().unwrap_or(0));
        let (len, more) = (copy & 0xff, copy >> 11);
        let low = match src.get(s..s.wrapping_add(4)) {
            Some(bytes) => u32::from_le_bytes(load(bytes, 0)),
            None => at_the_end(src.get(s..s.wrapping_add(more))?),
        };
        let low = low & u32::MAX.wrapping_shr(32u32.wrapping_sub((more as u32).wrapping_mul(8)));
        s = s.wrapping_add(more);
        let offset = (copy & 0x700).wrapping_add(low as usize);
        d = repeat(out, d, offset, len)?;
    }
    (d == out.len()).then_some(())
}

#[cold]
fn at_the_end(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |low, &byte| low << 8 | u32::from(byte))
}

/// Copies a literal: where input and output go on.
#[inline(always)]
fn literal(src: &[u8], mut s: usize, tag: u8, out: &mut [u8], d: usize) -> Option<(usize, usize)> {
    let mut len = usize::from(tag >> 2).wrapping_add(1);
    if len <= 16
        && let (Some(from), Some(to)) = (src.get(s..s.wrapping_add(16)), out.get_mut(d..d.wrapping_add(16)))
    {
        // A fixed length, although less may count, because that is one instruction.
        to.copy_from_slice(from);
        return Some((s.wrapping_add(len), d.wrapping_add(len)));
    }
    if len <= 60
        && let (Some(from), Some(to)) = (src.get(s..s.wrapping_add(64)), out.get_mut(d..d.wrapping_add(64)))
    {
        to.copy_from_slice(from);
        return Some((s.wrapping_add(len), d.wrapping_add(len)));
    }
    if len > 60 {
        let more = len.wrapping_sub(60);
        let value = src.get(s..s.wrapping_add(more))?;
        len = (at_the_end(value) as usize).checked_add(1)?;
        s = s.wrapping_add(more);
    }
    let (from, to) = (s.checked_add(len)?, d.checked_add(len)?);
    out.get_mut(d..to)?.copy_from_slice(src.get(s..from)?);
    Some((from, to))
}

/// Repeats `len` bytes (at most 64) of what lies `offset` before `d`: where the output goes on.
#[inline(always)]
fn repeat(out: &mut [u8], d: usize, offset: usize, len: usize) -> Option<usize> {
    if offset == 0 || offset > d {
        return None;
    }
    let (from, end) = (d.wrapping_sub(offset), d.wrapping_add(len));
    let (before, behind) = out.split_at_mut_checked(d)?;
    // Fixed lengths, although less may count; what they overwrite is written later.
    if let Some(to) = behind.first_chunk_mut::<64>()
        && offset >= 16
    {
        if len <= 16 {
            to.first_chunk_mut::<16>()?.copy_from_slice(before.get(from..from.wrapping_add(16))?);
            return Some(end);
        }
        if offset >= 64 {
            to.copy_from_slice(before.get(from..from.wrapping_add(64))?);
            return Some(end);
        }
    }
    near(out, from, d, end)?;
    Some(end)
}

/// Repeats what lies closer than the steps above, or at the end of the output.
#[inline(never)]
fn near(out: &mut [u8], from: usize, d: usize, end: usize) -> Option<()> {
    let window = out.get_mut(from..end)?;
    let (mut have, all) = (d.wrapping_sub(from), end.wrapping_sub(from));
    if have == 1 {
        window.fill(window.first().copied()?);
        return Some(());
    }
    while have < all {
        let more = have.min(all.wrapping_sub(have));
        window.copy_within(..more, have);
        have = have.wrapping_add(more);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_the_format_says() {
        let copy = |tag: u8| {
            (COPIES[usize::from(tag)] & 0xff, COPIES[usize::from(tag)] & 0x700, COPIES[usize::from(tag)] >> 11)
        };
        assert_eq!(copy(0b1111_1101), (11, 0x700, 1));
        assert_eq!(copy(0b0000_0001), (4, 0, 1));
        assert_eq!(copy(0b1111_1110), (64, 0, 2));
        assert_eq!(copy(0b0000_0011), (1, 0, 4));
    }
}
