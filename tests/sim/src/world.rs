//! Everything outside of the clients: time, what happens next, the network, the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use klamm::{Clock, Endpoint, Instant};
use klamm_broker::{Cluster, ConnId, Now};

use crate::conn::Conn;
use crate::peer::{Listener, OnAnswer, OnRequest};
use crate::pipe::{Chunks, How};
use crate::rng::Rng;
use crate::trace::Trace;

/// How often each kind of fault happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// One more.
    pub fn add(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// How often so far.
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or(0)
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Counts) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// All kinds, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}

/// How the network behaves. Times in ns, chances in 10,000.
#[derive(Clone, Debug)]
pub struct Network {
    /// One way, at least and at most.
    pub latency: (u64, u64),
    /// How bytes may be cut.
    pub chunks: Vec<Chunks>,
    /// How many bytes may be under way in a direction, at least and at most.
    pub window: (u64, u64),
    /// The chance that a chunk is late.
    pub spike: u32,
    /// By how much, at least and at most.
    pub spike_span: (u64, u64),
    /// The chance that a new connection breaks at some byte.
    pub cut: u32,
    /// How it does.
    pub cut_how: Vec<How>,
    /// The farthest byte at which it does.
    pub cut_within: u64,
    /// The chance that a read or write says "not now" though it could, and wakes its task.
    pub spurious: u32,
    /// The most that a timer is late.
    pub timer_late: u64,
}

impl Default for Network {
    /// One that does nothing wrong: 0.2 ms each way.
    fn default() -> Self {
        Network {
            latency: (200_000, 200_000),
            chunks: vec![Chunks::Segments],
            window: (64 << 10, 64 << 10),
            spike: 0,
            spike_span: (0, 0),
            cut: 0,
            cut_how: Vec::new(),
            cut_within: 0,
            spurious: 0,
            timer_late: 0,
        }
    }
}

/// The clocks of all clients: virtual time.
#[derive(Debug)]
pub(crate) struct SimClock {
    pub(crate) now: AtomicU64,
    /// Whether the wall clock is known.
    pub(crate) wall: bool,
}

/// The wall clock at virtual time 0, in ms since 1970.
pub(crate) const EPOCH_MS: i64 = 1_700_000_000_000;

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn unix_ms(&self) -> Option<i64> {
        self.wall.then(|| EPOCH_MS + (self.now.load(Ordering::Relaxed) / 1_000_000) as i64)
    }
}

/// An event of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When, in ns.
    pub at: u64,
    /// Whose.
    pub client: usize,
    /// Its kind.
    pub name: &'static str,
    /// Its words, and what else is in it.
    pub text: String,
}

/// What a test does to the world at some time.
pub type Change = Box<dyn FnOnce(&mut World) + Send>;

pub(crate) enum Event {
    Connected(u64),
    Arrive { conn: u64, up: bool },
    Timer { client: usize },
    Wake(Waker),
    Cluster,
    Change(Change),
}

#[derive(Default)]
struct Timer {
    until: u64,
    waker: Option<Waker>,
}

/// Everything outside of the clients.
pub struct World {
    pub(crate) clock: Arc<SimClock>,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) next_conn: u64,
    pub(crate) by_broker_conn: BTreeMap<ConnId, u64>,
    /// Connections with bytes that their broker did not want yet.
    pub(crate) backlog: BTreeSet<u64>,
    timers: Vec<Timer>,
    cluster_due: u64,
    /// The brokers.
    pub cluster: Cluster,
    /// Who listens where: by host and port the addresses of that name.
    pub names: BTreeMap<(String, u16), Vec<Listener>>,
    /// How the network behaves now.
    pub network: Network,
    /// What happens to requests.
    pub on_request: Option<OnRequest>,
    /// What happens to answers.
    pub on_answer: Option<OnAnswer>,
    /// The network's random numbers.
    pub(crate) rng: Rng,
    /// What has happened.
    pub trace: Trace,
    /// What clients said of themselves.
    pub told: Vec<Told>,
    /// How often each fault happened, and each event of a client.
    pub counts: Counts,
    /// Counted up by everything that a client does to the world, and by every operation that comes to an end.
    pub activity: u64,
}

impl World {
    pub(crate) fn new(seed: u64, cluster: Cluster, print: bool) -> Self {
        let mut names = BTreeMap::new();
        for node in cluster.nodes() {
            let (host, port) = cluster.address(node);
            names.insert((host.to_owned(), port), vec![Listener::Broker(node)]);
        }
        World {
            clock: Arc::new(SimClock { now: AtomicU64::new(0), wall: !seed.is_multiple_of(16) }),
            events: BTreeMap::new(),
            sequence: 0,
            conns: BTreeMap::new(),
            next_conn: 0,
            by_broker_conn: BTreeMap::new(),
            backlog: BTreeSet::new(),
            timers: Vec::new(),
            cluster_due: u64::MAX,
            cluster,
            names,
            network: Network::default(),
            on_request: None,
            on_answer: None,
            rng: Rng::stream(seed, "network"),
            trace: Trace::new(print),
            told: Vec::new(),
            counts: Counts::default(),
            activity: 0,
        }
    }

    /// The virtual time, in ns.
    pub fn now(&self) -> u64 {
        self.clock.now.load(Ordering::Relaxed)
    }

    pub(crate) fn broker_now(&self) -> Now {
        let now = self.now();
        Now { instant: Instant::from_nanos(now), unix_ms: EPOCH_MS + (now / 1_000_000) as i64 }
    }

    pub(crate) fn schedule(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at.max(self.now()), self.sequence), event);
    }

    /// Lets something happen at a time in ns.
    pub fn at(&mut self, at: u64, change: impl FnOnce(&mut World) + Send + 'static) {
        self.schedule(at, Event::Change(Box::new(change)));
    }

    /// A client has done something.
    pub(crate) fn acted(&mut self, what: core::fmt::Arguments<'_>) {
        self.activity += 1;
        let now = self.now();
        self.trace.tell(now, what);
    }

    /// A client says what happened.
    pub(crate) fn tell(&mut self, client: usize, event: &klamm::Event<'_>) {
        let (at, name, text) = (self.now(), event.name(), format!("{event} {event:?}"));
        self.trace.note(at, format_args!("client {client}: {} {name}: {event}", event.level()));
        self.counts.add(name);
        self.told.push(Told { at, client, name, text });
    }

    /// Changes the cluster, now.
    pub fn change_cluster(&mut self, change: impl FnOnce(&mut Cluster)) {
        change(&mut self.cluster);
        self.settle_cluster();
    }

    /// The next event happens, and the time is its; `false` if there is none.
    pub(crate) fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.events.pop_first() else { return false };
        self.clock.now.store(at, Ordering::Relaxed);
        match event {
            Event::Connected(conn) => self.connected(conn),
            Event::Arrive { conn, up } => self.arrive(conn, up),
            Event::Timer { client } => self.timer_due(client),
            Event::Wake(waker) => waker.wake(),
            Event::Cluster => self.cluster_timeout(),
            Event::Change(change) => change(self),
        }
        true
    }

    /// When the next event happens.
    pub(crate) fn next_event(&self) -> Option<u64> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Whether somebody's timer is due that has not fired: timers may be late.
    pub(crate) fn has_late_timer(&self) -> bool {
        let now = self.now();
        self.next_event().is_some_and(|at| at <= now) || self.timers.iter().any(|t| t.waker.is_some() && t.until <= now)
    }

    pub(crate) fn add_client(&mut self) -> usize {
        self.timers.push(Timer::default());
        self.timers.len() - 1
    }

    /// The one timer of a client.
    pub(crate) fn poll_sleep(&mut self, client: usize, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let until = until.as_nanos();
        let timer = &mut self.timers[client];
        if until <= self.clock.now.load(Ordering::Relaxed) {
            timer.waker = None;
            return Poll::Ready(());
        }
        self.trace.tell(
            self.clock.now.load(Ordering::Relaxed),
            format_args!("client {client} sleeps until {}", until as f64 / 1e9),
        );
        let armed = timer.waker.is_some() && timer.until == until;
        *timer = Timer { until, waker: Some(cx.waker().clone()) };
        if !armed {
            let late = self.rng.below(self.network.timer_late + 1);
            self.schedule(until.saturating_add(late), Event::Timer { client });
        }
        Poll::Pending
    }

    fn timer_due(&mut self, client: usize) {
        let now = self.now();
        let timer = &mut self.timers[client];
        // One that was armed anew since then has an event of its own.
        if timer.until <= now
            && let Some(waker) = timer.waker.take()
        {
            waker.wake();
        }
    }

    pub(crate) fn poll_until(&mut self, at: u64, armed: &mut bool, cx: &mut Context<'_>) -> Poll<()> {
        if at <= self.now() {
            return Poll::Ready(());
        }
        if !core::mem::replace(armed, true) {
            self.schedule(at, Event::Wake(cx.waker().clone()));
        }
        Poll::Pending
    }

    /// Whether a call is to say "not now" though it could go on.
    pub(crate) fn is_spurious(&mut self, cx: &mut Context<'_>) -> bool {
        let chance = self.network.spurious;
        if chance == 0 || !self.rng.chance(chance) {
            return false;
        }
        self.counts.add("spurious pending");
        let soon = self.now() + self.rng.range(0, 100_000);
        self.schedule(soon, Event::Wake(cx.waker().clone()));
        true
    }

    pub(crate) fn schedule_cluster(&mut self) {
        let due = self.cluster.poll_timeout().map_or(u64::MAX, Instant::as_nanos);
        if due < self.cluster_due {
            self.cluster_due = due;
            self.schedule(due, Event::Cluster);
        }
    }

    fn cluster_timeout(&mut self) {
        if self.cluster_due <= self.now() {
            self.cluster_due = u64::MAX;
        }
        let now = self.broker_now();
        self.cluster.handle_timeout(now);
        self.settle_cluster();
    }

    /// What the next connection to a name meets: the first of its addresses that does not refuse, beginning with the
    /// one that the endpoint's number of tries points at.
    pub(crate) fn listener(&self, to: &Endpoint) -> Option<Listener> {
        let addresses = self.names.get(&(to.host.clone(), to.port)).filter(|a| !a.is_empty())?;
        let first = to.attempt as usize % addresses.len();
        let refuses = |l: &&Listener| match l {
            Listener::Nobody => true,
            Listener::Broker(node) => !self.cluster.is_up(*node),
            Listener::Down | Listener::Script(_) => false,
        };
        let mut turn = addresses[first..].iter().chain(&addresses[..first]);
        Some(turn.find(|l| !refuses(l)).cloned().unwrap_or(Listener::Nobody))
    }
}
