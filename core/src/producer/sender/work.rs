//! What is done to batches before they can be sent, outside all locks: compressing them, and splitting those that were too
//! large.

use alloc::{boxed::Box, vec::Vec};

use super::{Sender, delivery_to};
use crate::{
    Error, ErrorCode, Instant,
    budget::{Class, STARVED_AGAIN},
    cluster::Cluster,
    producer::{
        batch::{Batch, Work},
        outcome::Failed,
        shared::Place,
        split::{Splitter, Whole},
    },
};

/// Bytes of records that are worked on in one turn, if it is more than one batch: then connections get theirs. A batch of
/// 1 MB takes milliseconds.
const WORK_A_TURN: usize = 256 << 10;

impl Sender {
    /// Something must be done to a batch before anything of its partition is sent again.
    pub(super) fn work_later(&mut self, place: Place, batch: Box<Batch>) {
        self.work.push_front((place, batch.number));
        if let Some(queue) = self.queue(place) {
            queue.retry(batch);
        }
    }

    /// Does what is to be done, the oldest first, so that a partition's batches stay in their order.
    pub(super) fn work(&mut self, now: Instant, cluster: &Cluster) {
        let mut done = 0;
        let mut waiting: Vec<(Place, u64)> = Vec::new();
        while let Some((place, number)) = self.work.front().copied() {
            if done >= WORK_A_TURN {
                self.next = now;
                break;
            }
            self.work.pop_front();
            match self.work_on(now, place, number) {
                Ok(bytes) => done += bytes,
                Err(Whole::Wait) => waiting.push((place, number)),
                Err(whole) => {
                    self.cannot_split(cluster, place, number, &whole);
                    // What is behind it may be sealed or sent now.
                    self.next = now;
                }
            }
        }
        self.split_wants = 0;
        if let Some((place, number)) = waiting.first().copied() {
            let batch = self.queue(place).and_then(|q| q.queue.iter().find(|b| b.number == number));
            self.split_wants = batch.map_or(0, |b| b.body().len());
            if self.split_at <= now {
                self.split_at = now.after(STARVED_AGAIN);
            }
            self.next = self.next.min(self.split_at);
        }
        while let Some(again) = waiting.pop() {
            self.work.push_front(again);
        }
    }

    /// Answers how many bytes were worked on.
    fn work_on(&mut self, now: Instant, place: Place, number: u64) -> Result<usize, Whole> {
        let Sender { shared, packer, topics, split_at, .. } = self;
        let queue = topics.get_mut(place.topic as usize).and_then(|t| t.queues.get_mut(place.partition as usize));
        // One whose time was over before its turn came is gone.
        let Some(batch) = queue.and_then(|q| q.queue.iter_mut().find(|b| b.number == number)) else { return Ok(0) };
        let bytes = batch.body().len();
        match batch.work {
            Work::None => return Ok(0),
            Work::Compress => batch.pack(packer),
            Work::Split if *split_at > now && !batch.is_laid_out() => return Err(Whole::Wait),
            Work::Split => {
                let (budget, codecs) = (&shared.client.budget, shared.client.config.codecs_or_own());
                batch.split(&mut Splitter { budget, codecs: &codecs, packer })?;
            }
        }
        Ok(bytes)
    }

    /// A batch that is too large for the broker, and that there is no way to make smaller here.
    fn cannot_split(&mut self, cluster: &Cluster, place: Place, number: u64, why: &Whole) {
        let name = delivery_to(&self.topic_name(place), place);
        let Some(queue) = self.queue(place) else { return };
        let Some(at) = queue.queue.iter().position(|b| b.number == number) else { return };
        let Some(mut batch) = queue.queue.remove(at) else { return };
        batch.work = Work::None;
        let knob = Class::Inflate.knob();
        let hint = match why {
            Whole::Never { needed, limit } => alloc::format!(
                "larger than the topic takes (max.message.bytes), and to split it takes {needed} bytes of {knob}, which has {limit} \
                 for it: lower batch_bytes, or raise one of the two"
            ),
            _ => "larger than the topic takes (max.message.bytes); lower batch_bytes or raise that".into(),
        };
        let code = match &batch.because {
            Some(Error::Broker { code, .. }) => *code,
            _ => ErrorCode::MESSAGE_TOO_LARGE,
        };
        let error = Error::broker(code, name, Some(&hint));
        self.refuse(cluster, place, batch, Failed { error, records: Vec::new() });
    }
}
