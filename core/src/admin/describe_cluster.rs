//! DescribeCluster, and what stands for it at brokers that do not have it.

use alloc::{string::String, vec::Vec};

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
};
use crate::{
    BrokerDescription, ClusterDescription, Error,
    cluster::Cluster,
    code::ErrorCode,
    error::Fate,
    sync::Arc,
    wire::{
        api::{DESCRIBE_CLUSTER, METADATA},
        describe_cluster_request::DescribeClusterRequest,
        describe_cluster_response::DescribeClusterResponse,
        metadata_request::MetadataRequest,
        metadata_response::MetadataResponse,
    },
};

type Answered = Result<ClusterDescription, Error>;

pub(crate) struct DescribeCluster {
    reply: Arc<Reply<Answered>>,
    /// The broker that was asked is of before 2.8: a Metadata response without topics says the same.
    instead: bool,
    answer: Option<Answered>,
}

impl DescribeCluster {
    pub(crate) fn new(reply: Arc<Reply<Answered>>) -> Self {
        DescribeCluster { reply, instead: false, answer: None }
    }

    /// A code that passes is asked again about; anything else is the answer.
    fn refused(&mut self, code: ErrorCode, message: Option<&str>) -> Verdict {
        let error = Error::broker(code, "describe cluster", message);
        if code.is_retriable() {
            return Verdict::Again(Some(error));
        }
        self.answer = Some(Err(error));
        Verdict::On
    }

    fn on_metadata(&mut self, response: &MetadataResponse<'_>) -> Verdict {
        if response.error_code != 0 {
            return self.refused(ErrorCode(response.error_code), None);
        }
        let broker = |b: crate::wire::metadata_response::MetadataResponseBroker<'_>| {
            described(b.node_id, b.host, b.port, b.rack, false)
        };
        self.answer = Some(Ok(ClusterDescription {
            cluster_id: response.cluster_id.unwrap_or_default().into(),
            controller_id: response.controller_id,
            brokers: response.brokers.iter().map(broker).collect(),
        }));
        Verdict::On
    }

    fn on_described(&mut self, response: &DescribeClusterResponse<'_>) -> Verdict {
        if response.error_code != 0 {
            return self.refused(ErrorCode(response.error_code), response.error_message);
        }
        let broker = |b: crate::wire::describe_cluster_response::DescribeClusterBroker<'_>| {
            described(b.broker_id, b.host, b.port, b.rack, b.is_fenced)
        };
        self.answer = Some(Ok(ClusterDescription {
            cluster_id: response.cluster_id.into(),
            controller_id: response.controller_id,
            brokers: response.brokers.iter().map(broker).collect(),
        }));
        Verdict::On
    }
}

fn described(id: i32, host: &str, port: i32, rack: Option<&str>, is_fenced: bool) -> BrokerDescription {
    BrokerDescription { id, host: host.into(), port, rack: rack.map(String::from), is_fenced }
}

impl Operation for DescribeCluster {
    fn what(&self) -> &'static str {
        "describing the cluster"
    }

    fn open(&self) -> Vec<(u32, To)> {
        if self.answer.is_some() { Vec::new() } else { alloc::vec![(0, To::Any)] }
    }

    fn ask(&mut self, _: u32, ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(DESCRIBE_CLUSTER);
        self.instead = version.is_err();
        if let Ok(version) = version {
            return ask.send(version, &DescribeClusterRequest::default());
        }
        let version = ask.version(METADATA)?;
        // No topic at all; the controller and the racks are there since version 1, the cluster's id since 2.
        ask.send(version, &MetadataRequest { topics: Some(&[]), ..MetadataRequest::default() })
    }

    fn on_answer(&mut self, _: u32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        if self.instead {
            let response: MetadataResponse<'_> = answer.read(cluster)?;
            cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
            return Ok(self.on_metadata(&response));
        }
        let response: DescribeClusterResponse<'_> = answer.read(cluster)?;
        cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
        Ok(self.on_described(&response))
    }

    fn end(&mut self, failure: Option<&Error>) {
        let failed = || Err(failure.cloned().unwrap_or(Error::Closed { fate: Fate::NotPersisted }));
        self.reply.give(self.answer.take().unwrap_or_else(failed));
    }
}
