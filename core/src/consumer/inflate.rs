//! Compressed batches of a consumer, inflated in the application's thread under a lease of the Inflate class.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;

use crate::{
    budget::{Budget, Class, InflateBuf, Lease, Standing},
    compress::{Codec, CodecError, Codecs, Decompress, Full, Room, inflated_hint},
    record::{BATCH_HEADER_LEN, BatchHeader, BatchView, LOG_OVERHEAD},
    sync::Arc,
};

/// What inflates a consumer's batches: one decompressor a codec, made when the first batch of its kind comes.
pub(crate) struct Inflater {
    codecs: Arc<dyn Codecs>,
    budget: Arc<Budget>,
    made: Vec<Made>,
}

struct Made {
    codec: Box<dyn Decompress>,
    _memory: Lease,
    _standing: Standing,
}

/// Why a batch was not inflated.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// Not now: at least so many bytes of the Inflate class must come back first.
    Room(usize),
    /// It takes at least `needed` bytes, and there can never be more than `limit`.
    Never {
        needed: usize,
        limit: usize,
    },
    Codec(CodecError),
}

impl Inflater {
    pub(crate) fn new(codecs: Arc<dyn Codecs>, budget: Arc<Budget>) -> Self {
        Inflater { codecs, budget, made: Vec::new() }
    }

    /// The plain batch that a compressed one was before, with the same header but for length, codec and CRC.
    pub(super) fn inflate(&mut self, batch: &BatchView<'_>, codec: Codec) -> Result<Bytes, Stuck> {
        self.fill(batch.payload(), codec, BATCH_HEADER_LEN, 0).map(|buf| plain(&batch.header, buf))
    }

    /// Inflates one batch's records behind `head` bytes, while the caller holds so many bytes of the class itself.
    pub(crate) fn fill(&mut self, payload: &[u8], codec: Codec, head: usize, held: usize) -> Result<InflateBuf, Stuck> {
        let at = self.made(codec)?;
        let Some(made) = self.made.get_mut(at) else { return Err(Stuck::Codec(CodecError::Unsupported(codec))) };
        let limit = self.budget.most(Class::Inflate).saturating_sub(held).min(BATCH_MAX);
        // What the data says of itself is a wish: only its own size is taken for granted.
        let mut least = head + payload.len().min(limit / 2);
        let said = inflated_hint(codec, payload).unwrap_or(payload.len().saturating_mul(USUAL_RATIO));
        let mut wish = head.saturating_add(said);
        loop {
            if least > limit {
                return Err(Stuck::Never { needed: least, limit });
            }
            let Some(buf) = self.budget.inflate_buf(least, wish.min(limit)) else { return Err(Stuck::Room(least)) };
            let mut room = BoundedRoom { buf, limit, denied: false };
            room.buf.bytes_mut().resize(head, 0);
            let result = made.codec.decompress(payload, &mut room);
            let capacity = room.buf.bytes_mut().capacity();
            match result {
                Ok(()) => {
                    room.buf.fit();
                    return Ok(room.buf);
                }
                Err(CodecError::LimitExceeded { .. }) if room.denied => {
                    // Where a buffer has no room to move, one that is larger from the start may have. How much it takes is
                    // not known, but that this was too little.
                    least = capacity.saturating_add(1);
                    wish = capacity.saturating_mul(2);
                }
                Err(error) => return Err(Stuck::Codec(error)),
            }
        }
    }

    /// Which decompressor is a codec's, after it was made if need be.
    fn made(&mut self, codec: Codec) -> Result<usize, Stuck> {
        if let Some(at) = self.made.iter().position(|m| m.codec.codec() == codec) {
            return Ok(at);
        }
        let limit = self.budget.most(Class::Inflate);
        // The output is the window, so the room for that is all the limit there is: a frame may claim more than it uses.
        let made = self.codecs.decompressor(codec, usize::MAX).map_err(Stuck::Codec)?;
        let needed = made.memory();
        if needed > limit {
            return Err(Stuck::Never { needed, limit });
        }
        let Some(memory) = self.budget.lease(Class::Inflate, needed) else { return Err(Stuck::Room(needed)) };
        let standing = self.budget.standing(Class::Inflate, needed);
        self.made.push(Made { codec: made, _memory: memory, _standing: standing });
        Ok(self.made.len() - 1)
    }
}

/// The first guess of how much larger records are than what they were compressed to.
const USUAL_RATIO: usize = 4;

/// A batch's length must fit its header.
const BATCH_MAX: usize = i32::MAX as usize;

/// Writes the header in front of inflated records.
fn plain(header: &BatchHeader, mut buf: InflateBuf) -> Bytes {
    let whole = buf.as_ref().len();
    let header = BatchHeader {
        batch_length: i32::try_from(whole.saturating_sub(LOG_OVERHEAD)).unwrap_or(i32::MAX),
        attributes: header.attributes.plain(),
        ..*header
    };
    if let Some(place) = buf.bytes_mut().first_chunk_mut() {
        *place = header.write();
    }
    Bytes::from_owner(buf)
}

/// One buffer of the Inflate class that grows as long as there is room for it.
struct BoundedRoom {
    buf: InflateBuf,
    limit: usize,
    /// It could not grow as it was asked to.
    denied: bool,
}

impl Room for BoundedRoom {
    fn out(&mut self) -> &mut Vec<u8> {
        self.buf.bytes_mut()
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        let (len, capacity) = (self.buf.as_ref().len(), self.buf.bytes_mut().capacity());
        let needed = len.saturating_add(more);
        if needed <= capacity {
            return Ok(());
        }
        let wish = capacity.saturating_mul(2).clamp(needed, self.limit.max(needed));
        if needed <= self.limit && self.buf.grow(needed, wish) {
            return Ok(());
        }
        self.denied = true;
        Err(Full { limit: self.limit })
    }
}
