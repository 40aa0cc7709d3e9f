//! Batches that are small on the wire and become large.

use klamm_bench::counting::{cluster_of, uncounted};
use klamm_broker::ClusterConfig;
use klamm_tokio::{Class, Codec, Error, NewTopic, Record, StartAt, Wait, blocking};

use crate::gauge::{BUDGETS, brokers, case, config, connect};

/// More than the largest budget may inflate.
const BYTES: usize = 24 << 20;

/// Somebody produces zeros by the megabyte, which compress to next to nothing.
fn plant(bootstrap: &str, codec: Codec) {
    uncounted(|| {
        let client =
            blocking::connect_with(klamm_tokio::Config::new(bootstrap).memory_total(1 << 30)).expect("connected");
        client.admin().create_topics([NewTopic::new("bombs", 1, 1)]).wait().expect("created");
        let producer = client.producer().batch_bytes(2 * BYTES).compression(codec).build().expect("a producer");
        let record = Record::to("bombs").partition(0).value(vec![0; BYTES]);
        producer.send(record).wait().expect("acknowledged");
        let record = Record::to("bombs").partition(0).value("after it");
        producer.send(record).wait().expect("acknowledged");
    });
}

/// A batch that would pass the Inflate class is told with the class, and a seek passes it.
#[test]
fn what_inflates_past_the_budget_is_refused() {
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Snappy, Codec::Zstd] {
        for total in BUDGETS {
            let brokers = brokers(total);
            let brokers =
                cluster_of(ClusterConfig { brokers, max_message_bytes: 64 << 20, ..ClusterConfig::default() });
            plant(brokers.bootstrap(), codec);
            let config = config(brokers.bootstrap(), total);
            case(&format!("a bomb, {codec}"), &config, async |gauge| {
                let client = connect(&config).await.expect("connected");
                let mut consumer =
                    client.consumer().topics(["bombs"]).from(StartAt::Earliest).build().expect("a consumer");
                let error = consumer.next().await.expect_err("it is a bomb");
                gauge.look(&client);
                let Error::TooLarge { because, .. } = &error else { panic!("{codec}, {total}: {error}") };
                assert!(
                    matches!(**because, Error::Budget { class: Class::Inflate | Class::Fetch, .. }),
                    "{codec}, {total}: {error}"
                );
                consumer.seek("bombs", 0, StartAt::Offset(1)).expect("a seek");
                let records = consumer.next().await.expect("records").expect("open");
                gauge.look(&client);
                assert_eq!(records.iter().next().and_then(|r| r.value()), Some(&b"after it"[..]));
            });
        }
    }
}
