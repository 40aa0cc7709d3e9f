//! Records of one slice.

use core::fmt;

use super::{Producer, Record};
use crate::{
    Error,
    producer::{Sent, Tickets},
};

impl Producer {
    /// Sends the records of a slice and waits until all of them are acknowledged, or have failed for good. Neighbours to
    /// one partition share what handing over a record costs, so this is the fastest way for one task.
    ///
    /// ```
    /// # async fn example(producer: &klamm::Producer) -> Result<(), klamm::Error> {
    /// use klamm::Record;
    /// let records = [Record::to("orders").value("a"), Record::to("orders").value("b")];
    /// for metadata in producer.send_all(&records).await?.iter() {
    ///     assert!(metadata?.offset() >= 0);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Records of one partition keep the slice's order. Dropped before it is ready, some of the records may have been
    /// taken into the buffer; those are sent.
    ///
    /// # Errors
    /// The first failure. What became of each record tells [`enqueue_all`](Producer::enqueue_all).
    pub async fn send_all(&self, records: &[Record<'_>]) -> Result<Sent, Error> {
        let (tickets, refused) = match self.enqueue_all(records).await {
            Ok(tickets) => (tickets, None),
            Err(NotAllTaken { taken, error }) => (taken, Some(error)),
        };
        let sent = tickets.await.into_result()?;
        refused.map_or(Ok(sent), Err)
    }

    /// Takes the records of a slice into the buffer, waiting at most `max_block_ms` for metadata or room for each. The
    /// tickets tell what becomes of them.
    ///
    /// Dropped before it is ready, some of the records may have been taken; those are sent.
    ///
    /// # Errors
    /// [`NotAllTaken`] with the tickets of those before the one that was refused, and the reason. Of that and those behind
    /// it nothing was taken.
    pub async fn enqueue_all(&self, records: &[Record<'_>]) -> Result<Tickets, NotAllTaken> {
        let mut taken = Tickets::default();
        while let Some((first, rest)) = records.get(taken.len()..).and_then(<[_]>::split_first) {
            if self.append_run(first, rest, &mut taken) {
                continue;
            }
            match self.enqueue(first.clone()).await {
                Ok(ticket) => taken.add_ticket(&ticket),
                Err(refused) => return Err(NotAllTaken { taken, error: refused.into_error() }),
            }
        }
        Ok(taken)
    }

    /// Takes records that go where the first one goes, as far as the batch that is open there has room for them; whether
    /// there was any.
    fn append_run(&self, first: &Record<'_>, rest: &[Record<'_>], taken: &mut Tickets) -> bool {
        let Ok(topic) = self.topic(first.topic) else { return false };
        let (topic, before) = (topic.get(), taken.len());
        let how = self.shared().config.partitioner;
        let Ok((partition, _)) = first.partition_in(topic, how) else { return false };
        let mut left = core::iter::once(first).chain(rest);
        let next = || {
            let record = left.next()?;
            // Mostly it is the same text, not only an equal one.
            let is_there = core::ptr::eq(record.topic, first.topic) || record.topic == first.topic;
            match record.partition_in(topic, how) {
                Ok((to, sticky)) if is_there && to == partition => Some(record.appending(sticky)),
                _ => None,
            }
        };
        self.shared().append_run(topic, partition, next, taken);
        taken.len() > before
    }
}

/// A slice of which not every record was taken into the buffer.
#[derive(Debug)]
pub struct NotAllTaken {
    taken: Tickets,
    error: Error,
}

impl NotAllTaken {
    /// Those that were taken: so many from the slice's beginning.
    pub fn into_taken(self) -> Tickets {
        self.taken
    }

    /// Why the one behind them was not.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for NotAllTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records were taken, and then: {}", self.taken.len(), self.error)
    }
}

impl core::error::Error for NotAllTaken {}

impl From<NotAllTaken> for Error {
    fn from(refused: NotAllTaken) -> Error {
        refused.error
    }
}
