//! The seam between the core and a host: bytes, time and randomness, nothing of Kafka.

use alloc::string::String;
use core::{
    fmt,
    future::Future,
    task::{Context, Poll},
};

use super::TlsFault;
use crate::{Clock, Instant, Job, sync::Arc};

/// One connection's bytes. The core asks of errors only what [`TransportError`] says.
///
/// Every method is non-blocking: it answers `Pending` after it has arranged that `cx`'s waker is woken. A `Pending`
/// call has moved no bytes.
pub trait ByteStream {
    /// Reads at least one byte into `buf` (never empty). `Ok(0)` is the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>>;

    /// Writes from the slices in order, as many bytes as the host takes at once; at least one if it answers `Ok`.
    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>>;

    /// Sends on what `poll_write` has kept back. Called before the driver parks; a stream that keeps nothing back is
    /// ready at once.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// Closes the connection. Called until it is ready; the stream is dropped after that, or at once when the driver
    /// itself ends.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>>;
}

/// A host: connections, a timer, clocks and randomness.
pub trait Transport {
    /// An open connection.
    type Stream: ByteStream;
    /// A connection that is being opened: name look-up, TCP, and whatever else the host's network needs.
    type Connecting: Future<Output = Result<Self::Stream, TransportError>> + Unpin;

    /// Starts to connect. The core bounds how long that may take and drops the future when it gives up.
    fn connect(&mut self, to: &Endpoint) -> Self::Connecting;

    /// Ready when `until` has come. One timer is armed at a time; a later call replaces the earlier one.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()>;

    /// The clocks, for the handles. `now()` is the clock of [`poll_sleep`](Transport::poll_sleep).
    fn clock(&self) -> Arc<dyn Clock>;

    /// Takes a job to where it does not keep the driver waiting, and wakes whoever polled
    /// [`poll_done`](Transport::poll_done) when it was run. There are never more of them at once than producers'
    /// `compression_jobs` add up to.
    ///
    /// # Errors
    /// The job, where there is no such place: the driver runs it itself.
    fn submit(&mut self, job: Job) -> Result<(), Job> {
        Err(job)
    }

    /// The next job that was submitted and has been run. Polled only while there are such.
    fn poll_done(&mut self, _cx: &mut Context<'_>) -> Poll<Job> {
        Poll::Pending
    }

    /// Fills `out` with unpredictable bytes. Called once, before the first connection.
    ///
    /// There is no default: a host that has no randomness is none, and does not compile.
    ///
    /// ```compile_fail,E0046
    /// # use core::{future::{Ready, ready}, task::{Context, Poll}};
    /// # use klamm::{Clock, Endpoint, Instant, Transport, TransportError, sync::Arc};
    /// struct Board;
    ///
    /// impl Transport for Board {
    ///     type Stream = klamm::EmbeddedIo<&'static [u8], &'static mut [u8]>;
    ///     type Connecting = Ready<Result<Self::Stream, TransportError>>;
    ///
    ///     fn connect(&mut self, _: &Endpoint) -> Self::Connecting {
    ///         ready(Ok(klamm::EmbeddedIo::assert_cancel_safe(&[], &mut [])))
    ///     }
    ///     fn poll_sleep(&mut self, _: &mut Context<'_>, _: Instant) -> Poll<()> {
    ///         Poll::Pending
    ///     }
    ///     fn clock(&self) -> Arc<dyn Clock> {
    ///         unimplemented!()
    ///     }
    /// }
    /// ```
    fn entropy(&mut self, out: &mut [u8; 32]);
}

/// Where a broker is, as the bootstrap list or the cluster's metadata has it.
#[derive(Clone, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name or a literal address; an IPv6 literal stands without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How many times this endpoint was dialled before without success: a name with several addresses is tried from
    /// `addresses[attempt % n]` on, so that a dead address is not the first choice twice (KAFKA-15817).
    pub attempt: u32,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What a transport was doing when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the host's name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// Agreeing on TLS.
    Tls,
    /// Reading or writing.
    Io,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Resolve => "name look-up",
            Phase::Connect => "connect",
            Phase::Tls => "TLS handshake",
            Phase::Io => "I/O",
        })
    }
}

/// Why a transport could not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{phase} failed: {text}")]
#[non_exhaustive]
pub struct TransportError {
    /// What it was doing.
    pub phase: Phase,
    /// The kind, as far as the host tells.
    pub kind: embedded_io::ErrorKind,
    /// What was wrong with TLS, if that was it.
    pub tls: Option<TlsFault>,
    /// Whether trying again may help. The core tries again as long as the operation's own time lasts; a first contact ends
    /// at once when no address of the bootstrap list is left for which it may.
    pub retriable: bool,
    /// The host's own words.
    pub text: String,
}

impl TransportError {
    /// An error that trying again may mend.
    pub fn new(phase: Phase, kind: embedded_io::ErrorKind, text: impl Into<String>) -> Self {
        TransportError { phase, kind, tls: None, retriable: true, text: text.into() }
    }

    /// An error of TLS, which trying again may mend if its cause is of that kind.
    pub fn of_tls(phase: Phase, fault: TlsFault, text: impl Into<String>) -> Self {
        let kind = match fault {
            TlsFault::Truncated => embedded_io::ErrorKind::ConnectionReset,
            _ => embedded_io::ErrorKind::InvalidData,
        };
        TransportError { phase, kind, tls: Some(fault), retriable: fault.is_retriable(), text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Trap 17: an IPv6 literal and its port stay apart.
    #[test]
    fn ipv6_literals_are_printed_with_brackets() {
        let e = Endpoint { host: "::1".into(), port: 9092, attempt: 0 };
        assert_eq!(e.to_string(), "[::1]:9092");
        let e = Endpoint { host: "broker.example".into(), port: 9092, attempt: 0 };
        assert_eq!(e.to_string(), "broker.example:9092");
    }
}
