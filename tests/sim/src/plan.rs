//! What a seed does: drawn once, before anything runs.

use std::time::Duration;

use klamm::wire::{Api, api};
use klamm::{Acks, Budget, Config, ConsumerConfig, Memory, ProducerConfig, StartAt};
use klamm_broker::ClusterConfig;

use crate::packing::Packing;
use crate::pipe::{Chunks, How};
use crate::rng::Rng;
use crate::storm::Storm;
use crate::world::Network;

/// How a topic comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Born {
    First,
    ByAdmin,
    /// After so many ns: until then clients look for it in vain.
    Later(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct TopicPlan {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) replication: i16,
    pub(crate) log_append_time: bool,
    /// What the topic's settings say of compression.
    pub(crate) compression: &'static str,
    /// The largest batch that it takes.
    pub(crate) batch_max: Option<usize>,
    pub(crate) born: Born,
}

impl TopicPlan {
    /// Its settings, by Kafka's names.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let time = if self.log_append_time { "LogAppendTime" } else { "CreateTime" };
        let mut settings =
            vec![("message.timestamp.type", time.to_owned()), ("compression.type", self.compression.to_owned())];
        settings.extend(self.batch_max.map(|max| ("max.message.bytes", max.to_string())));
        settings
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ProducerPlan {
    pub(crate) client: usize,
    pub(crate) config: ProducerConfig,
    pub(crate) tasks: usize,
    pub(crate) records: usize,
    /// The longest pause between two records of a task, in ns.
    pub(crate) pace: u64,
    /// The largest value.
    pub(crate) value_max: usize,
    /// Its values and what they are like: the fewer bits, the more they can be compressed.
    pub(crate) bits: u8,
    /// No record is larger than what every topic takes.
    pub(crate) modest: bool,
    /// No record may fail, whatever happens: there is time for all of it.
    pub(crate) patient: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ConsumerPlan {
    pub(crate) client: usize,
    pub(crate) config: ConsumerConfig,
    /// Topic and partition; `None`: all topics as a subscription.
    pub(crate) assigned: Option<Vec<(usize, i32)>>,
    pub(crate) seeks: bool,
    pub(crate) pauses: bool,
    /// How many `Records` it keeps before it lets go of the oldest.
    pub(crate) keeps: usize,
}

pub(crate) struct Plan {
    pub(crate) cluster: ClusterConfig,
    pub(crate) topics: Vec<TopicPlan>,
    pub(crate) clients: Vec<Config>,
    pub(crate) producers: Vec<ProducerPlan>,
    pub(crate) consumers: Vec<ConsumerPlan>,
    pub(crate) network: Network,
    pub(crate) storm: Storm,
    /// Brokers that speak an API up to this version only.
    pub(crate) caps: Vec<(i32, Api, i16)>,
    /// Metadata without topic ids.
    pub(crate) zero_topic_ids: bool,
    pub(crate) inline: bool,
    /// Chances, in 10,000, of the executor's own checks.
    pub(crate) audit: u32,
    pub(crate) spurious: u32,
}

const MS: u64 = 1_000_000;

impl Plan {
    pub(crate) fn new(seed: u64) -> Plan {
        let mut rng = Rng::stream(seed, "workload");
        let brokers = rng.range(1, 4) as usize;
        let cluster = ClusterConfig {
            brokers,
            seed: rng.draw(),
            creation_delay: Duration::from_millis(rng.pick(&[0, 0, 50, 400])),
            fetch_sessions_max: rng.pick(&[1_000, 1_000, 1, 0]),
            whole_batches: rng.chance(3_000),
            check_records: true,
            ..ClusterConfig::default()
        };
        let mut topics: Vec<TopicPlan> = (0..rng.range(1, 3)).map(|n| topic(&mut rng, n, brokers)).collect();
        let mut clients: Vec<Config> = (0..rng.range(1, 3)).map(|_| client(&mut rng, brokers)).collect();
        if rng.chance(1_500) {
            // One budget for all, the first one's: who returns what another waits for wakes that one.
            // What a client remembers at most goes with the memory that it has.
            let first = clients[0].clone();
            let shared = Budget::new(first.memory);
            for c in &mut clients {
                (c.budget, c.memory) = (Some(shared.clone()), first.memory);
                (c.max_brokers, c.max_topics, c.max_partitions) =
                    (first.max_brokers, first.max_topics, first.max_partitions);
                (c.max_handles, c.max_waiters) = (first.max_handles, first.max_waiters);
                c.single_connection = first.single_connection;
            }
        }
        let mut producers: Vec<ProducerPlan> = (0..rng.range(1, 3)).map(|_| producer(&mut rng, &clients)).collect();
        let consumers: Vec<ConsumerPlan> =
            (0..rng.range(1, 3)).map(|_| consumer(&mut rng, &clients, &topics)).collect();
        let caps = caps(&mut rng, brokers);
        let packing = Packing { readers: consumers.len(), old_brokers: !caps.is_empty() };
        packing.draw(&mut Rng::stream(seed, "packing"), &clients, &mut topics, &mut producers);
        let mut faults = Rng::stream(seed, "fault plan");
        let quiet = faults.chance(500);
        Plan {
            cluster,
            topics,
            clients,
            producers,
            consumers,
            network: if quiet { Network::default() } else { network(&mut faults) },
            storm: if quiet { Storm::none() } else { Storm::new(&mut faults) },
            caps,
            zero_topic_ids: rng.chance(500),
            inline: rng.chance(3_000),
            audit: 2_500,
            spurious: if rng.chance(2_000) { 300 } else { 0 },
        }
    }
}

fn caps(rng: &mut Rng, brokers: usize) -> Vec<(i32, Api, i16)> {
    if !rng.chance(3_000) {
        return Vec::new();
    }
    let apis = [
        (api::PRODUCE, 3, 13),
        (api::FETCH, 4, 18),
        (api::METADATA, 1, 13),
        (api::LIST_OFFSETS, 1, 11),
        (api::INIT_PRODUCER_ID, 0, 5),
        (api::CREATE_TOPICS, 2, 7),
        (api::API_VERSIONS, 0, 4),
    ];
    (0..rng.range(1, 8))
        .map(|_| {
            let (api, low, high) = rng.pick(&apis);
            (rng.range(1, brokers as u64) as i32, api, rng.range(low, high) as i16)
        })
        .collect()
}

fn topic(rng: &mut Rng, number: u64, brokers: usize) -> TopicPlan {
    TopicPlan {
        name: format!("topic-{number}"),
        partitions: rng.range(1, 6) as i32,
        replication: rng.range(1, brokers.min(3) as u64) as i16,
        log_append_time: rng.chance(2_000),
        compression: "producer",
        batch_max: None,
        born: match rng.below(4) {
            0 => Born::Later(rng.range(0, 2_000) * MS),
            1 => Born::ByAdmin,
            _ => Born::First,
        },
    }
}

fn client(rng: &mut Rng, brokers: usize) -> Config {
    let first = rng.range(1, brokers as u64);
    let mut bootstrap = format!("broker-{first}:9092");
    for node in 1..=brokers as u64 {
        if node != first && rng.chance(7_000) {
            bootstrap += &format!(",broker-{node}:9092");
        }
    }
    let mut config = Config::new(bootstrap);
    config.single_connection = rng.chance(1_600);
    // The least that remembers all brokers and six handles, or more.
    let mut total = rng.pick(&[256 << 10, 1 << 20, 16 << 20]);
    while {
        config = config.memory_total(total);
        config.max_brokers < brokers || config.max_handles < 6
    } {
        total *= 2;
    }
    if rng.chance(3_000) {
        // So little for records that somebody waits for room all the time.
        let (produce_bytes, fetch_bytes) = (rng.pick(&[4 << 10, 16 << 10, 64 << 10]), rng.pick(&[40 << 10, 100 << 10]));
        config.memory = Memory { produce_bytes, fetch_bytes, ..config.memory };
    }
    config.request_timeout_ms = rng.range(500, 3_000) as u32;
    config.connect_timeout_ms = rng.range(500, 3_000) as u32;
    config.metadata_max_age_ms = rng.pick(&[500, 5_000, 300_000]);
    config.backoff_ms = rng.range(5, 100) as u32;
    config.backoff_max_ms = rng.range(100, 1_000) as u32;
    config.close_timeout_ms = 60_000;
    config
}

fn producer(rng: &mut Rng, clients: &[Config]) -> ProducerPlan {
    let client = rng.index(clients.len());
    let mut config = ProducerConfig::default();
    match rng.below(10) {
        0 => config.acks = Acks::None,
        1 => config.acks = Acks::Leader,
        2 => config.idempotence = Some(false),
        _ => {}
    }
    let room = clients[client].memory.produce_bytes;
    config.linger_ms = rng.pick(&[0, 0, 5, 50]);
    config.batch_bytes = rng.pick(&[256, 1_000, 4_000, 16_000]).min(room / 2);
    config.request_bytes = rng.pick(&[1_000, 20_000, 1 << 20]);
    let patient = rng.chance(6_000);
    config.delivery_timeout_ms =
        if patient { 600_000 } else { config.linger_ms + clients[client].request_timeout_ms + rng.below(2_000) as u32 };
    config.max_block_ms = if patient { 600_000 } else { rng.range(100, 3_000) as u32 };
    ProducerPlan {
        client,
        value_max: rng.pick(&[20, 200, 3_000]).min(config.batch_bytes - 200 + 20),
        bits: u8::MAX,
        modest: false,
        config,
        tasks: rng.range(1, 4) as usize,
        records: rng.pick(&[30, 100, 250]),
        pace: rng.pick(&[0, MS, 10 * MS, 60 * MS]),
        patient,
    }
}

fn consumer(rng: &mut Rng, clients: &[Config], topics: &[TopicPlan]) -> ConsumerPlan {
    let mut config = ConsumerConfig::default();
    config.from = StartAt::Earliest;
    config.fetch_max_wait_ms = rng.pick(&[1, 50, 500]);
    config.fetch_min_bytes = rng.pick(&[1, 1, 200]);
    config.fetch_max_bytes = rng.pick(&[500, 20_000, 4 << 20]);
    config.partition_max_bytes = rng.pick(&[300, 5_000, 1 << 20]);
    let all = topics.iter().enumerate().flat_map(|(t, plan)| (0..plan.partitions).map(move |p| (t, p)));
    let assigned = rng.chance(3_000).then(|| {
        let mut some: Vec<(usize, i32)> = all.collect();
        let keep = rng.range(1, some.len() as u64) as usize;
        while some.len() > keep {
            some.swap_remove(rng.index(some.len()));
        }
        some
    });
    ConsumerPlan {
        client: rng.index(clients.len()),
        config,
        assigned,
        seeks: rng.chance(4_000),
        pauses: rng.chance(4_000),
        keeps: rng.pick(&[0, 0, 2, 20]),
    }
}

fn network(rng: &mut Rng) -> Network {
    let mut some = |chance: u32, values: &[u32]| if rng.chance(chance) { rng.pick(values) } else { 0 };
    let spike = some(4_000, &[20, 200, 1_000]);
    let cut = some(7_000, &[1_000, 3_000, 6_000]);
    let spurious = some(4_000, &[100, 1_000]);
    let late = some(3_000, &[2_000_000, 20_000_000]);
    let kinds = [Chunks::Whole, Chunks::Segments, Chunks::Small, Chunks::Bytes];
    let chunks = (0..rng.range(1, 3)).map(|_| rng.pick(&kinds)).collect();
    let all = [How::Fin, How::Reset, How::Reset, How::Silence];
    let latency = rng.pick(&[(10_000, 50_000), (200_000, 400_000), (1_000_000, 30_000_000)]);
    Network {
        latency,
        chunks,
        window: rng.pick(&[(64 << 10, 64 << 10), (1_000, 4_000), (50, 300)]),
        spike,
        spike_span: rng.pick(&[(10 * MS, 100 * MS), (100 * MS, 3_000 * MS)]),
        cut,
        cut_how: (0..rng.range(1, 4)).map(|_| rng.pick(&all)).collect(),
        cut_within: rng.pick(&[1_000, 10_000, 100_000]),
        spurious,
        timer_late: u64::from(late),
    }
}
