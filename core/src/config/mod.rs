//! Every setting, with its unit in its name and a default that is safe.

mod consumer;
mod debug;
mod producer;
#[cfg(feature = "sasl")]
mod sasl;
#[cfg(not(feature = "sasl"))]
#[path = "trusted.rs"]
mod sasl;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "plaintext.rs"]
mod tls;
mod unknown_topic;

pub(crate) use consumer::FETCH_LEAST;
pub use consumer::{ConsumerConfig, IsolationLevel, ResetPolicy, StartAt};
pub use producer::{Acks, ProducerConfig};
pub use unknown_topic::UnknownTopic;

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    Budget, Endpoint, Error, MemoryPlan, WarmState,
    budget::{ANSWER_PARTITION_BYTES, Memory, PARTITION_BYTES, known_bytes},
    cluster::WARM,
    compress::{BuiltIn, Codecs, FOREIGN},
    error::shown,
    event::{OBSERVED, Observe},
    sync::Arc,
};

/// A client's settings. Every field may be set by name; the methods say the same with a [`Duration`].
///
/// ```
/// use core::time::Duration;
/// let config = klamm::Config::new("broker-1:9092,broker-2:9092").request_timeout(Duration::from_secs(10));
/// assert_eq!(config.request_timeout_ms, 10_000);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Brokers to begin with, as `host:port` separated by commas, at most `max_brokers` of them. An IPv6 literal stands in
    /// brackets.
    pub bootstrap: String,
    /// What the broker's logs and quotas know this client by, at most 249 bytes.
    pub client_id: String,
    /// How long a request may go unanswered, in milliseconds. After that its connection is closed.
    pub request_timeout_ms: u32,
    /// How long name look-up, TCP, TLS and ApiVersions together may take, in milliseconds. `connect` waits no longer.
    pub connect_timeout_ms: u32,
    /// How old metadata may become before it is asked for again, in milliseconds.
    pub metadata_max_age_ms: u32,
    /// The first wait before something that failed is tried again, in milliseconds; it doubles up to the next field.
    pub backoff_ms: u32,
    /// The longest wait between two tries, in milliseconds, ± 20 %.
    pub backoff_max_ms: u32,
    /// How long a client that is being dropped may take to send what it holds, in milliseconds.
    pub close_timeout_ms: u32,
    /// Brokers that are remembered and connected to at most. Partitions that further ones lead cannot be used, as if nobody led them;
    /// [`Event::BrokersLeftOut`](crate::Event::BrokersLeftOut) tells of it.
    pub max_brokers: usize,
    /// Topics that all producers and consumers use at most. One that was ever used counts until the client ends.
    pub max_topics: usize,
    /// Partitions of all used topics at most. The metadata of a topic that passes it is refused.
    pub max_partitions: usize,
    /// Producers and consumers that are open at once, at most.
    pub max_handles: usize,
    /// Tasks that wait for room, metadata or a flush at most; beyond that an operation is refused at once.
    pub max_waiters: usize,
    /// One connection a broker for everything, instead of one each for produce, fetch and the rest. What is asked while a fetch
    /// waits for new records stands behind it: see `shared_wait_max_ms`.
    pub single_connection: bool,
    /// How long a fetch may wait for new records at most where something may stand behind it, in milliseconds: with
    /// `single_connection`, and where several consumers share the connection for fetches. A broker answers a connection's requests
    /// in their order, so this is the most that the first record after a rest waits for in addition, and what a device
    /// that must seldom wake raises. 50 by default. Each fetch that brings nothing lets the next wait twice as long, from 50 ms on, until
    /// anything else happens on the connection: the delay is never much longer than the rest was. With 50 or less all fetches wait so
    /// long only. At least 1; never more than the consumer's `fetch_max_wait_ms` and half of `request_timeout_ms` are waited.
    pub shared_wait_max_ms: u32,
    /// How much the system keeps of what is being sent on a connection, in bytes, where the transport can set that (tokio's
    /// can). `None`: as the system likes, which is mostly best.
    pub send_buffer_bytes: Option<u32>,
    /// The same of what was received and is not read yet.
    pub receive_buffer_bytes: Option<u32>,
    /// Who the client is to brokers. `None`: nobody in particular.
    #[cfg(feature = "sasl")]
    pub sasl: Option<crate::sasl::Sasl>,
    /// PLAIN may go over connections that are not encrypted: whoever listens has the password.
    #[cfg(feature = "sasl")]
    pub allow_plain_without_tls: bool,
    /// How connections are encrypted. `None`: not at all.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::Tls>,
    /// The limit of each class of memory.
    pub memory: Memory,
    /// A budget that several clients share; `memory` is then not looked at.
    pub budget: Option<Arc<Budget>>,
    // These are set by their methods alone, so that a program that does not call one has nothing in it of what it sets: see `used.rs`.
    /// `None`: those of this build.
    pub(crate) codecs: Option<Arc<dyn Codecs>>,
    /// `None`: the `log` facade if the feature `log` is on, else nobody.
    pub(crate) observer: Option<Arc<dyn Observe>>,
    pub(crate) warm_state: Option<Arc<WarmState>>,
}

impl Config {
    /// Settings with their defaults for the cluster that these brokers belong to.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Config {
            bootstrap: bootstrap.into(),
            client_id: "klamm".into(),
            request_timeout_ms: 30_000,
            connect_timeout_ms: 10_000,
            metadata_max_age_ms: 300_000,
            backoff_ms: 100,
            backoff_max_ms: 1_000,
            close_timeout_ms: 30_000,
            max_brokers: 32,
            max_topics: 128,
            max_partitions: 1_000,
            max_handles: 16,
            max_waiters: 1_024,
            single_connection: false,
            shared_wait_max_ms: 50,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            #[cfg(feature = "sasl")]
            sasl: None,
            #[cfg(feature = "sasl")]
            allow_plain_without_tls: false,
            #[cfg(feature = "tls")]
            tls: None,
            memory: Memory::default(),
            budget: None,
            codecs: None,
            observer: None,
            warm_state: None,
        }
    }

    /// What the broker's logs and quotas know this client by, at most 249 bytes.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = id.into();
        self
    }

    /// How long a request may go unanswered.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout_ms = millis(timeout);
        self
    }

    /// How long a fetch may wait at most where something may stand behind it: see the field `shared_wait_max_ms`.
    #[must_use]
    pub fn shared_wait_max(mut self, wait: Duration) -> Self {
        self.shared_wait_max_ms = millis(wait);
        self
    }

    /// The same, as fetches are held to it: a request that stands behind one must still be answered in time.
    pub(crate) fn shared_wait_most_ms(&self) -> u32 {
        self.shared_wait_max_ms.min((self.request_timeout_ms / 2).max(1))
    }

    /// How long name look-up, TCP, TLS and ApiVersions together may take.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout_ms = millis(timeout);
        self
    }

    /// The memory ceiling in bytes, shared out to the classes as [`Memory::of`] does, and with TLS as [`Memory::encrypted`]
    /// does. What is remembered of the cluster is scaled with it: brokers, topics, partitions, handles and waiters are
    /// never more than the defaults, and as many as fit; what is set already (`single_connection`, `sasl`, `tls`) is taken into account.
    #[must_use]
    pub fn memory_total(mut self, bytes: usize) -> Self {
        let memory = if self.is_encrypted() { Memory::encrypted(bytes) } else { Memory::of(bytes) };
        let default = Config::new("");
        let link = crate::cluster::stage_bytes(memory.control_bytes) + crate::cluster::LINK_BYTES + self.tls_bytes();
        self.memory = memory;
        let share = if self.is_encrypted() { memory.control_bytes / 4 * 3 } else { memory.control_bytes / 2 };
        let broker = link * self.uses();
        let beside = memory.control_bytes.saturating_sub(self.tls_working_bytes() + self.exchange_bytes());
        // A producer and a consumer, unless even that is too much.
        let least = if beside < known_bytes(2) + broker { 1 } else { 2 };
        let room = share.saturating_sub(self.tls_working_bytes()).min(beside.saturating_sub(known_bytes(least)));
        self.max_brokers = (room / broker).clamp(1, default.max_brokers);
        let tls = self.max_brokers * self.uses() * self.tls_bytes() + self.tls_working_bytes();
        let rest = memory.control_bytes.saturating_sub(tls);
        self.max_handles = (rest / 20_480).clamp(least, default.max_handles);
        self.max_topics = (rest / 20_480).clamp(1, default.max_topics);
        self.max_waiters = (memory.tickets_bytes / 64).clamp(1, default.max_waiters);
        // Partitions get what the others leave.
        self.max_partitions = 0;
        let left = memory.control_bytes.saturating_sub(MemoryPlan::control_of(&self, memory.control_bytes));
        self.max_partitions = (left / (PARTITION_BYTES + ANSWER_PARTITION_BYTES)).clamp(1, default.max_partitions);
        self
    }

    /// Shares a budget with other clients.
    #[must_use]
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// What batches are compressed and decompressed with. Without that it is the transport's codecs if it brings any, else those of
    /// this build.
    #[must_use]
    pub fn codecs(mut self, codecs: Arc<dyn Codecs>) -> Self {
        FOREIGN.mark();
        self.codecs = Some(codecs);
        self
    }

    /// For transports that bring codecs: these, unless the application has set others.
    #[must_use]
    pub fn usual_codecs(self, codecs: impl FnOnce() -> Arc<dyn Codecs>) -> Self {
        if self.codecs.is_some() { self } else { self.codecs(codecs()) }
    }

    /// Who is told what happens beside the work: see [`event`](crate::event). Without one that is the `log` facade if the feature
    /// `log` is on, else nobody, and then nothing of events is in a program that was linked with `lto = true`.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observe>) -> Self {
        OBSERVED.mark();
        self.observer = Some(observer);
        self
    }

    /// What an earlier client knew of this cluster: see [`WarmState`]. The client then counts as connected at once, so that
    /// a cluster that is away is found out by the first operation. A state of another `bootstrap`, or of more brokers, topics or
    /// partitions than this config has room for, is not used.
    #[must_use]
    pub fn warm_state(mut self, state: WarmState) -> Self {
        WARM.mark();
        self.warm_state = Some(Arc::new(state));
        self
    }

    /// Connections to each broker, at most.
    pub(crate) fn uses(&self) -> usize {
        if self.single_connection { 1 } else { 3 }
    }

    pub(crate) fn codecs_or_own(&self) -> Arc<dyn Codecs> {
        self.codecs.clone().unwrap_or_else(|| Arc::new(BuiltIn))
    }

    /// The bootstrap list, parsed.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let list: Result<Vec<_>, _> =
            self.bootstrap.split(',').map(str::trim_ascii).filter(|s| !s.is_empty()).map(parse_endpoint).collect();
        match list {
            Ok(list) if list.is_empty() => Err(Error::config("bootstrap", "names no broker; expected host:port")),
            Ok(list) if list.len() > self.max_brokers => Err(Error::config("bootstrap", "names more than max_brokers")),
            other => other,
        }
    }

    /// Adds up every holder of memory, at its worst.
    ///
    /// # Errors
    /// [`Error::Config`] with the knob, when a class cannot hold what the other settings ask of it.
    pub fn memory_plan(&self) -> Result<MemoryPlan, Error> {
        MemoryPlan::of(self)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.endpoints()?;
        let positive: [(&'static str, usize); 10] = [
            ("request_timeout_ms", self.request_timeout_ms as usize),
            ("connect_timeout_ms", self.connect_timeout_ms as usize),
            ("metadata_max_age_ms", self.metadata_max_age_ms as usize),
            ("backoff_ms", self.backoff_ms as usize),
            ("shared_wait_max_ms", self.shared_wait_max_ms as usize),
            ("max_brokers", self.max_brokers),
            ("max_topics", self.max_topics),
            ("max_partitions", self.max_partitions),
            ("max_handles", self.max_handles),
            ("max_waiters", self.max_waiters),
        ];
        for (knob, value) in positive {
            if value == 0 {
                return Err(Error::config(knob, "must be more than 0"));
            }
        }
        if self.backoff_max_ms < self.backoff_ms {
            return Err(Error::config("backoff_max_ms", "is less than backoff_ms"));
        }
        if self.client_id.len() > 249 {
            return Err(Error::config("client_id", "is longer than 249 bytes"));
        }
        self.check_sasl()?;
        self.memory_plan().map(|_| ())
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, Error> {
    let wrong = || Error::config("bootstrap", format!("\"{}\" is not host:port", shown(text)));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || port == 0 {
        return Err(wrong());
    }
    Ok(Endpoint { host: host.into(), port, attempt: 0 })
}

/// Whole milliseconds, at least one for a time that is not zero.
pub(crate) fn millis(span: Duration) -> u32 {
    let whole = span.as_nanos().div_ceil(1_000_000);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_lists_are_parsed_or_refused_by_name() {
        let c = Config::new("a:1, [::1]:9092 ,b.example:65535,");
        let e = c.endpoints().expect("three brokers");
        assert_eq!(
            e.iter().map(|e| (e.host.as_str(), e.port)).collect::<Vec<_>>(),
            [("a", 1), ("::1", 9092), ("b.example", 65535)]
        );
        for wrong in ["", " , ", "a", "a:", "a:0", "a:65536", ":9092", "::1:9092", "[::1:9092"] {
            let error = Config::new(wrong).endpoints().expect_err(wrong);
            assert!(matches!(error, Error::Config { knob: "bootstrap", .. }), "{error}");
        }
    }

    /// Trap 18: a name with a trailing dot is a name; it goes to the resolver as it was given.
    #[test]
    fn a_trailing_dot_belongs_to_the_name() {
        let endpoints = Config::new("broker.example.:9092").endpoints().expect("a name");
        assert_eq!(endpoints[0].host, "broker.example.");
    }

    #[test]
    fn a_zero_is_refused_by_name() {
        let mut c = Config::new("a:1");
        c.max_waiters = 0;
        assert!(matches!(c.check(), Err(Error::Config { knob: "max_waiters", .. })));
    }

    #[test]
    fn durations_never_round_to_zero() {
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::MAX), u32::MAX);
    }
}
