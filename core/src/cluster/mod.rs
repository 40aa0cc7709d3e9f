//! The cluster as the client knows it: brokers, connections, metadata, and the way of each request to its link.
//!
//! Sub-machines ask here for a ready link and queue requests on it; they never see each other. Answers travel back
//! through the [`Machine`](crate::machine::Machine) by the [`Context`] that a request was queued with.

#[cfg(feature = "sasl")]
mod authenticate;
#[cfg(not(feature = "sasl"))]
#[path = "trusted.rs"]
mod authenticate;
mod dial;
mod greeting;
mod metadata;
#[cfg(test)]
mod tests;
#[cfg(feature = "sasl")]
mod tokens;
mod warm;

#[cfg(all(feature = "unstable-fuzzing", feature = "sasl"))]
pub(crate) use authenticate::{read_handshake, read_token};
pub(crate) use greeting::other_protocol;
#[cfg(feature = "unstable-fuzzing")]
pub(crate) use greeting::read_greeting;
pub(crate) use metadata::{Leader, TopicIndex, check_topic_name};
pub(crate) use warm::WARM;
pub use warm::WarmState;

use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use crate::{
    Endpoint, Error, Instant, TransportError,
    budget::{Budget, Class, Lease},
    code::ErrorCode,
    compress::Codec,
    config::Config,
    error::PeerFault,
    event::{Cause, Event, Events, Peer, Purpose, WhyClosed},
    kick::Kick,
    link::{Body, IN_FLIGHT_MAX, Link, LinkId, Outgoing, State, Unanswered, Use, Versions},
    machine::Context,
    map::Map,
    producer::Job,
    rng::Rng,
    sync::Arc,
    wire::{Api, Encode, Frame, WireError, frame::request_frame_in},
};

use authenticate::Sessions;
use dial::{Adopted, Dial};
use metadata::Metadata;

/// What the driver must do.
pub(crate) enum Output {
    /// With room for what encrypts it.
    Connect {
        link: LinkId,
        to: Endpoint,
        tls: Lease,
    },
    Close {
        link: LinkId,
    },
    /// It is to be run, wherever, and given back to [`Machine::on_job`](crate::machine::Machine::on_job).
    Work {
        job: Job,
    },
}

/// A broker, by its node id (trap 99). Those of the bootstrap list have negative ids of their own until metadata
/// tells who they are.
struct Broker {
    host: Arc<str>,
    port: u16,
    dial: Dial,
    /// What it said that it speaks, when a connection to it last began; forgotten when one fails. The next connection is
    /// used before it is greeted.
    versions: Option<Arc<Versions>>,
}

/// How a request is to be sent.
pub(crate) struct Sending {
    pub(crate) version: i16,
    /// What its owner wants back with the answer.
    pub(crate) context: Context,
    /// It may go unanswered until then.
    pub(crate) deadline: Instant,
    /// The most bytes that its answer may have.
    pub(crate) response_max: usize,
    pub(crate) answered: bool,
}

/// Brokers, connections and metadata.
pub(crate) struct Cluster {
    pub(crate) config: Arc<Config>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) rng: Rng,
    pub(crate) events: Events,
    brokers: Map<i32, Broker>,
    links: Map<LinkId, Link<Context>>,
    by_use: Map<(i32, Use), LinkId>,
    next_link: u32,
    /// Where the search for any broker goes on.
    next_any: usize,
    metadata: Metadata,
    sasl: Sessions,
    outputs: VecDeque<Output>,
    /// Where the next request is encoded; kept for its memory.
    frame: Frame,
    /// Requests that ended with their link, for the machine to give back to their owners.
    lost: VecDeque<Unanswered<Context>>,
    /// Each address's last failure, since it last answered.
    failures: Map<String, Failure>,
}

/// Why an address is of no use.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Transport(TransportError),
    Other(Error),
}

impl<'a> From<&'a Failure> for Cause<'a> {
    fn from(failure: &'a Failure) -> Self {
        match failure {
            Failure::Transport(error) => error.into(),
            Failure::Other(error) => error.into(),
        }
    }
}

/// Why a link ends.
enum End {
    Failed(Failure),
    /// Nothing is wrong.
    Closed(WhyClosed),
}

/// What a link costs beside its read-ahead: its queues at their usual depth, and its place in the maps.
pub(crate) const LINK_BYTES: usize = 2_048;

/// A request longer than that is rare and does not keep its memory.
const FRAME_KEPT: usize = 1_024;

/// Makes a request's frame, in the memory of another, with this correlation id and client id.
type Encodes<'a> = &'a dyn Fn(Frame, i32, Option<&str>) -> Result<Frame, WireError>;

impl Cluster {
    pub(crate) fn new(
        config: Arc<Config>,
        budget: Arc<Budget>,
        kick: &Arc<Kick>,
        rng: Rng,
        bootstrap: Vec<Endpoint>,
    ) -> Self {
        let mut brokers = Map::new();
        for (i, e) in bootstrap.into_iter().enumerate() {
            let broker = Broker { host: e.host.into(), port: e.port, dial: Dial::default(), versions: None };
            brokers.insert(bootstrap_id(i), broker);
        }
        let (metadata, events) = (Metadata::new(), Events::of(&config));
        let sasl = Sessions::new(rng.seed(), kick);
        let mut cluster = Cluster {
            config,
            budget,
            rng,
            events,
            brokers,
            links: Map::new(),
            by_use: Map::new(),
            next_link: 0,
            next_any: 0,
            metadata,
            sasl,
            outputs: VecDeque::new(),
            frame: Frame::default(),
            lost: VecDeque::new(),
            failures: Map::new(),
        };
        cluster.begin_warm();
        cluster
    }

    /// Bytes of read-ahead of each connection.
    fn stage_bytes(&self) -> usize {
        stage_bytes(self.budget.limit(Class::Control))
    }

    fn use_of(&self, usage: Use) -> Use {
        if self.config.single_connection { Use::Control } else { usage }
    }

    /// The link to a broker for a use, if it is ready and has fewer than `open_max` requests open. If there is none,
    /// one is opened, as soon as the back-off allows.
    pub(crate) fn ready_link(&mut self, now: Instant, node: i32, usage: Use, open_max: usize) -> Option<LinkId> {
        let usage = self.use_of(usage);
        match self.by_use.get(&(node, usage)).copied() {
            Some(id) => {
                let link = self.links.get(&id)?;
                (link.is_ready(now) && link.open_requests() < open_max.min(IN_FLIGHT_MAX)).then_some(id)
            }
            None => {
                match self.config.single_connection.then(|| self.adopt(node)).flatten() {
                    Some(Adopted::Now) => return self.ready_link(now, node, usage, open_max),
                    Some(Adopted::NotYet) => {}
                    None => self.dial(now, node, usage),
                }
                None
            }
        }
    }

    /// Any ready link, preferably the one with the fewest open requests; opens one if there is none.
    pub(crate) fn any_link(&mut self, now: Instant) -> Option<LinkId> {
        let free = |l: &&Link<Context>| l.usage == Use::Control && l.is_ready(now) && l.open_requests() < IN_FLIGHT_MAX;
        let best = self.links.values().filter(free).min_by_key(|l| l.open_requests()).map(|l| l.id);
        if best.is_none() {
            self.dial_any(now);
        }
        best
    }

    pub(crate) fn link(&self, id: LinkId) -> Option<&Link<Context>> {
        self.links.get(&id)
    }

    pub(crate) fn link_mut(&mut self, id: LinkId) -> Option<&mut Link<Context>> {
        self.links.get_mut(&id)
    }

    /// The newest version of an API that a link's broker and this client both speak, not above `cap`.
    ///
    /// # Errors
    /// [`Error::Peer`] that names both ranges.
    pub(crate) fn version(&self, link: LinkId, api: Api, cap: i16) -> Result<i16, Error> {
        let Some(l) = self.links.get(&link) else { return Err(self.unreachable()) };
        l.versions.newest(api, cap).map_err(|fault| Error::Peer { address: self.address(l.node), fault })
    }

    /// A link's broker speaks an API, but not so new a version as a codec needs.
    pub(crate) fn codec_too_new(&self, link: LinkId, api: Api, needed: i16, codec: Codec) -> Error {
        let Some(l) = self.links.get(&link) else { return self.unreachable() };
        let (broker_min, broker_max) = l.versions.range(api);
        let fault = PeerFault::CodecTooNew { codec, api: api.name, needed, broker_min, broker_max };
        Error::Peer { address: self.address(l.node), fault }
    }

    /// Encodes a request and queues it on a link.
    ///
    /// # Errors
    /// [`Error::Wire`] when the version cannot carry a value. The context is dropped then.
    pub(crate) fn send<R: Encode>(&mut self, link: LinkId, body: &R, sending: Sending) -> Result<(), Error> {
        self.send_with(link, body, &mut core::iter::empty(), sending)
    }

    /// The same, with the record batches that stand in it.
    pub(crate) fn send_with<R: Encode>(
        &mut self,
        link: LinkId,
        body: &R,
        bodies: &mut dyn Iterator<Item = Body>,
        sending: Sending,
    ) -> Result<(), Error> {
        let version = sending.version;
        let encode = |memory, id, client_id: Option<&str>| request_frame_in(memory, body, version, id, client_id);
        self.send_encoded(link, R::API, &encode, bodies, sending)
    }

    /// The same code for every message: a program has it once.
    fn send_encoded(
        &mut self,
        link: LinkId,
        api: Api,
        encode: Encodes<'_>,
        bodies: &mut dyn Iterator<Item = Body>,
        sending: Sending,
    ) -> Result<(), Error> {
        let Sending { version, context, deadline, response_max, answered } = sending;
        let Some(l) = self.links.get_mut(&link) else {
            self.lost.push_back(Unanswered { context, sent: false });
            return Ok(());
        };
        let memory = core::mem::take(&mut self.frame);
        let frame = encode(memory, l.correlation_id(), Some(&self.config.client_id))
            .map_err(|error| Error::Wire { what: api.name, error })?;
        // Fetches count when they bring something.
        if !matches!(context, Context::Fetch(_)) {
            l.uses = l.uses.wrapping_add(1);
        }
        l.queue(Outgoing { api, version, frame: &frame, bodies, deadline, response_max, answered, context });
        if frame.bytes.capacity() <= FRAME_KEPT {
            self.frame = frame;
        }
        Ok(())
    }

    /// How often a connection was of use: see [`Link::uses`].
    pub(crate) fn uses(&self, link: LinkId) -> u32 {
        self.links.get(&link).map_or(0, |l| l.uses)
    }

    /// A fetch brought something.
    pub(crate) fn used(&mut self, link: LinkId) {
        if let Some(l) = self.links.get_mut(&link) {
            l.uses = l.uses.wrapping_add(1);
        }
    }

    /// The usual way of a control request: an answer within the request timeout, of any length that Control holds.
    pub(crate) fn plain(&self, now: Instant, version: i16, context: Context) -> Sending {
        Sending {
            version,
            context,
            deadline: now.after(Duration::from_millis(u64::from(self.config.request_timeout_ms))),
            response_max: self.budget.limit(Class::Control),
            answered: true,
        }
    }

    /// A broker asked for a pause (KIP-219): nothing more is sent on this connection before it is over, and the pause
    /// never counts as a missing answer (trap 81).
    pub(crate) fn throttle(&mut self, now: Instant, link: LinkId, throttle_time_ms: i32) {
        if let (Some(l), Ok(ms @ 1..)) = (self.links.get_mut(&link), u64::try_from(throttle_time_ms)) {
            let pause = Duration::from_millis(ms.min(THROTTLE_MAX_MS));
            l.pause(now, pause);
            let (node, usage) = (l.node, l.usage);
            self.events.tell(|| Event::Throttled { peer: self.peer(node), purpose: purpose(usage), pause });
        }
    }

    /// Gives the driver a job, for its transport.
    pub(crate) fn submit(&mut self, job: Job) {
        self.outputs.push_back(Output::Work { job });
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_lost(&mut self) -> Option<Unanswered<Context>> {
        self.lost.pop_front()
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Ends links whose time is over, greets, asks for metadata.
    pub(crate) fn run(&mut self, now: Instant) {
        self.end_late_links(now);
        self.run_sessions(now);
        self.ask_metadata(now);
    }

    /// When something must have happened.
    pub(crate) fn deadline(&self, now: Instant) -> Instant {
        let links = self.links.values().map(|l| {
            // A muted link has work to do when its pause is over, if anybody waits for it; waking once is cheap.
            let muted = if l.muted_until > now { l.muted_until } else { Instant::FAR };
            l.deadline().min(muted)
        });
        let dials = self.brokers.values().map(|b| b.dial.not_before).filter(|at| *at > now);
        let sessions = self.sasl.deadline(now);
        links.chain(dials).min().unwrap_or(Instant::FAR).min(self.metadata_deadline(now)).min(sessions)
    }

    fn end_late_links(&mut self, now: Instant) {
        while let Some(id) = self.links.find(|l| l.deadline() <= now) {
            let error = self.late(id);
            self.outputs.push_back(Output::Close { link: id });
            self.end_link(now, id, End::Failed(error));
        }
    }

    /// Why a link whose deadline has passed is given up.
    fn late(&self, id: LinkId) -> Failure {
        let Some(link) = self.links.get(&id) else { return Failure::Other(self.unreachable()) };
        let (what, knob, ms) = match (link.state, link.oldest()) {
            (State::Connecting, _) => ("the connection".into(), "connect_timeout_ms", self.config.connect_timeout_ms),
            (State::Ready, Some(p)) if !is_greeting(&p.context) => {
                (alloc::format!("the answer to {}", p.api.name), "request_timeout_ms", self.config.request_timeout_ms)
            }
            (State::Ready, None) => ("taking a request".into(), "request_timeout_ms", self.config.request_timeout_ms),
            (_, Some(p)) => {
                (alloc::format!("the answer to {}", p.api.name), "connect_timeout_ms", self.config.connect_timeout_ms)
            }
            (_, None) => ("the greeting".into(), "connect_timeout_ms", self.config.connect_timeout_ms),
        };
        Failure::Other(Error::TimedOut {
            what: alloc::format!("{what} from {}", self.address(link.node)),
            after: Duration::from_millis(u64::from(ms)),
            knob,
            fate: crate::error::Fate::NotPersisted,
            because: None,
        })
    }

    /// A link is gone. Its open requests go back to their owners.
    fn end_link(&mut self, now: Instant, id: LinkId, end: End) {
        let Some(link) = self.links.remove(&id) else { return };
        self.by_use.remove(&(link.node, link.usage));
        match end {
            End::Failed(failure) => self.link_failed(now, &link, failure),
            End::Closed(why) => self.events.tell(|| Event::ConnectionClosed {
                peer: self.peer(link.node),
                purpose: purpose(link.usage),
                why,
            }),
        }
        self.metadata.link_ended(id);
        self.sasl.ended(id);
        self.lost.extend(link.end());
    }

    fn link_failed(&mut self, now: Instant, link: &Link<Context>, failure: Failure) {
        let failures = self.brokers.get(&link.node).map_or(0, |b| b.dial.failures);
        let again_after = self.backoff_span(failures).max(failure.least_pause());
        if let Some(broker) = self.brokers.get_mut(&link.node) {
            broker.dial.failed(now, again_after);
            // It may have been exchanged for one of another release: it is asked before it is used.
            broker.versions = None;
        }
        self.events.tell(|| {
            let (peer, purpose, why) = (self.peer(link.node), purpose(link.usage), Cause::from(&failure));
            let failures = self.brokers.get(&link.node).map_or(1, |b| b.dial.failures);
            let unanswered = link.open_requests();
            match link.state {
                State::Ready => Event::ConnectionLost { peer, purpose, why, unanswered, again_after },
                _ => Event::ConnectFailed { peer, purpose, why, failures, again_after },
            }
        });
        let address = self.address(link.node);
        if self.failures.len() < self.config.max_brokers || self.failures.contains_key(&address) {
            self.failures.insert(address, failure);
        }
        // What waits for a topic that nobody can be asked for need not wait.
        if !self.is_known() && self.is_hopeless() {
            self.metadata.refuse(&self.unreachable());
        }
        self.metadata.suspect();
    }

    /// The transport could not open a connection, or lost it.
    pub(crate) fn on_transport_error(&mut self, now: Instant, id: LinkId, error: Option<TransportError>) {
        let Some(link) = self.links.get(&id) else { return };
        let end = match (link.state, error) {
            // A broker closes connections that were idle for ten minutes: nothing is wrong (trap 105).
            (State::Ready, None) if link.open_requests() == 0 && !link.has_output() => End::Closed(WhyClosed::Idle),
            #[cfg(feature = "sasl")]
            (State::Authenticating, error) => End::Failed(self.authentication_ended(id, error)),
            (_, error) if link.oldest().is_some_and(|p| is_greeting(&p.context)) => {
                End::Failed(self.greeting_refused(id, error))
            }
            (State::Ready, None) if self.is_unheard(link) => End::Failed(self.first_request_refused(id)),
            (_, error) => End::Failed(Failure::Transport(error.unwrap_or_else(greeting::hung_up))),
        };
        self.end_link(now, id, end);
    }

    /// A peer broke the protocol: the link is of no more use.
    pub(crate) fn on_fault(&mut self, now: Instant, id: LinkId, fault: PeerFault) {
        let Some(link) = self.links.get(&id) else { return };
        let unfit = matches!(fault, PeerFault::FrameLength { .. });
        let of_metadata = link.oldest().is_some_and(|oldest| matches!(oldest.context, Context::Metadata));
        let error = Error::Peer { address: self.address(link.node), fault };
        if unfit && of_metadata {
            self.metadata.refuse(&error);
        }
        self.on_refusal(now, id, error);
    }

    /// A broker is of no use for now: its link ends, and its back-off begins.
    pub(super) fn on_refusal(&mut self, now: Instant, id: LinkId, error: Error) {
        self.outputs.push_back(Output::Close { link: id });
        self.end_link(now, id, End::Failed(Failure::Other(error)));
    }

    /// Nobody waits any more for what is open on a broker's link of that use, and others must not wait behind it.
    pub(crate) fn drop_link(&mut self, now: Instant, node: i32, usage: Use) {
        let usage = self.use_of(usage);
        if usage == Use::Control {
            return;
        }
        if let Some(id) = self.by_use.get(&(node, usage)).copied() {
            self.outputs.push_back(Output::Close { link: id });
            self.end_link(now, id, End::Closed(WhyClosed::Unused));
        }
    }

    /// A broker, for events.
    pub(crate) fn peer(&self, node: i32) -> Peer<'_> {
        let known = self.brokers.get(&node);
        Peer { node, host: known.map_or("", |b| &b.host), port: known.map_or(0, |b| b.port) }
    }

    /// A broker's address, for errors.
    pub(crate) fn address(&self, node: i32) -> String {
        match self.brokers.get(&node) {
            Some(b) => Endpoint { host: b.host.as_ref().into(), port: b.port, attempt: 0 }.to_string(),
            None => alloc::format!("broker {node}"),
        }
    }

    /// Why no broker answers, with every address that failed.
    pub(crate) fn unreachable(&self) -> Error {
        let mut tried = Vec::new();
        for (address, failure) in self.failures.iter() {
            match failure {
                Failure::Transport(error) => tried.push((address.clone(), error.clone())),
                Failure::Other(error) => return error.clone(),
            }
        }
        Error::Transport { tried }
    }

    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// The wait before try number `failures + 1`: doubled each time, ± 20 %, so that clients do not come in step
    /// (trap 102).
    pub(crate) fn backoff_span(&mut self, failures: u32) -> Duration {
        let base = u64::from(self.config.backoff_ms) << failures.min(16);
        let span = base.min(u64::from(self.config.backoff_max_ms));
        let spread = span.saturating_mul(1_000) / 5 * 2;
        let jitter = u64::from(self.rng.below(u32::try_from(spread.max(1)).unwrap_or(u32::MAX)));
        Duration::from_micros((span * 1_000).saturating_sub(spread / 2).saturating_add(jitter))
    }

    /// The client is closing: every connection ends.
    pub(crate) fn close_all(&mut self, now: Instant) {
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        for link in all {
            self.outputs.push_back(Output::Close { link });
            self.end_link(now, link, End::Closed(WhyClosed::Unused));
        }
    }

    pub(crate) fn malformed(&self, link: LinkId, api: Api, error: WireError) -> Error {
        let node = self.links.get(&link).map_or(-1, |l| l.node);
        let fault = crate::error::PeerFault::Malformed { api: api.name, error };
        Error::Peer { address: self.address(node), fault }
    }

    /// Brokers that fetches or produces may go to, known from metadata.
    pub(crate) fn brokers_len(&self) -> usize {
        self.brokers.keys().filter(|id| **id >= 0).count()
    }
}

pub(crate) fn is_greeting(context: &Context) -> bool {
    matches!(context, Context::Greeting)
}

fn purpose(usage: Use) -> Purpose {
    match usage {
        Use::Control => Purpose::Control,
        Use::Produce => Purpose::Produce,
        Use::Fetch => Purpose::Fetch,
    }
}

/// The longest pause that a broker can order; an hour's throttle is a broken broker.
const THROTTLE_MAX_MS: u64 = 60_000;

/// The node id of an entry of the bootstrap list.
fn bootstrap_id(index: usize) -> i32 {
    -1 - i32::try_from(index).unwrap_or(i32::MAX - 1)
}

pub(crate) fn stage_bytes(control_limit: usize) -> usize {
    (control_limit / 64).clamp(256, 4_096)
}

/// Whether an error says that metadata is out of date.
pub(crate) fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::NOT_CONTROLLER
    )
}
