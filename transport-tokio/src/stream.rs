//! One connection.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use klamm::{ByteStream, Phase, TransportError};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::transport_error;

/// Slices a system call takes. More than a request of a few batches has; the rest goes with the next call.
const SLICES_MAX: usize = 64;

/// Silence after which the system asks whether the peer is still there, and how often it asks again. Brokers close
/// what is idle for ten minutes, but the balancers and firewalls before them forget after as few as four, without a
/// word: the next request would wait for its timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const KEEP_ALIVE_AGAIN: Duration = Duration::from_secs(10);

/// A [`ByteStream`] over what tokio reads and writes, for a [dialler](crate::Dial) of one's own.
#[derive(Debug)]
pub struct Stream<S>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Takes an open stream. Requests are written whole, in one call where the stream takes several slices.
    pub fn new(stream: S) -> Self {
        Stream(stream)
    }
}

/// A connection over TCP, with `TCP_NODELAY` and keep-alive.
pub type TcpStream = Stream<tokio::net::TcpStream>;

impl TcpStream {
    /// Takes a connected stream and sets its options.
    ///
    /// # Errors
    /// `TCP_NODELAY` cannot be set, which a dead connection answers on some systems.
    pub fn tcp(stream: tokio::net::TcpStream) -> io::Result<Self> {
        // Requests go out whole, so Nagle's algorithm could only hold back their last segment.
        stream.set_nodelay(true)?;
        let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE_AGAIN);
        // A connection without it is worth keeping.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keep_alive);
        Ok(Stream(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for Stream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        // The bytes are initialised already, and ReadBuf::new takes them as such.
        let mut buf = ReadBuf::new(buf);
        Pin::new(&mut self.0).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len()).map_err(failed)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let stream = Pin::new(&mut self.0);
        let written = if let [one] = bufs {
            stream.poll_write(cx, one)
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut used = 0;
            for (slice, buf) in slices.iter_mut().zip(bufs.iter().filter(|buf| !buf.is_empty())) {
                *slice = IoSlice::new(buf);
                used += 1;
            }
            stream.poll_write_vectored(cx, &slices[..used])
        };
        written.map_err(failed)
    }

    /// Ready at once over TCP, which keeps nothing back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(failed)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Pin::new(&mut self.0).poll_shutdown(cx).map_err(failed)
    }
}

fn failed(e: io::Error) -> TransportError {
    transport_error(Phase::Io, &e)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
