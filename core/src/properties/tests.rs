use alloc::{format, string::String};

use super::{
    Dialect::{Java, Librdkafka},
    *,
};
use crate::{Acks, Codec, IsolationLevel, Partitioner, ResetPolicy, StartAt};

fn read(dialect: Dialect, pairs: &[(&str, &str)]) -> Result<Properties, Error> {
    from_properties(dialect, [("bootstrap.servers", "a:1")].into_iter().chain(pairs.iter().copied()))
}

fn good(dialect: Dialect, pairs: &[(&str, &str)]) -> Properties {
    read(dialect, pairs).unwrap_or_else(|error| panic!("{dialect} {pairs:?}: {error}"))
}

/// The setting and the reason of a refusal.
fn refused(dialect: Dialect, pairs: &[(&str, &str)]) -> (&'static str, String) {
    match read(dialect, pairs) {
        Err(Error::Config { knob, why, .. }) => (knob, why),
        Err(other) => panic!("{other}"),
        Ok(properties) => panic!("{dialect} {pairs:?}: {properties:?}"),
    }
}

type Check = fn(&Properties) -> bool;

/// What each name of both dialects comes to.
const BOTH: &[(&str, &str, Check)] = &[
    ("bootstrap.servers", "b:2,c:3", |p| p.client.bootstrap == "b:2,c:3"),
    ("client.id", "me", |p| p.client.client_id == "me"),
    ("acks", "1", |p| p.producer.acks == Acks::Leader && !p.producer.idempotent()),
    ("acks", "-1", |p| p.producer.acks == Acks::All),
    ("delivery.timeout.ms", "90000", |p| p.producer.delivery_timeout_ms == 90_000),
    ("retries", "7", |p| p.producer.retries == 7),
    ("retry.backoff.ms", "250", |p| p.client.backoff_ms == 250),
    ("retry.backoff.max.ms", "50", |p| (p.client.backoff_ms, p.client.backoff_max_ms) == (50, 50)),
    ("linger.ms", "17", |p| p.producer.linger_ms == 17),
    ("batch.size", "3000", |p| p.producer.batch_full_bytes == 3_000),
    ("compression.type", "LZ4", |p| p.producer.compression == Codec::Lz4),
    ("enable.idempotence", "true", |p| p.producer.idempotence == Some(true)),
    ("enable.idempotence", "false", |p| p.producer.idempotence == Some(false)),
    ("max.in.flight.requests.per.connection", "2", |p| p.producer.max_in_flight == 2),
    ("max.in.flight.requests.per.connection", "50", |p| p.producer.max_in_flight == 5),
    ("fetch.min.bytes", "5", |p| p.consumer.fetch_min_bytes == 5),
    ("fetch.max.bytes", "9000000", |p| {
        p.consumer.fetch_max_bytes == 9_000_000 && p.client.memory.fetch_bytes == 18_000_000
    }),
    ("max.partition.fetch.bytes", "77", |p| p.consumer.partition_max_bytes == 77),
    ("auto.offset.reset", "earliest", |p| {
        let c = &p.consumer;
        (c.from, c.reset) == (StartAt::Earliest, Some(ResetPolicy::Earliest))
    }),
    ("metadata.max.age.ms", "60000", |p| p.client.metadata_max_age_ms == 60_000),
    ("socket.connection.setup.timeout.ms", "4000", |p| p.client.connect_timeout_ms == 4_000),
    ("security.protocol", "Plaintext", |p| p.tls.is_none()),
    ("ssl.endpoint.identification.algorithm", "https", |_| true),
    ("group.id", "g", |p| p.group.group_id.as_deref() == Some("g")),
    ("session.timeout.ms", "6000", |p| p.group.session_timeout_ms == 6_000),
    ("max.poll.interval.ms", "8000", |p| p.group.max_poll_interval_ms == 8_000),
    ("enable.auto.commit", "false", |p| !p.group.enable_auto_commit),
];

const OF_JAVA: &[(&str, &str, Check)] = &[
    ("isolation.level", "read_committed", |p| p.consumer.isolation_level == IsolationLevel::ReadCommitted),
    ("request.timeout.ms", "1500", |p| p.client.request_timeout_ms == 1_500),
    ("send.buffer.bytes", "1000", |p| p.client.send_buffer_bytes == Some(1_000)),
    ("send.buffer.bytes", "-1", |p| p.client.send_buffer_bytes.is_none()),
    ("receive.buffer.bytes", "2000", |p| p.client.receive_buffer_bytes == Some(2_000)),
    ("max.block.ms", "9223372036854775807", |p| p.producer.max_block_ms == u32::MAX),
    ("max.request.size", "2000000", |p| (p.producer.request_bytes, p.producer.batch_bytes) == (2_000_000, 2_000_000)),
    ("buffer.memory", "5000000", |p| p.client.memory.produce_bytes == 5_000_000),
    ("batch.size", "0", |p| p.producer.batch_full_bytes == 1),
    ("partitioner.ignore.keys", "true", |p| p.producer.partitioner == Partitioner::Random),
    ("fetch.max.wait.ms", "0", |p| p.consumer.fetch_max_wait_ms == 1),
    ("auto.offset.reset", "none", |p| p.consumer.reset == Some(ResetPolicy::Fail)),
];

const OF_LIBRDKAFKA: &[(&str, &str, Check)] = &[
    ("isolation.level", "read_uncommitted", |p| p.consumer.isolation_level == IsolationLevel::ReadUncommitted),
    ("metadata.broker.list", "b, [::1]:7,[::2]", |p| p.client.bootstrap == "b:9092,[::1]:7,[::2]:9092"),
    ("socket.timeout.ms", "1500", |p| p.client.request_timeout_ms == 1_500),
    ("request.timeout.ms", "1500", |p| p.producer.ack_timeout_ms == Some(1_500)),
    ("request.required.acks", "0", |p| p.producer.acks == Acks::None),
    // Shorter than a request elsewhere: the requests' time is less then.
    ("message.timeout.ms", "5000", |p| (p.producer.delivery_timeout_ms, p.client.request_timeout_ms) == (5_000, 4_995)),
    ("message.timeout.ms", "0", |p| p.producer.delivery_timeout_ms == u32::MAX),
    ("message.send.max.retries", "0", |p| p.producer.retries == 0),
    ("queue.buffering.max.ms", "0.5", |p| p.producer.linger_ms == 1),
    ("queue.buffering.max.messages", "12", |p| p.producer.max_records == Some(12)),
    ("queue.buffering.max.messages", "0", |p| p.producer.max_records.is_none()),
    ("queue.buffering.max.kbytes", "2048", |p| p.client.memory.produce_bytes == 2 << 20),
    ("batch.num.messages", "3", |p| p.producer.batch_records == 3),
    ("message.max.bytes", "2000000", |p| (p.producer.request_bytes, p.producer.batch_bytes) == (2_000_000, 2_000_000)),
    ("compression.codec", "gzip", |p| p.producer.compression == Codec::Gzip),
    ("max.in.flight", "1", |p| p.producer.max_in_flight == 1),
    ("partitioner", "murmur2", |p| p.producer.partitioner == Partitioner::Murmur2),
    ("partitioner", "fnv1a_random", |p| p.producer.partitioner == Partitioner::Fnv1aRandom),
    ("socket.send.buffer.bytes", "1000", |p| p.client.send_buffer_bytes == Some(1_000)),
    ("socket.receive.buffer.bytes", "2000", |p| p.client.receive_buffer_bytes == Some(2_000)),
    ("fetch.message.max.bytes", "99", |p| p.consumer.partition_max_bytes == 99),
    ("fetch.wait.max.ms", "30", |p| p.consumer.fetch_max_wait_ms == 30),
    ("auto.offset.reset", "smallest", |p| p.consumer.from == StartAt::Earliest),
    ("auto.offset.reset", "error", |p| p.consumer.reset == Some(ResetPolicy::Fail)),
    ("topic.metadata.refresh.interval.ms", "1000", |p| p.client.metadata_max_age_ms == 1_000),
    ("topic.metadata.refresh.interval.ms", "-1", |p| p.client.metadata_max_age_ms == 900_000),
    ("enable.ssl.certificate.verification", "true", |_| true),
    ("enable.auto.commit", "0", |p| !p.group.enable_auto_commit),
];

fn of(dialect: Dialect) -> impl Iterator<Item = &'static (&'static str, &'static str, Check)> {
    let own = if dialect == Java { OF_JAVA } else { OF_LIBRDKAFKA };
    BOTH.iter().chain(own)
}

/// Values that come to what the defaults come to.
const DEFAULTS: &[(&str, &str)] = &[
    ("acks", "-1"),
    ("auto.offset.reset", "latest"),
    ("enable.idempotence", "false"),
    ("enable.ssl.certificate.verification", "true"),
    ("max.in.flight.requests.per.connection", "50"),
    ("security.protocol", "Plaintext"),
    ("send.buffer.bytes", "-1"),
    ("ssl.endpoint.identification.algorithm", "https"),
];

#[test]
fn every_name_acts_in_its_dialect() {
    for dialect in [Java, Librdkafka] {
        for (name, value, acted) in of(dialect) {
            let properties = good(dialect, &[(name, value)]);
            assert!(acted(&properties), "{dialect} {name}={value}: {properties:?}");
            // A check that the defaults pass would see nothing; these values are the defaults by another name.
            let is_default = DEFAULTS.contains(&(name, value));
            assert!(is_default || !acted(&good(dialect, &[])), "{dialect} {name}={value} is the default");
        }
    }
}

/// Names that the tests below have, because they do nothing alone.
const ELSEWHERE: &[&str] = &["ssl.", "sasl.", "https.", "compression.", "transactional.id", "partitioner.class"];

#[test]
fn no_name_of_the_list_is_left_out_here() {
    for dialect in [Java, Librdkafka] {
        for key in KEYS.iter().filter(|key| key.default_in(dialect).is_some()) {
            let tested = key.names(dialect).any(|name| of(dialect).any(|(tested, ..)| *tested == name));
            let elsewhere =
                ELSEWHERE.iter().any(|start| key.name.starts_with(start)) || key.name.ends_with("serializer");
            assert!(tested || elsewhere, "{dialect} {}", key.name);
        }
    }
}

#[test]
fn each_dialect_has_its_defaults() {
    let java = good(Java, &[]);
    assert_eq!(java.client.request_timeout_ms, 30_000);
    assert_eq!((java.client.connect_timeout_ms, java.client.metadata_max_age_ms), (10_000, 300_000));
    assert_eq!((java.client.backoff_ms, java.client.backoff_max_ms), (100, 1_000));
    assert_eq!((java.client.memory.produce_bytes, java.client.memory.fetch_bytes), (32 << 20, 100 << 20));
    let expected = ProducerConfig {
        linger_ms: 5,
        batch_bytes: 1 << 20,
        batch_full_bytes: 16_384,
        request_bytes: 1 << 20,
        retries: i32::MAX as u32,
        partitioner: Partitioner::Murmur2Random,
        ..ProducerConfig::default()
    };
    assert_eq!(java.producer, expected);
    assert!(java.producer.idempotent());

    let librdkafka = good(Librdkafka, &[]);
    assert_eq!(librdkafka.client.client_id, "rdkafka");
    assert_eq!(librdkafka.client.request_timeout_ms, 60_000);
    assert_eq!((librdkafka.client.connect_timeout_ms, librdkafka.client.metadata_max_age_ms), (30_000, 300_000));
    assert_eq!(librdkafka.client.memory.produce_bytes, 1 << 30);
    let expected = ProducerConfig {
        idempotence: Some(false),
        linger_ms: 5,
        batch_full_bytes: 1_000_000,
        batch_records: 10_000,
        max_records: Some(100_000),
        request_bytes: 1_000_000,
        retries: i32::MAX as u32,
        ack_timeout_ms: Some(30_000),
        delivery_timeout_ms: 300_000,
        partitioner: Partitioner::ConsistentRandom,
        ..ProducerConfig::default()
    };
    assert_eq!(librdkafka.producer, expected);
    for (properties, isolation_level) in
        [(java, IsolationLevel::ReadUncommitted), (good(Librdkafka, &[]), IsolationLevel::ReadCommitted)]
    {
        let expected = ConsumerConfig {
            isolation_level,
            reset: Some(ResetPolicy::Latest),
            fetch_max_bytes: 50 << 20,
            ..ConsumerConfig::default()
        };
        assert_eq!(properties.consumer, expected);
        assert_eq!(properties.group.session_timeout_ms, 45_000);
        assert_eq!(properties.group.max_poll_interval_ms, 300_000);
        assert!(properties.group.enable_auto_commit && properties.group.group_id.is_none());
    }
}

#[test]
fn a_wrong_value_is_told_with_its_name() {
    for (dialect, name, value) in [
        (Java, "acks", "2"),
        (Java, "linger.ms", "0.5"),
        (Librdkafka, "linger.ms", "0.x"),
        (Librdkafka, "linger.ms", "-1"),
        (Librdkafka, "message.send.max.retries", "-1"),
        (Java, "batch.size", "1e3"),
        (Java, "retry.backoff.ms", "0"),
        (Java, "enable.idempotence", "1"),
        (Java, "compression.type", "brotli"),
        (Java, "compression.gzip.level", "0"),
        (Librdkafka, "compression.level", "13"),
        (Librdkafka, "partitioner", "sticky"),
        (Java, "partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner"),
        (Librdkafka, "partitioner", "Murmur3"),
        (Java, "auto.offset.reset", "smallest"),
        (Java, "auto.offset.reset", "by_duration:PT1H"),
        (Librdkafka, "auto.offset.reset", "none"),
        (Java, "security.protocol", "TLS"),
        (Java, "ssl.endpoint.identification.algorithm", ""),
        (Librdkafka, "ssl.endpoint.identification.algorithm", "none"),
        (Librdkafka, "enable.ssl.certificate.verification", "false"),
        (Java, "ssl.truststore.type", "PKCS12"),
        (Java, "bootstrap.servers", "a"),
        (Java, "key.serializer", "x.StringSerializer"),
        (Java, "transactional.id", "t"),
        (Java, "max.request.size", "999"),
        (Librdkafka, "metadata.max.age.ms", "99999999999999999999"),
    ] {
        let (knob, why) = refused(dialect, &[(name, value)]);
        assert_eq!(knob, name, "{why}");
        assert!(why.starts_with(&format!("{value:?}: ")), "{name}: {why}");
    }
    let (_, long) = refused(Java, &[("acks", &"x".repeat(10_000))]);
    assert!(long.len() < 200, "{long}");
    let nothing = [("acks", "1")];
    let error = from_properties(Java, nothing).map(drop).expect_err("no broker");
    assert!(matches!(error, Error::Config { knob: "bootstrap.servers", .. }), "{error}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (dialect, pairs, knob) in [
        (Java, &[("enable.idempotence", "true"), ("acks", "1")][..], "enable.idempotence"),
        (Java, &[("enable.idempotence", "true"), ("retries", "0")], "enable.idempotence"),
        (
            Librdkafka,
            &[("enable.idempotence", "true"), ("max.in.flight.requests.per.connection", "6")],
            "enable.idempotence",
        ),
        (Java, &[("delivery.timeout.ms", "30004")], "delivery.timeout.ms"),
        (Librdkafka, &[("message.timeout.ms", "5")], "message.timeout.ms"),
        (Java, &[("buffer.memory", "1000000")], "buffer.memory"),
        (Librdkafka, &[("queue.buffering.max.kbytes", "900")], "queue.buffering.max.kbytes"),
        (Librdkafka, &[("compression.type", "snappy"), ("compression.level", "3")], "compression.level"),
        (Librdkafka, &[("compression.type", "gzip"), ("compression.level", "10")], "compression.level"),
    ] {
        assert_eq!(refused(dialect, pairs).0, knob, "{pairs:?}");
    }
    // Java's default gives way where nobody asked for it.
    assert!(!good(Java, &[("retries", "0")]).producer.idempotent());
    assert!(!good(Java, &[("acks", "1")]).producer.idempotent());
    assert_eq!(good(Java, &[("request.timeout.ms", "200000")]).producer.delivery_timeout_ms, 200_005);
}

#[test]
fn levels_are_on_the_codecs_own_scale() {
    for (dialect, codec, name, value, level) in [
        (Java, "gzip", "compression.gzip.level", "4", Some(4)),
        (Java, "gzip", "compression.lz4.level", "4", None),
        (Java, "lz4", "compression.lz4.level", "9", None),
        (Java, "lz4", "compression.lz4.level", "12", Some(12)),
        (Java, "zstd", "acks", "all", Some(3)),
        (Java, "zstd", "compression.zstd.level", "-5", Some(-5)),
        (Librdkafka, "zstd", "acks", "all", None),
        (Librdkafka, "lz4", "compression.level", "0", Some(1)),
        (Librdkafka, "gzip", "compression.level", "9", Some(9)),
        (Librdkafka, "snappy", "compression.level", "0", None),
    ] {
        let properties = good(dialect, &[("compression.type", codec), (name, value)]);
        assert_eq!(properties.producer.compression_level, level, "{codec} {name}={value}");
    }
}

#[test]
fn a_name_that_is_not_known_leads_to_the_nearest() {
    for (dialect, name, expected) in [
        (Java, "linger.mss", "is not known; the nearest of Java is linger.ms"),
        (Librdkafka, "queue.buffering.max.message", "the nearest of librdkafka is queue.buffering.max.messages"),
        (Java, "queue.buffering.max.kbytes", "is a name of librdkafka; the nearest of Java is buffer.memory"),
        (Librdkafka, "buffer.memory", "is a name of Java; the nearest of librdkafka is queue.buffering.max.kbytes"),
        (Java, "message.timeout.ms", "is a name of librdkafka; the nearest of Java is"),
        (Java, "sasl.password", "the nearest of Java is sasl.jaas.config"),
        (Java, "", "nothing of Java is near it"),
    ] {
        let (knob, why) = refused(dialect, &[(name, "1")]);
        assert_eq!(knob, "properties");
        assert!(why.contains(expected) && why.contains(name), "{why}");
    }
}

#[test]
fn the_last_of_a_name_counts() {
    let twice = [("linger.ms", "1"), ("queue.buffering.max.ms", "2"), (" linger.ms ", " 3 ")];
    assert_eq!(good(Librdkafka, &twice).producer.linger_ms, 3);
}

/// What would do nothing is refused, rather than leaving somebody to believe that it does.
#[test]
fn what_the_protocol_does_not_use_is_refused() {
    for (dialect, name, value) in [
        (Librdkafka, "ssl.ca.location", "ca.pem"),
        (Java, "ssl.truststore.certificates", "x"),
        (Librdkafka, "sasl.username", "u"),
        (Java, "sasl.mechanism", "PLAIN"),
    ] {
        let (knob, why) = refused(dialect, &[(name, value)]);
        assert_eq!(knob, name);
        assert!(why.contains("security.protocol"), "{why}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_tls_encryption_is_refused_by_its_name() {
    let (knob, why) = refused(Java, &[("security.protocol", "SSL")]);
    assert!(knob == "security.protocol" && why.contains("feature `tls`"), "{why}");
}

#[cfg(not(feature = "sasl"))]
#[test]
fn without_the_feature_sasl_it_is_refused_by_its_name() {
    let (knob, why) = refused(Java, &[("security.protocol", "SASL_PLAINTEXT")]);
    assert!(knob == "security.protocol" && why.contains("feature `sasl`"), "{why}");
}

#[cfg(feature = "tls")]
mod encrypted {
    use alloc::{vec, vec::Vec};

    use super::*;

    const SSL: (&str, &str) = ("security.protocol", "SSL");

    fn file(path: &str) -> Material {
        Material::File(path.into())
    }

    fn pem(pem: &str) -> Material {
        Material::Pem(pem.into())
    }

    #[test]
    fn what_encryption_needs_is_handed_on() {
        for (dialect, pairs, cas, client) in [
            (Java, &[][..], vec![], None),
            (Librdkafka, &[("ssl.ca.location", "probe")], vec![], None),
            (Librdkafka, &[("ssl.ca.location", "ca"), ("ssl.ca.pem", "CA")], vec![file("ca"), pem("CA")], None),
            (
                Librdkafka,
                &[("ssl.certificate.location", "c"), ("ssl.key.location", "k")],
                vec![],
                Some((file("c"), file("k"))),
            ),
            (Librdkafka, &[("ssl.certificate.pem", "C"), ("ssl.key.pem", "K")], vec![], Some((pem("C"), pem("K")))),
            (Java, &[("ssl.truststore.certificates", "CA")], vec![pem("CA")], None),
            (Java, &[("ssl.truststore.type", "PEM"), ("ssl.truststore.location", "ca")], vec![file("ca")], None),
            (
                Java,
                &[("ssl.keystore.type", "pem"), ("ssl.keystore.location", "b")],
                vec![],
                Some((file("b"), file("b"))),
            ),
            (
                Java,
                &[("ssl.keystore.certificate.chain", "C"), ("ssl.keystore.key", "K")],
                vec![],
                Some((pem("C"), pem("K"))),
            ),
        ] {
            let pairs: Vec<_> = [SSL].into_iter().chain(pairs.iter().copied()).collect();
            let tls = good(dialect, &pairs).tls.expect("asked for");
            assert_eq!((tls.cas, tls.client), (cas, client), "{pairs:?}");
        }
    }

    #[test]
    fn what_was_given_as_it_is_is_not_printed() {
        let secret = "tremendously-secret";
        let properties = good(Librdkafka, &[SSL, ("ssl.certificate.pem", secret), ("ssl.key.pem", secret)]);
        assert!(!format!("{properties:?}").contains(secret), "{properties:?}");
    }

    #[test]
    fn halves_and_other_stores_are_refused() {
        for (dialect, name, said) in [
            (Librdkafka, "ssl.certificate.location", "the key"),
            (Librdkafka, "ssl.key.pem", "the certificate"),
            (Java, "ssl.truststore.location", "PEM"),
            (Java, "ssl.keystore.location", "PEM"),
            (Java, "ssl.key.password", "unencrypted"),
        ] {
            let (knob, why) = refused(dialect, &[SSL, (name, "tremendously-secret")]);
            assert_eq!(knob, name);
            assert!(why.contains(said) && !why.contains("tremendously"), "{why}");
        }
    }

    /// Encryption's memory comes on top of what was asked for.
    #[test]
    fn memory_for_it_is_added() {
        let properties = good(Java, &[SSL, ("buffer.memory", "3000000")]);
        let before = properties.client.memory;
        let Err(Error::Config { knob: "security.protocol", .. }) = properties.client().map(drop) else {
            panic!("nothing is encrypted yet")
        };
        let after = properties.encrypted(crate::tls::testing::tls());
        assert!(after.client().expect("now it is").tls.is_some());
        assert_eq!(after.client.memory.produce_bytes, 3_000_000);
        assert!(after.client.memory.control_bytes > before.control_bytes);
        after.client.check().expect("it fits");
    }
}

#[cfg(feature = "sasl")]
mod who {
    use alloc::vec;

    use super::*;

    const SECRET: &str = "tremendously-secret";

    fn jaas(module: &str) -> String {
        format!("org.apache.kafka.common.security.{module} required username=\"alice\" password=\"{SECRET}\";")
    }

    fn with(dialect: Dialect, mechanism: &str) -> Properties {
        let name = if dialect == Java { "sasl.mechanism" } else { "sasl.mechanisms" };
        let module = if mechanism == "PLAIN" { "plain.PlainLoginModule" } else { "scram.ScramLoginModule" };
        let jaas = jaas(module);
        let own = match dialect {
            Java => vec![("sasl.jaas.config", &*jaas)],
            Librdkafka => vec![("sasl.username", "alice"), ("sasl.password", SECRET)],
        };
        let first = [("security.protocol", "SASL_PLAINTEXT"), (name, mechanism)];
        good(dialect, &first.into_iter().chain(own).collect::<Vec<_>>())
    }

    #[test]
    fn every_mechanism_comes_from_either_dialect() {
        for dialect in [Java, Librdkafka] {
            for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
                let properties = with(dialect, mechanism);
                assert!(!format!("{properties:?}").contains(SECRET));
                let sasl = properties.client.sasl.clone().expect("asked for");
                assert_eq!((sasl.mechanism(), sasl.user()), (mechanism, "alice"));
                properties.client.check().expect("SASL_PLAINTEXT allows PLAIN by name");
                assert!(properties.client.allow_plain_without_tls);
            }
        }
    }

    #[test]
    fn what_is_missing_or_not_there_is_told_without_a_secret() {
        let (plain, scram) = (jaas("plain.PlainLoginModule"), jaas("scram.ScramLoginModule"));
        let other = jaas("kerberos.Krb5LoginModule");
        let half = scram.trim_end_matches(';');
        for (dialect, pairs, knob, said) in [
            (Librdkafka, &[("sasl.username", "u"), ("sasl.password", SECRET)][..], "sasl.mechanism", "GSSAPI"),
            (Java, &[("sasl.mechanism", "GSSAPI")], "sasl.mechanism", "is not there"),
            (Librdkafka, &[("sasl.mechanisms", "PLAIN"), ("sasl.username", "u")], "sasl.password", "given"),
            (Librdkafka, &[("sasl.mechanisms", "PLAIN"), ("sasl.password", SECRET)], "sasl.username", "given"),
            (
                Librdkafka,
                &[("sasl.mechanisms", "PLAIN"), ("sasl.username", "u"), ("sasl.password", "")],
                "sasl",
                "empty",
            ),
            (Java, &[("sasl.mechanism", "PLAIN")], "sasl.jaas.config", "given"),
            (Java, &[("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", &scram)], "sasl.jaas.config", "PLAIN"),
            (Java, &[("sasl.mechanism", "SCRAM-SHA-256"), ("sasl.jaas.config", &plain)], "sasl.jaas.config", "SCRAM"),
            (Java, &[("sasl.mechanism", "SCRAM-SHA-256"), ("sasl.jaas.config", half)], "sasl.jaas.config", "semicolon"),
            (Java, &[("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", &other)], "sasl.jaas.config", "GSSAPI"),
        ] {
            let pairs: Vec<_> =
                [("security.protocol", "SASL_PLAINTEXT")].into_iter().chain(pairs.iter().copied()).collect();
            let (found, why) = refused(dialect, &pairs);
            assert_eq!(found, knob, "{why}");
            assert!(why.contains(said) && !why.contains(SECRET), "{why}");
        }
    }

    /// PLAIN over TLS needs no permission, and gets none that would outlive the encryption.
    #[test]
    #[cfg(feature = "tls")]
    fn a_password_that_goes_encrypted_is_not_allowed_elsewhere() {
        let pairs = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanisms", "PLAIN"),
            ("sasl.username", "alice"),
            ("sasl.password", SECRET),
        ];
        let properties = good(Librdkafka, &pairs);
        assert!(properties.tls.is_some() && !properties.client.allow_plain_without_tls);
        assert!(properties.client.check().is_err(), "not before it is encrypted");
        properties.encrypted(crate::tls::testing::tls()).client.check().expect("encrypted");
    }
}

/// Tokens of a server (KIP-768).
#[cfg(feature = "sasl")]
mod tokens {
    use super::*;

    const SECRET: &str = "tremendously-secret";
    const ID: &str = "sasl.oauthbearer.client.credentials.client.id";
    const KEY: &str = "sasl.oauthbearer.client.credentials.client.secret";
    const URL: (&str, &str) = ("sasl.oauthbearer.token.endpoint.url", "https://a.b/token");
    const SASL: [(&str, &str); 2] = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "OAUTHBEARER")];
    const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";

    fn chained<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        SASL.into_iter().chain(pairs.iter().copied()).collect()
    }

    /// What is asked of which server.
    fn asked(dialect: Dialect, pairs: &[(&str, &str)]) -> OidcProperties {
        let properties = good(dialect, &chained(pairs));
        assert!(!format!("{properties:?}").contains(SECRET));
        let error = properties.client().expect_err("nobody has a source of tokens yet");
        assert!(format!("{error}").contains("Properties::oidc"), "{error}");
        let asked = properties.oidc.clone().expect("asked for");
        assert_eq!(
            (&*asked.endpoint, &*asked.client_id, asked.client_secret.bytes()),
            (URL.1, "me", SECRET.as_bytes())
        );
        let source = || async { Err::<crate::sasl::Token, _>(crate::sasl::TokenError::from("none")) };
        let client = properties.authenticated(crate::sasl::Sasl::oauthbearer(source)).client().expect("now it has");
        client.check().expect("SASL_PLAINTEXT allows tokens by name");
        asked
    }

    #[test]
    fn either_dialect_names_a_server() {
        let own: &[_] = &[URL, (ID, "me"), (KEY, SECRET), ("sasl.oauthbearer.scope", "kafka")];
        let class = ("sasl.login.callback.handler.class", "org.apache.kafka.x.OAuthBearerLoginCallbackHandler");
        let retriever = ("sasl.oauthbearer.jwt.retriever.class", "org.x.ClientCredentialsJwtRetriever");
        let bare = format!("{MODULE} ;");
        let javas =
            [own, &[class, retriever, ("sasl.jaas.config", &bare), ("sasl.oauthbearer.header.urlencode", "true")]];
        let java = asked(Java, &javas.concat());
        assert_eq!((java.scope.as_deref(), java.urlencode, java.extensions.len()), (Some("kafka"), true, 0));
        // As they were before 4.1; names of their own count first.
        let text = format!("{MODULE} clientId=\"me\" clientSecret=\"{SECRET}\" scope=\"x\" extension_pool=\"1\";");
        let java = asked(Java, &[URL, ("sasl.jaas.config", &text)]);
        assert_eq!((java.scope.as_deref(), java.urlencode), (Some("x"), false));
        assert_eq!(java.extensions, [("pool".into(), "1".into())]);
        let java = asked(Java, &[URL, ("sasl.jaas.config", &text.replace("=\"me\"", "=\"you\"")), (ID, "me")]);
        assert_eq!(java.client_id, "me");

        let method = ("sasl.oauthbearer.method", "oidc");
        for own in [own, &[URL, ("sasl.oauthbearer.client.id", "me"), ("sasl.oauthbearer.client.secret", SECRET)]] {
            let extensions = ("sasl.oauthbearer.extensions", "pool=1, zone = x=y");
            let cas = [("https.ca.location", "/a.pem"), ("https.ca.pem", "PEM")];
            let rd = asked(Librdkafka, &[own, &[method, extensions], &cas].concat());
            assert_eq!(rd.extensions, [("pool".into(), "1".into()), ("zone".into(), "x=y".into())]);
            assert_eq!(rd.cas, [Material::File("/a.pem".into()), Material::Pem("PEM".into())]);
        }
        assert!(asked(Librdkafka, &[own, &[method, ("https.ca.location", "probe")]].concat()).cas.is_empty());
    }

    #[test]
    fn what_is_missing_or_does_nothing_is_told() {
        let oidc = ("sasl.oauthbearer.method", "oidc");
        let plain = format!("PlainLoginModule required username=u password=\"{SECRET}\";");
        type Case<'a> = (Dialect, &'a [(&'a str, &'a str)], &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            (Java, &[], "sasl.mechanism", "from the program"),
            (Librdkafka, &[], "sasl.mechanism", "from the program"),
            (Librdkafka, &[URL], URL.0, "sasl.oauthbearer.method"),
            (Librdkafka, &[("sasl.oauthbearer.method", "other")], "sasl.oauthbearer.method", "oidc"),
            (Librdkafka, &[oidc], URL.0, "given"),
            (Librdkafka, &[oidc, URL, (KEY, SECRET)], ID, "given"),
            (Java, &[URL, (ID, "me")], KEY, "given"),
            (Java, &[URL, (ID, "me"), (KEY, "")], KEY, "given"),
            (Java, &[(KEY, SECRET)], KEY, URL.0),
            (Java, &[URL, ("sasl.jaas.config", &plain)], "sasl.jaas.config", "OAUTHBEARER"),
            (
                Java,
                &[URL, ("sasl.login.callback.handler.class", "my.Own")],
                "sasl.login.callback.handler.class",
                "Java",
            ),
            (
                Java,
                &[URL, ("sasl.oauthbearer.jwt.retriever.class", "x.FileJwtRetriever")],
                "sasl.oauthbearer.jwt.retriever.class",
                "Java",
            ),
            (Librdkafka, &[oidc, URL, ("sasl.oauthbearer.extensions", "pool")], "sasl.oauthbearer.extensions", "a=b"),
        ];
        for (dialect, pairs, knob, said) in cases {
            let (found, why) = refused(*dialect, &chained(pairs));
            assert_eq!(found, *knob, "{why}");
            assert!(why.contains(said) && !why.contains(SECRET), "{why}");
        }
        let (knob, why) = refused(Java, &[URL]);
        assert!(knob == URL.0 && why.contains("security.protocol"), "{why}");
        let pairs = [SASL[0], ("sasl.mechanism", "PLAIN"), URL];
        let (knob, why) = refused(Java, &pairs);
        assert!(knob == URL.0 && why.contains("OAUTHBEARER"), "{why}");
    }
}
