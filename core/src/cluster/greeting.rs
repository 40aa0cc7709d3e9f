//! The first exchange on a connection: which versions does this broker speak (KIP-35, KIP-511)?

use super::{Cluster, End, Failure, Sending, purpose};
use crate::{
    Error, Instant, TransportError,
    code::ErrorCode,
    error::PeerFault,
    event::Event,
    link::{Link, LinkId, State},
    machine::Context,
    sync::Arc,
    wire::{
        Decode, Reader, WireError,
        api::{API_VERSIONS, FETCH, PRODUCE},
        api_versions_request::ApiVersionsRequest,
        api_versions_response::ApiVersionsResponse,
    },
};

/// The most bytes of an ApiVersions response. Kafka 4.3's has about 600.
const RESPONSE_MAX: usize = 16 << 10;

/// So many connections, one after the other, that a peer ended instead of answering their first request are no accident. A
/// broker that stops and a bad network manage two, as one seed in a thousand has it.
const HUNG_UP_FOR_GOOD: u32 = 4;

impl Cluster {
    /// The transport opened the connection. Where it is known what the broker speaks, requests follow the greeting at once:
    /// a broker answers in order, and one that does not know a version any more hangs up.
    pub(crate) fn on_connected(&mut self, now: Instant, id: LinkId) {
        let version = self.greeting_version(id);
        self.greet(now, id, version);
        // A broker that is to know who the client is takes nothing else before.
        if !self.is_trusted() {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some(versions) = self.brokers.get(&link.node).and_then(|b| b.versions.as_deref()) {
            link.versions = versions.clone();
            link.state = State::Ready;
        }
    }

    /// A peer that closed on a newer greeting gets an older one at the next dial (trap 2: Event Hubs resets the
    /// connection instead of answering in version 0).
    fn greeting_version(&self, id: LinkId) -> i16 {
        let node = self.links.get(&id).map(|l| l.node);
        let tried = node.and_then(|n| self.brokers.get(&n)).map_or(0, |b| b.dial.failures);
        match tried {
            0 => API_VERSIONS.max,
            1 => 3,
            _ => 0,
        }
    }

    fn greet(&mut self, now: Instant, id: LinkId, version: i16) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.state = State::Greeting(version);
        let deadline = link.ready_by;
        let body =
            ApiVersionsRequest { client_software_name: "klamm", client_software_version: env!("CARGO_PKG_VERSION") };
        let plain = self.plain(now, version, Context::Greeting);
        let sent = self.send(id, &body, Sending { deadline, response_max: RESPONSE_MAX, ..plain });
        debug_assert!(sent.is_ok(), "a greeting can always be encoded");
    }

    /// The answer to a greeting, or to what follows it before the link is ready.
    pub(crate) fn on_greeted(&mut self, now: Instant, id: LinkId, version: i16, body: Reader<'_>) {
        match self.links.get(&id).map(|link| link.state) {
            #[cfg(feature = "sasl")]
            Some(State::Authenticating) => self.on_authenticating(now, id, version, body),
            _ => self.on_versions(now, id, version, body),
        }
    }

    /// A broker that does not know the version answers in version 0, with error 35 and the
    /// range that it knows: the same connection is greeted again in that (trap 2).
    fn on_versions(&mut self, now: Instant, id: LinkId, version: i16, body: Reader<'_>) {
        match read_greeting(body, version) {
            Ok(response) if response.error_code == ErrorCode::UNSUPPORTED_VERSION.0 && version > 0 => {
                let range = response.api_keys.iter().find(|k| k.api_key == API_VERSIONS.key);
                let lower = range.map_or(0, |k| k.max_version).clamp(0, version - 1);
                self.greet(now, id, lower);
            }
            Ok(response) if response.error_code == 0 => {
                let Some(link) = self.links.get_mut(&id) else { return };
                link.versions.learn(response.api_keys.iter().map(|k| (k.api_key, k.min_version, k.max_version)));
                let (node, versions) = (link.node, Arc::new(link.versions.clone()));
                if let Some(broker) = self.brokers.get_mut(&node) {
                    broker.versions = Some(versions);
                }
                self.throttle(now, id, response.throttle_time_ms);
                self.authenticate(now, id);
            }
            Ok(response) => {
                let what = alloc::format!("ApiVersions at {}", self.node_address(id));
                let error = Error::broker(ErrorCode(response.error_code), what, None);
                self.outputs.push_back(super::Output::Close { link: id });
                self.end_link(now, id, End::Failed(Failure::Other(error)));
            }
            Err(error) => self.on_fault(now, id, PeerFault::Malformed { api: API_VERSIONS.name, error }),
        }
    }

    /// The link takes requests from now on.
    pub(super) fn on_ready(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.state = State::Ready;
        let (node, usage) = (link.node, link.usage);
        let (produce, fetch) = (link.versions.range(PRODUCE).1, link.versions.range(FETCH).1);
        self.events.tell(|| Event::Connected { peer: self.peer(node), purpose: purpose(usage), produce, fetch });
        if let Some(broker) = self.brokers.get_mut(&node) {
            broker.dial.worked();
        }
        let address = self.address(node);
        self.failures.remove(&address);
    }

    pub(super) fn node_address(&self, id: LinkId) -> alloc::string::String {
        self.links.get(&id).map_or_else(Default::default, |l| self.address(l.node))
    }

    /// Whether all that this peer has ever said is its greeting, to somebody who has not said who it is.
    pub(super) fn is_unheard(&self, link: &Link<Context>) -> bool {
        let of_metadata = link.oldest().is_some_and(|oldest| matches!(oldest.context, Context::Metadata));
        of_metadata && !self.is_known() && self.is_trusted()
    }

    /// The peer ended a connection with whose first request it was content enough to say nothing. It may be stopping, or the
    /// network at fault, and that more than once; a listener that wants SASL does it each time.
    pub(super) fn first_request_refused(&mut self, id: LinkId) -> Failure {
        let address = self.node_address(id);
        let broker = self.links.get(&id).and_then(|link| self.brokers.get_mut(&link.node));
        let times = broker.map_or(0, |broker| {
            broker.dial.hung_up = broker.dial.hung_up.saturating_add(1);
            broker.dial.hung_up
        });
        if times < HUNG_UP_FOR_GOOD {
            return Failure::Transport(hung_up());
        }
        Failure::Other(Error::Peer { address, fault: PeerFault::NoAnswer })
    }

    /// The peer ended the connection before it had answered.
    pub(super) fn greeting_refused(&self, id: LinkId, end: Option<TransportError>) -> Failure {
        match end {
            Some(error) if error.kind != embedded_io::ErrorKind::ConnectionReset => Failure::Transport(error),
            _ => Failure::Other(Error::Peer { address: self.node_address(id), fault: PeerFault::NoGreeting }),
        }
    }
}

/// The peer ended the connection, and there is no more to be said.
pub(super) fn hung_up() -> TransportError {
    TransportError::new(crate::Phase::Io, embedded_io::ErrorKind::ConnectionReset, "the broker closed the connection")
}

/// Reads the answer to a greeting of this version, in whichever it is.
pub(crate) fn read_greeting(mut body: Reader<'_>, version: i16) -> Result<ApiVersionsResponse<'_>, WireError> {
    let mut plain = body;
    // The error code comes first in every version. If it is 35, the rest is in version 0.
    if version > 0 && plain.i16()? == ErrorCode::UNSUPPORTED_VERSION.0 {
        return ApiVersionsResponse::decode(&mut body, 0);
    }
    ApiVersionsResponse::decode(&mut body, version)
}

/// What a peer speaks whose first bytes are these, if it is plainly not Kafka.
pub(crate) fn other_protocol(first: &[u8]) -> Option<&'static str> {
    match first {
        [b'H', b'T', b'T', b'P', ..] => Some("HTTP"),
        // A TLS alert or handshake record, version 3.x.
        [0x15 | 0x16, 3, ..] => Some("TLS"),
        [b'S', b'S', b'H', b'-', ..] => Some("SSH"),
        _ => None,
    }
}
