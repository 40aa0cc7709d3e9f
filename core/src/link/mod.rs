//! One connection to one broker: frames in and out, the order of what is in flight, the greeting.
//!
//! A link is created when a connection is wanted and dropped when it is lost; it never reconnects. It knows nothing of
//! what requests mean: whoever asked gets the answer back with the context it gave.

mod assembly;
mod outbox;
#[cfg(test)]
mod tests;
mod versions;

pub(crate) use assembly::{Assembly, Incoming, Room};
pub(crate) use outbox::{Body, Outbox};
pub(crate) use versions::Versions;

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::{
    Instant,
    budget::Lease,
    error::PeerFault,
    wire::{Api, Frame, Reader, frame::read_response_header},
};

/// A connection's number; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct LinkId(pub(crate) u32);

/// What a connection is used for. A broker serves one request of a connection at a time, so what may wait long stands
/// on a connection of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) enum Use {
    Control,
    Produce,
    Fetch,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Name look-up and TCP are under way.
    Connecting,
    /// ApiVersions was asked for, in this version.
    Greeting(i16),
    /// The broker is told who the client is; what was open before is still answered.
    #[cfg(feature = "sasl")]
    Authenticating,
    Ready,
}

/// Requests that may be open on one connection, so that the queue is bounded.
pub(crate) const IN_FLIGHT_MAX: usize = 16;

/// A request that was queued or sent.
pub(crate) struct Pending<C> {
    correlation_id: i32,
    pub(crate) api: Api,
    pub(crate) version: i16,
    /// No answer for so long means that the connection is of no more use.
    deadline: Instant,
    /// Position in the stream of the request's end: once that much is written, the broker may have acted on it.
    end: u64,
    /// The most bytes that its answer may have.
    pub(crate) response_max: usize,
    pub(crate) context: C,
}

/// A request ready to be queued.
pub(crate) struct Outgoing<'a, C> {
    pub(crate) api: Api,
    pub(crate) version: i16,
    pub(crate) frame: &'a Frame,
    /// What stands at the frame's splits, one each.
    pub(crate) bodies: &'a mut dyn Iterator<Item = Body>,
    pub(crate) deadline: Instant,
    pub(crate) response_max: usize,
    /// `false` for a produce with acks 0: it is done when its last byte is taken (trap 12).
    pub(crate) answered: bool,
    pub(crate) context: C,
}

/// A request that is over without an answer.
pub(crate) struct Unanswered<C> {
    pub(crate) context: C,
    /// Whether its last byte was taken by the network. If not, the broker surely has not acted on it.
    pub(crate) sent: bool,
}

/// One connection. `C` is what a request's owner wants back with the answer.
pub(crate) struct Link<C> {
    pub(crate) id: LinkId,
    pub(crate) node: i32,
    pub(crate) usage: Use,
    pub(crate) state: State,
    /// Connecting and greeting must be over by then.
    pub(crate) ready_by: Instant,
    pub(crate) versions: Versions,
    /// Nothing is sent before: the broker asked for a pause (KIP-219).
    pub(crate) muted_until: Instant,
    pub(crate) assembly: Assembly,
    outbox: Outbox,
    in_flight: VecDeque<Pending<C>>,
    /// Requests without an answer, until their last byte is taken: where that is, and when it must be.
    unanswered: VecDeque<(u64, Instant, C)>,
    next_correlation_id: i32,
    /// How often it was of use to anybody: requests, without fetches that bring nothing. It wraps.
    pub(crate) uses: u32,
    _memory: Lease,
}

impl<C> Link<C> {
    pub(crate) fn new(id: LinkId, node: i32, usage: Use, ready_by: Instant, stage: usize, memory: Lease) -> Self {
        Link {
            id,
            node,
            usage,
            state: State::Connecting,
            ready_by,
            versions: Versions::default(),
            muted_until: Instant::ZERO,
            assembly: Assembly::new(stage),
            outbox: Outbox::default(),
            in_flight: VecDeque::new(),
            unanswered: VecDeque::new(),
            next_correlation_id: 0,
            uses: 0,
            _memory: memory,
        }
    }

    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.state == State::Ready && self.muted_until <= now
    }

    /// Requests without an answer yet.
    pub(crate) fn open(&self) -> impl Iterator<Item = &C> {
        self.in_flight.iter().map(|pending| &pending.context)
    }

    /// How many there are.
    pub(crate) fn open_requests(&self) -> usize {
        self.in_flight.len() + self.unanswered.len()
    }

    /// The id that the next request must carry.
    pub(crate) fn correlation_id(&self) -> i32 {
        self.next_correlation_id
    }

    /// Queues a request that was encoded with [`correlation_id`](Link::correlation_id).
    pub(crate) fn queue(&mut self, out: Outgoing<'_, C>) {
        let correlation_id = self.next_correlation_id;
        // Negative ids are legal but some proxies print them oddly; Java wraps to zero too.
        self.next_correlation_id = correlation_id.checked_add(1).unwrap_or(0);
        let end = self.outbox.push(out.frame, out.bodies);
        if out.answered {
            self.in_flight.push_back(Pending {
                correlation_id,
                api: out.api,
                version: out.version,
                deadline: out.deadline,
                end,
                response_max: out.response_max,
                context: out.context,
            });
        } else {
            self.unanswered.push_back((end, out.deadline, out.context));
        }
    }

    /// Fills `out` with what is to be written next; answers how many slices.
    pub(crate) fn transmit<'a>(&'a self, out: &mut [&'a [u8]]) -> usize {
        self.outbox.slices(out)
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// `count` bytes were taken by the network.
    pub(crate) fn transmitted(&mut self, count: usize) {
        self.outbox.advance(count);
    }

    /// A request without an answer whose last byte was taken.
    pub(crate) fn next_done_unanswered(&mut self) -> Option<C> {
        let (end, ..) = self.unanswered.front()?;
        if *end > self.outbox.written() {
            return None;
        }
        self.unanswered.pop_front().map(|(.., context)| context)
    }

    /// The oldest open request: the one that the next frame must answer.
    pub(crate) fn oldest(&self) -> Option<&Pending<C>> {
        self.in_flight.front()
    }

    /// Matches a whole frame with the oldest request (trap 9): anything else means that one of us has lost count.
    pub(crate) fn answered<'a>(&mut self, frame: &'a [u8]) -> Result<(Pending<C>, Reader<'a>), PeerFault> {
        let mut reader = Reader::new(frame);
        let Some(oldest) = self.in_flight.front() else {
            let got = reader.i32().unwrap_or(-1);
            return Err(PeerFault::Correlation { got, expected: None });
        };
        let (api, version, expected) = (oldest.api, oldest.version, oldest.correlation_id);
        let got = read_response_header(&mut reader, api, version)
            .map_err(|error| PeerFault::Malformed { api: api.name, error })?;
        if got != expected {
            return Err(PeerFault::Correlation { got, expected: Some(expected) });
        }
        match self.in_flight.pop_front() {
            Some(pending) => Ok((pending, reader)),
            None => Err(PeerFault::Correlation { got, expected: None }),
        }
    }

    /// The broker asks for a pause (KIP-219): it serves nothing on this connection meanwhile, so what is open here has
    /// as much more time.
    pub(crate) fn pause(&mut self, now: Instant, span: Duration) {
        self.muted_until = now.after(span);
        let answered = self.in_flight.iter_mut().map(|p| &mut p.deadline);
        for deadline in answered.chain(self.unanswered.iter_mut().map(|(_, deadline, _)| deadline)) {
            *deadline = deadline.after(span);
        }
    }

    /// When something must have happened here.
    pub(crate) fn deadline(&self) -> Instant {
        let answer = self.in_flight.front().map_or(Instant::FAR, |p| p.deadline);
        // A peer that takes nothing must not hold a request for ever, though no answer to it is due.
        let answer = answer.min(self.unanswered.front().map_or(Instant::FAR, |(_, deadline, _)| *deadline));
        if self.state == State::Ready { answer } else { answer.min(self.ready_by) }
    }

    /// Ends the link: what was open, and whether it was sent.
    pub(crate) fn end(self) -> impl Iterator<Item = Unanswered<C>> {
        let written = self.outbox.written();
        let open = self.in_flight.into_iter().map(|p| (p.end, p.context));
        let open = open.chain(self.unanswered.into_iter().map(|(end, _, context)| (end, context)));
        open.map(move |(end, context)| Unanswered { context, sent: end <= written })
    }
}
