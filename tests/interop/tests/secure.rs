//! Over TLS, with SCRAM: what Klamm, librdkafka and Java write all three read. Klamm is set up by the very lines that the others
//! are set up by.

use std::sync::OnceLock;

use klamm_interop::{
    Seen, Specimen, assert_same, java_reads_with, java_writes_with, klamm_reads, klamm_writes, librdkafka_reads_with,
    librdkafka_writer, librdkafka_writes, specimens,
};
use klamm_kafka_tests::{Cluster, create};
use klamm_tokio::{
    Client,
    properties::{Dialect, Properties},
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // The specimens' times are older than Kafka keeps records.
    CLUSTER.get_or_init(|| Cluster::start_with_tls(1, &[("log.retention.ms", "-1")]))
}

fn librdkafka() -> Vec<(&'static str, &'static str)> {
    let (tls, sasl) = (cluster().tls(), cluster().sasl());
    vec![
        ("bootstrap.servers", &tls.sasl),
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.pem", &tls.certificates.ca),
        ("sasl.mechanism", "SCRAM-SHA-256"),
        ("sasl.username", &sasl.user),
        ("sasl.password", &sasl.password),
    ]
}

fn java() -> Vec<(&'static str, &'static str)> {
    let tls = cluster().tls();
    vec![
        ("bootstrap.servers", &tls.sasl),
        ("security.protocol", "SASL_SSL"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", &tls.certificates.ca),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.jaas.config", jaas()),
    ]
}

fn jaas() -> &'static str {
    static JAAS: OnceLock<String> = OnceLock::new();
    JAAS.get_or_init(|| {
        let sasl = cluster().sasl();
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
        format!("{module} required username=\"{}\" password=\"{}\";", sasl.user, sasl.password)
    })
}

async fn connected(properties: &Properties) -> Client {
    let config = properties.client().expect("encrypted");
    klamm_tokio::connect_with(config).await.unwrap_or_else(|error| panic!("{error}"))
}

fn read_back(seen: &[Seen], who: &str, writer: &str, written: &[Specimen]) {
    let lines: Vec<String> =
        (0..).zip(written).map(|(n, record)| format!("0 {n} {} {}", record.timestamp_ms, record.payload())).collect();
    assert_same(&format!("written by {writer}, read by {who}"), seen, &lines);
}

/// Each of the three writes, with a codec of its own, and each reads all. librdkafka's mechanism is one, Java's the other, and Klamm
/// has both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_writes_and_each_reads() {
    // Java's producer takes no times of before 1970, and to librdkafka's 1970 itself is none.
    let records: Vec<_> = specimens().into_iter().filter(|record| record.timestamp_ms > 0).collect();
    let (theirs, javas) = (librdkafka(), java());
    let as_librdkafka = klamm_tokio::from_properties(Dialect::Librdkafka, theirs.iter().copied()).expect("settings");
    let as_java = klamm_tokio::from_properties(Dialect::Java, javas.iter().copied()).expect("settings");
    let (one, other) = (connected(&as_librdkafka).await, connected(&as_java).await);
    let writers = ["klamm", "klamm-java", "librdkafka", "java"];
    for writer in writers {
        create(&one, writer, 1, &[("message.timestamp.after.max.ms", "9223372036854775807")]).await;
    }
    for (client, properties, topic) in [(&one, &as_librdkafka, "klamm"), (&other, &as_java, "klamm-java")] {
        let producer = client.producer().config(properties.producer.clone()).build().expect("a producer");
        let told = klamm_writes(&producer, topic, 0, &records).await;
        told.iter().for_each(|told| assert!(told.is_ok(), "{told:?}"));
    }
    let mut settings = theirs.clone();
    settings.push(("compression.type", "lz4"));
    let producer = librdkafka_writer(cluster(), &settings);
    let told = librdkafka_writes(&producer, "librdkafka", 0, &records).await;
    told.iter().for_each(|told| assert!(told.is_ok(), "{told:?}"));
    java_writes_with(cluster(), &javas, "java", &[(0, "zstd", records.clone())]);

    for writer in writers {
        read_back(&klamm_reads(&one, 1 << 20, writer, 1).await, "klamm", writer, &records);
        read_back(&klamm_reads(&other, 1 << 20, writer, 1).await, "klamm-java", writer, &records);
        read_back(&librdkafka_reads_with(cluster(), &theirs, writer, 1), "librdkafka", writer, &records);
        read_back(&java_reads_with(cluster(), &javas, writer, records.len()), "java", writer, &records);
    }
}
