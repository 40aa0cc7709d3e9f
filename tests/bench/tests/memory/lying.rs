//! Brokers that lie.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use klamm_tokio::{Record, StartAt};
use tokio::time::timeout;

use crate::{
    gauge::{BUDGETS, case, config, connect},
    liar::{LIES, Lie, listen},
};

/// How long each lie is worked against.
const WHILE: Duration = Duration::from_millis(400);

/// Whatever a peer says of lengths and counts, the client holds no more than its plan, and says what is wrong or goes on
/// trying; it does not panic.
#[test]
fn a_broker_that_lies_moves_nothing_past_the_plan() {
    for lie in LIES {
        for total in BUDGETS {
            let (bootstrap, told) = listen(lie);
            let mut config = config(&bootstrap, total);
            config.connect_timeout_ms = WHILE.as_millis() as u32;
            (config.backoff_ms, config.backoff_max_ms, config.close_timeout_ms) = (10, 50, 50);
            let why = case(&format!("a lie: {lie:?}"), &config, async |gauge| {
                let client = match connect(&config).await {
                    Ok(client) => client,
                    Err(error) => return error.to_string(),
                };
                let producer = client.producer().batch_bytes(8_000).idempotence(false).build().expect("a producer");
                let mut consumer =
                    client.consumer().topics(["lies"]).from(StartAt::Earliest).build().expect("a consumer");
                let (sent, next) = tokio::join!(
                    timeout(WHILE, producer.send(Record::to("lies").partition(0).value("x"))),
                    timeout(WHILE, consumer.next())
                );
                gauge.look(&client);
                assert!(!matches!(sent, Ok(Ok(_))), "{lie:?}: acknowledged");
                assert!(!matches!(next, Ok(Ok(_))), "{lie:?}: records");
                format!("{sent:?}; {next:?}")
            });
            assert!(told.load(Relaxed) > 0, "{lie:?}: nobody was lied to: {why}");
            println!("    {why}");
        }
    }
    assert_eq!(LIES[0], Lie::FrameOfTwoGigabytes);
}
