//! A record on its way into the buffer, and one that was not taken.

use alloc::boxed::Box;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Record, producer::Producer};
use crate::{
    Error, Instant, Ticket,
    error::Fate,
    producer::Refusal,
    waits::{Place, Waiting},
};

/// A record on its way into the buffer: [`Producer::enqueue`].
///
/// A type of its own rather than an `async fn`, which would copy the record once more.
#[must_use = "a record is not taken into the buffer before this is awaited"]
pub struct Enqueue<'p, 'r> {
    producer: &'p Producer,
    /// `None` once it was taken or has been given back.
    record: Option<Record<'r>>,
    wait: Option<Wait<'p>>,
}

impl<'r> Future for Enqueue<'_, 'r> {
    type Output = Result<Ticket, Refused<'r>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut refused = None;
        if this.wait.is_none()
            && let Some(record) = &this.record
        {
            match this.producer.append(record) {
                Ok(ticket) => {
                    this.record = None;
                    return Poll::Ready(Ok(ticket));
                }
                Err(refusal) => refused = Some(refusal),
            }
        }
        this.poll_wait(cx, refused)
    }
}

impl<'p, 'r> Enqueue<'p, 'r> {
    #[inline]
    pub(super) fn new(producer: &'p Producer, record: Record<'r>) -> Self {
        Enqueue { producer, record: Some(record), wait: None }
    }

    #[cold]
    fn poll_wait(&mut self, cx: &mut Context<'_>, refused: Option<Refusal>) -> Poll<Result<Ticket, Refused<'r>>> {
        let Some(record) = self.record.take() else {
            return Poll::Ready(Err(Refused::new(Record::to(""), Error::config("record", "it was enqueued before"))));
        };
        let tried = match refused {
            Some(Refusal::Error(error)) => Poll::Ready(Err(error)),
            refused => self.try_enlisted(cx, &record, refused),
        };
        match tried {
            Poll::Pending => {
                self.record = Some(record);
                Poll::Pending
            }
            Poll::Ready(result) => {
                // Whoever keeps the future does not keep a place.
                self.wait = None;
                Poll::Ready(result.map_err(|error| Refused::new(record, error)))
            }
        }
    }

    fn try_enlisted(
        &mut self,
        cx: &mut Context<'_>,
        record: &Record<'_>,
        first: Option<Refusal>,
    ) -> Poll<Result<Ticket, Error>> {
        let shared = self.producer.shared();
        let wait = self
            .wait
            .get_or_insert_with(|| Wait { waiting: Waiting::at(&shared.waits), until: shared.blocked_until() });
        self.producer.poll_append(cx.waker(), record, &mut wait.waiting.place, wait.until, first)
    }
}

impl Producer {
    /// Tries until a moment to take a record, and leaves the waker in the meantime. Enlisted first, tried after: what
    /// happens in between is not missed. `first` is why it was not taken before, if it was tried.
    pub(super) fn poll_append(
        &self,
        waker: &Waker,
        record: &Record<'_>,
        place: &mut Place,
        until: Instant,
        first: Option<Refusal>,
    ) -> Poll<Result<Ticket, Error>> {
        let shared = self.shared();
        if let Err(error) = shared.waits.enlist(place, until, waker) {
            let is_full = matches!(first, Some(Refusal::Full { .. }));
            return Poll::Ready(Err(if is_full { self.full() } else { error }));
        }
        let refusal = match self.append(record) {
            Ok(ticket) => return Poll::Ready(Ok(ticket)),
            Err(Refusal::Error(error)) => return Poll::Ready(Err(error)),
            Err(refusal) => refusal,
        };
        let reason = self.reason(record, &refusal);
        if let Some(error) = &reason
            && (!error.is_retriable()
                || matches!(error, Error::Broker { code, .. } if shared.config.unknown_topic.is_final(*code)))
        {
            return Poll::Ready(Err(error.clone()));
        }
        if shared.client.clock.now() >= until {
            // A topic is not known for as long as no broker is.
            let reason = shared.client.contact().failure().or(reason);
            return Poll::Ready(Err(Error::TimedOut {
                what: alloc::format!("taking a record to {} into the buffer", record.topic),
                after: Duration::from_millis(u64::from(shared.config.max_block_ms)),
                knob: "max_block_ms",
                fate: Fate::NotPersisted,
                because: reason.map(Box::new),
            }));
        }
        match refusal {
            Refusal::Full { bytes } => shared.press(bytes),
            // The driver arms its timer for this wait.
            _ => shared.client.kick.drive(),
        }
        Poll::Pending
    }
}

impl fmt::Debug for Enqueue<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enqueue").field("record", &self.record).finish_non_exhaustive()
    }
}

/// A wait for room or for metadata, and its end.
struct Wait<'a> {
    waiting: Waiting<'a>,
    until: Instant,
}

/// A record that was not taken, and why.
#[derive(Debug)]
pub struct Refused<'a>(Box<(Record<'a>, Error)>);

impl<'a> Refused<'a> {
    #[cold]
    pub(super) fn new(record: Record<'a>, error: Error) -> Self {
        Refused(Box::new((record, error)))
    }

    /// The record, to be tried again.
    pub fn into_record(self) -> Record<'a> {
        self.0.0
    }

    /// Why it was not taken.
    pub fn error(&self) -> &Error {
        &self.0.1
    }

    /// Why it was not taken, without the record.
    pub fn into_error(self) -> Error {
        self.0.1
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl core::error::Error for Refused<'_> {}

impl From<Refused<'_>> for Error {
    fn from(refused: Refused<'_>) -> Error {
        refused.into_error()
    }
}
