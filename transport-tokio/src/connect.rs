//! From a list of brokers to a client whose driver runs.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError, TryLockError, Weak},
    task::{Context, Poll, Waker},
};

use klamm::{Client, Config, Drive, Driver, Error};

use tokio::runtime::Handle;

use crate::{Dial, Direct, FastCodecs, Tokio};

/// Connects to the cluster that these brokers belong to (`host:port`, separated by commas), with all settings at their
/// defaults.
///
/// Must be called inside a tokio runtime, which runs the client's driver as a task: the runtime's end is the driver's, too. See
/// [`connect_with`].
///
/// # Errors
/// See [`connect_with`].
pub async fn connect(bootstrap: impl Into<String>) -> Result<Client, Error> {
    connect_with(Config::new(bootstrap)).await
}

/// Connects with these settings, and waits until the cluster has answered once.
///
/// Must be called inside a tokio runtime, which runs the client's driver as a task. Dropped before it is ready, nothing
/// is left behind.
///
/// A runtime that ends takes the driver along, and what is in the buffers is lost: so it is when `#[tokio::main]` returns. Who
/// has not awaited every ticket, or a `flush`, awaits [`Client::closed`] before:
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), klamm_tokio::Error> {
/// # let cluster = klamm_broker::serve(klamm_broker::ClusterConfig::default()).expect("loopback");
/// # cluster.cluster().create_topic("orders", 1, 1);
/// # let config = klamm_tokio::Config::new(cluster.bootstrap());
/// use klamm_tokio::Record;
/// let client = klamm_tokio::connect_with(config).await?;
/// let producer = client.producer().build()?;
/// for _ in 0..1_000 {
///     producer.enqueue(Record::to("orders").value("{}")).await?;
/// }
/// client.shut_down();
/// client.closed().await?;
/// # assert_eq!(cluster.cluster().end_offset("orders", 0), 1_000);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Config`] at once; when `connect_timeout_ms` is over, the reason, with every address that was tried.
pub async fn connect_with(config: Config) -> Result<Client, Error> {
    let dialler = Direct::of(&config);
    connect_through(config, dialler).await
}

/// As [`connect_with`], with connections that [`dialler`](Dial) opens: through a proxy, say. The sizes of
/// sockets' buffers are its own affair.
///
/// # Errors
/// See [`connect_with`].
pub async fn connect_through(config: Config, dialler: impl Dial) -> Result<Client, Error> {
    let (client, driver) = build(config, Tokio::through(dialler, Handle::current()))?;
    tokio::spawn(async move { poll_fn(|cx| driver.poll(cx)).await });
    client.connected().await?;
    Ok(client)
}

/// A client, and its driver where the client's handles find it.
pub(crate) fn build<D: Dial>(config: Config, transport: Tokio<D>) -> Result<(Client, Arc<Inline<D>>), Error> {
    let (client, driver) = klamm::new(config.usual_codecs(|| Arc::new(FastCodecs)), transport)?;
    let driver = Arc::new(Inline(Mutex::new(Some(driver))));
    let weak: Weak<dyn Drive> = Arc::downgrade(&driver) as Weak<dyn Drive>;
    client.drive_inline(weak);
    Ok((client, driver))
}

/// A driver behind a lock, so that a handle that finds it idle may poll it where it stands.
pub(crate) struct Inline<D: Dial = Direct>(Mutex<Option<Driver<Tokio<D>>>>);

impl<D: Dial> Inline<D> {
    /// The driver's own task.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(driver) = place.as_mut() else { return Poll::Ready(()) };
        if driver.poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Dropped outside the lock: a drop resolves tickets, and whoever they wake may look here.
        let ended = place.take();
        drop(place);
        drop(ended);
        Poll::Ready(())
    }
}

impl<D: Dial> Drive for Inline<D> {
    fn try_drive(&self, waker: &Waker) -> bool {
        let mut place = match self.0.try_lock() {
            Ok(place) => place,
            Err(TryLockError::WouldBlock) => return false,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let Some(driver) = place.as_mut() else { return true };
        if driver.poll(&mut Context::from_waker(waker)).is_ready() {
            // Its own task finds it ended and lets go of it.
            waker.wake_by_ref();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use klamm::Record;
    use klamm_broker::{ClusterConfig, serve};
    use std::time::Duration;
    use tokio::{
        runtime::{Builder, Runtime},
        time::timeout,
    };

    const SHORT: Duration = Duration::from_secs(5);

    /// Less than any timeout that could hide a lost wake-up.
    fn in_time<F: Future>(runtime: &Runtime, future: F) -> F::Output {
        runtime.block_on(async { timeout(SHORT, future).await }).expect("nobody was woken")
    }

    /// A record that comes while somebody holds the driver, and has looked at the queues already, wakes the driver's task.
    #[test]
    fn a_driver_that_is_held_is_woken() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let cluster = serve(ClusterConfig::default()).expect("ports on loopback");
        cluster.cluster().create_topic("held", 1, 1);
        let (client, driver) = build(Config::new(cluster.bootstrap()), Tokio::current()).expect("a client");
        let task = Arc::clone(&driver);
        let task = runtime.spawn(async move { poll_fn(|cx| task.poll(cx)).await });
        let producer = client.producer().build().expect("a producer");
        in_time(&runtime, producer.send(Record::to("held").value("first"))).expect("acknowledged");

        let held = driver.0.lock().expect("not poisoned");
        let ticket = producer.try_enqueue(Record::to("held").value("second")).expect("room");
        drop(held);
        let sent = in_time(&runtime, ticket);
        assert_eq!(sent.expect("acknowledged").offset(), 1);

        drop((client, producer));
        in_time(&runtime, task).expect("no panic");
        assert!(driver.0.lock().expect("not poisoned").is_none(), "the driver is gone, whoever still holds its place");
    }

    /// Whoever drives in place passes the waker of the driver's task: what the driver waits for then wakes the task.
    #[test]
    fn a_driver_that_was_driven_in_place_goes_on_in_its_task() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let brokers = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let cluster = brokers.block_on(async { serve(ClusterConfig::default()) }).expect("ports on loopback");
        cluster.cluster().create_topic("placed", 1, 1);
        let client = in_time(&runtime, connect(cluster.bootstrap())).expect("a cluster");
        let producer = client.producer().build().expect("a producer");
        in_time(&runtime, producer.send(Record::to("placed").value("first"))).expect("acknowledged");
        // Nobody runs the runtime now, so only this thread can have driven.
        let ticket = producer.try_enqueue(Record::to("placed").value("second")).expect("room");
        let deadline = std::time::Instant::now() + SHORT;
        while cluster.cluster().end_offset("placed", 0) < 2 {
            assert!(std::time::Instant::now() < deadline, "the record was not sent in place");
            std::thread::sleep(Duration::from_millis(1));
        }
        let sent = in_time(&runtime, ticket);
        assert_eq!(sent.expect("acknowledged").offset(), 1);
    }
}
