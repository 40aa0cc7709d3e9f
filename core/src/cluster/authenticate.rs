//! Who the client is, told to a broker behind the greeting (KIP-43, KIP-152) and again before its session ends (KIP-368).

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use super::{Cluster, Failure, Sending, tokens::Tokens};
use crate::{
    Error, Instant, TransportError,
    budget::{Class, Lease},
    code::ErrorCode,
    kick::Kick,
    link::{LinkId, State},
    machine::Context,
    map::Map,
    sasl::{Derivation, Exchange, Keys, Message, Next, Nonce, Sasl, SaslFault},
    sync::Arc,
    wire::{
        Api, Decode, Reader,
        api::{SASL_AUTHENTICATE, SASL_HANDSHAKE},
        sasl_authenticate_request::SaslAuthenticateRequest,
        sasl_authenticate_response::SaslAuthenticateResponse,
        sasl_handshake_request::SaslHandshakeRequest,
        sasl_handshake_response::SaslHandshakeResponse,
    },
};

/// After version 0 the mechanism's bytes would follow without any header (trap 103).
const HANDSHAKE: Api = Api { min: 1, ..SASL_HANDSHAKE };

/// The most bytes of an answer.
const RESPONSE_MAX: usize = 16 << 10;

/// Rounds a turn. A driver takes up to 64 of these in one poll, which is some milliseconds, and gives others their turn then.
const ROUNDS: u32 = 128;

/// A broker takes no session's renewal within a second of the one before.
const RENEWAL_LEAST: Duration = Duration::from_millis(1_100);

/// The most mechanisms of a broker that an error names, and the longest name (RFC 4422).
const OFFERED_MAX: usize = 16;
const MECHANISM_LEN_MAX: usize = 20;

/// All links' sessions.
pub(super) struct Sessions {
    nonce: Nonce,
    pub(super) links: Map<LinkId, Session>,
    /// The last keys. Brokers of one cluster give the same salt, so that one derivation serves all connections.
    keys: Option<Keys>,
    /// One at a time; it stays where it is when its link ends, because the next one goes on with it.
    deriving: Option<Derivation>,
    pub(super) tokens: Tokens,
}

pub(super) struct Session {
    /// When the broker is to be told again.
    renew_at: Instant,
    pub(super) step: Step,
    /// The link was ready before: it is not the first time.
    renewed: bool,
    /// What the exchange holds.
    room: Option<Lease>,
}

pub(super) enum Step {
    /// The broker is asked for the mechanism.
    Handshake,
    Exchange(Exchange),
    Done,
}

/// What a broker's answer came to.
enum Took {
    Say(Message),
    /// Keys are needed first, or a token.
    Part,
    All {
        lifetime_ms: i64,
    },
}

impl Sessions {
    pub(super) fn new(seed: &[u8; 32], kick: &Arc<Kick>) -> Sessions {
        let nonce = Nonce { seed: *seed, drawn: 0 };
        Sessions { nonce, links: Map::new(), keys: None, deriving: None, tokens: Tokens::new(kick) }
    }

    pub(super) fn deadline(&self, now: Instant) -> Instant {
        if self.waiting().is_some() || (self.wants_token() && self.tokens.is_idle()) {
            return now;
        }
        self.links.values().map(|s| s.renew_at).min().unwrap_or(Instant::FAR)
    }

    pub(super) fn ended(&mut self, id: LinkId) {
        self.links.remove(&id);
    }

    /// The first link that waits for keys.
    fn waiting(&self) -> Option<(LinkId, &Exchange)> {
        self.links.iter().find_map(|(id, session)| match &session.step {
            Step::Exchange(exchange) if exchange.wants().is_some() => Some((*id, exchange)),
            _ => None,
        })
    }
}

impl Cluster {
    /// Whether brokers take requests without knowing who the client is.
    pub(super) fn is_trusted(&self) -> bool {
        self.config.sasl.is_none()
    }

    /// Tells a broker who the client is, if it is to know.
    pub(super) fn authenticate(&mut self, now: Instant, id: LinkId) {
        let config = Arc::clone(&self.config);
        let Some(sasl) = &config.sasl else { return self.on_ready(id) };
        let Some(room) = self.budget.lease(Class::Control, sasl.exchange_bytes()) else {
            let (class, needed) = (Class::Control, sasl.exchange_bytes());
            let error = Error::Budget { class, needed, limit: self.budget.limit(class), knob: class.knob() };
            return self.on_refusal(now, id, error);
        };
        let version = self.version(id, HANDSHAKE, HANDSHAKE.max);
        let Some(link) = self.links.get_mut(&id) else { return };
        match version {
            Ok(version) => {
                let renewed = core::mem::replace(&mut link.state, State::Authenticating) == State::Ready;
                let session = Session { renew_at: Instant::FAR, step: Step::Handshake, renewed, room: Some(room) };
                self.sasl.links.insert(id, session);
                let body = SaslHandshakeRequest { mechanism: sasl.mechanism() };
                self.send_sasl(now, id, version, &body);
            }
            Err(error) => self.on_refusal(now, id, error),
        }
    }

    fn send_sasl<R: crate::wire::Encode>(&mut self, now: Instant, id: LinkId, version: i16, body: &R) {
        let Some(link) = self.links.get(&id) else { return };
        let deadline = link.ready_by;
        let plain = self.plain(now, version, Context::Greeting);
        let sent = self.send(id, body, Sending { deadline, response_max: RESPONSE_MAX, ..plain });
        debug_assert!(sent.is_ok(), "credentials are as long as a request can carry");
    }

    pub(super) fn send_token(&mut self, now: Instant, id: LinkId, token: &[u8]) {
        match self.version(id, SASL_AUTHENTICATE, SASL_AUTHENTICATE.max) {
            Ok(version) => {
                self.send_sasl(now, id, version, &SaslAuthenticateRequest { auth_bytes: token });
                zeroize::Zeroize::zeroize(&mut self.frame.bytes);
            }
            Err(error) => self.on_refusal(now, id, error),
        }
    }

    /// The answer to a message of an authentication.
    pub(super) fn on_authenticating(&mut self, now: Instant, id: LinkId, version: i16, body: Reader<'_>) {
        let config = Arc::clone(&self.config);
        let (Some(session), Some(sasl)) = (self.sasl.links.get_mut(&id), &config.sasl) else { return };
        let took = match core::mem::replace(&mut session.step, Step::Done) {
            Step::Handshake => read_handshake(body, version).map(|()| {
                self.sasl.nonce.drawn = self.sasl.nonce.drawn.wrapping_add(1);
                let (exchange, token) = sasl.begin(&self.sasl.nonce);
                session.step = Step::Exchange(exchange);
                token.map_or(Took::Part, Took::Say)
            }),
            Step::Exchange(exchange) => read_token(sasl, &exchange, body, version).and_then(|(token, lifetime_ms)| {
                Ok(match sasl.on_answer(exchange, token)? {
                    Next::Done => Took::All { lifetime_ms },
                    Next::Keys(exchange) => {
                        session.step = Step::Exchange(exchange);
                        Took::Part
                    }
                    Next::Say(exchange, token) => {
                        session.step = Step::Exchange(exchange);
                        Took::Say(token)
                    }
                })
            }),
            // A link that has nothing to say has nothing to hear: its answers were counted.
            Step::Done => Ok(Took::Part),
        };
        match took {
            Ok(Took::Say(token)) => self.send_token(now, id, &token),
            Ok(Took::Part) => {}
            Ok(Took::All { lifetime_ms }) => self.on_authenticated(now, id, lifetime_ms),
            Err(fault) => self.on_sasl_fault(now, id, fault),
        }
    }

    fn on_authenticated(&mut self, now: Instant, id: LinkId, lifetime_ms: i64) {
        let share = 850 + u64::from(self.rng.below(101));
        let Some(session) = self.sasl.links.get_mut(&id) else { return };
        session.room = None;
        let renewed = session.renewed;
        session.renew_at = match u64::try_from(lifetime_ms) {
            Ok(0) | Err(_) => Instant::FAR,
            Ok(ms) => {
                let span = Duration::from_micros(ms.min(LIFETIME_MAX_MS).saturating_mul(share));
                now.after(span.max(RENEWAL_LEAST))
            }
        };
        match self.links.get_mut(&id) {
            Some(link) if renewed => link.state = State::Ready,
            _ => self.on_ready(id),
        }
    }

    pub(super) fn on_sasl_fault(&mut self, now: Instant, id: LinkId, fault: SaslFault) {
        let error = self.authentication(id, fault);
        // What waits for a topic that nobody can ask for need not wait.
        if error.is_hopeless() {
            self.metadata.refuse(&error);
        }
        self.on_refusal(now, id, error);
    }

    fn authentication(&self, id: LinkId, fault: SaslFault) -> Error {
        let mechanism = self.config.sasl.as_ref().map_or("", Sasl::mechanism);
        Error::Authentication { address: self.node_address(id), mechanism, fault }
    }

    /// The connection ended before the broker had answered.
    pub(super) fn authentication_ended(&self, id: LinkId, end: Option<TransportError>) -> Failure {
        match end {
            Some(error) if error.kind != embedded_io::ErrorKind::ConnectionReset => Failure::Transport(error),
            _ => Failure::Other(self.authentication(id, SaslFault::Closed)),
        }
    }

    /// Begins what is due, and does some rounds for whoever waits for keys.
    pub(super) fn run_sessions(&mut self, now: Instant) {
        while let Some(id) = self.sasl.links.find(|session| session.renew_at <= now) {
            self.renew(now, id);
        }
        self.derive();
        self.sign(now);
        self.bear(now);
    }

    /// The broker is told again, on the same connection. It answers what is open before that; what is new waits, because a
    /// link that authenticates is not ready.
    fn renew(&mut self, now: Instant, id: LinkId) {
        let within = Duration::from_millis(u64::from(self.config.request_timeout_ms));
        self.sasl.ended(id);
        if let Some(link) = self.links.get_mut(&id) {
            link.ready_by = now.after(within);
            self.authenticate(now, id);
        }
    }

    fn derive(&mut self) {
        let (Some(sasl), Some((_, exchange))) = (&self.config.sasl, self.sasl.waiting()) else { return };
        let Some(salt) = exchange.wants() else { return };
        if self.sasl.keys.as_ref().is_some_and(|keys| keys.salt() == salt) {
            return;
        }
        if self.sasl.deriving.as_ref().is_none_or(|d| d.salt() != salt) {
            self.sasl.deriving = sasl.derive(salt);
        }
        if let Some(keys) = self.sasl.deriving.as_mut().and_then(|d| sasl.step(d, ROUNDS)) {
            self.sasl.deriving = None;
            self.sasl.keys = Some(keys);
        }
    }

    /// Everybody who waits for just the keys that are there goes on.
    fn sign(&mut self, now: Instant) {
        let (Some(keys), Some(sasl)) = (&self.sasl.keys, &self.config.sasl) else { return };
        let mut signed = Vec::new();
        for (id, session) in self.sasl.links.iter_mut() {
            if let Step::Exchange(exchange) = &mut session.step
                && exchange.wants() == Some(keys.salt())
                && let Some(token) = sasl.sign(exchange, keys)
            {
                signed.push((*id, token));
            }
        }
        for (id, token) in signed {
            self.send_token(now, id, &token);
        }
    }
}

/// A session that ends after a year needs no renewal that anybody will see.
const LIFETIME_MAX_MS: u64 = 365 * 24 * 3_600 * 1_000;

pub(crate) fn read_handshake(mut body: Reader<'_>, version: i16) -> Result<(), SaslFault> {
    let response = SaslHandshakeResponse::decode(&mut body, version).map_err(SaslFault::Wire)?;
    match ErrorCode(response.error_code) {
        code if code.is_ok() => Ok(()),
        ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
            let is_name = |name: &&str| {
                let legal = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
                name.len() <= MECHANISM_LEN_MAX && name.bytes().all(legal)
            };
            let names = response.mechanisms.iter().filter(is_name).take(OFFERED_MAX);
            Err(SaslFault::Mechanism { offered: names.map(|name| name.to_string()).collect::<Vec<String>>() })
        }
        ErrorCode::ILLEGAL_SASL_STATE => Err(SaslFault::NotTaken),
        code => Err(SaslFault::Refused { code, message: None }),
    }
}

/// The mechanism's bytes, and how long the session lasts if they end it.
pub(crate) fn read_token<'a>(
    sasl: &Sasl,
    exchange: &Exchange,
    mut body: Reader<'a>,
    version: i16,
) -> Result<(&'a [u8], i64), SaslFault> {
    let response = SaslAuthenticateResponse::decode(&mut body, version).map_err(SaslFault::Wire)?;
    match ErrorCode(response.error_code) {
        code if code.is_ok() => Ok((response.auth_bytes, response.session_lifetime_ms)),
        code => Err(SaslFault::Refused { code, message: sasl.told(exchange, response.error_message) }),
    }
}
