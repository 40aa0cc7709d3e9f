//! What the client held, looked at again and again, and whether it grew.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use klamm_bench::counting::{LIVE, PEAK};

use crate::Shared;

/// What may be live beyond the plan: DESIGN's 64 KiB and 1 %.
const BESIDE_BYTES: usize = 64 << 10;
/// By how much the last quarter may be above the first.
const DRIFT_BYTES: isize = 32 << 10;
/// What the allocator itself may drift by.
const DRIFT_RSS_KIB: isize = 2_048;
/// What a runtime and its thread may leave behind, once.
const LEFT_BYTES: isize = 4 << 10;

#[derive(Clone, Copy)]
struct Sample {
    /// Live and in no class: free buffers that are kept for reuse are in theirs, as many as the longest outage so far took.
    unleased: isize,
    /// In a class and not free.
    leased: isize,
    rss_kib: isize,
    descriptors: isize,
    tasks: isize,
}

pub(crate) struct Samples {
    plan: usize,
    /// What happens before is not compared: pools fill up to what the first restarts need.
    warm: Duration,
    all: Vec<Sample>,
}

impl Samples {
    pub(crate) fn new(plan: usize, whole: Duration) -> Samples {
        println!(
            "| s | live bytes | at most | in no class | VmRSS KiB | descriptors | tasks | leased: control, produce, fetch, inflate, tickets \
             | sent | acknowledged | consumed |\n|---|---|---|---|---|---|---|---|---|---|---|"
        );
        Samples { plan, warm: (whole / 4).min(Duration::from_secs(180)), all: Vec::new() }
    }

    pub(crate) fn take(&mut self, at: Duration, shared: &Shared, leased: &[usize], used: usize) {
        let live = LIVE.load(Relaxed);
        let sample = Sample {
            unleased: live - used as isize,
            leased: leased.iter().sum::<usize>() as isize,
            rss_kib: rss_kib(),
            descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count() as isize),
            tasks: shared.tasks.load(Relaxed) as isize,
        };
        let Sample { unleased, rss_kib, descriptors, tasks, .. } = sample;
        let [sent, acknowledged, consumed] =
            [&shared.sent, &shared.acknowledged, &shared.consumed].map(|counter| counter.load(Relaxed));
        println!(
            "| {} | {live} | {} | {unleased} | {rss_kib} | {descriptors} | {tasks} | {leased:?} | {sent} | {acknowledged} | {consumed} |",
            at.as_secs(),
            PEAK.load(Relaxed)
        );
        if at >= self.warm {
            self.all.push(sample);
        }
    }

    /// Compares; `left` is what was live when the client was gone.
    pub(crate) fn verdict(&self, shared: &Shared, left: isize) -> Result<(), String> {
        let [sent, acknowledged, failed, consumed, lost, twice] =
            [&shared.sent, &shared.acknowledged, &shared.failed, &shared.consumed, &shared.lost, &shared.twice]
                .map(|counter| counter.load(Relaxed));
        println!(
            "{sent} sent, {acknowledged} acknowledged, {failed} failed, {consumed} consumed, {lost} lost, {twice} twice; \
             {left} bytes live after the end"
        );
        let peak = PEAK.load(Relaxed);
        let most = (self.plan + BESIDE_BYTES + self.plan / 100) as isize;
        println!("live at most {peak} bytes, plan {}", self.plan);
        let mut wrong = Vec::new();
        let mut demand = |holds: bool, what: String| wrong.extend((!holds).then_some(what));
        demand(sent > 0 && acknowledged == sent && failed == 0, format!("{failed} of {sent} records failed"));
        demand(consumed == sent && lost == 0, format!("{consumed} of {sent} records came, {lost} were lost"));
        demand(twice == 0, format!("{twice} records came twice"));
        demand(peak <= most, format!("{peak} bytes were live, and {most} may be"));
        demand(left <= LEFT_BYTES, format!("{left} bytes are left"));
        let quarter = self.all.len().div_ceil(4);
        let (early, late) = (&self.all[..quarter], &self.all[self.all.len() - quarter..]);
        // Records are on their way whenever one looks; what nobody returned is there when all of them have arrived, too.
        let least = |samples: &[Sample]| samples.iter().map(|s| s.leased).min().unwrap_or_default();
        println!("leased at least: {} in the first quarter, {} in the last", least(early), least(late));
        demand(least(late) <= least(early).max(DRIFT_BYTES), format!("{} bytes are leased for good", least(late)));
        let figures: [(&str, Of, isize); 4] = [
            ("live bytes in no class", |s| s.unleased, DRIFT_BYTES),
            ("VmRSS in KiB", |s| s.rss_kib, DRIFT_RSS_KIB),
            ("descriptors", |s| s.descriptors, 0),
            ("tasks", |s| s.tasks, 0),
        ];
        for (what, of, drift) in figures {
            let (first, last) = (median(early, of), median(late, of));
            println!("{what}: median of the first quarter {first}, of the last {last}");
            demand(last <= first + drift, format!("{what} grew from {first} to {last}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// One of a sample's figures.
type Of = fn(&Sample) -> isize;

fn median(samples: &[Sample], of: Of) -> isize {
    let mut values: Vec<isize> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn rss_kib() -> isize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or_default()
}
