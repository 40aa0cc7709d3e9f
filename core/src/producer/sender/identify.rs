//! Asking for a producer id.

use super::{Sender, tell_failed};
use crate::{
    Error, Instant,
    cluster::Cluster,
    code::ErrorCode,
    event::{Event, TopicPartition},
    link::LinkId,
    machine::Context,
    producer::stamp::{Identification, Identity},
    wire::{
        Decode, Reader, api::INIT_PRODUCER_ID, init_producer_id_request::InitProducerIdRequest,
        init_producer_id_response::InitProducerIdResponse,
    },
};

/// Tries so far.
#[derive(Default)]
pub(super) struct Identify {
    failures: u32,
    not_before: Instant,
    /// For good, as far as anybody knows: there is no use in asking before somebody has records again.
    refused: bool,
}

impl Sender {
    /// Asks any broker for a producer id, once a topic is in use.
    pub(super) fn identify(&mut self, now: Instant, cluster: &mut Cluster) {
        let in_vain = self.identify.refused && self.active.is_empty();
        if self.identification != Identification::Wanted || self.topics.is_empty() || in_vain {
            return;
        }
        if self.identify.not_before > now {
            self.next = self.next.min(self.identify.not_before);
            return;
        }
        let Some(link) = cluster.any_link(now) else { return };
        let version = match cluster.version(link, INIT_PRODUCER_ID, INIT_PRODUCER_ID.max) {
            Ok(version) => version,
            Err(error) => return self.refused(now, cluster, error),
        };
        let body = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let context = Context::InitProducerId { slot: self.slot };
        let sending = cluster.plain(now, version, context);
        match cluster.send(link, &body, sending) {
            Ok(()) => self.identification = Identification::Asked,
            Err(error) => self.refused(now, cluster, error),
        }
    }

    pub(crate) fn on_identity(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        mut body: Reader<'_>,
    ) {
        self.identification = Identification::Wanted;
        match InitProducerIdResponse::decode(&mut body, version) {
            Ok(response) => {
                cluster.throttle(now, link, response.throttle_time_ms);
                let code = ErrorCode(response.error_code);
                if code.is_ok() && (response.producer_id < 0 || response.producer_epoch < 0) {
                    // Batches that carry such would not be idempotent, and nobody would notice.
                    self.again(now, cluster, None);
                } else if code.is_ok() {
                    self.identify = Identify::default();
                    let (producer_id, epoch) = (response.producer_id, response.producer_epoch);
                    cluster.events.tell(|| Event::ProducerIdGiven { producer_id, epoch });
                    self.identification = Identification::Known(Identity {
                        producer_id: response.producer_id,
                        epoch: response.producer_epoch,
                    });
                } else if code.is_retriable() {
                    self.again(now, cluster, Some(code));
                } else {
                    self.refused(now, cluster, Error::broker(code, "InitProducerId", None));
                }
            }
            Err(error) => {
                let error = cluster.malformed(link, INIT_PRODUCER_ID, error);
                self.refused(now, cluster, error);
            }
        }
    }

    pub(crate) fn on_identity_lost(&mut self, now: Instant, cluster: &mut Cluster) {
        self.identification = Identification::Wanted;
        self.again(now, cluster, None);
    }

    fn again(&mut self, now: Instant, cluster: &mut Cluster, code: Option<ErrorCode>) {
        let again_after = cluster.backoff_span(self.identify.failures);
        cluster.events.tell(|| Event::ProducerIdFailed { code, again_after });
        self.identify.not_before = now.after(again_after);
        self.identify.failures = self.identify.failures.saturating_add(1);
    }

    /// Nobody gives an id: whatever waits for one fails, and the next record asks again.
    fn refused(&mut self, now: Instant, cluster: &mut Cluster, error: Error) {
        let code = if let Error::Broker { code, .. } = &error { Some(*code) } else { None };
        self.again(now, cluster, code);
        self.identify.refused = true;
        // What stood behind what fails here is looked at again.
        self.next = now;
        for topic in &mut self.topics {
            for (partition, queue) in (0..).zip(&mut topic.queues) {
                // Stamped batches come first: they are tried again under the id that they have.
                while queue.queue.back().is_some_and(|b| b.stamp.is_none())
                    && let Some(batch) = queue.queue.pop_back()
                {
                    self.flushes.settled(batch.number);
                    let place = TopicPartition::new(&topic.topic.name, partition);
                    tell_failed(cluster, place, &batch, batch.left(), &error);
                    batch.fail(error.clone());
                }
            }
        }
    }
}
