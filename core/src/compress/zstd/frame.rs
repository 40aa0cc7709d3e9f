//! Frames from the outside (RFC 8878, section 3.1): where they end, and how much they can hold at most.

use super::super::CodecError;
use super::super::common::{take, take_slice};
use super::{BLOCK_BYTES, CORRUPT};

const MAGIC: u32 = 0xfd2f_b528;
/// Magic numbers of frames that are to be skipped, but for their last four bits.
const SKIPPED: u32 = 0x184d_2a50;

/// A frame, from its magic number to its end.
pub(super) struct Frame<'a> {
    pub(super) bytes: &'a [u8],
    /// How far its matches may reach back, where it has more than the content for that.
    pub(super) window: u64,
    /// The most that it holds.
    pub(super) most: usize,
    /// `most` is what its header says.
    pub(super) sized: bool,
}

/// What of a header matters here.
struct Header {
    window: u64,
    content: Option<u64>,
    checksum: bool,
}

/// The next frame, behind those that are to be skipped; `None` at the end.
pub(super) fn next_frame<'a>(src: &mut &'a [u8]) -> Result<Option<Frame<'a>>, CodecError> {
    while !src.is_empty() {
        let all = *src;
        let magic = u32::from_le_bytes(take(src).ok_or(CORRUPT)?);
        if magic == MAGIC {
            return frame(all, src).map(Some).ok_or(CORRUPT);
        }
        if magic & !0xf != SKIPPED {
            return Err(CORRUPT);
        }
        let len = u32::from_le_bytes(take(src).ok_or(CORRUPT)?);
        take_slice(src, len as usize).ok_or(CORRUPT)?;
    }
    Ok(None)
}

/// The frame that `all` begins with. `src` stands behind its magic number, and then behind the frame.
fn frame<'a>(all: &'a [u8], src: &mut &'a [u8]) -> Option<Frame<'a>> {
    let header = header(src)?;
    let blocks = blocks(src)?;
    if header.checksum {
        take::<4>(src)?;
    }
    let (bytes, _) = all.split_at_checked(all.len().checked_sub(src.len())?)?;
    let most = match header.content {
        // A size that its blocks cannot come to.
        Some(content) => usize::try_from(content).ok().filter(|content| *content <= blocks)?,
        None => blocks,
    };
    Some(Frame { bytes, window: header.window, most, sized: header.content.is_some() })
}

fn header(src: &mut &[u8]) -> Option<Header> {
    let [descriptor] = take(src)?;
    // The reserved bit.
    if descriptor & 0x08 != 0 {
        return None;
    }
    let single = descriptor & 0x20 != 0;
    let window = if single {
        0
    } else {
        let [window] = take(src)?;
        let base = 1u64.wrapping_shl(u32::from(window >> 3).wrapping_add(10));
        base.saturating_add((base >> 3).saturating_mul(u64::from(window & 7)))
    };
    // A dictionary that is 0 is none. Any other is one that Kafka has no way to name.
    let dictionary = take_slice(src, [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?)?;
    if dictionary.iter().any(|byte| *byte != 0) {
        return None;
    }
    let content = match descriptor >> 6 {
        0 if single => Some(u64::from(u8::from_le_bytes(take(src)?))),
        0 => None,
        1 => Some(u64::from(u16::from_le_bytes(take(src)?)).saturating_add(256)),
        2 => Some(u64::from(u32::from_le_bytes(take(src)?))),
        _ => Some(u64::from_le_bytes(take(src)?)),
    };
    Some(Header { window, content, checksum: descriptor & 0x04 != 0 })
}

/// Passes over the blocks: the most that they can hold.
fn blocks(src: &mut &[u8]) -> Option<usize> {
    let mut most = 0usize;
    loop {
        let [a, b, c] = take(src)?;
        let header = u32::from_le_bytes([a, b, c, 0]);
        let size = (header >> 3) as usize;
        let (stored, content) = match header >> 1 & 3 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, BLOCK_BYTES),
            _ => return None,
        };
        take_slice(src, stored)?;
        most = most.saturating_add(content);
        if header & 1 != 0 {
            return Some(most);
        }
    }
}
