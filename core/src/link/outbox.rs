//! What is still to be written: pieces of request frames and, between them, record batches that go out untouched.

use alloc::{collections::VecDeque, vec::Vec};

use crate::{producer::BatchBody, sync::Arc, wire::Frame};

/// A batch's records, as they stand between two pieces of a frame: its own header of 61 bytes is patched for each
/// request, so it travels apart from the chunks.
pub(crate) struct Body {
    pub(crate) header: [u8; crate::record::BATCH_HEADER_LEN],
    pub(crate) batch: Arc<BatchBody>,
}

enum Piece {
    /// So many of the outbox's own bytes.
    Own(usize),
    Body(Body),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Piece::Own(len) => *len,
            Piece::Body(body) => body.header.len().saturating_add(body.batch.len()),
        }
    }
}

/// Frames are copied to where the ones before lay, so that a request asks for no memory; one as long as this is rare
/// and does not keep what it took.
const OWN_KEPT: usize = 1_024;

/// The queue of bytes to write, and how many were written since the connection began.
#[derive(Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// The bytes of all frames but for their batches, one after the other.
    own: Vec<u8>,
    /// Where those of the first piece that has any begin.
    own_from: usize,
    /// Bytes of the first piece that are written.
    offset: usize,
    queued: u64,
    written: u64,
}

impl Outbox {
    /// Queues a frame, with what stands at its splits; answers the position of its end in the stream.
    pub(crate) fn push(&mut self, frame: &Frame, bodies: impl Iterator<Item = Body>) -> u64 {
        self.move_up();
        self.own.extend_from_slice(&frame.bytes);
        let mut cut = 0usize;
        for (split, body) in frame.splits.iter().zip(bodies) {
            self.push_piece(Piece::Own(split.at.saturating_sub(cut)));
            self.push_piece(Piece::Body(body));
            cut = split.at;
        }
        self.push_piece(Piece::Own(frame.bytes.len().saturating_sub(cut)));
        self.queued
    }

    /// What is written makes room before the rest has to move to a larger place.
    fn move_up(&mut self) {
        if self.own_from >= self.own.len() / 2 {
            self.own.drain(..self.own_from);
            self.own_from = 0;
            self.own.shrink_to(OWN_KEPT);
        }
    }

    fn push_piece(&mut self, piece: Piece) {
        self.queued = self.queued.saturating_add(piece.len() as u64);
        if piece.len() > 0 {
            self.pieces.push_back(piece);
        }
    }

    #[cfg(test)]
    pub(super) fn own_len(&self) -> usize {
        self.own.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes taken by the network since the connection began.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Fills `out` from the front; answers how many slices.
    pub(crate) fn slices<'a>(&'a self, out: &mut [&'a [u8]]) -> usize {
        let mut rest = self.own.get(self.own_from..).unwrap_or_default();
        let slices = self.pieces.iter().flat_map(|piece| {
            let (first, batch): (&[u8], _) = match piece {
                Piece::Own(len) => {
                    let (own, after) = rest.split_at(rest.len().min(*len));
                    rest = after;
                    (own, None)
                }
                Piece::Body(body) => (&body.header, Some(&body.batch)),
            };
            core::iter::once(first).chain(batch.into_iter().flat_map(|b| b.chunks()))
        });
        let mut skip = self.offset;
        let mut count = 0;
        for slice in slices {
            if skip >= slice.len() {
                skip = skip.saturating_sub(slice.len());
                continue;
            }
            let (Some(place), Some(unwritten)) = (out.get_mut(count), slice.get(skip..)) else { break };
            *place = unwritten;
            skip = 0;
            count = count.saturating_add(1);
        }
        count
    }

    /// `count` bytes from the front were written. A batch's memory goes back as soon as nobody retries it.
    pub(crate) fn advance(&mut self, count: usize) {
        self.written = self.written.saturating_add(count as u64);
        self.offset = self.offset.saturating_add(count);
        while let Some(first) = self.pieces.front() {
            let len = first.len();
            if self.offset < len {
                break;
            }
            self.offset = self.offset.saturating_sub(len);
            if let Some(Piece::Own(len)) = self.pieces.pop_front() {
                self.own_from = self.own_from.saturating_add(len);
            }
        }
    }
}
