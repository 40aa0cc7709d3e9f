//! gzip by zlib-rs, through flate2, which keeps up with it.

use flate2::{Compress as Deflate, Compression, Decompress as Inflate, FlushCompress, FlushDecompress, Status};
use klamm::compress::{Codec, CodecError, Compress, Decompress, Room, Sink, claim, inflated_hint};

/// zlib's largest window, as an exponent; what every gzip has.
const WINDOW_BITS: u8 = 15;
/// The output goes on in pieces of this size, and grows at least by as much.
const STEP: usize = 16 * 1024;
/// How often larger than its input an output is believed to be before any of it has come.
const BELIEVED_RATIO: usize = 16;
/// What zlib-rs holds to compress and to inflate, a little more than it says.
const DEFLATE_BYTES: usize = 384 * 1024;
const INFLATE_BYTES: usize = 128 * 1024;
const CORRUPT: CodecError = CodecError::Corrupt(Codec::Gzip);

pub(super) fn compressor(level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
    let level = match level.unwrap_or(-1) {
        -1 => Compression::default(),
        level @ 0..=9 => Compression::new(level.unsigned_abs()),
        level => return Err(CodecError::Level { codec: Codec::Gzip, level, least: -1, most: 9 }),
    };
    Ok(Box::new(Encoder { deflate: Deflate::new_gzip(level, WINDOW_BITS), piece: vec![0; STEP] }))
}

pub(super) fn decompressor() -> Box<dyn Decompress> {
    Box::new(Decoder(Inflate::new_gzip(WINDOW_BITS)))
}

struct Decoder(Inflate);

impl Decompress for Decoder {
    fn codec(&self) -> Codec {
        Codec::Gzip
    }

    fn memory(&self) -> usize {
        INFLATE_BYTES
    }

    fn decompress(&mut self, mut src: &[u8], room: &mut dyn Room) -> Result<(), CodecError> {
        let believed = src.len().saturating_mul(BELIEVED_RATIO).max(STEP);
        let mut step = inflated_hint(Codec::Gzip, src).map_or(STEP, |hint| hint.clamp(1, believed));
        self.0.reset(true);
        loop {
            let claim = claim(room, step);
            let out = room.out();
            let at = out.len();
            out.resize(at + claim.granted, 0);
            let (read, written) = (self.0.total_in(), self.0.total_out());
            let status = self.0.decompress(src, &mut out[at..], FlushDecompress::None);
            let (read, written) = ((self.0.total_in() - read) as usize, (self.0.total_out() - written) as usize);
            src = &src[read..];
            out.truncate(at + written);
            match (status, claim.full) {
                (Ok(Status::StreamEnd), _) if src.is_empty() => return Ok(()),
                // Another member.
                (Ok(Status::StreamEnd), _) => self.0.reset(true),
                (Err(_), _) => return Err(CORRUPT),
                // It stopped before its output was full: there is no more input.
                _ if written < claim.granted => return Err(CORRUPT),
                (_, Some(full)) => return Err(CodecError::LimitExceeded { codec: Codec::Gzip, limit: full.limit }),
                _ => step = out.len().max(STEP),
            }
        }
    }
}

struct Encoder {
    deflate: Deflate,
    piece: Vec<u8>,
}

impl Compress for Encoder {
    fn codec(&self) -> Codec {
        Codec::Gzip
    }

    fn memory(&self, _batch_bytes: usize) -> usize {
        DEFLATE_BYTES + STEP
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        self.deflate.reset();
        for mut piece in src {
            while !piece.is_empty() {
                let read = self.step(piece, FlushCompress::None, out)?.1;
                piece = &piece[read..];
            }
        }
        while self.step(&[], FlushCompress::Finish, out)?.0 != Status::StreamEnd {}
        Ok(())
    }
}

impl Encoder {
    /// Compresses as much as one piece of output takes: how it stands, and how much was read.
    fn step(&mut self, src: &[u8], flush: FlushCompress, out: &mut dyn Sink) -> Result<(Status, usize), CodecError> {
        let (read, written) = (self.deflate.total_in(), self.deflate.total_out());
        // It fails when it is called out of turn only.
        let status = self.deflate.compress(src, &mut self.piece, flush).map_err(|_| CORRUPT)?;
        let written = (self.deflate.total_out() - written) as usize;
        let full = |full: klamm::compress::Full| CodecError::LimitExceeded { codec: Codec::Gzip, limit: full.limit };
        out.put(&self.piece[..written]).map_err(full)?;
        Ok((status, (self.deflate.total_in() - read) as usize))
    }
}
