//! A network on virtual time between a client's driver and the in-memory cluster. Nothing moves unless it is told to.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use embedded_io::ErrorKind;
use klamm::{ByteStream, Clock, Endpoint, Instant, Phase, Transport, TransportError};
use klamm_broker::{Cluster, ConnId, Now};

/// A clock that stands still until it is set.
#[derive(Default)]
pub(crate) struct Time(AtomicU64);

impl Time {
    pub(crate) fn set(&self, now: Instant) {
        self.0.store(now.as_nanos(), Ordering::SeqCst);
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn unix_ms(&self) -> Option<i64> {
        Some(1_700_000_000_000 + (self.0.load(Ordering::SeqCst) / 1_000_000) as i64)
    }
}

/// How a connection's bytes end.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Closed,
    Reset,
}

/// One connection, as the network has it.
pub(crate) struct Conn {
    node: i32,
    /// `None`: nobody has answered the dial yet.
    accepted: Option<bool>,
    broker: Option<ConnId>,
    /// What came from the broker and the client has not read.
    pub(crate) down: VecDeque<u8>,
    /// How much of that the client may read now.
    may_read: usize,
    /// How much the client may write now.
    may_write: usize,
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Everything between a client and its brokers, and the brokers too.
pub(crate) struct Net {
    pub(crate) cluster: Cluster,
    pub(crate) time: Arc<Time>,
    conns: BTreeMap<u32, Conn>,
    last: u32,
    /// Nothing is held back any more.
    pub(crate) flows: bool,
    pub(crate) timer: Option<(Instant, Waker)>,
}

impl Net {
    pub(crate) fn new(cluster: Cluster) -> Rc<RefCell<Net>> {
        let time = Arc::new(Time::default());
        time.set(Instant::from_nanos(1_000_000_000));
        Rc::new(RefCell::new(Net { cluster, time, conns: BTreeMap::new(), last: 0, flows: false, timer: None }))
    }

    pub(crate) fn now(&self) -> Now {
        Now { instant: self.time.now(), unix_ms: self.time.unix_ms().expect("it knows") }
    }

    /// A connection, chosen by any number.
    pub(crate) fn conn(&mut self, chosen: usize) -> Option<&mut Conn> {
        let count = self.conns.len().max(1);
        self.conns.values_mut().nth(chosen % count)
    }

    /// Answers the dials that wait.
    pub(crate) fn answer_dials(&mut self, yes: bool) {
        for conn in self.conns.values_mut().filter(|conn| conn.accepted.is_none()) {
            conn.broker = if yes { self.cluster.open(conn.node) } else { None };
            conn.accepted = Some(conn.broker.is_some());
            wake(&mut conn.reader);
        }
    }

    /// Lets so many bytes of a connection through, each way.
    pub(crate) fn allow(&mut self, chosen: usize, read: usize, write: usize) {
        let Some(conn) = self.conn(chosen) else { return };
        conn.may_read = conn.may_read.saturating_add(read);
        conn.may_write = conn.may_write.saturating_add(write);
        wake(&mut conn.reader);
        wake(&mut conn.writer);
    }

    pub(crate) fn cut(&mut self, chosen: usize, end: End) {
        let Some(conn) = self.conn(chosen) else { return };
        conn.end = Some(end);
        let broker = conn.broker.take();
        wake(&mut conn.reader);
        wake(&mut conn.writer);
        if let Some(broker) = broker {
            self.cluster.close(broker);
        }
    }

    /// Takes what the brokers have to say; whether there was anything.
    pub(crate) fn collect(&mut self) -> bool {
        let mut busy = false;
        for conn in self.conns.values_mut() {
            let Some(broker) = conn.broker else { continue };
            while let Some(bytes) = self.cluster.poll_transmit(broker) {
                conn.down.extend(&bytes);
                busy = true;
            }
            if self.cluster.should_close(broker) {
                self.cluster.close(broker);
                conn.broker = None;
                conn.end = Some(End::Closed);
                busy = true;
            }
            if busy {
                wake(&mut conn.reader);
                wake(&mut conn.writer);
            }
        }
        busy
    }

    /// When something happens by itself.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        let timer = self.timer.as_ref().map(|(at, _)| *at);
        timer.into_iter().chain(self.cluster.poll_timeout()).min()
    }

    /// It is `now`: wakes whoever waited for that.
    pub(crate) fn set_time(&mut self, now: Instant) {
        self.time.set(now);
        if self.timer.as_ref().is_some_and(|(at, _)| *at <= now) {
            self.timer.take().expect("just seen").1.wake();
        }
        if self.cluster.poll_timeout().is_some_and(|at| at <= now) {
            let now = self.now();
            self.cluster.handle_timeout(now);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

pub(crate) struct Host(pub(crate) Rc<RefCell<Net>>);

/// A connection, being opened or open.
pub(crate) struct Stream {
    net: Rc<RefCell<Net>>,
    no: u32,
}

pub(crate) struct Dial(Option<Stream>);

impl Transport for Host {
    type Stream = Stream;
    type Connecting = Dial;

    fn connect(&mut self, to: &Endpoint) -> Dial {
        let mut net = self.0.borrow_mut();
        let node = net.cluster.nodes().find(|node| {
            let (host, port) = net.cluster.address(*node);
            (host, port) == (&to.host, to.port)
        });
        net.last += 1;
        let no = net.last;
        let conn = Conn {
            node: node.unwrap_or(0),
            accepted: None,
            broker: None,
            down: VecDeque::new(),
            may_read: 0,
            may_write: 0,
            end: None,
            reader: None,
            writer: None,
        };
        net.conns.insert(no, conn);
        if net.flows {
            net.answer_dials(true);
        }
        drop(net);
        Dial(Some(Stream { net: Rc::clone(&self.0), no }))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let mut net = self.0.borrow_mut();
        net.timer = None;
        if until <= net.time.now() {
            return Poll::Ready(());
        }
        net.timer = Some((until, cx.waker().clone()));
        Poll::Pending
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.borrow().time.clone()
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        out.fill(7);
    }
}

impl Future for Dial {
    type Output = Result<Stream, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = self.0.as_ref().expect("polled after it was ready");
        let mut conn = stream.conn();
        let Some(accepted) = conn.accepted else {
            conn.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        drop(conn);
        let stream = self.0.take().expect("just seen");
        let refused = || TransportError::new(Phase::Connect, ErrorKind::ConnectionRefused, "refused");
        Poll::Ready(if accepted { Ok(stream) } else { Err(refused()) })
    }
}

impl Stream {
    fn conn(&self) -> RefMut<'_, Conn> {
        RefMut::map(self.net.borrow_mut(), |net| net.conns.get_mut(&self.no).expect("it lives as long as its stream"))
    }
}

fn reset() -> TransportError {
    TransportError::new(Phase::Io, ErrorKind::ConnectionReset, "reset")
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        assert!(!buf.is_empty(), "a read into nothing");
        let flows = self.net.borrow().flows;
        let mut conn = self.conn();
        let allowed = if flows { usize::MAX } else { conn.may_read };
        let count = conn.down.len().min(allowed).min(buf.len());
        if count == 0 {
            return match conn.end {
                Some(End::Reset) => Poll::Ready(Err(reset())),
                Some(End::Closed) if conn.down.is_empty() => Poll::Ready(Ok(0)),
                _ => {
                    conn.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        conn.may_read -= count.min(conn.may_read);
        for (place, byte) in buf.iter_mut().zip(conn.down.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let whole = bufs.concat();
        assert!(!whole.is_empty(), "a write of nothing");
        let mut net = self.net.borrow_mut();
        let (flows, now) = (net.flows, net.now());
        let Net { conns, cluster, .. } = &mut *net;
        let conn = conns.get_mut(&self.no).expect("it lives as long as its stream");
        if conn.end.is_some() {
            return Poll::Ready(Err(reset()));
        }
        let count = if flows { whole.len() } else { conn.may_write.min(whole.len()) };
        if count == 0 {
            conn.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        conn.may_write -= count.min(conn.may_write);
        if let Some(broker) = conn.broker {
            cluster.receive(broker, &whole[..count], now);
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut net = self.net.borrow_mut();
        if let Some(broker) = net.conns.remove(&self.no).and_then(|conn| conn.broker) {
            net.cluster.close(broker);
        }
    }
}
