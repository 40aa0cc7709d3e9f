//! A client on tokio whose driver is watched: how often it is woken and polled, and how many bytes pass its sockets.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use klamm_tokio::{
    ByteStream, Client, Clock, Config, Connecting, Endpoint, Error, Instant, TcpStream, Tokio, Transport,
    TransportError,
};

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// Wake-ups of the driver's task, whoever caused them: a handle, a socket, the timer, itself.
    pub wakes: AtomicU64,
    /// Turns of the driver.
    pub turns: AtomicU64,
    /// Bytes that came.
    pub read: AtomicU64,
    /// Bytes that went.
    pub written: AtomicU64,
    task: Mutex<Option<Waker>>,
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Connects as `klamm_tokio::connect_with` does, but that nobody drives the client in place: every need for its driver is a
/// wake-up, and is counted.
///
/// # Errors
/// Those of `klamm_tokio::connect_with`.
pub async fn connect(config: Config) -> Result<(Client, Arc<Watch>), Error> {
    let watch = Arc::new(Watch::default());
    let transport = Watched { inner: Tokio::current(), watch: Arc::clone(&watch) };
    let (client, driver) = klamm_tokio::new(config, transport)?;
    let of_driver = Arc::clone(&watch);
    tokio::spawn(async move {
        let mut driver = pin!(driver);
        let waker = Waker::from(Arc::clone(&of_driver));
        poll_fn(|cx| {
            of_driver.turns.fetch_add(1, Relaxed);
            let task = Some(cx.waker().clone());
            *of_driver.task.lock().unwrap_or_else(PoisonError::into_inner) = task;
            driver.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
    });
    client.connected().await?;
    Ok((client, watch))
}

struct Watched {
    inner: Tokio,
    watch: Arc<Watch>,
}

impl Transport for Watched {
    type Stream = WatchedStream;
    type Connecting = Opening;

    fn connect(&mut self, to: &Endpoint) -> Opening {
        Opening { inner: self.inner.connect(to), watch: Arc::clone(&self.watch) }
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
    watch: Arc<Watch>,
}

impl Future for Opening {
    type Output = Result<WatchedStream, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = ready!(Pin::new(&mut self.inner).poll(cx))?;
        Poll::Ready(Ok(WatchedStream { inner, watch: Arc::clone(&self.watch) }))
    }
}

struct WatchedStream {
    inner: TcpStream,
    watch: Arc<Watch>,
}

impl ByteStream for WatchedStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        let read = ready!(self.inner.poll_read(cx, buf))?;
        self.watch.read.fetch_add(read as u64, Relaxed);
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let written = ready!(self.inner.poll_write(cx, bufs))?;
        self.watch.written.fetch_add(written as u64, Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_close(cx)
    }
}
