//! OAUTHBEARER: tokens that the driver gets, and what brokers say to them.

use alloc::{boxed::Box, format, string::ToString, vec::Vec};
use core::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Poll, Waker},
};

use super::{Pair, events::MARK};
use crate::{
    Config, Error, Record,
    sasl::{Sasl, SaslFault, Token, TokenError, TokenFuture, TokenRefused, TokenSource},
    sync::{Arc, LeafLock},
    wire::api,
};

/// A source whose tokens the test gives.
#[derive(Clone, Default)]
struct Source(Arc<State>);

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    given: LeafLock<Option<Result<Token, TokenError>>>,
    waker: LeafLock<Option<Waker>>,
}

impl Source {
    fn give<E: Into<TokenError>>(&self, told: Result<Token, E>) {
        *self.0.given.lock() = Some(told.map_err(E::into));
        let waker = self.0.waker.lock().take();
        waker.expect("somebody waits").wake();
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }
}

impl TokenSource for Source {
    fn token(&self) -> TokenFuture {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        let state = Arc::clone(&self.0);
        Box::pin(poll_fn(move |cx| {
            *state.waker.lock() = Some(cx.waker().clone());
            match state.given.lock().take() {
                None => Poll::Pending,
                Some(told) => Poll::Ready(told),
            }
        }))
    }
}

fn pair_with(source: &Source) -> Pair {
    let sasl = Sasl::oauthbearer(source.clone());
    super::sasl::pair_of(Config::new("one:9001").sasl(sasl).allow_plain_without_tls())
}

/// A token that takes its time holds nobody else up and is asked for once, whoever waits; it goes out as RFC 7628 has it.
#[test]
fn a_token_is_got_once_for_all_that_wait() {
    let source = Source::default();
    let mut pair = pair_with(&source);
    assert_eq!(pair.agree().1, "OAUTHBEARER");
    pair.turn();
    assert_eq!((source.asked(), pair.take(api::SASL_AUTHENTICATE).is_some()), (1, false));
    pair.advance_ms(500);
    assert_eq!(source.asked(), 1);
    source.give::<TokenError>(Ok(Token::new("a.b.c").extension("pool", "x")));
    pair.turn();
    let (request, bytes) = pair.token();
    assert_eq!(bytes, b"n,,\x01auth=Bearer a.b.c\x01pool=x\x01\x01");
    pair.reply(&request, b"", 0);
    pair.turn();
    assert!(matches!(pair.contact(), Poll::Ready(Ok(()))));

    // The next connection asks anew.
    let producer = pair.client().producer().build().expect("builds");
    let _ticket = pair.enqueue(&producer, Record::to("t").partition(1).value("a"));
    pair.agree();
    pair.turn();
    assert_eq!(source.asked(), 2);
    source.give::<TokenError>(Ok(Token::new("d.e.f")));
    pair.turn();
    let (request, bytes) = pair.token();
    assert!(bytes.ends_with(b"Bearer d.e.f\x01\x01"));
    pair.reply(&request, b"", 0);
    pair.expect(api::PRODUCE);
}

/// A broker says first why it refuses, and is answered before it does (RFC 7628, section 3.2.3). What it says of the token is
/// not passed on.
#[test]
fn a_refusal_is_heard_out() {
    for (words, passed_on) in [("{\"status\":\"invalid_token\"}", true), ("no: MARK", false)] {
        let source = Source::default();
        let mut pair = pair_with(&source);
        pair.agree();
        pair.turn();
        source.give::<TokenError>(Ok(Token::new(MARK)));
        pair.turn();
        let (request, _) = pair.token();
        pair.reply(&request, words.as_bytes(), 0);
        let (request, bytes) = pair.token();
        assert_eq!(bytes, [1]);
        pair.refuse_token(&request, &words.replace("MARK", MARK));
        let fault = pair.sasl_fault();
        let SaslFault::Refused { message, .. } = &fault else { panic!("{fault:?}") };
        assert_eq!(message.is_some(), passed_on, "{message:?}");
        assert!(!format!("{fault} {fault:?}").contains(MARK));
    }
}

/// A source that has none says why, and is asked again as after any failure that passes.
#[test]
fn no_token_is_told_and_tried_again() {
    let source = Source::default();
    let mut pair = pair_with(&source);
    let client = pair.client().clone();
    let mut connected = core::pin::pin!(client.connected());
    assert!(pair.poll(connected.as_mut()).is_pending());
    let mut told = [true, false].into_iter().cycle();
    let error = loop {
        if pair.requests.iter().any(|r| r.key == api::SASL_HANDSHAKE.key) {
            pair.agree();
            pair.turn();
            let is_away = told.next().expect("for ever");
            source.give(if is_away { Err("the server is away") } else { Ok(Token::new("not a token")) });
            pair.turn();
            assert!(pair.take(api::SASL_AUTHENTICATE).is_none());
        }
        pair.advance_ms(10);
        if let Poll::Ready(told) = pair.poll(connected.as_mut()) {
            break told.expect_err("there is none").to_string();
        }
    };
    assert!(source.asked() > 5, "as after any failure that passes: {}", source.asked());
    assert!(error.contains("there is no token: the "), "{error}");
}

/// Who will have none is told at once, and its server is not asked again before anything can have changed.
#[test]
fn a_token_that_is_refused_is_not_asked_for_again() {
    let source = Source::default();
    let mut pair = pair_with(&source);
    let client = pair.client().clone();
    let mut connected = core::pin::pin!(client.connected());
    assert!(pair.poll(connected.as_mut()).is_pending());
    pair.agree();
    pair.turn();
    source.give(Err(TokenRefused::new("invalid_client")));
    pair.turn();
    let Poll::Ready(Err(error)) = pair.poll(connected.as_mut()) else { panic!("not told at once") };
    assert!(
        matches!(&error, Error::Authentication { fault: SaslFault::TokenRefused { why }, .. } if why == "invalid_client")
    );
    assert!(error.to_string().contains("the token was refused: invalid_client") && !error.is_retriable(), "{error}");
    pair.advance_ms(9_000);
    assert_eq!((source.asked(), pair.take(api::SASL_AUTHENTICATE).is_some()), (1, false));
}

/// KIP-368: a renewal asks for another token, because the one before is about to expire.
#[test]
fn a_renewal_says_another_token() {
    let source = Source::default();
    let mut pair = pair_with(&source);
    let mut said = Vec::new();
    for (token, lifetime_ms) in [("first", 10_000), ("second", 0)] {
        pair.agree();
        pair.turn();
        source.give::<TokenError>(Ok(Token::new(token)));
        pair.turn();
        let (request, bytes) = pair.token();
        said.push((request.link, bytes));
        pair.reply(&request, b"", lifetime_ms);
        pair.turn();
        if lifetime_ms > 0 {
            pair.advance_ms(9_600);
        }
    }
    assert_eq!(said[0].0, said[1].0, "on the same connection");
    assert!(said[0].1 != said[1].1 && said[1].1.ends_with(b"Bearer second\x01\x01"));
}
