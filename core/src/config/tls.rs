//! How connections are encrypted.

use super::Config;
use crate::{
    Memory,
    tls::{CONNECTION, Tls, WORKING},
};

impl Config {
    /// Encrypts every connection: see [`tls`](crate::tls). Needs the feature `tls`.
    ///
    /// Each connection holds up to 84 KiB more then, of the Control class. Where the memory is still the default, that class
    /// becomes so much larger that all connections have it that `max_brokers` and `single_connection` allow now, 8 MiB by
    /// default; otherwise call [`memory_total`](Config::memory_total) after this.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        if self.memory == Memory::default() {
            let links = self.max_brokers.saturating_mul(self.uses());
            let more = links.saturating_mul(self.tls_bytes()).saturating_add(self.tls_working_bytes());
            self.memory.control_bytes = self.memory.control_bytes.saturating_add(more);
        }
        self
    }

    pub(super) fn shown_tls(&self) -> &Option<Tls> {
        &self.tls
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What one connection's TLS holds at most.
    pub(crate) fn tls_bytes(&self) -> usize {
        if self.is_encrypted() { CONNECTION } else { 0 }
    }

    /// What TLS holds beside, for the one connection that is being read, written or begun.
    pub(crate) fn tls_working_bytes(&self) -> usize {
        if self.is_encrypted() { WORKING } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, budget::Class, tls::testing};

    fn tls() -> Tls {
        testing::tls()
    }

    #[test]
    fn every_connection_is_in_the_memory_plan() {
        let plain = Config::new("a:1");
        let defaults = Config::new("a:1").tls(tls());
        let (before, after) = (plain.memory_plan().expect("fits"), defaults.memory_plan().expect("fits"));
        assert_eq!(after.class(Class::Control) - before.class(Class::Control), 96 * CONNECTION + WORKING);
        assert_eq!(defaults.max_brokers, plain.max_brokers);
        for total in [1 << 20, 4 << 20, 16 << 20, 64 << 20] {
            let config = Config::new("a:1").tls(tls()).memory_total(total);
            let plan = config.memory_plan().unwrap_or_else(|e| panic!("{total}: {e}"));
            assert!(plan.total() <= total, "{total}: {plan}");
        }
        let mut small = Config::new("a:1").tls(tls());
        small.single_connection = true;
        let small = small.memory_total(512 << 10);
        assert!(small.memory_plan().expect("one connection fits").total() <= 512 << 10);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let config = Config::new("a:1").memory_total(16 << 20).tls(tls());
        config.memory_plan().expect("that is the default");
        let config = Config::new("a:1").memory_total(8 << 20).tls(tls());
        let Err(Error::Config { knob: "memory.control_bytes", why }) = config.memory_plan() else {
            panic!("nothing was reserved")
        };
        assert!(why.contains("max_brokers") && why.contains("single_connection"), "{why}");
    }

    /// With TLS nobody listens.
    #[test]
    #[cfg(feature = "sasl")]
    fn plain_goes_over_tls_without_being_asked_for() {
        let config = Config::new("a:1").sasl(crate::sasl::Sasl::plain("alice", "secret"));
        assert!(config.check().is_err());
        assert_eq!(config.tls(tls()).check(), Ok(()));
    }
}
