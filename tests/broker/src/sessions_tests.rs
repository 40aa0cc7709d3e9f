use crate::ClusterConfig;
use crate::testing::{Bench, batch, from};
use klamm::ErrorCode;
use klamm::wire::Uuid;
use klamm::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use klamm::wire::fetch_response::FetchResponse;

/// The code, the session's id, and (partition, code, has records) of what the answer mentions.
type Said = (ErrorCode, i32, Vec<(i32, i16, bool)>);

struct Ask<'a> {
    version: i16,
    session: (i32, i32),
    parts: &'a [FetchPartition],
    forgotten: &'a [i32],
}

const FIRST: Ask<'_> = Ask { version: 16, session: (0, 0), parts: &[], forgotten: &[] };

fn ask(bench: &mut Bench, ask: Ask<'_>) -> Said {
    let topic_id = bench.cluster.topic_id("t").unwrap_or(Uuid::ZERO);
    let topics = [FetchTopic { topic: "t", topic_id, partitions: ask.parts }];
    let forgotten = [ForgottenTopic { topic: "t", topic_id, partitions: ask.forgotten }];
    let request = FetchRequest {
        session_id: ask.session.0,
        session_epoch: ask.session.1,
        topics: if ask.parts.is_empty() { &[] } else { &topics },
        forgotten_topics_data: if ask.forgotten.is_empty() { &[] } else { &forgotten },
        ..Default::default()
    };
    let answer = bench.call(1, ask.version, &request);
    let body: FetchResponse<'_> = answer.read();
    let parts = body.responses.iter().flat_map(|topic| topic.partitions);
    let parts = parts.map(|p| (p.partition_index, p.error_code, p.records.is_some_and(|records| !records.is_empty())));
    (ErrorCode(body.error_code), body.session_id, parts.collect())
}

/// One broker, a topic of three empty partitions, and a session on all of them.
fn begun() -> (Bench, i32) {
    let mut bench = Bench::with(ClusterConfig { brokers: 1, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 3, 1);
    let (code, id, parts) = ask(&mut bench, Ask { parts: &[from(0, 0), from(1, 0), from(2, 0)], ..FIRST });
    assert!(code.is_ok() && id > 0);
    assert_eq!(parts, [(0, 0, false), (1, 0, false), (2, 0, false)], "a full answer mentions everything");
    (bench, id)
}

/// Trap 74: only what has changed is mentioned.
#[test]
fn only_changes_are_mentioned() {
    let (mut bench, id) = begun();
    let ok = |parts: &[(i32, i16, bool)]| (ErrorCode::NONE, id, parts.to_vec());
    let mut epoch = 0;
    let mut next = |bench: &mut Bench, parts: &[FetchPartition], forgotten: &[i32]| {
        epoch += 1;
        ask(bench, Ask { session: (id, epoch), parts, forgotten, ..FIRST })
    };
    assert_eq!(next(&mut bench, &[], &[]), ok(&[]));
    bench.produce(1, ("t", 0), &batch(&["a"]));
    assert_eq!(next(&mut bench, &[], &[]), ok(&[(0, 0, true)]));
    // It was not said that the client has read it, so it comes again; now after the others, for fairness.
    bench.produce(1, ("t", 1), &batch(&["b"]));
    assert_eq!(next(&mut bench, &[], &[]), ok(&[(1, 0, true), (0, 0, true)]));
    assert_eq!(next(&mut bench, &[from(0, 1), from(1, 1)], &[]), ok(&[]));
    // A new end alone is worth a mention, with or without records.
    bench.produce(1, ("t", 2), &batch(&["c"]));
    assert_eq!(next(&mut bench, &[from(2, 1)], &[]), ok(&[(2, 0, false)]));
    // An error is mentioned again and again, and its end too.
    let range = ErrorCode::OFFSET_OUT_OF_RANGE.0;
    assert_eq!(next(&mut bench, &[from(2, 9)], &[]), ok(&[(2, range, false)]));
    assert_eq!(next(&mut bench, &[], &[]), ok(&[(2, range, false)]));
    assert_eq!(next(&mut bench, &[from(2, 1)], &[]), ok(&[(2, 0, false)]));
    assert_eq!(next(&mut bench, &[], &[]), ok(&[]));
    // What is forgotten is not mentioned any more; what is added is.
    bench.produce(1, ("t", 0), &batch(&["d"]));
    assert_eq!(next(&mut bench, &[], &[0]), ok(&[]));
    assert_eq!(next(&mut bench, &[from(0, 2)], &[]), ok(&[(0, 0, false)]));
    // An empty session ends.
    assert_eq!(next(&mut bench, &[], &[0, 1, 2]), (ErrorCode::NONE, 0, vec![]));
    assert_eq!(bench.cluster.fetch_sessions(1), 0);
}

/// What diverges is mentioned until it does not, and then once more, like an error.
#[test]
fn the_end_of_a_divergence_is_mentioned() {
    let (mut bench, id) = begun();
    bench.produce(1, ("t", 0), &batch(&["a"]));
    bench.cluster.move_leader("t", 0, 1);
    bench.cluster.move_leader("t", 0, 1);
    let in_epoch = |last_fetched_epoch| FetchPartition { last_fetched_epoch, ..from(0, 1) };
    let mut next = |epoch, parts: &[FetchPartition]| ask(&mut bench, Ask { session: (id, epoch), parts, ..FIRST }).2;
    assert_eq!(next(1, &[in_epoch(1)]), [(0, 0, false)]);
    assert_eq!(next(2, &[]), [(0, 0, false)]);
    assert_eq!(next(3, &[in_epoch(2)]), [(0, 0, false)]);
    assert_eq!(next(4, &[]), []);
}

#[test]
fn errors_of_a_session() {
    let (mut bench, id) = begun();
    let failed = |code| (code, 0, vec![]);
    let epoch = failed(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(ask(&mut bench, Ask { session: (id, 2), ..FIRST }), epoch);
    assert_eq!(ask(&mut bench, Ask { session: (id, 1), ..FIRST }), (ErrorCode::NONE, id, vec![]));
    assert_eq!(ask(&mut bench, Ask { session: (id, 1), ..FIRST }), epoch, "a repeated epoch");
    let unknown = failed(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(ask(&mut bench, Ask { session: (id ^ 1, 1), ..FIRST }), unknown);
    let by_name = Ask { session: (id, 2), version: 12, ..FIRST };
    assert_eq!(ask(&mut bench, by_name), failed(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR));
    assert_eq!(bench.cluster.fetch_sessions(1), 1, "errors end no session");
    // A full request ends the session that it names, and begins another or none.
    let (_, other, _) = ask(&mut bench, Ask { session: (id, 0), parts: &[from(0, 0)], ..FIRST });
    assert!(other != id && other > 0);
    assert_eq!(ask(&mut bench, Ask { session: (id, 2), ..FIRST }), unknown);
    let said = ask(&mut bench, Ask { session: (other, -1), parts: &[from(1, 0)], ..FIRST });
    assert_eq!(said, (ErrorCode::NONE, 0, vec![(1, 0, false)]));
    assert_eq!(bench.cluster.fetch_sessions(1), 0);
}

#[test]
fn sessions_end_with_their_broker() {
    let (mut bench, id) = begun();
    bench.cluster.kill(1);
    bench.cluster.start(1);
    bench.hang_up(1);
    let said = ask(&mut bench, Ask { session: (id, 1), ..FIRST });
    assert_eq!(said.0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_full_cache_gives_no_session() {
    let fetch_sessions_max = 1;
    let mut bench = Bench::with(ClusterConfig { brokers: 1, fetch_sessions_max, ..ClusterConfig::default() });
    bench.cluster.create_topic("t", 1, 1);
    let parts = [from(0, 0)];
    let full = || Ask { parts: &parts, ..FIRST };
    assert!(ask(&mut bench, full()).1 > 0);
    assert_eq!(ask(&mut bench, full()), (ErrorCode::NONE, 0, vec![(0, 0, false)]));
    // Before version 7 there are none.
    let old = ask(&mut bench, Ask { version: 6, session: (0, -1), parts: &[from(0, 0)], ..FIRST });
    assert_eq!(old, (ErrorCode::NONE, 0, vec![(0, 0, false)]));
}

/// A topic that is created again has another id: the session's one is unknown from then on.
#[test]
fn a_topic_created_again() {
    let (mut bench, id) = begun();
    bench.cluster.delete_topic("t");
    bench.cluster.create_topic("t", 3, 1);
    let (code, _, parts) = ask(&mut bench, Ask { session: (id, 1), ..FIRST });
    assert!(code.is_ok());
    let unknown = ErrorCode::UNKNOWN_TOPIC_ID.0;
    assert_eq!(parts, [(0, unknown, false), (1, unknown, false), (2, unknown, false)]);
}
