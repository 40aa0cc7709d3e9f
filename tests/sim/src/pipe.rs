//! One direction of a connection: a window, bytes under way in chunks, bytes that have arrived.

use std::collections::VecDeque;
use std::task::Waker;

use crate::rng::Rng;

/// How bytes are cut on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// As they were written.
    Whole,
    /// Into segments of an Ethernet's size.
    Segments,
    /// Into pieces of 1 to 64 bytes, for the connection's first kilobyte; then segments.
    Small,
    /// Byte by byte, for the connection's first 300; then segments.
    Bytes,
}

impl Chunks {
    /// The size of the next piece, when `sent` bytes have gone before.
    pub(crate) fn next(self, sent: u64, rng: &mut Rng) -> usize {
        match self {
            Chunks::Whole => usize::MAX,
            Chunks::Bytes if sent < 300 => 1,
            Chunks::Small if sent < 1_000 => rng.range(1, 64) as usize,
            _ => 1_460,
        }
    }
}

/// How a direction ends, for its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// After everything that was sent.
    Fin,
    /// At once.
    Reset,
}

/// Where a connection breaks: when so many bytes of this direction have arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) at: u64,
    pub(crate) how: How,
}

/// Where a connection breaks, by requests: at the next one, when `left` is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameCut {
    pub(crate) at: Boundary,
    pub(crate) left: u64,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// All of it has come, and the broker does not see it.
    BeforeRequest,
    /// The broker has done it, and nothing of the answer comes.
    AfterRequest,
    /// All of the answer has come.
    AfterAnswer,
}

impl FrameCut {
    /// Whether the connection breaks at this boundary.
    pub(crate) fn hits(&mut self, at: Boundary) -> bool {
        if self.at != at {
            return false;
        }
        let hit = self.left == 0;
        self.left = self.left.saturating_sub(1);
        hit
    }
}

/// How it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Closed in order.
    Fin,
    /// Reset.
    Reset,
    /// Nothing comes through any more, and nobody is told.
    Silence,
}

/// What is under way.
#[derive(Debug)]
pub(crate) enum Chunk {
    Bytes(Vec<u8>),
    End(End),
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) window: usize,
    pub(crate) under_way: VecDeque<Chunk>,
    under_way_bytes: usize,
    pub(crate) last_arrival: u64,
    arrived: Vec<u8>,
    taken: usize,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    pub(crate) cut: Option<Cut>,
    pub(crate) end: Option<End>,
    pub(crate) chunks: Chunks,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
}

impl Pipe {
    pub(crate) fn new(window: usize, chunks: Chunks) -> Self {
        Pipe {
            window,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            last_arrival: 0,
            arrived: Vec::new(),
            taken: 0,
            sent: 0,
            delivered: 0,
            cut: None,
            end: None,
            chunks,
            reader: None,
            writer: None,
        }
    }

    /// How many more bytes the writer may send.
    pub(crate) fn room(&self) -> usize {
        self.window.saturating_sub(self.under_way_bytes + self.arrived.len() - self.taken)
    }

    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.sent += bytes.len() as u64;
        self.under_way_bytes += bytes.len();
        self.under_way.push_back(Chunk::Bytes(bytes));
    }

    /// The next chunk that arrives, cut off where the connection breaks.
    pub(crate) fn arrive(&mut self) -> Option<Chunk> {
        let chunk = self.under_way.pop_front()?;
        let Chunk::Bytes(mut bytes) = chunk else { return Some(chunk) };
        self.under_way_bytes -= bytes.len();
        if let Some(cut) = &self.cut {
            bytes.truncate(cut.at.saturating_sub(self.delivered) as usize);
        }
        self.delivered += bytes.len() as u64;
        Some(Chunk::Bytes(bytes))
    }

    /// Whether the connection breaks now.
    pub(crate) fn breaks(&mut self) -> Option<How> {
        let delivered = self.delivered;
        self.cut.take_if(|cut| cut.at <= delivered).map(|cut| cut.how)
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    /// Bytes that have arrived and were not read.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.arrived[self.taken..]
    }

    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.arrived.len() {
            self.arrived.clear();
            self.taken = 0;
        }
    }

    /// Forgets what is under way.
    pub(crate) fn lose(&mut self) {
        self.under_way.clear();
        self.under_way_bytes = 0;
    }
}
