//! A config in a log, without its secrets.

use core::fmt;

use super::Config;

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            .field("request_timeout_ms", &self.request_timeout_ms)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("metadata_max_age_ms", &self.metadata_max_age_ms)
            .field("backoff_ms", &self.backoff_ms)
            .field("backoff_max_ms", &self.backoff_max_ms)
            .field("close_timeout_ms", &self.close_timeout_ms)
            .field("max_brokers", &self.max_brokers)
            .field("max_topics", &self.max_topics)
            .field("max_partitions", &self.max_partitions)
            .field("max_handles", &self.max_handles)
            .field("max_waiters", &self.max_waiters)
            .field("single_connection", &self.single_connection)
            .field("shared_wait_max_ms", &self.shared_wait_max_ms)
            .field("send_buffer_bytes", &self.send_buffer_bytes)
            .field("receive_buffer_bytes", &self.receive_buffer_bytes)
            .field("sasl", &self.shown_sasl())
            .field("tls", &self.shown_tls())
            .field("memory", &self.memory)
            .field("shared_budget", &self.budget.is_some())
            .field("codecs", &self.codecs.is_some())
            .field("observer", &self.observer.is_some())
            .field("warm_state", &self.warm_state.is_some())
            .finish()
    }
}
