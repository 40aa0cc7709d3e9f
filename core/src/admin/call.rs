//! The life that all operations share: questions and answers, retries with their pauses, and an end in time.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use crate::{
    Error, Instant,
    budget::{Class, STARVED_AGAIN},
    cluster::{Cluster, Sending},
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
    /// The same, over the connection on which answers may be long in coming, and large.
    Fetch(i32),
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

    /// How much longer than `request_timeout_ms` it may take as a whole.
    fn extra(&self) -> Duration {
        Duration::ZERO
    }

    /// The questions that are open now, each under a number of its own choice; none: it is done.
    fn open(&self) -> Vec<(u32, To)>;

    /// Asks one of them. An [`Error::Budget`] that passes is no failure: it is asked when there is room.
    fn ask(&mut self, question: u32, ask: Ask<'_>) -> Result<(), Error>;

    /// One was answered. An error ends the operation.
    fn on_answer(&mut self, question: u32, answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error>;

    /// One was sent and never answered: what it asked for may have been done.
    fn on_lost(&mut self, question: u32) {
        let _ = question;
    }

    /// One cannot be asked: for some time there was no connection to whom it goes to.
    fn on_no_link(&mut self, question: u32) {
        let _ = question;
    }

    /// One was answered at a length of `len` bytes that there was no room for.
    ///
    /// # Errors
    /// What ends the operation.
    fn on_refused(&mut self, question: u32, len: usize) -> Result<(), Error> {
        let _ = (question, len);
        Ok(())
    }

    /// Tells the task that waits. What is not done yet has failed, for that reason.
    fn end(&mut self, failure: Option<&Error>);
}

/// An operation under way, as the machine knows it: a program without operations then has nothing of them in it.
pub(crate) trait Running: MaySend {
    /// The machine has taken it in, under this number.
    fn begin(&mut self, number: u64);

    /// A turn: everything that can be done now is done.
    fn run(&mut self, now: Instant, cluster: &mut Cluster);

    /// When [`run`](Running::run) is due without anything else happening.
    fn deadline(&self) -> Instant;

    /// Nothing is left to do.
    fn is_done(&self) -> bool;

    /// One of its questions was answered.
    fn on_answer(&mut self, asked: Asked, answer: Answer<'_>, cluster: &mut Cluster);

    /// One was answered at a length of `len` bytes that there was no room for.
    fn on_refused(&mut self, asked: Asked, len: usize);

    /// One ended with its connection; whether it was `sent` before.
    fn on_lost(&mut self, now: Instant, asked: Asked, sent: bool, cluster: &mut Cluster);

    /// It is over: tells the task that waits.
    fn end(&mut self, failure: Option<&Error>);
}

/// A question on its way out.
pub(crate) struct Ask<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) now: Instant,
    link: LinkId,
    asked: Asked,
}

impl Ask<'_> {
    /// The newest version that the broker speaks.
    pub(super) fn version(&self, api: Api) -> Result<i16, Error> {
        self.version_up_to(api, api.max)
    }

    /// The same, not above `cap`.
    pub(super) fn version_up_to(&self, api: Api, cap: i16) -> Result<i16, Error> {
        self.cluster.version(self.link, api, cap)
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
        let sending = self.cluster.plain(self.now, version, Context::Admin(self.asked));
        self.cluster.send(self.link, body, sending)
    }

    /// Fetches that stand before this one on its connection.
    pub(super) fn other_fetches(&self) -> usize {
        let is_fetch = |context: &&Context| matches!(context, Context::Fetch(_) | Context::FetchOnce(_));
        self.cluster.link(self.link).map_or(0, |link| link.open().filter(is_fetch).count())
    }

    /// Sends what is answered with at most `room` bytes, for which there must be room in the Fetch class first, and after
    /// `wait` at the latest.
    pub(super) fn send_for_records<R: Encode>(
        self,
        version: i16,
        body: &R,
        room: usize,
        wait: Duration,
    ) -> Result<(), Error> {
        let budget = &self.cluster.budget;
        let promise = budget.promise(room).ok_or_else(|| budget.refuse(Class::Fetch, room))?;
        let plain = self.cluster.plain(self.now, version, Context::FetchOnce(Box::new((self.asked, promise))));
        let deadline = plain.deadline.after(wait);
        self.cluster.send(self.link, body, Sending { deadline, response_max: usize::MAX, ..plain })
    }
}

/// An answer.
pub(crate) struct Answer<'a> {
    pub(super) now: Instant,
    pub(super) link: LinkId,
    pub(super) version: i16,
    pub(super) body: Reader<'a>,
    /// The buffer that it lies in, if that can be kept.
    pub(super) leased: Option<&'a Bytes>,
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

/// An operation's life.
pub(crate) struct Call {
    number: u64,
    operation: Box<dyn Operation>,
    under_way: Vec<u32>,
    until: Option<Instant>,
    retry_at: Instant,
    /// By when whoever has no connection is looked for anew.
    link_by: Option<Instant>,
    /// When it looks again whether there is one.
    look_at: Instant,
    failures: u32,
    because: Option<Error>,
    done: bool,
}

impl Call {
    pub(crate) fn new(operation: Box<dyn Operation>) -> Self {
        Call {
            number: 0,
            operation,
            under_way: Vec::new(),
            until: None,
            retry_at: Instant::ZERO,
            link_by: None,
            look_at: Instant::FAR,
            failures: 0,
            because: None,
            done: false,
        }
    }

    /// Whatever brings a link runs this again; should nothing come, it looks again by itself. Should none come for some time,
    /// its broker may have gone, and another do what it did.
    fn wait_for_links(&mut self, now: Instant, cluster: &Cluster, linkless: &[u32]) {
        if linkless.is_empty() {
            self.link_by = None;
            return;
        }
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let again = ms(cluster.config.backoff_max_ms);
        self.look_at = now.after(ms(cluster.config.backoff_ms));
        match self.link_by {
            Some(by) if by <= now => {
                linkless.iter().for_each(|question| self.operation.on_no_link(*question));
                self.because = cluster.has_failures().then(|| cluster.unreachable()).or(self.because.take());
                (self.link_by, self.look_at) = (Some(now.after(again)), now);
            }
            Some(_) => {}
            None => self.link_by = Some(now.after(again)),
        }
    }

    fn again(&mut self, now: Instant, cluster: &mut Cluster) {
        self.retry_at = now.after(cluster.backoff_span(self.failures));
        self.failures = self.failures.saturating_add(1);
    }
}

impl Running for Call {
    fn begin(&mut self, number: u64) {
        self.number = number;
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn deadline(&self) -> Instant {
        let until = self.until.unwrap_or(Instant::FAR);
        let until = until.min(self.look_at);
        if self.retry_at == Instant::ZERO { until } else { until.min(self.retry_at) }
    }

    fn run(&mut self, now: Instant, cluster: &mut Cluster) {
        let span =
            Duration::from_millis(u64::from(cluster.config.request_timeout_ms)).saturating_add(self.operation.extra());
        let until = *self.until.get_or_insert(now.after(span));
        // Whoever rests looks at nothing meanwhile: a moment that has passed would wake it again and again.
        self.look_at = Instant::FAR;
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
        let mut linkless = Vec::new();
        for (question, to) in open {
            if self.under_way.contains(&question) {
                continue;
            }
            let Some(link) = link_to(now, cluster, to) else {
                linkless.push(question);
                continue;
            };
            let asked = Asked { call: self.number, question };
            match self.operation.ask(question, Ask { cluster, now, link, asked }) {
                Ok(()) => self.under_way.push(question),
                Err(error @ Error::Budget { .. }) if error.is_retriable() => {
                    self.because = Some(error);
                    self.retry_at = now.after(STARVED_AGAIN);
                }
                Err(error) => return self.end(Some(&error)),
            }
        }
        self.wait_for_links(now, cluster, &linkless);
    }

    fn on_answer(&mut self, asked: Asked, answer: Answer<'_>, cluster: &mut Cluster) {
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

    fn on_lost(&mut self, now: Instant, asked: Asked, sent: bool, cluster: &mut Cluster) {
        self.under_way.retain(|question| *question != asked.question);
        if sent {
            self.operation.on_lost(asked.question);
        }
        if cluster.has_failures() {
            self.because = Some(cluster.unreachable());
        }
        self.again(now, cluster);
    }

    fn on_refused(&mut self, asked: Asked, len: usize) {
        self.under_way.retain(|question| *question != asked.question);
        if let Err(error) = self.operation.on_refused(asked.question, len) {
            self.end(Some(&error));
        }
    }

    fn end(&mut self, failure: Option<&Error>) {
        if !core::mem::replace(&mut self.done, true) {
            self.operation.end(failure);
        }
    }
}

fn link_to(now: Instant, cluster: &mut Cluster, to: To) -> Option<LinkId> {
    let node = match to {
        To::Any => -1,
        To::Controller => cluster.controller(),
        To::Node(node) | To::Fetch(node) => node,
    };
    let usage = if let To::Fetch(_) = to { Use::Fetch } else { Use::Control };
    if node >= 0 { cluster.ready_link(now, node, usage, usize::MAX) } else { cluster.any_link(now) }
}
