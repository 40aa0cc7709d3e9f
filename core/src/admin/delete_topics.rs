//! DeleteTopics.

use alloc::{string::String, vec::Vec};

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
    left::{Judged, Left},
};
use crate::{
    AdminError, Error,
    cluster::{Cluster, check_topic_name},
    code::ErrorCode,
    sync::Arc,
    wire::{
        api::DELETE_TOPICS,
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        delete_topics_response::DeleteTopicsResponse,
    },
};

type Answered = Result<(), AdminError<String>>;

/// From this version on topics are named by a structure that may hold an id instead (KIP-516).
const NAMES_OR_IDS: i16 = 6;

pub(crate) struct DeleteTopics {
    reply: Arc<Reply<Answered>>,
    left: Left<String>,
    deleted: Vec<String>,
    failed: Vec<(String, Error)>,
}

impl DeleteTopics {
    pub(crate) fn new(mut names: Vec<String>, reply: Arc<Reply<Answered>>) -> Self {
        names.sort_unstable();
        names.dedup();
        let (mut left, mut failed) = (Vec::new(), Vec::new());
        for name in names {
            match check_topic_name(&name) {
                Ok(()) => left.push(name),
                Err(error) => failed.push((name, error)),
            }
        }
        let left = Left::new(left, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        DeleteTopics { reply, left, deleted: Vec::new(), failed }
    }
}

impl Operation for DeleteTopics {
    fn what(&self) -> &'static str {
        "deleting topics"
    }

    fn open(&self) -> Vec<(u32, To)> {
        if self.left.is_empty() { Vec::new() } else { alloc::vec![(0, To::Controller)] }
    }

    fn ask(&mut self, _: u32, ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(DELETE_TOPICS)?;
        let by_name: Vec<&str> = self.left.iter().map(String::as_str).collect();
        let states: Vec<DeleteTopicState<'_>> =
            by_name.iter().map(|name| DeleteTopicState { name: Some(name), ..DeleteTopicState::default() }).collect();
        let (topics, topic_names): (&[_], &[&str]) =
            if version >= NAMES_OR_IDS { (&states, &[]) } else { (&[], &by_name) };
        let body = DeleteTopicsRequest { topics, topic_names, timeout_ms: ask.timeout_ms() };
        ask.send(version, &body)
    }

    fn on_answer(&mut self, _: u32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        let response: DeleteTopicsResponse<'_> = answer.read(cluster)?;
        cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
        let mut because = None;
        for result in response.responses.iter() {
            let name = result.name.unwrap_or_default();
            let Some(at) = self.left.position(|l| l == name) else { continue };
            let code = ErrorCode(result.error_code);
            let error = Error::broker(code, alloc::format!("delete topic {name}"), result.error_message);
            match self.left.judge(at, code) {
                Judged::Done(name) => self.deleted.push(name),
                Judged::Again => {
                    cluster.refresh_metadata();
                    because = Some(error);
                }
                Judged::Refused(name) => self.failed.push((name, error)),
            }
        }
        Ok(if self.left.is_empty() { Verdict::On } else { Verdict::Again(because) })
    }

    fn on_lost(&mut self, _: u32) {
        self.left.lost();
    }

    fn end(&mut self, failure: Option<&Error>) {
        let mut failed = core::mem::take(&mut self.failed);
        if let Some(error) = failure {
            failed.extend(self.left.drain().map(|name| (name, error.clone())));
        }
        let done = core::mem::take(&mut self.deleted);
        self.reply.give(if failed.is_empty() { Ok(()) } else { Err(AdminError { done, failed }) });
    }
}
