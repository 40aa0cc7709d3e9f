use super::*;
use crate::budget::Memory;

fn cluster() -> Cluster {
    let budget = Budget::new(Memory::default());
    Cluster::new(
        Arc::new(Config::new("a:1")),
        budget,
        &crate::kick::Kick::new(),
        Rng::from_entropy(&[3; 32]),
        Vec::new(),
    )
}

/// Trap 102: each wait is drawn by itself, within a fifth of a time that doubles up to its limit, however many failures
/// there were.
#[test]
fn waits_double_and_are_spread() {
    let mut cluster = cluster();
    for failures in [0, 1, 2, 3, 4, 9, 16, 17, 40, u32::MAX] {
        let spans: Vec<Duration> = (0..16).map(|_| cluster.backoff_span(failures)).collect();
        let middle = Duration::from_millis(100u64.checked_shl(failures).unwrap_or(0).clamp(100, 1_000));
        let middle = if failures >= 4 { Duration::from_secs(1) } else { middle };
        assert!(spans.iter().all(|s| *s >= middle * 4 / 5 && *s <= middle * 6 / 5), "{failures}: {spans:?}");
        assert!(spans.iter().any(|s| *s != spans[0]), "{failures}: {spans:?}");
    }
}

/// The longest wait that a config can name is no overflow.
#[test]
fn absurd_waits_do_not_overflow() {
    let mut config = Config::new("a:1");
    (config.backoff_ms, config.backoff_max_ms) = (u32::MAX, u32::MAX);
    let budget = Budget::new(Memory::default());
    let mut cluster =
        Cluster::new(Arc::new(config), budget, &crate::kick::Kick::new(), Rng::from_entropy(&[3; 32]), Vec::new());
    let long = Duration::from_millis(u64::from(u32::MAX));
    assert!(cluster.backoff_span(u32::MAX) >= long * 4 / 5);
}
