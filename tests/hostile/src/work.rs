//! What a client does against a script. Transports share this file: `tests/wasm/hostile` has it too, in a component.

use alloc::{
    format,
    string::{String, ToString as _},
};
use core::fmt::Debug;
use core::time::Duration;

use klamm::{Client, Config, Error, Event, PeerFault, Record, StartAt, record::BatchError};

/// The topic. Broker 1, which is the script's, leads partition 0; broker 2, which is a sound one, partition 1.
pub const TOPIC: &str = "t";

/// What the client is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Does {
    /// A first contact.
    Connect,
    /// One record into partition 0.
    Produce,
    /// Records out of partition 0, from its beginning.
    Consume,
}

impl Does {
    /// By the name that `Debug` gives.
    pub fn named(word: &str) -> Option<Does> {
        [Does::Connect, Does::Produce, Does::Consume].into_iter().find(|does| format!("{does:?}") == word)
    }
}

/// How long a client that is never answered goes on trying before it is asked what it knows.
pub const WATCHED: Duration = Duration::from_millis(900);

/// Settings with times that are short, because most scripts wait for one of them.
pub fn config(bootstrap: &str) -> Config {
    let mut config = Config::new(bootstrap).request_timeout(Duration::from_millis(300));
    (config.connect_timeout_ms, config.close_timeout_ms) = (500, 50);
    (config.backoff_ms, config.backoff_max_ms) = (50, 200);
    config
}

/// Does it; answers what it came to.
///
/// # Errors
/// Whatever the client says.
pub async fn work(client: &Client, does: Does) -> Result<&'static str, Error> {
    client.connected().await?;
    match does {
        Does::Connect => Ok("connected"),
        Does::Produce => send(client, 0).await.map(|()| "acknowledged"),
        Does::Consume => {
            let mut consumer = client
                .consumer()
                .assign([(TOPIC, 0)])
                .from(StartAt::Earliest)
                .fetch_max_wait(Duration::from_millis(50))
                .build()?;
            loop {
                match consumer.next().await? {
                    Some(records) if records.is_empty() => {}
                    Some(_) => return Ok("records"),
                    None => return Ok("the end"),
                }
            }
        }
    }
}

/// What goes on with a broker that does no harm, meanwhile.
///
/// # Errors
/// There must be none.
pub async fn beside(client: &Client) -> Result<(), Error> {
    client.connected().await?;
    send(client, 1).await
}

async fn send(client: &Client, partition: i32) -> Result<(), Error> {
    // As small as a microcontroller's budget wants them.
    let producer = client.producer().batch_bytes(1_000);
    let producer =
        producer.delivery_timeout(Duration::from_millis(700)).max_block(Duration::from_millis(500)).build()?;
    producer.send(Record::to(TOPIC).partition(partition).value("a record")).await.map(drop)
}

/// The kind of an error, of its parts and of its reason: `TimedOut::delivery_timeout_ms: Peer::Correlation`.
pub fn told(error: &Error) -> String {
    match error {
        Error::Peer { fault: PeerFault::Batch { error: BatchError::Codec { error, .. }, .. }, .. } => {
            format!("Peer::Batch::Codec::{}", kind(error))
        }
        Error::Peer { fault: PeerFault::Batch { error, .. }, .. } => format!("Peer::Batch::{}", kind(error)),
        Error::Peer { fault, .. } => format!("Peer::{}", kind(fault)),
        Error::Authentication { fault, .. } => format!("Authentication::{}", kind(fault)),
        Error::Broker { code, .. } => format!("Broker::{}", code.0),
        Error::Config { knob, .. } => format!("Config::{knob}"),
        Error::Budget { knob, .. } => format!("Budget::{knob}"),
        Error::TooLarge { because, .. } => format!("TooLarge: {}", told(because)),
        Error::TimedOut { knob, because: Some(because), .. } => format!("TimedOut::{knob}: {}", told(because)),
        Error::TimedOut { knob, .. } => format!("TimedOut::{knob}"),
        Error::Transport { tried, .. } => match tried.last() {
            Some((_, last)) => match &last.tls {
                Some(fault) => format!("Transport::{:?}::{}", last.phase, kind(fault)),
                None => format!("Transport::{:?}::{:?}", last.phase, last.kind),
            },
            None => "Transport".to_string(),
        },
        other => kind(other),
    }
}

/// The name of a variant.
fn kind(value: &dyn Debug) -> String {
    let text = format!("{value:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Why something failed that is tried again, as an observer is told.
pub fn why(event: &Event<'_>) -> Option<String> {
    let is_failure = matches!(
        event,
        Event::ConnectFailed { .. }
            | Event::ConnectionLost { .. }
            | Event::MetadataFailed { .. }
            | Event::FetchRetried { .. }
            | Event::BatchRefetched { .. }
            | Event::PartitionStopped { .. }
            | Event::OffsetOutOfRange { .. }
            | Event::Throttled { .. }
    );
    is_failure.then(|| event.to_string())
}
