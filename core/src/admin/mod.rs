//! Operations on the cluster, each a small life of its own: ask who can answer, understand the answer, ask again what may
//! pass, and be over in time.
//!
//! [`call`] is what they share. A new operation is an `Operation`, in a file of its own, and a method of
//! [`Admin`](crate::Admin).

mod by_leader;
mod call;
mod configs;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod fetch_once;
mod left;
mod list_offsets;
mod list_topics;
mod reply;

pub(crate) use by_leader::ByLeader;
pub(crate) use call::{Asked, Call, Operation, Running};
pub(crate) use configs::{AlterConfigs, Configs, DescribeConfigs};
pub(crate) use create_topics::CreateTopics;
pub(crate) use delete_records::DeleteRecords;
pub(crate) use delete_topics::DeleteTopics;
pub(crate) use describe_cluster::DescribeCluster;
pub(crate) use fetch_once::{FetchOnce, FetchWish, FetchedOnce};
pub(crate) use list_offsets::{ListOffsets, OffsetWish};
pub(crate) use list_topics::ListTopics;
pub(crate) use reply::Reply;

use alloc::{boxed::Box, vec::Vec};

use crate::{Error, Instant, cluster::Cluster, link::LinkId, machine::Frame};

use call::Answer;

/// Operations under way.
#[derive(Default)]
pub(crate) struct AdminCalls {
    calls: Vec<(u64, Box<dyn Running>)>,
    next_number: u64,
    next: Option<Instant>,
}

impl AdminCalls {
    /// Takes one in, unless `max` are under way.
    pub(crate) fn add(&mut self, mut call: Box<dyn Running>, max: usize) {
        let number = self.next_number;
        self.next_number += 1;
        if self.calls.len() >= max {
            return call.end(Some(&Error::too_many_waiters(max)));
        }
        call.begin(number);
        self.calls.push((number, call));
    }

    /// A turn: everything that can be done now is done.
    pub(crate) fn run(&mut self, now: Instant, cluster: &mut Cluster) {
        for (_, call) in &mut self.calls {
            call.run(now, cluster);
        }
        self.calls.retain(|(_, call)| !call.is_done());
        self.next = self.calls.iter().map(|(_, call)| call.deadline()).min();
    }

    fn call(&mut self, asked: Asked) -> Option<&mut Box<dyn Running>> {
        self.calls.iter_mut().find(|(number, _)| *number == asked.call).map(|(_, call)| call)
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.next.unwrap_or(Instant::FAR)
    }

    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        asked: Asked,
        frame: Frame<'_>,
    ) {
        if let Some(call) = self.call(asked) {
            let Frame { reader: body, leased } = frame;
            call.on_answer(asked, Answer { now, link, version, body, leased }, cluster);
        }
    }

    pub(crate) fn on_refused(&mut self, asked: Asked, len: usize) {
        if let Some(call) = self.call(asked) {
            call.on_refused(asked, len);
        }
    }

    pub(crate) fn on_lost(&mut self, now: Instant, cluster: &mut Cluster, asked: Asked, sent: bool) {
        if let Some(call) = self.call(asked) {
            call.on_lost(now, asked, sent, cluster);
        }
    }

    /// The client ends.
    pub(crate) fn abandon(&mut self, error: &Error) {
        for (_, mut call) in self.calls.drain(..) {
            call.end(Some(error));
        }
    }
}
