//! Who the client is to brokers.

use core::fmt;

use super::Config;
use crate::{Error, sasl::Sasl};

impl Config {
    /// Who the client is to brokers: see [`sasl`](crate::sasl). Needs the feature `sasl`.
    #[must_use]
    pub fn sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Lets PLAIN go over connections that are not encrypted: whoever listens has the password. Needs the feature `sasl`.
    #[must_use]
    pub fn allow_plain_without_tls(mut self) -> Self {
        self.allow_plain_without_tls = true;
        self
    }

    pub(super) fn shown_sasl(&self) -> impl fmt::Debug {
        (&self.sasl, self.allow_plain_without_tls)
    }

    pub(super) fn check_sasl(&self) -> Result<(), Error> {
        let Some(sasl) = &self.sasl else { return Ok(()) };
        if sasl.sends_password() && !self.is_encrypted() && !self.allow_plain_without_tls {
            let why = "must be set for PLAIN: it sends the password as it is, and connections are not encrypted";
            return Err(Error::config("allow_plain_without_tls", why));
        }
        sasl.check()
    }

    /// What one authentication holds.
    pub(crate) fn exchange_bytes(&self) -> usize {
        self.sasl.as_ref().map_or(0, Sasl::exchange_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::ScramHash;

    fn knob(config: &Config) -> Option<&'static str> {
        match config.check() {
            Ok(()) => None,
            Err(Error::Config { knob, .. }) => Some(knob),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn plain_without_tls_must_be_asked_for() {
        let config = Config::new("a:1").sasl(Sasl::plain("alice", "secret"));
        assert_eq!(knob(&config), Some("allow_plain_without_tls"));
        assert_eq!(knob(&config.allow_plain_without_tls()), None);
        assert_eq!(knob(&Config::new("a:1").sasl(Sasl::scram(ScramHash::Sha256, "alice", "secret"))), None);
    }

    #[test]
    fn credentials_that_no_broker_takes_are_refused() {
        let long = "x".repeat(4_097);
        for (user, password) in [("", "p"), ("u", ""), ("u\0", "p"), ("u", "p\0"), (&long, "p"), ("u", &long)] {
            let config = Config::new("a:1").sasl(Sasl::scram(ScramHash::Sha512, user, password));
            assert_eq!(knob(&config), Some("sasl"), "{user:?}");
        }
    }

    /// The smallest budget still has room for an authentication.
    #[test]
    fn an_authentication_is_in_the_memory_plan() {
        let sasl = Sasl::scram(ScramHash::Sha512, "alice", "secret");
        for total in [256 << 10, 1 << 20, 16 << 20] {
            let config = Config::new("a:1").sasl(sasl.clone()).memory_total(total);
            let plan = config.memory_plan().expect("fits");
            assert!(plan.total() <= total, "{plan}");
            let line = plan.lines().iter().find(|l| l.what.starts_with("who the client is"));
            assert_eq!(line.map(|l| l.bytes), Some(sasl.exchange_bytes()));
        }
        Config::new("a:1").sasl(sasl).memory_plan().expect("the defaults have room for it");
    }
}
