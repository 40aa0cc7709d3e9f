//! Compressed batches of a consumer, inflated in the application's thread under a lease of the Inflate class.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;

use crate::{
    budget::{Budget, Class, InflateBuf, Lease, Standing},
    compress::{self, Codec, CodecError, Codecs, Decompress, Full, Room, inflated_hint},
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
    /// How much larger than its compressed form the last batch was, in sixteenths.
    ratio: usize,
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
        // What the data says of itself may be the most that it can become: a small batch is not believed to be so much.
        let usual = (payload.len() / 16).saturating_mul(made.ratio).saturating_mul(9) / 8 + LEAST_ROOM;
        let said = inflated_hint(codec, payload).unwrap_or(usize::MAX);
        let mut least = head + payload.len().min(limit / 2);
        let mut size = head.saturating_add(said.min(usual));
        loop {
            if least > limit {
                return Err(Stuck::Never { needed: least, limit });
            }
            let Some(buf) = self.budget.inflate_buf(least, size.min(limit)) else { return Err(Stuck::Room(least)) };
            let mut room = FixedRoom { buf, denied: false };
            room.buf.bytes_mut().resize(head, 0);
            match (made.codec.decompress(payload, &mut room), room.denied) {
                (Ok(()), _) => {
                    let len = room.buf.as_ref().len().saturating_sub(head);
                    made.ratio = (len / payload.len().max(1)).saturating_mul(16).clamp(16, RATIO_MAX);
                    room.buf.fit();
                    return Ok(room.buf);
                }
                (Err(CodecError::LimitExceeded { .. }), true) => {
                    // How much it takes is not known, but that this was too little.
                    least = room.buf.bytes_mut().capacity().saturating_add(1);
                    size = least.saturating_mul(2);
                }
                (Err(error), _) => return Err(Stuck::Codec(error)),
            }
        }
    }

    /// Which decompressor is a codec's, after it was made if need be.
    fn made(&mut self, codec: Codec) -> Result<usize, Stuck> {
        if !compress::any() {
            return Err(Stuck::Codec(CodecError::Unsupported(codec)));
        }
        if let Some(at) = self.made.iter().position(|m| m.codec.codec() == codec) {
            return Ok(at);
        }
        let limit = self.budget.most(Class::Inflate);
        // Where the output is the window, the room for that is all the limit there is: a frame may claim more than it uses.
        // A codec that keeps a window of its own gets half of the class for it.
        let mut made = self.codecs.decompressor(codec, usize::MAX).map_err(Stuck::Codec)?;
        if made.memory() > limit {
            made = self.codecs.decompressor(codec, limit / 2).map_err(Stuck::Codec)?;
        }
        let needed = made.memory();
        if needed > limit {
            return Err(Stuck::Never { needed, limit });
        }
        let Some(memory) = self.budget.lease(Class::Inflate, needed) else { return Err(Stuck::Room(needed)) };
        let standing = self.budget.standing(Class::Inflate, needed);
        self.made.push(Made { codec: made, ratio: USUAL_RATIO, _memory: memory, _standing: standing });
        Ok(self.made.len() - 1)
    }
}

/// The first guess of how much larger records are than what they were compressed to, in sixteenths, and the largest.
const USUAL_RATIO: usize = 4 * 16;
const RATIO_MAX: usize = 1_000 * 16;

/// Room that any batch may have.
const LEAST_ROOM: usize = 512;

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

/// One buffer of the Inflate class. It does not move while it is filled: old and new together would take more than either.
struct FixedRoom {
    buf: InflateBuf,
    /// More was asked for.
    denied: bool,
}

impl Room for FixedRoom {
    fn out(&mut self) -> &mut Vec<u8> {
        self.buf.bytes_mut()
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        let (len, capacity) = (self.buf.as_ref().len(), self.buf.bytes_mut().capacity());
        if more <= capacity - len {
            return Ok(());
        }
        self.denied = true;
        Err(Full { limit: capacity })
    }
}
