//! The one list of names: reading, what may have been meant, and the manual's table are made of it.

use super::{Dialect, draft::Draft, set, value::Value};
use crate::Error;

type Set = fn(&mut Draft, &Value<'_>) -> Result<(), Error>;

/// A name, and what it does.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What librdkafka calls the same besides.
    also: &'static [&'static str],
    /// The default in that dialect; "": none. `None`: the dialect has no such name.
    java: Option<&'static str>,
    librdkafka: Option<&'static str>,
    /// What the other dialect has in its place.
    pub(super) twin: &'static str,
    /// The value is for nobody's eyes.
    pub(super) secret: bool,
    /// What it does here.
    pub(super) here: &'static str,
    pub(super) set: Set,
}

impl Key {
    const fn both(
        name: &'static str,
        java: &'static str,
        librdkafka: &'static str,
        set: Set,
        here: &'static str,
    ) -> Self {
        Key { name, also: &[], java: Some(java), librdkafka: Some(librdkafka), twin: "", secret: false, here, set }
    }

    const fn java(name: &'static str, default: &'static str, set: Set, here: &'static str) -> Self {
        Key { librdkafka: None, ..Key::both(name, default, "", set, here) }
    }

    const fn librdkafka(name: &'static str, default: &'static str, set: Set, here: &'static str) -> Self {
        Key { java: None, ..Key::both(name, "", default, set, here) }
    }

    const fn also(self, also: &'static [&'static str]) -> Self {
        Key { also, ..self }
    }

    const fn twin(self, twin: &'static str) -> Self {
        Key { twin, ..self }
    }

    const fn secret(self) -> Self {
        Key { secret: true, ..self }
    }

    /// The default in a dialect, "" for none; `None` if the dialect has no such name.
    pub(super) fn default_in(&self, dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::Java => self.java,
            Dialect::Librdkafka => self.librdkafka,
        }
    }

    /// All its names in a dialect.
    pub(super) fn names(&self, dialect: Dialect) -> impl Iterator<Item = &'static str> {
        let also = if dialect == Dialect::Librdkafka { self.also } else { &[] };
        core::iter::once(self.name).chain(also.iter().copied())
    }

    /// That one of its names in a dialect.
    pub(super) fn name_in(&self, dialect: Dialect, name: &str) -> Option<&'static str> {
        self.default_in(dialect)?;
        self.names(dialect).find(|known| *known == name)
    }
}

/// In the order in which they are set, and stand in the manual.
#[rustfmt::skip]
pub(super) static KEYS: &[Key] = &[
    Key::both("bootstrap.servers", "", "", set::bootstrap, "`Config::bootstrap`; must be given. For librdkafka a port that is left out is 9092").also(&["metadata.broker.list"]),
    Key::both("client.id", "", "rdkafka", set::client_id, "`Config::client_id`. Java makes one up where it is not given; here it is `klamm` then"),
    Key::java("request.timeout.ms", "30000", set::request_timeout, "`Config::request_timeout_ms`").twin("socket.timeout.ms"),
    Key::librdkafka("socket.timeout.ms", "60000", set::request_timeout, "`Config::request_timeout_ms`, or what `message.timeout.ms` leaves beside `linger.ms`, if that is less").twin("request.timeout.ms"),
    Key::librdkafka("request.timeout.ms", "30000", set::ack_timeout, "`ProducerConfig::ack_timeout_ms`: how long the leader waits for replicas").twin("request.timeout.ms"),
    Key::both("socket.connection.setup.timeout.ms", "10000", "30000", set::connect_timeout, "`Config::connect_timeout_ms`, which is also how long `connect` waits"),
    Key::both("metadata.max.age.ms", "300000", "900000", set::metadata_age, "`Config::metadata_max_age_ms`; for librdkafka the less of this and the next"),
    Key::librdkafka("topic.metadata.refresh.interval.ms", "300000", set::refresh_interval, "the same; -1: as `metadata.max.age.ms` says").twin("metadata.max.age.ms"),
    Key::both("retry.backoff.ms", "100", "100", set::backoff, "`Config::backoff_ms`, at least 1"),
    Key::both("retry.backoff.max.ms", "1000", "1000", set::backoff_max, "`Config::backoff_max_ms`, also where the first wait would be longer"),
    Key::librdkafka("socket.send.buffer.bytes", "0", set::send_buffer, "`Config::send_buffer_bytes` on tokio; 0: as the system likes").twin("send.buffer.bytes"),
    Key::librdkafka("socket.receive.buffer.bytes", "0", set::receive_buffer, "`Config::receive_buffer_bytes` on tokio; 0: as the system likes").twin("receive.buffer.bytes"),
    Key::java("send.buffer.bytes", "", set::send_buffer, "the same; where it is not given (131072 there) and for -1 as the system likes, which is no less").twin("socket.send.buffer.bytes"),
    Key::java("receive.buffer.bytes", "", set::receive_buffer, "the same; where it is not given (32768 or 65536 there) and for -1 as the system likes").twin("socket.receive.buffer.bytes"),

    Key::both("acks", "all", "all", set::acks, "`ProducerConfig::acks`: 0, 1, all or -1; brokers refuse other numbers").also(&["request.required.acks"]),
    Key::both("enable.idempotence", "true", "false", set::idempotence, "`ProducerConfig::idempotence`. Java's default gives way to `acks` and to `retries` 0; `true` that was said does not, and is an error with them"),
    Key::both("max.in.flight.requests.per.connection", "5", "1000000", set::in_flight, "`ProducerConfig::max_in_flight`, which is 5 at most, and one a partition without idempotence, so that nothing is reordered. More than 5 is an error with `enable.idempotence=true`").also(&["max.in.flight"]),
    Key::both("retries", "2147483647", "2147483647", set::retries, "`ProducerConfig::retries`; `delivery.timeout.ms` ends them before").also(&["message.send.max.retries"]),
    Key::both("delivery.timeout.ms", "120000", "300000", set::delivery_timeout, "`ProducerConfig::delivery_timeout_ms`. Where it is not given, Java's grows with `linger.ms` and `request.timeout.ms`; librdkafka's 0 is 49 days here").also(&["message.timeout.ms"]),
    Key::both("linger.ms", "5", "5", set::linger, "`ProducerConfig::linger_ms`; a part of a millisecond counts whole").also(&["queue.buffering.max.ms"]),
    Key::java("max.block.ms", "60000", set::max_block, "`ProducerConfig::max_block_ms`; librdkafka has none, as its `produce` never waits: that is `try_enqueue` here"),
    Key::both("batch.size", "16384", "1000000", set::batch_size, "`ProducerConfig::batch_full_bytes`: a larger record is a batch of its own"),
    Key::librdkafka("batch.num.messages", "10000", set::batch_records, "`ProducerConfig::batch_records`").twin("batch.size"),
    Key::java("max.request.size", "1048576", set::request_bytes, "`ProducerConfig::request_bytes`, and `batch_bytes`: the largest record").twin("message.max.bytes"),
    Key::librdkafka("message.max.bytes", "1000000", set::request_bytes, "`ProducerConfig::request_bytes`, and `batch_bytes`: the largest record").twin("max.request.size"),
    Key::java("buffer.memory", "33554432", set::buffer_memory, "`Memory::produce_bytes`, in bytes").twin("queue.buffering.max.kbytes"),
    Key::librdkafka("queue.buffering.max.kbytes", "1048576", set::buffer_kbytes, "`Memory::produce_bytes`, in units of 1,024 bytes").twin("buffer.memory"),
    Key::librdkafka("queue.buffering.max.messages", "100000", set::max_records, "`ProducerConfig::max_records`: records that were taken and not acknowledged yet; 0: not counted").twin("buffer.memory"),
    Key::both("compression.type", "none", "none", set::compression, "`ProducerConfig::compression`: none, gzip, snappy, lz4, zstd, where their features are on").also(&["compression.codec"]),
    Key::librdkafka("compression.level", "-1", set::level, "`ProducerConfig::compression_level`; -1: the codec's usual one").twin("compression.zstd.level"),
    Key::java("compression.gzip.level", "-1", set::gzip_level, "the same, for gzip").twin("compression.level"),
    Key::java("compression.lz4.level", "9", set::lz4_level, "the same, for lz4; 9 is the fast one there, and so here").twin("compression.level"),
    Key::java("compression.zstd.level", "3", set::zstd_level, "the same, for zstd").twin("compression.level"),
    Key::librdkafka("partitioner", "consistent_random", set::partitioner, "`ProducerConfig::partitioner`: random, consistent, consistent_random, murmur2, murmur2_random, fnv1a, fnv1a_random").twin("partitioner.ignore.keys"),
    Key::java("partitioner.ignore.keys", "false", set::ignore_keys, "`Partitioner::Random` for true; Java's own (`Murmur2Random`) for false").twin("partitioner"),
    Key::java("partitioner.class", "", set::partitioner_class, "refused: a class of Java's cannot run here").twin("partitioner"),

    Key::both("fetch.min.bytes", "1", "1", set::fetch_min, "`ConsumerConfig::fetch_min_bytes`"),
    Key::both("fetch.max.bytes", "52428800", "52428800", set::fetch_max, "`ConsumerConfig::fetch_max_bytes`; `Memory::fetch_bytes` is twice that, of which one broker may fill half"),
    Key::both("max.partition.fetch.bytes", "1048576", "1048576", set::partition_max, "`ConsumerConfig::partition_max_bytes`").also(&["fetch.message.max.bytes"]),
    Key::java("fetch.max.wait.ms", "500", set::fetch_wait, "`ConsumerConfig::fetch_max_wait_ms`; 0 is 1 here, because some brokers never answer 0").twin("fetch.wait.max.ms"),
    Key::librdkafka("fetch.wait.max.ms", "500", set::fetch_wait, "the same").twin("fetch.max.wait.ms"),
    Key::both("auto.offset.reset", "latest", "largest", set::offset_reset, "`ConsumerConfig::from` and `reset`. Java: earliest, latest, none; librdkafka: smallest, earliest, beginning, largest, latest, end, error. For none and error reading fails out of range, and the program says where it begins (`ConsumerBuilder::from` or `assign_at`, else latest)"),
    Key::both("isolation.level", "read_uncommitted", "read_committed", set::isolation, "`ConsumerConfig::isolation_level`"),

    Key::both("security.protocol", "PLAINTEXT", "plaintext", set::protocol, "PLAINTEXT, SSL (feature `tls`), SASL_PLAINTEXT, SASL_SSL (feature `sasl`). SASL_PLAINTEXT allows PLAIN by name"),
    Key::librdkafka("ssl.ca.location", "", set::ca_file, "`TlsProperties::cas`; without any: the system's, as for `probe`").twin("ssl.truststore.location"),
    Key::librdkafka("ssl.ca.pem", "", set::ca_pem, "the same, the PEM itself").twin("ssl.truststore.certificates"),
    Key::librdkafka("ssl.certificate.location", "", set::chain_file, "`TlsProperties::client`, with the key").twin("ssl.keystore.location"),
    Key::librdkafka("ssl.certificate.pem", "", set::chain_pem, "the same, the PEM itself").twin("ssl.keystore.certificate.chain"),
    Key::librdkafka("ssl.key.location", "", set::key_file, "`TlsProperties::client`, not encrypted").twin("ssl.keystore.location"),
    Key::librdkafka("ssl.key.pem", "", set::key_pem, "the same, the PEM itself").twin("ssl.keystore.key").secret(),
    Key::java("ssl.truststore.certificates", "", set::ca_pem, "`TlsProperties::cas`, as PEM; without any: the system's").twin("ssl.ca.pem"),
    Key::java("ssl.truststore.location", "", set::truststore, "the same, a file; needs `ssl.truststore.type=PEM`").twin("ssl.ca.location"),
    Key::java("ssl.truststore.type", "JKS", set::truststore_type, "PEM only").twin("ssl.ca.location"),
    Key::java("ssl.keystore.certificate.chain", "", set::chain_pem, "`TlsProperties::client`, as PEM").twin("ssl.certificate.pem"),
    Key::java("ssl.keystore.key", "", set::key_pem, "the key to it, as PEM, not encrypted").twin("ssl.key.pem").secret(),
    Key::java("ssl.keystore.location", "", set::keystore, "both in one file; needs `ssl.keystore.type=PEM`").twin("ssl.certificate.location"),
    Key::java("ssl.keystore.type", "JKS", set::keystore_type, "PEM only").twin("ssl.certificate.location"),
    Key::both("ssl.endpoint.identification.algorithm", "https", "https", set::identification, "https only: the advertised host is always checked"),
    Key::librdkafka("enable.ssl.certificate.verification", "true", set::verification, "true only").twin("ssl.endpoint.identification.algorithm"),
    Key::both("ssl.key.password", "", "", set::key_password, "refused: keys are read unencrypted (`openssl pkcs8 -topk8 -nocrypt`)").secret(),
    Key::both("sasl.mechanism", "GSSAPI", "GSSAPI", set::mechanism, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER for `Config::sasl`; must be given with SASL, as GSSAPI is not there. OAUTHBEARER whose tokens come from the program is left out, and set by `Config::sasl`").also(&["sasl.mechanisms"]),
    Key::librdkafka("sasl.username", "", set::user, "the user").twin("sasl.jaas.config"),
    Key::librdkafka("sasl.password", "", set::password, "the password").twin("sasl.jaas.config").secret(),
    Key::java("sasl.jaas.config", "", set::jaas, "user and password, by `PlainLoginModule` or `ScramLoginModule`; for OAUTHBEARER `clientId`, `clientSecret`, `scope` and `extension_…`, by `OAuthBearerLoginModule`, where they have no names of their own").twin("sasl.password").secret(),
    Key::librdkafka("sasl.oauthbearer.method", "default", set::token_method, "oidc: tokens come from a server, by the names that follow; default: from the program").twin("sasl.login.callback.handler.class"),
    Key::java("sasl.login.callback.handler.class", "", set::login_handler, "`OAuthBearerLoginCallbackHandler` only: tokens come from a server").twin("sasl.oauthbearer.method"),
    Key::java("sasl.oauthbearer.jwt.retriever.class", "", set::jwt_retriever, "`ClientCredentialsJwtRetriever` or `DefaultJwtRetriever`: by the client's name and secret, as where it is not given (class org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever there)").twin("sasl.oauthbearer.method"),
    Key::both("sasl.oauthbearer.token.endpoint.url", "", "", set::token_endpoint, "`OidcProperties::endpoint`; `klamm-tokio` needs its feature `oidc` for that. `https`, or this very host"),
    Key::both("sasl.oauthbearer.client.credentials.client.id", "", "", set::token_client, "`OidcProperties::client_id`").also(&["sasl.oauthbearer.client.id"]),
    Key::both("sasl.oauthbearer.client.credentials.client.secret", "", "", set::token_secret, "`OidcProperties::client_secret`").also(&["sasl.oauthbearer.client.secret"]).secret(),
    Key::both("sasl.oauthbearer.scope", "", "", set::token_scope, "`OidcProperties::scope`"),
    Key::librdkafka("sasl.oauthbearer.extensions", "", set::token_extensions, "`OidcProperties::extensions` (KIP-342): `a=b,c=d`").twin("sasl.jaas.config"),
    Key::java("sasl.oauthbearer.header.urlencode", "false", set::token_urlencode, "`OidcProperties::urlencode`"),
    Key::librdkafka("https.ca.location", "", set::token_ca_file, "`OidcProperties::cas`: whom to trust for that server; a file. Without any, and for `probe`: the system's"),
    Key::librdkafka("https.ca.pem", "", set::token_ca_pem, "the same, the PEM itself"),

    Key::both("group.id", "", "", set::group_id, "`GroupProperties::group_id`, which waits for groups"),
    Key::both("session.timeout.ms", "45000", "45000", set::session_timeout, "`GroupProperties::session_timeout_ms`"),
    Key::both("max.poll.interval.ms", "300000", "300000", set::poll_interval, "`GroupProperties::max_poll_interval_ms`"),
    Key::both("enable.auto.commit", "true", "true", set::auto_commit, "`GroupProperties::enable_auto_commit`"),
    Key::both("transactional.id", "", "", set::transactions, "refused: there are no transactions yet"),
    Key::java("key.serializer", "", set::serializer, "refused: keys and values are bytes here; leave it out"),
    Key::java("value.serializer", "", set::serializer, "the same"),
    Key::java("key.deserializer", "", set::serializer, "the same"),
    Key::java("value.deserializer", "", set::serializer, "the same"),
];
