//! A broker that wants to know who the client is: what it hears, what it refuses, and sessions that end.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{pin::pin, task::Poll, time::Duration};

use super::{
    Pair, Request,
    events::{MARK, Seen},
    failure, offset,
};
use crate::{
    Config, Error, ErrorCode, PeerFault, Record,
    broker_role::{
        sasl_authenticate_request::SaslAuthenticateRequest, sasl_authenticate_response::SaslAuthenticateResponse,
        sasl_handshake_request::SaslHandshakeRequest, sasl_handshake_response::SaslHandshakeResponse,
    },
    link::LinkId,
    sasl::{Sasl, SaslFault, ScramHash, testing::Server},
    sync::Arc,
    wire::api,
};

fn scram() -> Sasl {
    Sasl::scram(ScramHash::Sha512, "alice", MARK)
}

/// A pair whose client says who it is; the test answers.
fn pair_with(sasl: Sasl) -> Pair {
    pair_of(Config::new("one:9001").sasl(sasl).allow_plain_without_tls())
}

/// Whatever the client tells beside its work is looked through for secrets, in each of these tests.
pub(super) fn pair_of(config: Config) -> Pair {
    let observer = config.observer.clone().unwrap_or_else(|| Arc::<Seen>::default());
    let mut pair = Pair::with(config.observer(observer));
    pair.by_hand.extend([api::SASL_HANDSHAKE.key, api::SASL_AUTHENTICATE.key]);
    pair
}

impl Pair {
    /// Agrees to the mechanism that is asked for; answers its name.
    pub(super) fn agree(&mut self) -> (LinkId, String) {
        let request = self.await_request(api::SASL_HANDSHAKE, 2_000);
        assert_eq!(request.version, 1, "version 0 has no frames behind it");
        let mechanism = request.read::<SaslHandshakeRequest<'_>>().mechanism.to_string();
        self.answer(&request, &SaslHandshakeResponse { error_code: 0, mechanisms: &[&mechanism] });
        (request.link, mechanism)
    }

    /// The next of the mechanism's messages.
    pub(super) fn token(&mut self) -> (Request, Vec<u8>) {
        let request = self.expect(api::SASL_AUTHENTICATE);
        let bytes = request.read::<SaslAuthenticateRequest<'_>>().auth_bytes.to_vec();
        (request, bytes)
    }

    pub(super) fn reply(&mut self, request: &Request, auth_bytes: &[u8], session_lifetime_ms: i64) {
        let body = SaslAuthenticateResponse { auth_bytes, session_lifetime_ms, ..Default::default() };
        self.answer(request, &body);
    }

    pub(super) fn refuse_token(&mut self, request: &Request, message: &str) {
        let (error_code, error_message) = (ErrorCode::SASL_AUTHENTICATION_FAILED.0, Some(message));
        self.answer(request, &SaslAuthenticateResponse { error_code, error_message, ..Default::default() });
        self.turn();
    }

    /// One whole authentication by SCRAM; the link that it was on.
    fn accept_scram(&mut self, server: &Server, lifetime_ms: i64) -> LinkId {
        let (link, _) = self.agree();
        let (first, message) = self.token();
        let (answer, said) = server.first(&message);
        self.reply(&first, &answer, 0);
        let (last, message) = self.token();
        assert_eq!((first.link, last.link), (link, link));
        let signature = server.last(&said, &message).expect("the right proof");
        self.reply(&last, &signature, lifetime_ms);
        self.turn();
        link
    }

    /// What `connected` says now.
    pub(super) fn contact(&self) -> Poll<Result<(), Error>> {
        self.poll(self.client().connected())
    }

    pub(super) fn sasl_fault(&self) -> SaslFault {
        match self.contact() {
            Poll::Ready(Err(Error::Authentication { address, fault, .. })) => {
                assert_eq!(address, "one:9001");
                fault
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn plain_says_who_it_is_before_anything_else() {
    let mut pair = pair_with(Sasl::plain("alice", MARK));
    let (_, mechanism) = pair.agree();
    assert_eq!(mechanism, "PLAIN");
    let (request, bytes) = pair.token();
    assert_eq!(bytes, format!("\0alice\0{MARK}").as_bytes());
    assert_eq!((request.version, pair.count(api::METADATA)), (2, 0));
    pair.reply(&request, b"", 0);
    pair.turn();
    assert_eq!(pair.count(api::METADATA), 1);
    assert!(matches!(pair.contact(), Poll::Ready(Ok(()))));
}

#[test]
fn scram_proves_both_sides() {
    for (hash, name) in [(ScramHash::Sha256, "SCRAM-SHA-256"), (ScramHash::Sha512, "SCRAM-SHA-512")] {
        let mut pair = pair_with(Sasl::scram(hash, "alice", MARK));
        let server = Server::new(hash, MARK);
        let (_, mechanism) = pair.agree();
        assert_eq!(mechanism, name);
        let (first, message) = pair.token();
        assert!(message.starts_with(b"n,,n=alice,r="), "{message:?}");
        let (answer, said) = server.first(&message);
        pair.reply(&first, &answer, 0);
        let (last, message) = pair.token();
        assert_eq!(pair.count(api::METADATA), 0, "the broker has proved nothing yet");
        pair.reply(&last, &server.last(&said, &message).expect("the right proof"), 0);
        pair.turn();
        assert_eq!(pair.count(api::METADATA), 1);
    }
}

/// A million rounds take many turns, and every turn gives others theirs; the next connection does not do them again.
#[test]
fn many_rounds_are_done_in_many_turns_and_once() {
    let mut pair = pair_with(scram());
    let mut server = Server::new(ScramHash::Sha512, MARK);
    server.iterations = 10_000;
    let rounds = || crate::sasl::testing::rounds();
    let before = rounds();
    pair.accept_scram(&server, 0);
    assert_eq!(rounds() - before, 9_999 + 9_999, "ours and the test's");
    let producer = pair.client().producer().build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(1).value("a"));
    let before = rounds();
    pair.accept_scram(&server, 0);
    let produce = pair.expect(api::PRODUCE);
    assert_eq!(rounds() - before, 9_999, "the test's alone");
    pair.acknowledge(&produce, 3);
    assert_eq!(offset(&ticket), 3);
}

/// A password that is wrong is told at once, to who waits for contact and to who waits for a topic, and is not tried again
/// like something that passes.
#[test]
fn a_refusal_is_told_at_once_and_not_repeated_in_a_hurry() {
    let seen = Arc::new(Seen::default());
    let mut pair = pair_of(Config::new("one:9001").sasl(scram()).observer(seen.clone()));
    let producer = pair.client().producer().build().expect("builds");
    let mut waiting = pin!(producer.enqueue(Record::to("t").value("a")));
    assert!(pair.poll(waiting.as_mut()).is_pending());
    pair.agree();
    let (request, _) = pair.token();
    pair.refuse_token(&request, "Authentication failed during authentication due to invalid credentials");
    let SaslFault::Refused { code: ErrorCode::SASL_AUTHENTICATION_FAILED, message: Some(message) } = pair.sasl_fault()
    else {
        panic!("{:?}", pair.sasl_fault())
    };
    assert!(message.contains("invalid credentials"));
    let Poll::Ready(Err(refused)) = pair.poll(waiting) else { panic!("it need not wait") };
    assert!(matches!(refused.error(), Error::Authentication { mechanism: "SCRAM-SHA-512", .. }), "{}", refused.error());
    let told = seen.one("connect_failed");
    assert!(told.contains("SCRAM-SHA-512: the broker refused: SASL_AUTHENTICATION_FAILED"), "{told}");
    assert!(!told.contains("credentials"), "the broker's own words: {told}");
    pair.by_hand.remove(&api::SASL_HANDSHAKE.key);
    let dials = pair.dialled.len();
    pair.advance_ms(9_000);
    assert_eq!(pair.dialled.len(), dials);
    pair.by_hand.insert(api::SASL_HANDSHAKE.key);
    pair.advance_ms(4_000);
    assert_eq!(pair.dialled.len(), dials + 1, "and then once");
}

/// A broker that does not know the password is not the broker: nothing is asked of it.
#[test]
fn a_broker_that_proves_nothing_is_left() {
    let mut pair = pair_with(scram());
    let server = Server::new(ScramHash::Sha512, MARK);
    pair.agree();
    let (first, message) = pair.token();
    let (answer, _) = server.first(&message);
    pair.reply(&first, &answer, 0);
    let (last, _) = pair.token();
    let forged = format!("v={}==", "A".repeat(86));
    pair.reply(&last, forged.as_bytes(), 0);
    pair.turn();
    assert_eq!((pair.sasl_fault(), pair.count(api::METADATA)), (SaslFault::Signature, 0));
    assert!(pair.closed.contains(&last.link));
}

#[test]
fn what_a_broker_may_not_ask_is_not_answered() {
    let ask = |first: &dyn Fn(&str) -> String| {
        let mut pair = pair_with(scram());
        pair.agree();
        let (request, message) = pair.token();
        let message = String::from_utf8(message).expect("text");
        let (_, nonce) = message.split_once(",r=").expect("a nonce");
        pair.reply(&request, first(nonce).as_bytes(), 0);
        assert!(pair.take(api::SASL_AUTHENTICATE).is_none());
        assert!(pair.closed.contains(&request.link));
        pair.sasl_fault()
    };
    assert_eq!(ask(&|_| "r=somebody-else,s=c2FsdA==,i=4096".into()), SaslFault::Nonce);
    let few = ask(&|nonce| format!("r={nonce}x,s=c2FsdA==,i=4095"));
    assert_eq!(few, SaslFault::Iterations { got: 4_095 });
    let many = ask(&|nonce| format!("r={nonce}x,s=c2FsdA==,i=1000001"));
    assert_eq!(many, SaslFault::Iterations { got: 1_000_001 });
    assert!(matches!(ask(&|_| String::new()), SaslFault::Malformed { .. }));
}

#[test]
fn a_mechanism_that_the_broker_does_not_have_is_answered_with_those_that_it_has() {
    let fault = |error_code, mechanisms: &[&str]| {
        let mut pair = pair_with(scram());
        let request = pair.expect(api::SASL_HANDSHAKE);
        pair.answer(&request, &SaslHandshakeResponse { error_code, mechanisms });
        pair.turn();
        assert!(pair.take(api::SASL_AUTHENTICATE).is_none());
        pair.sasl_fault()
    };
    let code = ErrorCode::UNSUPPORTED_SASL_MECHANISM.0;
    let SaslFault::Mechanism { offered } = fault(code, &["GSSAPI", "PLAIN", "not\na name"]) else { panic!() };
    assert_eq!(offered, ["GSSAPI", "PLAIN"]);
    assert_eq!(fault(ErrorCode::ILLEGAL_SASL_STATE.0, &[]), SaslFault::NotTaken);
}

/// Kafka before 1.0: its handshake has no frames behind it, and this client does not speak without them.
#[test]
fn a_handshake_of_version_0_is_not_enough() {
    let mut pair = Pair::with(Config::new("one:9001").sasl(scram()));
    pair.versions.insert(api::SASL_HANDSHAKE.key, (0, 0));
    let client = pair.client().clone();
    let mut connected = pin!(client.connected());
    assert!(pair.poll(connected.as_mut()).is_pending());
    pair.advance_ms(10_000);
    let contact = pair.poll(connected);
    let Poll::Ready(Err(Error::Peer { fault: PeerFault::NoCommonVersion { broker_max: 0, min: 1, .. }, .. })) = contact
    else {
        panic!("{contact:?}")
    };
}

/// A broker that is going down hangs up in the middle. That passes: it is tried again soon, and nobody is told to give up.
/// Trap 103.
#[test]
fn an_end_in_the_middle_is_no_refusal() {
    let mut pair = pair_with(scram());
    let (link, _) = pair.agree();
    let (request, _) = pair.token();
    pair.hang_up(request.link);
    pair.turn();
    assert!(pair.contact().is_pending());
    let again = pair.accept_scram(&Server::new(ScramHash::Sha512, MARK), 0);
    assert_ne!(link, again);
    assert!(matches!(pair.contact(), Poll::Ready(Ok(()))));
}

/// Silence in the middle ends with the time for connecting.
#[test]
fn silence_in_the_middle_has_its_time() {
    let mut pair = pair_with(scram());
    let (link, _) = pair.agree();
    let _ = pair.token();
    pair.advance_ms(9_999);
    assert!(!pair.closed.contains(&link));
    pair.advance_ms(1);
    assert!(pair.closed.contains(&link));
}

/// KIP-368: before a session ends the broker is told again, on the same connection. What is open there is answered before, what
/// is new waits behind, and nothing is lost or told. Trap 104.
#[test]
fn a_session_is_renewed_in_band() {
    let seen = Arc::new(Seen::default());
    let mut pair = pair_of(Config::new("one:9001").sasl(scram()).observer(seen.clone()));
    let server = Server::new(ScramHash::Sha512, MARK);
    let control = pair.accept_scram(&server, 3_600_000);
    let producer = pair.client().producer().build().expect("builds");
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let link = pair.accept_scram(&server, 10_000);
    assert_ne!(link, control);
    let open = pair.expect(api::PRODUCE);
    seen.take();
    pair.advance_ms(8_400);
    assert!(pair.take(api::SASL_HANDSHAKE).is_none(), "not before 85 % are over");
    pair.advance_ms(1_200);
    let handshake = pair.expect(api::SASL_HANDSHAKE);
    assert_eq!(handshake.link, link, "not after 95 % are over");
    // What was open is answered first, as a broker does.
    pair.acknowledge(&open, 7);
    let second = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    pair.advance_ms(20);
    assert_eq!(offset(&first), 7);
    assert!(pair.take(api::PRODUCE).is_none(), "it waits");
    pair.requests.push_front(handshake);
    assert_eq!(pair.accept_scram(&server, 10_000), link);
    let behind = pair.expect(api::PRODUCE);
    assert_eq!(behind.link, link);
    pair.acknowledge(&behind, 8);
    assert_eq!(offset(&second), 8);
    pair.advance_ms(8_000);
    assert!(pair.closed.is_empty());
    pair.advance_ms(1_600);
    assert_eq!(pair.expect(api::SASL_HANDSHAKE).link, link, "and again");
    assert_eq!(seen.take(), [] as [String; 0]);
}

/// A session that the broker does not renew ends its connection; what waited goes over another.
#[test]
fn a_renewal_that_is_refused_ends_the_connection() {
    let mut pair = pair_with(scram());
    let server = Server::new(ScramHash::Sha512, MARK);
    pair.accept_scram(&server, 0);
    let producer = pair.client().producer().build().expect("builds");
    let first = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let link = pair.accept_scram(&server, 10_000);
    let open = pair.expect(api::PRODUCE);
    pair.acknowledge(&open, 4);
    assert_eq!(offset(&first), 4);
    pair.advance_ms(9_600);
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("b"));
    assert_eq!(pair.agree().0, link);
    let (request, _) = pair.token();
    pair.refuse_token(&request, "no more");
    assert!(pair.closed.contains(&link) && ticket.outcome().is_none());
    pair.advance_ms(9_000);
    assert!(pair.take(api::SASL_HANDSHAKE).is_none(), "not at once");
    pair.advance_ms(3_000);
    assert_ne!(pair.accept_scram(&server, 0), link);
    let again = pair.expect(api::PRODUCE);
    pair.acknowledge(&again, 5);
    assert_eq!(offset(&ticket), 5);
}

/// Where the delivery timeout is shorter than the broker's refusals last, a record fails with the reason.
#[test]
fn a_record_that_cannot_be_delivered_says_why() {
    let mut pair = pair_of(Config::new("one:9001").sasl(scram()).request_timeout(Duration::from_secs(5)));
    pair.accept_scram(&Server::new(ScramHash::Sha512, MARK), 0);
    let producer = pair.client().producer().delivery_timeout(Duration::from_secs(5)).build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    pair.agree();
    let (request, _) = pair.token();
    pair.refuse_token(&request, &format!("no: {MARK}"));
    pair.advance_ms(6_000);
    let error = failure(&ticket);
    let Error::TimedOut { because: Some(because), .. } = &error else { panic!("{error}") };
    assert!(
        matches!(**because, Error::Authentication { fault: SaslFault::Refused { message: None, .. }, .. }),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains(MARK), "the broker repeats the password, and we do not");
}
