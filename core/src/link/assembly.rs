//! Frames out of a stream of bytes: small ones from a read-ahead buffer, large ones straight into a leased buffer.

use alloc::{boxed::Box, vec};

use crate::budget::FetchBuf;

/// What came in.
pub(crate) enum Incoming {
    /// A whole frame that lies in the stage, without its length: these bytes of it.
    Staged { start: usize, end: usize },
    /// A whole frame in a buffer of its own.
    Leased(FetchBuf),
    /// A frame that no buffer was given for; its first bytes lie in the stage, the rest was thrown away.
    Refused { start: usize, end: usize, len: usize },
}

/// What to do with a frame whose length is known.
pub(crate) enum Room {
    /// It gets this buffer.
    Buffer(FetchBuf),
    /// There is none: keep the head, throw the rest away.
    None,
}

enum Large {
    No,
    Into {
        buffer: FetchBuf,
        filled: usize,
    },
    /// `head` bytes are kept so far; `left` bytes of the frame have not come.
    Away {
        head: usize,
        len: usize,
        left: usize,
    },
}

/// The state between two reads.
pub(crate) struct Assembly {
    stage: Box<[u8]>,
    start: usize,
    end: usize,
    large: Large,
}

/// How much of a refused frame is kept, at most: enough to tell which request it answers and which partitions it has.
const HEAD_KEPT: usize = 512;

impl Assembly {
    /// `stage` bytes of read-ahead.
    pub(crate) fn new(stage: usize) -> Self {
        Assembly { stage: vec![0; stage].into_boxed_slice(), start: 0, end: 0, large: Large::No }
    }

    /// Where the next read should go; never empty.
    pub(crate) fn buffer(&mut self) -> &mut [u8] {
        if let Large::Into { buffer, filled } = &mut self.large {
            return buffer.bytes_mut().get_mut(*filled..).unwrap_or_default();
        }
        self.stage.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes were read into [`buffer`](Assembly::buffer).
    pub(crate) fn received(&mut self, count: usize) {
        match &mut self.large {
            Large::Into { filled, .. } => *filled = filled.saturating_add(count),
            Large::Away { head, left, .. } => {
                let gone = count.min(*left);
                *left = left.saturating_sub(gone);
                let kept = gone.min(HEAD_KEPT.min(self.stage.len() / 2).saturating_sub(*head));
                *head = head.saturating_add(kept);
                // What belongs to the refused frame is forgotten but for its head, what follows it moves up.
                let from = self.end.saturating_add(gone);
                let rest = from..self.end.saturating_add(count);
                self.end = self.end.saturating_add(kept);
                self.stage.copy_within(rest, self.end);
                self.end = self.end.saturating_add(count.saturating_sub(gone));
            }
            Large::No => self.end = self.end.saturating_add(count),
        }
    }

    /// Lends the stage out while a frame in it is handled. Nothing else may be called until it is given back.
    pub(crate) fn lend(&mut self) -> Box<[u8]> {
        core::mem::take(&mut self.stage)
    }

    pub(crate) fn give_back(&mut self, stage: Box<[u8]>) {
        self.stage = stage;
    }

    /// The bytes that have come and are not yet part of a whole frame, for telling what a stranger speaks.
    pub(crate) fn unread(&self) -> &[u8] {
        self.stage.get(self.start..self.end).unwrap_or_default()
    }

    /// The length that the next frame announces, once its four bytes are here and no frame is under way.
    pub(crate) fn announced(&self) -> Option<i32> {
        if !matches!(self.large, Large::No) {
            return None;
        }
        let bytes = self.unread().first_chunk::<4>()?;
        Some(i32::from_be_bytes(*bytes))
    }

    /// Whether the frame of `len` bytes that was announced is whole in the stage.
    pub(crate) fn is_staged(&self, len: usize) -> bool {
        self.unread().len().saturating_sub(4) >= len
    }

    /// Whether a frame of this length fits into the stage at all.
    pub(crate) fn fits_stage(&self, len: usize) -> bool {
        len.saturating_add(4) <= self.stage.len()
    }

    /// Takes the frame that [`announced`](Assembly::announced) gave `len` for, with the room that was found for it.
    pub(crate) fn begin(&mut self, len: usize, room: Room) {
        match room {
            Room::Buffer(mut buffer) => {
                self.start = self.start.saturating_add(4);
                let filled = self.unread().len().min(len);
                if let (Some(to), Some(from)) = (
                    buffer.bytes_mut().get_mut(..filled),
                    self.stage.get(self.start..self.start.saturating_add(filled)),
                ) {
                    to.copy_from_slice(from);
                }
                self.start = self.start.saturating_add(filled);
                self.compact();
                self.large = Large::Into { buffer, filled };
            }
            Room::None => {
                self.start = self.start.saturating_add(4);
                self.compact();
                let here = self.end.min(len);
                let head = here.min(HEAD_KEPT).min(self.stage.len() / 2);
                // What has come of the frame beyond its head goes, what follows the frame moves up behind the head.
                self.stage.copy_within(here..self.end, head);
                self.end = self.end.saturating_sub(here.saturating_sub(head));
                self.large = Large::Away { head, len, left: len.saturating_sub(here) };
            }
        }
    }

    /// The next whole frame, or `None` if more must be read or a length waits to be decided on.
    pub(crate) fn next(&mut self) -> Option<Incoming> {
        match &self.large {
            Large::Into { buffer, filled } if *filled >= buffer.as_ref().len() => {}
            Large::Away { left: 0, .. } => {}
            Large::No => return self.next_staged(),
            _ => return None,
        }
        match core::mem::replace(&mut self.large, Large::No) {
            Large::Into { buffer, .. } => Some(Incoming::Leased(buffer)),
            Large::Away { head, len, .. } => {
                self.start = head;
                Some(Incoming::Refused { start: 0, end: head, len })
            }
            Large::No => None,
        }
    }

    fn next_staged(&mut self) -> Option<Incoming> {
        let len = usize::try_from(self.announced()?).ok()?;
        if !self.is_staged(len) {
            if self.fits_stage(len) {
                self.compact();
            }
            return None;
        }
        let start = self.start.saturating_add(4);
        let end = start.saturating_add(len);
        self.start = end;
        Some(Incoming::Staged { start, end })
    }

    /// Moves what is unread to the front, so that there is room behind it.
    pub(crate) fn compact(&mut self) {
        self.stage.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
    }
}
