//! What a user meets when something is wrong: a typed error that says what, where and which setting, in time, while
//! everybody else goes on and nothing that was acknowledged is lost.

use std::time::Duration;

use crate::common::{SECOND, config, connected, empty, inject, send, sim, values};
use klamm::error::PeerFault;
use klamm::wire::api;
use klamm::{Class, Config, Error, ErrorCode, Fate, Memory, Phase, Record, StartAt};
use klamm_broker::Action;
use klamm_sim::{Fixed, Listener, Sim, op, sleep};

/// `connect` gives up after `connect_timeout_ms`, whatever is wrong.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a client does not find a cluster, and after how long.
fn refusal(sim: &mut Sim, config: Config) -> (Error, Duration) {
    let client = sim.client(config).expect("a sound config");
    let (world, before) = (sim.world.clone(), sim.now());
    let error = sim.block_on(20 * SECOND, async move {
        let error = op(&world, client.connected()).await.expect_err("there is no cluster");
        drop(client);
        error
    });
    let after = sim.now() - before;
    sim.finish(60 * SECOND).expect("everything ends");
    (error, after)
}

/// Puts something else where broker 1 is.
fn replace(sim: &Sim, listener: Listener) {
    sim.world.lock().names.insert(("broker-1".into(), 9092), vec![listener]);
}

/// A peer that says `answer` to the first bytes that come, and then closes or is silent.
fn answers(answer: &[u8], close: bool) -> Listener {
    let answer = answer.to_vec();
    Listener::script(move || Fixed { greeting: Vec::new(), answer: Some(answer.clone()), close })
}

/// Whether all of these are in the error's text.
fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn nobody_listens() {
    let mut sim = empty();
    replace(&sim, Listener::Nobody);
    let (error, after) = refusal(&mut sim, Config::new("broker-1:9092,nowhere.example:9092"));
    let Error::Transport { tried, .. } = &error else { panic!("{error:?}") };
    assert_eq!(tried.len(), 2, "{tried:?}");
    says(&error, &["broker-1:9092", "connection refused", "nowhere.example:9092", "name look-up failed"]);
    assert!(tried.iter().any(|(_, e)| e.phase == Phase::Resolve));
    assert!(after <= CONNECT + SECOND, "{after:?}");
}

#[test]
fn a_host_that_swallows_packets() {
    let mut sim = empty();
    replace(&sim, Listener::Down);
    let (error, after) = refusal(&mut sim, config());
    assert!(matches!(error, Error::TimedOut { knob: "connect_timeout_ms", .. }), "{error:?}");
    says(&error, &["broker-1:9092", "10s"]);
    assert!(after <= CONNECT + SECOND, "{after:?}");
}

#[test]
fn an_http_server() {
    let mut sim = empty();
    replace(&sim, answers(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", true));
    let (error, after) = refusal(&mut sim, config());
    assert!(matches!(&error, Error::Peer { fault: PeerFault::OtherProtocol("HTTP"), .. }), "{error:?}");
    says(&error, &["broker-1:9092", "answered in HTTP, not in Kafka's protocol"]);
    assert!(after <= CONNECT + SECOND, "{after:?}");
}

/// A TLS server's alert, in one piece and byte by byte.
#[test]
fn a_tls_server() {
    for chunks in [klamm_sim::Chunks::Whole, klamm_sim::Chunks::Bytes] {
        let mut sim = empty();
        sim.world.lock().network.chunks = vec![chunks];
        replace(&sim, answers(&[0x15, 3, 3, 0, 2, 2, 70], true));
        let (error, after) = refusal(&mut sim, config());
        assert!(matches!(&error, Error::Peer { fault: PeerFault::OtherProtocol("TLS"), .. }), "{error:?}");
        says(&error, &["broker-1:9092", "answered in TLS"]);
        assert!(after <= CONNECT + SECOND, "{after:?}");
    }
}

#[test]
fn a_peer_that_closes_at_once() {
    let mut sim = empty();
    replace(&sim, Listener::script(|| Fixed { greeting: Vec::new(), answer: None, close: true }));
    let (error, after) = refusal(&mut sim, config());
    assert!(matches!(&error, Error::Peer { fault: PeerFault::NoGreeting, .. }), "{error:?}");
    says(&error, &["broker-1:9092", "closed the connection before it answered ApiVersions"]);
    assert!(after <= CONNECT + SECOND, "{after:?}");
}

#[test]
fn a_peer_that_answers_garbage() {
    // A length that nothing has; an answer that is too short to be one; a good length and then noise.
    let noise: Vec<u8> = [0, 0, 0, 60].into_iter().chain((0..60).map(|n: u8| n.wrapping_mul(167))).collect();
    for garbage in [&b"\xff\xff\xff\xff rubbish"[..], &[0, 0, 0, 2, 1, 2], &noise] {
        let mut sim = empty();
        replace(&sim, answers(garbage, false));
        let (error, after) = refusal(&mut sim, config());
        let Error::Peer { address, fault, .. } = &error else { panic!("{error:?}") };
        assert_eq!(address, "broker-1:9092");
        let named = matches!(
            fault,
            PeerFault::FrameLength { .. } | PeerFault::Malformed { .. } | PeerFault::Correlation { .. }
        );
        assert!(named, "{fault:?}");
        assert!(after <= CONNECT + SECOND, "{after:?}");
    }
}

#[test]
fn a_peer_that_never_answers() {
    let mut sim = empty();
    replace(&sim, Listener::script(|| Fixed { greeting: Vec::new(), answer: None, close: false }));
    let (error, after) = refusal(&mut sim, config());
    assert!(matches!(error, Error::TimedOut { knob: "connect_timeout_ms", .. }), "{error:?}");
    says(&error, &["broker-1:9092", "connect_timeout_ms", "10s"]);
    assert!(after <= CONNECT + SECOND, "{after:?}");
}

/// A broker that cannot be told from a good one but for one answer: the connection ends, the record is sent again and
/// is in the log once. Its neighbours are not held up.
fn one_bad_answer(api_key: i16, spoil: fn(&mut Vec<u8>)) {
    let mut sim = sim();
    let client = connected(&mut sim, config().request_timeout(SECOND));
    let world = sim.world.clone();
    sim.block_on(30 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "first").await, Ok(0));
        }
        let mut left = 1;
        world.lock().on_answer = Some(Box::new(move |answer, frame| {
            if answer.api_key == api_key && left > 0 {
                left -= 1;
                spoil(frame);
            }
        }));
        let before = world.lock().now();
        // A topic that nobody knows has metadata asked for.
        let _ = producer.try_enqueue(Record::to("missing").value("v"));
        let enqueue = |partition| producer.try_enqueue(Record::to("t").partition(partition).value("second"));
        let (spoilt, other) = (enqueue(0).expect("room"), enqueue(1).expect("room"));
        let mut consumer = client.consumer().assign([("t", 0)]).from(StartAt::Earliest).build().expect("a consumer");
        assert_eq!(op(&world, other).await.map(|m| m.offset()), Ok(1));
        assert_eq!(op(&world, spoilt).await.map(|m| m.offset()), Ok(1));
        let mut seen = 0;
        while seen < 2 {
            seen += op(&world, consumer.next()).await.expect("no error").expect("records").len();
        }
        let took = world.lock().now() - before;
        // A fetch may be larger than what there is room for: that of 2 GiB is read, and thrown away, for a while.
        assert!(took < 3_000_000_000, "a bad answer costs a back-off, or at worst the request's time: {took} ns");
    });
    sim.finish(60 * SECOND).expect("everything ends");
    assert_eq!(values(&sim, 0), ["first", "second"]);
    assert_eq!(values(&sim, 1), ["first", "second"]);
}

/// Traps 9 and 11: ids, lengths and counts that lie.
#[test]
fn a_broker_that_lies_once() {
    type Lie = (&'static str, fn(&mut Vec<u8>));
    let lies: [Lie; 6] = [
        ("another id", |frame| frame[4..8].copy_from_slice(&7_777_i32.to_be_bytes())),
        ("the longest frame", |frame| frame[..4].copy_from_slice(&i32::MAX.to_be_bytes())),
        ("a negative length", |frame| frame[..4].copy_from_slice(&(-1_i32).to_be_bytes())),
        // Everything behind the id is as large as it can be: counts, lengths, varints.
        ("ones", |frame| frame[8..].fill(0xff)),
        ("large counts", |frame| frame[8..].fill(0x7f)),
        ("half of it", |frame| {
            let half = 4 + (frame.len() - 4) / 2;
            frame.truncate(half);
            frame[..4].copy_from_slice(&(half as i32 - 4).to_be_bytes());
        }),
    ];
    for api in [api::PRODUCE, api::FETCH, api::LIST_OFFSETS, api::METADATA] {
        for (lie, spoil) in lies {
            println!("{}: {lie}", api.name);
            one_bad_answer(api.key, spoil);
        }
    }
}

/// A request that is never answered ends its connection after `request_timeout_ms`; other brokers go on meanwhile.
#[test]
fn a_broker_that_falls_silent() {
    let mut sim = sim();
    let client = connected(&mut sim, config().request_timeout(2 * SECOND));
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "first").await, Ok(0));
        }
        inject(&world, api::PRODUCE, 1, Action::Silence);
        let held = producer.try_enqueue(Record::to("t").partition(0).value("held")).expect("room");
        sleep(&world, Duration::from_millis(10)).await;
        let before = world.lock().now();
        assert_eq!(send(&world, &producer, 1, "second").await, Ok(1));
        assert!(world.lock().now() - before < 100_000_000, "another broker was held up");
        assert_eq!(op(&world, held).await.map(|m| m.offset()), Ok(1));
        let took = world.lock().now() - before;
        assert!((1_900_000_000..4_000_000_000).contains(&took), "{took} ns");
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

#[test]
fn an_unknown_topic() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().max_block(3 * SECOND).build().expect("a producer");
        let refused = producer.try_enqueue(Record::to("missing").value("v")).expect_err("not known yet");
        assert!(refused.error().is_retriable(), "{refused:?}");
        let before = world.lock().now();
        let known = send(&world, &producer, 0, "first").await;
        assert_eq!(known, Ok(0), "a topic that is there is not held up");
        let error = op(&world, producer.send(Record::to("missing").value("v"))).await.expect_err("no such topic");
        let Error::TimedOut { knob: "max_block_ms", fate: Fate::NotPersisted, because: Some(why), .. } = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(**why, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{why:?}");
        says(&error, &["missing", "3s", "max_block_ms", "UNKNOWN_TOPIC_OR_PARTITION"]);
        assert!(world.lock().now() - before < 4_000_000_000);
        let error = op(&world, producer.send(Record::to("t").partition(3).value("v"))).await.expect_err("three only");
        assert!(matches!(error, Error::Config { knob: "partition", .. }), "{error:?}");
        says(&error, &["t has partitions 0 to 2, not 3"]);
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

#[test]
fn an_invalid_topic_name() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for name in ["", "a b", "..", &"x".repeat(250)] {
            let error = op(&world, producer.send(Record::to(name).value("v"))).await.expect_err("no broker takes it");
            assert!(matches!(error, Error::Config { knob: "topic", .. }), "{error:?}");
        }
        let mut consumer = client.consumer().topics(["a b"]).build().expect("a consumer");
        let error = op(&world, consumer.next()).await.expect_err("no broker has it");
        assert!(matches!(error, Error::Config { knob: "topic", .. }), "{error:?}");
        says(&error, &["a b", "may only have letters"]);
        assert_eq!(send(&world, &producer, 0, "good").await, Ok(0));
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// Larger than the producer may send, and larger than the topic may take.
#[test]
fn a_record_that_is_too_large() {
    let mut sim = sim();
    sim.world.lock().change_cluster(|c| c.create_topic_with("small", 1, 1, &[("max.message.bytes", "500")]));
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(5 * SECOND, async move {
        let producer = client.producer().batch_bytes(10_000).build().expect("a producer");
        let error = send(&world, &producer, 0, &"x".repeat(10_001)).await.expect_err("too large for a batch");
        let Error::TooLarge { because, .. } = &error else { panic!("{error:?}") };
        assert!(matches!(**because, Error::Budget { knob: "batch_bytes", limit: 10_000, .. }), "{because:?}");
        says(&error, &["a record to t is too large", "batch_bytes"]);
        let large = "x".repeat(1_000);
        let record = Record::to("small").value(&large);
        let error = op(&world, producer.send(record)).await.expect_err("too large for the topic");
        assert!(matches!(error, Error::Broker { code: ErrorCode::MESSAGE_TOO_LARGE, .. }), "{error:?}");
        says(&error, &["small-0", "max.message.bytes", "batch_bytes"]);
        assert_eq!(error.fate(), Fate::NotPersisted);
        let meta = op(&world, producer.send(Record::to("small").value("fits"))).await.expect("the next one goes");
        assert_eq!(meta.offset(), 0);
        assert_eq!(send(&world, &producer, 0, "good").await, Ok(0));
    });
    sim.finish(60 * SECOND).expect("everything ends");
}

/// The buffer is full because nobody takes anything: refused at once, or after `max_block_ms`. Room that comes back wakes
/// who waits, and what was in the buffer is written, once and in order.
#[test]
fn a_full_buffer() {
    let mut sim = sim();
    let memory = Memory { produce_bytes: 8 << 10, ..Memory::default() };
    let mut config = config();
    config.memory = memory;
    let client = connected(&mut sim, config);
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let producer = client.producer().batch_bytes(1_000).max_block(2 * SECOND).build().expect("a producer");
        assert_eq!(send(&world, &producer, 0, "0").await, Ok(0));
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.kill(node)));
        let mut tickets = Vec::new();
        let error = loop {
            let text = format!("{}", tickets.len() + 1);
            match producer.try_enqueue(Record::to("t").partition(0).key(&[0; 200]).value(&text)) {
                Ok(ticket) => tickets.push(ticket),
                Err(refused) => break refused.into_error(),
            }
        };
        assert!(
            matches!(error, Error::Budget { class: Class::Produce, knob: "memory.produce_bytes", .. }),
            "{error:?}"
        );
        assert!(error.is_retriable());
        says(&error, &["produce memory", "8192", "memory.produce_bytes"]);
        let before = world.lock().now();
        let record = Record::to("t").partition(0).key(&[0; 200]).value("never");
        let error = op(&world, producer.enqueue(record)).await.expect_err("no room comes").into_error();
        let Error::TimedOut { knob: "max_block_ms", fate: Fate::NotPersisted, because: Some(why), .. } = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(**why, Error::Budget { class: Class::Produce, .. }), "{why:?}");
        let took = world.lock().now() - before;
        assert!((2_000_000_000..2_100_000_000).contains(&took), "{took} ns");
        let back = world.lock().now() + 500_000_000;
        world.lock().at(back, |w| w.change_cluster(|c| (1..=3).for_each(|node| c.start(node))));
        let text = format!("{}", tickets.len() + 1);
        let record = Record::to("t").partition(0).key(&[0; 200]).value(&text);
        let last = op(&world, producer.enqueue(record)).await.expect("room has come");
        tickets.push(last);
        for (at, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(op(&world, ticket).await.map(|m| m.offset()), Ok(at as i64 + 1));
        }
    });
    sim.finish(60 * SECOND).expect("everything ends");
    let log = values(&sim, 0);
    let expected: Vec<String> = (0..log.len()).map(|n| n.to_string()).collect();
    assert_eq!(log, expected);
    assert!(log.len() > 10, "{}", log.len());
}

/// Trap 49 from the user's side: a record that ran out of time says whether it may be in the log.
#[test]
fn a_delivery_timeout() {
    let mut sim = sim();
    let client = connected(&mut sim, config().request_timeout(SECOND));
    let world = sim.world.clone();
    sim.block_on(120 * SECOND, async move {
        let producer = client.producer().delivery_timeout(3 * SECOND).build().expect("a producer");
        for partition in 0..3 {
            assert_eq!(send(&world, &producer, partition, "first").await, Ok(0));
        }
        // It is applied, and nobody ever hears of it.
        world.lock().cluster.inject(klamm_broker::Fault {
            api: api::PRODUCE,
            node: Some(1),
            count: 100,
            action: Action::SilenceAfter,
        });
        let before = world.lock().now();
        let error = send(&world, &producer, 0, "maybe").await.expect_err("no answer comes");
        let Error::TimedOut { knob: "delivery_timeout_ms", fate: Fate::MaybePersisted, .. } = &error else {
            panic!("{error:?}")
        };
        says(&error, &["t-0", "3s", "delivery_timeout_ms"]);
        let took = world.lock().now() - before;
        assert!((3_000_000_000..3_200_000_000).contains(&took), "{took} ns");
        assert_eq!(send(&world, &producer, 1, "second").await, Ok(1), "another broker's partition");
        world.lock().cluster.clear_faults();
        // Nobody leads it: surely never sent.
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.kill(node)));
        sleep(&world, Duration::from_millis(10)).await;
        let error = send(&world, &producer, 2, "not").await.expect_err("nobody is there");
        let Error::TimedOut { knob: "delivery_timeout_ms", fate: Fate::NotPersisted, because: Some(_), .. } = &error
        else {
            panic!("{error:?}")
        };
        says(&error, &["t-2", "broker-"]);
        world.lock().change_cluster(|c| (1..=3).for_each(|node| c.start(node)));
        assert!(send(&world, &producer, 0, "later").await.is_ok());
        assert_eq!(send(&world, &producer, 2, "later").await, Ok(1));
    });
    sim.finish(60 * SECOND).expect("everything ends");
    assert_eq!(values(&sim, 0), ["first", "maybe", "later"]);
    assert_eq!(values(&sim, 1), ["first", "second"]);
    assert_eq!(values(&sim, 2), ["first", "later"]);
}

/// Settings that cannot work are refused before anything happens, by name.
#[test]
fn a_budget_that_is_too_small() {
    let mut sim = sim();
    let tiny = Memory { control_bytes: 2_000, ..Memory::default() };
    let mut small = config();
    small.memory = tiny;
    let error = sim.client(small).expect_err("nothing fits");
    assert!(matches!(error, Error::Config { knob: "memory.control_bytes", .. }), "{error:?}");
    says(&error, &["2000 bytes do not hold", "max_partitions"]);

    let mut small = config();
    small.memory = Memory { produce_bytes: 64 << 10, fetch_bytes: 1_000, ..Memory::default() };
    let client = sim.client(small).expect("enough for a client");
    client.producer().build().expect("the default is scaled to what there is");
    let error = client.producer().batch_bytes(1_000_000).build().expect_err("a batch does not fit");
    assert!(matches!(error, Error::Config { knob: "batch_bytes", .. }), "{error:?}");
    says(&error, &["1000000 do not fit into memory.produce_bytes, which is 65536"]);
    let error = client.consumer().topics(["t"]).build().expect_err("a fetch does not fit");
    assert!(matches!(error, Error::Config { knob: "memory.fetch_bytes", .. }), "{error:?}");
    drop(client);
    sim.finish(60 * SECOND).expect("everything ends");
}

/// Trap 21: a batch that the Fetch class can never hold is named once, with what a seek must pass; other partitions go
/// on, and it is not fetched again and again.
#[test]
fn a_batch_that_never_fits() {
    let mut sim = sim();
    let writer = connected(&mut sim, config());
    let mut small = config();
    small.memory = Memory { fetch_bytes: 20_000, ..Memory::default() };
    let reader = connected(&mut sim, small);
    let world = sim.world.clone();
    sim.block_on(30 * SECOND, async move {
        let producer = writer.producer().build().expect("a producer");
        assert_eq!(send(&world, &producer, 0, &"x".repeat(40_000)).await, Ok(0));
        assert_eq!(send(&world, &producer, 0, "after").await, Ok(1));
        assert_eq!(send(&world, &producer, 1, "beside").await, Ok(0));
        let mut consumer = reader.consumer().topics(["t"]).from(StartAt::Earliest).build().expect("a consumer");
        let (mut beside, mut error) = (false, None);
        while !beside || error.is_none() {
            match op(&world, consumer.next()).await {
                Ok(records) => beside |= records.expect("not closed").partition() == 1,
                Err(e) => error = Some(e),
            }
        }
        let error = error.expect("it was told");
        let Error::TooLarge { because, .. } = &error else { panic!("{error:?}") };
        assert!(matches!(**because, Error::Budget { class: Class::Fetch, knob: "memory.fetch_bytes", .. }));
        says(&error, &["t-0", "offset 0", "memory.fetch_bytes"]);
        let fetches = world.lock().cluster.all_requests(api::FETCH);
        sleep(&world, 10 * SECOND).await;
        let more = world.lock().cluster.all_requests(api::FETCH) - fetches;
        assert!(more < 100, "{more} fetches in 10 s of nothing");
        consumer.seek("t", 0, StartAt::Offset(1)).expect("it is read here");
        let records = op(&world, consumer.next()).await.expect("no error").expect("records");
        assert_eq!(records.to_owned()[0].value.as_deref(), Some(&b"after"[..]));
    });
    sim.finish(60 * SECOND).expect("everything ends");
}
