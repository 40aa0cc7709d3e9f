use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest};
use crate::r#gen::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use klamm::ErrorCode;
use klamm::wire::{Reader, WireError, decode_body};

/// Everything before the high watermark.
const ALL: i64 = -1;

impl Cluster {
    pub(crate) fn delete_some(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: DeleteRecordsRequest<'_> = decode_body(body, request.version)?;
        let mut answers = Vec::new();
        for topic in asked.topics {
            let partitions: Vec<DeleteRecordsPartitionResult> =
                topic.partitions.iter().map(|p| self.delete_before(request, topic.name, p)).collect();
            answers.push((topic.name, partitions));
        }
        let topics: Vec<DeleteRecordsTopicResult<'_>> =
            answers.iter().map(|(name, partitions)| DeleteRecordsTopicResult { name, partitions }).collect();
        request.reply(&DeleteRecordsResponse { throttle_time_ms: request.throttle_ms, topics: &topics })
    }

    fn delete_before(
        &mut self,
        request: &Request,
        name: &str,
        asked: DeleteRecordsPartition,
    ) -> DeleteRecordsPartitionResult {
        let index = asked.partition_index;
        let fault = self.faults.of_partition(request.api.key, request.node, name, index);
        let result = request.refused.or(fault).map_or(Ok(()), Err).and_then(|()| {
            let topic = self.visible(name, request.now.instant);
            let partition = topic.and_then(|t| t.partition(index)).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            partition.check_leader(request.node, -1)?;
            let end = partition.log.end();
            let before = if asked.offset == ALL { end } else { asked.offset };
            if (0..=end).contains(&before) { Ok(before) } else { Err(ErrorCode::OFFSET_OUT_OF_RANGE) }
        });
        let code = match result {
            Ok(before) => {
                self.delete_records(name, index, before);
                request.refused_after.unwrap_or(ErrorCode::NONE)
            }
            Err(code) => code,
        };
        let start = self.topics.get(name).and_then(|t| t.partition(index)).map_or(-1, |p| p.log.start());
        let low_watermark = if code.is_ok() { start } else { -1 };
        DeleteRecordsPartitionResult { partition_index: index, low_watermark, error_code: code.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, batch};
    use klamm::wire::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
    use klamm::wire::delete_records_response::DeleteRecordsResponse;

    fn ask(bench: &mut Bench, version: i16, node: i32, offset: i64) -> (i64, ErrorCode) {
        let partitions = [DeleteRecordsPartition { partition_index: 0, offset }];
        let topics = [DeleteRecordsTopic { name: "t", partitions: &partitions }];
        let answer = bench.call(node, version, &DeleteRecordsRequest { topics: &topics, timeout_ms: 1 });
        let body: DeleteRecordsResponse<'_> = answer.read();
        let result = body.topics.iter().next().unwrap().partitions.iter().next().unwrap();
        (result.low_watermark, ErrorCode(result.error_code))
    }

    #[test]
    fn the_log_begins_later() {
        let mut bench = Bench::new();
        bench.cluster.create_topic("t", 1, 1);
        for _ in 0..10 {
            bench.produce(1, ("t", 0), &batch(&["a"]));
        }
        assert_eq!(ask(&mut bench, 0, 1, 3), (3, ErrorCode::NONE));
        assert_eq!(ask(&mut bench, 1, 1, 2), (3, ErrorCode::NONE), "it never begins earlier again");
        assert_eq!(ask(&mut bench, 2, 1, 11), (-1, ErrorCode::OFFSET_OUT_OF_RANGE));
        assert_eq!(ask(&mut bench, 2, 2, 5), (-1, ErrorCode::NOT_LEADER_OR_FOLLOWER));
        assert_eq!(ask(&mut bench, 2, 1, ALL), (10, ErrorCode::NONE));
    }
}
