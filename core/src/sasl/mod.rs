//! SASL: who the client is, told to each broker before anything else (KIP-43, KIP-152).
//!
//! [`Config::sasl`](crate::Config::sasl) takes a [`Sasl`]. Every connection then begins with it, and none is used before the
//! broker has accepted. A broker that gives a session an end (KIP-368, `connections.max.reauth.ms`) is told again, on the same
//! connection, when 85 to 95 % of its time are over; what is open on the connection is answered before that, and what is new
//! waits until it is over.
//!
//! ```
//! use klamm::{Config, sasl::{Sasl, ScramHash}};
//! let config = Config::new("localhost:9094").sasl(Sasl::scram(ScramHash::Sha512, "alice", "her password"));
//! assert!(!format!("{:?}", config.sasl).contains("her password"));
//! ```
//!
//! A failure is [`Error::Authentication`]. It is told at once and not tried again for
//! ten seconds, because nothing is going to change by itself, and brokers lock accounts.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod bearer;
mod exchange;
mod fault;
mod keys;
mod scram;
mod secret;
#[cfg(any(test, feature = "unstable-fuzzing"))]
#[expect(clippy::expect_used, reason = "whoever tests is told what is wrong")]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use bearer::fault_of;
pub use bearer::{Token, TokenError, TokenFuture, TokenRefused, TokenSource};
pub use fault::SaslFault;
pub use secret::Secret;

use bearer::{OauthBearer, TOKEN_MAX};
pub(crate) use exchange::{Exchange, Next, Nonce};
use exchange::{Mechanism, Plain};
pub(crate) use keys::{Derivation, Keys, Salt};
use scram::{ITERATIONS_MAX, ITERATIONS_MIN, Scram};

use alloc::{string::String, vec::Vec};
use core::fmt;

use zeroize::Zeroizing;

use crate::{Error, sync::Arc};

/// What is sent to a broker; overwritten when it is dropped.
pub(crate) type Message = Zeroizing<Vec<u8>>;

/// How the client says who it is. Its `Debug` has no secret in it.
#[derive(Clone)]
pub struct Sasl {
    /// Reached through its methods' table only, so that a program without a mechanism does not have its hashes in it.
    mechanism: &'static dyn Mechanism,
    user: String,
    password: Secret,
    /// In the place of both, for OAUTHBEARER.
    tokens: Option<Arc<dyn TokenSource>>,
}

/// The hash of a SCRAM mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// The most bytes of a user's name and of a password.
const CREDENTIAL_MAX: usize = 4_096;

/// What an exchange holds beside the user and the password: both sides' messages, and the keys.
const EXCHANGE_BYTES: usize = 4_096;

impl Sasl {
    /// PLAIN: the password as it is (RFC 4616), so that whoever listens has it. Without TLS it must be allowed by name:
    /// [`Config::allow_plain_without_tls`](crate::Config::allow_plain_without_tls).
    pub fn plain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Sasl { mechanism: &Plain, user: user.into(), password: password.into(), tokens: None }
    }

    /// SCRAM with this hash, for which the broker must have the user's password: a proof that the client knows the password,
    /// and one that the broker does (RFC 5802, RFC 7677). From 4,096 to 1,000,000 iterations are taken. Their cost is paid once
    /// for all connections, as long as brokers give the same salt, which those of one cluster do.
    ///
    /// A password's bytes are taken as they are, without SASLprep, which is what Kafka does.
    pub fn scram(hash: ScramHash, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        let mechanism: &'static dyn Mechanism = match hash {
            ScramHash::Sha256 => &Scram(ScramHash::Sha256),
            ScramHash::Sha512 => &Scram(ScramHash::Sha512),
        };
        Sasl { mechanism, user: user.into(), password: password.into(), tokens: None }
    }

    /// OAUTHBEARER: tokens of an OAuth 2 server, from this source (RFC 7628, KIP-255). Whoever listens has the token, so that
    /// without TLS it must be allowed by name, as PLAIN must.
    pub fn oauthbearer(tokens: impl TokenSource + 'static) -> Self {
        let (user, password) = (String::new(), Secret::from(""));
        Sasl { mechanism: &OauthBearer, user, password, tokens: Some(Arc::new(tokens)) }
    }

    /// The mechanism's registered name.
    pub fn mechanism(&self) -> &'static str {
        self.mechanism.name()
    }

    /// The user; empty where a token says who that is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether whoever listens has the password, or the token.
    pub(crate) fn sends_password(&self) -> bool {
        self.mechanism.sends_password()
    }

    /// Begins, with the client's first message, unless that waits for a token. `nonce`: never the same twice.
    pub(crate) fn begin(&self, nonce: &Nonce) -> (Exchange, Option<Message>) {
        self.mechanism.begin(self, nonce)
    }

    /// Takes the broker's answer to the last message.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub(crate) fn on_answer(&self, exchange: Exchange, answer: &[u8]) -> Result<Next, SaslFault> {
        self.mechanism.on_answer(exchange, answer)
    }

    /// Begins to make the keys that an exchange waits for.
    pub(crate) fn derive(&self, salt: &Salt) -> Option<Derivation> {
        self.mechanism.derive(&self.password, salt)
    }

    /// Does at most so many rounds; answers the keys when all are done.
    pub(crate) fn step(&self, derivation: &mut Derivation, most: u32) -> Option<Keys> {
        self.mechanism.step(derivation, most)
    }

    /// Goes on with these keys, if the exchange waits for them.
    pub(crate) fn sign(&self, exchange: &mut Exchange, keys: &Keys) -> Option<Message> {
        self.mechanism.sign(exchange, keys)
    }

    /// Begins to get a token.
    pub(crate) fn token(&self) -> Option<TokenFuture> {
        self.tokens.as_ref().map(|tokens| tokens.token())
    }

    /// Goes on with this token, if the exchange waits for one.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn bear(&self, exchange: &mut Exchange, token: &Token) -> Result<Option<Message>, SaslFault> {
        self.mechanism.bear(exchange, token)
    }

    /// A broker's words, if they can be passed on.
    pub(crate) fn told(&self, exchange: &Exchange, message: Option<&str>) -> Option<String> {
        let message = message.filter(|m| !m.is_empty() && !self.password.is_in(m) && !exchange.is_in(m))?;
        let end = (0..=message.len().min(512)).rev().find(|at| message.is_char_boundary(*at))?;
        message.get(..end).map(Into::into)
    }

    /// The most bytes that an exchange holds.
    pub(crate) fn exchange_bytes(&self) -> usize {
        let (user, password) = (self.user.len(), self.password.bytes().len());
        // The token, and the message with it; another one that a renewal brings.
        let token = if self.tokens.is_some() { TOKEN_MAX.saturating_mul(3) } else { 0 };
        user.saturating_mul(4).saturating_add(token).saturating_add(password).saturating_add(EXCHANGE_BYTES)
    }

    /// # Errors
    /// [`Error::Config`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.tokens.is_some() {
            return Ok(());
        }
        let sizes = [("user", self.user.as_bytes()), ("password", self.password.bytes())];
        for (what, bytes) in sizes {
            let why = match bytes.len() {
                0 => "is empty",
                len if len > CREDENTIAL_MAX => "is longer than 4,096 bytes",
                _ if bytes.contains(&0) => "has a NUL character in it, which ends it for PLAIN",
                _ => continue,
            };
            return Err(Error::config("sasl", alloc::format!("the {what} {why}")));
        }
        Ok(())
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism()).field("user", &self.user).finish_non_exhaustive()
    }
}
