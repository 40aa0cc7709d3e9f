//! A client that encrypts: what comes before the handshake has ended, and whom it shows what is secret.

use std::{io, time::Duration};

use klamm_broker::r#gen::{
    sasl_authenticate_response::SaslAuthenticateResponse, sasl_handshake_response::SaslHandshakeResponse,
};
use klamm_tokio::wire::api::{API_VERSIONS, METADATA, PRODUCE, SASL_AUTHENTICATE, SASL_HANDSHAKE};

use crate::{
    line::Line,
    script::{
        Script,
        Verdict::{self, Fails, Works},
    },
    speaker::Speaker,
    turn::{NAMED, Turn},
    who::Who,
    work::Does::{Connect, Produce},
};

/// The last byte of a loopback address that no certificate is for, and where the script listens too.
pub(crate) const ELSEWHERE: &str = "127.0.0.2";

const fn line(name: &'static str, plays: fn(&mut Line) -> io::Result<()>, verdict: Verdict) -> Script {
    Script::line(name, Connect, plays, verdict).encrypted()
}

fn flood(l: &mut Line, record: &[u8]) -> io::Result<()> {
    l.hear()?;
    l.flood(record)
}

const LATE: Verdict = Fails("TimedOut::connect_timeout_ms | Transport::Tls");
const BROKEN: Verdict = Fails("Transport::Tls::Protocol");
const NOT_TLS: Verdict = Fails("Transport::Tls::NotTls");

pub(super) const SCRIPTS: &[Script] = &[
    line("tls-flood-of-changed-ciphers", |l| flood(l, &[0x14, 3, 3, 0, 1, 1]), BROKEN),
    line("tls-flood-of-warnings", |l| flood(l, &[0x15, 3, 3, 0, 2, 1, 90]), BROKEN),
    line("tls-flood-of-empty-handshakes", |l| flood(l, &[0x16, 3, 3, 0, 0]), NOT_TLS),
    line("tls-flood-of-requests-to-greet", |l| flood(l, &[0x16, 3, 3, 0, 4, 0, 0, 0, 0]), BROKEN),
    line("tls-flood-of-data", |l| flood(l, &[0x17, 3, 3, 0, 4, 1, 2, 3, 4]), BROKEN),
    line("tls-flood-of-empty-data", |l| flood(l, &[0x17, 3, 3, 0, 0]), BROKEN),
    line("tls-handshake-of-16-mib", sixteen_mib, Fails("Transport::Tls::TooLarge")),
    line("tls-handshake-byte-by-byte", tiny_fragments, LATE),
    line("tls-record-of-64-kib", |l| flood(l, &[0x16, 3, 3, 0xff, 0xff]), NOT_TLS),
    line("tls-record-of-version-9", |l| flood(l, &[0x16, 9, 9, 0, 4, 2, 0, 0, 0]), NOT_TLS),
    line("tls-record-of-no-kind", |l| flood(l, &[0x99, 3, 3, 0, 1, 1]), NOT_TLS),
    line("tls-noise", |l| flood(l, b"\x7f\xff\x80noise\0"), NOT_TLS),
    line("tls-answered-as-kafka", |l| l.hear().and_then(|()| l.lie(&[0, 0, 0, 6, 0, 0, 0, 0, 0, 35])), NOT_TLS),
    line("tls-answered-as-http", |l| l.hear().and_then(|()| l.lie(b"HTTP/1.1 400 Bad Request\r\n\r\n")), NOT_TLS),
    line(
        "tls-alert-fatal",
        |l| l.hear().and_then(|()| l.lie(&[0x15, 3, 3, 0, 2, 2, 40])),
        Fails("Transport::Tls::HandshakeAlert"),
    ),
    line(
        "tls-closes-when-greeted",
        |l| l.hear().and_then(|()| l.lie(&[])),
        Fails("Transport::Tls::NotTls | Transport::Io"),
    ),
    line("tls-silence", Line::silence, Fails("TimedOut::connect_timeout_ms")),
    line(
        "tls-drips",
        |l| l.drip(&[0x16, 3, 3, 0, 90, 2], Duration::from_secs(1)),
        Fails("TimedOut::connect_timeout_ms"),
    ),
    // Behind a handshake that is sound.
    Script::secure("secure-frame-of-2-gib", Connect, |t| t.at(API_VERSIONS, Turn::endless), Fails("Peer::FrameLength")),
    Script::secure("secure-id-wrong", Connect, id_wrong, Fails("Peer::Correlation")),
    Script::secure("secure-never-answers-a-produce", Produce, |t| t.at(PRODUCE, Turn::hang), LATE_PRODUCE),
    Script::secure(
        "secure-byte-by-byte",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.drip(Duration::from_micros(50))),
        Works,
    ),
    // The password is for those whose certificate is for the host that was dialled.
    Script::secure("host-without-a-certificate", Produce, elsewhere, MISMATCH),
    Script::secure("host-without-a-certificate-plain", Produce, elsewhere, MISMATCH).by(Who::Plain),
];

const LATE_PRODUCE: Verdict = Fails("TimedOut::delivery_timeout_ms: TimedOut::request_timeout_ms");
const MISMATCH: Verdict =
    Fails("TimedOut::delivery_timeout_ms: Transport::Tls::HostMismatch | Transport::Tls::HostMismatch");

/// A certificate's message that has 16 MiB, in records of 16 KiB.
fn sixteen_mib(l: &mut Line) -> io::Result<()> {
    l.hear()?;
    l.lie(&[0x16, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff])?;
    let record = [&[0x16, 3, 3, 0x40, 0][..], &[0; 16 << 10]].concat();
    l.flood(&record)
}

/// Each byte of a message has a record of its own.
fn tiny_fragments(l: &mut Line) -> io::Result<()> {
    l.hear()?;
    l.lie(&[0x16, 3, 3, 0, 4, 2, 0, 0xea, 0x60])?;
    l.flood(&[0x16, 3, 3, 0, 1, 0])
}

fn id_wrong(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        t.id ^= 1;
        t.speaks(&NAMED)
    })
}

/// Whoever is asked for metadata says that everything is led at an address that its certificate is not for.
fn elsewhere(t: &mut Turn<'_>) -> io::Result<()> {
    match t.api {
        key if key == API_VERSIONS.key => {
            let sasl = [(SASL_HANDSHAKE.key, 0, 1), (SASL_AUTHENTICATE.key, 0, 2)];
            t.speaks(&NAMED.into_iter().chain(sasl).collect::<Vec<_>>())
        }
        key if key == SASL_HANDSHAKE.key => t.say(&SaslHandshakeResponse::default()),
        key if key == SASL_AUTHENTICATE.key => t.say(&SaslAuthenticateResponse::default()),
        _ => t.at(METADATA, |t| {
            let brokers = [(1, ELSEWHERE, i32::from(t.port))];
            t.metadata(&brokers, &[(0, 1, 0), (1, 1, 0)], Speaker::default())
        }),
    }
}
