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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::{convert::Infallible, task::Waker};

    use super::*;

    /// A socket that takes and gives three bytes at a time, and needs two polls for each read.
    #[derive(Default)]
    struct Slow {
        bytes: Vec<u8>,
        asked: bool,
    }

    impl embedded_io::ErrorType for Slow {
        type Error = Infallible;
    }

    impl embedded_io_async::Read for Slow {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
            core::future::poll_fn(|cx| {
                if !core::mem::replace(&mut self.asked, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.asked = false;
                let count = self.bytes.len().min(3).min(buf.len());
                for (to, from) in buf.iter_mut().zip(self.bytes.drain(..count)) {
                    *to = from;
                }
                Poll::Ready(Ok(count))
            })
            .await
        }
    }

    impl embedded_io_async::Write for Slow {
        async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
            let count = buf.len().min(3);
            self.bytes.extend_from_slice(&buf[..count]);
            Ok(count)
        }

        async fn flush(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    /// Each poll makes a new future, and nothing is lost between them.
    #[test]
    fn bytes_pass_though_every_poll_begins_anew() {
        let mut cx = Context::from_waker(Waker::noop());
        let reader = Slow { bytes: b"abcdefg".to_vec(), asked: false };
        let mut stream = EmbeddedIo::assert_cancel_safe(reader, Slow::default());
        let (mut got, mut buf) = (Vec::new(), [0; 8]);
        loop {
            match stream.poll_read(&mut cx, &mut buf) {
                Poll::Pending => {}
                Poll::Ready(Ok(0)) => break,
                Poll::Ready(Ok(count)) => got.extend_from_slice(&buf[..count]),
                Poll::Ready(Err(error)) => panic!("{error}"),
            }
        }
        assert_eq!(got, b"abcdefg");
        let sent = [stream.poll_write(&mut cx, &[b"", b"12345", b"6"]), stream.poll_write(&mut cx, &[b"45"])];
        assert_eq!(sent, [Poll::Ready(Ok(3)), Poll::Ready(Ok(2))]);
        assert_eq!(stream.writer.bytes, b"12345");
    }
}
