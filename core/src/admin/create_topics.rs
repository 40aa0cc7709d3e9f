//! CreateTopics, and the wait until what was created can be seen.

use alloc::{string::String, vec::Vec};

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
    left::{Judged, Left},
};
use crate::{
    AdminError, CreatedTopic, Error, NewTopic,
    cluster::{Cluster, check_topic_name},
    code::ErrorCode,
    sync::Arc,
    wire::{
        api::CREATE_TOPICS,
        create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        create_topics_response::CreateTopicsResponse,
        metadata_response::MetadataResponse,
    },
};

type Answered = Result<Vec<CreatedTopic>, AdminError<CreatedTopic>>;

const CREATE: u32 = 0;
const SEE: u32 = 1;

pub(crate) struct CreateTopics {
    reply: Arc<Reply<Answered>>,
    /// Topics that are still to be created.
    left: Left<NewTopic>,
    created: Vec<CreatedTopic>,
    /// What was created can be seen.
    seen: bool,
    failed: Vec<(String, Error)>,
}

impl CreateTopics {
    pub(crate) fn new(topics: Vec<NewTopic>, reply: Arc<Reply<Answered>>) -> Self {
        let (mut left, mut failed) = (Vec::new(), Vec::new());
        for topic in &topics {
            match check_topic_name(&topic.name).and_then(|()| check_once(&topics, &topic.name)) {
                Ok(()) => left.push(topic.clone()),
                Err(_) if failed.iter().any(|(name, _)| *name == topic.name) => {}
                Err(error) => failed.push((topic.name.clone(), error)),
            }
        }
        let left = Left::new(left, ErrorCode::TOPIC_ALREADY_EXISTS);
        CreateTopics { reply, left, created: Vec::new(), seen: false, failed }
    }

    fn ask_to_create(&self, ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(CREATE_TOPICS)?;
        let configs: Vec<Vec<CreatableTopicConfig<'_>>> = self
            .left
            .iter()
            .map(|t| t.configs.iter().map(|(name, value)| CreatableTopicConfig { name, value: Some(value) }).collect())
            .collect();
        let topics: Vec<CreatableTopic<'_>> = self
            .left
            .iter()
            .zip(&configs)
            .map(|(topic, configs)| CreatableTopic {
                name: &topic.name,
                num_partitions: topic.partitions,
                replication_factor: topic.replication_factor,
                assignments: &[],
                configs,
            })
            .collect();
        let body = CreateTopicsRequest { topics: &topics, timeout_ms: ask.timeout_ms(), validate_only: false };
        ask.send(version, &body)
    }

    fn ask_to_see(&self, ask: Ask<'_>) -> Result<(), Error> {
        ask.send_metadata(self.created.iter().map(|t| t.name.as_str()))
    }

    fn on_created(&mut self, cluster: &mut Cluster, response: &CreateTopicsResponse<'_>) -> Verdict {
        let mut because = None;
        for answer in response.topics.iter() {
            let Some(at) = self.left.position(|l| l.name == answer.name) else { continue };
            let code = ErrorCode(answer.error_code);
            let error = Error::broker(code, alloc::format!("create topic {}", answer.name), answer.error_message);
            match self.left.judge(at, code) {
                Judged::Done(topic) => self.created.push(CreatedTopic {
                    name: topic.name,
                    // Known since version 5 (KIP-525).
                    partitions: if answer.num_partitions >= 0 { answer.num_partitions } else { topic.partitions },
                    replication_factor: answer.replication_factor.max(topic.replication_factor),
                }),
                Judged::Again => {
                    cluster.refresh_metadata();
                    because = Some(error);
                }
                Judged::Refused(topic) => self.failed.push((topic.name, error)),
            }
        }
        if self.left.is_empty() { Verdict::On } else { Verdict::Again(because) }
    }

    /// Trap 112: that a topic was created does not mean that a broker's metadata shows it.
    fn on_seen(&mut self, response: &MetadataResponse<'_>) -> Verdict {
        let led = |name: &str| {
            response.topics.iter().any(|t| {
                t.name == Some(name)
                    && t.error_code == 0
                    && !t.partitions.is_empty()
                    && t.partitions.iter().all(|p| p.leader_id >= 0)
            })
        };
        self.seen = self.created.iter().all(|t| led(&t.name));
        if self.seen { Verdict::On } else { Verdict::Again(None) }
    }
}

impl Operation for CreateTopics {
    fn what(&self) -> &'static str {
        if self.left.is_empty() { "waiting for created topics to be seen" } else { "creating topics" }
    }

    fn open(&self) -> Vec<(u32, To)> {
        match (self.left.is_empty(), self.created.is_empty() || self.seen) {
            (false, _) => alloc::vec![(CREATE, To::Controller)],
            (true, false) => alloc::vec![(SEE, To::Any)],
            (true, true) => Vec::new(),
        }
    }

    fn ask(&mut self, question: u32, ask: Ask<'_>) -> Result<(), Error> {
        if question == CREATE { self.ask_to_create(ask) } else { self.ask_to_see(ask) }
    }

    fn on_answer(&mut self, question: u32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        if question == SEE {
            let response: MetadataResponse<'_> = answer.read(cluster)?;
            cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
            return Ok(self.on_seen(&response));
        }
        let response: CreateTopicsResponse<'_> = answer.read(cluster)?;
        cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
        Ok(self.on_created(cluster, &response))
    }

    fn on_lost(&mut self, question: u32) {
        if question == CREATE {
            self.left.lost();
        }
    }

    fn end(&mut self, failure: Option<&Error>) {
        let created = core::mem::take(&mut self.created);
        let mut failed = core::mem::take(&mut self.failed);
        if let Some(error) = failure {
            failed.extend(self.left.drain().map(|topic| (topic.name, error.clone())));
            if failed.is_empty() {
                // All were created, not all could be seen.
                failed = created.iter().map(|t| (t.name.clone(), error.clone())).collect();
            }
        }
        self.reply.give(if failed.is_empty() { Ok(created) } else { Err(AdminError { done: created, failed }) });
    }
}

/// A broker refuses a name that comes twice; asked again for what is left, it would make the topic as the second wants it.
fn check_once(topics: &[NewTopic], name: &str) -> Result<(), Error> {
    match topics.iter().filter(|t| t.name == name).count() {
        1 => Ok(()),
        n => Err(Error::config("topics", alloc::format!("names {name} {n} times"))),
    }
}
