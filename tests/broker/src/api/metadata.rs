use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::r#gen::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::topic::Partition;
use klamm::ErrorCode;
use klamm::wire::{Reader, Uuid, WireError, decode_body};

/// The first version that may name topics by their ids.
const BY_ID: i16 = 12;
/// All operations, where no authorizer says otherwise: on the cluster and on a topic.
const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

/// A topic in an answer: found under this name, or an error.
struct Found {
    name: Option<String>,
    id: Uuid,
    error: ErrorCode,
}

impl Cluster {
    pub(crate) fn metadata(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: MetadataRequest<'_> = decode_body(body, request.version)?;
        let whole = asked.topics.iter().flatten().find_map(|topic| forbidden(&topic, request.version));
        let found: Vec<Found> = match (asked.topics, whole) {
            (None, _) => self.all_topics(request),
            (Some(topics), _) if topics.is_empty() && request.version == 0 => self.all_topics(request),
            (Some(topics), Some(error)) => {
                let name = |topic: &MetadataRequestTopic<'_>| Some(topic.name.unwrap_or_default().to_owned());
                topics.iter().map(|topic| Found { name: name(&topic), id: topic.topic_id, error }).collect()
            }
            (Some(topics), None) => {
                let create = asked.allow_auto_topic_creation;
                topics.iter().map(|topic| self.find_topic(request, &topic, create)).collect()
            }
        };
        self.metadata_answer(request, &asked, whole, found)
    }

    fn all_topics(&self, request: &Request) -> Vec<Found> {
        let visible = self.topics.iter().filter(|(_, topic)| topic.is_visible(request.now.instant));
        let error = request.refused.unwrap_or(ErrorCode::NONE);
        visible.map(|(name, topic)| Found { name: Some(name.clone()), id: topic.id, error }).collect()
    }

    fn find_topic(&mut self, request: &Request, asked: &MetadataRequestTopic<'_>, create: bool) -> Found {
        let by_id = !asked.topic_id.is_zero();
        let name = match asked.name {
            Some(name) if !by_id => Some(name.to_owned()),
            _ => self.name_of(&asked.topic_id).map(str::to_owned),
        };
        let topic = name.as_ref().and_then(|name| self.visible(name, request.now.instant));
        let id = topic.map_or(asked.topic_id, |topic| topic.id);
        let error = match (request.refused, topic, &name) {
            (Some(code), ..) => code,
            (None, Some(_), _) => ErrorCode::NONE,
            (None, None, Some(name)) if !by_id => self.unknown_topic(name, create),
            (None, None, _) => ErrorCode::UNKNOWN_TOPIC_ID,
        };
        let name = if error == ErrorCode::UNKNOWN_TOPIC_ID { None } else { Some(name.unwrap_or_default()) };
        Found { name, id, error }
    }

    /// A topic that is asked for and is not there may be created, but is unknown in this answer all the same.
    fn unknown_topic(&mut self, name: &str, create: bool) -> ErrorCode {
        if Cluster::check_topic_name(name).is_err() {
            return ErrorCode::INVALID_TOPIC_EXCEPTION;
        }
        if let Some(auto) = self.config.auto_create.filter(|_| create && !self.topics.contains_key(name)) {
            self.auto_create(name, auto);
        }
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    }

    fn metadata_answer(
        &mut self,
        request: &Request,
        asked: &MetadataRequest<'_>,
        whole: Option<ErrorCode>,
        found: Vec<Found>,
    ) -> Result<Outcome, WireError> {
        let up = |node: i32| self.is_up(node);
        let offline: Vec<Vec<Vec<i32>>> =
            found.iter().map(|found| self.partitions_of(found).iter().map(|p| down(p, up)).collect()).collect();
        let partitions: Vec<Vec<MetadataResponsePartition<'_>>> = found
            .iter()
            .zip(&offline)
            .map(|(found, offline)| {
                let all = self.partitions_of(found).iter().zip(offline).enumerate();
                all.map(|(index, (partition, offline))| partition_answer(index, partition, offline)).collect()
            })
            .collect();
        let operations = |asked: bool, all: i32| if asked && whole.is_none() { all } else { i32::MIN };
        let of_topic = operations(asked.include_topic_authorized_operations, TOPIC_OPERATIONS);
        let topics: Vec<MetadataResponseTopic<'_>> = found
            .iter()
            .zip(&partitions)
            .map(|(found, partitions)| MetadataResponseTopic {
                error_code: request.refused_after.unwrap_or(found.error).0,
                name: found.name.as_deref(),
                topic_id: if self.zero_topic_ids { Uuid::ZERO } else { found.id },
                is_internal: false,
                partitions,
                // Who knows no name may not know more.
                topic_authorized_operations: if found.name.is_some() { of_topic } else { i32::MIN },
            })
            .collect();
        let brokers: Vec<MetadataResponseBroker<'_>> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.up)
            .map(|(&node_id, node)| MetadataResponseBroker {
                node_id,
                host: &node.host,
                port: node.port.into(),
                rack: None,
            })
            .collect();
        request.reply(&MetadataResponse {
            throttle_time_ms: request.throttle_ms,
            brokers: &brokers,
            cluster_id: Some(&self.id),
            controller_id: brokers.first().map_or(-1, |broker| broker.node_id),
            topics: &topics,
            cluster_authorized_operations: operations(asked.include_cluster_authorized_operations, CLUSTER_OPERATIONS),
            error_code: whole.unwrap_or(ErrorCode::NONE).0,
        })
    }

    fn partitions_of(&self, found: &Found) -> &[Partition] {
        let topic = found.name.as_ref().filter(|_| found.error.is_ok()).and_then(|name| self.topics.get(name));
        topic.map_or(&[], |topic| &topic.partitions)
    }
}

/// The error that a question of this version gets as a whole: ids are for versions from 12 on; a topic without both
/// is nothing that Kafka expects.
fn forbidden(topic: &MetadataRequestTopic<'_>, version: i16) -> Option<ErrorCode> {
    match (topic.name, topic.topic_id.is_zero()) {
        (Some(_), true) => None,
        _ if version < BY_ID => Some(ErrorCode::INVALID_REQUEST),
        (None, true) => Some(ErrorCode::UNKNOWN_SERVER_ERROR),
        _ => None,
    }
}

fn down(partition: &Partition, up: impl Fn(i32) -> bool) -> Vec<i32> {
    partition.replicas.iter().copied().filter(|&node| !up(node)).collect()
}

fn partition_answer<'a>(index: usize, partition: &'a Partition, offline: &'a [i32]) -> MetadataResponsePartition<'a> {
    let error = if partition.leader.is_some() { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE };
    MetadataResponsePartition {
        error_code: error.0,
        partition_index: index as i32,
        leader_id: partition.leader.unwrap_or(-1),
        leader_epoch: partition.epoch,
        replica_nodes: &partition.replicas,
        isr_nodes: &partition.isr,
        offline_replicas: offline,
    }
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
