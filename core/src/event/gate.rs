//! The way of every event to its observer, which bounds how many there are.

use alloc::boxed::Box;
use core::{cell::Cell, time::Duration};

use super::{Event, NAMES, Observe, facade::usual};
use crate::{Config, Instant, sync::Arc, used::Used};

/// Events of one kind that are told in a [`WINDOW`].
const TOLD_MAX: u32 = 64;

const WINDOW: Duration = Duration::from_secs(10);

/// How many events of a kind there were of late.
#[derive(Clone, Copy, Default)]
struct Gate {
    /// The window's end.
    until: Instant,
    told: u32,
    left_out: u32,
}

struct Told {
    observer: Arc<dyn Observe>,
    now: Cell<Instant>,
    gates: [Cell<Gate>; NAMES.len()],
    /// Something was left out that nobody was told of.
    owing: Cell<bool>,
}

/// Whether anybody may take events: where nothing can set an observer, nothing of them is in the program.
pub(crate) static OBSERVED: Used = Used::not_yet();

/// Where events go. Without an observer none is made.
#[derive(Default)]
pub(crate) struct Events(Option<Box<Told>>);

impl Events {
    pub(crate) fn of(config: &Config) -> Self {
        let told = |observer| Told {
            observer,
            now: Cell::new(Instant::ZERO),
            gates: core::array::from_fn(|_| Cell::new(Gate::default())),
            owing: Cell::new(false),
        };
        Events(config.observer.clone().or_else(usual).map(|observer| Box::new(told(observer))))
    }

    fn told(&self) -> Option<&Told> {
        self.0.as_deref().filter(|_| OBSERVED.may_be())
    }

    /// Whether anybody takes events.
    pub(crate) fn is_on(&self) -> bool {
        self.told().is_some()
    }

    /// A turn begins.
    pub(crate) fn begin(&self, now: Instant) {
        let Some(told) = self.told() else { return };
        told.now.set(now);
        if told.owing.get() {
            told.pay(now);
        }
    }

    /// Tells what happened. No lock may be held.
    pub(crate) fn tell<'a>(&self, make: impl FnOnce() -> Event<'a>) {
        if let Some(told) = self.told() {
            told.make(make);
        }
    }

    /// The client ends: what was left out is told whatever the time.
    pub(crate) fn end(&self) {
        if let Some(told) = self.told() {
            told.pay(Instant::FAR);
        }
    }
}

impl Told {
    /// Apart from the code that it is called from: an event takes no room on the stack where there is none.
    #[cold]
    #[inline(never)]
    fn make<'a>(&self, make: impl FnOnce() -> Event<'a>) {
        self.tell(&make());
    }

    #[inline(never)]
    fn tell(&self, event: &Event<'_>) {
        let Some(cell) = self.gates.get(event.number()) else { return };
        let now = self.now.get();
        let mut gate = cell.get();
        if gate.until <= now {
            self.pay_one(cell, event.name());
            gate = Gate { until: now.after(WINDOW), ..Gate::default() };
        }
        let passes = gate.told < TOLD_MAX;
        if passes {
            gate.told += 1;
        } else {
            gate.left_out = gate.left_out.saturating_add(1);
            self.owing.set(true);
        }
        // Before the observer is called: it may bring about other events.
        cell.set(gate);
        if passes {
            self.observer.observe(event);
        }
    }

    /// Tells how much was left out in windows that are over.
    fn pay(&self, now: Instant) {
        let mut owing = false;
        for (cell, name) in self.gates.iter().zip(NAMES) {
            if cell.get().until <= now {
                self.pay_one(cell, name);
            }
            owing |= cell.get().left_out > 0;
        }
        self.owing.set(owing);
    }

    fn pay_one(&self, cell: &Cell<Gate>, name: &'static str) {
        let count = cell.get().left_out;
        if count > 0 {
            cell.set(Gate { left_out: 0, ..cell.get() });
            self.observer.observe(&Event::LeftOut { name, count });
        }
    }
}
