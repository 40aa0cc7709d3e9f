//! What a consumer's handle and the driver share: positions, wishes, and what was fetched.

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::task::{Poll, Waker};

use bytes::Bytes;

use super::records::{Records, Unchecked};
use crate::{
    Error,
    api::Shared,
    config::{ConsumerConfig, StartAt},
    error::PeerFault,
    sync::{Arc, Lock},
};

/// What a consumer reads.
#[derive(Clone, Debug)]
pub(crate) enum Subscription {
    /// All partitions of these topics, new ones too.
    Topics(Vec<Arc<str>>),
    /// These partitions.
    Assigned(Vec<(Arc<str>, i32)>),
}

/// One consumer.
pub(crate) struct ConsumerShared {
    pub(crate) client: Arc<Shared>,
    pub(crate) config: ConsumerConfig,
    pub(crate) subscription: Subscription,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    parts: Vec<Part>,
    by_name: BTreeMap<(Arc<str>, i32), usize>,
    /// Partitions whose wishes the driver has not seen yet, each once.
    dirty: Vec<usize>,
    fetched: VecDeque<Fetched>,
    errors: VecDeque<Error>,
    waker: Option<Waker>,
    closed: bool,
    ended: bool,
}

struct Part {
    topic: Arc<str>,
    partition: i32,
    /// The offset of the next record that `next()` hands out; `None` until it is known.
    position: Option<i64>,
    /// Counted up by every seek: what was asked for before is dropped when it comes (trap 82).
    generation: u32,
    /// Where the last seek goes, for the driver.
    target: StartAt,
    paused: bool,
    dirty: bool,
}

/// What the driver must do about a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) part: usize,
    pub(crate) generation: u32,
    pub(crate) target: StartAt,
    pub(crate) paused: bool,
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
}

/// Errors that wait to be told; more of them would say the same again.
const ERRORS_MAX: usize = 64;

impl ConsumerShared {
    pub(crate) fn new(client: Arc<Shared>, config: ConsumerConfig, subscription: Subscription) -> Arc<Self> {
        Arc::new(ConsumerShared { client, config, subscription, state: Lock::new(State::default()) })
    }

    /// The next records, whose position moves as they are handed out; `None` after the consumer was closed.
    pub(crate) fn poll_next(&self, waker: &Waker) -> Poll<Result<Option<Records>, Error>> {
        loop {
            // The waker is made before the lock, and whatever is let go of is dropped after it.
            let mut waker = Some(waker.clone());
            let (taken, stale) = self.take(&mut waker);
            drop((stale, waker));
            let (part, fetched) = match taken {
                Taken::Records(part, fetched) => (part, fetched),
                Taken::Error(error) => return Poll::Ready(Err(error)),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::Nothing => return Poll::Pending,
            };
            let (before, generation) = (fetched.start, part.2);
            let unchecked = Unchecked {
                topic: Arc::clone(&part.0),
                partition: part.1,
                bytes: fetched.bytes,
                start: fetched.start,
                next_offset: fetched.next_offset,
                high_watermark: fetched.high_watermark,
            };
            match Records::check(unchecked) {
                Ok(records) if records.is_empty() => continue,
                Ok(records) => return Poll::Ready(Ok(Some(records))),
                Err(error) => {
                    self.refetch(fetched.part, generation, before);
                    let (topic, partition) = (String::from(&*part.0), part.1);
                    let fault = PeerFault::Batch { topic, partition, offset: before, error };
                    return Poll::Ready(Err(Error::Peer { address: "fetched records".into(), fault }));
                }
            }
        }
    }

    /// Takes the first piece that may be handed out; if there is none, leaves the waker for the driver. Pieces of before a seek are taken out too, to be dropped outside
    /// the lock.
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
                part.position = Some(first.next_offset);
                let named = (Arc::clone(&part.topic), part.partition, part.generation);
                if let Some(fetched) = state.fetched.remove(at) {
                    return (Taken::Records(named, fetched), stale);
                }
            }
        }
        if state.closed || state.ended {
            return (Taken::End, stale);
        }
        core::mem::swap(&mut state.waker, waker);
        (Taken::Nothing, stale)
    }

    /// What came was damaged: it is asked for again from where it began, unless a seek came in between.
    fn refetch(&self, part: usize, generation: u32, from: i64) {
        {
            let mut state = self.state.lock();
            let Some(p) = state.parts.get_mut(part).filter(|p| p.generation == generation) else { return };
            p.generation = p.generation.wrapping_add(1);
            p.position = Some(from);
            p.target = StartAt::Offset(from);
            mark(&mut state, part);
        }
        self.client.kick.wake();
    }

    pub(crate) fn seek(&self, topic: &str, partition: i32, to: StartAt) -> Result<(), Error> {
        self.wish(topic, partition, |part| {
            part.generation = part.generation.wrapping_add(1);
            part.target = to;
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
            let at = state.by_name.get(&(topic.into(), partition)).copied();
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
        let at = *state.by_name.get(&(topic.into(), partition))?;
        state.parts[at].position
    }

    pub(crate) fn assignment(&self) -> Vec<(Arc<str>, i32)> {
        self.state.lock().by_name.keys().cloned().collect()
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

    /// The driver adds a partition; answers its number.
    pub(super) fn add(&self, topic: &Arc<str>, partition: i32, from: StartAt) -> Option<usize> {
        let mut state = self.state.lock();
        let key = (Arc::clone(topic), partition);
        if state.by_name.contains_key(&key) {
            return None;
        }
        let at = state.parts.len();
        let position = match from {
            StartAt::Offset(offset) => Some(offset),
            _ => None,
        };
        let topic = Arc::clone(topic);
        state.parts.push(Part { topic, partition, position, generation: 0, target: from, paused: false, dirty: false });
        state.by_name.insert(key, at);
        Some(at)
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
                Wish { part: at, generation: part.generation, target: part.target, paused: part.paused }
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
    Records((Arc<str>, i32, u32), Fetched),
    Error(Error),
    End,
    Nothing,
}

fn mark(state: &mut State, part: usize) {
    if !core::mem::replace(&mut state.parts[part].dirty, true) {
        state.dirty.push(part);
    }
}
