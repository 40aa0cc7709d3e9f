//! The LZ4 frame format (KIP-57), around blocks that `lz4_flex` compresses and inflates.
//!
//! What is written is what Java's producers write: independent blocks of 64 KiB, no sizes, no checksums but the header's.
//! Everything that the format has is read, except dictionaries, which Kafka has no way to name.

use alloc::{boxed::Box, vec::Vec};

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};
use twox_hash::XxHash32;

use super::{Codec, CodecError, Compress, Decompress, Format, Room, Sink};
use super::{claim::claim, gather::gathered, words::in_blocks};
use super::{
    common::{self, exceeded, put, take, take_slice},
    counted::fixed,
};

mod high;
#[cfg(test)]
mod tests;

pub(super) const FORMAT: Format = Format { compressor, decompressor: |_| Box::new(Decoder), hint };

const MAGIC: u32 = 0x184d_2204;
/// Magic numbers of frames that are to be skipped, but for their last four bits.
const SKIPPED: u32 = 0x184d_2a50;
/// Input of a block that is written.
const BLOCK_BYTES: usize = 64 * 1024;
/// Version 1 with independent blocks, of 64 KiB at most, and the checksum of these two bytes.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
/// How far back a match can reach.
const WINDOW: usize = 64 * 1024;
/// The most that one byte of a block can become.
const MOST_RATIO: usize = 255;
/// In a block's size: it is not compressed.
const PLAIN: u32 = 1 << 31;

const CORRUPT: CodecError = CodecError::Corrupt(Codec::Lz4);

/// Levels are Java's, 1 to 17. Up to 2 it is the fast search, which is the usual one; above, twice as many candidates are
/// looked at with each level.
fn compressor(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
    let search = match common::level_in(Codec::Lz4, level, 1, 17, 1)? {
        ..=2 => Search::Fast(CompressTable::small()),
        level => Search::High(high::Search::new(level)),
    };
    Ok(Box::new(Encoder { search, block: Vec::new(), packed: Vec::new() }))
}

/// Sums up what the frames say they hold, or what their blocks can.
fn hint(mut src: &[u8]) -> Option<usize> {
    let most = src.len().saturating_mul(MOST_RATIO);
    let mut sum = 0usize;
    while let Ok(Some(frame)) = next_frame(&mut src) {
        let mut blocks = 0usize;
        while let Ok(Some(block)) = frame.next_block(&mut src) {
            blocks = blocks.saturating_add(block.most(frame.block_max));
        }
        sum = sum.saturating_add(frame.content.map_or(blocks, |content| content.min(blocks)));
        frame.checksum(&mut src).ok()?;
    }
    Some(sum.min(most))
}

/// A frame's header.
struct Frame {
    linked: bool,
    block_checksums: bool,
    checksum: bool,
    block_max: usize,
    /// The inflated size that it claims.
    content: Option<usize>,
}

/// The next frame, behind those that are to be skipped; `None` at the end.
fn next_frame(src: &mut &[u8]) -> Result<Option<Frame>, CodecError> {
    while !src.is_empty() {
        let magic = u32::from_le_bytes(take(src).ok_or(CORRUPT)?);
        if magic == MAGIC {
            return Frame::parse(src).map(Some).ok_or(CORRUPT);
        }
        if magic & !0xf != SKIPPED {
            return Err(CORRUPT);
        }
        let len = u32::from_le_bytes(take(src).ok_or(CORRUPT)?);
        take_slice(src, len as usize).ok_or(CORRUPT)?;
    }
    Ok(None)
}

impl Frame {
    fn parse(src: &mut &[u8]) -> Option<Frame> {
        let all = *src;
        let [flags, sizes] = take(src)?;
        let block_max = match sizes {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return None,
        };
        // The version, the reserved bit, and the dictionary.
        if flags & 0b1100_0011 != 0b0100_0000 {
            return None;
        }
        let content = if flags & 0b1000 == 0 { None } else { Some(u64::from_le_bytes(take(src)?)) };
        let (header, _) = all.split_at_checked(all.len().wrapping_sub(src.len()))?;
        let [checksum] = take(src)?;
        (checksum == (XxHash32::oneshot(0, header) >> 8) as u8).then_some(Frame {
            linked: flags & 0b10_0000 == 0,
            block_checksums: flags & 0b1_0000 != 0,
            checksum: flags & 0b100 != 0,
            block_max,
            content: content.map(|content| usize::try_from(content).unwrap_or(usize::MAX)),
        })
    }

    /// The next block; `None` at the frame's end mark.
    fn next_block<'a>(&self, src: &mut &'a [u8]) -> Result<Option<Block<'a>>, CodecError> {
        let size = u32::from_le_bytes(take(src).ok_or(CORRUPT)?);
        if size == 0 {
            return Ok(None);
        }
        let len = (size & !PLAIN) as usize;
        let bytes = take_slice(src, len).filter(|_| len <= self.block_max).ok_or(CORRUPT)?;
        let checksum = if self.block_checksums { Some(u32::from_le_bytes(take(src).ok_or(CORRUPT)?)) } else { None };
        Ok(Some(Block { bytes, plain: size & PLAIN != 0, checksum }))
    }

    /// The checksum of the content, where there is one.
    fn checksum(&self, src: &mut &[u8]) -> Result<Option<u32>, CodecError> {
        if self.checksum { take(src).ok_or(CORRUPT).map(|bytes| Some(u32::from_le_bytes(bytes))) } else { Ok(None) }
    }
}

struct Block<'a> {
    bytes: &'a [u8],
    plain: bool,
    checksum: Option<u32>,
}

impl Block<'_> {
    /// The most that it can become.
    fn most(&self, block_max: usize) -> usize {
        if self.plain { self.bytes.len() } else { self.bytes.len().saturating_mul(MOST_RATIO).min(block_max) }
    }
}

struct Decoder;

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Lz4
    }

    fn memory(&self) -> usize {
        0
    }

    fn decompress(&mut self, mut src: &[u8], out: &mut dyn Room) -> Result<(), CodecError> {
        if src.is_empty() {
            return Err(CORRUPT);
        }
        while let Some(frame) = next_frame(&mut src)? {
            let start = out.out().len();
            while let Some(block) = frame.next_block(&mut src)? {
                inflate(&frame, &block, start, out)?;
            }
            let content = out.out().get(start..).ok_or(CORRUPT)?;
            if frame.content.is_some_and(|len| len != content.len())
                || frame.checksum(&mut src)?.is_some_and(|sum| sum != XxHash32::oneshot(0, content))
            {
                return Err(CORRUPT);
            }
        }
        Ok(())
    }
}

/// Inflates a block behind what the frame, which began at `start`, has given so far: linked blocks reach back into that.
fn inflate(frame: &Frame, block: &Block<'_>, start: usize, room: &mut dyn Room) -> Result<(), CodecError> {
    if block.checksum.is_some_and(|sum| sum != XxHash32::oneshot(0, block.bytes)) {
        return Err(CORRUPT);
    }
    let at = room.out().len();
    let left = frame.content.map_or(usize::MAX, |content| content.saturating_sub(at.saturating_sub(start)));
    if block.plain {
        room.want(block.bytes.len()).map_err(exceeded(Codec::Lz4))?;
        room.out().extend_from_slice(block.bytes);
        return Ok(());
    }
    let claim = claim(room, block.most(frame.block_max).min(left));
    let out = room.out();
    out.resize(at.saturating_add(claim.granted), 0);
    let (before, now) = out.split_at_mut_checked(at).ok_or(CORRUPT)?;
    let history = if frame.linked { before.get(start.max(at.saturating_sub(WINDOW))..).ok_or(CORRUPT)? } else { &[] };
    let inflated = match history {
        [] => decompress_into(block.bytes, now),
        history => decompress_into_with_dict(block.bytes, now, history),
    };
    match (inflated, claim.full) {
        (Ok(len), _) => {
            out.truncate(at.saturating_add(len));
            Ok(())
        }
        (Err(DecompressError::OutputTooSmall { .. }), Some(full)) => Err(exceeded(Codec::Lz4)(full)),
        (Err(_), _) => Err(CORRUPT),
    }
}

enum Search {
    Fast(CompressTable),
    High(high::Search),
}

/// Its buffers are as large as the largest block so far needs them.
struct Encoder {
    search: Search,
    /// A block that lies in several pieces.
    block: Vec<u8>,
    packed: Vec<u8>,
}

impl Compress for Encoder {
    fn codec(&self) -> Codec {
        Codec::Lz4
    }

    fn memory(&self, batch_bytes: usize) -> usize {
        let block = batch_bytes.min(BLOCK_BYTES);
        let tables = match &self.search {
            // 4,096 entries of two bytes, and for a whole block of four; the one is made before the other is dropped.
            Search::Fast(_) if block < usize::from(u16::MAX) => 8 << 10,
            Search::Fast(_) => 24 << 10,
            Search::High(_) => high::memory(block),
        };
        let sized = get_maximum_output_size(block).saturating_add(tables).saturating_add(const { fixed::<Self>(256) });
        gathered(batch_bytes, BLOCK_BYTES).saturating_add(sized)
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        put(out, Codec::Lz4, &HEADER)?;
        let (search, packed) = (&mut self.search, &mut self.packed);
        in_blocks(src, &mut self.block, BLOCK_BYTES, |block| {
            let most = get_maximum_output_size(block.len());
            if packed.len() < most {
                // Let go of first, so that there are never two.
                *packed = Vec::new();
                *packed = alloc::vec![0; most];
            }
            let len = match search {
                Search::Fast(table) => compress_into_with_table(block, packed, table).unwrap_or(usize::MAX),
                Search::High(search) => search.compress(block, packed),
            };
            // A block that would not shrink goes out as it is.
            let (size, bytes) = match packed.get(..len) {
                Some(packed) if len < block.len() => (len as u32, packed),
                _ => (block.len() as u32 | PLAIN, block),
            };
            put(out, Codec::Lz4, &size.to_le_bytes())?;
            put(out, Codec::Lz4, bytes)
        })?;
        put(out, Codec::Lz4, &[0; 4])
    }
}
