//! The cluster on loopback sockets, with tokio.

use crate::cluster::{Cluster, Now};
use crate::config::ClusterConfig;
use crate::connection::ConnId;
use bytes::{Buf, Bytes};
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// So much is read at once.
const READ_BYTES: usize = 256 << 10;
/// So many pieces are written at once.
const WRITE_PIECES: usize = 64;

/// Starts a cluster on free ports of 127.0.0.1, or on those from [`ClusterConfig::port`] on. To be called inside a
/// tokio runtime with I/O and time, in which it lives until [`Running`] is dropped.
///
/// Errors: a port that cannot be bound.
pub fn serve(mut config: ClusterConfig) -> io::Result<Running> {
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for index in 0..config.brokers {
        let port = if config.port == 0 { 0 } else { config.port.saturating_add(index as u16) };
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        addresses.push((String::from("127.0.0.1"), listener.local_addr()?.port()));
        listeners.push(TcpListener::from_std(listener)?);
    }
    let bootstrap: Vec<String> = addresses.iter().map(|(host, port)| format!("{host}:{port}")).collect();
    config.addresses = addresses;
    let shared = Arc::new(Shared {
        started: Instant::now(),
        state: Mutex::new(State { cluster: Cluster::new(config), wakers: BTreeMap::new(), armed: None, ended: false }),
        timer: Notify::new(),
    });
    let mut tasks: Vec<AbortHandle> = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        tasks.push(tokio::spawn(accept(Arc::clone(&shared), listener, index as i32 + 1)).abort_handle());
    }
    tasks.push(tokio::spawn(keep_time(Arc::clone(&shared))).abort_handle());
    Ok(Running { shared, bootstrap: bootstrap.join(","), tasks })
}

/// A cluster on sockets. Dropped, it ends, and all connections close.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    bootstrap: String,
    tasks: Vec<AbortHandle>,
}

impl Running {
    /// The addresses of all brokers, `127.0.0.1:port`, separated by commas.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The cluster itself, locked: no broker answers while the guard lives. It must not be kept over an `.await`.
    pub fn cluster(&self) -> Guard<'_> {
        self.shared.lock()
    }

    /// Ends the cluster, as dropping it does.
    pub fn shutdown(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        let mut guard = self.shared.lock();
        guard.state().ended = true;
        let wakers = core::mem::take(&mut guard.state().wakers);
        drop(guard);
        wakers.into_values().for_each(Waker::wake);
    }
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    state: Mutex<State>,
    /// A deadline came that is earlier than the one slept for.
    timer: Notify,
}

#[derive(Debug)]
struct State {
    cluster: Cluster,
    /// Of the tasks of all connections.
    wakers: BTreeMap<ConnId, Waker>,
    /// What the timer's task sleeps for.
    armed: Option<klamm::Instant>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> Guard<'_> {
        // A panic in a test that holds the guard must not hide itself behind panics of all connections.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Guard { shared: self, state: Some(state) }
    }

    fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { instant: klamm::Instant::ZERO.after(self.started.elapsed()), unix_ms: since_1970.as_millis() as i64 }
    }
}

/// The locked cluster. When it is dropped, connections get what changed for them.
#[derive(Debug)]
pub struct Guard<'a> {
    shared: &'a Shared,
    state: Option<MutexGuard<'a, State>>,
}

impl Guard<'_> {
    fn state(&mut self) -> &mut State {
        self.state.as_mut().expect("held until the drop")
    }
}

impl Deref for Guard<'_> {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        &self.state.as_ref().expect("held until the drop").cluster
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.state().cluster
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        let mut wakers = Vec::new();
        while let Some(conn) = state.cluster.poll_ready() {
            wakers.extend(state.wakers.remove(&conn));
        }
        let next = state.cluster.poll_timeout();
        let earlier = next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if earlier {
            self.shared.timer.notify_one();
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, node: i32) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, for instance: that passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // A dead broker's port takes connections only to close them.
        let Some(conn) = shared.lock().open(node) else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(Serving { shared, conn, stream, buffer: vec![0; READ_BYTES], out: VecDeque::new() });
    }
}

async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = {
            let now = shared.now();
            let mut guard = shared.lock();
            guard.handle_timeout(now);
            let next = guard.poll_timeout();
            guard.state().armed = next;
            next
        };
        let earlier = shared.timer.notified();
        match next {
            Some(at) => {
                let at = shared.started + Duration::from_nanos(at.as_nanos());
                let _ = tokio::time::timeout_at(at.into(), earlier).await;
            }
            None => earlier.await,
        }
    }
}

/// One connection.
struct Serving {
    shared: Arc<Shared>,
    conn: ConnId,
    stream: TcpStream,
    buffer: Vec<u8>,
    out: VecDeque<Bytes>,
}

impl Serving {
    /// Takes what is to be sent; gives whether more is to be read, or `None` when the connection is to be closed.
    fn sync(&mut self, cx: &Context<'_>) -> Option<bool> {
        let mut guard = self.shared.lock();
        while let Some(bytes) = guard.poll_transmit(self.conn) {
            self.out.push_back(bytes);
        }
        if guard.state().ended || (self.out.is_empty() && guard.should_close(self.conn)) {
            return None;
        }
        let conn = self.conn;
        match guard.state().wakers.get_mut(&conn) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => drop(guard.state().wakers.insert(conn, cx.waker().clone())),
        }
        Some(guard.wants_input(conn))
    }

    /// Writes all of it, or as much as the socket takes.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_PIECES];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.out) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            let written = Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]);
            let mut written = core::task::ready!(written)?;
            while let Some(first) = self.out.front_mut().filter(|_| written > 0) {
                let part = written.min(first.len());
                first.advance(part);
                written -= part;
                if first.is_empty() {
                    self.out.pop_front();
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and lets the cluster serve it; gives whether the client goes on.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        core::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Ok(false));
        }
        let now = self.shared.now();
        let mut guard = self.shared.lock();
        // What this gives is taken next, so this task need not be woken for it.
        guard.state().wakers.remove(&self.conn);
        guard.receive(self.conn, bytes, now);
        Poll::Ready(Ok(true))
    }
}

impl Future for Serving {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let Some(wants_input) = this.sync(cx) else { return Poll::Ready(()) };
            let written = this.poll_write(cx);
            if let Poll::Ready(Err(_)) = written {
                return Poll::Ready(());
            }
            // Like a broker, which takes no request before the answer to the last has gone out.
            if written.is_pending() || !wants_input {
                return Poll::Pending;
            }
            match this.poll_read(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut guard = self.shared.lock();
        guard.close(self.conn);
        let conn = self.conn;
        let waker = guard.state().wakers.remove(&conn);
        drop(guard);
        drop(waker);
    }
}

#[cfg(test)]
#[path = "front_tests.rs"]
mod tests;
