//! How long fetches wait that others may stand behind, and so how seldom a client wakes that has nothing to do.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Pair, Request,
    broker::batch_of,
    fetching::{records, values},
};
use crate::{
    Config, Consumer, Error, Record, StartAt,
    broker_role::fetch_request::FetchRequest,
    wire::{Api, api},
};

/// What the other party answers by itself, in its turn.
const BEHIND: [Api; 2] = [api::METADATA, api::INIT_PRODUCER_ID];

/// One broker, one connection, and a consumer that lets it wait for long.
fn single(set: impl FnOnce(&mut Config)) -> (Pair, Consumer) {
    let mut config = Config::new("one:9001");
    (config.single_connection, config.shared_wait_max_ms) = (true, 500);
    set(&mut config);
    let mut pair = Pair::with(config);
    pair.nodes.truncate(1);
    pair.topic("t").leaders.truncate(1);
    let consumer = consumer(&pair);
    pair.turn();
    // From here on what stands behind a fetch is answered after it.
    pair.by_hand.extend(BEHIND.map(|api| api.key));
    (pair, consumer)
}

fn consumer(pair: &Pair) -> Consumer {
    let builder = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(10));
    builder.fetch_max_wait(Duration::from_secs(20)).build().expect("builds")
}

fn wait_of(request: &Request) -> i32 {
    request.read::<FetchRequest<'_>>().max_wait_ms
}

/// As a broker does that has nothing: it waits as long as it may.
fn nothing_comes(pair: &mut Pair, request: &Request) {
    pair.advance_ms(wait_of(request) as u64);
    pair.answer_fetch(request, 77, 0, &[]);
    while let Some(behind) = BEHIND.into_iter().find_map(|api| pair.take(api)) {
        pair.answer_by_itself(&behind);
    }
    pair.turn();
}

/// The waits of the next fetches, of which none brings anything.
fn waits(pair: &mut Pair, count: usize) -> Vec<i32> {
    let one = |pair: &mut Pair| {
        let request = pair.expect(api::FETCH);
        nothing_comes(pair, &request);
        wait_of(&request)
    };
    (0..count).map(|_| one(pair)).collect()
}

/// A fetch waits as long as the rest before it was, so that nothing stands behind it for long; whatever else is asked, or comes,
/// makes it short again.
#[test]
fn fetches_that_others_stand_behind_wait_longer_while_nothing_happens() {
    let (mut pair, mut consumer) = single(|_| ());
    assert_eq!(waits(&mut pair, 6), [50, 100, 200, 400, 500, 500]);
    // A record: it stands behind the fetch that waits, and the next ones are short.
    let producer = pair.client().producer().build().expect("builds");
    let _ticket = pair.enqueue(&producer, Record::to("t").value("a"));
    let behind = pair.expect(api::FETCH);
    assert_eq!(wait_of(&behind), 500);
    nothing_comes(&mut pair, &behind);
    assert_eq!(waits(&mut pair, 1), [50]);
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 7);
    assert_eq!(waits(&mut pair, 3), [50, 100, 200]);
    // A fetch that brings something.
    let request = pair.expect(api::FETCH);
    assert_eq!(wait_of(&request), 400);
    pair.bring(&request, 77, 0, &batch_of(10, &["a"]));
    pair.turn();
    assert_eq!(values(&records(&pair, &mut consumer)), ["a"]);
    assert_eq!(waits(&mut pair, 3), [50, 100, 200]);
}

/// How long that may be is the user's choice. Half of the request timeout is left for what stands behind, and a connection that
/// nothing stands behind waits as long as it may from the first fetch on.
#[test]
fn how_long_is_a_setting() {
    let (mut pair, _consumer) = single(|c| c.shared_wait_max_ms = Config::new("").shared_wait_max_ms);
    assert_eq!(waits(&mut pair, 3), [50, 50, 50]);
    let (mut pair, _consumer) = single(|c| c.shared_wait_max_ms = 7);
    assert_eq!(waits(&mut pair, 3), [7, 7, 7]);
    let (mut pair, _consumer) = single(|c| (c.shared_wait_max_ms, c.request_timeout_ms) = (60_000, 6_000));
    assert_eq!(waits(&mut pair, 9)[5..], [1_600, 3_000, 3_000, 3_000]);
    let (mut pair, _consumer) = single(|c| c.single_connection = false);
    assert_eq!(waits(&mut pair, 2), [20_000, 20_000]);
    let config = Config::new("one:9001").shared_wait_max(Duration::ZERO);
    assert!(matches!(config.check(), Err(Error::Config { knob: "shared_wait_max_ms", .. })));
}

/// Several consumers stand behind each other. What one of them reads keeps the others' waits short.
#[test]
fn consumers_that_share_a_connection_let_each_other_pass() {
    let (mut pair, mut first) = single(|c| c.single_connection = false);
    let _second = consumer(&pair);
    // Of their first fetches one was asked before there was another consumer; then both rest.
    for _ in 0..8 {
        let request = pair.expect(api::FETCH);
        nothing_comes(&mut pair, &request);
    }
    let (one, other) = (pair.expect(api::FETCH), pair.expect(api::FETCH));
    assert!(wait_of(&one) >= 400 && wait_of(&other) >= 400, "{} {}", wait_of(&one), wait_of(&other));
    pair.bring(&one, 77, 0, &batch_of(10, &["a"]));
    pair.turn();
    nothing_comes(&mut pair, &other);
    let again = [pair.expect(api::FETCH), pair.expect(api::FETCH)].map(|r| wait_of(&r));
    assert_eq!(again, [50, 50]);
    drop((records(&pair, &mut first), first));
}

/// Ten minutes in which nothing happens but that metadata is renewed, by what the driver is woken for.
#[test]
fn who_rests_fetches_seldom() {
    let fetches = |set: fn(&mut Config)| {
        let (mut pair, _consumer) = single(set);
        let end = pair.now().after(Duration::from_secs(600));
        while pair.now() < end {
            let request = pair.expect(api::FETCH);
            nothing_comes(&mut pair, &request);
        }
        pair.count(api::FETCH)
    };
    let (usual, longer, long) =
        (fetches(|c| c.shared_wait_max_ms = 50), fetches(|_| ()), fetches(|c| c.shared_wait_max_ms = 15_000));
    assert!((11_900..12_100).contains(&usual), "{usual} fetches");
    assert!((1_200..1_230).contains(&longer), "{longer} fetches");
    assert!((40..70).contains(&long), "{long} fetches");
}
