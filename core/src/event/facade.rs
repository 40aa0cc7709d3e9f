//! Events on their way to the `log` facade and to `defmt`.

use super::{Event, Level, OBSERVED, Observe};
use crate::sync::Arc;

/// Writes events to the `log` facade, with target `klamm`. What a client with the feature `log` and no observer has; for
/// observers of your own that want both.
#[cfg(feature = "log")]
#[derive(Clone, Copy, Debug, Default)]
pub struct LogObserver;

#[cfg(feature = "log")]
impl Observe for LogObserver {
    fn observe(&self, event: &Event<'_>) {
        let level = match event.level() {
            Level::Error => log::Level::Error,
            Level::Warn => log::Level::Warn,
            Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
        };
        log::log!(target: "klamm", level, "{event}");
    }
}

/// Writes events to `defmt`, by their names and fields. What a client with the feature `defmt` and no observer has; for observers of
/// your own that want both. The program brings `defmt`'s logger and its linker script.
#[cfg(feature = "defmt")]
#[derive(Clone, Copy, Debug, Default)]
pub struct DefmtObserver;

#[cfg(feature = "defmt")]
impl Observe for DefmtObserver {
    fn observe(&self, event: &Event<'_>) {
        match event.level() {
            Level::Error => defmt::error!("{}", event),
            Level::Warn => defmt::warn!("{}", event),
            Level::Info => defmt::info!("{}", event),
            Level::Debug => defmt::debug!("{}", event),
        }
    }
}

/// Every facade that this build has: a feature takes nothing from another.
struct Facades;

impl Observe for Facades {
    fn observe(&self, event: &Event<'_>) {
        #[cfg(feature = "log")]
        LogObserver.observe(event);
        #[cfg(feature = "defmt")]
        DefmtObserver.observe(event);
    }
}

/// Who takes the events of a client without an observer.
pub(super) fn usual() -> Option<Arc<dyn Observe>> {
    OBSERVED.mark();
    Some(Arc::new(Facades))
}
