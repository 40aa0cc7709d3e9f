//! The driver's side: flushes what is due, enters its records, tells what became of them.

use alloc::{collections::VecDeque, vec::Vec};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    aggregator::{Aggregator, AggregatorFault},
    producer::{Batch, Borrowed, Inner, ProduceError},
};
use crate::{
    Error, Instant, Record, RecordBuf, RecordMetadata, Sent, Tickets,
    api::partition::Entering,
    chores::{Chore, ChoreWaker},
    error::Fate,
    sync::Arc,
};

/// One batch producer's work. While a batch waits for room in the producer's buffer the next one fills, and no more.
pub(super) struct Run<A: Aggregator> {
    inner: Arc<Inner<A>>,
    entering: Option<Flushed<A>>,
    flying: VecDeque<Flying<A>>,
    next: Instant,
    woken: ChoreWaker,
}

/// A batch's records on their way into the buffer.
struct Flushed<A: Aggregator> {
    batch: Arc<Batch<A>>,
    records: Vec<RecordBuf>,
    statuses: A::StatusDeaggregator,
    entering: Entering,
}

/// A batch whose records are in the buffer, as far as they were taken.
struct Flying<A: Aggregator> {
    batch: Arc<Batch<A>>,
    tickets: Tickets,
    entered: Result<A::StatusDeaggregator, Error>,
}

/// What there is to do about the batch that is being filled.
enum Due<A: Aggregator> {
    Now(A, Arc<Batch<A>>),
    At(Instant),
    Never,
}

impl<A: Aggregator> Run<A> {
    pub(super) fn new(inner: Arc<Inner<A>>) -> Self {
        let woken = ChoreWaker::new(&inner.partition.shared().kick);
        // It is there before anybody can want it.
        inner.state.lock().chore = Some(woken.waker().clone());
        Run { inner, entering: None, flying: VecDeque::new(), next: Instant::FAR, woken }
    }

    /// Tells what is known of the batches in the buffer. They settle in order, but for some that fail.
    fn land(&mut self) {
        let mut cx = Context::from_waker(self.woken.waker());
        let mut landed = Vec::new();
        self.flying.retain_mut(|flying| {
            let Poll::Ready(sent) = Pin::new(&mut flying.tickets).poll(&mut cx) else { return true };
            let offsets: Result<Vec<i64>, Error> = sent.iter().map(|one| one.map(|sent| sent.offset())).collect();
            let outcome = match (offsets, core::mem::replace(&mut flying.entered, Err(closed()))) {
                (Ok(offsets), Ok(statuses)) => Ok((offsets, statuses)),
                (Err(error), _) | (Ok(_), Err(error)) => Err(failed(&sent, error)),
            };
            landed.push((Arc::clone(&flying.batch), outcome));
            false
        });
        for (batch, outcome) in landed {
            self.settle(&batch, outcome);
        }
    }

    fn settle(&self, batch: &Arc<Batch<A>>, outcome: Result<(Vec<i64>, A::StatusDeaggregator), ProduceError>) {
        self.inner.state.lock().unsettled.retain(|b| !Arc::ptr_eq(b, batch));
        batch.settle(outcome);
    }

    /// Enters records; whether there is room for another batch.
    fn enter(&mut self) -> bool {
        let Some(flushed) = &mut self.entering else { return true };
        let partition = &self.inner.partition;
        let to = (partition.topic(), partition.partition());
        let records: Vec<Record<'_>> = flushed.records.iter().map(RecordBuf::as_record).collect();
        let Poll::Ready(entered) = flushed.entering.poll(self.woken.waker(), to, &records) else { return false };
        drop(records);
        if let Some(Flushed { batch, statuses, entering, .. }) = self.entering.take() {
            let entered = entered.map(|()| statuses);
            self.flying.push_back(Flying { batch, tickets: entering.into_taken(), entered });
        }
        true
    }

    fn due(&self, now: Instant) -> Due<A> {
        let mut state = self.inner.state.lock();
        let is_closed = state.closed;
        match &state.open {
            None => return Due::Never,
            Some(open) if open.due > now && !is_closed => return Due::At(open.due),
            Some(_) => {}
        }
        let Some(aggregator) = state.aggregator.take() else {
            state.wanted = true;
            return Due::Never;
        };
        match state.open.take() {
            Some(open) => Due::Now(aggregator, open.batch),
            None => Due::Never,
        }
    }

    fn flush(&mut self, aggregator: A, batch: Arc<Batch<A>>) {
        let entering = self.inner.partition.entering(self.inner.compression);
        let mut borrowed = Borrowed::new(&self.inner, aggregator);
        let flushed = borrowed.call(A::flush);
        drop(borrowed);
        self.inner.room.wake_all();
        let flushed = match (flushed, entering) {
            (Some(Ok((records, statuses))), Ok(entering)) => Ok((records, statuses, entering)),
            (Some(Err(error)), _) => Err(ProduceError::Aggregator(AggregatorFault::new(error))),
            (_, Err(error)) => Err(error.into()),
            (None, _) => Err(closed().into()),
        };
        match flushed {
            Ok((records, statuses, entering)) => {
                self.entering = Some(Flushed { batch, records, statuses, entering });
            }
            Err(error) => self.settle(&batch, Err(error)),
        }
    }

    /// Has the producer send what is in its buffer for whoever flushes.
    fn hurry(&self) {
        let hurried = self.flying.iter().fold(false, |any, flying| flying.batch.take_hurried() | any);
        if hurried {
            self.inner.partition.ask_flush(self.inner.compression);
        }
    }

    fn is_over(&self) -> bool {
        let state = self.inner.state.lock();
        state.closed && state.open.is_none() && self.entering.is_none() && self.flying.is_empty()
    }
}

impl<A: Aggregator> Chore for Run<A> {
    fn run(&mut self, now: Instant) -> Poll<()> {
        if !self.woken.take() && self.next > now {
            return Poll::Pending;
        }
        self.next = Instant::FAR;
        while self.enter() {
            match self.due(now) {
                Due::Now(aggregator, batch) => self.flush(aggregator, batch),
                Due::At(due) => {
                    self.next = due;
                    break;
                }
                Due::Never => break,
            }
        }
        self.hurry();
        self.land();
        if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn deadline(&self) -> Instant {
        self.next
    }
}

impl<A: Aggregator> Drop for Run<A> {
    /// The client ends, or everything is settled: nobody waits on.
    fn drop(&mut self) {
        let (unsettled, open) = {
            let mut state = self.inner.state.lock();
            state.ended = true;
            (core::mem::take(&mut state.unsettled), state.open.take())
        };
        for batch in unsettled {
            let lingers = open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.batch, &batch));
            let fate = if lingers { Fate::NotPersisted } else { Fate::MaybePersisted };
            batch.settle(Err(Error::Closed { fate }.into()));
        }
        self.inner.room.wake_all();
        self.inner.partition.shared().free_chore();
    }
}

/// Nobody but the aggregator knows which input is in which record: of some that are in the log all are told.
fn failed(sent: &Sent, error: Error) -> ProduceError {
    let fate = |one: Result<RecordMetadata, Error>| one.map_or_else(|error| error.fate(), |_| Fate::MaybePersisted);
    let is_partly = error.fate() == Fate::NotPersisted && sent.iter().any(|one| fate(one) == Fate::MaybePersisted);
    if is_partly { ProduceError::Partly(error) } else { error.into() }
}

fn closed() -> Error {
    Error::Closed { fate: Fate::NotPersisted }
}
