//! A topic of ten thousand partitions.

use std::time::Duration;

use klamm_bench::counting::cluster_of;
use klamm_broker::ClusterConfig;
use klamm_tokio::{Error, PeerFault, Record, StartAt};

use crate::gauge::{BUDGETS, brokers, case, config, connect};

const PARTITIONS: usize = 10_000;

/// Where the plan has room for them, all of them are used; where it has not, the client says which setting would help.
#[test]
fn ten_thousand_partitions_are_held_or_refused() {
    for total in BUDGETS {
        let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
        brokers.create_topic("wide", PARTITIONS, 1);
        let config = config(brokers.bootstrap(), total);
        case("10,000 partitions, too many", &config, async |gauge| {
            let client = connect(&config).await.expect("connected");
            let producer = client.producer().batch_bytes(8_000).build().expect("a producer");
            let told = producer.send(Record::to("wide").partition(7).value("x")).await;
            gauge.look(&client);
            // The smallest budget cannot even read the answer.
            let wants = |error: &Error| {
                matches!(
                    error,
                    Error::Config { knob: "max_partitions", .. }
                        | Error::Peer { fault: PeerFault::FrameLength { knob: "memory.control_bytes", .. }, .. }
                )
            };
            assert!(told.as_ref().is_err_and(wants), "{total}: {told:?}");
            let mut consumer = client.consumer().topics(["wide"]).from(StartAt::Earliest).build().expect("a consumer");
            let told = tokio::time::timeout(Duration::from_secs(5), consumer.next()).await.expect("told in time");
            gauge.look(&client);
            assert!(told.as_ref().is_err_and(wants), "{total}: {told:?}");
        });
        // The smallest budget has no room for it in any class.
        if total < 1 << 20 {
            continue;
        }
        let mut config = config;
        config.max_partitions = PARTITIONS;
        config.memory.control_bytes = config.memory.control_bytes.max(9 << 20);
        case("10,000 partitions, all used", &config, async |gauge| {
            let client = connect(&config).await.expect("connected");
            let producer = client.producer().batch_bytes(10_000).build().expect("a producer");
            let mut consumer = client.consumer().topics(["wide"]).from(StartAt::Earliest).build().expect("a consumer");
            for partition in 0..PARTITIONS {
                let record = Record::to("wide").partition(partition as i32).value("x");
                drop(producer.enqueue(record).await.expect("room comes"));
                if partition % 100 == 0 {
                    gauge.look(&client);
                }
            }
            producer.flush().await.expect("acknowledged");
            gauge.look(&client);
            let mut got = 0;
            while got < PARTITIONS {
                got += consumer.next().await.expect("records").expect("open").len();
                gauge.look(&client);
            }
        });
    }
}
