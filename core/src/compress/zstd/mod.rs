//! Zstandard (KIP-110) by `zrip`, which forbids unsafe code in itself. Levels −7 to 4; frames of every level are read.
//!
//! Frames inflate straight into the room, so that their window is the output itself. How much a frame may become is known
//! beforehand from its block headers, whatever it claims.

use alloc::{boxed::Box, vec::Vec};

use zrip::{DecompressContext, DecompressError, compress_bound};

use super::common::{self, exceeded, put};
use super::{Codec, CodecError, Compress, Decompress, Format, Full, Room, Sink};
use super::{
    claim::claim,
    gather::{gather, gathered},
};

mod frame;
#[cfg(not(feature = "std"))]
#[path = "fresh.rs"]
mod packer;
#[cfg(feature = "std")]
#[path = "kept.rs"]
mod packer;
#[cfg(all(test, not(target_family = "wasm")))] // the other side is C
mod tests;

use frame::{Frame, next_frame};

pub(super) const FORMAT: Format = Format { compressor, decompressor, hint };

const LEAST_LEVEL: i32 = -7;
const MOST_LEVEL: i32 = 4;
/// `zrip`'s own usual one: on most records it gives more than its level 3, and sooner.
const USUAL_LEVEL: i32 = 1;
/// A block's most content.
const BLOCK_BYTES: usize = 128 * 1024;
/// The decoder copies in large steps and cuts what was too much: it wants so many bytes of room beyond the content.
const SLACK: usize = 64;
/// How often larger than its input a frame of unknown size is believed to be before it turns out so.
const BELIEVED_RATIO: usize = 32;
/// What the decoder keeps: a block's literals, whose buffer doubles while the smaller one is still there, and tables of
/// Huffman codes and of sequences.
const INFLATER_BYTES: usize = 480 * 1024;
/// What the encoder keeps for each byte of a block: literals, sequences, and the forms that they are tried in.
const WORK_PER_BYTE: usize = 18;

const CORRUPT: CodecError = CodecError::Corrupt(Codec::Zstd);

fn compressor(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
    let level = common::level_in(Codec::Zstd, level, LEAST_LEVEL, MOST_LEVEL, USUAL_LEVEL)?;
    let none = CodecError::Level { codec: Codec::Zstd, level, least: LEAST_LEVEL, most: MOST_LEVEL };
    let packer = packer::Packer::new(level).ok_or(none)?;
    Ok(Box::new(Encoder { packer, input: Vec::new(), packed: Vec::new() }))
}

fn decompressor(window_max: usize) -> Box<dyn Decompress> {
    Box::new(Decoder { context: DecompressContext::new(), window_max })
}

/// Sums up what the frames say they hold, or what their blocks can, and the decoder's slack.
fn hint(mut src: &[u8]) -> Option<usize> {
    let mut sum = 0usize;
    while let Some(frame) = next_frame(&mut src).ok()? {
        sum = sum.saturating_add(frame.most);
    }
    Some(sum.saturating_add(SLACK))
}

struct Decoder {
    context: DecompressContext,
    window_max: usize,
}

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Zstd
    }

    fn memory(&self) -> usize {
        INFLATER_BYTES
    }

    fn decompress(&mut self, mut src: &[u8], out: &mut dyn Room) -> Result<(), CodecError> {
        if src.is_empty() {
            return Err(CORRUPT);
        }
        while let Some(frame) = next_frame(&mut src)? {
            if frame.window > self.window_max as u64 {
                return Err(self.window(frame.window));
            }
            self.inflate(&frame, out)?;
        }
        Ok(())
    }
}

impl Decoder {
    fn window(&self, window: u64) -> CodecError {
        CodecError::Window { codec: Codec::Zstd, window, window_max: self.window_max }
    }

    /// Inflates a frame. One that becomes larger than it was believed to be begins again, with more room.
    fn inflate(&mut self, frame: &Frame<'_>, room: &mut dyn Room) -> Result<(), CodecError> {
        let believed = frame.bytes.len().saturating_mul(BELIEVED_RATIO).max(BLOCK_BYTES);
        let mut step = if frame.sized { frame.most } else { frame.most.min(believed) };
        loop {
            let claim = claim(room, step.saturating_add(SLACK));
            let out = room.out();
            let start = out.len();
            let limit = claim.granted.saturating_sub(SLACK);
            let Err(error) = self.context.decompress_into_with_limit(frame.bytes, out, limit) else { return Ok(()) };
            // Sequences that need more room than a block has left are called corrupt too.
            let left = limit.saturating_sub(out.len().saturating_sub(start));
            let short = limit < frame.most && (error == DecompressError::OutputTooSmall || left < BLOCK_BYTES);
            out.truncate(start);
            match (error, claim.full) {
                (DecompressError::WindowTooLarge { requested, .. }, _) => return Err(self.window(requested)),
                (_, Some(full)) if short => return Err(exceeded(Codec::Zstd)(full)),
                (_, None) if short => step = step.saturating_mul(4).min(frame.most),
                _ => return Err(CORRUPT),
            }
        }
    }
}

/// The whole batch is one frame, because smaller ones could not refer to what is before them.
struct Encoder {
    packer: packer::Packer,
    input: Vec<u8>,
    packed: Vec<u8>,
}

impl Compress for Encoder {
    fn codec(&self) -> Codec {
        Codec::Zstd
    }

    fn memory(&self, batch_bytes: usize) -> usize {
        // Each table's entries have four bytes.
        let tables = match self.packer.level() {
            ..=-4 => 4 << 13,
            -3..=-1 => 4 << 14,
            0..=1 => 4 << 15,
            2 => 4 << 16,
            3 => 8 << 17,
            _ => 8 << 18,
        };
        let work = batch_bytes.min(BLOCK_BYTES).saturating_mul(WORK_PER_BYTE);
        let input = gathered(batch_bytes, usize::MAX);
        [compress_bound(batch_bytes), tables, work, packer::FIXED_BYTES].into_iter().fold(input, usize::saturating_add)
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        self.input.clear();
        src.for_each(|piece| gather(&mut self.input, piece, usize::MAX));
        let most = compress_bound(self.input.len());
        if self.packed.len() < most {
            // Let go of first, so that there are never two.
            self.packed = Vec::new();
            self.packed = alloc::vec![0; most];
        }
        let full = exceeded(Codec::Zstd)(Full { limit: most });
        let len = self.packer.pack(&self.input, &mut self.packed).ok_or(full)?;
        put(out, Codec::Zstd, self.packed.get(..len).unwrap_or_default())
    }
}
