//! Records of transactions that were aborted (KIP-98): what is left out for whoever reads committed records only.

use alloc::{boxed::Box, format, vec::Vec};

use crate::{
    Error,
    budget::{Budget, Class, Lease},
    record::{BatchView, Batches, ControlType},
    sync::Arc,
    used::Used,
    wire::{Array, fetch_response::AbortedTransaction},
};

/// Whether any consumer may read committed records only.
pub(crate) static COMMITTED_ONLY: Used = Used::not_yet();

/// The aborted transactions that a fetch tells of for a partition.
pub(crate) struct Aborted {
    /// By producer, and then in their order.
    spans: Vec<Span>,
    _memory: Lease,
}

/// What a producer wrote from its transaction's first offset to the marker that ends it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    producer_id: i64,
    first: i64,
    /// Where the marker is; that may come with another fetch.
    end: i64,
}

/// The Fetch class has no room for what must be known beside the records.
#[derive(Clone, Copy)]
pub(crate) struct NoMemory {
    /// So much it would take, with the answer itself.
    needed: usize,
    limit: usize,
}

impl NoMemory {
    /// Whether there never will be, though nobody else had any.
    pub(crate) fn is_for_good(self) -> bool {
        self.needed > self.limit
    }

    /// That there never will be; what a seek must pass, if that is known.
    pub(crate) fn error(self, topic: &str, partition: i32, offset: i64, next_offset: Option<i64>) -> Error {
        let NoMemory { needed, limit } = self;
        let because = Error::Budget { class: Class::Fetch, needed, limit, knob: Class::Fetch.knob() };
        let what = format!("the list of aborted transactions of {topic}-{partition} at offset {offset}");
        Error::TooLarge { what, because: Box::new(because), next_offset }
    }
}

/// What the list is beside its elements.
const LIST_BYTES: usize = 128;

impl Aborted {
    /// Those that a broker names, with the markers that are among these batches. Its list has all that any of the batches may
    /// belong to, so that nothing must be known of earlier fetches.
    ///
    /// The answer itself has so many bytes of the class, and keeps them as long as this.
    ///
    /// # Errors
    /// There is no memory for so many.
    pub(crate) fn new(
        list: Array<'_, AbortedTransaction>,
        batches: &[u8],
        answer: usize,
        budget: &Arc<Budget>,
    ) -> Result<Arc<Aborted>, NoMemory> {
        let bytes = list.len().saturating_mul(size_of::<Span>()).saturating_add(LIST_BYTES);
        let needed = bytes.saturating_add(budget.fetch_buf_bytes(Class::Fetch, answer));
        let lacks = NoMemory { needed, limit: budget.limit(Class::Fetch) };
        let Some(memory) = budget.lease(Class::Fetch, bytes) else {
            // The answer may lie in a buffer of twice its size, which is used again and again.
            budget.keep_no_buffer();
            return Err(lacks);
        };
        let mut spans = Vec::new();
        spans.try_reserve_exact(list.len()).map_err(|_| lacks)?;
        let span = |a: AbortedTransaction| Span { producer_id: a.producer_id, first: a.first_offset, end: i64::MAX };
        spans.extend(list.iter().map(span));
        spans.sort_unstable();
        let mut aborted = Aborted { spans, _memory: memory };
        for batch in Batches::new(batches).map_while(Result::ok) {
            if batch.is_control()
                && let Ok(mut records) = batch.records()
                && let Some(marker) = records.next()
                && ControlType::of_key(marker.key()) == ControlType::Abort
                && let Some(at) = aborted.last_before(batch.header.producer_id, marker.offset())
                && let Some(span) = aborted.spans.get_mut(at)
                && span.end == i64::MAX
            {
                span.end = marker.offset();
            }
        }
        Ok(Arc::new(aborted))
    }

    /// Whether nobody is to see a batch.
    pub(crate) fn leaves_out(&self, batch: &BatchView<'_>) -> bool {
        let header = &batch.header;
        let span = self.last_before(header.producer_id, batch.last_offset()).and_then(|at| self.spans.get(at));
        header.attributes.is_transactional() && !batch.is_control() && span.is_some_and(|s| header.base_offset < s.end)
    }

    /// Where the producer's last transaction is that begins at an offset or before.
    fn last_before(&self, producer_id: i64, offset: i64) -> Option<usize> {
        let last = Span { producer_id, first: offset, end: i64::MAX };
        let at = self.spans.partition_point(|span| *span <= last).checked_sub(1)?;
        self.spans.get(at).filter(|span| span.producer_id == producer_id).map(|_| at)
    }
}
