//! What all handles of a client share with its driver.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::producer::Handle;
use crate::{
    Clock, Error, Instant, WarmState,
    admin::{Reply, Running},
    budget::Budget,
    chores::Chore,
    cluster::Cluster,
    config::{Config, ProducerConfig},
    consumer::Fetches,
    kick::Kick,
    producer::{OpenBatch, ProducerShared},
    sync::{Arc, Lock, Weak},
    waits::Waits,
};

/// From a handle to the driver.
pub(crate) enum Command {
    Produce(Arc<ProducerShared>),
    Consume(Box<dyn Fetches>),
    Admin(Box<dyn Running>),
    Chore(Box<dyn Chore>),
    /// With the function that tells it: a program that never asks has none of it.
    WarmState(Arc<Reply<Result<WarmState, Error>>>, fn(&Cluster) -> WarmState),
}

/// Calls that may wait for the driver at once, beside new handles and the tasks that may wait anyway.
const COMMANDS_MAX: usize = 64;

pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) kick: Arc<Kick>,
    pub(crate) budget: Arc<Budget>,
    /// Tasks that wait for the first contact.
    pub(crate) waits: Waits,
    /// The driver's last reading of the clock, in whole milliseconds. It wraps on 32 bit: only differences are used.
    coarse_ms: AtomicUsize,
    /// State machines that the driver runs for handles.
    chores: AtomicUsize,
    /// Live handles of every kind. At zero the client ends.
    handles: AtomicUsize,
    /// The client ends although there are handles.
    shut_down: AtomicBool,
    /// Producers and consumers whose slot the driver has not freed.
    slots: AtomicUsize,
    /// The producers behind partition clients, each for all that want the same settings.
    partition_producers: Lock<Vec<(ProducerConfig, Weak<Handle>)>>,
    inner: Lock<Inner>,
}

#[derive(Default)]
struct Inner {
    commands: VecDeque<Command>,
    /// A cluster has answered once.
    connected: bool,
    /// Why none has, so far.
    failure: Option<Error>,
    /// None will.
    hopeless: bool,
    /// The driver is gone.
    ended: bool,
    /// And everybody was told.
    over: bool,
}

impl Shared {
    pub(crate) fn new(config: Arc<Config>, clock: Arc<dyn Clock>, kick: Arc<Kick>, budget: Arc<Budget>) -> Arc<Self> {
        let waits = Waits::new(config.max_waiters);
        Arc::new(Shared {
            config,
            clock,
            kick,
            budget,
            waits,
            coarse_ms: AtomicUsize::new(0),
            handles: AtomicUsize::new(0),
            shut_down: AtomicBool::new(false),
            slots: AtomicUsize::new(0),
            chores: AtomicUsize::new(0),
            partition_producers: Lock::new(Vec::new()),
            inner: Lock::new(Inner::default()),
        })
    }

    /// The driver's reading of the clock.
    pub(crate) fn set_coarse(&self, now: Instant) {
        self.coarse_ms.store(whole_ms(now), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn coarse_ms(&self) -> usize {
        self.coarse_ms.load(Ordering::Relaxed)
    }

    /// The time of a record that joins an open batch: as exact as the driver's last turn, without reading a clock.
    #[inline]
    pub(crate) fn coarse_unix_ms(&self, open: &OpenBatch) -> i64 {
        if open.unix_ms < 0 {
            return -1;
        }
        // The driver may not have had a turn since the batch opened.
        let ahead = self.coarse_ms().wrapping_sub(open.coarse_ms) as isize;
        open.unix_ms.saturating_add(ahead.max(0) as i64)
    }

    /// Hands a command to the driver; one that it cannot take comes back.
    ///
    /// # Errors
    /// [`Error::Closed`] when the client ends or its driver is gone; [`Error::Config`] when too much waits for it.
    pub(crate) fn command(&self, command: Command) -> Result<(), (Error, Command)> {
        {
            let mut inner = self.inner.lock();
            if inner.ended || self.shut_down.load(Ordering::SeqCst) {
                return Err((Error::Closed { fate: crate::Fate::NotPersisted }, command));
            }
            let max = COMMANDS_MAX + self.config.max_handles + self.config.max_waiters;
            if inner.commands.len() >= max {
                let error = Error::config("driver", alloc::format!("{max} calls wait for it; is it being polled?"));
                return Err((error, command));
            }
            inner.commands.push_back(command);
        }
        self.kick.drive();
        Ok(())
    }

    /// The producer that partition clients with these settings share, if there is one.
    pub(super) fn partition_producer(&self, config: &ProducerConfig) -> Option<Arc<Handle>> {
        let all = self.partition_producers.lock();
        all.iter().find(|(c, _)| c == config).and_then(|(_, handle)| handle.upgrade())
    }

    /// Keeps a producer for others to share, unless somebody was faster: then theirs is the one.
    pub(super) fn keep_partition_producer(&self, config: &ProducerConfig, made: &Arc<Handle>) -> Arc<Handle> {
        let mut all = self.partition_producers.lock();
        all.retain(|(_, handle)| handle.strong_count() > 0);
        let kept = all.iter().find(|(c, _)| c == config).and_then(|(_, handle)| handle.upgrade());
        kept.unwrap_or_else(|| {
            all.push((config.clone(), Arc::downgrade(made)));
            Arc::clone(made)
        })
    }

    /// Takes a place for a producer or consumer.
    ///
    /// # Errors
    /// [`Error::Config`] when `max_handles` are open.
    pub(crate) fn take_slot(&self) -> Result<(), Error> {
        let max = self.config.max_handles;
        let taken = self.slots.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < max).then_some(n + 1));
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::config("max_handles", alloc::format!("{max} producers and consumers are open"))),
        }
    }

    pub(crate) fn free_slot(&self) {
        self.slots.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes a place for a state machine that the driver runs.
    ///
    /// # Errors
    /// [`Error::Config`] when there are `max_waiters`.
    pub(crate) fn take_chore(&self) -> Result<(), Error> {
        let max = self.config.max_waiters;
        let taken = self.chores.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < max).then_some(n + 1));
        let why = |_| Error::config("max_waiters", alloc::format!("{max} batch producers are open"));
        taken.map(drop).map_err(why)
    }

    pub(crate) fn free_chore(&self) {
        self.chores.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn next_command(&self) -> Option<Command> {
        self.inner.lock().commands.pop_front()
    }

    pub(crate) fn handle_made(&self) {
        self.handles.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn handle_dropped(&self) {
        if self.handles.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.kick.wake();
        }
    }

    /// Ends the client although there are handles.
    pub(crate) fn shut_down(&self) {
        self.shut_down.store(true, Ordering::SeqCst);
        self.kick.wake();
    }

    /// Whether the client is to end: nobody can use it any more, or it was told to.
    pub(crate) fn is_ending(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst) || self.handles.load(Ordering::SeqCst) == 0
    }

    /// The driver tells how the first contact goes; of a failure, whether there is no use in waiting on.
    pub(crate) fn set_contact(&self, contact: Result<(), (Error, bool)>) {
        let changed = {
            let mut inner = self.inner.lock();
            match contact {
                Ok(()) => !core::mem::replace(&mut inner.connected, true),
                Err((error, hopeless)) => {
                    inner.failure = Some(error);
                    let before = core::mem::replace(&mut inner.hopeless, hopeless);
                    hopeless && !before
                }
            }
        };
        if changed {
            self.waits.wake_all();
        }
    }

    /// Whether a cluster has answered, or why none has so far.
    pub(crate) fn contact(&self) -> Contact {
        let inner = self.inner.lock();
        match (inner.connected, inner.ended) {
            (true, _) => Contact::Made,
            (_, true) => Contact::Ended,
            _ => Contact::None { failure: inner.failure.clone(), hopeless: inner.hopeless },
        }
    }

    /// Whether the driver is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.inner.lock().ended
    }

    /// The driver ends: nobody waits on.
    pub(crate) fn end(&self) -> VecDeque<Command> {
        let left = {
            let mut inner = self.inner.lock();
            inner.ended = true;
            core::mem::take(&mut inner.commands)
        };
        self.waits.wake_all();
        left
    }

    /// The driver has ended, and everybody was told what became of what it had.
    pub(crate) fn set_over(&self) {
        self.inner.lock().over = true;
        self.waits.wake_all();
    }

    /// Whether everybody was told of the driver's end.
    pub(super) fn is_over(&self) -> bool {
        self.inner.lock().over
    }
}

/// The coarse clock's reading of a moment.
#[inline]
pub(crate) fn whole_ms(now: Instant) -> usize {
    (now.as_nanos() / 1_000_000) as usize
}

/// How the first contact stands.
pub(crate) enum Contact {
    Made,
    /// And, where `hopeless`, none will be.
    None {
        failure: Option<Error>,
        hopeless: bool,
    },
    Ended,
}

impl Contact {
    /// Why no cluster has answered, if none has.
    pub(crate) fn failure(self) -> Option<Error> {
        match self {
            Contact::None { failure, .. } => failure,
            Contact::Made | Contact::Ended => None,
        }
    }
}

/// Held by every clone of a handle of one kind; the last drop is the handle's end.
pub(crate) struct Held {
    pub(crate) client: Arc<Shared>,
}

impl Held {
    pub(crate) fn new(client: &Arc<Shared>) -> Held {
        client.handle_made();
        Held { client: Arc::clone(client) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.client.handle_dropped();
    }
}
