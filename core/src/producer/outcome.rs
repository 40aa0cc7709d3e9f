//! What became of a batch, and the tickets that tell each record's sender.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use spin::Once;

use super::in_batch::{InBatch, Seat};
use crate::{
    Error,
    code::ErrorCode,
    sync::{Arc, Lock},
};

/// A batch that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    /// The first record's offset, −1 when the broker did not say (acks 0, or a duplicate of long ago).
    pub(crate) base_offset: i64,
    /// When the log took it, if the topic stamps by that (LogAppendTime), else −1.
    pub(crate) append_time_ms: i64,
}

/// A batch that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The records that the broker refused one by one, with its words (KIP-467). Empty: all for the same reason.
    pub(crate) records: Vec<(u32, Option<String>)>,
}

/// What became of records.
pub(crate) type Told = Result<Acknowledged, Failed>;

enum Became {
    Whole(Told),
    /// It was split: each part's first record and what became of it, in order.
    Parts(Box<[(u32, Told)]>),
}

impl Became {
    /// What became of a record's part, and the record's index in that.
    #[inline]
    fn of(&self, index: u32) -> Option<(&Told, u32)> {
        match self {
            Became::Whole(told) => Some((told, index)),
            Became::Parts(parts) => {
                let at = parts.partition_point(|(first, _)| *first <= index).checked_sub(1)?;
                parts.get(at).map(|(first, told)| (told, index - first))
            }
        }
    }
}

/// One batch's outcome: set once, read by all of its tickets.
pub(crate) struct Outcome {
    topic: Arc<str>,
    partition: i32,
    /// The time of the batch's first record, in milliseconds since 1970-01-01 UTC.
    base_timestamp_ms: i64,
    result: Once<Became>,
    wakers: Lock<Vec<Waiter>>,
}

/// A task that waits for tickets of one batch.
struct Waiter {
    waker: Waker,
    /// More than one ticket counts on it.
    shared: bool,
}

#[cfg(test)]
pub(super) const WAITER_SIZE: usize = size_of::<Waiter>();

impl Outcome {
    pub(crate) fn new(topic: Arc<str>, partition: i32, base_timestamp_ms: i64) -> Arc<Self> {
        Arc::new(Outcome { topic, partition, base_timestamp_ms, result: Once::new(), wakers: Lock::new(Vec::new()) })
    }

    /// Tells every ticket.
    pub(crate) fn resolve(&self, told: Told) {
        self.set(Became::Whole(told));
    }

    /// Tells every ticket of a batch that was split: each part's first record, and what became of it.
    pub(crate) fn resolve_parts(&self, parts: Vec<(u32, Told)>) {
        self.set(Became::Parts(parts.into_boxed_slice()));
    }

    /// The result stands before the wakers are taken, so that a task which enlists in between finds it.
    fn set(&self, became: Became) {
        self.result.call_once(|| became);
        let wakers = core::mem::take(&mut *self.wakers.lock());
        for waiter in wakers {
            waiter.waker.wake();
        }
    }

    /// Leaves a waker for a ticket, in the place that the ticket had before if nobody else counts on that: however often
    /// and by whomever tickets are polled, there are at most two places a ticket. Once the outcome is known, there is
    /// nothing to wait for; the answer is what must be dropped after the lock, in any case.
    fn enlist(&self, seat: &mut Seat, waker: Waker) -> Option<Waker> {
        let mut wakers = self.wakers.lock();
        // Looked at again under the lock: the driver sets the result first and takes the wakers after.
        if self.result.is_completed() {
            return Some(waker);
        }
        let own = wakers.get_mut(seat.place());
        if let Some(own) = own {
            if own.waker.will_wake(&waker) {
                return Some(waker);
            }
            if !own.shared {
                return Some(core::mem::replace(&mut own.waker, waker));
            }
        } else if let Some(last) = wakers.last_mut()
            && last.waker.will_wake(&waker)
        {
            last.shared = true;
            *seat = Seat::of(wakers.len() - 1);
            return Some(waker);
        }
        *seat = Seat::of(wakers.len());
        wakers.push(Waiter { waker, shared: false });
        None
    }

    /// Whether the result is known. If not, the waker is left, and it was not known after that either.
    pub(super) fn is_settled_or_enlists(&self, seat: &mut Seat, waker: &Waker) -> bool {
        if !self.result.is_completed() {
            drop(self.enlist(seat, waker.clone()));
        }
        self.result.is_completed()
    }

    /// Whether all of its records are acknowledged.
    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.result.get(), Some(Became::Whole(Ok(_))))
    }

    fn failure_of(&self, failed: &Failed, index: u32) -> Error {
        if failed.records.is_empty() {
            return failed.error.clone();
        }
        let own = failed.records.iter().find(|(i, _)| *i == index);
        let message = match own {
            Some((_, message)) => message.as_deref(),
            None => Some("another record of its batch was refused"),
        };
        Error::broker(
            ErrorCode::INVALID_RECORD,
            alloc::format!("produce to {}-{}", self.topic, self.partition),
            message,
        )
        .with_fate(failed.error.fate())
    }
}

/// A record in the buffer: resolves when the record is acknowledged or has failed for good.
///
/// Dropping it cancels nothing; the record is sent all the same. Like any future it is not to be polled after it has
/// resolved; if it is, it answers an [`Error::Config`].
#[must_use = "a ticket tells whether the record was acknowledged"]
pub struct Ticket {
    /// `None` once it has resolved: what it had of the batch is the metadata's then, so that awaiting a ticket costs no
    /// count of references.
    outcome: Option<Arc<Outcome>>,
    at: InBatch,
}

impl Ticket {
    /// Of a record whose time is [near](InBatch::is_near) that of its batch.
    #[inline]
    pub(super) fn new(outcome: Arc<Outcome>, index: u32, timestamp_ms: i64) -> Self {
        let at = InBatch::new(index, timestamp_ms.wrapping_sub(outcome.base_timestamp_ms));
        Ticket { outcome: Some(outcome), at }
    }

    #[inline(always)]
    fn timestamp_ms(&self, outcome: &Outcome) -> i64 {
        outcome.base_timestamp_ms.wrapping_add(self.at.after_ms())
    }

    /// Its batch's outcome, its index there, and its time; `None` once it has resolved.
    pub(super) fn place(&self) -> Option<(&Arc<Outcome>, u32, i64)> {
        self.outcome.as_ref().map(|outcome| (outcome, self.at.index(), self.timestamp_ms(outcome)))
    }

    /// The partition that the record goes to; −1 once the ticket has resolved.
    pub fn partition(&self) -> i32 {
        self.outcome.as_ref().map_or(-1, |outcome| outcome.partition)
    }

    /// What became of the record, if that is known by now.
    pub fn outcome(&self) -> Option<Result<RecordMetadata, Error>> {
        let outcome = self.outcome.as_ref()?;
        let (told, index) = outcome.result.get()?.of(self.at.index())?;
        Some(told_of(outcome, told, index).map(|at| at.metadata(Arc::clone(outcome), self.timestamp_ms(outcome))))
    }

    /// Whether polling it resolves it. It does, too, once it has resolved.
    #[cfg(feature = "futures")]
    pub(crate) fn is_settled(&self) -> bool {
        self.outcome.as_ref().is_none_or(|outcome| outcome.result.is_completed())
    }

    /// Where the record is, and the end of the ticket, if its batch was acknowledged, which is what mostly becomes of one.
    #[inline(always)]
    fn take_acknowledged(&mut self) -> Option<RecordMetadata> {
        let Some(Became::Whole(Ok(acknowledged))) = self.outcome.as_ref()?.result.get() else { return None };
        let at = At { acknowledged: *acknowledged, index: self.at.index() };
        let outcome = self.outcome.take()?;
        let timestamp_ms = self.timestamp_ms(&outcome);
        Some(at.metadata(outcome, timestamp_ms))
    }

    /// Leaves the waker, or tells what became of the record.
    #[inline(never)]
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecordMetadata, Error>> {
        let Some(outcome) = &self.outcome else { return Poll::Ready(Err(polled_again())) };
        let mut seat = self.at.seat();
        let is_settled = outcome.is_settled_or_enlists(&mut seat, cx.waker());
        self.at = self.at.seated(seat);
        let told = if is_settled { self.outcome() } else { None };
        told.map_or(Poll::Pending, |told| {
            self.outcome = None;
            Poll::Ready(told)
        })
    }
}

/// What a record's batch, or its part of it, tells this record.
#[inline]
fn told_of(outcome: &Outcome, told: &Told, index: u32) -> Result<At, Error> {
    match told {
        Ok(acknowledged) => Ok(At { acknowledged: *acknowledged, index }),
        Err(failed) => Err(outcome.failure_of(failed, index)),
    }
}

/// A record's place in what was acknowledged.
struct At {
    acknowledged: Acknowledged,
    index: u32,
}

impl At {
    #[inline]
    fn metadata(self, outcome: Arc<Outcome>, timestamp_ms: i64) -> RecordMetadata {
        let offset = match self.acknowledged.base_offset {
            -1 => -1,
            base => base.saturating_add(i64::from(self.index)),
        };
        let timestamp_ms = match self.acknowledged.append_time_ms {
            -1 => timestamp_ms,
            log => log,
        };
        RecordMetadata { outcome, offset, timestamp_ms }
    }
}

impl Future for Ticket {
    type Output = Result<RecordMetadata, Error>;

    /// What is inlined is short, and makes the answer where it is wanted: it is large because of its error.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ticket = self.get_mut();
        match ticket.take_acknowledged() {
            Some(metadata) => Poll::Ready(Ok(metadata)),
            None => ticket.poll_outcome(cx),
        }
    }
}

#[cold]
fn polled_again() -> Error {
    Error::config("ticket", "it has resolved before: what it told was for whoever polled it then")
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ticket = f.debug_struct("Ticket");
        let Some(outcome) = &self.outcome else { return ticket.field("resolved", &true).finish_non_exhaustive() };
        ticket
            .field("topic", &outcome.topic)
            .field("partition", &outcome.partition)
            .field("resolved", &outcome.result.is_completed())
            .finish()
    }
}

/// Where an acknowledged record is.
#[derive(Clone)]
pub struct RecordMetadata {
    outcome: Arc<Outcome>,
    offset: i64,
    timestamp_ms: i64,
}

impl RecordMetadata {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.outcome.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.outcome.partition
    }

    /// The offset; −1 if the broker did not say, as with acks 0.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The record's time in milliseconds since 1970-01-01 UTC: its own, or the log's where the topic has
    /// `message.timestamp.type=LogAppendTime`. −1: unknown.
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }
}

impl fmt::Debug for RecordMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordMetadata")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .field("offset", &self.offset)
            .field("timestamp_ms", &self.timestamp_ms)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(outcome: &Arc<Outcome>, index: u32) -> Ticket {
        Ticket::new(Arc::clone(outcome), index, 77)
    }

    /// Two tasks that poll their tickets in turn, and one whose task changes, do not fill the list.
    #[cfg(feature = "std")]
    #[test]
    fn polling_again_takes_no_more_places() {
        struct Task;
        impl alloc::task::Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        let outcome = Outcome::new("t".into(), 0, 70);
        let wakers: Vec<Waker> = (0..3).map(|_| Waker::from(Arc::new(Task))).collect();
        let mut tickets: Vec<Ticket> = (0..4).map(|i| ticket(&outcome, i)).collect();
        for round in 0..50 {
            for (i, ticket) in tickets.iter_mut().enumerate() {
                let waker = &wakers[if i == 3 { round % 3 } else { i % 2 }];
                assert!(Pin::new(ticket).poll(&mut Context::from_waker(waker)).is_pending());
            }
        }
        assert!(outcome.wakers.lock().len() <= 8, "{} places for 4 tickets", outcome.wakers.lock().len());
        // Everybody who was the last to poll a ticket is woken.
        let woken: Vec<Waker> = outcome.wakers.lock().iter().map(|w| w.waker.clone()).collect();
        for waker in [&wakers[0], &wakers[1], &wakers[49 % 3]] {
            assert!(woken.iter().any(|w| w.will_wake(waker)));
        }
    }

    #[test]
    fn a_ticket_counts_from_the_base_offset() {
        let outcome = Outcome::new("t".into(), 3, 70);
        assert!(ticket(&outcome, 0).outcome().is_none());
        outcome.resolve(Ok(Acknowledged { base_offset: 40, append_time_ms: -1 }));
        let meta = ticket(&outcome, 2).outcome().expect("resolved").expect("acknowledged");
        assert_eq!((meta.topic(), meta.partition(), meta.offset(), meta.timestamp_ms()), ("t", 3, 42, 77));
    }

    /// What a ticket told went to whoever polled it first; who polls again is told so, and does not wait for ever.
    #[test]
    fn a_ticket_resolves_once() {
        let outcome = Outcome::new("t".into(), 3, 70);
        let mut ticket = ticket(&outcome, 1);
        let mut poll = || Pin::new(&mut ticket).poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending());
        outcome.resolve(Ok(Acknowledged { base_offset: 40, append_time_ms: -1 }));
        assert!(matches!(poll(), Poll::Ready(Ok(meta)) if meta.offset() == 41));
        assert!(matches!(poll(), Poll::Ready(Err(Error::Config { knob: "ticket", .. }))));
        assert_eq!((ticket.partition(), ticket.outcome().is_none()), (-1, true));
    }

    /// Each part of a batch that was split counts from its own base, whatever became of the others.
    #[test]
    fn parts_are_told_apart() {
        let outcome = Outcome::new("t".into(), 0, 70);
        let at = |base_offset| Ok(Acknowledged { base_offset, append_time_ms: -1 });
        let refused =
            Failed { error: Error::broker(ErrorCode::MESSAGE_TOO_LARGE, "produce", None), records: Vec::new() };
        outcome.resolve_parts(alloc::vec![(0, at(40)), (2, Err(refused)), (3, at(90))]);
        let said = |index| ticket(&outcome, index).outcome().expect("resolved").ok().map(|m| m.offset());
        assert_eq!([0, 1, 2, 3, 5].map(said), [Some(40), Some(41), None, Some(90), Some(92)]);
    }

    /// Trap 28: the log's time wins where the broker gives one.
    #[test]
    fn log_append_time_and_unknown_offsets_are_passed_on() {
        let outcome = Outcome::new("t".into(), 0, 70);
        outcome.resolve(Ok(Acknowledged { base_offset: -1, append_time_ms: 5 }));
        let meta = ticket(&outcome, 9).outcome().expect("resolved").expect("acknowledged");
        assert_eq!((meta.offset(), meta.timestamp_ms()), (-1, 5));
    }

    /// Trap 64: the refused record gets the broker's words, its neighbours learn that it was not them (KIP-467).
    #[test]
    fn one_bad_record_fails_its_batch_but_is_named() {
        let outcome = Outcome::new("t".into(), 0, 70);
        let error = Error::broker(ErrorCode::INVALID_RECORD, "produce", None);
        outcome.resolve(Err(Failed { error, records: alloc::vec![(1, Some("no key".into()))] }));
        let said =
            |index| alloc::format!("{}", ticket(&outcome, index).outcome().expect("resolved").expect_err("failed"));
        assert!(said(1).contains("no key"), "{}", said(1));
        assert!(said(0).contains("another record"), "{}", said(0));
    }
}
