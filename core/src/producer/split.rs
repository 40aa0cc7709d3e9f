//! A batch that its broker found too large is laid out anew as two (trap 55).
//!
//! The records are copied, or inflated, into one buffer of the Inflate class, and from there into chunks again: the old
//! ones, and what more it takes because two batches end in the middle of a chunk.

use alloc::vec::Vec;

use super::{
    batch::{BatchBody, Step},
    halves::{middle, renumber},
    packer::Packer,
};
use crate::{
    budget::{Budget, Chunk, Class, InflateBuf},
    compress::{Codec, Codecs},
    consumer::{Inflater, Stuck},
    sync::Arc,
};

/// What a split takes beside the batch.
pub(super) struct Splitter<'a> {
    pub(super) budget: &'a Arc<Budget>,
    pub(super) codecs: &'a Arc<dyn Codecs>,
    pub(super) packer: Option<&'a mut Packer>,
}

/// Why a batch is not split.
#[derive(Debug)]
pub(super) enum Whole {
    /// Not now: there is not enough room, or the connection has not let go of it.
    Wait,
    /// It takes at least so many bytes of the Inflate class, which never has as many.
    Never { needed: usize, limit: usize },
    /// It cannot be read.
    Unreadable,
}

impl Splitter<'_> {
    /// Two halves of a batch's records; nothing has changed if there are none.
    pub(super) fn halves(&mut self, step: &mut Step) -> Result<[Step; 2], Whole> {
        let (codec, count, base) = (step.codec, step.count, step.base_timestamp_ms);
        let body = Arc::get_mut(&mut step.body).ok_or(Whole::Wait)?;
        let mut records = self.laid_out(body, codec)?;
        let cut = middle(records.as_ref()).ok_or(Whole::Unreadable)?;
        let (first, second) = records.bytes_mut().split_at_mut(cut.bytes);
        let (len, newest) = renumber(second).ok_or(Whole::Unreadable)?;
        let second = second.get(..len).ok_or(Whole::Unreadable)?;
        let mut free = self.gather(body, first.len(), second.len())?;
        let mut half = |bytes: &[u8], count, newest: i64| {
            let (body, codec) = self.write(bytes, &mut free);
            let max_timestamp_ms = base.wrapping_add(newest);
            Step { body, codec, count, base_timestamp_ms: base, max_timestamp_ms }
        };
        let halves = [half(first, cut.count, cut.newest), half(second, count.saturating_sub(cut.count), newest)];
        self.let_go(free);
        Ok(halves)
    }

    /// Chunks for both halves, even if neither becomes smaller. From here on the old ones are empty.
    fn gather(&mut self, body: &mut BatchBody, first: usize, second: usize) -> Result<Vec<Chunk>, Whole> {
        let size = self.budget.chunk_bytes();
        let needed = first.div_ceil(size) + second.div_ceil(size);
        let mut free = self.packer.as_mut().map_or_else(Vec::new, |packer| packer.reserve());
        let missing = needed.saturating_sub(free.len() + body.chunks().count());
        if missing > 0 && !self.budget.take_chunks(missing, &mut free) {
            self.let_go(free);
            return Err(Whole::Wait);
        }
        free.extend(body.empty());
        Ok(free)
    }

    fn let_go(&mut self, free: Vec<Chunk>) {
        if let Some(packer) = &mut self.packer {
            packer.refill(free);
        }
    }

    /// Writes one half, compressed if that helps.
    fn write(&mut self, bytes: &[u8], free: &mut Vec<Chunk>) -> (Arc<BatchBody>, Codec) {
        if let Some(packer) = &mut self.packer
            && let Some(packed) = packer.pack_into(free, bytes.len(), &mut core::iter::once(bytes))
        {
            return (Arc::new(BatchBody::of(packed)), packer.codec());
        }
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut rest = bytes;
        while let Some(mut chunk) = (!rest.is_empty()).then(|| free.pop()).flatten() {
            let (now, later) = rest.split_at(chunk.room().min(rest.len()));
            chunk.bytes_mut().extend_from_slice(now);
            chunks.push(chunk);
            rest = later;
        }
        assert!(rest.is_empty(), "both halves were given room");
        (Arc::new(BatchBody::of(chunks)), Codec::None)
    }

    /// The records, plain and in one piece.
    fn laid_out(&self, body: &BatchBody, codec: Codec) -> Result<InflateBuf, Whole> {
        let limit = self.budget.most(Class::Inflate);
        if body.len() > limit {
            return Err(Whole::Never { needed: body.len(), limit });
        }
        let mut copy = self.budget.inflate_buf(body.len(), body.len()).ok_or(Whole::Wait)?;
        body.chunks().for_each(|chunk| copy.bytes_mut().extend_from_slice(chunk));
        if codec == Codec::None {
            return Ok(copy);
        }
        let held = copy.bytes_mut().capacity();
        let mut inflater = Inflater::new(Arc::clone(self.codecs), Arc::clone(self.budget));
        inflater.fill(copy.as_ref(), codec, 0, held).map_err(|stuck| match stuck {
            Stuck::Room(_) => Whole::Wait,
            Stuck::Never { needed, limit } => Whole::Never { needed, limit },
            Stuck::Codec(_) => Whole::Unreadable,
        })
    }
}
