//! zstd by its own library.

use klamm::compress::{Codec, CodecError, Compress, Decompress, Full, Room, Sink, claim, inflated_hint, window};
use zstd::bulk::Compressor;
use zstd::stream::raw::{DParameter, Decoder as Inflater, Operation};
use zstd::zstd_safe::{compress_bound, max_c_level, min_c_level};

/// The output grows at least by this.
const STEP: usize = 128 * 1024;
/// How often larger than its input an output is believed to be before any of it has come.
const BELIEVED_RATIO: usize = 32;
/// What the library holds to inflate, besides a window.
const INFLATE_BYTES: usize = 512 * 1024;
/// The largest exponent of a window that the library can have.
const WINDOW_LOG_MAX: u32 = if usize::BITS > 32 { 31 } else { 30 };
const CORRUPT: CodecError = CodecError::Corrupt(Codec::Zstd);

fn exceeded(full: Full) -> CodecError {
    CodecError::LimitExceeded { codec: Codec::Zstd, limit: full.limit }
}

pub(super) fn compressor(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
    let (level, least, most) = (level.unwrap_or(3), min_c_level(), max_c_level());
    let none = CodecError::Level { codec: Codec::Zstd, level, least, most };
    let compressor = Compressor::new(level).ok().filter(|_| (least..=most).contains(&level)).ok_or(none)?;
    Ok(Box::new(Encoder { level, compressor, input: Vec::new(), packed: Vec::new() }))
}

pub(super) fn decompressor(window_max: usize) -> Result<Box<dyn Decompress>, CodecError> {
    let unsupported = |_| CodecError::Unsupported(Codec::Zstd);
    let mut inflater = Inflater::new().map_err(unsupported)?;
    // Each window is looked at beforehand, so this only must not be in the way.
    inflater.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(unsupported)?;
    Ok(Box::new(Decoder { inflater, window_max }))
}

struct Decoder {
    inflater: Inflater<'static>,
    window_max: usize,
}

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Zstd
    }

    fn memory(&self) -> usize {
        self.window_max.saturating_add(INFLATE_BYTES)
    }

    fn decompress(&mut self, mut src: &[u8], room: &mut dyn Room) -> Result<(), CodecError> {
        let window = window(Codec::Zstd, src).ok_or(CORRUPT)?;
        if src.is_empty() {
            return Err(CORRUPT);
        }
        if window > self.window_max as u64 {
            return Err(CodecError::Window { codec: Codec::Zstd, window, window_max: self.window_max });
        }
        self.inflater.reinit().map_err(|_| CORRUPT)?;
        let believed = src.len().saturating_mul(BELIEVED_RATIO).max(STEP);
        let mut step = inflated_hint(Codec::Zstd, src).unwrap_or(STEP).min(believed);
        loop {
            let claim = claim(room, step);
            let out = room.out();
            let at = out.len();
            out.resize(at + claim.granted, 0);
            let status = self.inflater.run_on_buffers(src, &mut out[at..]).map_err(|_| CORRUPT)?;
            out.truncate(at + status.bytes_written);
            src = &src[status.bytes_read..];
            match claim.full {
                _ if src.is_empty() && status.remaining == 0 => return Ok(()),
                Some(full) if status.bytes_written == claim.granted => return Err(exceeded(full)),
                _ if status.bytes_read == 0 && status.bytes_written == 0 => return Err(CORRUPT),
                _ => step = out.len().max(STEP),
            }
        }
    }
}

struct Encoder {
    level: i32,
    compressor: Compressor<'static>,
    input: Vec<u8>,
    packed: Vec<u8>,
}

impl Compress for Encoder {
    fn codec(&self) -> Codec {
        Codec::Zstd
    }

    fn memory(&self, batch_bytes: usize) -> usize {
        // The library's tables shrink with the input; measured by a test below.
        let times = match self.level {
            ..=3 => 1,
            4..=9 => 12,
            _ => 18,
        };
        let tables = batch_bytes.next_power_of_two().saturating_mul(times).saturating_add(1 << 20);
        batch_bytes.saturating_mul(3).saturating_add(compress_bound(batch_bytes)).saturating_add(tables)
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        self.input.clear();
        src.for_each(|piece| self.input.extend_from_slice(piece));
        let most = compress_bound(self.input.len());
        if self.packed.len() < most {
            self.packed = vec![0; most];
        }
        let full = |_| exceeded(Full { limit: most });
        let len = self.compressor.compress_to_buffer(&self.input, &mut self.packed[..]).map_err(full)?;
        out.put(&self.packed[..len]).map_err(exceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library knows what it holds.
    #[test]
    fn the_encoder_holds_what_it_says() {
        for level in [-7, 1, 2, 3, 4, 5, 7, 9, 11, 15, 19, 22] {
            for len in [10_000, 100_000, 1_000_000] {
                let mut encoder = Encoder {
                    level,
                    compressor: Compressor::new(level).unwrap(),
                    input: Vec::new(),
                    packed: Vec::new(),
                };
                let data: Vec<u8> = (0..len as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 20) as u8).collect();
                encoder.compress(&mut data.chunks(5000), &mut Nowhere).unwrap();
                let held =
                    encoder.compressor.context_mut().sizeof() + encoder.input.capacity() + encoder.packed.capacity();
                assert!(held <= encoder.memory(len), "level {level}, {len} bytes: {held} > {}", encoder.memory(len));
            }
        }
    }

    struct Nowhere;

    impl Sink for Nowhere {
        fn put(&mut self, _: &[u8]) -> Result<(), Full> {
            Ok(())
        }
    }
}
