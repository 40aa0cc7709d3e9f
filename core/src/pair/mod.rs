//! The machine and a broker made by hand, on virtual time, without a driver, a socket or a thread.
//!
//! A test sees every byte that the machine would send, says what comes back and when, and uses the public handles.
//! Whenever nothing is left to do, the machine must not ask to be woken in the past: that would be a spin.

mod admin;
mod batching;
#[cfg(feature = "sasl")]
mod bearer;
mod broker;
mod closing;
mod codec;
mod committed;
mod consuming;
mod events;
mod fetching;
mod inflating;
mod limiting;
mod links;
mod many;
mod metadata;
mod packing;
mod partition;
mod producing;
mod resting;
mod retrying;
#[cfg(feature = "sasl")]
mod sasl;
#[cfg(feature = "futures")]
mod sinking;
mod splitting;
mod warming;

pub(crate) use codec::Rle;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::{String, ToString},
    task::Wake,
    vec,
    vec::Vec,
};
use core::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    Client, Clock, Config, Endpoint, Error, Instant, Phase, Producer, Record, Ticket, TransportError,
    api::client_of,
    cluster::Output as Task,
    link::{LinkId, Use},
    machine::{Machine, Output},
    rng::Rng,
    sync::Arc,
    wire::{
        Decode, Encode, Reader, Uuid, api,
        frame::{RequestHeader, read_request_header, response_frame},
    },
};

/// A clock that stands still until it is set.
pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn unix_ms(&self) -> Option<i64> {
        Some(1_000_000_000_000 + (self.0.load(Ordering::SeqCst) / 1_000_000) as i64)
    }
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A connection as its broker sees it.
struct Conn {
    node: i32,
    open: bool,
    bytes: Vec<u8>,
}

/// A request that the broker has read and not yet answered.
pub(crate) struct Request {
    pub(crate) link: LinkId,
    pub(crate) node: i32,
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn read<'a, R: Decode<'a>>(&'a self) -> R {
        R::decode(&mut Reader::new(&self.body), self.version).expect("a request that decodes")
    }
}

/// A topic as metadata has it.
#[derive(Clone)]
pub(crate) struct TopicSpec {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) error: i16,
    /// Leader and epoch of each partition.
    pub(crate) leaders: Vec<(i32, i32)>,
}

/// The two parties.
pub(crate) struct Pair {
    pub(crate) machine: Machine,
    client: Option<Client>,
    clock: Arc<TestClock>,
    conns: BTreeMap<LinkId, Conn>,
    /// Every dial so far.
    pub(crate) dialled: Vec<(LinkId, Endpoint)>,
    /// Connections that the machine has closed.
    pub(crate) closed: Vec<LinkId>,
    pub(crate) requests: VecDeque<Request>,
    /// Nodes that refuse connections.
    pub(crate) down: BTreeSet<i32>,
    /// Nodes to which the host grants no connections.
    pub(crate) denied: BTreeSet<i32>,
    /// Dials are left as they are, neither opened nor refused.
    pub(crate) silent_dials: bool,
    /// Jobs are kept for the test, as a transport with threads would.
    pub(crate) keeps_jobs: bool,
    pub(crate) jobs: VecDeque<crate::Job>,
    /// Writes are not taken at all.
    pub(crate) stuck: bool,
    /// APIs that the test answers by itself.
    pub(crate) by_hand: BTreeSet<i16>,
    pub(crate) versions: BTreeMap<i16, (i16, i16)>,
    pub(crate) nodes: Vec<(i32, String, i32)>,
    pub(crate) topics: Vec<TopicSpec>,
    next_producer_id: i64,
    pub(crate) deadline: Instant,
    pub(crate) ended: bool,
    /// Requests seen, by API.
    pub(crate) seen: BTreeMap<i16, usize>,
    pub(crate) woken: Arc<Woken>,
}

/// Brokers are told apart by their ports.
const PORT_BASE: u16 = 9_000;

pub(crate) fn id(n: u8) -> Uuid {
    Uuid([n; 16])
}

impl Pair {
    /// Three brokers, 1 to 3, each the leader of its own partition of the topic `t`; the client knows broker 1.
    pub(crate) fn new() -> Pair {
        Pair::with(Config::new("one:9001"))
    }

    pub(crate) fn with(config: Config) -> Pair {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000_000_000)));
        let dyn_clock: Arc<dyn Clock> = clock.clone();
        let (client, bootstrap) = client_of(config, dyn_clock).expect("a config that fits");
        let node = |n: i32, host: &str| (n, host.to_string(), 9_000 + n);
        Pair {
            machine: Machine::new(Arc::clone(client.shared()), Rng::from_entropy(&[7; 32]), bootstrap),
            client: Some(client),
            clock,
            conns: BTreeMap::new(),
            dialled: Vec::new(),
            closed: Vec::new(),
            requests: VecDeque::new(),
            down: BTreeSet::new(),
            denied: BTreeSet::new(),
            silent_dials: false,
            keeps_jobs: false,
            jobs: VecDeque::new(),
            stuck: false,
            by_hand: [api::PRODUCE.key, api::FETCH.key, api::LIST_OFFSETS.key, api::CREATE_TOPICS.key].into(),
            versions: api::ALL.iter().map(|a| (a.key, (a.min, a.max))).collect(),
            nodes: vec![node(1, "one"), node(2, "two"), node(3, "three")],
            topics: vec![TopicSpec { name: "t".into(), id: id(1), error: 0, leaders: vec![(1, 5), (2, 5), (3, 5)] }],
            next_producer_id: 4_000,
            deadline: Instant::FAR,
            ended: false,
            seen: BTreeMap::new(),
            woken: Arc::default(),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.as_ref().expect("not dropped")
    }

    /// Runs the job at `at` of those that are kept, and gives it back.
    pub(crate) fn run_job(&mut self, at: usize) {
        let mut job = self.jobs.remove(at).expect("a job");
        job.run();
        self.machine.on_job(job);
        self.turn();
    }

    pub(crate) fn drop_client(&mut self) {
        self.client = None;
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn topic(&mut self, name: &str) -> &mut TopicSpec {
        self.topics.iter_mut().find(|t| t.name == name).expect("a topic of the test")
    }

    /// Lets both parties do whatever can be done now.
    pub(crate) fn turn(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "the machine is never done");
            let now = self.now();
            // As a driver does it: who is woken in its turn has another one.
            let kick = Arc::clone(&self.machine.shared().kick);
            if round == 0 || kick.is_woken() {
                kick.begin(Waker::noop());
                self.machine.wake();
            }
            self.machine.begin(now);
            self.drain(now);
            if self.ended {
                return;
            }
            let mut busy = self.transmit();
            busy |= self.serve();
            if !busy && self.deadline > now && !kick.is_woken() {
                return self.assert_at_rest(now);
            }
            if !busy && self.deadline <= now {
                self.machine.wake();
            }
        }
    }

    /// Nobody woke the machine, and it is not time yet: then another turn finds nothing to do, now or sooner than was said.
    fn assert_at_rest(&mut self, now: Instant) {
        let (said, dialled, closed, jobs) = (self.deadline, self.dialled.len(), self.closed.len(), self.jobs.len());
        self.machine.wake();
        self.machine.begin(now);
        self.drain(now);
        let kick = &self.machine.shared().kick;
        assert!(!kick.is_woken(), "another turn woke itself");
        assert!(self.deadline >= said, "another turn wants to be woken {:?} sooner", said.since(self.deadline));
        let found = (self.dialled.len() - dialled, self.closed.len() - closed, self.jobs.len() - jobs);
        assert_eq!(found, (0, 0, 0), "connections, ends and jobs that another turn found");
        assert!(!self.transmit(), "another turn found something to write");
    }

    fn drain(&mut self, now: Instant) {
        for output in 0.. {
            assert!(output < 10_000, "the machine is never done");
            match self.machine.poll_output(now) {
                Output::Do(Task::Connect { link, to, .. }) => self.connect(now, link, to),
                Output::Do(Task::Close { link }) => {
                    self.conns.remove(&link);
                    self.requests.retain(|r| r.link != link);
                    self.closed.push(link);
                }
                Output::Do(Task::Work { job }) if self.keeps_jobs => self.jobs.push_back(job),
                Output::Do(Task::Work { mut job }) => {
                    job.run();
                    self.machine.on_job(job);
                }
                Output::Timeout(when) => {
                    self.deadline = when;
                    return;
                }
                Output::Ended => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn connect(&mut self, now: Instant, link: LinkId, to: Endpoint) {
        let node = i32::from(to.port - PORT_BASE);
        self.dialled.push((link, to));
        if self.silent_dials {
            self.conns.insert(link, Conn { node, open: false, bytes: Vec::new() });
        } else if self.down.contains(&node) {
            let error = TransportError::new(Phase::Connect, embedded_io::ErrorKind::ConnectionRefused, "refused");
            self.machine.on_closed(now, link, Some(error));
        } else if self.denied.contains(&node) {
            let mut error = TransportError::new(Phase::Connect, embedded_io::ErrorKind::PermissionDenied, "denied");
            error.retriable = false;
            self.machine.on_closed(now, link, Some(error));
        } else {
            self.conns.insert(link, Conn { node, open: true, bytes: Vec::new() });
            self.machine.on_connected(now, link);
        }
    }

    fn transmit(&mut self) -> bool {
        let mut busy = false;
        let links: Vec<LinkId> = self.conns.iter().filter(|(_, c)| c.open).map(|(l, _)| *l).collect();
        for link in links {
            while !self.stuck && self.machine.has_output(link) {
                busy |= self.transmit_some(link, usize::MAX) > 0;
            }
        }
        busy
    }

    /// Takes at most `max` bytes of what a connection has to write.
    pub(crate) fn transmit_some(&mut self, link: LinkId, max: usize) -> usize {
        let mut slices: [&[u8]; 16] = [&[]; 16];
        let count = self.machine.transmit(link, &mut slices);
        let mut bytes: Vec<u8> = slices[..count].concat();
        bytes.truncate(max);
        let taken = bytes.len();
        self.conns.get_mut(&link).expect("an open connection").bytes.extend(bytes);
        self.machine.transmitted(link, taken);
        taken
    }

    /// Cuts requests out of what came, and answers those that no test answers by hand.
    fn serve(&mut self) -> bool {
        let mut fresh = Vec::new();
        for (link, conn) in &mut self.conns {
            while let Some(len) = conn.bytes.first_chunk::<4>().map(|l| u32::from_be_bytes(*l) as usize)
                && conn.bytes.len() >= 4 + len
            {
                let frame: Vec<u8> = conn.bytes.drain(..4 + len).skip(4).collect();
                fresh.push(request_of(*link, conn.node, &frame));
            }
        }
        let busy = !fresh.is_empty();
        for request in fresh {
            *self.seen.entry(request.key).or_default() += 1;
            if self.by_hand.contains(&request.key) {
                self.requests.push_back(request);
            } else {
                self.answer_by_itself(&request);
            }
        }
        busy
    }

    fn answer_by_itself(&mut self, request: &Request) {
        match request.key {
            k if k == api::API_VERSIONS.key => self.greet(request),
            k if k == api::METADATA.key => self.answer_metadata(request),
            k if k == api::INIT_PRODUCER_ID.key => {
                self.next_producer_id += 1;
                self.answer_identity(request, self.next_producer_id, 0);
            }
            other => panic!("no answer for API {other}"),
        }
    }

    /// Gives the machine bytes as if a broker had sent them.
    pub(crate) fn receive(&mut self, link: LinkId, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(buffer) = self.machine.receive_buffer(link) else { return };
            let count = buffer.len().min(bytes.len());
            buffer[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.machine.received(self.clock.now(), link, count);
        }
    }

    /// Answers a request; `records` stand at the body's records fields.
    pub(crate) fn answer_with<R: Encode>(&mut self, request: &Request, body: &R, records: &[&[u8]]) {
        let frame = response_frame(body, request.version, request.correlation_id).expect("encodes");
        let bytes = frame.join(records).expect("fits");
        self.receive(request.link, &bytes);
    }

    pub(crate) fn answer<R: Encode>(&mut self, request: &Request, body: &R) {
        self.answer_with(request, body, &[]);
    }

    /// The broker closes a connection.
    pub(crate) fn hang_up(&mut self, link: LinkId) {
        self.conns.remove(&link);
        self.requests.retain(|r| r.link != link);
        self.machine.on_closed(self.clock.now(), link, None);
    }

    /// Lets time pass, waking the machine whenever it asked for that.
    pub(crate) fn advance(&mut self, span: Duration) {
        self.turn();
        let end = self.now().after(span);
        let mut wakes = 0;
        while self.deadline <= end && !self.ended {
            wakes += 1;
            assert!(wakes < 20_000, "the machine wakes far too often");
            self.clock.0.store(self.deadline.as_nanos(), Ordering::SeqCst);
            self.machine.wake();
            self.turn();
        }
        self.clock.0.store(end.as_nanos(), Ordering::SeqCst);
        if !self.ended {
            self.turn();
        }
    }

    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.advance(Duration::from_millis(ms));
    }

    /// Time passes and nobody gives the machine a turn.
    pub(crate) fn sleep_ms(&mut self, ms: u64) {
        self.clock.0.fetch_add(ms * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) fn unix_ms(&self) -> i64 {
        self.clock.unix_ms().expect("it knows")
    }

    /// All open connections.
    pub(crate) fn links(&self) -> Vec<LinkId> {
        self.conns.keys().copied().collect()
    }

    /// An open connection to a node that has something of a use to write or answer.
    pub(crate) fn link_to(&self, node: i32, usage: Use) -> LinkId {
        let found = self.conns.iter().find(|(id, c)| c.node == node && self.machine.usage(**id) == Some(usage));
        *found.expect("a connection").0
    }

    /// The oldest open request of an API.
    pub(crate) fn take(&mut self, api: crate::wire::Api) -> Option<Request> {
        self.turn();
        let at = self.requests.iter().position(|r| r.key == api.key)?;
        self.requests.remove(at)
    }

    pub(crate) fn expect(&mut self, api: crate::wire::Api) -> Request {
        match self.take(api) {
            Some(request) => request,
            None => panic!("no {} request is open", api.name),
        }
    }

    /// The oldest open request of an API, within `ms`.
    pub(crate) fn await_request(&mut self, api: crate::wire::Api, ms: u64) -> Request {
        for _ in 0..ms {
            if let Some(request) = self.take(api) {
                return request;
            }
            self.advance_ms(1);
        }
        self.expect(api)
    }

    pub(crate) fn count(&self, api: crate::wire::Api) -> usize {
        self.seen.get(&api.key).copied().unwrap_or(0)
    }

    /// Polls a future once, to be woken through [`woken`](Pair::woken).
    pub(crate) fn poll<F: Future>(&self, future: F) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.woken));
        pin!(future).poll(&mut Context::from_waker(&waker))
    }

    /// Takes a record into the buffer, looking its topic up if need be.
    pub(crate) fn enqueue(&mut self, producer: &Producer, record: Record<'_>) -> Ticket {
        for _ in 0..5 {
            if let Ok(ticket) = producer.try_enqueue(record.clone()) {
                return ticket;
            }
            self.turn();
        }
        producer.try_enqueue(record).unwrap_or_else(|e| panic!("{e}"))
    }
}

fn request_of(link: LinkId, node: i32, frame: &[u8]) -> Request {
    let mut reader = Reader::new(frame);
    let RequestHeader { api_key, version, correlation_id, .. } = read_request_header(&mut reader).expect("a header");
    Request { link, node, key: api_key, version, correlation_id, body: reader.rest().to_vec() }
}

/// The error that a ticket has resolved to.
pub(crate) fn failure(ticket: &Ticket) -> Error {
    match ticket.outcome() {
        Some(Err(error)) => error,
        other => panic!("expected a failure, not {other:?}"),
    }
}

/// The offset that a ticket has resolved to.
pub(crate) fn offset(ticket: &Ticket) -> i64 {
    match ticket.outcome() {
        Some(Ok(meta)) => meta.offset(),
        other => panic!("expected an offset, not {other:?}"),
    }
}
