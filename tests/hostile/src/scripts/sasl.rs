//! A broker that wants to know who the client is.

use std::io;

use klamm_broker::r#gen::{
    sasl_authenticate_response::SaslAuthenticateResponse, sasl_handshake_response::SaslHandshakeResponse,
};
use klamm_tokio::wire::api::{API_VERSIONS, SASL_AUTHENTICATE, SASL_HANDSHAKE};

use crate::{
    script::{
        Script,
        Verdict::{self, Fails, Tries},
    },
    turn::{NAMED, Turn},
    who::{PASSWORD, Who},
    work::Does::{Connect, Produce},
};

/// Lists both APIs of SASL beside the others, with this range of the first.
fn lists(t: &mut Turn<'_>, handshake: (i16, i16)) -> io::Result<()> {
    let both = [(SASL_HANDSHAKE.key, handshake.0, handshake.1), (SASL_AUTHENTICATE.key, 0, 2)];
    t.speaks(&NAMED.into_iter().chain(both).collect::<Vec<_>>())
}

/// Answers the handshake so.
fn handshake(t: &mut Turn<'_>, error_code: i16, mechanisms: &[&str]) -> io::Result<()> {
    if t.api == API_VERSIONS.key {
        return lists(t, (0, 1));
    }
    t.at(SASL_HANDSHAKE, |t| t.say(&SaslHandshakeResponse { error_code, mechanisms }))
}

/// Agrees to the mechanism, and does this with its messages.
fn agrees(t: &mut Turn<'_>, lie: impl FnOnce(&mut Turn<'_>) -> io::Result<()>) -> io::Result<()> {
    match t.api {
        key if key == API_VERSIONS.key => lists(t, (0, 1)),
        key if key == SASL_HANDSHAKE.key => t.say(&SaslHandshakeResponse::default()),
        _ => t.at(SASL_AUTHENTICATE, lie),
    }
}

fn says(t: &mut Turn<'_>, auth_bytes: &[u8]) -> io::Result<()> {
    t.say(&SaslAuthenticateResponse { auth_bytes, ..Default::default() })
}

/// SCRAM: the answer to the first message, made with the client's nonce.
fn first(t: &mut Turn<'_>, answer: fn(&str) -> String) -> io::Result<()> {
    agrees(t, |t| {
        let text = String::from_utf8_lossy(t.request).into_owned();
        let (_, nonce) = text.rsplit_once(",r=").expect("a first message");
        // In the newest version a tag's byte stands behind it.
        says(t, answer(nonce.trim_end_matches('\0')).as_bytes())
    })
}

/// A sound answer to the first message, and this to the last.
fn last(t: &mut Turn<'_>, answer: &[u8]) -> io::Result<()> {
    if t.request.windows(2).any(|pair| pair == b"p=") {
        return agrees(t, |t| says(t, answer));
    }
    first(t, |nonce| format!("r={nonce}more,s=c2FsdHNhbHQ=,i=4096"))
}

const fn scram(name: &'static str, plays: fn(&mut Turn<'_>) -> io::Result<()>, verdict: Verdict) -> Script {
    Script::turns(name, Connect, plays, verdict).by(Who::Scram)
}

const fn plain(name: &'static str, plays: fn(&mut Turn<'_>) -> io::Result<()>, verdict: Verdict) -> Script {
    Script::turns(name, Connect, plays, verdict).by(Who::Plain)
}

const MALFORMED: Verdict = Fails("Authentication::Malformed");
const ITERATIONS: Verdict = Fails("Authentication::Iterations");
const NONCE: Verdict = Fails("Authentication::Nonce");

pub(super) const SCRIPTS: &[Script] = &[
    // The handshake: trap 103.
    scram("handshake-of-version-0", |t| t.at(API_VERSIONS, |t| lists(t, (0, 0))), Fails("Peer::NoCommonVersion")),
    scram("sasl-is-not-listed", |t| t.at(API_VERSIONS, |t| t.speaks(&NAMED)), Fails("Peer::NoCommonVersion")),
    scram("handshake-offers-plain-only", |t| handshake(t, 33, &["PLAIN"]), Fails("Authentication::Mechanism")),
    scram("handshake-offers-nothing", |t| handshake(t, 33, &[]), Fails("Authentication::Mechanism")),
    scram("handshake-offers-what-is-no-name", odd_names, Fails("Authentication::Mechanism")),
    scram("handshake-not-here", |t| handshake(t, 34, &[]), Fails("Authentication::NotTaken")),
    scram("handshake-with-a-code-of-nobody", |t| handshake(t, 9_999, &[]), Fails("Authentication::Refused")),
    scram("handshake-offers-2-billion", count_of_names, Fails("Authentication::Wire")),
    scram("handshake-never-answered", handshake_hangs, Fails("TimedOut::connect_timeout_ms")),
    scram("handshake-of-2-gib", handshake_endless, Fails("Peer::FrameLength")),
    // SCRAM's first answer.
    scram("scram-iterations-1", |t| first(t, |n| format!("r={n}x,s=c2FsdA==,i=1")), ITERATIONS),
    scram("scram-iterations-4095", |t| first(t, |n| format!("r={n}x,s=c2FsdA==,i=4095")), ITERATIONS),
    scram("scram-iterations-1000001", |t| first(t, |n| format!("r={n}x,s=c2FsdA==,i=1000001")), ITERATIONS),
    scram(
        "scram-iterations-of-20-digits",
        |t| first(t, |n| format!("r={n}x,s=c2FsdA==,i=99999999999999999999")),
        ITERATIONS,
    ),
    scram("scram-iterations-negative", |t| first(t, |n| format!("r={n}x,s=c2FsdA==,i=-4096")), MALFORMED),
    scram("scram-iterations-none", |t| first(t, |n| format!("r={n}x,s=c2FsdA==")), MALFORMED),
    scram("scram-nonce-of-another", |t| first(t, |_| "r=abcdefgh,s=c2FsdA==,i=4096".into()), NONCE),
    scram("scram-nonce-as-it-was", |t| first(t, |n| format!("r={n},s=c2FsdA==,i=4096")), NONCE),
    scram("scram-nonce-cut", |t| first(t, |n| format!("r={},s=c2FsdA==,i=4096", &n[..8])), NONCE),
    scram("scram-nonce-with-a-space", |t| first(t, |n| format!("r={n} x,s=c2FsdA==,i=4096")), NONCE),
    scram("scram-nonce-none", |t| first(t, |_| "s=c2FsdA==,i=4096".into()), MALFORMED),
    scram("scram-salt-is-not-base64", |t| first(t, |n| format!("r={n}x,s=***,i=4096")), MALFORMED),
    scram("scram-salt-empty", |t| first(t, |n| format!("r={n}x,s=,i=4096")), MALFORMED),
    scram("scram-must-be-understood", |t| first(t, |n| format!("m=what,r={n}x,s=c2FsdA==,i=4096")), MALFORMED),
    scram("scram-of-10-kb", |t| first(t, |n| format!("r={n}{},s=c2FsdA==,i=4096", "x".repeat(10_000))), MALFORMED),
    scram("scram-is-not-text", |t| agrees(t, |t| says(t, &[0xff, 0xfe, 0])), MALFORMED),
    scram("scram-says-nothing", |t| agrees(t, |t| says(t, &[])), MALFORMED),
    // SCRAM's last answer: whoever does not know the password is not the broker.
    scram(
        "scram-signature-wrong",
        |t| last(t, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        Fails("Authentication::Signature"),
    ),
    scram("scram-signature-short", |t| last(t, b"v=AAAA"), Fails("Authentication::Signature")),
    scram("scram-signature-empty", |t| last(t, b"v="), Fails("Authentication::Signature")),
    scram("scram-signature-is-not-base64", |t| last(t, b"v=***"), MALFORMED),
    scram("scram-signature-none", |t| last(t, b""), MALFORMED),
    scram("scram-refuses-at-last", |t| last(t, b"e=invalid-proof"), Fails("Authentication::Refused")),
    // Any mechanism.
    plain("sasl-refused", |t| refuses(t, "no"), Fails("Authentication::Refused")),
    plain("sasl-refused-with-the-password", |t| refuses(t, PASSWORD), Fails("Authentication::Refused")),
    plain("sasl-refused-with-30-kb", |t| refuses(t, &"no ".repeat(10_000)), Fails("Peer::FrameLength")),
    plain("sasl-bytes-of-2-gib", bytes_bomb, Fails("Authentication::Wire")),
    plain("sasl-closes-when-told", |t| agrees(t, |t| t.close()), Fails("Authentication::Closed")),
    plain("sasl-never-answered", |t| agrees(t, |t| t.hang()), Fails("TimedOut::connect_timeout_ms")),
    // Accepted, and then it goes on as without.
    plain("session-of-minus-1", |t| lasts(t, i64::MIN), Verdict::Works),
    plain("session-of-no-end", |t| lasts(t, i64::MAX), Verdict::Works),
    plain("session-of-a-millisecond", |t| lasts(t, 1), Verdict::Works),
    Script::turns(
        "taken-and-then-a-wrong-id",
        Produce,
        taken_then_lies,
        Fails("TimedOut::delivery_timeout_ms: Peer::Correlation"),
    )
    .by(Who::Plain),
    Script::turns(
        "taken-and-then-silence",
        crate::work::Does::Consume,
        taken_then_silence,
        Tries("request_timeout_ms"),
    )
    .by(Who::Plain),
];

fn odd_names(t: &mut Turn<'_>) -> io::Result<()> {
    handshake(t, 33, &["", "lower", "\r\nX", &"LONG".repeat(1_000), "PLAIN"])
}

fn count_of_names(t: &mut Turn<'_>) -> io::Result<()> {
    if t.api == API_VERSIONS.key {
        return lists(t, (0, 1));
    }
    t.at(SASL_HANDSHAKE, |t| t.bare(|b| b.i16(33).i32(i32::MAX)))
}

fn handshake_hangs(t: &mut Turn<'_>) -> io::Result<()> {
    if t.api == API_VERSIONS.key { lists(t, (0, 1)) } else { t.at(SASL_HANDSHAKE, Turn::hang) }
}

fn handshake_endless(t: &mut Turn<'_>) -> io::Result<()> {
    if t.api == API_VERSIONS.key { lists(t, (0, 1)) } else { t.at(SASL_HANDSHAKE, Turn::endless) }
}

fn refuses(t: &mut Turn<'_>, words: &str) -> io::Result<()> {
    agrees(t, |t| t.say(&SaslAuthenticateResponse { error_code: 58, error_message: Some(words), ..Default::default() }))
}

fn bytes_bomb(t: &mut Turn<'_>) -> io::Result<()> {
    agrees(t, |t| t.bare(|b| b.u8(0).i16(0).u8(0).put(&[0xff, 0xff, 0xff, 0xff, 0x07])))
}

fn lasts(t: &mut Turn<'_>, session_lifetime_ms: i64) -> io::Result<()> {
    agrees(t, |t| t.say(&SaslAuthenticateResponse { session_lifetime_ms, ..Default::default() }))
}

fn taken_then_lies(t: &mut Turn<'_>) -> io::Result<()> {
    if t.api == klamm_tokio::wire::api::PRODUCE.key {
        t.id ^= 1;
        return t.produced(&[], 0);
    }
    lasts(t, 0)
}

fn taken_then_silence(t: &mut Turn<'_>) -> io::Result<()> {
    if t.api == klamm_tokio::wire::api::FETCH.key { t.hang() } else { lasts(t, 0) }
}
