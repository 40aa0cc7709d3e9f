//! `examples/edge-worker`: stopped at any moment and started again.

use std::collections::BTreeMap;

use klamm_kafka_tests::{Cluster, connect, poll_until};
use klamm_tokio::Record;
use klamm_wasm_host::{ALL, Guest};

use super::succeeded;

/// What a worker has handled, by partition: offsets in their order.
fn handled(printed: &str) -> BTreeMap<i32, Vec<i64>> {
    let mut all: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    // The last line may be cut where it was stopped.
    for line in printed.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
        let (partition, offset) = (word().parse().expect("a number"), word().parse().expect("a number"));
        assert_eq!(word().trim(), format!("value-{partition}-{offset}"));
        all.entry(partition).or_default().push(offset);
    }
    all
}

/// Each start goes on where the last one was, or a little before; in the end all was handled, in order, and what was handled twice
/// is what came between the last place that was kept and the stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_stopped_skips_nothing() {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic("work", 3, 1);
    cluster.create_topic_with("positions-work", 1, 1, &[("cleanup.policy", "compact")]);
    let client = connect(&cluster).await;
    // Small batches, so that there are many places to be stopped at.
    let producer = client.producer().batch_bytes(500).build().expect("builds");
    let mut tickets = Vec::new();
    for offset in 0..20_000 {
        for partition in [0, 2] {
            let value = format!("value-{partition}-{offset}");
            let record = Record::to("work").partition(partition).value(&value);
            tickets.push(producer.enqueue(record).await.expect("taken"));
        }
    }
    for ticket in tickets {
        ticket.await.expect("acknowledged");
    }
    let guest = Guest::compile("klamm_edge_worker");
    let env = [
        ("KAFKA_BOOTSTRAP", cluster.bootstrap()),
        ("TOPIC", "work"),
        ("PARTITIONS", "0,2"),
        ("FETCH_BYTES", "500"),
        ("IDLE_MS", "1500"),
    ];
    let mut starts = Vec::new();
    for lines in [500, 2_000, 1_000] {
        let running = guest.start(ALL, &[], &env);
        poll_until("lines", || running.printed().lines().count() > lines || running.is_finished()).await;
        starts.push(handled(&running.stopped().await));
    }
    // One more without a stop in between: what the last one had not kept, and the rest.
    let ran = succeeded(guest.start(ALL, &[], &env).ended().await);
    starts.push(handled(&ran.out));
    let ran = succeeded(guest.start(ALL, &[], &env).ended().await);
    assert_eq!(ran.out, "", "nothing is left");
    for partition in [0, 2] {
        let mut next = 0;
        for start in &starts {
            let offsets = start.get(&partition).map_or(&[][..], Vec::as_slice);
            let Some(first) = offsets.first() else { continue };
            assert!(*first <= next, "partition {partition}: {next} to {first} are skipped");
            assert!(offsets.windows(2).all(|two| two[1] == two[0] + 1), "each start is in order");
            next = next.max(offsets.last().expect("not empty") + 1);
        }
        assert_eq!(next, 20_000, "partition {partition}");
    }
    let again = starts.iter().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>() - 40_000;
    println!("note: {again} of 40000 were handled twice over three stops");
    assert!(again < 20_000, "{again}: it began anew each time");
}
