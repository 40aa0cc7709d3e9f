//! The way in: a client, its driver, and the program beside it.

use klamm::{Client, Config, Error};

use crate::{Reactor, Wasi};

/// Connects to a cluster, waits until it has answered once, and runs `main` with the client.
///
/// When `main` is done and the client with all its handles is dropped, the driver sends what is left in the buffers, for
/// at most `close_timeout_ms`; after that this returns. So `main` must keep no handle beyond its end.
///
/// # Errors
/// [`Error::Config`] at once; when `connect_timeout_ms` is over, the reason, with every address that was tried.
///
/// # Panics
/// As [`Reactor::run`].
pub fn block_on<T>(config: Config, main: impl AsyncFnOnce(Client) -> T) -> Result<T, Error> {
    let (client, driver) = klamm::new(config, Wasi::new())?;
    Reactor::run_beside(driver, async move {
        client.connected().await?;
        Ok(main(client).await)
    })
}
