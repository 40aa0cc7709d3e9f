//! Applications that consume, and look at every record.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use klamm::{Consumer, Error, Records, StartAt};

use crate::ledger::{Ctx, Given, digest_owned};
use crate::plan::{ConsumerPlan, TopicPlan};
use crate::rng::Rng;
use crate::sim::sleep;

/// One consumer.
pub(crate) struct Reader {
    pub(crate) ctx: Rc<Ctx>,
    pub(crate) number: usize,
    pub(crate) plan: ConsumerPlan,
    pub(crate) topics: Rc<Vec<TopicPlan>>,
    pub(crate) consumer: Consumer,
    pub(crate) rng: Rng,
    /// Records that the application has not let go of.
    pub(crate) kept: VecDeque<Records>,
    /// Partitions that are paused, and for how many turns.
    pub(crate) paused: BTreeMap<(usize, i32), u32>,
    pub(crate) seeks_left: u32,
}

impl Reader {
    pub(crate) async fn run(mut self) {
        while !self.ctx.ledger.borrow().stop {
            match self.next_or_nap().await {
                Some(Ok(Some(records))) => self.look(records),
                Some(Ok(None)) => return self.ctx.wrong(format!("consumer {} has ended", self.number)),
                Some(Err(error)) => self.failed(&error),
                // Nothing for a while: let go of what is kept, so that there is room again.
                None => drop(self.kept.pop_front()),
            }
            if self.ctx.ledger.borrow().producing == 0 {
                self.kept.clear();
            }
            self.resume();
            if !self.ctx.ledger.borrow().stop {
                self.meddle();
            }
        }
    }

    /// The next records; `None` if there were none for a while.
    async fn next_or_nap(&mut self) -> Option<Result<Option<Records>, Error>> {
        let nap = sleep(&self.ctx.world, Duration::from_millis(100));
        let mut nap = pin!(nap);
        let mut next = pin!(self.consumer.next());
        core::future::poll_fn(|cx| {
            if let Poll::Ready(records) = next.as_mut().poll(cx) {
                self.ctx.world.lock().activity += 1;
                return Poll::Ready(Some(records));
            }
            nap.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    fn look(&mut self, records: Records) {
        let Some(topic) = self.topics.iter().position(|t| t.name == records.topic()) else {
            return self.ctx.wrong(format!("consumer {} got {}", self.number, records.topic()));
        };
        let partition = records.partition();
        let place = format!("consumer {}: {}-{partition}", self.number, records.topic());
        if self.paused.contains_key(&(topic, partition)) {
            self.ctx.wrong(format!("{place} is paused and gave records"));
        }
        let key = (self.number, topic, partition);
        let mut next = self.ctx.ledger.borrow().positions.get(&key).copied().unwrap_or(0);
        let all = records.to_owned();
        if all.is_empty() || all.len() != records.len() {
            self.ctx.wrong(format!("{place}: {} records, and len() is {}", all.len(), records.len()));
        }
        for record in all {
            if record.offset != next {
                self.ctx.wrong(format!("{place}: offset {} came, {next} was due", record.offset));
            }
            next = record.offset + 1;
            let given = Given { topic, partition, offset: record.offset, digest: digest_owned(record) };
            self.ctx.ledger.borrow_mut().given[self.number].push(given);
        }
        if records.next_offset() != next || self.consumer.position(records.topic(), partition) != Some(next) {
            self.ctx.wrong(format!("{place}: the position after {next} is wrong"));
        }
        {
            let mut world = self.ctx.world.lock();
            let now = world.now();
            world.trace.note(now, format_args!("{place} up to {next}"));
        }
        self.ctx.ledger.borrow_mut().positions.insert(key, next);
        if self.plan.keeps > 0 {
            self.kept.push_back(records);
            if self.kept.len() > self.plan.keeps {
                self.kept.pop_front();
            }
        }
    }

    fn failed(&self, error: &Error) {
        self.ctx.wrong(format!("consumer {}: {error}", self.number));
    }

    fn resume(&mut self) {
        let producing = self.ctx.ledger.borrow().producing > 0;
        let over: Vec<(usize, i32)> =
            self.paused.iter_mut().filter_map(|(place, left)| (*left == 0 || !producing).then_some(*place)).collect();
        self.paused.values_mut().for_each(|left| *left = left.saturating_sub(1));
        for (topic, partition) in over {
            self.paused.remove(&(topic, partition));
            if let Err(error) = self.consumer.resume(&self.topics[topic].name, partition) {
                self.failed(&error);
            }
        }
    }

    /// Seeks or pauses, now and then.
    fn meddle(&mut self) {
        let number = self.number;
        let known: Vec<((usize, i32), i64)> = {
            let ledger = self.ctx.ledger.borrow();
            let mine = ledger.positions.iter().filter(|((reader, ..), _)| *reader == number);
            mine.map(|((_, topic, partition), next)| ((*topic, *partition), *next)).collect()
        };
        if known.is_empty() {
            return;
        }
        let ((topic, partition), next) = self.rng.pick(&known);
        let name = self.topics[topic].name.clone();
        if self.plan.pauses && self.rng.chance(1_000) && self.ctx.ledger.borrow().producing > 0 {
            self.paused.insert((topic, partition), self.rng.range(1, 8) as u32);
            if let Err(error) = self.consumer.pause(&name, partition) {
                self.failed(&error);
            }
        }
        if self.plan.seeks && self.seeks_left > 0 && self.rng.chance(500) {
            self.seeks_left -= 1;
            let (to, at) = match self.rng.below(3) {
                0 => (StartAt::Earliest, 0),
                _ => {
                    let offset = self.rng.below(next as u64 + 1) as i64;
                    (StartAt::Offset(offset), offset)
                }
            };
            if let Err(error) = self.consumer.seek(&name, partition, to) {
                self.failed(&error);
            }
            let mut ledger = self.ctx.ledger.borrow_mut();
            ledger.positions.insert((self.number, topic, partition), at);
        }
    }
}
