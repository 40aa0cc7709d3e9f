//! DeleteTopics.

use alloc::{string::String, vec::Vec};

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
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
    left: Vec<String>,
    deleted: Vec<String>,
    failed: Vec<(String, Error)>,
    /// An earlier request may have done it: a topic that is not there is then gone, whoever deleted it.
    maybe_done: bool,
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
        DeleteTopics { reply, left, deleted: Vec::new(), failed, maybe_done: false }
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
            let Some(at) = self.left.iter().position(|l| Some(l.as_str()) == result.name) else { continue };
            let code = ErrorCode(result.error_code);
            let is_gone = code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            let error = Error::broker(code, alloc::format!("delete topic {}", self.left[at]), result.error_message);
            if code.is_ok() || (is_gone && self.maybe_done) {
                self.deleted.push(self.left.swap_remove(at));
            } else if (code.is_retriable() && !is_gone) || code == ErrorCode::NOT_CONTROLLER {
                cluster.refresh_metadata();
                because = Some(error);
            } else {
                self.failed.push((self.left.swap_remove(at), error));
            }
        }
        Ok(if self.left.is_empty() { Verdict::On } else { Verdict::Again(because) })
    }

    fn on_lost(&mut self, _: u32) {
        self.maybe_done = true;
    }

    fn end(&mut self, failure: Option<&Error>) {
        let mut failed = core::mem::take(&mut self.failed);
        if let Some(error) = failure {
            failed.extend(self.left.drain(..).map(|name| (name, error.clone())));
        }
        let done = core::mem::take(&mut self.deleted);
        self.reply.give(if failed.is_empty() { Ok(()) } else { Err(AdminError { done, failed }) });
    }
}
