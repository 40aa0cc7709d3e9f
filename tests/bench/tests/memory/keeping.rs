//! An application that keeps what it reads.

use std::time::Duration;

use klamm_bench::counting::cluster_of;
use klamm_broker::ClusterConfig;
use klamm_tokio::{Class, Codec, Records, StartAt};
use tokio::time::timeout;

use crate::gauge::{BUDGETS, brokers, case, config, connect, fill, values};

const PARTITIONS: i32 = 6;

/// What is kept pushes back: reading stops while nothing is given back, within the plan, and goes on after.
#[test]
fn records_that_are_kept_stay_within_the_plan() {
    for codec in [Codec::None, Codec::Lz4] {
        for total in BUDGETS {
            let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
            // Half as much again as what can be kept.
            let size = if total < 1 << 20 { 100 } else { 1_000 };
            let count = total * 3 / 8 / size;
            let topic = format!("kept-{codec}");
            fill(brokers.bootstrap(), &topic, codec, &values(count, size), PARTITIONS);
            let config = config(brokers.bootstrap(), total);
            let mut kept: Vec<Records> = Vec::with_capacity(count);
            case(&format!("kept records, {codec}"), &config, async |gauge| {
                let client = connect(&config).await.expect("connected");
                let mut consumer =
                    client.consumer().topics([&topic]).from(StartAt::Earliest).build().expect("a consumer");
                let mut got = 0;
                while let Ok(records) = timeout(Duration::from_millis(300), consumer.next()).await {
                    kept.push(records.expect("records").expect("open"));
                    got += kept.last().map_or(0, Records::len);
                    gauge.look(&client);
                }
                assert!(got > 0 && got < count, "{got} of {count} records were kept");
                let class = if codec == Codec::None { Class::Fetch } else { Class::Inflate };
                let (leased, limit) = (client.budget().leased(class), client.budget().limit(class));
                assert!(leased > limit / 8, "{leased} of {limit} are kept");
                kept.clear();
                while got < count {
                    got += consumer.next().await.expect("records").expect("open").len();
                    gauge.look(&client);
                }
                assert_eq!(got, count);
            });
        }
    }
}
