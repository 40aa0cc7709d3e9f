use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::init_producer_id_request::InitProducerIdRequest;
use crate::r#gen::init_producer_id_response::InitProducerIdResponse;
use klamm::ErrorCode;
use klamm::wire::{Reader, WireError, decode_body};

impl Cluster {
    /// Gives a new producer id with epoch 0. An idempotent producer's old id and epoch are not looked at, as in Kafka.
    pub(crate) fn init_producer_id(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: InitProducerIdRequest<'_> = decode_body(body, request.version)?;
        let error = match asked.transactional_id {
            _ if request.refused.is_some() => request.refused,
            None => None,
            Some("") => Some(ErrorCode::INVALID_REQUEST),
            // Nothing here coordinates transactions, and no retry would help.
            Some(_) => Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        };
        let mut answer = InitProducerIdResponse { throttle_time_ms: request.throttle_ms, ..Default::default() };
        if error.is_none() {
            answer.producer_id = self.next_producer_id;
            self.next_producer_id += 1;
        }
        if let Some(code) = error.or(request.refused_after) {
            answer.error_code = code.0;
            answer.producer_id = -1;
            answer.producer_epoch = -1;
        }
        request.reply(&answer)
    }
}

#[cfg(test)]
#[path = "init_producer_id_tests.rs"]
mod tests;
