//! A codec for the tests, under every codec's name: each run of equal bytes is its length and the byte.

use alloc::{boxed::Box, vec::Vec};

use crate::compress::{Codec, CodecError, Codecs, Compress, Decompress, Room, Sink};

/// Makes that codec; says that it holds so many bytes in either direction.
pub(crate) struct Rle {
    pub(crate) memory: usize,
}

struct Coder {
    codec: Codec,
    memory: usize,
}

pub(crate) fn rle(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in bytes.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(255)) {
        out.extend([run.len() as u8, run[0]]);
    }
    out
}

pub(crate) fn unrle(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(2).flat_map(|run| core::iter::repeat_n(run[1], run[0].into())).collect()
}

impl Codecs for Rle {
    fn compressor(&self, codec: Codec, level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
        match level {
            None | Some(1..=9) => Ok(Box::new(Coder { codec, memory: self.memory })),
            Some(level) => Err(CodecError::Level { codec, level, least: 1, most: 9 }),
        }
    }

    fn decompressor(&self, codec: Codec, _window_max: usize) -> Result<Box<dyn Decompress>, CodecError> {
        Ok(Box::new(Coder { codec, memory: self.memory }))
    }
}

impl Compress for Coder {
    fn codec(&self) -> Codec {
        self.codec
    }

    fn memory(&self, _batch_bytes: usize) -> usize {
        self.memory
    }

    fn compress(&mut self, src: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> Result<(), CodecError> {
        let whole: Vec<u8> = src.flatten().copied().collect();
        let full = |f: crate::compress::Full| CodecError::LimitExceeded { codec: self.codec, limit: f.limit };
        rle(&whole).chunks(100).try_for_each(|piece| out.put(piece)).map_err(full)
    }
}

impl Decompress for Coder {
    fn codec(&self) -> Codec {
        self.codec
    }

    fn memory(&self) -> usize {
        self.memory
    }

    fn decompress(&mut self, src: &[u8], out: &mut dyn Room) -> Result<(), CodecError> {
        for pair in src.chunks(2) {
            let [count, byte] = *pair else { return Err(CodecError::Corrupt(self.codec)) };
            let len = out.out().len() + usize::from(count);
            let full = |f: crate::compress::Full| CodecError::LimitExceeded { codec: self.codec, limit: f.limit };
            out.want(count.into()).map_err(full)?;
            assert!(out.out().capacity() >= len, "room was promised");
            out.out().resize(len, byte);
        }
        Ok(())
    }
}
