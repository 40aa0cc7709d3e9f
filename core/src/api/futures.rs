//! For programs that are built of streams and sinks: the consumer as the one, the producer as the other.

use alloc::collections::VecDeque;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use futures_sink::Sink;

use super::{Consumer, Producer, Record};
use crate::{Error, Instant, Records, Ticket, producer::Refusal, waits::Place};

/// What [`Consumer::next`] answers, one after the other; the end once the client has ended. An error does not end it:
/// polled again, it goes on with what is next.
///
/// Cancel-safe: what was not handed out is still to come, also from `next`. (The consumer's own `next` hides that of
/// `StreamExt`; `try_next` of `TryStreamExt` is free.)
impl Stream for Consumer {
    type Item = Result<Records, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_records(cx).map(Result::transpose)
    }
}

/// A producer as a [`Sink`]: [`Producer::sink`].
///
/// - It is ready for a record when the one before is in the producer's buffer and fewer than
///   [`max_unsettled`](RecordSink::max_unsettled) wait for their acknowledgement. What it holds is bounded by that: one
///   record, and 24 bytes for each that is unsettled. The records themselves lie in the producer's buffer.
/// - A record that is handed over is tried at once. If the buffer is full or the topic unknown, the sink keeps the record
///   and enters it when it is polled, by `poll_ready` or `poll_flush`; it fails when that takes longer than
///   `max_block_ms` from the first of these polls.
/// - A flush waits until every record that was handed over is settled, without lingering. A close does the same; the
///   producer stays open for its other handles.
/// - A failure is told once, by whichever of these notices it: `poll_ready` as soon as it is known, `poll_flush` when all is
///   settled. See [`SinkError`]. The sink can be used further.
///
/// Cancel-safe: a future of `SinkExt` that is dropped loses no record that it had handed over. A sink that is dropped
/// cancels nothing that is in the buffer; only a record that it still keeps is lost, so flush first.
pub struct RecordSink<'r> {
    producer: Producer,
    entering: Option<Entering<'r>>,
    place: Place,
    /// In the order in which they were handed over, each with its number.
    tickets: VecDeque<(u64, Ticket)>,
    max_unsettled: usize,
    /// How many records were handed over.
    count: u64,
    failed: Option<SinkError>,
    /// The producer knows that it must not linger with what was handed over so far.
    hurried: bool,
}

/// The record that is not in the buffer yet.
struct Entering<'r> {
    record: Record<'r>,
    until: Option<Instant>,
}

/// Records of a [`RecordSink`] that failed since it last told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("record {record} of the sink{}: {error}", Others(failed))]
#[non_exhaustive]
pub struct SinkError {
    /// The first of them, in the order in which they were handed over: its number, from 0 on.
    pub record: u64,
    /// How many failed, the first included.
    pub failed: u64,
    /// Why the first failed. [`Error::fate`] tells whether it may be in the log.
    pub error: Error,
}

struct Others<'a>(&'a u64);

impl fmt::Display for Others<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => Ok(()),
            failed => write!(f, ", the first of {failed} that failed"),
        }
    }
}

impl From<SinkError> for Error {
    fn from(failed: SinkError) -> Error {
        failed.error
    }
}

impl SinkError {
    fn new(record: u64, error: Error) -> Self {
        SinkError { record, failed: 1, error }
    }
}

impl<'r> RecordSink<'r> {
    pub(super) fn new(producer: Producer) -> Self {
        RecordSink {
            producer,
            entering: None,
            place: Place::default(),
            tickets: VecDeque::new(),
            max_unsettled: 10_000,
            count: 0,
            failed: None,
            hurried: false,
        }
    }

    /// How many records may wait for their acknowledgement; 1 at least.
    #[must_use]
    pub fn max_unsettled(mut self, records: usize) -> Self {
        self.max_unsettled = records.max(1);
        self
    }

    /// How many records were handed over. The next one has this number.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Brings the record that is kept into the buffer.
    fn poll_enter(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(entering) = &mut self.entering else { return Poll::Ready(()) };
        let shared = self.producer.shared();
        let until = *entering.until.get_or_insert_with(|| shared.blocked_until());
        let tried = ready!(self.producer.poll_append(cx.waker(), &entering.record, &mut self.place, until, None));
        shared.waits.leave(&mut self.place);
        self.entering = None;
        let number = self.count - 1;
        match tried {
            Ok(ticket) => self.tickets.push_back((number, ticket)),
            Err(error) => self.note(number, error),
        }
        Poll::Ready(())
    }

    /// Takes what is settled off the front; waits as long as there are more than `most`.
    fn poll_settle(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<()> {
        loop {
            let enough = self.tickets.len() <= most;
            let Some((number, ticket)) = self.tickets.front_mut() else { return Poll::Ready(()) };
            if enough && !ticket.is_settled() {
                return Poll::Ready(());
            }
            let number = *number;
            let told = ready!(Pin::new(ticket).poll(cx));
            self.tickets.pop_front();
            if let Err(error) = told {
                self.note(number, error);
            }
        }
    }

    fn note(&mut self, record: u64, error: Error) {
        match &mut self.failed {
            None => self.failed = Some(SinkError::new(record, error)),
            Some(first) => {
                first.failed += 1;
                if record < first.record {
                    (first.record, first.error) = (record, error);
                }
            }
        }
    }
}

impl<'r> Sink<Record<'r>> for RecordSink<'r> {
    type Error = SinkError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let sink = self.get_mut();
        let entered = sink.poll_enter(cx);
        let settled = sink.poll_settle(cx, sink.max_unsettled - 1);
        if let Some(failed) = sink.failed.take() {
            return Poll::Ready(Err(failed));
        }
        ready!(entered);
        settled.map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, record: Record<'r>) -> Result<(), SinkError> {
        let sink = self.get_mut();
        let number = sink.count;
        if sink.entering.is_some() {
            return Err(SinkError::new(number, Error::config("sink", "a record was handed over before poll_ready")));
        }
        sink.count += 1;
        sink.hurried = false;
        match sink.producer.append(&record) {
            Ok(ticket) => sink.tickets.push_back((number, ticket)),
            Err(Refusal::Error(error)) => return Err(SinkError::new(number, error)),
            Err(Refusal::Full { .. } | Refusal::Unknown) => sink.entering = Some(Entering { record, until: None }),
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let sink = self.get_mut();
        ready!(sink.poll_enter(cx));
        if !sink.tickets.is_empty() && !core::mem::replace(&mut sink.hurried, true) {
            sink.producer.shared().ask_flush();
        }
        ready!(sink.poll_settle(cx, 0));
        Poll::Ready(sink.failed.take().map_or(Ok(()), Err))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        self.poll_flush(cx)
    }
}

impl Drop for RecordSink<'_> {
    fn drop(&mut self) {
        self.producer.shared().waits.leave(&mut self.place);
    }
}

impl fmt::Debug for RecordSink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unsettled = self.tickets.len();
        f.debug_struct("RecordSink").field("count", &self.count).field("unsettled", &unsettled).finish_non_exhaustive()
    }
}
