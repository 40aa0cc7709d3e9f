//! Metadata of all topics.

use alloc::vec::Vec;

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
};
use crate::{
    Error, PartitionDescription, TopicDescription,
    cluster::Cluster,
    code::ErrorCode,
    error::Fate,
    sync::Arc,
    wire::{
        api::METADATA,
        metadata_request::MetadataRequest,
        metadata_response::{MetadataResponse, MetadataResponsePartition, MetadataResponseTopic},
    },
};

type Answered = Result<Vec<TopicDescription>, Error>;

pub(crate) struct ListTopics {
    reply: Arc<Reply<Answered>>,
    answer: Option<Answered>,
}

impl ListTopics {
    pub(crate) fn new(reply: Arc<Reply<Answered>>) -> Self {
        ListTopics { reply, answer: None }
    }
}

impl Operation for ListTopics {
    fn what(&self) -> &'static str {
        "listing topics"
    }

    fn open(&self) -> Vec<(u32, To)> {
        if self.answer.is_some() { Vec::new() } else { alloc::vec![(0, To::Any)] }
    }

    fn ask(&mut self, _: u32, ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(METADATA)?;
        // Trap 8: all topics are a list that is not there; in version 0, which cannot say that, an empty one.
        let topics: Option<&[_]> = if version == 0 { Some(&[]) } else { None };
        ask.send(version, &MetadataRequest { topics, ..MetadataRequest::default() })
    }

    fn on_answer(&mut self, _: u32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        let response: MetadataResponse<'_> = answer.read(cluster)?;
        cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
        let code = ErrorCode(response.error_code);
        if !code.is_ok() {
            let error = Error::broker(code, "list topics", None);
            if code.is_retriable() {
                return Ok(Verdict::Again(Some(error)));
            }
            self.answer = Some(Err(error));
            return Ok(Verdict::On);
        }
        self.answer = Some(Ok(response.topics.iter().filter_map(|topic| described(&topic)).collect()));
        Ok(Verdict::On)
    }

    fn end(&mut self, failure: Option<&Error>) {
        let failed = || Err(failure.cloned().unwrap_or(Error::Closed { fate: Fate::NotPersisted }));
        self.reply.give(self.answer.take().unwrap_or_else(failed));
    }
}

fn described(topic: &MetadataResponseTopic<'_>) -> Option<TopicDescription> {
    let partition = |p: MetadataResponsePartition<'_>| PartitionDescription {
        partition: p.partition_index,
        leader: (p.leader_id >= 0).then_some(p.leader_id),
        replicas: p.replica_nodes.iter().collect(),
        in_sync: p.isr_nodes.iter().collect(),
    };
    let mut partitions: Vec<PartitionDescription> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|p| p.partition);
    Some(TopicDescription { name: topic.name?.into(), is_internal: topic.is_internal, partitions })
}
