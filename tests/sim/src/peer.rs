//! Who listens: brokers of the cluster, and peers that are no such thing.

use std::sync::Arc;

use klamm_broker::Cluster;

use crate::Counts;

/// What is behind an address.
#[derive(Clone)]
pub enum Listener {
    /// A broker of the cluster; while it is down connections are refused.
    Broker(i32),
    /// Nobody: connections are refused.
    Nobody,
    /// A host that is down: packets vanish.
    Down,
    /// Something else; each connection gets a new one.
    Script(Arc<dyn Fn() -> Box<dyn Script> + Send + Sync>),
}

impl Listener {
    /// A peer that is made by `make` for each connection.
    pub fn script<S: Script + 'static>(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Listener::Script(Arc::new(move || Box::new(make())))
    }
}

/// A peer that speaks whatever it likes.
pub trait Script: Send {
    /// It has accepted a connection.
    fn opened(&mut self, _out: &mut Said) {}

    /// Bytes came.
    fn received(&mut self, bytes: &[u8], out: &mut Said);
}

/// What a peer answers.
#[derive(Debug, Default)]
pub struct Said {
    /// Bytes to send.
    pub bytes: Vec<u8>,
    /// Close after that.
    pub close: bool,
}

/// A peer that answers everything with the same bytes, and then closes or does not.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Sent as soon as the connection is open.
    pub greeting: Vec<u8>,
    /// Sent for whatever comes, once.
    pub answer: Option<Vec<u8>>,
    /// Whether it closes after having said all that.
    pub close: bool,
}

impl Script for Fixed {
    fn opened(&mut self, out: &mut Said) {
        out.bytes.extend_from_slice(&self.greeting);
        out.close = self.close && self.answer.is_none();
    }

    fn received(&mut self, _bytes: &[u8], out: &mut Said) {
        if let Some(answer) = self.answer.take() {
            out.bytes.extend_from_slice(&answer);
            out.close = self.close;
        }
    }
}

/// A request that a broker is about to get.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Which client sent it.
    pub client: usize,
    /// The connection's number.
    pub conn: u64,
    /// The broker.
    pub node: i32,
    /// Its API.
    pub api_key: i16,
    /// Its version.
    pub version: i16,
    /// What the answer must repeat.
    pub correlation_id: i32,
    /// All of it, from the API key on.
    pub frame: &'a [u8],
    /// The virtual time in ns.
    pub now: u64,
}

/// Called before a broker gets a request: what it makes the cluster do happens to that request.
pub type OnRequest = Box<dyn FnMut(&mut Cluster, &Seen<'_>, &mut Counts) + Send>;

/// An answer that a broker gives.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The connection's number.
    pub conn: u64,
    /// The request's API.
    pub api_key: i16,
    /// The request's version.
    pub version: i16,
    /// The request's number on its connection.
    pub correlation_id: i32,
}

/// Called for each whole answer of a broker, with its length before it: may change any byte of it.
pub type OnAnswer = Box<dyn FnMut(&Answer, &mut Vec<u8>) + Send>;
