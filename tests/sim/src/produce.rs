//! Applications that produce.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use klamm::{Acks, Error, Producer, Ticket};

use crate::ledger::{Content, Ctx, Entry, Outcome};
use crate::plan::{ProducerPlan, TopicPlan};
use crate::rng::Rng;
use crate::sim::{op, sleep};
use crate::transport::Shared;

/// One task of one producer.
pub(crate) struct Writer {
    pub(crate) ctx: Rc<Ctx>,
    pub(crate) number: usize,
    pub(crate) plan: ProducerPlan,
    pub(crate) topics: Rc<Vec<TopicPlan>>,
    pub(crate) producer: Producer,
    pub(crate) rng: Rng,
    /// Records that are accepted and not settled.
    pub(crate) open: Vec<(usize, Ticket)>,
}

impl Writer {
    pub(crate) async fn run(mut self) {
        for _ in 0..self.plan.records {
            let entry = self.draw();
            match self.rng.below(100) {
                0..12 => self.send(entry).await,
                12..16 => self.send_and_drop(entry).await,
                16..70 => self.enqueue(entry).await,
                70..74 => self.enqueue_and_drop(entry).await,
                _ => self.try_enqueue(entry).await,
            }
            if self.rng.chance(200) {
                self.flush().await;
            }
            if self.rng.chance(1_000) && !self.open.is_empty() {
                let at = self.rng.index(self.open.len());
                let (entry, ticket) = self.open.swap_remove(at);
                self.wait(entry, ticket).await;
            }
            self.pause().await;
        }
        self.end().await;
    }

    async fn end(mut self) {
        let close = self.rng.chance(3_000);
        if !close && self.rng.chance(5_000) {
            self.flush().await;
        }
        while !self.open.is_empty() {
            let at = self.rng.index(self.open.len());
            let (entry, ticket) = self.open.swap_remove(at);
            if self.rng.chance(1_000) {
                self.ctx.settle(entry, Outcome::Dropped);
            } else {
                self.wait(entry, ticket).await;
            }
        }
        // Others may still use the producer, and get an error that they must take.
        if close && self.plan.tasks == 1 {
            let closed = op(&self.ctx.world, self.producer.close()).await;
            if let Err(error) = closed {
                self.ctx.wrong(format!("close failed: {error}"));
            }
        }
        self.ctx.ledger.borrow_mut().producing -= 1;
    }

    fn draw(&mut self) -> usize {
        let topic = self.rng.index(self.topics.len());
        let explicit = self.rng.chance(3_000).then(|| self.rng.below(self.topics[topic].partitions as u64) as i32);
        let number = self.ctx.ledger.borrow().entries.len() as u64;
        // Now and then one that cannot be taken at all.
        let large = self.rng.chance(100) && !self.plan.modest;
        let max = if large { self.plan.config.batch_bytes * 2 } else { self.plan.value_max };
        let content = Content::new(&mut self.rng, number, max, self.plan.bits);
        let timestamp_ms = self.rng.chance(1_000).then(|| self.rng.below(1 << 40) as i64);
        self.ctx.enter(Entry {
            producer: self.number,
            topic,
            explicit,
            timestamp_ms,
            content,
            accepted: None,
            outcome: Outcome::Open,
        })
    }

    /// The content and the topic of an entry, to make its record of.
    fn parts(&self, entry: usize) -> (Entry, String) {
        let entry = self.ctx.ledger.borrow().entries[entry].clone();
        let topic = self.topics[entry.topic].name.clone();
        (entry, topic)
    }

    async fn send(&mut self, number: usize) {
        let (entry, topic) = self.parts(number);
        let from = self.ctx.moment();
        let result = op(&self.ctx.world, self.producer.send(record(&entry, &topic))).await;
        let to = self.ctx.moment();
        self.told(number, from, to, result);
    }

    fn told(&self, number: usize, from: u64, to: u64, result: Result<klamm::RecordMetadata, Error>) {
        match result {
            Err(error) if is_refusal(&error) => self.refused(number, error),
            result => {
                self.ctx.accepted(number, from, to);
                self.failed(result.as_ref().err());
                self.ctx.told(number, result);
            }
        }
    }

    async fn send_and_drop(&mut self, number: usize) {
        let (entry, topic) = self.parts(number);
        let from = self.ctx.moment();
        let span = Duration::from_millis(self.rng.pick(&[0, 0, 1, 20]));
        let sent = give_up_after(&self.ctx.world, span, self.producer.send(record(&entry, &topic))).await;
        let to = self.ctx.moment();
        match sent {
            Some(result) => self.told(number, from, to, result),
            None => self.ctx.settle(number, Outcome::Dropped),
        }
    }

    async fn enqueue(&mut self, number: usize) {
        let (entry, topic) = self.parts(number);
        let result = op(&self.ctx.world, self.producer.enqueue(record(&entry, &topic))).await;
        self.taken(number, result.map_err(klamm::Refused::into_error));
    }

    async fn enqueue_and_drop(&mut self, number: usize) {
        let (entry, topic) = self.parts(number);
        let span = Duration::from_millis(self.rng.pick(&[0, 0, 1, 20]));
        let result = give_up_after(&self.ctx.world, span, self.producer.enqueue(record(&entry, &topic))).await;
        match result {
            Some(result) => self.taken(number, result.map_err(klamm::Refused::into_error)),
            // Dropped before it was ready: it was not taken.
            None => self.ctx.settle(number, Outcome::Cancelled),
        }
    }

    async fn try_enqueue(&mut self, number: usize) {
        let (entry, topic) = self.parts(number);
        for _ in 0..20 {
            match self.producer.try_enqueue(record(&entry, &topic)) {
                Ok(ticket) => return self.taken(number, Ok(ticket)),
                Err(refused) if !refused.error().is_retriable() => {
                    return self.taken(number, Err(refused.into_error()));
                }
                Err(_) => {
                    let nap = Duration::from_millis(self.rng.range(1, 50));
                    sleep(&self.ctx.world, nap).await;
                }
            }
        }
        self.ctx.settle(number, Outcome::Cancelled);
    }

    fn taken(&mut self, number: usize, result: Result<Ticket, Error>) {
        match result {
            Ok(ticket) => {
                let moment = self.ctx.moment();
                self.ctx.accepted(number, moment, moment);
                if self.rng.chance(300) {
                    return self.ctx.settle(number, Outcome::Dropped);
                }
                self.open.push((number, ticket));
            }
            Err(error) => self.refused(number, error),
        }
    }

    fn refused(&self, number: usize, error: Error) {
        let allowed = match &error {
            Error::TooLarge { .. } => true,
            Error::TimedOut { knob: "max_block_ms", .. } => !self.plan.patient,
            _ => false,
        };
        if !allowed {
            self.ctx.wrong(format!("record {number} was refused: {error}"));
        }
        self.ctx.settle(number, Outcome::Refused(error));
    }

    async fn wait(&self, number: usize, ticket: Ticket) {
        let result = op(&self.ctx.world, ticket).await;
        self.failed(result.as_ref().err());
        self.ctx.told(number, result);
    }

    /// Whether this failure may be.
    fn failed(&self, error: Option<&Error>) {
        let Some(error) = error else { return };
        let allowed = match error {
            Error::TimedOut { knob: "delivery_timeout_ms", .. } => !self.plan.patient,
            _ => false,
        };
        if !allowed && self.plan.config.acks != Acks::None {
            self.ctx.wrong(format!("producer {}: a record failed: {error}", self.number));
        }
    }

    async fn flush(&mut self) {
        let before = self.open.len();
        if let Err(error) = op(&self.ctx.world, self.producer.flush()).await {
            self.ctx.wrong(format!("flush failed: {error}"));
        }
        let open = self.open[..before].iter().filter(|(_, ticket)| ticket.outcome().is_none()).count();
        if open > 0 {
            self.ctx.wrong(format!("{open} of {before} tickets are open after a flush"));
        }
    }

    async fn pause(&mut self) {
        if self.plan.pace > 0 && self.rng.chance(7_000) {
            let nap = Duration::from_nanos(self.rng.below(self.plan.pace));
            sleep(&self.ctx.world, nap).await;
        }
    }
}

/// Whether a record that failed with this was never accepted.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::TimedOut { knob, .. } => *knob == "max_block_ms",
        Error::TooLarge { .. } | Error::Config { .. } | Error::Budget { .. } => true,
        _ => false,
    }
}

fn record<'a>(entry: &'a Entry, topic: &'a str) -> klamm::Record<'a> {
    let mut record = entry.content.record(topic);
    if let Some(partition) = entry.explicit {
        record = record.partition(partition);
    }
    if let Some(timestamp_ms) = entry.timestamp_ms {
        record = record.timestamp_ms(timestamp_ms);
    }
    record
}

/// What the future answers, or `None` when it was not ready within so much time. None: it is polled once.
async fn give_up_after<T>(world: &Shared, span: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(op(world, future));
    let mut nap = pin!(sleep(world, span));
    core::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => nap.as_mut().poll(cx).map(|()| None),
    })
    .await
}
