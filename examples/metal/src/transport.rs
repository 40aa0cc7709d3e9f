//! The board as a transport: its network, its clock and its randomness. Nothing of Kafka is here.

use alloc::sync::Arc;
use core::future::Future;
use core::task::{Context, Poll};

use klamm::{ByteStream, Clock, Endpoint, Instant, Transport, TransportError};

use crate::clock::{self, Timer};
use crate::semihosting;

/// What connections go over.
pub trait Link {
    /// An open connection.
    type Stream: ByteStream;
    /// One that is being opened.
    type Connecting: Future<Output = Result<Self::Stream, TransportError>> + Unpin;

    /// Starts to connect.
    fn connect(&mut self, to: &Endpoint) -> Self::Connecting;
}

/// The board, with what connections go over.
pub struct Board<L> {
    /// That.
    pub link: L,
    /// The timer of the driver that this is for.
    pub timer: Timer,
}

/// A clock that counts from the start of the device and knows no date, so that records carry the timestamp −1.
struct Uptime;

impl Clock for Uptime {
    fn now(&self) -> Instant {
        Instant::from_nanos(clock::nanos())
    }

    fn unix_ms(&self) -> Option<i64> {
        None
    }
}

impl<L: Link> Transport for Board<L> {
    type Stream = L::Stream;
    type Connecting = L::Connecting;

    fn connect(&mut self, to: &Endpoint) -> L::Connecting {
        self.link.connect(to)
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        clock::poll(self.timer, until.as_nanos(), cx)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(Uptime)
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        semihosting::random(out);
    }
}
