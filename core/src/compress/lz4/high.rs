//! Blocks for high compression: chains of all positions with the same four bytes, and a look at the next position before
//! a match is taken. No pure crate offers it.

use alloc::{vec, vec::Vec};

use super::super::words::{load_u32, same};

/// A match has at least so many bytes.
const LEAST: usize = 4;
/// The last bytes of a block are literals.
const LAST_LITERALS: usize = 5;
/// No match begins so close to the end.
const MARGIN: usize = 12;
/// The most entries of the table of heads.
const MOST_HEADS: usize = 1 << 15;

/// How many heads there are for a block.
const fn heads_len(block: usize) -> usize {
    let len = match block.checked_next_power_of_two() {
        Some(power) if power < MOST_HEADS => power,
        _ => MOST_HEADS,
    };
    if len < 256 { 256 } else { len }
}

/// What the tables take for blocks of at most `block` bytes.
pub(super) const fn memory(block: usize) -> usize {
    heads_len(block).saturating_add(block).saturating_mul(size_of::<u16>())
}

/// The tables, for blocks of at most 64 KiB.
pub(super) struct Search {
    /// How many candidates are looked at for a position.
    depth: usize,
    /// By hash, the last position.
    heads: Vec<u16>,
    /// By position, how far back the one before it lies that has the same hash; 0 for none.
    links: Vec<u16>,
}

#[derive(Clone, Copy)]
struct Match {
    at: usize,
    from: usize,
    len: usize,
}

impl Search {
    pub(super) fn new(level: i32) -> Self {
        // From four candidates at level 3 on, twice as many each.
        let bits = u32::try_from(level).unwrap_or(3).clamp(3, 12).saturating_sub(1);
        Search { depth: 1usize.wrapping_shl(bits), heads: Vec::new(), links: Vec::new() }
    }

    /// Compresses a block into the front of `packed`, which is large enough for everything: how many bytes it became.
    pub(super) fn compress(&mut self, src: &[u8], packed: &mut [u8]) -> usize {
        self.reset(src.len());
        let mut to = Packed { bytes: packed, at: 0 };
        let (mut emitted, mut at, mut known) = (0usize, 0usize, 0usize);
        let last = src.len().checked_sub(MARGIN);
        while last.is_some_and(|last| at <= last) {
            let Some(mut found) = self.longest(src, at, &mut known, LEAST.wrapping_sub(1)) else {
                at = at.wrapping_add(1);
                continue;
            };
            // A literal more is worth a longer match.
            while last.is_some_and(|last| found.at < last)
                && let Some(better) = self.longest(src, found.at.wrapping_add(1), &mut known, found.len)
            {
                found = better;
            }
            to.sequence(src.get(emitted..found.at).unwrap_or_default(), Some(found));
            at = found.at.wrapping_add(found.len);
            emitted = at;
        }
        to.sequence(src.get(emitted..).unwrap_or_default(), None);
        to.at
    }

    fn reset(&mut self, block: usize) {
        let heads = heads_len(block);
        if self.heads.len() != heads {
            self.heads = Vec::new();
            self.heads = vec![0; heads];
        }
        self.heads.fill(0);
        if self.links.len() < block {
            self.links = Vec::new();
            self.links = vec![0; block];
        }
    }

    /// The longest match at a position, if it has more than `least` bytes. Positions up to there become known.
    fn longest(&mut self, src: &[u8], at: usize, known: &mut usize, least: usize) -> Option<Match> {
        while *known <= at {
            self.learn(src, *known);
            *known = known.wrapping_add(1);
        }
        let end = src.len().wrapping_sub(LAST_LITERALS);
        let (mut best, mut from, mut found) = (least, at, None);
        let bytes = load_u32(src, at);
        for _ in 0..self.depth {
            from = match self.links.get(from).copied() {
                Some(back) if back != 0 => from.wrapping_sub(usize::from(back)),
                _ => break,
            };
            // What is longer has another byte in common.
            if src.get(from.wrapping_add(best)) == src.get(at.wrapping_add(best)) && load_u32(src, from) == bytes {
                let len = same(src, from.wrapping_add(LEAST), at.wrapping_add(LEAST), end).wrapping_add(LEAST);
                if len > best {
                    best = len;
                    found = Some(Match { at, from, len });
                }
            }
        }
        found
    }

    #[inline(always)]
    fn learn(&mut self, src: &[u8], at: usize) {
        let shift = 32u32.wrapping_sub(self.heads.len().trailing_zeros());
        let hash = load_u32(src, at).wrapping_mul(0x9e37_79b1).wrapping_shr(shift);
        let (head, link) = (self.heads.get_mut(hash as usize), self.links.get_mut(at));
        if let (Some(head), Some(link)) = (head, link) {
            // The first position stands for none too: then its bytes differ, or not, which is as well.
            *link = (at as u16).wrapping_sub(*head);
            *head = at as u16;
        }
    }
}

/// What was written.
struct Packed<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Packed<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at.wrapping_add(bytes.len());
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(bytes);
        }
        self.at = end;
    }

    /// Literals, and the match behind them; without one it is the block's end.
    fn sequence(&mut self, literals: &[u8], found: Option<Match>) {
        let repeated = found.map_or(0, |found| found.len.wrapping_sub(LEAST));
        self.put(&[(literals.len().min(15) << 4 | repeated.min(15)) as u8]);
        self.rest_of(literals.len());
        self.put(literals);
        if let Some(found) = found {
            self.put(&(found.at.wrapping_sub(found.from) as u16).to_le_bytes());
            self.rest_of(repeated);
        }
    }

    /// What of a length does not fit into its four bits.
    fn rest_of(&mut self, len: usize) {
        let Some(mut rest) = len.checked_sub(15) else { return };
        while rest >= 255 {
            self.put(&[255]);
            rest = rest.wrapping_sub(255);
        }
        self.put(&[rest as u8]);
    }
}
