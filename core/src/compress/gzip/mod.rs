//! gzip (RFC 1952) around deflate by `miniz_oxide`: any number of members, each with everything that its header may hold.

use alloc::boxed::Box;

use crc32fast::Hasher;
use miniz_oxide::{
    deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params},
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags},
    },
};

use super::claim::claim;
use super::{Codec, CodecError, Compress, Decompress, Format, Full, Room, Sink};
use super::{
    common::{self, exceeded, put, take, take_slice},
    counted::fixed,
};

#[cfg(test)]
mod tests;

pub(super) const FORMAT: Format =
    Format { compressor, decompressor: |_| Box::new(Decoder { inflater: Box::new(DecompressorOxide::new()) }), hint };

/// The magic number, deflate, no optional fields, no time, no hints, an unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The most that one byte of deflate can become.
const MOST_RATIO: usize = 1032;
/// The smallest step in which the output grows.
const LEAST_STEP: usize = 16 * 1024;
/// How often larger than its input an output is believed to be before any of it has come.
const BELIEVED_RATIO: usize = 16;
/// What `miniz_oxide` holds to compress: 64 KiB of codes, a window of 160 KiB with its chains, 84 KiB of output, tables.
const DEFLATER_BYTES: usize = 352 * 1024;

/// Header flags.
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

const CORRUPT: CodecError = CodecError::Corrupt(Codec::Gzip);

/// Levels are zlib's: 0, which only stores, to 9, and −1, the usual one.
fn compressor(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
    let level = common::level_in(Codec::Gzip, level, -1, 9, -1)?;
    // Negative window bits ask for deflate without zlib's own header.
    let flags = create_comp_flags_from_zip_params(level, -15, 0);
    Ok(Box::new(Encoder { deflater: Box::new(CompressorOxide::new(flags)) }))
}

/// The size that stands at the end of the last member.
fn hint(src: &[u8]) -> Option<usize> {
    let size = usize::try_from(u32::from_le_bytes(*src.last_chunk()?)).ok()?;
    Some(size.min(src.len().saturating_mul(MOST_RATIO)))
}

/// Takes a member's header off.
fn header(src: &mut &[u8]) -> Option<()> {
    let all = *src;
    let [a, b, method, flags, ..] = take::<10>(src)?;
    if [a, b, method] != [0x1f, 0x8b, 8] || flags & RESERVED != 0 {
        return None;
    }
    if flags & FEXTRA != 0 {
        let len = take(src).map(u16::from_le_bytes)?;
        take_slice(src, usize::from(len))?;
    }
    for text in [FNAME, FCOMMENT] {
        if flags & text != 0 {
            let len = src.iter().position(|&byte| byte == 0)?;
            take_slice(src, len.checked_add(1)?)?;
        }
    }
    if flags & FHCRC != 0 {
        let (before, _) = all.split_at_checked(all.len().checked_sub(src.len())?)?;
        if u32::from(take(src).map(u16::from_le_bytes)?) != crc32fast::hash(before) & 0xffff {
            return None;
        }
    }
    Some(())
}

struct Decoder {
    inflater: Box<DecompressorOxide>,
}

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Gzip
    }

    fn memory(&self) -> usize {
        const { fixed::<Self>(256) + fixed::<DecompressorOxide>(12 << 10) }
    }

    fn decompress(&mut self, mut src: &[u8], out: &mut dyn Room) -> Result<(), CodecError> {
        loop {
            header(&mut src).ok_or(CORRUPT)?;
            let start = out.out().len();
            self.inflate(&mut src, start, out)?;
            let content = out.out().get(start..).ok_or(CORRUPT)?;
            let (crc, size) = (take(&mut src).ok_or(CORRUPT)?, take(&mut src).ok_or(CORRUPT)?);
            if u32::from_le_bytes(crc) != crc32fast::hash(content) || u32::from_le_bytes(size) != content.len() as u32 {
                return Err(CORRUPT);
            }
            if src.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Decoder {
    /// Inflates one member's deflate stream behind `start`, and takes it off.
    fn inflate(&mut self, src: &mut &[u8], start: usize, room: &mut dyn Room) -> Result<(), CodecError> {
        self.inflater.init();
        // What the last member claims is believed within reason; after that it grows with what has come.
        let believed = src.len().saturating_mul(BELIEVED_RATIO).max(LEAST_STEP);
        let mut step = hint(src).unwrap_or(LEAST_STEP).clamp(1, believed);
        let mut at = start;
        loop {
            let claim = claim(room, step);
            let out = room.out();
            out.resize(at.saturating_add(claim.granted), 0);
            let content = out.get_mut(start..).ok_or(CORRUPT)?;
            let (status, read, written) = decompress(
                &mut self.inflater,
                src,
                content,
                at.saturating_sub(start),
                inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
            );
            take_slice(src, read).ok_or(CORRUPT)?;
            at = at.saturating_add(written);
            out.truncate(at);
            match (status, claim.full) {
                (TINFLStatus::Done, _) => return Ok(()),
                (TINFLStatus::HasMoreOutput, Some(full)) => return Err(exceeded(Codec::Gzip)(full)),
                (TINFLStatus::HasMoreOutput, None) => step = at.saturating_sub(start).max(LEAST_STEP),
                _ => return Err(CORRUPT),
            }
        }
    }
}

struct Encoder {
    deflater: Box<CompressorOxide>,
}

impl Compress for Encoder {
    fn codec(&self) -> Codec {
        Codec::Gzip
    }

    fn memory(&self, _batch_bytes: usize) -> usize {
        DEFLATER_BYTES
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        self.deflater.reset();
        put(out, Codec::Gzip, &HEADER)?;
        let (mut crc, mut size) = (Hasher::new(), 0u32);
        for piece in src {
            crc.update(piece);
            size = size.wrapping_add(piece.len() as u32);
            self.deflate(piece, TDEFLFlush::None, out)?;
        }
        self.deflate(&[], TDEFLFlush::Finish, out)?;
        put(out, Codec::Gzip, &crc.finalize().to_le_bytes())?;
        put(out, Codec::Gzip, &size.to_le_bytes())
    }
}

impl Encoder {
    fn deflate(&mut self, piece: &[u8], flush: TDEFLFlush, out: &mut dyn Sink) -> Result<(), CodecError> {
        let mut full = None;
        let (status, _) = compress_to_output(&mut self.deflater, piece, flush, |bytes| match out.put(bytes) {
            Ok(()) => true,
            Err(reason) => {
                full = Some(reason);
                false
            }
        });
        match status {
            TDEFLStatus::Okay | TDEFLStatus::Done => Ok(()),
            _ => Err(exceeded(Codec::Gzip)(full.unwrap_or(Full { limit: 0 }))),
        }
    }
}
