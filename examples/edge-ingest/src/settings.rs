//! What is set in the environment.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `KAFKA_BOOTSTRAP` | brokers to begin with, `host:port,…` | must be set |
//! | `TOPIC` | where events go | `events` |
//! | `MAX_EVENT_BYTES` | larger events are refused with 413 | 65536 |
//! | `BUFFER_BYTES` | all the memory of the Kafka client | 1048576; with the feature `tls` 1572864 |
//! | `DELIVERY_TIMEOUT_MS` | how long Kafka may take before the answer is 503 | 5000 |
//! | `WARM_STATE` | what an earlier instance knew of the cluster, in hexadecimal digits | nothing |
//! | `EXPORT_WARM_STATE` | `1`: each acknowledgement carries that in its header `warm-state` | no |
//! | `KAFKA_CA_PEM`, `KAFKA_USER`, … | with the feature `tls`: see `examples/edge-security` | no TLS, no SASL |

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use klamm_wasi::{Config, WarmState};

use crate::security;

/// Room for a batch, what it is compressed to, and what LZ4 takes, beside connections with or without TLS.
const BUFFER_BYTES: u32 = if cfg!(feature = "tls") { 3 << 19 } else { 1 << 20 };

/// The settings.
pub(crate) struct Settings {
    pub(crate) topic: String,
    pub(crate) max_event_bytes: usize,
    pub(crate) delivery_timeout_ms: u32,
    warm_state: Option<Vec<u8>>,
    pub(crate) export_warm_state: bool,
    config: Config,
}

impl Settings {
    /// # Errors
    /// The variable that is missing or makes no sense.
    pub(crate) fn of(environment: &[(String, String)]) -> Result<Settings, String> {
        let get = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let number = |name: &str, default: u32| match get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("{name} is no number that fits: {text}")),
        };
        let delivery_timeout_ms = number("DELIVERY_TIMEOUT_MS", 5_000)?;
        let bootstrap = get("KAFKA_BOOTSTRAP").ok_or("KAFKA_BOOTSTRAP is not set")?;
        let mut config = security::secured(Config::new(bootstrap).client_id("edge-ingest"), environment)?;
        config.single_connection = true;
        config.connect_timeout_ms = delivery_timeout_ms;
        config.request_timeout_ms = delivery_timeout_ms;
        Ok(Settings {
            topic: get("TOPIC").unwrap_or("events").to_string(),
            max_event_bytes: number("MAX_EVENT_BYTES", 65_536)? as usize,
            delivery_timeout_ms,
            warm_state: get("WARM_STATE").and_then(from_hex),
            export_warm_state: get("EXPORT_WARM_STATE") == Some("1"),
            // What encryption takes is part of it.
            config: config.memory_total(number("BUFFER_BYTES", BUFFER_BYTES)? as usize),
        })
    }

    /// The client's, with what this instance knows of the cluster, or else what the environment says. What cannot be read is
    /// as good as nothing: the client then begins cold.
    pub(crate) fn config(&self, known: Option<Vec<u8>>) -> Config {
        let config = self.config.clone();
        // Room for what is known is made by the budget; a warm state of a larger cluster is not used.
        let known = known.or_else(|| self.warm_state.clone());
        match known.and_then(|bytes| WarmState::from_bytes(&bytes).ok()) {
            Some(state) => config.warm_state(state),
            None => config,
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
