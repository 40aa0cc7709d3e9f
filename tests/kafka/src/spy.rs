//! A transport that counts what passes: so a test can say what was on the wire, not only what came of it.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use klamm_tokio::{ByteStream, Client, Clock, Config, Connecting, Endpoint, Error, Instant, TcpStream, Tokio};
use klamm_tokio::{Transport, TransportError};

use crate::watch_log;

/// The APIs that tests ask about, by their keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Api {
    /// Produce, with acks other than 0: the spy expects an answer to every request.
    Produce = 0,
    /// Fetch.
    Fetch = 1,
    /// ListOffsets.
    ListOffsets = 2,
    /// Metadata.
    Metadata = 3,
    /// SaslHandshake.
    SaslHandshake = 17,
    /// CreateTopics.
    CreateTopics = 19,
    /// InitProducerId.
    InitProducerId = 22,
}

#[derive(Default)]
struct Counts {
    /// By API key.
    sent: BTreeMap<i16, usize>,
    answered: BTreeMap<i16, usize>,
    /// Requests whose connection ended before their answer.
    lost: BTreeMap<i16, usize>,
    opened: usize,
    ended: usize,
}

/// What passed over the connections of one client. Clones are the same counter.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Counts>>);

impl Wire {
    fn with<R>(&self, f: impl FnOnce(&mut Counts) -> R) -> R {
        f(&mut self.0.lock().expect("no test panics in here"))
    }

    /// Requests that were written whole.
    pub fn sent(&self, api: Api) -> usize {
        self.with(|c| c.sent.get(&(api as i16)).copied().unwrap_or(0))
    }

    /// Requests that were written whole and have no answer yet, on connections that stand.
    pub fn in_flight(&self, api: Api) -> usize {
        let of = |counts: &BTreeMap<i16, usize>| counts.get(&(api as i16)).copied().unwrap_or(0);
        self.with(|c| of(&c.sent) - of(&c.answered) - of(&c.lost))
    }

    /// Requests that were written whole and whose connection ended before their answer.
    pub fn lost(&self, api: Api) -> usize {
        self.with(|c| c.lost.get(&(api as i16)).copied().unwrap_or(0))
    }

    /// Connections that were opened.
    pub fn opened(&self) -> usize {
        self.with(|c| c.opened)
    }

    /// Connections that ended, whoever closed them.
    pub fn ended(&self) -> usize {
        self.with(|c| c.ended)
    }
}

/// [`klamm_tokio::connect_with`], with a counter of what passes, and with a log that a test shows when it fails.
pub async fn connect_spied(config: Config) -> Result<(Client, Wire), Error> {
    watch_log(|_| ());
    let wire = Wire::default();
    let (client, driver) = klamm_tokio::new(config, Spy { inner: Tokio::current(), wire: wire.clone() })?;
    tokio::spawn(driver);
    client.connected().await?;
    Ok((client, wire))
}

struct Spy {
    inner: Tokio,
    wire: Wire,
}

impl Transport for Spy {
    type Stream = Spied;
    type Connecting = Opening;

    fn connect(&mut self, to: &Endpoint) -> Opening {
        Opening { inner: self.inner.connect(to), wire: self.wire.clone() }
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        self.inner.poll_sleep(cx, until)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock()
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        self.inner.entropy(out);
    }
}

struct Opening {
    inner: Connecting,
    wire: Wire,
}

impl Future for Opening {
    type Output = Result<Spied, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = ready!(Pin::new(&mut self.inner).poll(cx))?;
        self.wire.with(|c| c.opened += 1);
        let (out, back) = (Frames::default(), Frames::default());
        Poll::Ready(Ok(Spied { inner, wire: self.wire.clone(), out, back, open: VecDeque::new() }))
    }
}

struct Spied {
    inner: TcpStream,
    wire: Wire,
    out: Frames,
    back: Frames,
    /// The API keys of requests without an answer, oldest first.
    open: VecDeque<i16>,
}

impl ByteStream for Spied {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        let read = ready!(self.inner.poll_read(cx, buf))?;
        let open = &mut self.open;
        self.wire.with(|c| {
            self.back.take(&buf[..read], |_| {
                let key = open.pop_front().expect("no answer without a request");
                *c.answered.entry(key).or_default() += 1;
            })
        });
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let written = ready!(self.inner.poll_write(cx, bufs))?;
        let (mut left, open) = (written, &mut self.open);
        self.wire.with(|c| {
            for buf in bufs {
                let part = &buf[..buf.len().min(left)];
                left -= part.len();
                self.out.take(part, |head| {
                    let key = i16::from_be_bytes(head);
                    open.push_back(key);
                    *c.sent.entry(key).or_default() += 1;
                });
            }
        });
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_close(cx)
    }
}

impl Drop for Spied {
    fn drop(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.wire.with(|c| {
            c.ended += 1;
            open.into_iter().for_each(|key| *c.lost.entry(key).or_default() += 1);
        });
    }
}

/// Cuts one direction's bytes into frames.
#[derive(Default)]
struct Frames {
    /// The frame's length and its first two bytes, as far as they have come.
    head: Vec<u8>,
    /// Bytes of the frame that are still to come after its head.
    rest: usize,
}

impl Frames {
    const HEAD: usize = 6;

    /// Calls `whole` with the first two bytes of every frame that ends in `bytes`.
    fn take(&mut self, mut bytes: &[u8], mut whole: impl FnMut([u8; 2])) {
        while !bytes.is_empty() {
            if self.head.len() < Self::HEAD {
                let (now, later) = bytes.split_at(bytes.len().min(Self::HEAD - self.head.len()));
                self.head.extend_from_slice(now);
                bytes = later;
                if self.head.len() < Self::HEAD {
                    return;
                }
                let len = i32::from_be_bytes(self.head[..4].try_into().expect("four bytes"));
                self.rest = usize::try_from(len).expect("a frame's length") - 2;
            }
            let step = bytes.len().min(self.rest);
            self.rest -= step;
            bytes = &bytes[step..];
            if self.rest == 0 {
                whole([self.head[4], self.head[5]]);
                self.head.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_wherever_they_are_cut() {
        let bytes = b"\0\0\0\x02\0\x01\0\0\0\x05\0\x03abc\0\0\0\x04\x01\0xy";
        for size in 1..=bytes.len() {
            let (mut frames, mut keys) = (Frames::default(), Vec::new());
            for part in bytes.chunks(size) {
                frames.take(part, |key| keys.push(i16::from_be_bytes(key)));
            }
            assert_eq!(keys, [1, 3, 256], "pieces of {size}");
        }
    }
}
