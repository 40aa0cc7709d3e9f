//! A client that begins with what an earlier one knew: the round trips that it saves, and what is out of date.

use alloc::{string::ToString, vec::Vec};
use core::{pin::pin, task::Poll};

use proptest::prelude::*;

use super::{Pair, Request, id, offset};
use crate::{
    Config, Error, ErrorCode, Producer, Record, StartAt, Ticket, WarmState,
    broker_role::produce_request::ProduceRequest, record::crc32c::crc32c, wire::api,
};

/// All answers are given by [`round_trip`].
fn by_hand(config: Config) -> Pair {
    let mut pair = Pair::with(config);
    pair.by_hand = [api::API_VERSIONS, api::METADATA, api::INIT_PRODUCER_ID, api::PRODUCE].map(|a| a.key).into();
    pair
}

/// Whatever is on its way to the brokers is answered, and nothing that the answers bring about. A request of a version that
/// the broker does not speak makes it hang up, as Kafka does; its answer to the greeting before it is lost with that, as it may
/// be. Whether there was anything.
fn round_trip(pair: &mut Pair) -> bool {
    pair.turn();
    let requests: Vec<Request> = pair.requests.drain(..).collect();
    let is_spoken = |pair: &Pair, request: &Request| {
        let (min, max) = pair.versions[&request.key];
        request.key == api::API_VERSIONS.key || (min..=max).contains(&request.version)
    };
    for request in &requests {
        if !is_spoken(pair, request) && pair.links().contains(&request.link) {
            pair.hang_up(request.link);
        }
    }
    for request in &requests {
        if !pair.links().contains(&request.link) {
            continue;
        }
        match request.key {
            key if key == api::API_VERSIONS.key => pair.greet(request),
            key if key == api::METADATA.key => pair.answer_metadata(request),
            key if key == api::INIT_PRODUCER_ID.key => pair.answer_identity(request, 7, 0),
            _ => answer_produce(pair, request),
        }
    }
    !requests.is_empty()
}

/// As a broker that leads some partitions of a topic with a certain id.
fn answer_produce(pair: &mut Pair, request: &Request) {
    let body: ProduceRequest<'_> = request.read();
    let asked = body.topic_data.iter().next().expect("a topic");
    let partition = asked.partition_data.iter().next().expect("a partition").index;
    let topic = pair.topic("t").clone();
    if !asked.topic_id.is_zero() && asked.topic_id != topic.id {
        pair.refuse(request, ErrorCode::UNKNOWN_TOPIC_ID);
    } else if topic.leaders[partition as usize].0 != request.node {
        pair.refuse(request, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    } else {
        pair.acknowledge(request, 9);
    }
}

/// Waits for a record's acknowledgement; how many round trips that took, back-offs not counted.
fn round_trips(pair: &mut Pair, ticket: &Ticket) -> usize {
    let mut trips = 0;
    for _ in 0..3_000 {
        if round_trip(pair) {
            trips += 1;
        } else {
            pair.advance_ms(1);
        }
        pair.turn();
        if ticket.outcome().is_some() {
            assert_eq!(offset(ticket), 9);
            return trips;
        }
    }
    panic!("never acknowledged");
}

/// A record for partition 1, whose leader is not the bootstrap broker, from a client that was just made.
fn first_record(pair: &mut Pair) -> (Producer, Ticket, usize) {
    let producer = pair.client().producer().build().expect("builds");
    let mut trips = 0;
    let ticket = loop {
        // Twice: what is known already is there after a turn without an answer.
        let tries = (0..2).find_map(|_| {
            pair.turn();
            producer.try_enqueue(Record::to("t").partition(1).value("a")).ok()
        });
        if let Some(ticket) = tries {
            break ticket;
        }
        match round_trip(pair) {
            true => trips += 1,
            false => pair.advance_ms(1),
        }
    };
    let trips = trips + round_trips(pair, &ticket);
    (producer, ticket, trips)
}

fn state_of(pair: &mut Pair) -> WarmState {
    let client = pair.client().clone();
    let mut asked = pin!(client.warm_state());
    assert!(pair.poll(asked.as_mut()).is_pending(), "the driver knows");
    pair.turn();
    match pair.poll(asked) {
        Poll::Ready(Ok(state)) => state,
        other => panic!("{other:?}"),
    }
}

fn configs() -> [Config; 2] {
    let mut single = Config::new("one:9001");
    single.single_connection = true;
    [Config::new("one:9001"), single]
}

/// What a client knows after its first acknowledgement, as another one gets it.
fn known(config: &Config) -> WarmState {
    let mut pair = by_hand(config.clone());
    let _kept = first_record(&mut pair);
    let state = state_of(&mut pair);
    let back = WarmState::from_bytes(&state.to_bytes()).expect("what was written can be read");
    assert!(back == state, "the same comes back");
    back
}

/// The figures that the documentation promises. TCP's own round trip, one a connection, is not among them.
#[test]
fn cold_takes_four_round_trips_and_warm_two() {
    for config in configs() {
        let (.., cold) = first_record(&mut by_hand(config.clone()));
        let (.., warm) = first_record(&mut by_hand(config.clone().warm_state(known(&config))));
        assert_eq!((cold, warm), (4, 2));
        // Whoever waits for the first contact has asked for metadata before a topic was known.
        let mut pair = by_hand(config.clone());
        let client = pair.client().clone();
        let mut waiting = 0;
        while pair.poll(pin!(client.connected())).is_pending() {
            assert!(round_trip(&mut pair));
            waiting += 1;
            pair.turn();
        }
        let (.., rest) = first_record(&mut pair);
        assert_eq!(waiting + rest, 5);
        // The leader of partition 0 is the broker that was asked first: it need not say again what it speaks.
        let mut pair = by_hand(config);
        let producer = pair.client().producer().build().expect("builds");
        assert!(producer.try_enqueue(Record::to("t").partition(0).value("a")).is_err());
        for _ in 0..2 {
            assert!(round_trip(&mut pair));
        }
        pair.turn();
        let ticket = producer.try_enqueue(Record::to("t").partition(0).value("a")).expect("its topic is known");
        assert_eq!(2 + round_trips(&mut pair, &ticket), 3);
    }
}

/// With one connection a broker, a warm client of one broker opens one in all; and it counts as connected before it has any.
#[test]
fn warm_opens_no_connection_that_it_does_not_use() {
    let [_, config] = configs();
    let one_broker = |config: &Config| {
        let mut pair = by_hand(config.clone());
        pair.nodes.truncate(1);
        pair.topic("t").leaders = [(1, 5), (1, 5)].into();
        pair
    };
    let mut old = one_broker(&config);
    let _kept = first_record(&mut old);
    let state = state_of(&mut old);
    let mut pair = one_broker(&config.warm_state(state));
    let client = pair.client().clone();
    pair.turn();
    assert!(pair.poll(pin!(client.connected())).is_ready() && pair.dialled.is_empty());
    let _kept = first_record(&mut pair);
    let dialled: Vec<_> = pair.dialled.iter().map(|(_, to)| to.to_string()).collect();
    assert_eq!(dialled, ["one:9001"]);
    assert_eq!(pair.count(api::METADATA), 0);
    // One that lives longer looks whether all that is still so.
    pair.advance_ms(1_100);
    round_trip(&mut pair);
    assert_eq!(pair.count(api::METADATA), 1);
    pair.advance_ms(5_000);
    assert_eq!(pair.count(api::METADATA), 1, "and then as often as any");
}

/// A consumer that knows its offset asks for records at once.
#[test]
fn a_warm_consumer_fetches_at_once() {
    let [config, _] = configs();
    let state = known(&config);
    let mut pair = Pair::with(config.warm_state(state));
    pair.by_hand.insert(api::API_VERSIONS.key);
    let consumer = pair.client().consumer().assign([("t", 1)]).from(StartAt::Offset(10)).build().expect("builds");
    let fetch = pair.expect(api::FETCH);
    assert_eq!((fetch.node, pair.wanted(&fetch)[0].2), (2, 10));
    assert_eq!(pair.count(api::METADATA), 0);
    drop(consumer);
}

/// Each way of being out of date: the record arrives all the same, once, and what is known then is right.
#[test]
fn what_is_out_of_date_heals_itself() {
    type Change = fn(&mut Pair);
    let changes: [(&str, Change); 7] = [
        ("the leader moved", |pair| pair.topic("t").leaders[1] = (3, 6)),
        ("the leader is gone", |pair| {
            pair.down.insert(2);
            pair.nodes.remove(1);
            pair.topic("t").leaders[1] = (1, 6);
        }),
        ("all brokers but that of the bootstrap list are others", |pair| {
            pair.down.extend([2, 3]);
            pair.nodes = [(1, "one".to_string(), 9_001), (4, "four".to_string(), 9_004)].into();
            pair.topic("t").leaders = [(1, 6), (4, 6), (4, 6)].into();
        }),
        ("brokers are older", |pair| {
            pair.versions.insert(api::PRODUCE.key, (3, 9));
            pair.versions.insert(api::INIT_PRODUCER_ID.key, (0, 2));
        }),
        ("brokers are newer", |pair| {
            pair.versions.insert(api::PRODUCE.key, (13, 99));
            pair.versions.insert(api::INIT_PRODUCER_ID.key, (1, 9));
        }),
        ("the topic was made anew", |pair| {
            pair.topic("t").id = id(9);
            pair.topic("t").leaders = [(2, 0), (2, 0), (2, 0)].into();
        }),
        ("another node has the address", |pair| {
            pair.nodes[1] = (5, "two".to_string(), 9_002);
            pair.topic("t").leaders[1] = (3, 6);
        }),
    ];
    for config in configs() {
        let mut old = by_hand(config.clone());
        old.versions.insert(api::INIT_PRODUCER_ID.key, (0, 5));
        let _kept = first_record(&mut old);
        let state = state_of(&mut old);
        for (what, change) in changes {
            let mut pair = by_hand(config.clone().warm_state(state.clone()));
            change(&mut pair);
            let (_producer, _ticket, trips) = first_record(&mut pair);
            let most = if what == "brokers are newer" { 2 } else { 9 };
            assert!(trips <= most, "{what}: {trips} round trips");
            let mut again = by_hand(config.clone().warm_state(state_of(&mut pair)));
            change(&mut again);
            let (.., trips) = first_record(&mut again);
            assert_eq!(trips, 2, "{what}: what was learnt is right");
        }
    }
}

/// A state that is not this client's: of another cluster, or larger than this config allows. It is as if there were none.
#[test]
fn a_state_that_does_not_suit_is_not_used() {
    let [config, _] = configs();
    let state = known(&config);
    let mut other = Config::new("two:9002");
    other.warm_state = Some(state.clone().into());
    let mut few = config.clone().warm_state(state.clone());
    few.max_brokers = 2;
    let mut small = config.clone().warm_state(state.clone());
    small.max_partitions = 2;
    for config in [other, few, small] {
        let mut pair = by_hand(config);
        let client = pair.client().clone();
        pair.turn();
        assert!(pair.poll(pin!(client.connected())).is_pending());
    }
    let nothing = state_of(&mut by_hand(config.clone()));
    let mut pair = by_hand(config.warm_state(WarmState::from_bytes(&nothing.to_bytes()).expect("empty, but sound")));
    let (.., trips) = first_record(&mut pair);
    assert_eq!(trips, 4);
}

/// The client has ended: nobody is left to tell.
#[test]
fn a_client_that_has_ended_tells_nothing() {
    let mut pair = Pair::new();
    let client = pair.client().clone();
    let mut early = pin!(client.warm_state());
    assert!(pair.poll(early.as_mut()).is_pending());
    pair.machine.end(pair.now());
    assert!(matches!(pair.poll(early), Poll::Ready(Err(Error::Closed { .. }))));
    assert!(matches!(pair.poll(pin!(client.warm_state())), Poll::Ready(Err(Error::Closed { .. }))));
}

/// Damage is found, wherever it is.
#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let [config, _] = configs();
    let bytes = known(&config).to_bytes();
    assert!(bytes.len() < 600, "{} bytes for three brokers and three partitions", bytes.len());
    for len in 0..bytes.len() {
        assert!(WarmState::from_bytes(&bytes[..len]).is_err(), "{len} bytes");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = WarmState::from_bytes(&bytes).expect_err("one bit is wrong");
        assert!(matches!(error, Error::Config { knob: "warm_state", .. }), "{error}");
    }
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(crc32c(&bytes).to_be_bytes());
    bytes
}

proptest! {
    /// Bytes with a sound head and checksum, but anything between: refused, or a client begins with it and comes to its record.
    #[test]
    fn any_bytes_do_no_harm(
        at in 0..400usize,
        junk in prop::collection::vec(any::<u8>(), 0..40),
        cut in any::<bool>(),
    ) {
        let [config, _] = configs();
        let mut bytes = known(&config).to_bytes();
        bytes.truncate(bytes.len() - 4);
        let at = 5 + at % (bytes.len() - 5);
        let end = if cut { bytes.len() } else { (at + junk.len()).min(bytes.len()) };
        bytes.splice(at..end, junk);
        if let Ok(state) = WarmState::from_bytes(&sealed(bytes)) {
            prop_assert!(WarmState::from_bytes(&state.to_bytes()) == Ok(state.clone()));
            let mut pair = by_hand(config.warm_state(state));
            // Addresses of nobody.
            pair.down.extend(10..=9_999);
            pair.turn();
        }
    }
}
