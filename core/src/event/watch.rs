//! Shortages that last: told after a while, then now and then.

use core::time::Duration;

use super::{Event, Events, Shortage};
use crate::{
    Instant,
    budget::{Budget, Class},
};

/// A shortage that is over sooner is only work.
const AFTER: Duration = Duration::from_secs(5);

/// The same thing is not said again before.
const AGAIN: Duration = Duration::from_secs(60);

/// One shortage.
#[derive(Default)]
struct Lasting {
    since: Option<Instant>,
    not_before: Instant,
}

impl Lasting {
    /// How long it has lasted, if that is to be told now.
    fn is_due(&mut self, now: Instant, is_so: bool) -> Option<Duration> {
        if !is_so {
            self.since = None;
            return None;
        }
        let lasted = now.since(*self.since.get_or_insert(now));
        (lasted >= AFTER && self.not_before <= now).then_some(lasted)
    }

    fn was_told(&mut self, now: Instant) {
        self.not_before = now.after(AGAIN);
    }
}

/// What could not be had in a turn; 0: nothing was missing.
#[derive(Default)]
pub(crate) struct Needs {
    /// Bytes of the Fetch class for a fetch.
    pub(crate) fetch: usize,
    /// Bytes of the Inflate class for a task that waits in `next()`, or for a batch that is to be split.
    pub(crate) inflate: usize,
    /// Bytes of the Produce class for a record.
    pub(crate) produce: usize,
    /// Tasks that were refused because too many wait.
    pub(crate) refused: usize,
    pub(crate) max_waiters: usize,
}

/// What is short for how long.
#[derive(Default)]
pub(crate) struct Watch {
    fetch: Lasting,
    inflate: Lasting,
    produce: Lasting,
    waiters: Lasting,
    /// Tasks that were refused and that nobody was told of.
    refused: usize,
}

impl Watch {
    /// Looks at a turn's needs. `queued`: bytes that were fetched, and that the application has not taken yet.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        needs: &Needs,
        queued: impl Fn() -> usize,
        budget: &Budget,
        events: &Events,
    ) {
        if let Some(lasted) = self.fetch.is_due(now, needs.fetch > 0) {
            let shortage = Shortage {
                queued: queued(),
                promised: budget.promised(),
                ..shortage(Class::Fetch, needs.fetch, lasted, budget)
            };
            // Whoever reads slower than brokers send has a full queue, and nothing is wrong with that.
            if shortage.queued == 0 || shortage.kept() > shortage.limit / 2 {
                self.fetch.was_told(now);
                events.tell(|| Event::RecordsKept(shortage));
            }
        }
        if let Some(lasted) = self.inflate.is_due(now, needs.inflate > 0) {
            self.inflate.was_told(now);
            events.tell(|| Event::RecordsKept(shortage(Class::Inflate, needs.inflate, lasted, budget)));
        }
        if let Some(lasted) = self.produce.is_due(now, needs.produce > 0) {
            self.produce.was_told(now);
            events.tell(|| Event::ProduceFull(shortage(Class::Produce, needs.produce, lasted, budget)));
        }
        self.refused = self.refused.saturating_add(needs.refused);
        if self.refused > 0 && self.waiters.not_before <= now {
            self.waiters.was_told(now);
            let refused = core::mem::take(&mut self.refused);
            events.tell(|| Event::WaitersFull { refused, max: needs.max_waiters });
        }
    }
}

fn shortage(class: Class, wanted: usize, lasted: Duration, budget: &Budget) -> Shortage {
    Shortage {
        class,
        limit: budget.limit(class),
        wanted,
        lasted,
        held: budget.leased(class),
        queued: 0,
        standing: budget.limit(class) - budget.most(class),
        promised: 0,
    }
}
