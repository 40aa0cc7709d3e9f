//! From a list of brokers to a client whose driver runs.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError, TryLockError, Weak},
    task::{Context, Poll, Waker},
};

use klamm::{Client, Config, Drive, Driver, Error};

use crate::Tokio;

/// Connects to the cluster that these brokers belong to (`host:port`, separated by commas), with all settings at their
/// defaults.
///
/// Must be called inside a tokio runtime, which runs the client's driver as a task.
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
/// # Errors
/// [`Error::Config`] at once; when `connect_timeout_ms` is over, the reason, with every address that was tried.
pub async fn connect_with(config: Config) -> Result<Client, Error> {
    let (client, driver) = klamm::new(config, Tokio::current())?;
    let driver = Arc::new(Inline(Mutex::new(Some(driver))));
    let weak: Weak<dyn Drive> = Arc::downgrade(&driver) as Weak<dyn Drive>;
    client.drive_inline(weak);
    tokio::spawn(async move { poll_fn(|cx| driver.poll(cx)).await });
    client.connected().await?;
    Ok(client)
}

/// A driver behind a lock, so that a handle that finds it idle may poll it where it stands.
struct Inline(Mutex<Option<Driver<Tokio>>>);

impl Inline {
    /// The driver's own task.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
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

impl Drive for Inline {
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
