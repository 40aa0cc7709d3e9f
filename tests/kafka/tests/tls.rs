//! One broker whose connections are encrypted.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Certificates, Cluster, Tls, assert_tells_nothing, create, read_all, unsigned_token, within};
use klamm_tokio::{
    Client, Config, Error, ErrorCode, OwnedRecord, PeerFault, Phase, Record, TlsFault, TransportError,
    properties::{Dialect, Properties},
    sasl::{Sasl, SaslFault, ScramHash, TokenError},
    tls::{self, Tls as Settings, TlsBuilder, rustls},
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_with_tls(1, &[]))
}

fn at() -> &'static Tls {
    cluster().tls()
}

fn certificates() -> &'static Certificates {
    &at().certificates
}

fn trusting() -> TlsBuilder {
    tls::builder().ca_pem(&certificates().ca)
}

fn config(bootstrap: &str, tls: TlsBuilder) -> Config {
    Config::new(bootstrap).tls(tls.build().expect("settings"))
}

async fn connected(config: Config) -> Client {
    klamm_tokio::connect_with(config).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Why no connection comes about; told long before the connect timeout, which is ten seconds.
async fn failure(config: Config) -> Error {
    let start = Instant::now();
    let error = klamm_tokio::connect_with(config).await.map(drop).expect_err("refused");
    println!("{:?}: {error}", start.elapsed());
    assert_tells_nothing(&error);
    assert!(start.elapsed() < Duration::from_secs(5), "{error} after {:?}", start.elapsed());
    assert!(!error.is_retriable(), "{error:?}");
    error
}

/// The one failure of TLS.
async fn refused(config: Config) -> TransportError {
    let address = config.bootstrap.clone();
    match failure(config).await {
        Error::Transport { tried, .. } => {
            let [(tried, error)] = &tried[..] else { panic!("{tried:?}") };
            assert_eq!((tried, error.phase), (&address, Phase::Tls));
            error.clone()
        }
        other => panic!("{other:?}"),
    }
}

async fn round_trip(client: &Client, topic: &str, count: usize) {
    create(client, topic, 3, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let mut tickets = Vec::new();
    for n in 0..count {
        let record = Record::to(topic).key(format!("{n}")).value(vec![b'v'; n % 500]);
        tickets.push(within("room", producer.enqueue(record)).await.expect("taken"));
    }
    for ticket in tickets {
        within("an acknowledgement", ticket).await.expect("acknowledged");
    }
    let all = read_all(client, topic, count).await;
    let mut numbers: Vec<usize> = all.iter().map(|(_, record)| number(record)).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..count), "each once");
}

/// Which record it is, as its key and its value's length say.
fn number(record: &OwnedRecord) -> usize {
    let key = std::str::from_utf8(record.key.as_deref().expect("a key")).expect("text");
    let number = key.parse().expect("a number");
    assert_eq!(record.value.as_ref().map(|value| value.len()), Some(number % 500));
    number
}

/// By TLS 1.3, and by 1.2 with settings of rustls' own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_and_come_by_both_versions() {
    round_trip(&connected(config(&at().bootstrap, trusting())).await, "tls-13", 10_000).await;

    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates().ca.as_bytes()).expect("PEM")).expect("a CA");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let old = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Config::new(&*at().bootstrap).tls(Settings::from_config(old.into()));
    round_trip(&connected(config).await, "tls-12", 10_000).await;
}

/// Every mechanism that there is.
fn mechanisms() -> [(&'static str, Sasl); 4] {
    let (user, password) = (&*cluster().sasl().user, &*cluster().sasl().password);
    [
        ("tls-plain", Sasl::plain(user, password)),
        ("tls-scram-256", Sasl::scram(ScramHash::Sha256, user, password)),
        ("tls-scram-512", Sasl::scram(ScramHash::Sha512, user, password)),
        ("tls-oauthbearer", Sasl::oauthbearer(|| async { Ok::<_, TokenError>(unsigned_token("alice", 600)) })),
    ]
}

/// Passwords and tokens go over TLS without being allowed by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sasl_goes_over_tls() {
    for (topic, sasl) in mechanisms() {
        round_trip(&connected(config(&at().sasl, trusting()).sasl(sasl)).await, topic, 100).await;
    }
}

/// The errors are those that there are without TLS: who is not who it says, a port without SASL, with another mechanism, and one that
/// wants SASL from whoever does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sasl_fails_over_tls_as_elsewhere() {
    let fault = async |config: Config| match failure(config).await {
        Error::Authentication { fault, .. } => fault,
        other => panic!("{other:?}"),
    };
    let late = || async { Ok::<_, TokenError>(unsigned_token("alice", -100)) };
    for wrong in [
        Sasl::plain("alice", "wrong"),
        Sasl::scram(ScramHash::Sha256, "alice", "wrong"),
        Sasl::scram(ScramHash::Sha512, "nobody", "wrong"),
        Sasl::oauthbearer(late),
    ] {
        let fault = fault(config(&at().sasl, trusting()).sasl(wrong)).await;
        assert!(matches!(fault, SaslFault::Refused { code: ErrorCode::SASL_AUTHENTICATION_FAILED, .. }), "{fault}");
    }
    for (_, sasl) in mechanisms() {
        assert_eq!(fault(config(&at().bootstrap, trusting()).sasl(sasl)).await, SaslFault::NotTaken);
    }
}

/// A mechanism that the listener does not have is answered with those that it has; so it is over TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mechanism_that_is_not_there_is_named_over_tls() {
    let only = Cluster::start_with_tls(1, &[("listener.name.sasl_tls.sasl.enabled.mechanisms", "SCRAM-SHA-512")]);
    let trusting = || tls::builder().ca_pem(&only.tls().certificates.ca);
    for (topic, sasl) in mechanisms() {
        let config = config(&only.tls().sasl, trusting()).sasl(sasl);
        if topic == "tls-scram-512" {
            round_trip(&connected(config).await, topic, 10).await;
            continue;
        }
        match failure(config).await {
            Error::Authentication { fault: SaslFault::Mechanism { offered, .. }, .. } => {
                assert_eq!(offered, ["SCRAM-SHA-512"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A client's certificate, and what becomes of clients that have none or that of a stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_may_want_a_certificate() {
    let c = certificates();
    let with = |chain: &str, key: &str| config(&at().mutual, trusting().client_auth_pem(chain, key));
    round_trip(&connected(with(&c.client, &c.client_key)).await, "mutual", 100).await;
    let error = refused(config(&at().mutual, trusting())).await;
    assert_eq!(error.tls, Some(TlsFault::ClientCertificateRequired), "{error:?}");
    let error = refused(with(&c.stranger, &c.stranger_key)).await;
    assert!(matches!(error.tls, Some(TlsFault::ClientCertificateRefused(_))), "{error:?}");
}

/// Each its own error, at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_who_it_should_be_is_left() {
    let wrong_ca = || tls::builder().ca_pem(&certificates().other_ca);
    for (address, tls, fault) in [
        (&at().bootstrap, wrong_ca(), TlsFault::UnknownIssuer),
        (&at().expired, trusting(), TlsFault::Expired),
        (&at().early, trusting(), TlsFault::NotValidYet),
        (&at().elsewhere, trusting(), TlsFault::HostMismatch),
    ] {
        let error = refused(config(address, tls)).await;
        assert_eq!(error.tls, Some(fault), "{error:?}");
    }
}

/// TLS to a port without it, and plaintext to one with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_with_the_other_protocol_is_told_as_that() {
    for (plaintext, encrypted) in [(cluster().bootstrap(), &at().bootstrap), (&cluster().sasl().bootstrap, &at().sasl)]
    {
        for (_, sasl) in mechanisms() {
            let error = refused(config(plaintext, trusting()).sasl(sasl.clone())).await;
            assert_eq!(error.tls, Some(TlsFault::NotTls), "{error:?}");
            match failure(Config::new(&**encrypted).sasl(sasl).allow_plain_without_tls()).await {
                Error::Peer { fault: PeerFault::OtherProtocol("TLS"), .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let error = refused(config(cluster().bootstrap(), trusting())).await;
    assert_eq!(error.tls, Some(TlsFault::NotTls), "{error:?}");
    match failure(Config::new(&*at().bootstrap)).await {
        Error::Peer { fault: PeerFault::OtherProtocol("TLS"), .. } => {}
        other => panic!("{other:?}"),
    }
}

/// Nobody in particular, where somebody is wanted: the broker hangs up at the first request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_wants_sasl() {
    for config in [config(&at().sasl, trusting()), Config::new(&*cluster().sasl().bootstrap)] {
        match failure(config).await {
            Error::Peer { fault: PeerFault::NoAnswer, .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// One address of the list that is of no use does not keep from the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_of_the_list_may_be_better() {
    let both = format!("{},{}", at().expired, at().bootstrap);
    round_trip(&connected(config(&both, trusting())).await, "second", 10).await;
}

/// A certificate that is replaced counts for the next connection, and those that stand go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_while_a_client_runs() {
    let c = certificates();
    let tls = trusting().client_auth_pem(&c.stranger, &c.stranger_key).build().expect("settings");
    let config = || Config::new(&*at().mutual).tls(tls.clone());
    refused(config()).await;
    tls.replace(&trusting().client_auth_pem(&c.client, &c.client_key).build().expect("settings"));
    let client = connected(config()).await;
    round_trip(&client, "replaced", 10).await;
}

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// As programs on rdkafka and in Java have their settings: the files that are named are read, and records go and come with
/// each dialect's defaults, in two lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_other_clients_connect() {
    let c = certificates();
    let file = |name: &str, text: &str| {
        let path = cluster().dir().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (ca, both) = (file("ca.pem", &c.ca), file("both.pem", &format!("{}{}", c.client, c.client_key)));
    let (user, password) = (&*cluster().sasl().user, &*cluster().sasl().password);
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username={user} password=\"{password}\";"
    );
    let all: [(&str, Dialect, Pairs<'_>); 3] = [
        (
            "librdkafka-scram",
            Dialect::Librdkafka,
            &[
                ("metadata.broker.list", &at().sasl),
                ("security.protocol", "sasl_ssl"),
                ("ssl.ca.location", &ca),
                ("sasl.mechanisms", "SCRAM-SHA-512"),
                ("sasl.username", user),
                ("sasl.password", password),
                ("compression.codec", "lz4"),
                ("queue.buffering.max.messages", "50"),
                ("message.timeout.ms", "5000"),
                ("auto.offset.reset", "smallest"),
                ("isolation.level", "read_uncommitted"),
            ],
        ),
        (
            "java-plain",
            Dialect::Java,
            &[
                ("bootstrap.servers", &at().sasl),
                ("security.protocol", "SASL_SSL"),
                ("ssl.truststore.certificates", &c.ca),
                ("sasl.mechanism", "PLAIN"),
                ("sasl.jaas.config", &jaas),
                ("auto.offset.reset", "earliest"),
            ],
        ),
        (
            "java-mutual",
            Dialect::Java,
            &[
                ("bootstrap.servers", &at().mutual),
                ("security.protocol", "SSL"),
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.location", &ca),
                ("ssl.keystore.type", "PEM"),
                ("ssl.keystore.location", &both),
                ("auto.offset.reset", "earliest"),
                ("receive.buffer.bytes", "65536"),
            ],
        ),
    ];
    for (topic, dialect, pairs) in all {
        with_settings(topic, &klamm_tokio::from_properties(dialect, pairs.iter().copied()).expect("settings")).await;
    }
}

/// Records go and come with these settings.
async fn with_settings(topic: &str, properties: &Properties) {
    let client = connected(properties.client().expect("encrypted")).await;
    create(&client, topic, 3, &[]).await;
    let producer = client.producer().config(properties.producer.clone()).build().expect("a producer");
    let mut tickets = Vec::new();
    for n in 0..1_000 {
        let record = Record::to(topic).key(format!("{n}")).value(vec![b'v'; n % 500]);
        tickets.push(within("room", producer.enqueue(record)).await.expect("taken"));
    }
    for ticket in tickets {
        within("an acknowledgement", ticket).await.expect("acknowledged");
    }
    let consumer = client.consumer().config(properties.consumer.clone()).topics([topic]);
    let mut consumer = consumer.build().expect("a consumer");
    let mut numbers = Vec::new();
    while numbers.len() < 1_000 {
        let records = within("records", consumer.next()).await.expect("read").expect("open");
        numbers.extend(records.to_owned().iter().map(number));
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..1_000), "each once");
}

/// What is wrong with a file is told when the properties are read, with the file's name.
#[test]
fn a_file_that_cannot_be_used_is_named() {
    let pairs = [("bootstrap.servers", "a:1"), ("security.protocol", "SSL"), ("ssl.ca.location", "no/such/ca.pem")];
    let error = klamm_tokio::from_properties(Dialect::Librdkafka, pairs).map(drop).expect_err("no file");
    assert!(matches!(&error, Error::Config { knob: "tls", why, .. } if why.starts_with("no/such/ca.pem")), "{error}");
}
