//! What a client knows of its cluster, as bytes that outlive it: for programs that begin anew with every request.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{Broker, Cluster, Dial, check_topic_name, metadata::Leader};
use crate::{
    Config, Error,
    link::Versions,
    record::crc32c::crc32c,
    sync::Arc,
    used::Used,
    wire::{Reader, Uuid, WireError},
};

/// What a client knew of its cluster: where brokers are and what they speak, and who leads the partitions that it used.
/// A client that begins with it asks for none of that first: a
/// producer has its first acknowledgement two round trips after its connection stands, instead of four.
///
/// ```
/// # fn load() -> Option<Vec<u8>> { None }
/// let mut config = klamm::Config::new("localhost:9092");
/// if let Some(state) = load().and_then(|bytes| klamm::WarmState::from_bytes(&bytes).ok()) {
///     config = config.warm_state(state);
/// }
/// # let _ = config;
/// // and later, with a client: store(&client.warm_state().await?.to_bytes());
/// ```
///
/// It may be old. A leader that has moved refuses and is looked for, a broker that is gone is replaced by the others and by the
/// bootstrap list, and one that speaks other versions than before says so in its first answer or hangs up, and is asked. So what
/// is out of date costs the round trips that it would have saved, and nothing else. A client that lives longer than a
/// second renews all of it in the background.
///
/// It has addresses and topic names in it, but no secret and nothing of a record. Whoever can change it chooses whom the client
/// talks to, as whoever can change the bootstrap list does: keep both alike.
#[derive(Clone, PartialEq, Eq)]
pub struct WarmState {
    bootstrap: String,
    controller: i32,
    /// By ascending node id.
    brokers: Vec<WarmBroker>,
    /// By ascending name.
    topics: Vec<WarmTopic>,
}

#[derive(Clone, PartialEq, Eq)]
struct WarmBroker {
    node: i32,
    host: Arc<str>,
    port: u16,
    versions: Option<Arc<Versions>>,
}

#[derive(Clone, PartialEq, Eq)]
struct WarmTopic {
    name: Arc<str>,
    id: Uuid,
    leaders: Vec<Leader>,
}

/// Whether any client may begin with what another knew.
pub(crate) static WARM: Used = Used::not_yet();

const MAGIC: [u8; 4] = *b"klws";

/// Counted up when the bytes change their meaning: what another version wrote is refused.
const FORMAT: i8 = 1;

/// How a broker's versions are told.
const UNKNOWN: i8 = 0;
const OWN: i8 = 1;
/// As the broker before it: mostly all are of one release.
const SAME: i8 = 2;

/// The least bytes of a broker, of a range of versions, of a topic and of a partition, so that no count is believed that what
/// is left cannot have.
const BROKER_LEAST: usize = 4 + 2 + 1 + 2 + 1;
const RANGE_BYTES: usize = 2 + 1 + 1;
const TOPIC_LEAST: usize = 2 + 1 + 16 + 4;
const PARTITION_BYTES: usize = 4 + 4;

impl WarmState {
    /// The state as bytes: some 250 and, for each broker, topic and partition, 30, 40 and 8 more.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(FORMAT.to_be_bytes());
        put_text(&mut out, &self.bootstrap);
        out.extend(self.controller.to_be_bytes());
        put_count(&mut out, self.brokers.len());
        let mut before = None;
        for broker in &self.brokers {
            out.extend(broker.node.to_be_bytes());
            put_text(&mut out, &broker.host);
            out.extend(broker.port.to_be_bytes());
            put_versions(&mut out, broker.versions.as_deref(), before);
            before = broker.versions.as_deref();
        }
        put_count(&mut out, self.topics.len());
        for topic in &self.topics {
            put_text(&mut out, &topic.name);
            out.extend(topic.id.0);
            put_count(&mut out, topic.leaders.len());
            for leader in &topic.leaders {
                out.extend(leader.node.to_be_bytes());
                out.extend(leader.epoch.to_be_bytes());
            }
        }
        out.extend(crc32c(&out).to_be_bytes());
        out
    }

    /// Reads what [`to_bytes`](WarmState::to_bytes) gave. Takes at most a few times as much memory as there are bytes; it is
    /// the caller's, and not in the client's budget.
    ///
    /// # Errors
    /// [`Error::Config`] when the bytes are of another version of Klamm, damaged, or something else altogether. Begin without
    /// it then.
    pub fn from_bytes(bytes: &[u8]) -> Result<WarmState, Error> {
        let refused = |why: &str| Error::config("warm_state", why);
        let Some((rest, sum)) = bytes.split_last_chunk() else { return Err(refused("is too short")) };
        let mut reader = Reader::new(rest);
        if reader.take(MAGIC.len()) != Ok(&MAGIC) || reader.i8() != Ok(FORMAT) {
            return Err(refused("is not a state, or of another version of Klamm"));
        }
        if crc32c(rest) != u32::from_be_bytes(*sum) {
            return Err(refused("is damaged"));
        }
        match read(&mut reader) {
            Ok(Some(state)) => Ok(state),
            Ok(None) => Err(refused("has something in it that cannot be")),
            Err(error) => Err(Error::config("warm_state", alloc::format!("cannot be read: {error}"))),
        }
    }

    /// Whether a client with this config can begin with it.
    fn suits(&self, config: &Config) -> bool {
        let partitions: usize = self.topics.iter().map(|t| t.leaders.len()).sum();
        self.bootstrap == config.bootstrap
            && (1..=config.max_brokers).contains(&self.brokers.len())
            && self.topics.len() <= config.max_topics
            && partitions <= config.max_partitions
    }
}

impl fmt::Debug for WarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (brokers, topics) = (self.brokers.len(), self.topics.len());
        f.debug_struct("WarmState").field("brokers", &brokers).field("topics", &topics).finish_non_exhaustive()
    }
}

/// A bootstrap list longer than this writes becomes an empty one: nobody's.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let len = i16::try_from(text.len()).unwrap_or(0);
    out.extend(len.to_be_bytes());
    out.extend(text.bytes().take(len as usize));
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend(i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
}

fn put_versions(out: &mut Vec<u8>, versions: Option<&Versions>, before: Option<&Versions>) {
    let Some(versions) = versions else { return out.extend(UNKNOWN.to_be_bytes()) };
    if before == Some(versions) {
        return out.extend(SAME.to_be_bytes());
    }
    out.extend(OWN.to_be_bytes());
    put_count(out, versions.ranges().count());
    for (key, min, max) in versions.ranges() {
        out.extend(key.to_be_bytes());
        out.extend(min.to_be_bytes());
        out.extend(max.to_be_bytes());
    }
}

fn count(reader: &mut Reader<'_>, least: usize) -> Result<usize, WireError> {
    let count = usize::try_from(reader.i32()?).unwrap_or(usize::MAX);
    match count <= reader.remaining() / least {
        true => Ok(count),
        false => Err(WireError::Truncated { what: "list" }),
    }
}

/// `None`: it can be read, and cannot be.
fn read(reader: &mut Reader<'_>) -> Result<Option<WarmState>, WireError> {
    let bootstrap = String::from(reader.string()?);
    let controller = reader.i32()?;
    let brokers_len = count(reader, BROKER_LEAST)?;
    let mut brokers: Vec<WarmBroker> = Vec::with_capacity(brokers_len);
    for _ in 0..brokers_len {
        let (node, host, port) = (reader.i32()?, reader.string()?, reader.u16()?);
        let before = brokers.last().map_or((-1, None), |b| (b.node, b.versions.clone()));
        let versions = match reader.i8()? {
            UNKNOWN => None,
            OWN => Some(Arc::new(read_versions(reader)?)),
            SAME if before.1.is_some() => before.1,
            _ => return Ok(None),
        };
        if node <= before.0 || host.is_empty() || port == 0 {
            return Ok(None);
        }
        brokers.push(WarmBroker { node, host: host.into(), port, versions });
    }
    let topics_len = count(reader, TOPIC_LEAST)?;
    let mut topics: Vec<WarmTopic> = Vec::with_capacity(topics_len);
    for _ in 0..topics_len {
        let (name, id, partitions) = (reader.string()?, reader.uuid()?, count(reader, PARTITION_BYTES)?);
        if check_topic_name(name).is_err() || partitions == 0 || topics.last().is_some_and(|t| *t.name >= *name) {
            return Ok(None);
        }
        let mut leaders = Vec::with_capacity(partitions);
        for _ in 0..partitions {
            leaders.push(Leader { node: reader.i32()?.max(-1), epoch: reader.i32()?.max(-1) });
        }
        topics.push(WarmTopic { name: name.into(), id, leaders });
    }
    reader.end()?;
    Ok(Some(WarmState { bootstrap, controller, brokers, topics }))
}

fn read_versions(reader: &mut Reader<'_>) -> Result<Versions, WireError> {
    let mut ranges = Vec::new();
    for _ in 0..count(reader, RANGE_BYTES)? {
        ranges.push((reader.i16()?, i16::from(reader.i8()?), i16::from(reader.i8()?)));
    }
    let mut versions = Versions::default();
    versions.learn(ranges.into_iter());
    Ok(versions)
}

impl Cluster {
    /// Begins with what an earlier client knew, if there is such a thing and it suits this one.
    pub(super) fn begin_warm(&mut self) {
        let state = self.config.warm_state.clone().filter(|state| WARM.may_be() && state.suits(&self.config));
        let Some(state) = state else { return };
        for b in &state.brokers {
            let broker =
                Broker { host: Arc::clone(&b.host), port: b.port, dial: Dial::default(), versions: b.versions.clone() };
            self.brokers.insert(b.node, broker);
        }
        self.share_versions();
        let controller = state.controller;
        self.metadata.begin_warm(controller, state);
    }

    /// A broker of metadata may be an entry of the bootstrap list, or the other way round: what one of them speaks, the other
    /// does.
    pub(super) fn share_versions(&mut self) {
        let known: Vec<_> = self
            .brokers
            .values()
            .filter_map(|b| Some((Arc::clone(&b.host), b.port, Arc::clone(b.versions.as_ref()?))))
            .collect();
        for broker in self.brokers.values_mut().filter(|b| b.versions.is_none() && b.dial.failures == 0) {
            let same = known.iter().find(|(host, port, _)| (host, *port) == (&broker.host, broker.port));
            broker.versions = same.map(|(.., versions)| Arc::clone(versions));
        }
    }

    /// A topic as an earlier client knew it, until metadata says more.
    pub(super) fn warm_topic(&self, name: &str) -> Option<(Uuid, Vec<Leader>)> {
        let topics = &self.metadata.warm.as_ref().filter(|_| WARM.may_be())?.topics;
        let at = topics.binary_search_by(|t| (*t.name).cmp(name)).ok()?;
        topics.get(at).map(|t| (t.id, t.leaders.clone()))
    }

    /// What is known now, for a later client to begin with.
    pub(crate) fn warm_state(&self) -> WarmState {
        let brokers = self.brokers.iter().filter(|(node, _)| **node >= 0);
        let brokers = brokers.map(|(node, b)| WarmBroker {
            node: *node,
            host: Arc::clone(&b.host),
            port: b.port,
            versions: b.versions.clone(),
        });
        let topics = self.metadata.by_name.iter().filter_map(|(name, index)| {
            let topic = self.topic(*index).filter(|t| t.error.is_ok() && !t.partitions.is_empty())?;
            Some(WarmTopic { name: Arc::clone(name), id: topic.id, leaders: topic.partitions.clone() })
        });
        WarmState {
            bootstrap: self.config.bootstrap.clone(),
            controller: self.metadata.controller,
            brokers: brokers.collect(),
            topics: topics.collect(),
        }
    }
}
