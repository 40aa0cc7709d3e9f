use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::describe_cluster_request::DescribeClusterRequest;
use crate::r#gen::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use klamm::ErrorCode;
use klamm::wire::{Reader, WireError, decode_body};

/// The brokers, and not the controllers, of which there are none here.
const BROKERS: i8 = 1;

impl Cluster {
    pub(crate) fn describe_cluster(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: DescribeClusterRequest = decode_body(body, request.version)?;
        let code = match asked.endpoint_type {
            BROKERS => request.refused.or(request.refused_after).unwrap_or(ErrorCode::NONE),
            _ => ErrorCode::MISMATCHED_ENDPOINT_TYPE,
        };
        let up = self.nodes.iter().filter(|(_, node)| node.up);
        let brokers: Vec<DescribeClusterBroker<'_>> = up
            .map(|(id, node)| DescribeClusterBroker {
                broker_id: *id,
                host: &node.host,
                port: i32::from(node.port),
                rack: None,
                is_fenced: false,
            })
            .collect();
        let answer = DescribeClusterResponse {
            throttle_time_ms: request.throttle_ms,
            error_code: code.0,
            error_message: (!code.is_ok()).then(|| code.name()),
            ..Default::default()
        };
        if !code.is_ok() {
            return request.reply(&answer);
        }
        let controller_id = brokers.first().map_or(-1, |b| b.broker_id);
        request.reply(&DescribeClusterResponse { cluster_id: &self.id, controller_id, brokers: &brokers, ..answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;
    use klamm::wire::describe_cluster_request::DescribeClusterRequest;
    use klamm::wire::describe_cluster_response::DescribeClusterResponse;

    #[test]
    fn who_is_up_is_described() {
        let mut bench = Bench::new();
        bench.cluster.kill(1);
        for version in 0..=2 {
            let answer = bench.call(2, version, &DescribeClusterRequest::default());
            let body: DescribeClusterResponse<'_> = answer.read();
            let ids: Vec<i32> = body.brokers.iter().map(|b| b.broker_id).collect();
            assert_eq!((ids, body.controller_id, body.cluster_id), (vec![2, 3], 2, &*bench.cluster.id));
        }
        let asked = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
        let answer = bench.call(2, 1, &asked);
        let body: DescribeClusterResponse<'_> = answer.read();
        assert_eq!(ErrorCode(body.error_code), ErrorCode::MISMATCHED_ENDPOINT_TYPE);
    }
}
