//! Connections: from a client's call to the bytes that a peer gets, and back.

use std::task::{Context, Poll};

use embedded_io::ErrorKind;
use klamm::{Endpoint, Phase as At, TransportError, wire::api};
use klamm_broker::ConnId;

use crate::conn::{Awaiting, Conn, Far, Phase, Scanned};
use crate::peer::{Answer, Listener, Said, Seen};
use crate::pipe::{Boundary, Chunk, Cut, End, FrameCut, How, Pipe};
use crate::show;
use crate::world::{Event, World};

type Outcome<T> = Poll<Result<T, TransportError>>;

const SILENT: &str = "silent connection";

fn reset() -> TransportError {
    TransportError::new(At::Io, ErrorKind::ConnectionReset, "connection reset by peer")
}

impl World {
    pub(crate) fn connect(&mut self, client: usize, to: &Endpoint) -> u64 {
        let no = self.next_conn;
        self.next_conn += 1;
        self.activity += 1;
        let now = self.now();
        self.trace.note(now, format_args!("#{no} client {client} connects to {to}, attempt {}", to.attempt));
        let look_up = self.rng.below(2_000_000);
        let there_and_back = self.latency() + self.latency();
        let to = self.listener(to);
        if !matches!(to, Some(Listener::Down)) {
            self.schedule(now + look_up + there_and_back, Event::Connected(no));
        }
        let (up, down) = (self.pipe(), self.pipe());
        let (requests, awaiting) = Default::default();
        let phase = Phase::Connecting { to, waker: None };
        let (far, frame_cut) = (Far::None, None);
        let conn = Conn { client, phase, far, up, down, silent: false, closed: false, frame_cut, requests, awaiting };
        self.conns.insert(no, conn);
        no
    }

    fn pipe(&mut self) -> Pipe {
        let (low, high) = self.network.window;
        let window = self.rng.range(low, high) as usize;
        let index = self.rng.index(self.network.chunks.len());
        Pipe::new(window, self.network.chunks[index])
    }

    fn latency(&mut self) -> u64 {
        let (low, high) = self.network.latency;
        self.rng.range(low, high)
    }

    /// The other side accepts or refuses.
    pub(crate) fn connected(&mut self, no: u64) {
        let Some(Conn { phase: Phase::Connecting { to, waker }, .. }) = self.conns.get_mut(&no) else { return };
        let (to, waker) = (to.take(), waker.take());
        let refused = || Err(TransportError::new(At::Connect, ErrorKind::ConnectionRefused, "connection refused"));
        let (far, result) = match to {
            None => {
                let error = TransportError::new(At::Resolve, ErrorKind::NotFound, "the name has no address");
                (Far::None, Err(error))
            }
            Some(Listener::Broker(node)) => match self.cluster.open(node) {
                Some(id) => {
                    self.by_broker_conn.insert(id, no);
                    (Far::Broker { node, id: Some(id) }, Ok(()))
                }
                None => (Far::None, refused()),
            },
            Some(Listener::Script(make)) => (Far::Script(make()), Ok(())),
            Some(Listener::Nobody | Listener::Down) => (Far::None, refused()),
        };
        let now = self.now();
        self.trace.note(now, format_args!("#{no} {}", if result.is_ok() { "is open" } else { "is refused" }));
        if result.is_err() {
            self.counts.add("refused");
        }
        let Some(conn) = self.conns.get_mut(&no) else { return };
        (conn.phase, conn.far) = (Phase::Connected(result), far);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.plan_cut(no);
        let mut said = Said::default();
        if let Some(Conn { far: Far::Script(script), .. }) = self.conns.get_mut(&no) {
            script.opened(&mut said);
        }
        self.say(no, said);
    }

    /// Decides whether and where a new connection breaks.
    fn plan_cut(&mut self, no: u64) {
        if self.network.cut == 0 || !self.rng.chance(self.network.cut) {
            return;
        }
        let how = self.network.cut_how[self.rng.index(self.network.cut_how.len())];
        if self.rng.chance(4_000) {
            let at = self.rng.pick(&[Boundary::BeforeRequest, Boundary::AfterRequest, Boundary::AfterAnswer]);
            let left = self.rng.below(20);
            if let Some(conn) = self.conns.get_mut(&no) {
                conn.frame_cut = Some(FrameCut { at, left, how });
            }
            return;
        }
        // Small numbers as often as large ones: greetings break as often as floods.
        let bits = u64::from(self.network.cut_within.max(16).ilog2());
        let span = 1 << self.rng.range(3, bits);
        let cut = Cut { at: self.rng.below(span), how };
        let up = self.rng.chance(5_000);
        if let Some(conn) = self.conns.get_mut(&no) {
            if up { conn.up.cut = Some(cut) } else { conn.down.cut = Some(cut) }
        }
    }

    pub(crate) fn poll_connected(&mut self, no: u64, cx: &mut Context<'_>) -> Outcome<()> {
        let Some(conn) = self.conns.get_mut(&no) else { return Poll::Pending };
        match core::mem::replace(&mut conn.phase, Phase::Open) {
            Phase::Connected(result) => Poll::Ready(result),
            Phase::Connecting { to, .. } => {
                conn.phase = Phase::Connecting { to, waker: Some(cx.waker().clone()) };
                Poll::Pending
            }
            Phase::Open => Poll::Pending,
        }
    }

    pub(crate) fn poll_write(&mut self, no: u64, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Outcome<usize> {
        if self.is_spurious(cx) {
            return Poll::Pending;
        }
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&no) else { return Poll::Ready(Err(reset())) };
        if conn.down.end.is_some() {
            return Poll::Ready(Err(reset()));
        }
        let len: usize = bufs.iter().map(|b| b.len()).sum();
        let mut left = len.min(conn.up.room());
        if left == 0 {
            conn.up.writer = Some(cx.waker().clone());
            self.counts.add("full window");
            return Poll::Pending;
        }
        // A host may take less than fits.
        if conn.up.chunks != crate::pipe::Chunks::Whole && self.rng.chance(1_000) {
            left = self.rng.range(1, left as u64) as usize;
        }
        if left < len {
            self.counts.add("partial write");
        }
        let mut taken = Vec::with_capacity(left);
        for buf in bufs {
            let more = buf.len().min(left - taken.len());
            taken.extend_from_slice(&buf[..more]);
        }
        self.acted(format_args!("#{no} {} bytes are written", taken.len()));
        self.trace.bytes(now, no, true, &taken);
        self.send(no, true, &taken);
        Poll::Ready(Ok(taken.len()))
    }

    pub(crate) fn poll_read(&mut self, no: u64, cx: &mut Context<'_>, buf: &mut [u8]) -> Outcome<usize> {
        if self.is_spurious(cx) {
            return Poll::Pending;
        }
        let Some(conn) = self.conns.get_mut(&no) else { return Poll::Ready(Err(reset())) };
        if conn.down.end == Some(End::Reset) {
            return Poll::Ready(Err(reset()));
        }
        let unread = conn.down.unread();
        if unread.is_empty() {
            if conn.down.end.is_some() {
                self.acted(format_args!("#{no} the end is read"));
                return Poll::Ready(Ok(0));
            }
            conn.down.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut count = unread.len().min(buf.len());
        if conn.down.chunks != crate::pipe::Chunks::Whole && self.rng.chance(1_000) {
            count = self.rng.range(1, count as u64) as usize;
            self.counts.add("partial read");
        }
        buf[..count].copy_from_slice(&unread[..count]);
        conn.down.take(count);
        self.acted(format_args!("#{no} {count} bytes are read"));
        Poll::Ready(Ok(count))
    }

    /// The client is done with a connection. `abrupt`: without having closed it.
    pub(crate) fn client_closes(&mut self, no: u64, abrupt: bool) {
        let Some(conn) = self.conns.get_mut(&no) else { return };
        if core::mem::replace(&mut conn.closed, true) {
            return;
        }
        self.activity += 1;
        if matches!(conn.phase, Phase::Connecting { .. }) {
            self.conns.remove(&no);
            return;
        }
        let now = self.now();
        self.trace.note(now, format_args!("#{no} is closed by its client"));
        self.count_lost_answers(no);
        // What was sent before still arrives, unless a reset overtakes it.
        let lose = abrupt && self.rng.chance(5_000);
        if let Some(conn) = self.conns.get_mut(&no)
            && lose
        {
            conn.up.lose();
        }
        self.end(no, true, End::Fin);
    }

    /// Puts bytes on their way.
    fn send(&mut self, no: u64, up: bool, mut bytes: &[u8]) {
        let now = self.now();
        while !bytes.is_empty() {
            let Some(conn) = self.conns.get_mut(&no) else { return };
            let pipe = if up { &mut conn.up } else { &mut conn.down };
            let (piece, rest) = bytes.split_at(pipe.chunks.next(pipe.sent, &mut self.rng).min(bytes.len()));
            bytes = rest;
            if !rest.is_empty() {
                self.counts.add("chunked");
            }
            pipe.send(piece.to_vec());
            let last = pipe.last_arrival;
            let mut delay = self.latency();
            if self.network.spike > 0 && self.rng.chance(self.network.spike) {
                let (low, high) = self.network.spike_span;
                delay += self.rng.range(low, high);
                self.counts.add("delay spike");
            }
            self.arrives(no, up, last.max(now + delay));
        }
    }

    fn arrives(&mut self, no: u64, up: bool, at: u64) {
        if let Some(conn) = self.conns.get_mut(&no) {
            let pipe = if up { &mut conn.up } else { &mut conn.down };
            pipe.last_arrival = at;
            self.schedule(at, Event::Arrive { conn: no, up });
        }
    }

    /// Ends a direction after what is under way in it.
    fn end(&mut self, no: u64, up: bool, end: End) {
        let delay = self.latency();
        let at = self.now() + delay;
        let Some(conn) = self.conns.get_mut(&no) else { return };
        let pipe = if up { &mut conn.up } else { &mut conn.down };
        if end == End::Reset {
            pipe.lose();
        }
        pipe.under_way.push_back(Chunk::End(end));
        let at = at.max(pipe.last_arrival);
        self.arrives(no, up, at);
    }

    /// The next chunk of a direction arrives.
    pub(crate) fn arrive(&mut self, no: u64, up: bool) {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&no) else { return };
        let pipe = if up { &mut conn.up } else { &mut conn.down };
        let Some(chunk) = pipe.arrive() else { return };
        if up && let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        match chunk {
            Chunk::End(End::Fin | End::Reset) if up => return self.forget(no),
            _ if conn.silent => return,
            Chunk::End(end) => {
                conn.down.end = Some(end);
                self.trace.note(now, format_args!("#{no} ends: {end:?}"));
            }
            Chunk::Bytes(bytes) if up => self.deliver_up(no, &bytes),
            Chunk::Bytes(bytes) => {
                conn.down.put(&bytes);
                let answered = conn.forget_answered();
                let breaks = (0..answered).find_map(|_| conn.breaks_at(Boundary::AfterAnswer));
                let idle = conn.awaiting.is_empty();
                self.trace.bytes(now, no, false, &bytes);
                if let Some(how) = breaks {
                    let kind = if idle { "close between requests" } else { "close between answers" };
                    self.break_off(no, how, if how == How::Silence { SILENT } else { kind }, true);
                }
            }
        }
        self.break_now(no, up);
        if !up
            && let Some(conn) = self.conns.get_mut(&no)
            && let Some(reader) = conn.down.reader.take()
        {
            reader.wake();
        }
    }

    /// Breaks the connection if this is the byte for it.
    fn break_now(&mut self, no: u64, up: bool) {
        let Some(conn) = self.conns.get_mut(&no) else { return };
        let Some(how) = (if up { conn.up.breaks() } else { conn.down.breaks() }) else { return };
        let kind = match (how, up) {
            (How::Silence, _) => SILENT,
            (_, true) if conn.requests.is_partial() => "close in a request",
            (_, true) if conn.awaiting.is_empty() => "close between requests",
            (_, true) => "close after a request",
            (_, false) if conn.awaiting.front().is_some_and(|a| a.end.is_some()) => "close in an answer",
            (_, false) => "close before an answer",
        };
        // What was said before a close in order still comes.
        self.break_off(no, how, kind, !up || how == How::Reset);
        if !up && let Some(conn) = self.conns.get_mut(&no) {
            match how {
                How::Fin => conn.down.end = Some(End::Fin),
                How::Reset => conn.down.end = Some(End::Reset),
                How::Silence => {}
            }
        }
    }

    /// Breaks a connection. `lose`: with what was on its way to the client.
    fn break_off(&mut self, no: u64, how: How, kind: &'static str, lose: bool) {
        self.counts.add(kind);
        let now = self.now();
        self.trace.note(now, format_args!("#{no} breaks ({how:?}): {kind}"));
        let Some(conn) = self.conns.get_mut(&no) else { return };
        if how == How::Silence {
            conn.silent = true;
            return self.count_lost_answers(no);
        }
        if lose {
            conn.down.lose();
            self.count_lost_answers(no);
        }
        self.hang_up(no);
        self.end(no, false, if how == How::Fin { End::Fin } else { End::Reset });
    }

    /// The broker's side of a connection is gone.
    fn hang_up(&mut self, no: u64) {
        let Some(conn) = self.conns.get_mut(&no) else { return };
        if let Far::Broker { id, .. } = &mut conn.far
            && let Some(id) = id.take()
        {
            self.by_broker_conn.remove(&id);
            self.backlog.remove(&no);
            self.cluster.close(id);
        }
        if let Some(conn) = self.conns.get_mut(&no)
            && matches!(conn.far, Far::Script(_))
        {
            conn.far = Far::None;
        }
    }

    /// Requests that were done and whose answers nobody will read.
    fn count_lost_answers(&mut self, no: u64) {
        let Some(conn) = self.conns.get_mut(&no) else { return };
        conn.forget_answered();
        for lost in core::mem::take(&mut conn.awaiting) {
            if lost.api_key == api::PRODUCE.key && lost.end.is_some() {
                self.counts.add("answer lost after it was applied");
            }
        }
    }

    /// The client's end has arrived: nobody knows of the connection any more.
    fn forget(&mut self, no: u64) {
        self.hang_up(no);
        self.conns.remove(&no);
        self.settle_cluster();
    }

    fn deliver_up(&mut self, no: u64, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&no) else { return };
        match &mut conn.far {
            Far::Broker { id: Some(_), .. } => {
                conn.up.put(bytes);
                self.backlog.insert(no);
                self.settle_cluster();
            }
            Far::Script(script) => {
                let mut said = Said::default();
                script.received(bytes, &mut said);
                self.say(no, said);
            }
            Far::Broker { .. } | Far::None => {}
        }
    }

    fn say(&mut self, no: u64, said: Said) {
        self.send(no, false, &said.bytes);
        if said.close {
            self.hang_up(no);
            self.end(no, false, End::Fin);
        }
    }

    /// Moves bytes between the cluster and its connections until nothing moves.
    pub(crate) fn settle_cluster(&mut self) {
        loop {
            while let Some(id) = self.cluster.poll_ready() {
                self.take_answers(id);
            }
            let waiting: Vec<u64> = self.backlog.iter().copied().collect();
            if waiting.into_iter().filter(|no| self.feed(*no)).count() == 0 {
                break;
            }
        }
        self.schedule_cluster();
    }

    /// Gives a broker what has arrived for it, request by request.
    fn feed(&mut self, no: u64) -> bool {
        let mut any = false;
        loop {
            let Some(conn) = self.conns.get_mut(&no) else { return any };
            let Far::Broker { node, id: Some(id) } = conn.far else { return any };
            if !self.cluster.wants_input(id) {
                return any;
            }
            if conn.up.unread().is_empty() {
                self.backlog.remove(&no);
                return any;
            }
            let (taken, frame) = match conn.requests.scan(conn.up.unread()) {
                Scanned::Partial(taken) => (taken, None),
                Scanned::Whole(taken, frame) => (taken, Some(frame)),
            };
            let bytes = conn.up.unread()[..taken].to_vec();
            conn.up.take(taken);
            any = true;
            let mut after = None;
            if let Some(frame) = &frame {
                if let Some(how) = conn.breaks_at(Boundary::BeforeRequest) {
                    self.break_off(no, how, if how == How::Silence { SILENT } else { "close before a request" }, true);
                    return any;
                }
                after = conn.breaks_at(Boundary::AfterRequest);
                self.request(no, node, frame);
            }
            let now = self.broker_now();
            self.cluster.receive(id, &bytes, now);
            while let Some(ready) = self.cluster.poll_ready() {
                self.take_answers(ready);
            }
            if let Some(how) = after {
                self.break_off(no, how, if how == How::Silence { SILENT } else { "close after a request" }, true);
            }
        }
    }

    /// A broker is about to get a request.
    fn request(&mut self, no: u64, node: i32, frame: &[u8]) {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&no) else { return };
        let Some(head) = frame.first_chunk::<8>() else { return };
        let [k0, k1, v0, v1, id @ ..] = *head;
        let (api_key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        let correlation_id = i32::from_be_bytes(id);
        let client = conn.client;
        conn.awaiting.push_back(Awaiting { api_key, version, correlation_id, end: None });
        if self.trace.is_told() {
            let text = show::request(&self.cluster, frame);
            self.trace.tell(now, format_args!("#{no} broker {node} gets {text}, {} bytes", frame.len()));
        }
        let seen = Seen { client, conn: no, node, api_key, version, correlation_id, frame, now };
        if let Some(mut hook) = self.on_request.take() {
            hook(&mut self.cluster, &seen, &mut self.counts);
            self.on_request = Some(hook);
        }
    }

    /// Sends what a broker has for a connection.
    fn take_answers(&mut self, id: ConnId) {
        let Some(no) = self.by_broker_conn.get(&id).copied() else {
            self.cluster.close(id);
            return;
        };
        let mut bytes = Vec::new();
        while let Some(piece) = self.cluster.poll_transmit(id) {
            bytes.extend_from_slice(&piece);
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let whole = rest.first_chunk::<4>().map(|size| 4 + u32::from_be_bytes(*size) as usize);
            let (frame, after) = rest.split_at(whole.map_or(rest.len(), |whole| whole.min(rest.len())));
            rest = after;
            self.answer(no, frame);
        }
        if self.cluster.should_close(id) {
            self.hang_up(no);
            // A broker that dies takes what it had said with it as often as not.
            let end = if self.rng.chance(5_000) { End::Fin } else { End::Reset };
            if end == End::Reset {
                if let Some(conn) = self.conns.get_mut(&no) {
                    conn.down.lose();
                }
                self.count_lost_answers(no);
            }
            self.end(no, false, end);
        }
    }

    fn answer(&mut self, no: u64, frame: &[u8]) {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&no) else { return };
        let id = frame.get(4..8).and_then(|id| id.try_into().ok()).map_or(-1, i32::from_be_bytes);
        let end = conn.down.sent + frame.len() as u64;
        let mut frame = frame.to_vec();
        if let Some((api_key, version)) = conn.answered(id, end) {
            if self.trace.is_told() {
                let text = show::answer(&self.cluster, api_key, version, &frame);
                self.trace.tell(now, format_args!("#{no} answer to ({id}) {text}, {} bytes", frame.len()));
            }
            if let Some(mut hook) = self.on_answer.take() {
                hook(&Answer { conn: no, api_key, version, correlation_id: id }, &mut frame);
                self.on_answer = Some(hook);
            }
        }
        self.send(no, false, &frame);
    }
}
