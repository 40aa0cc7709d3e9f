//! One request, and what a script may do with it.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use klamm_broker::r#gen::{
    api_versions_response::{ApiVersion, ApiVersionsResponse},
    fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData},
    metadata_response::{MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
    produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
};
use klamm_tokio::wire::{
    Encode,
    api::{API_VERSIONS, FETCH, INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, PRODUCE},
};

use crate::{
    front::{Seen, read_frame},
    line::{FLOOD, drip, until_end},
    speaker::{Bytes, Speaker},
    work::TOPIC,
};

/// Both directions of a connection.
pub trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// A request that wants an answer.
pub struct Turn<'a> {
    /// Its API's key.
    pub api: i16,
    /// Its version.
    pub version: i16,
    /// What the answer must begin with.
    pub id: i32,
    /// All of it.
    pub request: &'a [u8],
    /// How many of its API came before, on any connection.
    pub nth: usize,
    /// The port that this broker is known by.
    pub port: u16,
    wire: &'a mut dyn Wire,
    behind: &'a mut TcpStream,
    seen: &'a Seen,
}

type Done = io::Result<()>;

/// Versions that are not flexible, in which everything is a plain row of numbers.
const OLD: [(i16, i16, i16); 6] = [
    (PRODUCE.key, 3, 3),
    (FETCH.key, 4, 4),
    (LIST_OFFSETS.key, 1, 1),
    (METADATA.key, 1, 1),
    (API_VERSIONS.key, 0, 4),
    (INIT_PRODUCER_ID.key, 0, 0),
];

/// The newest versions of before topics had ids.
pub(crate) const NAMED: [(i16, i16, i16); 6] = [
    (PRODUCE.key, PRODUCE.min, 12),
    (FETCH.key, FETCH.min, 12),
    (LIST_OFFSETS.key, LIST_OFFSETS.min, LIST_OFFSETS.max),
    (METADATA.key, METADATA.min, 12),
    (API_VERSIONS.key, 0, API_VERSIONS.max),
    (INIT_PRODUCER_ID.key, INIT_PRODUCER_ID.min, INIT_PRODUCER_ID.max),
];

impl<'a> Turn<'a> {
    pub(crate) fn of(
        request: &'a [u8],
        wire: &'a mut dyn Wire,
        behind: &'a mut TcpStream,
        seen: &'a Seen,
    ) -> io::Result<Turn<'a>> {
        let [a, b, c, d, i, j, k, l, ..] = *request else { return Err(ErrorKind::InvalidData.into()) };
        let (api, version) = (i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d]));
        let id = i32::from_be_bytes([i, j, k, l]);
        Ok(Turn { api, version, id, request, nth: 0, port: 0, wire, behind, seen })
    }

    /// Answers requests of this API so, and all others as a sound broker does.
    pub fn at(&mut self, api: klamm_tokio::wire::Api, lie: impl FnOnce(&mut Self) -> Done) -> Done {
        if self.api != api.key {
            return self.honest();
        }
        self.seen.lied();
        lie(self)
    }

    /// The same by a broker that only knows versions that are not flexible.
    pub fn old(&mut self, api: klamm_tokio::wire::Api, lie: impl FnOnce(&mut Self) -> Done) -> Done {
        if self.api == API_VERSIONS.key && api != API_VERSIONS { self.speaks(&OLD) } else { self.at(api, lie) }
    }

    /// The same by a broker that speaks what is newest, but knows topics by their names only.
    pub fn named(&mut self, api: klamm_tokio::wire::Api, lie: impl FnOnce(&mut Self) -> Done) -> Done {
        if self.api == API_VERSIONS.key { self.speaks(&NAMED) } else { self.at(api, lie) }
    }

    /// Notes that the script did what it is there for.
    pub fn lied(&mut self) {
        self.seen.lied();
    }

    /// Answers as a sound broker does.
    pub fn honest(&mut self) -> Done {
        let answer = self.asked()?;
        self.frame(&answer)
    }

    /// What a sound broker answers.
    pub fn asked(&mut self) -> io::Result<Vec<u8>> {
        let request = self.request;
        self.behind.write_all(&(request.len() as u32).to_be_bytes())?;
        self.behind.write_all(request)?;
        read_frame(self.behind)
    }

    /// Says these bytes, without a length before them.
    pub fn raw(&mut self, bytes: &[u8]) -> Done {
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    /// Says these bytes as a frame.
    pub fn frame(&mut self, bytes: &[u8]) -> Done {
        self.raw(&[&(bytes.len() as u32).to_be_bytes(), bytes].concat())
    }

    /// Says a frame that is bare numbers, behind the request's id.
    pub fn bare(&mut self, fill: impl FnOnce(Bytes) -> Bytes) -> Done {
        let bytes = fill(Bytes(self.id.to_be_bytes().to_vec()));
        self.frame(&bytes.0)
    }

    /// Says a sound message.
    pub fn say<R: Encode>(&mut self, message: &R) -> Done {
        self.speak(message, Speaker::default())
    }

    /// Says a message that something is done to.
    pub fn speak<R: Encode>(&mut self, message: &R, speaker: Speaker) -> Done {
        let mut head = self.id.to_be_bytes().to_vec();
        if R::API.response_header_version(self.version) == 1 {
            let tagged: &[u8] = if speaker.unknown_tags { b"\x01\x63\x05tags!" } else { b"\0" };
            head.extend_from_slice(tagged);
        }
        let bytes = speaker.message(&head, message, self.version);
        self.frame(&bytes)
    }

    /// Lists these APIs, with the versions from and to.
    pub fn speaks(&mut self, ranges: &[(i16, i16, i16)]) -> Done {
        let key = |&(api_key, min_version, max_version)| ApiVersion { api_key, min_version, max_version };
        let api_keys: Vec<ApiVersion> = ranges.iter().map(key).collect();
        self.say(&ApiVersionsResponse { api_keys: &api_keys, ..Default::default() })
    }

    /// Answers with these brokers, and the topic with these partitions: number, leader, its epoch.
    pub fn metadata(&mut self, brokers: &[(i32, &str, i32)], partitions: &[(i32, i32, i32)], speaker: Speaker) -> Done {
        let broker = |&(node_id, host, port)| MetadataResponseBroker { node_id, host, port, rack: None };
        let brokers: Vec<_> = brokers.iter().map(broker).collect();
        let partition = |&(partition_index, leader_id, leader_epoch)| MetadataResponsePartition {
            partition_index,
            leader_id,
            leader_epoch,
            replica_nodes: &[1],
            isr_nodes: &[1],
            ..Default::default()
        };
        let partitions: Vec<_> = partitions.iter().map(partition).collect();
        let topic = MetadataResponseTopic { name: Some(TOPIC), partitions: &partitions, ..Default::default() };
        let (brokers, topics) = (&brokers[..], &[topic][..]);
        self.speak(&MetadataResponse { brokers, topics, controller_id: 1, ..Default::default() }, speaker)
    }

    /// Names this broker alone, with these partitions.
    pub fn leads(&mut self, partitions: &[(i32, i32, i32)]) -> Done {
        self.metadata(&[(1, "127.0.0.1", i32::from(self.port))], partitions, Speaker::default())
    }

    /// Answers a fetch with this partition and these records.
    pub fn fetched(&mut self, partition: PartitionData<'_>, records: &[u8]) -> Done {
        let partition = PartitionData { records: Some(records.len()), ..partition };
        let topic = FetchableTopicResponse { topic: TOPIC, partitions: &[partition], ..Default::default() };
        let speaker = Speaker { records: records.to_vec(), ..Speaker::default() };
        self.speak(&FetchResponse { responses: &[topic], ..Default::default() }, speaker)
    }

    /// Answers a fetch of partition 0 with these records, of a thousand that are said to be there.
    pub fn records(&mut self, records: &[u8]) -> Done {
        self.fetched(PartitionData { high_watermark: 1_000, last_stable_offset: 1_000, ..Default::default() }, records)
    }

    /// Answers a produced batch so.
    pub fn produced(&mut self, partitions: &[PartitionProduceResponse<'_>], throttle_time_ms: i32) -> Done {
        let topic = TopicProduceResponse { name: TOPIC, partition_responses: partitions, ..Default::default() };
        self.say(&ProduceResponse { responses: &[topic], throttle_time_ms, ..Default::default() })
    }

    /// Announces 2 GiB, and goes on and on.
    pub fn endless(&mut self) -> Done {
        let head = [i32::MAX.to_be_bytes(), self.id.to_be_bytes()].concat();
        self.raw(&head)?;
        let block = [b'x'; 64 << 10];
        (0..FLOOD / block.len()).try_for_each(|_| self.wire.write_all(&block))?;
        self.hang()
    }

    /// Answers as a sound broker does, byte by byte.
    pub fn drip(&mut self, pause: Duration) -> Done {
        let answer = self.asked()?;
        let frame = [&(answer.len() as u32).to_be_bytes(), &answer[..]].concat();
        drip(self.wire, &frame, pause)
    }

    /// Never answers; the connection stays open until the client closes it.
    pub fn hang(&mut self) -> Done {
        until_end(self.wire)?;
        self.close()
    }

    /// Closes the connection.
    pub fn close(&self) -> Done {
        Err(ErrorKind::ConnectionAborted.into())
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("api", &self.api).field("version", &self.version).finish_non_exhaustive()
    }
}
