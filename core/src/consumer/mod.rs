//! Fetching in the background, handing out in order, and where each partition stands.
//!
//! The driver's [`Fetcher`] keeps a fetch under way at each broker while there is room; what comes back waits in
//! [`ConsumerShared`] until the application takes it, checked in the application's own thread.

mod aborted;
mod fetcher;
mod fetches;
mod inflate;
mod records;
mod shared;

pub(crate) use aborted::{Aborted, COMMITTED_ONLY, NoMemory};
pub(crate) use fetcher::{FetchRoom, Fetcher, Fetching, ONE_PARTITION, OffsetsAsked, Refused, Whole, whole_batches};
pub(crate) use fetches::Fetches;
pub(crate) use inflate::{Inflater, Stuck};
pub(crate) use records::Refusal;
pub use records::{OwnedHeader, OwnedRecord, Records, RecordsIter};
pub(crate) use shared::{Assigned, ConsumerShared, Fetched, Subscription};
