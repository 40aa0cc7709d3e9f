//! Settings while they are gathered: what depends on several values is decided when all are there.

use alloc::{string::String, vec::Vec};

use super::{Dialect, GroupProperties, Material, OidcProperties};
use crate::{Config, ConsumerConfig, ProducerConfig};

/// What `security.protocol` asks for.
#[derive(Clone, Copy, Default)]
pub(super) struct Protocol {
    pub(super) tls: bool,
    pub(super) sasl: bool,
}

/// A certificate or key, and by which name it was given.
pub(super) type Named = (&'static str, Material);

#[derive(Default)]
pub(super) struct DraftTls {
    pub(super) cas: Vec<Material>,
    pub(super) chain: Option<Named>,
    pub(super) key: Option<Named>,
    /// Java's stores, which may be of a type that is not read.
    pub(super) truststore: Option<Material>,
    pub(super) keystore: Option<Material>,
    pub(super) truststore_is_pem: bool,
    pub(super) keystore_is_pem: bool,
    /// The first of its names that was given.
    pub(super) first: Option<&'static str>,
}

#[derive(Default)]
pub(super) struct DraftSasl {
    pub(super) mechanism: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) jaas: Option<String>,
    pub(super) tokens: DraftTokens,
    /// The first of its names that was given.
    pub(super) first: Option<&'static str>,
}

/// Where OAUTHBEARER's tokens come from.
#[derive(Default)]
pub(super) struct DraftTokens {
    /// What librdkafka has to be told.
    pub(super) is_oidc: bool,
    pub(super) endpoint: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) extensions: Vec<(String, String)>,
    pub(super) urlencode: bool,
    pub(super) cas: Vec<Material>,
    /// The first of its names that was given.
    pub(super) first: Option<&'static str>,
}

pub(super) struct Draft {
    pub(super) dialect: Dialect,
    pub(super) client: Config,
    pub(super) producer: ProducerConfig,
    pub(super) consumer: ConsumerConfig,
    pub(super) group: GroupProperties,
    pub(super) protocol: Protocol,
    pub(super) tls: DraftTls,
    pub(super) sasl: DraftSasl,
    pub(super) oidc: Option<OidcProperties>,
    /// Bytes of records that may wait.
    pub(super) buffer_bytes: usize,
    /// `delivery.timeout.ms` was given, and is not to be raised.
    pub(super) delivery_given: bool,
    /// Idempotence was asked for.
    pub(super) wants_idempotence: bool,
    /// More than idempotence allows.
    pub(super) too_many_in_flight: bool,
}

impl Draft {
    pub(super) fn new(dialect: Dialect) -> Self {
        let mut client = Config::new("");
        // The least of several names.
        client.metadata_max_age_ms = u32::MAX;
        Draft {
            dialect,
            buffer_bytes: client.memory.produce_bytes,
            client,
            producer: ProducerConfig::default(),
            consumer: ConsumerConfig::default(),
            group: GroupProperties {
                group_id: None,
                session_timeout_ms: 0,
                max_poll_interval_ms: 0,
                enable_auto_commit: false,
            },
            protocol: Protocol::default(),
            tls: DraftTls::default(),
            sasl: DraftSasl::default(),
            oidc: None,
            delivery_given: false,
            wants_idempotence: false,
            too_many_in_flight: false,
        }
    }
}
