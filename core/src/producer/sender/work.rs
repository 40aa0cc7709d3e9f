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
        job::{Job, Packing},
        outcome::Failed,
        shared::Place,
        split::{Splitter, Whole},
    },
    sync::Arc,
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
    pub(super) fn work(&mut self, now: Instant, cluster: &mut Cluster) {
        let mut done = 0;
        let mut waiting: Vec<(Place, u64)> = Vec::new();
        while let Some((place, number)) = self.work.front().copied() {
            if done >= WORK_A_TURN {
                self.next = now;
                break;
            }
            if self.packers.is_empty() {
                // The next job that is done makes another turn.
                break;
            }
            self.work.pop_front();
            match self.work_on(now, cluster, place, number) {
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

    /// Answers how many bytes were worked on here.
    fn work_on(&mut self, now: Instant, cluster: &mut Cluster, place: Place, number: u64) -> Result<usize, Whole> {
        let Sender { shared, packers, topics, split_at, slot, .. } = self;
        let queue = topics.get_mut(place.topic as usize).and_then(|t| t.queues.get_mut(place.partition as usize));
        // One whose time was over before its turn came is gone.
        let Some(batch) = queue.and_then(|q| q.queue.iter_mut().find(|b| b.number == number)) else { return Ok(0) };
        let bytes = batch.body().len();
        match batch.work {
            Work::None | Work::UnderWay => return Ok(0),
            Work::Compress => {
                let Some(packer) = packers.pop() else { return Err(Whole::Wait) };
                batch.work = Work::UnderWay;
                let (slot, body) = (*slot, Arc::clone(batch.body()));
                let mut job = Job::new(Packing { slot, place, number, packer, body, packed: None });
                if shared.config.compression_jobs > 0 {
                    cluster.submit(job);
                    return Ok(0);
                }
                job.run();
                self.on_packed(job);
            }
            Work::Split if *split_at > now && !batch.is_laid_out() => return Err(Whole::Wait),
            Work::Split => {
                let Some(packer) = packers.last_mut() else { return Err(Whole::Wait) };
                let (budget, codecs) = (&shared.client.budget, shared.client.config.codecs_or_own());
                batch.split(&mut Splitter { budget, codecs: &codecs, packer })?;
            }
        }
        Ok(bytes)
    }

    /// A job is done.
    pub(crate) fn on_packed(&mut self, job: Job) {
        let Packing { place, number, mut packer, body, packed, .. } = job.into_packing();
        drop(body);
        let batch = self.queue(place).and_then(|q| q.queue.iter_mut().find(|b| b.number == number));
        match (batch.filter(|batch| batch.work == Work::UnderWay), packed) {
            (Some(batch), packed) => {
                batch.work = Work::None;
                if let Some(chunks) = packed {
                    batch.pack(chunks, &mut packer);
                }
            }
            // Its time was over meanwhile.
            (None, Some(mut chunks)) => packer.refill(&mut chunks),
            (None, None) => {}
        }
        self.packers.push(packer);
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
        let error = Error::broker(code, name, Some(&hint)).with_fate(batch.fate());
        self.refuse(cluster, place, batch, Failed { error, records: Vec::new() });
    }
}
