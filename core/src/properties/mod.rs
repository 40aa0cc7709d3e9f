//! Settings by the names that other clients have for them: those of Java's client or of librdkafka (and so of rdkafka and of
//! what else stands on it), each with its own meanings, units and defaults.
//!
//! ```
//! use klamm::properties::{Dialect, from_properties};
//! let pairs = [("bootstrap.servers", "broker-1:9092"), ("linger.ms", "20"), ("compression.type", "none")];
//! let properties = from_properties(Dialect::Librdkafka, pairs)?;
//! assert_eq!(properties.producer.linger_ms, 20);
//! # Ok::<(), klamm::Error>(())
//! ```
//!
//! [The manual](crate::manual::from_properties) has the table of all names. On tokio use `klamm_tokio::from_properties`,
//! which also reads the files that are named.

mod draft;
mod environment;
mod finish;
mod jaas;
mod keys;
mod nearest;
#[cfg(feature = "sasl")]
mod sasl;
#[cfg(not(feature = "sasl"))]
#[path = "no_sasl.rs"]
mod sasl;
mod set;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod value;

pub use environment::pair_of_variable;
pub use sasl::OidcProperties;
pub use table::table;
pub use text::pairs_of_text;
pub use tls::{Material, TlsProperties};

use alloc::{string::String, vec::Vec};
use core::fmt;

use draft::Draft;
use keys::KEYS;
use value::Value;

use crate::{Config, ConsumerConfig, Error, ProducerConfig};

/// Whose names and defaults they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Dialect {
    /// Those of Java's client, of its release 4.
    Java,
    /// Those of librdkafka 2, and so of rdkafka.
    Librdkafka,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Java => "Java",
            Dialect::Librdkafka => "librdkafka",
        })
    }
}

/// What a consumer group needs to know. It is parsed, and waits for the day when there are groups here: nothing is done with
/// it yet, so that no offset is committed, and none restored.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct GroupProperties {
    /// Which group; `None`: none.
    pub group_id: Option<String>,
    /// How long a member may be silent, in milliseconds.
    pub session_timeout_ms: u32,
    /// How long a member may take from one poll to the next, in milliseconds.
    pub max_poll_interval_ms: u32,
    /// Whether positions are committed in the background.
    pub enable_auto_commit: bool,
}

/// What pairs of names and values come to. Its `Debug` has no secret in it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Properties {
    /// For [`ProducerBuilder::config`](crate::ProducerBuilder::config).
    pub producer: ProducerConfig,
    /// For [`ConsumerBuilder::config`](crate::ConsumerBuilder::config).
    pub consumer: ConsumerConfig,
    /// For consumer groups, when there are some.
    pub group: GroupProperties,
    /// What the encryption that was asked for needs; the transport reads what lies in files, and gives the result to
    /// [`encrypted`](Properties::encrypted). `None`: none was asked for, or it is in the client's settings already.
    pub tls: Option<TlsProperties>,
    /// Where OAUTHBEARER's tokens are to come from; the transport makes a source of it, and gives that to
    /// [`authenticated`](Properties::authenticated). `None`: nowhere, or it is in the client's settings already.
    pub oidc: Option<OidcProperties>,
    client: Config,
}

impl Properties {
    /// For [`new`](crate::new), or what a transport has in its place.
    ///
    /// # Errors
    /// [`Error::Config`] where encryption was asked for and nobody has called [`encrypted`](Properties::encrypted) yet, or tokens
    /// of a server and nobody [`authenticated`](Properties::authenticated).
    pub fn client(&self) -> Result<Config, Error> {
        let (knob, why) = match (&self.tls, &self.oidc) {
            (None, None) => return Ok(self.client.clone()),
            (Some(_), _) => ("security.protocol", "asks for encryption, which is not set up: see `Properties::tls`"),
            (None, Some(_)) => {
                ("sasl.oauthbearer.token.endpoint.url", "asks for tokens, which are not set up: see `Properties::oidc`")
            }
        };
        Err(Error::config(knob, why))
    }

    /// Says who the client is, as [`Config::sasl`] does: by the source of tokens that was made of
    /// [`oidc`](Properties::oidc).
    #[cfg(feature = "sasl")]
    #[must_use]
    pub fn authenticated(mut self, sasl: crate::sasl::Sasl) -> Self {
        self.client.sasl = Some(sasl);
        self.oidc = None;
        self
    }

    /// Encrypts connections, as [`Config::tls`] does; the memory for that comes on top of what the properties say.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn encrypted(mut self, tls: crate::tls::Tls) -> Self {
        // `Config::tls` adds to a memory that is the default, and leaves one alone that somebody chose.
        let chosen = core::mem::take(&mut self.client.memory);
        self.client = self.client.tls(tls);
        self.client.memory = crate::Memory { control_bytes: self.client.memory.control_bytes, ..chosen };
        self.tls = None;
        self
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Properties { client, producer, group, tls, oidc, consumer } = self;
        f.debug_struct("Properties")
            .field("client", client)
            .field("producer", producer)
            .field("consumer", consumer)
            .field("group", group)
            .field("tls", tls)
            .field("oidc", oidc)
            .finish_non_exhaustive()
    }
}

/// Reads pairs of names and values; what is not among them is as that client has it by default. Where a name comes twice the
/// last counts, so that pairs from one place can be chained behind those of another.
///
/// Memory is a ceiling here, and nothing is taken before it is needed: the buffers' sizes become the limits of the classes
/// Produce and Fetch.
///
/// # Errors
/// [`Error::Config`] with the name, for a value that is none or cannot be honoured, and why. For a name that is not known the
/// setting is `properties`, and the text has the name and the nearest one that is. No secret is ever in them.
pub fn from_properties<K, V>(dialect: Dialect, pairs: impl IntoIterator<Item = (K, V)>) -> Result<Properties, Error>
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let mut given: Vec<Option<(&'static str, V)>> = KEYS.iter().map(|_| None).collect();
    for (name, value) in pairs {
        let name = name.as_ref().trim();
        let found = KEYS.iter().zip(&mut given).find_map(|(key, place)| Some((key.name_in(dialect, name)?, place)));
        let Some((name, place)) = found else { return Err(nearest::unknown(dialect, name)) };
        *place = Some((name, value));
    }
    let mut draft = Draft::new(dialect);
    for (key, given) in KEYS.iter().zip(&given) {
        let Some(default) = key.default_in(dialect) else { continue };
        let value = match given {
            Some((name, text)) => Value::given(name, text.as_ref(), key.secret),
            None if default.is_empty() => continue,
            None => Value::default_of(key.name, default),
        };
        (key.set)(&mut draft, &value)?;
    }
    draft.finish()
}
