//! The transport's clock, as rustls asks for it.

use core::{fmt, time::Duration};

use rustls::{pki_types::UnixTime, time_provider::TimeProvider};

use crate::{Clock, sync::Arc};

/// What a certificate's validity is checked against. Before a client has it, nobody knows the time.
pub(super) struct WallClock(pub(super) Option<Arc<dyn Clock>>);

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.as_ref()?.unix_ms()?).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}
