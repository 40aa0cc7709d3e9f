//! What a broker says that it speaks.

use std::io;

use klamm_broker::r#gen::{
    api_versions_response::{ApiVersion, ApiVersionsResponse},
    fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData},
    produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
};
use klamm_tokio::wire::api::{API_VERSIONS, FETCH, METADATA, PRODUCE};

use super::batches::sound;
use crate::{
    script::{
        Script,
        Verdict::{Fails, Works},
    },
    speaker::Speaker,
    turn::{NAMED, Turn},
    work::{
        Does::{Connect, Consume, Produce},
        TOPIC,
    },
};

/// What a sound broker lists, with another range of one API.
fn range(t: &mut Turn<'_>, api: klamm_tokio::wire::Api, min: i16, max: i16) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        let ranges: Vec<_> = NAMED
            .into_iter()
            .map(|(key, from, to)| if key == api.key { (key, min, max) } else { (key, from, to) })
            .collect();
        t.speaks(&ranges)
    })
}

pub(super) const SCRIPTS: &[Script] = &[
    Script::turns("versions-least-above-most", Produce, |t| range(t, PRODUCE, 9, 3), Fails("Peer::NoCommonVersion")),
    Script::turns("versions-negative", Produce, |t| range(t, PRODUCE, i16::MIN, -1), Fails("Peer::NoCommonVersion")),
    Script::turns(
        "versions-of-the-future",
        Produce,
        |t| range(t, PRODUCE, 100, i16::MAX),
        Fails("Peer::NoCommonVersion"),
    ),
    // Trap 3.
    Script::turns("versions-of-the-past", Produce, |t| range(t, PRODUCE, 0, 2), Fails("Peer::NoCommonVersion")),
    Script::turns("versions-of-fetch-of-the-past", Consume, |t| range(t, FETCH, 0, 3), Fails("Peer::NoCommonVersion")),
    Script::turns("versions-none", Connect, |t| t.at(API_VERSIONS, |t| t.speaks(&[])), Fails("Peer::NoCommonVersion")),
    Script::turns("versions-from-everything-to-everything", Produce, everything, Works),
    Script::turns("versions-of-apis-that-are-not", Produce, strange_apis, Works),
    Script::turns("versions-listed-twice", Produce, listed_twice, Works),
    Script::turns(
        "versions-counted-by-2-billion",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.bare(|b| b.i16(35).i32(i32::MAX))),
        Fails("Peer::Malformed"),
    ),
    Script::turns("versions-of-100000-apis", Connect, many_apis, Fails("Peer::FrameLength")),
    // Trap 2: each try is answered with an older version to try, which is as wrong.
    Script::turns("versions-always-too-new", Connect, |t| t.at(API_VERSIONS, too_new), Fails("Broker::35")),
    Script::turns(
        "versions-refused",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.say(&ApiVersionsResponse { error_code: 42, ..Default::default() })),
        Fails("Broker::42"),
    ),
    Script::turns(
        "versions-with-a-code-of-nobody",
        Connect,
        |t| t.at(API_VERSIONS, |t| t.say(&ApiVersionsResponse { error_code: 9999, ..Default::default() })),
        Fails("Broker::9999"),
    ),
    // The third try is one without compact lengths.
    Script::turns(
        "versions-compact-count-bomb",
        Connect,
        |t| bomb(t, 0, u32::MAX),
        Fails("connected | Peer::Malformed"),
    ),
    Script::turns("versions-tag-count-bomb", Connect, |t| bomb(t, 1, u32::MAX), Fails("connected | Peer::Malformed")),
    Script::turns("versions-features-bomb", Connect, |t| t.at(API_VERSIONS, features), Fails("Peer::Malformed")),
    // Traps 5 and 6.
    Script::turns("unknown-tags-when-producing", Produce, tagged, Works),
    Script::turns("unknown-tags-when-consuming", Consume, tagged, Works),
];

fn everything(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        // Of what a sound broker behind can answer.
        let ranges: Vec<_> = NAMED.into_iter().map(|(key, _, to)| (key, i16::MIN, to)).collect();
        t.speaks(&ranges)
    })
}

fn strange_apis(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        let strange = (-200..1_000).filter(|key| !(0..100).contains(key)).map(|key| (key, i16::MIN, i16::MAX));
        t.speaks(&NAMED.into_iter().chain(strange).collect::<Vec<_>>())
    })
}

fn listed_twice(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        let again = NAMED.into_iter().map(|(key, ..)| (key, 0, 0));
        t.speaks(&NAMED.into_iter().chain(again).collect::<Vec<_>>())
    })
}

fn many_apis(t: &mut Turn<'_>) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        t.bare(|b| (0..100_000).fold(b.i16(35).i32(100_000), |b, i| b.i16((i % 30_000) as i16).i16(0).i16(0)))
    })
}

fn too_new(t: &mut Turn<'_>) -> io::Result<()> {
    let older = (t.version - 1).max(0);
    t.bare(|b| b.i16(35).i32(1).i16(API_VERSIONS.key).i16(0).i16(older))
}

fn bomb(t: &mut Turn<'_>, nth: usize, value: u32) -> io::Result<()> {
    t.at(API_VERSIONS, |t| {
        let speaker = Speaker { bomb: Some((nth, value)), ..Speaker::default() };
        let key = ApiVersion { api_key: 3, min_version: 0, max_version: 12 };
        t.speak(&ApiVersionsResponse { api_keys: &[key], ..Default::default() }, speaker)
    })
}

/// A known tag, that of the features, whose array counts two billion.
fn features(t: &mut Turn<'_>) -> io::Result<()> {
    t.bare(|b| b.i16(0).u8(1).i32(0).u8(1).u8(0).u8(5).put(&[0xff, 0xff, 0xff, 0xff, 0x07]))
}

/// Every structure of every answer has a field that nobody knows.
fn tagged(t: &mut Turn<'_>) -> io::Result<()> {
    let speaker = Speaker { unknown_tags: true, ..Speaker::default() };
    match t.api {
        key if key == API_VERSIONS.key => {
            t.lied();
            let key = |(api_key, min_version, max_version)| ApiVersion { api_key, min_version, max_version };
            t.speak(&ApiVersionsResponse { api_keys: &NAMED.map(key), ..Default::default() }, speaker)
        }
        key if key == METADATA.key => {
            t.metadata(&[(1, "127.0.0.1", i32::from(t.port))], &[(0, 1, 0), (1, 1, 0)], speaker)
        }
        key if key == PRODUCE.key => {
            let partition = PartitionProduceResponse { base_offset: 7, ..Default::default() };
            let topic = TopicProduceResponse { name: TOPIC, partition_responses: &[partition], ..Default::default() };
            t.speak(&ProduceResponse { responses: &[topic], ..Default::default() }, speaker)
        }
        key if key == FETCH.key => {
            let records = sound(0, 3);
            let partition = PartitionData {
                high_watermark: 3,
                last_stable_offset: 3,
                records: Some(records.len()),
                ..Default::default()
            };
            let topic = FetchableTopicResponse { topic: TOPIC, partitions: &[partition], ..Default::default() };
            t.speak(&FetchResponse { responses: &[topic], ..Default::default() }, Speaker { records, ..speaker })
        }
        _ => t.honest(),
    }
}
