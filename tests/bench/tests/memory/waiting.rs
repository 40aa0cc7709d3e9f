//! More tasks than may wait.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use klamm_bench::counting::{cluster_of, uncounted};
use klamm_broker::{Action, ClusterConfig, Fault};
use klamm_tokio::{Class, Enqueue, Error, Record};

use crate::gauge::{BUDGETS, brokers, case, config, connect, values};

/// With the buffer full, `max_waiters` tasks wait and each further one is refused at once; all that waited get their turn.
#[test]
fn tasks_beyond_max_waiters_are_refused_and_cost_nothing() {
    for total in BUDGETS {
        let brokers = cluster_of(ClusterConfig { brokers: brokers(total), ..ClusterConfig::default() });
        brokers.create_topic("crowded", 1, 1);
        let value = values(1, 1_000).remove(0);
        let config = config(brokers.bootstrap(), total);
        let waiters = config.max_waiters;
        case("more tasks than may wait", &config, async |gauge| {
            let client = connect(&config).await.expect("connected");
            let producer = client.producer().build().expect("a producer");
            let record = || Record::to("crowded").partition(0).value(&value);
            // The tasks are the application's.
            let mut waiting: Vec<Pin<Box<Enqueue<'_, '_>>>> = uncounted(|| Vec::with_capacity(waiters));
            producer.send(record()).await.expect("acknowledged");
            let action = Action::Delay(Duration::from_millis(500));
            brokers.inject(Fault { api: klamm_tokio::wire::api::PRODUCE, node: None, count: 1, action });
            while let Ok(ticket) = producer.try_enqueue(record()) {
                drop(ticket);
            }
            let mut refused = 0;
            poll_fn(|cx| {
                for _ in 0..2 * waiters {
                    let mut task = uncounted(|| Box::pin(producer.enqueue(record())));
                    match task.as_mut().poll(cx) {
                        Poll::Pending => waiting.push(task),
                        Poll::Ready(Ok(_)) => panic!("the buffer is full"),
                        Poll::Ready(Err(back)) => match back.into_error() {
                            Error::Budget { class: Class::Produce, .. } => refused += 1,
                            error => panic!("{error}"),
                        },
                    }
                }
                Poll::Ready(())
            })
            .await;
            assert_eq!((waiting.len(), refused), (waiters, waiters));
            gauge.look(&client);
            for task in waiting.drain(..) {
                drop(task.await.expect("room comes"));
            }
            producer.flush().await.expect("acknowledged");
        });
    }
}
