//! Connections: the greeting, answers that do not fit their requests, silence, pauses, and ends.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{pin::pin, task::Poll, time::Duration};

use super::{Pair, failure, offset};
use crate::{
    Acks, Config, Error, PeerFault, Producer, Record,
    broker_role::{
        api_versions_response::{ApiVersion, ApiVersionsResponse},
        produce_response::PartitionProduceResponse,
    },
    machine::Output,
    wire::{api, frame::response_frame},
};

/// A pair whose greeting the test answers.
fn greeting_by_hand() -> Pair {
    let mut pair = Pair::new();
    pair.by_hand.insert(api::API_VERSIONS.key);
    pair
}

/// Trap 2: a broker that does not know the version of the greeting says so in version 0, whatever was asked, with the
/// range that it knows. The same connection is greeted again with the best of that range.
#[test]
fn a_greeting_that_is_too_new_is_repeated_lower_on_the_same_connection() {
    let mut pair = greeting_by_hand();
    let first = pair.expect(api::API_VERSIONS);
    assert_eq!(first.version, 4);
    let range = [ApiVersion { api_key: api::API_VERSIONS.key, min_version: 0, max_version: 2 }];
    let body = ApiVersionsResponse { error_code: 35, api_keys: &range, ..Default::default() };
    let frame = response_frame(&body, 0, first.correlation_id).expect("encodes");
    pair.receive(first.link, &frame.bytes);
    let second = pair.expect(api::API_VERSIONS);
    assert_eq!((second.version, second.link), (2, first.link));
    pair.greet(&second);
    pair.turn();
    assert_eq!(pair.count(api::METADATA), 1, "and all is well");
    assert_eq!(pair.dialled.len(), 1);
}

/// Trap 2, the other form: a service that resets the connection on a version it does not know is dialled again and
/// greeted lower, as far down as it takes.
#[test]
fn a_peer_that_hangs_up_on_a_new_greeting_gets_an_older_one() {
    let mut pair = greeting_by_hand();
    let mut versions = Vec::new();
    for _ in 0..3 {
        let greeting = pair.await_request(api::API_VERSIONS, 2_000);
        versions.push(greeting.version);
        pair.hang_up(greeting.link);
    }
    assert_eq!(versions, [4, 3, 0]);
    let greeting = pair.await_request(api::API_VERSIONS, 3_000);
    pair.greet(&greeting);
    pair.turn();
    assert_eq!(pair.count(api::METADATA), 1);
}

/// The first metadata is asked for as soon as there is somebody to ask, not when the search's own pause is over.
#[test]
fn metadata_is_asked_for_the_moment_a_connection_is_ready() {
    let mut pair = greeting_by_hand();
    let greeting = pair.expect(api::API_VERSIONS);
    pair.advance_ms(3);
    pair.greet(&greeting);
    pair.turn();
    assert_eq!(pair.count(api::METADATA), 1);
}

/// Trap 3: whatever a broker claims of old versions, none is asked of it that it refuses in truth.
/// Trap 4: a broker's range decides, not a version that we would like best.
#[test]
fn versions_are_negotiated_by_range_with_a_floor_of_our_own() {
    for (range, expected) in [((0, 13), Some(13)), ((0, 9), Some(9)), ((2, 3), Some(3)), ((0, 2), None)] {
        let mut pair = Pair::new();
        pair.versions.insert(api::PRODUCE.key, range);
        let producer = pair.client().producer().build().expect("builds");
        let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
        pair.turn();
        match expected {
            Some(version) => assert_eq!(pair.expect(api::PRODUCE).version, version),
            None => {
                assert!(pair.take(api::PRODUCE).is_none());
                let Error::Peer { fault: PeerFault::NoCommonVersion { broker_max: 2, .. }, .. } = failure(&ticket)
                else {
                    panic!("{}", failure(&ticket))
                };
            }
        }
    }
}

/// Trap 9: an answer whose id is not the oldest request's ends the connection; what was open goes again elsewhere, and
/// the broker of the wrong id is not asked again at once.
#[test]
fn a_wrong_correlation_id_ends_the_connection() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let mut request = pair.expect(api::PRODUCE);
    let stamp = pair.batch(&request).stamp();
    request.correlation_id += 1;
    pair.acknowledge(&request, 7);
    pair.turn();
    assert!(pair.closed.contains(&request.link));
    assert!(ticket.outcome().is_none(), "the answer counts for nothing");
    let again = pair.await_request(api::PRODUCE, 1_000);
    assert_ne!(again.link, request.link);
    assert_eq!(pair.batch(&again).stamp(), stamp);
    pair.acknowledge(&again, 8);
    assert_eq!(offset(&ticket), 8);
}

/// Trap 9: a broker that swallows a request gets its time and not more. The connection ends, with everything behind the
/// silent request, and an answer that comes after that meets nobody.
#[test]
fn silence_ends_the_connection_and_a_late_answer_meets_nobody() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let swallowed = pair.expect(api::PRODUCE);
    pair.advance_ms(29_999);
    assert!(!pair.closed.contains(&swallowed.link));
    pair.advance_ms(1);
    assert!(pair.closed.contains(&swallowed.link));
    pair.acknowledge(&swallowed, 7);
    assert!(ticket.outcome().is_none());
    let again = pair.await_request(api::PRODUCE, 2_000);
    assert_ne!(again.link, swallowed.link, "a number is never used twice");
    pair.acknowledge(&again, 9);
    assert_eq!(offset(&ticket), 9);
}

/// Trap 12: acks 0 has no answer. The record is done with its request's last byte, and not with any before it.
#[test]
fn without_acks_a_record_is_done_with_its_last_byte() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().acks(Acks::None).build().expect("builds");
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    pair.turn();
    assert_eq!(offset(&first), -1);
    let link = pair.expect(api::PRODUCE).link;
    pair.stuck = true;
    let second = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    pair.turn();
    assert_eq!(pair.transmit_some(link, 20), 20);
    assert!(second.outcome().is_none());
    while pair.transmit_some(link, 1) == 1 {}
    assert_eq!(offset(&second), -1);
    pair.turn();
    assert!(!pair.closed.contains(&link), "nobody waits for an answer");
}

/// Trap 12: a peer that stops reading holds no batch for ever, though no answer is due: its connection has as long as
/// one that owes an answer.
#[test]
fn without_acks_a_peer_that_takes_nothing_is_given_up() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().acks(Acks::None).build().expect("builds");
    let warm = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    pair.turn();
    assert_eq!(offset(&warm), -1);
    let link = pair.expect(api::PRODUCE).link;
    pair.stuck = true;
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    pair.advance_ms(29_999);
    assert!(!pair.closed.contains(&link));
    pair.advance_ms(1);
    assert!(pair.closed.contains(&link));
    pair.stuck = false;
    pair.await_request(api::PRODUCE, 2_000);
    assert_eq!(offset(&ticket), -1, "it went another way");
}

/// Trap 81: after an answer that asks for a pause nothing more is sent on its connection until the pause is over, and
/// the requests behind it, which the broker leaves lying as long, are not taken for lost.
#[test]
fn a_pause_is_kept_and_is_no_silence() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    let second = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    let earlier = pair.expect(api::PRODUCE);
    pair.advance_ms(6);
    let third = pair.enqueue(&producer, Record::to("t").partition(0).value("c"));
    pair.advance_ms(6);
    let behind = pair.expect(api::PRODUCE);
    pair.answer_produce(&earlier, 50_000, |_, p| PartitionProduceResponse { base_offset: 1, ..p });
    let fourth = pair.enqueue(&producer, Record::to("t").partition(0).value("d"));
    pair.advance_ms(49_000);
    assert!(!pair.closed.contains(&request.link), "the broker said that it would be silent");
    assert!(pair.take(api::PRODUCE).is_none(), "muted");
    pair.acknowledge(&behind, 2);
    pair.advance_ms(1_000);
    let after = pair.expect(api::PRODUCE);
    assert_eq!(after.link, request.link);
    pair.acknowledge(&after, 3);
    assert_eq!([&first, &second, &third, &fourth].map(offset), [0, 1, 2, 3]);
}

/// Trap 102: a broker that refuses is dialled again later and later, never in a burst, and callers share each dial.
#[test]
fn a_broker_that_refuses_is_not_dialled_in_a_storm() {
    let mut pair = Pair::new();
    pair.down = [1, 2, 3].into();
    let producers: Vec<_> = (0..5).map(|_| pair.client().producer().build().expect("builds")).collect();
    for producer in &producers {
        assert!(producer.try_enqueue(Record::to("t").value("a")).is_err());
    }
    pair.advance(Duration::from_secs(60));
    let dials = pair.dialled.len();
    assert!((40..=90).contains(&dials), "{dials} dials in a minute, of at most 1.2 s between two");
    let attempts: Vec<u32> = pair.dialled.iter().map(|(_, to)| to.attempt).collect();
    let expected: Vec<u32> = (0..dials as u32).collect();
    assert_eq!(attempts, expected, "each try begins with another address of the name");
}

/// Trap 105: a broker closes connections that nobody has used for long. That is no failure: nobody is told, nothing
/// waits, and the next request finds a new connection at once.
#[test]
fn an_idle_close_is_not_a_failure() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().build().expect("builds");
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    assert_eq!(offset(&first), 0);
    pair.advance_ms(1_000);
    let asked = pair.count(api::METADATA);
    pair.hang_up(request.link);
    pair.turn();
    assert_eq!(pair.count(api::METADATA), asked, "no reason to suspect anything");
    let second = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    let again = pair.expect(api::PRODUCE);
    pair.acknowledge(&again, 1);
    assert_eq!(offset(&second), 1);
}

/// Trap 17: a broker whose metadata names an IPv6 literal is dialled by exactly that host, without brackets.
#[test]
fn an_ipv6_literal_from_metadata_is_dialled_as_it_is() {
    let mut pair = Pair::new();
    pair.nodes[1].1 = "::1".to_string();
    let producer = pair.client().producer().build().expect("builds");
    let _ticket = pair.enqueue(&producer, Record::to("t").partition(1).value("a"));
    pair.turn();
    let to = pair.dialled.iter().map(|(_, to)| to).find(|to| to.port == 9_002).expect("broker 2 was dialled");
    assert_eq!((to.host.as_str(), to.to_string().as_str()), ("::1", "[::1]:9002"));
}

/// Every dial and every error holds a host again, so that a broker with one that is no name, 32 KiB long, would fill memory that
/// is in no plan.
#[test]
fn a_host_that_is_longer_than_a_name_is_no_broker() {
    let dialled = |len: usize| {
        let mut pair = Pair::new();
        pair.nodes[1].1 = "h".repeat(len);
        let producer = pair.client().producer().build().expect("builds");
        let _ticket = pair.enqueue(&producer, Record::to("t").partition(1).value("a"));
        pair.turn();
        pair.dialled.iter().any(|(_, to)| to.port == 9_002)
    };
    assert!(dialled(255) && !dialled(256));
}

/// Trap 99: a broker is its node id. One that comes back elsewhere is dialled there, its old connection ends, and what
/// was under way is sent again with the same stamp.
#[test]
fn a_broker_that_moves_keeps_its_identity() {
    let mut config = Config::new("one:9001");
    config.metadata_max_age_ms = 5_000;
    let mut pair = Pair::with(config);
    let producer = pair.client().producer().build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(1).value("a"));
    let request = pair.expect(api::PRODUCE);
    assert_eq!(request.node, 2);
    let stamp = pair.batch(&request).stamp();
    // Broker 2 has moved to another port; broker 3 took over the address that it had.
    pair.nodes[1].2 = 9_022;
    pair.nodes[2].2 = 9_002;
    pair.advance(Duration::from_secs(6));
    assert!(pair.closed.contains(&request.link));
    let again = pair.await_request(api::PRODUCE, 2_000);
    assert_eq!((again.node, pair.batch(&again).stamp()), (22, stamp));
    pair.acknowledge(&again, 5);
    assert_eq!(offset(&ticket), 5);
}

/// A dial that never comes through ends in its time, and meanwhile the search does not wait for it alone.
#[test]
fn a_dial_that_never_comes_through_is_given_up() {
    let mut pair = Pair::new();
    pair.silent_dials = true;
    pair.advance_ms(9_999);
    assert!(pair.closed.is_empty());
    assert_eq!(pair.dialled.len(), 1);
    pair.advance_ms(1);
    assert_eq!(pair.closed.len(), 1);
}

/// What a record waits for while no broker answers is not its topic: the error says whom nobody could reach.
#[test]
fn without_a_cluster_the_network_is_the_reason() {
    let mut pair = Pair::new();
    pair.down = [1].into();
    let producer = pair.client().producer().max_block(Duration::from_millis(500)).build().expect("builds");
    let mut waits = core::pin::pin!(producer.enqueue(Record::to("t").value("a")));
    assert!(pair.poll(waits.as_mut()).is_pending());
    pair.advance_ms(600);
    let core::task::Poll::Ready(Err(refused)) = pair.poll(waits) else { panic!("its time is over") };
    let Error::TimedOut { because: Some(because), .. } = refused.error() else { panic!("{}", refused.error()) };
    assert!(matches!(**because, Error::Transport { .. }), "{because}");
}

/// A listener that wants SASL hangs up on who has not begun with it. So do a broker that stops and a bad network, some times: the
/// fourth time the peer is told of, and not asked again; and a connection that answers in between is all that is needed.
#[test]
fn who_hangs_up_on_every_first_request_is_told_soon() {
    for answers in [false, true] {
        let mut pair = Pair::with(Config::new("one:9001"));
        pair.by_hand.insert(api::METADATA.key);
        let client = pair.client().clone();
        let mut contact = pin!(client.connected());
        assert!(pair.poll(contact.as_mut()).is_pending());
        for _ in 0..3 {
            let request = pair.await_request(api::METADATA, 1_000);
            pair.hang_up(request.link);
            assert!(pair.poll(contact.as_mut()).is_pending());
        }
        let last = pair.await_request(api::METADATA, 1_000);
        if answers {
            pair.answer_metadata(&last);
            pair.turn();
            assert_eq!(pair.poll(contact.as_mut()), Poll::Ready(Ok(())));
            continue;
        }
        pair.hang_up(last.link);
        pair.turn();
        match pair.poll(contact.as_mut()) {
            Poll::Ready(Err(Error::Peer { address, fault: PeerFault::NoAnswer })) => assert_eq!(address, "one:9001"),
            other => panic!("{other:?}"),
        }
    }
}

/// A turn of the driver may have several passes, and only those in which something came in look at everything. What became due before
/// such another pass is told as due, not left out.
#[test]
fn what_becomes_due_between_two_passes_is_told() {
    let mut pair = Pair::with(Config::new("one:9001"));
    pair.down = [1].into();
    let client = pair.client().clone();
    let mut contact = pin!(client.connected());
    assert!(pair.poll(contact.as_mut()).is_pending());
    pair.turn();
    let later = pair.deadline.after(Duration::from_millis(1));
    pair.machine.begin(later);
    let Output::Timeout(when) = pair.machine.poll_output(later) else { panic!("nothing has come in") };
    assert!(when <= later, "it is due at {when:?}");
}

/// A grant that is missing does not come: who waits for a first contact or for a topic hears of it at once. Where another address
/// may be better later, they wait for that.
#[test]
fn what_is_denied_everywhere_is_told_at_once() {
    for (denied, down) in [(&[1, 2][..], &[][..]), (&[1], &[2])] {
        let mut pair = Pair::with(Config::new("one:9001,two:9002"));
        pair.denied.extend(denied);
        pair.down.extend(down);
        let client = pair.client().clone();
        let producer = client.producer().build().expect("builds");
        let mut contact = pin!(client.connected());
        let mut record = pin!(producer.send(Record::to("t").value("a")));
        assert!(pair.poll(contact.as_mut()).is_pending() && pair.poll(record.as_mut()).is_pending());
        let began = pair.now();
        let told = loop {
            pair.advance_ms(10);
            if let Poll::Ready(told) = pair.poll(contact.as_mut()) {
                break told;
            }
        };
        assert_eq!(told.as_ref().map_err(Error::is_retriable), Err(!down.is_empty()));
        let Err(Error::Transport { tried }) = told else { panic!("{told:?}") };
        let tried: Vec<String> = tried.iter().map(|(address, e)| format!("{address} {:?}", e.kind)).collect();
        let record = pair.poll(record.as_mut());
        if down.is_empty() {
            assert_eq!(tried, ["one:9001 PermissionDenied", "two:9002 PermissionDenied"]);
            assert!(matches!(record, Poll::Ready(Err(Error::Transport { .. }))), "{record:?}");
            assert!(pair.now().since(began) <= Duration::from_millis(10), "{:?}", pair.now());
        } else {
            assert_eq!(tried, ["one:9001 PermissionDenied", "two:9002 ConnectionRefused"]);
            assert!(record.is_pending(), "max_block_ms is longer");
            assert!(pair.now().since(began) >= Duration::from_millis(10_000), "{:?}", pair.now());
        }
    }
    let mut pair = Pair::with(Config::new("one:9001,two:9002"));
    pair.denied.insert(1);
    pair.turn();
    let client = pair.client().clone();
    assert!(matches!(pair.poll(pin!(client.connected())), Poll::Ready(Ok(()))));
}

/// A producer to one broker, with one connection for everything.
fn over_one_connection() -> (Pair, Producer) {
    let mut config = Config::new("one:9001");
    config.single_connection = true;
    let mut pair = Pair::with(config);
    pair.nodes.truncate(1);
    pair.topic("t").leaders.truncate(1);
    let producer = pair.client().producer().build().expect("builds");
    (pair, producer)
}

/// With one connection for everything a cluster of one broker has one, for the bootstrap list's entry and the node alike,
/// whichever of them was dialled.
#[test]
fn a_single_connection_is_the_bootstraps_too() {
    let (mut pair, producer) = over_one_connection();
    let ticket = pair.enqueue(&producer, Record::to("t").value("a"));
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.dialled.len(), 1);
    // The node rests; its entry of the bootstrap list does not, and is dialled for metadata.
    pair.hang_up(request.link);
    let request = pair.await_request(api::PRODUCE, 2_000);
    pair.acknowledge(&request, 7);
    pair.turn();
    assert_eq!((offset(&ticket), pair.links().len(), pair.dialled.len()), (7, 1, 2));
}

/// Trap 102: with one connection for everything, a dial that fails counts against whoever was dialled: while both the node and its
/// entry of the bootstrap list are wanted and refused, each rests.
#[test]
fn a_single_connection_that_is_refused_rests() {
    let (mut pair, producer) = over_one_connection();
    let ticket = pair.enqueue(&producer, Record::to("t").value("a"));
    let request = pair.expect(api::PRODUCE);
    pair.down.insert(1);
    pair.hang_up(request.link);
    pair.advance_ms(10_000);
    // Waits double from 100 ms to a second, for each of the two.
    assert!((10..=40).contains(&pair.dialled.len()), "{} dials in ten seconds", pair.dialled.len());
    pair.down.clear();
    let request = pair.await_request(api::PRODUCE, 2_000);
    pair.acknowledge(&request, 7);
    pair.turn();
    assert_eq!((offset(&ticket), pair.links().len()), (7, 1));
}
