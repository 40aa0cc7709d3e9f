//! What one fetch of a partition brought.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, future::poll_fn, iter::Flatten, slice, task::Poll};

use super::PartitionClient;
use crate::{
    Error, OwnedRecord, Records,
    admin::FetchedOnce,
    budget::{Class, STARVED_AGAIN},
    consumer::{Fetched, Inflater, Refusal},
    error::Fate,
    sync::Arc,
    waits::Waiting,
};

/// Records of one fetch, in order: [`PartitionClient::fetch_records`].
///
/// They lie in the memory of the fetch or, where they were compressed, in memory that they were inflated into. It counts as
/// held until this is dropped; [`to_owned`](FetchedRecords::to_owned) copies what is to be kept.
#[derive(Clone)]
pub struct FetchedRecords {
    parts: Vec<Records>,
    next_offset: i64,
}

impl FetchedRecords {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Records::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The offset to go on from: after the last record, and after whatever the log has in its place (control records,
    /// compacted ones, those of aborted transactions). The one that was fetched from, if nothing came.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The records, borrowed.
    pub fn iter(&self) -> Flatten<slice::Iter<'_, Records>> {
        self.parts.iter().flatten()
    }

    /// Copies of all records, free of the fetch's memory.
    pub fn to_owned(&self) -> Vec<OwnedRecord> {
        self.parts.iter().flat_map(Records::to_owned).collect()
    }

    /// Opens as many parts of what was fetched as there is room to inflate.
    ///
    /// # Errors
    /// Why not even the first could be opened.
    fn open(
        topic: &Arc<str>,
        partition: i32,
        mut piece: Fetched,
        inflater: &mut Inflater,
    ) -> Result<Self, (Refusal, Fetched)> {
        let mut all = FetchedRecords { parts: Vec::new(), next_offset: piece.start };
        loop {
            match Records::open(topic, partition, &piece, inflater) {
                Ok((records, rest)) => {
                    all.next_offset = records.next_offset();
                    if !records.is_empty() {
                        all.parts.push(records);
                    }
                    let Some(rest) = rest else { return Ok(all) };
                    piece = rest;
                }
                // What is left is fetched again.
                Err(_) if !all.parts.is_empty() => return Ok(all),
                Err(refusal) => return Err((refusal, piece)),
            }
        }
    }
}

impl<'a> IntoIterator for &'a FetchedRecords {
    type Item = crate::RecordView<'a>;
    type IntoIter = Flatten<slice::Iter<'a, Records>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for FetchedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut records = f.debug_struct("FetchedRecords");
        records.field("len", &self.len()).field("next_offset", &self.next_offset).finish()
    }
}

impl PartitionClient {
    /// Opens what came, waiting for room to inflate the first part of it.
    pub(super) async fn open(&self, offset: i64, fetched: FetchedOnce) -> Result<(FetchedRecords, i64), Error> {
        let FetchedOnce::Batches { bytes, next_offset, high_watermark, aborted } = fetched else {
            return Err(Error::Closed { fate: Fate::NotPersisted });
        };
        let next_offset = next_offset.max(offset);
        if bytes.is_empty() {
            return Ok((FetchedRecords { parts: Vec::new(), next_offset: offset }, high_watermark));
        }
        let shared = self.inner.client.shared();
        let span = core::time::Duration::from_millis(u64::from(shared.config.request_timeout_ms));
        let until = shared.clock.now().after(span);
        let topic: Arc<str> = self.topic().into();
        let mut piece = Fetched { part: 0, generation: 0, bytes, start: offset, next_offset, high_watermark, aborted };
        loop {
            let own = self.inner.inflater.lock().take();
            let make = || Inflater::new(shared.config.codecs_or_own(), Arc::clone(&shared.budget));
            let mut inflater = own.unwrap_or_else(make);
            let opened = FetchedRecords::open(&topic, self.partition(), piece, &mut inflater);
            let old = self.inner.inflater.lock().replace(inflater);
            drop(old);
            match opened {
                Ok(records) => return Ok((records, high_watermark)),
                Err((Refusal::Room(needed), left)) => {
                    let error = shared.budget.refuse(Class::Inflate, needed);
                    if shared.clock.now() >= until {
                        return Err(timed_out(&topic, self.partition(), span, error));
                    }
                    piece = left;
                    self.pause().await?;
                }
                Err((refusal, left)) => {
                    return Err(refusal.into_error(&topic, self.partition(), left.start, &shared.budget));
                }
            }
        }
    }

    /// A moment, after which it is looked again whether there is room.
    async fn pause(&self) -> Result<(), Error> {
        let shared = self.inner.client.shared();
        let until = shared.clock.now().after(STARVED_AGAIN);
        let mut wait = Waiting::at(&shared.waits);
        poll_fn(|cx| {
            if shared.clock.now() >= until {
                return Poll::Ready(Ok(()));
            }
            wait.enlist(until, cx.waker())?;
            if shared.has_ended() {
                return Poll::Ready(Err(Error::Closed { fate: Fate::NotPersisted }));
            }
            // The driver arms its timer for this wait.
            shared.kick.drive();
            Poll::Pending
        })
        .await
    }
}

fn timed_out(topic: &str, partition: i32, after: core::time::Duration, because: Error) -> Error {
    Error::TimedOut {
        what: alloc::format!("inflating what was fetched of {topic}-{partition}"),
        after,
        knob: "request_timeout_ms",
        fate: Fate::NotPersisted,
        because: Some(Box::new(because)),
    }
}
