//! Against rustls' own server, over a wire that the test bends.

mod peer;
mod refusals;
mod settings;

use alloc::{vec, vec::Vec};
use core::task::{Context, Poll, Waker};

use super::stream::HANDSHAKE;
use crate::{ByteStream, Phase, TlsFault};
use peer::{BOTH, Setup};

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 31 % 251) as u8).collect()
}

/// Both versions, with what comes and goes in pieces of every kind.
#[test]
fn bytes_go_and_come_whatever_the_pieces() {
    for version in BOTH {
        for (most, slice, buffer) in [(0, 1 << 20, 1 << 20), (1, 700, 300), (7, 1, 1), (5_000, 100, 4_096)] {
            let mut setup = Setup::new();
            setup.versions = core::slice::from_ref(version);
            let mut peer = setup.peer();
            peer.wire.0.borrow_mut().most = most;
            let mut client = setup.client(&peer);
            peer.shake(&mut client).expect("a handshake");
            let sent = bytes(40_000);
            peer.write(&mut client, &sent, slice);
            assert!(peer.heard == sent, "{version:?}, {most} bytes a call, slices of {slice}");
            peer.say(&sent);
            assert!(peer.read(&mut client, sent.len(), buffer) == sent, "{version:?}, {most}, {buffer}");
            assert_eq!(peer.tls.protocol_version(), Some(version.version));
        }
    }
}

/// What a connection begins later: one round trip by TLS 1.3, two by 1.2.
#[test]
fn a_handshake_costs_one_round_trip() {
    for (versions, trips) in BOTH.chunks(1).zip([1, 2]) {
        let mut setup = Setup::new();
        setup.versions = versions;
        let mut peer = setup.peer();
        let mut client = setup.client(&peer);
        let cx = &mut Context::from_waker(Waker::noop());
        let mut taken = 0;
        let done = loop {
            match client.poll_handshake(cx) {
                Poll::Ready(done) => break done,
                Poll::Pending => peer.turn(),
            }
            taken += 1;
        };
        done.expect("a handshake");
        assert_eq!(taken, trips, "{versions:?}");
        // The first request goes with the handshake's end.
        assert!(matches!(client.poll_write(cx, &[b"request"]), Poll::Ready(Ok(7))));
        assert!(client.poll_flush(cx).is_ready());
        peer.turn();
        assert_eq!(peer.heard, b"request");
    }
}

/// Megabytes both ways at once; records are full.
#[test]
fn large_transfers_fill_their_records() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    peer.turn();
    peer.wire.0.borrow_mut().up.clear();
    let sent = bytes(4 << 20);
    peer.say(&sent);
    let slices: Vec<&[u8]> = [&sent[..100]].into_iter().chain(sent[100..].chunks(32 << 10)).collect();
    let (mut skip, mut on_the_way) = (0, 0);
    while skip < sent.len() {
        let rest = rest_of(&slices, skip);
        skip += peer.until(|cx| client.poll_write(cx, &rest)).expect("written");
        on_the_way += peer.wire.0.borrow().up.len();
        peer.turn();
    }
    peer.until(|cx| client.poll_flush(cx)).expect("flushed");
    on_the_way += peer.wire.0.borrow().up.len();
    peer.turn();
    assert!(peer.heard == sent);
    let records = sent.len().div_ceil(16 << 10);
    // What it costs to cut at slices' ends is one record in ten at most.
    assert!(on_the_way - sent.len() < (records + records / 10) * 22, "{} more", on_the_way - sent.len());
    assert!(peer.read(&mut client, sent.len(), 1 << 20) == sent);
}

fn rest_of<'a>(slices: &[&'a [u8]], mut skip: usize) -> Vec<&'a [u8]> {
    let mut rest = Vec::new();
    for slice in slices {
        let gone = skip.min(slice.len());
        skip -= gone;
        if gone < slice.len() {
            rest.push(&slice[gone..]);
        }
    }
    rest
}

/// A reader that does not read is sent no more than the buffers hold, and nothing is decrypted for it.
#[test]
fn whoever_does_not_read_slows_the_broker_down() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    peer.say(&bytes(1 << 20));
    peer.turn();
    let on_the_way = peer.wire.0.borrow().down.len();
    let mut one = [0; 1];
    for _ in 0..100 {
        assert!(client.poll_read(&mut Context::from_waker(Waker::noop()), &mut one).is_ready());
    }
    let taken = on_the_way - peer.wire.0.borrow().down.len();
    assert!(taken <= 2 * 18_437, "{taken} bytes were taken for a hundred that were read");
}

/// A broker that does not read is given no more than a record, and what was accepted arrives.
#[test]
fn whoever_is_not_read_waits() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    peer.turn();
    peer.wire.0.borrow_mut().up_room = 1_000;
    let sent = bytes(100_000);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(accepted)) = client.poll_write(&mut cx, &[&sent]) else { panic!("a record fits") };
    assert_eq!(accepted, 16 << 10);
    assert!(client.poll_write(&mut cx, &[&sent[accepted..]]).is_pending(), "and no more");
    assert!(client.poll_flush(&mut cx).is_pending(), "nor is it sent");
    peer.until(|cx| client.poll_flush(cx)).expect("sent");
    peer.turn();
    assert!(peer.heard == sent[..accepted]);
}

/// TLS's own goodbye is an end, and nothing else is.
#[test]
fn an_end_is_one_that_was_told() {
    for told in [true, false] {
        let setup = Setup::new();
        let mut peer = setup.peer();
        let mut client = setup.client(&peer);
        peer.shake(&mut client).expect("a handshake");
        peer.say(b"last words");
        if told {
            peer.tls.send_close_notify();
        }
        peer.turn();
        peer.wire.0.borrow_mut().ended = true;
        assert_eq!(peer.read(&mut client, 10, 100), b"last words");
        let end = peer.until(|cx| client.poll_read(cx, &mut [0; 10]));
        if told {
            assert_eq!(end, Ok(0));
        } else {
            let error = end.expect_err("it was cut");
            assert_eq!((error.phase, error.tls, error.retriable), (Phase::Io, Some(TlsFault::Truncated), true));
        }
    }
}

/// The client says goodbye, too, behind what it has written.
#[test]
fn closing_says_goodbye() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    peer.wire.0.borrow_mut().most = 10;
    peer.until(|cx| client.poll_write(cx, &[b"the end"])).expect("written");
    peer.until(|cx| client.poll_close(cx)).expect("closed");
    peer.turn();
    assert_eq!(peer.heard, b"the end");
    assert!(peer.wire.0.borrow().closed && peer.error.is_none());
    let mut rest = [0; 1];
    assert_eq!(std::io::Read::read(&mut peer.tls.reader(), &mut rest).expect("a clean end"), 0);
}

/// A broker may change its keys at any time, and ask for ours to be changed (RFC 8446, 4.6.3).
#[test]
fn keys_are_changed_under_way() {
    let mut setup = Setup::new();
    setup.tickets = 4;
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    for round in 0..20 {
        peer.tls.refresh_traffic_keys().expect("TLS 1.3");
        let said = bytes(20_000 + round);
        peer.say(&said);
        assert!(peer.read(&mut client, said.len(), 4_096) == said);
        peer.heard.clear();
        peer.write(&mut client, &said, 4_000);
        assert!(peer.heard == said);
    }
}

/// Records without anything for the reader are no end, and whoever sends them for ever does not keep the others waiting.
#[test]
fn records_with_nothing_in_them_are_passed_over_in_turns() {
    let mut setup = Setup::new();
    setup.tickets = 200;
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    peer.wire.0.borrow_mut().most = 100;
    peer.say(b"at last");
    peer.turn();
    let mut turns = 0;
    let mut buf = [0; 100];
    let count = peer.until(|cx| {
        turns += 1;
        client.poll_read(cx, &mut buf)
    });
    assert_eq!(count.map(|count| &buf[..count]), Ok(&b"at last"[..]));
    assert!(turns > 5, "{turns} turns for 200 tickets, a hundred bytes at a time");
}

/// However much comes before the handshake is over, the client holds a fixed part of it, and then says what is wrong.
#[test]
fn a_flood_before_the_handshake_is_over_is_bounded() {
    // A ServerHello that goes on for ever, in records of full length, and small ones.
    for len in [16_384_u16, 100] {
        let setup = Setup::new();
        let mut peer = setup.peer();
        let mut client = setup.client(&peer);
        let mut record = vec![22, 3, 3];
        record.extend(len.to_be_bytes());
        record.extend(vec![0; usize::from(len)]);
        // A handshake message of 60,000 bytes, its type and length first.
        let mut first = record.clone();
        first[5..9].copy_from_slice(&[2, 0, 0xea, 0x60]);
        let mut flood: Vec<u8> = first;
        while flood.len() < 1 << 20 {
            flood.extend_from_slice(&record);
        }
        peer.wire.0.borrow_mut().down.extend(&flood);
        let error = peer.until(|cx| client.poll_handshake(cx)).expect_err("too much");
        assert_eq!((error.phase, error.tls, error.retriable), (Phase::Tls, Some(TlsFault::TooLarge), false), "{error}");
        let taken = flood.len() - peer.wire.0.borrow().down.len();
        assert!(taken <= HANDSHAKE, "{taken}");
    }
}

/// A client's certificate may be longer than a record, too, and go in pieces.
#[test]
fn a_clients_long_certificate_is_sent() {
    for version in BOTH {
        let ours = peer::Ca::new();
        let clients = Some(ours.pem.clone());
        let setup = Setup { versions: core::slice::from_ref(version), clients, ..Setup::new() };
        let names = (0..400).map(|n| alloc::format!("client-{n}.a-rather-long-name-of-a-domain.example"));
        let (certificate, key) = ours.sign_many(names.collect(), peer::ALWAYS);
        let mut peer = setup.peer();
        (peer.wire.0.borrow_mut().most, peer.wire.0.borrow_mut().up_room) = (500, 2_000);
        let with = peer::builder().ca_pem(&setup.ca.pem).client_auth_pem(certificate, key);
        let mut client = peer::begin(&peer, with, peer::HOST);
        peer.shake(&mut client).expect("a handshake");
        peer.write(&mut client, b"hello", 5);
        assert_eq!((&peer.heard[..], peer.error), (&b"hello"[..], None));
    }
}

/// A certificate of 20 KB is larger than a record; one of 45 KB is larger than a handshake may be.
#[test]
fn a_long_certificate_is_taken_and_a_longer_one_is_not() {
    for version in BOTH {
        for (names, fits) in [(400, true), (900, false)] {
            let mut setup = Setup::new();
            setup.versions = core::slice::from_ref(version);
            let more = (0..names).map(|n| alloc::format!("broker-{n}.a-rather-long-name-of-a-domain.example"));
            let all = core::iter::once(peer::HOST.into()).chain(more).collect();
            setup.certificate = setup.ca.sign_many(all, peer::ALWAYS);
            let mut peer = setup.peer();
            let mut client = setup.client(&peer);
            let result = peer.shake(&mut client);
            if fits {
                result.expect("a handshake");
                peer.say(b"hello");
                assert_eq!(peer.read(&mut client, 5, 100), b"hello");
            } else {
                assert_eq!(result.expect_err("too long").tls, Some(TlsFault::TooLarge));
            }
        }
    }
}
