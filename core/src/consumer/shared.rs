//! What a consumer's handle and the driver share: positions, wishes, and what was fetched.

use alloc::{collections::VecDeque, vec::Vec};
use core::{
    sync::atomic::{AtomicUsize, Ordering},
    task::{Poll, Waker},
};

use bytes::Bytes;

use super::{
    aborted::Aborted,
    inflate::Inflater,
    records::{Records, Refusal},
};
use crate::{
    Error,
    api::Shared,
    budget::Class,
    config::{ConsumerConfig, StartAt},
    map::Map,
    sync::{Arc, Lock},
};

/// What a consumer reads.
#[derive(Clone, Debug)]
pub(crate) enum Subscription {
    /// All partitions of these topics, new ones too.
    Topics(Vec<Arc<str>>),
    /// These partitions.
    Assigned(Vec<Assigned>),
}

/// A partition that the application named.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// Where it begins, if not where all do.
    pub(crate) from: Option<StartAt>,
}

impl Subscription {
    /// What was said of a partition that was named; the last time counts.
    pub(super) fn assigned(&self, topic: &str, partition: i32) -> Option<&Assigned> {
        let Subscription::Assigned(parts) = self else { return None };
        parts.iter().rfind(|a| a.partition == partition && *a.topic == *topic)
    }
}

/// One consumer.
pub(crate) struct ConsumerShared {
    pub(crate) client: Arc<Shared>,
    pub(crate) config: ConsumerConfig,
    pub(crate) subscription: Subscription,
    state: Lock<State>,
    /// How many bytes of the Inflate class the application's task waits for; 0: it does not.
    starving: AtomicUsize,
}

#[derive(Default)]
struct State {
    parts: Vec<Part>,
    by_name: Map<Arc<str>, Map<i32, usize>>,
    /// Where assigned partitions were sought that the driver has not added yet, each once.
    early: Vec<(Arc<str>, i32, StartAt)>,
    /// Partitions whose wishes the driver has not seen yet, each once.
    dirty: Vec<usize>,
    fetched: VecDeque<Fetched>,
    errors: VecDeque<Error>,
    waker: Option<Waker>,
    closed: bool,
    ended: bool,
}

impl State {
    /// The number of a partition.
    fn at(&self, topic: &str, partition: i32) -> Option<usize> {
        self.by_name.get(topic)?.get(&partition).copied()
    }

    /// Where a partition was sought before it was added.
    fn take_early(&mut self, topic: &str, partition: i32) -> Option<StartAt> {
        let at = self.early.iter().position(|(t, p, _)| *p == partition && **t == *topic)?;
        Some(self.early.swap_remove(at).2)
    }
}

struct Part {
    topic: Arc<str>,
    partition: i32,
    /// The offset of the next record that `next()` hands out; `None` until it is known.
    position: Option<i64>,
    /// Counted up by every seek: what was asked for before is dropped when it comes (trap 82).
    generation: u32,
    /// Where the last seek goes, for the driver; `None`: nowhere, until there is another.
    target: Option<StartAt>,
    paused: bool,
    dirty: bool,
    /// Records came damaged and are asked for again; the driver has not seen it yet.
    refetched: bool,
}

/// What the driver must do about a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) part: usize,
    pub(crate) generation: u32,
    pub(crate) target: Option<StartAt>,
    pub(crate) paused: bool,
    /// Records came damaged.
    pub(crate) refetched: bool,
}

/// Whole batches of a partition.
pub(crate) struct Fetched {
    pub(crate) part: usize,
    pub(crate) generation: u32,
    pub(crate) bytes: Bytes,
    /// The offset that was asked for.
    pub(crate) start: i64,
    pub(crate) next_offset: i64,
    pub(crate) high_watermark: i64,
    /// What is left out of it; `None`: nothing.
    pub(crate) aborted: Option<Arc<Aborted>>,
}

/// Errors that wait to be told; more of them would say the same again.
const ERRORS_MAX: usize = 64;

impl ConsumerShared {
    pub(crate) fn new(client: Arc<Shared>, config: ConsumerConfig, subscription: Subscription) -> Arc<Self> {
        Arc::new(ConsumerShared {
            client,
            config,
            subscription,
            state: Lock::new(State::default()),
            starving: AtomicUsize::new(0),
        })
    }

    /// The next records, whose position moves as they are handed out; `None` after the consumer was closed.
    pub(crate) fn poll_next(&self, inflater: &mut Inflater, waker: &Waker) -> Poll<Result<Option<Records>, Error>> {
        let mut again = true;
        loop {
            // The waker is made before the lock, and whatever is let go of is dropped after it.
            let mut own = Some(waker.clone());
            let (taken, stale) = self.take(&mut own);
            drop((stale, own));
            let (topic, partition, fetched) = match taken {
                Taken::Piece(topic, partition, fetched) => (topic, partition, fetched),
                Taken::Error(error) => return Poll::Ready(Err(error)),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::Nothing => return Poll::Pending,
            };
            match Records::open(&topic, partition, &fetched, inflater) {
                Ok((records, rest)) => {
                    self.moved(fetched.part, fetched.generation, records.next_offset(), rest);
                    if !records.is_empty() {
                        return Poll::Ready(Ok(Some(records)));
                    }
                }
                Err(Refusal::Room(needed)) => {
                    if !self.starve(fetched, needed, waker.clone()) {
                        return Poll::Ready(Err(self.client.budget.refuse(Class::Inflate, needed)));
                    }
                    // Enlisted first, looked at after: room that came back in between is not missed.
                    if !(again && self.client.budget.has_room(Class::Inflate, needed)) {
                        self.client.kick.drive();
                        return Poll::Pending;
                    }
                    again = false;
                }
                Err(refusal) => return Poll::Ready(Err(self.refused(&topic, partition, &fetched, refusal))),
            }
        }
    }

    /// What the application is told of a piece that it cannot have, and where its partition goes on.
    fn refused(&self, topic: &Arc<str>, partition: i32, fetched: &Fetched, refusal: Refusal) -> Error {
        let from = fetched.start;
        let target = if let Refusal::Damaged(_) = refusal { Some(StartAt::Offset(from)) } else { None };
        self.go_on(fetched, target);
        refusal.into_error(topic, partition, from, &self.client.budget)
    }

    /// Takes the first piece that may be handed out; if there is none, leaves the waker for the driver. Pieces of before
    /// a seek are taken out too, to be dropped outside the lock.
    fn take(&self, waker: &mut Option<Waker>) -> (Taken, Vec<Fetched>) {
        let mut stale = Vec::new();
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Some(error) = state.errors.pop_front() {
            return (Taken::Error(error), stale);
        }
        let mut at = 0;
        while let Some(first) = state.fetched.get(at) {
            let part = &mut state.parts[first.part];
            if part.generation != first.generation {
                stale.extend(state.fetched.remove(at));
            } else if part.paused {
                at += 1;
            } else {
                let (topic, partition) = (Arc::clone(&part.topic), part.partition);
                if let Some(fetched) = state.fetched.remove(at) {
                    return (Taken::Piece(topic, partition, fetched), stale);
                }
            }
        }
        if state.closed || state.ended {
            return (Taken::End, stale);
        }
        core::mem::swap(&mut state.waker, waker);
        (Taken::Nothing, stale)
    }

    /// The position moves, unless the driver has begun anew meanwhile, and what is left of the piece is the next to be
    /// handed out.
    fn moved(&self, part: usize, generation: u32, position: i64, rest: Option<Fetched>) {
        let mut state = self.state.lock();
        if let Some(part) = state.parts.get_mut(part).filter(|p| p.generation == generation) {
            part.position = Some(position);
        }
        if let Some(rest) = rest {
            state.fetched.push_front(rest);
        }
    }

    /// Puts a piece back that there is no room to inflate; the driver wakes the task when `needed` bytes are free.
    /// `false`: the driver is gone, and nobody would.
    fn starve(&self, fetched: Fetched, needed: usize, waker: Waker) -> bool {
        let (old, ended) = {
            let mut state = self.state.lock();
            // With the waker: who finds one finds the other.
            self.starving.store(needed, Ordering::SeqCst);
            state.fetched.push_front(fetched);
            (state.waker.replace(waker), state.ended)
        };
        drop(old);
        !ended
    }

    /// How many bytes of the Inflate class the application's task waits for; 0: it does not.
    pub(super) fn starving(&self) -> usize {
        self.starving.load(Ordering::SeqCst)
    }

    /// Bytes that were fetched, and that the application has not taken yet.
    pub(super) fn queued(&self) -> usize {
        self.state.lock().fetched.iter().map(|f| f.bytes.len()).sum()
    }

    /// The driver has seen that there is room to inflate.
    pub(super) fn feed(&self) {
        let waker = {
            let mut state = self.state.lock();
            self.starving.store(0, Ordering::SeqCst);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A piece could not be handed out: its partition is read from `target`, or rests there until the application seeks,
    /// unless it has done so in between.
    fn go_on(&self, fetched: &Fetched, target: Option<StartAt>) {
        {
            let mut state = self.state.lock();
            let own = |p: &&mut Part| p.generation == fetched.generation;
            let Some(p) = state.parts.get_mut(fetched.part).filter(own) else { return };
            p.generation = p.generation.wrapping_add(1);
            p.position = Some(fetched.start);
            p.target = target;
            p.refetched = target.is_some();
            mark(&mut state, fetched.part);
        }
        self.client.kick.wake();
    }

    /// The partition's topic was made anew: what was fetched of the old one is not handed out any more, and reading goes on
    /// at `target`, or rests until the application seeks.
    pub(super) fn begin_anew(&self, part: usize, target: Option<StartAt>) {
        let mut state = self.state.lock();
        if let Some(p) = state.parts.get_mut(part) {
            p.generation = p.generation.wrapping_add(1);
            p.position = None;
            p.target = target;
            mark(&mut state, part);
        }
    }

    pub(crate) fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), Error> {
        {
            let mut state = self.state.lock();
            if state.at(topic, partition).is_none()
                && let Some(assigned) = self.subscription.assigned(topic, partition)
            {
                state.take_early(topic, partition);
                state.early.push((Arc::clone(&assigned.topic), partition, to));
                return Ok(());
            }
        }
        self.wish(topic, partition, |part| {
            part.generation = part.generation.wrapping_add(1);
            part.target = Some(to);
            part.position = match to {
                StartAt::Offset(offset) => Some(offset),
                _ => None,
            };
        })
    }

    pub(crate) fn pause(&self, topic: &str, partition: i32, paused: bool) -> Result<(), Error> {
        self.wish(topic, partition, |part| part.paused = paused)
    }

    fn wish(&self, topic: &str, partition: i32, change: impl FnOnce(&mut Part)) -> Result<(), Error> {
        let woken = {
            let mut state = self.state.lock();
            let at = state.at(topic, partition);
            let Some(at) = at else {
                let why = alloc::format!("{topic}-{partition} is not read by this consumer, or not known yet");
                return Err(Error::config("assignment", why));
            };
            change(&mut state.parts[at]);
            mark(&mut state, at);
            // A resumed partition may have records waiting already.
            state.waker.take()
        };
        if let Some(waker) = woken {
            waker.wake();
        }
        self.client.kick.drive();
        Ok(())
    }

    pub(crate) fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        let state = self.state.lock();
        let at = state.at(topic, partition)?;
        state.parts[at].position
    }

    pub(crate) fn assignment(&self) -> Vec<(Arc<str>, i32)> {
        let state = self.state.lock();
        let partitions = |(name, parts): (&Arc<str>, _)| {
            let name = Arc::clone(name);
            Map::keys(parts).map(move |partition| (Arc::clone(&name), *partition))
        };
        state.by_name.iter().flat_map(partitions).collect()
    }

    pub(crate) fn close(&self) {
        let (fetched, waker) = {
            let mut state = self.state.lock();
            state.closed = true;
            (core::mem::take(&mut state.fetched), state.waker.take())
        };
        drop(fetched);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.client.kick.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// The driver will add so many partitions.
    pub(super) fn reserve(&self, more: usize) {
        self.state.lock().parts.reserve_exact(more);
    }

    /// The driver adds a partition; answers its number, and where it begins if it was sought already.
    pub(super) fn add(&self, topic: &Arc<str>, partition: i32, from: StartAt) -> Option<(usize, StartAt)> {
        let mut state = self.state.lock();
        if state.at(topic, partition).is_some() {
            return None;
        }
        let at = state.parts.len();
        let from = state.take_early(topic, partition).unwrap_or(from);
        let position = match from {
            StartAt::Offset(offset) => Some(offset),
            _ => None,
        };
        state.parts.push(Part {
            topic: Arc::clone(topic),
            partition,
            position,
            generation: 0,
            target: Some(from),
            paused: false,
            dirty: false,
            refetched: false,
        });
        state.by_name.or_default(Arc::clone(topic)).insert(partition, at);
        Some((at, from))
    }

    /// The driver learns what the application wants since it last asked.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let mut state = self.state.lock();
        let dirty = core::mem::take(&mut state.dirty);
        dirty
            .into_iter()
            .map(|at| {
                let part = &mut state.parts[at];
                part.dirty = false;
                let refetched = core::mem::take(&mut part.refetched);
                let Part { generation, target, paused, .. } = *part;
                Wish { part: at, generation, target, paused, refetched }
            })
            .collect()
    }

    /// The driver found out where a partition begins.
    pub(super) fn found(&self, part: usize, generation: u32, offset: i64) {
        let mut state = self.state.lock();
        if let Some(p) = state.parts.get_mut(part).filter(|p| p.generation == generation) {
            p.position = Some(offset);
        }
    }

    /// The driver hands on what it fetched.
    pub(super) fn deliver(&self, pieces: impl Iterator<Item = Fetched>) {
        let waker = {
            let mut state = self.state.lock();
            if state.closed {
                None
            } else {
                state.fetched.extend(pieces);
                state.waker.take()
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The driver reports what the application must know.
    pub(super) fn report(&self, error: Error) {
        let waker = {
            let mut state = self.state.lock();
            if state.errors.len() < ERRORS_MAX && !state.errors.contains(&error) {
                state.errors.push_back(error);
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The driver lets go: what was fetched may still be taken.
    pub(super) fn end(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.ended = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What [`ConsumerShared::take`] found.
enum Taken {
    Piece(Arc<str>, i32, Fetched),
    Error(Error),
    End,
    Nothing,
}

fn mark(state: &mut State, part: usize) {
    if !core::mem::replace(&mut state.parts[part].dirty, true) {
        state.dirty.push(part);
    }
}
