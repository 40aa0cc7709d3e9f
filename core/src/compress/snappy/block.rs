//! A raw block's compression, after the reference: one hash table of positions, and a step that grows where nothing repeats.

use alloc::vec::Vec;

use super::super::words::{load_u32, load_u64, same};

/// Positions that end so close to the end are not looked up: eight bytes can be read at all others.
const MARGIN: usize = 15;
/// The table's most entries, as in the reference.
const MOST_TABLE: usize = 1 << 14;

/// How many entries the table has for a block.
pub(super) const fn table_len(block: usize) -> usize {
    let len = match block.checked_next_power_of_two() {
        Some(power) if power < MOST_TABLE => power,
        _ => MOST_TABLE,
    };
    if len < 256 { 256 } else { len }
}

/// The most that a block's elements take, and what copies of fixed lengths write beyond.
pub(super) const fn most_packed(block: usize) -> usize {
    block.saturating_add(block / 6).saturating_add(32)
}

/// Compresses a block of at most 64 KiB into the front of `packed`: how many bytes it became.
pub(super) fn compress(block: &[u8], table: &mut Vec<u16>, packed: &mut Vec<u8>) -> usize {
    let (entries, most) = (table_len(block.len()), most_packed(block.len()));
    if table.len() < entries {
        // Let go of first, so that there are never two.
        *table = Vec::new();
        *table = alloc::vec![0; entries];
    }
    if packed.len() < most {
        *packed = Vec::new();
        *packed = alloc::vec![0; most];
    }
    let mut to = Packed { bytes: packed, at: 0 };
    to.length(block.len());
    let table = table.get_mut(..entries).unwrap_or_default();
    table.fill(0);
    let rest = if block.len() <= MARGIN {
        0
    } else if let Ok(largest) = <&mut [u16; MOST_TABLE]>::try_from(&mut *table) {
        matches(block, largest, &mut to)
    } else {
        let shift = 32u32.wrapping_sub(table.len().trailing_zeros());
        matches(block, &mut Smaller { table, shift }, &mut to)
    };
    to.literal(block, rest, block.len());
    to.at
}

/// Where four bytes stood last.
trait Table {
    /// The position that it had for them; now it has `at`.
    fn swap(&mut self, bytes: u32, at: usize) -> usize;
}

/// The hash of four bytes, in its highest bits.
#[inline(always)]
const fn hash(bytes: u32) -> u32 {
    bytes.wrapping_mul(0x1e35_a7bd)
}

/// Nearly all blocks have the largest table, and of its length the compiler knows that every hash is within.
impl Table for [u16; MOST_TABLE] {
    #[inline(always)]
    fn swap(&mut self, bytes: u32, at: usize) -> usize {
        const SHIFT: u32 = 32 - MOST_TABLE.trailing_zeros();
        swap(self, hash(bytes) >> SHIFT, at)
    }
}

struct Smaller<'a> {
    table: &'a mut [u16],
    shift: u32,
}

impl Table for Smaller<'_> {
    #[inline(always)]
    fn swap(&mut self, bytes: u32, at: usize) -> usize {
        swap(self.table, hash(bytes).wrapping_shr(self.shift), at)
    }
}

#[inline(always)]
fn swap(table: &mut [u16], entry: u32, at: usize) -> usize {
    match table.get_mut(entry as usize) {
        Some(place) => usize::from(core::mem::replace(place, at as u16)),
        None => 0,
    }
}

/// Writes every match and the literals before it: where the last literal begins.
#[inline(always)]
fn matches(src: &[u8], table: &mut impl Table, to: &mut Packed<'_>) -> usize {
    let last = src.len().wrapping_sub(MARGIN);
    let (mut emitted, mut at) = (0usize, 1usize);
    let mut bytes = load_u32(src, at);
    loop {
        let mut skip = 32usize;
        let mut candidate;
        loop {
            let next = at.wrapping_add(skip >> 5);
            skip = skip.wrapping_add(skip >> 5);
            if next > last {
                return emitted;
            }
            candidate = table.swap(bytes, at);
            if load_u32(src, candidate) == bytes {
                break;
            }
            at = next;
            bytes = load_u32(src, at);
        }
        to.literal(src, emitted, at);
        loop {
            let len = same(src, candidate.wrapping_add(4), at.wrapping_add(4), src.len()).wrapping_add(4);
            to.copy(at.wrapping_sub(candidate), len);
            at = at.wrapping_add(len);
            emitted = at;
            if at >= last {
                return emitted;
            }
            // One read for the position before, this one and the next.
            let eight = load_u64(src, at.wrapping_sub(1));
            table.swap(eight as u32, at.wrapping_sub(1));
            bytes = (eight >> 8) as u32;
            candidate = table.swap(bytes, at);
            if load_u32(src, candidate) != bytes {
                bytes = (eight >> 16) as u32;
                at = at.wrapping_add(1);
                break;
            }
        }
    }
}

/// What was written. There is room for all that a block can become, so nothing is ever left out.
struct Packed<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Packed<'_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(self.at..self.at.wrapping_add(N)) {
            place.copy_from_slice(&bytes);
        }
        self.at = self.at.wrapping_add(N);
    }

    /// The varint that a block begins with.
    fn length(&mut self, mut len: usize) {
        while len > 0x7f {
            self.put([len as u8 | 0x80]);
            len >>= 7;
        }
        self.put([len as u8]);
    }

    #[inline(always)]
    fn literal(&mut self, src: &[u8], from: usize, end: usize) {
        let len = end.wrapping_sub(from);
        let Some(less) = len.checked_sub(1) else { return };
        if len <= 32
            && let Some(bytes) = src.get(from..from.wrapping_add(32))
            && let Some([tag, place @ ..]) = self.bytes.get_mut(self.at..self.at.wrapping_add(33))
        {
            *tag = (less << 2) as u8;
            // A fixed length, although less may count, because that is two instructions.
            place.copy_from_slice(bytes);
            self.at = self.at.wrapping_add(len).wrapping_add(1);
            return;
        }
        match less {
            0..60 => self.put([(less << 2) as u8]),
            60..0x100 => self.put([60 << 2, less as u8]),
            _ => self.put([61 << 2, less as u8, (less >> 8) as u8]),
        }
        let place = self.bytes.get_mut(self.at..self.at.wrapping_add(len));
        if let (Some(place), Some(bytes)) = (place, src.get(from..end)) {
            place.copy_from_slice(bytes);
        }
        self.at = self.at.wrapping_add(len);
    }

    /// A copy of at least four bytes, in steps of at most 64 of which none leaves less than four.
    #[inline(always)]
    fn copy(&mut self, offset: usize, mut len: usize) {
        while len >= 68 {
            self.copy2(offset, 64);
            len = len.wrapping_sub(64);
        }
        if len > 64 {
            self.copy2(offset, 60);
            len = len.wrapping_sub(60);
        }
        if len <= 11 && offset <= 2047 {
            let tag = (offset >> 8) << 5 | len.wrapping_sub(4) << 2 | 1;
            self.put([tag as u8, offset as u8]);
        } else {
            self.copy2(offset, len);
        }
    }

    #[inline(always)]
    fn copy2(&mut self, offset: usize, len: usize) {
        let tag = len.wrapping_sub(1) << 2 | 2;
        // One store of four bytes instead of two, the last of them to be overwritten.
        self.put((tag as u32 | (offset as u32) << 8).to_le_bytes());
        self.at = self.at.wrapping_sub(1);
    }
}
