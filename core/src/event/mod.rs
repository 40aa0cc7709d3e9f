//! What a client does beside its work, as values: connections, leaders, retries, failures, and memory that is short.
//!
//! Give [`Config::observer`](crate::Config::observer) something that implements [`Observe`], a closure for instance. With the
//! feature `log` and no observer, events go to the [`log`](https://docs.rs/log) facade, with target `klamm`; `klamm-tokio` has
//! that feature on. With the feature `defmt` they go to [`defmt`](https://docs.rs/defmt), as a microcontroller's log is mostly kept: their
//! names and fields, of which the words stay on the host. With both they go to both; with none of them, no event is ever made.
//!
//! ```
//! use std::sync::Arc;
//! let observer = |event: &klamm::Event<'_>| eprintln!("{} {}: {event}", event.level(), event.name());
//! let config = klamm::Config::new("localhost:9092").observer(Arc::new(observer));
//! # let _ = config;
//! ```
//!
//! A program with `tracing` gets what goes to the `log` facade through `tracing-log`, which `tracing-subscriber` brings:
//!
//! ```text
//! cargo add tracing-subscriber                       # its default feature `tracing-log` is what is needed
//! tracing_subscriber::fmt().init();                  // this also takes what goes to `log`
//! RUST_LOG=klamm=debug ./program                     # with the feature `env-filter`; else everything from info on
//! ```
//!
//! No event ever has a record's key, value or header in it, nor a secret; the words that a broker adds to its error codes are
//! left out too, because nobody knows what it repeats in them. What is not printable is printed as `?`.
//!
//! Events are made where things fail or begin, never where records pass, and each kind is bounded: at most
//! 64 in ten seconds, and [`Event::LeftOut`] then counts the rest. The same run, with the same time and randomness, gives the
//! same events.
//!
//! | event | level | what it means | what to do |
//! |---|---|---|---|
//! | [`Connecting`](Event::Connecting) | debug | a connection is being opened | |
//! | [`Connected`](Event::Connected) | info | a broker has said what it speaks | |
//! | [`ConnectFailed`](Event::ConnectFailed) | warn | no connection, or nobody there that speaks Kafka; it is tried again | if it goes on: the address, the port's protocol, the network |
//! | [`ConnectionLost`](Event::ConnectionLost) | warn | a connection that worked is gone; what was open on it is tried again | if often: the network, the broker's log, `request_timeout_ms` |
//! | [`ConnectionClosed`](Event::ConnectionClosed) | debug | a connection that nobody needs any more is gone | |
//! | [`LeaderChanged`](Event::LeaderChanged) | info | another broker leads a partition, or none does | if none for long: the cluster |
//! | [`TopicReplaced`](Event::TopicReplaced) | warn | a topic was deleted and made anew | |
//! | [`MetadataFailed`](Event::MetadataFailed) | debug | no answer about who leads what; others are asked | |
//! | [`MetadataRenewed`](Event::MetadataRenewed) | debug | who leads what is known anew | |
//! | [`BrokersLeftOut`](Event::BrokersLeftOut) | warn | the cluster has more brokers than `max_brokers`; partitions that the others lead cannot be used; said when their number changes | raise the knob, and the memory with it |
//! | [`Throttled`](Event::Throttled) | info | a broker's quota makes a connection pause | a higher quota, or less load |
//! | [`BatchRetried`](Event::BatchRetried) | warn | a batch was not taken and is sent again, in order | if it goes on: what its code says |
//! | [`BatchFailed`](Event::BatchFailed) | error | records were refused for good; their tickets say so | what its code says |
//! | [`BatchExpired`](Event::BatchExpired) | error | `delivery_timeout_ms` was not enough; tickets say so | see why it took so long, then the knob |
//! | [`BatchSplit`](Event::BatchSplit) | info | a batch is larger than its topic takes and goes in parts | lower `batch_bytes` or raise the topic's `max.message.bytes` |
//! | [`ProducerIdGiven`](Event::ProducerIdGiven) | debug | an idempotent producer has its id | |
//! | [`ProducerIdFailed`](Event::ProducerIdFailed) | warn | no broker gave an id; it is asked for again, where the refusal was for good with the next record only | if it goes on: what its code says |
//! | [`EpochRaised`](Event::EpochRaised) | info | a partition's numbers begin anew, after a batch of unknown fate or one that the broker forgot | |
//! | [`NotIdempotent`](Event::NotIdempotent) | info | a producer with fewer acks than all: retries may write twice | acks all |
//! | [`PositionFound`](Event::PositionFound) | debug | where a partition is read from | |
//! | [`OffsetOutOfRange`](Event::OffsetOutOfRange) | warn | the log does not have the offset any more, or not yet | see whether reading is slower than retention |
//! | [`FetchRetried`](Event::FetchRetried) | warn | a broker refused to give a partition's records for now | if it goes on: what its code says |
//! | [`FetchedAlone`](Event::FetchedAlone) | info | a batch is larger than its share of a fetch; said once a partition | a larger `memory.fetch_bytes` is faster |
//! | [`BatchRefetched`](Event::BatchRefetched) | warn | a batch came damaged and is fetched again | if it goes on: the network, the broker's disk |
//! | [`PartitionStopped`](Event::PartitionStopped) | error | a partition is not read until the application seeks; `next()` says why | as the error says |
//! | [`TopicUnknown`](Event::TopicUnknown) | warn | a consumer waits for a topic that brokers do not know; said once a consumer, and again only after they said something else of it | if it goes on: the topic's name, the cluster, or make it; see [`unknown_topic`](crate::ConsumerBuilder::unknown_topic) |
//! | [`RecordsKept`](Event::RecordsKept) | warn | records that the application keeps leave no room for more; after 5 s, then once a minute | drop them sooner, `to_owned()` what is kept, or raise the knob |
//! | [`ProduceFull`](Event::ProduceFull) | warn | tasks wait for room, and none came back for 5 s; then once a minute | see what holds the brokers up, or raise the knob |
//! | [`WaitersFull`](Event::WaitersFull) | warn | tasks were refused because too many wait; at most once a minute | fewer tasks, or raise the knob |
//! | [`Closing`](Event::Closing) | info | the last handle is gone; buffers are sent | |
//! | [`Closed`](Event::Closed) | info, or warn | the client has ended; a warning if records were left over | a longer `close_timeout_ms`, or flush first |
//! | [`LeftOut`](Event::LeftOut) | warn | so many more events of a kind came than were told | |

mod cause;
#[cfg(any(feature = "defmt", feature = "log"))]
mod facade;
#[cfg(not(any(feature = "defmt", feature = "log")))]
#[path = "silent.rs"]
mod facade;
mod gate;
mod text;
mod watch;

pub use cause::Cause;
#[cfg(feature = "defmt")]
pub use facade::DefmtObserver;
#[cfg(feature = "log")]
pub use facade::LogObserver;

pub(crate) use gate::{Events, OBSERVED};
pub(crate) use watch::{Needs, Watch};

use core::{fmt, time::Duration};

use crate::{Acks, Class, ErrorCode, Fate, ResetPolicy};

/// Takes a client's events.
///
/// Called by whoever drives the client, in the middle of a turn, under no lock of Klamm's: it may use the client's handles, but
/// everything that the client does waits for it. It must not panic, and a handle that it owns keeps the client open.
pub trait Observe: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observe for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// How much an event matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Level {
    /// Something is lost, or stands still until somebody does something.
    Error,
    /// Something is wrong that passes by itself, or should be looked at.
    Warn,
    /// Something changed.
    Info,
    /// For whoever looks for a cause.
    Debug,
}

/// A broker at the other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Peer<'a> {
    /// Its node id; negative for an entry of the bootstrap list.
    pub node: i32,
    /// Its host; empty if the cluster no longer lists it.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
}

/// A partition of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct TopicPartition<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
}

impl<'a> TopicPartition<'a> {
    pub(crate) fn new(topic: &'a str, partition: u32) -> Self {
        TopicPartition { topic, partition: partition as i32 }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Purpose {
    /// Metadata, offsets, administration; with `single_connection` everything.
    Control,
    /// Records to the broker.
    Produce,
    /// Records from the broker.
    Fetch,
}

/// Why a connection was closed though nothing was wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WhyClosed {
    /// The broker closes what was idle for long.
    Idle,
    /// Nobody waits any more for what was asked there.
    Unused,
    /// The cluster no longer lists the broker, or lists it at another address.
    Moved,
}

/// Something that happened. See the [module](self) for a table of what to do.
///
/// Its `Display` is a line in plain words.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection is being opened.
    #[non_exhaustive]
    Connecting {
        /// To whom.
        peer: Peer<'a>,
        /// What for.
        purpose: Purpose,
    },
    /// A broker has said what it speaks.
    #[non_exhaustive]
    Connected {
        /// To whom.
        peer: Peer<'a>,
        /// What for.
        purpose: Purpose,
        /// The newest Produce that it speaks; −1: none.
        produce: i16,
        /// The newest Fetch that it speaks; −1: none.
        fetch: i16,
    },
    /// There was nobody, or nobody who speaks Kafka.
    #[non_exhaustive]
    ConnectFailed {
        /// To whom.
        peer: Peer<'a>,
        /// What for.
        purpose: Purpose,
        /// Why.
        why: Cause<'a>,
        /// Failures in a row, this one included.
        failures: u32,
        /// When it may be tried again.
        again_after: Duration,
    },
    /// A connection that worked is gone.
    #[non_exhaustive]
    ConnectionLost {
        /// To whom.
        peer: Peer<'a>,
        /// What for.
        purpose: Purpose,
        /// Why.
        why: Cause<'a>,
        /// Requests that were open on it.
        unanswered: usize,
        /// When it may be opened again.
        again_after: Duration,
    },
    /// A connection that nobody needs is gone.
    #[non_exhaustive]
    ConnectionClosed {
        /// To whom.
        peer: Peer<'a>,
        /// What for.
        purpose: Purpose,
        /// Why.
        why: WhyClosed,
    },
    /// Another broker leads a partition.
    #[non_exhaustive]
    LeaderChanged {
        /// Which partition.
        place: TopicPartition<'a>,
        /// The node that led it; −1: nobody.
        from: i32,
        /// The node that leads it; −1: nobody.
        to: i32,
        /// The leader's epoch; −1: not known.
        epoch: i32,
    },
    /// A topic was deleted and made anew.
    #[non_exhaustive]
    TopicReplaced {
        /// Which topic.
        topic: &'a str,
    },
    /// Nobody told who leads what.
    #[non_exhaustive]
    MetadataFailed {
        /// The broker's code; `None`: no answer, or one that cannot be read.
        code: Option<ErrorCode>,
        /// When somebody is asked again.
        again_after: Duration,
    },
    /// Who leads what is known anew.
    #[non_exhaustive]
    MetadataRenewed {
        /// Brokers of the cluster.
        brokers: usize,
        /// Topics that are used.
        topics: usize,
        /// Partitions of these.
        partitions: usize,
        /// Nothing is missing. If something is, it is asked for again soon.
        complete: bool,
    },
    /// The cluster has more brokers than `max_brokers` allows: partitions that the others lead cannot be used. Told when their
    /// number changes.
    #[non_exhaustive]
    BrokersLeftOut {
        /// How many.
        left_out: usize,
        /// `max_brokers`.
        max: usize,
    },
    /// A broker's quota makes a connection pause (KIP-219).
    #[non_exhaustive]
    Throttled {
        /// Whose.
        peer: Peer<'a>,
        /// What the connection is for.
        purpose: Purpose,
        /// For how long nothing is sent on it.
        pause: Duration,
    },
    /// A batch was not taken and is sent again.
    #[non_exhaustive]
    BatchRetried {
        /// Where to.
        place: TopicPartition<'a>,
        /// Records in it.
        records: u32,
        /// Why, if anybody knows.
        why: Option<Cause<'a>>,
        /// The partition's failures since its last acknowledgement, this one included.
        failures: u32,
        /// When.
        again_after: Duration,
    },
    /// Records were refused for good.
    #[non_exhaustive]
    BatchFailed {
        /// Where to.
        place: TopicPartition<'a>,
        /// How many.
        records: u32,
        /// Why.
        why: Cause<'a>,
        /// Whether they may be in the log all the same.
        fate: Fate,
    },
    /// The delivery timeout of a batch is over.
    #[non_exhaustive]
    BatchExpired {
        /// Where to.
        place: TopicPartition<'a>,
        /// Records in it.
        records: u32,
        /// `delivery_timeout_ms`.
        after: Duration,
        /// What went wrong last, if anything did.
        why: Option<Cause<'a>>,
        /// Whether they may be in the log all the same.
        fate: Fate,
    },
    /// A batch is larger than its topic takes: it goes in parts.
    #[non_exhaustive]
    BatchSplit {
        /// Where to.
        place: TopicPartition<'a>,
        /// Records in it.
        records: u32,
        /// Its bytes on the wire.
        bytes: usize,
    },
    /// An idempotent producer has its id.
    #[non_exhaustive]
    ProducerIdGiven {
        /// The id.
        producer_id: i64,
        /// Its epoch.
        epoch: i16,
    },
    /// Nobody gave a producer id.
    #[non_exhaustive]
    ProducerIdFailed {
        /// The broker's code; `None`: no answer, or one that makes no sense.
        code: Option<ErrorCode>,
        /// When it may be asked for again.
        again_after: Duration,
    },
    /// A partition's sequence begins anew in a higher epoch.
    #[non_exhaustive]
    EpochRaised {
        /// Which partition's.
        place: TopicPartition<'a>,
        /// The producer's id.
        producer_id: i64,
        /// The new epoch.
        epoch: i16,
    },
    /// A producer whose acks alone switched idempotence off.
    #[non_exhaustive]
    NotIdempotent {
        /// Its acks.
        acks: Acks,
    },
    /// Where a partition is read from.
    #[non_exhaustive]
    PositionFound {
        /// Which partition.
        place: TopicPartition<'a>,
        /// The first offset.
        offset: i64,
    },
    /// The log does not have the offset that is read.
    #[non_exhaustive]
    OffsetOutOfRange {
        /// Which partition.
        place: TopicPartition<'a>,
        /// The offset.
        offset: i64,
        /// What is done about it.
        policy: ResetPolicy,
    },
    /// A broker refused a partition's records, or where they begin, for now.
    #[non_exhaustive]
    FetchRetried {
        /// Which partition.
        place: TopicPartition<'a>,
        /// Its code.
        code: ErrorCode,
        /// When it is asked again.
        again_after: Duration,
    },
    /// A batch that did not fit is asked for alone. Told once a partition.
    #[non_exhaustive]
    FetchedAlone {
        /// Which partition.
        place: TopicPartition<'a>,
        /// Its offset.
        offset: i64,
        /// What it is asked for with.
        bytes: usize,
    },
    /// A batch came damaged and is fetched again. The application was told by `next()`.
    #[non_exhaustive]
    BatchRefetched {
        /// Which partition.
        place: TopicPartition<'a>,
        /// From where.
        offset: i64,
    },
    /// A partition is not read until the application seeks.
    #[non_exhaustive]
    PartitionStopped {
        /// Which partition.
        place: TopicPartition<'a>,
        /// Why; `None`: the application was told where records were read.
        why: Option<Cause<'a>>,
    },
    /// A consumer waits for a topic that brokers do not know. Told once a consumer, and again only after
    /// they said something else of it.
    #[non_exhaustive]
    TopicUnknown {
        /// Which topic.
        topic: &'a str,
    },
    /// Records that the application keeps leave no room for what it waits for.
    #[non_exhaustive]
    RecordsKept(Shortage),
    /// Tasks wait for room in the Produce class, and none comes back.
    #[non_exhaustive]
    ProduceFull(Shortage),
    /// Tasks were refused because too many wait already.
    #[non_exhaustive]
    WaitersFull {
        /// How many, since the last time that this was said.
        refused: usize,
        /// `max_waiters`.
        max: usize,
    },
    /// The last handle is gone; what is in the buffers is sent.
    #[non_exhaustive]
    Closing {
        /// How long that may take.
        within: Duration,
    },
    /// The client has ended.
    #[non_exhaustive]
    Closed {
        /// Records that were left over; their tickets say what became of each.
        unsettled: usize,
    },
    /// Events that were too many to be told.
    #[non_exhaustive]
    LeftOut {
        /// Their [name](Event::name).
        name: &'static str,
        /// How many.
        count: u32,
    },
}

/// Who holds a class of memory that somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Shortage {
    /// The class.
    pub class: Class,
    /// Its limit, in bytes.
    pub limit: usize,
    /// What is waited for, in bytes.
    pub wanted: usize,
    /// For how long already.
    pub lasted: Duration,
    /// Bytes in use, all together. Where clients share a budget, the others' too.
    pub held: usize,
    /// Bytes of these that were fetched, and that `next()` has not handed out.
    pub queued: usize,
    /// Bytes of these that producers and consumers hold as long as they live.
    pub standing: usize,
    /// Bytes beside these that are promised to answers on their way.
    pub promised: usize,
}

impl Shortage {
    /// Bytes that the application keeps: what is in use and nobody else's.
    pub fn kept(&self) -> usize {
        self.held.saturating_sub(self.queued).saturating_sub(self.standing)
    }

    /// The setting that would make room.
    pub fn knob(&self) -> &'static str {
        self.class.knob()
    }
}

/// The names of all kinds, by their numbers.
pub(crate) const NAMES: [&str; 32] = [
    "connecting",
    "connected",
    "connect_failed",
    "connection_lost",
    "connection_closed",
    "leader_changed",
    "topic_replaced",
    "metadata_failed",
    "metadata_renewed",
    "brokers_left_out",
    "throttled",
    "batch_retried",
    "batch_failed",
    "batch_expired",
    "batch_split",
    "producer_id_given",
    "producer_id_failed",
    "epoch_raised",
    "not_idempotent",
    "position_found",
    "offset_out_of_range",
    "fetch_retried",
    "fetched_alone",
    "batch_refetched",
    "partition_stopped",
    "topic_unknown",
    "records_kept",
    "produce_full",
    "waiters_full",
    "closing",
    "closed",
    "left_out",
];

impl Event<'_> {
    /// A name for its kind, for filters and counters.
    pub fn name(&self) -> &'static str {
        NAMES[self.number()]
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Event::BatchFailed { .. } | Event::BatchExpired { .. } | Event::PartitionStopped { .. } => Level::Error,
            Event::ConnectFailed { .. }
            | Event::ConnectionLost { .. }
            | Event::TopicReplaced { .. }
            | Event::BatchRetried { .. }
            | Event::ProducerIdFailed { .. }
            | Event::OffsetOutOfRange { .. }
            | Event::FetchRetried { .. }
            | Event::BatchRefetched { .. }
            | Event::BrokersLeftOut { .. }
            | Event::TopicUnknown { .. }
            | Event::RecordsKept(_)
            | Event::ProduceFull(_)
            | Event::WaitersFull { .. }
            | Event::Closed { unsettled: 1.. }
            | Event::LeftOut { .. } => Level::Warn,
            Event::Connected { .. }
            | Event::LeaderChanged { .. }
            | Event::Throttled { .. }
            | Event::BatchSplit { .. }
            | Event::EpochRaised { .. }
            | Event::NotIdempotent { .. }
            | Event::FetchedAlone { .. }
            | Event::Closing { .. }
            | Event::Closed { .. } => Level::Info,
            Event::Connecting { .. }
            | Event::ConnectionClosed { .. }
            | Event::MetadataFailed { .. }
            | Event::MetadataRenewed { .. }
            | Event::ProducerIdGiven { .. }
            | Event::PositionFound { .. } => Level::Debug,
        }
    }

    fn number(&self) -> usize {
        match self {
            Event::Connecting { .. } => 0,
            Event::Connected { .. } => 1,
            Event::ConnectFailed { .. } => 2,
            Event::ConnectionLost { .. } => 3,
            Event::ConnectionClosed { .. } => 4,
            Event::LeaderChanged { .. } => 5,
            Event::TopicReplaced { .. } => 6,
            Event::MetadataFailed { .. } => 7,
            Event::MetadataRenewed { .. } => 8,
            Event::BrokersLeftOut { .. } => 9,
            Event::Throttled { .. } => 10,
            Event::BatchRetried { .. } => 11,
            Event::BatchFailed { .. } => 12,
            Event::BatchExpired { .. } => 13,
            Event::BatchSplit { .. } => 14,
            Event::ProducerIdGiven { .. } => 15,
            Event::ProducerIdFailed { .. } => 16,
            Event::EpochRaised { .. } => 17,
            Event::NotIdempotent { .. } => 18,
            Event::PositionFound { .. } => 19,
            Event::OffsetOutOfRange { .. } => 20,
            Event::FetchRetried { .. } => 21,
            Event::FetchedAlone { .. } => 22,
            Event::BatchRefetched { .. } => 23,
            Event::PartitionStopped { .. } => 24,
            Event::TopicUnknown { .. } => 25,
            Event::RecordsKept(_) => 26,
            Event::ProduceFull(_) => 27,
            Event::WaitersFull { .. } => 28,
            Event::Closing { .. } => 29,
            Event::Closed { .. } => 30,
            Event::LeftOut { .. } => 31,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        })
    }
}
