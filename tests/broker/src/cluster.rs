//! The cluster: its brokers, its topics, and what a test does to them.

use crate::api::ANSWERED;
use crate::config::{AutoCreate, ClusterConfig};
use crate::connection::{ConnId, Connection};
use crate::fault::{Fault, Faults};
use crate::log::StoredBatch;
use crate::random::Random;
use crate::sessions::Sessions;
use crate::topic::{Partition, Topic, TopicSettings};
use klamm::Instant;
use klamm::record::RecordView;
use klamm::wire::{Api, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// The time, as it is handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock, which waiting goes by.
    pub instant: Instant,
    /// The wall clock in ms since 1970, which topics with LogAppendTime write.
    pub unix_ms: i64,
}

/// A Kafka cluster in memory.
///
/// Control methods panic when they are used wrongly, such as on a topic that does not exist: tests are their users.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) config: ClusterConfig,
    pub(crate) id: String,
    pub(crate) nodes: BTreeMap<i32, Node>,
    pub(crate) topics: BTreeMap<String, Topic>,
    names: BTreeMap<Uuid, String>,
    pub(crate) next_producer_id: i64,
    pub(crate) random: Random,
    pub(crate) conns: BTreeMap<ConnId, Connection>,
    pub(crate) last_conn: u64,
    pub(crate) ready: BTreeSet<ConnId>,
    pub(crate) deadlines: BTreeSet<(Instant, ConnId)>,
    /// Something has changed for fetches that wait.
    pub(crate) changed: bool,
    pub(crate) now: Now,
    pub(crate) faults: Faults,
    pub(crate) zero_topic_ids: bool,
    /// By API key and broker.
    pub(crate) requests: BTreeMap<(i16, i32), u64>,
}

/// One broker.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) up: bool,
    /// What it advertises: by API key the oldest and the newest version.
    pub(crate) versions: BTreeMap<i16, (i16, i16)>,
    pub(crate) sessions: Sessions,
}

/// A topic that was checked.
pub(crate) struct NewTopic<'a> {
    pub(crate) name: &'a str,
    pub(crate) replicas: Vec<Vec<i32>>,
    pub(crate) settings: TopicSettings,
    pub(crate) visible_at: Instant,
}

impl Cluster {
    /// A cluster without topics whose brokers are all up.
    pub fn new(config: ClusterConfig) -> Self {
        let mut random = Random(config.seed);
        let id = random.uuid().to_string();
        let versions: BTreeMap<i16, (i16, i16)> =
            ANSWERED.iter().map(|api| (api.key, (api.min, newest(api, &config)))).collect();
        let node = |index: usize| {
            let id = index as i32 + 1;
            let (host, port) = config.addresses.get(index).cloned().unwrap_or_else(|| (format!("broker-{id}"), 9092));
            (id, Node { host, port, up: true, versions: versions.clone(), sessions: Sessions::default() })
        };
        Cluster {
            id,
            nodes: (0..config.brokers).map(node).collect(),
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            next_producer_id: 0,
            random,
            conns: BTreeMap::new(),
            last_conn: 0,
            ready: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            changed: false,
            now: Now::default(),
            faults: Faults::default(),
            zero_topic_ids: false,
            requests: BTreeMap::new(),
            config,
        }
    }

    /// Its settings.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// The brokers' ids, dead ones included.
    pub fn nodes(&self) -> impl Iterator<Item = i32> {
        self.nodes.keys().copied()
    }

    /// Whether a broker runs.
    pub fn is_up(&self, node: i32) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.up)
    }

    /// What a broker advertises as its host and port.
    pub fn address(&self, node: i32) -> (&str, u16) {
        let node = self.node(node);
        (&node.host, node.port)
    }

    /// Lets a broker advertise another host and port.
    pub fn set_address(&mut self, node: i32, host: &str, port: u16) {
        let node = self.node_mut(node);
        (node.host, node.port) = (host.to_owned(), port);
    }

    /// Creates a topic with Kafka's default settings. Partition P is led by broker P + 1, and so on in a circle.
    pub fn create_topic(&mut self, name: &str, partitions: usize, replication: usize) {
        self.create_topic_with(name, partitions, replication, &[]);
    }

    /// [`Cluster::create_topic`] with settings of the topic.
    pub fn create_topic_with(&mut self, name: &str, partitions: usize, replication: usize, given: &[(&str, &str)]) {
        Cluster::check_topic_name(name).unwrap_or_else(|why| panic!("{why}"));
        assert!(!self.topics.contains_key(name), "topic {name} exists");
        assert!(
            (1..=self.nodes.len()).contains(&replication),
            "{replication} replicas on {} brokers",
            self.nodes.len()
        );
        let mut settings = TopicSettings::default();
        for (key, value) in given {
            settings.set(key, value).unwrap_or_else(|why| panic!("{why}"));
        }
        let replicas = self.spread(partitions, replication);
        self.add_topic(NewTopic { name, replicas, settings, visible_at: Instant::ZERO });
        self.settle();
    }

    /// Deletes a topic with its records. One of the same name may be created again; it has another id.
    pub fn delete_topic(&mut self, name: &str) {
        let topic = self.topics.remove(name).unwrap_or_else(|| panic!("no topic {name}"));
        self.names.remove(&topic.id);
        self.touch();
    }

    /// The names of all topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// A topic's id.
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(|topic| topic.id)
    }

    /// How many partitions a topic has.
    pub fn partitions(&self, name: &str) -> usize {
        self.topic(name).partitions.len()
    }

    /// The broker that leads a partition, if one does.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition).leader
    }

    /// How often the leader was chosen; it begins with 0.
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> i32 {
        self.partition(topic, partition).epoch
    }

    /// The brokers that have a partition, the preferred leader first.
    pub fn replicas(&self, topic: &str, partition: i32) -> &[i32] {
        &self.partition(topic, partition).replicas
    }

    /// Lets another replica lead the partition.
    ///
    /// # Panics
    /// If that broker is down or does not have the partition.
    pub fn move_leader(&mut self, topic: &str, partition: i32, node: i32) {
        assert!(self.is_up(node), "broker {node} is down");
        let of = self.partition_mut(topic, partition);
        assert!(of.replicas.contains(&node), "broker {node} does not have {topic}-{partition}");
        of.lead(Some(node));
        if !of.isr.contains(&node) {
            of.isr.push(node);
        }
        self.touch();
    }

    /// Leaves the partition without a leader until [`Cluster::move_leader`] or a start of its last replica.
    pub fn remove_leader(&mut self, topic: &str, partition: i32) {
        self.partition_mut(topic, partition).lead(None);
        self.touch();
    }

    /// Ends a broker: its connections close, other replicas lead its partitions. What its log holds stays.
    pub fn kill(&mut self, node: i32) {
        self.node_mut(node).up = false;
        self.node_mut(node).sessions.clear();
        self.cut(node);
        let up: BTreeSet<i32> = self.nodes.iter().filter(|(_, node)| node.up).map(|(&id, _)| id).collect();
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            partition.replica_died(node, |node| up.contains(&node));
        }
        self.touch();
    }

    /// Starts a broker again. It leads only what had no leader.
    pub fn start(&mut self, node: i32) {
        self.node_mut(node).up = true;
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            partition.replica_started(node);
        }
        self.touch();
    }

    /// Closes all connections to a broker, which lives on: what idle timeouts and middleboxes do.
    pub fn close_connections(&mut self, node: i32) {
        self.cut(node);
    }

    /// The batches of a partition.
    pub fn log(&self, topic: &str, partition: i32) -> &[StoredBatch] {
        self.partition(topic, partition).log.batches()
    }

    /// The records of a partition.
    ///
    /// # Panics
    /// When a batch cannot be read.
    pub fn records(&self, topic: &str, partition: i32) -> impl Iterator<Item = RecordView<'_>> {
        let batches = self.log(topic, partition).iter();
        batches.flat_map(|batch| batch.records().unwrap_or_else(|error| panic!("{error}")))
    }

    /// The offset of the partition's next record.
    pub fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition).log.end()
    }

    /// Deletes the records before `offset`, as retention does.
    pub fn delete_records(&mut self, topic: &str, partition: i32, offset: i64) {
        self.partition_mut(topic, partition).log.set_start(offset);
        self.touch();
    }

    /// Makes a partition forget what it knows of an idempotent producer, as retention does.
    pub fn forget_producer(&mut self, topic: &str, partition: i32, producer_id: i64) {
        self.partition_mut(topic, partition).producers.forget(producer_id);
    }

    /// Keeps a topic from all clients, as if its creation had not yet reached the brokers, or shows it again.
    pub fn hide_topic(&mut self, name: &str, hidden: bool) {
        let topic = self.topics.get_mut(name).unwrap_or_else(|| panic!("no topic {name}"));
        topic.hidden = hidden;
        self.touch();
    }

    /// Lets Metadata answer without topic ids, as a broker does that has none.
    pub fn zero_topic_ids(&mut self, zero: bool) {
        self.zero_topic_ids = zero;
    }

    /// Lets a broker advertise and speak these versions of an API only, or with `None` not the API at all. A request
    /// for anything else closes the connection.
    pub fn advertise(&mut self, node: i32, api: Api, versions: Option<(i16, i16)>) {
        let node = self.node_mut(node);
        match versions {
            Some(range) => drop(node.versions.insert(api.key, range)),
            None => drop(node.versions.remove(&api.key)),
        }
    }

    /// Lets something go wrong with the next requests.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Forgets all faults that have not happened.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// How many faults are still to happen.
    pub fn pending_faults(&self) -> u64 {
        self.faults.pending()
    }

    /// How many requests of an API a broker has got, those of unknown versions and those that went wrong included.
    pub fn requests(&self, api: Api, node: i32) -> u64 {
        self.requests.get(&(api.key, node)).copied().unwrap_or(0)
    }

    /// How many requests of an API all brokers have got.
    pub fn all_requests(&self, api: Api) -> u64 {
        self.nodes.keys().map(|&node| self.requests(api, node)).sum()
    }

    /// How many fetch sessions a broker keeps.
    pub fn fetch_sessions(&self, node: i32) -> usize {
        self.node(node).sessions.len()
    }

    pub(crate) fn speaks(&self, node: i32, api: Api, version: i16) -> bool {
        let range = self.nodes.get(&node).and_then(|node| node.versions.get(&api.key));
        range.is_some_and(|&(min, max)| (min..=max).contains(&version))
    }

    pub(crate) fn name_of(&self, id: &Uuid) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// The topic, if clients can see it.
    pub(crate) fn visible(&self, name: &str, now: Instant) -> Option<&Topic> {
        self.topics.get(name).filter(|topic| topic.is_visible(now))
    }

    /// Replicas for each partition, in a circle.
    pub(crate) fn spread(&self, partitions: usize, replication: usize) -> Vec<Vec<i32>> {
        let nodes: Vec<i32> = self.nodes.keys().copied().collect();
        let replicas = |first: usize| (first..first + replication).map(|place| nodes[place % nodes.len()]).collect();
        (0..partitions).map(replicas).collect()
    }

    pub(crate) fn add_topic(&mut self, new: NewTopic<'_>) -> Uuid {
        let id = self.random.uuid();
        let partitions = new.replicas.into_iter().map(|replicas| Partition::new(replicas, |node| self.is_up(node)));
        let partitions = partitions.collect();
        let topic = Topic { id, settings: new.settings, partitions, visible_at: new.visible_at, hidden: false };
        self.topics.insert(new.name.to_owned(), topic);
        self.names.insert(id, new.name.to_owned());
        self.changed = true;
        id
    }

    pub(crate) fn auto_create(&mut self, name: &str, auto: AutoCreate) {
        let replicas = self.spread(auto.partitions, auto.replication.clamp(1, self.nodes.len()));
        let visible_at = self.now.instant.after(self.config.creation_delay);
        self.add_topic(NewTopic { name, replicas, settings: TopicSettings::default(), visible_at });
    }

    /// After a change from outside: answers fetches that waited for it.
    fn touch(&mut self) {
        self.changed = true;
        self.settle();
    }

    fn node(&self, node: i32) -> &Node {
        self.nodes.get(&node).unwrap_or_else(|| panic!("no broker {node}"))
    }

    fn node_mut(&mut self, node: i32) -> &mut Node {
        self.nodes.get_mut(&node).unwrap_or_else(|| panic!("no broker {node}"))
    }

    fn topic(&self, name: &str) -> &Topic {
        self.topics.get(name).unwrap_or_else(|| panic!("no topic {name}"))
    }

    fn partition(&self, topic: &str, index: i32) -> &Partition {
        self.topic(topic).partition(index).unwrap_or_else(|| panic!("no partition {topic}-{index}"))
    }

    fn partition_mut(&mut self, topic: &str, index: i32) -> &mut Partition {
        let of = self.topics.get_mut(topic).unwrap_or_else(|| panic!("no topic {topic}"));
        of.partition_mut(index).unwrap_or_else(|| panic!("no partition {topic}-{index}"))
    }
}

fn newest(api: &Api, config: &ClusterConfig) -> i16 {
    if config.unstable_versions { api.max_unstable } else { api.max }
}
