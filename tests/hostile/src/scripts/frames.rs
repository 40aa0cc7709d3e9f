//! Frames, their lengths and their ids.

use klamm_tokio::wire::api::{API_VERSIONS, PRODUCE};

use crate::{
    script::{
        Script,
        Verdict::{Fails, Works},
    },
    work::Does::{Connect, Produce},
};

pub(super) const SCRIPTS: &[Script] = &[
    // Trap 11.
    Script::turns("frame-of-2-gib", Connect, |t| t.at(API_VERSIONS, |t| t.endless()), Fails("Peer::FrameLength")),
    Script::turns(
        "frame-negative",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.raw(&[0xff; 12])),
        Fails("Peer::FrameLength"),
    ),
    Script::line("accept-and-silence", Connect, |l| l.silence(), Fails("TimedOut::connect_timeout_ms")),
    Script::turns(
        "produce-silence",
        Produce,
        |t| t.at(PRODUCE, |t| t.hang()),
        Fails("TimedOut::delivery_timeout_ms: TimedOut::request_timeout_ms"),
    )
    .beside(),
    Script::turns("one-that-is-honest", Produce, |t| t.at(PRODUCE, |t| t.honest()), Works).beside(),
];
