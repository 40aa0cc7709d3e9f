//! Snappy: raw blocks, and Java's framing of them.
//!
//! Java's producers write what snappy-java's `SnappyOutputStream` makes (xerial): a header, then blocks of 32 KiB with their
//! lengths before them. Others write one raw block. Both are read, by the header; xerial is written, because every
//! client reads it.

use alloc::{boxed::Box, vec::Vec};

use super::{Codec, CodecError, Compress, Decompress, Format, Room, Sink};
use super::{
    common::{self, exceeded, put, take, take_slice},
    counted::fixed,
};
use super::{gather::gathered, words::in_blocks};

mod block;
mod inflate;
#[cfg(test)]
mod tests;

pub(super) const FORMAT: Format = Format { compressor, decompressor: |_| Box::new(Decoder), hint };

/// The first eight bytes of snappy-java's streams.
const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// What the magic begins with: where a block's length stands, it announces another stream.
const MAGIC_START: [u8; 4] = *b"\x82SNA";
/// The version that is written, and the oldest that can read it.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Input of a block, as in snappy-java.
const BLOCK_BYTES: usize = 32 * 1024;
/// The most that one byte of a block can become: a copy of 64 bytes takes three.
const MOST_RATIO: usize = 22;

fn compressor(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
    common::level_in(Codec::Snappy, level, 0, 0, 0)?;
    Ok(Box::new(Encoder::default()))
}

/// Sums up what the blocks say they hold.
fn hint(mut src: &[u8]) -> Option<usize> {
    let most = src.len().saturating_mul(MOST_RATIO);
    let Some(rest) = xerial(src) else { return length(&mut src).map(|len| len.min(most)) };
    let (mut blocks, mut sum) = (Blocks(rest), 0usize);
    while let Some(Ok(mut block)) = blocks.next() {
        sum = sum.saturating_add(length(&mut block)?);
    }
    Some(sum.min(most))
}

/// What follows the header of a xerial stream; `None` for anything else. Its versions are not looked at: there never was
/// a second one.
fn xerial(src: &[u8]) -> Option<&[u8]> {
    src.strip_prefix(&MAGIC)?.get(VERSIONS.len()..)
}

/// The raw blocks of a xerial stream, or of several.
struct Blocks<'a>(&'a [u8]);

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<&'a [u8], CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.0.starts_with(&MAGIC_START)
            && let Some(rest) = xerial(self.0)
        {
            self.0 = rest;
        }
        if self.0.is_empty() {
            return None;
        }
        let block = take::<4>(&mut self.0).and_then(|len| take_slice(&mut self.0, u32::from_be_bytes(len) as usize));
        Some(block.ok_or(CORRUPT))
    }
}

/// The inflated length that a raw block begins with, a varint of at most 32 bits.
fn length(block: &mut &[u8]) -> Option<usize> {
    let mut len = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let [byte] = take::<1>(block)?;
        let bits = u32::from(byte & 0x7f);
        len |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return usize::try_from(len).ok();
        }
    }
    None
}

const CORRUPT: CodecError = CodecError::Corrupt(Codec::Snappy);

struct Decoder;

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Snappy
    }

    fn memory(&self) -> usize {
        0
    }

    fn decompress(&mut self, src: &[u8], out: &mut dyn Room) -> Result<(), CodecError> {
        match xerial(src) {
            Some(rest) => Blocks(rest).try_for_each(|block| raw(block?, out)),
            None => raw(src, out),
        }
    }
}

/// Inflates a raw block. The length that it claims is believed as far as the block could come to it.
fn raw(mut block: &[u8], room: &mut dyn Room) -> Result<(), CodecError> {
    let len = length(&mut block).ok_or(CORRUPT)?;
    if len > block.len().saturating_mul(MOST_RATIO) {
        return Err(CORRUPT);
    }
    room.want(len).map_err(exceeded(Codec::Snappy))?;
    let out = room.out();
    let start = out.len();
    out.resize(start.saturating_add(len), 0);
    out.get_mut(start..).and_then(|out| inflate::inflate(block, out)).ok_or(CORRUPT)
}

/// Its buffers and its table are as large as the largest block so far needs them.
#[derive(Default)]
struct Encoder {
    /// A block that lies in several pieces.
    block: Vec<u8>,
    table: Vec<u16>,
    packed: Vec<u8>,
}

impl Compress for Encoder {
    fn codec(&self) -> Codec {
        Codec::Snappy
    }

    fn memory(&self, batch_bytes: usize) -> usize {
        let block = batch_bytes.min(BLOCK_BYTES);
        let table = block::table_len(block).saturating_mul(size_of::<u16>());
        let sized = block::most_packed(block).saturating_add(table).saturating_add(const { fixed::<Self>(256) });
        gathered(batch_bytes, BLOCK_BYTES).saturating_add(sized)
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        put(out, Codec::Snappy, &MAGIC)?;
        put(out, Codec::Snappy, &VERSIONS)?;
        let (table, packed) = (&mut self.table, &mut self.packed);
        in_blocks(src, &mut self.block, BLOCK_BYTES, |block| {
            let len = block::compress(block, table, packed);
            put(out, Codec::Snappy, &(len as u32).to_be_bytes())?;
            put(out, Codec::Snappy, packed.get(..len).unwrap_or_default())
        })
    }
}
