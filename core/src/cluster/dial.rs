//! Opening connections: whom to try, when to try again.

use core::time::Duration;

use super::{Broker, Cluster, End, Failure, LINK_BYTES, Output, purpose};
use crate::{
    Endpoint, Error, Instant, TlsFault,
    budget::Class,
    error::PeerFault,
    event::{Event, WhyClosed},
    link::{Link, LinkId, State, Use},
};

/// A broker's connections so far.
#[derive(Default)]
pub(super) struct Dial {
    /// Failures since a connection last worked.
    pub(super) failures: u32,
    /// No try before this.
    pub(super) not_before: Instant,
    /// How often it was dialled without success, for the choice among a name's addresses.
    pub(super) attempt: u32,
    /// Connections that it closed without a word but its greeting.
    pub(super) hung_up: u32,
}

impl Dial {
    pub(super) fn failed(&mut self, now: Instant, backoff: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.attempt = self.attempt.wrapping_add(1);
        self.not_before = now.after(backoff);
    }

    pub(super) fn worked(&mut self) {
        self.failures = 0;
    }
}

/// Whether a connection to an entry of the bootstrap list has become a node's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Adopted {
    Now,
    NotYet,
}

/// A dial that has not come through by then is left running, and somebody else is asked besides.
const NEXT_CANDIDATE: Duration = Duration::from_millis(1_000);

/// Dials to any broker at once.
const CANDIDATES_MAX: usize = 3;

/// How long a broker that refused is left alone at least: nothing changes by itself, and brokers lock accounts.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// The most bytes of a broker's host: a name has no more (RFC 1035), and each dial and each error holds it again.
const HOST_MAX: usize = 255;

impl Failure {
    /// Whether the same try will fail for ever, as far as one can tell.
    fn is_for_good(&self) -> bool {
        match self {
            Failure::Transport(error) => !error.retriable,
            Failure::Other(Error::Peer { fault: PeerFault::OtherProtocol(_) | PeerFault::NoAnswer, .. }) => true,
            Failure::Other(error) => error.is_hopeless(),
        }
    }

    /// How long its broker is left alone at least.
    pub(super) fn least_pause(&self) -> Duration {
        let is_refusal = match self {
            // Whoever hung up may only have been starting.
            Failure::Transport(error) => !matches!(error.tls, None | Some(TlsFault::NotTls)) && self.is_for_good(),
            Failure::Other(error) => error.is_hopeless(),
        };
        if is_refusal { REFUSED_PAUSE } else { Duration::ZERO }
    }
}

impl Cluster {
    /// Whether a first contact need not be waited for: a broker has refused who the client is, or none of the bootstrap list is
    /// left that may be any better later.
    pub(crate) fn is_hopeless(&self) -> bool {
        let for_good = |node: &i32| self.failures.get(&self.address(*node)).is_some_and(Failure::is_for_good);
        let is_refused = |failure: &Failure| matches!(failure, Failure::Other(error) if error.is_hopeless());
        self.failures.values().any(is_refused) || self.brokers.keys().all(for_good)
    }

    /// Opens a link to a broker for a use, unless its back-off forbids it. One dial is shared by all who want it.
    pub(super) fn dial(&mut self, now: Instant, node: i32, usage: Use) {
        let stage = self.stage_bytes();
        let Some(broker) = self.brokers.get(&node) else {
            // A leader that the newest answer does not list: it was believed for its epoch, or is just starting.
            return self.refresh_metadata();
        };
        if broker.dial.not_before > now {
            return;
        }
        let Some(memory) = self.budget.lease(Class::Control, stage + LINK_BYTES) else { return };
        let Some(tls) = self.budget.lease(Class::Control, self.config.tls_bytes()) else { return };
        let to = Endpoint { host: broker.host.as_ref().into(), port: broker.port, attempt: broker.dial.attempt };
        let id = LinkId(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        let ready_by = now.after(Duration::from_millis(u64::from(self.config.connect_timeout_ms)));
        self.links.insert(id, Link::new(id, node, usage, ready_by, stage, memory));
        self.by_use.insert((node, usage), id);
        self.outputs.push_back(Output::Connect { link: id, to, tls });
        self.events.tell(|| Event::Connecting { peer: self.peer(node), purpose: purpose(usage) });
    }

    /// Opens a link to any broker: known ones and those of the bootstrap list in turn, so that a cluster whose every
    /// address changed is found again (KIP-899, trap 100).
    pub(super) fn dial_any(&mut self, now: Instant) {
        let connect = Duration::from_millis(u64::from(self.config.connect_timeout_ms));
        let mut under_way = 0;
        for link in self.links.values() {
            if link.usage == Use::Control && link.state != State::Ready {
                under_way += 1;
                let age = connect.saturating_sub(link.ready_by.since(now));
                if age < NEXT_CANDIDATE {
                    return;
                }
            }
        }
        if under_way >= CANDIDATES_MAX {
            return;
        }
        let count = self.brokers.len();
        let mut best: Option<(Option<bool>, usize, i32)> = None;
        for at in (0..count).map(|step| (self.next_any + step) % count) {
            let Some((&node, broker)) = self.brokers.iter().nth(at) else { continue };
            if broker.dial.not_before > now || self.by_use.contains_key(&(node, Use::Control)) {
                continue;
            }
            // One that need not be greeted first answers sooner, and a node's connection may serve for more.
            let rank = broker.versions.as_ref().map(|_| node >= 0);
            if best.is_none_or(|(known, ..)| rank > known) {
                best = Some((rank, at, node));
            }
        }
        if let Some((_, at, node)) = best {
            self.next_any = at + 1;
            self.dial(now, node, Use::Control);
        }
    }

    /// When the search for any broker should go on, while one is wanted.
    pub(super) fn next_candidate(&self, now: Instant) -> Instant {
        let connect = Duration::from_millis(u64::from(self.config.connect_timeout_ms));
        let waits = |l: &&Link<_>| l.usage == Use::Control && l.state != State::Ready;
        let youngest = self.links.values().filter(waits).map(|l| connect.saturating_sub(l.ready_by.since(now))).min();
        match youngest {
            Some(age) if age < NEXT_CANDIDATE => now.after(NEXT_CANDIDATE - age),
            _ => Instant::FAR,
        }
    }

    /// Takes in the brokers of a metadata response. A broker is its node id: one that moved keeps its id, its old
    /// connections end, its back-off begins anew (trap 99).
    ///
    /// Answers how many are left out because there are `max_brokers`.
    pub(super) fn learn_brokers<'a>(
        &mut self,
        now: Instant,
        list: impl Iterator<Item = (i32, &'a str, i32)> + Clone,
    ) -> usize {
        let known: alloc::vec::Vec<i32> = self.brokers.keys().copied().filter(|id| *id >= 0).collect();
        for id in known {
            if !list.clone().any(|(node, ..)| node == id) {
                self.drop_links_of(now, id);
                self.brokers.remove(&id);
            }
        }
        let mut left_out = 0;
        for (node, host, port) in list {
            let Ok(port) = u16::try_from(port) else { continue };
            if node < 0 || port == 0 || host.len() > HOST_MAX {
                continue;
            }
            let known = self.brokers.get(&node);
            if known.is_some_and(|b| &*b.host == host && b.port == port) {
                continue;
            }
            if known.is_none() && self.brokers_len() >= self.config.max_brokers {
                left_out += 1;
                continue;
            }
            self.drop_links_of(now, node);
            self.brokers.insert(node, Broker { host: host.into(), port, dial: Dial::default(), versions: None });
        }
        self.share_versions();
        left_out
    }

    /// With one connection to each broker, the one to an entry of the bootstrap list is that of the node which it turns out to
    /// be: a second one would go to the same place. `None`: there is none. It is the node's only once it works: before, a failure
    /// is the entry's, which would not rest otherwise.
    pub(super) fn adopt(&mut self, node: i32) -> Option<Adopted> {
        let place = |at: i32| self.brokers.get(&at).map(|b| (&b.host, b.port));
        let same = |link: &Link<_>| link.node < 0 && place(link.node) == place(node);
        let id = self.links.find(same)?;
        let link = self.links.get_mut(&id)?;
        if link.state != State::Ready {
            return Some(Adopted::NotYet);
        }
        self.by_use.remove(&(link.node, link.usage));
        link.node = node;
        self.by_use.insert((node, link.usage), id);
        Some(Adopted::Now)
    }

    fn drop_links_of(&mut self, now: Instant, node: i32) {
        let gone: alloc::vec::Vec<LinkId> = self.links.values().filter(|l| l.node == node).map(|l| l.id).collect();
        for id in gone {
            self.outputs.push_back(Output::Close { link: id });
            self.end_link(now, id, End::Closed(WhyClosed::Moved));
        }
    }
}
