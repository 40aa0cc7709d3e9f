//! The life that all operations share: questions and answers, retries with their pauses, and an end in time.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    Error, Instant,
    cluster::Cluster,
    error::Fate,
    link::{LinkId, Use},
    machine::Context,
    sync::MaySend,
    wire::{
        Api, Decode, Encode, Reader,
        api::METADATA,
        metadata_request::{MetadataRequest, MetadataRequestTopic},
    },
};

/// Whom a question goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum To {
    /// Any broker.
    Any,
    /// The controller, or any broker as long as nobody is known to be it.
    Controller,
    Node(i32),
}

/// What an answer has brought.
pub(crate) enum Verdict {
    /// The operation goes on at once.
    On,
    /// Something is to be asked again after a pause, for that reason if one is known.
    Again(Option<Error>),
}

/// What an operation asks, and what the answers mean to it.
pub(crate) trait Operation: MaySend {
    /// What it does, for the error that its time is over.
    fn what(&self) -> &'static str;

    /// The questions that are open now, each under a number of its own choice; none: it is done.
    fn open(&self) -> Vec<(u32, To)>;

    /// Asks one of them.
    fn ask(&mut self, question: u32, ask: Ask<'_>) -> Result<(), Error>;

    /// One was answered. An error ends the operation.
    fn on_answer(&mut self, question: u32, answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error>;

    /// One was sent and never answered: what it asked for may have been done.
    fn on_lost(&mut self, question: u32) {
        let _ = question;
    }

    /// Tells the task that waits. What is not done yet has failed, for that reason.
    fn end(&mut self, failure: Option<&Error>);
}

/// A question on its way out.
pub(crate) struct Ask<'a> {
    pub(super) cluster: &'a mut Cluster,
    now: Instant,
    link: LinkId,
    context: Context,
}

impl Ask<'_> {
    /// The newest version that the broker speaks.
    pub(super) fn version(&self, api: Api) -> Result<i16, Error> {
        self.cluster.version(self.link, api, api.max)
    }

    /// How long the broker may take for what it is asked.
    pub(super) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.cluster.config.request_timeout_ms).unwrap_or(i32::MAX)
    }

    /// Whom it goes to, for errors.
    pub(super) fn address(&self) -> String {
        self.cluster.link(self.link).map_or_else(String::new, |l| self.cluster.address(l.node))
    }

    /// Asks for the metadata of these topics.
    pub(super) fn send_metadata<'n>(self, names: impl Iterator<Item = &'n str>) -> Result<(), Error> {
        let version = self.version(METADATA)?;
        let topics: Vec<MetadataRequestTopic<'_>> =
            names.map(|n| MetadataRequestTopic { name: Some(n), ..MetadataRequestTopic::default() }).collect();
        let body = MetadataRequest {
            topics: Some(&topics),
            // Before version 4 a broker that may create topics by itself could not be told not to.
            allow_auto_topic_creation: version < 4,
            ..MetadataRequest::default()
        };
        self.send(version, &body)
    }

    pub(super) fn send<R: Encode>(self, version: i16, body: &R) -> Result<(), Error> {
        let sending = self.cluster.plain(self.now, version, self.context);
        self.cluster.send(self.link, body, sending)
    }
}

/// An answer.
pub(crate) struct Answer<'a> {
    pub(super) now: Instant,
    pub(super) link: LinkId,
    pub(super) version: i16,
    pub(super) body: Reader<'a>,
}

impl<'a> Answer<'a> {
    /// The response, if it decodes.
    pub(super) fn read<R: Decode<'a>>(&mut self, cluster: &Cluster) -> Result<R, Error> {
        R::decode(&mut self.body, self.version).map_err(|error| cluster.malformed(self.link, R::API, error))
    }
}

/// Which operation an answer belongs to, and to which of its questions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(super) call: u64,
    question: u32,
}

/// An operation under way.
pub(super) struct Call {
    number: u64,
    operation: Box<dyn Operation>,
    under_way: Vec<u32>,
    until: Option<Instant>,
    retry_at: Instant,
    failures: u32,
    because: Option<Error>,
    done: bool,
}

impl Call {
    pub(super) fn new(number: u64, operation: Box<dyn Operation>) -> Self {
        Call {
            number,
            operation,
            under_way: Vec::new(),
            until: None,
            retry_at: Instant::ZERO,
            failures: 0,
            because: None,
            done: false,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn deadline(&self) -> Instant {
        let until = self.until.unwrap_or(Instant::FAR);
        if self.retry_at == Instant::ZERO { until } else { until.min(self.retry_at) }
    }

    pub(super) fn run(&mut self, now: Instant, cluster: &mut Cluster) {
        let span = Duration::from_millis(u64::from(cluster.config.request_timeout_ms));
        let until = *self.until.get_or_insert(now.after(span));
        let open = self.operation.open();
        if open.is_empty() {
            return self.end(None);
        }
        if now >= until {
            let because = self.because.take().or_else(|| cluster.has_failures().then(|| cluster.unreachable()));
            let (what, knob) = (self.operation.what().into(), "request_timeout_ms");
            let because = because.map(Box::new);
            let error = Error::TimedOut { what, after: span, knob, fate: Fate::MaybePersisted, because };
            return self.end(Some(&error));
        }
        if self.retry_at > now {
            return;
        }
        self.retry_at = Instant::ZERO;
        for (question, to) in open {
            if self.under_way.contains(&question) {
                continue;
            }
            let Some(link) = link_to(now, cluster, to) else {
                // Whatever brings a link runs this again; should nothing come, it looks again by itself.
                self.retry_at = now.after(Duration::from_millis(u64::from(cluster.config.backoff_ms)));
                continue;
            };
            let context = Context::Admin(Asked { call: self.number, question });
            match self.operation.ask(question, Ask { cluster, now, link, context }) {
                Ok(()) => self.under_way.push(question),
                Err(error) => return self.end(Some(&error)),
            }
        }
    }

    pub(super) fn on_answer(&mut self, asked: Asked, answer: Answer<'_>, cluster: &mut Cluster) {
        self.under_way.retain(|question| *question != asked.question);
        let now = answer.now;
        match self.operation.on_answer(asked.question, answer, cluster) {
            Ok(Verdict::On) => {}
            Ok(Verdict::Again(because)) => {
                self.because = because.or(self.because.take());
                self.again(now, cluster);
            }
            Err(error) => self.end(Some(&error)),
        }
    }

    pub(super) fn on_lost(&mut self, now: Instant, asked: Asked, sent: bool, cluster: &mut Cluster) {
        self.under_way.retain(|question| *question != asked.question);
        if sent {
            self.operation.on_lost(asked.question);
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

    pub(super) fn end(&mut self, failure: Option<&Error>) {
        if !core::mem::replace(&mut self.done, true) {
            self.operation.end(failure);
        }
    }
}

fn link_to(now: Instant, cluster: &mut Cluster, to: To) -> Option<LinkId> {
    let node = match to {
        To::Any => -1,
        To::Controller => cluster.controller(),
        To::Node(node) => node,
    };
    if node >= 0 { cluster.ready_link(now, node, Use::Control, usize::MAX) } else { cluster.any_link(now) }
}
