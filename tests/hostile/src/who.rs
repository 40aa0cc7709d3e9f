//! Who a client says it is. Apart from `work.rs`, for devices whose flash has no room for mechanisms of SASL.

use klamm::{
    Config,
    sasl::{Sasl, ScramHash},
};

/// What must stay between the client and a broker that has proved itself.
pub const PASSWORD: &str = "the-password-of-alice";

/// Who the client says it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Nobody.
    Nobody,
    /// Alice, by PLAIN.
    Plain,
    /// Alice, by SCRAM-SHA-256.
    Scram,
}

impl Who {
    /// By the name that `Debug` gives.
    pub fn named(word: &str) -> Option<Who> {
        [Who::Nobody, Who::Plain, Who::Scram].into_iter().find(|who| alloc::format!("{who:?}") == word)
    }

    /// Settings of this one.
    pub fn signs(self, config: Config) -> Config {
        match self {
            Who::Nobody => config,
            Who::Plain => config.sasl(Sasl::plain("alice", PASSWORD)).allow_plain_without_tls(),
            Who::Scram => config.sasl(Sasl::scram(ScramHash::Sha256, "alice", PASSWORD)),
        }
    }
}
