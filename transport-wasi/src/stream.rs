//! One TCP connection.

use alloc::{format, string::String, vec::Vec};
use core::task::{Context, Poll};

use embedded_io::ErrorKind;
use klamm::{ByteStream, Phase, TransportError};
use wasip2::{
    io::streams::{InputStream, OutputStream, StreamError},
    sockets::tcp::{ShutdownType, TcpSocket},
};

use crate::reactor::Watch;

/// The most that one call of the host may answer, because the answer is allocated before it is copied.
const READ_MAX: usize = 64 * 1024;

/// Slices are gathered up to this size: each write is a call of the host, and WASI 0.2 has no option against Nagle's
/// algorithm, which holds back the second of two short writes. A slice that is larger goes without being copied.
const GATHER_MAX: usize = 16 * 1024;

/// Silence after which the host asks whether the peer is still there: balancers forget idle connections long before
/// brokers close them, without a word. In nanoseconds.
const KEEP_ALIVE: u64 = 60_000_000_000;

/// A [`ByteStream`] over `wasi:sockets`. Beside the core's buffers it holds at most 80 KiB, and those only for as long as
/// it reads or writes.
#[derive(Debug)]
pub struct TcpStream {
    // In this order they are dropped, and hosts want children dropped before their parents.
    readable: Watch,
    writable: Watch,
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
}

impl TcpStream {
    pub(crate) fn new(socket: TcpSocket, input: InputStream, output: OutputStream) -> Self {
        // A connection without it is worth keeping.
        let _ = socket.set_keep_alive_enabled(true);
        let _ = socket.set_keep_alive_idle_time(KEEP_ALIVE);
        let (readable, writable) = (Watch::new(input.subscribe()), Watch::new(output.subscribe()));
        TcpStream { readable, writable, input, output, socket }
    }

    /// How many bytes the host takes now.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, StreamError>> {
        match self.output.check_write() {
            Ok(0) => {
                self.writable.arm(cx.waker());
                Poll::Pending
            }
            Ok(room) => Poll::Ready(Ok(usize::try_from(room).unwrap_or(usize::MAX))),
            Err(e) => Poll::Ready(Err(e)),
        }
    }
}

impl ByteStream for TcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        match self.input.read(buf.len().min(READ_MAX) as u64) {
            Ok(bytes) if bytes.is_empty() => {
                self.readable.arm(cx.waker());
                Poll::Pending
            }
            Ok(bytes) => {
                buf[..bytes.len()].copy_from_slice(&bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Err(StreamError::Closed) => Poll::Ready(Ok(0)),
            Err(e) => Poll::Ready(Err(failed("read", e))),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let Poll::Ready(room) = self.poll_room(cx) else { return Poll::Pending };
        let room = room.map_err(|e| failed("write", e))?;
        let mut bufs = bufs.iter().filter(|buf| !buf.is_empty());
        let Some(first) = bufs.next() else { return Poll::Ready(Ok(0)) };
        let gathered = gather(first, bufs, room);
        let bytes = if gathered.is_empty() { &first[..first.len().min(room)] } else { &gathered };
        Poll::Ready(self.output.write(bytes).map(|()| bytes.len()).map_err(|e| failed("write", e)))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // The host flushes in its own time, and until then it takes nothing more.
        Poll::Ready(self.output.flush().map_err(|e| failed("flush", e)))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // When there is room again, or never will be, the host has passed on what it took.
        let Poll::Ready(_) = self.poll_room(cx) else { return Poll::Pending };
        // It fails when the peer was faster.
        let _ = self.socket.shutdown(ShutdownType::Both);
        Poll::Ready(Ok(()))
    }
}

/// The first slices together, as far as they fit; nothing when the first fills a write alone.
fn gather<'b>(first: &[u8], rest: impl Iterator<Item = &'b &'b [u8]> + Clone, room: usize) -> Vec<u8> {
    let room = room.min(GATHER_MAX);
    let mut gathered = Vec::new();
    let all = rest.clone().fold(first.len(), |sum, buf| sum.saturating_add(buf.len()));
    if first.len() >= room || all == first.len() {
        return gathered;
    }
    gathered.reserve_exact(room.min(all));
    gathered.extend_from_slice(first);
    for buf in rest {
        let left = room - gathered.len();
        gathered.extend_from_slice(&buf[..buf.len().min(left)]);
    }
    gathered
}

fn failed(what: &str, e: StreamError) -> TransportError {
    match e {
        StreamError::Closed => TransportError::new(Phase::Io, ErrorKind::BrokenPipe, "the connection is closed"),
        // All that WASI 0.2 tells of a stream's error is this text. Whatever it says, the connection is gone.
        StreamError::LastOperationFailed(e) => {
            let text: String = format!("{what}: {}", e.to_debug_string());
            TransportError::new(Phase::Io, ErrorKind::ConnectionReset, text)
        }
    }
}
