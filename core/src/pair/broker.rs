//! What the broker made by hand says, and what it understands of what it is told.

use alloc::{string::String, vec, vec::Vec};

use super::{
    Pair, Request,
    codec::{rle, unrle},
};
use crate::{
    broker_role::{
        api_versions_response::{ApiVersion, ApiVersionsResponse},
        fetch_request::FetchRequest,
        fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData},
        init_producer_id_response::InitProducerIdResponse,
        list_offsets_request::ListOffsetsRequest,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse},
        metadata_request::MetadataRequest,
        metadata_response::{
            MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_request::ProduceRequest,
        produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
    },
    compress::Codec,
    record::{Attributes, BATCH_HEADER_LEN, BatchHeader, Batches, LOG_OVERHEAD, RecordParts, encode_record, seal_crc},
    wire::Uuid,
};

/// A batch as a produce request carries it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) codec: Codec,
    /// Bytes on the wire.
    pub(crate) len: usize,
    pub(crate) values: Vec<String>,
}

impl Sent {
    /// Who wrote it, and where in that writer's sequence.
    pub(crate) fn stamp(&self) -> (i64, i16, i32) {
        (self.producer_id, self.epoch, self.sequence)
    }
}

/// A partition as a fetch asks for it: topic, partition, offset, the most bytes.
pub(crate) type Wanted = (String, i32, i64, i32);

impl Pair {
    pub(crate) fn greet(&mut self, request: &Request) {
        let keys: Vec<ApiVersion> = self
            .versions
            .iter()
            .map(|(key, (min, max))| ApiVersion { api_key: *key, min_version: *min, max_version: *max })
            .collect();
        self.answer(request, &ApiVersionsResponse { api_keys: &keys, ..Default::default() });
    }

    /// Metadata as the test has set it, for the topics that are asked for.
    pub(crate) fn answer_metadata(&mut self, request: &Request) {
        let asked: Vec<String> = match request.read::<MetadataRequest<'_>>().topics {
            Some(list) => list.iter().filter_map(|t| t.name.map(String::from)).collect(),
            None => Vec::new(),
        };
        let (nodes, topics) = (self.nodes.clone(), self.topics.clone());
        let brokers: Vec<MetadataResponseBroker<'_>> = nodes
            .iter()
            .map(|(id, host, port)| MetadataResponseBroker { node_id: *id, host, port: *port, rack: None })
            .collect();
        let known: Vec<_> = topics.iter().filter(|t| asked.contains(&t.name)).collect();
        let parts: Vec<Vec<MetadataResponsePartition<'_>>> = known
            .iter()
            .map(|t| {
                let one = |(i, (leader, epoch)): (usize, &(i32, i32))| MetadataResponsePartition {
                    partition_index: i as i32,
                    leader_id: *leader,
                    leader_epoch: *epoch,
                    ..Default::default()
                };
                t.leaders.iter().enumerate().map(one).collect()
            })
            .collect();
        let answers: Vec<MetadataResponseTopic<'_>> = known
            .iter()
            .zip(&parts)
            .map(|(t, partitions)| MetadataResponseTopic {
                error_code: t.error,
                name: Some(&t.name),
                topic_id: if request.version >= 10 { t.id } else { Uuid::ZERO },
                partitions,
                ..Default::default()
            })
            .collect();
        self.answer(
            request,
            &MetadataResponse { brokers: &brokers, controller_id: 1, topics: &answers, ..Default::default() },
        );
    }

    pub(crate) fn answer_identity(&mut self, request: &Request, producer_id: i64, producer_epoch: i16) {
        let body = InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() };
        self.answer(request, &body);
    }

    pub(crate) fn refuse_identity(&mut self, request: &Request, code: crate::ErrorCode) {
        let body =
            InitProducerIdResponse { error_code: code.0, producer_id: -1, producer_epoch: -1, ..Default::default() };
        self.answer(request, &body);
    }

    /// The name of a topic that a request names or gives the id of.
    fn name_of(&self, name: &str, id: Uuid) -> String {
        match self.topics.iter().find(|t| !id.is_zero() && t.id == id) {
            Some(topic) => topic.name.clone(),
            None => name.into(),
        }
    }

    /// The batches of a produce request.
    pub(crate) fn batches(&self, request: &Request) -> Vec<Sent> {
        let body: ProduceRequest<'_> = request.read();
        let mut all = Vec::new();
        for topic in body.topic_data.iter() {
            for part in topic.partition_data.iter() {
                for batch in Batches::new(part.records.expect("records")) {
                    let batch = batch.expect("a sound batch");
                    batch.check_crc().expect("a sound batch");
                    let text = |v: Option<&[u8]>| String::from_utf8_lossy(v.unwrap_or_default()).into_owned();
                    let codec = batch.header.attributes.codec().expect("a codec");
                    let inflated = if codec == Codec::None { batch.payload().to_vec() } else { unrle(batch.payload()) };
                    let records = batch.records_of(&inflated).expect("sound records");
                    let offsets: Vec<i64> = records.map(|r| r.offset()).collect();
                    assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>(), "as a broker numbers them");
                    assert_eq!(batch.header.last_offset_delta, batch.header.record_count - 1);
                    let newest = records.map(|r| r.timestamp()).max();
                    assert_eq!(Some(batch.header.max_timestamp), newest);
                    all.push(Sent {
                        topic: self.name_of(topic.name, topic.topic_id),
                        partition: part.index,
                        producer_id: batch.header.producer_id,
                        epoch: batch.header.producer_epoch,
                        sequence: batch.header.base_sequence,
                        codec,
                        len: batch.bytes.len(),
                        values: records.map(|r| text(r.value())).collect(),
                    });
                }
            }
        }
        all
    }

    /// The single batch of a produce request.
    pub(crate) fn batch(&self, request: &Request) -> Sent {
        let mut all = self.batches(request);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Answers every partition of a produce request; `tell` fills in what becomes of each.
    pub(crate) fn answer_produce(
        &mut self,
        request: &Request,
        throttle_time_ms: i32,
        tell: impl Fn(&str, PartitionProduceResponse<'static>) -> PartitionProduceResponse<'static>,
    ) {
        let body: ProduceRequest<'_> = request.read();
        let parts: Vec<Vec<PartitionProduceResponse<'_>>> = body
            .topic_data
            .iter()
            .map(|t| {
                let one = |index| PartitionProduceResponse { index, ..Default::default() };
                let name = self.name_of(t.name, t.topic_id);
                t.partition_data.iter().map(|p| tell(&name, one(p.index))).collect()
            })
            .collect();
        let topics: Vec<TopicProduceResponse<'_>> = body
            .topic_data
            .iter()
            .zip(&parts)
            .map(|(t, parts)| TopicProduceResponse { name: t.name, topic_id: t.topic_id, partition_responses: parts })
            .collect();
        self.answer(request, &ProduceResponse { responses: &topics, throttle_time_ms, ..Default::default() });
    }

    /// Acknowledges all partitions of a produce request at this offset.
    pub(crate) fn acknowledge(&mut self, request: &Request, base_offset: i64) {
        self.answer_produce(request, 0, |_, p| PartitionProduceResponse { base_offset, ..p });
    }

    /// Refuses all partitions of a produce request.
    pub(crate) fn refuse(&mut self, request: &Request, code: crate::ErrorCode) {
        self.answer_produce(request, 0, |_, p| PartitionProduceResponse { error_code: code.0, base_offset: -1, ..p });
    }

    /// What a fetch asks for.
    pub(crate) fn wanted(&self, request: &Request) -> Vec<Wanted> {
        let body: FetchRequest<'_> = request.read();
        let of = |t: crate::broker_role::fetch_request::FetchTopic<'_>| {
            let name = self.name_of(t.topic, t.topic_id);
            let one = |p: crate::broker_role::fetch_request::FetchPartition| {
                (name.clone(), p.partition, p.fetch_offset, p.partition_max_bytes)
            };
            t.partitions.iter().map(one).collect::<Vec<_>>()
        };
        body.topics.iter().flat_map(of).collect()
    }

    /// What a fetch asks to forget.
    pub(crate) fn forgotten(&self, request: &Request) -> Vec<(String, i32)> {
        let body: FetchRequest<'_> = request.read();
        let mut all = Vec::new();
        for t in body.forgotten_topics_data.iter() {
            let name = self.name_of(t.topic, t.topic_id);
            all.extend(t.partitions.iter().map(|p| (name.clone(), p)));
        }
        all
    }

    /// The session id and epoch of a fetch.
    pub(crate) fn session(&self, request: &Request) -> (i32, i32) {
        let body: FetchRequest<'_> = request.read();
        (body.session_id, body.session_epoch)
    }

    /// Answers a fetch with these partitions and their records.
    pub(crate) fn answer_fetch(
        &mut self,
        request: &Request,
        session_id: i32,
        error_code: i16,
        parts: &[(&str, PartitionData<'_>, &[u8])],
    ) {
        let ids = request.version >= 13;
        let data: Vec<[PartitionData<'_>; 1]> =
            parts.iter().map(|(_, p, records)| [PartitionData { records: Some(records.len()), ..*p }]).collect();
        let topics: Vec<FetchableTopicResponse<'_>> = parts
            .iter()
            .zip(&data)
            .map(|((name, ..), data)| {
                let id = self.topics.iter().find(|t| t.name == *name).map_or(Uuid::ZERO, |t| t.id);
                FetchableTopicResponse {
                    topic: if ids { "" } else { name },
                    topic_id: if ids { id } else { Uuid::ZERO },
                    partitions: data,
                }
            })
            .collect();
        let records: Vec<&[u8]> = parts.iter().map(|(.., r)| *r).collect();
        let body = FetchResponse { session_id, error_code, responses: &topics, ..Default::default() };
        self.answer_with(request, &body, &records);
    }

    /// Answers a fetch with the records of one partition of the topic `t`.
    pub(crate) fn bring(&mut self, request: &Request, session_id: i32, partition: i32, records: &[u8]) {
        let data = PartitionData { partition_index: partition, high_watermark: 1_000, ..Default::default() };
        self.answer_fetch(request, session_id, 0, &[("t", data, records)]);
    }

    /// Answers a fetch with an error of one partition of the topic `t`.
    pub(crate) fn fail_fetch(&mut self, request: &Request, session_id: i32, partition: i32, code: crate::ErrorCode) {
        let data = PartitionData { partition_index: partition, error_code: code.0, ..Default::default() };
        self.answer_fetch(request, session_id, 0, &[("t", data, &[])]);
    }

    /// What a ListOffsets asks for: topic, partition, time.
    pub(crate) fn asked_offsets(&self, request: &Request) -> Vec<(String, i32, i64)> {
        let body: ListOffsetsRequest<'_> = request.read();
        let mut all = Vec::new();
        for t in body.topics.iter() {
            all.extend(t.partitions.iter().map(|p| (String::from(t.name), p.partition_index, p.timestamp)));
        }
        all
    }

    /// Answers every partition of a ListOffsets alike.
    pub(crate) fn answer_offsets(&mut self, request: &Request, error_code: i16, offset: i64) {
        let body: ListOffsetsRequest<'_> = request.read();
        let parts: Vec<Vec<ListOffsetsPartitionResponse>> = body
            .topics
            .iter()
            .map(|t| {
                let one = |partition_index| ListOffsetsPartitionResponse {
                    partition_index,
                    error_code,
                    offset,
                    ..Default::default()
                };
                t.partitions.iter().map(|p| one(p.partition_index)).collect()
            })
            .collect();
        let topics: Vec<ListOffsetsTopicResponse<'_>> = body
            .topics
            .iter()
            .zip(&parts)
            .map(|(t, partitions)| ListOffsetsTopicResponse { name: t.name, partitions })
            .collect();
        self.answer(request, &ListOffsetsResponse { topics: &topics, ..Default::default() });
    }
}

/// A batch of these values, with its first record at `base_offset`.
pub(crate) fn batch_of(base_offset: i64, values: &[&str]) -> Vec<u8> {
    batch_with(base_offset, Attributes::default(), values.len() as i32, records_of(values))
}

/// The same, compressed as the tests do it.
pub(crate) fn packed(codec: Codec, base_offset: i64, values: &[&str]) -> Vec<u8> {
    packed_with(Attributes::of(codec), base_offset, values.len() as i32, &records_of(values))
}

pub(crate) fn packed_with(attributes: Attributes, base_offset: i64, count: i32, records: &[u8]) -> Vec<u8> {
    batch_with(base_offset, attributes, count, rle(records))
}

pub(crate) fn records_of(values: &[&str]) -> Vec<u8> {
    let mut records = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let parts = RecordParts {
            timestamp_delta: i as i64,
            offset_delta: i as u32,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        encode_record(&mut records, &parts);
    }
    records
}

pub(crate) fn batch_with(base_offset: i64, attributes: Attributes, count: i32, records: Vec<u8>) -> Vec<u8> {
    let header = BatchHeader {
        base_offset,
        batch_length: (BATCH_HEADER_LEN - LOG_OVERHEAD + records.len()) as i32,
        partition_leader_epoch: 5,
        magic: 2,
        crc: 0,
        attributes,
        last_offset_delta: count.max(1) - 1,
        base_timestamp: 7,
        max_timestamp: 99,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: count,
    };
    let mut bytes = header.write();
    seal_crc(&mut bytes, core::iter::once(&records[..]));
    let mut whole = vec![];
    whole.extend_from_slice(&bytes);
    whole.extend(records);
    whole
}
