//! The one state machine: bytes, time and commands in; bytes, deadlines and events out.
//!
//! Its owner, the driver, keeps one obligation: after every change, and after [`Machine::wake`] when it was woken or its time has
//! come, it calls [`Machine::poll_output`] until that answers a timeout. It then writes what [`Machine::transmit`] gives, and
//! waits if [`Machine::is_settled`].

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use bytes::Bytes;

use crate::{
    Endpoint, Error, Instant, TransportError,
    admin::{AdminCalls, Asked},
    api::{Command, Shared},
    budget::{Class, FetchBuf, Promise},
    chores::Chores,
    cluster::{self, Cluster, is_greeting, other_protocol},
    consumer::{FetchRoom, Fetches, Fetching, OffsetsAsked, Refused},
    error::{Fate, PeerFault},
    event::{Event, Needs, Watch},
    link::{Incoming, LinkId, Pending, Room, Unanswered, Use},
    map::Map,
    producer::{Job, Produced, Sender},
    rng::Rng,
    sync::Arc,
    wire::Reader,
};

/// What a request's owner wants back with its answer.
#[derive(Debug)]
pub(crate) enum Context {
    Greeting,
    Metadata,
    InitProducerId {
        slot: usize,
    },
    Produce(Produced),
    ListOffsets(Box<OffsetsAsked>),
    Fetch(Box<Fetching>),
    Admin(Asked),
    /// The room for the answer is held until that has its buffer.
    FetchOnce(Box<(Asked, Promise)>),
}

/// A response's body, and the buffer it lies in if that can be kept.
pub(crate) struct Frame<'a> {
    pub(crate) reader: Reader<'a>,
    pub(crate) leased: Option<&'a Bytes>,
}

/// What the driver must do next.
pub(crate) enum Output {
    Do(cluster::Output),
    /// Nothing, until then or until something comes in.
    Timeout(Instant),
    /// Nothing any more: every handle is gone and everything is settled.
    Ended,
}

/// Everything that Klamm knows.
pub(crate) struct Machine {
    shared: Arc<Shared>,
    cluster: Cluster,
    /// By numbers that are never used again: an answer to one that is gone must not reach its successor.
    senders: Map<usize, Sender>,
    fetchers: Map<usize, Box<dyn Fetches>>,
    next_number: usize,
    /// Whose turn to fetch it is.
    first_fetcher: usize,
    admin: AdminCalls,
    chores: Chores,
    watch: Watch,
    /// Whether everything was done that could be, since the last thing came in.
    settled: bool,
    /// When the last turn was: what has become due since is still to be done.
    turned: Instant,
    /// Set when the last handle is gone: the buffers have until then.
    close_by: Option<Instant>,
    ended: bool,
}

/// The least memory of a request's answer that is not records.
const FRAME_LEAST: usize = 4;

impl Machine {
    pub(crate) fn new(shared: Arc<Shared>, rng: Rng, bootstrap: Vec<Endpoint>) -> Self {
        let (config, budget) = (Arc::clone(&shared.config), Arc::clone(&shared.budget));
        let cluster = Cluster::new(config, budget, &shared.kick, rng, bootstrap);
        Machine {
            shared,
            cluster,
            senders: Map::new(),
            fetchers: Map::new(),
            next_number: 0,
            first_fetcher: 0,
            admin: AdminCalls::default(),
            chores: Chores::default(),
            watch: Watch::default(),
            settled: false,
            turned: Instant::ZERO,
            close_by: None,
            ended: false,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A turn of the driver begins.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.shared.set_coarse(now);
        self.cluster.events.begin(now);
    }

    /// Time has gone on, or handles may have left something: everything is looked at again.
    pub(crate) fn wake(&mut self) {
        self.settled = false;
    }

    /// Whether nothing has come in since everything was done that could be.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// What to do next. To be called after every change, until it answers [`Output::Timeout`] or [`Output::Ended`].
    #[must_use]
    pub(crate) fn poll_output(&mut self, now: Instant) -> Output {
        loop {
            if let Some(output) = self.cluster.next_output() {
                return Output::Do(output);
            }
            if self.ended {
                return Output::Ended;
            }
            if self.settled {
                return Output::Timeout(self.deadline());
            }
            (self.settled, self.turned) = (true, now);
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Instant) {
        self.take_commands();
        self.cluster.run(now);
        while let Some(lost) = self.cluster.next_lost() {
            self.on_lost(now, lost);
        }
        self.chores.run(now);
        for sender in self.senders.values_mut() {
            sender.run(now, &mut self.cluster);
        }
        let wanted = self.fetch(now);
        self.watch(now, wanted);
        self.admin.run(now, &mut self.cluster);
        // Whoever ran may have found metadata out of date.
        self.cluster.run(now);
        self.free_slots(now);
        self.tell_contact();
        self.shared.waits.wake_due(now);
        self.close(now);
        // A link that ended just now gives its requests back in another turn.
        self.settled &= !self.cluster.has_lost();
    }

    /// Consumers take turns, from the one on that found no room last time: others would take what comes back as soon as
    /// it does.
    /// Answers how many bytes were wanted for which there was no room.
    fn fetch(&mut self, now: Instant) -> usize {
        if self.fetchers.is_empty() {
            self.shared.budget.has_asked(&self.shared.kick, false);
            return 0;
        }
        let streams = self.streams();
        let (budget, kick) = (Arc::clone(&self.shared.budget), Arc::clone(&self.shared.kick));
        let mut room = FetchRoom { streams, is_short: !budget.may_fetch(&kick), refused: false, wanted: 0 };
        let first = self.first_fetcher;
        let (sooner, later): (Vec<_>, Vec<_>) = self.fetchers.iter_mut().partition(|(number, _)| **number < first);
        for (number, fetcher) in later.into_iter().chain(sooner) {
            let was_short = room.is_short;
            fetcher.run(now, &mut self.cluster, &mut room);
            if room.is_short && !was_short {
                self.first_fetcher = *number;
            }
        }
        budget.has_asked(&kick, room.refused);
        // Shares were counted by the turn before: once more, by this one's.
        self.settled &= self.streams() == streams;
        room.wanted
    }

    /// Tells who keeps what others wait for.
    fn watch(&mut self, now: Instant, fetch: usize) {
        let Machine { shared, cluster, senders, fetchers, watch, .. } = self;
        if !cluster.events.is_on() {
            return;
        }
        let inflate = fetchers.values().map(|f| f.starving()).chain(senders.values().map(Sender::split_wants));
        let needs = Needs {
            fetch,
            inflate: inflate.max().unwrap_or(0),
            produce: senders.values().map(Sender::starving).max().unwrap_or(0),
            refused: senders.values().map(Sender::take_refused).sum::<usize>() + shared.waits.take_refused(),
            max_waiters: shared.config.max_waiters,
        };
        let queued = || fetchers.values().map(|f| f.queued()).sum();
        watch.look(now, &needs, queued, &shared.budget, &cluster.events);
    }

    fn streams(&self) -> usize {
        self.fetchers.values().map(|f| f.streams()).sum()
    }

    fn deadline(&self) -> Instant {
        let now = self.turned;
        let senders = self.senders.values().map(Sender::deadline);
        let fetchers = self.fetchers.values().map(|f| f.deadline());
        let own = [self.cluster.deadline(now), self.admin.deadline(), self.shared.waits.wake_due(now)];
        let own = own.into_iter().chain([self.chores.deadline()]);
        let close = self.close_by.into_iter();
        senders.chain(fetchers).chain(own).chain(close).min().unwrap_or(Instant::FAR)
    }

    fn take_commands(&mut self) {
        while let Some(command) = self.shared.next_command() {
            match command {
                Command::Produce(shared) => {
                    let slot = self.number();
                    let acks = shared.config.acks;
                    if shared.config.idempotence.is_none() && !shared.config.idempotent() {
                        self.cluster.events.tell(|| Event::NotIdempotent { acks });
                    }
                    let sender = Sender::new(slot, shared);
                    if self.close_by.is_some() {
                        sender.close();
                    }
                    self.senders.insert(slot, sender);
                }
                Command::Consume(mut fetcher) => {
                    let slot = self.number();
                    fetcher.begin(slot);
                    self.fetchers.insert(slot, fetcher);
                }
                Command::Admin(operation) => self.admin.add(operation, self.shared.config.max_waiters),
                Command::Chore(chore) => self.chores.add(chore),
                Command::WarmState(reply, of) => reply.give(Ok(of(&self.cluster))),
            }
        }
    }

    fn number(&mut self) -> usize {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        number
    }

    fn free_slots(&mut self, now: Instant) {
        let shared = &self.shared;
        self.senders.retain(|_, sender| {
            let done = sender.is_done();
            if done {
                sender.abandon();
                shared.free_slot();
            }
            !done
        });
        let mut left_open: Vec<i32> = Vec::new();
        self.fetchers.retain(|_, fetcher| {
            let done = fetcher.is_done();
            if done {
                left_open.extend(fetcher.under_way());
                fetcher.abandon();
                shared.free_slot();
            }
            !done
        });
        // A broker answers a connection's requests in turn: the next consumer would wait behind a fetch that waits for
        // records which nobody reads.
        for node in left_open {
            if !self.fetchers.values().any(|f| f.under_way().contains(&node)) {
                self.cluster.drop_link(now, node, Use::Fetch);
            }
        }
    }

    fn tell_contact(&self) {
        if self.cluster.is_known() {
            self.shared.set_contact(Ok(()));
        } else if self.cluster.has_failures() {
            self.shared.set_contact(Err((self.cluster.unreachable(), self.cluster.is_hopeless())));
        }
    }

    /// When the last handle is gone, or somebody said so, what is in the buffers has `close_timeout_ms`; then everything
    /// ends.
    fn close(&mut self, now: Instant) {
        if !self.shared.is_ending() {
            return;
        }
        let span = Duration::from_millis(u64::from(self.shared.config.close_timeout_ms));
        let by = match self.close_by {
            Some(by) => by,
            None => {
                self.cluster.events.tell(|| Event::Closing { within: span });
                // Where there still are handles, their producers would take records for ever.
                self.senders.values().for_each(Sender::close);
                self.settled = false;
                *self.close_by.insert(now.after(span))
            }
        };
        let idle = self.senders.is_empty();
        if idle || by <= now {
            self.end(now);
        }
    }

    /// Ends everything: connections close, every record that is not settled gets its fate, nobody waits on.
    pub(crate) fn end(&mut self, now: Instant) {
        if core::mem::replace(&mut self.ended, true) {
            return;
        }
        // What ends now ends with the client: one event says so.
        let events = core::mem::take(&mut self.cluster.events);
        self.cluster.close_all(now);
        while let Some(lost) = self.cluster.next_lost() {
            self.on_lost(now, lost);
        }
        let mut unsettled = 0;
        let left = self.shared.end();
        for command in left {
            match command {
                Command::Produce(shared) => unsettled += Sender::new(0, shared).abandon(),
                Command::Consume(mut fetcher) => fetcher.abandon(),
                Command::Admin(operation) => self.admin.add(operation, self.shared.config.max_waiters),
                Command::Chore(chore) => self.chores.add(chore),
                Command::WarmState(reply, _) => reply.give(Err(Error::Closed { fate: Fate::NotPersisted })),
            }
        }
        unsettled += self.senders.values_mut().map(Sender::abandon).sum::<usize>();
        self.fetchers.values_mut().for_each(|f| f.abandon());
        self.admin.abandon(&Error::Closed { fate: Fate::NotPersisted });
        self.chores.end(now);
        self.senders.clear();
        self.fetchers.clear();
        self.shared.budget.has_asked(&self.shared.kick, false);
        events.end();
        events.tell(|| Event::Closed { unsettled });
        self.shared.set_over();
    }

    /// The transport opened a connection.
    pub(crate) fn on_connected(&mut self, now: Instant, link: LinkId) {
        self.settled = false;
        self.cluster.on_connected(now, link);
    }

    /// The transport could not open a connection, or lost it; `None`: the peer closed it.
    pub(crate) fn on_closed(&mut self, now: Instant, link: LinkId, error: Option<TransportError>) {
        self.settled = false;
        self.cluster.on_transport_error(now, link, error);
    }

    /// A job was run. Whose producer has ended nobody waits for it.
    pub(crate) fn on_job(&mut self, job: Job) {
        self.settled = false;
        if let Some(sender) = self.senders.get_mut(&job.slot()) {
            sender.on_packed(job);
        }
    }

    /// Fills `out` with what is to be written to a link next; answers how many slices.
    pub(crate) fn transmit<'a>(&'a self, link: LinkId, out: &mut [&'a [u8]]) -> usize {
        self.cluster.link(link).map_or(0, |l| l.transmit(out))
    }

    /// Whether anything is to be written to a link.
    pub(crate) fn has_output(&self, link: LinkId) -> bool {
        self.cluster.link(link).is_some_and(crate::link::Link::has_output)
    }

    #[cfg(test)]
    pub(crate) fn usage(&self, link: LinkId) -> Option<crate::link::Use> {
        self.cluster.link(link).map(|l| l.usage)
    }

    /// `count` bytes were written to a link.
    pub(crate) fn transmitted(&mut self, link: LinkId, count: usize) {
        let Some(l) = self.cluster.link_mut(link) else { return };
        l.transmitted(count);
        while let Some(context) = self.cluster.link_mut(link).and_then(|l| l.next_done_unanswered()) {
            self.settled = false;
            if let Context::Produce(produced) = context
                && let Some(sender) = self.sender(produced.slot)
            {
                sender.on_sent(produced);
            }
        }
    }

    /// Where a link's next bytes go; `None` once it has ended.
    pub(crate) fn receive_buffer(&mut self, link: LinkId) -> Option<&mut [u8]> {
        self.cluster.link_mut(link).map(|l| l.assembly.buffer()).filter(|b| !b.is_empty())
    }

    /// `count` bytes came in on a link.
    pub(crate) fn received(&mut self, now: Instant, link: LinkId, count: usize) {
        let Some(l) = self.cluster.link_mut(link) else { return };
        l.assembly.received(count);
        while let Some(incoming) = self.next_frame(now, link) {
            self.settled = false;
            match incoming {
                Incoming::Staged { start, end } => self.on_staged(now, link, start, end, None),
                Incoming::Refused { start, end, len } => self.on_staged(now, link, start, end, Some(len)),
                Incoming::Leased(buffer) => self.on_leased(now, link, buffer),
            }
        }
        if let Some(l) = self.cluster.link_mut(link) {
            l.assembly.compact();
        }
    }

    /// The next whole frame; decides on the room of one that has only been announced.
    fn next_frame(&mut self, now: Instant, link: LinkId) -> Option<Incoming> {
        let l = self.cluster.link_mut(link)?;
        if let Some(announced) = l.assembly.announced() {
            match room_for(l, announced) {
                Ok(Wanted::Stage) => {}
                Ok(Wanted::Buffer(class, len)) => {
                    let room = match self.shared.budget.fetch_buf(class, len) {
                        Some(buffer) => Room::Buffer(buffer),
                        None => Room::None,
                    };
                    self.cluster.link_mut(link)?.assembly.begin(len, room);
                }
                Err(fault) => {
                    self.settled = false;
                    self.cluster.on_fault(now, link, fault);
                    return None;
                }
            }
        }
        self.cluster.link_mut(link)?.assembly.next()
    }

    /// A frame that lies in the link's read-ahead, or (`refused`) only its head.
    fn on_staged(&mut self, now: Instant, link: LinkId, start: usize, end: usize, refused: Option<usize>) {
        let Some(l) = self.cluster.link_mut(link) else { return };
        // The stage is lent out, because handling the frame may touch any link, and given back after.
        let stage = l.assembly.lend();
        let answered = l.answered(stage.get(start..end).unwrap_or_default());
        match (answered, refused) {
            (Ok((pending, reader)), None) => self.on_response(now, link, pending, Frame { reader, leased: None }),
            (Ok((pending, head)), Some(len)) => self.on_refused(now, link, pending, head, len),
            (Err(fault), _) => self.cluster.on_fault(now, link, fault),
        }
        if let Some(l) = self.cluster.link_mut(link) {
            l.assembly.give_back(stage);
        }
    }

    fn on_leased(&mut self, now: Instant, link: LinkId, buffer: FetchBuf) {
        let bytes = Bytes::from_owner(buffer);
        let Some(l) = self.cluster.link_mut(link) else { return };
        match l.answered(&bytes) {
            Ok((pending, reader)) => self.on_response(now, link, pending, Frame { reader, leased: Some(&bytes) }),
            Err(fault) => self.cluster.on_fault(now, link, fault),
        }
    }

    fn on_response(&mut self, now: Instant, link: LinkId, pending: Pending<Context>, frame: Frame<'_>) {
        let version = pending.version;
        let cluster = &mut self.cluster;
        match pending.context {
            Context::Greeting => cluster.on_greeted(now, link, version, frame.reader),
            Context::Metadata => cluster.on_metadata(now, link, version, frame.reader),
            Context::InitProducerId { slot } => {
                if let Some(sender) = self.senders.get_mut(&slot) {
                    sender.on_identity(now, cluster, link, version, frame.reader);
                }
            }
            Context::Produce(produced) => {
                if let Some(sender) = self.senders.get_mut(&produced.slot) {
                    sender.on_produced(now, cluster, link, version, produced, frame.reader);
                }
            }
            Context::ListOffsets(asked) => {
                if let Some(fetcher) = self.fetchers.get_mut(&asked.slot) {
                    fetcher.on_offsets(now, cluster, link, version, *asked, frame.reader);
                }
            }
            Context::Fetch(fetching) => {
                if let Some(fetcher) = self.fetchers.get_mut(&fetching.slot) {
                    fetcher.on_fetched(now, cluster, link, version, *fetching, frame);
                }
            }
            Context::Admin(asked) => self.admin.on_response(now, cluster, link, version, asked, frame),
            Context::FetchOnce(asked) => self.admin.on_response(now, cluster, link, version, asked.0, frame),
        }
    }

    /// An answer that there was no memory for. The link lives; who asked must ask for less, or try again.
    fn on_refused(&mut self, now: Instant, link: LinkId, pending: Pending<Context>, head: Reader<'_>, len: usize) {
        match pending.context {
            Context::Fetch(fetching) => {
                if let Some(fetcher) = self.fetchers.get_mut(&fetching.slot) {
                    let refused = Refused { version: pending.version, head, len };
                    fetcher.on_fetch_refused(&mut self.cluster, *fetching, refused);
                }
            }
            Context::FetchOnce(asked) => self.admin.on_refused(asked.0, len),
            context => {
                let limit = self.shared.budget.limit(Class::Control);
                let fault = PeerFault::FrameLength { len: len as i64, limit, knob: Class::Control.knob() };
                self.cluster.on_fault(now, link, fault);
                self.on_lost(now, Unanswered { context, sent: true });
            }
        }
    }

    /// A request ended with its connection.
    fn on_lost(&mut self, now: Instant, lost: Unanswered<Context>) {
        let cluster = &mut self.cluster;
        match lost.context {
            Context::Greeting => {}
            Context::Metadata => cluster.on_metadata_lost(now),
            Context::InitProducerId { slot } => {
                if let Some(sender) = self.senders.get_mut(&slot) {
                    sender.on_identity_lost(now, cluster);
                }
            }
            Context::Produce(produced) => {
                if let Some(sender) = self.senders.get_mut(&produced.slot) {
                    sender.on_produce_lost(now, cluster, produced, lost.sent);
                }
            }
            Context::ListOffsets(asked) => {
                if let Some(fetcher) = self.fetchers.get_mut(&asked.slot) {
                    fetcher.on_offsets_lost(now, cluster, *asked);
                }
            }
            Context::Fetch(fetching) => {
                if let Some(fetcher) = self.fetchers.get_mut(&fetching.slot) {
                    fetcher.on_fetch_lost(now, cluster, *fetching);
                }
            }
            Context::Admin(asked) => self.admin.on_lost(now, cluster, asked, lost.sent),
            Context::FetchOnce(asked) => self.admin.on_lost(now, cluster, asked.0, lost.sent),
        }
    }

    fn sender(&mut self, slot: usize) -> Option<&mut Sender> {
        self.senders.get_mut(&slot)
    }
}

/// Where an announced frame may go.
enum Wanted {
    /// It is, or will be, whole in the stage; or it has not fully arrived there.
    Stage,
    Buffer(Class, usize),
}

/// Judges the length that a peer announces, before anything is allocated for it (trap 11).
fn room_for(link: &crate::link::Link<Context>, announced: i32) -> Result<Wanted, PeerFault> {
    let wrong = |limit, class: Class| PeerFault::FrameLength { len: i64::from(announced), limit, knob: class.knob() };
    let Some(oldest) = link.oldest() else { return Err(PeerFault::Correlation { got: announced, expected: None }) };
    if is_greeting(&oldest.context)
        && let Some(name) = other_protocol(link.assembly.unread())
    {
        return Err(PeerFault::OtherProtocol(name));
    }
    let class = match oldest.context {
        Context::Fetch(_) | Context::FetchOnce(..) => Class::Fetch,
        _ => Class::Control,
    };
    match usize::try_from(announced) {
        Ok(len) if (FRAME_LEAST..=oldest.response_max).contains(&len) => {
            Ok(if link.assembly.fits_stage(len) { Wanted::Stage } else { Wanted::Buffer(class, len) })
        }
        _ => Err(wrong(oldest.response_max, class)),
    }
}
