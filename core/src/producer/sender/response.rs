//! What a broker says of each batch, and what follows from it.

use alloc::{boxed::Box, string::String};
use core::time::Duration;

use super::{Sender, delivery_to, tell_failed};
use crate::{
    Error, Instant, UnknownTopic,
    cluster::{Cluster, is_stale_metadata},
    code::ErrorCode,
    event::{Cause, Event, TopicPartition},
    link::LinkId,
    producer::{batch::Batch, outcome::Failed, shared::Place},
    wire::{
        Decode, Reader,
        api::PRODUCE,
        produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
    },
};

/// A produce request: whose it is, and its number, which each batch that is in flight with it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Produced {
    pub(crate) slot: usize,
    pub(super) request: u64,
}

impl Sender {
    /// The answer to a request.
    pub(crate) fn on_produced(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        produced: Produced,
        mut body: Reader<'_>,
    ) {
        let response = match ProduceResponse::decode(&mut body, version) {
            Ok(response) => response,
            Err(error) => {
                let fault = crate::error::PeerFault::Malformed { api: PRODUCE.name, error };
                cluster.on_fault(now, link, fault);
                return self.on_produce_lost(now, cluster, produced, true);
            }
        };
        cluster.throttle(now, link, response.throttle_time_ms);
        for node in response.node_endpoints.iter().take(cluster.config.max_brokers) {
            cluster.hint_broker(now, node.node_id, node.host, node.port);
        }
        for topic in response.responses.iter() {
            let Some(local) = self.local_topic(cluster, &topic) else { continue };
            for answer in topic.partition_responses.iter() {
                let Ok(partition) = u32::try_from(answer.index) else { continue };
                self.on_answer(now, cluster, Place { topic: local, partition }, produced.request, &answer);
            }
        }
        // A partition that the answer leaves out is one whose fate nobody told.
        self.on_produce_lost(now, cluster, produced, true);
    }

    fn local_topic(&self, cluster: &Cluster, answer: &TopicProduceResponse<'_>) -> Option<u32> {
        let index = if answer.topic_id.is_zero() {
            cluster.topic_by_name(answer.name)
        } else {
            cluster.topic_by_id(answer.topic_id)
        }?;
        let at = self.topics.iter().position(|t| t.index == Ok(index))?;
        u32::try_from(at).ok()
    }

    fn on_answer(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        place: Place,
        request: u64,
        answer: &PartitionProduceResponse<'_>,
    ) {
        let topic = self.topic_name(place);
        let name = || delivery_to(&topic, place);
        let index = self.topics.get(place.topic as usize).and_then(|t| t.index.as_ref().ok().copied());
        let unknown = self.shared.config.unknown_topic;
        let Some(queue) = self.queue(place) else { return };
        let Some(mut batch) = queue.settle_of(request) else { return };
        let (number, first) = (batch.number, queue.is_first(batch.number));
        let code = ErrorCode(answer.error_code);
        match verdict(code, first, unknown) {
            Verdict::Done => {
                queue.failures = 0;
                queue.retry_at = Instant::ZERO;
                queue.sequence.confirm(number);
                let more = batch.acknowledge(answer.base_offset, answer.log_append_time_ms);
                return self.settled(place, batch, more);
            }
            // Only where an earlier try may have written it: a broker that has forgotten the producer takes what came behind a
            // batch that it refused, and that proves nothing.
            Verdict::Failed | Verdict::Restamp | Verdict::TooLarge if batch.unsure && queue.sequence.proves(number) => {
                let more = batch.acknowledge(-1, -1);
                return self.settled(place, batch, more);
            }
            Verdict::TooLarge if batch.count() > 1 && !batch.expired => {
                cluster.events.tell(|| Event::BatchSplit {
                    place: TopicPartition::new(&topic, place.partition),
                    records: batch.count(),
                    bytes: batch.wire_len(),
                });
                batch.because = Some(Error::broker(code, name(), answer.error_message));
                batch.halve_later();
                return self.work_later(place, batch);
            }
            Verdict::Restamp if !batch.doubtful => {
                batch.unstamp();
                queue.restart(number);
            }
            Verdict::Failed | Verdict::TooLarge | Verdict::Restamp => {
                let failed = failed(code, &name(), answer, &batch);
                return self.refuse(cluster, place, batch, failed);
            }
            Verdict::Retry { applied } => batch.unsure |= applied,
        }
        batch.because = Some(Error::broker(code, name(), answer.error_message));
        let hint = &answer.current_leader;
        let hinted = index.is_some_and(|i| cluster.hint_leader(i, place.partition, hint.leader_id, hint.leader_epoch));
        if is_stale_metadata(code) && !hinted {
            cluster.refresh_metadata();
        }
        self.retry(now, cluster, place, batch, hinted);
    }

    /// What was sent of a batch is settled. If it was only a part, the next one is first in its partition now.
    fn settled(&mut self, place: Place, batch: Box<Batch>, more: bool) {
        if more {
            return self.work_later(place, batch);
        }
        self.flushes.settled(batch.number);
        self.spares.reclaim(batch.into_body(), &mut self.packers);
    }

    /// What was sent of a batch is refused for good. The broker used none of its numbers, so what follows must not go on
    /// from them.
    pub(super) fn refuse(&mut self, cluster: &Cluster, place: Place, mut batch: Box<Batch>, failed: Failed) {
        let topic = self.topic_name(place);
        tell_failed(cluster, TopicPartition::new(&topic, place.partition), &batch, batch.count(), &failed.error);
        let more = batch.refuse(failed);
        let Some(queue) = self.queue(place) else { return };
        if more {
            batch.unstamp();
            queue.restart(batch.number);
        } else {
            queue.sequence.break_off();
        }
        self.settled(place, batch, more);
    }

    /// What a request carried and nobody answered for: its connection ended before the answer came, or that left it out.
    pub(crate) fn on_produce_lost(&mut self, now: Instant, cluster: &mut Cluster, produced: Produced, sent: bool) {
        let places = self.places();
        for &place in &places {
            let Some(mut batch) = self.queue(place).and_then(|q| q.settle_of(produced.request)) else { continue };
            let why = cluster.has_failures().then(|| cluster.unreachable());
            batch.unsure |= sent;
            batch.because = why.or(batch.because);
            self.retry(now, cluster, place, batch, false);
        }
        self.places = places;
    }

    /// The last byte of a request without an answer (acks 0) was taken by the network.
    pub(crate) fn on_sent(&mut self, produced: Produced) {
        let places = self.places();
        for &place in &places {
            let Some(mut batch) = self.queue(place).and_then(|q| q.settle_of(produced.request)) else { continue };
            let more = batch.acknowledge(-1, -1);
            self.settled(place, batch, more);
        }
        self.places = places;
    }

    /// Sends a batch again: at once if the broker told who leads now, else after a pause.
    pub(super) fn retry(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        place: Place,
        mut batch: Box<Batch>,
        at_once: bool,
    ) {
        let topic = self.topic_name(place);
        let retries = self.shared.config.retries;
        let Some(queue) = self.queue(place) else { return };
        if batch.expired {
            let number = batch.number;
            return self.flushes.settled(number);
        }
        if batch.retries >= retries {
            let because = batch.because.take().unwrap_or_else(|| cluster.unreachable());
            let error = because.after_tries(|| delivery_to(&topic, place), batch.fate());
            return self.give_up(cluster, place, batch, error);
        }
        batch.retries += 1;
        let failures = queue.failures;
        queue.failures = failures.saturating_add(1);
        if queue.follows_unstamped(batch.number) {
            // Then it is not in the log either, and must not hold the new sequence up.
            batch.unstamp();
        }
        let again_after = if at_once { Duration::ZERO } else { cluster.backoff_span(failures) };
        cluster.events.tell(|| Event::BatchRetried {
            place: TopicPartition::new(&topic, place.partition),
            records: batch.left(),
            why: batch.because.as_ref().map(Cause::from),
            failures: queue.failures,
            again_after,
        });
        queue.retry(batch);
        if !at_once {
            queue.retry_at = now.after(again_after);
        }
    }
}

/// What follows from an error code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Done,
    /// The same batch with the same stamp again. `applied`: it may be in the log already.
    Retry {
        applied: bool,
    },
    /// The broker surely does not have it, and cannot take it under its stamp.
    Restamp,
    /// It surely is not in the log, but each half of it may be some day.
    TooLarge,
    Failed,
}

fn verdict(code: ErrorCode, first: bool, unknown: UnknownTopic) -> Verdict {
    match code {
        _ if unknown.is_final(code) => Verdict::Failed,
        // Trap 51: a broker that has the batch already is as good as one that has just taken it.
        ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Done,
        // Trap 52: while an earlier batch is still to be settled the gap is only that batch's. Trap 53: a broker that
        // has forgotten the producer begins anew with a new epoch (KIP-360).
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH
        | ErrorCode::INVALID_PRODUCER_ID_MAPPING => {
            if first {
                Verdict::Restamp
            } else {
                Verdict::Retry { applied: false }
            }
        }
        // Trap 50: the replicas were late; the leader may have the batch.
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => Verdict::Retry { applied: true },
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => Verdict::TooLarge,
        // The topic is being deleted, created or moved: what is known of it here may be too old.
        _ if code.is_retriable() || is_stale_metadata(code) => Verdict::Retry { applied: false },
        _ => Verdict::Failed,
    }
}

fn failed(code: ErrorCode, name: &str, answer: &PartitionProduceResponse<'_>, batch: &Batch) -> Failed {
    let hint = match code {
        ErrorCode::MESSAGE_TOO_LARGE => {
            Some("larger than the topic's max.message.bytes; lower batch_bytes or raise that")
        }
        ErrorCode::RECORD_LIST_TOO_LARGE => {
            Some("larger than the topic's segment.bytes; lower batch_bytes or raise that")
        }
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE => Some("the broker does not take this compression; choose another"),
        _ => answer.error_message,
    };
    let records = answer.record_errors.iter().filter_map(|r| {
        let index = u32::try_from(r.batch_index).ok().filter(|i| *i < batch.count())?;
        Some((index, r.batch_index_error_message.map(String::from)))
    });
    let records = records.take(batch.count() as usize).collect();
    Failed { error: Error::broker(code, name, hint).with_fate(batch.fate()), records }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Traps 48 and 50 to 53: each code's consequence.
    #[test]
    fn every_code_has_its_verdict() {
        use ErrorCode as E;
        let again = Verdict::Retry { applied: false };
        let unknown = Verdict::Retry { applied: true };
        for (code, first, expected) in [
            (E::NONE, true, Verdict::Done),
            (E::DUPLICATE_SEQUENCE_NUMBER, true, Verdict::Done),
            (E::LEADER_NOT_AVAILABLE, true, again),
            (E::NOT_LEADER_OR_FOLLOWER, true, again),
            (E::KAFKA_STORAGE_ERROR, true, again),
            (E::NOT_ENOUGH_REPLICAS, true, again),
            (E::CORRUPT_MESSAGE, true, again),
            (E::UNKNOWN_TOPIC_OR_PARTITION, true, again),
            (E::UNKNOWN_TOPIC_ID, true, again),
            (E::NOT_ENOUGH_REPLICAS_AFTER_APPEND, true, unknown),
            (E::REQUEST_TIMED_OUT, true, unknown),
            (E::OUT_OF_ORDER_SEQUENCE_NUMBER, false, again),
            (E::OUT_OF_ORDER_SEQUENCE_NUMBER, true, Verdict::Restamp),
            (E::UNKNOWN_PRODUCER_ID, true, Verdict::Restamp),
            (E::INVALID_PRODUCER_EPOCH, true, Verdict::Restamp),
            (E::MESSAGE_TOO_LARGE, true, Verdict::TooLarge),
            (E::RECORD_LIST_TOO_LARGE, false, Verdict::TooLarge),
            (E::UNSUPPORTED_COMPRESSION_TYPE, true, Verdict::Failed),
            (E::INVALID_RECORD, true, Verdict::Failed),
            (E::TOPIC_AUTHORIZATION_FAILED, true, Verdict::Failed),
            // Trap 16: a code that nobody knows is carried to the caller, not retried.
            (E(200), true, Verdict::Failed),
        ] {
            assert_eq!(verdict(code, first, UnknownTopic::Retry), expected, "{code}");
        }
        let unknown = E::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(verdict(unknown, true, UnknownTopic::Error), Verdict::Failed);
        assert_eq!(verdict(E::NOT_LEADER_OR_FOLLOWER, true, UnknownTopic::Error), again);
    }
}
