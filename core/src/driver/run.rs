//! The driver: owns the machine and the connections, moves bytes between them, arms one timer.

use alloc::{task::Wake, vec::Vec};
use core::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    opening::{Opened, Opener, Opening},
    transport::{ByteStream, Transport, TransportError},
};
use crate::{
    Clock, Endpoint, Instant, Job,
    budget::Lease,
    cluster::Output as Task,
    kick::Kick,
    link::LinkId,
    machine::{Machine, Output},
    sync::Arc,
};

/// Reads and writes of one connection in a turn, and turns of the whole in a poll; after that the driver wakes itself,
/// so that others get theirs.
const OPERATIONS_MAX: usize = 32;

/// Slices of one vectored write. A full batch of 1 MB is 31 chunks.
const SLICES_MAX: usize = 64;

/// A stream that does not get closed within that time is dropped.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A connection's waker: notes which connection it was, then wakes the driver, so that idle ones cost nothing.
struct Ready {
    flag: AtomicBool,
    kick: Arc<Kick>,
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.flag.store(true, Ordering::SeqCst);
        self.kick.wake();
    }
}

enum Socket<T: Transport> {
    Connecting(Opening<T>),
    Open(Opened<T>),
    /// Given until then to say goodbye.
    Closing(Opened<T>, Instant),
    /// To be forgotten.
    Gone,
}

struct Wire<T: Transport> {
    link: LinkId,
    ready: Arc<Ready>,
    waker: Waker,
    socket: Socket<T>,
    /// The last write was refused; the stream's waker tells when to try again.
    blocked: bool,
    /// Why the last write failed. What has come before is still read.
    broken: Option<TransportError>,
    /// Something was written that may not be flushed.
    unflushed: bool,
}

/// Does a client's work. A future that must be polled, as a task of its own, until it is ready: when every handle is
/// dropped and everything is settled.
///
/// Dropping it earlier closes every connection and resolves every ticket with [`Error::Closed`](crate::Error::Closed)
/// and the record's fate.
#[must_use = "a client does nothing unless its driver is polled"]
pub struct Driver<T: Transport> {
    machine: Machine,
    transport: T,
    opener: Opener,
    clock: Arc<dyn Clock>,
    kick: Arc<Kick>,
    wires: Vec<Wire<T>>,
    /// Jobs that the transport has.
    jobs: usize,
    done: bool,
}

impl<T: Transport> Driver<T> {
    pub(crate) fn new(machine: Machine, transport: T) -> Self {
        let shared = Arc::clone(machine.shared());
        Driver {
            machine,
            transport,
            opener: Opener::new(&shared.config, &shared.clock),
            clock: Arc::clone(&shared.clock),
            kick: Arc::clone(&shared.kick),
            wires: Vec::new(),
            jobs: 0,
            done: false,
        }
    }

    /// Does everything that can be done now. `Ready` when the client has ended.
    ///
    /// To be polled when `cx`'s waker was woken; polling it for no reason does no harm.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.done {
            return Poll::Ready(());
        }
        // First of all: work that arrives from now on wakes this task again.
        self.kick.begin(cx.waker());
        self.machine.wake();
        for _ in 0..OPERATIONS_MAX {
            let now = self.clock.now();
            self.machine.begin(now);
            self.read_all(now);
            let Some(deadline) = self.drain(now) else {
                self.done = true;
                return Poll::Ready(());
            };
            let unwritten = self.write_all();
            self.take_done(cx);
            self.sleep(cx, now, deadline);
            // What was written is no reason for another turn: the machine says if it is. A lone record then costs two turns,
            // one that sends it and one that hears of it.
            if !unwritten && self.machine.is_settled() && !self.wires.iter().any(Wire::is_ready) {
                return Poll::Pending;
            }
        }
        self.kick.wake();
        Poll::Pending
    }

    /// Lets every connection whose waker was woken go on. Sockets come before timers, so that after a long freeze an
    /// answer that has come counts, though its time is over.
    fn read_all(&mut self, now: Instant) {
        for wire in &mut self.wires {
            let is_over = matches!(wire.socket, Socket::Closing(_, until) if until <= now);
            if is_over {
                wire.socket = Socket::Gone;
            } else if wire.ready.flag.swap(false, Ordering::SeqCst) {
                wire.blocked = false;
                wire.advance(now, &mut self.machine);
            }
        }
        self.wires.retain(|w| !matches!(w.socket, Socket::Gone));
    }

    /// Drains the machine's outputs; answers its deadline, or `None` when it has ended.
    fn drain(&mut self, now: Instant) -> Option<Instant> {
        loop {
            match self.machine.poll_output(now) {
                Output::Do(Task::Connect { link, to, tls }) => self.connect(now, link, &to, tls),
                Output::Do(Task::Close { link }) => self.close(now, link),
                Output::Do(Task::Work { job }) => self.submit(job),
                Output::Timeout(when) => return Some(when.min(self.closed_by())),
                Output::Ended => return None,
            }
        }
    }

    fn submit(&mut self, job: Job) {
        match self.transport.submit(job) {
            Ok(()) => self.jobs += 1,
            Err(mut job) => {
                job.run();
                self.machine.on_job(job);
            }
        }
    }

    /// Takes the jobs back that were run.
    fn take_done(&mut self, cx: &mut Context<'_>) {
        while self.jobs > 0
            && let Poll::Ready(job) = self.transport.poll_done(cx)
        {
            self.jobs -= 1;
            self.machine.on_job(job);
        }
    }

    fn connect(&mut self, now: Instant, link: LinkId, to: &Endpoint, tls: Lease) {
        let opening = self.opener.open(&mut self.transport, to, tls);
        let ready = Arc::new(Ready { flag: AtomicBool::new(false), kick: Arc::clone(&self.kick) });
        let waker = Waker::from(Arc::clone(&ready));
        let socket = Socket::Connecting(opening);
        let mut wire = Wire { link, ready, waker, socket, blocked: false, broken: None, unflushed: false };
        wire.advance(now, &mut self.machine);
        if !matches!(wire.socket, Socket::Gone) {
            self.wires.push(wire);
        }
    }

    /// When the first of the streams that are closing has had its time.
    fn closed_by(&self) -> Instant {
        let until = |w: &Wire<T>| if let Socket::Closing(_, until) = w.socket { until } else { Instant::FAR };
        self.wires.iter().map(until).min().unwrap_or(Instant::FAR)
    }

    fn close(&mut self, now: Instant, link: LinkId) {
        let Some(wire) = self.wires.iter_mut().find(|w| w.link == link) else { return };
        wire.socket = match core::mem::replace(&mut wire.socket, Socket::Gone) {
            Socket::Open(stream) => Socket::Closing(stream, now.after(CLOSE_WITHIN)),
            _ => Socket::Gone,
        };
        wire.ready.flag.store(true, Ordering::SeqCst);
        self.kick.wake();
    }

    /// Whether a connection's share of this turn was over before everything was written that it would take.
    fn write_all(&mut self) -> bool {
        let mut unwritten = false;
        for wire in &mut self.wires {
            unwritten |= wire.write(&mut self.machine);
        }
        unwritten
    }

    /// Arms the timer, or does at once what its time has come for.
    fn sleep(&mut self, cx: &mut Context<'_>, now: Instant, deadline: Instant) {
        if deadline == Instant::FAR {
            return;
        }
        // Work that is done in steps asks for another turn at once, and timers have their own idea of that: tokio's is 1 ms.
        if deadline <= now || self.transport.poll_sleep(cx, deadline).is_ready() {
            self.machine.wake();
        }
    }
}

impl<T: Transport> Wire<T> {
    /// Whether it has something to go on with.
    fn is_ready(&self) -> bool {
        self.ready.flag.load(Ordering::SeqCst)
    }

    /// Goes on with whatever the connection waits for.
    fn advance(&mut self, now: Instant, machine: &mut Machine) {
        match &mut self.socket {
            Socket::Connecting(opening) => {
                let mut cx = Context::from_waker(&self.waker);
                match opening.poll(&mut cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(stream)) => {
                        self.socket = Socket::Open(stream);
                        // Its waker is not registered for reading yet.
                        self.ready.flag.store(true, Ordering::SeqCst);
                        machine.on_connected(now, self.link);
                    }
                    Poll::Ready(Err(error)) => {
                        self.socket = Socket::Gone;
                        machine.on_closed(now, self.link, Some(error));
                    }
                }
            }
            Socket::Open(_) => self.read(now, machine),
            Socket::Closing(stream, _) => {
                let mut cx = Context::from_waker(&self.waker);
                if stream.poll_close(&mut cx).is_ready() {
                    self.socket = Socket::Gone;
                }
            }
            Socket::Gone => {}
        }
    }

    fn read(&mut self, now: Instant, machine: &mut Machine) {
        let Socket::Open(stream) = &mut self.socket else { return };
        let mut cx = Context::from_waker(&self.waker);
        for _ in 0..OPERATIONS_MAX {
            let Some(buffer) = machine.receive_buffer(self.link) else { return };
            let lost: Option<TransportError> = match stream.poll_read(&mut cx, buffer) {
                // A peer that takes nothing and has nothing to say is gone, whether or not reading will ever tell.
                Poll::Pending if self.broken.is_some() => self.broken.take(),
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => None,
                Poll::Ready(Ok(count)) => {
                    machine.received(now, self.link, count);
                    continue;
                }
                Poll::Ready(Err(error)) => Some(error),
            };
            self.socket = Socket::Gone;
            machine.on_closed(now, self.link, lost);
            return;
        }
        // Its share of this turn is over, and nobody will wake it for what is left.
        self.ready.flag.store(true, Ordering::SeqCst);
    }

    /// Whether its share of this turn was over before everything was written.
    fn write(&mut self, machine: &mut Machine) -> bool {
        let Socket::Open(stream) = &mut self.socket else { return false };
        let mut cx = Context::from_waker(&self.waker);
        let mut unwritten = true;
        for _ in 0..OPERATIONS_MAX {
            if self.blocked || !machine.has_output(self.link) {
                unwritten = false;
                break;
            }
            let mut slices: [&[u8]; SLICES_MAX] = [&[]; SLICES_MAX];
            let count = machine.transmit(self.link, &mut slices);
            match stream.poll_write(&mut cx, slices.get(..count).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => {
                    unwritten = false;
                    break;
                }
                Poll::Ready(Ok(written)) => {
                    machine.transmitted(self.link, written);
                    self.unflushed = true;
                }
                // The reading side tells whether anything came before the end.
                Poll::Ready(Err(error)) => {
                    self.blocked = true;
                    self.broken = Some(error);
                    self.ready.flag.store(true, Ordering::SeqCst);
                    return false;
                }
                Poll::Pending => self.blocked = true,
            }
        }
        if self.unflushed && stream.poll_flush(&mut cx).is_ready() {
            self.unflushed = false;
        }
        unwritten
    }
}

impl<T: Transport> Drop for Driver<T> {
    fn drop(&mut self) {
        self.machine.end(self.clock.now());
    }
}

impl<T> Future for Driver<T>
where
    T: Transport + Unpin,
    T::Stream: Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Driver::poll(self.get_mut(), cx)
    }
}

/// A driver can be moved to another thread whenever its transport's parts can.
#[cfg(feature = "std")]
const fn _driver_is_send<T>()
where
    T: Transport + Send,
    T::Stream: Send,
    T::Connecting: Send,
{
    const fn is_send<X: Send>() {}
    is_send::<Driver<T>>();
}
