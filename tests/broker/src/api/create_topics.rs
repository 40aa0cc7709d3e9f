use super::{Outcome, Request};
use crate::cluster::{Cluster, NewTopic};
use crate::r#gen::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use crate::r#gen::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse};
use crate::topic::TopicSettings;
use klamm::ErrorCode;
use klamm::wire::{Array, Reader, Uuid, WireError, decode_body};
use std::collections::BTreeMap;

/// An error and what is said about it.
pub(crate) type Refusal = (ErrorCode, String);

/// What Kafka's controller takes in one request.
const PARTITIONS_MAX: usize = 10_000;

/// Where a setting of a topic comes from, in Kafka's numbers: it was given for the topic itself.
const DYNAMIC_TOPIC_CONFIG: i8 = 1;

struct Created {
    name: String,
    result: Result<Done, Refusal>,
}

struct Done {
    id: Uuid,
    partitions: usize,
    replication: usize,
    settings: BTreeMap<String, String>,
}

impl Cluster {
    pub(crate) fn create_topics(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: CreateTopicsRequest<'_> = decode_body(body, request.version)?;
        let mut times = BTreeMap::new();
        asked.topics.iter().for_each(|topic| *times.entry(topic.name).or_insert(0) += 1);
        let mut created: Vec<Created> = Vec::new();
        for topic in asked.topics {
            let result = match request.refused {
                Some(code) => Err((code, code.name().to_owned())),
                None if times.get(topic.name) > Some(&1) => {
                    Err((ErrorCode::INVALID_REQUEST, "Duplicate topic name.".to_owned()))
                }
                None => self.create_requested(&topic, asked.validate_only),
            };
            let result = match request.refused_after {
                Some(code) => Err((code, code.name().to_owned())),
                None => result,
            };
            // A name that is there several times is refused once.
            if times.get(topic.name) == Some(&1) || !created.iter().any(|done| done.name == topic.name) {
                created.push(Created { name: topic.name.to_owned(), result });
            }
        }
        answer(request, &created)
    }

    fn create_requested(&mut self, asked: &CreatableTopic<'_>, validate_only: bool) -> Result<Done, Refusal> {
        Cluster::check_topic_name(asked.name).map_err(|why| (ErrorCode::INVALID_TOPIC_EXCEPTION, why))?;
        if self.topics.contains_key(asked.name) {
            return Err((ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{}' already exists.", asked.name)));
        }
        // Both characters become the same in the names of metrics.
        let plain = |name: &str| name.replace('.', "_");
        if let Some(other) = self.topics.keys().find(|other| plain(other) == plain(asked.name)) {
            let why = format!("Topic '{}' collides with existing topic: {other}", asked.name);
            return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
        }
        let mut settings = TopicSettings::default();
        for setting in asked.configs {
            let given =
                setting.value.ok_or_else(|| format!("Null value not supported for topic configs: {}", setting.name));
            given
                .and_then(|value| settings.set(setting.name, value))
                .map_err(|why| (ErrorCode::INVALID_CONFIG, why))?;
        }
        let replicas = if asked.assignments.is_empty() {
            self.automatic_replicas(asked.num_partitions, asked.replication_factor)?
        } else {
            self.manual_replicas(asked)?
        };
        let (partitions, replication) = (replicas.len(), replicas.first().map_or(0, Vec::len));
        let given = settings.given.clone();
        let id = if validate_only {
            Uuid::ZERO
        } else {
            let visible_at = self.now.instant.after(self.config.creation_delay);
            self.add_topic(NewTopic { name: asked.name, replicas, settings, visible_at })
        };
        Ok(Done { id, partitions, replication, settings: given })
    }

    fn automatic_replicas(&self, partitions: i32, replication: i16) -> Result<Vec<Vec<i32>>, Refusal> {
        let default = self.config.auto_create;
        let replication = match replication {
            -1 => default.map_or(1, |auto| auto.replication.min(self.nodes.len())),
            1.. => replication as usize,
            _ => {
                let why = "Replication factor must be larger than 0, or -1 to use the default value.";
                return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why.to_owned()));
            }
        };
        let partitions = match partitions {
            -1 => default.map_or(1, |auto| auto.partitions),
            1.. => partitions as usize,
            _ => {
                let why = "Number of partitions was set to an invalid non-positive value.";
                return Err((ErrorCode::INVALID_PARTITIONS, why.to_owned()));
            }
        };
        if partitions > PARTITIONS_MAX {
            let why = "Excessively large number of partitions per request.";
            return Err((ErrorCode::POLICY_VIOLATION, why.to_owned()));
        }
        let brokers = self.nodes.len();
        if replication > brokers {
            let why = format!(
                "Unable to replicate the partition {replication} time(s): The target replication factor of \
                 {replication} cannot be reached because only {brokers} broker(s) are registered \
                 or some brokers have all their log directories cordoned."
            );
            return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why));
        }
        Ok(self.spread(partitions, replication))
    }

    fn manual_replicas(&self, asked: &CreatableTopic<'_>) -> Result<Vec<Vec<i32>>, Refusal> {
        const INVALID: ErrorCode = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
        for (name, given) in
            [("replication factor", asked.replication_factor.into()), ("numPartitions", asked.num_partitions)]
        {
            if given != -1 {
                let why = format!("A manual partition assignment was specified, but {name} was not set to -1.");
                return Err((ErrorCode::INVALID_REQUEST, why));
            }
        }
        let mut all = BTreeMap::new();
        for assignment in asked.assignments {
            let (index, replicas) = (assignment.partition_index, assignment.broker_ids.iter().collect::<Vec<i32>>());
            self.check_replicas(&assignment.broker_ids).map_err(|why| (INVALID, why))?;
            if all.insert(index, replicas).is_some() {
                let why = format!("Found multiple manual partition assignments for partition {index}");
                return Err((INVALID, why));
            }
        }
        if all.keys().enumerate().any(|(expected, &index)| expected as i32 != index) {
            return Err((INVALID, "partitions should be a consecutive 0-based integer sequence".to_owned()));
        }
        let all: Vec<Vec<i32>> = all.into_values().collect();
        if all.windows(2).any(|pair| pair[0].len() != pair[1].len()) {
            let why = "The manual partition assignment has partitions with different replication factors.";
            return Err((INVALID, why.to_owned()));
        }
        Ok(all)
    }

    fn check_replicas(&self, replicas: &Array<'_, i32>) -> Result<(), String> {
        if replicas.is_empty() {
            return Err("The manual partition assignment includes an empty replica list.".to_owned());
        }
        if let Some(unknown) = replicas.iter().find(|id| !self.nodes.contains_key(id)) {
            return Err(format!(
                "The manual partition assignment includes broker {unknown}, but no such broker is registered."
            ));
        }
        let twice = replicas.iter().enumerate().find(|(i, id)| replicas.iter().take(*i).any(|other| other == *id));
        match twice {
            Some((_, id)) => Err(format!("The manual partition assignment includes the broker {id} more than once.")),
            None => Ok(()),
        }
    }

    /// Whether a topic may have this name. Errors: why not, in Kafka's words.
    pub(crate) fn check_topic_name(name: &str) -> Result<(), String> {
        const MAX: usize = 249;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let why = if name.is_empty() {
            "the empty string is not allowed".to_owned()
        } else if name == "." || name == ".." {
            format!("'{name}' is not allowed")
        } else if name.len() > MAX {
            format!("the length of '{name}' is longer than the max allowed length {MAX}")
        } else if !name.chars().all(legal) {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        } else {
            return Ok(());
        };
        Err(format!("Topic name is invalid: {why}"))
    }
}

fn answer(request: &Request, created: &[Created]) -> Result<Outcome, WireError> {
    let configs: Vec<Vec<CreatableTopicConfigs<'_>>> = created
        .iter()
        .map(|topic| {
            let given = topic.result.as_ref().ok().into_iter().flat_map(|done| &done.settings);
            given
                .map(|(name, value)| CreatableTopicConfigs {
                    name,
                    value: Some(value),
                    read_only: false,
                    config_source: DYNAMIC_TOPIC_CONFIG,
                    is_sensitive: false,
                })
                .collect()
        })
        .collect();
    let topics: Vec<CreatableTopicResult<'_>> = created
        .iter()
        .zip(&configs)
        .map(|(topic, configs)| match &topic.result {
            Ok(done) => CreatableTopicResult {
                name: &topic.name,
                topic_id: done.id,
                error_message: None,
                num_partitions: done.partitions as i32,
                replication_factor: done.replication as i16,
                configs: Some(configs),
                ..Default::default()
            },
            Err((code, why)) => CreatableTopicResult {
                name: &topic.name,
                error_code: code.0,
                error_message: Some(why),
                ..Default::default()
            },
        })
        .collect();
    request.reply(&CreateTopicsResponse { throttle_time_ms: request.throttle_ms, topics: &topics })
}

#[cfg(test)]
#[path = "create_topics_tests.rs"]
mod tests;
