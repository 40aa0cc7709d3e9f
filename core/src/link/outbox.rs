//! What is still to be written: pieces of request frames and, between them, record batches that go out untouched.

use alloc::collections::VecDeque;

use bytes::Bytes;

use crate::{producer::BatchBody, sync::Arc, wire::Frame};

/// A batch's records, as they stand between two pieces of a frame: its own header of 61 bytes is patched for each
/// request, so it travels apart from the chunks.
pub(crate) struct Body {
    pub(crate) header: [u8; crate::record::BATCH_HEADER_LEN],
    pub(crate) batch: Arc<BatchBody>,
}

enum Piece {
    Head(Bytes),
    Body(Body),
}

impl Piece {
    /// The piece's slices, in order.
    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let (first, batch): (&[u8], _) = match self {
            Piece::Head(bytes) => (bytes, None),
            Piece::Body(body) => (&body.header, Some(&body.batch)),
        };
        core::iter::once(first).chain(batch.into_iter().flat_map(|b| b.chunks()))
    }

    fn len(&self) -> usize {
        match self {
            Piece::Head(bytes) => bytes.len(),
            Piece::Body(body) => body.header.len().saturating_add(body.batch.len()),
        }
    }
}

/// The queue of bytes to write, and how many were written since the connection began.
#[derive(Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are written.
    offset: usize,
    queued: u64,
    written: u64,
}

impl Outbox {
    /// Queues a frame; answers the position of its end in the stream.
    pub(crate) fn push(&mut self, frame: Frame, bodies: VecDeque<Body>) -> u64 {
        let mut head = Bytes::from(frame.bytes);
        let mut cut = 0usize;
        for (split, body) in frame.splits.iter().zip(bodies) {
            let before = head.split_to(split.at.saturating_sub(cut).min(head.len()));
            cut = split.at;
            self.push_piece(Piece::Head(before));
            self.push_piece(Piece::Body(body));
        }
        if !head.is_empty() {
            self.push_piece(Piece::Head(head));
        }
        self.queued
    }

    fn push_piece(&mut self, piece: Piece) {
        self.queued = self.queued.saturating_add(piece.len() as u64);
        self.pieces.push_back(piece);
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
        let mut skip = self.offset;
        let mut count = 0;
        for slice in self.pieces.iter().flat_map(Piece::slices) {
            if skip >= slice.len() {
                skip = skip.saturating_sub(slice.len());
                continue;
            }
            let (Some(place), Some(rest)) = (out.get_mut(count), slice.get(skip..)) else { break };
            *place = rest;
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
            self.pieces.pop_front();
        }
    }
}
