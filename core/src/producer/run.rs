//! Records of one slice that went into the buffer together, and what became of them.

use alloc::vec::Vec;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    in_batch::Seat,
    outcome::{Outcome, RecordMetadata, Ticket},
};
use crate::{Error, sync::Arc};

/// Neighbours in the slice that are neighbours in a batch, too, and of one time.
struct Run {
    outcome: Arc<Outcome>,
    first: u32,
    count: u32,
    timestamp_ms: i64,
}

/// Records of one slice in the buffer, from [`Producer::enqueue_all`](crate::Producer::enqueue_all): resolves when each of
/// them is acknowledged or has failed for good. It takes about 40 bytes for each part of a batch that they fell into, not
/// for each record.
///
/// Dropping it cancels nothing; the records are sent all the same. Once it has resolved it is not to be polled again.
#[derive(Default)]
#[must_use = "tickets tell whether the records were acknowledged"]
pub struct Tickets {
    runs: Vec<Run>,
    len: usize,
    /// Runs at the front that are settled.
    settled: usize,
    seat: Seat,
}

impl Tickets {
    /// Records that it stands for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it stands for none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next record of the slice has this place.
    #[inline]
    pub(super) fn add(&mut self, outcome: &Arc<Outcome>, index: u32, timestamp_ms: i64) {
        self.len += 1;
        if let Some(last) = self.runs.last_mut()
            && Arc::ptr_eq(&last.outcome, outcome)
            && last.first + last.count == index
            && last.timestamp_ms == timestamp_ms
        {
            last.count += 1;
            return;
        }
        self.runs.push(Run { outcome: Arc::clone(outcome), first: index, count: 1, timestamp_ms });
    }

    /// The next record of the slice has this ticket.
    pub(crate) fn add_ticket(&mut self, ticket: &Ticket) {
        if let Some((outcome, index, timestamp_ms)) = ticket.place() {
            self.add(outcome, index, timestamp_ms);
        }
    }
}

impl Future for Tickets {
    type Output = Sent;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent> {
        let this = self.get_mut();
        while let Some(run) = this.runs.get(this.settled) {
            if !run.outcome.is_settled_or_enlists(&mut this.seat, cx.waker()) {
                return Poll::Pending;
            }
            this.seat = Seat::default();
            this.settled += 1;
        }
        Poll::Ready(Sent { runs: core::mem::take(&mut this.runs), len: this.len })
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("len", &self.len).finish_non_exhaustive()
    }
}

/// What became of each record of a slice.
pub struct Sent {
    runs: Vec<Run>,
    len: usize,
}

impl Sent {
    /// Records that it tells of.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it tells of none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What became of each, in the order of the slice.
    pub fn iter(&self) -> impl Iterator<Item = Result<RecordMetadata, Error>> {
        let one = |run: &Run, at| Ticket::new(Arc::clone(&run.outcome), run.first + at, run.timestamp_ms).outcome();
        self.runs.iter().flat_map(move |run| (0..run.count).filter_map(move |at| one(run, at)))
    }

    /// The first failure, if there is one.
    pub fn into_result(self) -> Result<Sent, Error> {
        if self.runs.iter().all(|run| run.outcome.is_acknowledged()) {
            return Ok(self);
        }
        let failed = self.iter().find_map(Result::err);
        failed.map_or(Ok(self), Err)
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("len", &self.len).finish_non_exhaustive()
    }
}
