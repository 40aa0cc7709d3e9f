//! Frames, their lengths, their ids, and how fast they come.

use std::{io, thread, time::Duration};

use klamm_tokio::wire::api::{API_VERSIONS, FETCH, METADATA, PRODUCE};

use crate::{
    line::Line,
    script::{
        Script,
        Verdict::{Fails, Tries, Works},
    },
    turn::Turn,
    work::Does::{Connect, Consume, Produce},
};

/// One byte a second.
const SLOW: Duration = Duration::from_secs(1);

pub(super) const SCRIPTS: &[Script] = &[
    // Lengths: trap 11.
    Script::turns("frame-of-2-gib", Connect, |t| t.at(API_VERSIONS, Turn::endless), Fails("Peer::FrameLength")),
    Script::turns(
        "frame-negative",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.raw(&[0xff; 12])),
        Fails("Peer::FrameLength"),
    ),
    Script::turns("frame-empty", Connect, |t| t.at(API_VERSIONS, |t| t.frame(&[])), Fails("Peer::FrameLength")),
    Script::turns(
        "frame-shorter-than-an-id",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.frame(&[0; 3])),
        Fails("Peer::FrameLength"),
    ),
    Script::turns("metadata-of-2-gib", Produce, |t| t.at(METADATA, Turn::endless), Fails("Peer::FrameLength")),
    Script::turns("produce-answer-of-2-gib", Produce, |t| t.at(PRODUCE, Turn::endless), Fails(LATE_AS_FRAME)).beside(),
    Script::turns("fetch-answer-of-2-gib", Consume, |t| t.at(FETCH, Turn::endless), Tries("request_timeout_ms"))
        .beside(),
    Script::turns("bytes-behind-the-answer", Connect, behind_the_answer, Works),
    // Ids: trap 9.
    Script::turns("id-wrong", Connect, |t| t.at(API_VERSIONS, |t| other_id(t, 1)), Fails("Peer::Correlation")),
    Script::turns(
        "id-negative",
        Connect,
        |t| t.at(API_VERSIONS, |t| other_id(t, i32::MIN)),
        Fails("Peer::Correlation"),
    ),
    Script::turns("id-of-a-produce-wrong", Produce, |t| t.at(PRODUCE, |t| other_id(t, 1)), Fails(LATE_BY_ID)).beside(),
    Script::turns("id-of-a-fetch-wrong", Consume, |t| t.at(FETCH, |t| other_id(t, 1)), Tries("correlation id"))
        .beside(),
    Script::turns("answered-twice", Produce, |t| t.at(PRODUCE, twice), Works).beside(),
    Script::turns("greeting-answered-twice", Connect, |t| t.at(API_VERSIONS, twice), Fails("Peer::Correlation")),
    Script::line("answers-to-nothing", Connect, |l| l.flood(&[0, 0, 0, 4, 0, 0, 0, 9]), Fails("Peer::Correlation")),
    // Ends.
    Script::line("closes-at-once", Connect, |l| l.lie(&[]), Fails("Peer::NoGreeting")),
    Script::line("closes-when-greeted", Connect, |l| l.hear().and_then(|()| l.lie(&[])), Fails("Peer::NoGreeting")),
    Script::turns("closes-within-a-length", Connect, |t| t.at(API_VERSIONS, |t| cut(t, 3)), Fails("Peer::NoGreeting")),
    Script::turns(
        "closes-within-the-greeting",
        Connect,
        |t| t.at(API_VERSIONS, |t| cut(t, 20)),
        Fails("Peer::NoGreeting"),
    ),
    // As a listener does that wants SASL, but for the bytes.
    Script::turns("closes-within-metadata", Produce, |t| t.at(METADATA, |t| cut(t, 40)), Fails("Peer::NoAnswer")),
    Script::turns("closes-within-a-produce-answer", Produce, |t| t.at(PRODUCE, |t| cut(t, 30)), Fails(LATE_BY_END))
        .beside(),
    Script::turns(
        "closes-within-a-fetch-answer",
        Consume,
        |t| t.at(FETCH, |t| cut(t, 30)),
        Tries("closed the connection"),
    )
    .beside(),
    // Time.
    Script::line("accepts-and-is-silent", Connect, Line::silence, Fails("TimedOut::connect_timeout_ms")),
    Script::turns(
        "half-open",
        Connect,
        |t| if t.api == API_VERSIONS.key { t.honest() } else { silent(t) },
        Fails(NEVER),
    ),
    Script::line(
        "drips-a-greeting",
        Connect,
        |l| l.drip(&[0, 0, 0, 60, 0, 0], SLOW),
        Fails("TimedOut::connect_timeout_ms"),
    ),
    Script::turns("drips-a-produce-answer", Produce, |t| t.at(PRODUCE, |t| t.drip(SLOW)), Fails(LATE)).beside(),
    Script::turns("drips-a-fetch-answer", Consume, |t| t.at(FETCH, |t| t.drip(SLOW)), Tries("request_timeout_ms"))
        .beside(),
    Script::turns("byte-by-byte", Produce, |t| if t.nth > 0 { t.honest() } else { byte_by_byte(t) }, Works),
    Script::turns("never-answers-a-produce", Produce, |t| t.at(PRODUCE, Turn::hang), Fails(LATE)).beside(),
    Script::turns("never-answers-a-fetch", Consume, |t| t.at(FETCH, Turn::hang), Tries("request_timeout_ms")).beside(),
    Script::turns("never-answers-metadata", Produce, |t| t.at(METADATA, Turn::hang), Fails(NEVER)),
    Script::line("reads-nothing", Connect, reads_nothing, Fails("TimedOut::connect_timeout_ms")),
    // Other protocols.
    Script::line("speaks-http", Connect, |l| l.lie(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Fails("Peer::OtherProtocol")),
    Script::line("speaks-ssh", Connect, |l| l.lie(b"SSH-2.0-OpenSSH_9.6\r\n"), Fails("Peer::OtherProtocol")),
    Script::line("speaks-tls", Connect, |l| l.lie(&[0x15, 3, 3, 0, 2, 2, 70]), Fails("Peer::OtherProtocol")),
    Script::line("speaks-noise", Connect, |l| l.flood(b"\x7f\xff\x80noise\0"), Fails("Peer::FrameLength")),
];

const LATE: &str = "TimedOut::delivery_timeout_ms: TimedOut::request_timeout_ms";
const LATE_BY_ID: &str = "TimedOut::delivery_timeout_ms: Peer::Correlation";
const LATE_BY_END: &str = "TimedOut::delivery_timeout_ms: Transport::Io::ConnectionReset";
const LATE_AS_FRAME: &str = "TimedOut::delivery_timeout_ms: Peer::FrameLength";
const NEVER: &str = "TimedOut::request_timeout_ms";

fn other_id(t: &mut Turn<'_>, id: i32) -> io::Result<()> {
    let answer = t.asked()?;
    t.frame(&[&t.id.wrapping_add(id).to_be_bytes(), &answer[4..]].concat())
}

fn twice(t: &mut Turn<'_>) -> io::Result<()> {
    let answer = t.asked()?;
    t.frame(&answer)?;
    t.frame(&answer)
}

fn behind_the_answer(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        let answer = t.asked()?;
        t.frame(&[&answer[..], &[0; 100]].concat())
    })
}

fn cut(t: &mut Turn<'_>, len: usize) -> io::Result<()> {
    let answer = t.asked()?;
    let frame = [&(answer.len() as u32).to_be_bytes(), &answer[..]].concat();
    t.raw(&frame[..len])?;
    t.close()
}

fn silent(t: &mut Turn<'_>) -> io::Result<()> {
    t.lied();
    t.hang()
}

/// Whoever is patient gets all of it.
fn byte_by_byte(t: &mut Turn<'_>) -> io::Result<()> {
    t.lied();
    t.drip(Duration::from_micros(200))
}

fn reads_nothing(l: &mut Line) -> io::Result<()> {
    l.lie(&[])?;
    thread::sleep(SLOW);
    Ok(())
}
