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
//! A failure is [`Error::Authentication`](crate::Error::Authentication). It is told at once and not tried again for
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

mod exchange;
mod fault;
mod keys;
mod scram;
mod secret;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use fault::SaslFault;
pub use secret::Secret;

pub(crate) use exchange::{Exchange, Next};
pub(crate) use keys::{Derivation, Keys};
pub(crate) use scram::Nonces;
use scram::{ITERATIONS_MAX, ITERATIONS_MIN};

use alloc::{string::String, vec::Vec};

use zeroize::Zeroizing;

use crate::Error;

/// What is sent to a broker; overwritten when it is dropped.
pub(crate) type Message = Zeroizing<Vec<u8>>;

/// How the client says who it is. Its `Debug` has no secret in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Sasl {
    /// The password as it is (RFC 4616): whoever listens has it. Without TLS it must be allowed by name:
    /// [`Config::allow_plain_without_tls`](crate::Config::allow_plain_without_tls).
    #[non_exhaustive]
    Plain {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A proof that the client knows the password, and one that the broker does (RFC 5802, RFC 7677). From 4,096 to 1,000,000
    /// iterations are taken. Their cost is paid once for all connections, as long as brokers give the same salt, which those
    /// of one cluster do.
    #[non_exhaustive]
    Scram {
        /// The hash; the broker must have this user's password for it.
        hash: ScramHash,
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
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

/// What an exchange holds beside the user and the password: both sides' messages.
const EXCHANGE_BYTES: usize = 3_072;

impl Sasl {
    /// PLAIN.
    pub fn plain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Sasl::Plain { user: user.into(), password: password.into() }
    }

    /// SCRAM with this hash.
    pub fn scram(hash: ScramHash, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Sasl::Scram { hash, user: user.into(), password: password.into() }
    }

    /// The mechanism's registered name.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Sasl::Plain { .. } => "PLAIN",
            Sasl::Scram { hash: ScramHash::Sha256, .. } => "SCRAM-SHA-256",
            Sasl::Scram { hash: ScramHash::Sha512, .. } => "SCRAM-SHA-512",
        }
    }

    fn credentials(&self) -> (&str, &Secret) {
        let (Sasl::Plain { user, password } | Sasl::Scram { user, password, .. }) = self;
        (user, password)
    }

    /// A broker's words, if they can be passed on.
    pub(crate) fn told(&self, message: Option<&str>) -> Option<String> {
        let message = message.filter(|m| !m.is_empty() && !self.credentials().1.is_in(m))?;
        let end = (0..=message.len().min(512)).rev().find(|at| message.is_char_boundary(*at))?;
        message.get(..end).map(Into::into)
    }

    /// The most bytes that an exchange holds.
    pub(crate) fn exchange_bytes(&self) -> usize {
        let (user, password) = self.credentials();
        user.len().saturating_mul(4).saturating_add(password.bytes().len()).saturating_add(EXCHANGE_BYTES)
    }

    /// # Errors
    /// [`Error::Config`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (user, password) = self.credentials();
        let sizes = [("user", user.as_bytes()), ("password", password.bytes())];
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
