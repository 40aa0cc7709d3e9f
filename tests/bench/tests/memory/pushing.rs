//! A producer that is faster than its brokers.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use klamm_bench::counting::cluster_of;
use klamm_broker::{Action, ClusterConfig, Fault};
use klamm_tokio::{Class, Error, Record, Ticket};

use crate::gauge::{BUDGETS, brokers, case, config, connect, values};

const PARTITIONS: i32 = 6;
const WHILE: Duration = Duration::from_millis(1_500);

/// What does not fit is given back with the class and the knob, and what was taken is acknowledged in the end.
#[test]
fn a_producer_faster_than_its_brokers_stays_within_the_plan() {
    for (total, batch_bytes) in BUDGETS.into_iter().zip([8_000, 200_000, 1_000_000]) {
        let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
        brokers.create_topic("pushed", PARTITIONS as usize, 1);
        let action = Action::Delay(Duration::from_millis(100));
        brokers.inject(Fault { api: klamm_tokio::wire::api::PRODUCE, node: None, count: u32::MAX, action });
        let value = values(1, if total < 1 << 20 { 100 } else { 1_000 }).remove(0);
        let config = config(brokers.bootstrap(), total);
        let mut open: VecDeque<Ticket> = VecDeque::with_capacity(total / value.len());
        case("producer faster than brokers", &config, async |gauge| {
            let client = connect(&config).await.expect("connected");
            let producer = client.producer().batch_bytes(batch_bytes).build().expect("a producer");
            let (begun, mut taken, mut refused) = (Instant::now(), 0, 0);
            while begun.elapsed() < WHILE {
                let record = Record::to("pushed").partition(taken % PARTITIONS).value(&value);
                match producer.try_enqueue(record) {
                    Ok(ticket) => {
                        open.push_back(ticket);
                        taken += 1;
                    }
                    Err(back) => {
                        let error = back.into_error();
                        // Before the first metadata there is nothing to wait for but that.
                        if let Error::Budget { class, knob, .. } = &error {
                            assert_eq!((*class, *knob), (Class::Produce, "memory.produce_bytes"));
                            refused += 1;
                            gauge.look(&client);
                        }
                        match open.pop_front() {
                            Some(oldest) => drop(oldest.await.expect("acknowledged")),
                            None => tokio::time::sleep(Duration::from_millis(5)).await,
                        }
                    }
                }
            }
            for ticket in open.drain(..) {
                ticket.await.expect("acknowledged");
            }
            assert!(refused > 10, "{refused} records were refused, {taken} taken");
        });
    }
}
