//! Operations on the cluster.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, future::poll_fn, task::Poll};

use super::{Client, Command};
use crate::{Error, admin::Call};

/// Operations on the cluster. Each has `request_timeout_ms`, retries included.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
}

/// A topic to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic of this many partitions and replicas of each. −1 for either: the broker's default (KIP-464).
    pub fn new(name: impl Into<String>, partitions: i32, replication_factor: i16) -> Self {
        NewTopic { name: name.into(), partitions, replication_factor, configs: Vec::new() }
    }

    /// A setting of the topic, by Kafka's name for it.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }
}

/// A topic that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// How many partitions it has; −1 if the broker does not say.
    pub partitions: i32,
    /// How many replicas each has; −1 if the broker does not say.
    pub replication_factor: i16,
}

/// Not every topic was made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CreateTopicsError {
    /// Those that were.
    pub created: Vec<CreatedTopic>,
    /// Those that were not, each with its reason.
    pub failed: Vec<(String, Error)>,
}

impl fmt::Display for CreateTopicsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, error)) in self.failed.iter().enumerate() {
            write!(f, "{}topic {name}: {error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for CreateTopicsError {}

impl From<CreateTopicsError> for Error {
    /// The first failure.
    fn from(all: CreateTopicsError) -> Error {
        match all.failed.into_iter().next() {
            Some((_, error)) => error,
            None => Error::config("topics", "names no topic"),
        }
    }
}

impl Admin {
    pub(super) fn new(client: Client) -> Self {
        Admin { client }
    }

    /// Makes topics, and waits until a broker's metadata shows each with all its leaders, so that producing to it can
    /// begin (other brokers may learn of it a moment later; producers and consumers retry).
    ///
    /// # Errors
    /// [`CreateTopicsError`] unless all were made: it has those that were.
    pub async fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Result<Vec<CreatedTopic>, CreateTopicsError> {
        let topics: Vec<NewTopic> = topics.into_iter().collect();
        let names: Vec<String> = topics.iter().map(|t| t.name.clone()).collect();
        let shared = self.client.shared();
        let call = Call::new(topics);
        if let Err(error) = shared.command(Command::CreateTopics(call.clone())) {
            let failed = names.into_iter().map(|n| (n.to_string(), error.clone())).collect();
            return Err(CreateTopicsError { created: Vec::new(), failed });
        }
        poll_fn(|cx| match call.poll(cx.waker()) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }
}
