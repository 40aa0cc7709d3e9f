//! Operations on the cluster, each a small life of its own: ask the controller, understand its answer, wait until the
//! change can be seen.

mod create_topics;

pub(crate) use create_topics::{Asked, Call};

use alloc::vec::Vec;

use crate::{Error, Instant, cluster::Cluster, link::LinkId, sync::Arc, wire::Reader};

use create_topics::Creation;

/// Calls under way.
#[derive(Default)]
pub(crate) struct AdminCalls {
    calls: Vec<Creation>,
    next_number: u64,
    next: Option<Instant>,
}

impl AdminCalls {
    pub(crate) fn add(&mut self, call: Arc<Call>) {
        let number = self.next_number;
        self.next_number += 1;
        self.calls.push(Creation::new(number, call));
    }

    /// A turn: everything that can be done now is done.
    pub(crate) fn run(&mut self, now: Instant, cluster: &mut Cluster) {
        for call in &mut self.calls {
            call.run(now, cluster);
        }
        self.calls.retain(|c| !c.is_done());
        self.next = self.calls.iter().map(Creation::deadline).min();
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
        body: Reader<'_>,
    ) {
        if let Some(call) = self.calls.iter_mut().find(|c| c.number() == asked.number) {
            call.on_response(now, cluster, link, version, asked, body);
        }
    }

    pub(crate) fn on_lost(&mut self, now: Instant, cluster: &mut Cluster, asked: Asked) {
        if let Some(call) = self.calls.iter_mut().find(|c| c.number() == asked.number) {
            call.on_lost(now, cluster);
        }
    }

    /// The client ends.
    pub(crate) fn abandon(&mut self, error: &Error) {
        for mut call in self.calls.drain(..) {
            call.fail_all(error);
        }
    }
}
