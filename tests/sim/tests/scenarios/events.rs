//! What clients tell of a whole run in which things go wrong.

use std::time::Duration;

use crate::common::{SECOND, config, connected, inject, sim};
use klamm::wire::api;
use klamm::{Error, ErrorCode, Record, StartAt};
use klamm_broker::Action;
use klamm_sim::{Sim, Told, op, sleep};

/// What is in every part of every record, and must be in no event.
const MARK: &str = "not-for-any-log";

/// Records go in and come back while answers are refused, throttled and lost, connections break, leaders move and a broker is
/// away for a while.
fn stormy(seed_of_faults: u32) -> Sim {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(120 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        let mut consumer = client.consumer().topics(["t"]).from(StartAt::Earliest).build().expect("a consumer");
        for n in 0..60 {
            match n {
                5 => inject(&world, api::PRODUCE, 1, Action::Fail(ErrorCode::NOT_ENOUGH_REPLICAS)),
                10 => inject(&world, api::PRODUCE, seed_of_faults, Action::CloseAfter),
                15 => inject(&world, api::FETCH, 1, Action::Close),
                20 => inject(&world, api::PRODUCE, 1, Action::Throttle(50)),
                25 => world.lock().change_cluster(|c| c.move_leader("t", 0, 2)),
                30 => world.lock().change_cluster(|c| c.kill(3)),
                40 => world.lock().change_cluster(|c| c.start(3)),
                45 => inject(&world, api::PRODUCE, 1, Action::Fail(ErrorCode::INVALID_RECORD)),
                _ => {}
            }
            let record = Record::to("t").partition(n % 3).key(MARK).value(MARK).header(MARK, MARK);
            let sent = op(&world, producer.send(record)).await;
            assert!(
                sent.is_ok() || matches!(sent, Err(Error::Broker { code: ErrorCode::INVALID_RECORD, .. })),
                "{sent:?}"
            );
            sleep(&world, Duration::from_millis(30)).await;
        }
        let mut got = 0;
        while got < 59 {
            got += op(&world, consumer.next()).await.expect("no error").map_or(0, |records| records.len());
        }
    });
    sim.finish(60 * SECOND).expect("everything ends");
    sim
}

fn told(sim: &Sim) -> Vec<Told> {
    sim.world.lock().told.clone()
}

/// Where an event of a kind comes first, from some place on, with these words in it.
fn after(told: &[Told], from: usize, name: &str, words: &str) -> usize {
    let found = told.iter().skip(from).position(|t| t.name == name && t.text.contains(words));
    from + found.unwrap_or_else(|| panic!("no {name} with {words:?} after {from} of {told:#?}"))
}

/// Each trouble is told, in the order in which one follows from the other, and the end is the last thing.
#[test]
fn a_stormy_run_is_told_in_order() {
    let told = told(&stormy(1));
    assert!(told.windows(2).all(|two| two[0].at <= two[1].at));
    let first = after(&told, 0, "connecting", "broker-1:9092 for control");
    let connected = after(&told, first, "connected", "broker-1:9092 for control");
    let known = after(&told, connected, "metadata_renewed", "3 brokers");
    let given = after(&told, known, "producer_id_given", "");
    let refused = after(&told, given, "batch_retried", "NOT_ENOUGH_REPLICAS(19)");
    let lost = after(&told, refused, "connection_lost", " for produce: ");
    let again = after(&told, lost, "batch_retried", "1 in a row");
    let opened = after(&told, again, "connected", " for produce");
    let fetch = after(&told, opened, "connection_lost", " for fetch: ");
    let throttled = after(&told, fetch, "throttled", "50ms for produce");
    let moved = after(&told, throttled, "leader_changed", "broker 2 leads t-0");
    let killed = after(&told, moved, "connection_lost", "broker 3 (");
    let refused = after(&told, killed, "batch_failed", "INVALID_RECORD(87)");
    let raised = after(&told, refused, "epoch_raised", "in epoch ");
    let closing = after(&told, raised, "closing", "");
    assert_eq!(after(&told, closing, "closed", "closed"), told.len() - 1);
}

/// Nothing of a record is in any event, neither in its words nor in anything that it holds.
#[test]
fn no_event_has_anything_of_a_record() {
    let told = told(&stormy(2));
    assert!(told.len() > 30, "{}", told.len());
    for event in told {
        assert!(!event.text.contains(MARK), "{event:?}");
    }
}

/// The same run tells the same, at the same times.
#[test]
fn the_same_run_tells_the_same() {
    let (one, other) = (told(&stormy(1)), told(&stormy(1)));
    assert_eq!(one, other);
    assert_ne!(one, told(&stormy(2)));
}
