//! CreateTopics, and the wait until what was created can be seen.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{task::Waker, time::Duration};

use crate::{
    CreateTopicsError, CreatedTopic, Error, Instant, NewTopic,
    cluster::{Cluster, check_topic_name},
    code::ErrorCode,
    error::Fate,
    link::{LinkId, Use},
    machine::Context,
    sync::{Arc, Lock},
    wire::{
        Decode, Reader,
        api::{CREATE_TOPICS, METADATA},
        create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        create_topics_response::CreateTopicsResponse,
        metadata_request::{MetadataRequest, MetadataRequestTopic},
        metadata_response::MetadataResponse,
    },
};

type Answer = Result<Vec<CreatedTopic>, CreateTopicsError>;

/// A call, between the handle that waits and the driver that works.
pub(crate) struct Call {
    topics: Vec<NewTopic>,
    state: Lock<(Option<Answer>, Option<Waker>)>,
}

impl Call {
    pub(crate) fn new(topics: Vec<NewTopic>) -> Arc<Self> {
        Arc::new(Call { topics, state: Lock::new((None, None)) })
    }

    /// The answer, once; until then the waker is kept.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Answer> {
        let waker = waker.clone();
        let mut state = self.state.lock();
        let answer = state.0.take();
        let old = if answer.is_none() { state.1.replace(waker) } else { None };
        drop(state);
        drop(old);
        answer
    }

    fn answer(&self, answer: Answer) {
        let waker = {
            let mut state = self.state.lock();
            state.0 = Some(answer);
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Which call an answer belongs to, and to which of its two questions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) number: u64,
    visible: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Create,
    /// Created; not yet seen by the broker that was asked.
    See,
    Waiting,
    Done,
}

/// A call on the driver's side.
pub(crate) struct Creation {
    number: u64,
    call: Arc<Call>,
    step: Step,
    /// Topics that are still to be created.
    left: Vec<usize>,
    created: Vec<CreatedTopic>,
    failed: Vec<(String, Error)>,
    until: Option<Instant>,
    retry_at: Instant,
    failures: u32,
    because: Option<Error>,
}

impl Creation {
    pub(super) fn new(number: u64, call: Arc<Call>) -> Self {
        let (mut left, mut failed) = (Vec::new(), Vec::new());
        for (at, topic) in call.topics.iter().enumerate() {
            match check_topic_name(&topic.name).and_then(|()| check_once(&call.topics, &topic.name)) {
                Ok(()) => left.push(at),
                Err(_) if failed.iter().any(|(name, _)| *name == topic.name) => {}
                Err(error) => failed.push((topic.name.clone(), error)),
            }
        }
        Creation {
            number,
            call,
            step: Step::Create,
            left,
            created: Vec::new(),
            failed,
            until: None,
            retry_at: Instant::ZERO,
            failures: 0,
            because: None,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    pub(super) fn deadline(&self) -> Instant {
        let until = self.until.unwrap_or(Instant::FAR);
        if self.step == Step::Waiting { until } else { until.min(self.retry_at.max(Instant::from_nanos(1))) }
    }

    fn timeout(cluster: &Cluster) -> Duration {
        Duration::from_millis(u64::from(cluster.config.request_timeout_ms))
    }

    pub(super) fn run(&mut self, now: Instant, cluster: &mut Cluster) {
        let span = Self::timeout(cluster);
        let until = *self.until.get_or_insert(now.after(span));
        if self.step == Step::Create && self.left.is_empty() {
            self.step = if self.created.is_empty() { Step::Done } else { Step::See };
            if self.is_done() {
                return self.finish();
            }
        }
        if now >= until && self.step != Step::Done {
            return self.time_out(span, cluster);
        }
        if self.retry_at > now {
            return;
        }
        match self.step {
            Step::Create => self.ask_to_create(now, cluster),
            Step::See => self.ask_to_see(now, cluster),
            Step::Waiting | Step::Done => {}
        }
        if self.step != Step::Waiting && self.retry_at <= now {
            // No link yet: whatever brings one runs this again; look again by itself, should nothing come.
            self.retry_at = now.after(Duration::from_millis(u64::from(cluster.config.backoff_ms)));
        }
    }

    fn ask_to_create(&mut self, now: Instant, cluster: &mut Cluster) {
        let controller = cluster.controller();
        let link = match controller {
            0.. => cluster.ready_link(now, controller, Use::Control, usize::MAX),
            _ => cluster.any_link(now),
        };
        let Some(link) = link else { return };
        let version = match cluster.version(link, CREATE_TOPICS, CREATE_TOPICS.max) {
            Ok(version) => version,
            Err(error) => return self.fail_all(&error),
        };
        let configs: Vec<Vec<CreatableTopicConfig<'_>>> = self
            .left
            .iter()
            .map(|at| {
                let configs = &self.call.topics[*at].configs;
                configs.iter().map(|(name, value)| CreatableTopicConfig { name, value: Some(value) }).collect()
            })
            .collect();
        let topics: Vec<CreatableTopic<'_>> = self
            .left
            .iter()
            .zip(&configs)
            .map(|(at, configs)| {
                let topic = &self.call.topics[*at];
                CreatableTopic {
                    name: &topic.name,
                    num_partitions: topic.partitions,
                    replication_factor: topic.replication_factor,
                    assignments: &[],
                    configs,
                }
            })
            .collect();
        let timeout_ms = i32::try_from(cluster.config.request_timeout_ms).unwrap_or(i32::MAX);
        let body = CreateTopicsRequest { topics: &topics, timeout_ms, validate_only: false };
        let context = Context::Admin(Asked { number: self.number, visible: false });
        let sending = cluster.plain(now, version, context);
        match cluster.send(link, &body, sending) {
            Ok(()) => self.step = Step::Waiting,
            Err(error) => self.fail_all(&error),
        }
    }

    fn ask_to_see(&mut self, now: Instant, cluster: &mut Cluster) {
        let Some(link) = cluster.any_link(now) else { return };
        let version = match cluster.version(link, METADATA, METADATA.max) {
            Ok(version) => version,
            Err(error) => return self.fail_all(&error),
        };
        let topics: Vec<MetadataRequestTopic<'_>> = self
            .created
            .iter()
            .map(|t| MetadataRequestTopic { name: Some(&t.name), ..MetadataRequestTopic::default() })
            .collect();
        let body = MetadataRequest {
            topics: Some(&topics),
            // Before version 4 a broker that may create topics by itself could not be told not to.
            allow_auto_topic_creation: version < 4,
            ..MetadataRequest::default()
        };
        let context = Context::Admin(Asked { number: self.number, visible: true });
        let sending = cluster.plain(now, version, context);
        match cluster.send(link, &body, sending) {
            Ok(()) => self.step = Step::Waiting,
            Err(error) => self.fail_all(&error),
        }
    }

    pub(super) fn on_response(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        asked: Asked,
        mut body: Reader<'_>,
    ) {
        if asked.visible {
            return self.on_seen(now, cluster, link, version, body);
        }
        match CreateTopicsResponse::decode(&mut body, version) {
            Ok(response) => {
                cluster.throttle(now, link, response.throttle_time_ms);
                self.on_created(now, cluster, &response);
            }
            Err(error) => {
                let error = cluster.malformed(link, CREATE_TOPICS, error);
                self.fail_all(&error);
            }
        }
    }

    fn on_created(&mut self, now: Instant, cluster: &mut Cluster, response: &CreateTopicsResponse<'_>) {
        self.step = Step::Create;
        for answer in response.topics.iter() {
            let Some(at) = self.left.iter().position(|l| self.call.topics[*l].name == answer.name) else { continue };
            let code = ErrorCode(answer.error_code);
            let what = || alloc::format!("create topic {}", answer.name);
            if code.is_ok() {
                let topic = &self.call.topics[self.left.swap_remove(at)];
                self.created.push(CreatedTopic {
                    name: topic.name.clone(),
                    // Known since version 5 (KIP-525).
                    partitions: if answer.num_partitions >= 0 { answer.num_partitions } else { topic.partitions },
                    replication_factor: answer.replication_factor.max(topic.replication_factor),
                });
            } else if code.is_retriable() || code == ErrorCode::NOT_CONTROLLER {
                // Somebody else is the controller now.
                cluster.refresh_metadata();
                self.because = Some(Error::broker(code, what(), answer.error_message));
            } else {
                let topic = &self.call.topics[self.left.swap_remove(at)];
                self.failed.push((topic.name.clone(), Error::broker(code, what(), answer.error_message)));
            }
        }
        if !self.left.is_empty() {
            self.again(now, cluster);
        }
    }

    /// Trap 112: that a topic was created does not mean that a broker's metadata shows it.
    fn on_seen(&mut self, now: Instant, cluster: &mut Cluster, link: LinkId, version: i16, mut body: Reader<'_>) {
        self.step = Step::See;
        let response = match MetadataResponse::decode(&mut body, version) {
            Ok(response) => response,
            Err(error) => {
                let error = cluster.malformed(link, METADATA, error);
                return self.fail_all(&error);
            }
        };
        cluster.throttle(now, link, response.throttle_time_ms);
        let led = |name: &str| {
            response.topics.iter().any(|t| {
                t.name == Some(name)
                    && t.error_code == 0
                    && !t.partitions.is_empty()
                    && t.partitions.iter().all(|p| p.leader_id >= 0)
            })
        };
        if self.created.iter().all(|t| led(&t.name)) {
            self.finish();
        } else {
            self.again(now, cluster);
        }
    }

    pub(super) fn on_lost(&mut self, now: Instant, cluster: &mut Cluster) {
        if self.step == Step::Waiting {
            self.step = if self.left.is_empty() { Step::See } else { Step::Create };
        }
        if cluster.has_failures() {
            self.because = Some(cluster.unreachable());
        }
        self.again(now, cluster);
    }

    fn again(&mut self, now: Instant, cluster: &mut Cluster) {
        self.retry_at = now.after(cluster.backoff_span(self.failures));
        self.failures = self.failures.saturating_add(1);
    }

    fn time_out(&mut self, after: Duration, cluster: &Cluster) {
        let because = self.because.take().or_else(|| cluster.has_failures().then(|| cluster.unreachable()));
        let error = Error::TimedOut {
            what: if self.left.is_empty() { "waiting for created topics to be seen" } else { "creating topics" }.into(),
            after,
            knob: "request_timeout_ms",
            fate: Fate::MaybePersisted,
            because: because.map(Box::new),
        };
        self.fail_all(&error);
    }

    /// Whatever is not done yet fails for this reason.
    pub(super) fn fail_all(&mut self, error: &Error) {
        for at in core::mem::take(&mut self.left) {
            self.failed.push((self.call.topics[at].name.clone(), error.clone()));
        }
        if self.failed.is_empty() {
            // All were created, none could be seen.
            let unseen: Vec<_> = self.created.iter().map(|t| (t.name.clone(), error.clone())).collect();
            self.failed = unseen;
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.step = Step::Done;
        let created = core::mem::take(&mut self.created);
        let failed = core::mem::take(&mut self.failed);
        self.call.answer(if failed.is_empty() { Ok(created) } else { Err(CreateTopicsError { created, failed }) });
    }
}

/// A broker refuses a name that comes twice; asked again for what is left, it would make the topic as the second wants it.
fn check_once(topics: &[NewTopic], name: &str) -> Result<(), Error> {
    match topics.iter().filter(|t| t.name == name).count() {
        1 => Ok(()),
        n => Err(Error::config("topics", alloc::format!("names {name} {n} times"))),
    }
}
