//! Operations on the cluster.

mod cluster;
mod configs;
mod records;
mod topics;

pub use cluster::{BrokerDescription, ClusterDescription};
pub use configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, DescribedConfigs};
pub use records::{DeletedRecords, ListedOffset, OffsetSpec};
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription};

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use super::{Client, Command};
use crate::{
    Error, IsolationLevel,
    admin::{self, ByLeader, Call, OffsetWish, Operation, Reply},
    error::Fate,
    sync::Arc,
};

/// Operations on the cluster. Each has `request_timeout_ms`, retries included, and as many of them as `max_waiters` may be
/// under way at once.
///
/// A future that is dropped stops waiting; what was asked for is done all the same.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
}

/// Not everything was done.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AdminError<T> {
    /// What was.
    pub done: Vec<T>,
    /// What was not: each topic, or partition as `topic-partition`, with its reason.
    pub failed: Vec<(String, Error)>,
}

impl<T> fmt::Display for AdminError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, error)) in self.failed.iter().enumerate() {
            write!(f, "{}{name}: {error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl<T: fmt::Debug> core::error::Error for AdminError<T> {}

impl<T> From<AdminError<T>> for Error {
    /// The first failure.
    fn from(all: AdminError<T>) -> Error {
        let first = all.failed.into_iter().next();
        first.map_or(Error::Closed { fate: Fate::MaybePersisted }, |(_, error)| error)
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
    /// [`AdminError`] unless all were made: it has those that were. A topic that is there already is an error, unless an
    /// earlier try of this call may have made it: its answer was lost, or the broker's own time was over.
    pub async fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Result<Vec<CreatedTopic>, AdminError<CreatedTopic>> {
        let topics = topics.into_iter().collect();
        self.run(|reply| admin::CreateTopics::new(topics, reply)).await
    }

    /// Deletes topics with all their records. Brokers may show them for a moment after.
    ///
    /// # Errors
    /// [`AdminError`] unless all were deleted: it has the names of those that were. A topic that is not there is an error,
    /// unless an earlier try of this call may have deleted it, as with [`create_topics`](Admin::create_topics).
    pub async fn delete_topics<T: Into<String>>(
        &self,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<(), AdminError<String>> {
        let topics = topics.into_iter().map(Into::into).collect();
        self.run(|reply| admin::DeleteTopics::new(topics, reply)).await
    }

    /// Deletes the records before an offset of each partition (KIP-107); −1: all that are replicated now, or, when an answer
    /// was lost, all that are when it is asked for again.
    ///
    /// # Errors
    /// [`AdminError`] unless it was done everywhere; OFFSET_OUT_OF_RANGE for an offset after the high watermark.
    pub async fn delete_records<T: Into<String>>(
        &self,
        before: impl IntoIterator<Item = (T, i32, i64)>,
    ) -> Result<Vec<DeletedRecords>, AdminError<DeletedRecords>> {
        let before = before.into_iter().map(|(topic, partition, offset)| (topic.into(), partition, offset));
        self.run(|reply| ByLeader::<admin::DeleteRecords>::new(before, reply)).await
    }

    /// Looks up offsets of partitions. The answers come in no certain order.
    ///
    /// # Errors
    /// [`AdminError`] unless all were answered; a broker that is too old for an [`OffsetSpec`] is named with both ranges.
    pub async fn list_offsets<T: Into<String>>(
        &self,
        wanted: impl IntoIterator<Item = (T, i32, OffsetSpec)>,
    ) -> Result<Vec<ListedOffset>, AdminError<ListedOffset>> {
        let wish = |at| OffsetWish { at, isolation_level: IsolationLevel::ReadUncommitted };
        let wanted = wanted.into_iter().map(|(topic, partition, at)| (topic.into(), partition, wish(at)));
        self.run(|reply| ByLeader::<admin::ListOffsets>::new(wanted, reply)).await
    }

    /// The cluster: its id, its controller, its brokers.
    ///
    /// # Errors
    /// [`Error::Broker`] as the broker refuses; [`Error::TimedOut`] when none answers in time.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        self.run(admin::DescribeCluster::new).await
    }

    /// All topics with their partitions, in no certain order; Kafka's own too ([`TopicDescription::is_internal`]). The
    /// broker's answer must fit into the Control class of memory.
    ///
    /// # Errors
    /// [`Error::Broker`] as the broker refuses; [`Error::TimedOut`] when none answers in time.
    pub async fn list_topics(&self) -> Result<Vec<TopicDescription>, Error> {
        self.run(admin::ListTopics::new).await
    }

    /// All settings of topics and brokers, in no certain order. A broker is asked itself.
    ///
    /// # Errors
    /// [`AdminError`] unless all were described: it has those that were.
    pub async fn describe_configs(
        &self,
        resources: impl IntoIterator<Item = ConfigResource>,
    ) -> Result<Vec<DescribedConfigs>, AdminError<DescribedConfigs>> {
        let wanted = resources.into_iter().map(|resource| (resource, ()));
        self.run(|reply| admin::Configs::<admin::DescribeConfigs>::new(wanted, reply)).await
    }

    /// Changes settings of topics and brokers, and leaves the others as they are (KIP-339; brokers from 2.3 on). A change
    /// is asked for again when its answer was lost, so that values may be appended twice. Brokers may
    /// describe the former settings for a moment after.
    ///
    /// # Errors
    /// [`AdminError`] unless all were changed: it has those that were.
    pub async fn incremental_alter_configs(
        &self,
        changes: impl IntoIterator<Item = (ConfigResource, Vec<ConfigChange>)>,
    ) -> Result<Vec<ConfigResource>, AdminError<ConfigResource>> {
        self.run(|reply| admin::Configs::<admin::AlterConfigs>::new(changes, reply)).await
    }

    /// Hands an operation to the driver and waits for what comes of it. When there is no driver any more, it ends at once.
    pub(in crate::api) async fn run<T, O: Operation + 'static>(&self, make: impl FnOnce(Arc<Reply<T>>) -> O) -> T {
        let reply = Reply::new();
        let call = Box::new(Call::new(Box::new(make(Arc::clone(&reply)))));
        if let Err((error, Command::Admin(mut call))) = self.client.shared().command(Command::Admin(call)) {
            call.end(Some(&error));
        }
        reply.taken().await
    }
}
