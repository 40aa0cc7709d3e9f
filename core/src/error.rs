//! What can go wrong, sorted by whose fault it is.
//!
//! | error | what happened | what to do |
//! |---|---|---|
//! | [`Error::Peer`] | something that is no Kafka broker answered, or one broke the protocol | check the address and the port's protocol |
//! | [`Error::Wire`] | bytes that do not decode, or a value that a broker's version cannot carry | as above; a newer broker for the latter |
//! | [`Error::Broker`] | the broker refused, and said why | see the code; [`Error::is_retriable`] |
//! | `Error::Authentication` | broker and client did not come to terms over SASL (feature `sasl`) | the user, the password, the mechanism, the port |
//! | [`Error::Transport`] | the network or TLS failed, with every address tried | check the network, or what [`TransportError::tls`] says; it is tried again as long as time lasts and trying may help |
//! | [`Error::Config`] | a setting is wrong, alone or beside another | change the knob that it names |
//! | [`Error::Budget`] | a memory class is full, too many tasks wait, or one thing is larger than it can ever hold | raise the knob that it names, or wait |
//! | [`Error::TooLarge`] | a record or a fetched batch passes a limit | raise the knob, split the record, or seek past the batch |
//! | [`Error::Closed`] | the client, producer or consumer was closed, or its driver dropped | make a new one |
//! | [`Error::Unanswered`] | a record's tries are used up, and it may be in the log | raise `retries`; ask the log before you send it again |
//! | [`Error::TimedOut`] | the operation's own time ran out | raise the knob that it names, or try again |

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, time::Duration};

use crate::{TransportError, budget::Class, code::ErrorCode, compress::Codec, wire::WireError};

/// Every failure that Klamm reports. See the [module](self) for a table of what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol, or is no Kafka broker.
    #[error("{address}: {fault}")]
    #[non_exhaustive]
    Peer {
        /// Whom it was said to.
        address: String,
        /// What it did.
        fault: PeerFault,
    },
    /// Bytes that do not decode, or a value that the negotiated version cannot carry.
    #[error("{what}: {error}")]
    #[non_exhaustive]
    Wire {
        /// Which message.
        what: &'static str,
        /// What is wrong in it.
        error: WireError,
    },
    /// The broker refused.
    #[error("{what}: {code}{}{}", Said(message), Fated(fate))]
    #[non_exhaustive]
    Broker {
        /// The broker's code.
        code: ErrorCode,
        /// What was asked, with topic and partition where there is one.
        what: String,
        /// The broker's own words, if it had any.
        message: Option<String>,
        /// Whether a record may have reached the log all the same: by this answer, or by an earlier try whose answer
        /// never came.
        fate: Fate,
    },
    /// Broker and client did not come to terms over who they are.
    #[cfg(feature = "sasl")]
    #[error("{address}: {mechanism}: {fault}")]
    #[non_exhaustive]
    Authentication {
        /// Which broker.
        address: String,
        /// How the client said who it is.
        mechanism: &'static str,
        /// What was wrong.
        fault: crate::sasl::SaslFault,
    },
    /// The network failed: each address that was tried, with its error.
    #[error("no broker could be reached: {}", Tried(tried))]
    #[non_exhaustive]
    Transport {
        /// Address and error, in the order of trying; at most one a known address.
        tried: Vec<(String, TransportError)>,
    },
    /// A setting is wrong.
    #[error("{knob}: {why}")]
    #[non_exhaustive]
    Config {
        /// The setting's name.
        knob: &'static str,
        /// What is wrong with its value, and what would be right.
        why: String,
    },
    /// Memory ran out, as many tasks wait as may (`max_waiters`), or one thing is larger than its class can ever hold.
    #[error("{class} memory: {needed} {} do not fit into {limit} ({knob})", counted(knob))]
    #[non_exhaustive]
    Budget {
        /// The class of memory.
        class: Class,
        /// How much was asked for, in bytes, or in records or waiting tasks where the setting counts those.
        needed: usize,
        /// How much there is at most, in the same.
        limit: usize,
        /// The setting that would make room.
        knob: &'static str,
    },
    /// One thing is larger than it may ever be; `because` names the limit and the knob.
    #[error("{what} is too large: {because}{}", Passed(next_offset))]
    #[non_exhaustive]
    TooLarge {
        /// What is too large, with topic, partition and offset where it has them.
        what: String,
        /// The limit that it passes.
        because: Box<Error>,
        /// For a batch that a consumer cannot read: the offset behind its last record, which a [`seek`](crate::Consumer::seek)
        /// passes it with. `None` where that is not known, and for all else.
        next_offset: Option<i64>,
    },
    /// The client, producer or consumer is closed.
    #[error("closed{}", Fated(fate))]
    #[non_exhaustive]
    Closed {
        /// Whether a record may have reached the log all the same.
        fate: Fate,
    },
    /// A record has no more tries, and of one of them no answer came: the record may be in the log.
    #[error("{what} got no answer, and has no more tries (retries): {because}{}", Fated(&Fate::MaybePersisted))]
    #[non_exhaustive]
    Unanswered {
        /// What was tried.
        what: String,
        /// The last failure.
        because: Box<Error>,
    },
    /// The operation's own time ran out.
    #[error("{what} did not finish within {} ({knob}){}", Span(after), Because(because))]
    #[non_exhaustive]
    TimedOut {
        /// What did not finish.
        what: String,
        /// How long it had.
        after: Duration,
        /// The setting that gave it this time.
        knob: &'static str,
        /// Whether a record may have reached the log all the same.
        fate: Fate,
        /// The last failure on the way, which is usually the reason.
        because: Option<Box<Error>>,
    },
}

/// How a peer broke the protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerFault {
    /// It closed the connection before it had answered ApiVersions: no Kafka broker or one of before 0.10, TLS on a
    /// plaintext port, or a listener that wants TLS.
    #[error(
        "closed the connection before it answered ApiVersions; is this a plaintext listener of Kafka 0.10 or later?"
    )]
    NoGreeting,
    /// It closed connections, one after the other, before it had answered their first request behind ApiVersions: a listener that
    /// wants SASL does that to who does not begin with it.
    #[error("closed the connection before it answered the first request; does this listener want SASL?")]
    NoAnswer,
    /// The first bytes are those of another protocol.
    #[error("answered in {0}, not in Kafka's protocol")]
    OtherProtocol(&'static str),
    /// A frame's length is negative, or larger than anything asked for.
    #[error("a frame of {len} bytes was announced; at most {limit} can be taken ({knob})")]
    #[non_exhaustive]
    FrameLength {
        /// The length on the wire.
        len: i64,
        /// The most that is taken.
        limit: usize,
        /// The setting behind the limit.
        knob: &'static str,
    },
    /// A response whose correlation id is not the oldest request's.
    #[error("answered with correlation id {got}, expected {}", Awaited(.expected))]
    #[non_exhaustive]
    Correlation {
        /// What came.
        got: i32,
        /// The oldest request's, or nothing when none was open.
        expected: Option<i32>,
    },
    /// A response that does not decode.
    #[error("the {api} response does not decode: {error}")]
    #[non_exhaustive]
    Malformed {
        /// The API.
        api: &'static str,
        /// What is wrong.
        error: WireError,
    },
    /// Its Metadata response names no broker: it may be starting.
    #[error("names no broker of its cluster; it may be starting")]
    NoBrokers,
    /// No version of an API that both sides speak.
    #[error("speaks {api} {broker_min} to {broker_max}, this client {min} to {max}")]
    #[non_exhaustive]
    NoCommonVersion {
        /// The API.
        api: &'static str,
        /// The oldest version that the broker speaks; −1 if it does not know the API.
        broker_min: i16,
        /// The newest version that the broker speaks; −1 if it does not know the API.
        broker_max: i16,
        /// The oldest version that this client speaks.
        min: i16,
        /// The newest version that this client speaks.
        max: i16,
    },
    /// Records in a codec that is newer than the broker (KIP-110).
    #[error("does not take {codec}: that needs {api} {needed}, and it speaks {broker_min} to {broker_max}")]
    CodecTooNew {
        /// The codec.
        codec: Codec,
        /// The API that carries the records.
        api: &'static str,
        /// The first version that may carry them.
        needed: i16,
        /// The oldest version that the broker speaks.
        broker_min: i16,
        /// The newest version that the broker speaks.
        broker_max: i16,
    },
    /// A record batch that is damaged, or that cannot be read.
    #[error("{topic}-{partition} at offset {offset}: {error}")]
    #[non_exhaustive]
    Batch {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
        /// What is wrong.
        error: crate::record::BatchError,
    },
}

/// Whether a record that failed may be in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fate {
    /// It surely is not: the whole request was never sent, or the broker refused it.
    NotPersisted,
    /// It may be: the request was sent and its answer never came.
    MaybePersisted,
}

impl Error {
    /// Whether the same operation may succeed later, unchanged.
    ///
    /// Of a record it says nothing about what became of it: a produce that timed out is retriable and may be in the log, so that
    /// who sends it again may have it there twice. See [`fate`](Error::fate).
    pub fn is_retriable(&self) -> bool {
        match self {
            Error::Broker { code, .. } => code.is_retriable(),
            // One address that may be better later is enough; and of none nothing is known.
            Error::Transport { tried } => tried.is_empty() || tried.iter().any(|(_, e)| e.retriable),
            Error::Budget { needed, limit, .. } => needed <= limit,
            Error::TimedOut { .. } => true,
            Error::Unanswered { because, .. } => because.is_retriable(),
            #[cfg(feature = "sasl")]
            Error::Authentication { fault, .. } => fault.is_retriable(),
            Error::TooLarge { .. }
            | Error::Peer { .. }
            | Error::Wire { .. }
            | Error::Config { .. }
            | Error::Closed { .. } => false,
        }
    }

    /// Whether waiting for a first contact is of no use any more.
    pub(crate) fn is_hopeless(&self) -> bool {
        match self {
            #[cfg(feature = "sasl")]
            Error::Authentication { fault, .. } => !fault.is_retriable(),
            _ => false,
        }
    }

    /// Whether the handle that gave it is of no more use.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Error::Closed { .. })
    }

    /// For a record that was to be produced: whether it may be in the log all the same.
    pub fn fate(&self) -> Fate {
        match self {
            Error::Closed { fate } | Error::TimedOut { fate, .. } | Error::Broker { fate, .. } => *fate,
            Error::Unanswered { .. } => Fate::MaybePersisted,
            _ => Fate::NotPersisted,
        }
    }

    /// For transports: the host failed at something that the client cannot be without, `what`.
    pub fn of_host(what: impl Into<String>, error: TransportError) -> Error {
        Error::Transport { tried: alloc::vec![(what.into(), error)] }
    }

    pub(crate) fn config(knob: &'static str, why: impl Into<String>) -> Error {
        Error::Config { knob, why: why.into() }
    }

    /// As many tasks wait as may; another one may later.
    pub(crate) fn too_many_waiters(max: usize) -> Error {
        Error::Budget { class: Class::Tickets, needed: 1, limit: max, knob: "max_waiters" }
    }

    pub(crate) fn broker(code: ErrorCode, what: impl Into<String>, message: Option<&str>) -> Error {
        let fate = if code.says_not_written() { Fate::NotPersisted } else { Fate::MaybePersisted };
        Error::Broker { code, what: what.into(), message: message.map(Into::into), fate }
    }

    /// A broker's error of a record that an earlier try may have written.
    pub(crate) fn with_fate(mut self, of: Fate) -> Error {
        if let Error::Broker { fate, .. } = &mut self
            && of == Fate::MaybePersisted
        {
            *fate = of;
        }
        self
    }

    /// What a record's last try failed with, `what` being tried, when nothing is tried any more.
    pub(crate) fn after_tries(self, what: impl FnOnce() -> String, fate: Fate) -> Error {
        match self {
            refused @ Error::Broker { .. } => refused.with_fate(fate),
            because if fate == Fate::MaybePersisted => Error::Unanswered { what: what(), because: Box::new(because) },
            because => because,
        }
    }
}

/// Not as `Debug` has it: its ways of laying out an `Option` are code that nothing else needs.
struct Awaited<'a>(&'a Option<i32>);

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => id.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

struct Said<'a>(&'a Option<String>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

struct Tried<'a>(&'a [(String, TransportError)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (address, error)) in self.0.iter().enumerate() {
            write!(f, "{}{address}: {error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

struct Fated<'a>(&'a Fate);

impl fmt::Display for Fated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fate::NotPersisted => Ok(()),
            Fate::MaybePersisted => f.write_str("; the record may be in the log"),
        }
    }
}

/// A setting's time. `Debug` has more digits, and 3 KB of code that a microcontroller has for nothing else.
pub(crate) struct Span<'a>(pub(crate) &'a Duration);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs(), self.0.subsec_millis()) {
            (seconds, 0) => write!(f, "{seconds}s"),
            (seconds, millis) => write!(f, "{}ms", seconds.saturating_mul(1_000).saturating_add(u64::from(millis))),
        }
    }
}

/// Where reading goes on after a batch that cannot be read.
struct Passed<'a>(&'a Option<i64>);

impl fmt::Display for Passed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |next| write!(f, "; what comes after it begins at offset {next}"))
    }
}

/// A stranger's words in a message: not all of them if they are many, and nothing that a terminal takes for an order. Not as `Debug`
/// has it, which needs Unicode's tables: 3 KB that a microcontroller has for nothing else.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_default).collect()
}

/// What a setting counts.
fn counted(knob: &str) -> &'static str {
    match knob {
        "max_records" => "records",
        "max_waiters" => "waiting tasks",
        _ => "bytes",
    }
}

struct Because<'a>(&'a Option<Box<Error>>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn times_are_told_as_they_are_set() {
        let said = |ms| Span(&Duration::from_millis(ms)).to_string();
        assert_eq!([said(0), said(20), said(1_500), said(120_000)], ["0s", "20ms", "1500ms", "120s"]);
    }
}
