//! How far it is: a bar on a terminal, plain lines otherwise.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg:<10} {wide_bar} {human_pos}/{human_len} {per_sec}");
            let bar = ProgressBar::new(total).with_message(what);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress { what, total, bar, last_line: Instant::now() }
    }

    /// Shows that `done` records are through.
    pub(crate) fn at(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                println!("{:<10} {done} of {}", self.what, self.total);
            }
            None => {}
        }
    }

    pub(crate) fn end(self) {
        match self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => println!("{:<10} {} of {}", self.what, self.total, self.total),
        }
    }
}
