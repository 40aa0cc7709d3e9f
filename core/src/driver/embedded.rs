//! Any pair of `embedded-io-async` halves as a connection.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

use super::transport::{ByteStream, Phase, TransportError};

/// A connection over `embedded-io-async` halves.
pub struct EmbeddedIo<R, W> {
    reader: R,
    writer: W,
}

impl<R, W> EmbeddedIo<R, W> {
    /// Takes halves that lose nothing and keep their waker when a pending `read` or `write` future is dropped, because
    /// each poll makes a new one. The sockets of embassy-net and ring-buffered UARTs are such; what `embedded-io-async`
    /// alone promises is less.
    pub fn assert_cancel_safe(reader: R, writer: W) -> Self {
        EmbeddedIo { reader, writer }
    }
}

fn failed(error: &impl embedded_io::Error) -> TransportError {
    TransportError::new(Phase::Io, error.kind(), "the socket reported an error")
}

impl<R, W> ByteStream for EmbeddedIo<R, W>
where
    R: embedded_io_async::Read,
    W: embedded_io_async::Write,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        pin!(self.reader.read(buf)).poll(cx).map_err(|e| failed(&e))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let first = bufs.iter().find(|b| !b.is_empty()).copied().unwrap_or_default();
        pin!(self.writer.write(first)).poll(cx).map_err(|e| failed(&e))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        pin!(self.writer.flush()).poll(cx).map_err(|e| failed(&e))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_flush(cx)
    }
}
