//! Faults at random: to requests as they come, and to brokers as time goes by. After a while all is calm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use klamm::ErrorCode;
use klamm::wire::{Api, api};
use klamm_broker::{Action, Cluster, Fault};

use crate::peer::{Answer, Seen};
use crate::rng::Rng;
use crate::world::{Counts, Network, World};

/// The chances of each kind in 10,000: of requests, or of the storm's ticks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Storm {
    /// How long it lasts, in ns.
    pub(crate) span: u64,
    /// Between two ticks, in ns.
    tick: u64,
    close: u32,
    close_after: u32,
    silence: u32,
    delay: u32,
    throttle: u32,
    code: u32,
    stale: u32,
    session: u32,
    move_leader: u32,
    kill: u32,
    outage: u32,
    hide: u32,
    leaderless: u32,
    hang_up: u32,
}

const MS: u64 = 1_000_000;

impl Storm {
    pub(crate) fn none() -> Storm {
        Storm::default()
    }

    pub(crate) fn new(rng: &mut Rng) -> Storm {
        let mut some = |chance: u32, values: &[u32]| if rng.chance(chance) { rng.pick(values) } else { 0 };
        let close = some(3_000, &[50, 300]);
        let close_after = some(4_000, &[50, 300, 1_000]);
        let silence = some(3_000, &[20, 100]);
        let delay = some(3_000, &[100, 500]);
        let throttle = some(3_000, &[100, 500]);
        let code = some(5_000, &[100, 500, 2_000]);
        let stale = some(3_000, &[1_000, 4_000]);
        let session = some(3_000, &[200, 1_000]);
        let move_leader = some(5_000, &[1_000, 4_000]);
        let kill = some(4_000, &[300, 1_000]);
        let outage = some(1_500, &[100, 300]);
        let hide = some(3_000, &[300, 1_000]);
        let leaderless = some(3_000, &[300, 1_000]);
        let hang_up = some(3_000, &[300, 1_000]);
        let span = rng.range(500, 6_000) * MS;
        let tick = rng.pick(&[20 * MS, 100 * MS]);
        Storm {
            span,
            tick,
            close,
            close_after,
            silence,
            delay,
            throttle,
            code,
            stale,
            session,
            move_leader,
            kill,
            outage,
            hide,
            leaderless,
            hang_up,
        }
    }

    /// Begins, and ends after its time.
    pub(crate) fn begin(self, seed: u64, world: &mut World) {
        if self.span == 0 {
            return;
        }
        let stale: Stale = Arc::default();
        let (ask, keep) = (Arc::clone(&stale), stale);
        let (storm, mut rng) = (self.clone(), Rng::stream(seed, "request faults"));
        world.on_request = Some(Box::new(move |cluster, seen, counts| {
            storm.on_request(cluster, seen, counts, &mut rng, &ask);
        }));
        world.on_answer = Some(Box::new(move |answer, frame| keep_metadata(&keep, answer, frame)));
        let span = self.span;
        let rng = Rng::stream(seed, "broker faults");
        world.at(self.tick, move |world| self.tick(world, rng));
        world.at(span, calm);
    }

    fn on_request(&self, cluster: &mut Cluster, seen: &Seen<'_>, counts: &mut Counts, rng: &mut Rng, stale: &Stale) {
        let Some(api) = Api::find(seen.api_key) else { return };
        let mut inject = |kind: &'static str, action: Action| {
            counts.add(kind);
            cluster.inject(Fault { api, node: Some(seen.node), count: 1, action });
        };
        if api == api::METADATA {
            let old = old_metadata(stale, seen, rng);
            if let Some(old) = old.filter(|_| rng.chance(self.stale)) {
                return inject("stale metadata", Action::Reply(old));
            }
        }
        if api == api::FETCH && rng.chance(self.session) {
            let code = rng.pick(&[ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH]);
            return inject("fetch session lost", Action::Fail(code));
        }
        if rng.chance(self.close) {
            inject("closed by the broker", Action::Close);
        } else if rng.chance(self.close_after) && api == api::PRODUCE {
            inject("closed after it was applied", Action::CloseAfter);
        } else if rng.chance(self.silence) {
            inject("silence", if rng.chance(5_000) { Action::Silence } else { Action::SilenceAfter });
        } else if rng.chance(self.delay) {
            inject("slow answer", Action::Delay(Duration::from_nanos(rng.range(MS, 1_000 * MS))));
        } else if rng.chance(self.throttle) {
            inject("throttle", Action::Throttle(rng.range(1, 500) as i32));
        } else if rng.chance(self.code)
            && let Some((kind, action)) = error_of(api, rng)
        {
            inject(kind, action);
        }
    }

    fn tick(self, world: &mut World, mut rng: Rng) {
        if world.now() >= self.span {
            return;
        }
        self.leaders(world, &mut rng);
        self.brokers(world, &mut rng);
        if rng.chance(self.hide)
            && let Some(topic) = any_topic(&world.cluster, &mut rng)
        {
            world.counts.add("topic unknown for a while");
            let name = topic.clone();
            world.change_cluster(|c| c.hide_topic(&name, true));
            let back = world.now() + rng.range(10, 700) * MS;
            world.at(back, move |w| w.change_cluster(|c| c.hide_topic(&topic, false)));
        }
        let next = world.now() + self.tick;
        world.at(next, move |world| self.tick(world, rng));
    }

    fn leaders(&self, world: &mut World, rng: &mut Rng) {
        let Some(topic) = any_topic(&world.cluster, rng) else { return };
        let partition = rng.index(world.cluster.partitions(&topic)) as i32;
        let replicas = world.cluster.replicas(&topic, partition).to_vec();
        let node = rng.pick(&replicas);
        let now = world.now();
        if rng.chance(self.move_leader) && world.cluster.is_up(node) {
            if world.cluster.leader(&topic, partition) != Some(node) {
                world.counts.add("leader moved");
            }
            world.trace.note(now, format_args!("{topic}-{partition} is led by {node}"));
            world.change_cluster(|c| c.move_leader(&topic, partition, node));
        }
        if rng.chance(self.leaderless) {
            world.counts.add("leaderless");
            world.trace.note(now, format_args!("{topic}-{partition} has no leader"));
            world.change_cluster(|c| c.remove_leader(&topic, partition));
            let back = world.now() + rng.range(10, 700) * MS;
            world.at(back, move |w| w.change_cluster(|c| elect(c, &topic, partition)));
        }
    }

    fn brokers(&self, world: &mut World, rng: &mut Rng) {
        let nodes: Vec<i32> = world.cluster.nodes().collect();
        let node = rng.pick(&nodes);
        let now = world.now();
        if rng.chance(self.kill) && world.cluster.is_up(node) {
            world.counts.add("broker killed");
            world.trace.note(now, format_args!("broker {node} is killed"));
            world.change_cluster(|c| c.kill(node));
            let back = now + rng.range(20, 2_000) * MS;
            world.at(back, move |w| start(w, node));
        }
        if rng.chance(self.outage) {
            world.counts.add("all brokers killed");
            world.trace.note(now, format_args!("all brokers are killed"));
            for node in nodes.iter().copied().filter(|node| world.cluster.is_up(*node)).collect::<Vec<_>>() {
                world.change_cluster(|c| c.kill(node));
                let back = now + rng.range(100, 4_000) * MS;
                world.at(back, move |w| start(w, node));
            }
        }
        if rng.chance(self.hang_up) {
            world.counts.add("all connections of a broker closed");
            world.change_cluster(|c| c.close_connections(node));
        }
    }
}

fn start(world: &mut World, node: i32) {
    if !world.cluster.is_up(node) {
        let now = world.now();
        world.trace.note(now, format_args!("broker {node} is started"));
        world.change_cluster(|c| c.start(node));
    }
}

fn elect(cluster: &mut Cluster, topic: &str, partition: i32) {
    if cluster.leader(topic, partition).is_some() {
        return;
    }
    let up = cluster.replicas(topic, partition).iter().copied().find(|node| cluster.is_up(*node));
    if let Some(node) = up {
        cluster.move_leader(topic, partition, node);
    }
}

/// From now on nothing goes wrong any more.
fn calm(world: &mut World) {
    let now = world.now();
    world.trace.note(now, format_args!("calm"));
    world.network = Network::default();
    (world.on_request, world.on_answer) = (None, None);
    for conn in world.conns.values_mut() {
        (conn.up.cut, conn.down.cut, conn.frame_cut) = (None, None, None);
        // A window of a few bytes over a long way may take longer than any request has.
        conn.up.window = conn.up.window.max(world.network.window.0 as usize);
    }
    world.change_cluster(|cluster| {
        cluster.clear_faults();
        let nodes: Vec<i32> = cluster.nodes().filter(|node| !cluster.is_up(*node)).collect();
        nodes.into_iter().for_each(|node| cluster.start(node));
        let topics: Vec<String> = cluster.topics().map(str::to_owned).collect();
        for topic in topics {
            cluster.hide_topic(&topic, false);
            for partition in 0..cluster.partitions(&topic) as i32 {
                elect(cluster, &topic, partition);
            }
        }
    });
}

fn any_topic(cluster: &Cluster, rng: &mut Rng) -> Option<String> {
    let all: Vec<&str> = cluster.topics().collect();
    (!all.is_empty()).then(|| rng.pick(&all).to_owned())
}

/// An error that this API may answer with, and that a client must get over.
fn error_of(api: Api, rng: &mut Rng) -> Option<(&'static str, Action)> {
    use ErrorCode as E;
    let refused = |rng: &mut Rng, codes: &[E]| Some(("error code", Action::Fail(rng.pick(codes))));
    match api {
        api::PRODUCE if rng.chance(3_000) => {
            let code = rng.pick(&[E::REQUEST_TIMED_OUT, E::NOT_ENOUGH_REPLICAS_AFTER_APPEND]);
            Some(("error code after it was applied", Action::FailAfter(code)))
        }
        api::PRODUCE => refused(
            rng,
            &[
                E::NOT_ENOUGH_REPLICAS,
                E::REQUEST_TIMED_OUT,
                E::UNKNOWN_TOPIC_OR_PARTITION,
                E::CORRUPT_MESSAGE,
                E::KAFKA_STORAGE_ERROR,
                E::LEADER_NOT_AVAILABLE,
                E::NOT_LEADER_OR_FOLLOWER,
            ],
        ),
        api::FETCH => refused(rng, &[E::FETCH_SESSION_TOPIC_ID_ERROR, E::UNKNOWN_TOPIC_ID]),
        api::LIST_OFFSETS => refused(
            rng,
            &[E::LEADER_NOT_AVAILABLE, E::NOT_LEADER_OR_FOLLOWER, E::OFFSET_NOT_AVAILABLE, E::UNKNOWN_LEADER_EPOCH],
        ),
        api::METADATA => refused(rng, &[E::LEADER_NOT_AVAILABLE, E::UNKNOWN_TOPIC_OR_PARTITION]),
        api::INIT_PRODUCER_ID => refused(rng, &[E::COORDINATOR_LOAD_IN_PROGRESS, E::COORDINATOR_NOT_AVAILABLE]),
        api::CREATE_TOPICS => refused(rng, &[E::NOT_CONTROLLER, E::REQUEST_TIMED_OUT]),
        _ => None,
    }
}

/// Answers to Metadata by what was asked, and who asked what and waits for an answer.
#[derive(Default)]
pub(crate) struct Kept {
    asked: BTreeMap<(u64, i32), (i16, Vec<u8>)>,
    answers: BTreeMap<(i16, Vec<u8>), Vec<Vec<u8>>>,
}

type Stale = Arc<Mutex<Kept>>;

/// So many answers to the same question are kept.
const KEPT_MAX: usize = 16;

fn keep_metadata(kept: &Stale, answer: &Answer, frame: &[u8]) {
    if answer.api_key != api::METADATA.key {
        return;
    }
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(question) = kept.asked.remove(&(answer.conn, answer.correlation_id)) {
        let answers = kept.answers.entry(question).or_default();
        if answers.len() < KEPT_MAX {
            answers.push(frame.to_vec());
        }
    }
}

/// What a broker would have answered to the same question some time ago.
fn old_metadata(kept: &Stale, seen: &Seen<'_>, rng: &mut Rng) -> Option<Vec<u8>> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let question = (seen.version, seen.frame[8..].to_vec());
    let old = kept.answers.get(&question).map(|answers| answers[rng.index(answers.len())].clone());
    kept.asked.insert((seen.conn, seen.correlation_id), question);
    let mut old = old?;
    old.get_mut(4..8)?.copy_from_slice(&seen.correlation_id.to_be_bytes());
    Some(old)
}
