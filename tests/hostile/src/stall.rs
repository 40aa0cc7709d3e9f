//! Whether this machine stood still: the times of the scripts are short, and mean nothing then.

use std::{
    sync::{
        Once,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// The most that a thread was woken too late, in milliseconds.
static LATE_MS: AtomicU64 = AtomicU64::new(0);

const TICK: Duration = Duration::from_millis(10);
/// Later than that, and a client's shortest time may be over before it had its turn.
const STALL_MS: u64 = 100;

/// Begins to look.
pub fn begin() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        thread::spawn(|| {
            loop {
                let begun = Instant::now();
                thread::sleep(TICK);
                let late = begun.elapsed().saturating_sub(TICK);
                LATE_MS.fetch_max(late.as_millis() as u64, Relaxed);
            }
        });
    });
    LATE_MS.store(0, Relaxed);
}

/// Whether it stood still since then.
pub fn happened() -> bool {
    LATE_MS.load(Relaxed) > STALL_MS
}
