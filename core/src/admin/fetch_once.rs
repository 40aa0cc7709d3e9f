//! One fetch of one partition, without a session: for who keeps offsets elsewhere and says each time what to read.

use alloc::{boxed::Box, string::String};
use core::time::Duration;

use bytes::Bytes;

use super::{
    by_leader::{Did, Each, Next, OfTopic, Work},
    call::{Answer, Ask, To},
};
use crate::{
    Error, Instant, IsolationLevel,
    budget::{Budget, Class},
    code::ErrorCode,
    consumer::{Aborted, NoMemory, ONE_PARTITION, Whole, whole_batches},
    error::PeerFault,
    record::BatchError,
    sync::Arc,
    wire::{
        Api, Decode, WireError,
        api::FETCH,
        fetch_request::{FetchPartition, FetchRequest, FetchTopic},
        fetch_response::{FetchResponse, PartitionData},
    },
};

/// The newest version that names topics; later ones carry topic ids (KIP-516), which who fetches once has not looked up.
const NAMES_TOPICS: i16 = 12;

/// A broker answers a connection's requests in turn. A fetch that waits is cut into pieces, so that others on its connection
/// wait no longer than that: alone, and for as many as stand there.
const WAIT_ALONE: Duration = Duration::from_millis(500);
const WAIT_TOGETHER: Duration = Duration::from_millis(50);
const WAIT_LEAST: Duration = Duration::from_millis(5);

/// Fetches a partition once.
pub(crate) struct FetchOnce;

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchWish {
    pub(crate) offset: i64,
    /// The broker waits for so many bytes of records.
    pub(crate) min_bytes: usize,
    /// The most bytes of records, but for a first batch that is larger.
    pub(crate) max_bytes: usize,
    /// With how little it has by then the broker must be content.
    pub(crate) until: Instant,
    /// Room that an answer has been found to need.
    pub(crate) needed: usize,
    /// What the Fetch class holds.
    pub(crate) limit: usize,
    /// Which records of transactions (KIP-98).
    pub(crate) isolation_level: IsolationLevel,
}

impl FetchWish {
    /// Room for the answer.
    fn room(&self) -> usize {
        self.needed.max(self.max_bytes.saturating_add(ONE_PARTITION)).min(self.limit)
    }

    fn need(&mut self, room: usize) -> Result<(), Error> {
        if room > self.limit {
            let what = alloc::format!("the batch at offset {}", self.offset);
            let (class, limit, knob) = (Class::Fetch, self.limit, Class::Fetch.knob());
            let because = Error::Budget { class, needed: room, limit, knob };
            return Err(Error::TooLarge { what, because: Box::new(because), next_offset: None });
        }
        self.needed = room;
        Ok(())
    }
}

/// What one answer has of the partition.
pub(crate) enum FetchedOnce {
    /// Whole batches, or nothing.
    Batches { bytes: Bytes, next_offset: i64, high_watermark: i64, aborted: Option<Arc<Aborted>> },
    /// Not even one whole batch, of which so many bytes are needed.
    Cut { needed: usize },
    /// The Fetch class has no room for a copy.
    NoRoom,
    /// The Fetch class has no room for what must be known of aborted transactions; behind what came that offset is.
    Lacks(NoMemory, i64),
    /// What came cannot be read.
    Bad(BatchError),
}

impl Work for FetchOnce {
    type Wanted = FetchWish;
    type Done = FetchedOnce;

    const WHAT: &'static str = "fetching";
    const FOR_WHO_WAITS: bool = true;

    fn to(node: i32) -> To {
        To::Fetch(node)
    }

    fn ask(topics: &[OfTopic<'_, FetchWish>], ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version_up_to(FETCH, NAMES_TOPICS)?;
        // It is made for one partition.
        let Some((topic, (partition, wish))) = topics.first().and_then(|(t, parts)| Some((t, parts.first()?))) else {
            return Ok(());
        };
        let slice = match u32::try_from(ask.other_fetches()) {
            Ok(0) => WAIT_ALONE,
            Ok(others) => (WAIT_TOGETHER / others).max(WAIT_LEAST),
            Err(_) => WAIT_LEAST,
        };
        // Trap 78: some brokers never answer a fetch that must not wait at all.
        let wait = wish.until.since(ask.now).min(slice).max(Duration::from_millis(1));
        let int = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
        let max_bytes = int(wish.max_bytes.max(wish.needed.saturating_sub(ONE_PARTITION)));
        let partitions = [FetchPartition {
            partition: *partition,
            fetch_offset: wish.offset,
            partition_max_bytes: max_bytes,
            ..FetchPartition::default()
        }];
        let topics = [FetchTopic { topic, partitions: &partitions, ..FetchTopic::default() }];
        let body = FetchRequest {
            max_wait_ms: int(wait.as_millis() as usize),
            min_bytes: int(wish.min_bytes),
            max_bytes,
            isolation_level: wish.isolation_level.as_wire(),
            session_id: 0,
            session_epoch: -1,
            topics: &topics,
            ..FetchRequest::default()
        };
        ask.send_for_records(version, &body, wish.room(), wait)
    }

    fn read(answer: &mut Answer<'_>, budget: &Arc<Budget>, each: &mut Each<'_, FetchedOnce>) -> Result<i32, WireError> {
        let response = FetchResponse::decode(&mut answer.body, answer.version)?;
        let whole = ErrorCode(response.error_code);
        for topic in response.responses.iter() {
            for p in topic.partitions.iter() {
                let code = if whole.is_ok() { ErrorCode(p.error_code) } else { whole };
                each(topic.topic, p.partition_index, code, batches(&p, answer.leased, budget));
            }
        }
        Ok(response.throttle_time_ms)
    }

    fn did(at: Did<'_, FetchOnce>, done: FetchedOnce) -> Result<Next<FetchedOnce>, Error> {
        let Did { topic, partition, wanted, now } = at;
        let damaged = |error| {
            let (topic, offset) = (String::from(topic), wanted.offset);
            Error::Peer {
                address: "fetched records".into(),
                fault: PeerFault::Batch { topic, partition, offset, error },
            }
        };
        match &done {
            // A broker may answer before all of the wait is over, because others stand on the connection.
            FetchedOnce::Batches { bytes, .. } if bytes.len() < wanted.min_bytes && now < wanted.until => {
                Ok(Next::More)
            }
            FetchedOnce::Batches { .. } => Ok(Next::Done(done)),
            // Trap 21: it was asked for with room for all of it; to ask once more would go on for ever.
            FetchedOnce::Cut { needed } if *needed <= wanted.needed.saturating_sub(ONE_PARTITION) => {
                Err(damaged(BatchError::Truncated { needed: *needed, have: wanted.needed }))
            }
            FetchedOnce::Cut { needed } => wanted.need(needed.saturating_add(ONE_PARTITION)).map(|()| Next::More),
            FetchedOnce::Lacks(lacks, next_offset) if lacks.is_for_good() => {
                Err(lacks.error(topic, partition, wanted.offset, Some(*next_offset)))
            }
            FetchedOnce::NoRoom | FetchedOnce::Lacks(..) => Ok(Next::Later),
            FetchedOnce::Bad(error) => Err(damaged(error.clone())),
        }
    }

    fn refused(wanted: &mut FetchWish, len: usize) -> Result<(), Error> {
        wanted.need(len)
    }

    fn api() -> Api {
        FETCH
    }
}

/// The whole batches of an answer, in memory that can be kept. Where they go on is reckoned from their headers, not from what
/// was asked for: that only matters where there are none.
fn batches(part: &PartitionData<'_>, leased: Option<&Bytes>, budget: &Arc<Budget>) -> FetchedOnce {
    let (records, high_watermark) = (part.records.unwrap_or_default(), part.high_watermark);
    if records.is_empty() {
        return FetchedOnce::Batches { bytes: Bytes::new(), next_offset: -1, high_watermark, aborted: None };
    }
    let (len, next_offset) = match whole_batches(records, -1) {
        Ok(Whole::Batches { len, next_offset }) => (len, next_offset),
        Ok(Whole::Partial { needed }) => return FetchedOnce::Cut { needed },
        Err(error) => return FetchedOnce::Bad(error),
    };
    let records = records.get(..len).unwrap_or_default();
    let kept = match leased {
        Some(leased) => Some(leased.slice_ref(records)),
        // Small answers are read where connections read ahead.
        None => budget.copied(Class::Fetch, records),
    };
    let Some(bytes) = kept else { return FetchedOnce::NoRoom };
    // Only who asked for committed records is told of these.
    let list = part.aborted_transactions.filter(|list| !list.is_empty());
    let held = leased.map_or(records.len(), Bytes::len);
    let aborted = match list.map(|list| Aborted::new(list, records, held, budget)).transpose() {
        Ok(aborted) => aborted,
        Err(lacks) => return FetchedOnce::Lacks(lacks, next_offset),
    };
    FetchedOnce::Batches { bytes, next_offset, high_watermark, aborted }
}
