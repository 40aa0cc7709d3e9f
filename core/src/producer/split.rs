//! A batch that its broker found too large is sent in parts (trap 55).
//!
//! Its records are laid out once, plain, in one buffer of the Inflate class, and stay there until all of them are settled.
//! What is sent of them lies in the batch's own chunks, one part after another: so no split ever waits for room of the
//! Produce class, which may be full of what is behind it.

use alloc::vec::Vec;

use super::{
    batch::Step,
    halves::{middle, renumber},
    outcome::Told,
    packer::Packer,
    summed::Summed,
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
    pub(super) packer: &'a mut Packer,
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

/// Records that are sent together.
struct Part {
    from: usize,
    len: usize,
    count: u32,
}

/// A batch in parts.
pub(super) struct Split {
    /// All records, each part's numbered for itself once its turn has come.
    plain: InflateBuf,
    /// What is not settled, the next one last.
    parts: Vec<Part>,
    /// Records that are settled.
    pub(super) first: u32,
    /// What became of them: each part's first record, and its outcome.
    pub(super) told: Vec<(u32, Told)>,
    /// Chunks of the batch that the part at hand does not need.
    spare: Vec<Chunk>,
}

impl Split {
    pub(super) fn of(plain: InflateBuf, count: u32) -> Split {
        let whole = Part { from: 0, len: plain.as_ref().len(), count };
        Split { plain, parts: alloc::vec![whole], first: 0, told: Vec::new(), spare: Vec::new() }
    }

    /// Records that are not settled.
    pub(super) fn left(&self) -> u32 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.count))
    }

    /// The part at hand is settled; whether there is another.
    pub(super) fn next(&mut self) -> bool {
        let Some(part) = self.parts.pop() else { return false };
        self.first += part.count;
        !self.parts.is_empty()
    }

    /// The part at hand becomes two.
    pub(super) fn halve(&mut self) -> Result<(), Whole> {
        let part = self.parts.last_mut().ok_or(Whole::Unreadable)?;
        let records = self.plain.as_ref().get(part.from..part.from + part.len).ok_or(Whole::Unreadable)?;
        let cut = middle(records).filter(|cut| cut.count < part.count).ok_or(Whole::Unreadable)?;
        let first = Part { from: part.from, len: cut.bytes, count: cut.count };
        *part = Part { from: part.from + cut.bytes, len: part.len - cut.bytes, count: part.count - cut.count };
        self.parts.push(first);
        Ok(())
    }

    /// Makes the part at hand what is sent.
    pub(super) fn prepare(&mut self, step: &mut Step, splitter: &mut Splitter<'_>) -> Result<(), Whole> {
        let part = self.parts.last_mut().ok_or(Whole::Unreadable)?;
        let body = Arc::get_mut(&mut step.body).ok_or(Whole::Wait)?;
        let records = self.plain.bytes_mut().get_mut(part.from..part.from + part.len).ok_or(Whole::Unreadable)?;
        let (len, newest) = renumber(records).ok_or(Whole::Unreadable)?;
        part.len = len;
        self.spare.extend(body.empty());
        let records = records.get(..len).ok_or(Whole::Unreadable)?;
        let (chunks, codec) = splitter.write(records, &mut self.spare)?;
        body.replace(chunks, Summed::default());
        step.codec = codec;
        step.count = part.count;
        step.max_timestamp_ms = step.base_timestamp_ms.wrapping_add(newest);
        Ok(())
    }
}

impl Splitter<'_> {
    /// The records of a batch, plain and in one piece.
    pub(super) fn laid_out(&self, step: &Step) -> Result<InflateBuf, Whole> {
        let (body, limit) = (&step.body, self.budget.most(Class::Inflate));
        if body.len() > limit {
            return Err(Whole::Never { needed: body.len(), limit });
        }
        let mut copy = self.budget.inflate_buf(body.len(), body.len()).ok_or(Whole::Wait)?;
        body.chunks().for_each(|chunk| copy.bytes_mut().extend_from_slice(chunk));
        if step.codec == Codec::None {
            return Ok(copy);
        }
        let held = copy.bytes_mut().capacity();
        let mut inflater = Inflater::new(Arc::clone(self.codecs), Arc::clone(self.budget));
        inflater.fill(copy.as_ref(), step.codec, 0, held).map_err(|stuck| match stuck {
            Stuck::Room(_) => Whole::Wait,
            Stuck::Never { needed, limit } => Whole::Never { needed, limit },
            Stuck::Codec(_) => Whole::Unreadable,
        })
    }

    /// Writes records into these chunks, compressed if that helps. A part takes no more than the whole did, but where it
    /// does, by a few bytes of a codec, the reserve helps out.
    fn write(&mut self, records: &[u8], free: &mut Vec<Chunk>) -> Result<(Vec<Chunk>, Codec), Whole> {
        if let Some(packed) = self.packer.pack_into(free, records.len(), &mut core::iter::once(records)) {
            return Ok((packed, self.packer.codec()));
        }
        let missing = records.len().div_ceil(self.budget.chunk_bytes()).saturating_sub(free.len());
        let mut more = self.packer.take(missing);
        free.append(&mut more);
        let missing = records.len().div_ceil(self.budget.chunk_bytes()).saturating_sub(free.len());
        if missing > 0 && !self.budget.take_chunks(missing, free) {
            return Err(Whole::Wait);
        }
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut rest = records;
        while let Some(mut chunk) = (!rest.is_empty()).then(|| free.pop()).flatten() {
            let (now, later) = rest.split_at(chunk.room().min(rest.len()));
            chunk.bytes_mut().extend_from_slice(now);
            chunks.push(chunk);
            rest = later;
        }
        assert!(rest.is_empty(), "the part was given room");
        Ok((chunks, Codec::None))
    }
}
