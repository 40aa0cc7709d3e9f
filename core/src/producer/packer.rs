//! Compresses a producer's batches, in room that it has held since the producer was built: a full Produce class can
//! always be sent.

use alloc::{boxed::Box, format, string::ToString, vec::Vec};

use super::batch::BATCH_KNOWN;
use crate::{
    Error, ProducerConfig,
    budget::{Budget, Chunk, Class, Lease, Standing},
    compress::{self, Codec, CodecError, Codecs, Compress, Full, Sink},
    sync::Arc,
};

/// A producer's compressor, if it has one, and the room that it keeps for what batches become.
#[derive(Default)]
pub(crate) struct Packer {
    encoder: Option<Box<dyn Compress>>,
    /// Empty chunks: as many as a batch may have, once what went out is replaced by what came in. None without a compressor.
    reserve: Vec<Chunk>,
    whole: usize,
    _memory: Option<(Lease, Standing)>,
}

impl Packer {
    /// What a producer's settings ask for, with its room: one, or one for each job that may be under way.
    ///
    /// # Errors
    /// As [`of`](Packer::of).
    pub(crate) fn all_of(
        config: &ProducerConfig,
        codecs: &dyn Codecs,
        budget: &Arc<Budget>,
    ) -> Result<Vec<Packer>, Error> {
        let mut all = Vec::new();
        for _ in 0..config.compression_jobs.max(1) {
            all.push(Packer::of(config, codecs, budget)?);
        }
        Ok(all)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Config`] for a codec or level that there is not, and for a budget that can never hold it;
    /// [`Error::Budget`] while that is only full.
    fn of(config: &ProducerConfig, codecs: &dyn Codecs, budget: &Arc<Budget>) -> Result<Packer, Error> {
        if config.compression == Codec::None {
            return match config.compression_level {
                None => Ok(Packer::default()),
                Some(_) => Err(Error::config("compression_level", "needs a compression")),
            };
        }
        let codec = config.compression;
        let encoder = match compress::any() {
            true => codecs.compressor(codec, config.compression_level),
            false => Err(CodecError::Unsupported(codec)),
        };
        let encoder = encoder.map_err(|error| match error {
            CodecError::Level { .. } => Error::config("compression_level", error.to_string()),
            error => Error::config("compression", error.to_string()),
        })?;
        let memory = encoder.memory(config.batch_bytes);
        let whole = config.batch_bytes.div_ceil(budget.chunk_bytes());
        let output = whole.saturating_mul(budget.chunk_bytes());
        let (needed, limit) = (memory.saturating_add(output), budget.most(Class::Produce));
        if needed.saturating_add(output).saturating_add(BATCH_KNOWN) > limit {
            let why = format!(
                "the {limit} bytes that are left of it do not hold what {codec} takes ({memory}), a batch of batch_bytes and \
                 what it is compressed to ({output} each): lower batch_bytes, the level or compression_jobs, or raise it"
            );
            return Err(Error::config(Class::Produce.knob(), why));
        }
        let mut reserve = Vec::with_capacity(whole);
        let lease = budget.lease(Class::Produce, memory);
        let Some(lease) = lease.filter(|_| budget.take_chunks(whole, &mut reserve)) else {
            return Err(budget.refuse(Class::Produce, needed));
        };
        let standing = budget.standing(Class::Produce, needed);
        Ok(Packer { encoder: Some(encoder), reserve, whole, _memory: Some((lease, standing)) })
    }

    /// How batches are compressed.
    pub(super) fn codec(&self) -> Codec {
        self.encoder.as_ref().map_or(Codec::None, |encoder| encoder.codec())
    }

    /// Compresses records of `len` bytes; `None` if they would not become less.
    pub(super) fn pack(&mut self, len: usize, records: &mut dyn Iterator<Item = &[u8]>) -> Option<Vec<Chunk>> {
        let mut free = core::mem::take(&mut self.reserve);
        let packed = self.pack_into(&mut free, len, records);
        self.reserve = free;
        packed
    }

    /// The same with these empty chunks.
    pub(super) fn pack_into(
        &mut self,
        free: &mut Vec<Chunk>,
        len: usize,
        records: &mut dyn Iterator<Item = &[u8]>,
    ) -> Option<Vec<Chunk>> {
        let encoder = self.encoder.as_mut().filter(|_| compress::any())?;
        let limit = len.saturating_sub(1);
        let mut sink = ChunkSink { out: Vec::new(), free, left: limit, limit };
        let result = encoder.compress(records, &mut sink);
        let ChunkSink { mut out, .. } = sink;
        if result.is_ok() {
            return Some(out);
        }
        out.iter_mut().for_each(|chunk| chunk.bytes_mut().clear());
        free.append(&mut out);
        None
    }

    /// So many chunks of the reserve, if there are as many.
    pub(super) fn take(&mut self, count: usize) -> Vec<Chunk> {
        self.reserve.split_off(self.reserve.len().saturating_sub(count))
    }

    /// Takes chunks in whose contents nobody needs any more, in the place of those that went out, if some are missing.
    pub(super) fn refill(&mut self, chunks: &mut Vec<Chunk>) {
        while self.reserve.len() < self.whole
            && let Some(mut chunk) = chunks.pop()
        {
            chunk.bytes_mut().clear();
            self.reserve.push(chunk);
        }
    }
}

/// Puts compressed bytes into chunks of the reserve.
struct ChunkSink<'a> {
    out: Vec<Chunk>,
    free: &'a mut Vec<Chunk>,
    /// What may still come.
    left: usize,
    limit: usize,
}

impl Sink for ChunkSink<'_> {
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Full> {
        let full = Full { limit: self.limit };
        self.left = self.left.checked_sub(bytes.len()).ok_or(full)?;
        while !bytes.is_empty() {
            let room = self.out.last().map_or(0, Chunk::room);
            if room == 0 {
                self.out.push(self.free.pop().ok_or(full)?);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(chunk) = self.out.last_mut() {
                chunk.bytes_mut().extend_from_slice(now);
            }
            bytes = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Memory, compress::Decompress, pair::Rle};

    struct Bare;

    impl Codecs for Bare {
        fn compressor(&self, codec: Codec, _level: Option<i32>) -> Result<Box<dyn Compress>, CodecError> {
            Err(CodecError::Unsupported(codec))
        }

        fn decompressor(&self, codec: Codec, _window_max: usize) -> Result<Box<dyn Decompress>, CodecError> {
            Err(CodecError::Unsupported(codec))
        }
    }

    fn packer(produce_bytes: usize, memory: usize, change: impl FnOnce(&mut ProducerConfig)) -> Result<Packer, Error> {
        let budget = Budget::new(Memory { produce_bytes, ..Memory::default() });
        let mut config = ProducerConfig { compression: Codec::Lz4, batch_bytes: 1_000, ..ProducerConfig::default() };
        change(&mut config);
        Packer::of(&config, &Rle { memory }, &budget)
    }

    fn knob(refused: Result<Packer, Error>) -> &'static str {
        match refused {
            Err(Error::Config { knob, .. }) => knob,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("built"),
        }
    }

    #[test]
    fn what_is_not_there_or_does_not_fit_is_refused_by_name() {
        assert!(packer(8 << 10, 2_000, |_| {}).is_ok());
        assert_eq!(knob(packer(8 << 10, 7_000, |_| {})), "memory.produce_bytes");
        assert_eq!(knob(packer(8 << 10, 0, |c| c.batch_bytes = 5_000)), "memory.produce_bytes");
        assert_eq!(knob(packer(8 << 10, 0, |c| c.compression_level = Some(10))), "compression_level");
        let budget = Budget::new(Memory::default());
        let zstd = ProducerConfig { compression: Codec::Zstd, ..ProducerConfig::default() };
        assert_eq!(knob(Packer::of(&zstd, &Bare, &budget)), "compression");
        let none = ProducerConfig { compression_level: Some(1), ..ProducerConfig::default() };
        assert_eq!(knob(Packer::of(&none, &Bare, &budget)), "compression_level");
    }

    /// The reserve is whole again after each batch, whether it was compressed or not, however full the class is.
    #[test]
    fn a_full_class_can_always_be_compressed() {
        let budget = Budget::new(Memory { produce_bytes: 8 << 10, ..Memory::default() });
        let config = ProducerConfig { compression: Codec::Lz4, batch_bytes: 1_000, ..ProducerConfig::default() };
        let mut packer = Packer::of(&config, &Rle { memory: 500 }, &budget).expect("fits");
        let mut all = Vec::new();
        while let Some(chunk) = budget.chunk() {
            all.push(chunk);
        }
        for fill in [&[7; 256][..], &(0..=255).collect::<Vec<u8>>()] {
            let mut input: Vec<Chunk> = all.drain(..3).collect();
            input.iter_mut().for_each(|c| {
                c.bytes_mut().clear();
                c.bytes_mut().extend_from_slice(fill);
            });
            let out = packer.pack(3 * 256, &mut input.iter().map(Chunk::bytes));
            assert_eq!(out.is_some(), fill[0] == 7);
            if let Some(out) = out {
                assert_eq!(out.iter().map(|c| c.bytes().len()).sum::<usize>(), 8);
                packer.refill(&mut input);
            }
            assert_eq!(packer.reserve.len(), 4);
        }
        drop((packer, all));
        assert_eq!(budget.leased(Class::Produce), 0);
        assert_eq!(budget.most(Class::Produce), 8 << 10);
    }
}
