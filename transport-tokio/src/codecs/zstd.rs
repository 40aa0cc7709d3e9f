//! zstd by its own library.

use klamm::compress::{Codec, CodecError, Compress, Decompress, Full, Room, Sink, claim, inflated_hint};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{DCtx, compress_bound, is_error_kind, max_c_level, min_c_level, zstd_sys::ZSTD_ErrorCode};

/// The output grows at least by this.
const STEP: usize = 128 * 1024;
/// How often larger than its input an output is believed to be before any of it has come.
const BELIEVED_RATIO: usize = 32;
/// What the library holds to inflate, which is checked by a test below.
const INFLATE_BYTES: usize = 192 * 1024;
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

pub(super) fn decompressor() -> Result<Box<dyn Decompress>, CodecError> {
    let context = DCtx::try_create().ok_or(CodecError::Unsupported(Codec::Zstd))?;
    Ok(Box::new(Decoder(context)))
}

struct Decoder(DCtx<'static>);

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Zstd
    }

    fn memory(&self) -> usize {
        INFLATE_BYTES
    }

    /// All at once, straight into the room, so that the window is the output itself: the library's stream would hold one
    /// beside it, and Java's frames ask for 2 MiB. What becomes larger than it was believed to begins again.
    fn decompress(&mut self, src: &[u8], room: &mut dyn Room) -> Result<(), CodecError> {
        if src.is_empty() {
            return Err(CORRUPT);
        }
        let believed = src.len().saturating_mul(BELIEVED_RATIO).max(STEP);
        let mut step = inflated_hint(Codec::Zstd, src).unwrap_or(STEP).min(believed);
        loop {
            let claim = claim(room, step);
            let out = room.out();
            let at = out.len();
            out.resize(at + claim.granted, 0);
            let result = self.0.decompress(&mut out[at..], src);
            out.truncate(at + result.unwrap_or(0));
            match (result, claim.full) {
                (Ok(_), _) => return Ok(()),
                (Err(code), _) if !is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) => {
                    return Err(CORRUPT);
                }
                (Err(_), Some(full)) => return Err(exceeded(full)),
                (Err(_), None) => step = step.max(STEP).saturating_mul(4),
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

    /// Java's frames say nothing of their size and ask for a window of 2 MiB, whatever is in them. It is the output, so that
    /// neither is memory held for it nor is one too large.
    #[test]
    fn a_window_costs_no_memory() {
        let data: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8 & 0x3f).collect();
        for log in [21, 27] {
            let mut stream = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
            stream.set_parameter(zstd::zstd_safe::CParameter::WindowLog(log)).unwrap();
            std::io::Write::write_all(&mut stream, &data).unwrap();
            let packed = stream.finish().unwrap();
            let mut decoder = Decoder(DCtx::try_create().unwrap());
            let mut room = Whole(Vec::new());
            decoder.decompress(&packed, &mut room).unwrap();
            assert!(room.0 == data);
            let held = decoder.0.sizeof();
            assert!(held <= decoder.memory(), "{held} > {}", decoder.memory());
        }
    }

    struct Whole(Vec<u8>);

    impl Room for Whole {
        fn out(&mut self) -> &mut Vec<u8> {
            &mut self.0
        }

        fn want(&mut self, more: usize) -> Result<(), Full> {
            self.0.reserve_exact(more);
            Ok(())
        }
    }

    struct Nowhere;

    impl Sink for Nowhere {
        fn put(&mut self, _: &[u8]) -> Result<(), Full> {
            Ok(())
        }
    }
}
