//! What a broker says of its cluster: brokers, topics, leaders.

use std::io;

use klamm_tokio::wire::api::{LIST_OFFSETS, METADATA, PRODUCE};

use crate::{
    script::{
        Script,
        Verdict::{Fails, Tries, Works},
    },
    speaker::{Bytes, Speaker},
    turn::Turn,
    work::{
        Does::{Connect, Consume, Produce},
        TOPIC,
    },
};

/// One broker, this one, with a lie in the answer's nth compact length.
fn bomb(t: &mut Turn<'_>, nth: usize, value: u32) -> io::Result<()> {
    t.at(METADATA, |t| {
        let speaker = Speaker { bomb: Some((nth, value)), ..Speaker::default() };
        t.metadata(&[(1, "127.0.0.1", i32::from(t.port))], &[(0, 1, 0), (1, 1, 0)], speaker)
    })
}

/// A broker's own words about itself, in the version that is not flexible.
fn itself(b: Bytes, port: u16) -> Bytes {
    b.i32(1).i32(1).str("127.0.0.1").i32(i32::from(port)).i16(-1).i32(1)
}

fn old(t: &mut Turn<'_>, fill: impl FnOnce(Bytes, u16) -> Bytes) -> io::Result<()> {
    t.old(METADATA, |t| {
        let port = t.port;
        t.bare(|b| fill(b, port))
    })
}

/// A broker at this host and port leads everything.
fn elsewhere(t: &mut Turn<'_>, host: &str, port: i32) -> io::Result<()> {
    t.at(METADATA, |t| t.metadata(&[(1, host, port)], &[(0, 1, 0), (1, 1, 0)], Speaker::default()))
}

fn leader(t: &mut Turn<'_>, node: i32) -> io::Result<()> {
    t.at(METADATA, |t| t.leads(&[(0, node, 0), (1, 1, 0)]))
}

const BOMB: u32 = u32::MAX / 2;
const BAD: &str = "Peer::Malformed";
const NO_LEADER: &str =
    "TimedOut::delivery_timeout_ms | TimedOut::max_block_ms | TimedOut::delivery_timeout_ms: Broker::5";

pub(super) const SCRIPTS: &[Script] = &[
    // Counts and lengths: trap 11. In the order in which they stand.
    Script::turns("brokers-compact-bomb", Connect, |t| bomb(t, 1, BOMB), Fails(BAD)),
    Script::turns("host-compact-bomb", Connect, |t| bomb(t, 2, BOMB), Fails(BAD)),
    Script::turns("rack-compact-bomb", Connect, |t| bomb(t, 3, BOMB), Fails(BAD)),
    Script::turns("broker-tags-bomb", Connect, |t| bomb(t, 4, BOMB), Fails(BAD)),
    Script::turns("cluster-id-compact-bomb", Connect, |t| bomb(t, 5, BOMB), Fails(BAD)),
    Script::turns("topics-compact-bomb", Connect, |t| bomb(t, 6, BOMB), Fails(BAD)),
    Script::turns("topic-name-compact-bomb", Produce, |t| bomb(t, 7, BOMB), Fails(BAD)),
    Script::turns("partitions-compact-bomb", Produce, |t| bomb(t, 8, BOMB), Fails(BAD)),
    Script::turns("replicas-compact-bomb", Produce, |t| bomb(t, 9, BOMB), Fails(BAD)),
    Script::turns("brokers-of-2-billion", Connect, |t| old(t, |b, _| b.i32(i32::MAX).i32(7)), Fails(BAD)),
    Script::turns("brokers-negative", Connect, |t| old(t, |b, _| b.i32(-7).i32(7)), Fails(BAD)),
    Script::turns("host-string-bomb", Connect, |t| old(t, |b, _| b.i32(1).i32(1).i16(i16::MAX).u8(7)), Fails(BAD)),
    Script::turns(
        "host-string-null",
        Connect,
        |t| old(t, |b, _| b.i32(1).i32(1).i16(-1).i32(1).i16(-1).i32(1).i32(0)),
        Fails(BAD),
    ),
    Script::turns("host-string-negative", Connect, |t| old(t, |b, _| b.i32(1).i32(1).i16(i16::MIN).i32(1)), Fails(BAD)),
    Script::turns(
        "host-is-not-text",
        Connect,
        |t| old(t, |b, _| b.i32(1).i32(1).i16(2).put(&[0xff, 0xfe]).i32(1).i16(-1).i32(1).i32(0)),
        Fails(BAD),
    ),
    Script::turns("topics-of-2-billion", Connect, |t| old(t, |b, port| itself(b, port).i32(i32::MAX)), Fails(BAD)),
    Script::turns(
        "partitions-of-2-billion",
        Produce,
        |t| old(t, |b, port| one_topic(b, port).i32(i32::MAX).i32(7)),
        Fails(BAD),
    ),
    Script::turns(
        "replicas-of-2-billion",
        Produce,
        |t| old(t, |b, port| one_topic(b, port).i32(1).i16(0).i32(0).i32(1).i32(i32::MAX)),
        Fails(BAD),
    ),
    // So many that are there.
    Script::turns(
        "brokers-of-100000",
        Connect,
        |t| old(t, |b, _| many_brokers(b)),
        Fails("Peer::FrameLength | connected"),
    ),
    Script::turns(
        "partitions-of-a-million",
        Produce,
        many_partitions,
        Fails("Peer::FrameLength | Config::max_partitions"),
    ),
    Script::turns(
        "partition-of-number-2-billion",
        Produce,
        |t| t.at(METADATA, |t| t.leads(&[(i32::MAX - 1, 1, 0)])),
        Fails(NO_TOPIC),
    ),
    Script::turns(
        "partition-of-number-minus-1",
        Produce,
        |t| t.at(METADATA, |t| t.leads(&[(-1, 1, 0)])),
        Fails(NO_TOPIC),
    ),
    Script::turns(
        "partitions-twice",
        Produce,
        |t| t.at(METADATA, |t| t.leads(&[(0, 1, 0), (0, 9, 0), (0, 1, 0)])),
        // A small budget has no room for three partitions.
        Fails("acknowledged | Config::max_partitions"),
    ),
    Script::turns("topic-of-no-name", Produce, no_name, Fails(NO_TOPIC)),
    Script::turns("topic-that-nobody-asked-for", Produce, another_topic, Fails(NO_TOPIC)),
    Script::turns("topic-with-a-code-of-nobody", Produce, |t| code(t, 9_999), Fails("Broker::9999")),
    Script::turns("topic-refused", Produce, |t| code(t, 29), Fails("Broker::29")),
    // Redirects to nowhere.
    Script::turns(
        "brokers-none",
        Produce,
        |t| t.at(METADATA, |t| t.metadata(&[], &[(0, 1, 0)], Speaker::default())),
        Fails("Peer::NoBrokers"),
    ),
    Script::turns("leader-that-is-not-listed", Produce, |t| leader(t, 77), Fails(NO_LEADER)),
    Script::turns("leader-is-nobody", Produce, |t| leader(t, -1), Fails(NO_LEADER)),
    Script::turns("leader-of-number-minus-2-billion", Produce, |t| leader(t, i32::MIN), Fails(NO_LEADER)),
    Script::turns("leader-that-is-not-listed-of-what-is-read", Consume, |t| leader(t, 77), Tries("")),
    Script::turns("port-0", Produce, |t| elsewhere(t, "127.0.0.1", 0), Fails(NO_LEADER)),
    Script::turns("port-negative", Produce, |t| elsewhere(t, "127.0.0.1", -9_092), Fails(NO_LEADER)),
    Script::turns("port-of-70000", Produce, |t| elsewhere(t, "127.0.0.1", 70_000), Fails(NO_LEADER)),
    Script::turns("port-where-nobody-is", Produce, |t| elsewhere(t, "127.0.0.1", 1), Fails(NOWHERE)),
    Script::turns("host-of-no-letters", Produce, |t| elsewhere(t, "", 9_092), Fails(NO_NAME)),
    Script::turns("host-of-10-kb", Produce, |t| elsewhere(t, &"h".repeat(10_000), 9_092), Fails(NO_LEADER)),
    Script::turns("host-of-nul-and-newlines", Produce, |t| elsewhere(t, "a\0b\r\nc", 9_092), Fails(NO_NAME)),
    // Who is who changes all the time: trap 99.
    Script::turns("brokers-change-their-numbers", Produce, |t| t.at(METADATA, renumbered), Works),
    Script::turns("brokers-share-a-number", Produce, |t| t.at(METADATA, same_number), Works),
    Script::turns(
        "brokers-of-negative-numbers",
        Produce,
        |t| {
            t.at(METADATA, |t| {
                t.metadata(
                    &[(-1, "127.0.0.1", 1), (-2, "127.0.0.1", 1), (1, "127.0.0.1", i32::from(t.port))],
                    &[(0, 1, 0)],
                    Speaker::default(),
                )
            })
        },
        Works,
    ),
    Script::turns("cluster-changes-its-name", Produce, renamed, Works),
    // Trap 47: older epochs are no news.
    Script::turns("leader-epochs-go-back", Produce, epochs_go_back, Works),
    Script::turns(
        "leader-epoch-at-the-end-of-numbers",
        Produce,
        |t| t.at(METADATA, |t| t.leads(&[(0, 1, i32::MAX), (1, 1, 0)])),
        Works,
    ),
    Script::turns(
        "not-the-leader-for-ever",
        Produce,
        |t| t.old(PRODUCE, |t| refused(t, 6)),
        Fails("TimedOut::delivery_timeout_ms: Broker::6"),
    ),
    // Offsets.
    Script::turns(
        "offset-of-minus-5",
        Consume,
        |t| t.old(LIST_OFFSETS, |t| offset(t, 0, -5)),
        Tries("UNKNOWN_SERVER_ERROR"),
    ),
    Script::turns(
        "offset-of-another-partition",
        Consume,
        |t| t.old(LIST_OFFSETS, |t| offset(t, 33, 0)),
        Tries("UNKNOWN_SERVER_ERROR"),
    ),
    Script::turns(
        "offset-of-no-topic",
        Consume,
        |t| t.old(LIST_OFFSETS, |t| t.bare(|b| b.i32(0))),
        Tries("UNKNOWN_SERVER_ERROR"),
    ),
    Script::turns(
        "offset-with-a-code-of-nobody",
        Consume,
        |t| t.old(LIST_OFFSETS, |t| t.bare(|b| b.i32(1).str(TOPIC).i32(1).i32(0).i16(9_999).i64(-1).i64(-1))),
        Fails("Broker::9999"),
    ),
    Script::turns(
        "offsets-of-2-billion-topics",
        Consume,
        |t| t.old(LIST_OFFSETS, |t| t.bare(|b| b.i32(i32::MAX))),
        Tries("does not decode"),
    ),
];

const NO_TOPIC: &str = "TimedOut::max_block_ms";
const NO_NAME: &str = "TimedOut::delivery_timeout_ms: Transport::Resolve";
const NOWHERE: &str = "TimedOut::delivery_timeout_ms: Transport::Connect::ConnectionRefused";

fn one_topic(b: Bytes, port: u16) -> Bytes {
    itself(b, port).i32(1).i16(0).str(TOPIC).u8(0)
}

fn many_brokers(b: Bytes) -> Bytes {
    let broker = |b: Bytes, id| b.i32(id).str("127.0.0.1").i32(9_092).i16(-1);
    (1..=100_000).fold(b.i32(100_000), broker).i32(1).i32(0)
}

/// As they are made, because whoever waits for all of them waits for long.
fn many_partitions(t: &mut Turn<'_>) -> io::Result<()> {
    const COUNT: i32 = 1_000_000;
    const EACH: i32 = 26;
    t.old(METADATA, |t| {
        let head = one_topic(Bytes(t.id.to_be_bytes().to_vec()), t.port).i32(COUNT);
        t.raw(&(head.0.len() as i32 + COUNT * EACH).to_be_bytes())?;
        t.raw(&head.0)?;
        for from in (0..COUNT).step_by(1_000) {
            let partition = |b: Bytes, index| b.i16(0).i32(index).i32(1).i32(1).i32(1).i32(1).i32(1);
            let some = (from..from + 1_000).fold(Bytes(Vec::new()), partition);
            t.raw(&some.0)?;
        }
        Ok(())
    })
}

fn no_name(t: &mut Turn<'_>) -> io::Result<()> {
    old(t, |b, port| itself(b, port).i32(1).i16(0).str("").u8(0).i32(0))
}

fn another_topic(t: &mut Turn<'_>) -> io::Result<()> {
    old(t, |b, port| itself(b, port).i32(1).i16(0).str("another").u8(0).i32(1).i16(0).i32(0).i32(1).i32(0).i32(0))
}

fn code(t: &mut Turn<'_>, code: i16) -> io::Result<()> {
    old(t, |b, port| itself(b, port).i32(1).i16(code).str(TOPIC).u8(0).i32(0))
}

fn renumbered(t: &mut Turn<'_>) -> io::Result<()> {
    let node = 1 + (t.nth % 5) as i32;
    t.metadata(&[(node, "127.0.0.1", i32::from(t.port))], &[(0, node, 0), (1, node, 0)], Speaker::default())
}

fn same_number(t: &mut Turn<'_>) -> io::Result<()> {
    let port = i32::from(t.port);
    let brokers = [(1, "127.0.0.1", port), (1, "127.0.0.1", port), (1, "127.0.0.1", port)];
    t.metadata(&brokers, &[(0, 1, 0), (1, 1, 0)], Speaker::default())
}

/// The id of the cluster is another one in each answer.
fn renamed(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(METADATA, |t| {
        let (mut answer, nth) = (t.asked()?, t.nth as u8);
        // The cluster's id is a text of 22 letters behind the brokers, whatever its first letter is.
        let at = answer.windows(2).position(|pair| pair[0] == 23 && pair[1].is_ascii_alphanumeric());
        if let Some(at) = at {
            answer[at + 1] = b'A' + nth % 20;
        }
        t.frame(&answer)
    })
}

fn epochs_go_back(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(METADATA, |t| {
        let epoch = 100 - (t.nth as i32).min(99);
        t.leads(&[(0, 1, epoch), (1, 1, epoch)])
    })
}

fn refused(t: &mut Turn<'_>, code: i16) -> io::Result<()> {
    t.bare(|b| b.i32(1).str(TOPIC).i32(1).i32(0).i16(code).i64(-1).i64(-1).i32(0))
}

fn offset(t: &mut Turn<'_>, partition: i32, offset: i64) -> io::Result<()> {
    t.bare(|b| b.i32(1).str(TOPIC).i32(1).i32(partition).i16(0).i64(-1).i64(offset))
}
