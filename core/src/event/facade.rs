//! Events on their way to the `log` facade.

use super::{Event, Level, OBSERVED, Observe};
use crate::sync::Arc;

/// Writes events to the `log` facade, with target `klamm`. What a client with the feature `log` and no observer has; for
/// observers of your own that want both.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogObserver;

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

/// Who takes the events of a client without an observer.
pub(super) fn usual() -> Option<Arc<dyn Observe>> {
    OBSERVED.mark();
    Some(Arc::new(LogObserver))
}
