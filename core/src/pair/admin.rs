//! Topics that are made and deleted, by tries of which some are never heard of.

use alloc::{boxed::Box, string::String, vec, vec::Vec};

use super::{
    Pair, Request, TopicSpec, id,
    partition::{Task, pending, ready},
};
use crate::{
    AdminError, CreatedTopic, ErrorCode, NewTopic,
    broker_role::{
        create_topics_response::{CreatableTopicResult, CreateTopicsResponse},
        delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse},
    },
    wire::{Api, api},
};

type Said<'a> = &'a [(&'a str, ErrorCode)];
type Created = Result<Vec<CreatedTopic>, AdminError<CreatedTopic>>;

/// Three brokers that know the topics `t` and `u`, whoever made them.
fn begun() -> Pair {
    let mut pair = Pair::new();
    pair.by_hand.insert(api::DELETE_TOPICS.key);
    pair.topics.push(TopicSpec { name: "u".into(), id: id(2), error: 0, leaders: vec![(1, 5)] });
    pair
}

fn creating(pair: &Pair) -> Task<Created> {
    let admin = pair.client().admin();
    Box::pin(async move { admin.create_topics(["t", "u"].map(|name| NewTopic::new(name, 3, 1))).await })
}

fn deleting(pair: &Pair) -> Task<Result<(), AdminError<String>>> {
    let admin = pair.client().admin();
    Box::pin(async move { admin.delete_topics(["t", "u"]).await })
}

fn asked<T: core::fmt::Debug>(pair: &mut Pair, task: &mut Task<T>, api: Api) -> Request {
    pending(pair, task);
    pair.await_request(api, 500)
}

fn made(pair: &mut Pair, request: &Request, said: Said<'_>) {
    let topics: Vec<_> = said
        .iter()
        .map(|(name, code)| CreatableTopicResult { name, error_code: code.0, ..CreatableTopicResult::default() })
        .collect();
    pair.answer(request, &CreateTopicsResponse { topics: &topics, ..CreateTopicsResponse::default() });
}

fn gone(pair: &mut Pair, request: &Request, said: Said<'_>) {
    let responses: Vec<_> = said
        .iter()
        .map(|(name, code)| DeletableTopicResult {
            name: Some(name),
            error_code: code.0,
            ..DeletableTopicResult::default()
        })
        .collect();
    pair.answer(request, &DeleteTopicsResponse { responses: &responses, ..DeleteTopicsResponse::default() });
}

fn names(created: &[CreatedTopic]) -> Vec<(&str, i32)> {
    created.iter().map(|t| (t.name.as_str(), t.partitions)).collect()
}

/// The answer never came, and what was asked for is there already at the next try: that is what was wanted.
#[test]
fn what_a_lost_try_has_made_is_made() {
    let mut pair = begun();
    let mut task = creating(&pair);
    let request = asked(&mut pair, &mut task, api::CREATE_TOPICS);
    pair.hang_up(request.link);
    let again = asked(&mut pair, &mut task, api::CREATE_TOPICS);
    made(&mut pair, &again, &[("t", ErrorCode::TOPIC_ALREADY_EXISTS), ("u", ErrorCode::NONE)]);
    let created = ready(&mut pair, &mut task).expect("both are there");
    assert_eq!(names(&created), [("t", 3), ("u", 3)]);
}

/// The broker's time was over for one topic, which is there at the next try. For the other it was not: there, it is an error.
#[test]
fn what_took_a_broker_too_long_is_made() {
    let mut pair = begun();
    let mut task = creating(&pair);
    let request = asked(&mut pair, &mut task, api::CREATE_TOPICS);
    made(&mut pair, &request, &[("t", ErrorCode::REQUEST_TIMED_OUT), ("u", ErrorCode::NOT_CONTROLLER)]);
    let again = asked(&mut pair, &mut task, api::CREATE_TOPICS);
    made(&mut pair, &again, &["u", "t"].map(|name| (name, ErrorCode::TOPIC_ALREADY_EXISTS)));
    let error = ready(&mut pair, &mut task).expect_err("one was there before");
    assert_eq!(names(&error.done), [("t", 3)]);
    assert_eq!(error.failed.len(), 1, "{error}");
    assert_eq!(error.failed[0].0, "u");
}

/// The same of topics that are deleted.
#[test]
fn what_a_lost_try_has_deleted_is_deleted() {
    let mut pair = begun();
    let mut task = deleting(&pair);
    let request = asked(&mut pair, &mut task, api::DELETE_TOPICS);
    gone(&mut pair, &request, &[("t", ErrorCode::REQUEST_TIMED_OUT), ("u", ErrorCode::NOT_CONTROLLER)]);
    let again = asked(&mut pair, &mut task, api::DELETE_TOPICS);
    gone(&mut pair, &again, &["u", "t"].map(|name| (name, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)));
    let error = ready(&mut pair, &mut task).expect_err("one was not there");
    assert_eq!((error.done, error.failed.len()), (vec![String::from("t")], 1));
    let mut task = deleting(&pair);
    let request = asked(&mut pair, &mut task, api::DELETE_TOPICS);
    pair.hang_up(request.link);
    let again = asked(&mut pair, &mut task, api::DELETE_TOPICS);
    gone(&mut pair, &again, &[("t", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), ("u", ErrorCode::NONE)]);
    ready(&mut pair, &mut task).expect("both are gone");
}
