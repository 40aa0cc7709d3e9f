//! Why a broker and a client did not come to terms.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{ITERATIONS_MAX, ITERATIONS_MIN};
use crate::{ErrorCode, wire::WireError};

/// Why a broker did not accept who the client is, or the client who the broker is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaslFault {
    /// The broker refused: usually the password or the user is wrong.
    #[error("the broker refused: {code}{}", Said(message))]
    #[non_exhaustive]
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its own words, at most 512 bytes of them; left out if the password stands in them.
        message: Option<String>,
    },
    /// The broker's listener does not have this mechanism.
    #[error("the broker does not have this mechanism; it has {}", Names(offered))]
    #[non_exhaustive]
    Mechanism {
        /// The mechanisms that it has.
        offered: Vec<String>,
    },
    /// The broker's listener wants no SASL: another port may.
    #[error("the broker's listener does not take SASL; is this the right port?")]
    NotTaken,
    /// SCRAM: so few rounds protect no password, or so many would only keep this host busy.
    #[error("the broker asks for {got} iterations; {ITERATIONS_MIN} to {ITERATIONS_MAX} are done")]
    #[non_exhaustive]
    Iterations {
        /// What it asks for.
        got: u32,
    },
    /// SCRAM: the broker's nonce does not go on from the client's; somebody repeats an old answer.
    #[error("the broker's nonce does not begin with the client's")]
    Nonce,
    /// SCRAM: whoever answered does not know the password, so it is not the broker.
    #[error("the broker's signature is wrong: it does not know the password")]
    Signature,
    /// OAUTHBEARER: there is no token to say. It is asked for again.
    #[error("there is no token: {why}")]
    #[non_exhaustive]
    NoToken {
        /// What the source of tokens said, or what is wrong with the token.
        why: String,
    },
    /// OAUTHBEARER: whoever gives tokens gives none to this client, and will not as long as nothing is changed: see
    /// [`TokenRefused`](super::TokenRefused).
    #[error("the token was refused: {why}")]
    #[non_exhaustive]
    TokenRefused {
        /// What the source of tokens said.
        why: String,
    },
    /// The broker's message is not what the mechanism says it is.
    #[error("the broker's message cannot be read: {what}")]
    #[non_exhaustive]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The broker's response does not decode.
    #[error("the broker's response does not decode: {0}")]
    Wire(WireError),
    /// The connection ended before the broker had answered. Brokers that restart do that, and old ones that refuse.
    #[error("the connection ended before the broker had answered")]
    Closed,
}

impl SaslFault {
    /// Whether the same try may succeed later, with nothing changed.
    pub fn is_retriable(&self) -> bool {
        matches!(self, SaslFault::Closed | SaslFault::NoToken { .. })
    }

    /// The same without the words of others, for a log.
    pub(crate) fn write_plain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaslFault::Refused { code, .. } => write!(f, "the broker refused: {code}"),
            SaslFault::NoToken { .. } => f.write_str("there is no token"),
            SaslFault::TokenRefused { .. } => f.write_str("the token was refused"),
            other => write!(f, "{other}"),
        }
    }
}

struct Said<'a>(&'a Option<String>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
        }
        if self.0.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}
