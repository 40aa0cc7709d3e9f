//! The board as a transport: its network, its clock and its randomness. Nothing of Kafka is here.

use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use embedded_io::ErrorKind;
use klamm::{Clock, EmbeddedIo, Endpoint, Instant, Phase, Transport, TransportError};
use smoltcp::wire::Ipv4Address;

use crate::clock::{self, Timer};
use crate::net::{Dial, Net, Reader, Writer};
use crate::semihosting;

/// The board.
pub struct Board {
    /// Its network.
    pub net: Net,
    /// Who answers for the host's own address: QEMU's network has it at 10.0.2.2, and the broker calls itself 127.0.0.1.
    pub host: Ipv4Address,
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

/// A connection that is being opened.
pub enum Connecting {
    /// It was begun.
    Dial(Dial),
    /// Its host is a name, and this board looks no names up.
    Nameless,
}

impl Future for Connecting {
    type Output = Result<EmbeddedIo<Reader, Writer>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let failed = |phase, kind, words| Poll::Ready(Err(TransportError::new(phase, kind, words)));
        match &mut *self {
            Connecting::Nameless => failed(Phase::Resolve, ErrorKind::InvalidInput, "not an IPv4 address"),
            Connecting::Dial(dial) => match Pin::new(dial).poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok((reader, writer))) => Poll::Ready(Ok(EmbeddedIo::assert_cancel_safe(reader, writer))),
                Poll::Ready(Err(kind)) => failed(Phase::Connect, kind, "nobody listens there"),
            },
        }
    }
}

impl Transport for Board {
    type Stream = EmbeddedIo<Reader, Writer>;
    type Connecting = Connecting;

    fn connect(&mut self, to: &Endpoint) -> Connecting {
        let Ok(address) = to.host.parse::<Ipv4Address>() else { return Connecting::Nameless };
        let address = if address.is_loopback() { self.host } else { address };
        Connecting::Dial(self.net.dial((address, to.port)))
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
