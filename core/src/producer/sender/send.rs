//! Produce requests: which batches go, and how they are put together.

use alloc::{boxed::Box, vec::Vec};

use super::{Produced, Sender, tell_failed};
use crate::{
    Error, Instant,
    cluster::{Cluster, Sending, TopicIndex},
    compress::Codec,
    config::Acks,
    event::{Event, TopicPartition},
    link::{Body, LinkId, Use},
    machine::Context,
    producer::{
        batch::Batch,
        shared::Place,
        stamp::{Next, Stamp},
    },
    sync::Arc,
    wire::{
        Uuid,
        api::PRODUCE,
        produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData},
    },
};

/// The newest version that names topics; later ones carry topic ids (KIP-516).
const NAMES_TOPICS: i16 = 12;

/// A batch picked for a request; it is the last of its partition's in flight.
struct Picked {
    place: Place,
    index: TopicIndex,
    len: usize,
    codec: Codec,
}

/// Lists of a request, kept for their memory.
#[derive(Default)]
pub(super) struct Lists {
    picked: Vec<Picked>,
    partitions: Vec<PartitionProduceData>,
    topics: Vec<TopicProduceData<'static>>,
}

/// The memory of a list whose elements nobody needs any more, for elements that borrow from something else: collecting
/// from a vector stays in its place.
fn reused<'a>(mut list: Vec<TopicProduceData<'_>>) -> Vec<TopicProduceData<'a>> {
    list.clear();
    list.into_iter().map_while(|_| None).collect()
}

/// The first version of Produce that may carry a codec (KIP-110).
fn least_version(codec: Codec) -> i16 {
    if codec == Codec::Zstd { 7 } else { 0 }
}

impl Sender {
    /// Sends what can be sent: as many partitions a request as fit, each broker at its own pace. Whether there was
    /// anything.
    pub(super) fn send(&mut self, now: Instant, cluster: &mut Cluster) -> bool {
        let mut any = false;
        let mut nodes = core::mem::take(&mut self.nodes);
        nodes.clear();
        let in_flight_max = self.in_flight_max();
        let places = self.places();
        for &place in &places {
            let leader = self.leader(cluster, place);
            let Some(queue) = self.queue(place) else { continue };
            if queue.queue.is_empty() {
                continue;
            }
            let (may_send, retry_at) = (queue.may_send(now, in_flight_max), queue.retry_at);
            if retry_at > now {
                self.next = self.next.min(retry_at);
            } else if leader < 0 {
                self.hopeless(place, cluster);
            } else if may_send && !nodes.contains(&leader) {
                nodes.push(leader);
            }
        }
        self.places = places;
        for &node in &nodes {
            while let Some(link) = cluster.ready_link(now, node, Use::Produce, self.shared.config.max_in_flight) {
                if !self.send_request(now, cluster, link, node) {
                    break;
                }
                any = true;
            }
        }
        self.nodes = nodes;
        any
    }

    /// A partition that nobody leads, or whose topic is gone: metadata may know more soon, unless the topic can never
    /// be used.
    fn hopeless(&mut self, place: Place, cluster: &mut Cluster) {
        cluster.refresh_metadata();
        let Some(topic) = self.topics.get_mut(place.topic as usize) else { return };
        let why = match &topic.index {
            Err(error) => Some(error.clone()),
            Ok(index) => cluster.topic_error(*index),
        };
        if let (Some(error), Some(queue)) = (why, topic.queues.get_mut(place.partition as usize))
            && let Some(first) = queue.queue.front_mut()
        {
            first.because = Some(error);
        }
    }

    /// One request to a broker; `false` if there was nothing to send.
    fn send_request(&mut self, now: Instant, cluster: &mut Cluster, link: LinkId, node: i32) -> bool {
        let mut lists = core::mem::take(&mut self.lists);
        self.requests += 1;
        self.pick(cluster, now, node, &mut lists.picked);
        let picked = &mut lists.picked;
        let any = !picked.is_empty();
        let known_by_id = picked.iter().all(|p| cluster.topic(p.index).is_some_and(|t| !t.id.is_zero()));
        // Trap 13: a broker that advertises topic ids may not have given any.
        let cap = if known_by_id { PRODUCE.max } else { NAMES_TOPICS };
        match cluster.version(link, PRODUCE, cap) {
            _ if !any => {}
            Ok(version) => {
                let refused: Vec<_> = picked.extract_if(.., |p| version < least_version(p.codec)).collect();
                self.refuse_codec(now, cluster, link, &refused);
                if let Err(error) = self.send_picked(now, cluster, link, version, &mut lists) {
                    self.fail_in_flight(now, cluster, &lists.picked, &error);
                }
            }
            Err(error) => self.fail_in_flight(now, cluster, picked, &error),
        }
        self.lists = lists;
        any
    }

    /// Batches in a codec that the broker's versions of Produce do not know (trap 35).
    fn refuse_codec(&mut self, now: Instant, cluster: &mut Cluster, link: LinkId, refused: &[Picked]) {
        if let Some(first) = refused.first() {
            let error = cluster.codec_too_new(link, PRODUCE, least_version(first.codec), first.codec);
            self.fail_in_flight(now, cluster, refused, &error);
        }
    }

    /// Takes batches for a broker out of their queues, one a partition, beginning where the last request ended.
    fn pick(&mut self, cluster: &Cluster, now: Instant, node: i32, picked: &mut Vec<Picked>) {
        picked.clear();
        let in_flight_max = self.in_flight_max();
        let from = self.rotations.get(&node).copied();
        let mut places = self.places();
        let sooner = from.map_or(0, |from| places.partition_point(|p| *p <= from));
        places.rotate_left(sooner);
        let (mut bytes, mut left_out, mut last) = (0, false, from);
        for &place in &places {
            let Some(topic) = self.topics.get_mut(place.topic as usize) else { continue };
            let Ok(index) = topic.index else { continue };
            if cluster.leader(index, place.partition).node != node {
                continue;
            }
            let Some(queue) = topic.queues.get_mut(place.partition as usize) else { continue };
            if !queue.may_send(now, in_flight_max) {
                continue;
            }
            let unresolved = queue.has_stamped();
            let Some(first) = queue.queue.front_mut() else { continue };
            let len = first.wire_len();
            if !picked.is_empty() && bytes + len > self.shared.config.request_bytes {
                left_out = true;
                continue;
            }
            if first.stamp.is_none() {
                let before = self.identification.known();
                match queue.sequence.next(&mut self.identification, first.left(), unresolved) {
                    Next::Stamp(stamp) => {
                        queue.stamped += 1;
                        first.ordinal = queue.stamped;
                        first.stamp(stamp);
                    }
                    Next::Wait => continue,
                }
                if let (Some(before), Some(after)) = (before, self.identification.known())
                    && before != after
                {
                    let place = TopicPartition::new(&topic.topic.name, place.partition);
                    let (producer_id, epoch) = (after.producer_id, after.epoch);
                    cluster.events.tell(|| Event::EpochRaised { place, producer_id, epoch });
                }
            }
            let Some(mut batch) = queue.queue.pop_front() else { continue };
            bytes += len;
            // The next request begins with who was left out first, or else smaller ones would leave it out again and again.
            if !left_out {
                last = Some(place);
            }
            batch.request = self.requests;
            picked.push(Picked { place, index, len, codec: batch.codec() });
            queue.in_flight.push_back(batch);
        }
        self.places = places;
        if let Some(last) = last {
            if self.rotations.len() >= cluster.config.max_brokers && from.is_none() {
                // Of brokers that were there once: it is no matter where they would begin.
                self.rotations.clear();
            }
            self.rotations.insert(node, last);
        }
        // In order of their places again, so that those of a topic stand together.
        let beyond = picked.iter().take_while(|p| from.is_some_and(|from| p.place > from)).count();
        picked.rotate_left(beyond);
    }

    fn send_picked(
        &self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        lists: &mut Lists,
    ) -> Result<(), Error> {
        let Lists { picked, partitions, topics: kept } = lists;
        if picked.is_empty() {
            return Ok(());
        }
        partitions.clear();
        partitions.extend(picked.iter().map(|p| {
            let index = i32::try_from(p.place.partition).unwrap_or(i32::MAX);
            PartitionProduceData { index, records: Some(p.len) }
        }));
        let mut topics = reused(core::mem::take(kept));
        let mut rest: &[PartitionProduceData] = partitions;
        for of_topic in picked.chunk_by(|a, b| a.place.topic == b.place.topic) {
            let Some(first) = of_topic.first() else { continue };
            let name = self.topics.get(first.place.topic as usize).map_or("", |t| &t.topic.name);
            let topic_id = cluster.topic(first.index).map_or(Uuid::ZERO, |t| t.id);
            let (partition_data, others) = rest.split_at(of_topic.len());
            topics.push(TopicProduceData { name, topic_id, partition_data });
            rest = others;
        }
        let acks = self.shared.config.acks;
        let ack_timeout_ms = self.shared.config.ack_timeout_ms.unwrap_or(cluster.config.request_timeout_ms);
        let body = ProduceRequest {
            transactional_id: None,
            acks: acks.wire(),
            timeout_ms: i32::try_from(ack_timeout_ms).unwrap_or(i32::MAX),
            topic_data: &topics,
        };
        let mut bodies = picked.iter().filter_map(|p| {
            let topic = self.topics.get(p.place.topic as usize)?;
            let batch = topic.queues.get(p.place.partition as usize)?.in_flight.back()?;
            Some(Body { header: batch.header(), batch: Arc::clone(batch.body()) })
        });
        let context = Context::Produce(Produced { slot: self.slot, request: self.requests });
        let sending = Sending { answered: acks != Acks::None, ..cluster.plain(now, version, context) };
        cluster.send_with(link, &body, &mut bodies, sending)?;
        *kept = reused(topics);
        Ok(())
    }

    /// Batches that cannot be put on the wire at all. One that an earlier try may have written is not given up for that:
    /// only a broker's word or the delivery timeout settles it.
    fn fail_in_flight(&mut self, now: Instant, cluster: &mut Cluster, picked: &[Picked], error: &Error) {
        let request = self.requests;
        for &Picked { place, .. } in picked {
            let Some(queue) = self.queue(place) else { continue };
            let Some(mut batch) = queue.settle_of(request) else { continue };
            if batch.unsure {
                batch.because = Some(error.clone());
                self.retry(now, cluster, place, batch, false);
                self.next = now;
                continue;
            }
            self.give_up(cluster, place, batch, error.clone());
        }
    }

    /// A batch that is not sent again, though it may be in the log.
    pub(super) fn give_up(&mut self, cluster: &Cluster, place: Place, batch: Box<Batch>, error: Error) {
        let topic = self.topic_name(place);
        if let Some(queue) = self.queue(place)
            && batch.stamp != Some(Stamp::NONE)
        {
            // Its numbers may be used or not: the next batch must not count on either (trap 49).
            queue.sequence.break_off();
        }
        tell_failed(cluster, TopicPartition::new(&topic, place.partition), &batch, batch.left(), &error);
        let number = batch.number;
        batch.fail(error);
        self.flushes.settled(number);
    }
}
