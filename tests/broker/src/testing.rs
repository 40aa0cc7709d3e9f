//! A client for the tests: the core's own messages, over no network at all.

use crate::cluster::{Cluster, Now};
use crate::config::ClusterConfig;
use crate::connection::ConnId;
use core::time::Duration;
use klamm::record::{BATCH_HEADER_LEN, BatchHeader, RecordParts, encode_record, record_size, seal_crc};
use klamm::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm::wire::fetch_response::FetchResponse;
use klamm::wire::frame::{read_response_header, request_frame};
use klamm::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::wire::produce_response::{PartitionProduceResponse, ProduceResponse};
use klamm::wire::{Api, Decode, Encode, Reader, Uuid, decode_body};
use klamm::{ErrorCode, Instant};
use std::collections::BTreeMap;

/// A cluster, a connection to each of its brokers, and the time.
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) now: Now,
    conns: BTreeMap<i32, ConnId>,
    inboxes: BTreeMap<i32, Vec<u8>>,
    asked: BTreeMap<i32, (Api, i16)>,
    last_correlation_id: i32,
}

/// A response without its size, and what it answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) frame: Vec<u8>,
    pub(crate) correlation_id: i32,
    api: Api,
    version: i16,
}

impl Answer {
    /// The body, in the version that was asked for.
    pub(crate) fn read<'a, T: Decode<'a>>(&'a self) -> T {
        self.read_as(self.version)
    }

    pub(crate) fn read_as<'a, T: Decode<'a>>(&'a self, version: i16) -> T {
        let mut reader = Reader::new(&self.frame);
        read_response_header(&mut reader, self.api, version).unwrap();
        decode_body(&mut reader, version).unwrap()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(ClusterConfig::default())
    }

    pub(crate) fn with(config: ClusterConfig) -> Self {
        Bench {
            cluster: Cluster::new(config),
            now: Now { instant: Instant::from_nanos(1_000_000), unix_ms: 1_700_000_000_000 },
            conns: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            asked: BTreeMap::new(),
            last_correlation_id: 0,
        }
    }

    /// The connection to a broker; a new one if there is none.
    pub(crate) fn conn(&mut self, node: i32) -> ConnId {
        let cluster = &mut self.cluster;
        *self.conns.entry(node).or_insert_with(|| cluster.open(node).expect("the broker is up"))
    }

    /// Closes the connection to a broker, so that the next request opens another.
    pub(crate) fn hang_up(&mut self, node: i32) {
        if let Some(conn) = self.conns.remove(&node) {
            self.cluster.close(conn);
        }
        self.inboxes.remove(&node);
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now.instant = self.now.instant.after(Duration::from_millis(ms));
        self.now.unix_ms += ms as i64;
        self.cluster.handle_timeout(self.now);
    }

    pub(crate) fn raw(&mut self, node: i32, bytes: &[u8]) {
        let conn = self.conn(node);
        self.cluster.receive(conn, bytes, self.now);
    }

    pub(crate) fn frame<R: Encode>(&mut self, version: i16, body: &R, external: &[&[u8]]) -> Vec<u8> {
        self.last_correlation_id += 1;
        let asked = (R::API, version);
        self.asked.insert(self.last_correlation_id, asked);
        request_frame(body, version, self.last_correlation_id, Some("bench")).unwrap().join(external).unwrap()
    }

    pub(crate) fn send<R: Encode>(&mut self, node: i32, version: i16, body: &R, external: &[&[u8]]) {
        let frame = self.frame(version, body, external);
        self.raw(node, &frame);
    }

    /// The next answer, if there is one.
    pub(crate) fn answer(&mut self, node: i32) -> Option<Answer> {
        let conn = self.conn(node);
        let inbox = self.inboxes.entry(node).or_default();
        while let Some(bytes) = self.cluster.poll_transmit(conn) {
            inbox.extend_from_slice(&bytes);
        }
        let size = i32::from_be_bytes(*inbox.first_chunk()?) as usize;
        assert!(inbox.len() >= 4 + size, "an answer came in parts");
        let frame = inbox[4..4 + size].to_vec();
        inbox.drain(..4 + size);
        let correlation_id = i32::from_be_bytes(*frame.first_chunk().unwrap());
        let (api, version) = self.asked[&correlation_id];
        Some(Answer { frame, correlation_id, api, version })
    }

    pub(crate) fn call<R: Encode>(&mut self, node: i32, version: i16, body: &R) -> Answer {
        self.send(node, version, body, &[]);
        self.answer(node).expect("an answer")
    }

    pub(crate) fn is_closed(&mut self, node: i32) -> bool {
        let conn = self.conn(node);
        self.cluster.should_close(conn)
    }

    /// Sends a batch to one partition with `acks`.
    pub(crate) fn send_batch(
        &mut self,
        (node, version): (i32, i16),
        acks: i16,
        (topic, partition): (&str, i32),
        batch: &[u8],
    ) {
        let partition_data = [PartitionProduceData { index: partition, records: Some(batch.len()) }];
        let topic_id = self.cluster.topic_id(topic).unwrap_or(Uuid::ZERO);
        let topic_data = [TopicProduceData { name: topic, topic_id, partition_data: &partition_data }];
        let request = ProduceRequest { acks, timeout_ms: 30_000, topic_data: &topic_data, ..Default::default() };
        self.send(node, version, &request, &[batch]);
    }

    /// Produces with the newest version and `acks=all`: the code and the offset.
    pub(crate) fn produce(&mut self, node: i32, to: (&str, i32), batch: &[u8]) -> (ErrorCode, i64) {
        self.send_batch((node, Api::find(0).unwrap().max), -1, to, batch);
        let answer = self.answer(node).expect("an answer");
        let part = only_part(&answer.read::<ProduceResponse<'_>>());
        (ErrorCode(part.error_code), part.base_offset)
    }

    /// Fetches one partition without a session and waits `wait_ms` at most.
    pub(crate) fn send_fetch(
        &mut self,
        (node, version): (i32, i16),
        topic: &str,
        part: FetchPartition,
        (min_bytes, wait_ms): (i32, i32),
    ) {
        let partitions = [part];
        let topic_id = self.cluster.topic_id(topic).unwrap_or(Uuid::ZERO);
        let topics = [FetchTopic { topic, topic_id, partitions: &partitions }];
        let request = FetchRequest { max_wait_ms: wait_ms, min_bytes, topics: &topics, ..Default::default() };
        self.send(node, version, &request, &[]);
    }

    pub(crate) fn fetch(&mut self, at: (i32, i16), topic: &str, part: FetchPartition) -> Fetched {
        self.send_fetch(at, topic, part, (0, 0));
        self.fetched(at.0).expect("an answer")
    }

    /// The next answer to a fetch of one partition, if there is one.
    pub(crate) fn fetched(&mut self, node: i32) -> Option<Fetched> {
        let answer = self.answer(node)?;
        let body: FetchResponse<'_> = answer.read();
        assert_eq!(body.error_code, 0);
        let topic = body.responses.iter().next().expect("a topic");
        let part = topic.partitions.iter().next().expect("a partition");
        Some(Fetched {
            error: ErrorCode(part.error_code),
            high_watermark: part.high_watermark,
            log_start: part.log_start_offset,
            records: part.records.expect("records").to_vec(),
            leader: (part.current_leader.leader_id, part.current_leader.leader_epoch),
            diverging: (part.diverging_epoch.epoch, part.diverging_epoch.end_offset),
            endpoints: body.node_endpoints.iter().map(|node| (node.node_id, node.port)).collect(),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) error: ErrorCode,
    pub(crate) high_watermark: i64,
    pub(crate) log_start: i64,
    pub(crate) records: Vec<u8>,
    pub(crate) leader: (i32, i32),
    pub(crate) diverging: (i32, i64),
    pub(crate) endpoints: Vec<(i32, i32)>,
}

pub(crate) fn only_part<'a>(response: &ProduceResponse<'a>) -> PartitionProduceResponse<'a> {
    let topic = response.responses.iter().next().expect("a topic");
    topic.partition_responses.iter().next().expect("a partition")
}

/// From this offset on, with ample limits.
pub(crate) fn from(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

/// A batch with one record a value, and everything else as a plain producer writes it.
pub(crate) fn batch(values: &[&str]) -> Vec<u8> {
    Batch { values, ..Batch::default() }.build()
}

/// The same of an idempotent producer.
pub(crate) fn idempotent(producer_id: i64, producer_epoch: i16, base_sequence: i32, records: usize) -> Vec<u8> {
    Batch { values: &vec!["x"; records], producer_id, producer_epoch, base_sequence, ..Batch::default() }.build()
}

pub(crate) struct Batch<'a> {
    pub(crate) values: &'a [&'a str],
    pub(crate) key: Option<&'a str>,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    /// The first record's; each further one is 1 ms later.
    pub(crate) timestamp: i64,
    /// Changes the header before the CRC is written.
    pub(crate) spoil: fn(&mut BatchHeader),
}

impl Default for Batch<'_> {
    fn default() -> Self {
        Batch {
            values: &[],
            key: None,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            timestamp: 1000,
            spoil: |_| {},
        }
    }
}

impl Batch<'_> {
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for (i, value) in self.values.iter().enumerate() {
            let key = self.key.map(str::as_bytes);
            let value = Some(value.as_bytes());
            let parts = RecordParts { timestamp_delta: i as i64, offset_delta: i as u32, key, value, headers: &[] };
            payload.reserve(record_size(&parts).unwrap());
            encode_record(&mut payload, &parts);
        }
        let last = self.values.len() as i32 - 1;
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: (BATCH_HEADER_LEN - 12 + payload.len()) as i32,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: Default::default(),
            last_offset_delta: last,
            base_timestamp: self.timestamp,
            max_timestamp: self.timestamp + i64::from(last.max(0)),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: last + 1,
        };
        (self.spoil)(&mut header);
        let mut bytes = header.write();
        seal_crc(&mut bytes, core::iter::once(&payload[..]));
        [&bytes[..], &payload].concat()
    }
}
