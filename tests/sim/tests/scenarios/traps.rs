//! Traps that need a network, a clock and brokers that misbehave at the right moment. One situation each.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{SECOND, config, connected, inject, send, sim, values};
use klamm::wire::{Reader, api, decode_body, frame::read_request_header};
use klamm::{Config, Error, ErrorCode, Fate, Memory, Record, StartAt, Ticket};
use klamm_broker::r#gen::fetch_request::FetchRequest;
use klamm_broker::{Action, Fault};
use klamm_sim::{Chunks, Listener, Shared, op, sleep};

const MS: Duration = Duration::from_millis(1);

async fn offsets(world: &Shared, tickets: Vec<Ticket>) -> Vec<Result<i64, Error>> {
    let mut all = Vec::new();
    for ticket in tickets {
        all.push(op(world, ticket).await.map(|m| m.offset()));
    }
    all
}

#[test]
fn a_record_goes_in_and_comes_back() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(5 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        let meta = op(&world, producer.send(Record::to("t").key("k").value("v"))).await.expect("acknowledged");
        assert_eq!(meta.offset(), 0);
        let mut consumer = client.consumer().topics(["t"]).from(StartAt::Earliest).build().expect("a consumer");
        let records = op(&world, consumer.next()).await.expect("no error").expect("records");
        let all = records.to_owned();
        assert_eq!((all.len(), all[0].value.as_deref()), (1, Some(&b"v"[..])));
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// Trap 55: a batch is applied and refused all the same, again and again, while those behind it go through. It is settled
/// before the broker forgets it, so it is known for what it is.
#[test]
fn a_batch_is_never_out_of_the_brokers_memory() {
    let mut sim = sim();
    sim.world.lock().network.latency = (20_000_000, 20_000_000);
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        assert_eq!(send(&world, &producer, 0, "0").await, Ok(0));
        // The first batch of each round, however often it comes.
        let sequence = Arc::new(Mutex::new(None));
        let left = AtomicU64::new(4);
        world.lock().on_request = Some(Box::new(move |cluster, seen, _| {
            if seen.api_key != api::PRODUCE.key {
                return;
            }
            // The batch's base sequence: 53 bytes behind its start, which ends the request but for two tags.
            let batch = seen.frame.windows(4).position(|w| w == [0xff; 4]).map(|at| at - 12);
            let own = batch.map(|at| seen.frame[at + 53..at + 57].to_vec());
            let mut first = sequence.lock().expect("nobody panics");
            let target = first.get_or_insert_with(|| own.clone());
            if *target == own && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                let action = Action::FailAfter(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
                cluster.inject(Fault { api: api::PRODUCE, node: None, count: 1, action });
            }
        }));
        let mut tickets = Vec::new();
        for n in 1..60 {
            let text = n.to_string();
            let record = Record::to("t").partition(0).value(&text);
            tickets.push(op(&world, producer.enqueue(record)).await.expect("room"));
            sleep(&world, 7 * MS).await;
        }
        let expected: Vec<Result<i64, Error>> = (1..60).map(Ok).collect();
        assert_eq!(offsets(&world, tickets).await, expected);
        world.lock().on_request = None;
    });
    sim.finish(60 * SECOND).expect("everything ends");
    let expected: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    assert_eq!(values(&sim, 0), expected);
}

/// Traps 47, 49 and 55: the old leader has applied a batch and is silent; the new one takes those behind it meanwhile.
#[test]
fn a_silent_old_leader() {
    let mut sim = sim();
    let client = connected(&mut sim, config().request_timeout(2 * SECOND));
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        assert_eq!(send(&world, &producer, 0, "0").await, Ok(0));
        inject(&world, api::PRODUCE, 1, Action::SilenceAfter);
        let mut tickets = Vec::new();
        for n in 1..40 {
            if n == 2 {
                world.lock().change_cluster(|c| c.move_leader("t", 0, 2));
                // Something makes the client look who leads.
                let _ = producer.try_enqueue(Record::to("unknown").value("v"));
            }
            let text = n.to_string();
            tickets.push(producer.try_enqueue(Record::to("t").partition(0).value(&text)).expect("room"));
            sleep(&world, 20 * MS).await;
        }
        let expected: Vec<Result<i64, Error>> = (1..40).map(Ok).collect();
        assert_eq!(offsets(&world, tickets).await, expected);
    });
    sim.finish(60 * SECOND).expect("everything ends");
    let expected: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    assert_eq!(values(&sim, 0), expected);
}

/// Trap 75: while records flow, no partition is forgotten by a session and added again, and every request changes only
/// what has changed.
#[test]
fn sessions_do_not_churn() {
    let mut sim = sim();
    sim.world.lock().change_cluster(|c| c.create_topic("wide", 12, 1));
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    let seen = Arc::new(Mutex::new((0, 0, 0)));
    let counted = Arc::clone(&seen);
    world.lock().on_request = Some(Box::new(move |_, request, _| {
        if request.api_key != api::FETCH.key {
            return;
        }
        let mut reader = Reader::new(request.frame);
        read_request_header(&mut reader).expect("a header");
        let body: FetchRequest<'_> = decode_body(&mut reader, request.version).expect("a fetch");
        let mut seen = counted.lock().expect("nobody panics");
        seen.0 += u64::from(body.session_epoch <= 0);
        seen.1 += body.forgotten_topics_data.iter().map(|t| t.partitions.len() as u64).sum::<u64>();
        seen.2 += 1;
    }));
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        let mut consumer = client.consumer().topics(["wide"]).from(StartAt::Earliest).build().expect("a consumer");
        let mut count = 0;
        for round in 0..100 {
            for partition in 0..12 {
                let text = format!("{round}");
                let record = Record::to("wide").partition(partition).value(&text);
                let _ticket = op(&world, producer.enqueue(record)).await.expect("room");
            }
            // A slow application: what is fetched waits while more comes.
            sleep(&world, 20 * MS).await;
            count += op(&world, consumer.next()).await.expect("no error").expect("records").len();
        }
        while count < 1_200 {
            count += op(&world, consumer.next()).await.expect("no error").expect("records").len();
        }
        world.lock().on_request = None;
    });
    sim.finish(60 * SECOND).expect("everything ends");
    let (full, forgotten, all) = *seen.lock().expect("nobody panics");
    assert!(full <= 6, "{full} of {all} fetches were full ones");
    assert_eq!(forgotten, 0, "partitions were forgotten in {all} fetches");
}

/// Trap 82: a seek while the answer is on its way, and a pause while records wait: neither hands out what is stale.
#[test]
fn a_seek_and_a_pause_overtake_the_network() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for n in 0..20 {
            assert_eq!(send(&world, &producer, 0, &n.to_string()).await, Ok(n));
        }
        // From now on an answer takes half a second.
        world.lock().network.latency = (500_000_000, 500_000_000);
        let mut consumer = client.consumer().assign([("t", 0)]).from(StartAt::Offset(5)).build().expect("a consumer");
        sleep(&world, 2_200 * MS).await;
        consumer.seek("t", 0, StartAt::Offset(12)).expect("it is read here");
        assert_eq!(consumer.position("t", 0), Some(12));
        let records = op(&world, consumer.next()).await.expect("no error").expect("records");
        assert_eq!(records.to_owned()[0].offset, 12, "what came for 5 is dropped");
        consumer.seek("t", 0, StartAt::Offset(3)).expect("it is read here");
        sleep(&world, 5 * SECOND).await;
        consumer.pause("t", 0).expect("it is read here");
        let nothing = give_up(&world, 5 * SECOND, consumer.next()).await;
        assert!(nothing.is_none(), "a paused partition gave {nothing:?}");
        consumer.resume("t", 0).expect("it is read here");
        let records = op(&world, consumer.next()).await.expect("no error").expect("records");
        assert_eq!(records.to_owned()[0].offset, 3);
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

async fn give_up<T>(world: &Shared, after: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut nap) = (std::pin::pin!(future), std::pin::pin!(sleep(world, after)));
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => nap.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Trap 81: a pause of five seconds, with requests that have one second each: nothing times out, nothing reconnects.
#[test]
fn a_throttled_client_waits_and_is_not_late() {
    let mut sim = sim();
    let client = connected(&mut sim, config().request_timeout(SECOND));
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        assert_eq!(send(&world, &producer, 0, "first").await, Ok(0));
        let greeted = world.lock().cluster.all_requests(api::API_VERSIONS);
        inject(&world, api::PRODUCE, 1, Action::Throttle(5_000));
        assert_eq!(send(&world, &producer, 0, "throttled").await, Ok(1), "the answer itself is not held back");
        let before = world.lock().now();
        assert_eq!(send(&world, &producer, 0, "later").await, Ok(2));
        let took = world.lock().now() - before;
        assert!((4_900_000_000..5_200_000_000).contains(&took), "{took} ns");
        assert_eq!(world.lock().cluster.all_requests(api::API_VERSIONS), greeted, "a connection was given up");
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// Trap 99: two brokers swap their addresses. A broker is its id, so each partition is found where it is led.
#[test]
fn brokers_that_swap_addresses() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "before").await, Ok(0));
        }
        {
            let mut world = world.lock();
            world.names.insert(("broker-1".into(), 9092), vec![Listener::Broker(2)]);
            world.names.insert(("broker-2".into(), 9092), vec![Listener::Broker(1)]);
            world.change_cluster(|c| {
                c.set_address(1, "broker-2", 9092);
                c.set_address(2, "broker-1", 9092);
                (1..=2).for_each(|node| c.close_connections(node));
            });
        }
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "after").await, Ok(1));
        }
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// Trap 100: a name's first address is dead, and all brokers move at once while only the bootstrap name stays.
#[test]
fn dead_addresses_and_a_cluster_that_moved() {
    let mut sim = sim();
    {
        let mut world = sim.world.lock();
        let all = vec![Listener::Down, Listener::Broker(1), Listener::Broker(2), Listener::Broker(3)];
        world.names.insert(("kafka".into(), 9092), all);
    }
    let config = Config::new("kafka:9092").connect_timeout(3 * SECOND);
    let client = connected_within(&mut sim, config, 10 * SECOND);
    let world = sim.world.clone();
    sim.block_on(120 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "before").await, Ok(0));
        }
        {
            let mut world = world.lock();
            for node in 1..=3 {
                world.names.insert((format!("broker-{node}"), 9092), vec![Listener::Down]);
                world.names.insert((format!("moved-{node}"), 9092), vec![Listener::Broker(node)]);
                world.change_cluster(|c| {
                    c.set_address(node, &format!("moved-{node}"), 9092);
                    c.close_connections(node);
                });
            }
        }
        let before = world.lock().now();
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "after").await, Ok(1));
        }
        let took = world.lock().now() - before;
        assert!(took < 20_000_000_000, "{took} ns to find a cluster that moved");
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// Waits longer for the first contact than one try may take.
fn connected_within(sim: &mut klamm_sim::Sim, config: Config, limit: Duration) -> klamm::Client {
    let client = sim.client(config).expect("a sound config");
    let (world, handle) = (sim.world.clone(), client.clone());
    sim.block_on(limit, async move { while op(&world, handle.connected()).await.is_err() {} });
    client
}

/// Trap 102: all brokers are gone for a minute and fifty tasks want them. Dials are shared and their pauses double.
#[test]
fn no_storm_of_dials() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    let dialled = sim.block_on(180 * SECOND, async move {
        let producer = Rc::new(client.producer().build().expect("a producer"));
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "before").await, Ok(0));
        }
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.kill(node)));
        let refused = world.lock().counts.of("refused");
        let tickets: Vec<Ticket> = (0..50)
            .map(|n| producer.try_enqueue(Record::to("t").partition(n % 3).value("during")).expect("room"))
            .collect();
        sleep(&world, 60 * SECOND).await;
        let dialled = world.lock().counts.of("refused") - refused;
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.start(node)));
        assert!(offsets(&world, tickets).await.iter().all(Result::is_ok));
        dialled
    });
    sim.finish(60 * SECOND).expect("everything ends");
    // At most one a second for each of three brokers, a name of the bootstrap list, and two uses.
    assert!((20..600).contains(&dialled), "{dialled} dials in a minute");
}

/// Trap 106: futures are dropped at every point of their way, on a network that takes bytes one by one. No broker ever
/// gets a part of a frame and then something else, and no connection is lost.
#[test]
fn cancelled_futures_leave_whole_frames() {
    let mut sim = sim();
    {
        let mut world = sim.world.lock();
        world.network.chunks = vec![Chunks::Bytes];
        world.network.window = (40, 40);
    }
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    let requests = sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        assert_eq!(send(&world, &producer, 0, "first").await, Ok(0));
        let connections = world.lock().cluster.all_requests(api::API_VERSIONS);
        for n in 0..200_u32 {
            let text = n.to_string();
            let record = Record::to("t").partition(0).value(&text);
            let _ = give_up(&world, Duration::from_micros(u64::from(n) * 20), producer.send(record)).await;
        }
        op(&world, producer.flush()).await.expect("flushed");
        assert_eq!(world.lock().cluster.all_requests(api::API_VERSIONS), connections, "a connection was lost");
        world.lock().cluster.all_requests(api::PRODUCE)
    });
    sim.finish(60 * SECOND).expect("everything ends");
    assert!(requests > 5, "{requests}");
    let expected: Vec<String> = core::iter::once("first".to_owned()).chain((0..200).map(|n| n.to_string())).collect();
    assert_eq!(values(&sim, 0), expected, "what was in the buffer is sent, in order");
}

/// Trap 107: everybody is gone for longer than the delivery timeout. What was in the buffer fails with its fate, and then
/// producer and consumer go on by themselves.
#[test]
fn an_outage_longer_than_the_delivery_timeout() {
    let mut sim = sim();
    let client = connected(&mut sim, config().request_timeout(2 * SECOND));
    let world = sim.world.clone();
    sim.block_on(120 * SECOND, async move {
        let producer = client.producer().delivery_timeout(5 * SECOND).build().expect("a producer");
        let mut consumer = client.consumer().assign([("t", 0)]).from(StartAt::Earliest).build().expect("a consumer");
        assert_eq!(send(&world, &producer, 0, "before").await, Ok(0));
        assert_eq!(op(&world, consumer.next()).await.expect("no error").expect("records").len(), 1);
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.kill(node)));
        sleep(&world, 10 * MS).await;
        for _ in 0..3 {
            let error = send(&world, &producer, 0, "during").await.expect_err("nobody is there");
            let Error::TimedOut { knob: "delivery_timeout_ms", fate: Fate::NotPersisted, .. } = error else {
                panic!("{error:?}")
            };
        }
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.start(node)));
        let before = world.lock().now();
        assert_eq!(send(&world, &producer, 0, "after").await, Ok(1));
        let records = op(&world, consumer.next()).await.expect("no error").expect("records");
        assert_eq!(records.to_owned()[0].value.as_deref(), Some(&b"after"[..]));
        let took = world.lock().now() - before;
        assert!(took < 3_000_000_000, "{took} ns to go on");
    });
    sim.finish(60 * SECOND).expect("everything ends");
    assert_eq!(values(&sim, 0), ["before", "after"]);
}

/// Trap 108: every handle is dropped while nobody answers. The driver ends when `close_timeout_ms` is over, and every
/// ticket has its fate by then.
#[test]
fn dropping_everything_is_bounded() {
    let mut sim = sim();
    let mut config = config();
    config.close_timeout_ms = 3_000;
    let client = connected(&mut sim, config);
    let world = sim.world.clone();
    let left: Rc<RefCell<Vec<Ticket>>> = Rc::default();
    let kept = Rc::clone(&left);
    sim.block_on(10 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        let consumer = client.consumer().topics(["t"]).build().expect("a consumer");
        assert_eq!(send(&world, &producer, 0, "before").await, Ok(0));
        inject(&world, api::PRODUCE, 100, Action::SilenceAfter);
        let enqueue = |n| producer.try_enqueue(Record::to("t").partition(n).value("sent")).expect("room");
        kept.borrow_mut().extend([enqueue(0), enqueue(1)]);
        sleep(&world, 100 * MS).await;
        drop((client, producer, consumer));
    });
    let before = sim.now();
    sim.finish(10 * SECOND).expect("everything ends");
    let took = sim.now() - before;
    assert!(took <= 3_200 * MS, "{took:?}");
    for ticket in left.borrow().iter() {
        let error = ticket.outcome().expect("it is settled").expect_err("nobody answered");
        assert!(matches!(error, Error::Closed { fate: Fate::MaybePersisted, .. }), "{error:?}");
    }
}

/// Several consumers share a client and little memory: none of them starves, though the others' fetches come back empty
/// at once.
#[test]
fn consumers_of_one_client_share_its_memory() {
    let mut sim = sim();
    sim.world.lock().change_cluster(|c| c.create_topic("idle", 3, 3));
    let mut small = config();
    small.memory = Memory { fetch_bytes: 40 << 10, ..Memory::default() };
    let reader = connected(&mut sim, small);
    let writer = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(30 * SECOND, async move {
        let mut idle = Vec::new();
        for _ in 0..2 {
            let builder = reader.consumer().topics(["idle"]).from(StartAt::Earliest).fetch_max_wait(MS);
            idle.push(builder.build().expect("a consumer"));
        }
        let mut consumer = reader.consumer().topics(["t"]).from(StartAt::Earliest).build().expect("a consumer");
        let producer = writer.producer().batch_bytes(4_000).build().expect("a producer");
        for n in 0..300 {
            let text = "x".repeat(500);
            let record = Record::to("t").partition(n % 3).value(&text);
            let _ticket = op(&world, producer.enqueue(record)).await.expect("room");
        }
        let before = world.lock().now();
        let mut seen = 0;
        while seen < 300 {
            seen += op(&world, consumer.next()).await.expect("no error").expect("records").len();
        }
        let took = world.lock().now() - before;
        assert!(took < 5_000_000_000, "{took} ns");
        drop(idle);
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// An old answer of Metadata leaves out the broker that is known to lead: the leader is believed for its epoch, and
/// looked for at once.
#[test]
fn a_leader_that_an_old_answer_leaves_out() {
    let mut sim = sim();
    let old: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    sim.world.lock().change_cluster(|c| c.kill(3));
    let mut config = config();
    config.metadata_max_age_ms = 10_000;
    let client = connected(&mut sim, config);
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        let keep = Arc::clone(&old);
        world.lock().on_answer = Some(Box::new(move |answer, frame| {
            let mut kept = keep.lock().expect("nobody panics");
            if answer.api_key == api::METADATA.key && kept.is_none() {
                *kept = Some(frame.clone());
            }
        }));
        assert_eq!(send(&world, &producer, 0, "0").await, Ok(0));
        world.lock().change_cluster(|c| {
            c.start(3);
            c.move_leader("t", 0, 3);
        });
        assert_eq!(send(&world, &producer, 0, "1").await, Ok(1));
        // Now the answer of before comes once more, which does not know broker 3: when metadata is ten seconds old.
        let mut stale = old.lock().expect("nobody panics").take();
        assert!(stale.is_some(), "metadata was asked for");
        let came = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&came);
        world.lock().on_answer = Some(Box::new(move |answer, frame| {
            if answer.api_key == api::METADATA.key
                && let Some(mut old) = stale.take()
            {
                count.fetch_add(1, Ordering::SeqCst);
                old[4..8].copy_from_slice(&frame[4..8]);
                *frame = old;
            }
        }));
        while came.load(Ordering::SeqCst) == 0 {
            sleep(&world, 100 * MS).await;
        }
        sleep(&world, 100 * MS).await;
        let before = world.lock().now();
        assert_eq!(send(&world, &producer, 0, "2").await, Ok(2));
        let took = world.lock().now() - before;
        assert!(took < 3_000_000_000, "{took} ns to find the leader again");
    });
    sim.finish(60 * SECOND).expect("everything ends");
}
