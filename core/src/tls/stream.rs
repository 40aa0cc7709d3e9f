//! A connection's bytes, encrypted.

use alloc::{boxed::Box, format, vec, vec::Vec};
use core::{
    mem,
    task::{Context, Poll, ready},
};

use super::{
    Known, Tls,
    engine::{Engine, Step},
    records::{BODY_MAX, HEADER, OUT_MAX, PIECE_MAX, gather, next_record},
};
use crate::{ByteStream, Clock, Phase, TlsFault, TransportError, sync::Arc};

/// Room for the largest record that a peer may send.
const INCOMING: usize = HEADER + BODY_MAX;

/// Room for the broker's part of the handshake, all its certificates included. Past [`INCOMING`] it is taken only while a
/// message is not yet whole.
pub(super) const HANDSHAKE: usize = INCOMING + (8 << 10);

/// What rustls holds of a connection beside these: its state, its keys, and the broker's certificates, for as long as it stands.
const STATE: usize = HANDSHAKE + (6 << 10);

/// The most that a connection's TLS holds.
pub(crate) const CONNECTION: usize = INCOMING + PIECE_MAX + OUT_MAX + STATE;

/// What rustls takes while it makes or reads a record: copies of it, and where small slices are put together.
pub(crate) const WORKING: usize = 2 * OUT_MAX;

/// Records that one write makes at most, and reads of the stream below for one of this: then others get their turn.
const RECORDS_A_WRITE: usize = 8;
const FILLS: usize = 32;

/// Goes on when others had their turn.
fn later<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// TLS over another stream. Records are decrypted only when their content can be handed on, and made only when there is
/// room for them, so that whoever is slow slows the other side down, in both directions.
///
/// Its memory is fixed: a record each way, and one that is being read. A handshake may have 26 KiB from the broker,
/// certificates included.
pub struct TlsStream<S> {
    inner: S,
    engine: Box<dyn Engine>,
    /// The peer's bytes: `seen` of them rustls knows, though it is not done with them, `used` of them have come.
    incoming: Vec<u8>,
    seen: usize,
    used: usize,
    /// What is left of a record that was read, from `taken` on.
    plain: Vec<u8>,
    taken: usize,
    /// Records to be sent: those bytes from `sent` to `made`.
    outgoing: Box<[u8]>,
    sent: usize,
    made: usize,
    /// What comes after these, of a handshake that is larger; there is nothing to read then, whose room this takes.
    spilled: Vec<u8>,
    known: Known,
    closing: bool,
    peer_closed: bool,
    failed: Option<TransportError>,
}

/// What can be done without further bytes of the peer has been done.
enum Pumped {
    /// So many bytes were handed on.
    Read(usize),
    Blocked,
    Idle,
    Closed,
}

impl<S: ByteStream> TlsStream<S> {
    /// Begins TLS on a stream that is open, with whoever must have a certificate for `host`, a name or a literal address, that
    /// is valid by this clock. Nothing is sent before it is polled.
    ///
    /// # Errors
    /// With [`TlsFault::HostName`] when no certificate can be for such a name.
    pub fn new(inner: S, tls: &Tls, clock: &Arc<dyn Clock>, host: &str) -> Result<Self, TransportError> {
        let engine = tls.begin(clock, host)?;
        Ok(TlsStream {
            inner,
            engine,
            incoming: vec![0; INCOMING],
            seen: 0,
            used: 0,
            plain: Vec::new(),
            taken: 0,
            outgoing: vec![0; OUT_MAX].into_boxed_slice(),
            sent: 0,
            made: 0,
            spilled: Vec::new(),
            known: Known::default(),
            closing: false,
            peer_closed: false,
            failed: None,
        })
    }

    /// Goes on with the handshake; ready when records can be exchanged. That a broker refuses the client's certificate may
    /// be told later, to whoever reads (TLS 1.3).
    ///
    /// # Errors
    /// With phase [`Phase::Tls`] and the cause.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        for _ in 0..FILLS {
            match ready!(self.pump(cx, true, &mut []))? {
                Pumped::Idle => {
                    // What is left is sent with what comes next, if the peer does not take it now.
                    drop(self.send(cx));
                    return Poll::Ready(Ok(()));
                }
                Pumped::Closed => return Poll::Ready(Err(self.ended())),
                Pumped::Read(_) => {}
                Pumped::Blocked => {
                    let sending = self.send(cx);
                    match (self.fill(cx), sending) {
                        (Poll::Ready(filled), _) => filled?,
                        // Where nothing can be written and nothing comes, nothing will.
                        (Poll::Pending, Poll::Ready(Err(error))) => return Poll::Ready(Err(self.fail(error))),
                        (Poll::Pending, _) => return Poll::Pending,
                    }
                }
            }
        }
        later(cx)
    }

    /// Does what can be done with what has come; with `reading`, up to one record whose content goes into `into` and, where
    /// that is too small, is kept. Pending when there is something to be sent first.
    fn pump(&mut self, cx: &mut Context<'_>, reading: bool, into: &mut [u8]) -> Poll<Result<Pumped, TransportError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        let mut handed = 0;
        loop {
            if !self.spilled.is_empty() {
                ready!(self.send(cx))?;
            }
            let idle = match self.step(into, &mut handed) {
                Ok(Step::Wrote(count)) => {
                    self.made = self.made.saturating_add(count);
                    continue;
                }
                Ok(Step::Spilled(bytes)) => {
                    self.spilled = bytes;
                    continue;
                }
                Ok(Step::Again) => continue,
                Ok(Step::Read) => return Poll::Ready(Ok(Pumped::Read(handed))),
                Ok(Step::PeerClosed) => {
                    self.peer_closed = true;
                    return Poll::Ready(Ok(Pumped::Closed));
                }
                Ok(Step::Blocked) => false,
                Ok(Step::Idle) => true,
                Err(error) => return Poll::Ready(Err(self.say_why(cx, error))),
            };
            if idle && !self.known.established {
                self.known.established = true;
                self.incoming.truncate(INCOMING.max(self.used));
                self.incoming.shrink_to_fit();
            }
            let next = next_record(self.incoming.get(..self.used).unwrap_or_default(), self.seen);
            match next {
                // The only place where rustls is shown a record: its content has somewhere to go.
                Some(end) if reading && self.is_drained() && !self.peer_closed => self.seen = end,
                _ if self.peer_closed => return Poll::Ready(Ok(Pumped::Closed)),
                _ if idle => return Poll::Ready(Ok(Pumped::Idle)),
                _ => return Poll::Ready(Ok(Pumped::Blocked)),
            }
        }
    }

    fn step(&mut self, into: &mut [u8], handed: &mut usize) -> Result<Step, TransportError> {
        if self.is_drained() {
            self.plain.clear();
            self.taken = 0;
        }
        let incoming = self.incoming.get_mut(..self.seen).unwrap_or_default();
        let outgoing = self.outgoing.get_mut(self.made..).unwrap_or_default();
        let plain = &mut self.plain;
        let (discard, step) = self.engine.step(self.known, incoming, outgoing, &mut |payload| {
            let room = into.get_mut(*handed..).unwrap_or_default();
            let (now, later) = payload.split_at(payload.len().min(room.len()));
            if let Some(room) = room.get_mut(..now.len()) {
                room.copy_from_slice(now);
            }
            *handed = handed.saturating_add(now.len());
            if !later.is_empty() {
                plain.reserve_exact(PIECE_MAX.saturating_sub(plain.len()).max(later.len()));
                plain.extend_from_slice(later);
            }
        });
        if discard > 0 {
            self.known.heard = true;
            self.incoming.copy_within(discard..self.used, 0);
            self.seen = self.seen.saturating_sub(discard);
            self.used = self.used.saturating_sub(discard);
        }
        step
    }

    /// Whether everything that was decrypted has been read.
    fn is_drained(&self) -> bool {
        self.taken >= self.plain.len()
    }

    fn fail(&mut self, error: TransportError) -> TransportError {
        self.failed.get_or_insert(error).clone()
    }

    /// Tells the peer what is wrong, as far as it takes that, and answers it.
    fn say_why(&mut self, cx: &mut Context<'_>, error: TransportError) -> TransportError {
        let failure = self.fail(error);
        // Once: where the alert is not there, rustls would only look at the same bytes again.
        if let Ok(Step::Wrote(count)) = self.step(&mut [], &mut 0) {
            self.made = self.made.saturating_add(count);
        }
        // Whether it is heard or not, the connection is over.
        if let Poll::Ready(Ok(())) = self.send(cx) {
            drop(self.inner.poll_flush(cx));
        }
        failure
    }

    /// Writes out what was made.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        loop {
            while let Some(rest) = self.outgoing.get(self.sent..self.made).filter(|rest| !rest.is_empty()) {
                let count = ready!(self.inner.poll_write(cx, &[rest]))?;
                self.sent = self.sent.saturating_add(count);
            }
            let next = mem::take(&mut self.spilled);
            (self.sent, self.made) = (0, next.len());
            match self.outgoing.get_mut(..next.len()) {
                Some(to) if !next.is_empty() => to.copy_from_slice(&next),
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Reads more of the peer's bytes.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.used >= self.incoming.len() {
            if self.known.established || self.incoming.len() >= HANDSHAKE {
                let fault = TlsFault::TooLarge;
                let text = format!("{fault}: more than {HANDSHAKE} bytes");
                let error = TransportError::of_tls(self.known.phase(), fault, text);
                return Poll::Ready(Err(self.fail(error)));
            }
            self.incoming.resize(HANDSHAKE, 0);
        }
        let room = self.incoming.get_mut(self.used..).unwrap_or_default();
        match ready!(self.inner.poll_read(cx, room)) {
            Ok(0) => Poll::Ready(Err(self.ended())),
            Ok(count) => {
                self.used = self.used.saturating_add(count);
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                let hung_up = error.kind == embedded_io::ErrorKind::ConnectionReset && self.is_unheard();
                let error = if hung_up { self.ended() } else { error };
                Poll::Ready(Err(self.fail(error)))
            }
        }
    }

    /// Nothing at all has come.
    fn is_unheard(&self) -> bool {
        !self.known.heard && self.used == 0
    }

    /// The stream is at its end, without TLS's own.
    fn ended(&mut self) -> TransportError {
        let (phase, fault) = match self.known.established {
            _ if self.is_unheard() => (Phase::Tls, TlsFault::NotTls),
            false => (Phase::Tls, TlsFault::Truncated),
            true => (Phase::Io, TlsFault::Truncated),
        };
        self.fail(TransportError::of_tls(phase, fault, format!("{fault}")))
    }

    /// Makes a record of what stands at `accepted` in these slices; answers how much of it, which is nothing where something
    /// must be sent or read first. Pending as [`pump`](Self::pump).
    fn seal(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]], accepted: usize) -> Poll<Result<usize, TransportError>> {
        if let Pumped::Blocked = ready!(self.pump(cx, false, &mut []))? {
            return Poll::Ready(Err(TransportError::of_tls(
                Phase::Io,
                TlsFault::Protocol,
                "the handshake is not over",
            )));
        }
        let mut memory = Vec::new();
        let piece = gather(bufs, accepted, self.engine.piece(), &mut memory);
        let incoming = self.incoming.get_mut(..self.seen).unwrap_or_default();
        let outgoing = self.outgoing.get_mut(self.made..).unwrap_or_default();
        let (count, sealed) = (piece.len(), self.engine.encrypt(self.known, incoming, piece, outgoing));
        match sealed {
            Ok(Some(made)) => {
                self.made = self.made.saturating_add(made);
                Poll::Ready(Ok(count))
            }
            Ok(None) => Poll::Ready(Ok(0)),
            Err(error) => Poll::Ready(Err(self.say_why(cx, error))),
        }
    }
}

impl<S: ByteStream> ByteStream for TlsStream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        for _ in 0..FILLS {
            if !self.is_drained() {
                let rest = self.plain.get(self.taken..).unwrap_or_default();
                let count = rest.len().min(buf.len());
                if let (Some(to), Some(from)) = (buf.get_mut(..count), rest.get(..count)) {
                    to.copy_from_slice(from);
                }
                self.taken = self.taken.saturating_add(count);
                return Poll::Ready(Ok(count));
            }
            match ready!(self.pump(cx, true, buf))? {
                Pumped::Read(0) => {}
                Pumped::Read(count) => return Poll::Ready(Ok(count)),
                Pumped::Closed => return Poll::Ready(Ok(0)),
                Pumped::Idle | Pumped::Blocked => {
                    // An answer of TLS itself waits for nobody's write. Where it cannot be sent, reading tells why.
                    drop(self.send(cx));
                    ready!(self.fill(cx))?;
                }
            }
        }
        later(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let all: usize = bufs.iter().map(|buf| buf.len()).sum();
        let mut accepted = 0;
        for _ in 0..RECORDS_A_WRITE {
            // Nothing is made while something is not sent, so that there is always room for a whole record.
            let sealed = match self.send(cx) {
                Poll::Ready(Ok(())) if accepted == all => break,
                Poll::Ready(Ok(())) => self.seal(cx, bufs, accepted),
                other => other.map_ok(|()| 0),
            };
            match sealed {
                Poll::Ready(Ok(count)) => accepted = accepted.saturating_add(count),
                // What was taken before counts; the next write is told.
                _ if accepted > 0 => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if accepted == 0 && all > 0 { later(cx) } else { Poll::Ready(Ok(accepted)) }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        ready!(self.send(cx))?;
        self.inner.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if !self.closing {
            ready!(self.send(cx))?;
            self.closing = true;
            if self.known.established && self.failed.is_none() {
                let incoming = self.incoming.get_mut(..self.seen).unwrap_or_default();
                if let Some(made) = self.engine.say_goodbye(incoming, &mut self.outgoing) {
                    self.made = made;
                }
            }
        }
        ready!(self.send(cx))?;
        self.inner.poll_close(cx)
    }
}
