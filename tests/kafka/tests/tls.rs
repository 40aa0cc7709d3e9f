//! One broker whose connections are encrypted.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Certificates, Cluster, create, read_all, within};
use klamm_tokio::{
    Client, Config, Record,
    tls::{self, TlsBuilder},
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_with_tls(1, &[]))
}

fn certificates() -> &'static Certificates {
    &cluster().tls().certificates
}

fn trusting() -> TlsBuilder {
    tls::builder().ca_pem(&certificates().ca)
}

fn config(bootstrap: &str, tls: TlsBuilder) -> Config {
    Config::new(bootstrap).tls(tls.build().expect("settings"))
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
    read_all(client, topic, count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_go_and_come() {
    let start = Instant::now();
    let client = klamm_tokio::connect_with(config(&cluster().tls().bootstrap, trusting())).await;
    let client = client.unwrap_or_else(|error| panic!("{error}"));
    round_trip(&client, "tls", 10_000).await;
    println!("{:?}", start.elapsed());
}
