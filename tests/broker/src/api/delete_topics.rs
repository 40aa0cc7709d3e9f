use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::delete_topics_request::DeleteTopicsRequest;
use crate::r#gen::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use klamm::ErrorCode;
use klamm::wire::{Reader, Uuid, WireError, decode_body};

/// From this version on an entry may hold an id instead of a name (KIP-516).
const NAMES_OR_IDS: i16 = 6;

impl Cluster {
    pub(crate) fn delete_topics(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: DeleteTopicsRequest<'_> = decode_body(body, request.version)?;
        let wanted: Vec<(Option<String>, Uuid)> = if request.version >= NAMES_OR_IDS {
            asked.topics.iter().map(|topic| (topic.name.map(str::to_owned), topic.topic_id)).collect()
        } else {
            asked.topic_names.iter().map(|name| (Some(name.to_owned()), Uuid::ZERO)).collect()
        };
        let results: Vec<(Option<String>, Uuid, ErrorCode)> =
            wanted.into_iter().map(|(name, id)| self.delete_requested(request, name, id)).collect();
        let responses: Vec<DeletableTopicResult<'_>> = results
            .iter()
            .map(|(name, topic_id, code)| DeletableTopicResult {
                name: name.as_deref(),
                topic_id: *topic_id,
                error_code: code.0,
                error_message: (!code.is_ok()).then(|| code.name()),
            })
            .collect();
        request.reply(&DeleteTopicsResponse { throttle_time_ms: request.throttle_ms, responses: &responses })
    }

    fn delete_requested(
        &mut self,
        request: &Request,
        name: Option<String>,
        id: Uuid,
    ) -> (Option<String>, Uuid, ErrorCode) {
        if let Some(code) = request.refused {
            return (name, id, code);
        }
        let found = name.clone().or_else(|| self.name_of(&id).map(str::to_owned));
        let Some(found) = found.filter(|name| self.topics.contains_key(name)) else {
            let by_id = name.is_none();
            let code = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            return (name, id, code);
        };
        let id = self.topic_id(&found).unwrap_or(Uuid::ZERO);
        self.delete_topic(&found);
        (Some(found), id, request.refused_after.unwrap_or(ErrorCode::NONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;
    use klamm::wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
    use klamm::wire::delete_topics_response::DeleteTopicsResponse;

    #[test]
    fn every_version_deletes() {
        let mut bench = Bench::new();
        for version in 1..=6 {
            bench.cluster.create_topic("t", 1, 1);
            let state = [
                DeleteTopicState { name: Some("t"), ..Default::default() },
                DeleteTopicState { name: Some("none"), ..Default::default() },
            ];
            let (topics, topic_names): (&[_], &[&str]) =
                if version >= NAMES_OR_IDS { (&state, &[]) } else { (&[], &["t", "none"]) };
            let answer = bench.call(1, version, &DeleteTopicsRequest { topics, topic_names, timeout_ms: 1 });
            let body: DeleteTopicsResponse<'_> = answer.read();
            let told: Vec<_> = body.responses.iter().map(|r| (r.name, ErrorCode(r.error_code))).collect();
            let unknown = (Some("none"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            assert_eq!(told, [(Some("t"), ErrorCode::NONE), unknown]);
            assert_eq!(bench.cluster.topics().count(), 0);
        }
    }

    #[test]
    fn by_id() {
        let mut bench = Bench::new();
        bench.cluster.create_topic("t", 1, 1);
        let topic_id = bench.cluster.topic_id("t").unwrap();
        for code in [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_ID] {
            let topics = [DeleteTopicState { name: None, topic_id }];
            let answer = bench.call(1, 6, &DeleteTopicsRequest { topics: &topics, topic_names: &[], timeout_ms: 1 });
            let body: DeleteTopicsResponse<'_> = answer.read();
            assert_eq!(body.responses.iter().next().map(|r| ErrorCode(r.error_code)), Some(code));
        }
    }
}
