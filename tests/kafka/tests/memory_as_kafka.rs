//! The same requests to the in-memory cluster and to a real broker: both must answer alike, errors above all.

use klamm::record::{
    Attributes, BATCH_HEADER_LEN, BatchHeader, Batches, RecordParts, encode_record, record_size, seal_crc,
};
use klamm::wire::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm::wire::create_topics_response::CreateTopicsResponse;
use klamm::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use klamm::wire::fetch_response::FetchResponse;
use klamm::wire::frame::{read_response_header, request_frame};
use klamm::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use klamm::wire::list_offsets_response::ListOffsetsResponse;
use klamm::wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm::wire::metadata_response::MetadataResponse;
use klamm::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::wire::produce_response::ProduceResponse;
use klamm::wire::{Decode, Encode, Reader, Uuid, decode_body};
use klamm_broker::{ClusterConfig, Running, serve};
use klamm_kafka_tests::Cluster;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A connection to a broker that is opened again when the broker closes it.
struct Peer {
    address: String,
    stream: TcpStream,
}

impl Peer {
    fn to(address: &str) -> Peer {
        let stream = TcpStream::connect(address).expect("the broker's port is open");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Peer { address: address.to_owned(), stream }
    }

    /// The answer, or `None` when the broker closed the connection.
    fn ask(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let mut receive = || -> std::io::Result<Vec<u8>> {
            self.stream.write_all(frame)?;
            let mut size = [0; 4];
            self.stream.read_exact(&mut size)?;
            let mut answer = vec![0; u32::from_be_bytes(size) as usize];
            self.stream.read_exact(&mut answer)?;
            Ok(answer)
        };
        let answer = receive();
        if answer.is_err() {
            *self = Peer::to(&self.address);
        }
        answer.ok()
    }
}

/// A real broker and one in memory.
struct Both {
    kafka: Cluster,
    memory: Running,
    peers: [Peer; 2],
    differences: Vec<String>,
    _runtime: Runtime,
}

/// What an answer says, in words; of the version that was asked for.
type Tell = fn(&[u8], i16) -> String;

impl Both {
    fn start() -> Both {
        let kafka = Cluster::start(1, &[("auto.create.topics.enable", "false")]);
        let runtime = Runtime::new().expect("a runtime");
        let memory = {
            let _in_it = runtime.enter();
            serve(ClusterConfig { brokers: 1, check_records: true, ..ClusterConfig::default() }).expect("a free port")
        };
        let peers = [Peer::to(kafka.bootstrap()), Peer::to(memory.bootstrap())];
        Both { kafka, memory, peers, differences: Vec::new(), _runtime: runtime }
    }

    fn create(&mut self, name: &str, settings: &[(&str, &str)]) {
        self.kafka.create_topic_with(name, 1, 1, settings);
        self.memory.cluster().create_topic_with(name, 1, 1, settings);
        self.until_led(name);
    }

    fn until_led(&mut self, name: &str) {
        // A broker that has just been given a partition may not lead it yet.
        let part = ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: -1 };
        let topics = [ListOffsetsTopic { name, partitions: &[part] }];
        let request = ListOffsetsRequest { replica_id: -1, topics: &topics, ..Default::default() };
        let frame = request_frame(&request, 1, 7, None).unwrap().join(&[]).unwrap();
        let start = Instant::now();
        while !self.peers[0].ask(&frame).is_some_and(|answer| listed(&answer, 1).starts_with("0 ")) {
            assert!(start.elapsed().as_secs() < 60, "nobody leads {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends the request to both and notes it if they do not say the same.
    fn same<R: Encode>(&mut self, what: &str, version: i16, request: &R, external: &[&[u8]], tell: Tell) {
        let frame = request_frame(request, version, 7, None).unwrap().join(external).unwrap();
        let [kafka, memory] = self.peers.each_mut().map(|peer| match peer.ask(&frame) {
            Some(answer) => tell(&answer, version),
            None => "closed".to_owned(),
        });
        self.compare(what, &kafka, &memory);
    }

    fn compare(&mut self, what: &str, kafka: &str, memory: &str) {
        if memory != kafka {
            self.differences.push(format!("{what}\n    Kafka   {kafka}\n    memory  {memory}"));
        }
    }

    fn done(self) {
        let all = self.differences;
        assert!(all.is_empty(), "{} differences\n{}", all.len(), all[..all.len().min(40)].join("\n"));
    }

    fn produce(&mut self, what: &str, (version, acks): (i16, i16), topic: &str, batch: &[u8]) {
        let partition_data = [PartitionProduceData { index: 0, records: Some(batch.len()) }];
        let topic_data = [TopicProduceData { name: topic, topic_id: Uuid::ZERO, partition_data: &partition_data }];
        let request = ProduceRequest { acks, timeout_ms: 9000, topic_data: &topic_data, ..Default::default() };
        self.same(what, version, &request, &[batch], produced)
    }

    /// The base offset that Kafka gives a batch.
    fn offset_in_kafka(&mut self, topic: &str, batch: &[u8]) -> i64 {
        let partition_data = [PartitionProduceData { index: 0, records: Some(batch.len()) }];
        let topic_data = [TopicProduceData { name: topic, topic_id: Uuid::ZERO, partition_data: &partition_data }];
        let request = ProduceRequest { acks: -1, timeout_ms: 9000, topic_data: &topic_data, ..Default::default() };
        let frame = request_frame(&request, 9, 7, None).unwrap().join(&[batch]).unwrap();
        let answer = self.peers[0].ask(&frame).expect("an answer");
        let body: ProduceResponse<'_> = body(&answer, 9);
        let part = body.responses.iter().next().unwrap().partition_responses.iter().next().unwrap();
        assert_eq!(part.error_code, 0, "{topic}");
        part.base_offset
    }
}

fn body<'a, T: Decode<'a>>(answer: &'a [u8], version: i16) -> T {
    let mut reader = Reader::new(answer);
    assert_eq!(read_response_header(&mut reader, T::API, version), Ok(7));
    decode_body(&mut reader, version).unwrap()
}

fn produced(answer: &[u8], version: i16) -> String {
    let body: ProduceResponse<'_> = body(answer, version);
    let part = body.responses.iter().next().unwrap().partition_responses.iter().next().unwrap();
    let blamed: Vec<i32> = part.record_errors.iter().map(|record| record.batch_index).collect();
    let stamped = part.log_append_time_ms >= 0;
    format!(
        "{} at {}, start {}, stamped {stamped}, {blamed:?}",
        part.error_code, part.base_offset, part.log_start_offset
    )
}

struct Batch {
    values: usize,
    key: Option<&'static [u8]>,
    producer: (i64, i16, i32),
    timestamp: i64,
    spoil: fn(&mut BatchHeader),
}

const PLAIN: Batch = Batch { values: 2, key: None, producer: (-1, -1, -1), timestamp: 1000, spoil: |_| {} };

impl Batch {
    fn build(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for i in 0..self.values {
            let (key, value) = (self.key, Some(&b"value"[..]));
            let parts = RecordParts { timestamp_delta: i as i64, offset_delta: i as u32, key, value, headers: &[] };
            payload.reserve(record_size(&parts).unwrap());
            encode_record(&mut payload, &parts);
        }
        let count = self.values as i32;
        let mut header = BatchHeader {
            base_offset: 0,
            batch_length: (BATCH_HEADER_LEN - 12 + payload.len()) as i32,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta: count - 1,
            base_timestamp: self.timestamp,
            max_timestamp: self.timestamp + i64::from(count) - 1,
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            base_sequence: self.producer.2,
            record_count: count,
        };
        (self.spoil)(&mut header);
        let mut head = header.write();
        seal_crc(&mut head, core::iter::once(&payload[..]));
        [&head[..], &payload].concat()
    }
}

/// Trap 113: a broker that starts again forgets producers whose last batch is older than a day, and a batch without a time is as
/// old as can be. What is sent again then is there twice; not where the broker gives the time.
#[test]
fn a_restart_forgets_producers_without_a_clock() {
    let mut both = Both::start();
    let batch = Batch { values: 1, timestamp: -1, producer: (7, 0, 0), ..PLAIN }.build();
    let topics = [("created", "CreateTime", 1), ("appended", "LogAppendTime", 0)];
    for (topic, kind, _) in topics {
        both.create(topic, &[("message.timestamp.type", kind)]);
        assert_eq!((both.offset_in_kafka(topic, &batch), both.offset_in_kafka(topic, &batch)), (0, 0), "{kind}");
    }
    both.kafka.kill(1);
    both.kafka.restart(1);
    for (topic, kind, again_at) in topics {
        both.until_led(topic);
        assert_eq!(both.offset_in_kafka(topic, &batch), again_at, "{kind}");
    }
}

#[test]
fn sequences_epochs_and_duplicates() {
    let mut both = Both::start();
    both.create("t", &[]);
    const MAX: i32 = i32::MAX;
    // (producer id, epoch, first sequence, records)
    let steps = [
        (7, 0, 0, 2),
        (7, 0, 2, 1),
        (7, 0, 4, 1),
        (7, 0, 3, 4),
        (7, 0, 3, 4),
        (7, 0, 3, 3),
        (7, 0, 2, 1),
        (7, 0, 0, 2),
        (7, 0, 7, 1),
        (7, 0, 8, 1),
        (7, 0, 9, 1),
        (7, 0, 10, 1),
        (7, 0, 0, 2),
        (7, 0, 2, 1),
        (7, 0, 3, 4),
        (7, 0, 7, 1),
        (7, 1, 11, 1),
        (7, 1, 0, 1),
        (7, 0, 11, 1),
        (7, 0, 10, 1),
        (7, 1, 0, 1),
        (7, 1, 1, 1),
        (7, 3, 1, 1),
        (7, 3, 0, 1),
        (8, 3, 5, 1),
        (8, 3, 6, 1),
        (8, 3, 5, 1),
        (8, 2, 0, 1),
        (9, 0, MAX - 1, 2),
        (9, 0, 0, 1),
        (9, 0, MAX - 1, 2),
        (10, 0, MAX, 3),
        (10, 0, MAX, 3),
        (10, 0, 1, 1),
        (10, 0, 2, 1),
        (11, 0, -1, 1),
        (11, -1, 0, 1),
    ];
    for (i, &(id, epoch, sequence, values)) in steps.iter().enumerate() {
        let batch = Batch { values, producer: (id, epoch, sequence), ..PLAIN }.build();
        both.produce(&format!("step {i}"), (9 + i as i16 % 4, -1), "t", &batch);
    }
    both.done();
}

#[test]
fn batches_that_are_refused() {
    let mut both = Both::start();
    both.create("t", &[("max.message.bytes", "300")]);
    both.create("compacted", &[("cleanup.policy", "compact")]);
    both.create("stamped", &[("message.timestamp.type", "LogAppendTime")]);
    let good = PLAIN.build();
    let spoilt = |spoil| Batch { spoil, ..PLAIN }.build();
    let mut flipped = good.clone();
    flipped[good.len() - 2] ^= 1;
    let magic = |magic: u8| [&good[..16], &[magic], &good[17..]].concat();
    let bits = |bits: fn(&mut BatchHeader)| spoilt(bits);
    let cases = [
        ("nothing", vec![]),
        ("half a header", good[..30].to_vec()),
        ("half a batch", good[..good.len() - 1].to_vec()),
        ("a flipped bit", flipped),
        ("format 1", magic(1)),
        ("format 3", magic(3)),
        ("two batches", [&good[..], &good].concat()),
        ("a batch and a half", [&good[..], &good[..40]].concat()),
        ("a length below the header's", spoilt(|h| h.batch_length = 20)),
        ("an offset", spoilt(|h| h.base_offset = 5)),
        ("fewer records than offsets", spoilt(|h| h.last_offset_delta = 2)),
        ("more records than offsets", spoilt(|h| h.last_offset_delta = 0)),
        ("no records", spoilt(|h| (h.record_count, h.last_offset_delta) = (0, 0))),
        ("one record too many", spoilt(|h| (h.record_count, h.last_offset_delta) = (3, 2))),
        ("one record too few", spoilt(|h| (h.record_count, h.last_offset_delta) = (1, 0))),
        ("control records", bits(|h| h.attributes = h.attributes.with(Attributes::CONTROL))),
        ("a sequence missing", spoilt(|h| h.producer_id = 7)),
        ("append times of its own", bits(|h| h.attributes = h.attributes.with(Attributes::LOG_APPEND_TIME))),
        ("a large one", Batch { values: 50, ..PLAIN }.build()),
        ("an unknown codec", spoilt(|h| h.attributes = Attributes(5))),
        ("a good one", good.clone()),
    ];
    for (what, batch) in &cases {
        for version in [3, 8, 12] {
            both.produce(what, (version, -1), "t", batch);
        }
    }
    both.create("strict", &[("min.insync.replicas", "2")]);
    both.produce("too few replicas", (12, -1), "strict", &good);
    both.produce("too few replicas, but acks 1", (12, 1), "strict", &good);
    both.produce("acks 2", (12, 2), "t", &good);
    both.produce("acks 1", (12, 1), "t", &good);
    both.produce("no such topic", (12, -1), "nope", &good);
    both.produce("an invalid name", (12, -1), "no pe", &good);
    both.produce("no key", (12, -1), "compacted", &good);
    both.produce("a key", (12, -1), "compacted", &Batch { key: Some(b"k"), ..PLAIN }.build());
    both.produce("a time of the broker's", (12, -1), "stamped", &good);
    let idempotent = Batch { producer: (7, 0, 0), ..PLAIN }.build();
    for topic in ["t", "stamped"] {
        both.produce("idempotent", (12, -1), topic, &idempotent);
        both.produce("a duplicate", (12, -1), topic, &idempotent);
    }
    both.done();
}

fn listed(answer: &[u8], version: i16) -> String {
    let body: ListOffsetsResponse<'_> = body(answer, version);
    let part = body.topics.iter().next().unwrap().partitions.iter().next().unwrap();
    format!("{} at {}, time {}, epoch {}", part.error_code, part.offset, part.timestamp, part.leader_epoch)
}

#[test]
fn offsets_by_time() {
    let mut both = Both::start();
    for topic in ["empty", "t"] {
        both.create(topic, &[]);
    }
    for timestamp in [5000, 100, 6000] {
        both.produce("records", (9, -1), "t", &Batch { timestamp, values: 3, ..PLAIN }.build());
    }
    for version in 1..=11 {
        for timestamp in [-1, -2, -3, -4, -5, -6, -7, 0, 100, 5000, 5001, 5002, 5003, 6002, 6003] {
            // What Kafka says of tiers depends on their being switched on, and nothing here has any.
            if (timestamp == -5 || timestamp == -6) && version >= 9 {
                continue;
            }
            for (name, index, epoch) in
                [("t", 0, -1), ("empty", 0, -1), ("t", 0, 0), ("t", 0, 5), ("t", 9, -1), ("nope", 0, -1)]
            {
                let current_leader_epoch = if version >= 4 { epoch } else { -1 };
                let part = ListOffsetsPartition { partition_index: index, current_leader_epoch, timestamp };
                let topics = [ListOffsetsTopic { name, partitions: &[part] }];
                let request = ListOffsetsRequest { replica_id: -1, topics: &topics, ..Default::default() };
                let what = format!("{name}-{index} at {timestamp} in epoch {epoch}, version {version}");
                both.same(&what, version, &request, &[], listed);
            }
        }
    }
    both.done();
}

fn fetched(answer: &[u8], version: i16) -> String {
    let body: FetchResponse<'_> = body(answer, version);
    let mut said = format!("{} session {};", body.error_code, body.session_id != 0);
    for topic in body.responses {
        for part in topic.partitions {
            let records = part.records.unwrap_or_default();
            let mut batches = Batches::new(records);
            let whole: Vec<i64> = batches.by_ref().map(|batch| batch.unwrap().header.base_offset).collect();
            let (hw, lso, start) = (part.high_watermark, part.last_stable_offset, part.log_start_offset);
            let aborted = part.aborted_transactions.map(|aborted| aborted.len());
            let diverging = (part.diverging_epoch.epoch, part.diverging_epoch.end_offset);
            said += &format!(
                " {}: {} hw {hw} lso {lso} start {start} {whole:?} and {} of {}, {aborted:?} {diverging:?};",
                part.partition_index,
                part.error_code,
                batches.tail(),
                records.len(),
            );
        }
    }
    said
}

fn ask_fetch(name: &str, parts: &[FetchPartition], version: i16, max_bytes: i32, both: &mut Both) {
    let topics = [FetchTopic { topic: name, topic_id: Uuid([7; 16]), partitions: parts }];
    let request = FetchRequest { max_bytes, topics: &topics, ..Default::default() };
    both.same(&format!("{name} {parts:?} version {version}"), version, &request, &[], fetched);
}

#[test]
fn fetched_parts_and_errors() {
    let mut both = Both::start();
    both.create("t", &[]);
    for _ in 0..3 {
        both.produce("records", (9, -1), "t", &PLAIN.build());
    }
    let size = PLAIN.build().len() as i32;
    let part =
        |fetch_offset, partition_max_bytes| FetchPartition { fetch_offset, partition_max_bytes, ..Default::default() };
    for version in 4..=12 {
        for offset in [-1, 0, 1, 2, 5, 6, 7] {
            for max in [0, 1, size - 1, size, size + 1, 2 * size + 20, 1 << 20] {
                ask_fetch("t", &[part(offset, max)], version, i32::MAX, &mut both);
                ask_fetch("t", &[part(offset, 1 << 20)], version, max, &mut both);
            }
        }
        ask_fetch("t", &[FetchPartition { partition: 1, ..part(0, 1) }], version, 1, &mut both);
        ask_fetch("nope", &[part(0, 1)], version, 1, &mut both);
    }
    ask_fetch("t", &[part(0, 1)], 13, 1, &mut both);
    for current_leader_epoch in [-1, 0, 1] {
        ask_fetch("t", &[FetchPartition { current_leader_epoch, ..part(0, 1 << 20) }], 12, 1 << 20, &mut both);
    }
    for last_fetched_epoch in [-1, 0, 1] {
        for offset in [0, 6, 7] {
            ask_fetch("t", &[FetchPartition { last_fetched_epoch, ..part(offset, 1 << 20) }], 12, 1 << 20, &mut both);
        }
    }
    let committed = [FetchTopic { topic: "t", topic_id: Uuid::ZERO, partitions: &[part(0, 1 << 20)] }];
    let request = FetchRequest { isolation_level: 1, topics: &committed, ..Default::default() };
    both.same("read_committed", 12, &request, &[], fetched);
    both.done();
}

/// Sessions have ids of the brokers' own choice, so each broker is asked in its own words.
#[test]
fn sessions_mention_the_same_changes() {
    let mut both = Both::start();
    for topic in ["a", "b"] {
        both.create(topic, &[]);
    }
    let mut ids = [0, 0];
    let at = |offset| [FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() }];
    let topic = |topic, partitions| FetchTopic { topic, topic_id: Uuid::ZERO, partitions };
    let (zero, one, two, far) = (at(0), at(1), at(2), at(99));
    let (a0, b0, a2, b1, b2) =
        (topic("a", &zero), topic("b", &zero), topic("a", &two), topic("b", &one), topic("b", &two));
    let a_far = topic("a", &far);
    // (epoch, what is asked for, what is forgotten, where records are written afterwards)
    type Step<'a> = (i32, Vec<FetchTopic<'a>>, &'a [&'a str], &'a [&'a str]);
    let steps: [Step<'_>; 17] = [
        (0, vec![a0, b0], &[], &[]),
        (1, vec![], &[], &["a"]),
        (2, vec![], &[], &["b"]),
        (3, vec![], &[], &[]),
        (4, vec![a2, b1], &[], &[]),
        (5, vec![b2], &[], &[]),
        (6, vec![a_far], &[], &[]),
        (7, vec![], &[], &[]),
        (8, vec![a2], &[], &[]),
        (9, vec![], &[], &["a"]),
        (9, vec![], &[], &[]),
        (12, vec![], &[], &[]),
        (10, vec![], &["a"], &[]),
        (11, vec![a2], &[], &[]),
        (12, vec![], &["a", "b"], &[]),
        (13, vec![], &[], &[]),
        (-1, vec![a0], &[], &[]),
    ];
    for (step, (session_epoch, topics, forgotten, written)) in steps.iter().enumerate() {
        let forget = |topic: &'static [i32; 1]| {
            forgotten
                .iter()
                .map(|name| ForgottenTopic { topic: name, topic_id: Uuid::ZERO, partitions: topic })
                .collect::<Vec<_>>()
        };
        let forgotten = forget(&[0]);
        let mut said = Vec::new();
        for (peer, id) in both.peers.iter_mut().zip(&mut ids) {
            let request = FetchRequest {
                session_id: *id,
                session_epoch: *session_epoch,
                topics,
                forgotten_topics_data: &forgotten,
                ..Default::default()
            };
            let answer = peer.ask(&request_frame(&request, 12, 7, None).unwrap().bytes).expect("an answer");
            let session = body::<FetchResponse<'_>>(&answer, 12).session_id;
            *id = if step == 0 { session } else { *id };
            said.push(fetched(&answer, 12));
        }
        both.compare(&format!("step {step}"), &said[0], &said[1]);
        for topic in *written {
            both.produce("records", (9, -1), topic, &PLAIN.build());
        }
    }
    both.done();
}

fn created(answer: &[u8], version: i16) -> String {
    let body: CreateTopicsResponse<'_> = body(answer, version);
    let mut said: Vec<String> = body
        .topics
        .iter()
        .map(|t| {
            format!(
                "{:?}: {} {:?} {}x{}",
                t.name, t.error_code, t.error_message, t.num_partitions, t.replication_factor
            )
        })
        .collect();
    said.sort();
    said.join("; ")
}

#[test]
fn topics_that_are_refused() {
    let mut both = Both::start();
    both.create("there", &[]);
    both.create("a.b", &[]);
    let plain = CreatableTopic { name: "t", num_partitions: 2, replication_factor: 1, assignments: &[], configs: &[] };
    let named = |name| CreatableTopic { name, ..plain };
    let long = "x".repeat(250);
    let on = |partition_index, broker_ids| CreatableReplicaAssignment { partition_index, broker_ids };
    let one = [on(0, &[1])];
    let by_hand = CreatableTopic { num_partitions: -1, replication_factor: -1, assignments: &one, ..plain };
    let (unknown, twice, empty) = ([on(0, &[9])], [on(0, &[1, 1])], [on(0, &[])]);
    let (gap, doubled) = ([on(0, &[1]), on(2, &[1])], [on(0, &[1]), on(0, &[1])]);
    let bad = |assignments| CreatableTopic { assignments, ..by_hand };
    let cases = [
        vec![named("there")],
        vec![named("")],
        vec![named(".")],
        vec![named("..")],
        vec![named("a b")],
        vec![named(&long)],
        vec![named("a_b")],
        vec![named("d"), named("d"), named("e")],
        vec![CreatableTopic { num_partitions: 0, ..plain }],
        vec![CreatableTopic { num_partitions: -2, ..plain }],
        vec![CreatableTopic { num_partitions: 10_001, ..plain }],
        vec![CreatableTopic { replication_factor: 0, ..plain }],
        vec![CreatableTopic { replication_factor: -2, ..plain }],
        vec![CreatableTopic { replication_factor: 2, ..plain }],
        vec![CreatableTopic { num_partitions: 1, ..by_hand }],
        vec![CreatableTopic { replication_factor: 1, ..by_hand }],
        vec![bad(&unknown)],
        vec![bad(&twice)],
        vec![bad(&empty)],
        vec![bad(&gap)],
        vec![bad(&doubled)],
    ];
    for topics in &cases {
        for validate_only in [true, false] {
            let request = CreateTopicsRequest { topics, timeout_ms: 9000, validate_only };
            both.same(&format!("{topics:?}"), 7, &request, &[], created);
        }
    }
    for (name, value) in [
        ("no.such", Some("1")),
        ("message.timestamp.type", Some("x")),
        ("max.message.bytes", Some("y")),
        ("cleanup.policy", Some("z")),
        ("retention.ms", None),
    ] {
        let topics = [CreatableTopic { configs: &[CreatableTopicConfig { name, value }], ..plain }];
        let request = CreateTopicsRequest { topics: &topics, timeout_ms: 9000, validate_only: false };
        both.same(name, 4, &request, &[], |answer, version| {
            let body: CreateTopicsResponse<'_> = body(answer, version);
            body.topics.iter().map(|topic| topic.error_code.to_string()).collect()
        });
    }
    let request = CreateTopicsRequest { topics: &[by_hand], timeout_ms: 9000, validate_only: false };
    both.same("by hand", 7, &request, &[], created);
    both.done();
}

fn described(answer: &[u8], version: i16) -> String {
    let body: MetadataResponse<'_> = body(answer, version);
    let topics = body.topics.iter().map(|t| {
        let known = !t.topic_id.is_zero();
        format!("{:?} {} {known} {} {};", t.name, t.error_code, t.partitions.len(), t.topic_authorized_operations)
    });
    format!("{} {} {}", topics.collect::<String>(), body.cluster_authorized_operations, body.error_code)
}

#[test]
fn metadata_of_what_is_not_there() {
    let mut both = Both::start();
    both.create("t", &[]);
    let ids = [both.kafka_id("t"), both.memory.cluster().topic_id("t").unwrap()];
    assert!(!ids[0].is_zero());
    let named = |name| MetadataRequestTopic { topic_id: Uuid::ZERO, name };
    let by_id = |topic_id| MetadataRequestTopic { topic_id, name: None };
    let long = "x".repeat(250);
    for version in 0..=13 {
        let mut cases = vec![
            vec![],
            vec![named(Some("t"))],
            vec![named(Some("nope"))],
            vec![named(Some("no pe"))],
            vec![named(Some(""))],
            vec![named(Some(&long))],
        ];
        if version >= 10 {
            cases.push(vec![by_id(Uuid([7; 16]))]);
            cases.push(vec![MetadataRequestTopic { topic_id: Uuid([7; 16]), name: Some("t") }]);
            cases.push(vec![named(None)]);
        }
        for topics in &cases {
            for operations in [false, true] {
                let request = MetadataRequest {
                    topics: Some(topics),
                    include_topic_authorized_operations: operations && version >= 8,
                    include_cluster_authorized_operations: operations && (8..=10).contains(&version),
                    ..Default::default()
                };
                both.same(&format!("{topics:?} version {version}"), version, &request, &[], described);
            }
        }
    }
    both.done();
}

impl Both {
    fn kafka_id(&mut self, name: &str) -> Uuid {
        let topics = [MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name) }];
        let request = MetadataRequest { topics: Some(&topics), ..Default::default() };
        let answer = self.peers[0].ask(&request_frame(&request, 12, 7, None).unwrap().bytes).expect("an answer");
        body::<MetadataResponse<'_>>(&answer, 12).topics.iter().next().unwrap().topic_id
    }
}

#[test]
fn requests_that_are_none() {
    let mut both = Both::start();
    let frames: [&[u8]; 9] = [
        b"\0\0\0\x0a\0\x12\0\x63\0\0\0\x07\xff\xff",               // ApiVersions 99
        b"\0\0\0\x0b\0\x12\0\x04\0\0\0\x07\xff\xff\0",             // ApiVersions 4 without a body
        b"\0\0\0\x10\0\x12\0\x03\0\0\0\x07\xff\xff\0\x02-\x02-\0", // a name that is none
        b"\0\0\0\x0a\0\x63\0\0\0\0\0\x07\xff\xff",                 // an unknown API
        b"\0\0\0\x0a\0\x00\0\x02\0\0\0\x07\xff\xff",               // Produce 2
        b"\0\0\0\x0a\0\x01\0\x03\0\0\0\x07\xff\xff",               // Fetch 3
        b"\0\0\0\x0a\0\x16\0\x06\0\0\0\x07\xff\xff",               // InitProducerId 6, which is unstable
        b"\xff\xff\xff\xff\0\x12\0\0\0\0\0\x07\xff\xff",           // a negative size
        b"\x7f\xff\xff\xff\0\x12\0\0\0\0\0\x07\xff\xff",           // a size beyond the limit
    ];
    for (i, frame) in frames.iter().enumerate() {
        let [kafka, memory] = both.peers.each_mut().map(|peer| peer.ask(frame));
        // Kafka lists its APIs behind the code.
        let code = |answer: Option<Vec<u8>>| answer.map(|answer| answer[..6].to_vec());
        both.compare(&format!("frame {i}"), &format!("{:?}", code(kafka)), &format!("{:?}", code(memory)));
    }
    both.done();
}
