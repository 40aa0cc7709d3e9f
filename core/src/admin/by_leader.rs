//! Operations on partitions, which only each partition's leader can do: find the leaders, ask each for what it leads.

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::time::Duration;

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
};
use crate::{
    AdminError, Error, Instant, UnknownTopic,
    budget::Budget,
    cluster::{Cluster, check_topic_name, is_stale_metadata},
    code::ErrorCode,
    sync::Arc,
    wire::{WireError, metadata_response::MetadataResponse},
};

type Answered<D> = Result<Vec<D>, AdminError<D>>;

/// The question for leaders. A leader's own question is its node id and one more.
const LOOK: u32 = 0;

/// What is asked of a leader.
pub(crate) trait Work: Sized + Send + 'static {
    /// What is wanted of a partition.
    type Wanted: Copy + Send;
    /// What comes of it.
    type Done: Send;

    /// What it does, for errors.
    const WHAT: &'static str;

    /// What is asked for is of no use to anybody once nobody waits for it.
    const FOR_WHO_WAITS: bool = false;

    /// The way to a leader.
    fn to(node: i32) -> To {
        To::Node(node)
    }

    /// Asks a leader for its partitions, which are grouped by topic.
    fn ask(topics: &[OfTopic<'_, Self::Wanted>], ask: Ask<'_>) -> Result<(), Error>;

    /// Calls `each` with every partition of an answer: topic, partition, code, and what was done if that is no error.
    fn read(answer: &mut Answer<'_>, budget: &Arc<Budget>, each: &mut Each<'_, Self::Done>) -> Result<i32, WireError>;

    /// What follows from what a leader has done for a partition.
    ///
    /// # Errors
    /// The partition has failed.
    fn did(at: Did<'_, Self>, done: Self::Done) -> Result<Next<Self::Done>, Error> {
        let _ = at;
        Ok(Next::Done(done))
    }

    /// There was no room for an answer of that length.
    ///
    /// # Errors
    /// There never will be.
    fn refused(wanted: &mut Self::Wanted, len: usize) -> Result<(), Error> {
        let _ = (wanted, len);
        Ok(())
    }

    /// The API, for errors.
    fn api() -> crate::wire::Api;
}

/// A topic, and what is wanted of its partitions.
pub(crate) type OfTopic<'a, W> = (&'a str, &'a [(i32, W)]);

/// A partition of which a leader has told something.
pub(crate) struct Did<'a, W: Work> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) wanted: &'a mut W::Wanted,
    pub(super) now: Instant,
}

/// Whether a partition is done.
pub(crate) enum Next<D> {
    Done(D),
    /// The same leader is asked again at once.
    More,
    /// It is asked again after a pause.
    Later,
}

/// Topic, partition, code, result.
pub(crate) type Each<'a, D> = dyn FnMut(&str, i32, ErrorCode, D) + 'a;

struct Item<W: Work> {
    topic: String,
    partition: i32,
    wanted: W::Wanted,
    /// −1: not known, or it was wrong.
    leader: i32,
    /// The leader has answered, and is to be asked for more.
    more: bool,
}

/// An operation on partitions.
pub(crate) struct ByLeader<W: Work> {
    reply: Arc<Reply<Answered<W::Done>>>,
    left: Vec<Item<W>>,
    done: Vec<W::Done>,
    failed: Vec<(String, Error)>,
    unknown: UnknownTopic,
    extra: Duration,
}

impl<W: Work> ByLeader<W> {
    /// Of a partition that comes twice the last wish counts.
    pub(crate) fn new(
        wanted: impl IntoIterator<Item = (String, i32, W::Wanted)>,
        reply: Arc<Reply<Answered<W::Done>>>,
    ) -> Self {
        let (mut left, mut failed): (Vec<Item<W>>, Vec<_>) = (Vec::new(), Vec::new());
        for (topic, partition, wanted) in wanted {
            let legal = check_topic_name(&topic).and_then(|()| match partition {
                0.. => Ok(()),
                _ => Err(Error::config("partition", alloc::format!("{partition} is negative"))),
            });
            if let Err(error) = legal {
                failed.push((alloc::format!("{topic}-{partition}"), error));
                continue;
            }
            left.retain(|item| (item.topic.as_str(), item.partition) != (&topic, partition));
            left.push(Item { topic, partition, wanted, leader: -1, more: false });
        }
        left.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        ByLeader { reply, left, done: Vec::new(), failed, unknown: UnknownTopic::Retry, extra: Duration::ZERO }
    }

    /// What a topic means that brokers do not know.
    pub(crate) fn unknown_topic(self, unknown: UnknownTopic) -> Self {
        ByLeader { unknown, ..self }
    }

    /// How much longer than usual it may take.
    pub(crate) fn extra(self, extra: Duration) -> Self {
        ByLeader { extra, ..self }
    }

    fn ask_for_leaders(&self, ask: Ask<'_>) -> Result<(), Error> {
        let mut names: Vec<&str> = self.left.iter().filter(|i| i.leader < 0).map(|i| i.topic.as_str()).collect();
        names.dedup();
        ask.send_metadata(names.into_iter())
    }

    fn on_leaders(&mut self, response: &MetadataResponse<'_>) -> Verdict {
        let mut because = None;
        let mut failed = BTreeSet::new();
        for (at, item) in self.left.iter_mut().enumerate().filter(|(_, i)| i.leader < 0) {
            let Some(topic) = response.topics.iter().find(|t| t.name == Some(&item.topic)) else { continue };
            let partition = topic.partitions.iter().find(|p| p.partition_index == item.partition);
            item.leader = partition.map_or(-1, |p| p.leader_id);
            if item.leader >= 0 {
                continue;
            }
            let code = match (ErrorCode(topic.error_code), partition) {
                (code, _) if !code.is_ok() => code,
                (_, Some(_)) => ErrorCode::LEADER_NOT_AVAILABLE,
                (_, None) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            let error = Error::broker(code, what::<W>(&item.topic, item.partition), None);
            if code.is_retriable() && !self.unknown.is_final(code) {
                because = Some(error);
            } else {
                self.failed.push((alloc::format!("{}-{}", item.topic, item.partition), error));
                failed.insert(at);
            }
        }
        let mut at = 0;
        self.left.retain(|_| {
            at += 1;
            !failed.contains(&(at - 1))
        });
        if self.left.iter().all(|i| i.leader >= 0) { Verdict::On } else { Verdict::Again(because) }
    }

    fn ask_leader(&self, node: i32, ask: Ask<'_>) -> Result<(), Error> {
        let of_node: Vec<&Item<W>> = self.left.iter().filter(|i| i.leader == node).collect();
        let parts: Vec<(i32, W::Wanted)> = of_node.iter().map(|i| (i.partition, i.wanted)).collect();
        let mut topics: Vec<OfTopic<'_, W::Wanted>> = Vec::new();
        let mut from = 0;
        for group in of_node.chunk_by(|a, b| a.topic == b.topic) {
            topics.push((&group[0].topic, &parts[from..from + group.len()]));
            from += group.len();
        }
        W::ask(&topics, ask)
    }

    fn on_done(&mut self, node: i32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        let (left, done, failed) = (&mut self.left, &mut self.done, &mut self.failed);
        let (mut because, mut is_stale) = (None, false);
        let (now, unknown) = (answer.now, self.unknown);
        let throttle_time_ms = W::read(&mut answer, &cluster.budget, &mut |topic, partition, code, result| {
            let place = |i: &Item<W>| i.leader == node && i.partition == partition && i.topic == topic;
            let Some(at) = left.iter().position(place) else { return };
            let error = Error::broker(code, what::<W>(topic, partition), None);
            if code.is_ok() {
                let wanted = &mut left[at].wanted;
                match W::did(Did { topic, partition, wanted, now }, result) {
                    Ok(Next::Done(result)) => {
                        left.remove(at);
                        done.push(result);
                    }
                    Ok(Next::More) => left[at].more = true,
                    Ok(Next::Later) => {}
                    Err(error) => {
                        left.remove(at);
                        failed.push((alloc::format!("{topic}-{partition}"), error));
                    }
                }
            } else if (code.is_retriable() || is_stale_metadata(code)) && !unknown.is_final(code) {
                is_stale |= is_stale_metadata(code);
                because = Some(error);
            } else {
                left.remove(at);
                failed.push((alloc::format!("{topic}-{partition}"), error));
            }
        })
        .map_err(|error| cluster.malformed(answer.link, W::api(), error))?;
        cluster.throttle(answer.now, answer.link, throttle_time_ms);
        if is_stale {
            cluster.refresh_metadata();
        }
        // Whatever was asked here and is left is looked up anew: it may have moved.
        let mut any = false;
        for item in self.left.iter_mut().filter(|i| i.leader == node) {
            if !core::mem::take(&mut item.more) {
                (item.leader, any) = (-1, true);
            }
        }
        Ok(if any { Verdict::Again(because) } else { Verdict::On })
    }
}

fn what<W: Work>(topic: &str, partition: i32) -> String {
    alloc::format!("{} {topic}-{partition}", W::WHAT)
}

impl<W: Work> Operation for ByLeader<W> {
    fn what(&self) -> &'static str {
        W::WHAT
    }

    fn extra(&self) -> Duration {
        self.extra
    }

    fn open(&self) -> Vec<(u32, To)> {
        if W::FOR_WHO_WAITS && Arc::strong_count(&self.reply) == 1 {
            return Vec::new();
        }
        let leaders: BTreeSet<i32> = self.left.iter().map(|i| i.leader).collect();
        let question = |node: i32| match u32::try_from(node) {
            Ok(id) => (id + 1, W::to(node)),
            Err(_) => (LOOK, To::Any),
        };
        leaders.into_iter().map(question).collect()
    }

    fn ask(&mut self, question: u32, ask: Ask<'_>) -> Result<(), Error> {
        match node_of(question) {
            Some(node) => self.ask_leader(node, ask),
            None => self.ask_for_leaders(ask),
        }
    }

    fn on_answer(&mut self, question: u32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        if let Some(node) = node_of(question) {
            return self.on_done(node, answer, cluster);
        }
        let response: MetadataResponse<'_> = answer.read(cluster)?;
        cluster.throttle(answer.now, answer.link, response.throttle_time_ms);
        Ok(self.on_leaders(&response))
    }

    fn on_lost(&mut self, question: u32) {
        if let Some(node) = node_of(question) {
            self.left.iter_mut().filter(|i| i.leader == node).for_each(|i| i.leader = -1);
        }
    }

    fn on_no_link(&mut self, question: u32) {
        self.on_lost(question);
    }

    fn on_refused(&mut self, question: u32, len: usize) -> Result<(), Error> {
        for item in self.left.iter_mut().filter(|i| node_of(question) == Some(i.leader)) {
            W::refused(&mut item.wanted, len)?;
        }
        Ok(())
    }

    fn end(&mut self, failure: Option<&Error>) {
        let mut failed = core::mem::take(&mut self.failed);
        if let Some(error) = failure {
            let name = |i: Item<W>| (alloc::format!("{}-{}", i.topic, i.partition), error.clone());
            failed.extend(self.left.drain(..).map(name));
        }
        let done = core::mem::take(&mut self.done);
        self.reply.give(if failed.is_empty() { Ok(done) } else { Err(AdminError { done, failed }) });
    }
}

fn node_of(question: u32) -> Option<i32> {
    question.checked_sub(1).and_then(|node| i32::try_from(node).ok())
}
