//! Everything that a handshake can fail of, each with its cause.

use alloc::{string::String, vec, vec::Vec};
use core::task::{Context, Poll, Waker};

use super::{
    super::{TlsBuilder, TlsStream},
    peer::{ALWAYS, BOTH, Ca, Fixed, HOST, Peer, Setup, begin, builder},
};
use crate::{ByteStream, Clock, Phase, TlsFault, TransportError, sync::Arc};

/// How a handshake fails, which the broker is told; with what comes behind it for brokers that tell late.
fn refused(setup: &Setup, with: TlsBuilder, host: &str) -> (TransportError, Peer) {
    let mut peer = setup.peer();
    let mut client = begin(&peer, with, host);
    let error = match peer.shake(&mut client) {
        Err(error) => error,
        Ok(()) => peer.until(|cx| client.poll_read(cx, &mut [0; 10])).expect_err("refused"),
    };
    peer.turn();
    (error, peer)
}

#[track_caller]
fn for_good(error: &TransportError, fault: TlsFault) {
    assert_eq!((error.phase, error.tls, error.retriable), (Phase::Tls, Some(fault), false), "{error}");
    assert_ne!(error.kind, embedded_io::ErrorKind::ConnectionReset, "that would be nobody's fault");
}

#[test]
fn a_certificate_that_is_not_the_brokers_is_refused() {
    for version in BOTH {
        let with = |setup: &Setup| builder().ca_pem(&setup.ca.pem);
        let versions = core::slice::from_ref(version);

        let setup = Setup { versions, ..Setup::new() };
        // One of the same name has another key.
        let (error, _) = refused(&setup, builder().ca_pem(Ca::new().pem), HOST);
        for_good(&error, TlsFault::UnknownIssuer);
        let (error, peer) = refused(&setup, builder().ca_pem(Ca::named("another").pem), HOST);
        for_good(&error, TlsFault::UnknownIssuer);
        assert!(matches!(peer.error, Some(rustls::Error::AlertReceived(_))), "the broker is told: {:?}", peer.error);

        let (error, _) = refused(&setup, with(&setup), "other.example");
        for_good(&error, TlsFault::HostMismatch);
        assert!(error.text.contains(HOST), "{error}");
        let (error, _) = refused(&setup, with(&setup), "10.0.0.1");
        for_good(&error, TlsFault::HostMismatch);

        for (years, fault) in [((2020, 2021), TlsFault::Expired), ((2090, 2100), TlsFault::NotValidYet)] {
            let mut setup = Setup { versions, ..Setup::new() };
            setup.certificate = setup.ca.sign(HOST, years);
            let (error, _) = refused(&setup, with(&setup), HOST);
            for_good(&error, fault);
        }
    }
}

/// Names with a final dot and addresses of both kinds are checked as what they are.
#[test]
fn every_kind_of_host_can_be_certified() {
    for (host, name) in
        [("broker.example.", HOST), ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("BROKER.example", HOST)]
    {
        let mut setup = Setup::new();
        setup.certificate = setup.ca.sign(name, ALWAYS);
        let mut peer = setup.peer();
        let mut client = begin(&peer, builder().ca_pem(&setup.ca.pem), host);
        peer.shake(&mut client).unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    let setup = Setup::new();
    let (peer, clock) = (setup.peer(), Arc::new(Fixed(None)) as Arc<dyn Clock>);
    let tls = builder().ca_pem(&setup.ca.pem).build().expect("settings");
    let error = TlsStream::new(peer.wire, &tls, &clock, "no name at all").map(drop).expect_err("no name");
    for_good(&error, TlsFault::HostName);
}

#[test]
fn without_a_clock_nothing_is_believed() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let tls = builder().ca_pem(&setup.ca.pem).build().expect("settings");
    let clock: Arc<dyn Clock> = Arc::new(Fixed(None));
    let mut client = TlsStream::new(peer.wire.clone(), &tls, &clock, HOST).expect("a name");
    for_good(&peer.shake(&mut client).expect_err("no time"), TlsFault::NoClock);
}

/// The broker's refusal comes within the handshake (TLS 1.2) or after it (TLS 1.3).
#[test]
fn a_client_without_the_right_certificate_is_told() {
    for version in BOTH {
        let ours = Ca::new();
        let setup = Setup { versions: core::slice::from_ref(version), clients: Some(ours.pem.clone()), ..Setup::new() };
        let trusting = || builder().ca_pem(&setup.ca.pem);
        let (error, _) = refused(&setup, trusting(), HOST);
        for_good(&error, TlsFault::ClientCertificateRequired);
        let (certificate, key) = Ca::named("another").sign("client", ALWAYS);
        let (error, _) = refused(&setup, trusting().client_auth_pem(certificate, key), HOST);
        assert!(matches!(error.tls, Some(TlsFault::ClientCertificateRefused(48))), "{error:?}");
        assert_eq!((error.phase, error.retriable), (Phase::Tls, false));

        let (certificate, key) = ours.sign("client", ALWAYS);
        let mut peer = setup.peer();
        let mut client = begin(&peer, trusting().client_auth_pem(certificate, key), HOST);
        peer.shake(&mut client).expect("a handshake");
        peer.write(&mut client, b"hello", 5);
        assert_eq!(peer.heard, b"hello");
        assert!(peer.tls.peer_certificates().is_some());
    }
}

/// Whatever is no TLS is said to be none, and so is an end without a word.
#[test]
fn what_is_not_tls_is_told_as_that() {
    let others: [&[u8]; 5] =
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", &[0, 0, 0, 9, 1, 2, 3], &[22, 9, 9, 9, 9], &[255; 40], &[]];
    for (said, reset) in others.into_iter().map(|said| (said, false)).chain([(&[][..], true)]) {
        let setup = Setup::new();
        let mut peer = setup.peer();
        let mut client = setup.client(&peer);
        peer.wire.0.borrow_mut().down.extend(said);
        peer.wire.0.borrow_mut().ended = said.is_empty();
        peer.wire.0.borrow_mut().reset = reset;
        for_good(&peer.until(|cx| client.poll_handshake(cx)).expect_err("no TLS"), TlsFault::NotTls);
    }
}

#[test]
fn a_handshake_that_is_cut_off_may_be_tried_again() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    assert!(client.poll_handshake(&mut Context::from_waker(Waker::noop())).is_pending());
    peer.turn();
    peer.wire.0.borrow_mut().down.truncate(500);
    peer.wire.0.borrow_mut().ended = true;
    let error = peer.until(|cx| client.poll_handshake(cx)).expect_err("cut off");
    assert_eq!((error.phase, error.tls, error.retriable), (Phase::Tls, Some(TlsFault::Truncated), true));
}

/// A record that was changed on the way ends the connection, and the next one may be better.
#[test]
fn what_is_damaged_is_not_handed_on() {
    let setup = Setup::new();
    let mut peer = setup.peer();
    let mut client = setup.client(&peer);
    peer.shake(&mut client).expect("a handshake");
    peer.say(&[7; 1_000]);
    peer.turn();
    if let Some(byte) = peer.wire.0.borrow_mut().down.back_mut() {
        *byte ^= 1;
    }
    let mut read = Vec::new();
    let error = loop {
        let mut buf = vec![0; 100];
        match peer.until(|cx| client.poll_read(cx, &mut buf)) {
            Ok(count) => read.extend_from_slice(&buf[..count]),
            Err(error) => break error,
        }
    };
    assert_eq!((error.phase, error.tls, error.retriable), (Phase::Io, Some(TlsFault::Protocol), true), "{error}");
    assert!(read.is_empty());
    let again = peer.until(|cx| client.poll_write(cx, &[b"more"])).expect_err("it is over");
    assert_eq!(again, error);
}

/// One thing is wrong somewhere in what a broker sends, before or after the handshake: the connection fails, or the damage did
/// not matter; it neither panics nor does anything come out that was not said.
#[test]
fn damage_anywhere_is_an_error_at_most() {
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    };
    let mut setups = BOTH.iter().map(|version| Setup { versions: core::slice::from_ref(version), ..Setup::new() });
    let setups = [setups.next().expect("1.3"), setups.next().expect("1.2")];
    let (mut failed, mut whole) = (0, 0);
    for round in 0..600 {
        let setup = &setups[round % 2];
        let mut peer = setup.peer();
        let mut client = setup.client(&peer);
        let (hit_at, said) = (random(4), [9; 3_000]);
        let (mut read, mut buf, mut shaken) = (Vec::new(), [0; 700], false);
        let end = loop_of(40, |turn, cx| {
            if turn == hit_at {
                damage(&mut peer, random(4), &mut random);
            }
            peer.wire.0.borrow_mut().ended |= turn == 30;
            if !shaken {
                if client.poll_handshake(cx)?.is_ready() {
                    shaken = true;
                    peer.say(&said);
                }
            } else if let Poll::Ready(count) = client.poll_read(cx, &mut buf)? {
                read.extend_from_slice(&buf[..count]);
            }
            peer.turn();
            Ok(())
        });
        assert!(said.starts_with(&read), "round {round}: {} bytes that nobody said", read.len());
        failed += usize::from(end.is_err());
        whole += usize::from(read.len() == said.len());
    }
    assert!(failed > 300 && whole > 10, "{failed} failed, {whole} did not mind");
}

fn loop_of(
    turns: usize,
    mut turn: impl FnMut(usize, &mut Context<'_>) -> Result<(), TransportError>,
) -> Result<(), TransportError> {
    (0..turns).try_for_each(|at| turn(at, &mut Context::from_waker(Waker::noop())))
}

/// Changes a byte of what is on the way, takes some out, puts some in, or says something twice.
fn damage(peer: &mut Peer, kind: usize, random: &mut impl FnMut(usize) -> usize) {
    let down = &mut peer.wire.0.borrow_mut().down;
    if down.is_empty() {
        return;
    }
    let at = random(down.len());
    match kind {
        0 => down[at] ^= 1 << random(8),
        1 => drop(down.drain(at..(at + 1 + random(40)).min(down.len()))),
        2 => (0..=random(40)).for_each(|n| down.insert(at, (n * 37) as u8)),
        _ => down.extend(down.clone().range(at..)),
    }
}

/// Nothing that a certificate says makes an error long.
#[test]
fn an_error_is_short_whatever_the_certificate_says() {
    let mut setup = Setup::new();
    let names: Vec<String> = (0..200).map(|n| alloc::format!("ü{n}.another-name.example").replace('ü', "u")).collect();
    setup.certificate = setup.ca.sign_many(names, ALWAYS);
    let (error, _) = refused(&setup, builder().ca_pem(&setup.ca.pem), HOST);
    for_good(&error, TlsFault::HostMismatch);
    assert!(error.text.len() < 520, "{}", error.text.len());
}
