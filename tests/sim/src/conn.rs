//! One connection, and what requests and answers are on it.

use std::collections::VecDeque;
use std::task::Waker;

use klamm::TransportError;
use klamm_broker::ConnId;

use crate::peer::{Listener, Script};
use crate::pipe::{Boundary, FrameCut, How, Pipe};

/// What a connection leads to, once it is open.
pub(crate) enum Far {
    Broker { node: i32, id: Option<ConnId> },
    Script(Box<dyn Script>),
    None,
}

pub(crate) enum Phase {
    Connecting { to: Option<Listener>, waker: Option<Waker> },
    Connected(Result<(), TransportError>),
    Open,
}

pub(crate) struct Conn {
    pub(crate) client: usize,
    pub(crate) phase: Phase,
    pub(crate) far: Far,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// Nothing comes through any more.
    pub(crate) silent: bool,
    /// The client has let go of it.
    pub(crate) closed: bool,
    pub(crate) frame_cut: Option<FrameCut>,
    pub(crate) requests: Frames,
    pub(crate) awaiting: VecDeque<Awaiting>,
}

/// A request that was delivered, until its answer was.
#[derive(Debug)]
pub(crate) struct Awaiting {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// Where its answer ends in what comes down, once there is one.
    pub(crate) end: Option<u64>,
}

/// The request that is arriving, as far as it is here.
#[derive(Debug, Default)]
pub(crate) struct Frames(Vec<u8>);

/// What comes of some more bytes.
pub(crate) enum Scanned {
    /// So many bytes belong to a request that is not whole.
    Partial(usize),
    /// So many bytes end a request; here it is, without its length.
    Whole(usize, Vec<u8>),
}

impl Frames {
    /// Takes bytes up to the end of a request at most.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut taken = 0;
        if self.0.len() < 4 {
            taken = bytes.len().min(4 - self.0.len());
            self.0.extend_from_slice(&bytes[..taken]);
        }
        let Some(size) = self.0.first_chunk::<4>() else { return Scanned::Partial(taken) };
        let size = u32::from_be_bytes(*size) as usize;
        let more = (4 + size - self.0.len()).min(bytes.len() - taken);
        self.0.extend_from_slice(&bytes[taken..taken + more]);
        taken += more;
        if self.0.len() < 4 + size {
            return Scanned::Partial(taken);
        }
        let mut frame = core::mem::take(&mut self.0);
        frame.drain(..4);
        Scanned::Whole(taken, frame)
    }

    /// Whether a part of a request is here.
    pub(crate) fn is_partial(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Conn {
    /// Notes where the answer of a request ends in what comes down.
    pub(crate) fn answered(&mut self, correlation_id: i32, end: u64) -> Option<(i16, i16)> {
        let awaiting = self.awaiting.iter_mut().find(|a| a.correlation_id == correlation_id && a.end.is_none())?;
        awaiting.end = Some(end);
        Some((awaiting.api_key, awaiting.version))
    }

    /// Forgets requests whose answer has come through; says how many.
    pub(crate) fn forget_answered(&mut self) -> usize {
        let (before, delivered) = (self.awaiting.len(), self.down.delivered);
        while self.awaiting.front().is_some_and(|a| a.end.is_some_and(|end| end <= delivered)) {
            self.awaiting.pop_front();
        }
        before - self.awaiting.len()
    }

    /// Whether the connection breaks at this boundary.
    pub(crate) fn breaks_at(&mut self, at: Boundary) -> Option<How> {
        let hit = self.frame_cut.as_mut()?.hits(at);
        if hit { self.frame_cut.take().map(|cut| cut.how) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_however_they_are_cut() {
        let bytes = [0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 1, 9];
        for piece in 1..bytes.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for mut chunk in bytes.chunks(piece) {
                while !chunk.is_empty() {
                    let taken = match frames.scan(chunk) {
                        Scanned::Partial(taken) => taken,
                        Scanned::Whole(taken, frame) => {
                            found.push(frame);
                            taken
                        }
                    };
                    chunk = &chunk[taken..];
                }
            }
            assert_eq!(found, [vec![1, 2, 3], vec![9]], "pieces of {piece}");
            assert!(!frames.is_partial());
        }
    }
}
